"""Array jobs on a real Slurm, of two nodes on this machine, that these tests start and end.

apt-get install --no-install-recommends slurmctld slurmd slurm-client
"""

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from assay import command_line
from assay.pools.run import Run

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "sinfo")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason="no Slurm here"),
]
SETTINGS = """
ClusterName=assay
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=5
MaxArraySize=10
SchedulerParameters=batch_sched_delay=0,sched_interval=1
NodeName=n0 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=2000
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=2000
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
CHAIN = """
launcher: slurm
slurm: {array: 3, cpus: 1, time: "10", options: ["--comment=a b"]}
sample:
  problems: {name: gsm_symbolic, limit: 3}
  generator: {name: embedded, device: cpu}
  prompt: {form: plain}
  sampling: {max_new_tokens: 8}
  modes: {cot: 1, pot: 1}
  problems_per_part: 1
grade: {slurm: {array: 2}}
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def told(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def wait_for(what, seconds=240):
    """Waits until `what()` is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool-n0", "spool-n1"):
        (folder / name).mkdir()
    settings = folder / "slurm.conf"
    host = socket.gethostname().split(".")[0]
    settings.write_text(
        SETTINGS.format(host=host, user=getpass.getuser(), folder=folder, ports=free_ports(3))
    )
    before = dict(os.environ)
    os.environ |= {"SLURM_CONF": str(settings), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    commands = [
        ["slurmctld", "-D", "-c"],
        ["slurmd", "-D", "-N", "n0"],
        ["slurmd", "-D", "-N", "n1"],
    ]
    null = subprocess.DEVNULL
    daemons = [subprocess.Popen(c, stdout=null, stderr=null) for c in commands]
    try:
        wait_for(lambda: told("sinfo", "--noheader", "--states=idle", "--format=%D") == "2", 60)
        yield
    finally:
        told("scancel", "--user", getpass.getuser())
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)
        os.environ.clear()
        os.environ.update(before)


def ended():
    return not told("squeue", "--noheader")


def test_a_chain_whose_job_is_put_back_and_submitted_again(slurm, tmp_path, capsys):
    run, chain = tmp_path / "a 5% run", tmp_path / "chain.yaml"
    chain.write_text(CHAIN)
    words = ["launch", str(run), str(chain)]
    assert command_line.main(words) == 0
    first, second = (line.split("job ")[1] for line in capsys.readouterr().out.splitlines())
    sample, grade = first.split(",")[0], second.split(",")[0]
    waits = told("squeue", "--noheader", f"--jobs={grade}", "--format=%t %E")
    assert waits == f"PD afterok:{sample}_*(unfulfilled)"
    shown = told("scontrol", "show", "job", sample)
    assert "Comment=a b" in shown
    assert "JobName=sample-a 5% run" in shown
    assert command_line.main(words) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"sample: job {sample} is still in the queue (scancel {sample} takes it out)",
        f"grade: job {grade} is still in the queue (scancel {grade} takes it out)",
    ]
    # As where a node is lost or its job preempted.
    wait_for(lambda: told("squeue", "--noheader", f"--jobs={sample}_1", "--format=%t") == "R")
    assert subprocess.run(["scontrol", "requeue", f"{sample}_1"], check=False).returncode == 0
    wait_for(ended)
    opened = Run.open(run)
    assert len(opened.parts("answers")) == 6
    assert {p.name for p in (run / "slurm").glob("*.log")} == {
        *(f"sample-{sample}_{i}.log" for i in range(3)),
        *(f"grade-{grade}_{i}.log" for i in range(2)),
    }


def test_jobs_behind_one_that_failed_are_taken_out(slurm, tmp_path, capsys):
    run, chain = tmp_path / "run", tmp_path / "chain.yaml"
    chain.write_text(CHAIN.replace('"--comment=a b"', "--comment=x"))
    assert command_line.main(["launch", str(run), str(chain), "slurm.setup='exit 3'"]) == 0
    wait_for(ended)
    assert Run.open(run).parts("candidates") == []
    capsys.readouterr()
    assert command_line.main(["launch", str(run), str(chain)]) == 0
    assert "sample: 3 of 3 tasks, 6 parts to do; job " in capsys.readouterr().out
    wait_for(ended)
    assert len(Run.open(run).parts("answers")) == 6


def test_what_the_cluster_refuses_is_one_clear_line(slurm, tmp_path, capsys):
    chain = tmp_path / "chain.yaml"
    chain.write_text(CHAIN)
    for words, reason in (
        ("slurm.partition=gpu", "invalid partition specified: gpu"),
        ("sample.slurm.array=2000", "Invalid job array specification"),
        ("slurm.time=soon", "Invalid --time specification"),
    ):
        # Only where tasks may have any number are there as many of them as the array has.
        extra = ["slurm.after=1"] if "array" in words else []
        assert command_line.main(["launch", str(tmp_path / "run"), str(chain), words, *extra]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert "sbatch refused it" in line
        assert reason in line

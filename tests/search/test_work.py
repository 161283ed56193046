"""Parts on local processes: all done, progress counted, errors told in one line."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.pools import progress
from assay.pools.progress import Bar
from assay.pools.run import Part
from assay.search.launch.work import cores, do_parts
from assay.settings.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
PARTS = [Part(i, "cot", 0, 1) for i in range(6)]


def prepare(folder, trouble=""):
    def do(part, report):
        if trouble == "user" and part.index == 3:
            raise UserError("part 3: bad row")
        if trouble == "defect" and part.index == 3:
            raise ValueError("a defect")
        if trouble == "killed" and part.index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if trouble == "left" and part.index == 3:
            os._exit(0)
        if trouble == "forked" and part.index == 3:
            if os.fork() == 0:  # holds what the worker held open
                time.sleep(5)
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)
        if trouble == "killed" and part.index != 3:
            for _ in range(100):  # its neighbour goes on telling
                report(0, 1)
                time.sleep(0.1)
        (folder / str(part.index)).write_text(str(os.getpid()))
        report(1, 10)

    return do


@pytest.mark.parametrize("workers", [1, 2])
def test_every_part_is_done_once(tmp_path, workers):
    do_parts(PARTS, prepare, (tmp_path,), workers=workers, total=6, description="test")
    assert sorted(p.name for p in tmp_path.iterdir()) == list("012345")
    pids = {p.read_text() for p in tmp_path.iterdir()}
    assert (str(os.getpid()) in pids) == (workers == 1)


def test_a_users_error_comes_through(tmp_path):
    with pytest.raises(UserError, match=r"^part 3: bad row$"):
        do_parts(PARTS, prepare, (tmp_path, "user"), workers=2, total=6, description="test")


def test_a_defect_comes_with_its_traceback(tmp_path):
    with pytest.raises(RuntimeError, match="a defect"):
        do_parts(PARTS, prepare, (tmp_path, "defect"), workers=2, total=6, description="test")


@pytest.mark.parametrize(
    ("trouble", "how"), [("killed", "SIGKILL"), ("left", "exit code 0"), ("forked", "SIGKILL")]
)
def test_a_worker_that_ended_is_told_at_once_and_its_part_is_not_there(tmp_path, trouble, how):
    start = time.monotonic()
    with pytest.raises(UserError, match=rf"a worker process ended early \({how}; "):
        do_parts(PARTS, prepare, (tmp_path, trouble), workers=4, total=6, description="test")
    assert not (tmp_path / "3").exists()
    assert time.monotonic() - start < 40


KILLED = """
import os, signal, sys
from tqdm import tqdm
from assay.pools.run import Part
from assay.search.launch.work import do_parts

def prepare():
    for _ in tqdm(range(2), disable=False, file=open(os.devnull, "w")):  # as of models that load
        pass
    def do(part, report):
        report(1, 10)
        if part.index == 5:
            os.kill(os.getpid(), signal.SIGKILL)
    return do

if __name__ == "__main__":
    parts = [Part(i, "cot", 0, 1) for i in range(6)]
    try:
        do_parts(parts, prepare, (), workers=2, total=6, description="test")
    except Exception as error:
        sys.exit(str(error))
"""


def test_of_a_killed_worker_the_command_tells_in_one_line(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    (line,) = done.stderr.splitlines()
    assert line.startswith("a worker process ended early (SIGKILL; out of memory?)")


def test_a_log_gets_lines_of_progress_and_short_work_none(capsys, monkeypatch):
    with Bar(400, "sample") as bar:
        bar.add(1, 10)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.01)
    with Bar(400, "sample") as bar:
        for _ in range(4):
            time.sleep(0.05)
            bar.add(100, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 6
    assert all(
        re.fullmatch(r"sample: [1-4]00/400 candidates \[00:00<.*, \d+ tok/s\]", line)
        for line in lines
    )
    assert lines[-1].startswith("sample: 400/400")


def test_cores_are_those_of_a_job(monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_ON_NODE", raising=False)
    own = cores()
    assert own >= 1
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")
    assert cores() == 1
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "100000")
    assert cores() == own

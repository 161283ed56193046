"""Array jobs: what their scripts say, what sbatch is told, and that tasks together do the stage."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from assay import command_line
from assay.pools.run import Run
from assay.problems.sets import ProblemsConfig
from assay.search.drivers.launch import STAGES
from assay.search.launch.config import SlurmConfig
from assay.search.launch.slurm import _ranges, frozen, script
from assay.search.stages.grade import GradeConfig, grade
from assay.search.stages.sample import SampleConfig, sample
from assay.settings.schema import load
from tests.warm import children

ROOT = Path(__file__).resolve().parents[2]
WORDS = [
    *("problems=gsm_symbolic", "problems.limit=4", "generator=embedded", "generator.device=cpu"),
    *("prompt.form=plain", "sampling.max_new_tokens=24", "modes.cot=2", "modes.pot=2"),
    *("problems_per_part=1", "workers=1"),
]
# Knows the jobs whose ids stand in a file.
SQUEUE = """#!/bin/sh
job=$(echo "$2" | sed s/--jobs=//)
grep -x "$job" "$FAKE_QUEUE" && exit 0
echo "slurm_load_jobs error: Invalid job id specified" >&2
exit 1
"""
SBATCH = """#!/bin/sh
echo "$@" >> "$FAKE_SBATCH"
echo "$((1000 + $(wc -l < "$FAKE_SBATCH")));cluster"
"""


@pytest.fixture
def sbatch(tmp_path, monkeypatch):
    """An sbatch that writes its arguments into a file and gives the jobs 1001, 1002, …"""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("squeue", SQUEUE)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    calls = tmp_path / "calls"
    calls.touch()
    (tmp_path / "queue").touch()
    monkeypatch.setenv("FAKE_QUEUE", str(tmp_path / "queue"))
    monkeypatch.setenv("FAKE_SBATCH", str(calls))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return calls


def task(path, index):
    """Runs a script as Slurm does task `index`."""
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "SLURM_ARRAY_TASK_ID": index}
    done = subprocess.run(
        ["bash", str(path)], env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def line_of(capsys, *words):
    capsys.readouterr()
    assert command_line.main(list(words)) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_numbers_as_ranges():
    assert _ranges([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"
    assert _ranges([3]) == "3"


def test_the_script_is_this(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    slurm = SlurmConfig(
        array=16, at_once=4, partition="gpu", gpus=1, cpus=8, memory="32G", time="04:00:00",
        options=["--constraint=a100", "--comment=a b"], setup="source .venv/bin/activate\n",
    )  # fmt: skip
    text = script("sample", "/runs/a 5%", slurm, [0, 1, 2, 9], Path("/runs/a 5%/slurm"))
    assert (
        text
        == f"""\
#!/bin/bash
#SBATCH '--job-name=sample-a 5%'
#SBATCH --array=0-2,9%4
#SBATCH '--output=/runs/a 5%%/slurm/sample-%A_%a.log'
#SBATCH --open-mode=append
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --partition=gpu
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --constraint=a100
#SBATCH '--comment=a b'
set -eo pipefail
cd {tmp_path}
source .venv/bin/activate
exec assay sample '/runs/a 5%/slurm/sample.yaml' "shard=${{SLURM_ARRAY_TASK_ID}}/16"
"""
    )
    path = tmp_path / "s.sh"
    path.write_text(text)
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_without_set_up_the_same_interpreter_runs():
    text = script("grade", "/r", SlurmConfig(), [0], Path("/r/slurm"))
    assert f"exec {sys.executable} -m assay grade /r/slurm/grade.yaml " in text
    assert "--gres" not in text


@pytest.mark.slow
def test_two_tasks_do_the_stage_and_a_third_submission_does_what_is_missing(
    sbatch, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(sys, "executable", children()["PYTHON"])
    run, whole = tmp_path / "run", tmp_path / "whole"
    words = ["sample", str(run), *WORDS, "launcher=slurm", "slurm={array: 2, time: '1:00:00'}"]
    assert command_line.main(words) == 0
    path = run / "slurm/sample.sh"
    assert sbatch.read_text().splitlines() == [f"--parsable {path}"]
    out = capsys.readouterr().out
    assert out == f"sample: 2 of 2 tasks, 8 parts to do; job 1001, script and logs in {run}/slurm\n"
    assert "#SBATCH --array=0-1\n" in path.read_text()
    task(path, "1")
    assert {p.index for p in Run.open(run).parts("candidates")} == {1, 3}
    # Only task 0 has parts to do now.
    assert command_line.main(words) == 0
    assert "sample: 1 of 2 tasks, 4 parts to do; job 1002" in capsys.readouterr().out
    assert "#SBATCH --array=0\n" in path.read_text()
    task(path, "0")
    assert command_line.main(words) == 0
    assert capsys.readouterr().out == "sample: nothing to do, every part is there\n"
    assert len(sbatch.read_text().splitlines()) == 2
    assert command_line.main(["sample", str(whole), *WORDS]) == 0
    frames = [
        pd.read_parquet(r / "candidates").sort_values(["problem_id", "mode", "sample"])
        for r in (run, whole)
    ]
    pd.testing.assert_frame_equal(*(f.reset_index(drop=True) for f in frames))


def test_a_stage_called_from_python_is_submitted_as_the_command_is(sbatch, tmp_path, capsys):
    run = tmp_path / "run"
    slurm = "slurm={array: 2, partition: cpu}"
    config = load(SampleConfig, [f"run={run}", *WORDS, "launcher=slurm", slurm])
    submitted = sample(config)
    assert submitted.path == run
    assert submitted.parts("candidates") == []
    assert capsys.readouterr().out.startswith("sample: 2 of 2 tasks, 8 parts to do; job 1001, ")
    script, frozen = (run / f"slurm/sample.{end}" for end in ("sh", "yaml"))
    by_python = script.read_text(), frozen.read_text()
    # Behind it, grading is submitted for parts that are not there yet.
    after = SlurmConfig(array=3, after="1001")
    graded = grade(GradeConfig(str(run), launcher="slurm", slurm=after))
    assert graded.parts("candidates") == []
    assert capsys.readouterr().out.startswith("grade: 3 of 3 tasks; job 1002, ")
    # While the job is in the queue, nothing of what is left is looked for: no problems are read.
    (tmp_path / "queue").write_text("1001\n")
    waiting = dataclasses.replace(config, problems=ProblemsConfig(name="no-such-set"))
    assert sample(waiting).path == run
    assert "job 1001 is still in the queue" in capsys.readouterr().out
    (tmp_path / "queue").write_text("")
    assert command_line.main(["sample", str(run), *WORDS, "launcher=slurm", slurm]) == 0
    assert (script.read_text(), frozen.read_text()) == by_python
    assert len(sbatch.read_text().splitlines()) == 3


CHAIN = """
launcher: slurm
slurm: {array: 3, partition: gpu, gpus: 1}
sample:
  problems: {name: gsm_symbolic, limit: 3}
  generator: {name: embedded, device: cpu}
  prompt: {form: plain}
  sampling: {max_new_tokens: 8}
  modes: {cot: 1, pot: 1}
  problems_per_part: 1
grade: {slurm: {partition: cpu, gpus: 0, array: 2}}
"""


def test_a_chain_is_submitted_at_once_and_runs_in_order(sbatch, tmp_path, capsys):
    run, chain = tmp_path / "run", tmp_path / "chain.yaml"
    chain.write_text(CHAIN)
    assert command_line.main(["launch", str(run), str(chain)]) == 0
    assert sbatch.read_text().splitlines() == [
        f"--parsable {run}/slurm/sample.sh",
        f"--parsable --dependency=afterok:1001 --kill-on-invalid-dep=yes {run}/slurm/grade.sh",
    ]
    grade = (run / "slurm/grade.sh").read_text()
    assert "#SBATCH --partition=cpu\n" in grade
    assert "--gres" not in grade
    assert "#SBATCH --array=0-1\n" in grade
    # The same, as processes of this machine.
    assert command_line.main(["launch", str(run), str(chain), "launcher=local"]) == 0
    assert len(Run.open(run).parts("answers")) == 6
    capsys.readouterr()
    assert command_line.main(["launch", str(run), str(chain)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "sample: nothing to do, every part is there",
        "grade: nothing to do, every part is there",
    ]


def test_what_is_in_the_queue_is_not_submitted_again(sbatch, tmp_path, capsys):
    run, chain = tmp_path / "run", tmp_path / "chain.yaml"
    chain.write_text(CHAIN)
    assert command_line.main(["launch", str(run), str(chain)]) == 0
    (tmp_path / "queue").write_text("1001\n")
    chain.write_text(CHAIN.replace("limit: 3", "limit: 4"))
    before = (run / "slurm/sample.yaml").read_text()
    capsys.readouterr()
    assert command_line.main(["launch", str(run), str(chain)]) == 0
    # The second of the two has left the queue: it is submitted again, behind the first.
    assert capsys.readouterr().out.splitlines() == [
        "sample: job 1001 is still in the queue (scancel 1001 takes it out)",
        f"grade: 2 of 2 tasks; job 1003, script and logs in {run}/slurm",
    ]
    assert "--dependency=afterok:1001 " in sbatch.read_text().splitlines()[2]
    assert (run / "slurm/sample.yaml").read_text() == before


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("sample", ["problems.fields={question: 'a ${b} c'}", "prompt.shots=2", "generator=1e3"]),
        ("sample", ["mixture={hot: {sampling: {temperature: 1.2}, modes: {pot: 3}}}"]),
        ("grade", ["limits.cpu_seconds=2.5"]),
        ("score", ["verifiers={a: runs/a, b: {name: runs/b, dtype: float32}}"]),
    ],
)
def test_tasks_read_the_configuration_that_was_submitted(stage, words, tmp_path):
    schema = STAGES[stage].schema
    # "\\${" is how a user writes "${" that is text.
    words = [word.replace("${", "\\${") for word in words]
    given = load(schema, ["run=/r", *words, "launcher=slurm", "slurm.array=3"])
    path = tmp_path / "stage.yaml"
    path.write_text(frozen(given))
    expected = dataclasses.replace(given, launcher="local", slurm=SlurmConfig(), shard="2/3")
    assert load(schema, [str(path), "shard=2/3"]) == expected


def test_unsubmitted_it_says_how(tmp_path, capsys):
    run, chain = tmp_path / "run", tmp_path / "chain.yaml"
    chain.write_text(CHAIN)
    assert command_line.main(["launch", str(run), str(chain), "slurm.submit=false"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "sample: 3 of 3 tasks, 6 parts to do; to submit it: sbatch --parsable "
        f"{run}/slurm/sample.sh",
        "grade: 2 of 2 tasks; to submit it: sbatch --parsable "
        f"--dependency=afterok:JOB_OF_SAMPLE --kill-on-invalid-dep=yes {run}/slurm/grade.sh",
    ]

    # Nothing is there to grade yet, but will be when that job has ended.
    words = ["launcher=slurm", "slurm={array: 3, after: 77, submit: false}"]
    assert command_line.main(["grade", str(run), *words]) == 0
    assert "grade: 3 of 3 tasks; to submit it: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["slurm.array=0"], "slurm.array=0: expected 1 or more tasks"),
        (["slurm.gpus=-1"], "slurm.at_once, slurm.gpus and slurm.cpus: expected 0 or more"),
        (["shard=0/2"], "shard=0/2: with launcher=slurm, slurm.array gives the shards"),
        (["slurm.options=[requeue]"], "slurm.options: requeue: expected an option of sbatch"),
        (["slurm.aray=2"], "slurm.aray: unknown key; did you mean slurm.array?"),
        (["launcher=slrum"], "launcher=slrum: expected one of local, slurm, ray"),
    ],
)
def test_bad_settings_are_one_clear_line(words, expected, tmp_path, capsys):
    line = line_of(capsys, "sample", str(tmp_path / "r"), *WORDS, "launcher=slurm", *words)
    assert expected in line


def test_where_sbatch_is_missing_or_refuses(tmp_path, capsys, monkeypatch):
    words = ["sample", str(tmp_path / "r"), *WORDS, "launcher=slurm"]
    monkeypatch.setenv("PATH", str(tmp_path))
    line = line_of(capsys, *words)
    assert "launcher=slurm: sbatch cannot be run here" in line
    assert line.endswith(f"the script is {tmp_path}/r/slurm/sample.sh")
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho 'error: invalid partition' >&2\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    assert "sbatch refused it (error: invalid partition)" in line_of(capsys, *words)


def test_a_chains_bad_key_is_named_with_its_stage(tmp_path, capsys):
    chain = tmp_path / "chain.yaml"
    chain.write_text("sample: {modez: {cot: 1}}\n")
    line = line_of(capsys, "launch", str(tmp_path / "r"), str(chain))
    assert "sample.modez: unknown key; did you mean modes?" in line
    line = line_of(capsys, "launch", "r", "sample.run=x")
    assert "sample.run: set it once at the top level" in line
    assert "launcher=x: expected one of" in line_of(capsys, "launch", "r", "launcher=x")
    assert "run: expected the folder" in line_of(capsys, "launch")


@pytest.mark.parametrize("command", ["sample", "grade", "score", "launch"])
def test_the_help_of_every_command_explains_where_parts_are_done(command, capsys):
    assert command_line.main([command, "--help", "all"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "launcher=local what the parts run on (docs/clusters.md): local | slurm | ray" in words
    assert "slurm.array=1 number of tasks; task i does the parts i modulo this number" in words
    assert "ray.retries=3 how often a part is restarted after its worker died" in words
    shared = command == "launch"
    assert ("shard=0/1 i/m: do only the parts i modulo m" in words) is not shared
    assert ("slurm settings for all stages; a stage's own slurm" in words) is shared

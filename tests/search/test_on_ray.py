"""Parts on a Ray cluster of this machine; a worker is killed in the middle.

Starting clusters takes minutes, so CI leaves them out; `scripts/test_all.sh` installs Ray and runs
them. Outside an environment that has Ray, they run `$ASSAY_RAY_PYTHON`, the interpreter of one.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from assay import command_line

ROOT = Path(__file__).resolve().parents[2]
HERE = importlib.util.find_spec("ray") is not None
PYTHON = os.environ.get("ASSAY_RAY_PYTHON") or (sys.executable if HERE else "")
needs_ray = pytest.mark.skipif(not PYTHON, reason="no Ray here; set ASSAY_RAY_PYTHON")

# Workers find `ray_work` and Assay by PYTHONPATH, whatever is installed there.
DRIVER = """
import json, sys
from pathlib import Path
from assay.settings.errors import UserError
from assay.search.launch import on_ray
from assay.search.launch.config import RayConfig
from assay.pools.run import Part
from assay.pools.progress import Bar
from assay.search.launch.work import Work
import ray_work

bars = []
class Counted(Bar):
    def __init__(self, total, description):
        super().__init__(total, description)
        self.done = [0, 0]
        bars.append(self.done)
    def add(self, candidates, tokens):
        self.done[0] += candidates
        self.done[1] += tokens
        super().add(candidates, tokens)
on_ray.Bar = Counted

folder, trouble, retries = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
parts = [Part(i, "cot", 0, 1) for i in range(6)]
work = Work(parts, ray_work.prepare, (folder, trouble), total=12, description="test")
try:
    on_ray.do_on_ray(work, RayConfig(workers=2, cpus=0.5, retries=retries))
    error = ""
except UserError as caught:
    error = str(caught)
except RuntimeError as caught:
    error = f"RuntimeError: {caught}"
print("RESULT" + json.dumps({"error": error, "done": bars[0]}))
"""
RAY_WORK = """
import os, signal, time
from assay.settings.errors import UserError

def prepare(folder, trouble):
    if trouble == "start":
        os.kill(os.getpid(), signal.SIGKILL)
    def do(part, report):
        report(1, 10)
        if part.index == 3 and trouble == "user":
            raise UserError("part 3: bad row")
        if part.index == 3 and trouble == "defect":
            raise ValueError("a defect")
        died = folder / f"died-{part.index}"
        if part.index == 3 and (trouble == "always" or trouble == "once" and not died.exists()):
            died.touch()
            time.sleep(1)  # so that its progress is known: it must not count twice
            report(0, 0)
            time.sleep(1)
            os.kill(os.getpid(), signal.SIGKILL)
        (folder / str(part.index)).write_text(str(os.getpid()))
        report(1, 10)
    return do
"""


def environment(*folders):
    paths = os.pathsep.join(map(str, [ROOT, *folders]))
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def on_a_cluster(tmp_path, trouble, retries=3):
    """What six parts on two workers came to: (result, the parts that were written)."""
    (tmp_path / "ray_work.py").write_text(RAY_WORK)
    folder = tmp_path / "parts"
    folder.mkdir()
    done = subprocess.run(
        [PYTHON, "-c", DRIVER, str(folder), trouble, str(retries)],
        env=environment(tmp_path), capture_output=True, text=True, cwd=tmp_path, timeout=600,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, done.stderr
    return json.loads(lines[0].removeprefix("RESULT")), {p.name for p in folder.iterdir()}, done


@needs_ray
def test_a_part_whose_worker_is_killed_is_done_by_another(tmp_path):
    result, there, done = on_a_cluster(tmp_path, "once")
    assert result["error"] == ""
    assert there == {*"012345", "died-3"}
    assert (
        "a worker of Ray died at part-00003.cot.00000-00001.parquet; its part will be restarted"
        in done.stderr
    )
    assert result["done"] == [12, 120]
    assert len({(tmp_path / "parts" / name).read_text() for name in "012345"}) >= 2


@needs_ray
def test_a_part_that_kills_every_worker_is_given_up(tmp_path):
    result, there, _ = on_a_cluster(tmp_path, "always", retries=1)
    assert result["error"].startswith(
        "a worker of Ray died at part-00003.cot.00000-00001.parquet (2 times; ray.retries=1); "
        "finished parts are kept: "
    )
    assert "3" not in there
    assert {"0", "1", "2"} <= there


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        ("user", "part 3: bad row"),
        ("defect", "RuntimeError: in a worker of Ray:\nTraceback"),
        ("start", "a worker of Ray died before its first part (2 times; ray.retries=1)"),
    ],
)
def test_errors_come_through(tmp_path, trouble, expected):
    result, _, _ = on_a_cluster(tmp_path, trouble, retries=1)
    assert result["error"].startswith(expected)


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("ray.address=127.0.0.1:1", "ray.address=127.0.0.1:1: no Ray cluster there ("),
        ("ray.address=nowhere", "ray.address=nowhere: no Ray cluster there ("),
        ("ray.gpus=-3", "ray.gpus=-3.0: expected 0 or more, or -1"),
    ],
)
def test_bad_settings_are_one_clear_line(tmp_path, word, expected):
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": "a", "question": "1 + 1?", "answer": "2"}\n')
    words = [f"problems={path}", "generator=embedded", "launcher=ray", word]
    done = subprocess.run(
        [PYTHON, "-m", "assay", "sample", str(tmp_path / "r"), *words],
        env=environment(), capture_output=True, text=True, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"assay: {expected}")


@needs_ray
@pytest.mark.slow
def test_the_stages_give_the_pool_of_one_process(tmp_path):
    words = [
        *("problems=gsm_symbolic", "problems.limit=4", "generator=embedded", "prompt.form=plain"),
        *("generator.device=cpu", "sampling.max_new_tokens=24", "problems_per_part=1"),
        *("modes.cot=2", "modes.pot=2"),
    ]
    for run, launcher in (("here", "local"), ("there", "ray")):
        for command in (["sample", run, *words], ["grade", run]):
            subprocess.run(
                [PYTHON, "-m", "assay", *command, f"launcher={launcher}", "ray.workers=2"],
                env=environment(), cwd=tmp_path, check=True, capture_output=True, timeout=600,
            )  # fmt: skip
    for stage in ("candidates", "answers"):
        here, there = (
            pd.read_parquet(tmp_path / run / stage)
            .drop(columns="program_seconds", errors="ignore")
            .sort_values(["problem_id", "mode", "sample"], ignore_index=True)
            for run in ("here", "there")
        )
        assert len(here) == 16
        pd.testing.assert_frame_equal(here, there)


def test_without_ray_one_line_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": "a", "question": "1 + 1?", "answer": "2"}\n')
    words = ["sample", str(tmp_path / "r"), f"problems={path}", "generator=embedded"]
    assert command_line.main([*words, "launcher=ray"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("assay: launcher=ray: needs the package ray, which is not installed; ")
    assert "[ray]'" in error
    assert error.count("\n") == 1

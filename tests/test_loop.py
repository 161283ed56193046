"""The whole loop in little, killed in every stage: it ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
SMALL = [
    *("train.limit=12", "pool.limit=6", "pool_modes.cot=2", "pool_modes.pot=4"),
    *("tests.test.limit=6", "tests.hard.limit=4", "modes.cot=4", "modes.pot=4"),
    *("sampling.max_new_tokens=60", "problems_per_part=2", "evaluate.draws=20", "show=false"),
    *("generator.save_every_seconds=0", "verifier.save_every_seconds=0", "workers=2"),
]
STAGES = 10


def command(output: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "assay", "quickstart", f"output={output}", *SMALL, *words]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def finish(output: Path, *words: str) -> str:
    done = subprocess.run(
        command(output, *words),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def kill_in_stage(output: Path, stage: int, after: float) -> bool:
    """Starts the loop, kills it `after` seconds into a stage; whether it was still running then."""
    process = subprocess.Popen(
        command(output), cwd=ROOT, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"[{stage}/{STAGES}]"):
            break
    time.sleep(after)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return running


def pool(run: Path, stage: str) -> pd.DataFrame:
    frame = pd.read_parquet(run / stage)
    frame = frame.drop(columns=[c for c in frame if c == "program_seconds"])
    return frame.sort_values(["problem_id", "mode", "sample"], ignore_index=True)


def files(output: Path) -> dict[Path, int]:
    """When each part was written."""
    return {path: path.stat().st_mtime_ns for path in output.rglob("part-*.parquet")}


def table(run: Path) -> list[str]:
    lines = (run / "report" / "table.txt").read_text().splitlines()
    measured = ("  time:", "  seconds per problem", "  seconds + scoring")
    return [line for line in lines if not line.startswith(measured)]


@pytest.mark.slow
def test_killed_in_every_stage_it_ends_as_if_undisturbed(tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    finish(undisturbed)
    kills = [kill_in_stage(killed, stage, 0.4) for stage in (1, 1, 2, 3, 4, 5, 6, 7)]
    assert sum(kills) >= 6
    finish(killed)
    for name in ("train", "test", "hard"):
        stages = ["candidates", "answers"] + (["scores/verifier"] if name != "train" else [])
        for stage in stages:
            pd.testing.assert_frame_equal(
                pool(undisturbed / name, stage), pool(killed / name, stage)
            )
    for name in ("test", "hard"):
        assert table(undisturbed / name) == table(killed / name)
    made = files(killed)
    text = finish(killed)
    assert files(killed) == made  # nothing is done again
    assert "pass@" in text


@pytest.mark.slow
def test_widening_keeps_old_samples_and_repeats_none(tmp_path):
    run = tmp_path / "run"
    words = [
        *("problems=gsm_symbolic", "problems.limit=3", "generator=embedded", "prompt.form=plain"),
        *("sampling.max_new_tokens=40", "workers=1"),
    ]

    def sample(count: int) -> pd.DataFrame:
        arguments = [sys.executable, "-m", "assay", "sample", str(run), *words]
        arguments += [f"modes.cot={count}", "modes.pot=0"]
        subprocess.run(arguments, cwd=ROOT, env=environment(), check=True, capture_output=True)
        return pool(run, "candidates")

    few, more = sample(4), sample(10)
    assert len(more) == 30
    assert not more.duplicated(["problem_id", "mode", "sample"]).any()
    kept = more[more["sample"] < 4].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, kept)

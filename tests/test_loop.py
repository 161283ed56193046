"""The whole loop in little, killed in every stage: it ends as if nothing had happened."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch

from assay import command_line
from tests import warm

SMALL = [
    *("train.limit=12", "pool.limit=6", "pool_modes.cot=2", "pool_modes.pot=4"),
    *("held.limit=10", "held_modes.cot=1", "held_modes.pot=2", "choose.draws=5"),
    *("tests.test.limit=4", "tests.hard.limit=2", "modes.cot=4", "modes.pot=4"),
    *("sampling.max_new_tokens=60", "problems_per_part=2", "evaluate.draws=20", "show=false"),
    # A few steps of each training, every one saved.
    *("generator.epochs=1", "generator.batch_size=8", "generator.save_every_seconds=0"),
    *("verifier.epochs=1", "verifier.validations=1", "verifier.batch_tokens=2000"),
    "verifier.save_every_seconds=0",
]
STAGES = 17


def words(output: Path, workers: int = 1) -> list[str]:
    return ["quickstart", f"output={output}", *SMALL, f"workers={workers}"]


@pytest.fixture
def finish(capsys, undrawn) -> Iterator[Callable[[Path], str]]:
    """Runs the loop to its end in this process, on one thread as those that are killed."""

    def run(output: Path) -> str:
        capsys.readouterr()
        assert command_line.main(words(output)) == 0
        return capsys.readouterr().out

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield run
    torch.set_num_threads(threads)


def kill_in_stage(output: Path, stage: int, workers: int = 1) -> bool:
    """Starts the loop, kills it soon after a stage has begun; whether it was still running then."""
    process = warm.Warm(["-m", "assay", *words(output, workers)], more=warm.children())
    begun = re.compile(rf"^\[{stage}/{STAGES}\]", re.MULTILINE)
    process.wait_until(lambda: begun.search(process.out))
    time.sleep(0.4)
    running = process.poll() is None
    process.kill()
    process.wait()
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
def test_killed_in_every_stage_it_ends_as_if_undisturbed(tmp_path, finish):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    finish(undisturbed)
    kills = [kill_in_stage(killed, stage) for stage in (*range(1, 8), 9, 10)]
    # Most of the test's scores are by two processes, which changes none.
    kills.append(kill_in_stage(killed, 14, workers=2))
    assert sum(kills) >= 6
    finish(killed)
    assert (undisturbed / "choice.json").read_text() == (killed / "choice.json").read_text()
    for name in ("train", "held", "test", "hard"):
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


def test_widening_keeps_old_samples_and_repeats_none(tmp_path):
    run = tmp_path / "run"
    given = [
        *("problems=gsm_symbolic", "problems.limit=3", "generator=embedded", "prompt.form=plain"),
        *("sampling.max_new_tokens=40", "workers=1"),
    ]

    def sample(count: int) -> pd.DataFrame:
        of_modes = [f"modes.cot={count}", "modes.pot=0"]
        assert command_line.main(["sample", str(run), *given, *of_modes]) == 0
        return pool(run, "candidates")

    few, more = sample(4), sample(10)
    assert len(more) == 30
    assert not more.duplicated(["problem_id", "mode", "sample"]).any()
    kept = more[more["sample"] < 4].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, kept)

"""`assay sample` killed or widened: parts are whole or absent, the pool the same in the end."""

import os
import signal
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from assay import command_line
from assay.problems.sets import ProblemsConfig, load_problems
from tests.warm import Warm, children

PROBLEMS, SAMPLES = 9, 12
WORDS = [
    *("problems=gsm_symbolic", f"problems.limit={PROBLEMS}", "generator=embedded"),
    *("generator.device=cpu", "prompt.form=plain", "sampling.max_new_tokens=40"),
    *("problems_per_part=1", "modes.pot=0"),
]


def sample(run, count=SAMPLES, *more):
    assert (
        command_line.main(["sample", str(run), *WORDS, f"modes.cot={count}", "workers=1", *more])
        == 0
    )


def parts(run):
    return sorted((run / "candidates").glob("*.parquet"))


def pool(run):
    frame = pd.read_parquet(run / "candidates")
    assert not frame.duplicated(["problem_id", "mode", "sample"]).any()
    return frame.sort_values(["problem_id", "mode", "sample"], ignore_index=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    sample(run)
    frame = pool(run)
    assert len(frame) == PROBLEMS * SAMPLES
    return frame


def children_of(pid, what):
    """Child processes whose command line holds `what`."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in found if what in Path(f"/proc/{c}/cmdline").read_bytes()]


def workers_of(pid):
    """Processes that multiprocessing has spawned for a command."""
    return children_of(pid, b"spawn_main")


def started(run, **options):
    """`assay sample` with two workers."""
    words = ["sample", str(run), *WORDS, f"modes.cot={SAMPLES}", "workers=2"]
    return Warm(["-m", "assay", *words], **options)


def begun(run):
    """`assay sample` with two workers, as soon as its first parts are there."""
    process = started(run, more=children())
    assert process.wait_until(lambda: parts(run)), process.error
    return process


def gone(pid):
    """Whether the process has ended; nobody may have reaped it here."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return state.rsplit(")", 1)[1].split()[0] == "Z"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for workers in /proc")
@pytest.mark.parametrize("victim", ["command", "worker"])
def test_what_is_killed_is_resumed_to_the_same_pool(undisturbed, tmp_path, victim):
    run = tmp_path / "run"
    process = begun(run)
    workers = workers_of(process.pid)
    assert len(workers) == 2
    os.kill(process.pid if victim == "command" else workers[0], signal.SIGKILL)
    _, error = process.communicate(timeout=300)
    if victim == "worker":
        assert process.returncode == 2, error
        # On a machine that is busy, beside the line of progress that there is a minute.
        lines = [told for told in error.splitlines() if not told.startswith("sample: ")]
        assert len(lines) == 1, error
        (line,) = lines
        assert line.startswith("assay: a worker process ended early (SIGKILL; out of memory?)")
        assert "give the same command again" in line
    deadline = time.monotonic() + 300
    while not all(map(gone, workers)):
        assert time.monotonic() < deadline, "a worker outlives its command"
        time.sleep(0.05)

    kept = {path: path.read_bytes() for path in parts(run)}
    assert 1 <= len(kept) < PROBLEMS
    assert all(pq.read_table(path).num_rows == SAMPLES for path in kept)
    sample(run)
    assert all(path.read_bytes() == content for path, content in kept.items())
    pd.testing.assert_frame_equal(pool(run), undisturbed)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for workers in /proc")
@pytest.mark.parametrize("count", [1, 2])
def test_ctrl_c_says_one_line_while_workers_start(tmp_path, count):
    process = started(tmp_path / "run", new_session=True)
    assert process.wait_until(lambda: len(workers_of(process.pid)) >= count), process.error
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    line = "assay: interrupted; finished parts are kept, the same command goes on"
    assert error == f"\n{line}\n"


def test_widening_leaves_the_old_parts_alone(tmp_path):
    run, at_once = tmp_path / "run", tmp_path / "at-once"
    few = ["problems.limit=2"]
    sample(run, 16, *few)
    old = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in parts(run)}
    assert len(old) == 2
    sample(run, 64, *few)
    assert all((p.read_bytes(), p.stat().st_mtime_ns) == content for p, content in old.items())
    assert len(parts(run)) == 4
    ids = [problem.id for problem in load_problems(ProblemsConfig("gsm_symbolic", limit=2))]
    found = pool(run)
    assert list(zip(found["problem_id"], found["sample"], strict=True)) == sorted(
        (id, index) for id in ids for index in range(64)
    )
    sample(at_once, 64, *few)
    # Log-probabilities are float32 sums over batches of another make-up.
    columns = ["problem_id", "sample", "text", "tokens", "stop"]
    pd.testing.assert_frame_equal(found[columns], pool(at_once)[columns])

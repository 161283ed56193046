"""What a second process brings: sampling, grading and scoring on two cores against on one.

    ./scripts/quickstart.sh && python scripts/bench/workers.py
    python scripts/bench/workers.py run=runs/quickstart/test generator=runs/quickstart/generator \
        verifier=runs/quickstart/verifier limit=32 samples=16 repeats=3

`run` is a graded run: its first `limit` problems are sampled again, `samples` in each mode, and
what was sampled is graded and scored. Each stage is measured as it works, `do_parts` on the parts
of a run: one process of one thread against two, interleaved `repeats` times. The clock runs from
when every process has loaded what it needs until the last part is written; loading is paid once a
stage, however long it is.

Printed: candidates per second each way (median of the repeats) and their ratio, of which 2 is all
that two cores can give and 1.7 what is aimed at. It means something on two idle cores alone.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[2])
# Read when torch is imported, and inherited: the one process that is compared with is this one.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["GOMP_SPINCOUNT"] = "10000"

from search import grading, sampling, scoring  # noqa: E402
from search.settings import merge  # noqa: E402
from search.work import Do, Report, Work, do_parts  # noqa: E402

DEFAULTS: dict[str, Any] = {
    "run": "runs/quickstart/test",
    "generator": "runs/quickstart/generator",
    "verifier": "runs/quickstart/verifier",
    "limit": 32,
    "samples": 16,
    "repeats": 3,
}
PARTS = 16


def main(words: list[str]) -> None:
    """Measures the three stages and prints a line for each."""
    options = DEFAULTS | dict(word.split("=", 1) for word in words)
    limit, samples = int(options["limit"]), int(options["samples"])
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        sample = {
            "run": str(run),
            "problems": {"name": "jsonl", "path": f"{options['run']}/problems.jsonl"},
            "generator": {"name": options["generator"], "device": "cpu"},
            "modes": {"cot": samples, "pot": samples},
            "problems_per_part": max(1, limit // (PARTS // 2)),
            "sampling": {"max_new_tokens": 200},
        }
        sample["problems"]["limit"] = limit
        verifier = {"name": options["verifier"], "device": "cpu"}
        stages = {
            "sample": (sampling, "SampleConfig", sample, "candidates"),
            "grade": (grading, "GradeConfig", {"run": str(run)}, "answers"),
            "score": (scoring, "ScoreStage", {"run": str(run), "verifier": verifier}, "scores"),
        }
        print(f"{'':8}{'one':>10}{'two':>10}{'ratio':>8}   candidates per second")
        for name, (module, schema, keys, made) in stages.items():
            rates: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(int(options["repeats"])):
                for workers in rates:
                    shutil.rmtree(run / made, ignore_errors=True)
                    config = merge(getattr(module, schema), [keys, {"workers": workers}])
                    (work,) = module.planned(config)[1]
                    rates[workers].append(work.total / seconds(work, Path(folder) / "times"))
            one, two = (statistics.median(rates[workers]) for workers in (1, 2))
            print(f"{name:8}{one:10.1f}{two:10.1f}{two / one:8.2f}", flush=True)


def seconds(work: Work, folder: Path) -> float:
    """From when all processes are ready until the last part is written."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    arguments = (folder, work.workers, work.prepare, work.arguments)
    do_parts(
        work.parts,
        prepare,
        arguments,
        workers=work.workers,
        total=work.total,
        description=work.description,
    )
    started = max(float(path.read_text()) for path in folder.glob("ready-*"))
    return max(float(path.read_text()) for path in folder.glob("done-*")) - started


def prepare(folder: Path, workers: int, real: Any, arguments: Any) -> Do:
    """A worker that starts when all are ready, and notes when it was last done."""
    inner = real(*arguments)
    # The monotonic clock is one for all processes of a machine.
    (folder / f"ready-{os.getpid()}").write_text(str(time.monotonic()))
    while len(list(folder.glob("ready-*"))) < workers:
        time.sleep(0.005)

    def do(part: Any, report: Report) -> None:
        inner(part, report)
        (folder / f"done-{os.getpid()}").write_text(str(time.monotonic()))

    return do


if __name__ == "__main__":
    main(sys.argv[1:])

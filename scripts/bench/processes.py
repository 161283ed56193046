r"""Sampling, grading and scoring by one process and by two, one thread each, in one run.

    python scripts/bench/processes.py [generator=runs/quickstart/generator]
        [verifier=runs/quickstart/verifier] [problems=96] [samples=32] [repeats=3] [processes=1,2]
        [work=FOLDER]

The stages are `assay sample`, `grade` and `score` as they are, on GSM-Symbolic's test problems,
half of the samples in words and half as programs, in parts of 12 problems. Processes are the
workers of one command, for `grade` as many commands with a shard each, whose sandboxes run one
program at a time. Each repeat works in
fresh folders, numbers of processes take turns, and all runs hold the same candidates. `seconds` is
the wall time of a stage, the start of Python, of the workers and of the models included;
`working` is what the stage's workers took for their parts, divided by their number: how the work
alone would scale. Efficient on two cores is a ratio near 2; it needs both cores idle.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# In the place of this folder.
sys.path[0] = str(ROOT)

from search.runs import Run  # noqa: E402

DEFAULTS = {
    "generator": "runs/quickstart/generator",
    "verifier": "runs/quickstart/verifier",
    "problems": "96",
    "samples": "32",
    "repeats": "3",
    "processes": "1,2",
    "work": "",
}
PART = 12
STAGES = {"sample": "candidates", "grade": "answers", "score": "scores/verifier"}
Times = dict[tuple[str, int], list[tuple[float, float]]]


def commands(stage: str, run: Path, workers: int, given: dict[str, str]) -> list[list[str]]:
    """The commands of a stage that run at the same time."""
    if stage == "grade":
        return [[stage, str(run), "workers=1", f"shard={i}/{workers}"] for i in range(workers)]
    words = [stage, str(run), f"workers={workers}"]
    if stage == "score":
        return [[*words, f"verifier={given['verifier']}", "name=verifier"]]
    half = int(given["samples"]) // 2
    words += ["problems=gsm_symbolic", "problems.split=test", f"modes.cot={half}"]
    words += [f"problems.limit={given['problems']}", f"modes.pot={half}"]
    return [[*words, f"generator={given['generator']}", f"problems_per_part={PART}"]]


def measured(stage: str, run: Path, workers: int, given: dict[str, str]) -> tuple[float, float]:
    """Seconds of the stage, and of the work in it for each worker."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    begun = time.perf_counter()
    processes = [
        subprocess.Popen(
            [sys.executable, str(ROOT / "assay.py"), *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for words in commands(stage, run, workers, given)
    ]
    errors = [process.communicate()[1] for process in processes]
    seconds = time.perf_counter() - begun
    for process, error in zip(processes, errors, strict=True):
        if process.returncode:
            sys.exit(f"{stage}: {error.strip()}")
    return seconds, Run.open(run).seconds(STAGES[stage]) / workers


def compare(work: Path, given: dict[str, str]) -> Times:
    """All stages, by each number of processes, `repeats` times."""
    times: Times = {}
    counts = [int(word) for word in given["processes"].split(",")]
    for repeat in range(int(given["repeats"])):
        for workers in counts:
            run = work / f"{workers}-{repeat}"
            for stage in STAGES:
                found = measured(stage, run, workers, given)
                times.setdefault((stage, workers), []).append(found)
        digests = {_texts(work / f"{workers}-{repeat}") for workers in counts}
        if len(digests) > 1:
            sys.exit("the runs hold different candidates")
    return times


def _texts(run: Path) -> int:
    opened = Run.open(run)
    tables = [opened.read("candidates", part).to_pylist() for part in opened.parts("candidates")]
    return hash(tuple((row["problem_id"], row["text"]) for rows in tables for row in rows))


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    if unknown := set(given) - set(DEFAULTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(DEFAULTS)}")
    given = {**DEFAULTS, **given}
    folder = given["work"] or tempfile.mkdtemp(prefix="processes-")
    try:
        times = compare(Path(folder), given)
    finally:
        if not given["work"]:
            shutil.rmtree(folder, ignore_errors=True)
    count = int(given["problems"]) * int(given["samples"])
    print(f"{given['problems']} problems × {given['samples']} candidates, {os.cpu_count()} cores, "
          f"one thread a process, median of {given['repeats']}")  # fmt: skip
    print(f"{'':8}{'processes':>10}{'candidates/s':>14}{'seconds':>9}{'ratio':>7}{'working':>9}"
          f"{'ratio':>7}")  # fmt: skip
    least = min(workers for _, workers in times)
    for stage, workers in sorted(times, key=lambda key: list(STAGES).index(key[0])):
        found = times[stage, workers]
        whole, work = (statistics.median(column) for column in zip(*found, strict=True))
        first = [statistics.median(c) for c in zip(*times[stage, least], strict=True)]
        print(f"{stage:8}{workers:10}{count / whole:14.1f}{whole:9.1f}{first[0] / whole:7.2f}"
              f"{work:9.1f}{first[1] / work:7.2f}")  # fmt: skip


if __name__ == "__main__":
    main()

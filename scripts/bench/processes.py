r"""Sampling, grading and scoring by one process and by two, one thread each, in one run.

    python scripts/bench/processes.py [generator=runs/quickstart/generator]
        [verifier=runs/quickstart/verifier] [problems=96] [samples=32] [repeats=3] [processes=1,2]
        [solutions=../shared/data/gsm8k_model_solutions/example_model_solutions.jsonl] [copies=10]
        [work=FOLDER]

The stages are `assay sample`, `grade` and `score` as they are. Sampling and scoring: GSM-Symbolic's
test problems, half of the samples in words and half as programs, in parts of 12 problems. Grading:
the four models' solutions of GSM8K's 1319 test problems that came with the data, each in words and
as a program of its annotations, `copies` times (10: 105 520 candidates); no two programs are the
same text, for those are run once. Without that file, what was sampled is graded.

Processes are the workers of one command; for `grade`, as many commands with a shard each
(`shard=i/m workers=1`). One process of `grade` is thus one that compares answers and, in turn with
it, one sandbox server that runs a program at a time: both together keep one core busy.

Each repeat works in fresh folders, numbers of processes take turns, and all runs hold the same
candidates. `seconds` is the wall time of a stage, the start of Python, of the workers and of the
models included; `working` is what the stage's workers took for their parts, divided by their
number: how the work alone would scale. Efficient on two cores is a ratio near 2; it needs both
cores idle.
"""

from __future__ import annotations

import json
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

from assay.pools.run import Run  # noqa: E402
from assay.problems.annotations import annotations  # noqa: E402
from scripts.bench.machine import machine  # noqa: E402

DEFAULTS = {
    "generator": "runs/quickstart/generator",
    "verifier": "runs/quickstart/verifier",
    "problems": "96",
    "samples": "32",
    "repeats": "3",
    "processes": "1,2",
    "solutions": "../shared/data/gsm8k_model_solutions/example_model_solutions.jsonl",
    "copies": "10",
    "work": "",
}
PART = 12
SYSTEMS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
STAGES = {"sample": "candidates", "grade": "answers", "score": "scores/verifier"}
# Of each stage and number of processes, in each repeat: candidates, seconds, working.
Times = dict[tuple[str, int], list[tuple[int, float, float]]]


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


def write_real(solutions: Path, copies: int, file: Path) -> None:
    """The pool of real solutions, in words and as programs, as `assay import` reads it."""
    with open(solutions, encoding="utf-8") as rows, open(file, "w", encoding="utf-8") as out:
        for number, line in enumerate(rows):
            row = json.loads(line)
            candidates = []
            for system, copy in ((s, c) for s in SYSTEMS for c in range(copies)):
                text = row[system]["solution"]
                candidates.append({"mode": "cot", "text": text})
                candidates.append({"mode": "pot", "text": program(text) + f"# {system} {copy}\n"})
            answer = row["ground_truth"].rsplit("A:", 1)[1].strip()
            problem = {"id": f"test-{number:04}", "question": row["question"], "answer": answer}
            out.write(json.dumps({**problem, "candidates": candidates}) + "\n")


def program(solution: str) -> str:
    """A solution's annotations as a program that prints the last one: right or not, as they are."""
    found = [mark.expression for mark in annotations(solution)]
    lines = [f"x{i} = {expression}" for i, expression in enumerate(found, start=1)]
    return "\n".join([*lines, f"print(x{len(found)})"]) + "\n"


def real_pool(work: Path, given: dict[str, str]) -> Path | None:
    """The real solutions as a run, where the file is there."""
    solutions = ROOT / given["solutions"]
    if not solutions.is_file():
        return None
    write_real(solutions, int(given["copies"]), work / "real.jsonl")
    pool = work / "real"
    execute([["import", str(work / "real.jsonl"), f"run={pool}", f"problems_per_part={PART}"]])
    return pool


def execute(commands: list[list[str]]) -> float:
    """Runs `assay` with each of these words, all at the same time; returns the seconds."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    begun = time.perf_counter()
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "assay", *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for words in commands
    ]
    errors = [process.communicate()[1] for process in processes]
    seconds = time.perf_counter() - begun
    for words, process, error in zip(commands, processes, errors, strict=True):
        if process.returncode:
            sys.exit(f"assay {words[0]}: {error.strip()}")
    return seconds


def measured(
    stage: str, run: Path, workers: int, given: dict[str, str]
) -> tuple[int, float, float]:
    """The run's candidates, the seconds of the stage, and of the work in it for each worker."""
    seconds = execute(commands(stage, run, workers, given))
    opened = Run.open(run)
    count = sum(
        len(opened.slice(part)) * (part.end - part.first) for part in opened.parts("candidates")
    )
    return count, seconds, opened.seconds(STAGES[stage]) / workers


def compare(work: Path, given: dict[str, str]) -> Times:
    """All stages, by each number of processes, `repeats` times."""
    times: Times = {}
    counts = [int(word) for word in given["processes"].split(",")]
    real = real_pool(work, given)
    for repeat in range(int(given["repeats"])):
        for workers in counts:
            run = work / f"{workers}-{repeat}"
            for stage in STAGES:
                found = measured(stage, run, workers, given)
                if stage == "grade" and real:
                    copy = shutil.copytree(real, work / f"{workers}-{repeat}-real")
                    found = measured(stage, Path(copy), workers, given)
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
    print(f"{machine()}; one thread a process, median of {given['repeats']}")
    print(f"{'':8}{'processes':>10}{'candidates':>12}{'a second':>10}{'seconds':>9}{'ratio':>7}"
          f"{'working':>9}{'ratio':>7}")  # fmt: skip
    least = min(workers for _, workers in times)
    for stage, workers in sorted(times, key=lambda key: list(STAGES).index(key[0])):
        count, whole, work = _medians(times[stage, workers])
        _, first_whole, first_work = _medians(times[stage, least])
        print(f"{stage:8}{workers:10}{count:12.0f}{count / whole:10.1f}{whole:9.1f}"
              f"{first_whole / whole:7.2f}{work:9.1f}{first_work / work:7.2f}")  # fmt: skip


def _medians(found: list[tuple[int, float, float]]) -> list[float]:
    return [statistics.median(column) for column in zip(*found, strict=True)]


if __name__ == "__main__":
    main()

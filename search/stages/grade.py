"""The stage `grade`: programs are run, answers extracted, classes formed, labels given.

    assay grade run=runs/demo

The strict grader decides labels: 1 only where the answer is equivalent to the reference; undecided
is no label. A program that does not end `ok` claims no answer.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.pools.grading import GRADER, grade_candidates
from assay.pools.rows import Candidate, answers_table
from assay.pools.run import Part, Run, Shard
from assay.problems.answers import is_answer
from assay.problems.problem import Problem
from assay.sandbox import Limits, Sandbox
from assay.search.launch.config import RayConfig, SlurmConfig
from assay.search.launch.launchers import do_work
from assay.search.launch.work import Do, Report, Work
from assay.settings.errors import UserError
from assay.settings.schema import as_dict

__all__ = ["GradeConfig", "grade", "run"]


@dataclass
class GradeConfig:
    """What `assay grade` reads."""

    run: str = ""
    """the run's folder"""
    limits: Limits = field(default_factory=Limits)
    """limits on each program"""
    require: list[str] = field(default_factory=list)
    """isolation layers to insist on: without them no program is run; for example [seccomp]"""
    workers: int = 0
    """programs to run in parallel; 0 = one per core"""
    shard: str = "0/1"
    """i/m: do only the parts i modulo m, so that m machines can share a run"""
    launcher: str = "local"
    """local | slurm | ray: what the parts run on (docs/clusters.md)"""
    slurm: SlurmConfig = field(default_factory=SlurmConfig)
    ray: RayConfig = field(default_factory=RayConfig)


def run(config: GradeConfig) -> None:
    """`assay grade`."""
    from assay.evaluation.gradings import gradings
    from assay.pools.frame import frame_line, load_frame

    done = grade(config)
    parts = done.parts("answers")
    # A shard may have no part while the others have not written theirs.
    if parts:
        frame = load_frame(done)
        print(frame_line(frame))
        both = gradings(frame)
        if both:
            print(f"\n{both}\n")
    note = unanswered_note(done.problems)
    if note:
        print(note)
    print(f"{len(parts)} parts of answers in {done.path / 'answers'}")


def unanswered_note(problems: Sequence[Problem]) -> str:
    """What is told of problems whose reference answer is none; empty where there are none."""
    count = sum(not is_answer(problem.answer, problem.options) for problem in problems)
    if not count:
        return ""
    return (
        f"note: {count} of {len(problems)} problems have no reference answer (missing, empty, NaN, "
        "N/A or None): no label for their candidates"
    )


def grade(config: GradeConfig) -> Run:
    """Grades every candidates part that has no answers part yet."""
    opened, works = planned(config)
    for work in works:
        do_work(work, config.launcher, config.ray)
    return opened


def planned(config: GradeConfig) -> tuple[Run, list[Work]]:
    """Registers the stage and finds what of it is left to do."""
    if not config.run:
        raise UserError("run: expected the folder of the run, for example run=runs/demo")
    opened = Run.open(config.run)
    opened.key("candidates")
    opened.register(
        "answers", {"grader": GRADER, "limits": as_dict(config.limits)}, as_dict(config)
    )
    parts = opened.missing("answers", opened.parts("candidates"), Shard.parse(config.shard))
    if config.launcher == "ray" and not config.workers:
        # There, workers are many, and each has so many cores of its machine to itself.
        config = dataclasses.replace(config, workers=max(1, int(config.ray.cpus)))
    total = sum(len(opened.slice(part)) * (part.end - part.first) for part in parts)
    # One local process: the sandbox itself runs programs on every core.
    return opened, [
        Work(parts, open_worker, (config, opened.record), total=total, description="grade")
    ]


def open_worker(config: GradeConfig, record: dict[str, Any]) -> Do:
    """Starts the sandbox; returns what grades one part."""
    opened = Run.open(config.run, record)
    sandbox = open_sandbox(config)

    def do(part: Part, report: Report) -> None:
        start = time.perf_counter()
        candidates = opened.read("candidates", part)
        rows = [Candidate(**row) for row in candidates.to_pylist()]
        graded = grade_candidates(opened.slice(part), rows, sandbox)
        table = answers_table(rows, graded)
        opened.write("answers", part, table, time.perf_counter() - start)
        report(len(rows), 0)

    return do


def open_sandbox(config: GradeConfig) -> Sandbox:
    """The sandbox that a configuration asks for."""
    return Sandbox(
        workers=config.workers or None, limits=config.limits, require=tuple(config.require)
    )

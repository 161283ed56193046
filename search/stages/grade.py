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
from functools import partial
from typing import Any

from assay.pools.grading import GRADER, grade_candidates
from assay.pools.rows import answers_table, candidate_of
from assay.pools.run import Part, Run, Shard
from assay.problems.answers import is_answer
from assay.problems.problem import Problem
from assay.sandbox import Limits, Sandbox
from assay.search.launch.config import StageConfig
from assay.search.launch.launchers import Launched, launch
from assay.search.launch.work import Do, Report, Work
from assay.settings.errors import UserError
from assay.settings.schema import as_dict

__all__ = ["GradeConfig", "grade", "run"]


@dataclass
class GradeConfig(StageConfig):
    """What `assay grade` reads."""

    limits: Limits = field(default_factory=Limits)
    """limits on each program"""
    require: list[str] = field(default_factory=list)
    """isolation layers to insist on: without them no program is run; for example [seccomp]"""
    workers: int = 0
    """programs to run in parallel; 0 = one per core"""


def run(config: GradeConfig) -> str | None:
    """`assay grade`; returns the id of the Slurm job that does it, if one does."""
    launched = _launch(config)
    if launched.awaited:
        _print_summary(launched.run)
    return launched.job


def _print_summary(graded: Run) -> None:
    from assay.evaluation.gradings import gradings
    from assay.pools.frame import frame_line, load_frame

    parts = graded.parts("answers")
    # A shard may have no part while the others have not written theirs.
    if parts:
        frame = load_frame(graded)
        print(frame_line(frame))
        both = gradings(frame)
        if both:
            print(f"\n{both}\n")
    note = unanswered_note(graded.problems)
    if note:
        print(note)
    print(f"{len(parts)} parts of answers in {graded.path / 'answers'}")


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
    """Grades every candidates part that has no answers part yet.

    With Slurm it returns once the job is submitted.
    """
    return _launch(config).run


def _launch(config: GradeConfig) -> Launched:
    return launch("grade", config, partial(_remaining, config))


def _remaining(config: GradeConfig) -> tuple[Run, list[Work]]:
    """Registers the stage and says what of it is left to do."""
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
        rows = [candidate_of(row) for row in candidates.to_pylist()]
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

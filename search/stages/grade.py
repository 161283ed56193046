"""The stage `grade`: programs are run, answers extracted, classes formed, labels given.

    assay grade run=runs/demo

The strict grader decides labels: 1 only where the answer is equivalent to the reference; undecided
is no label. A program that does not end `ok` claims no answer.
"""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pools.run import Part, Run, Shard
from problems.answers import convention_of, extract, extract_output, is_answer, judge
from problems.problem import Problem
from problems.programs import program_text
from sandbox import Limits, Sandbox, clean_program
from search.launch.launchers import RayConfig, SlurmConfig, do_work
from search.launch.work import Do, Report, Work
from search.stages.sample import Candidate
from settings.errors import UserError
from settings.schema import as_dict

if TYPE_CHECKING:
    import pyarrow

__all__ = ["GradeConfig", "Graded", "grade", "grade_candidates", "run"]

# Raised whenever extraction, equivalence or program cleaning changes what a part would hold.
GRADER = 4


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


@dataclass(frozen=True)
class Graded:
    """What is known of a candidate once its program has run and its answer was compared.

    `outcome` is empty for `cot`; `answer_class` counts within the problem (−1: no answer); `label`
    is `None` where the comparison was undecided or the problem has no reference answer.
    """

    outcome: str
    output: str
    message: str
    program_seconds: float
    answer: str | None
    source: str
    answer_class: int
    label: bool | None


def run(config: GradeConfig) -> None:
    """`assay grade`."""
    from evaluation.evaluate import frame_line, load_frame
    from pools.imported import gradings

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


def grade_candidates(
    problems: Sequence[Problem], candidates: Sequence[Candidate], sandbox: Sandbox
) -> list[Graded]:
    """Grades candidates, in order. Identical programs are run once."""
    by_id = {problem.id: problem for problem in problems}
    programs = [i for i, c in enumerate(candidates) if c.mode == "pot"]
    outcomes = dict(
        zip(
            programs,
            sandbox.run([clean_program(program_text(candidates[i].text)) for i in programs]),
            strict=True,
        )
    )
    found = []
    for i, candidate in enumerate(candidates):
        options = by_id[candidate.problem_id].options
        outcome = outcomes.get(i)
        if outcome is None:
            found.append(extract(candidate.text, options))
        else:
            text = outcome.output if outcome.status == "ok" else ""
            found.append(extract_output(text, options))
    numbers, labels = _compare(by_id, candidates, [e.answer for e in found])
    graded = []
    for i, extracted in enumerate(found):
        outcome = outcomes.get(i)
        graded.append(
            Graded(
                outcome="" if outcome is None else outcome.status,
                output="" if outcome is None else outcome.output,
                message="" if outcome is None else outcome.message,
                program_seconds=0.0 if outcome is None else outcome.seconds,
                answer=extracted.answer,
                source=extracted.source,
                answer_class=numbers[i],
                label=labels[i],
            )
        )
    return graded


def _compare(
    by_id: dict[str, Problem], candidates: Sequence[Candidate], answers: Sequence[str | None]
) -> tuple[list[int], list[bool | None]]:
    """The answer class and the label of each candidate."""
    rows = defaultdict(list)
    for i, candidate in enumerate(candidates):
        rows[candidate.problem_id].append(i)
    numbers = [-1] * len(candidates)
    labels: list[bool | None] = [None] * len(candidates)
    for problem_id, own in rows.items():
        problem = by_id[problem_id]
        judged = judge(
            [answers[i] for i in own],
            problem.answer,
            problem.options,
            convention=convention_of(problem.convention),
        )
        for i, number, label in zip(own, judged.classes, judged.labels, strict=True):
            numbers[i], labels[i] = number, label
    return numbers, labels


def answers_table(candidates: Sequence[Candidate], graded: Sequence[Graded]) -> pyarrow.Table:
    """The rows of an answers part."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("problem_id", pa.string()),
            ("origin", pa.string()),
            ("mode", pa.string()),
            ("sample", pa.int32()),
            ("outcome", pa.string()),
            ("output", pa.string()),
            ("message", pa.string()),
            ("program_seconds", pa.float32()),
            ("answer", pa.string()),
            ("source", pa.string()),
            ("answer_class", pa.int32()),
            ("label", pa.bool_()),
        ]
    )
    rows: list[dict[str, Any]] = [
        {
            "problem_id": c.problem_id,
            "origin": c.origin,
            "mode": c.mode,
            "sample": c.sample,
            **{name: getattr(g, name) for name in schema.names[4:]},
        }
        for c, g in zip(candidates, graded, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=schema)

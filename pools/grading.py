"""Grading candidates: programs are run, answers extracted, classes formed, labels given.

    with Sandbox() as sandbox:
        graded = grade_candidates(problems, candidates, sandbox)

The strict grader decides labels: True only where the answer is equivalent to the reference;
undecided is no label. A program that does not end `ok` claims no answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from assay.pools.rows import Candidate, Graded
from assay.problems.answers import (
    convention_of,
    extract,
    extract_output,
    judge,
    without_thoughts,
)
from assay.problems.problem import Problem
from assay.problems.programs import program_text
from assay.sandbox import Outcome, Sandbox, clean_program

__all__ = ["GRADER", "grade_candidates"]


# Raised whenever extraction, equivalence or program cleaning changes what a part would hold.
GRADER = 4


def grade_candidates(
    problems: Sequence[Problem], candidates: Sequence[Candidate], sandbox: Sandbox | None
) -> list[Graded]:
    """Grades candidates, in order. Identical programs are run once.

    `sandbox` may be `None` where none of the candidates is a program.
    """
    by_id = {problem.id: problem for problem in problems}
    outcomes = _outcomes(candidates, sandbox)
    answers = []
    for i, candidate in enumerate(candidates):
        options = by_id[candidate.problem_id].options
        outcome = outcomes.get(i)
        if outcome is None:
            answers.append(extract(candidate.text, options))
        else:
            text = outcome.output if outcome.status == "ok" else ""
            answers.append(extract_output(text, options))
    numbers, labels = _compare(by_id, candidates, [each.answer for each in answers])
    graded = []
    for i, extracted in enumerate(answers):
        outcome = outcomes.get(i)
        ran = ("", "", "", 0.0)
        if outcome is not None:
            ran = (outcome.status, outcome.output, outcome.message, outcome.seconds)
        unclosed = without_thoughts(candidates[i].text).unclosed
        graded.append(
            Graded(*ran, extracted.answer, extracted.source, numbers[i], labels[i], unclosed)
        )
    return graded


def _outcomes(candidates: Sequence[Candidate], sandbox: Sandbox | None) -> dict[int, Outcome]:
    """What each program among the candidates did, by its place."""
    programs = [i for i, c in enumerate(candidates) if c.mode == "pot"]
    if not programs:
        return {}
    if sandbox is None:
        raise ValueError("programs are graded with a sandbox")
    outcomes = sandbox.run([clean_program(program_text(candidates[i].text)) for i in programs])
    return dict(zip(programs, outcomes, strict=True))


def _compare(
    by_id: dict[str, Problem], candidates: Sequence[Candidate], answers: Sequence[str | None]
) -> tuple[list[int], list[bool | None]]:
    """The answer class and the label of each candidate."""
    rows = defaultdict(list)
    for i, candidate in enumerate(candidates):
        rows[candidate.problem_id].append(i)
    numbers = [-1] * len(candidates)
    labels: list[bool | None] = [None] * len(candidates)
    for problem_id, places in rows.items():
        problem = by_id[problem_id]
        judged = judge(
            [answers[i] for i in places],
            problem.answer,
            problem.options,
            convention=convention_of(problem.convention),
        )
        for i, number, label in zip(places, judged.classes, judged.labels, strict=True):
            numbers[i], labels[i] = number, label
    return numbers, labels

"""Solving in rounds until a stopping rule has decided.

    members = members_until(until, problems, ["cot", "pot"], more)

`more(problems, counts, first)` samples, grades and scores candidates of some problems. Rounds are
those of `assay sample until=…` (`search/stages/rounds.py`); here scores may decide, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from assay.pools.frame import joined_classes
from assay.problems.problem import Problem
from assay.selection.until import UntilConfig, decided, rounds_of

__all__ = ["members_until"]

More = Callable[[Sequence[Problem], Mapping[str, int], int], Mapping[str, list[Any]]]


def members_until(
    until: UntilConfig, problems: Sequence[Problem], modes: Sequence[str], more: More
) -> dict[str, list[Any]]:
    """The candidates of each problem (objects with `candidate`, `graded`, `score`), by id.

    In the order of rounds; their answer classes count within the problem.
    """
    found: dict[str, list[Any]] = {problem.id: [] for problem in problems}
    rounds: dict[str, list[int]] = {problem.id: [] for problem in problems}
    left = list(problems)
    for number, (first, end) in enumerate(rounds_of(until)):
        counts = {mode: (end - first) // len(modes) for mode in modes}
        for problem_id, members in more(left, counts, first // len(modes)).items():
            found[problem_id] += members
            rounds[problem_id] += [number] * len(members)
        for problem in left:
            found[problem.id] = _joined(problem, found[problem.id], rounds[problem.id])
        left = _undecided(until, left, modes, found)
        if not left:
            break
    return found


def _joined(problem: Problem, members: Sequence[Any], rounds: Sequence[int]) -> list[Any]:
    """The members with classes over all rounds; one round's count within it."""
    # What was joined before is one group: its classes are consistent already.
    groups = [int(number == rounds[-1]) for number in rounds]
    numbers = [member.graded.answer_class for member in members]
    answers = [member.graded.answer for member in members]
    classes = joined_classes(groups, numbers, answers, problem.options)
    return [
        dataclasses.replace(member, graded=dataclasses.replace(member.graded, answer_class=joined))
        for member, joined in zip(members, classes, strict=True)
    ]


def _undecided(
    until: UntilConfig,
    left: Sequence[Problem],
    modes: Sequence[str],
    found: Mapping[str, Sequence[Any]],
) -> list[Problem]:
    """The problems that ask for more; both modes are seen in turns."""
    turns = [
        sorted(
            found[problem.id],
            key=lambda member: (member.candidate.sample, modes.index(member.candidate.mode)),
        )
        for problem in left
    ]
    classes = np.array([[member.graded.answer_class for member in own] for own in turns])
    scores = np.array([[member.score for member in own] for own in turns], np.float32)
    done = decided(until, classes, scores)
    return [problem for problem, over in zip(left, done, strict=True) if not over]

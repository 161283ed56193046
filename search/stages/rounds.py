"""Sampling in rounds until a stopping rule has decided: `until` of the stage `sample`.

    assay sample runs/demo problems=my.jsonl until='{rule: beta, threshold: 0.95, round: 8}'

A slice of the problems is one unit of work: a round of samples of its undecided problems, their
programs run and answers compared, and the next round, until none is undecided. Each round is a
part of its own with the rows of those that were still asked; what no problem asked for any more is
a part without rows. So a run is resumed, sharded and graded as any other, a kill loses one round
of a slice at most, and no sample is drawn twice. Rounds are whole before a rule looks at them:
whoever finishes first, the short ones, decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from assay.generator.candidates import asked_modes, sample_candidates
from assay.pools.frame import joined_classes
from assay.pools.grading import grade_candidates
from assay.pools.rows import Candidate, candidate_of, candidates_table
from assay.pools.run import Part, Run
from assay.problems.problem import Problem
from assay.problems.prompts import Prompter, Shots
from assay.sandbox import Sandbox
from assay.search.launch.work import Do, Report
from assay.search.stages.engines import Engines
from assay.search.stages.mixture import Origin
from assay.selection.until import UntilConfig, decided, resolved, rounds_of
from assay.settings.errors import UserError

__all__ = ["open_rounds_worker", "slices_left", "until_of"]


def until_of(
    until: UntilConfig, modes: Mapping[str, int], mixture: Mapping[str, Any]
) -> UntilConfig:
    """The rule with its defaults; raises `UserError` where it cannot be followed."""
    if mixture:
        raise UserError("until: not with a mixture; sample each member into a run of its own")
    counts = [modes[mode] for mode in asked_modes(modes)]
    if not until.most and len(set(counts)) > 1:
        raise UserError(
            f"modes: {dict(modes)}: with until as many of each mode, or until.most for all together"
        )
    return resolved(until, sum(counts), max(1, len(counts)))


def slices_left(missing: Iterable[Part]) -> list[Part]:
    """One part for each slice of the problems of which some part is missing."""
    first: dict[int, Part] = {}
    for part in sorted(missing):
        first.setdefault(part.index, part)
    return list(first.values())


def open_rounds_worker(
    path: str,
    record: dict[str, Any],
    size: int,
    origin: Origin,
    shots: Shots | None,
    until: UntilConfig,
    engines: Engines,
) -> Do:
    """Returns what samples one slice to its end; `until` is resolved, `size` problems per part."""
    opened = Run.open(path, record)
    sandbox = Sandbox()

    def do(part: Part, report: Report) -> None:
        _Slice(opened, part, size, origin, shots, until, engines, sandbox).finish(report)

    return do


class _Slice:
    """The problems of one slice, with what they have been given so far."""

    def __init__(
        self,
        opened: Run,
        part: Part,
        size: int,
        origin: Origin,
        shots: Shots | None,
        until: UntilConfig,
        engines: Engines,
        sandbox: Sandbox,
    ) -> None:
        self.opened, self.index, self.origin, self.until = opened, part.index, origin, until
        self.problems = opened.slice(part, size)
        self.modes: list[str] = [*asked_modes(origin.modes)]
        self.shots, self.engines, self.sandbox = shots, engines, sandbox
        self.present = {p for p in opened.parts("candidates") if p.index == part.index}
        # Of each problem the candidates with the round, class and answer that grading gave them.
        self.graded: dict[str, list[tuple[Candidate, int, int, str | None]]] = {
            problem.id: [] for problem in self.problems
        }

    def finish(self, report: Report) -> None:
        """Samples round after round; what is there already is read."""
        left: Sequence[Problem] = self.problems
        for number, (first, end) in enumerate(rounds_of(self.until)):
            candidates = []
            for mode in self.modes:
                own = Part(self.index, mode, first // len(self.modes), end // len(self.modes))
                candidates += self._round(own, left, report)
            self._grade(candidates, left, number)
            left = self._undecided(left)
            if not left:
                self._close(end)
                return

    def _round(self, part: Part, left: Sequence[Problem], report: Report) -> list[Candidate]:
        """The samples of one mode in one round."""
        if part in self.present:
            rows = self.opened.read("candidates", part).to_pylist()
            return [candidate_of(row) for row in rows]
        start = time.perf_counter()
        engine = self.engines.get(self.origin)
        prompter = Prompter(self.origin.prompt, engine.tokenizer, self.shots)
        counts = {part.mode: part.end - part.first}
        found = []
        for candidate in sample_candidates(
            engine, prompter, left, counts, self.origin.sampling, part.first
        ):
            found.append(candidate)
            report(1, candidate.tokens)
        order = {problem.id: i for i, problem in enumerate(left)}
        found.sort(key=lambda c: (order[c.problem_id], c.sample))
        self.opened.write("candidates", part, candidates_table(found), time.perf_counter() - start)
        return found

    def _grade(self, candidates: Sequence[Candidate], left: Sequence[Problem], number: int) -> None:
        for candidate, graded in zip(
            candidates, grade_candidates(left, candidates, self.sandbox), strict=True
        ):
            row = candidate, number, graded.answer_class, graded.answer
            self.graded[candidate.problem_id].append(row)

    def _undecided(self, left: Sequence[Problem]) -> list[Problem]:
        rows = []
        for problem in left:
            own = self.graded[problem.id]
            _, rounds, numbers, answers = zip(*own, strict=True)
            # Classes count within a round; those of the problem decide.
            classes = joined_classes(rounds, numbers, answers, problem.options)
            # Both modes in turns, as a replay of the pool sees them.
            turns = sorted(
                range(len(own)), key=lambda i: (own[i][0].sample, self.modes.index(own[i][0].mode))
            )
            rows.append([classes[i] for i in turns])
        done = decided(self.until, np.array(rows))
        return [problem for problem, over in zip(left, done, strict=True) if not over]

    def _close(self, end: int) -> None:
        """Says of what no problem asks for any more that there is nothing to come."""
        for mode in self.modes:
            share = len(self.modes)
            rest = Part(self.index, mode, end // share, self.until.most // share)
            if rest.first < rest.end and rest not in self.present:
                self.opened.write("candidates", rest, candidates_table([]), 0.0)

"""From the candidates of one problem to its answer: a rule chooses, its confidence is told.

    solved = choose(problem, members, RuleSpec("weighted", "verifier"))
    solved.answer, solved.votes

With a confidence (`selection/confidence.py`) and `least` above it, the answer is withheld.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.pools.rows import Candidate, Graded
from assay.problems.problem import MODES, Problem
from assay.selection import rules
from assay.selection.confidence import Confidence, features
from assay.selection.names import SCORED_RULES
from assay.selection.pool import PoolArrays
from assay.selection.rule_spec import RuleSpec

__all__ = ["Member", "Solved", "choose"]


@dataclass(frozen=True)
class Member:
    """A candidate with its grade and its score.

    NaN without a verifier, and where the candidate is longer than the verifier reads.
    """

    candidate: Candidate
    graded: Graded
    score: float


@dataclass(frozen=True)
class Solved:
    """A problem with its candidates and the one that a rule chose (`None`: nobody has an answer).

    `votes` and `weight` are the chosen answer's shares of all answers and of all scores (NaN
    without). `spec` is the rule that chose: where no candidate with an answer has a score, the
    majority vote in place of a rule that needs scores. `confidence` is the probability that the
    answer is right, NaN where it is not known; `abstained` says that it is below what was asked
    for, or not known.
    """

    problem: Problem
    members: list[Member]
    spec: RuleSpec
    chosen: Member | None
    votes: float
    weight: float
    confidence: float = math.nan
    abstained: bool = False

    @property
    def rule(self) -> str:
        """The name of the rule that chose."""
        return self.spec.name

    @property
    def leading(self) -> str | None:
        """The answer that was voted for, given or withheld."""
        return None if self.chosen is None else self.chosen.graded.answer

    @property
    def answer(self) -> str | None:
        """The answer that is given."""
        return None if self.abstained else self.leading

    @property
    def leading_right(self) -> bool | None:
        """The leading answer's label; `None` where that is undecided or there is no reference."""
        # Where nobody has an answer, all have the same label.
        return (self.chosen or self.members[0]).graded.label

    @property
    def right(self) -> bool | None:
        """The given answer's label; `None` also where none is given."""
        return None if self.abstained else self.leading_right


def choose(
    problem: Problem,
    members: Sequence[Member],
    spec: RuleSpec,
    confidence: Confidence | None = None,
    least: float = 0.0,
) -> Solved:
    """Applies a rule to the candidates of one problem; see `Solved` for those without scores.

    `confidence` is of this rule; an answer of which it is below `least` is withheld.
    """
    pool = _pool_of(problem, members, spec.scorer)
    classes, scores = pool.classes[0], pool.scores[spec.scorer][0]
    scored = rules.eligible(classes, scores)
    if spec.name in SCORED_RULES and (classes >= 0).any() and not scored.any():
        spec, confidence = RuleSpec("majority"), None
    index = _chosen(pool, members, spec)
    if index < 0:
        return Solved(problem, list(members), spec, None, 0.0, 0.0, abstained=least > 0)
    same = classes == classes[index]
    positive = np.where(scored, np.maximum(scores, 0.0), 0.0)
    total = positive.sum()
    weight = float(positive[same].sum() / total) if total > 0 else math.nan
    votes = float(same.sum() / (classes >= 0).sum())
    solved = Solved(problem, list(members), spec, members[index], votes, weight)
    if confidence is not None:
        told = float(confidence.of(features(spec, pool, np.array([index])))[0])
        solved = replace(solved, confidence=told)
    return replace(solved, abstained=least > 0 and not solved.confidence >= least)


def _chosen(pool: PoolArrays, members: Sequence[Member], spec: RuleSpec) -> int:
    """The place of the candidate that the rule chooses; −1 where nobody has an answer."""
    ties = rules.tie_draw(pool.classes.shape, seed=0)
    if spec.name == "hybrid":
        # Of several of one mode the first.
        first = -np.arange(len(members), dtype=np.float32)[None]
        return int(rules.hybrid(pool.classes, pool.modes, first)[0])
    if spec.name == "majority":
        # Where there are scores they may as well break its ties.
        scores = next(iter(pool.scores.values()))
        return int(rules.majority(pool.classes, ties, scores)[0])
    return int(spec.choose(pool, ties)[0])


def _pool_of(problem: Problem, members: Sequence[Member], scorer: str) -> PoolArrays:
    """The candidates as arrays of shape (1, candidates)."""
    shape = (1, len(members))

    def row(values: Sequence[object], dtype: type) -> np.ndarray:  # type: ignore[type-arg]
        return np.array(values, dtype).reshape(shape)

    free = {name for member in members for name in member.candidate.free}
    scores = row([m.score for m in members], np.float64).astype(np.float32)
    return PoolArrays(
        problem_ids=[problem.id],
        classes=row([m.graded.answer_class for m in members], np.int32),
        labels=np.zeros(shape, bool),
        labelled=np.zeros(shape, bool),
        scores={scorer: scores},
        modes=row([MODES.index(m.candidate.mode) for m in members], np.int8),
        tokens=row([m.candidate.tokens for m in members], np.int32),
        logprobs=row([m.candidate.logprob for m in members], np.float32),
        present=np.ones(shape, bool),
        origins=np.zeros(shape, np.int32),
        origin_names=[""],
        free={
            name: row([m.candidate.free.get(name, np.nan) for m in members], np.float32)
            for name in free
        },
    )

"""Votes over random subsets of a pool, by Monte Carlo: a thousand problems in seconds.

    votes = {"majority": MAJORITY, "top-3": Vote(k=3), "weighted": Vote("none")}
    found = expected_accuracy(pool, votes, [1, 4, 16, 64], scores=scores)
    found["weighted", 64].values, found["weighted", 64].error

A draw gives every candidate of a problem a random arrival time; the first n to arrive are the
subset at n, so that one draw serves every n, and all rules see the same subsets. Each draw is
sorted once, by score and then by arrival, and every smaller subset is what is left of a larger one
in the same order. In that order a vote is short: the k best-scored are the first k, and of the
answers with the most votes the one that stands first has the best score. Equal scores stand in
a random order, which breaks their ties: within one mode the arrival is random enough, but across
modes it favours the mode of which the larger share is drawn, and a second random number decides.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.problems.problem import MODES
from assay.selection import rules
from assay.selection.curves import Estimate, Floats, Integers, Mix, has, splits
from assay.selection.pool import PoolArrays

__all__ = [
    "MAJORITY",
    "Block",
    "Rule",
    "Subset",
    "Vote",
    "arrivals",
    "chunks",
    "estimate",
    "expected_accuracy",
]

# (classes, scores, ties) of shape (…, n) -> index of the chosen candidate, −1 for none.
Rule: TypeAlias = Callable[[Any, Any, Any], NDArray[np.intp]]

Name = TypeVar("Name", bound=Hashable)

# With a wanted error, at most so many times the draws of the first batch.
MOST = 100

# Elements of one array of a chunk of problems: 4 MB of 8 bytes, about what a core's cache holds.
CHUNK = 1 << 19


@dataclass(frozen=True)
class Vote:
    """A vote as data: who votes, with which weight. Callable as a rule of `selection/rules.py`.

    `weights` is "equal" or a transform of the scores (`rules.vote_weights`) with its
    `temperature`; the `k` best-scored candidates vote (None: all, 0: `rules.automatic_k`).
    Ties are broken by score and then at random, with `by_score=False` at random alone.
    """

    weights: str = "equal"
    k: int | None = None
    temperature: float = 1.0
    by_score: bool = True

    def __call__(self, classes: Any, scores: Any, ties: Any) -> NDArray[np.intp]:
        """The chosen index along the last axis of arrays of one shape, −1 where nobody answers."""
        if not self.by_score:
            return rules.majority(classes, ties)
        k = classes.shape[-1] if self.k is None else self.k
        if self.weights == "equal":
            return rules.top_k(classes, scores, ties, k)
        return rules.weighted_top_k(classes, scores, ties, k, self.weights, self.temperature)

    def voters(self, n: int) -> int:
        """How many of n candidates vote at most."""
        return n if self.k is None else min(n, self.k or rules.automatic_k(n))


MAJORITY = Vote(by_score=False)


def expected_accuracy(
    pool: PoolArrays,
    rules: Mapping[str, Rule],
    ns: Sequence[int],
    draws: int = 200,
    seed: int = 0,
    *,
    mix: Mix = "both",
    scores: NDArray[Any] | None = None,
    error: float = 0.0,
) -> dict[tuple[str, int], Estimate]:
    """Expected accuracy of every rule at every n; see `estimate`."""
    return estimate(
        pool, dict.fromkeys(ns, rules), draws, seed, mix=mix, scores=scores, error=error
    )


def estimate(
    pool: PoolArrays,
    asked: Mapping[int, Mapping[Name, Rule]],
    draws: int = 200,
    seed: int = 0,
    *,
    mix: Mix = "both",
    scores: NDArray[Any] | None = None,
    error: float = 0.0,
) -> dict[tuple[Name, int], Estimate]:
    """Expected accuracy of the rules asked for at each n, over random subsets of the candidates.

    All rules see the same subsets, so that differences between rules carry little noise. A problem
    with fewer than n candidates gives all it has; the values of one without any of these modes are
    NaN. `scores` has shape (P, S); a candidate without a finite one votes in no `Vote` but
    `MAJORITY`. `Vote`s are counted fast; any other rule is called with arrays of shape (problems,
    draws, n).

    `draws` subsets are drawn; with an `error` above 0, at the n where it takes more, as many as
    bring the standard error of every mean to at most that, but at most `MOST` times `draws`.
    """
    held = has(pool, mix)
    sums = {(name, n): _Sums(held) for n in asked for name in asked[n]}
    left = dict(asked)
    done, size, batch = 0, draws, 0
    while left and size > 0:
        _draw_batch(pool, left, size, (seed, batch), mix, scores, sums)
        done, batch = done + size, batch + 1
        worst = {n: max((sums[name, n].error for name in left[n]), default=0.0) for n in left}
        left = {n: asked[n] for n in left if 0 < error < worst[n]}
        # As many as the error so far asks for, but in steps: it is an estimate too.
        wanted = max((done * (worst[n] / error) ** 2 for n in left), default=0.0)
        size = min(math.ceil(wanted) - done + 1, 10 * draws, MOST * draws - done)
    return {key: Estimate(s.mean, s.error, s.draws) for key, s in sums.items()}


class _Sums:
    """Sums over draws of each problem's accuracy and of its square.

    NaN for problems that are not `there`, shape (P,): that have no candidates to draw from.
    """

    def __init__(self, there: NDArray[np.bool_]) -> None:
        self.draws = 0
        self.first, self.second = (np.where(there, 0.0, np.nan) for _ in range(2))

    def add(self, problems: Integers, right: Floats) -> None:
        """`right` of shape (problems, draws), of the given problems."""
        self.first[problems] += right.sum(axis=1)
        self.second[problems] += np.square(right).sum(axis=1)

    @property
    def mean(self) -> Floats:
        return self.first / max(1, self.draws)

    @property
    def error(self) -> float:
        """Standard error of the mean over problems that the choice of subsets leaves."""
        there = ~np.isnan(self.first)
        variance = np.maximum(self.second / max(1, self.draws) - self.mean**2, 0)[there]
        return math.sqrt(variance.sum() / max(1, self.draws - 1)) / max(1, len(variance))


def _draw_batch(
    pool: PoolArrays,
    asked: Mapping[int, Mapping[Name, Rule]],
    draws: int,
    seed: tuple[int, int],
    mix: Mix,
    scores: NDArray[Any] | None,
    sums: dict[tuple[Name, int], _Sums],
) -> None:
    """Adds `draws` draws of every problem to the sums."""
    ns = sorted(asked, reverse=True)
    for number, (problems, counts) in enumerate(chunks(pool, mix, draws)):
        # A stream for each chunk, the same whatever the scores: evaluations by two verifiers see
        # the same subsets.
        generator = np.random.default_rng([*seed, number])
        block = Block(pool, scores, problems, counts)
        for n, ways in _subsets(block, mix, ns, draws, generator):
            for name, rule in asked[n].items():
                right = sum(
                    subset.vote(rule) if isinstance(rule, Vote) else subset.call(rule, generator)
                    for subset in ways
                )
                sums[name, n].add(problems, np.asarray(right) / len(ways))
    for n in asked:
        for name in asked[n]:
            sums[name, n].draws += draws


def chunks(
    pool: PoolArrays, mix: Mix, draws: int
) -> Iterator[tuple[NDArray[np.intp], tuple[int, ...]]]:
    """Problems, and how many candidates of each mode each of them has: arrays without padding.

    Those without any candidate of these modes are left out.
    """
    counts = np.stack([pool.of_mode(mode).sum(axis=1) for mode in MODES], axis=1)
    for place, mode in enumerate(MODES):
        if mix not in (mode, "both"):
            counts[:, place] = 0
    kinds, kind = np.unique(counts, axis=0, return_inverse=True)
    for index, held in enumerate(kinds):
        if not held.any():
            continue
        problems = np.flatnonzero(kind.ravel() == index)
        step = max(1, CHUNK // (draws * max(1, int(held.sum()))))
        for start in range(0, len(problems), step):
            yield problems[start : start + step], tuple(int(count) for count in held)


class Block:
    """Some problems with equally many candidates (W of each, CoT first), as arrays (P, W)."""

    def __init__(
        self,
        pool: PoolArrays,
        scores: NDArray[Any] | None,
        problems: Integers,
        counts: tuple[int, ...],
    ) -> None:
        self.counts = counts
        parts = []
        for mode, drawn in zip(MODES, counts, strict=True):
            # Stable: what is of the mode first, in the pool's order.
            there = pool.of_mode(mode)[problems]
            parts.append(np.argsort(~there, axis=1, kind="stable")[:, :drawn])
        self.columns = columns = np.concatenate(parts, axis=1)
        rows = problems[:, None]
        self.problems, self.width = columns.shape
        self.classes = pool.classes[rows, columns]
        self.labels = pool.labels[rows, columns]
        self.scores = (
            np.zeros(columns.shape, np.float32) if scores is None else scores[rows, columns]
        )
        # Who may vote where scores count.
        self.eligible = rules.eligible(self.classes, self.scores)
        # One more than the highest class; class −1 becomes 0, "no answer".
        self.kinds = int(self.classes.max(initial=-1)) + 2

    @cached_property
    def rank(self) -> NDArray[np.int64]:
        """0 for a problem's best score, equal for equal scores; the last where it cannot win."""
        held = np.where(self.eligible, -self.scores.astype(np.float64), np.inf)
        order = np.argsort(held, axis=1, kind="stable")
        ordered = np.take_along_axis(held, order, axis=1)
        steps = np.zeros(held.shape, np.int64)
        # No difference of infinities: those that cannot win share one rank.
        steps[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        rank = np.empty(held.shape, np.int64)
        np.put_along_axis(rank, order, steps.cumsum(axis=1), axis=1)
        return rank

    @cached_property
    def ties_modes(self) -> bool:
        """Whether a candidate in words and a program of some problem have the same score."""
        cot = self.counts[0]
        cells = self.rank + self.width * np.arange(self.problems)[:, None]
        words, programs = (
            cells[:, part][self.eligible[:, part]] for part in (slice(cot), slice(cot, None))
        )
        return bool(np.isin(words, programs).any())

    @cached_property
    def heard(self) -> Block:
        """The block as rules that need scores see it: without a score is as without an answer."""
        if ((self.classes >= 0) == self.eligible).all():
            return self
        seen = copy.copy(self)
        seen.classes = np.where(self.eligible, self.classes, -1)
        seen.labels = self.labels & self.eligible
        return seen

    def weights(self, vote: Vote) -> NDArray[np.float64]:
        """Each candidate's weight, the same in every subset, shape (P, W)."""
        found = rules.vote_weights(self.classes, self.scores, vote.weights, vote.temperature)
        return found.astype(np.float64)


def _subsets(
    block: Block, mix: Mix, ns: Sequence[int], draws: int, generator: np.random.Generator
) -> Iterator[tuple[int, list[Subset]]]:
    """The subsets of each n (descending), one for each way to split n over the modes.

    A candidate in a draw is one integer: rank, tie-break, arrival, column, from the highest bits
    down. There is a tie-break only where a score is shared across modes.
    """
    bits, time_bits = _bits(block)
    shape = (block.problems, draws, block.width)
    arrival = arrivals(block, draws, generator)
    cot = block.counts[0]
    times = [np.sort(part, axis=-1) for part in (arrival[..., :cot], arrival[..., cot:])]
    keys = arrival
    if block.ties_modes:
        # Drawn after the arrivals, so that these do not depend on the scores.
        tie_break = generator.integers(0, 1 << time_bits, shape, np.uint32)
        keys |= tie_break.astype(np.int64) << (time_bits + bits)
    keys |= block.rank[:, None, :] << (2 * time_bits + bits)
    keys.sort(axis=-1)
    column = (1 << bits) - 1
    when = (1 << (time_bits + bits)) - 1

    def first(drawn: Sequence[int]) -> NDArray[np.int64]:
        """The keys of the first `drawn` of each mode, in the order of the keys."""
        taken = [min(d, count) for d, count in zip(drawn, block.counts, strict=True)]
        if sum(taken) == keys.shape[-1]:
            return keys
        # The time of the last one that still comes in; −1 where none does.
        last = [
            part[..., d - 1, None] if d else np.full((*part.shape[:-1], 1), -1)
            for part, d in zip(times, taken, strict=True)
        ]
        if cot in (0, block.width):
            kept = (keys & when) <= last[0 if cot else 1]
        else:
            kept = (keys & when) <= np.where((keys & column) < cot, *last)
        return keys[kept].reshape(block.problems, draws, sum(taken))

    for n in ns:
        # Of one mode alone there is nothing to share out.
        own: Mix = mix if all(block.counts) else "cot" if block.counts[0] else "pot"
        ways = splits(own, n)
        # Smaller subsets are parts of larger ones, whichever way those were split.
        keys = first([max(way[mode] for way in ways) for mode in range(len(MODES))])
        yield n, [Subset(block, first(way) & column, n) for way in ways]


def _bits(block: Block) -> tuple[int, int]:
    """How many of an arrival's 31 bits are its column and how many its time."""
    bits = max(1, (block.width - 1).bit_length())
    return bits, 31 - bits


def arrivals(block: Block, draws: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """A random arrival of every candidate in every draw, shape (P, draws, W).

    The candidate's column is in the lowest bits.
    """
    bits, time_bits = _bits(block)
    shape = (block.problems, draws, block.width)
    arrival = generator.integers(0, 1 << 32, shape, np.uint32).astype(np.int64)
    arrival >>= 32 - time_bits
    arrival <<= bits
    arrival |= np.arange(block.width)  # no two arrive together
    return arrival


class Subset:
    """Subsets of a block's problems, the best-scored first; arrays of shape (P, draws, m).

    `n` is the number asked for; m is less where the problems have fewer candidates. Those without
    an answer or without a score stand last.
    """

    def __init__(self, block: Block, columns: NDArray[np.int64], n: int) -> None:
        self.block, self.n = block, n
        self.columns = columns
        self.problems, self.draws, self.size = columns.shape
        self._flat = columns + block.width * np.arange(block.problems)[:, None, None]

    @cached_property
    def cells(self) -> NDArray[np.int64]:
        """A cell for each class of each draw: counting all draws is one `bincount`."""
        draw = np.arange(self.problems * self.draws).reshape(self.problems, self.draws, 1)
        kinds = np.take((self.block.classes + 1).astype(np.int64), self._flat)
        return kinds + self.block.kinds * draw

    @cached_property
    def heard(self) -> Subset:
        """The same subsets as rules that need scores see them."""
        block = self.block.heard
        return self if block is self.block else Subset(block, self.columns, self.n)

    @cached_property
    def labels(self) -> NDArray[np.bool_]:
        """Whether each candidate is right."""
        return np.take(self.block.labels, self._flat)

    @cached_property
    def eligible(self) -> NDArray[np.intp]:
        """How many of each subset have an answer and a score, shape (P, draws, 1)."""
        return np.take(self.block.eligible, self._flat).sum(axis=-1, keepdims=True)

    def vote(self, vote: Vote) -> Floats:
        """How likely each subset's chosen answer is right, shape (P, draws).

        0 or 1 where score and arrival decide; where random ties are all there is, their mean.
        """
        if vote.by_score and self.heard is not self:
            return self.heard.vote(vote)
        voters = min(vote.voters(self.n), self.size)
        if not voters:
            return np.zeros((self.problems, self.draws))
        cells = self.cells[..., :voters]
        weights = None if vote.weights == "equal" else self._weights(vote)[..., :voters].ravel()
        kinds = self.block.kinds
        totals = np.bincount(
            cells.ravel(), weights, minlength=self.problems * self.draws * kinds
        ).reshape(self.problems, self.draws, kinds)
        totals[..., 0] = -1  # no answer is no vote
        best = totals.max(axis=-1, keepdims=True)
        leading = np.take(totals, cells) == best
        if vote.by_score:
            first = leading.argmax(axis=-1)[..., None]
            found = np.take_along_axis(self.labels, first, axis=-1)[..., 0]
            return found.astype(np.float64)
        right = np.count_nonzero(leading & self.labels[..., :voters], axis=-1)
        shares = right / np.maximum(np.count_nonzero(leading, axis=-1), 1)
        return shares.astype(np.float64)

    def _weights(self, vote: Vote) -> NDArray[np.float64]:
        if vote.weights != "rank":
            return np.take(self.block.weights(vote), self._flat)
        # By place in the subset; candidates of one score share the mean of their places.
        rank = np.take(self.block.rank, self._flat)
        place = np.arange(self.size)
        new = np.ones(rank.shape, bool)
        new[..., 1:] = rank[..., 1:] != rank[..., :-1]
        start = np.maximum.accumulate(np.where(new, place, 0), axis=-1)
        ends = np.roll(new, -1, axis=-1)
        ends[..., -1] = True
        end = np.where(ends, place, self.size)[..., ::-1]
        end = np.minimum.accumulate(end, axis=-1)[..., ::-1]
        return np.maximum(self.eligible - (start + end) / 2, 0)

    def call(self, rule: Rule, generator: np.random.Generator) -> Floats:
        """Whether any rule's choice is right, shape (P, draws)."""
        classes = np.take(self.block.classes, self._flat)
        scores = np.take(self.block.scores, self._flat)
        ties = generator.random(classes.shape, dtype=np.float32)
        chosen = rule(classes, scores, ties)
        found = np.take_along_axis(self.labels, np.maximum(chosen, 0)[..., None], axis=-1)[..., 0]
        return (found & (chosen >= 0)).astype(np.float64)

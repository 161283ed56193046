"""How accuracy grows with the number of candidates: expectations over subsets of a pool.

"Accuracy at n" is the expected accuracy when n candidates are drawn at random, without replacement,
from the pool of each problem: exactly for pass@n and best-of-n (here), by Monte Carlo over drawn
subsets for the votes (`selection/subsets.py`). Everything is kept per problem, so that intervals
(bootstrap over problems) and paired differences need no further draws.

Modes: "cot" and "pot" draw n candidates of that mode, from the problems that have any; on the
others there is nothing to estimate, and their value is NaN. "both" draws n/2 of each, so that a
curve's points cost the same number of candidates whatever the mode; of a problem with candidates of
one mode alone it draws n of that. An odd n of "both" is the average over the two ways to split it.

    >>> import numpy as np
    >>> pass_at_k(np.array([4]), np.array([1]), 2).tolist()    # 1 − C(3, 2) / C(4, 2)
    [0.5]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.problems.problem import MODES
from assay.selection import rules
from assay.selection.pool import PoolArrays

__all__ = [
    "Estimate",
    "Mix",
    "best_of_n_at",
    "has",
    "hybrid_at",
    "hybrid_tokens",
    "pass_at",
    "pass_at_k",
    "resampled",
    "splits",
    "tokens_at",
    "ways",
]

Mix = Literal["cot", "pot", "both"]
Integers: TypeAlias = NDArray[np.integer[Any]]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Expected accuracy of each problem, shape (P,), over `draws` random subsets of each.

    `error` is the standard error of the mean over problems that the drawing leaves.
    """

    values: Floats
    error: float
    draws: int


def splits(mix: Mix, n: int) -> list[tuple[int, int]]:
    """The (CoT, PoT) counts of a subset of n candidates; equally likely where there are two.

    >>> splits("cot", 3), splits("both", 4), splits("both", 1)
    ([(3, 0)], [(2, 2)], [(0, 1), (1, 0)])
    """
    if mix == "cot":
        return [(n, 0)]
    if mix == "pot":
        return [(0, n)]
    half = n // 2
    return [(half, half)] if n % 2 == 0 else [(half, half + 1), (half + 1, half)]


def has(pool: PoolArrays, mix: Mix) -> NDArray[np.bool_]:
    """Which problems have candidates of these modes, shape (P,); with "both" of either."""
    if mix == "both":
        return np.asarray(pool.present.any(axis=1))
    return np.asarray(pool.of_mode(mix).any(axis=1))


def ways(counts: Integers, mix: Mix, n: int) -> list[Integers]:
    """How many candidates of each mode each problem draws in a subset of n: equally likely ways.

    `counts` and each way have shape (P, modes): how many there are, and how many are drawn where
    there are enough. "both" takes all n from the one mode of a problem that has no other.

    >>> [way.tolist() for way in ways(np.array([[4, 4], [0, 4]]), "both", 2)]
    [[[1, 1], [0, 2]]]
    """
    found = []
    for split in splits(mix, n):
        drawn = np.broadcast_to(np.array(split), counts.shape)
        if mix == "both":
            mixed = np.asarray((counts > 0).all(axis=1, keepdims=True))
            drawn = np.where(mixed, drawn, np.where(counts > 0, n, 0))
        found.append(drawn)
    return found


def _counts(pool: PoolArrays) -> Integers:
    """The candidates of each mode, shape (P, modes)."""
    return np.stack([pool.of_mode(mode).sum(axis=1) for mode in MODES], axis=1)


def pass_at_k(total: Integers, right: Integers, k: Integers | int) -> Floats:
    """Probability that k of `total` candidates hold at least one of the `right` ones.

    1 − C(total − right, k) / C(total, k) (Chen et al. 2021, arXiv 2107.03374, section 2.1); where
    there are fewer than k candidates, all of them are drawn. Arrays broadcast.
    """
    return 1.0 - _chance_of_none(total, right, k)


def pass_at(pool: PoolArrays, mix: Mix, n: int) -> Floats:
    """pass@n of each problem, exact, shape (P,); NaN without candidates of these modes."""
    right = np.stack([(pool.of_mode(m) & pool.labels).sum(axis=1) for m in MODES], axis=1)
    total = _counts(pool)
    none = [_chance_of_none(total, right, way).prod(axis=1) for way in ways(total, mix, n)]
    return np.where(has(pool, mix), 1.0 - np.mean(none, axis=0), np.nan)


def hybrid_at(pool: PoolArrays) -> Floats:
    """Expected accuracy of the hybrid over one program and one solution in words, exact, (P,).

    A program's answer counts where it has one, else that in words (Yue et al. 2023, arXiv
    2309.05653; there multiple choice is decoded in words alone). Of a pool with one greedy
    candidate in each mode it is the paper's hybrid decoding.
    """
    right, answered = {}, {}
    for mode in MODES:
        there = pool.of_mode(mode)
        count = np.maximum(there.sum(axis=1), 1)
        right[mode] = (there & pool.labels).sum(axis=1) / count
        answered[mode] = (there & (pool.classes >= 0)).sum(axis=1) / count
    return np.asarray(right["pot"] + (1 - answered["pot"]) * right["cot"])


def hybrid_tokens(pool: PoolArrays) -> Floats:
    """Expected generated tokens of the hybrid: words only where the program has no answer, (P,)."""
    programs = pool.of_mode("pot")
    answered = (programs & (pool.classes >= 0)).sum(axis=1) / np.maximum(programs.sum(axis=1), 1)
    return tokens_at(pool, "pot", 1) + (1 - answered) * tokens_at(pool, "cot", 1)


def best_of_n_at(pool: PoolArrays, scores: NDArray[Any], mix: Mix, ns: Sequence[int]) -> Floats:
    """Expected accuracy of best-of-n at each n of each problem, exact, shape (len(ns), P).

    By order statistics: candidates with equal scores form a group; a group wins when nothing better
    is drawn and at least one of its own is. Within the winning group each drawn one is chosen with
    equal chance. Candidates without an answer or without a score (NaN or infinite) are never
    chosen. NaN for a problem without candidates of these modes.
    """
    total = _counts(pool)
    there = has(pool, mix)
    drawn = [ways(total, mix, n) for n in ns]
    starts = np.cumsum([0] + [len(each) for each in drawn[:-1]])
    counts = np.array([len(each) for each in drawn])
    every = np.array([way for each in drawn for way in each])
    result = np.full((len(ns), len(pool.problem_ids)), np.nan)
    may_win = pool.present & rules.eligible(pool.classes, scores)
    for p in np.flatnonzero(there):
        own = may_win[p]
        groups = _TieGroups.of(scores[p][own], pool.modes[p][own], pool.labels[p][own])
        chances = groups.chance_right(total[p], every[:, p])
        result[:, p] = np.add.reduceat(chances, starts) / counts
    return result


def tokens_at(pool: PoolArrays, mix: Mix, n: int) -> Floats:
    """Expected number of generated tokens of a subset of n, of each problem; NaN where unknown."""
    total = _counts(pool)
    known = np.where(pool.present & (pool.tokens >= 0), pool.tokens, np.nan)
    summed = np.stack([np.where(pool.of_mode(m), known, 0.0).sum(axis=1) for m in MODES], axis=1)
    # The way for a mode that is not drawn is 0, and what is not drawn may be unknown.
    spent = [
        np.where(way > 0, np.minimum(way, total) * summed / np.maximum(total, 1), 0.0).sum(axis=1)
        for way in ways(total, mix, n)
    ]
    return np.asarray(np.mean(spent, axis=0))


def resampled(values: Floats, weights: Floats) -> Floats:
    """The mean of `values`, shape (P,), in each resample of the problems, shape (draws,).

    Problems whose value is NaN are left out, and so are resamples without any other problem.
    """
    known = ~np.isnan(values)
    if known.all():
        return np.asarray(weights @ values)
    drawn = weights @ known
    sums = weights @ np.where(known, values, 0.0)
    return np.asarray(sums[drawn > 0] / drawn[drawn > 0])


def _chance_of_none(total: Integers, given: Integers, drawn: Integers | int) -> Floats:
    """P(none of `given` candidates is among `drawn` of `total`), all drawn where there are fewer.

    C(total − given, drawn) / C(total, drawn); the arguments broadcast.
    """
    total, given, drawn = np.broadcast_arrays(total, given, drawn)
    table = _none_table(total, drawn, int(given.max(initial=0)))
    return np.take_along_axis(table, given[..., None].astype(np.intp), axis=-1)[..., 0]


def _none_table(total: Integers, drawn: Integers, most: int) -> Floats:
    """`_chance_of_none` for 0 … `most` given candidates, on a new last axis.

    A running product of ratios of at most 1: exact to rounding at any size, without factorials.
    """
    left = (total[..., None] - np.arange(most)).astype(np.float64)
    ratio = np.maximum(left - np.minimum(drawn, total)[..., None], 0) / np.maximum(left, 1)
    return np.concatenate([np.ones((*ratio.shape[:-1], 1)), ratio.cumprod(axis=-1)], axis=-1)


@dataclass(frozen=True)
class _TieGroups:
    """One problem's candidates grouped by score, best first; arrays of shape (groups, modes).

    `better` counts the candidates above the group, `size` its own, `right` those of them that are
    right.
    """

    better: Integers
    size: Integers
    right: Integers

    @classmethod
    def of(cls, scores: NDArray[Any], modes: NDArray[Any], labels: NDArray[np.bool_]) -> _TieGroups:
        _, group = np.unique(-scores, return_inverse=True)
        size = np.zeros((int(group.max(initial=-1)) + 1, len(MODES)), np.int64)
        right = np.zeros_like(size)
        np.add.at(size, (group, modes), 1)
        np.add.at(right, (group[labels], modes[labels]), 1)
        return cls(np.cumsum(size, axis=0) - size, size, right)

    def chance_right(self, total: Integers, drawn: Integers) -> Floats:
        """P(the best-scored is right) for each row of `drawn`, shape (draws, modes).

        `total` counts the problem's candidates by mode, shape (modes,).
        """
        drawn = np.minimum(drawn, total)
        none = _none_table(np.broadcast_to(total, drawn.shape), drawn, int(total.max()))
        mode = np.arange(len(MODES))
        wins = none[:, mode, self.better].prod(axis=-1)
        wins -= none[:, mode, self.better + self.size].prod(axis=-1)
        share = self.right.sum(axis=1) / self.size.sum(axis=1)
        chance: Floats = wins @ share
        # Where a tie spans both modes and these differ in quality, the chance that one of the tied
        # is chosen depends on how many of each mode were drawn.
        (cot, pot), (right_cot, right_pot) = self.size.T, self.right.T
        for g in np.flatnonzero((cot > 0) & (pot > 0) & (right_cot * pot != right_pot * cot)):
            mixed = np.array([self._mixed(int(g), total, row) for row in drawn])
            chance += mixed - wins[:, g] * share[g]
        return chance

    def _mixed(self, group: int, total: Integers, drawn: Integers) -> float:
        """P(the group wins and the one chosen is right), summed over how many of it are drawn."""
        cot, pot = (
            _held_counts(int(m), int(b), int(t), int(d))
            for m, b, t, d in zip(self.size[group], self.better[group], total, drawn, strict=True)
        )
        held_cot, held_pot = np.arange(len(cot))[:, None], np.arange(len(pot))[None, :]
        quality = self.right[group] / self.size[group]
        right = held_cot * quality[0] + held_pot * quality[1]
        share = right / np.maximum(held_cot + held_pot, 1)
        return float(cot @ share @ pot)


def _held_counts(group: int, better: int, total: int, drawn: int) -> Floats:
    """P(h of the group and none of the better ones are drawn), h = 0 … group (hypergeometric)."""
    ways = math.comb(total, drawn)
    worse = total - better - group
    return np.array(
        [
            math.comb(group, held) * math.comb(worse, drawn - held) / ways if held <= drawn else 0.0
            for held in range(group + 1)
        ]
    )

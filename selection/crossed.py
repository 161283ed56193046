"""Verifiers compared over several trainings (seeds) and one set of test problems, with intervals.

    bootstrap = CrossedBootstrap(problems=100, seeds=3)
    ours = bootstrap.values([mean_of(right) for right in ours_by_seed])      # right: shape (P,)
    theirs = bootstrap.values([mean_of(right) for right in theirs_by_seed])
    bootstrap.interval(ours), bootstrap.interval(ours - theirs)              # paired

What is estimated is the mean over seeds of a statistic over problems. Every seed is tested on the
same problems: the two factors are crossed, not nested, so each draw of the bootstrap resamples the
problems (the same ones for every seed and variant) and, independently, the seeds (Owen 2007, "The
pigeonhole bootstrap", arXiv 0712.1111). A difference is taken within each draw: paired over
problems and over seeds. Resampling S seeds knows (S − 1)/S of the variance between trainings, with
S = 3 two thirds of it: where that dominates, 95 % intervals are too narrow by a fifth or more. With
one seed they speak of the problems alone. The pool of candidates is fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from problems.problem import MODES
from selection.curves import Floats, Interval, best_of_n_at, bootstrap_weights
from selection.pool import PoolArrays
from selection.subsets import MAJORITY, Vote, expected_accuracy

__all__ = [
    "CrossedBootstrap",
    "Statistic",
    "auc_within",
    "brier",
    "calibration_error",
    "mean_of",
    "measures",
    "pooled_auc",
]

Statistic: TypeAlias = Callable[[Floats], Floats]
"""From weights of the problems, shape (draws, P), each row summing to 1, to values (draws,)."""


class CrossedBootstrap:
    """Weights of problems and seeds in every draw; row 0 weighs all equally: the estimate."""

    def __init__(self, problems: int, seeds: int, draws: int = 2000, seed: int = 0) -> None:
        """`draws` resamples from the random seed `seed`."""
        self._problems = _weights(problems, draws, seed)
        self._seeds = _weights(seeds, draws, seed + 1)

    def values(self, statistics: Sequence[Statistic]) -> Floats:
        """Each seed's statistic in each draw, shape (1 + draws, seeds)."""
        return np.stack([statistic(self._problems) for statistic in statistics], axis=1)

    def interval(self, values: Floats) -> Interval:
        """The mean over seeds with its 95 % percentile interval (draws without a value aside)."""
        means = np.where(self._seeds > 0, self._seeds * values, 0.0).sum(axis=1)
        drawn = means[1:][~np.isnan(means[1:])]
        low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
        return Interval(float(means[0]), float(low), float(high))


def _weights(count: int, draws: int, seed: int) -> Floats:
    equal = np.full((1, count), 1 / count)
    return np.concatenate([equal, bootstrap_weights(count, draws, seed)])


def mean_of(values: Floats) -> Statistic:
    """The mean over problems of `values`, shape (P,)."""
    return lambda weights: weights @ values


def pooled_auc(
    scores: NDArray[Any], right: NDArray[np.bool_], kept: NDArray[np.bool_]
) -> Statistic:
    """ROC-AUC over all candidates, of arrays of shape (P, S) where `kept`.

    The share of pairs (right, wrong), within and across problems, in which the right one scores
    higher; ties count half. A problem drawn twice is there twice.
    """
    wrong_of, wrong_column = np.nonzero(kept & ~right)
    order = scores[wrong_of, wrong_column].argsort(kind="stable")
    wrong_of = wrong_of[order]
    wrong_scores = scores[wrong_of, wrong_column[order]]
    problems, wrong = len(scores), len(wrong_scores)
    # won[p, q]: the pairs that p's right candidates win against q's wrong ones.
    won = np.zeros((problems, problems))
    for p in range(problems):
        own = scores[p][kept[p] & right[p]]
        if len(own):
            # Each own score wins against the wrong ones before `above`, and ties up to `level`.
            above = np.searchsorted(wrong_scores, own, side="left")
            level = np.searchsorted(wrong_scores, own, side="right")
            ends = np.bincount(above, minlength=wrong + 1) + np.bincount(level, minlength=wrong + 1)
            wins = len(own) - 0.5 * ends.cumsum()[:wrong]
            won[p] = np.bincount(wrong_of, wins, minlength=problems)
    rights, wrongs = (kept & right).sum(axis=1), (kept & ~right).sum(axis=1)

    def auc(weights: Floats) -> Floats:
        pairs = (weights @ rights) * (weights @ wrongs)
        return _ratio(((weights @ won) * weights).sum(axis=1), pairs)

    return auc


def auc_within(
    scores: NDArray[Any], right: NDArray[np.bool_], groups: Sequence[NDArray[np.bool_]]
) -> Statistic:
    """The mean ROC-AUC within the groups of candidates that hold right and wrong ones.

    Each of `groups`, shape (P, S), marks one group of every problem: with one per mode, a verifier
    gains nothing by telling programs from words.
    """
    sums, counts = np.zeros(len(scores)), np.zeros(len(scores))
    for group in groups:
        for p in range(len(scores)):
            own = scores[p][group[p] & right[p], None]
            other = scores[p][group[p] & ~right[p]]
            if own.size and other.size:
                sums[p] += np.mean((own > other) + 0.5 * (own == other))
                counts[p] += 1
    return lambda weights: _ratio(weights @ sums, weights @ counts)


def brier(scores: NDArray[Any], right: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Statistic:
    """The Brier score: mean squared difference of score, cut to 0 … 1, and label where `kept`."""
    off = np.square(np.clip(scores.astype(np.float64), 0, 1) - right)
    sums, counts = np.where(kept, off, 0.0).sum(axis=1), kept.sum(axis=1)
    return lambda weights: _ratio(weights @ sums, weights @ counts)


def calibration_error(
    scores: NDArray[Any], right: NDArray[np.bool_], kept: NDArray[np.bool_], bins: int = 10
) -> Statistic:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599, section 2) where `kept`.

    Scores, cut to 0 … 1, fall into bins of equal width; the error is the mean over candidates of
    |mean score − share right| of their bin.
    """
    cut = np.clip(np.where(kept, scores, 0).astype(np.float64), 0, 1)
    place = np.minimum((cut * bins).astype(int), bins - 1)
    # By problem and bin: the sum of score − label; a bin's total divided by all candidates.
    excess = np.stack(
        [np.where(kept & (place == b), cut - right, 0.0).sum(axis=1) for b in range(bins)], axis=1
    )
    counts = kept.sum(axis=1)
    return lambda weights: _ratio(np.abs(weights @ excess).sum(axis=1), weights @ counts)


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


def measures(
    pool: PoolArrays, verifier: str, ns: Sequence[int], draws: int = 200
) -> dict[str, Statistic]:
    """What a verifier's scores of a pool are worth, by name; accuracies mix both modes.

    Accuracies are expectations over random subsets of n candidates, by Monte Carlo over `draws` of
    them for the votes (`selection/subsets.py`).
    """
    scores = pool.scores[verifier]
    known = pool.labelled & pool.present & ~np.isnan(scores)
    by_mode = [known & pool.of_mode(mode) for mode in MODES]
    best = best_of_n_at(pool, scores, "both", ns)
    voting = {"weighted vote": Vote("none"), "majority vote": MAJORITY}
    votes = expected_accuracy(pool, voting, ns, draws, seed=0, scores=scores)
    found = {
        "AUC within problem and mode": auc_within(scores, pool.labels, by_mode),
        "AUC within problem": auc_within(scores, pool.labels, [known]),
        "AUC": pooled_auc(scores, pool.labels, known),
        "calibration error": calibration_error(scores, pool.labels, known),
    }
    found |= {f"best-of-{n}": mean_of(best[row]) for row, n in enumerate(ns)}
    found |= {f"{name} of {n}": mean_of(vote.values) for (name, n), vote in votes.items()}
    for n in ns:
        gained = votes["weighted vote", n].values - votes["majority vote", n].values
        found[f"weighted − majority of {n}"] = mean_of(gained)
    return found

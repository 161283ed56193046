"""What scores are worth, under bootstrap weights of the problems: AUC, Brier score, calibration.

A statistic takes weights of the problems and gives its value under each: the bootstrap needs no
loop over resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.selection.curves import Floats

__all__ = [
    "Statistic",
    "auc_within",
    "bin_of",
    "brier",
    "calibration_error",
    "group_aucs",
    "mean_of",
    "pooled_auc",
]


Statistic: TypeAlias = Callable[[Floats], Floats]
"""From weights of the problems, shape (draws, P), each row summing to 1, to values (draws,)."""


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


def group_aucs(
    scores: NDArray[Any], right: NDArray[np.bool_], groups: Sequence[NDArray[np.bool_]]
) -> Floats:
    """The ROC-AUC within each group of each problem, shape (groups, P).

    Each of `groups`, shape (P, S), marks one group of every problem's candidates; NaN where it
    does not hold both right and wrong ones.
    """
    aucs = np.full((len(groups), len(scores)), np.nan)
    for number, group in enumerate(groups):
        for p in range(len(scores)):
            own = scores[p][group[p] & right[p], None]
            other = scores[p][group[p] & ~right[p]]
            if own.size and other.size:
                aucs[number, p] = np.mean((own > other) + 0.5 * (own == other))
    return aucs


def auc_within(
    scores: NDArray[Any], right: NDArray[np.bool_], groups: Sequence[NDArray[np.bool_]]
) -> Statistic:
    """The mean of `group_aucs` over the groups of candidates that hold right and wrong ones.

    With a group per mode, a verifier gains nothing by telling programs from words.
    """
    aucs = group_aucs(scores, right, groups)
    sums, counts = np.nansum(aucs, axis=0), (~np.isnan(aucs)).sum(axis=0)
    return lambda weights: _ratio(weights @ sums, weights @ counts)


def brier(scores: NDArray[Any], right: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Statistic:
    """The Brier score: mean squared difference of score, cut to 0 … 1, and label where `kept`."""
    off = np.square(np.clip(scores.astype(np.float64), 0, 1) - right)
    sums, counts = np.where(kept, off, 0.0).sum(axis=1), kept.sum(axis=1)
    return lambda weights: _ratio(weights @ sums, weights @ counts)


def bin_of(scores: NDArray[Any], bins: int) -> NDArray[np.intp]:
    """The bin of each score, cut to 0 … 1, among `bins` of equal width; a border is of the lower.

    So are the bins of Guo et al. 2017 (section 2). Borders are compared in the scores' own
    precision: 0.3 lies on one in single precision too.

    >>> bin_of(np.array([-1.0, 0.3, 0.31, 1.0]), 10).tolist()
    [0, 2, 3, 9]
    """
    borders = (np.arange(1, bins) / bins).astype(scores.dtype)
    return np.searchsorted(borders, np.clip(scores, 0, 1), side="left")


def calibration_error(
    scores: NDArray[Any], right: NDArray[np.bool_], kept: NDArray[np.bool_], bins: int = 10
) -> Statistic:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599, section 2) where `kept`.

    Scores, cut to 0 … 1, fall into bins of equal width; the error is the mean over candidates of
    |mean score − share right| of their bin.
    """
    held = np.where(kept, scores, 0).astype(scores.dtype)
    cut, place = np.clip(held.astype(np.float64), 0, 1), bin_of(held, bins)
    # By problem and bin: the sum of score − label; a bin's total divided by all candidates.
    excess = np.stack(
        [np.where(kept & (place == b), cut - right, 0.0).sum(axis=1) for b in range(bins)], axis=1
    )
    counts = kept.sum(axis=1)
    return lambda weights: _ratio(np.abs(weights @ excess).sum(axis=1), weights @ counts)


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)

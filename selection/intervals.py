"""Paired differences over problems: value, 95 % interval and p-value from one bootstrap.

    paired(weighted_right, majority_right)       # two arrays of shape (P,), one number a problem

The same problems are resampled for both sides, so what makes a problem hard cancels. Interval and
p-value invert the same percentiles of the same resamples and cannot disagree: p < 0.05 exactly
where the interval leaves 0 out.

    >>> import numpy as np
    >>> same = paired(np.array([1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0]))
    >>> same.value, same.low, same.high, same.p
    (0.0, 0.0, 0.0, 1.0)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.selection.curves import Floats, resampled

__all__ = [
    "Interval",
    "Paired",
    "bootstrap_weights",
    "interval",
    "p_text",
    "paired",
    "percentile_p",
]


@dataclass(frozen=True)
class Interval:
    """A mean over problems and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def bootstrap_weights(problems: int, draws: int = 1000, seed: int = 0) -> Floats:
    """How often each problem is in each bootstrap sample, as shares; shape (draws, problems).

    One set of weights serves every rule and every n: means are `weights @ values`, and the
    difference of two means is paired by itself.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(problems, np.full(problems, 1 / problems), size=draws) / problems


def interval(values: Floats, weights: Floats) -> Interval:
    """The mean of `values`, shape (P,), with its 95 % percentile interval over problems.

    Problems whose value is NaN are not among those that the mean is over.
    """
    known = ~np.isnan(values)
    low, high = np.quantile(resampled(values, weights), [0.025, 0.975])
    return Interval(float(values[known].mean()), float(low), float(high))


@dataclass(frozen=True)
class Paired(Interval):
    """A mean difference over problems, its 95 % interval, the two-sided p-value of no difference.

    `p` is the smallest level at which the percentile interval leaves 0 out (Efron & Tibshirani
    1993, "An Introduction to the Bootstrap", section 15.4); never below 2 / (draws + 1), what so
    many resamples can tell.
    """

    p: float


def paired(
    a: ArrayLike,
    b: ArrayLike,
    weights: Floats | None = None,
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> Paired:
    """Mean of `a` − `b` over problems, arrays of shape (P,) in the same order of problems.

    `weights` of `bootstrap_weights`, shape (draws, P), where several differences share their
    resamples; else `draws` resamples from `seed`. A problem of which either side is NaN is left
    out: there is nothing of it to compare. Raises `ValueError` for arrays of different or no
    length, with infinite values, or where no problem is left.
    """
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if left.shape != right.shape or left.ndim != 1 or not len(left):
        raise ValueError(f"paired: expected two arrays (P,), got {left.shape} and {right.shape}")
    difference = left - right
    known = ~np.isnan(difference)
    if not np.isfinite(difference[known]).all():
        raise ValueError("paired: a value is infinite")
    if not known.any():
        raise ValueError("paired: no problem has a value on both sides")
    if weights is None:
        weights = bootstrap_weights(len(difference), draws, seed)
    means = resampled(difference, weights)
    # What is left by rounding in a sum whose terms cancel is no difference.
    means[np.abs(means) < 1e-12] = 0.0
    low, high = np.quantile(means, [0.025, 0.975])
    return Paired(float(difference[known].mean()), float(low), float(high), percentile_p(means))


def percentile_p(means: NDArray[Any]) -> float:
    """Two-sided p-value of "the mean is 0" from bootstrap means, shape (draws,).

    The inverse of the percentile interval with numpy's (linear) quantiles: the share of resamples
    below 0, or above, whichever is smaller, twice; an interpolated share where 0 lies between two.

    >>> percentile_p(np.array([-3.0, -1.0, 1.0, 2.0, 3.0, 4.0, 5.0]))    # 0 is the quantile 0.25
    0.5
    """
    ordered = np.sort(means)
    below = _rank_of_zero(ordered)
    above = _rank_of_zero(-ordered[::-1])
    floor = 2.0 / (len(ordered) + 1)
    return float(min(1.0, max(floor, 2.0 * min(below, above))))


def _rank_of_zero(ordered: NDArray[Any]) -> float:
    """The largest level at which the quantile of ascending numbers is not above 0."""
    last = int(np.searchsorted(ordered, 0.0, side="right")) - 1
    steps = len(ordered) - 1
    if last < 0:
        return 0.0
    if last >= steps:
        return 1.0
    gap = ordered[last + 1] - ordered[last]
    return float((last - ordered[last] / gap) / steps)


def p_text(p: float, resamples: int) -> str:
    """The p-value for people; `≤` where it is the smallest that so many resamples can tell.

    >>> p_text(0.0124, 1000), p_text(2 / 1001, 1000), p_text(2 / 10_001, 10_000)
    ('p = 0.012', 'p ≤ 0.002', 'p < 0.001')
    """
    if p < 0.001:
        return "p < 0.001"
    return f"p {'≤' if p <= 2.0 / (resamples + 1) else '='} {p:.3f}"

"""How likely a chosen answer is right, from how the vote went: fitted on held-out problems.

    found = fit_confidence(pool, spec, mix="both", n=32)
    found.confidence.of(features(spec, pool, spec.choose(pool)))     # probabilities, shape (P,)
    found.brier, found.error

A logistic regression on at most four numbers of the chosen answer (its share of the votes, its lead
on the next answer, and where the rule goes by scores its share of them and the best of them): with
some hundred problems, of which a tenth is wrong, more could not be fitted. It is ridge-regularised
(C = 1, standardised features). Platt 1999, "Probabilistic outputs for support vector machines", is
the same with one feature.

What is told of it, `Calibration`, is of probabilities by cross-fitting: each problem's come from
the other folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.problems.problem import MODES
from assay.selection.curves import Floats, Mix, ways
from assay.selection.intervals import Interval
from assay.selection.measures import Statistic, brier, calibration_error
from assay.selection.pool import PoolArrays
from assay.selection.rule_spec import RuleSpec
from assay.selection.tuning import FOLDS, fold_of
from assay.settings.errors import UserError

__all__ = [
    "LEVELS",
    "Calibration",
    "Confidence",
    "Fitted",
    "draw_subsets",
    "feature_names",
    "features",
    "fit_confidence",
]

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Of `min_confidence`, for which coverage and accuracy are told."""
SUBSETS = 8  # of each problem's candidates, where there are more than n


@dataclass(frozen=True)
class Confidence:
    """Logistic regression on standardised features: all arrays have shape (features,)."""

    names: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    def of(self, found: Floats) -> Floats:
        """Probabilities of being right, from features of shape (…, features)."""
        standard = (found - np.array(self.means)) / np.array(self.scales)
        return np.asarray(0.5 * (1 + np.tanh((standard @ self.weights + self.intercept) / 2)))

    def to_dict(self) -> dict[str, Any]:
        """The regression as JSON types."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in vars(self).items()}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Confidence:
        """What `to_dict` wrote. Raises `UserError` where it is none."""
        try:
            names = tuple(map(str, found["names"]))
            means, scales, weights = (
                tuple(map(float, found[key])) for key in ("means", "scales", "weights")
            )
            if any(len(each) != len(names) for each in (means, scales, weights)):
                raise ValueError("lists of different length")
            return cls(names, means, scales, weights, float(found["intercept"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"confidence: not readable ({error!r})") from error


@dataclass(frozen=True)
class Calibration:
    """What cross-fitted probabilities are worth.

    `base` is the Brier score of always telling the accuracy. `covered` holds for each of `LEVELS`
    the share of problems that are answered at that `min_confidence`, and how many of those answers
    are right (NaN where none is).
    """

    brier: Interval
    base: float
    error: Interval
    covered: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Fitted:
    """The regression on all problems and, of the cross-fitted ones, what they are worth.

    `probabilities` and `right` have shape (P, draws); NaN and False where nobody has an answer.
    """

    confidence: Confidence
    calibration: Calibration
    probabilities: Floats
    right: NDArray[np.bool_]


def feature_names(spec: RuleSpec) -> tuple[str, ...]:
    """What a rule's confidence is read off, in the order of `features`."""
    if spec.scorer:
        return ("votes", "lead", "weight", "best")
    return ("votes", "lead") if spec.name == "majority" else ("votes", "lead", "best")


def features(spec: RuleSpec, pool: PoolArrays, chosen: NDArray[np.intp]) -> Floats:
    """Of each problem's chosen answer, shape (P, features); NaN where `chosen`, (P,), is −1.

    `votes`: its share of the answers; `lead`: that minus the share of the next answer; `weight`:
    its share of the (positive) scores; `best`: the highest score, or what else the rule goes by, of
    a candidate that gives it.
    """
    answered = pool.present & (pool.classes >= 0)
    own = np.take_along_axis(pool.classes, np.maximum(chosen, 0)[:, None], axis=1)
    same = answered & (pool.classes == own)
    total = np.maximum(answered.sum(axis=1), 1)
    votes = same.sum(axis=1) / total
    others = np.where(answered & ~same, pool.classes, -1)
    found = {"votes": votes, "lead": votes - _most(others) / total}
    numbers = spec.numbers(pool)
    if numbers is not None:
        known = answered & np.isfinite(numbers)
        held = np.where(known, numbers, 0.0).astype(np.float64)
        positive = np.maximum(held, 0.0)
        summed = np.maximum(positive.sum(axis=1), 1e-12)
        found["weight"] = np.where(same, positive, 0.0).sum(axis=1) / summed
        found["best"] = np.where(same & known, held, -np.inf).max(axis=1, initial=-np.inf)
    table = np.stack([found[name] for name in feature_names(spec)], axis=1)
    return np.where((chosen >= 0)[:, None] & np.isfinite(table), table, np.nan)


def _most(classes: NDArray[Any]) -> Floats:
    """How many of each row, shape (P,), are of its commonest class; −1 is none."""
    kinds = int(classes.max(initial=-1)) + 2
    cells = classes + 1 + kinds * np.arange(len(classes))[:, None]
    counts = np.bincount(cells.ravel(), minlength=kinds * len(classes)).reshape(-1, kinds)
    return np.asarray(counts[:, 1:].max(axis=1, initial=0), np.float64)


def draw_subsets(pool: PoolArrays, mix: Mix, n: int, draws: int, seed: int) -> PoolArrays:
    """`draws` random subsets of n candidates of each problem, shape (P · draws, n)."""
    each = pool.take(np.repeat(np.arange(len(pool.problem_ids)), draws))
    members = [each.of_mode(mode) & (mix in (mode, "both")) for mode in MODES]
    split = ways(np.stack([own.sum(axis=1) for own in members], axis=1), mix, n)
    # An odd n of both modes can be split in two ways; they take turns.
    turn = np.arange(len(each.problem_ids)) % len(split)
    wanted = np.stack(split)[turn, np.arange(len(turn))]
    arrival = np.random.default_rng(seed).random(each.classes.shape)
    kept = np.zeros(each.classes.shape, bool)
    for place, own in enumerate(members):
        order = np.argsort(np.where(own, arrival, np.inf), axis=1)
        rank = np.argsort(order, axis=1)
        kept |= own & (rank < wanted[:, place, None])
    return each.select(kept)


def fit_confidence(
    pool: PoolArrays, spec: RuleSpec, mix: Mix, n: int, weights: Floats, seed: int = 0
) -> Fitted:
    """Fits the confidence of a rule at n on held-out problems.

    `weights` of the problems are a bootstrap's, shape (resamples, P), for the intervals.
    """
    problems = len(pool.problem_ids)
    draws = SUBSETS if max(pool.present.sum(axis=1)) > n else 1
    drawn = draw_subsets(pool, mix, n, draws, seed)
    chosen = spec.choose(drawn)
    table = features(spec, drawn, chosen)
    there = ~np.isnan(table).any(axis=1)
    label = np.take_along_axis(drawn.labels, np.maximum(chosen, 0)[:, None], axis=1)[:, 0]
    right = label & (chosen >= 0)
    names = feature_names(spec)
    folds = np.repeat(fold_of(problems, seed), draws)
    held = np.full(len(right), np.nan)
    for fold in range(FOLDS):
        own = folds == fold
        fitted = _fit(names, table[there & ~own], right[there & ~own], draws)
        held[there & own] = fitted.of(table[there & own])
    shape = (problems, draws)
    probabilities, outcome = held.reshape(shape), right.reshape(shape)
    return Fitted(
        _fit(names, table[there], right[there], draws),
        _calibration(probabilities, outcome, weights),
        probabilities,
        outcome,
    )


def _fit(names: Sequence[str], table: Floats, right: NDArray[np.bool_], draws: int) -> Confidence:
    """A regression on rows of which every `draws` are of one problem, and count as one."""
    width = len(names)
    means = table.mean(axis=0) if len(table) else np.zeros(width)
    scales = table.std(axis=0) if len(table) else np.ones(width)
    # What all have in common, but for rounding, tells nothing.
    scales = np.where(scales > 1e-9, scales, 1.0)
    slopes: Any = np.zeros(width)
    # Of problems without a wrong answer, or without a right one, there is a rate alone.
    rate = (right.sum() / draws + 1) / (len(right) / draws + 2)
    intercept = float(np.log(rate / (1 - rate)))
    if right.any() and not right.all():
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=1.0, max_iter=1000)
        model.fit((table - means) / scales, right, np.full(len(right), 1 / draws))
        slopes, intercept = model.coef_[0], float(model.intercept_[0])
    rounded = [tuple(float(x) for x in each) for each in (means, scales, slopes)]
    return Confidence(tuple(names), rounded[0], rounded[1], rounded[2], intercept)


def _calibration(held: Floats, right: NDArray[np.bool_], weights: Floats) -> Calibration:
    """What cross-fitted probabilities `held`, shape (P, draws), are worth."""
    there = ~np.isnan(held)
    told = np.where(there, held, 0.0)
    base = right[there].mean() if there.any() else 0.0
    return Calibration(
        _interval(brier(told, right, there), weights),
        float(base * (1 - base)),
        _interval(calibration_error(told, right, there), weights),
        tuple(_covered(told, right, level) for level in LEVELS),
    )


def _interval(statistic: Statistic, weights: Floats) -> Interval:
    problems = weights.shape[1]
    value = float(statistic(np.full((1, problems), 1 / problems))[0])
    drawn = statistic(weights)
    drawn = drawn[~np.isnan(drawn)]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
    return Interval(value, float(low), float(high))


def _covered(told: Floats, right: NDArray[np.bool_], level: float) -> tuple[float, float]:
    answered = told >= level
    share = float(right[answered].mean()) if answered.any() else float("nan")
    return float(answered.mean()), share

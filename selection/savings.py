"""What stopping early saves at equal accuracy, its threshold chosen on other problems.

    saved = savings(replay, "beta", fold_of(problems, seed=0), margin=0.001)
    saved.accuracy - replay.fixed["majority"][-1]       # paired with all candidates, (P,)
    1 - saved.samples.mean() / replay.fixed_samples[-1].mean()

A threshold that was chosen by the problems that it is judged on looks better than it is. So the
problems are put into folds, and each fold uses the threshold that asks for the fewest samples among
those that are as accurate as all candidates on the other folds. A fixed number of candidates is
chosen in the same way: where fewer would have done for everyone, that is no merit of a rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.selection.adaptive import Replay
from assay.selection.curves import Floats
from assay.selection.stopping import RULES
from assay.selection.tuning import FOLDS

__all__ = ["FIXED", "Savings", "at_equal_samples", "savings"]

FIXED = "fixed"
"""The rule that is none: every problem gets the same number of candidates."""


@dataclass(frozen=True)
class Savings:
    """A rule with each fold's own threshold; arrays of shape (P,), NaN as in the replay.

    `chosen` are the thresholds by fold.
    """

    accuracy: Floats
    samples: Floats
    rounds: Floats
    costs: dict[str, Floats]
    chosen: tuple[float, ...]


def savings(
    replay: Replay,
    rule: str,
    folds: NDArray[np.intp],
    margin: float = 0.0,
    chooses: str = "majority",
) -> Savings:
    """The rule at the thresholds that cost least and are within `margin` of all candidates.

    `folds`, shape (P,), are each problem's; `margin` is a fraction of accuracy. Where no threshold
    is as accurate on the other folds, the most accurate one is taken. With the rule `FIXED` the
    thresholds are the numbers of candidates, and `chooses` is what chooses among them.
    """
    if rule == FIXED:
        scored = any(
            RULES[r].scored and RULES[r].chooses == chooses for r in replay.plan.thresholds
        )
        thresholds: Sequence[float] = range(1, replay.plan.most + 1)
        accuracy, samples = replay.fixed[chooses], replay.fixed_samples
        rounds = np.where(np.isnan(samples), np.nan, 1.0)
        costs = {name: replay.fixed_costs[name, scored] for name in replay.plan.costs}
    else:
        thresholds, chooses = replay.plan.thresholds[rule], RULES[rule].chooses
        outcomes = [replay.outcomes[rule, threshold] for threshold in thresholds]
        accuracy, samples, rounds = (
            np.stack([getattr(outcome, name) for outcome in outcomes])
            for name in ("accuracy", "samples", "rounds")
        )
        costs = {
            name: np.stack([outcome.costs[name] for outcome in outcomes])
            for name in replay.plan.costs
        }
    places = _cheapest(accuracy, samples, replay.fixed[chooses][-1], folds, margin)
    own = np.asarray(places)[folds], np.arange(len(folds))
    return Savings(
        accuracy[own],
        samples[own],
        rounds[own],
        {name: spent[own] for name, spent in costs.items()},
        tuple(float(thresholds[place]) for place in places),
    )


def _cheapest(
    accuracy: Floats, samples: Floats, whole: Floats, folds: NDArray[np.intp], margin: float
) -> list[int]:
    """For each fold the place of its threshold, from arrays (thresholds, P) and `whole` (P,)."""
    known = ~np.isnan(whole)
    places = []
    for fold in range(FOLDS):
        others = known & (folds != fold)
        if not others.any():
            others = known
        means = accuracy[:, others].mean(axis=1).round(12)
        allowed = means >= round(float(whole[others].mean()) - margin, 12)
        spent = samples[:, others].mean(axis=1)
        places.append(
            int(np.where(allowed, spent, np.inf).argmin()) if allowed.any() else int(means.argmax())
        )
    return places


def at_equal_samples(replay: Replay, chooses: str, samples: float) -> Floats:
    """Accuracy of a fixed number of candidates that costs as many samples, shape (P,).

    Between two whole numbers it is the mixture of both that has this mean.
    """
    means = np.nanmean(replay.fixed_samples, axis=1)
    curve = replay.fixed[chooses]
    above = (
        int(np.clip(np.searchsorted(means, samples), 1, len(means) - 1)) if len(means) > 1 else 0
    )
    below = max(0, above - 1)
    gap = means[above] - means[below]
    share = float(np.clip((samples - means[below]) / gap, 0, 1)) if gap > 0 else 0.0
    return np.asarray((1 - share) * curve[below] + share * curve[above])

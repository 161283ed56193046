"""The best way to spend a budget, of many ways, chosen on other problems than it is judged on.

    points = frontier(accuracy, cost, budgets, fold_of(problems, seed=0))
    points[0].chosen                    # by fold, which option is the best that it can pay for

An option is a generator with a number of candidates and a rule, or a stopping rule with a
threshold: anything that has an accuracy and a cost on every problem. The best of hundreds looks
better on the problems it was picked by than it is; so each fold uses the one that is best on the
others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.selection.curves import Floats
from assay.selection.tuning import FOLDS

__all__ = ["Point", "frontier"]


@dataclass(frozen=True)
class Point:
    """What a budget buys: by fold the option `chosen`, and each problem's accuracy and cost."""

    budget: float
    chosen: tuple[int, ...]
    accuracy: Floats
    cost: Floats

    @property
    def typical(self) -> int:
        """The option that most folds use, the first of equals."""
        return max(self.chosen, key=self.chosen.count)


def frontier(
    accuracy: Floats, cost: Floats, budgets: Sequence[float], folds: NDArray[np.intp]
) -> list[Point]:
    """For each budget that buys anything the best option by fold, of equals the cheapest.

    `accuracy` and `cost` have shape (options, P), `folds` shape (P,); a budget is a mean over
    problems, and what the other folds can pay for may cost the own one a little more.
    """
    parts = [folds != fold for fold in range(FOLDS)]
    parts = [part if part.any() else np.ones(len(folds), bool) for part in parts]
    means = np.stack([accuracy[:, part].mean(axis=1) for part in parts]).round(12)
    prices = np.stack([cost[:, part].mean(axis=1) for part in parts])
    points = []
    for budget in budgets:
        affordable = prices <= budget * (1 + 1e-9)
        if not affordable.any(axis=1).all():
            continue
        chosen = []
        for can, mean, price in zip(affordable, means, prices, strict=True):
            best = np.flatnonzero(can & (mean == mean[can].max()))
            chosen.append(int(best[price[best].argmin()]))
        own = np.asarray(chosen)[folds], np.arange(len(folds))
        points.append(Point(float(budget), tuple(chosen), accuracy[own], cost[own]))
    return points

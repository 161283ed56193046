"""From log-odds to probabilities: a sigmoid, and isotonic regression.

Both are fitted to log-odds of candidates whose problems the model has not seen. The sigmoid (Platt
1999, section 2.2, with its smoothed targets) rises strictly, so it orders candidates as their
log-odds do and serves as the score. Isotonic regression (Zadrozny and Elkan 2002) fits any rising
curve and ties what it cannot tell apart: it is for the probability alone.

    sigmoid = fit_sigmoid(margins, labels)
    sigmoid(margins)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Isotonic", "Sigmoid", "fit_isotonic", "fit_sigmoid"]

Floats = NDArray[np.float64]
# A slope of 0 or below would turn the order round or lose it; that of a model worth nothing may be.
_LEAST_SLOPE = 1e-3


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(−(slope · margin + shift))), of log-odds; `slope` is above 0."""

    slope: float
    shift: float

    def __call__(self, margins: Floats) -> Floats:
        """Probabilities, of the same shape."""
        from scipy.special import expit

        values: Floats = expit(self.slope * margins + self.shift)
        return values


@dataclass(frozen=True, eq=False)
class Isotonic:
    """A rising curve through points (margin, probability), straight between them."""

    margins: Floats
    probabilities: Floats

    def __call__(self, margins: Floats) -> Floats:
        """Probabilities, of the same shape; beyond the outer points those of the points."""
        return np.interp(margins, self.margins, self.probabilities)


def fit_sigmoid(margins: Floats, labels: NDArray[np.bool_]) -> Sigmoid:
    """Platt's sigmoid: (right + 1) / (right + 2) and 1 / (wrong + 2) are the targets."""
    from sklearn.linear_model import LogisticRegression

    right = int(labels.sum())
    target = np.where(labels, (right + 1) / (right + 2), 1 / (len(labels) - right + 2))
    # A target between 0 and 1 is a candidate that is right with that weight, and wrong with the
    # rest. Log-odds are scaled, so that the penalty (which is next to none) does not depend on
    # theirs.
    spread = float(margins.std()) or 1.0
    twice = np.concatenate([margins, margins])[:, None] / spread
    told = np.repeat([True, False], len(margins))
    fitted: Any = LogisticRegression(C=1e6, max_iter=1000, tol=1e-8)
    fitted.fit(twice, told, sample_weight=np.concatenate([target, 1 - target]))
    slope = float(fitted.coef_[0, 0]) / spread
    return Sigmoid(max(slope, _LEAST_SLOPE), float(fitted.intercept_[0]))


def fit_isotonic(margins: Floats, labels: NDArray[np.bool_]) -> Isotonic:
    """Isotonic regression of the labels."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(margins, labels)
    return Isotonic(
        np.asarray(fitted.X_thresholds_, np.float64), np.asarray(fitted.y_thresholds_, np.float64)
    )

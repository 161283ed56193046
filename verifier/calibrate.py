"""Values as probabilities: scaled and shifted on held-out problems, once training is over.

`balance` shows a verifier as many wrong as right candidates, and few steps leave its values close
together: they rank, but are no probabilities. Platt scaling (Platt 1999, "Probabilistic outputs for
support vector machines") mends that with two numbers from held-out problems, whose candidates are
as they were sampled. Both go into the head, which is linear before any sigmoid: ranking within a
verifier stays as it is, and what is saved is a verifier like any other.

    scale, shift = fit(values, labels, loss="bce")
    verifier.rescale(scale, shift)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit"]

# Newton's method is there within ten steps, or the values say nothing.
STEPS = 50


def fit(scores: NDArray[Any], labels: NDArray[np.bool_], loss: str) -> tuple[float, float]:
    """Scale and shift of what the head gives, by logistic regression (bce) or least squares (mse).

    `scores`, `labels` (candidates,): values of held-out candidates as scoring gives them, and
    whether they are right. (1, 0) where they do not rise with being right, or are all of one kind.
    """
    given = scores.astype(np.float64)
    if loss == "bce":
        given = np.clip(given, 1e-7, 1 - 1e-7)
        given = np.log(given) - np.log1p(-given)
    if labels.all() or not labels.any() or np.ptp(given) == 0:
        return 1.0, 0.0
    columns = np.stack([given, np.ones_like(given)], axis=1)
    scale, shift = _logistic(columns, labels) if loss == "bce" else _linear(columns, labels)
    return (scale, shift) if scale > 0 and np.isfinite(scale) else (1.0, 0.0)


def _linear(columns: NDArray[np.float64], labels: NDArray[np.bool_]) -> tuple[float, float]:
    found, *_ = np.linalg.lstsq(columns, labels.astype(np.float64), rcond=None)
    return float(found[0]), float(found[1])


def _logistic(columns: NDArray[np.float64], labels: NDArray[np.bool_]) -> tuple[float, float]:
    """Newton's method, to Platt's targets: a little off 0 and 1, so that it ends for any labels."""
    right, wrong = labels.sum(), (~labels).sum()
    target = np.where(labels, (right + 1) / (right + 2), 1 / (wrong + 2))
    found = np.array([1.0, 0.0])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-columns @ found))
        slope = columns.T @ (chance - target)
        curve = (columns * (chance * (1 - chance))[:, None]).T @ columns
        step = np.linalg.solve(curve + 1e-9 * np.eye(2), slope)
        found = found - np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    return float(found[0]), float(found[1])

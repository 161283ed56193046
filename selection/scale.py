"""What a verifier's numbers mean: probabilities, log-odds, or rewards without bounds.

A rule that orders candidates needs no more than the numbers. A weighted vote sums them, and the
Brier score and calibration read them as probabilities: for these it matters what they are. Here,
and nowhere else, is what a kind of numbers is weighed by:

    probability   as it is
    log-odds      sigmoid
    reward        softmax over the candidates of a problem: a model that was trained on pairs
                  (Bradley and Terry) tells rewards up to a constant that every question may have
                  another of, and the softmax does not see it

    scale = scale_of(pool.scores["rm"], pool.scales.get("rm", ""))
    transform, notes = weighting("auto", scale, "rm")       # "softmax", ["scores by rm run from …"]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.selection.curves import Floats
from assay.selection.tuning import FOLDS, fold_of

__all__ = ["CALIBRATIONS", "SCALES", "Scale", "probabilities", "scale_of", "weighting"]

SCALES = {"probability": "none", "log-odds": "sigmoid", "reward": "softmax"}
"""What numbers may be -> the transform that makes weights of them."""
CALIBRATIONS = {"none": "", "platt": "Platt scaling", "isotonic": "isotonic regression"}
"""How numbers may be made probabilities -> what that is called."""


@dataclass(frozen=True)
class Scale:
    """What the scores of one verifier are, and where they lie.

    `kind` is one of `SCALES`; `low` and `high` are the least and the largest finite score, `below`
    counts those below 0 and `outside` those below 0 or above 1, of `count`.
    """

    kind: str
    low: float
    high: float
    below: int
    outside: int
    count: int

    @property
    def is_probability(self) -> bool:
        """Whether the scores are probabilities as they are."""
        return self.kind == "probability"

    @property
    def shown(self) -> str:
        """`−7.2 to 9.8`."""
        return f"{self.low:.3g} to {self.high:.3g}".replace("-", "−")


def scale_of(scores: NDArray[Any], declared: str = "") -> Scale:
    """The scale of scores, NaN where there is none; of any shape.

    `declared`: what the scorer says that its scores are, one of `SCALES`. Without, scores below 0
    or above 1 are rewards, others probabilities. A verifier that was trained by regression on
    labels may predict a little beyond them: its scores are declared probabilities.
    """
    known = scores[np.isfinite(scores)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    kind = declared or ("probability" if low >= 0 and high <= 1 else "reward")
    if kind not in SCALES:
        raise ValueError(f"scale {kind!r}, expected one of {', '.join(SCALES)}")
    below = int((known < 0).sum())
    return Scale(kind, low, high, below, below + int((known > 1).sum()), len(known))


def weighting(transform: str, scale: Scale, verifier: str) -> tuple[str, list[str]]:
    """The transform of scores into weights, where `transform` may be "auto"; and notes on it."""
    if transform != "auto":
        return transform, _negative(scale, verifier) if transform == "none" else []
    chosen = SCALES[scale.kind]
    if scale.is_probability:
        return chosen, _negative(scale, verifier)
    how = "read as log-odds" if scale.kind == "log-odds" else "no probabilities"
    return chosen, [
        f"scores by {verifier} run from {scale.shown}, {how}: weighted votes take transform="
        f"{chosen} of them"
    ]


def _negative(scale: Scale, verifier: str) -> list[str]:
    if not scale.below:
        return []
    return [
        f"{scale.below:,} of {scale.count:,} scores by {verifier} are below 0 and weigh nothing in "
        "weighted votes (transform=none)"
    ]


def probabilities(
    scores: NDArray[Any],
    right: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    scale: Scale,
    calibration: str,
    seed: int,
) -> tuple[Floats | None, str]:
    """The scores (P, S) as probabilities, and how they were made so; None where they are none.

    `calibration` "none": probabilities as they are, log-odds by the sigmoid. "platt" (logistic
    regression, Platt 1999) and "isotonic" (Zadrozny and Elkan 2002) fit labels `right` where `kept`
    by cross-fitting: the problems are split in folds by the seed, and each fold's scores are mapped
    by what fits the others.
    """
    if calibration != "none":
        name = f"{CALIBRATIONS[calibration]}, cross-fitted in {FOLDS} folds"
        return _cross_fitted(scores, right, kept, calibration, seed), name
    if scale.kind == "log-odds":
        return 0.5 * (1.0 + np.tanh(0.5 * scores.astype(np.float64))), ""
    return (scores, "") if scale.is_probability else (None, "")


def _cross_fitted(
    scores: NDArray[Any],
    right: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    calibration: str,
    seed: int,
) -> Floats:
    folds = fold_of(len(scores), seed)
    mapped = np.full(scores.shape, np.nan)
    for fold in range(FOLDS):
        own = kept & (folds == fold)[:, None]
        other = kept & ~own
        if own.any() and other.any():
            mapped[own] = _fitted(scores[other], right[other], scores[own], calibration)
    return mapped


def _fitted(
    scores: NDArray[Any], right: NDArray[np.bool_], asked: NDArray[Any], calibration: str
) -> Floats:
    """Probabilities at the scores `asked`, by what fits scores and labels."""
    if right.all() or not right.any():
        return np.full(len(asked), float(right.any()))
    if calibration == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        fit = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        return np.asarray(fit.fit(scores, right).predict(asked), np.float64)
    from sklearn.linear_model import LogisticRegression

    # On scores of unit spread, so that the slight penalty is the same for every scale.
    mean, spread = scores.mean(dtype=np.float64), scores.std(dtype=np.float64) or 1.0
    fit = LogisticRegression(C=1e4).fit(((scores - mean) / spread)[:, None], right)
    return np.asarray(fit.predict_proba(((asked - mean) / spread)[:, None])[:, 1], np.float64)

"""What a verifier's scores of a pool are worth: ranking, calibration, over-optimisation.

    found = quality(pool, scores, evaluation.per_problem, weights)
    found.within.value, found.within.low     # AUC within problems, with its interval
    found.over[-1].peak, found.over[-1].drop # best-of-n is best at n = peak, and falls by `drop`

Intervals are 95 % bootstrap intervals over problems, with the resamples of all other numbers.
Scores are cut to 0 … 1 where they are read as probabilities (Brier score, calibration).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.problems.problem import MODES
from assay.selection.curves import Floats, Mix
from assay.selection.estimates import Cell
from assay.selection.intervals import Interval, Paired, paired
from assay.selection.measures import (
    Statistic,
    auc_within,
    bin_of,
    brier,
    calibration_error,
    pooled_auc,
)
from assay.selection.pool import PoolArrays

__all__ = ["MEASURES", "Bin", "Over", "Quality", "calibration_bins", "over_optimisation", "quality"]

BINS = 10
# The measures of `Quality` that are one number, and what people call them.
MEASURES = {
    "within": "AUC within problems",
    "within_mode": "… and mode",
    "within_cot": "… CoT alone",
    "within_pot": "… PoT alone",
    "auc": "AUC, all candidates",
    "brier": "Brier score",
    "calibration_error": "calibration error",
}


@dataclass(frozen=True)
class Bin:
    """Candidates with scores above low, up to high: their mean score and the share that is right.

    The lowest bin holds 0 too. `right_low`, `right_high`: the 95 % interval of that share, over
    problems.
    """

    low: float
    high: float
    mean_score: float
    share_right: float
    right_low: float
    right_high: float
    count: int


@dataclass(frozen=True)
class Over:
    """Best-of-n against n: best at `peak`; `drop` is its accuracy at `n`, the largest, minus that.

    The peak is chosen on the same problems: a drop from a flat curve is a little overstated.
    """

    modes: Mix
    peak: int
    n: int
    drop: Paired


@dataclass(frozen=True)
class Quality:
    """Measures over the candidates that have a label and a score.

    `auc`: ROC-AUC over all candidates, within and across problems; easy problems alone make it
    high. `within`: the mean AUC among the candidates of one problem, over problems that have right
    and wrong ones: what choosing can use. `within_mode`: the same among the candidates of one
    problem and mode, where nothing is gained by telling programs from words, and of one mode alone
    `within_cot` and `within_pot`. `brier`: mean squared difference of score and label.
    `calibration_error`: mean distance of score and share right over `bins` of equal width. NaN
    where a measure is not defined.
    """

    auc: Interval
    within: Interval
    within_mode: Interval
    within_cot: Interval
    within_pot: Interval
    brier: Interval
    calibration_error: Interval
    bins: tuple[Bin, ...]
    over: tuple[Over, ...]
    candidates: int

    def shown(self) -> dict[str, str]:
        """The measures to show, and their labels: AUC by mode where that is something else."""
        same = np.array_equal(self.within_mode.value, self.within.value, equal_nan=True)
        by_mode = {"within_mode", *(f"within_{mode}" for mode in MODES)} if same else set()
        return {name: label for name, label in MEASURES.items() if name not in by_mode}

    def to_dict(self) -> dict[str, Any]:
        """As JSON types: what is not defined is null."""
        return dict(_plain(asdict(self)))


def quality(
    pool: PoolArrays,
    scores: NDArray[Any],
    per_problem: Mapping[Cell, Floats],
    weights: Floats,
) -> Quality:
    """The measures of scores (P, S), with intervals from resamples `weights` (draws, P).

    `per_problem` holds the accuracies of best-of-n by (rule, modes, n), for over-optimisation.
    """
    kept = pool.labelled & pool.present & np.isfinite(scores)
    equal = np.full((1, len(scores)), 1 / len(scores))
    rows = np.concatenate([equal, weights])
    of_mode = [kept & pool.of_mode(mode) for mode in MODES]
    within = {
        name: _measured(auc_within(scores, pool.labels, groups), rows)
        for name, groups in (
            ("within", [kept]),
            ("within_mode", of_mode),
            *((f"within_{mode}", [group]) for mode, group in zip(MODES, of_mode, strict=True)),
        )
    }
    return Quality(
        auc=_measured(pooled_auc(scores, pool.labels, kept), rows),
        **within,
        brier=_measured(brier(scores, pool.labels, kept), rows),
        calibration_error=_measured(calibration_error(scores, pool.labels, kept, BINS), rows),
        bins=tuple(calibration_bins(scores, pool.labels, kept, weights)),
        over=tuple(over_optimisation(per_problem, weights)),
        candidates=int(kept.sum()),
    )


def calibration_bins(
    scores: NDArray[Any],
    right: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    weights: Floats,
    bins: int = BINS,
) -> list[Bin]:
    """The bins of equal width that hold candidates, of scores and labels (P, S) where `kept`.

    Intervals are from resamples `weights` (draws, P) of the problems, whose candidates are not
    independent of each other.
    """
    held = np.where(kept, scores, 0).astype(scores.dtype)
    cut, place = np.clip(held.astype(np.float64), 0, 1), bin_of(held, bins)
    found = []
    for b in range(bins):
        own = kept & (place == b)
        count = int(own.sum())
        if not count:
            continue
        rights, counts = (own & right).sum(axis=1), own.sum(axis=1)
        drawn = weights @ counts
        # Some resamples may hold no problem with a candidate in this bin.
        shares = (weights @ rights)[drawn > 0] / drawn[drawn > 0]
        low, high = np.quantile(shares, [0.025, 0.975]) if len(shares) else (np.nan, np.nan)
        found.append(
            Bin(
                low=b / bins,
                high=(b + 1) / bins,
                mean_score=float(cut[own].mean()),
                share_right=float(rights.sum() / count),
                right_low=float(low),
                right_high=float(high),
                count=count,
            )
        )
    return found


def over_optimisation(per_problem: Mapping[Cell, Floats], weights: Floats) -> list[Over]:
    """For each modes with best-of-n at two n or more: its peak and the paired drop from there.

    The first of equal peaks. Cobbe et al. 2021, section 4.2: the accuracy of the best-scored falls
    where more samples bring more that fool the verifier.
    """
    found = []
    for mix in dict.fromkeys(mix for rule, mix, _ in per_problem if rule == "best_of_n"):
        ns = sorted(n for rule, modes, n in per_problem if (rule, modes) == ("best_of_n", mix))
        values = [per_problem["best_of_n", mix, n] for n in ns]
        # Rounded, so that equal means are equal however they were summed.
        peak = int(np.argmax([round(float(np.nanmean(own)), 12) for own in values]))
        if len(ns) > 1:
            drop = paired(values[-1], values[peak], weights)
            found.append(Over(mix, ns[peak], ns[-1], drop))
    return found


def _measured(statistic: Statistic, rows: Floats) -> Interval:
    """The statistic under the first row of weights, with the interval of the others."""
    values = statistic(rows)
    drawn = values[1:][~np.isnan(values[1:])]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
    return Interval(float(values[0]), float(low), float(high))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(own) for name, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(own) for own in value]
    return None if isinstance(value, float) and np.isnan(value) else value

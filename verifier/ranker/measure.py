"""What a ranker is worth on problems that its models have not seen: measures and importance.

measures(data, fit)             # AUC within problems and modes, … of it and of what it reads
importance(config, data, fit)   # how much worse it ranks when a feature is shuffled
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.pools.progress import progress_bar
from assay.selection.measures import bin_of
from assay.verifier.ranker.config import TrainRankerConfig
from assay.verifier.ranker.data import RankerData
from assay.verifier.ranker.features import feature_group
from assay.verifier.ranker.fit import CrossFit

__all__ = ["Bin", "Importance", "auc_within", "bins_of", "importance", "measures"]

Floats = NDArray[np.float64]
BINS = 10
# Shuffling costs a prediction each time; so many problems tell which features matter.
PROBLEMS = 300


@dataclass(frozen=True)
class Bin:
    """Candidates with probabilities above `low`, up to `high`; the lowest bin holds 0 too."""

    low: float
    high: float
    mean: float
    right: float
    count: int


@dataclass(frozen=True)
class Importance:
    """How far the AUC within problems and modes falls when features are shuffled.

    `error` is the standard deviation over repeated shuffles. A group (`features` are several) is
    shuffled as one: its features say much the same, and each alone is missed little.
    """

    name: str
    features: int
    drop: float
    error: float


def auc_within(scores: Floats, right: NDArray[np.bool_], groups: NDArray[np.int64]) -> float:
    """The mean ROC-AUC within groups that hold right and wrong candidates; NaN without such.

    Arrays have one entry a candidate; ties count half. Candidates without a score take no part.
    """
    kept = np.isfinite(scores)
    scores, right, groups = scores[kept], right[kept], groups[kept]
    if not len(scores):
        return float("nan")
    order = np.lexsort((scores, groups))
    s, r, g = scores[order], right[order], groups[order]
    new_group = np.r_[True, g[1:] != g[:-1]]
    new_level = new_group | np.r_[True, s[1:] != s[:-1]]
    number, level = np.cumsum(new_group) - 1, np.cumsum(new_level) - 1
    rights, wrongs = np.bincount(number, r), np.bincount(number, ~r)
    wrong_level = np.bincount(level, ~r)
    # Of each candidate: the wrong ones of its group below it, and half of those level with it.
    below = np.cumsum(wrong_level) - wrong_level
    start = (np.cumsum(wrongs) - wrongs)[number]
    wins = below[level] - start + 0.5 * wrong_level[level]
    both = (rights > 0) & (wrongs > 0)
    if not both.any():
        return float("nan")
    won = np.bincount(number, np.where(r, wins, 0.0))
    return float((won[both] / (rights[both] * wrongs[both])).mean())


def bins_of(probabilities: Floats, right: NDArray[np.bool_]) -> list[Bin]:
    """The bins of equal width that hold candidates."""
    place, found = bin_of(probabilities, BINS), []
    for b in range(BINS):
        own = place == b
        if own.any():
            mean, share = float(probabilities[own].mean()), float(right[own].mean())
            found.append(Bin(b / BINS, (b + 1) / BINS, mean, share, int(own.sum())))
    return found


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599, section 2)."""
    total = sum(each.count for each in bins)
    return sum(each.count * abs(each.mean - each.right) for each in bins) / total


def out_of_fold(fit: CrossFit, *, probabilities: bool = False) -> Floats:
    """Scores, or probabilities, of the data's rows by models that have not seen their problems."""
    ranker, found = fit.ranker, np.empty(len(fit.margins))
    for number, fitted in enumerate(ranker.folds):
        rows = fit.folds == number
        isotonic = probabilities and ranker.calibration == "isotonic"
        found[rows] = (fitted.isotonic if isotonic else fitted.sigmoid)(fit.margins[rows])
    return found


def measures(data: RankerData, fit: CrossFit) -> list[dict[str, Any]]:
    """A row for the log-probability, each verifier's score and the ranker: how well they rank.

    `auc_within` is the mean AUC among the candidates of a problem and mode, `programs` and `words`
    the same over one mode's groups; of probabilities also the Brier score and the calibration
    error, else None.
    """
    probabilities = out_of_fold(fit, probabilities=True)
    columns = {"log-probability": data.features.get("logprob_per_token")}
    columns |= {v.name: data.features.get(f"score:{v.name}") for v in data.verifiers}
    rows = [
        _ranking(name, column.to_numpy(np.float64), data)
        for name, column in columns.items()
        if column is not None
    ]
    told = {
        "brier": float(np.square(probabilities - data.labels).mean()),
        "calibration_error": calibration_error(bins_of(probabilities, data.labels)),
    }
    return [*rows, {**_ranking("ranker", out_of_fold(fit), data), **told}]


def _ranking(name: str, scores: Floats, data: RankerData) -> dict[str, Any]:
    groups = _groups(data)
    values = {"auc_within": auc_within(scores, data.labels, groups)}
    for mode, rows in (("words", ~data.programs), ("programs", data.programs)):
        values[mode] = auc_within(scores[rows], data.labels[rows], groups[rows])
    known = {key: None if np.isnan(value) else value for key, value in values.items()}
    return {"name": name, **known, "brier": None, "calibration_error": None}


def _groups(data: RankerData) -> NDArray[np.int64]:
    """The problem and mode of each row, as one number."""
    return 2 * data.pools + data.programs


def importance(config: TrainRankerConfig, data: RankerData, fit: CrossFit) -> list[Importance]:
    """What each group of features is worth, then each feature, the most important first.

    Features are shuffled among the candidates that a fold's model has not seen, of at most 300
    problems, `config.importance` times (permutation importance: Breiman 2001, section 10).
    """
    rng = np.random.default_rng([config.seed, 3])
    questions = np.unique(data.questions)
    drawn = rng.permutation(questions)[:PROBLEMS]
    rows = np.flatnonzero(np.isin(data.questions, drawn))
    x = data.features.to_numpy(np.float64)[rows]
    folds, labels, groups = fit.folds[rows], data.labels[rows], _groups(data)[rows]
    names = list(data.features.columns)
    by_group: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        by_group.setdefault(feature_group(name), []).append(place)
    asked = list(by_group.items())
    asked += [(name, [place]) for place, name in enumerate(names)]
    base = auc_within(_margins(fit, x, folds), labels, groups)
    if np.isnan(base):
        # No problem has right and wrong candidates: there is nothing that could fall.
        return []
    found = []
    with progress_bar(len(asked) * config.importance, "importance", " shuffles") as bar:
        for name, own in asked:
            drops = []
            for _ in range(config.importance):
                shuffled = x.copy()
                for number in range(len(fit.ranker.folds)):
                    held_out = np.flatnonzero(folds == number)
                    mixed = rng.permutation(held_out)
                    shuffled[held_out[:, None], own] = x[mixed[:, None], own]
                drops.append(base - auc_within(_margins(fit, shuffled, folds), labels, groups))
                bar.update()
            if drops:
                found.append(
                    Importance(name, len(own), float(np.mean(drops)), float(np.std(drops)))
                )
    number = len(by_group)
    ordered = [sorted(part, key=lambda i: -i.drop) for part in (found[:number], found[number:])]
    return [each for part in ordered for each in part]


def _margins(fit: CrossFit, x: Floats, folds: NDArray[np.int64]) -> Floats:
    margins = np.empty(len(x))
    for number, fitted in enumerate(fit.ranker.folds):
        margins[folds == number] = fitted.model.margins(x[folds == number])
    return margins


def as_json(rows: Sequence[Bin | Importance]) -> list[dict[str, Any]]:
    """The rows as JSON types."""
    return [asdict(row) for row in rows]

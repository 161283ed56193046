"""Fitting a ranker by cross-fitting over problems.

The problems are dealt into folds. For each fold a model is fitted to the problems of the others;
its log-odds of the fold's candidates are out of fold. On all of these the calibration is fitted,
and for each fold's model on those of the other folds, so that nothing that scores a candidate of
the training problems has seen its label. What scores new problems is fitted to all (as
scikit-learn's `CalibratedClassifierCV(ensemble=False)` does it), with as many trees as were best
out of fold.

    data = training_data(config, runs)
    fit = cross_fit(config, data)
    fit.ranker.save("runs/ranker")
    fit.margins                        # out of fold, one a row of the data
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assay.pools.progress import progress_bar
from assay.settings.errors import UserError
from assay.verifier.ranker.calibration import fit_isotonic, fit_sigmoid
from assay.verifier.ranker.config import TrainRankerConfig
from assay.verifier.ranker.data import RankerData
from assay.verifier.ranker.model_file import Fitted, Ranker
from assay.verifier.ranker.models import Model, Trees, fit_model

__all__ = ["CrossFit", "cross_fit", "fold_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CrossFit:
    """A fitted ranker, and what its folds' models say of the candidates that they have not seen.

    `folds` is the fold of each row of the data, `margins` its log-odds out of fold.
    """

    ranker: Ranker
    folds: NDArray[np.int64]
    margins: Floats


def fold_of(questions: NDArray[np.str_], count: int, seed: int) -> dict[str, int]:
    """The fold of each question: a seeded deal, in which folds differ by one question at most.

    It does not depend on the order of the questions.
    """
    names = np.unique(questions)
    order = np.random.default_rng([seed, 1]).permutation(len(names))
    return {str(names[place]): i % count for i, place in enumerate(order)}


def cross_fit(config: TrainRankerConfig, data: RankerData) -> CrossFit:
    """Fits a ranker to the data. Raises `UserError` for too few problems or labels of one kind."""
    fold = fold_of(data.questions, config.folds, config.seed)
    if len(fold) < 2 * config.folds:
        raise UserError(
            f"train-ranker: {len(fold)} problems with labelled candidates are too few for "
            f"{config.folds} folds; expected {2 * config.folds} or more"
        )
    folds = np.array([fold[question] for question in data.questions], np.int64)
    x, labels = data.features.to_numpy(np.float64), data.labels
    names = list(data.features.columns)
    margins = np.empty(len(x))
    models: list[Model] = []
    with progress_bar(config.folds + 1, "train ranker", " models") as bar:
        for number in range(config.folds):
            others = folds != number
            _check_labels(labels[others])
            models.append(fit_model(config, x[others], labels[others], names))
            bar.update()
        models, rounds = _best_rounds(models, x, labels, folds)
        for number, model in enumerate(models):
            margins[folds == number] = model.margins(x[folds == number])
        whole = fit_model(replace(config, rounds=rounds or config.rounds), x, labels, names)
        bar.update()

    def calibrated(model: Model, rows: NDArray[np.bool_]) -> Fitted:
        known, own = margins[rows], labels[rows]
        return Fitted(model, fit_sigmoid(known, own), fit_isotonic(known, own))

    ranker = Ranker(
        features=tuple(names),
        verifiers=data.verifiers,
        whole=calibrated(whole, np.ones(len(x), bool)),
        folds=tuple(calibrated(model, folds != number) for number, model in enumerate(models)),
        seen=fold,
        calibration=config.calibration,
        pool_size=data.pool_size,
    )
    return CrossFit(ranker, folds, margins)


def _best_rounds(
    models: Sequence[Model], x: Floats, labels: NDArray[np.bool_], folds: NDArray[np.int64]
) -> tuple[list[Model], int]:
    """The folds' models with so many trees as have the lowest log-loss out of fold, and how many.

    One number for all folds: that it was chosen on the same candidates is worth next to nothing.
    Models of another kind stay, with 0.
    """
    trees = [model for model in models if isinstance(model, Trees)]
    if not trees:
        return list(models), 0
    parts = [(folds == number) for number in range(len(trees))]
    losses = [t.losses(x[rows], labels[rows]) for t, rows in zip(trees, parts, strict=True)]
    # Growing ends early where no split is left.
    common = min(len(own) for own in losses)
    rounds = max(1, int(np.argmin(np.sum([own[:common] for own in losses], axis=0))))
    return [own.first(rounds) for own in trees], rounds


def _check_labels(labels: NDArray[np.bool_]) -> None:
    for label, name in ((True, "right"), (False, "wrong")):
        if not (labels == label).any():
            raise UserError(f"train-ranker: without a fold, no candidate is {name}")

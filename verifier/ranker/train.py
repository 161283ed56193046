"""Training a ranker: data, cross-fitting, what it is worth, and the folder that is written.

    trained = fit_ranker(TrainRankerConfig(output="runs/ranker", pools=[…], verifiers=["v"]), runs)
    trained.ranker.score(frame, problems)

`assay.search.stages.train_ranker` does this and writes the out-of-fold scores into the pools.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.pools.run import Run
from assay.settings.errors import UserError
from assay.storage.files import atomic_file, differences
from assay.storage.places import local_folder
from assay.verifier.ranker.card import ranker_card
from assay.verifier.ranker.config import TrainRankerConfig, check_ranker
from assay.verifier.ranker.data import training_data
from assay.verifier.ranker.fit import cross_fit
from assay.verifier.ranker.measure import as_json, bins_of, importance, measures, out_of_fold
from assay.verifier.ranker.model_file import FILE, Ranker
from assay.verifier.ranker.models import Trees

__all__ = ["TrainedRanker", "fit_ranker"]


@dataclass(frozen=True)
class TrainedRanker:
    """A ranker that was written, and where.

    `ranker.about` has `measures` (rows of AUC within problems and modes, out of fold, for the
    log-probability, each verifier and the ranker), `importance`, `calibration` and the counts.
    """

    ranker: Ranker
    path: Path


def fit_ranker(config: TrainRankerConfig, runs: Sequence[Run]) -> TrainedRanker:
    """Fits a ranker to graded runs and writes it to `config.output`.

    A ranker that is there is kept where it is the same one. Raises `UserError` where the folder
    holds anything else, and as `training_data` and `cross_fit` do.
    """
    check_ranker(config)
    folder = local_folder(config.output, "output")
    _check_folder(folder)
    data = training_data(config, runs)
    fit = cross_fit(config, data)
    probabilities = out_of_fold(fit, probabilities=True)
    model = fit.ranker.whole.model
    about: dict[str, Any] = {
        "config": dataclasses.asdict(config),
        "versions": _versions(),
        "problems": len(fit.ranker.seen),
        "candidates": len(data.labels),
        "right": int(data.labels.sum()),
        "trees": len(model.roots) if isinstance(model, Trees) else 0,
        "measures": measures(data, fit),
        "calibration": as_json(bins_of(probabilities, data.labels)),
    }
    _check_same(folder, fit.ranker, about["config"])
    about["importance"] = as_json(importance(config, data, fit)) if config.importance else []
    ranker = dataclasses.replace(fit.ranker, about=_plain(about))
    with atomic_file(folder / "README.md") as stream:
        stream.write(ranker_card(ranker))
    ranker.save(folder)
    return TrainedRanker(ranker, folder)


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: expected a folder to write, found a file")
    if not (folder / FILE).exists() and any(folder.glob("*.json")):
        raise UserError(
            f"{folder}: already contains something other than a ranker; choose another output"
        )


def _check_same(folder: Path, ranker: Ranker, config: Mapping[str, Any]) -> None:
    """Raises `UserError` where another ranker is in the folder, with what differs."""
    if not (folder / FILE).exists():
        return
    there = Ranker.load(folder)
    if there.hash != ranker.hash:
        lines = differences(there.about.get("config", {}), config)
        raise UserError(
            f"{folder}: holds another ranker ({'; '.join(lines) or 'of other candidates'}); choose "
            "another output or delete it"
        )


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("assay", "scikit-learn", "numpy")}


def _plain(value: Any) -> Any:
    """The value as JSON types."""
    if isinstance(value, dict):
        return {name: _plain(own) for name, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(own) for own in value]
    if isinstance(value, np.generic):
        return value.item()
    return value

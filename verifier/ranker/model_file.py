"""A ranker: a small model of whether a candidate is right, in one JSON file.

    ranker = Ranker.load("runs/ranker")
    scored = ranker.score(load_frame(run, texts=True), run.problems)
    scored.scores            # float64, one a candidate, between 0 and 1

The file holds the model that was fitted to all problems, and for each fold the one that has not
seen the fold's problems, with these problems' hashes. A problem that the ranker was trained on is
scored by the model that has not seen it: a score never profits from its own label.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.problems.problem import Problem, question_hash
from assay.settings.errors import UserError
from assay.storage.files import atomic_file
from assay.verifier.ranker.calibration import Isotonic, Sigmoid
from assay.verifier.ranker.features import candidate_features
from assay.verifier.ranker.models import Model, model_of
from assay.verifier.ranker.pool_features import pool_features

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FILE", "Fitted", "Ranker", "RankerScores", "ReadVerifier"]

FILE = "ranker.json"
FORMAT = 1
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model with the calibration of its log-odds."""

    model: Model
    sigmoid: Sigmoid
    isotonic: Isotonic

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model.to_json(),
            "sigmoid": dataclasses.asdict(self.sigmoid),
            "isotonic": {
                "margins": self.isotonic.margins.tolist(),
                "probabilities": self.isotonic.probabilities.tolist(),
            },
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Fitted:
        points = {n: np.array(v, np.float64) for n, v in content["isotonic"].items()}
        return cls(model_of(content["model"]), Sigmoid(**content["sigmoid"]), Isotonic(**points))


@dataclass(frozen=True)
class ReadVerifier:
    """A verifier whose scores are read: its name when the ranker was trained, and which it was.

    `key` is what of the key of its scores must be the same wherever the ranker scores: the
    verifier's fingerprint and the aggregate.
    """

    name: str
    key: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class RankerScores:
    """Of each candidate its log-odds, its score and the probability that it is right, float64.

    The score is the sigmoid of the log-odds, and calibrated; candidates are ranked by it. The
    probability is the same, or with `calibration=isotonic` the isotonic one.
    """

    margins: Floats
    scores: Floats
    probabilities: Floats


@dataclass(frozen=True, eq=False)
class Ranker:
    """A fitted ranker. `Ranker.load` opens one.

    `features` are the names of the columns that the models read, `whole` the model of all problems,
    `folds` those of the folds, `seen` the fold of each problem that it was trained on, by
    `question_hash`. `pool_size` is 0, or with `features=pool` the number of candidates of a problem
    that it was trained for. `about` tells of the training: measures, importance, settings.
    """

    features: tuple[str, ...]
    verifiers: tuple[ReadVerifier, ...]
    whole: Fitted
    folds: tuple[Fitted, ...]
    seen: Mapping[str, int]
    calibration: str = "sigmoid"
    pool_size: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)

    def score(self, frame: pd.DataFrame, problems: Sequence[Problem]) -> RankerScores:
        """Scores the candidates of `frame`, in its order.

        The columns are those of `load_frame(run, texts=True)`, `problems` those that `problem_id`
        speaks of. A verifier's columns (`score:NAME` and so on) bear the name that it had when the
        ranker was trained. A candidate's score does not depend on the others, unless the ranker was
        trained with `features=pool` (`pool_size`): then `frame` must hold whole pools. Raises
        `UserError` for a missing column or feature.
        """
        return self.score_features(self.features_of(frame), self._folds_of(frame, problems))

    def features_of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The features of candidates, as the models read them. Raises `UserError`: one is missing.

        A feature is missing where it is known of no candidate at all for want of a column.
        """
        found = candidate_features(frame, [verifier.name for verifier in self.verifiers])
        if self.pool_size:
            found = found.join(pool_features(frame, found))
        missing = [name for name in self.features if name not in found]
        if missing:
            raise UserError(
                f"ranker: features that it was trained with are missing: {_told(missing)}"
            )
        return found[list(self.features)]

    def score_features(self, features: pd.DataFrame, folds: NDArray[np.int64]) -> RankerScores:
        """Scores rows of features; `folds` says which fold's model does it, −1 that of all."""
        x = features[list(self.features)].to_numpy(np.float64)
        margins, scores, probabilities = (np.full(len(x), np.nan) for _ in range(3))
        for fold in np.unique(folds):
            rows = folds == fold
            fitted = self.whole if fold < 0 else self.folds[fold]
            margins[rows] = fitted.model.margins(x[rows])
            scores[rows] = fitted.sigmoid(margins[rows])
            curve = fitted.isotonic if self.calibration == "isotonic" else fitted.sigmoid
            probabilities[rows] = curve(margins[rows])
        return RankerScores(margins, scores, probabilities)

    def _folds_of(self, frame: pd.DataFrame, problems: Sequence[Problem]) -> NDArray[np.int64]:
        fold = {p.id: self.seen.get(question_hash(p.question), -1) for p in problems}
        unknown = set(frame["problem_id"]) - {*fold}
        if unknown:
            raise UserError(f"ranker: candidates of a problem that is not given: {min(unknown)}")
        return np.array([fold[problem_id] for problem_id in frame["problem_id"]], np.int64)

    @property
    def hash(self) -> str:
        """Of everything that decides scores."""
        text = json.dumps(self._deciding(), sort_keys=True)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def _deciding(self) -> dict[str, Any]:
        return {
            "features": list(self.features),
            "verifiers": [{"name": v.name, "key": dict(v.key)} for v in self.verifiers],
            "calibration": self.calibration,
            "pool_size": self.pool_size,
            "whole": self.whole.to_json(),
            "folds": [fitted.to_json() for fitted in self.folds],
            "seen": dict(self.seen),
        }

    def save(self, path: str | Path) -> Path:
        """Writes the file, whole or not at all; returns its path. `path` may be its folder."""
        file = _file(Path(path))
        content = {"kind": "ranker", "format": FORMAT, "hash": self.hash, "about": dict(self.about)}
        with atomic_file(file) as stream:
            json.dump({**content, **self._deciding()}, stream, ensure_ascii=False, allow_nan=False)
            stream.write("\n")
        return file

    @classmethod
    def load(cls, path: str | Path) -> Ranker:
        """Opens a ranker's file, or the one in a folder.

        Raises `UserError` where it is none, or was changed since it was written.
        """
        file = _file(Path(path))
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UserError(f"{path}: not a ranker (it has no {FILE})") from error
        except (OSError, ValueError) as error:
            raise UserError(f"{file}: cannot be read ({error})") from error
        if not isinstance(content, dict) or content.get("kind") != "ranker":
            raise UserError(f"{file}: not a ranker")
        if content.get("format") != FORMAT:
            raise UserError(f"{file}: expected format {FORMAT}, found {content.get('format')}")
        try:
            ranker = cls._of(content)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise UserError(f"{file}: is damaged ({error!r:.80})") from error
        if ranker.hash != content.get("hash"):
            raise UserError(f"{file}: was changed since it was written; train it again")
        return ranker

    @classmethod
    def _of(cls, content: Mapping[str, Any]) -> Ranker:
        return cls(
            features=tuple(content["features"]),
            verifiers=tuple(ReadVerifier(v["name"], v["key"]) for v in content["verifiers"]),
            whole=Fitted.from_json(content["whole"]),
            folds=tuple(Fitted.from_json(each) for each in content["folds"]),
            seen={str(name): int(fold) for name, fold in content["seen"].items()},
            calibration=content["calibration"],
            pool_size=int(content["pool_size"]),
            about=content["about"],
        )


def _file(path: Path) -> Path:
    return path if path.suffix == ".json" else path / FILE


def _told(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return shown + (f" and {len(names) - 6} more" if len(names) > 6 else "")

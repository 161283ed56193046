"""Trees and logistic regression as plain arrays: fitted by scikit-learn, saved and used without it.

A saved ranker is to be read by any version of scikit-learn, by none, and from strangers. Both kinds
of model are a few arrays, so they are kept as such; scikit-learn's own predictions are what they
are tested against.

    model = fit_model(config, x, labels, names)
    margins = model.margins(x)                 # log-odds, float64, shape (candidates,)
    model_of(model.to_json())
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.verifier.ranker.config import TrainRankerConfig
from assay.verifier.ranker.features import direction

__all__ = ["Logistic", "Model", "Trees", "fit_model", "model_of"]

Floats = NDArray[np.float64]
_NODES = ("feature", "threshold", "nan_left", "left", "right", "value")
# Rows times trees that are worked on together: what the caches hold.
_AT_ONCE = 1 << 17


class Model(Protocol):
    """What gives the log-odds of candidates, one row of features each."""

    def margins(self, x: Floats) -> Floats: ...
    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, eq=False)
class Trees:
    """Boosted regression trees over the rows of features; NaN goes the way that was learned.

    All trees' nodes stand in one list. Of each: the feature that it reads, up to which threshold a
    row goes left, whether NaN does, its children, its value where it is a leaf (a leaf's children
    are itself). `roots` are the trees' first nodes, `depth` is the longest way down.
    """

    baseline: float
    roots: NDArray[np.int64]
    depth: int
    feature: NDArray[np.int64]
    threshold: Floats
    nan_left: NDArray[np.bool_]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: Floats

    @classmethod
    def from_sklearn(cls, fitted: Any) -> Trees:
        """The trees of a fitted binary `HistGradientBoostingClassifier`."""
        trees = [predictors[0].nodes for predictors in fitted._predictors]
        counts = np.array([len(nodes) for nodes in trees])
        roots = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        nodes = np.concatenate(trees)
        offsets = np.repeat(roots, counts)
        leaf, own = nodes["is_leaf"].astype(bool), np.arange(len(nodes))
        return cls(
            baseline=float(np.ravel(fitted._baseline_prediction)[0]),
            roots=roots,
            depth=int(nodes["depth"].max()),
            feature=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
            threshold=np.where(leaf, 0.0, nodes["num_threshold"]).astype(np.float64),
            nan_left=nodes["missing_go_to_left"].astype(bool),
            left=np.where(leaf, own, nodes["left"] + offsets),
            right=np.where(leaf, own, nodes["right"] + offsets),
            value=np.where(leaf, nodes["value"], 0.0).astype(np.float64),
        )

    def margins(self, x: Floats) -> Floats:
        """The log-odds of rows (candidates, features): all go down all trees together."""
        found = np.full(len(x), self.baseline)
        for rows in self._slices(len(x)):
            # Added tree after tree as scikit-learn does: the sums are the same to the last bit.
            for values in self._values(x[rows]):
                found[rows] += values
        return found

    def losses(self, x: Floats, labels: NDArray[np.bool_]) -> Floats:
        """The summed log-loss of rows after 0, 1, … trees, shape (trees + 1,)."""
        found = np.zeros(len(self.roots) + 1)
        for rows in self._slices(len(x)):
            sign = np.where(labels[rows], -1.0, 1.0)
            margins = np.cumsum(self._values(x[rows]), axis=0) + self.baseline
            found[0] += np.logaddexp(0, sign * self.baseline).sum()
            found[1:] += np.logaddexp(0, sign * margins).sum(axis=1)
        return found

    def first(self, count: int) -> Trees:
        """The model of the first `count` trees, one or more."""
        end = self.roots[count] if count < len(self.roots) else len(self.feature)
        nodes = {name: getattr(self, name)[:end] for name in _NODES}
        return replace(self, roots=self.roots[:count], **nodes)

    def _slices(self, count: int) -> list[slice]:
        """So many rows in slices that are worked on at once."""
        most = max(1, _AT_ONCE // len(self.roots))
        return [slice(first, first + most) for first in range(0, count, most)]

    def _values(self, x: Floats) -> Floats:
        """What each tree says of each row, shape (trees, rows)."""
        flat, starts = np.ascontiguousarray(x).ravel(), np.arange(len(x)) * x.shape[1]
        node = np.repeat(self.roots[:, None], len(x), axis=1)  # (trees, rows)
        for _ in range(self.depth):
            value = flat[starts + self.feature[node]]
            left = (value <= self.threshold[node]) | (np.isnan(value) & self.nan_left[node])
            node = np.where(left, self.left[node], self.right[node])
        return self.value[node]

    def to_json(self) -> dict[str, Any]:
        # A split of what is missing from what is not has an infinite threshold, which JSON lacks.
        threshold = [None if np.isinf(t) else t for t in self.threshold.tolist()]
        return {
            "kind": "trees",
            "baseline": self.baseline,
            "depth": self.depth,
            "roots": self.roots.tolist(),
            "feature": self.feature.tolist(),
            "threshold": threshold,
            "nan_left": self.nan_left.astype(int).tolist(),
            "left": self.left.tolist(),
            "right": self.right.tolist(),
            "value": self.value.tolist(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Trees:
        """Inverse of `to_json`. Raises `ValueError` for children that no tree has."""
        threshold = [np.inf if t is None else t for t in content["threshold"]]
        whole = {n: np.array(content[n], np.int64) for n in ("roots", "feature", "left", "right")}
        nodes = len(threshold)
        for name in ("roots", "left", "right"):
            if whole[name].min() < 0 or whole[name].max() >= nodes:
                raise ValueError(f"trees: {name} has nodes beyond the {nodes} that there are")
        return cls(
            baseline=float(content["baseline"]),
            depth=int(content["depth"]),
            threshold=np.array(threshold, np.float64),
            nan_left=np.array(content["nan_left"], bool),
            value=np.array(content["value"], np.float64),
            **whole,
        )


@dataclass(frozen=True, eq=False)
class Logistic:
    """Logistic regression over standardised features and marks of those that are missing.

    NaN counts as the mean; `marked` are the features that were missing of some candidate, whose
    marks (1: missing) have the last weights.
    """

    mean: Floats
    scale: Floats
    marked: NDArray[np.int64]
    weights: Floats
    bias: float

    def margins(self, x: Floats) -> Floats:
        """The log-odds of rows (candidates, features)."""
        return _standardised(x, self.mean, self.scale, self.marked) @ self.weights + self.bias

    def to_json(self) -> dict[str, Any]:
        arrays = {n: getattr(self, n).tolist() for n in ("mean", "scale", "marked", "weights")}
        return {"kind": "logistic", **arrays, "bias": self.bias}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Logistic:
        """Inverse of `to_json`."""
        floats = {n: np.array(content[n], np.float64) for n in ("mean", "scale", "weights")}
        return cls(
            **floats, marked=np.array(content["marked"], np.int64), bias=float(content["bias"])
        )


def _standardised(x: Floats, mean: Floats, scale: Floats, marked: NDArray[np.int64]) -> Floats:
    missing = np.isnan(x)
    return np.hstack([np.where(missing, 0.0, (x - mean) / scale), missing[:, marked].astype(float)])


def fit_model(
    config: TrainRankerConfig, x: Floats, labels: NDArray[np.bool_], names: Sequence[str]
) -> Model:
    """Fits rows (candidates, features), NaN where unknown, to their labels; both must occur.

    `names` are those of the features, by which trees know in which direction they may only go.
    """
    from threadpoolctl import threadpool_limits

    # A tree's small loops wait for the slowest thread each: beside any other busy process, two
    # threads take a hundred times as long as one.
    with threadpool_limits(1):
        if config.model == "trees":
            return _fit_trees(config, x, labels, names)
        return _fit_logistic(config, x, labels)


def _fit_trees(
    config: TrainRankerConfig, x: Floats, labels: NDArray[np.bool_], names: Sequence[str]
) -> Trees:
    from sklearn.ensemble import HistGradientBoostingClassifier

    directions = np.array([direction(name) for name in names]) if config.monotone else None
    fitted = HistGradientBoostingClassifier(
        monotonic_cst=directions,
        max_iter=config.rounds,
        max_leaf_nodes=config.leaves,
        learning_rate=config.learning_rate,
        min_samples_leaf=config.min_leaf,
        l2_regularization=config.l2,
        early_stopping=False,
        random_state=config.seed,
    )
    return Trees.from_sklearn(fitted.fit(x, labels))


def _fit_logistic(config: TrainRankerConfig, x: Floats, labels: NDArray[np.bool_]) -> Logistic:
    from sklearn.linear_model import LogisticRegression

    known = ~np.isnan(x)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, x, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, x - mean, 0.0) ** 2).sum(axis=0) / count)
    scale = np.where(spread > 1e-12 * (1 + np.abs(mean)), spread, 1.0)
    marked = np.flatnonzero(~known.all(axis=0))
    fitted = LogisticRegression(C=1 / config.l2, max_iter=2000)
    fitted.fit(_standardised(x, mean, scale, marked), labels)
    return Logistic(mean, scale, marked, fitted.coef_[0], float(fitted.intercept_[0]))


def model_of(content: Mapping[str, Any]) -> Model:
    """The model that `to_json` wrote. Raises `KeyError`, `TypeError` or `ValueError` for others."""
    kinds: dict[str, type[Trees] | type[Logistic]] = {"trees": Trees, "logistic": Logistic}
    return kinds[content["kind"]].from_json(content)

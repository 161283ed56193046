"""A pool's accuracy beyond its size: extrapolations with intervals, and the check on themselves.

    found = extrapolate(pool, ScaleConfig())
    found.frame                  # a row per measure, model and n
    found.check                  # fitted on an eighth of the candidates, predicted for all

The fits are those of `selection/scaling.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.selection.curves import Floats, Integers, Mix, pass_at_k, resampled
from assay.selection.intervals import bootstrap_weights, interval
from assay.selection.names import MIX_LABELS, count
from assay.selection.pool import PoolArrays
from assay.selection.request import sizes_of
from assay.selection.scaling import (
    FAMILIES,
    fit_power_law,
    fit_rates,
    majority_at,
    majority_of_all,
    thinned,
)
from assay.selection.subsets import MAJORITY, expected_accuracy
from assay.settings.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MODELS", "Extrapolation", "ScaleConfig", "extrapolate"]

MODELS = {
    "measured": "measured",
    "beta": FAMILIES["beta"],
    "kumaraswamy": FAMILIES["kumaraswamy"],
    "power": "power law of the curve",
    "dirichlet": "Dirichlet of each problem's answers",
}
_FRAME = ["measure", "model", "n", "value", "low", "high"]
_CHECK = ["measure", "model", "fitted", "predicted_n", "predicted", "measured"]
_CHECK += ["error", "low", "high"]


@dataclass
class ScaleConfig:
    """How accuracy is extrapolated."""

    runs: list[str] = field(default_factory=list)
    """the folders of one or more runs"""
    to: int = 10_000
    """the largest number of candidates to extrapolate to"""
    modes: str = ""
    """cot, pot or both; empty = the last that the pool has"""
    part: int = 8
    """the check fits on one part in so many of the candidates and predicts all"""
    repeats: int = 3
    """random parts that the check is averaged over"""
    draws: int = 100
    """draws of each problem's answers for the majority vote"""
    bootstrap: int = 200
    """bootstrap resamples of the problems for the 95 % intervals, each fitted anew"""
    seed: int = 0
    """seed of the parts, the draws and the resamples"""


@dataclass(frozen=True)
class Extrapolation:
    """What was extrapolated of one pool of `size` candidates per problem.

    `frame`: measure (pass, majority), model (`MODELS`), n, value, low, high. `check`: the same
    models fitted on `fitted` candidates of each problem, what they predict for `predicted_n`, what
    was measured, and the error (predicted − measured) with its interval.
    """

    mix: Mix
    size: int
    problems: int
    frame: pd.DataFrame
    check: pd.DataFrame
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "modes": self.mix,
            "size": self.size,
            "problems": self.problems,
            "curves": self.frame.to_dict("records"),
            "check": self.check.to_dict("records"),
            "notes": list(self.notes),
        }


def extrapolate(pool: PoolArrays, config: ScaleConfig) -> Extrapolation:
    """pass@n and the majority vote of a pool beyond its size.

    With both modes a candidate counts as of either at random. Raises `UserError` for a pool without
    labels, modes that it lacks, and fewer than two candidates per problem.
    """
    import pandas as pd

    _check(config)
    if not pool.labelled.any():
        raise UserError("scale: no candidate has a label; the problems need reference answers")
    mix, counted = _counted(pool, config)
    size = sizes_of(pool)[mix]
    held = counted.any(axis=1)
    right, total = (pool.labels & counted).sum(axis=1)[held], counted.sum(axis=1)[held]
    weights = bootstrap_weights(int(held.sum()), config.bootstrap, config.seed)
    ns = _grid(size, config.to)
    rows = [("pass", *row) for row in _pass_rows(right, total, ns, size, weights)]
    rows += [("majority", *row) for row in _majority_rows(pool, counted, ns, size, mix, config)]
    notes = []
    if mix == "both":
        notes.append("both: a candidate counts as one in words or a program at random")
    fitted = max(1, size // config.part)
    checked: list[tuple[Any, ...]] = []
    if size >= 2 * config.part:
        checked = _checked(pool, counted, size, fitted, config, weights)
    else:
        told = count(size, "candidate")
        notes.append(f"no check: {told} are too few to fit on one part in {config.part} of them")
    return Extrapolation(
        mix,
        size,
        int(held.sum()),
        pd.DataFrame(rows, columns=pd.Index(_FRAME)),
        pd.DataFrame(checked, columns=pd.Index(_CHECK)),
        tuple(notes),
    )


def _check(config: ScaleConfig) -> None:
    for key, least in (("to", 2), ("part", 2), ("repeats", 1), ("draws", 1), ("bootstrap", 1)):
        if getattr(config, key) < least:
            raise UserError(f"scale: {key}={getattr(config, key)}: expected at least {least}")
    if config.modes not in ("", *MIX_LABELS):
        raise UserError(f"scale: modes={config.modes}: expected one of {', '.join(MIX_LABELS)}")


def _counted(pool: PoolArrays, config: ScaleConfig) -> tuple[Mix, NDArray[np.bool_]]:
    """The modes, and where their candidates are, shape (P, S)."""
    sizes = sizes_of(pool)
    mix: Mix = [*sizes][-1]
    for known in sizes:
        if known == config.modes:
            mix = known
    if config.modes and config.modes != mix:
        raise UserError(f"scale: modes={config.modes}: the pool has {', '.join(sizes)}")
    if sizes[mix] < 2:
        raise UserError("scale: the pool has one candidate per problem, expected two or more")
    return mix, pool.present if mix == "both" else pool.of_mode(mix)


def _grid(size: int, to: int) -> list[int]:
    """Powers of two, the pool's size and the last one."""
    powers = {1 << i for i in range(max(size, to).bit_length())}
    return sorted(n for n in {*powers, size, to} if n <= max(size, to))


def _pass_rows(
    right: Integers, total: Integers, ns: list[int], size: int, weights: Floats
) -> list[tuple[Any, ...]]:
    """(model, n, value, low, high): measured up to the size, fitted everywhere."""
    rows: list[tuple[Any, ...]] = []
    measured = {n: pass_at_k(total, right, n) for n in ns if n <= size}
    for n, values in measured.items():
        found = interval(values, weights)
        rows.append(("measured", n, found.value, found.low, found.high))
    for family in FAMILIES:
        fit = fit_rates(right, total, family)
        drawn = [fit_rates(right, total, family, own, fit) for own in weights]
        for n in ns:
            low, high = np.quantile([each.pass_at_k(n) for each in drawn], [0.025, 0.975])
            rows.append((family, n, fit.pass_at_k(n), float(low), float(high)))
    ks = np.array([*measured])
    curves = np.array([resampled(values, weights) for values in measured.values()])
    means = np.array([values.mean() for values in measured.values()])
    for n in ns:
        low, high = np.quantile([_power(ks, own, n) for own in curves.T], [0.025, 0.975])
        rows.append(("power", n, _power(ks, means, n), float(low), float(high)))
    return rows


def _power(ks: Integers, coverage: Floats, n: int) -> float:
    level, slope = fit_power_law(ks, coverage)
    return float(np.exp(-level * n**-slope))


def _majority_rows(
    pool: PoolArrays,
    counted: NDArray[np.bool_],
    ns: list[int],
    size: int,
    mix: Mix,
    config: ScaleConfig,
) -> list[tuple[Any, ...]]:
    held = counted.any(axis=1)
    weights = bootstrap_weights(int(held.sum()), config.bootstrap, config.seed)
    rows: list[tuple[Any, ...]] = []
    within = [n for n in ns if n <= size]
    curve = expected_accuracy(pool, {"m": MAJORITY}, within, config.draws, config.seed, mix=mix)
    for n in within:
        found = interval(curve["m", n].values[held], weights)
        rows.append(("measured", n, found.value, found.low, found.high))
    for n, values in zip(
        ns, majority_at(pool, counted, ns, config.draws, config.seed), strict=True
    ):
        found = interval(values[held], weights)
        rows.append(("dirichlet", n, found.value, found.low, found.high))
    return rows


def _checked(
    pool: PoolArrays,
    counted: NDArray[np.bool_],
    size: int,
    fitted: int,
    config: ScaleConfig,
    weights: Floats,
) -> list[tuple[Any, ...]]:
    """Rows of `Extrapolation.check`."""
    held = counted.any(axis=1)
    right, total = (pool.labels & counted).sum(axis=1)[held], counted.sum(axis=1)[held]
    truth = {
        "pass": pass_at_k(total, right, size),
        "majority": majority_of_all(pool, counted)[held],
    }
    predicted: dict[tuple[str, str], list[tuple[float, Floats]]] = {}
    generator = np.random.default_rng([config.seed, 8])
    for repeat in range(config.repeats):
        part = thinned(counted, fitted, generator)
        own = (pool.labels & part).sum(axis=1)[held], part.sum(axis=1)[held]
        for model, pair in _pass_predictions(*own, size, weights).items():
            predicted.setdefault(("pass", model), []).append(pair)
        votes = majority_at(pool, part, [size], config.draws, config.seed + repeat)[0][held]
        pair = float(votes.mean()), np.asarray(weights @ votes)
        predicted.setdefault(("majority", "dirichlet"), []).append(pair)
    rows = []
    for (measure, model), pairs in predicted.items():
        value = float(np.mean([value for value, _ in pairs]))
        errors = np.mean([drawn for _, drawn in pairs], axis=0) - weights @ truth[measure]
        low, high = np.quantile(errors, [0.025, 0.975])
        mean = float(truth[measure].mean())
        rows.append(
            (measure, model, fitted, size, value, mean, value - mean, float(low), float(high))
        )
    return rows


def _pass_predictions(
    right: Integers, total: Integers, size: int, weights: Floats
) -> Mapping[str, tuple[float, Floats]]:
    """pass@size by each model from these counts: the estimate, and that of every resample."""
    found = {}
    for family in FAMILIES:
        fit = fit_rates(right, total, family)
        drawn = [fit_rates(right, total, family, own, fit).pass_at_k(size) for own in weights]
        found[family] = fit.pass_at_k(size), np.array(drawn)
    ks = np.array(_grid(int(total.max()), 1))
    values = np.array([pass_at_k(total, right, int(k)) for k in ks])
    curves = values @ weights.T
    drawn = [_power(ks, own, size) for own in curves.T]
    found["power"] = _power(ks, values.mean(axis=1), size), np.array(drawn)
    return found

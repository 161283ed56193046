"""`assay allocate`: a budget spread over problems by what samples are worth, replayed on a pool.

    assay allocate runs/demo budget=16            # 16 candidates per problem on average
    assay allocate runs/demo budget=16 first=8 round=8 --json

Every problem gets `first` candidates; from their votes alone the rest of the budget is spread
(`assay.selection.allocation`). Over random orders of the candidates, the vote that each problem
then has is compared with the vote of the same number for everyone: equal budget, paired.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.evaluation.adapt_request import AdaptConfig, size_to_replay
from assay.evaluation.of_run import estimable, graded, open_run, unfinished
from assay.evaluation.terminal import interval_cell, table_footer
from assay.pools.frame import load_frame
from assay.pools.imported import check_grading, note_on
from assay.selection.allocation import LeadValues, allocate, fit_spread
from assay.selection.curves import Floats, has
from assay.selection.groups import FIFTHS, fifths
from assay.selection.intervals import Paired, bootstrap_weights, interval, p_text, paired
from assay.selection.names import MIX_LABELS, count
from assay.selection.orders import drawn_orders
from assay.selection.pool import PoolArrays
from assay.selection.voting import majority_path
from assay.settings.errors import UserError

__all__ = ["AllocateConfig", "Allocated", "replay_allocation", "run_allocate", "table"]


@dataclass
class AllocateConfig:
    """What `assay allocate` reads."""

    run: str = ""
    """the run's folder"""
    budget: float = 0.0
    """candidates per problem on average, the first ones among them"""
    by: str = "marginal"
    """how it is spread: marginal (where a sample is worth most)"""
    first: int = 8
    """candidates that every problem gets first; with both modes even"""
    round: int = 8
    """steps in which a problem gets more; with both modes even"""
    modes: str = ""
    """cot, pot or both; empty = the last that the pool has"""
    draws: int = 50
    """random orders of each problem's candidates"""
    bootstrap: int = 1000
    """bootstrap resamples of the problems for the 95 % intervals"""
    seed: int = 0
    """seed of the orders, the simulated votes and the resamples"""
    grading: str = "ours"
    """whose labels count: ours, or theirs where labels came along with imported candidates"""
    json: bool = False
    """print everything as JSON instead of the table"""


@dataclass(frozen=True)
class Allocated:
    """Means over orders of each problem, shape (P,), NaN without candidates of the modes.

    `spread` is the accuracy with the budget spread, `uniform` with the same number for all;
    `samples` how many the problem got.
    """

    spread: Floats
    uniform: Floats
    samples: Floats
    budget: float
    most: int
    rate: Floats


def run_allocate(config: AllocateConfig) -> None:
    """`assay allocate`: prints the comparison with a uniform number, and who got how many."""
    run = open_run(config.run)
    check_grading(config.grading)
    frame, limits = estimable(load_frame(run), run)
    notes = [*limits, *note_on(frame, config.grading)]
    pool = PoolArrays.from_frame(graded(frame, run, config.grading), unfinished(run))
    found = replay_allocation(pool, config)
    if config.json:
        print(json.dumps(_as_json(found, config), indent=2, ensure_ascii=False))
    else:
        print(table(found, config, size_to_replay(pool, _request(config))[0], notes))


def _request(config: AllocateConfig) -> AdaptConfig:
    return AdaptConfig(modes=config.modes, round=config.round)


def replay_allocation(pool: PoolArrays, config: AllocateConfig) -> Allocated:
    """The budget spread over the problems of a pool, in every order of their candidates.

    Raises `UserError` for a budget that the pool or the first round cannot give.
    """
    if not pool.labelled.any():
        raise UserError("allocate: no candidate has a label; the problems need reference answers")
    mix, most = size_to_replay(pool, _request(config))
    ns = _steps(config, most, even=mix == "both")
    held = has(pool, mix)
    shape = (int(held.sum()), config.draws)
    rights, classes = np.zeros((most, *shape), np.float32), np.full((ns[0], *shape), -1)
    place = np.cumsum(held) - 1
    for problems, columns in drawn_orders(pool, mix, most, config.draws, config.seed):
        flat = np.ascontiguousarray(columns.reshape(-1, most).T)
        rows = np.repeat(problems, config.draws)
        own = np.where(flat >= 0, pool.classes[rows, flat], -1)
        labels = (flat >= 0) & pool.labels[rows, flat]
        at = place[problems]
        right = majority_path(own, labels).right
        rights[:, at] = right.reshape(most, len(problems), -1)
        classes[:, at] = own[: ns[0]].reshape(ns[0], len(problems), -1)
    given = _given(classes, ns, round(config.budget * shape[0]), config)
    spread = np.take_along_axis(rights, given[None] - 1, axis=0)[0]
    # The same number for all; of a broken one, some by draw have one more.
    low = int(config.budget)
    share = config.budget - low
    uniform = (1 - share) * rights[low - 1] + share * rights[min(low, most - 1)]
    found = [np.full(len(held), np.nan) for _ in range(4)]
    values = (spread, uniform, given.astype(np.float64))
    for into, each in zip(found, values, strict=False):
        into[held] = each.mean(axis=1)
    found[3][held] = (pool.labels.sum(axis=1) / np.maximum(pool.present.sum(axis=1), 1))[held]
    return Allocated(found[0], found[1], found[2], config.budget, most, found[3])


def _steps(config: AllocateConfig, most: int, *, even: bool) -> list[int]:
    """The numbers of candidates that a problem may get."""

    def refuse(key: str, value: object, expected: str) -> None:
        raise UserError(f"allocate: {key}={value}: expected {expected}")

    if config.by != "marginal":
        refuse("by", config.by, "marginal")
    for key in ("first", "round", "draws", "bootstrap"):
        if getattr(config, key) < 1:
            refuse(key, getattr(config, key), "at least 1")
    for key in ("first", "round"):
        if even and getattr(config, key) % 2:
            refuse(key, getattr(config, key), "an even number, half CoT and half PoT")
    if not config.first < config.budget <= most:
        refuse(
            "budget",
            f"{config.budget:g}",
            f"more than first={config.first} and at most {most}, what the pool has per problem",
        )
    return [*range(config.first, most, config.round), most]


def _given(
    classes: NDArray[Any], ns: Sequence[int], budget: int, config: AllocateConfig
) -> NDArray[np.intp]:
    """How many candidates each problem gets in each order, (P, draws), by its first ones' votes."""
    _, problems, draws = classes.shape
    counts = [
        [tuple(np.unique(own[own >= 0], return_counts=True)[1].tolist()) for own in order.T]
        for order in np.moveaxis(classes, 2, 0)
    ]
    given = np.empty((problems, draws), np.intp)
    for draw, own in enumerate(counts):
        # The spread is that of this order's first rounds alone: nothing that comes later is known.
        spread = round(fit_spread(own), 2)
        values = LeadValues(spread, ns, seed=config.seed)
        silent = [ns[0] - sum(each) for each in own]
        table = np.array([values.of(c, s) for c, s in zip(own, silent, strict=True)])
        given[:, draw] = allocate(table, ns, budget)
    return given


def _fifths(found: Allocated, seed: int) -> list[float]:
    """Mean candidates in fifths of the problems, the hardest first; empty for a few problems."""
    held = ~np.isnan(found.samples)
    if held.sum() < len(FIFTHS):
        return []
    fifth = fifths(found.rate[held], seed)
    return [float(found.samples[held][fifth == group].mean()) for group in range(len(FIFTHS))]


def _difference(found: Allocated, config: AllocateConfig) -> Paired:
    weights = bootstrap_weights(len(found.spread), config.bootstrap, config.seed)
    return paired(found.spread, found.uniform, weights)


def _as_json(found: Allocated, config: AllocateConfig) -> dict[str, Any]:
    difference = _difference(found, config)
    return {
        "problems": int((~np.isnan(found.samples)).sum()),
        "budget": found.budget,
        "samples": float(np.nanmean(found.samples)),
        "spread": float(np.nanmean(found.spread)),
        "uniform": float(np.nanmean(found.uniform)),
        "difference": vars(difference),
        "samples_by_difficulty": _fifths(found, config.seed),
    }


def table(found: Allocated, config: AllocateConfig, mix: Any, notes: Sequence[str]) -> str:
    """The comparison for a terminal of 80 columns."""
    weights = bootstrap_weights(len(found.spread), config.bootstrap, config.seed)
    difference = _difference(found, config)
    problems = int((~np.isnan(found.samples)).sum())
    lines = [
        f"  {count(problems, 'problem')}, {MIX_LABELS[mix]}: {found.budget:g} candidates each on "
        f"average, {config.first} first, at most {found.most}",
        f"  {count(config.draws, 'random order')}; majority vote, accuracy in % [95 %]",
        "",
        f"  {'the same number for all':<30}{interval_cell(interval(found.uniform, weights))}",
        f"  {'spread by what they are worth':<30}{interval_cell(interval(found.spread, weights))}",
        f"  {'difference, points':<30}{interval_cell(difference, '+')}"
        f"{p_text(difference.p, config.bootstrap)}",
    ]
    means = _fifths(found, config.seed)
    if means:
        heads = ["hardest", "2", "3", "4", "easiest"]
        lines += [
            "",
            f"  {'candidates by difficulty':<28}" + "".join(f"{head:>9}" for head in heads),
            f"  {'':<28}" + "".join(f"{mean:>9.1f}" for mean in means),
        ]
    return "\n".join([*lines, *table_footer(None, notes)])

"""Accuracy in groups: by the difficulty of the problems, by where the candidates come from.

**Difficulty** is the share of a problem's candidates that are right. Were it measured on the
candidates of the curve itself, the fifth with the lowest share would look harder than it is, and
the highest easier. So each problem's candidates are split in two halves by a seeded draw: one half
puts the problem into a fifth, the other gives the curve; then the other way round, and the two are
averaged. The curve reaches as far as half of the candidates.

**Origin** is which model, temperature or prompt a candidate was sampled with, where the pool knows:
each origin's candidates are evaluated as a pool of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assay.problems.problem import MODES
from assay.selection.curves import Floats
from assay.selection.estimates import Cell, Design, Grid, measure, within
from assay.selection.intervals import Interval
from assay.selection.pool import PoolArrays
from assay.selection.request import sizes_of
from assay.settings.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["FIFTHS", "fifths", "groups", "halves", "mean_in_group", "possible"]

FIFTHS = ("1 (hardest)", "2", "3", "4", "5 (easiest)")
COLUMNS = ["by", "group", "rule", "modes", "n", "problems", "accuracy", "low", "high"]

Row = tuple[str, Cell, Floats, Floats]  # group, cell, sums and counts of each problem


def groups(pool: PoolArrays, design: Design, weights: Floats) -> pd.DataFrame:
    """A row per breakdown of `by`, group, rule, modes and n, with `COLUMNS`.

    `problems` is the number in the group; with difficulty the mean over the two ways to split.
    Raises `UserError` where the pool cannot be broken down so.
    """
    import pandas as pd

    makers = {"difficulty": _by_difficulty, "origin": _by_origin}
    rows = []
    for by in design.config.by:
        for group, (rule, mix, n), sums, counts in makers[by](pool, design):
            if not counts.any():
                continue  # no problem of the group has candidates of these modes
            found = mean_in_group(sums, counts, weights)
            # With two ways to split, every problem is counted twice.
            problems = counts.sum() / (2 if by == "difficulty" else 1)
            rows.append((by, group, rule, mix, n, problems, found.value, found.low, found.high))
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS))


def possible(pool: PoolArrays, grid: Grid, seed: int) -> list[str]:
    """The breakdowns that this pool can give at some n of the grid, in the order of tables."""
    found = []
    if len(pool.problem_ids) >= len(FIFTHS):
        half = pool.select(halves(pool, seed) & pool.present)
        if within(grid, sizes_of(half)):
            found.append("difficulty")
    if len(pool.origin_names) > 1:
        found.append("origin")
    return found


def mean_in_group(sums: Floats, counts: Floats, weights: Floats) -> Interval:
    """Σ sums / Σ counts over problems, with its 95 % bootstrap interval; arrays of shape (P,).

    Resamples without any problem of the group are left out.
    """
    below = weights @ counts
    means = (weights @ sums)[below > 0] / below[below > 0]
    low, high = np.quantile(means, [0.025, 0.975]) if len(means) else (np.nan, np.nan)
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))


def halves(pool: PoolArrays, seed: int) -> NDArray[np.bool_]:
    """Marks a random half of each problem's candidates of each mode, the smaller of odd numbers."""
    generator = np.random.default_rng([seed, 2])
    marked = np.zeros(pool.present.shape, bool)
    for mode in MODES:
        there = pool.of_mode(mode)
        keys = np.where(there, generator.random(there.shape), np.inf)
        place = keys.argsort(axis=1).argsort(axis=1)
        marked |= there & (place < there.sum(axis=1, keepdims=True) // 2)
    return marked


def fifths(rate: Floats, seed: int) -> NDArray[np.intp]:
    """The fifth of each problem by its rate, 0 the lowest: of equal size, ties by a seeded draw."""
    order = np.lexsort((np.random.default_rng([seed, 5]).random(len(rate)), rate))
    found = np.empty(len(rate), np.intp)
    found[order] = np.arange(len(rate)) * len(FIFTHS) // len(rate)
    return found


def _by_difficulty(pool: PoolArrays, design: Design) -> Iterator[Row]:
    seed, problems = design.config.seed, len(pool.problem_ids)
    if problems < len(FIFTHS):
        raise UserError(f"evaluate: by=difficulty: {problems} problems cannot be put into fifths")
    marked = halves(pool, seed)
    sums: dict[tuple[int, Cell], Floats] = {}
    counts: dict[tuple[int, Cell], Floats] = {}
    for judging, judged in ((marked, ~marked), (~marked, marked)):
        judging, judged = judging & pool.present, judged & pool.present
        rate = (pool.labels & judging).sum(axis=1) / np.maximum(judging.sum(axis=1), 1)
        fifth = fifths(rate, seed)
        part = pool.select(judged)
        shorter = design.within(sizes_of(pool.select(marked)))
        if not shorter.grid:
            raise UserError(
                "evaluate: by=difficulty: expected at least two candidates per problem and mode"
            )
        measured = measure(part, shorter)
        for cell, values in measured.per_problem.items():
            for group in range(len(FIFTHS)):
                key = (group, cell)
                own = (fifth == group) & ~np.isnan(values)
                sums[key] = sums.get(key, 0.0) + np.where(own, values, 0.0)
                counts[key] = counts.get(key, 0.0) + own
    for group, cell in sums:
        yield FIFTHS[group], cell, sums[group, cell], counts[group, cell]


def _by_origin(pool: PoolArrays, design: Design) -> Iterator[Row]:
    if pool.origin_names == [""]:
        raise UserError("evaluate: by=origin: the pool does not know its candidates' origins")
    for number, origin in enumerate(pool.origin_names):
        kept = pool.present & (pool.origins == number)
        if not kept.any():
            continue
        part = pool.select(kept)
        rules = design.rules
        if len(part.mode_names) < len(MODES):
            rules = tuple(rule for rule in rules if rule != "hybrid")
        measured = measure(part, replace(design.within(sizes_of(part)), rules=rules))
        for cell, values in measured.per_problem.items():
            there = ~np.isnan(values) & kept.any(axis=1)
            yield origin, cell, np.where(there, values, 0.0), there.astype(np.float64)

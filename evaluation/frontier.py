"""Of several runs, rules, numbers of candidates and stopping rules the best at each budget.

    rows = compute_optimal({"small": run, "large": other}, "flops")

Costs are those of `evaluation/costs.py`, FLOPs of generator and verifier or generated tokens; every
choice is cross-fitted (`selection/frontier.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.adapt import stopping_label, threshold_text
from assay.evaluation.adapt_request import AdaptConfig
from assay.evaluation.adaptive import replay_run
from assay.evaluation.of_run import estimable, evaluate_run, graded
from assay.evaluation.terminal import flops_unit, interval_cell, three_digits
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.selection.curves import Floats
from assay.selection.frontier import frontier
from assay.selection.intervals import bootstrap_weights, interval
from assay.selection.names import count, rule_label
from assay.selection.request import EvaluateConfig
from assay.selection.tuning import FOLDS, fold_of
from assay.settings.errors import UserError

__all__ = ["AXES", "compute_optimal", "frontier_lines"]

AXES = ("flops", "tokens")
_BUDGETS = 8
_DRAWS = 50


@dataclass(frozen=True)
class _Option:
    """A way to spend: its name, and its accuracy and cost on the problems of `ids`."""

    name: str
    ids: list[str]
    accuracy: Floats
    cost: Floats


def compute_optimal(
    runs: Mapping[str, Run], axis: str, seed: int = 0, grading: str = "ours"
) -> list[dict[str, Any]]:
    """A row a budget: budget, cost, accuracy with interval (`Interval`), option, folds, problems.

    `folds` is how many of the folds use the option named. Budgets are spaced evenly in logarithm
    from the cheapest option to the dearest. Raises `UserError` where costs are not known, or the
    runs have fewer than ten problems in common.
    """
    if axis not in AXES:
        raise UserError(f"scale: frontier={axis}: expected one of {', '.join(AXES)}")
    options = [
        option
        for name, run in runs.items()
        for option in _options(name if len(runs) > 1 else "", run, axis, seed, grading)
    ]
    shared = sorted(set.intersection(*(set(option.ids) for option in options)))
    if len(shared) < 2 * FOLDS:
        raise UserError(
            f"scale: frontier: {count(len(shared), 'problem')} in common, expected {2 * FOLDS} or "
            "more to choose by cross-fitting"
        )
    places = [{name: place for place, name in enumerate(option.ids)} for option in options]
    own = [[place[name] for name in shared] for place in places]
    accuracy = np.stack([o.accuracy[at] for o, at in zip(options, own, strict=True)])
    cost = np.stack([o.cost[at] for o, at in zip(options, own, strict=True)])
    prices = cost.mean(axis=1)
    budgets = np.geomspace(prices.min(), prices.max(), _BUDGETS)
    # The cheapest costs some folds a little more than the mean.
    budgets[0] = cost[prices.argmin()].max()
    weights = bootstrap_weights(len(shared), 1000, seed)
    return [
        {
            "budget": point.budget,
            "cost": float(point.cost.mean()),
            "accuracy": interval(point.accuracy, weights),
            "option": options[point.typical].name,
            "folds": point.chosen.count(point.typical),
            "problems": len(shared),
        }
        for point in frontier(accuracy, cost, sorted(budgets), fold_of(len(shared), seed))
    ]


def _options(name: str, run: Run, axis: str, seed: int, grading: str) -> list[_Option]:
    """All rules at all n, and all stopping rules at all thresholds, of one run."""
    frame = load_frame(run)
    evaluation = evaluate_run(run, EvaluateConfig(draws=_DRAWS, seed=seed), None, grading, frame)
    mix = evaluation.mixes[-1]
    rows = evaluation.frame[evaluation.frame["modes"] == mix]
    rows = rows[~rows["rule"].isin(("pass", "single", "hybrid"))]
    # With one candidate all rules are the same.
    rows = rows[(rows["n"] > 1) | (rows["rule"] == "majority")]
    if axis not in rows or rows[axis].isna().any():
        raise UserError(f"scale: frontier={axis}: not known of {run.path}")
    before = f"{name}: " if name else ""
    found = []
    for row in rows.to_dict("records"):
        values = evaluation.per_problem[row["rule"], mix, row["n"]]
        held = ~np.isnan(values)
        label = f"{before}{rule_label(row['rule'])}, n = {row['n']}"
        ids = [each for each, has in zip(evaluation.problem_ids, held, strict=True) if has]
        found.append(_Option(label, ids, values[held], np.full(held.sum(), float(row[axis]))))
    config = AdaptConfig(draws=_DRAWS, bootstrap=1, seed=seed, verifier=evaluation.verifier)
    own, _ = estimable(graded(frame, run, grading), run)
    if evaluation.sizes[mix] < 2:
        return found
    replay = replay_run(run, config, own).replay
    for (rule, threshold), outcome in replay.outcomes.items():
        if axis not in outcome.costs:
            continue
        held = ~np.isnan(outcome.accuracy)
        ids = [each for each, has in zip(evaluation.problem_ids, held, strict=True) if has]
        at = threshold_text(rule, threshold)
        label = f"{before}{stopping_label(rule)} {at}".strip() + f" of {replay.plan.most}"
        found.append(_Option(label, ids, outcome.accuracy[held], outcome.costs[axis][held]))
    return found


def frontier_lines(rows: list[dict[str, Any]], axis: str) -> list[str]:
    """The rows for a terminal of 80 columns."""
    unit, unit_name = flops_unit(rows[-1]["budget"]) if axis == "flops" else (1.0, "tokens")
    lines = [
        f"  the best at each budget, {count(rows[0]['problems'], 'problem')}; chosen on other "
        "problems",
        f"  {unit_name:>8}{'spent':>9}   {'accuracy':<20}the choice of most folds",
        "  " + "─" * 76,
    ]
    for row in rows:
        scale = rows[-1]["budget"] / unit
        lines.append(
            f"  {three_digits(row['budget'] / unit, scale):>8}"
            f"{three_digits(row['cost'] / unit, scale):>9}  {interval_cell(row['accuracy'])}  "
            f"{row['option'][:31]} ({row['folds']}/{FOLDS})"
        )
    return lines

"""`assay adapt`: what stopping rules would have saved, replayed on a run's pool.

    assay adapt runs/demo                                   # all rules, one candidate at a time
    assay adapt runs/demo round=8                           # in rounds, as an engine samples
    assay adapt runs/demo rules=[beta] thresholds=[0.9,0.95,0.99] --csv

No model runs: the pool holds what every rule would have seen (`assay.selection.adaptive`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.adapt_request import AdaptConfig
from assay.evaluation.adaptive import Adaptive, replay_run
from assay.evaluation.of_run import estimable, graded, open_run
from assay.evaluation.terminal import (
    NAMES,
    SIGNED,
    WIDE,
    flops_unit,
    interval_cell,
    table_footer,
    three_digits,
)
from assay.pools.frame import load_frame
from assay.pools.imported import check_grading, note_on
from assay.selection.groups import FIFTHS
from assay.selection.intervals import Interval
from assay.selection.names import MIX_LABELS, RULE_LABELS, count
from assay.selection.savings import FIXED
from assay.selection.stopping import CERTAIN, RULES
from assay.settings.schema import fields_of

__all__ = ["AdaptRunConfig", "run_adapt", "stopping_label", "table", "threshold_text"]


@dataclass
class AdaptRunConfig(AdaptConfig):
    """What `assay adapt` reads."""

    run: str = ""
    """the run's folder"""
    grading: str = "ours"
    """whose labels count: ours, or theirs where labels came along with imported candidates"""
    json: bool = False
    """print everything as JSON instead of the tables"""
    csv: bool = False
    """print a row per rule and threshold as CSV instead of the tables"""


def run_adapt(config: AdaptRunConfig) -> None:
    """`assay adapt`: prints the tables, or everything as JSON or CSV."""
    run = open_run(config.run)
    check_grading(config.grading)
    frame, limits = estimable(load_frame(run), run)
    told = [*limits, *note_on(frame, config.grading)]
    shown = not (config.json or config.csv)
    settings = fields_of(AdaptConfig, config)
    found = replay_run(run, settings, graded(frame, run, config.grading), progress=shown)
    if config.json:
        print(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    elif config.csv:
        print(found.frame.to_csv(index=False), end="")
    else:
        print("\n".join([table(found), *table_footer(None, told)]))


# For the terminal

# Of names, and of samples, median, p90, rounds, tokens and FLOPs: 80 columns in all.
_LABEL, _WIDTHS = 18, (8, 7, 5, 7, 7, 7)


def stopping_label(rule: str) -> str:
    """The rule's name for people."""
    return "fixed n" if rule == FIXED else RULES[rule].label


def threshold_text(rule: str, low: float, high: float | None = None) -> str:
    """A threshold, or the range of those that folds use; empty for a rule without any.

    >>> threshold_text("beta", 0.95), threshold_text("window", 4, 5), threshold_text("certain", 0)
    ('0.95', '4–5', '')
    """
    if rule == CERTAIN:
        return ""
    return f"{low:.5g}" if high is None or high == low else f"{low:.5g}–{high:.5g}"


def table(found: Adaptive) -> str:
    """The replay for a terminal of 80 columns."""
    plan = found.replay.plan
    looks = "one by one" if plan.round_size == 1 else f"in rounds of {plan.round_size}"
    lines = [
        f"  {count(found.problems, 'problem')}, {MIX_LABELS[plan.mix]}: up to "
        f"{count(plan.most, 'candidate')} each, looked at {looks}",
        f"  {count(plan.draws, 'random order')} of them; accuracy in % [95 % over problems]",
    ]
    for chooses in plan.chooses:
        lines += ["", *_frontier_lines(found, chooses)]
    lines += ["", *_savings_lines(found), *_difficulty_lines(found)]
    return "\n".join([*lines, *table_footer(None, found.notes)])


def _frontier_lines(found: Adaptive, chooses: str) -> list[str]:
    """The rules that choose so, at their usual thresholds or at those asked for."""
    rows = found.frame[found.frame["chooses"] == chooses]
    costs = [name for name in ("tokens", "flops") if rows[name].notna().all()]
    unit, unit_name = flops_unit(float(rows["flops"].max())) if "flops" in costs else (1.0, "")
    units = {"tokens": 1.0, "flops": unit}
    heads = {"tokens": "tokens", "flops": unit_name}
    columns = _columns(["samples", "median", "p90", "rounds", *(heads[name] for name in costs)])
    lines = [
        f"  {RULE_LABELS[chooses]:<{_LABEL}} {'accuracy':<{WIDE - 1}}{columns}",
        "  " + "─" * (_LABEL + WIDE + len(columns)),
    ]
    for row in rows.to_dict("records"):
        if not _shown(found, row):
            continue
        cells = [f"{row['samples']:.1f}", f"{row['median']:.0f}", f"{row['p90']:.0f}"]
        cells.append(f"{row['rounds']:.1f}")
        cells += [
            three_digits(row[name] / units[name], float(rows[name].max()) / units[name])
            for name in costs
        ]
        at = threshold_text(row["rule"], row["threshold"])
        label = f"{stopping_label(row['rule'])} {'= ' * (row['rule'] == FIXED)}{at}".strip()
        accuracy = interval_cell(Interval(row["accuracy"], row["low"], row["high"]))
        lines.append(f"  {label:<{_LABEL}}{accuracy}{_columns(cells)}")
    return lines


def _columns(cells: Sequence[str]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=False))


def _shown(found: Adaptive, row: dict[Any, Any]) -> bool:
    """Whether a row is in the table: all that were asked for, else one a rule."""
    most, rule = found.replay.plan.most, row["rule"]
    if rule == FIXED:
        return bool(row["threshold"] in (most, most // 2, most // 4) and row["threshold"] > 0)
    if found.config.thresholds or rule == CERTAIN:
        return True
    thresholds = found.replay.plan.thresholds[rule]
    usual = RULES[rule].usual
    if usual is None:
        # Of thresholds that depend on the pool, one that most folds use.
        own = found.savings[found.savings["rule"] == rule]
        return bool(row["threshold"] == own["threshold"].iloc[0])
    return bool(row["threshold"] == (usual if usual in thresholds else thresholds[0]))


def _savings_lines(found: Adaptive) -> list[str]:
    """What each rule saves at the accuracy of all candidates."""
    rows = found.savings
    costs = [name for name in ("tokens", "flops") if rows[f"{name}_saved"].notna().all()]
    name = costs[0] if costs else ""
    lines = [
        f"  At the accuracy of all {found.replay.plan.most} (thresholds chosen on other problems):",
        f"  {'':<{NAMES}} {'points':<{SIGNED - 1}}{'samples saved':<{WIDE - 3}}"
        + (f"{name:>8}" if name else "")
        + "  threshold",
        "  " + "─" * 78,
    ]
    before = ""
    for row in rows.to_dict("records"):
        if row["chooses"] != before and rows["chooses"].nunique() > 1:
            lines.append(f"  {RULE_LABELS[row['chooses']]}")
        before = row["chooses"]
        difference = Interval(row["difference"], row["difference_low"], row["difference_high"])
        share, low, high = (100 * row[key] for key in ("saved", "saved_low", "saved_high"))
        saved = f"{share:.0f} % [{low:.0f}, {high:.0f}]".replace("-", "−")
        line = f"  {stopping_label(row['rule']):<{NAMES}}{interval_cell(difference, '+')}"
        line += f"{saved:<{WIDE - 3}}"
        if name:
            line += f"{100 * row[f'{name}_saved']:>6.0f} %".replace("-", "−")
        at = threshold_text(row["rule"], row["threshold_low"], row["threshold_high"])
        lines.append(f"{line}  {at}".rstrip())
    return lines


def _difficulty_lines(found: Adaptive) -> list[str]:
    """Mean samples in each fifth of the problems."""
    rows = found.difficulty
    if rows.empty:
        return []
    heads = ["hardest", "2", "3", "4", "easiest"]
    lines = [
        "",
        f"  {'samples by difficulty':<{NAMES + 2}}" + "".join(f"{head:>10}" for head in heads),
        "  " + "─" * (NAMES + 2 + 10 * len(heads)),
    ]
    for (chooses, rule), own in rows.groupby(["chooses", "rule"], sort=False):
        if rule == FIXED and chooses != rows["chooses"].iloc[0]:
            continue
        means = own.set_index("group")["samples"].reindex(FIFTHS)
        cells = [f"{value:>10.1f}" if np.isfinite(value) else " " * 10 for value in means]
        lines.append(f"  {stopping_label(str(rule)):<{NAMES + 2}}{''.join(cells)}".rstrip())
    return lines

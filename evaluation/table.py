"""An evaluation for the terminal: rules against modes, accuracy against n, what verification adds.

    print(table(evaluate(pool)))

At most 80 columns wide, whatever the pool: one layout for every terminal and for files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.evaluation.costs import equal_flops
from assay.evaluation.terminal import (
    CURVE_COLUMNS,
    NARROW,
    WIDE,
    flops_unit,
    interval_cell,
    table_footer,
    table_line,
    table_rule,
    three_digits,
)
from assay.selection.curves import Mix
from assay.selection.evaluate import Evaluation, best_rules
from assay.selection.groups import FIFTHS
from assay.selection.intervals import Interval, p_text
from assay.selection.names import MIX_LABELS, RULE_LABELS, SCORED_RULES, count, rule_label

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cost_rows", "table"]


def table(
    evaluation: Evaluation,
    *,
    bold: bool | None = None,
    seconds: Mapping[str, float] | None = None,
) -> str:
    """The evaluation for a terminal of 80 columns.

    `bold` marks the best rule of each column (the ceiling aside); None: where standard output is a
    terminal that can. `seconds` by stage adds a line on the time spent.
    """
    bold = _can_bold() if bold is None else bold
    lines = [*_rules_table(evaluation, bold), "", *_curve_table(evaluation, bold)]
    if evaluation.ns(evaluation.mixes[-1])[-1] > 1:
        lines += _difference_lines(evaluation)
    lines += [*_group_lines(evaluation), *_quality_lines(evaluation)]
    return "\n".join([*lines, *table_footer(seconds, evaluation.notes)])


def _can_bold() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and "NO_COLOR" not in os.environ


def _best_columns(evaluation: Evaluation, columns: list[tuple[Mix, int]]) -> dict[str, set[int]]:
    """For each rule the columns in which it is the best."""
    best = [best_rules(evaluation, mix, n) for mix, n in columns]
    return {
        rule: {index for index, rules in enumerate(best) if rule in rules}
        for rule in evaluation.rules
    }


def _rules_table(evaluation: Evaluation, bold: bool) -> list[str]:
    n = evaluation.table_n
    mixes = evaluation.mixes
    scored = f" · scores by {evaluation.verifier}" if evaluation.verifier else ""
    mixed = "both" in mixes and n > 1 and evaluation.shares_modes
    halves = f" (both: {n // 2} CoT + {n - n // 2} PoT)" if mixed else ""
    ruler = table_rule(len(mixes))
    lines = [
        f"  {count(len(evaluation.problem_ids), 'problem')} · {count(n, 'candidate')} each{halves}",
        f"  accuracy in % [95 % interval over problems]{scored}",
        "",
        table_line("", [f" {evaluation.mix_label(mix)}".ljust(WIDE) for mix in mixes]),
        ruler,
    ]
    best = _best_columns(evaluation, [(mix, n) for mix in mixes])
    for rule in evaluation.rules:
        if rule == "pass":
            lines.append(ruler)
        cells = [
            interval_cell(evaluation.at(rule, mix, 1 if rule == "single" else n)) for mix in mixes
        ]
        label = rule_label(rule, n, evaluation.config.k)
        lines.append(table_line(label, cells, best[rule] if bold else None))
        if rule == "single" and evaluation.hybrid:
            blank = [" " * WIDE] * (len(mixes) - 1)
            lines.append(
                table_line(RULE_LABELS["hybrid"], [*blank, interval_cell(evaluation.hybrid)])
            )
    frame = evaluation.frame
    spent = frame[(frame["rule"] == "pass") & (frame["n"] == n)].set_index("modes")["tokens"]
    if spent.notna().all():
        lines.append(
            table_line("tokens per problem", [f"{spent[mix]:>6,.0f}".ljust(WIDE) for mix in mixes])
        )
    return [*lines, *(table_line(label, cells) for label, (cells,) in cost_rows([evaluation]))]


def cost_rows(evaluations: Sequence[Evaluation]) -> list[tuple[str, list[list[str]]]]:
    """FLOPs and seconds per problem at the table's n: (label, each evaluation's cells).

    `12.3 + 4.5`: what majority costs, and what rules that read scores cost more, where that is
    known. What is not known of majority is left out.
    """
    frames = [each.frame[each.frame["n"] == each.table_n] for each in evaluations]
    rows = []
    for name in ("flops", "seconds"):
        votes = [frame[frame["rule"] == "majority"] for frame in frames]
        if any(name not in frame or frame[name].isna().any() for frame in votes):
            continue
        largest = max(float(frame[name].max()) for frame in frames)
        unit, label = flops_unit(largest) if name == "flops" else (1.0, name)
        cells = [_cost_cells(frame, name, unit) for frame in frames]
        more = any("+" in cell for each in cells for cell in each)
        rows.append((f"{label} + scoring" if more else f"{label} per problem", cells))
    return rows


def _cost_cells(frame: pd.DataFrame, name: str, unit: float) -> list[str]:
    votes = frame[frame["rule"] == "majority"]
    scored = frame[frame["rule"].isin(SCORED_RULES)]
    whole = dict(zip(scored["modes"], scored[name] / unit, strict=True))
    cells = []
    for mix, value in zip(votes["modes"], votes[name] / unit, strict=True):
        cell = three_digits(value, value).rjust(6)
        more = whole.get(mix, value) - value
        if more > 0:
            cell += f" + {three_digits(more, value)}"
        cells.append(cell.ljust(WIDE))
    return cells


def _curve_table(evaluation: Evaluation, bold: bool) -> list[str]:
    """Accuracy against n for the last modes ("both" where there are both)."""
    mix = evaluation.mixes[-1]
    ns = evaluation.ns(mix)
    if len(ns) > CURVE_COLUMNS:
        # Evenly spaced over the list, the first and the last kept.
        ns = [ns[i] for i in np.linspace(0, len(ns) - 1, CURVE_COLUMNS).round().astype(int)]
    best = _best_columns(evaluation, [(mix, n) for n in ns])
    lines = [
        table_line(f"{MIX_LABELS[mix]}, at n =", [f"{n:>{NARROW}}" for n in ns]),
        table_rule(len(ns), NARROW),
    ]
    for rule in evaluation.drawn:
        cells = [f"{100 * evaluation.mean(rule, mix, n):.1f}".replace("100.0", "100") for n in ns]
        cells = [f"{cell:>{NARROW}}" for cell in cells]
        lines.append(table_line(RULE_LABELS[rule], cells, best[rule] if bold else None))
    return lines


def _difference_lines(evaluation: Evaluation) -> list[str]:
    mix = evaluation.mixes[-1]
    n = evaluation.ns(mix)[-1]
    compared = [r for r in evaluation.drawn if r not in ("majority", "pass")]
    if not compared:
        return []
    lines = [
        "",
        f"  rule − majority ({MIX_LABELS[mix]}, n = {n}; paired over problems, in points)",
    ]
    for rule in compared:
        difference = evaluation.difference((rule, mix, n), ("majority", mix, n))
        label = rule_label(rule, n, evaluation.config.k)
        cells = [interval_cell(difference, "+"), p_text(difference.p, evaluation.config.bootstrap)]
        lines.append(table_line(label, cells))
    return [*lines, *_equal_flops_lines(evaluation, mix)]


def _equal_flops_lines(evaluation: Evaluation, mix: Mix) -> list[str]:
    """The same at the largest n for which majority's curve reaches as many FLOPs; none unknown."""
    rows = equal_flops(evaluation)
    rows = rows[(rows["modes"] == mix) & rows["rule"].isin(evaluation.drawn)]
    if rows.empty:
        return []
    n = int(rows["n"].max())
    rows = rows[rows["n"] == n]
    unit, label = flops_unit(float(rows["flops"].iloc[0]))
    lines = [
        "",
        f"  at equal FLOPs ({rows['flops'].iloc[0] / unit:.3g} {label}: verifier at "
        f"n = {n}, majority at n = {rows['majority_n'].iloc[0]:.1f})",
    ]
    for row in rows.to_dict("records"):
        difference = Interval(row["difference"], row["low"], row["high"])
        name = rule_label(row["rule"], n, evaluation.config.k)
        lines.append(table_line(name, [interval_cell(difference, "+")]))
    return lines


# breakdown -> its title, the width of its columns, how many stand beside each other
GROUPED = {"difficulty": ("difficulty, fifths of the problems", 11, 5), "origin": ("origin", 14, 4)}
SHORT = {FIFTHS[0]: "hardest", FIFTHS[-1]: "easiest"}


def _group_lines(evaluation: Evaluation) -> list[str]:
    """For each breakdown a table of groups as columns, rules as rows, for the last modes."""
    groups = evaluation.groups
    if groups is None or groups.empty:
        return []
    lines = []
    for by, rows in groups.groupby("by", sort=False):
        mix = [mix for mix in evaluation.mixes if (rows["modes"] == mix).any()][-1]
        rows = rows[rows["modes"] == mix]
        n = int(rows["n"].max())
        title, width, columns = GROUPED[str(by)]
        names = list(dict.fromkeys(rows["group"]))
        for start in range(0, len(names), columns):
            shown = names[start : start + columns]
            heads = [f"{SHORT.get(name, name)[: width - 2]:>{width}}" for name in shown]
            lines += ["", f"  by {title} ({MIX_LABELS[mix]}, n = {n}; accuracy in %)"]
            lines += [table_line("", heads), table_rule(len(shown), width)]
            for rule in ("single", *evaluation.drawn):
                at = 1 if rule == "single" else n
                of_rule = rows[(rows["rule"] == rule) & (rows["n"] == at)].set_index("group")
                cells = [
                    f"{100 * of_rule['accuracy'][name]:>{width}.1f}"
                    if name in of_rule.index
                    else " " * width
                    for name in shown
                ]
                lines.append(table_line(rule_label(rule, at, evaluation.config.k), cells))
    return lines


def _quality_lines(evaluation: Evaluation) -> list[str]:
    quality = evaluation.quality
    if quality is None:
        return []
    lines = ["", f"  scores by {evaluation.verifier} ({count(quality.candidates, 'candidate')})"]
    for measure, name in quality.shown().items():
        value = getattr(quality, measure)
        cell = f"{value.value:>6.3f} [{value.low:.3f}, {value.high:.3f}]"
        lines.append(table_line(name, [cell if value.value == value.value else " not defined"]))
    for over in quality.over:
        if over.modes == evaluation.mixes[-1] and over.peak < over.n:
            p = p_text(over.drop.p, evaluation.config.bootstrap)
            where = f"n = {over.peak} → {over.n} ({MIX_LABELS[over.modes]}), {p}"
            lines.append(table_line("best-of-n falls", [interval_cell(over.drop, "+"), where]))
    return lines

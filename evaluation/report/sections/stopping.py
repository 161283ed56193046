"""The page's stopping rules: accuracy against samples, what each saves, and who stops when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.evaluation.adapt import stopping_label, threshold_text
from assay.evaluation.adaptive import Adaptive
from assay.evaluation.report.sections.texts import interval_texts, percent, rounded
from assay.selection.intervals import Interval
from assay.selection.names import MIX_LABELS, RULE_LABELS, count

__all__ = ["frontier", "stopping_tables"]

_FIFTHS = ("hardest", "2", "3", "4", "easiest")

Replays = Sequence[tuple[str, Adaptive | None]]


def frontier(found: Adaptive | None) -> list[dict[str, Any]]:
    """For the script: a chart for each way to choose, a series for each rule and the fixed n.

    A series has the points of its thresholds, by mean samples: at (samples), value, low, high and
    name.
    """
    if found is None:
        return []
    charts = []
    for chooses in found.replay.plan.chooses:
        rows = found.frame[found.frame["chooses"] == chooses]
        series = []
        for rule, own in rows.groupby("rule", sort=False):
            points = [
                {
                    "at": float(f"{row['samples']:.5g}"),
                    "value": rounded(row["accuracy"]),
                    "low": rounded(row["low"]),
                    "high": rounded(row["high"]),
                    "name": _point(str(rule), row["threshold"]),
                }
                for row in own.sort_values("samples").to_dict("records")
            ]
            series.append({"rule": rule, "label": stopping_label(str(rule)), "points": points})
        label = f"{RULE_LABELS[chooses]}, {MIX_LABELS[found.replay.plan.mix]}"
        charts.append({"label": label, "series": series})
    return charts


def _point(rule: str, threshold: float) -> str:
    at = threshold_text(rule, threshold)
    return f"{stopping_label(rule)} {'= ' * (rule == 'fixed')}{at}".strip()


def stopping_tables(replays: Replays) -> list[dict[str, Any]]:
    """For each run that was replayed: a row a rule, and its samples in each fifth of the problems.

    Rows have `label`, `chooses` (empty where all choose alike), `threshold`, `difference`,
    `saved`, `tokens`, `samples`, `rounds` and `fifths`.
    """
    tables = []
    for name, found in replays:
        if found is None:
            continue
        plan = found.replay.plan
        rows = [_row(found, row) for row in found.savings.to_dict("records")]
        looks = "one by one" if plan.round_size == 1 else f"in rounds of {plan.round_size}"
        title = f"up to {count(plan.most, 'candidate')} each, {MIX_LABELS[plan.mix]}, {looks}"
        tables.append(
            {
                "label": title if len(replays) == 1 else f"{name}: {title}",
                "most": plan.most,
                "rows": rows,
                "fifths": [*_FIFTHS] if len(found.difficulty) else [],
                "margin": f"{found.config.margin:g}",
                "notes": found.notes,
            }
        )
    return tables


def _row(found: Adaptive, row: dict[Any, Any]) -> dict[str, Any]:
    difference = Interval(row["difference"], row["difference_low"], row["difference_high"])
    saved = Interval(row["saved"], row["saved_low"], row["saved_high"])
    of_rule = found.difficulty[
        (found.difficulty["rule"] == row["rule"]) & (found.difficulty["chooses"] == row["chooses"])
    ]
    tokens = row["tokens_saved"]
    return {
        "label": stopping_label(row["rule"]),
        "chooses": RULE_LABELS[row["chooses"]] if len(found.replay.plan.chooses) > 1 else "",
        "threshold": threshold_text(row["rule"], row["threshold_low"], row["threshold_high"]),
        "difference": interval_texts(difference, "+"),
        "saved": interval_texts(saved),
        "tokens": percent(tokens) if tokens == tokens else "",
        "samples": f"{row['samples']:.1f}",
        "rounds": f"{row['rounds']:.1f}",
        "fifths": [f"{value:.1f}" if value == value else "" for value in of_rule["samples"]],
    }

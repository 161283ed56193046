"""The page's groups: accuracy by difficulty of the problem and by origin of the candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.evaluation.report.sections.texts import Runs, interval_texts, rounded, run_label
from assay.selection.evaluate import Evaluation
from assay.selection.groups import FIFTHS
from assay.selection.intervals import Interval
from assay.selection.names import count, rule_label

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["difficulty", "group_tables"]


def difficulty(evaluation: Evaluation) -> list[dict[str, Any]]:
    """One chart's data for each modes: for each n, rule and fifth the accuracy and its interval.

    `series` holds for each rule `value`, `low` and `high`, each a list over `ns` of lists over
    fifths, the hardest first; the single sample's are the same at every n.
    """
    frame = _groups(evaluation, "difficulty")
    found = []
    for mix in evaluation.mixes:
        own = frame[frame["modes"] == mix]
        if own.empty:
            continue
        ns = sorted(set(own["n"]))
        series = []
        for rule in evaluation.rules:
            rows = own[own["rule"] == rule].set_index(["n", "group"]).sort_index()
            if rule == "single" or rows.empty:
                continue
            one: dict[str, Any] = {"rule": rule}
            for key, column in (("value", "accuracy"), ("low", "low"), ("high", "high")):
                table = rows[column].unstack("group").reindex(index=ns, columns=list(FIFTHS))
                one[key] = [[rounded(x) for x in line] for line in table.to_numpy()]
            series.append(one)
        found.append({"mix": mix, "label": evaluation.mix_label(mix), "ns": ns, "series": series})
    return found


def group_tables(runs: Runs, by: str) -> list[dict[str, Any]]:
    """Accuracy by group at the largest n: a table for each run and modes, a column a group."""
    tables = []
    for name, evaluation in runs:
        frame = _groups(evaluation, by)
        for mix in evaluation.mixes:
            own = frame[frame["modes"] == mix]
            if own.empty:
                continue
            n = int(own["n"].max())
            names = list(dict.fromkeys(own["group"]))
            rows = []
            for rule in evaluation.rules:
                at = 1 if rule == "single" else n
                line = own[(own["rule"] == rule) & (own["n"] == at)].set_index("group")
                cells = [_cell(line, group) for group in names]
                if any(cells):
                    label = rule_label(rule, at, evaluation.config.k)
                    rows.append({"rule": rule, "label": label, "cells": cells})
            columns = [(group, _problems(own, group)) for group in names]
            label = f"{run_label(runs, name, mix)}, n = {n}"
            tables.append({"label": label, "columns": columns, "rows": rows})
    return tables


def _groups(evaluation: Evaluation, by: str) -> pd.DataFrame:
    import pandas as pd

    frame = evaluation.groups
    if frame is None:
        return pd.DataFrame(columns=pd.Index(["by", "modes"]))
    return frame[frame["by"] == by]


def _cell(line: pd.DataFrame, group: str) -> dict[str, str] | None:
    if group not in line.index:
        return None
    value, low, high = (float(line[name][group]) for name in ("accuracy", "low", "high"))
    return interval_texts(Interval(value, low, high))


def _problems(frame: pd.DataFrame, group: str) -> str:
    return count(round(frame[frame["group"] == group]["problems"].iloc[0]), "problem")

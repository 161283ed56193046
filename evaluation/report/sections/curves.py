"""The page's curves and the numbers behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.evaluation.report.axes import AXES
from assay.evaluation.report.sections.texts import Runs, percent, run_label
from assay.selection.curves import Mix
from assay.selection.evaluate import Evaluation
from assay.selection.names import RULE_LABELS

__all__ = ["curve_tables", "panels"]


def curve_tables(runs: Runs) -> list[dict[str, Any]]:
    """The numbers behind the curves: a table for each run and modes, a column for each n."""
    tables = []
    for name, evaluation in runs:
        for mix in evaluation.mixes:
            ns = evaluation.ns(mix)
            rows = [
                {
                    "rule": rule,
                    "label": RULE_LABELS[rule],
                    "cells": [
                        percent(np.nanmean(values))
                        if (values := evaluation.per_problem.get((rule, mix, n))) is not None
                        else ""
                        for n in ns
                    ],
                }
                for rule in evaluation.rules
                if rule != "single"
            ]
            rows += _constants(evaluation, mix, ns)
            tables.append({"label": run_label(runs, name, mix), "ns": ns, "rows": rows})
    return tables


def _constants(evaluation: Evaluation, mix: Mix, ns: Sequence[int]) -> list[dict[str, Any]]:
    """How many candidates vote in top-k, and the temperature where scores went through softmax."""
    names = {"k": "k of the", "temperature": "softmax temperature of the"}
    frame = evaluation.frame[evaluation.frame["modes"] == mix]
    rows = []
    for column, words in names.items():
        for rule in evaluation.rules:
            own = frame[frame["rule"] == rule].set_index("n")[column].dropna()
            cells = [f"{own[n]:g}" if n in own else "" for n in ns]
            if any(cells):
                rows.append(
                    {"rule": "none", "label": f"{words} {RULE_LABELS[rule]}", "cells": cells}
                )
    return rows


def panels(evaluation: Evaluation) -> list[dict[str, Any]]:
    """One chart's data for each modes: for each rule its accuracies and what they cost.

    A series has `n`, `value`, `low`, `high` and those of `AXES` that are known, in the order of n.
    """
    found = []
    for mix in evaluation.mixes:
        frame = evaluation.frame[evaluation.frame["modes"] == mix].sort_values("n")
        series = []
        for rule in evaluation.rules:
            rows = frame[frame["rule"] == rule]
            if rule == "single" or rows.empty:
                continue
            one = {"rule": rule, "value": rows["accuracy"].round(5).tolist()}
            one |= {end: rows[end].round(5).tolist() for end in ("low", "high")}
            for axis in AXES:
                # A logarithmic axis has no place for 0.
                if axis in rows and (rows[axis] > 0).all():
                    one[axis] = [float(f"{x:.6g}") for x in rows[axis]]
            series.append(one)
        found.append({"mix": mix, "label": evaluation.mix_label(mix), "series": series})
    return found

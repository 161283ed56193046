"""What the page's later sections hold: difficulty, origin, what scores are worth, equal FLOPs.

As `evaluation/report/sections/accuracy.py`, which holds the first ones: plain data for templates
and charts. `Runs` are (name, evaluation) pairs, in the order of the columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.costs import equal_flops
from evaluation.report.sections.accuracy import Group, Runs, interval_texts, percent, run_label
from evaluation.table import flops_unit
from selection.curves import Interval
from selection.evaluate import RULE_LABELS, Evaluation, count, rule_label
from selection.groups import FIFTHS
from selection.intervals import p_text
from selection.quality import MEASURES

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "at_equal_flops",
    "calibration",
    "difference_tables",
    "difficulty",
    "group_tables",
    "over_optimisation",
    "over_rows",
    "quality_table",
    "rule_meanings",
]

MEANINGS = {
    "single": "one candidate drawn at random: the share of all candidates that is right",
    "hybrid": "the answer of one program where it gives one, else that of one solution in words "
    "(MAmmoTH)",
    "shortest": "the answer of the candidate with the fewest tokens",
    "logprob": "the answer of the candidate with the highest mean log-probability of its tokens, "
    "by the generator",
    "majority": "the commonest answer, each candidate with one vote (self-consistency)",
    "best_of_n": "the answer of the candidate that the verifier scores highest",
    "weighted": "the answer with the largest sum of {summed} of its candidates",
    "top_k": "the commonest answer of the k candidates with the highest scores (Cobbe et al. 2021)",
    "weighted_top_k": "the weighted vote among those k",
    "pass": "at least one candidate is right: the ceiling of every way to choose",
}
MEASURE_MEANINGS = {
    "within": "how often a right candidate has a higher score than a wrong one of the same "
    "problem; 0.5 is chance, 1 is perfect",
    "auc": "the same for a right and a wrong candidate of whatever problems: telling easy problems "
    "from hard ones is enough to raise it",
    "brier": "mean squared distance of the score from 1 (right) or 0 (wrong); 0 is perfect",
    "calibration_error": "mean distance between score and share right, over ten bins of scores; 0 "
    "is perfect",
}


def rule_meanings(runs: Runs) -> list[tuple[str, str]]:
    """(label, meaning) of every rule that some run was evaluated by, in the order of tables."""
    there = {rule for _, each in runs for rule in each.frame["rule"]}
    transform = runs[0][1].config.transform
    summed = "scores" if transform == "none" else f"weights ({transform} of the scores)"
    return [
        (RULE_LABELS[rule], MEANINGS[rule].format(summed=summed))
        for rule in RULE_LABELS
        if rule in there
    ]


# Differences


def difference_tables(runs: Runs) -> list[dict[str, Any]]:
    """Rule minus majority at every n: a table for each run and modes, a column for each n."""
    tables = []
    for name, evaluation in runs:
        frame = evaluation.differences
        for mix in evaluation.mixes:
            own = frame[frame["modes"] == mix]
            ns = sorted(set(own["n"]))
            cells = {(row["rule"], row["n"]): row for row in own.to_dict("records")}
            rows = [
                {
                    "rule": rule,
                    "label": RULE_LABELS[rule],
                    "cells": [_difference(cells.get((rule, n)), evaluation) for n in ns],
                }
                for rule in RULE_LABELS
                if any((rule, n) in cells for n in ns)
            ]
            if rows:
                tables.append({"label": run_label(runs, name, mix), "ns": ns, "rows": rows})
    return tables


def _difference(row: dict[Any, Any] | None, evaluation: Evaluation) -> dict[str, str] | None:
    if row is None:
        return None
    found = Interval(row["difference"], row["low"], row["high"])
    return {**interval_texts(found, "+"), "p": p_text(row["p"], evaluation.config.bootstrap)}


def at_equal_flops(runs: Runs) -> list[Group]:
    """Rules with a verifier minus the majority vote that costs as much, at the largest n of each.

    For each run and modes; none where FLOPs are not known.
    """
    groups: list[Group] = []
    for name, evaluation in runs:
        frame = equal_flops(evaluation)
        for mix in evaluation.mixes:
            own = frame[frame["modes"] == mix]
            if own.empty:
                continue
            n = int(own["n"].max())
            own = own[own["n"] == n]
            unit, label = flops_unit(float(own["flops"].iloc[0]))
            title = (
                f"{run_label(runs, name, mix)}: verifier at n = {n}, majority vote at "
                f"n = {own['majority_n'].iloc[0]:.1f}, {own['flops'].iloc[0] / unit:.3g} {label} "
                "per problem each"
            )
            rows = [
                (
                    row["rule"],
                    rule_label(row["rule"], n, evaluation.config.k),
                    Interval(row["difference"], row["low"], row["high"]),
                )
                for row in own.to_dict("records")
                if row["rule"] in evaluation.drawn
            ]
            groups.append((title, rows))
    return groups


# Groups of problems, groups of candidates


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
                one[key] = [[_known(x) for x in line] for line in table.to_numpy()]
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


# What scores are worth


def quality_table(runs: Runs) -> dict[str, Any]:
    """The measures as rows, a column for each run that has scores."""
    scored = [(name, each) for name, each in runs if each.quality is not None]
    rows = [
        {
            "label": label,
            "meaning": MEASURE_MEANINGS[measure],
            "cells": [_measure(getattr(each.quality, measure)) for _, each in scored],
        }
        for measure, label in MEASURES.items()
    ]
    columns = [
        {
            "name": name if len(runs) > 1 else each.verifier,
            "candidates": count(each.quality.candidates, "candidate") if each.quality else "",
        }
        for name, each in scored
    ]
    return {"columns": columns, "rows": rows}


def _measure(found: Interval) -> dict[str, str] | None:
    if np.isnan(found.value):
        return None
    return {
        "value": f"{found.value:.3f}",
        "low": f"{found.low:.3f}",
        "high": f"{found.high:.3f}",
    }


def calibration(evaluation: Evaluation) -> list[list[float | None]]:
    """A row for each bin of scores that holds candidates, as the chart reads them.

    low, high, mean score, share right, low and high end of its interval, number of candidates.
    """
    bins = evaluation.quality.bins if evaluation.quality else ()
    return [
        [
            b.low,
            b.high,
            *(_known(x) for x in (b.mean_score, b.share_right, b.right_low, b.right_high)),
            b.count,
        ]
        for b in bins
    ]


def over_optimisation(evaluation: Evaluation) -> dict[str, int]:
    """For each modes the n at which best-of-n is best."""
    return {each.modes: each.peak for each in _over(evaluation)}


def over_rows(runs: Runs) -> list[dict[str, Any]]:
    """For each run and modes: best-of-n at its best and at the largest n, and the difference."""
    rows = []
    for name, evaluation in runs:
        for each in _over(evaluation):
            rows.append(
                {
                    "label": run_label(runs, name, each.modes),
                    "peak": each.peak,
                    "n": each.n,
                    "best": interval_texts(evaluation.at("best_of_n", each.modes, each.peak)),
                    "last": interval_texts(evaluation.at("best_of_n", each.modes, each.n)),
                    "ceiling": percent(evaluation.at("pass", each.modes, each.n).value),
                    "drop": interval_texts(each.drop, "+") if each.peak < each.n else None,
                    "p": p_text(each.drop.p, evaluation.config.bootstrap),
                }
            )
    return rows


def _over(evaluation: Evaluation) -> Sequence[Any]:
    return evaluation.quality.over if evaluation.quality else ()


def _known(x: float) -> float | None:
    return None if np.isnan(x) else round(float(x), 5)

"""What the page's sections hold, as plain data for its templates and its charts.

A section for people is a template in `templates/sections/` and a function here that makes what it
needs of the runs. `Runs` are (name, evaluation) pairs, in the order of the columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from selection.curves import Interval, Mix, bootstrap_weights
from selection.evaluate import (
    MIX_LABELS,
    RULE_LABELS,
    SCORED_RULES,
    Cell,
    Evaluation,
    best_rules,
    count,
    rule_label,
)
from selection.intervals import Paired, p_text, paired

__all__ = [
    "Runs",
    "accuracy_tables",
    "between_runs",
    "curve_tables",
    "differences_to_majority",
    "differing_settings",
    "facts",
    "forest",
    "interval_texts",
    "panels",
    "percent",
    "run_differences",
    "run_label",
    "settings_groups",
]

Runs = Sequence[tuple[str, Evaluation]]
Row = tuple[str, str, Interval]  # rule, label, difference (`Paired`, where it was tested)
Group = tuple[str, Sequence[Row]]

# Columns of an evaluation's frame that a curve may be drawn against.
AXES = ("n", "tokens", "flops", "seconds")


def facts(evaluation: Evaluation, seconds: Mapping[str, float]) -> list[str]:
    """How much there is: problems, candidates, by which verifier, seconds by stage."""
    sizes = [
        f"{size} {evaluation.mix_label(mix).replace(' only', '')}"
        for mix, size in evaluation.sizes.items()
        if mix != "both"
    ]
    found = [
        count(len(evaluation.problem_ids), "problem"),
        f"{' + '.join(sizes)} candidates each",
    ]
    if evaluation.verifier:
        found.append(f"scores by {evaluation.verifier}")
    spent = {
        stage: f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
        for stage, value in seconds.items()
    }
    return found + [f"{stage} {value} s" for stage, value in spent.items()]


# The tables


def accuracy_tables(runs: Runs) -> list[dict[str, Any]]:
    """One run: a column for each modes. Several: a table for each modes, a column for each run."""
    if len(runs) == 1:
        evaluation = runs[0][1]
        n = evaluation.table_n
        columns = [(evaluation.mix_label(mix), evaluation, mix) for mix in evaluation.mixes]
        return [{"title": "", "n": n, **_accuracy_table(columns, n)}]
    tables = []
    for mix in MIX_LABELS:
        columns = [(name, each, mix) for name, each in runs if mix in each.mixes]
        ns = [set(each.ns(mix)) for _, each, _ in columns]
        shared = set.intersection(*ns) if ns else set()
        if shared:
            n = max(shared)
            tables.append({"title": MIX_LABELS[mix], "n": n, **_accuracy_table(columns, n)})
    return tables


def _accuracy_table(columns: Sequence[tuple[str, Evaluation, Mix]], n: int) -> dict[str, Any]:
    best = [best_rules(evaluation, mix, n) for _, evaluation, mix in columns]
    rows = []
    for rule in RULE_LABELS:
        cells = []
        for (_, evaluation, mix), winners in zip(columns, best, strict=True):
            cell: Cell = (rule, mix, {"single": 1, "hybrid": 2}.get(rule, n))
            known = cell in evaluation.per_problem
            cells.append(
                {**interval_texts(evaluation.at(*cell)), "best": rule in winners} if known else None
            )
        if any(cells):
            label = rule_label(rule, n, columns[0][1].config.k)
            rows.append({"rule": rule, "label": label, "cells": cells})
    tokens = [_tokens(evaluation, mix, n) for _, evaluation, mix in columns]
    return {
        "columns": [name for name, _, _ in columns],
        "rows": rows,
        "tokens": [f"{spent:,.0f}" if spent == spent else "—" for spent in tokens],
        "tokens_known": any(spent == spent for spent in tokens),
    }


def _tokens(evaluation: Evaluation, mix: Mix, n: int) -> float:
    frame = evaluation.frame
    found = frame[(frame["rule"] == "pass") & (frame["n"] == n) & (frame["modes"] == mix)]
    return float(found["tokens"].iloc[0])


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


# The curves


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


# Differences


def differences_to_majority(runs: Runs) -> list[Group]:
    """What the verifier adds to the majority vote, at the largest n of each run and modes."""
    groups: list[Group] = []
    for name, evaluation in runs:
        for mix in evaluation.mixes if evaluation.verifier else ():
            n = evaluation.ns(mix)[-1]
            rows = [
                (
                    rule,
                    rule_label(rule, n, evaluation.config.k),
                    evaluation.difference((rule, mix, n), ("majority", mix, n)),
                )
                for rule in SCORED_RULES
                if (rule, mix, n) in evaluation.per_problem and rule in evaluation.drawn
            ]
            if n > 1 and rows:
                groups.append((f"{run_label(runs, name, mix)}, n = {n}", rows))
    return groups


def between_runs(runs: Runs) -> list[Group]:
    """Each run minus the first, on the problems that both have, at the largest n of both."""
    groups: list[Group] = []
    for name, evaluation in runs[1:]:
        first_name, first = runs[0]
        for mix in first.mixes:
            rows = run_differences(evaluation, first, mix)
            if not rows:
                continue
            n = max(each["n"] for each in rows)
            last = [
                (each["rule"], rule_label(each["rule"], n, first.config.k), each["paired"])
                for each in rows
                if each["n"] == (1 if each["rule"] == "single" else n)
            ]
            shared = count(rows[0]["problems"], "problem")
            title = f"{name} − {first_name}: {MIX_LABELS[mix]}, n = {n}, {shared}"
            groups.append((title, last))
    return groups


def run_differences(one: Evaluation, other: Evaluation, mix: Mix) -> list[dict[str, Any]]:
    """`one` minus `other` for every rule and n that both have: `paired`, over shared problems."""
    place = {problem: index for index, problem in enumerate(other.problem_ids)}
    shared = [i for i, problem in enumerate(one.problem_ids) if problem in place]
    if not shared:
        return []
    there = [place[one.problem_ids[i]] for i in shared]
    weights = bootstrap_weights(len(shared), one.config.bootstrap, one.config.seed)
    rows = []
    for cell, values in one.per_problem.items():
        if cell[1] != mix or cell not in other.per_problem:
            continue
        own, theirs = values[shared], other.per_problem[cell][there]
        # Of a mode, both need candidates of the problem.
        number = int((~np.isnan(own - theirs)).sum())
        if number:
            named = {"rule": cell[0], "modes": mix, "n": cell[2]}
            rows.append({**named, "paired": paired(own, theirs, weights), "problems": number})
    order = list(RULE_LABELS)
    return sorted(rows, key=lambda row: (order.index(row["rule"]), row["n"]))


def forest(groups: Sequence[Group], resamples: int) -> dict[str, Any]:
    """Groups of rows for a plot of differences on one scale; places are percent of its width.

    `resamples` is how many there were of the problems: p-values cannot be smaller than they tell.
    """
    ends = [end for _, rows in groups for _, _, each in rows for end in (each.low, each.high)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    span = (high - low) * 1.08 or 1.0
    low -= (span - (high - low)) / 2

    def place(x: float) -> float:
        return round(100 * (x - low) / span, 2)

    drawn = []
    for label, rows in groups:
        # "value", "low" and "high" are the texts, "at", "left" and "width" the places.
        told = [
            {
                "rule": rule,
                "label": name,
                "at": place(each.value),
                "left": place(each.low),
                "width": round(place(each.high) - place(each.low), 2),
                **interval_texts(each, "+"),
                "p": p_text(each.p, resamples) if isinstance(each, Paired) else "",
            }
            for rule, name, each in rows
        ]
        drawn.append({"label": label, "rows": told})
    return {"groups": drawn, "zero": place(0.0)}


# Settings


def settings_groups(settings: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """(group, rows) of the settings; what is in no group comes first, as "run"."""
    loose = {key: value for key, value in settings.items() if not isinstance(value, Mapping)}
    groups = [("run", list(_flat(loose)))] if loose else []
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            groups.append((key, list(_flat(value))))
    return groups


def differing_settings(settings: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """(key, the value in each run) of the settings in which the runs differ."""
    flat = [dict(_flat(each)) for each in settings]
    names = list(dict.fromkeys(name for each in flat for name in each))
    rows = [(name, [each.get(name, "—") for each in flat]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            yield f"{prefix}{key}", "—" if value is None else text or "—"


# Texts


def run_label(runs: Runs, name: str, mix: Mix) -> str:
    label = dict(runs)[name].mix_label(mix)
    return label if len(runs) == 1 else f"{name} · {label}"


def percent(share: float | np.floating[Any], sign: str = "") -> str:
    return f"{100 * share:{sign}.1f}".replace("-", "−")


def interval_texts(found: Interval, sign: str = "") -> dict[str, str]:
    """The accuracy or, with `sign` "+", the difference in percent: value, low, high."""
    return {
        "value": percent(found.value, sign),
        "low": percent(found.low, sign),
        "high": percent(found.high, sign),
    }

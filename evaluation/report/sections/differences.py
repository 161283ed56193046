"""The page's paired differences: rules and majority, run and run, at equal n and at equal FLOPs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.evaluation.costs import equal_flops
from assay.evaluation.report.sections.texts import Group, Runs, interval_texts, run_label
from assay.evaluation.terminal import flops_unit
from assay.selection.curves import Mix
from assay.selection.evaluate import Evaluation
from assay.selection.intervals import Interval, Paired, bootstrap_weights, p_text, paired
from assay.selection.names import MIX_LABELS, RULE_LABELS, SCORED_RULES, count, rule_label

__all__ = [
    "at_equal_flops",
    "between_runs",
    "difference_tables",
    "differences_to_majority",
    "forest",
    "run_differences",
]


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

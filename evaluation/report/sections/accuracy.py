"""The page's first section: how much there is, what the rules mean, and their accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.evaluation.report.sections.texts import Runs, interval_texts
from assay.selection.curves import Mix
from assay.selection.estimates import Cell
from assay.selection.evaluate import Evaluation, best_rules
from assay.selection.names import MIX_LABELS, RULE_LABELS, count, rule_label

__all__ = ["MEANINGS", "accuracy_tables", "facts", "rule_meanings"]


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


MEANINGS = {
    "single": "one candidate drawn at random: the share of all candidates that is right",
    "hybrid": "the answer of one program where it gives one, else that of one solution in words "
    "(MAmmoTH)",
    "shortest": "the answer of the candidate with the fewest tokens",
    "logprob": "the answer of the candidate with the highest mean log-probability of its tokens, "
    "by the generator",
    "min_logprob": "the answer of the candidate with the highest least mean log-probability of a "
    "window of tokens",
    "self_certainty": "the answer of the candidate with the highest self-certainty, the mean over "
    "tokens of KL(uniform ‖ p) (Kang et al. 2025)",
    "token_confidence": "the answer of the candidate with the highest mean token confidence "
    "(Fu et al. 2025)",
    "lowest_confidence": "the same by the window of tokens with the lowest confidence",
    "bottom_confidence": "the same by the tenth of windows with the lowest confidence",
    "tail_confidence": "the same by the last window",
    "entropy": "the answer of the candidate with the lowest mean entropy over tokens",
    "margin": "the answer of the candidate with the largest mean difference of log-probability "
    "between the likeliest token and the next",
    "majority": "the commonest answer, each candidate with one vote (self-consistency)",
    "best_of_n": "the answer of the candidate that the verifier scores highest",
    "weighted": "the answer with the largest sum of {summed} of its candidates",
    "top_k": "the commonest answer of the k candidates with the highest scores (Cobbe et al. 2021)",
    "weighted_top_k": "the weighted vote among those k",
    "pass": "at least one candidate is right: the ceiling of every way to choose",
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

"""The page's section on scores: measures, calibration, over-optimisation of best-of-n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.evaluation.report.sections.texts import Runs, interval_texts, percent, rounded, run_label
from assay.selection.evaluate import Evaluation
from assay.selection.intervals import Interval, p_text
from assay.selection.names import count
from assay.selection.quality import MEASURES

__all__ = ["calibration", "importance_rows", "over_optimisation", "over_rows", "quality_table"]

MOST_FEATURES = 20
MEASURE_MEANINGS = {
    "within": "how often a right candidate has a higher score than a wrong one of the same "
    "problem; 0.5 is chance, 1 is perfect",
    "within_mode": "the same among the candidates of one problem and mode: nothing is gained by "
    "telling programs from words",
    "within_cot": "the same among solutions in words",
    "within_pot": "the same among programs",
    "auc": "the same for a right and a wrong candidate of whatever problems: telling easy problems "
    "from hard ones is enough to raise it",
    "brier": "mean squared distance of the score from 1 (right) or 0 (wrong); 0 is perfect",
    "calibration_error": "mean distance between score and share right, over ten bins of scores; 0 "
    "is perfect",
}


def quality_table(runs: Runs) -> dict[str, Any]:
    """The measures as rows, a column for each run that has scores."""
    scored = [(name, each) for name, each in runs if each.quality is not None]
    shown = {name for _, each in scored if each.quality for name in each.quality.shown()}
    rows = [
        {
            "label": label,
            "meaning": MEASURE_MEANINGS[measure],
            "cells": [_measure(getattr(each.quality, measure)) for _, each in scored],
        }
        for measure, label in MEASURES.items()
        if measure in shown
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
            *(rounded(x) for x in (b.mean_score, b.share_right, b.right_low, b.right_high)),
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


def importance_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a ranker's features are worth, as the page shows it: groups first, each marked so."""
    return [
        {
            "name": row["name"],
            "features": count(row["features"], "feature") if row["features"] > 1 else "",
            "drop": f"{row['drop']:+.3f}".replace("-", "−"),
            "error": f"{row['error']:.3f}",
        }
        for row in rows[:MOST_FEATURES]
    ]


def _over(evaluation: Evaluation) -> Sequence[Any]:
    return evaluation.quality.over if evaluation.quality else ()

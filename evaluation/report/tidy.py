"""Evaluations as tables with a row an observation, for plots of one's own.

    for name, frame in tidy_tables({"small": one, "large": other}).items():
        frame.to_csv(f"{name}.csv", index=False)

Tables of several evaluations have a column `run`; accuracies and differences are fractions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.costs import equal_flops
from assay.evaluation.report.sections.differences import run_differences
from assay.selection.evaluate import Evaluation

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["tidy_tables"]


def tidy_tables(evaluations: Mapping[str, Evaluation]) -> dict[str, pd.DataFrame]:
    """The tables by name; one that these evaluations have nothing for has no rows.

    `accuracy`: the evaluation's frame. `differences`: rule minus majority within each run, and for
    several runs each minus the first (`against` says which). `equal_flops`: rule minus the majority
    vote that costs as many FLOPs. `groups`: accuracy by difficulty and by origin. `quality`: what
    the scores are worth, a row per measure. `calibration`: a row per bin of scores.
    `over_optimisation`: where best-of-n is best, and its drop from there to the largest n.
    `problems`: the expected accuracy of every rule, modes and n on every problem that has
    candidates of these modes.
    """
    import pandas as pd

    makers = {
        "accuracy": lambda each: each.frame,
        "differences": lambda each: each.differences.assign(against="majority"),
        "equal_flops": equal_flops,
        "groups": lambda each: pd.DataFrame() if each.groups is None else each.groups,
        "quality": _quality,
        "calibration": _calibration,
        "over_optimisation": _over_optimisation,
        "problems": _problems,
    }
    parts = {
        name: [make(each).assign(run=run) for run, each in evaluations.items()]
        for name, make in makers.items()
    }
    parts["differences"] += _between_runs(evaluations)
    return {name: _joined(frames, len(evaluations) > 1) for name, frames in parts.items()}


def _joined(frames: Sequence[pd.DataFrame], several: bool) -> pd.DataFrame:
    """The frames as one, with `run` as its first column where there are several runs."""
    import pandas as pd

    whole = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    others = whole.drop(columns="run")
    return whole[["run", *others.columns]] if several else others


def _quality(evaluation: Evaluation) -> pd.DataFrame:
    import pandas as pd

    found = evaluation.quality
    measures = {} if found is None else found.measures
    calibrated = "" if found is None else found.calibrated
    return pd.DataFrame(
        [
            (
                *(evaluation.verifier, name, each.value, each.low, each.high),
                calibrated if name in ("brier", "calibration_error") else "",
            )
            for name, each in measures.items()
        ],
        columns=pd.Index(["verifier", "measure", "value", "low", "high", "calibrated"]),
    )


def _calibration(evaluation: Evaluation) -> pd.DataFrame:
    import pandas as pd

    bins = evaluation.quality.bins if evaluation.quality else ()
    return pd.DataFrame([{"verifier": evaluation.verifier, **dataclasses.asdict(b)} for b in bins])


def _over_optimisation(evaluation: Evaluation) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "verifier": evaluation.verifier,
                "modes": each.modes,
                "peak": each.peak,
                "n": each.n,
                "drop": each.drop.value,
                "low": each.drop.low,
                "high": each.drop.high,
                "p": each.drop.p,
            }
            for each in (evaluation.quality.over if evaluation.quality else ())
        ]
    )


def _problems(evaluation: Evaluation) -> pd.DataFrame:
    import pandas as pd

    frames = [
        pd.DataFrame(
            {
                "problem_id": evaluation.problem_ids,
                "rule": rule,
                "modes": mix,
                "n": n,
                "accuracy": np.round(values, 6),
            }
        ).dropna(subset=["accuracy"])
        for (rule, mix, n), values in evaluation.per_problem.items()
    ]
    return pd.concat(frames, ignore_index=True)


def _between_runs(evaluations: Mapping[str, Evaluation]) -> list[pd.DataFrame]:
    """Each run minus the first, at every rule, modes and n that both have."""
    first, *others = evaluations
    return [
        _difference_frame(
            [
                row
                for mix in evaluations[first].mixes
                for row in run_differences(evaluations[name], evaluations[first], mix)
            ]
        ).assign(run=name, against=first)
        for name in others
    ]


def _difference_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            **{column: [row[column] for row in rows] for column in ("rule", "modes", "n")},
            "difference": [row["paired"].value for row in rows],
            "low": [row["paired"].low for row in rows],
            "high": [row["paired"].high for row in rows],
            "p": [row["paired"].p for row in rows],
        }
    )

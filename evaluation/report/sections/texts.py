"""Labels, percentages and intervals as the page's sections write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.selection.curves import Mix
from assay.selection.evaluate import (
    Evaluation,
)
from assay.selection.intervals import Interval

__all__ = ["Group", "Row", "Runs", "interval_texts", "percent", "rounded", "run_label"]

Runs = Sequence[tuple[str, Evaluation]]
Row = tuple[str, str, Interval]  # rule, label, difference (`Paired`, where it was tested)
Group = tuple[str, Sequence[Row]]


def run_label(runs: Runs, name: str, mix: Mix) -> str:
    label = dict(runs)[name].mix_label(mix)
    return label if len(runs) == 1 else f"{name} · {label}"


def percent(share: float | np.floating[Any], sign: str = "") -> str:
    return f"{100 * share:{sign}.1f}".replace("-", "−")


def rounded(share: float) -> float | None:
    """The share as the charts read it: to five decimals, null where it is not defined."""
    return None if np.isnan(share) else round(float(share), 5)


def interval_texts(found: Interval, sign: str = "") -> dict[str, str]:
    """The accuracy or, with `sign` "+", the difference in percent: value, low, high."""
    return {
        "value": percent(found.value, sign),
        "low": percent(found.low, sign),
        "high": percent(found.high, sign),
    }

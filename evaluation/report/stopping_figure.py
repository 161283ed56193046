"""The figure of stopping rules: accuracy against the mean number of candidates.

    plot_stopping({"test": found}, Path("report/stopping"))     # .svg, .pdf, .png

A panel a run; the fixed number of candidates is dashed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.evaluation.adapt import stopping_label
from assay.evaluation.adaptive import Adaptive
from assay.evaluation.report.drawing import FORMATS, STYLES, draw_figure
from assay.selection.names import RULE_LABELS
from assay.selection.savings import FIXED
from assay.selection.stopping import RULES

__all__ = ["plot_stopping"]

COLOURS = [style for rule, style in STYLES.items() if rule != "pass"]


def plot_stopping(
    found: Mapping[str, Adaptive], path: Path | str, *, formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Accuracy of every rule over its thresholds; of rules that need scores where there are some.

    Returns the files written; none where nothing was replayed.
    """
    panels = [
        (name, chooses) for name, each in found.items() for chooses in each.replay.plan.chooses
    ]
    if not panels:
        return []

    def draw(panel: Any, which: tuple[str, str]) -> None:
        name, chooses = which
        rows = found[name].frame
        rows = rows[rows["chooses"] == chooses].sort_values("samples")
        for rule in (FIXED, *RULES):
            own = rows[rows["rule"] == rule]
            if own.empty:
                continue
            colour, marker, _ = COLOURS[[FIXED, *RULES].index(rule) % len(COLOURS)]
            fixed = rule == FIXED
            panel.fill_between(
                own["samples"],
                100 * own["low"],
                100 * own["high"],
                color="#6E6E6E" if fixed else colour,
                alpha=0.08,
                linewidth=0,
            )
            panel.plot(
                own["samples"],
                100 * own["accuracy"],
                color="#6E6E6E" if fixed else colour,
                linestyle=(0, (5, 2)) if fixed else "-",
                linewidth=1.4,
                marker=marker,
                markersize=3.2,
                label=stopping_label(rule),
            )
        label = RULE_LABELS[chooses]
        panel.set_title(label if len(found) == 1 else f"{name}: {label}")
        panel.set_xscale("log", base=2)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.set_xlabel("mean candidates per problem")

    return draw_figure(panels, draw, "accuracy (%)", path, formats)

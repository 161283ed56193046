"""What all figures of a report share: axes, styles, sizes, and how one is saved.

The colours are Okabe and Ito's, told apart by people with any colour vision; markers differ as
well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.selection.curves import Mix
from assay.selection.evaluate import Evaluation
from assay.selection.names import MIX_LABELS
from assay.storage.files import atomic_file

__all__ = [
    "AXES",
    "FORMATS",
    "HEIGHT",
    "LABELS",
    "MOST_TICKS",
    "PANEL",
    "SETTINGS",
    "STYLES",
    "common_rule",
    "draw_axes",
    "draw_line",
    "legend_beside",
    "save_figure",
]


# column of the evaluation's frame -> what is written under its axis
AXES = {
    "n": "candidates per problem, n",
    "tokens": "generated tokens per problem",
    "flops": "FLOPs per problem, generator + verifier",
    "seconds": "seconds per problem, as measured",
}


# rule -> colour, marker, line style
STYLES: dict[str, tuple[str, str, Any]] = {
    "majority": ("#0072B2", "o", "-"),
    "best_of_n": ("#D55E00", "s", "-"),
    "weighted": ("#009E73", "D", "-"),
    "top_k": ("#AA4499", "^", "-"),
    "weighted_top_k": ("#E69F00", "P", "-"),
    "logprob": ("#56B4E9", "v", "-"),
    "shortest": ("#000000", "x", "-"),
    "pass": ("#6E6E6E", "", (0, (5, 2))),
}


FORMATS = ("svg", "pdf", "png")


MOST_TICKS = 8


PANEL, HEIGHT, LABELS = 3.1, 3.5, 1.45  # inches


SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "svg.fonttype": "none",
    "svg.hashsalt": "assay",
}


def common_rule(evaluations: Mapping[str, Evaluation]) -> str:
    """The rule to draw of several runs: the weighted vote where all have scores, else majority."""
    scored = all("weighted" in evaluation.rules for evaluation in evaluations.values())
    return "weighted" if scored else "majority"


def legend_beside(figure: Any, panels: Sequence[Any]) -> None:
    """One legend, right of the panels, for every line that has a label in some panel."""
    handles = {
        text: handle
        for panel in panels
        for handle, text in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles, loc="outside right center", frameon=False)


def save_figure(figure: Any, target: Path, formats: Sequence[str]) -> list[Path]:
    """Writes the figure with each format as its suffix; the same numbers give the same bytes."""
    # No date inside, so that the bytes depend on the numbers alone.
    dates = {"svg": "Date", "pdf": "CreationDate"}
    written = []
    for suffix in formats:
        file = target.with_name(f"{target.name}.{suffix}")
        undated = {dates[suffix]: None} if suffix in dates else None
        with atomic_file(file, "wb") as stream:
            figure.savefig(stream, format=suffix, dpi=200, metadata=undated)
        written.append(file)
    return written


def draw_line(
    panel: Any, rows: Any, style: tuple[str, str, Any], x: str, label: str | None = None
) -> None:
    """A curve with its band, from rows of an evaluation's frame."""
    colour, marker, line = style
    panel.fill_between(
        rows[x], 100 * rows["low"], 100 * rows["high"], color=colour, alpha=0.1, linewidth=0
    )
    panel.plot(
        rows[x],
        100 * rows["accuracy"],
        color=colour,
        linestyle=line,
        linewidth=1.6,
        marker=marker,
        markersize=3.6,
        label=label,
    )


def draw_axes(panel: Any, mix: Mix, ns: list[int], x: str, *, halves: bool = True) -> None:
    """Title, ticks and name of the axis that a panel of curves has.

    `halves`: whether n of both modes are half of each, of every problem.
    """
    panel.set_title(MIX_LABELS[mix])
    if x == "n":
        ticks = _ticks(ns)
        panel.set_xscale("log", base=2)
        panel.set_xticks(ticks, [str(n) for n in ticks])
        panel.set_xlabel(AXES[x] + (" (half CoT, half PoT)" * (mix == "both" and halves)))
    else:
        panel.set_xscale("log")
        panel.set_xlabel(AXES[x])
    panel.minorticks_off()


def _ticks(ns: list[int]) -> list[int]:
    """The n to write on the axis: powers of two where there are some, not too many."""
    powers = [n for n in ns if n & (n - 1) == 0]
    ticks = powers if len(powers) > 1 else ns
    step = -(-len(ticks) // MOST_TICKS)
    return ticks[::-1][::step][::-1]

"""What all figures of a report share: panels, axes, styles, sizes, and how one is saved.

The colours are Okabe and Ito's, told apart by people with any colour vision; markers differ as
well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.evaluation.report.axes import AXES
from assay.selection.curves import Mix
from assay.selection.evaluate import Evaluation
from assay.selection.names import MIX_LABELS
from assay.storage.files import atomic_file

__all__ = [
    "FORMATS",
    "HEIGHT",
    "STYLES",
    "common_rule",
    "draw_axes",
    "draw_figure",
    "draw_line",
    "legend_beside",
]

# rule -> colour, marker, line style
STYLES: dict[str, tuple[str, str, Any]] = {
    "majority": ("#0072B2", "o", "-"),
    "best_of_n": ("#D55E00", "s", "-"),
    "weighted": ("#009E73", "D", "-"),
    "top_k": ("#AA4499", "^", "-"),
    "weighted_top_k": ("#E69F00", "P", "-"),
    "logprob": ("#56B4E9", "v", "-"),
    "shortest": ("#000000", "x", "-"),
    "min_logprob": ("#56B4E9", "<", ":"),
    "self_certainty": ("#882255", "h", ":"),
    "token_confidence": ("#117733", "o", ":"),
    "lowest_confidence": ("#117733", "v", ":"),
    "bottom_confidence": ("#117733", "s", ":"),
    "tail_confidence": ("#117733", ">", ":"),
    "entropy": ("#999933", "d", ":"),
    "margin": ("#332288", "p", ":"),
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


def draw_figure(
    names: Sequence[Any],
    draw: Callable[[Any, Any], None],
    ylabel: str,
    path: Path | str,
    formats: Sequence[str],
    label: Callable[[Any, Sequence[Any]], None] | None = None,
) -> list[Path]:
    """Saves a panel for each of `names`, filled by `draw(panel, name)`; returns the files written.

    `label(figure, panels)` says which line is which: by default in one legend beside the panels.
    """
    import matplotlib
    from matplotlib.figure import Figure

    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(SETTINGS):
        # A Figure of its own, without pyplot: no global state, no display.
        figure = Figure(figsize=(PANEL * len(names) + LABELS, HEIGHT), layout="constrained")
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for panel, name in zip(panels, names, strict=True):
            draw(panel, name)
        panels[0].set_ylabel(ylabel)
        low, high = panels[0].get_ylim()
        panels[0].set_ylim(max(low, 0), min(high, 102))
        (label or legend_beside)(figure, panels)
        return _save(figure, target, formats)


def _save(figure: Any, target: Path, formats: Sequence[str]) -> list[Path]:
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


def legend_beside(figure: Any, panels: Sequence[Any]) -> None:
    """One legend, right of the panels, for every line that has a label in some panel."""
    handles = {
        text: handle
        for panel in panels
        for handle, text in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles, loc="outside right center", frameon=False)


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

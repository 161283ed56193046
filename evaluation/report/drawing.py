"""What all figures of a report share: panels, axes, styles, sizes, and how one is saved.

The colours are Okabe and Ito's, told apart by people with any colour vision; markers differ as
well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.evaluation.report.axes import AXES
from assay.evaluation.report.style import FigureStyle, Line
from assay.selection.curves import Mix
from assay.selection.evaluate import Evaluation
from assay.selection.names import MIX_LABELS
from assay.storage.files import atomic_file

__all__ = [
    "STYLES",
    "amount",
    "amounts",
    "common_rule",
    "draw_axes",
    "draw_figure",
    "draw_line",
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

MOST_TICKS = 8

SETTINGS: dict[str, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
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
    # TrueType, as publishers ask for it: matplotlib's own type 3 is refused by many.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
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
    style: FigureStyle,
    label: Callable[[Any, Sequence[Any]], None] | None = None,
) -> list[Path]:
    """Saves a panel for each of `names`, filled by `draw(panel, name)`; returns the files written.

    `label(figure, panels)` says which line is which: by default one legend does, where the style
    wants it.
    """
    import matplotlib
    from matplotlib.figure import Figure

    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({**SETTINGS, **style.settings()}):
        # A Figure of its own, without pyplot: no global state, no display.
        figure = Figure(figsize=style.size(len(names)), layout="constrained")
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for panel, name in zip(panels, names, strict=True):
            draw(panel, name)
            if not style.titles:
                panel.set_title("", loc="left")
        panels[0].set_ylabel(style.label("y", ylabel))
        low, high = panels[0].get_ylim()
        panels[0].set_ylim(*(style.y or (max(low, 0), min(high, 102))))
        if label is not None:
            label(figure, panels)
        else:
            _legend(figure, panels, style.legend)
        return _save(figure, target, style)


def _save(figure: Any, target: Path, style: FigureStyle) -> list[Path]:
    """Writes the figure with each format as its suffix; the same numbers give the same bytes."""
    # No date inside, so that the bytes depend on the numbers alone.
    dates = {"svg": "Date", "pdf": "CreationDate"}
    written = []
    for suffix in style.formats:
        file = target.with_name(f"{target.name}.{suffix}")
        undated = {dates[suffix]: None} if suffix in dates else None
        with atomic_file(file, "wb") as stream:
            figure.savefig(stream, format=suffix, dpi=style.dpi, metadata=undated)
        written.append(file)
    return written


def _legend(figure: Any, panels: Sequence[Any], where: str) -> None:
    """One legend for every line that has a label in some panel: beside, below or inside."""
    if where == "none":
        return
    handles = {
        text: handle
        for panel in panels
        for handle, text in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    names = {"handles": list(handles.values()), "labels": list(handles), "frameon": False}
    if where == "inside":
        panels[-1].legend(**names, loc="best")
    elif where == "below":
        figure.legend(**names, loc="outside lower center", ncols=min(len(handles), 4) or 1)
    else:
        figure.legend(**names, loc="outside right center")


def draw_line(
    panel: Any, rows: Any, drawn: Line, x: str, style: FigureStyle, label: str | None = None
) -> None:
    """A curve with its intervals, from rows of an evaluation's frame."""
    colour, marker, line = drawn
    low, high = 100 * rows["low"], 100 * rows["high"]
    if style.intervals == "band":
        panel.fill_between(rows[x], low, high, color=colour, alpha=0.1, linewidth=0)
    elif style.intervals == "whiskers":
        panel.vlines(rows[x], low, high, color=colour, linewidth=0.5 * style.line_width)
    panel.plot(
        rows[x],
        100 * rows["accuracy"],
        color=colour,
        linestyle=line,
        linewidth=style.line_width,
        marker=marker,
        markersize=2.25 * style.line_width,
        label=label,
    )


def draw_axes(
    panel: Any, mix: Mix, ns: list[int], x: str, style: FigureStyle, *, halves: bool = True
) -> None:
    """Title, ticks and name of the axis that a panel of curves has.

    `halves`: whether n of both modes are half of each, of every problem.
    """
    panel.set_title(style.label(mix, MIX_LABELS[mix]))
    if x == "n":
        ticks = _ticks(ns)
        panel.set_xscale("log", base=2)
        panel.set_xticks(ticks, [str(n) for n in ticks])
        told = AXES[x] + (" (half CoT, half PoT)" * (mix == "both" and halves))
        panel.set_xlabel(style.label(x, told))
    else:
        panel.set_xscale("log")
        panel.set_xlabel(style.label(x, AXES[x]))
        low, high = panel.get_xlim()
        places = amounts(low, high)
        panel.set_xticks(places, [amount(place) for place in places])
    panel.minorticks_off()


def amounts(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high` for a logarithmic axis: 1, 2, 5, 10, …, not too many.

    >>> amounts(130, 9_000)
    [200.0, 500.0, 1000.0, 2000.0, 5000.0]
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [float(step) * 10.0**power for power in range(first, last + 1) for step in steps]
        found = [tick for tick in found if low <= tick <= high]
        if len(found) <= MOST_TICKS:
            return found
    return found[:: -(-len(found) // MOST_TICKS)]


def amount(number: float) -> str:
    """A round number for an axis.

    >>> amount(500), amount(2000), amount(5e6), amount(0.02), amount(1e15)
    ('500', '2k', '5M', '0.02', '1P')
    """
    for unit, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:,.6g}{letter}"
    return f"{number:.6g}"


def _ticks(ns: list[int]) -> list[int]:
    """The n to write on the axis: powers of two where there are some, not too many."""
    powers = [n for n in ns if n & (n - 1) == 0]
    ticks = powers if len(powers) > 1 else ns
    step = -(-len(ticks) // MOST_TICKS)
    return ticks[::-1][::step][::-1]

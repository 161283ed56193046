"""Figures beside the curves: accuracy by difficulty, calibration, over-optimisation.

    plot_difficulty({"test": evaluation}, Path("report/difficulty"))     # .svg, .pdf, .png
    plot_calibration({"small": one, "large": other}, Path("report/calibration"))

Each takes runs by name. What the evaluations have nothing for gives no figure, and no files. Styles
and formats are those of `evaluation/report/drawing.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from assay.evaluation.report.drawing import (
    STYLES,
    common_rule,
    draw_axes,
    draw_figure,
    draw_line,
)
from assay.evaluation.report.style import FigureStyle
from assay.selection.curves import Mix
from assay.selection.evaluate import Evaluation
from assay.selection.groups import FIFTHS
from assay.selection.names import MIX_LABELS, RULE_LABELS

__all__ = ["plot_calibration", "plot_difficulty", "plot_over_optimisation"]

Runs = Mapping[str, Evaluation]

OVER = ("majority", "best_of_n", "pass")
CEILING = (0, (5, 2))


def plot_difficulty(
    runs: Runs, path: Path | str, *, style: FigureStyle | None = None
) -> list[Path]:
    """Accuracy in each fifth of the problems, with 95 % intervals, at the largest n.

    One run: its rules. Several: the weighted vote, where all have scores, else the majority vote.
    """
    style = style or FigureStyle()
    known = {
        name: each.groups[each.groups["by"] == "difficulty"]
        for name, each in runs.items()
        if each.groups is not None and (each.groups["by"] == "difficulty").any()
    }
    mixes = [mix for mix in MIX_LABELS if any((f["modes"] == mix).any() for f in known.values())]
    if not mixes:
        return []
    several = len(runs) > 1
    mixes, rule = style.panels(mixes), common_rule(runs)

    def draw(panel: Any, mix: Mix) -> None:
        lines = []
        for (name, frame), line in zip(known.items(), cycle(STYLES.values())):
            own = frame[frame["modes"] == mix]
            last = own[own["n"] == own["n"].max()]
            by_default = [r for r in STYLES if r in runs[name].drawn]
            shown = [rule] if several else [r for r in style.rules or by_default if r in STYLES]
            for each in shown:
                rows = last[last["rule"] == each].set_index("group").reindex(FIFTHS).dropna()
                if len(rows):
                    key = name if several else each
                    label = style.label(key, name if several else RULE_LABELS[each])
                    drawn = style.line(key, line if several else STYLES[each])
                    lines.append((rows, drawn, label))
        for place, (rows, drawn, label) in enumerate(lines):
            # Beside each other, so that the intervals can be told apart.
            shift = 0.09 * (place - (len(lines) - 1) / 2)
            at = [FIFTHS.index(group) + shift for group in rows.index]
            _whiskers(panel, at, rows, drawn, label)
        n = max(
            int(f[f["modes"] == mix]["n"].max()) for f in known.values() if mix in set(f["modes"])
        )
        panel.set_title(f"{style.label(mix, MIX_LABELS[mix])}, n = {n}")
        panel.set_xticks(range(len(FIFTHS)), ["hardest", "2", "3", "4", "easiest"])
        panel.set_xlim(-0.5, len(FIFTHS) - 0.5)
        panel.set_xlabel("fifth of the problems, by share right")
        panel.grid(axis="x", visible=False)

    what = f"accuracy of the {RULE_LABELS[rule]} (%)" if several else "accuracy (%)"
    return draw_figure(mixes, draw, what, path, style)


def plot_calibration(
    runs: Runs, path: Path | str, *, style: FigureStyle | None = None
) -> list[Path]:
    """The share right against the score, a panel for each run, over bars of how many there are."""
    style = style or FigureStyle()
    known = {
        name: each.quality.bins for name, each in runs.items() if each.quality and each.quality.bins
    }
    if not known:
        return []

    def draw(panel: Any, name: str) -> None:
        bins = known[name]
        most = max(b.count for b in bins)
        panel.bar(
            [b.low for b in bins],
            [30 * b.count / most for b in bins],
            width=[b.high - b.low for b in bins],
            align="edge",
            color="#E4E4E4",
            edgecolor="white",
            label="candidates",
        )
        panel.plot([0, 1], [0, 100], color="#6E6E6E", linestyle=CEILING, linewidth=1)
        colour = STYLES["majority"][0]
        at = [b.mean_score for b in bins]
        low, high = [100 * b.right_low for b in bins], [100 * b.right_high for b in bins]
        panel.vlines(at, low, high, color=colour, linewidth=1)
        panel.plot(
            at,
            [100 * b.share_right for b in bins],
            color=colour,
            marker="o",
            markersize=3.6,
            linewidth=1.4,
            label="share right",
        )
        told = style.label(name, name)
        panel.set_title(told if len(runs) > 1 else f"scores by {runs[name].verifier}")
        panel.set_xlim(0, 1)
        panel.set_ylim(0, 100)
        worth = runs[name].quality
        calibrated = worth is not None and worth.calibrated
        panel.set_xlabel("calibrated score" if calibrated else "score of the verifier")

    return draw_figure(list(known), draw, "candidates that are right (%)", path, style)


def plot_over_optimisation(
    runs: Runs, path: Path | str, *, style: FigureStyle | None = None
) -> list[Path]:
    """Best-of-n under the ceiling against n, its best n ringed; of one run majority beside it."""
    style = style or FigureStyle()
    known = {name: each for name, each in runs.items() if each.quality and each.quality.over}
    mixes = [mix for mix in MIX_LABELS if any(mix in each.mixes for each in known.values())]
    if not mixes:
        return []
    several = len(runs) > 1
    mixes = style.panels(mixes)

    def draw(panel: Any, mix: Mix) -> None:
        ns: set[int] = set()
        for (name, each), line in zip(known.items(), cycle(STYLES.values())):
            if mix not in each.mixes:
                continue
            ns.update(each.ns(mix))
            frame = each.frame[each.frame["modes"] == mix]
            for rule in OVER[1:] if several else OVER:
                colour = style.line(name, line)[0]
                own = (colour, "", CEILING) if rule == "pass" else (colour, *line[1:])
                told = style.label(name, name)
                label = f"{told}, pass@n" if rule == "pass" else told
                if not several:
                    own = style.line(rule, STYLES[rule])
                    label = style.label(rule, RULE_LABELS[rule])
                draw_line(panel, frame[frame["rule"] == rule], own, "n", style, label)
            best = style.line("best_of_n", STYLES["best_of_n"])
            _ring(panel, each, mix, (style.line(name, line) if several else best)[0])
        draw_axes(panel, mix, sorted(ns), "n", style)

    return draw_figure(mixes, draw, "accuracy (%)", path, style)


def _ring(panel: Any, evaluation: Evaluation, mix: Mix, colour: str) -> None:
    for over in evaluation.quality.over if evaluation.quality else ():
        if over.modes == mix:
            best = 100 * evaluation.at("best_of_n", mix, over.peak).value
            panel.plot(
                [over.peak], [best], "o", markersize=11, markerfacecolor="none", color=colour
            )


def _whiskers(panel: Any, at: list[float], rows: Any, style: tuple[Any, ...], label: str) -> None:
    colour, marker, line = style
    panel.vlines(at, 100 * rows["low"], 100 * rows["high"], color=colour, linewidth=0.8)
    panel.plot(
        at,
        100 * rows["accuracy"],
        color=colour,
        marker=marker,
        markersize=3.6,
        linestyle=line,
        linewidth=1.2,
        label=label,
    )

"""Accuracy against the number of candidates, as a figure for a paper or a slide.

    plot_curves(evaluation, Path("report/curves"))       # curves.svg, curves.pdf, curves.png
    plot_runs({"small": one, "large": other}, Path("report/curves"))

One panel for each of CoT only, PoT only and both; a band is the 95 % interval over problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from assay.evaluation.report.axes import check_axis
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
from assay.selection.names import MIX_LABELS, RULE_LABELS

__all__ = ["plot_curves", "plot_runs"]


def plot_curves(
    evaluation: Evaluation,
    path: Path | str,
    *,
    style: FigureStyle | None = None,
    x: str = "n",
) -> list[Path]:
    """Writes the figure to `path` with each format as its suffix; returns the files written.

    The same evaluation gives the same bytes. `x` is
    what accuracy is drawn against: n, tokens, flops or seconds; raises `UserError` for another one,
    and where it is not known.
    """
    style = style or FigureStyle()
    check_axis(evaluation, x)
    mixes = style.panels(evaluation.mixes)

    def draw(panel: Any, mix: Mix) -> None:
        frame = evaluation.frame[evaluation.frame["modes"] == mix]
        for rule in _drawn(evaluation, style):
            line = style.line(rule, STYLES[rule])
            name = style.label(rule, RULE_LABELS[rule])
            draw_line(panel, frame[frame["rule"] == rule], line, x, style, name)
        draw_axes(panel, mix, evaluation.ns(mix), x, style, halves=evaluation.shares_modes)
        panel.set_title(style.label(mix, evaluation.mix_label(mix)))

    def label(_: Any, panels: Sequence[Any]) -> None:
        _label_lines(panels[-1], evaluation, mixes[-1], style)

    at_ends = label if style.legend == "ends" else None
    return draw_figure(mixes, draw, "accuracy (%)", path, style, at_ends)


def plot_runs(
    evaluations: Mapping[str, Evaluation],
    path: Path | str,
    *,
    rule: str = "",
    style: FigureStyle | None = None,
    x: str = "n",
) -> list[Path]:
    """The same for several runs: one rule's accuracy, a line for each run.

    `rule` is by default the first of the style's, else the weighted vote, where every run has
    scores, else the majority vote.
    """
    style = style or FigureStyle()
    for evaluation in evaluations.values():
        check_axis(evaluation, x)
    rule = rule or (style.rules or [common_rule(evaluations)])[0]
    mixes = [mix for mix in MIX_LABELS if any(mix in each.mixes for each in evaluations.values())]
    mixes = style.panels(mixes)

    def draw(panel: Any, mix: Mix) -> None:
        ns: set[int] = set()
        for line, (name, each) in zip(cycle(STYLES.values()), evaluations.items()):
            if mix in each.mixes:
                ns.update(each.ns(mix))
                frame = each.frame[each.frame["modes"] == mix]
                rows, line = frame[frame["rule"] == rule], style.line(name, line)
                draw_line(panel, rows, line, x, style, style.label(name, name))
        draw_axes(panel, mix, sorted(ns), x, style)

    told = style.label(rule, RULE_LABELS[rule])
    return draw_figure(mixes, draw, f"accuracy of the {told} (%)", path, style)


def _drawn(evaluation: Evaluation, style: FigureStyle) -> list[str]:
    """The rules in the figure, in the order of `STYLES` unless the style has one."""
    by_default = [rule for rule in STYLES if rule in evaluation.drawn]
    return style.drawn(by_default, set(evaluation.rules) & set(STYLES))


def _label_lines(panel: Any, evaluation: Evaluation, mix: Mix, style: FigureStyle) -> None:
    """Names each line at its right end, in its colour, moved apart where ends are close."""
    frame = evaluation.frame[evaluation.frame["modes"] == mix]
    last = frame[frame["n"] == evaluation.ns(mix)[-1]].set_index("rule")["accuracy"]
    names = _drawn(evaluation, style)
    low, high = panel.get_ylim()
    # A line of text, in units of the axis.
    least = 1.55 * style.font_size / (72 * style.height * 0.78) * (high - low)
    ends = {rule: 100 * float(last[rule]) for rule in names}
    for rule, place in _apart(ends, least, low, high).items():
        panel.annotate(
            style.label(rule, RULE_LABELS[rule]),
            xy=(1, ends[rule]),
            xytext=(1.04, place),
            xycoords=("axes fraction", "data"),
            textcoords=("axes fraction", "data"),
            color=style.line(rule, STYLES[rule])[0],
            va="center",
            annotation_clip=False,
        )


def _apart(ends: dict[str, float], least: float, low: float, high: float) -> dict[str, float]:
    """Places for labels as near to their `ends` as can be, at least `least` apart, in the axis.

    Least squares under the order of the ends: neighbours that would overlap are merged into blocks,
    each centred on its labels' ends (pool adjacent violators).
    """
    order = sorted(ends, key=lambda name: ends[name])
    blocks: list[list[float]] = []  # the labels' ends, less what stands below them in the block
    for index, name in enumerate(order):
        blocks.append([ends[name] - index * least])
        while len(blocks) > 1 and _mean(blocks[-2]) > _mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    shifted = [_mean(block) for block in blocks for _ in block]
    highest = high - (len(order) - 1) * least
    return {
        name: max(low, min(shifted[index], highest)) + index * least
        for index, name in enumerate(order)
    }


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)

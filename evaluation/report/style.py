"""How figures look: sizes, fonts, colours, names, which lines, and how intervals are drawn.

# paper.yaml, for `assay report RUN style=paper.yaml`
width: 5.5
height: 2.2
font: serif
font_size: 8
legend: below
intervals: whiskers
rules: [weighted, majority, pass]
labels: {weighted: Weighted vote (ours), majority: Self-consistency}
colours: {weighted: "#D55E00"}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.selection.names import MIX_LABELS, RULE_LABELS
from assay.settings.errors import UserError

__all__ = ["FORMATS", "FigureStyle", "Line"]

FORMATS = ("svg", "pdf", "png")
LEGENDS = ("ends", "beside", "below", "inside", "none")
INTERVALS = ("band", "whiskers", "none")
PANEL, LABELS, MARGIN = 3.1, 1.45, 0.3  # inches

Line = tuple[str, str, Any]
"""Colour, marker and line style of matplotlib."""


@dataclass
class FigureStyle:
    """How figures look."""

    width: float = 0.0
    """of a figure in inches; 0 = 3.1 for each panel, and room for the names of the lines"""
    height: float = 3.5
    """of a figure in inches"""
    font: str = ""
    """a family, for example serif or Times New Roman; empty = sans-serif"""
    font_size: float = 9.0
    """in points"""
    line_width: float = 1.6
    """in points"""
    rules: list[str] = field(default_factory=list)
    """the lines, in their order: single, majority, weighted, …; empty = those of the page"""
    modes: list[str] = field(default_factory=list)
    """the panels, in their order: cot, pot, both; empty = all"""
    colours: dict[str, str] = field(default_factory=dict)
    """rule, or with several runs run: colour, for example '{weighted: "#D55E00"}'"""
    labels: dict[str, str] = field(default_factory=dict)
    """names in figures and in tables for papers: of a rule, a run, modes (cot, pot, both), an axis
    (n, tokens, flops, seconds, y)"""
    legend: str = "ends"
    """names of the lines: ends (at their right ends; of several runs beside) | beside | below |
    inside | none"""
    intervals: str = "band"
    """the 95 % intervals of curves: band | whiskers | none"""
    titles: bool = True
    """a title over each panel"""
    y: list[float] = field(default_factory=list)
    """lowest and highest accuracy in % of the axis; empty = by the lines"""
    formats: list[str] = field(default_factory=lambda: list(FORMATS))
    """svg, pdf, png, eps"""
    dpi: int = 200
    """of png"""

    def check(self) -> None:
        """Raises `UserError` naming the key that is wrong."""
        for key, value, known in (
            ("legend", [self.legend], LEGENDS),
            ("intervals", [self.intervals], INTERVALS),
            ("rules", self.rules, tuple(RULE_LABELS)),
            ("modes", self.modes, tuple(MIX_LABELS)),
            ("formats", self.formats, (*FORMATS, "eps")),
        ):
            for each in value:
                if each not in known:
                    raise UserError(f"figures.{key}={each}: expected one of {', '.join(known)}")
        for key in ("height", "font_size", "line_width", "dpi"):
            if not getattr(self, key) > 0:
                raise UserError(f"figures.{key}={getattr(self, key)}: expected a number above 0")
        if self.width < 0:
            raise UserError(f"figures.width={self.width}: expected inches, or 0")
        if self.y and (len(self.y) != 2 or not self.y[0] < self.y[1]):
            raise UserError(f"figures.y={self.y}: expected [LOWEST, HIGHEST]")
        self._check_drawable()

    def _check_drawable(self) -> None:
        """Colours and fonts, which matplotlib knows."""
        from matplotlib.colors import is_color_like
        from matplotlib.font_manager import FontProperties, findfont

        for name, colour in self.colours.items():
            if not is_color_like(colour):
                raise UserError(f"figures.colours.{name}={colour}: expected a colour as #D55E00")
        if self.font:
            try:
                findfont(FontProperties(family=self.font), fallback_to_default=False)
            except ValueError as error:
                raise UserError(f"figures.font={self.font}: no such font here") from error

    def label(self, name: str, default: str) -> str:
        """What a rule, a run, modes or an axis are called."""
        return self.labels.get(name, default)

    def line(self, name: str, default: Line) -> Line:
        """The line of a rule or a run, in its own colour where it has one."""
        return self.colours.get(name, default[0]), *default[1:]

    def drawn(self, default: Sequence[str], known: Iterable[str]) -> list[str]:
        """The rules to draw. Raises `UserError` for one that was asked for and is not `known`."""
        known = set(known)
        for rule in self.rules:
            if rule not in known:
                raise UserError(f"figures.rules: {rule} is not known of this run")
        return list(self.rules or default)

    def panels(self, mixes: Sequence[Any]) -> list[Any]:
        """The modes to draw, of those that there are; all where none of them was asked for."""
        return [mix for mix in self.modes if mix in mixes] or list(mixes)

    def size(self, panels: int) -> tuple[float, float]:
        """Width and height of a figure of so many panels, in inches."""
        beside = LABELS if self.legend in ("ends", "beside") else MARGIN
        return self.width or PANEL * panels + beside, self.height

    def settings(self) -> dict[str, Any]:
        """What of this matplotlib is told at once."""
        return {
            "font.family": self.font or "sans-serif",
            "font.size": self.font_size,
            "axes.titlesize": self.font_size + 1,
        }

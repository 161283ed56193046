"""Tables for the terminal: their widths, lines, rules, footers and cells.

At most 80 columns wide, whatever is in them: one layout for every terminal and for files.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

from assay.selection.intervals import Interval

__all__ = [
    "CURVE_COLUMNS",
    "NAMES",
    "NARROW",
    "SIGNED",
    "WIDE",
    "WIDTH",
    "flops_unit",
    "interval_cell",
    "printable",
    "table_footer",
    "table_line",
    "table_rule",
    "three_digits",
]


# A margin of 2, a column of names, then columns of fixed width.
WIDTH = 80


NAMES, WIDE, NARROW, CURVE_COLUMNS = 20, 19, 6, 9


SIGNED = 24  # a difference with its interval


def table_line(name: str, cells: list[str], marked: set[int] | None = None) -> str:
    """One row; `marked` cells are bold (escape codes have no width: cells come padded)."""
    shown = [
        f"\x1b[1m{cell}\x1b[0m" if index in (marked or ()) else cell
        for index, cell in enumerate(cells)
    ]
    return f"  {name:<{NAMES}}{''.join(shown)}".rstrip()


def table_rule(columns: int, width: int = WIDE) -> str:
    return "  " + "─" * (NAMES + columns * width)


def table_footer(seconds: Mapping[str, float] | None, notes: Sequence[str]) -> list[str]:
    """The time that each stage took, and the notes, as lines under a table."""
    lines: list[str] = []
    if seconds:
        spent = " · ".join(f"{stage} {value:,.0f} s" for stage, value in seconds.items())
        lines += ["", *_wrapped(f"time: {spent}")]
    for note in notes:
        lines += _wrapped(f"note: {note}")
    return lines


def _wrapped(text: str) -> list[str]:
    # Not at hyphens: a path in a note can be copied.
    return textwrap.wrap(
        text, WIDTH - 2, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )


def interval_cell(found: Interval, sign: str = "") -> str:
    """`72.5 [68.1, 76.6]`, padded so that the values of a column stand under each other.

    100 % is `100`, so that no cell is wider than its column.
    """
    value, low, high = (
        f"{100 * x:{sign}.1f}".replace("-", "−").replace("100.0", "100")
        for x in (found.value, found.low, found.high)
    )
    return f"{value:>5} [{low}, {high}]".ljust(SIGNED if sign else WIDE)


def flops_unit(flops: float) -> tuple[float, str]:
    """The unit in which a number of FLOPs has few digits, and its name."""
    units = {1e6: "MFLOPs", 1e9: "GFLOPs", 1e12: "TFLOPs", 1e15: "PFLOPs"}
    unit = max((unit for unit in units if unit <= flops), default=1e6)
    return unit, units[unit]


def three_digits(value: float, scale: float) -> str:
    """The value with as many decimals as give a number like `scale` three digits."""
    decimals = 2 - math.floor(math.log10(scale)) if scale > 0 else 0
    return f"{value:,.{min(max(decimals, 0), 9)}f}"


def printable(text: str) -> str:
    """Text with everything escaped that a terminal would obey or cannot show, line ends too."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )

"""The suite's results for a terminal of 110 columns and as Markdown.

Three tables: the greedy decodings, the votes where there are any, and ours beside the paper's rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.evaluation.terminal import table_footer
from assay.search.drivers.suite.published import CITATION
from assay.search.drivers.suite.results import DECODINGS, SuiteResult
from assay.search.drivers.suite.sets import SUITE
from assay.selection.intervals import Interval
from assay.selection.names import rule_label

__all__ = ["markdown", "table"]

CELL, CEILING = 21, 8


@dataclass(frozen=True)
class _Grid:
    """A table as texts; the last `foot` rows stand under a rule."""

    title: str
    head: list[str]
    rows: list[list[str]]
    widths: list[int]
    foot: int = 1


def table(result: SuiteResult) -> str:
    """All tables for a terminal of 110 columns."""
    lines: list[str] = []
    for grid in _grids(result):
        lines += [f"  {grid.title}", "", *_terminal(grid), ""]
    return "\n".join([*lines[:-1], *table_footer(None, result.notes())])


def markdown(result: SuiteResult, pages: Mapping[str, str]) -> str:
    """The same tables as a Markdown page; `pages` links sets to their reports."""
    blocks = [f"# {result.label} on {len(result.sets)} sets"]
    for grid in _grids(result):
        rule = "|" + " --- |" + " ---: |" * (len(grid.head) - 1)
        rows = [_markdown_row(row) for row in grid.rows]
        blocks += [f"{grid.title}.", "\n".join([_markdown_row(grid.head), rule, *rows])]
    if result.notes():
        blocks.append("\n".join(f"- {note}" for note in result.notes()))
    if pages:
        blocks.append("\n".join(f"- [{name}]({page})" for name, page in pages.items()))
    return "\n\n".join(blocks) + "\n"


def _grids(result: SuiteResult) -> list[_Grid]:
    votes = [_votes(result)] if result.votes else []
    return [_decodings(result), *votes, _published(result)]


def _decodings(result: SuiteResult) -> _Grid:
    rows = []
    for one in result.sets:
        fall_back = result.fall_back(one)
        cells = [_cell(result.at(one, what)) for what in DECODINGS]
        rate = "–" if fall_back is None else _cell(fall_back)
        rows.append([SUITE[one.name].title, f"{one.problems:,}", *cells, rate])
    cells = [_cell(result.average(what)) for what in DECODINGS]
    total = sum(one.problems for one in result.sets)
    rows.append(["average", f"{total:,}", *cells, ""])
    return _Grid(
        title=f"{result.label}, greedy; accuracy in % [95 % interval over problems]",
        head=["", "problems", *DECODINGS.values(), "hybrid fell back"],
        rows=rows,
        widths=[14, 9, *[CELL] * 4],
    )


def _votes(result: SuiteResult) -> _Grid:
    ns = sorted({one.n for one in result.sets})
    n = ns[0] if len(ns) == 1 else None
    votes = [vote for vote in result.votes if vote != "pass"]
    rows = [
        [
            SUITE[one.name].title,
            *(_cell(result.at(one, vote)) for vote in votes),
            f"{100 * result.at(one, 'pass').value:.1f}",
        ]
        for one in result.sets
    ]
    means = [_cell(result.average(vote)) for vote in votes]
    rows.append(["average", *means, f"{100 * result.average('pass').value:.1f}"])
    many = f"{n} samples" if n else f"{ns[0]} to {ns[-1]} samples"
    return _Grid(
        title=f"{result.label}, {many} of each problem; accuracy in % [95 % interval]",
        head=["", *(rule_label(vote, n) for vote in votes), "pass@n"],
        rows=rows,
        widths=[14, *[CELL] * len(votes), CEILING],
    )


def _published(result: SuiteResult) -> _Grid:
    """Ours beside the paper's: models as rows, sets as columns, the average over these sets."""
    names = result.names
    rows = [
        [
            f"{_short(result.label)} {label}",
            *(f"{100 * result.at(one, what).value:.1f}" for one in result.sets),
            f"{100 * result.average(what).value:.1f}",
        ]
        for what, label in DECODINGS.items()
    ]
    for row in result.published:
        cells = [f"{row.of(name):.1f}" for name in names]
        rows.append([f"{row.model} {DECODINGS[row.decoding]}", *cells, f"{row.mean(names):.1f}"])
    titles = [SUITE[name].title for name in names]
    return _Grid(
        title=f"beside {CITATION}; accuracy in %",
        head=["", *titles, "average"],
        rows=rows,
        widths=[25, *(max(7, len(title) + 1) for title in titles), 8],
        foot=len(result.published),
    )


def _short(label: str) -> str:
    """The name within the column that the paper's models need."""
    name = label.rpartition("/")[2]
    return name if len(name) <= 17 else f"{name[:16]}…"


def _cell(interval: Interval) -> str:
    value, low, high = (f"{100 * x:.1f}" for x in (interval.value, interval.low, interval.high))
    return f"{value} [{low}, {high}]"


def _terminal(grid: _Grid) -> list[str]:
    rule = "  " + "─" * sum(grid.widths)
    body, foot = grid.rows[: -grid.foot], grid.rows[-grid.foot :]
    lines = [_line(grid.head, grid.widths), rule]
    lines += [_line(row, grid.widths) for row in body]
    return [*lines, rule, *(_line(row, grid.widths) for row in foot)]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return ("  " + f"{first[0]:<{first[1]}}" + "".join(f"{c:>{w}}" for c, w in others)).rstrip()


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"

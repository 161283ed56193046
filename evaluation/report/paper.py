r"""Tables for papers and README files: LaTeX with booktabs, and Markdown.

    for name, table in paper_tables([("test", evaluation)], FigureStyle()).items():
        print(latex(table))           # \begin{tabular}{lrr} \toprule …
        print(markdown(table))        # | | CoT only | both | …

Accuracies are in percent with their 95 % intervals, differences in points; the best of each column
is bold, the ceiling aside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.evaluation.report.sections.accuracy import accuracy_tables
from assay.evaluation.report.sections.texts import Runs, interval_texts, percent, run_label
from assay.evaluation.report.style import FigureStyle
from assay.selection.evaluate import Evaluation
from assay.selection.intervals import Interval, p_text
from assay.selection.names import RULE_LABELS

__all__ = ["PaperTable", "latex", "markdown", "paper_tables"]


@dataclass(frozen=True)
class PaperTable:
    """A table: names of its columns, and rows of a name and cells; `best` are bold.

    A cell is what stands in it, and the interval in brackets after it where there is one.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    best: frozenset[tuple[int, int]] = frozenset()


def paper_tables(runs: Runs, style: FigureStyle) -> dict[str, PaperTable]:
    """By name: `accuracy` (rules against modes, or runs, at the largest n), `curves` (rules against
    n) and `differences` (rule minus majority vote); of several modes or runs with their names.

    Rules and names are the style's.
    """
    tables = {}
    for each in accuracy_tables(runs):
        name = f"accuracy-{each['title'].split()[0].lower()}" if each["title"] else "accuracy"
        tables[name] = _accuracy(each, style)
    for name, evaluation in runs:
        for mix in style.panels(evaluation.mixes):
            single = len(runs) == 1 and len(evaluation.mixes) == 1
            end = "" if single else f"-{_file_name(run_label(runs, name, mix))}"
            tables[f"curves{end}"] = _curves(evaluation, mix, style)
            if differences := _differences(evaluation, mix, style):
                tables[f"differences{end}"] = differences
    return tables


def _file_name(label: str) -> str:
    kept = "".join(letter if letter.isalnum() else "-" for letter in label.lower())
    return "-".join(filter(None, kept.replace("only", "").split("-")))


def _accuracy(table: Mapping[str, Any], style: FigureStyle) -> PaperTable:
    rows, best = [], set()
    known = {row["rule"]: row for row in table["rows"]}
    shown = [rule for rule in style.rules if rule in known] or list(known)
    for place, rule in enumerate(shown):
        cells = []
        for column, cell in enumerate(known[rule]["cells"]):
            cells.append(("—", "") if cell is None else (cell["value"], _between(cell)))
            if cell is not None and cell["best"]:
                best.add((place, column))
        rows.append((style.label(rule, known[rule]["label"]), tuple(cells)))
    columns = tuple(style.label(name, name) for name in table["columns"])
    return PaperTable(columns, tuple(rows), frozenset(best))


def _between(cell: Mapping[str, str]) -> str:
    return f"[{cell['low']}, {cell['high']}]"


def _curves(evaluation: Evaluation, mix: Any, style: FigureStyle) -> PaperTable:
    """Accuracy at every n, without intervals: rows of a dozen numbers have no room for them."""
    ns = evaluation.ns(mix)
    rows = [
        (
            style.label(rule, RULE_LABELS[rule]),
            tuple((percent(evaluation.mean(rule, mix, n)), "") for n in ns),
        )
        for rule in style.rules or evaluation.drawn
        if (rule != "single") and (rule, mix, ns[0]) in evaluation.per_problem
    ]
    return PaperTable(tuple(f"n = {n}" for n in ns), tuple(rows))


def _differences(evaluation: Evaluation, mix: Any, style: FigureStyle) -> PaperTable | None:
    """Rule minus majority vote at the largest n, with p-values; None without any."""
    frame = evaluation.differences
    frame = frame[frame["modes"] == mix]
    if frame.empty:
        return None
    n = int(frame["n"].max())
    rows = []
    for row in frame[frame["n"] == n].to_dict("records"):
        if row["rule"] in (style.rules or evaluation.drawn):
            told = interval_texts(Interval(row["difference"], row["low"], row["high"]), "+")
            p = p_text(row["p"], evaluation.config.bootstrap).removeprefix("p ").removeprefix("= ")
            name = style.label(row["rule"], RULE_LABELS[row["rule"]])
            rows.append((name, ((told["value"], _between(told)), (p, ""))))
    return PaperTable((f"minus majority vote, n = {n}", "p"), tuple(rows)) if rows else None


# ---- Markup ----

_LATEX = {
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{"−": "$-$", "—": "---", "≤": r"$\leq$", "<": "$<$", ">": "$>$", "≥": r"$\geq$"},
}


def latex(table: PaperTable) -> str:
    r"""The table as a `tabular` of booktabs; intervals in small type."""

    def cell(text: str, interval: str, bold: bool) -> str:
        shown = rf"\textbf{{{_escaped(text)}}}" if bold else _escaped(text)
        return rf"{shown} {{\small {_escaped(interval)}}}" if interval else shown

    lines = [
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(["", *map(_escaped, table.columns)]) + r" \\",
        r"\midrule",
        *(" & ".join([_escaped(name), *cells]) + r" \\" for name, cells in _cells(table, cell)),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "% needs \\usepackage{booktabs}\n" + "\n".join(lines) + "\n"


def markdown(table: PaperTable) -> str:
    """The table in Markdown, as GitHub and many others read it."""

    def cell(text: str, interval: str, bold: bool) -> str:
        shown = f"**{text}**" if bold else text
        return f"{shown} {interval}" if interval else shown

    head = ["", *table.columns]
    lines = [head, ["---", *(["---:"] * len(table.columns))]]
    lines += [[name, *cells] for name, cells in _cells(table, cell)]
    escaped = [[each.replace("|", "\\|") for each in row] for row in lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in escaped)


def _cells(table: PaperTable, cell: Any) -> Sequence[tuple[str, list[str]]]:
    return [
        (name, [cell(*each, (row, column) in table.best) for column, each in enumerate(cells)])
        for row, (name, cells) in enumerate(table.rows)
    ]


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)

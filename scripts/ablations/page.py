"""The ablations' results as Markdown, readable as it is in a terminal.

    print(page(results, "python scripts/ablations/run.py"))

`results` is what `ablations.json` holds.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["cell", "page", "table"]


def page(results: Mapping[str, Any], command: str) -> str:
    """The whole page."""
    lines = ["# Ablations", "", f"    {command}", "", *_about(results)]
    for ablation in results["ablations"].values():
        lines += ["", f"## {ablation['title']}", "", f"Cobbe et al. 2021, {ablation['paper']}.", ""]
        lines += _ablation(ablation)
    return "\n".join(lines) + "\n"


def _about(results: Mapping[str, Any]) -> Iterator[str]:
    config, seeds = results["config"], results["options"]["seeds"]
    (test,) = config["tests"].values()
    yield from _wrapped(
        f"Unless a table says otherwise: verifiers trained on {config['pool']['limit'] or 'all'} "
        f"problems of {config['problems']['name']} with {_modes(config['pool_modes'])} candidates "
        f"each, {config['verifier']['epochs']} epochs; tested on {test['limit'] or 'all'} problems "
        f"({test['split']}) with {_modes(config['modes'])}."
    )
    yield ""
    for name, counts in results["pools"].items():
        yield from _wrapped(f'- Generator "{name}": {"; ".join(counts)}.')
    yield ""
    many = f"means over {seeds} seeds" if seeds > 1 else "of one seed"
    crossed = " and, crossed with them, over the seeds" if seeds > 1 else ""
    yield from _wrapped(
        f"Figures are {many}, in per cent (AUC × 100), with 95 % bootstrap intervals over the test "
        f"problems{crossed}; differences are paired. The candidates are the same throughout: the "
        "intervals do not speak of other generators. Accuracies of n are expectations over random "
        "subsets of the pool, half in words, half programs. AUC within problem is the mean over "
        "problems with right and wrong candidates: what a choice can use; within problem and mode, "
        "words and programs are kept apart as well. Seconds are of one process, on a machine that "
        "may have been busy."
    )


def _ablation(ablation: Mapping[str, Any]) -> Iterator[str]:
    variants = ablation["variants"]
    baseline = ablation["baseline"]
    rows = [
        ["training problems", *(f"{v['problems']:,}" for v in variants.values())],
        ["training candidates", *(f"{v['candidates']:,.0f}" for v in variants.values())],
        ["steps", *(f"{v['steps']:,.0f}" for v in variants.values())],
        ["training seconds", *(f"{v['training_seconds']:,.0f}" for v in variants.values())],
    ]
    for name in variants[baseline]["measures"]:
        signed = "−" in name
        rows.append([name, *(cell(v["measures"][name], signed) for v in variants.values())])
    yield from table(["", *variants], rows)
    yield ""
    yield f'Difference to "{baseline}", in points:'
    yield ""
    others = {column: v["differences"] for column, v in variants.items() if column != baseline}
    compared = [
        [name, *(cell(differences[name], True) for differences in others.values())]
        for name in variants[baseline]["measures"]
        # Where all have one generator, the vote without a verifier cannot differ.
        if any(differences[name]["value"] for differences in others.values())
    ]
    yield from table(["", *others], compared)


def cell(found: Mapping[str, Any], signed: bool = False) -> str:
    """A fraction in per cent with its interval.

    >>> cell({"value": -0.1, "low": -0.2, "high": 0.0}, signed=True)
    '−10.0 [−20.0, +0.0]'
    """
    value, low, high = (_percent(found[name], signed) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _percent(share: float | None, signed: bool) -> str:
    if share is None:
        return "–"
    # Nothing is "−0.0".
    return f"{round(100 * share, 1) + 0.0:{'+' if signed else ''}.1f}".replace("-", "−")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A Markdown table whose columns are padded to one width each, numbers to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *others = cells
        padded = [first.ljust(widths[0])]
        padded += [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        return f"| {' | '.join(padded)} |"

    yield line(head)
    yield line(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    yield from map(line, rows)


def _modes(modes: Mapping[str, int]) -> str:
    return " + ".join(f"{count} {name}" for name, count in modes.items())


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 100, subsequent_indent="  " if text.startswith("- ") else "")

"""`assay scale`: pass@n and the majority vote beyond what a pool holds, checked on themselves.

    assay scale runs/demo                       # to 10 000 candidates
    assay scale runs/small runs/large frontier=flops    # and the best of both at each budget

The fits are in `assay.selection.scaling`; every table ends with what the same fits would have said
of the whole pool from an eighth of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.frontier import compute_optimal, frontier_lines
from assay.evaluation.of_run import estimable, graded, open_run, unfinished
from assay.evaluation.scaling import MODELS, Extrapolation, ScaleConfig, extrapolate
from assay.evaluation.terminal import SIGNED, interval_cell, table_footer
from assay.pools.frame import load_frame
from assay.pools.imported import check_grading, note_on
from assay.selection.intervals import Interval
from assay.selection.names import MIX_LABELS, count
from assay.selection.pool import PoolArrays
from assay.settings.errors import UserError
from assay.settings.schema import fields_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ScaleRunConfig", "run_scale", "table"]

MEASURES = {"pass": "pass@n", "majority": "majority vote"}


@dataclass
class ScaleRunConfig(ScaleConfig):
    """What `assay scale` reads."""

    frontier: str = ""
    """flops | tokens: also the best of all runs, rules, n and stopping rules at each budget"""
    grading: str = "ours"
    """whose labels count: ours, or theirs where labels came along with imported candidates"""
    json: bool = False
    """print everything as JSON instead of the tables"""
    csv: bool = False
    """print a row per run, measure, model and n as CSV instead of the tables"""


def run_scale(config: ScaleRunConfig) -> None:
    """`assay scale`: prints the tables of each run, or everything as JSON or CSV."""
    if not config.runs:
        raise UserError("runs: expected the folder of a run, for example assay scale runs/demo")
    check_grading(config.grading)
    settings = fields_of(ScaleConfig, config)
    found: dict[str, Extrapolation] = {}
    runs = {path: open_run(path) for path in config.runs}
    best = []
    if config.frontier:
        best = compute_optimal(runs, config.frontier, config.seed, config.grading)
    for path, run in runs.items():
        frame, limits = estimable(load_frame(run), run)
        pool = PoolArrays.from_frame(graded(frame, run, config.grading), unfinished(run))
        found[path] = extrapolate(pool, settings)
        if not (config.json or config.csv):
            title = [f"{path}\n"] if len(config.runs) > 1 else []
            notes = table_footer(None, [*limits, *note_on(frame, config.grading)])
            print("\n".join([*title, table(found[path]), *notes, ""]))
    if best and not (config.json or config.csv):
        print("\n".join(frontier_lines(best, config.frontier)))
    if config.json:
        dicts: list[Any] = [{"run": path, **each.to_dict()} for path, each in found.items()]
        if best:
            rows = [{**row, "accuracy": vars(row["accuracy"])} for row in best]
            dicts[0]["frontier"] = rows
        print(json.dumps(dicts[0] if len(dicts) == 1 else dicts, indent=2, ensure_ascii=False))
    elif config.csv:
        import pandas as pd

        frames = [each.frame.assign(run=path) for path, each in found.items()]
        print(pd.concat(frames).to_csv(index=False), end="")


# For the terminal

_COLUMNS, _NUMBER, _LABEL = 6, 7, 20


def table(found: Extrapolation) -> str:
    """The extrapolation for a terminal of 80 columns."""
    lines = [
        f"  {count(found.problems, 'problem')}, {MIX_LABELS[found.mix]}: "
        f"{count(found.size, 'candidate')} each; in %",
    ]
    ns = _shown(found)
    last = ns[-1]
    for measure, rows in found.frame.groupby("measure", sort=False):
        heads = "".join(f"{n:>{_NUMBER},}" for n in ns)
        lines += [
            "",
            f"  {MEASURES[str(measure)]:<{_LABEL}}{heads} [95 %]",
            "  " + "─" * 76,
        ]
        for model, own in rows.groupby("model", sort=False):
            lines.append(f"  {_name(str(model)):<{_LABEL}}{_cells(own, ns, last)}".rstrip())
    if len(found.check):
        lines += _check_lines(found.check)
    return "\n".join([*lines, *table_footer(None, found.notes)])


def _shown(found: Extrapolation) -> list[int]:
    """Some n, evenly spaced in the list; the size and the last are among them."""
    ns = sorted(set(found.frame["n"]))
    picked = {ns[i] for i in np.linspace(0, len(ns) - 1, _COLUMNS).round().astype(int)}
    near = min(picked - {ns[0], ns[-1]} or picked, key=lambda n: abs(np.log(n / found.size)))
    return sorted((picked - {near}) | {found.size, ns[-1]})


def _name(model: str) -> str:
    return "answers' posterior" if model == "dirichlet" else MODELS[model].replace("of the", "of")


def _cells(rows: pd.DataFrame, ns: Sequence[int], last: int) -> str:
    own = rows.set_index("n")
    cells = [
        f"{100 * own['value'][n]:>{_NUMBER}.1f}" if n in own.index else " " * _NUMBER for n in ns
    ]
    if last in own.index:
        cells.append(f" [{100 * own['low'][last]:.1f}, {100 * own['high'][last]:.1f}]")
    return "".join(cells)


def _check_lines(check: pd.DataFrame) -> list[str]:
    first = check.iloc[0]
    lines = [
        "",
        f"  the check: fitted on {count(int(first['fitted']), 'candidate')}, predicted for "
        f"{first['predicted_n']}",
        f"  {'':<{_LABEL + 8}}{'predicted':>10}{'measured':>10}   {'error, points':<{SIGNED}}",
        "  " + "─" * 76,
    ]
    for row in check.to_dict("records"):
        label = f"{'pass@n' if row['measure'] == 'pass' else 'vote'}: {_name(row['model'])}"
        error = interval_cell(Interval(row["error"], row["low"], row["high"]), "+")
        lines.append(
            f"  {label:<{_LABEL + 8}}{100 * row['predicted']:>10.1f}"
            f"{100 * row['measured']:>10.1f}   {error}".rstrip()
        )
    return lines

"""Several verifiers of one pool side by side: each rule with the scores of each.

    print(comparison([evaluate(pool, EvaluateConfig(verifier=name)) for name in ("a", "b")]))

The evaluations are of one pool with the same settings, so that all use the same subsets of the
candidates and the same resamples of the problems, and their differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assay.evaluation.table import cost_rows, unfinished_rows
from assay.evaluation.terminal import (
    NAMES,
    WIDE,
    interval_cell,
    table_footer,
    table_line,
    table_rule,
)
from assay.selection.curves import Mix
from assay.selection.evaluate import Evaluation
from assay.selection.names import MIX_LABELS, SCORED_RULES, count, rule_label

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["comparison", "frame_of"]

INDENT = "  "


def comparison(
    evaluations: Sequence[Evaluation], *, seconds: Mapping[str, float] | None = None
) -> str:
    """A table of 80 columns: rules without scores once, the others with each verifier's scores.

    Below it the differences between each verifier and the first, for the last modes ("both" where
    there are both) at the largest n.
    """
    first = evaluations[0]
    n, mixes, k = first.table_n, first.mixes, first.config.k
    lines = [
        f"  {count(len(first.problem_ids), 'problem')} · {count(n, 'candidate')} each · "
        f"{len(evaluations)} verifiers",
        "  accuracy in % [95 % interval over problems]",
        "",
        table_line("", [f" {first.mix_label(mix)}".ljust(WIDE) for mix in mixes]),
        table_rule(len(mixes)),
    ]
    for rule in first.rules:
        label = rule_label(rule, n, k)
        if rule not in SCORED_RULES:
            lines.append(_row(label, first, rule, n))
            continue
        lines.append(f"{INDENT}{label}")
        lines += [_row(_shown(each.verifier), each, rule, n) for each in evaluations]
    for label, each_cells in cost_rows(evaluations):
        lines.append(f"{INDENT}{label}")
        for each, cells in zip(evaluations, each_cells, strict=True):
            lines.append(table_line(_shown(each.verifier), cells))
    lines += [table_line(*row) for row in unfinished_rows(first)]
    lines += ["", *_differences(evaluations), *table_footer(seconds, _notes(evaluations))]
    return "\n".join(lines)


def frame_of(evaluations: Sequence[Evaluation]) -> pd.DataFrame:
    """All rows of the evaluations, with the verifier's name in the first column where several."""
    import pandas as pd

    if len(evaluations) == 1:
        return evaluations[0].frame
    frames = [each.frame.assign(verifier=each.verifier) for each in evaluations]
    whole = pd.concat(frames, ignore_index=True)
    return whole[["verifier", *frames[0].columns.drop("verifier")]]


def _notes(evaluations: Sequence[Evaluation]) -> list[str]:
    """The notes of all, each once."""
    return list(dict.fromkeys(note for each in evaluations for note in each.notes))


def _row(label: str, evaluation: Evaluation, rule: str, n: int) -> str:
    at = 1 if rule == "single" else n
    return table_line(
        label, [interval_cell(evaluation.at(rule, mix, at)) for mix in evaluation.mixes]
    )


def _shown(verifier: str) -> str:
    return "  " + (verifier if len(verifier) <= NAMES - 3 else verifier[: NAMES - 4] + "…")


def _differences(evaluations: Sequence[Evaluation]) -> list[str]:
    first = evaluations[0]
    mix: Mix = first.mixes[-1]
    n = first.ns(mix)[-1]
    lines = [
        f"  verifier − {first.verifier} ({MIX_LABELS[mix]}, n = {n}; paired over problems, "
        "in points)"
    ]
    for rule in (rule for rule in SCORED_RULES if rule in first.rules):
        lines.append(f"{INDENT}{rule_label(rule, n, first.config.k)}")
        for each in evaluations[1:]:
            found = each.difference_to(first, (rule, mix, n))
            lines.append(table_line(_shown(each.verifier), [interval_cell(found, "+")]))
    return lines

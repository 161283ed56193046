"""Two gradings of one pool, side by side: ours, and the one that came with imported candidates.

print(gradings(load_frame(run)))        # how often they agree, and examples where they do not
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.evaluation.terminal import printable, table_line, table_rule
from assay.pools.imported import has_labels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["agreement", "gradings"]

_JUDGED = {True: "right", False: "wrong"}
_OPEN = "undecided"
_ROWS = (*_JUDGED.values(), _OPEN)
EXAMPLES = 5
CELL = 12


def gradings(frame: pd.DataFrame, examples: int = EXAMPLES) -> str | None:
    """A table of both gradings, with examples of what they differ in; `None` without theirs."""
    if not has_labels(frame):
        return None
    ours, theirs = (_words(frame[name]) for name in ("label", "imported_label"))
    counts = _counts(ours, theirs)
    lines = [
        "  imported labels (theirs) against the strict grader (ours), candidates",
        "",
        table_line("", [f"{f'ours {name}':>{CELL + 4}}" for name in _ROWS]),
        table_rule(len(_ROWS), CELL + 4),
    ]
    lines += [
        table_line(f"theirs {a}", [f"{counts[a, b]:>{CELL + 4},}" for b in _ROWS]) for a in _ROWS
    ]
    lines.append(f"  {_agree(counts)}")
    lines += _examples(frame[(ours != theirs) & (ours != _OPEN) & (theirs != _OPEN)], examples)
    return "\n".join(lines)


def agreement(frame: pd.DataFrame) -> str | None:
    """How far both gradings agree, in a line; `None` without theirs."""
    if not has_labels(frame):
        return None
    ours, theirs = (_words(frame[name]) for name in ("label", "imported_label"))
    return f"imported labels (theirs) and the strict grader (ours) {_agree(_counts(ours, theirs))}"


def _counts(ours: pd.Series[str], theirs: pd.Series[str]) -> dict[tuple[str, str], int]:
    """How many candidates there are of each (theirs, ours)."""
    return {(a, b): int(((theirs == a) & (ours == b)).sum()) for a in _ROWS for b in _ROWS}


def _agree(counts: dict[tuple[str, str], int]) -> str:
    decided = sum(counts[a, b] for a in _JUDGED.values() for b in _JUDGED.values())
    agreed = sum(counts[a, a] for a in _JUDGED.values())
    share = f"{100 * agreed / decided:.1f} % of" if decided else "0 of"
    return (
        f"agree on {share} the {decided:,} that both decide; only theirs right "
        f"{counts['right', 'wrong']:,}, only ours right {counts['wrong', 'right']:,}"
    )


def _words(labels: pd.Series[bool]) -> pd.Series[str]:
    return labels.astype(object).map(_JUDGED).fillna(_OPEN)


def _examples(rows: pd.DataFrame, most: int) -> list[str]:
    if rows.empty or not most:
        return []
    # One of each problem: a hard answer repeats itself.
    shown = rows.drop_duplicates("problem_id").head(most)
    lines = ["  where they differ, for example"]
    for row in shown.to_dict("records"):
        kind = f"{row['origin']} {row['mode']}".strip()
        place = f"{row['problem_id']} {kind} {row['sample']}"
        verdict = "theirs right" if row["imported_label"] else "ours right"
        answers = f"ours {_cut(row['answer'])}, theirs {_cut(row['imported_answer'])}"
        lines.append(f"    {_cut(place, 32):<32}  {verdict:<12}  {answers}")
    return lines


def _cut(value: object, width: int = 18) -> str:
    if not isinstance(value, str):
        return "—"
    text = printable(value)
    return text if len(text) <= width else text[: width - 1] + "…"

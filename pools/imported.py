"""Two gradings of one pool: ours, and the one that came along with imported candidates.

frame = with_imported(frame, run)
print(gradings(frame))                  # how often both agree, and examples where they do not
frame = graded_by_them(frame, run)      # `assay evaluate RUN grading=theirs`, `assay report` too
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evaluation.table import printable, table_line, table_rule
from pools.run import Part, Run
from problems.answers import classes
from settings.errors import UserError
from storage.parquet import to_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "GRADINGS",
    "STAGE",
    "agreement",
    "check_grading",
    "graded_by_them",
    "gradings",
    "note_on",
    "with_imported",
]

GRADINGS = ("ours", "theirs")
STAGE = "imported"
_KEY = ["problem_id", "origin", "mode", "sample"]
_JUDGED = {True: "right", False: "wrong"}
_OPEN = "undecided"
_ROWS = (*_JUDGED.values(), _OPEN)
EXAMPLES = 5
CELL = 12


def with_imported(frame: pd.DataFrame, run: Run, parts: Sequence[Part]) -> pd.DataFrame:
    """The frame with imported_answer and imported_label, where the run has them.

    `frame` holds the candidates of `parts`; `imported_label` is `<NA>` where they gave none.
    """
    import pandas as pd

    there = run.parts(STAGE, parts) if STAGE in run.record["stages"] else []
    tables = [to_frame(run.read(STAGE, part)) for part in there]
    if not tables:
        return frame
    theirs = pd.concat(tables, ignore_index=True)
    theirs["imported_label"] = theirs["imported_label"].astype("boolean")
    return frame.merge(theirs, on=_KEY, how="left", validate="one_to_one")


def check_grading(grading: str) -> None:
    """Raises `UserError` for the name of no grading."""
    if grading not in GRADINGS:
        raise UserError(f"grading={grading}: expected one of {', '.join(GRADINGS)}")


def note_on(frame: pd.DataFrame, grading: str) -> tuple[str, ...]:
    """What an evaluation says of the grading that it counts by, where that is not ours."""
    if grading == "ours":
        return ()
    came = "labels and answers" if frame["imported_answer"].notna().any() else "labels"
    return (f"{came} are those that came along with the candidates (grading=theirs)",)


def graded_by_them(frame: pd.DataFrame, run: Run) -> pd.DataFrame:
    """The frame with their labels in place of ours, and their answers where those came along.

    Classes are formed of the answers by our equivalence. Raises `UserError` where the run has no
    labels of theirs.
    """
    if not _has_labels(frame):
        raise UserError(f"{run.path}: grading=theirs, but no labels came along with its candidates")
    frame = frame.assign(label=frame["imported_label"])
    if not frame["imported_answer"].notna().any():
        return frame
    frame = frame.assign(answer=frame["imported_answer"], answer_class=-1)
    options = {problem.id: problem.options for problem in run.problems}
    for problem_id, rows in frame.groupby("problem_id", sort=False):
        answers = [
            None if answer is None or answer != answer else answer for answer in rows["answer"]
        ]
        frame.loc[rows.index, "answer_class"] = classes(answers, options[str(problem_id)])
    return frame


def _has_labels(frame: pd.DataFrame) -> bool:
    return "imported_label" in frame and bool(frame["imported_label"].notna().any())


def gradings(frame: pd.DataFrame, examples: int = EXAMPLES) -> str | None:
    """A table of both gradings, with examples of what they differ in; `None` without theirs."""
    if not _has_labels(frame):
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
    if not _has_labels(frame):
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

"""Two gradings of one pool: ours, and the one that came along with imported candidates.

frame = with_imported(frame, run)
print(gradings(frame))                  # how often both agree, and examples where they do not
frame = graded_by_them(frame, run)      # `assay evaluate RUN grading=theirs`, `assay report` too
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.pools.rows import KEY
from assay.pools.run import Part, Run
from assay.problems.answers import classes
from assay.settings.errors import UserError
from assay.storage.parquet import to_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "GRADINGS",
    "STAGE",
    "check_grading",
    "graded_by_them",
    "has_labels",
    "note_on",
    "with_imported",
]

GRADINGS = ("ours", "theirs")
STAGE = "imported"


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
    return frame.merge(theirs, on=list(KEY), how="left", validate="one_to_one")


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
    if not has_labels(frame):
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


def has_labels(frame: pd.DataFrame) -> bool:
    return "imported_label" in frame and bool(frame["imported_label"].notna().any())

"""What accuracy is drawn against, in figures and on the page: columns of an evaluation's frame."""

from __future__ import annotations

from assay.selection.evaluate import Evaluation
from assay.settings.errors import UserError

__all__ = ["AXES", "check_axis"]

# column of the evaluation's frame -> what is written under its axis
AXES = {
    "n": "candidates per problem, n",
    "tokens": "generated tokens per problem",
    "flops": "FLOPs per problem, generator + verifier",
    "seconds": "seconds per problem, as measured",
}


def check_axis(evaluation: Evaluation, x: str) -> None:
    """Raises `UserError` unless every point of the curves has this coordinate."""
    if x not in AXES:
        raise UserError(f"x={x}: expected one of {', '.join(AXES)}")
    if x not in evaluation.frame or evaluation.frame[x].isna().any():
        why = [note for note in evaluation.notes if note.lower().startswith(x)]
        raise UserError(f"x={x}: {why[0] if why else 'not known for every candidate of this run'}")

"""Candidates that were not finished: cut off by the length limit, silent, or still in thought.

shares = unfinished_shares(frame)
shares["cot"]["cut"]                       # 0.125: an eighth of them reached the limit
frame = without_cut(frame, "drop")         # what was cut off may not answer
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from assay.problems.problem import MODES
from assay.settings.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CUTS",
    "KINDS",
    "check_cut",
    "cut_notes",
    "finishing_line",
    "is_cut",
    "unfinished_shares",
    "without_cut",
]

CUTS = ("count", "drop")
KINDS = {
    "cut": "cut off by the length limit",
    "silent": "without an answer",
    "unclosed": "with an open thought",
}
"""The kinds of unfinished candidates -> what is said of their share."""
# What engines and servers say where a limit ended a candidate.
_CUT = ("length", "max_tokens", "max_length", "model_length", "max_output_tokens")
_WORTH_A_NOTE = 0.05


def check_cut(cut: str) -> None:
    """Raises `UserError` for what is none of `CUTS`."""
    if cut not in CUTS:
        raise UserError(f"cut={cut}: expected one of {', '.join(CUTS)}")


def is_cut(frame: pd.DataFrame) -> pd.Series[bool]:
    """Which candidates of a pool's frame reached the length limit."""
    return frame["stop"].fillna("").str.lower().isin(_CUT)


def without_cut(frame: pd.DataFrame, cut: str) -> pd.DataFrame:
    """The frame; with "drop", candidates that were cut off have no answer in it."""
    if cut == "count":
        return frame
    return frame.assign(answer_class=frame["answer_class"].mask(is_cut(frame), -1))


def unfinished_shares(frame: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By modes ("both" where there are both) the share of candidates of each of `KINDS`.

    What is not known of any candidate is not in it, as open thoughts of runs that were graded
    before they were recorded.
    """
    import pandas as pd

    marks = pd.DataFrame({"cut": is_cut(frame), "silent": frame["answer_class"] < 0})
    if "unclosed" in frame and frame["unclosed"].notna().any():
        marks["unclosed"] = frame["unclosed"].eq(True).fillna(False)
    marks = marks.astype(float)
    means = marks.groupby(frame["mode"]).mean()
    there: list[str] = [mode for mode in MODES if mode in means.index]
    kinds = [kind for kind in KINDS if kind in marks]
    shares = {mode: {kind: float(means[kind][mode]) for kind in kinds} for mode in there}
    if len(there) == len(MODES):
        shares["both"] = {kind: float(marks[kind].mean()) for kind in kinds}
    return shares


def finishing_line(frame: pd.DataFrame) -> str:
    """What of a pool was not finished, in one line."""
    shares = unfinished_shares(frame)
    whole = shares.get("both") or next(iter(shares.values()))
    return ", ".join(f"{100 * share:.1f} % {KINDS[kind]}" for kind, share in whole.items())


def cut_notes(shares: Mapping[str, Mapping[str, float]], cut: str) -> list[str]:
    """Notes on what was cut off or never ended, where it is more than a twentieth."""
    notes = []
    whole = shares.get("both") or next(iter(shares.values()), {})
    share = whole.get("cut", 0.0)
    if cut == "drop" and share:
        notes.append(f"{100 * share:.1f} % of the candidates were cut off and may not answer")
    elif share > _WORTH_A_NOTE:
        notes.append(
            f"{100 * share:.1f} % of the candidates were cut off by the length limit: sample with "
            "a larger sampling.max_new_tokens, or let none of them answer with cut=drop"
        )
    share = whole.get("unclosed", 0.0)
    if share > _WORTH_A_NOTE:
        notes.append(f"{100 * share:.1f} % of the candidates never ended their thoughts")
    return notes

"""What `assay solve` says of all the problems of a file: how many were right, and what was missing.

    for line in summary(rows, RuleSpec("top_k", "verifier", 5)):
        print(line)

Rows are the answers as they are written, a problem each: `right`, `abstained`, `n`, `rule`,
`unscored` (None without a verifier), and with hybrid decoding `mode` and `fell_back`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.selection.names import count
from assay.selection.rule_spec import RuleSpec

__all__ = ["CHOICE", "FELL_BACK", "hybrid_lines", "notes", "summary"]

FELL_BACK = "CoT, fallen back"
CHOICE = "CoT, multiple choice"

Rows = Sequence[Mapping[str, Any]]


def summary(rows: Rows, spec: RuleSpec) -> list[str]:
    """The lines under the answers, of the rule that was asked for."""
    known = [row["right"] for row in rows if row["right"] is not None]
    lines = []
    if known:
        lines.append(f"{sum(known)} of {len(known)} right ({_percent(sum(known), len(known))})")
    withheld = sum(row["abstained"] for row in rows)
    if withheld:
        lines.append(f"{withheld} of {count(len(rows), 'problem')} not answered")
    if spec.name == "hybrid":
        lines += hybrid_lines(rows)
    return lines + [f"  note: {note}" for note in notes(rows, spec)]


def notes(rows: Rows, spec: RuleSpec) -> list[str]:
    """What did not go as asked: more voters than candidates, candidates without a score."""
    lines = []
    most = max((row["n"] for row in rows), default=0)
    if "top_k" in spec.name and spec.k > most:
        lines.append(f"k={spec.k} is more than the {count(most, 'candidate')}: all of them vote")
    without = sum(row["unscored"] or 0 for row in rows)
    if without:
        total = sum(row["n"] for row in rows)
        lines.append(
            f"{without:,} of {count(total, 'candidate')} without a score (longer, with the "
            "question, than the verifier reads): left out of the rules that need scores"
        )
    fell_back = sum(row["rule"] != spec.name for row in rows)
    if fell_back:
        lines.append(
            f"{count(fell_back, 'problem')} without a scored answer: there the majority vote chose"
        )
    return lines


def hybrid_lines(rows: Rows) -> list[str]:
    """How hybrid decoding went, by what was decoded last, and how often it fell back to words.

    The rate is of the problems that were asked for a program: all but multiple choice.
    """
    programs = [row for row in rows if row["mode"] == "pot"]
    fallen = [row for row in rows if row["fell_back"]]
    choices = [row for row in rows if row["mode"] == "cot" and not row["fell_back"]]
    lines = []
    for name, group in (("PoT", programs), (FELL_BACK, fallen), (CHOICE, choices)):
        known = [row["right"] for row in group if row["right"] is not None]
        if known:
            rate = _percent(sum(known), len(known))
            lines.append(f"  {name}: {sum(known)} of {len(known)} right ({rate})")
    asked = len(programs) + len(fallen)
    if asked:
        rate = _percent(len(fallen), asked)
        lines.append(f"  fall-back rate: {rate}, {len(fallen)} of {asked}")
    return lines


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"

r"""Unions of intervals in one form: [1,2] \cup [2,3] is [1,3], whatever their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from problems.answers.forms import Canonical, Group, Infinite, Number, Value

__all__ = ["is_interval", "united"]


@dataclass(frozen=True, order=True)
class _End:
    """Where an interval ends: `infinite` is -1, 0 or 1 for -oo, a number, oo."""

    infinite: int
    value: Fraction
    form: Canonical = field(compare=False)


def is_interval(form: Canonical) -> bool:
    """Whether a group may be an interval with known ends, the lower one first."""
    ends = _ends(form)
    return ends is not None and ends[0] < ends[1]


def united(parts: Sequence[Canonical]) -> Group | None:
    """The union: an interval, or intervals that do not touch, from left to right.

    None where a part is no interval with known ends.
    """
    found = []
    for part in parts:
        ends = _ends(part)
        if ends is None or not isinstance(part, Group) or not ends[0] < ends[1]:
            return None
        found.append((ends[0], part.brackets[0] == "(", ends[1], part.brackets[1] == "]"))
    # By the lower end, a closed one before an open one at the same place.
    found.sort(key=lambda interval: (interval[0], interval[1]))
    merged = [found[0]]
    for low, opened, high, closed in found[1:]:
        left, was_open, right, was_closed = merged[-1]
        touches = low < right or (low == right and (was_closed or not opened))
        if not touches:
            merged.append((low, opened, high, closed))
        elif right < high or (right == high and closed):
            merged[-1] = (left, was_open, high, closed)
    groups = [
        Group("[("[opened] + ")]"[closed], (low.form, high.form))
        for low, opened, high, closed in merged
    ]
    return groups[0] if len(groups) == 1 else Group("∪", tuple(groups))


def _ends(form: Canonical) -> tuple[_End, _End] | None:
    if not isinstance(form, Group) or len(form.items) != 2 or form.brackets[0] not in "([":
        return None
    ends = [_end(item) for item in form.items]
    return (ends[0], ends[1]) if ends[0] is not None and ends[1] is not None else None


def _end(form: Canonical) -> _End | None:
    if isinstance(form, Infinite):
        return _End(-1 if form.negative else 1, Fraction(0), form)
    if isinstance(form, Number):
        return _End(0, form.value, form)
    if isinstance(form, Value) and not form.symbols and not form.values[0][1]:
        return _End(0, form.values[0][0], form)
    return None

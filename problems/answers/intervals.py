r"""Unions and intersections of intervals: [1,2] \cup [2,3] is [1,3], whatever their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from assay.problems.answers.forms import Canonical, Group, Infinite, Number, Value

__all__ = ["intersected", "is_interval", "united"]

# Lower end, whether it is open, upper end, whether it is closed.
_Span = tuple["_End", bool, "_End", bool]


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
        span = _span(part)
        if span is None:
            return None
        found.append(span)
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
    return _group(merged)


def intersected(a: Group, b: Group) -> Group | None:
    """What two intervals or unions of intervals have in common.

    None where that is empty or a single number, or an end is not known.
    """
    spans = [[_span(part) for part in (g.items if g.brackets == "∪" else (g,))] for g in (a, b)]
    common = []
    for x in spans[0]:
        for y in spans[1]:
            if x is None or y is None:
                return None
            low, opened = max((x[0], x[1]), (y[0], y[1]))
            high, closed = min((x[2], x[3]), (y[2], y[3]))
            if low < high:
                common.append((low, opened, high, closed))
    return _group(sorted(common, key=lambda span: span[0])) if common else None


def _span(form: Canonical) -> _Span | None:
    ends = _ends(form)
    if ends is None or not isinstance(form, Group) or not ends[0] < ends[1]:
        return None
    return ends[0], form.brackets[0] == "(", ends[1], form.brackets[1] == "]"


def _group(spans: Sequence[_Span]) -> Group:
    groups = [
        Group("[("[opened] + ")]"[closed], (low.form, high.form))
        for low, opened, high, closed in spans
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

r"""Whether two canonical forms say the same: yes, no, or undecided (None). Symmetric.

Numbers are compared exactly but for one allowance: a decimal written with at least 9 decimals may
carry the noise of binary floats, and equals a number within 1e-10 of the larger one (zero, within
1e-12). So 17.999999999999996 is 18, and 0.3333333333333333 is 1/3, but 0.33 is not.

A per-cent sign: 50% is 0.5, and it is also 50, because a question that asks "what per cent" is
answered either way; 0.5 is never 50. At or below 1 the bare number could be meant either way, so
0.5% against 0.5 is undecided. Two different units of measurement are undecided, and so are x = 3
and y = 3.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from assay.problems.answers.expressions import Unread
from assay.problems.answers.forms import (
    Assigned,
    Based,
    Canonical,
    Equation,
    Group,
    Infinite,
    Measured,
    Number,
    Ratio,
    Text,
    Value,
)
from assay.problems.answers.intervals import is_interval
from assay.problems.answers.units import unit_after
from assay.problems.answers.values import POSITIVE_POINTS, Complex, close, value_at, value_of

__all__ = ["NOISE", "same", "unit_of"]

# Relative tolerance between a noisy decimal and another number.
NOISE = Fraction(1, 10**10)
# What counts as zero where the other number is exactly zero.
_ZERO = Fraction(1, 10**12)


def same(a: Canonical, b: Canonical) -> bool | None:
    """Whether two forms are the same answer; None where that is not known."""
    if a == b:
        return True
    if type(a) is type(b):
        return _SAME_KIND[type(a)](a, b)
    if isinstance(a, Assigned | Measured) or isinstance(b, Assigned | Measured):
        return _same_beside(a, b)
    for first, second in ((a, b), (b, a)):
        if isinstance(first, Text):
            return _text_and_other(first, second)
        if isinstance(first, Equation):
            return _equation_and_other(first, second)
    for first, second in ((a, b), (b, a)):
        if isinstance(first, Based | Ratio):
            return _number_like(first, second)
        if isinstance(first, Number) and isinstance(second, Value):
            return _number_and_value(first, second)
    for first, second in ((a, b), (b, a)):
        if isinstance(first, Group):
            return _group_and_other(first, second)
    return False  # infinity against anything


def _same_beside(a: Canonical, b: Canonical) -> bool | None:
    """Where a name or a unit stands beside one: without it the same, with another undecided."""
    if isinstance(a, Assigned) or isinstance(b, Assigned):
        first, second = (f.form if isinstance(f, Assigned) else f for f in (a, b))
        verdict = same(first, second)
        if isinstance(a, Assigned) and isinstance(b, Assigned) and a.name != b.name:
            return None if verdict is not False else False
        return verdict
    if unit_of(a) and unit_of(b) and unit_of(a) != unit_of(b):
        return None
    first, second = (f.form if isinstance(f, Measured) else f for f in (a, b))
    return same(first, second)


def unit_of(form: Canonical) -> str:
    """The unit of measurement beside a number or a value, "" where there is none."""
    return form.unit if isinstance(form, Number | Measured) else ""


# ---- Of one kind ----


def _same_number(a: Number, b: Number) -> bool | None:
    """Whether two numbers are the same, by the rules of this module."""
    if a.unit and b.unit and a.unit != b.unit:
        return None
    if a.percent != b.percent:
        percent, bare = (a, b) if a.percent else (b, a)
        return _percent_and_bare(percent, bare)
    if _equal(a.value, b.value, a.noisy or b.noisy):
        return True
    if a.scale != b.scale and (a.value / a.scale == b.value or b.value / b.scale == a.value):
        return None  # 5 million and 5, where the question may ask for millions
    return None if _may_round(a, b.value) or _may_round(b, a.value) else False


# Half a unit of the eighth decimal.
_ROUNDING = Fraction(1, 2 * 10**8)


def _may_round(number: Number, value: Fraction) -> bool:
    if number.doubt != "rounded":
        return False
    return abs(number.value - value) <= _ROUNDING * max(Fraction(1), abs(value))


def _percent_and_bare(percent: Number, bare: Number) -> bool | None:
    noisy = percent.noisy or bare.noisy
    if _equal(percent.value / 100, bare.value, noisy):
        return True
    if _equal(percent.value, bare.value, noisy):
        return True if abs(bare.value) > 1 else None
    return False


def _equal(a: Fraction, b: Fraction, noisy: bool) -> bool:
    if a == b:
        return True
    if not noisy:
        return False
    size = max(abs(a), abs(b))
    return abs(a - b) <= size * NOISE or (0 in (a, b) and size <= _ZERO)


def _same_value(a: Value, b: Value) -> bool | None:
    if a.symbols != b.symbols:
        return _renamed(a, b)
    if len(a.values) != len(b.values):  # only one of them has a hidden symbol
        return None
    noisy = a.noisy or b.noisy
    agree = [_agree(x, y, noisy) for x, y in zip(a.values, b.values, strict=True)]
    if all(agree):
        return True
    if a.vague or b.vague:
        return None
    # Equal where everything is positive: \\sqrt{x^2} and x.
    return None if len(agree) > 1 and all(agree[:POSITIVE_POINTS]) else False


def _agree(x: Complex, y: Complex, noisy: bool) -> bool:
    return x == y or close(x, y, NOISE) if noisy else x == y or close(x, y)


def _renamed(a: Value, b: Value) -> bool | None:
    """Other letters: undecided where the same is said of them (2n + 2, 2k + 2)."""
    if a.vague or b.vague or {s.casefold() for s in a.symbols} == {s.casefold() for s in b.symbols}:
        return None
    if len(a.symbols) != len(b.symbols) or a.tree[0] == b.tree[0] == "symbol":
        return False
    try:
        return None if _same_value(a, _with_names(b, a.symbols)) is not False else False
    except Unread:
        return None


def _with_names(value: Value, names: tuple[str, ...]) -> Value:
    other = value_of(value.tree, names)
    return Value(other.values, names, other.exact, other.vague, other.noisy, other.tree)


_MAY_BE_SAME = ({"yes", "true"}, {"no", "false"})


def _same_text(a: Text, b: Text) -> bool | None:
    if a.text == b.text:
        return True
    if not (a.words and b.words) or a.text.casefold() == b.text.casefold():
        return None
    if "none" in (a.text, b.text) or {a.text, b.text} in _MAY_BE_SAME:
        return None
    # "neither" and "neither odd nor even", "east" and "due east", "solution" and "solutions"
    first, second = ({w.removesuffix("s") for w in x.text.split()} for x in (a, b))
    return None if first <= second or second <= first else False


def _same_group(a: Group, b: Group) -> bool | None:
    if a.brackets != b.brackets:
        return _differently_bracketed(a, b)
    if a.brackets in ("{}", "∪"):
        return (
            _same_named(a.items, b.items) if _has_names(a, b) else _same_members(a.items, b.items)
        )
    if len(a.items) != len(b.items):
        column = a.brackets == "matrix" and 1 in (len(a.items), len(b.items))  # and a row
        return None if column and _same_members(_cells(a), _cells(b)) else False
    verdicts = [same(x, y) for x, y in zip(a.items, b.items, strict=True)]
    return True if all(verdicts) else False if False in verdicts else None


def _differently_bracketed(a: Group, b: Group) -> bool | None:
    """(0,1) never means [0,1]; an unordered group may mean an ordered one, a column a tuple."""
    kinds = {a.brackets, b.brackets}
    if "∪" in kinds:
        known = all(map(is_interval, (*_parts_of_union(a), *_parts_of_union(b))))
        return False if known else None
    if kinds & {"{}", "matrix"}:
        return None if _same_members(_cells(a), _cells(b)) is not False else False
    return False


def _parts_of_union(group: Group) -> tuple[Canonical, ...]:
    return group.items if group.brackets == "∪" else (group,)


def _cells(group: Group) -> tuple[Canonical, ...]:
    """All that a group holds, out of the groups in it."""
    inner = (_cells(x) if isinstance(x, Group) else (x,) for x in group.items)
    return tuple(cell for cells in inner for cell in cells)


def _has_names(a: Group, b: Group) -> bool:
    """Whether both are of the kind x = 2, y = 3."""
    return all(isinstance(item, Assigned) for item in (*a.items, *b.items))


def _same_named(a: tuple[Canonical, ...], b: tuple[Canonical, ...]) -> bool | None:
    """By their names, where these are the same; x = 2, y = 3 against u = 2, v = 3 is undecided."""
    first, second = ({x.name: x.form for x in g if isinstance(x, Assigned)} for g in (a, b))
    if first.keys() != second.keys() or len(first) < len(a) or len(second) < len(b):
        return None if _same_members(a, b) is not False else False
    verdicts = [same(first[name], second[name]) for name in first]
    return True if all(verdicts) else False if False in verdicts else None


def _same_members(a: tuple[Canonical, ...], b: tuple[Canonical, ...]) -> bool | None:
    """Whether the members can be paired off."""
    verdicts = [[same(x, y) for y in b] for x in a]
    columns = list(zip(*verdicts, strict=True))
    if any(all(v is False for v in line) for line in (*verdicts, *columns)):
        return False  # one that is not among the others
    if len(a) != len(b):
        return None  # {1, 1, 2} and {1, 2}
    free = set(range(len(b)))
    for row in verdicts:
        match = next((j for j in sorted(free) if row[j]), None)
        if match is None:
            return None
        free.remove(match)
    return True


def _same_equation(a: Equation, b: Equation) -> bool | None:
    """True for proportional differences; False where a solution of one does not solve the other."""
    x, y = a.difference, b.difference
    if x.symbols == y.symbols and not (x.vague or y.vague):
        ratios = {_ratio(p, q) for p, q in zip(x.values, y.values, strict=True)}
        if len(ratios) == 1 and None not in ratios:
            return True
    return False if _has_other_solution(x, y) or _has_other_solution(y, x) else None


def _has_other_solution(a: Value, b: Value) -> bool:
    """Whether we find a solution of a = 0 that is none of b = 0: on a line, where a is linear."""
    symbols = sorted({*a.symbols, *b.symbols})
    try:
        for symbol in a.symbols:
            at = {name: 2 + Fraction(place, 7) for place, name in enumerate(symbols)}
            zero, one, two = (value_at(a.tree, {**at, symbol: Fraction(x)})[0] for x in range(3))
            if one == zero or two - one != one - zero:
                continue
            at[symbol] = zero / (zero - one)
            if max(map(abs, value_at(a.tree, at))) == 0:
                return max(map(abs, value_at(b.tree, at))) > NOISE
    except Unread:
        pass
    return False


def _ratio(p: Complex, q: Complex) -> Fraction | None:
    """The quotient p / q of real numbers, to 12 digits where it is no simple fraction."""
    if p[1] or q[1] or not p[0] or not q[0]:
        return None
    quotient = p[0] / q[0]
    if max(quotient.numerator.bit_length(), quotient.denominator.bit_length()) < 100:
        return quotient
    try:
        return Fraction(f"{float(quotient):.12e}")
    except OverflowError:
        return None


def _same_ratio(a: Ratio, b: Ratio) -> bool | None:
    if a.parts == b.parts:
        return True if a.half == b.half else False if a.half and b.half else None
    if len(a.parts) != len(b.parts) or a.half or b.half:
        return False
    # 6:4 and 3:2; but 12:30 and 6:15 are different times
    lines = zip(a.parts, a.parts[1:], b.parts, b.parts[1:], strict=False)
    return None if all(p * s == q * r for p, q, r, s in lines) else False


def _same_based(a: Based, b: Based) -> bool | None:
    if a == b:
        return True
    return None if a.value == b.value else False


def _same_infinite(a: Infinite, b: Infinite) -> bool:
    return a == b


_SAME_KIND: dict[type, Callable[[Any, Any], bool | None]] = {
    Number: _same_number,
    Value: _same_value,
    Text: _same_text,
    Group: _same_group,
    Equation: _same_equation,
    Assigned: _same_beside,
    Measured: _same_beside,
    Ratio: _same_ratio,
    Based: _same_based,
    Infinite: _same_infinite,
}


# ---- Of two kinds ----


def _text_and_other(text: Text, other: Canonical) -> bool | None:
    if text.text == "none" and isinstance(other, Number) and not other.value:
        return None  # how many? none
    letter = len(text.text) == 1 and isinstance(other, Value) and bool(other.symbols)
    return False if text.words and not letter else None


def _equation_and_other(equation: Equation, other: Canonical) -> bool | None:
    """An equation y = 2x + 3 is 2x + 3; what else it says of its unknown takes solving."""
    if equation.solved is not None and isinstance(other, Value):
        return _same_value(equation.solved, other)
    # Two unknowns in an equation leave no single number and no interval.
    several = len(equation.difference.symbols) > 1
    return False if several and isinstance(other, Number | Group | Infinite) else None


def _number_like(first: Based | Ratio, other: Canonical) -> bool | None:
    if not isinstance(other, Number):
        return None if isinstance(other, Group) or isinstance(first, type(other)) else False
    if isinstance(first, Based):
        same_digits = first.digits.isdigit() and int(first.digits) == other.value
        return None if same_digits or other.value == first.value else False
    if first.half and first.parts[0] == other.value:  # 9 a.m. and 9
        return None
    if len(first.parts) == 2 and first.parts[1]:
        return None if first.parts[0] / first.parts[1] == other.value else False
    return False


def _group_and_other(group: Group, other: Canonical) -> bool | None:
    """One value is not several; but 1,234 may be two, and of x = 2, y = 3 one may be asked."""
    if isinstance(other, Number) and other.doubt == "list" and group.brackets in ("{}", "()", "[]"):
        return None
    named = [item.form for item in group.items if isinstance(item, Assigned)]
    return False if all(same(form, other) is False for form in named) else None


def _is_unit(symbols: tuple[str, ...], unit: str) -> bool:
    return bool(unit) and len(symbols) == 1 and unit_after(f" {symbols[0]}") == unit


def _number_and_value(number: Number, value: Value) -> bool | None:
    if value.vague or _is_unit(value.symbols, number.unit):  # 5 m and 5m, which may be 5 · m
        return None
    if value.symbols:
        return False
    if not value.values[0][1] and _may_round(number, value.values[0][0]):
        return None
    if not (number.noisy or value.noisy):
        return False
    return close((number.value, Fraction(0)), value.values[0], NOISE)

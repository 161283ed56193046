"""The forms that an answer can have once it is read (`canonical.canonical`)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from assay.problems.answers.numerals import Number
from assay.problems.answers.values import Value

__all__ = [
    "Assigned",
    "Based",
    "Canonical",
    "Equation",
    "Group",
    "Infinite",
    "Measured",
    "Number",
    "Ratio",
    "Text",
    "Value",
    "order",
]


@dataclass(frozen=True)
class Text:
    """Normalised text, of which no more is understood.

    `words` where it is plain words, so that another text differs for sure; `ambiguous` where it is
    mathematics with more than one reading (1/2x).
    """

    text: str
    words: bool = False
    ambiguous: bool = False


@dataclass(frozen=True)
class Group:
    """Several answers.

    `brackets` is "()", "[]", "(]" or "[)" (ordered: tuples, intervals), "{}" (unordered), "∪" (a
    union), "matrix" (of rows) or "row".
    """

    brackets: str
    items: tuple[Canonical, ...]


@dataclass(frozen=True)
class Equation:
    """left = right, as the values of left - right; `solved` is the right side of "y = 2x + 3"."""

    difference: Value
    solved: Value | None = None


@dataclass(frozen=True)
class Assigned:
    """x = 2: a form and the name of the unknown that it is said of."""

    name: str
    form: Canonical


@dataclass(frozen=True)
class Measured:
    r"""8\sqrt{3} cm: a value that is no rational number, and its unit."""

    form: Value
    unit: str


@dataclass(frozen=True)
class Ratio:
    """3:1, and the time 12:30, where `half` is "am" or "pm"."""

    parts: tuple[Fraction, ...]
    half: str = ""


@dataclass(frozen=True)
class Based:
    """443_5: digits in another base, with their sign and point."""

    digits: str
    base: int

    @property
    def value(self) -> Fraction | None:
        """The number, None where a digit is not one of the base."""
        whole, _, rest = self.digits.partition(".")
        try:
            return Fraction(int(whole + rest, self.base)) / self.base ** len(rest)
        except ValueError:
            return None


@dataclass(frozen=True)
class Infinite:
    """Infinity, an end of an interval or an answer of its own."""

    negative: bool = False


Canonical = (
    Number | Value | Text | Group | Equation | Assigned | Measured | Ratio | Based | Infinite
)


def order(item: Canonical) -> tuple[int, str, Any]:
    """A key by which forms can be sorted; not their texts, for numbers may have many digits."""
    if isinstance(item, Number):
        return 0, "", item.value
    kind = type(item).__name__
    if isinstance(item, Value):
        return 1, kind, item.values
    if isinstance(item, Group):
        return 1, kind, (item.brackets, tuple(map(order, item.items)))
    if isinstance(item, Assigned | Measured):
        return 1, kind, (getattr(item, "name", "") or getattr(item, "unit", ""), order(item.form))
    if isinstance(item, Equation):
        return 1, kind, item.difference.values
    return 1, kind, repr(item)

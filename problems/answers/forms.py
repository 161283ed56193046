"""The forms that an answer can have once it is read (`canonical.canonical`)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from problems.answers.numerals import Number
from problems.answers.values import Value

__all__ = [
    "Assigned",
    "Based",
    "Canonical",
    "Equation",
    "Group",
    "Infinite",
    "Number",
    "Ratio",
    "Text",
    "Value",
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
    """x = 2 beside y = 3, where the names matter."""

    name: str
    form: Canonical


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


Canonical = Number | Value | Text | Group | Equation | Assigned | Ratio | Based | Infinite

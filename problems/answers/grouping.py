"""The answer classes of a problem's candidates: which votes count together.

Equal forms are found by hashing, numbers by their values; only what is left is compared, the most
frequent answer first, each with the first member of every class so far. So classes are transitive
by construction, whatever the comparisons say, and do not depend on the order of the candidates but
in numbering. What is undecided is never merged.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from assay.problems.answers.canonical import canonical
from assay.problems.answers.choices import option_letter
from assay.problems.answers.comparison import NOISE, same, unit_of
from assay.problems.answers.conventions import GENERAL, Convention
from assay.problems.answers.equivalence import is_open, label, settle
from assay.problems.answers.forms import Assigned, Canonical, Measured, Number, Value
from assay.problems.answers.mathematics import worth_asking
from assay.problems.answers.tidying import tidy

__all__ = ["Judged", "classes", "judge"]

# Of one problem, so many pairs at most are put to math-verify; they take milliseconds to seconds.
_MAX_ASKED = 150


_Key = Canonical | str


@dataclass
class _Class:
    """An answer class in the making: its first member's form and text, and how many it has.

    `unit` and `name` are those of its members: 5 cm and 5 m, x = 3 and y = 3 never meet in one.
    """

    form: Canonical | str
    text: str
    size: int = 0
    unit: str = ""
    name: str = ""

    def admits(self, key: _Key) -> bool:
        """Whether neither the unit nor the name of another answer is another one."""
        unit, name = _beside(key)
        return unit in ("", self.unit or unit) and name in ("", self.name or name)


def classes(
    answers: Sequence[str | None], options: Sequence[str] = (), *, mathematics: bool = True
) -> list[int]:
    """The answer class of each candidate of one problem: 0, 1, … by first appearance; −1 for none.

    Equivalent answers share a class; what is undecided does not. With `options`, answers that name
    the same letter are one class. Without `mathematics`, math-verify is not asked.
    """
    keys = _keys(answers, tuple(options))
    found = _Classes(mathematics)
    found.add(keys)
    numbers: dict[int, int] = {}
    result = []
    for answer in answers:
        key = None if answer is None else keys[answer][0]
        place = None if key is None else found.place[key]
        result.append(-1 if place is None else numbers.setdefault(place, len(numbers)))
    return result


@dataclass(frozen=True)
class Judged:
    """What is known of the candidates of one problem.

    `classes` and `labels` have one entry for each candidate. `reference_class` is the class that
    the reference belongs to: the largest with a label 1, −1 where no candidate has one.
    """

    classes: list[int]
    labels: list[bool | None]
    reference_class: int


def judge(
    answers: Sequence[str | None],
    reference: str | None,
    options: Sequence[str] = (),
    *,
    convention: Convention = GENERAL,
    mathematics: bool = True,
) -> Judged:
    """Classes, labels and the reference's class of one problem's candidates.

    The classes do not depend on the reference: votes must not know it.
    """
    numbers = classes(answers, options, mathematics=mathematics)
    known: dict[str | None, bool | None] = {}
    for answer in answers:
        if answer not in known:
            known[answer] = label(
                answer, reference, options, convention=convention, mathematics=mathematics
            )
    labels = [known[answer] for answer in answers]
    right = [number for number, is_right in zip(numbers, labels, strict=True) if is_right]
    largest = max(right, key=lambda number: (numbers.count(number), -number), default=-1)
    return Judged(numbers, labels, largest)


# ---- Keys ----


def _keys(
    answers: Sequence[str | None], options: tuple[str, ...]
) -> dict[str, tuple[_Key | None, int]]:
    """Answer -> (what equal answers share: a letter or a form; None where it is none, count)."""
    counts: dict[str, int] = {}
    for answer in answers:
        if answer is not None:
            counts[answer] = counts.get(answer, 0) + 1
    return {
        answer: ((option_letter(answer, options) if options else None) or canonical(answer), count)
        for answer, count in counts.items()
    }


class _Classes:
    """Puts keys into classes; `place` says into which."""

    def __init__(self, mathematics: bool):
        self.asked = 0 if mathematics else _MAX_ASKED
        self.all: list[_Class] = []
        self.place: dict[_Key, int] = {}
        self.by_value: dict[Fraction, list[int]] = {}
        self.values: list[Fraction] = []  # the keys of by_value, sorted
        self.others: list[int] = []

    def add(self, keys: dict[str, tuple[_Key | None, int]]) -> None:
        texts: dict[_Key, str] = {}
        counts: dict[_Key, int] = {}
        for text, (key, count) in keys.items():
            if key is not None:
                texts[key] = min(text, texts.get(key, text))
                counts[key] = counts.get(key, 0) + count
        # Exact before noisy, bare before per cent, what takes mathematics last; then the most
        # frequent.
        for key in sorted(texts, key=lambda key: (_rank(key), -counts[key], texts[key])):
            at = self.find(key, texts[key])
            if at is None:
                at = self.open(key, texts[key])
            self.place[key] = at
            joined, (unit, name) = self.all[at], _beside(key)
            joined.size += counts[key]
            joined.unit, joined.name = joined.unit or unit, joined.name or name

    def open(self, key: _Key, text: str) -> int:
        at = len(self.all)
        form = key.form if isinstance(key, Assigned) else key
        self.all.append(_Class(form, text))
        if isinstance(form, Number):
            if form.value not in self.by_value:
                insort(self.values, form.value)
            self.by_value.setdefault(form.value, []).append(at)
        elif not isinstance(form, str):
            self.others.append(at)
        return at

    def find(self, key: _Key, text: str) -> int | None:
        if isinstance(key, str):  # a letter: keys of their own
            return None
        inner = key.form if isinstance(key, Assigned) else key
        if isinstance(inner, Number):
            return self.find_number(inner, key)
        open_question = _takes_mathematics(key)
        for at in self.candidates() if open_question else self.others:
            form = self.all[at].form
            if isinstance(form, str) or not self.all[at].admits(key):
                continue
            verdict = same(inner, form)
            if verdict is None and open_question and is_open(inner, form):
                verdict = self.ask(text, self.all[at].text)
            if verdict:
                return at
        return None

    def candidates(self) -> list[int]:
        """All classes, the largest first."""
        return sorted(range(len(self.all)), key=lambda at: -self.all[at].size)

    def ask(self, a: str, b: str) -> bool | None:
        if self.asked >= _MAX_ASKED or not worth_asking(tidy(a), tidy(b)):
            return None
        self.asked += 1
        return settle(a, b)

    # -- Numbers --

    def find_number(self, number: Number, key: _Key) -> int | None:
        for value in self.near(number):
            for at in self.by_value.get(value, ()):
                first = self.all[at]
                assert isinstance(first.form, Number)
                if first.admits(key) and same(number, first.form):
                    return at
        if number.noisy:
            return self.find_irrational(number, key)
        return None

    def near(self, key: Number) -> list[Fraction]:
        """The values of classes that a number may belong to, the nearest first."""
        readings = [key.value, key.value / 100] if key.percent else [key.value]
        if not key.noisy:
            return readings
        found = []
        for value in readings:
            margin = max(abs(value) * NOISE * 2, Fraction(1, 10**11))
            low = bisect_left(self.values, value - margin)
            close = self.values[low : bisect_right(self.values, value + margin)]
            found += [other for _, other in sorted((abs(other - value), other) for other in close)]
        return found

    def find_irrational(self, number: Number, key: _Key) -> int | None:
        for at in self.others:
            form = self.all[at].form
            if not isinstance(form, Value | Measured) or not self.all[at].admits(key):
                continue
            if same(number, form):
                return at
        return None


def _beside(key: _Key) -> tuple[str, str]:
    """The unit and the name beside an answer."""
    name = key.name if isinstance(key, Assigned) else ""
    form = key.form if isinstance(key, Assigned) else key
    return ("" if isinstance(form, str) else unit_of(form)), name


def _rank(key: _Key) -> int:
    if isinstance(key, Assigned):
        return _rank(key.form)
    if isinstance(key, Number):
        return 2 * key.noisy + key.percent
    if isinstance(key, str):
        return 0
    if _takes_mathematics(key):
        return 4
    inner = key.form if isinstance(key, Measured) else key
    return 3 * (isinstance(inner, Value) and inner.noisy)


def _takes_mathematics(key: Canonical) -> bool:
    return is_open(key, key)

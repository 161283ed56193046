"""Whether two answers are the same (yes, no, undecided), and the classes of many.

Equality is exact, on fractions, but for one allowance: a decimal written with at least 9 decimals
may carry the noise of binary floats, and equals a number within 1e-10 of the larger one (zero,
within 1e-12). So 17.999999999999996 is 18, and 0.3333333333333333 is 1/3, but 0.33 is not.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from problems.answers.canonical import Canonical, Group, Number, Text, canonical, tidy

__all__ = ["classes", "equivalent", "label", "option_letter"]

# Relative tolerance between a noisy decimal and another number.
_NOISE = Fraction(1, 10**10)
# What counts as zero where the other number is exactly zero.
_ZERO = Fraction(1, 10**12)


def equivalent(a: str, b: str, options: Sequence[str] = ()) -> bool | None:
    """Whether two answers are the same; None where that is undecided. Symmetric.

    With `options` (multiple choice), a letter and the text of its option are the same answer.
    What is no answer (empty, nan, …) equals nothing.
    """
    if options:
        return _same_choice(a, b, tuple(options))
    first, second = canonical(a), canonical(b)
    if first is None or second is None:
        return False
    return _same(first, second)


def label(answer: str | None, reference: str | None, options: Sequence[str] = ()) -> bool | None:
    """A candidate's label: whether its answer is the reference.

    False without an answer; None (no label) where equivalence is undecided or the reference is
    unknown.
    """
    if reference is None:
        return None
    if answer is None:
        return False
    return equivalent(answer, reference, options)


def classes(answers: Sequence[str | None], options: Sequence[str] = ()) -> list[int]:
    """The answer class of each candidate of one problem: 0, 1, … by first appearance; −1 for none.

    Equivalent answers share a class; what is undecided does not. Noisy decimals join the nearest
    exact number within tolerance, never each other in chains, so the classes are transitive.
    """
    keys: dict[str, object] = {}
    for answer in answers:
        if answer is not None and answer not in keys:
            keys[answer] = _key(answer, tuple(options))
    exact = sorted({k.value for k in keys.values() if isinstance(k, Number) and not k.noisy})
    numbers: dict[object, int] = {}
    result = []
    for answer in answers:
        key = None if answer is None else keys[answer]
        if isinstance(key, Number):
            key = _settled(key, exact)
        result.append(-1 if key is None else numbers.setdefault(key, len(numbers)))
    return result


# ---- Same or not ----


def _same(a: Canonical, b: Canonical) -> bool | None:
    if isinstance(a, Number) and isinstance(b, Number):
        return _same_number(a, b)
    if isinstance(a, Text) and isinstance(b, Text):
        return _same_text(a, b)
    if isinstance(a, Group) and isinstance(b, Group):
        return _same_group(a, b)
    if isinstance(a, Text) or isinstance(b, Text):
        text = a if isinstance(a, Text) else b
        return False if isinstance(text, Text) and text.words else None
    return False  # a number against a group of several


def _same_text(a: Text, b: Text) -> bool | None:
    if a.text == b.text:
        return True
    differ = a.words and b.words and a.text.casefold() != b.text.casefold()
    return False if differ else None


def _same_number(a: Number, b: Number) -> bool | None:
    if a.value == b.value:
        return True
    difference, size = abs(a.value - b.value), max(abs(a.value), abs(b.value))
    if (a.noisy or b.noisy) and (difference <= size * _NOISE or _is_noise_of_zero(a, b)):
        return True
    if a.percent != b.percent:
        # 50% against 0.5: the same quantity, but which of them the question wants is not known.
        bare, percent = (b, a) if a.percent else (a, b)
        if bare.value * 100 == percent.value:
            return None
    return False


def _is_noise_of_zero(a: Number, b: Number) -> bool:
    """0 and 5.55e-17, which binary floats make of 0.1 + 0.2 - 0.3."""
    return 0 in (a.value, b.value) and max(abs(a.value), abs(b.value)) <= _ZERO


def _same_group(a: Group, b: Group) -> bool | None:
    if len(a.items) != len(b.items):
        return False
    if a.brackets != b.brackets:
        # An unordered group may mean the same as an ordered one; (0,1) never means [0,1].
        return None if "{}" in (a.brackets, b.brackets) else False
    verdicts = [_same(x, y) for x, y in zip(a.items, b.items, strict=True)]
    if all(verdicts):
        return True
    if a.brackets == "{}" and not all(isinstance(x, Number) for x in (*a.items, *b.items)):
        return None  # sorted members of several kinds need not stand opposite each other
    return False if False in verdicts else None


# ---- Multiple choice ----

_LETTER = re.compile(
    r"(?:(?:option|choice|answer)\s*:?\s*)?(?:\(([A-Za-z])\)(?:\s.*)?|([A-Za-z])(?:[).:](?:\s.*)?)?)",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=1 << 14)
def option_letter(answer: str, options: tuple[str, ...]) -> str | None:
    """The letter that an answer names: "C", "(C)", "C) 12", "option C", or the option's own text.

    None where it names none, or where two options have that text.
    """
    text = tidy(answer)
    found = _LETTER.fullmatch(text)
    if found:
        letter = (found[1] or found[2]).upper()
        if ord(letter) - ord("A") < len(options):
            return letter
    form = canonical(answer)
    if form is None:
        return None
    held = [
        chr(ord("A") + index)
        for index, option in enumerate(options)
        if (other := canonical(option)) is not None and _same(form, other)
    ]
    return held[0] if len(held) == 1 else None


def _same_choice(a: str, b: str, options: tuple[str, ...]) -> bool | None:
    first, second = option_letter(a, options), option_letter(b, options)
    if first is not None and second is not None:
        return first == second
    if first is not None:
        return _is_not_option(b, options[ord(first) - ord("A")])
    if second is not None:
        return _is_not_option(a, options[ord(second) - ord("A")])
    return equivalent(a, b)


def _is_not_option(answer: str, option: str) -> bool | None:
    """False where an answer that names no letter is surely not this option, else undecided."""
    form, held = canonical(answer), canonical(option)
    if form is None or held is None:
        return False
    return False if _same(form, held) is False else None


# ---- Keys of classes ----


def _key(answer: str, options: tuple[str, ...]) -> object:
    """What equal answers share: a letter, a number, text, or a group with settled members."""
    if options:
        letter = option_letter(answer, options)
        if letter is not None:
            return letter
    form = canonical(answer)
    return _settled_group(form) if isinstance(form, Group) else form


def _settled(number: Number, exact: Sequence[Fraction]) -> Fraction:
    """The value of a number; of a noisy one, that of the nearest exact one within tolerance."""
    if not number.noisy:
        return number.value
    at = bisect_left(exact, number.value)
    for near in sorted(exact[max(at - 1, 0) : at + 1], key=lambda v: abs(v - number.value)):
        if _same_number(number, Number(near)):
            return near
    return _simplest(number.value)


def _settled_group(group: Group) -> Group:
    return Group(
        group.brackets,
        tuple(
            Number(_settled(item, ()))
            if isinstance(item, Number)
            else _settled_group(item)
            if isinstance(item, Group)
            else item
            for item in group.items
        ),
    )


def _simplest(value: Fraction) -> Fraction:
    """The fraction of smallest denominator within the noise of `value` (1/3 for 0.3333333333333).

    By continued fractions: the convergents of the interval's ends agree up to it.
    """
    if value < 0:
        return -_simplest(-value)
    margin = value * _NOISE
    return _between(value - margin, value + margin)


def _between(low: Fraction, high: Fraction) -> Fraction:
    """The simplest fraction in [low, high], 0 <= low <= high (Stern-Brocot descent)."""
    whole = low.numerator // low.denominator
    if whole == low:
        return Fraction(whole)
    if whole + 1 <= high:
        return Fraction(whole + 1)
    return whole + 1 / _between(1 / (high - whole), 1 / (low - whole))

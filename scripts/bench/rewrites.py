r"""Reference answers written otherwise (still right) and changed (no longer right).

What is right is known by construction, never by asking the code that is measured.

    for rewrite in rewrites(r"\frac{1}{2}"): rewrite.kind, rewrite.text, rewrite.equal
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

__all__ = ["WRAPPINGS", "Rewrite", "rewrites"]

# Kinds of rewrites that only wrap the text, and that finding the answer usually takes off.
WRAPPINGS = ("boxed", "bold, full stop", "in dollar signs")


class Rewrite(NamedTuple):
    """A text made from a reference: how, and whether it is still the same answer."""

    kind: str
    text: str
    equal: bool


_NUMBER = re.compile(r"(-?)(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(\\?%)?")
_FRACTION = re.compile(r"(-?)\\d?frac\{(\d+)\}\{(\d+)\}|(-?)(\d+)/(\d+)")
_INTERVAL = re.compile(r"(?:\\left)?([(\[])([^,()\[\]]+),([^,()\[\]]+?)(?:\\right)?([)\]])")
_WORDS = re.compile(r"(?:\\text\{)?([A-Za-z]{2,}(?: [A-Za-z]+)*)\}?")


_SPACED = re.compile(r"-?\d+( -?\d+)+")
_LISTED = re.compile(r"\[(-?\d+(?:, -?\d+)*)\]")


def rewrites(reference: str, options: Sequence[str] = (), *, lists: bool = False) -> list[Rewrite]:
    """All rewrites of a reference that apply to it.

    With options, and for a single capital letter, as a choice. With `lists`, as in the mathematics
    set, "7 1 -1" is a list in this order and "[3, 5]" one in any order.
    """
    if options or re.fullmatch("[A-E]", reference):
        return list(_letters(reference, options))
    if lists and (_SPACED.fullmatch(reference) or _LISTED.fullmatch(reference)):
        return list(_lists(reference))
    number, fraction = _NUMBER.fullmatch(reference), _FRACTION.fullmatch(reference)
    if number:
        digits = number[2].replace(",", "") + (number[3] or "")
        value = Fraction(number[1] + digits)
        made = _numbers(value, len(number[3] or ".") - 1, bool(number[4]), number[1] + digits)
    elif fraction:
        sign = fraction[1] or fraction[4] or ""
        top, bottom = fraction[2] or fraction[5], fraction[3] or fraction[6]
        made = _fractions(Fraction(f"{sign}{top}/{bottom}"))
    else:
        made = _others(reference)
    return [*_wrapped(reference), *made]


def _wrapped(text: str) -> Iterator[Rewrite]:
    yield Rewrite("as it is", text, True)
    yield Rewrite("boxed", rf"\boxed{{{text}}}", True)
    yield Rewrite("bold, full stop", f"**{text}**.", True)
    if "$" not in text:
        yield Rewrite("in dollar signs", f"${text}$", True)


# ---- Numbers ----


def _numbers(value: Fraction, decimals: int, percent: bool, digits: str) -> Iterator[Rewrite]:
    unit = Fraction(1, 10**decimals)
    if percent:
        yield Rewrite("percent", f"{digits}%", True)
        yield Rewrite("percent as decimal", _decimal(value / 100), True)
        yield Rewrite("percent as fraction", str(value / 100), True)
        yield Rewrite("percent without sign", digits, True)
        yield Rewrite("off by one in the last digit", f"{_decimal(value + unit)}%", False)
        return
    yield Rewrite("18.0", digits + ("0" if decimals else ".0"), True)
    yield Rewrite("$18", f"${digits}".replace("$-", "-$"), True)
    yield Rewrite("18 dollars", f"{digits} dollars", True)
    yield Rewrite("x = 18", f"x = {digits}", True)
    if decimals:
        yield Rewrite("plain fraction", str(value), True)
        yield Rewrite("LaTeX fraction", _latex(value), True)
    elif abs(value) >= 1000:
        yield Rewrite("1,234", f"{int(value):,}", True)
    noisy = math.nextafter(math.nextafter(float(value), math.inf), math.inf)
    if value and Fraction(noisy) != value and len(repr(noisy).partition(".")[2]) >= 9:
        yield Rewrite("float noise", repr(noisy), True)
    yield from _changed(value, unit)


def _fractions(value: Fraction) -> Iterator[Rewrite]:
    yield Rewrite("plain fraction", str(value), True)
    yield Rewrite("LaTeX fraction", _latex(value), True)
    yield Rewrite("unreduced fraction", _latex(value, 3), True)
    if not (10**9) % value.denominator:
        yield Rewrite("decimal", _decimal(value), True)
    elif value.denominator > 1:
        yield Rewrite("printed float", repr(float(value)), True)
        yield Rewrite("rounded to two decimals", f"{float(value):.2f}", False)
    if abs(value) > 1 and value.denominator > 1:
        sign = "-" if value < 0 else ""
        whole, rest = divmod(abs(value.numerator), value.denominator)
        yield Rewrite("mixed number", f"{sign}{whole}\\frac{{{rest}}}{{{value.denominator}}}", True)
    yield from _changed(value, Fraction(1, value.denominator))


def _changed(value: Fraction, unit: Fraction) -> Iterator[Rewrite]:
    yield Rewrite("off by one in the last digit", _text(value + unit), False)
    yield Rewrite("off by one in the last digit", _text(value - unit), False)
    if value:
        yield Rewrite("sign flipped", _text(-value), False)
        yield Rewrite("times 100", _text(value * 100), False)
        yield Rewrite("divided by 100", _text(value / 100), False)
    if abs(value) not in (0, 1):
        yield Rewrite("inverted fraction", str(1 / value), False)


def _text(value: Fraction) -> str:
    return _decimal(value) if not (10**9) % value.denominator else str(value)


def _decimal(value: Fraction) -> str:
    """A finite decimal, exactly."""
    places = next(p for p in range(40) if (value * 10**p).denominator == 1)
    scaled = abs(value.numerator) * 10**places // value.denominator
    digits = str(scaled).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def _latex(value: Fraction, factor: int = 1) -> str:
    sign = "-" if value < 0 else ""
    return f"{sign}\\frac{{{abs(value.numerator) * factor}}}{{{value.denominator * factor}}}"


# ---- Everything else ----


def _lists(text: str) -> Iterator[Rewrite]:
    ordered = _SPACED.fullmatch(text) is not None
    members = text.split() if ordered else text.strip("[]").split(", ")
    yield Rewrite("as it is", text, True)
    for opened, closed in ("", ""), ("[", "]"), ("(", ")"):
        yield Rewrite("list in other brackets", f"{opened}{', '.join(members)}{closed}", True)
    if len(members) > 1:
        yield Rewrite("list reversed", ", ".join(members[::-1]), not ordered)
        yield Rewrite("one member fewer", f"[{', '.join(members[:-1])}]", False)
    changed = [*members[:-1], str(int(members[-1]) + 1)]
    yield Rewrite("off by one in the last digit", f"[{', '.join(changed)}]", False)


def _others(text: str) -> Iterator[Rewrite]:
    text = text.strip().rstrip(".")
    interval = _INTERVAL.fullmatch(text)
    if interval:
        opened, low, high, closed = interval.groups()
        yield Rewrite("spaces", f"{opened} {low} , {high} {closed}", True)
        if low.strip() != high.strip():
            yield Rewrite("ends swapped", f"{opened}{high},{low}{closed}", False)
        other = "[("["([".index(opened)] + f"{low},{high}" + "])"[")]".index(closed)]
        yield Rewrite("brackets changed", other, False)
    elif re.fullmatch(r"[^()\[\]{}]+(?:,[^()\[\]{}]+)+", text) and "=" not in text:
        members = text.split(",")
        if (
            r"\!" not in text
            and r"\$" not in text
            and not any(" " in m.strip() and re.search("[a-z]{3}", m) for m in members)
        ):
            yield Rewrite("permuted set", ", ".join(m.strip() for m in members[::-1]), True)
            yield Rewrite("one member fewer", ",".join(members[:-1]), False)
    elif "pmatrix" in text:
        yield Rewrite("other brackets of a matrix", text.replace("pmatrix", "bmatrix"), True)
    words = _WORDS.fullmatch(text)
    if words:
        yield Rewrite("capitals", words[1].title(), True)
        yield Rewrite("in \\text", rf"\text{{{words[1]}}}", True)
        yield Rewrite("another word", "purple", False)
        return
    if _is_expression(text):
        yield Rewrite("doubled and halved", rf"\frac{{2({text})}}{{2}}", True)
        yield Rewrite("plus and minus one", rf"1 + {text} - 1", True)
        yield Rewrite("plus one", f"1 + {text}", False)
        yield Rewrite("times two", rf"2\left({text}\right)", False)
        yield Rewrite("sign flipped", rf"-({text})", False)
    changed = re.sub(r"(\d)(?=\D*$)", lambda d: str(int(d[1]) + 1) if d[1] != "9" else "8", text)
    if changed != text and not words:
        yield Rewrite("last digit changed", changed, False)


def _is_expression(text: str) -> bool:
    """LaTeX that may stand in brackets: no relation, list, base, matrix or words."""
    if re.search(r"[=<>,:;_%&$]|\\(?:begin|text|mbox|cup|in|le|ge|pm|infty|circ)(?![a-z])", text):
        return False
    if re.search(r"(?<![\\A-Za-z])[A-Za-z]{2,}|f\(|\d\s*\\frac", text):
        return False
    return bool(re.search(r"\\sqrt|\\pi|[a-z]", text)) and len(text) > 1


def _letters(reference: str, options: Sequence[str]) -> Iterator[Rewrite]:
    for kind, text in (("C", reference), ("(C)", f"({reference})"), ("C)", f"{reference})")):
        yield Rewrite(kind, text, True)
    yield Rewrite("option C", f"option {reference}", True)
    yield Rewrite("in \\text", rf"\text{{({reference})}}", True)
    count = len(options) or 2
    other = chr(ord("A") + (ord(reference) - ord("A") + 1) % count)
    yield Rewrite("another option's letter", other, False)
    if options:
        own = options[ord(reference) - ord("A")]
        twice = [o.strip().casefold() for o in options].count(own.strip().casefold()) > 1
        if own.strip() and own.strip().lower() not in ("none", "nan") and not twice:
            yield Rewrite("the option's text", own, True)
            yield Rewrite("letter and text", f"({reference}) {own}", True)
        wrong = options[ord(other) - ord("A")]
        is_letter = re.fullmatch("[A-E]", wrong.strip()) is not None
        if not is_letter and wrong.strip() and wrong.strip().casefold() != own.strip().casefold():
            yield Rewrite("another option's text", wrong, False)

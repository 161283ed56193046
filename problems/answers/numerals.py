r"""Numbers as people write them: 1,200  $18  2\frac12  50%  1.5e3  18 eggs per day  5 million.

The value is an exact fraction, never a float. Currency signs and units are read off and kept apart,
so that 18, $18 and "18 dollars" are one number while 5 cm and 5 m are not taken for the same.

>>> read_number("$1,200.50 per month").value
Fraction(2401, 2)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from assay.problems.answers.units import MONEY, unit_after

__all__ = ["MAX_DIGITS", "MAX_EXPONENT", "NOISE_DECIMALS", "Number", "read_long", "read_number"]

# Beyond these an answer is text. Whole numbers may be as long as the output of a program.
MAX_DIGITS = 2000
MAX_EXPONENT = 400
_MOST_DIGITS = 1 << 16
# Python's own limit is 4300 digits, for what costs the square of them.
_DIGITS_AT_ONCE = 2000
# From so many decimals on, a decimal may carry the noise of a binary float.
NOISE_DECIMALS = 9


@dataclass(frozen=True)
class Number:
    """An exact value, and what was written beside it.

    `noisy`: at least 9 decimals were written. `percent`: with a per-cent sign, which the value
    ignores (50% is 50). `unit`: a unit of measurement (`units`), or a direction ("loss"); "" for
    none and for things that are counted. `scale`: 10**6 where "million" was written, which the
    value contains. `doubt`: "list" where it is written with commas but no spaces and no currency,
    so that it may be several numbers after all (12,34,567); "rounded" for a member of an array that
    has as many decimals as numpy prints.
    """

    value: Fraction
    noisy: bool = False
    percent: bool = False
    unit: str = ""
    scale: int = 1
    doubt: str = field(default="", compare=False)


# ---- Patterns ----

# 1,234,567, and 12,34,567 as in India.
_GROUPED = r"[0-9]{1,3}(?:(?:,[0-9]{3})+|(?<![0-9][0-9][0-9])(?:,[0-9]{2})+,[0-9]{3})(?![0-9])"
_DECIMAL = rf"(?:{_GROUPED}(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
# What repeats: 0.(3), 0.\overline{3}, 0.\dot{3}, 0.\dot{1}4285\dot{7}.
_PERIOD = (
    r"(?:\((?P<round>[0-9]{1,100})\)|\\(?:overline|bar)\s*(?:\{(?P<line>[0-9]{1,100})\}|(?P<one>[0-9]))"
    r"|(?P<dots>\\dot\s*\{?[0-9]\}?(?:[0-9]{0,100}\\dot\s*\{?[0-9]\}?)?))"
)
_SIGN = r"(?P<sign>[-+]?)\s*"
_MONEY = rf"(?P<money>{MONEY}?)\s*"
_PLAIN = re.compile(
    rf"{_SIGN}{_MONEY}(?P<inner>-?)(?P<number>{_DECIMAL})"
    rf"{_PERIOD}?"
    rf"(?:[eE](?P<e>[0-9]+|[-+][0-9]{{2,}}|(?<=\.\d[eE])[-+][0-9])|\s*(?:\*|x|×|\\times|\\cdot)\s*10\s*(?:\^|\*\*)\s*"
    rf"(?:\{{(?P<p1>-?[0-9]+)\}}|\((?P<p3>-?[0-9]+)\)|(?P<p2>-?[0-9]+)))?(?P<rest>.*)",
    re.DOTALL,
)
_FRACTION = re.compile(
    rf"{_SIGN}{_MONEY}(?P<inner>-?)(?:(?P<whole>[0-9]+)(?:\s*(?=\\)|\s+))?"
    rf"(?:\\frac\s*(?:\{{\s*(?P<a1>-?{_DECIMAL})\s*\}}|(?P<a2>[0-9]))"
    rf"\s*(?:\{{\s*(?P<b1>-?{_DECIMAL})\s*\}}|(?P<b2>[0-9]))"
    rf"|(?P<a3>{_DECIMAL})\s*(?:/|\bover\b|÷|\\div(?![a-z]))\s*(?P<b3>-?{_DECIMAL}))(?P<rest>.*)",
    re.DOTALL,
)
_INTEGER = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS}}}")
_LONG = re.compile(rf"\s*([-+]?)([0-9]{{1,{_MOST_DIGITS}}}|{_GROUPED})(?:\.0*)?\s*")


def read_number(text: str) -> Number | None:
    """The number that a whole text states, None where it is not one number.

    `text` is tidied (`assay.problems.answers.tidying.tidy`).
    """
    if _INTEGER.fullmatch(text):
        return Number(Fraction(int(text)))
    for pattern, value_of in ((_FRACTION, _fraction_value), (_PLAIN, _plain_value)):
        found = pattern.fullmatch(text)
        if found is None or (found["sign"] and found["inner"]):
            continue
        rest, percent, scale, unit = _after(found["rest"], found["money"])
        if rest:
            continue
        number = value_of(found)
        if number is not None and (percent or unit or scale > 1):
            value = number.value * scale
            return Number(value, number.noisy, percent, unit, scale, number.doubt)
        if number is not None:
            return number
    return _number_in_words(text)


def read_long(text: str) -> Number | None:
    """The whole number that a text of any length is, None where it is none or too long."""
    found = _LONG.fullmatch(text) if len(text) <= 2 * _MOST_DIGITS else None
    if found is None:
        return None
    size = _whole(found[2].replace(",", ""))
    doubt = "list" if "," in found[2] else ""
    return Number(Fraction(-size if found[1] == "-" else size), doubt=doubt)


def _whole(digits: str) -> int:
    """The number of so many digits, in halves: `int` refuses more than 4300 of them."""
    if len(digits) <= _DIGITS_AT_ONCE:
        return int(digits)
    half = len(digits) // 2
    return _whole(digits[:-half]) * 10**half + _whole(digits[-half:])


def _plain_value(found: re.Match[str]) -> Number | None:
    digits = found["number"].replace(",", "")
    exponent = int((found["e"] or found["p1"] or found["p2"] or found["p3"] or "0")[:6])
    if len(digits) > MAX_DIGITS or abs(exponent) > MAX_EXPONENT:
        return None
    value = Fraction(digits.rstrip("."))
    decimals = len(digits.partition(".")[2])
    period = found["round"] or found["line"] or found["one"] or found["dots"]
    if period:
        if "." not in digits:
            return None
        repeating = _NO_DIGIT.sub("", period)
        value += Fraction(int(repeating), (10 ** len(repeating) - 1) * 10**decimals)
        decimals = 0
    noisy = decimals - exponent >= NOISE_DECIMALS
    doubt = "list" if "," in found["number"] and not found["money"] else ""
    value = value * Fraction(10) ** exponent if exponent else value
    return Number(_signed(found, value), noisy, doubt=doubt)


_NO_DIGIT = re.compile(r"[^0-9]+")


def _fraction_value(found: re.Match[str]) -> Number | None:
    top = found["a1"] or found["a2"] or found["a3"]
    bottom = found["b1"] or found["b2"] or found["b3"]
    if max(len(top), len(bottom), len(found["whole"] or "")) > MAX_DIGITS:
        return None
    numerator, denominator = (Fraction(part.replace(",", "").rstrip(".")) for part in (top, bottom))
    if denominator == 0:
        return None
    value = numerator / denominator
    if found["whole"]:
        if not 0 < value < 1:  # 2 1/2 is a mixed number; 2 5/3 is not
            return None
        value += int(found["whole"])
    return Number(_signed(found, value))


def _signed(found: re.Match[str], value: Fraction) -> Fraction:
    """The sign stands before the currency or after it: -$5, $-5."""
    return -value if "-" in (found["sign"], found["inner"]) else value


# ---- What follows ----

_PERCENT = re.compile(r"\s*(?:%|percent(?![a-z])|per cent(?![a-z]))")
_SCALES = {
    **{"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9},
    **{"trillion": 10**12, "dozen": 12},
}
_SCALE = re.compile(rf"\s+({'|'.join(_SCALES)})(?![A-Za-z])", re.IGNORECASE)


def _after(rest: str, money: str = "") -> tuple[str, bool, int, str]:
    """What follows the digits: (what is not understood, per-cent sign, scale, unit)."""
    percent = _PERCENT.match(rest)
    rest = rest[percent.end() :] if percent else rest
    scaled = _SCALE.match(rest)
    rest = rest[scaled.end() :] if scaled else rest
    unit = unit_after(rest, money) if rest or money else ""
    scale = _SCALES[scaled[1].lower()] if scaled else 1
    return (rest if unit is None else ""), percent is not None, scale, unit or ""


# ---- Numbers in words ----

_ONES = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_IN_WORDS = {word: value for value, word in enumerate(_ONES)} | {
    word: 20 + 10 * index for index, word in enumerate(_TENS)
}
_WORD_NUMBER = re.compile(
    rf"(?:({'|'.join(_TENS)})[- ])?({'|'.join(_IN_WORDS)})(?![A-Za-z])(.*)", re.IGNORECASE
)


def _number_in_words(text: str) -> Number | None:
    """The number of "four" and "twenty-one apples"; None for what goes beyond ("two thirds")."""
    found = _WORD_NUMBER.fullmatch(text)
    if found is None:
        return None
    ones = _IN_WORDS[found[2].lower()]
    rest, percent, scale, unit = _after(found[3])
    beyond = _FRACTION_WORD.search(found[3]) or found[3][:1] not in ("", " ")
    if rest or beyond or (found[1] and not 0 < ones < 10):
        return None
    tens = _IN_WORDS[found[1].lower()] if found[1] else 0
    return Number(Fraction((tens + ones) * scale), percent=percent, unit=unit, scale=scale)


_FRACTION_WORD = re.compile(
    r"(?:third|fourth|fif|sixth|seventh|eighth|ninth|tenth|hal[fv]|quarter)", re.IGNORECASE
)

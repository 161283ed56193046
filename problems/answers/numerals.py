r"""Numbers as people write them: 1,200  $18  2\frac12  50%  1.5e3  18 eggs per day  5 million.

The value is an exact fraction, never a float. Currency signs and units are read off and kept apart,
so that 18, $18 and "18 dollars" are one number while 5 cm and 5 m are not taken for the same.

>>> read_number("$1,200.50 per month").value
Fraction(2401, 2)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from problems.answers.tidying import words

__all__ = ["MAX_DIGITS", "MAX_EXPONENT", "NOISE_DECIMALS", "Number", "read_number", "without_unit"]

# Beyond these an answer is text: numbers that large cost time and are never right.
MAX_DIGITS = 200
MAX_EXPONENT = 400
# From so many decimals on, a decimal may carry the noise of a binary float.
NOISE_DECIMALS = 9


@dataclass(frozen=True)
class Number:
    """An exact value, and what was written beside it.

    `noisy`: at least 9 decimals were written. `percent`: with a per-cent sign, which the value
    ignores (50% is 50). `unit`: a unit of measurement in its short form, or a direction ("loss");
    "" for none and for things that are counted. `scale`: 10**6 where "million" was written, which
    the value contains.
    """

    value: Fraction
    noisy: bool = False
    percent: bool = False
    unit: str = ""
    scale: int = 1


# ---- Patterns ----

_DECIMAL = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_SIGN = r"(?P<sign>[-+]?)\s*"
_MONEY = r"(?P<money>(?:(?:US|A|C)?[$€£¥₹]|(?:Rs|INR|USD|EUR|GBP)(?=[ .\d])\.?)?)\s*"
_PLAIN = re.compile(
    rf"{_SIGN}{_MONEY}(?P<inner>-?)(?P<number>{_DECIMAL})"
    r"(?:\\overline\{(?P<repeating>[0-9]{1,20})\})?"
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
_INTEGER = re.compile(r"-?[0-9]{1,200}")


def read_number(text: str) -> Number | None:
    """The number that a whole text states, None where it is not one number.

    `text` is tidied (`problems.answers.tidying.tidy`).
    """
    if _INTEGER.fullmatch(text):
        return Number(Fraction(int(text)))
    for pattern, value_of in ((_FRACTION, _fraction_value), (_PLAIN, _plain_value)):
        found = pattern.fullmatch(text)
        if found is None or (found["sign"] and found["inner"]):
            continue
        rest, percent, scale, unit = _after(found["rest"])
        if rest:
            continue
        number = value_of(found)
        if number is not None:
            unit = _CURRENCIES.get(found["money"].strip(".USAC "), "") or unit
            return Number(number.value * scale, number.noisy, percent, unit, scale)
    return _number_in_words(text)


def _after(rest: str) -> tuple[str, bool, int, str]:
    """What follows the digits: (what is not understood, per-cent sign, scale, unit)."""
    percent = _PERCENT.match(rest)
    rest = rest[percent.end() :] if percent else rest
    scaled = _SCALE.match(rest)
    rest = rest[scaled.end() :] if scaled else rest
    unit = _unit(rest)
    scale = _SCALES[scaled[1].lower()] if scaled else 1
    return (rest if unit is None else ""), percent is not None, scale, unit or ""


def _plain_value(found: re.Match[str]) -> Number | None:
    digits = found["number"].replace(",", "")
    exponent = int((found["e"] or found["p1"] or found["p2"] or found["p3"] or "0")[:6])
    if len(digits) > MAX_DIGITS or abs(exponent) > MAX_EXPONENT:
        return None
    value = Fraction(digits.rstrip("."))
    decimals = len(digits.partition(".")[2])
    if found["repeating"]:  # 0.1\overline{6}
        if "." not in digits:
            return None
        period = len(found["repeating"])
        value += Fraction(int(found["repeating"]), (10**period - 1) * 10**decimals)
        decimals = 0
    noisy = decimals - exponent >= NOISE_DECIMALS
    return Number(_signed(found, value * Fraction(10) ** exponent), noisy)


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


# ---- Units ----


# Units that may touch their number; single letters are units only after a space: 5m may be 5 · m.
_SHORT_UNITS = (
    r"mm|cm|km|kms|kg|mg|lbs?|oz|ft|mph|kph|kmph|hrs?|mins?|secs?|ml|mL|kWh|cents?|°\s?[CF]?"
)
_LETTER_UNITS = words("a m g l L h s")
_TWO_LETTERS = words("mm cm km kg mg gm ml mL cc lb oz ft in yd mi hr sq cu of at an on")
# Words that change the number before them.
_NOT_UNITS = words(
    "or and to sqrt root pi log ln sin cos tan exp mod plus minus times divided multiplied over by "
    "base point power squared cubed choose infinity half third quarter dozen hundred thousand "
    "million billion trillion zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty "
    "seventy eighty ninety am pm noon midnight January February March April May June July "
    "August September October November December Jan Feb Mar Apr Jun Jul Aug Sep Oct Nov Dec"
)
_PERCENT = re.compile(r"\s*(?:%|percent(?![a-z])|per cent(?![a-z]))")
_SCALES = {
    **{"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9},
    **{"trillion": 10**12, "dozen": 12},
}
_SCALE = re.compile(rf"\s+({'|'.join(_SCALES)})(?![A-Za-z])", re.IGNORECASE)
_TOUCHING_UNIT = re.compile(rf"(?:{_SHORT_UNITS})(?![A-Za-z])|[$€£¢]")
_UNIT_WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*")
_UNIT_POWER = re.compile(r"(?<=[A-Za-z])(?:\s*\^\s*(?:([23])|\{([23])\})|([²³]))$")
_BRACKETED = re.compile(r"\s*\(([^()]*)\)")
_MAX_UNIT_LENGTH = 80
_MAX_UNIT_WORDS = 6

# The units between which there is a factor: the same digits with two of these are two quantities.
_MEASURES = {
    word: line.split()[0]
    for line in (
        *("mm millimeter millimetre", "cm centimeter centimetre", "m meter metre"),
        *("km kms kilometer kilometre", "in inch inches", "ft foot feet", "yd yard", "mi mile"),
        *("mg milligram", "g gram gm", "kg kilogram kilo", "oz ounce", "lb pound", "ton tonne"),
        *("ml mL milliliter millilitre", "l L liter litre", "s sec second", "min minute"),
        *("h hr hour", "day", "week", "month", "year yr", "cent ¢ pennies penny", "dollar $"),
        *("euro €", "rupee", "degree °"),
    )
    for word in line.split()
}
_CURRENCIES = {"$": "dollar", "€": "euro", "₹": "rupee", "Rs": "rupee", "INR": "rupee"}
# Words that turn a number round: 3% profit is not 3% loss.
_DIRECTIONS = words(
    "profit gain loss increase decrease more less fewer up down above below north south east west "
    "left right before after ahead behind older younger early late"
)
_AREAS = {"square": "2", "sq": "2", "cubic": "3", "cu": "3"}


def _unit(rest: str) -> str | None:
    """The unit that follows a number ("" where it is none of `_MEASURES`), None: not a unit."""
    if not rest:
        return ""
    if len(rest) > _MAX_UNIT_LENGTH:
        return None
    raised = _UNIT_POWER.search(rest)
    power = ""
    if raised:
        rest = rest[: raised.start()]
        power = (raised[1] or raised[2] or raised[3]).translate(str.maketrans("²³", "23"))
    bracketed = _BRACKETED.fullmatch(rest)  # 20 (books)
    touching = _TOUCHING_UNIT.match(rest)
    if bracketed:
        rest = bracketed[1]
    elif not touching and rest[0] not in " /-":
        return None
    after = rest[touching.end() :] if touching else rest
    named = _UNIT_WORD.findall(after)
    if _UNIT_WORD.sub("", after).strip(" /-.") or len(named) > _MAX_UNIT_WORDS:
        return None
    if not all(map(_may_be_unit, named)) or not (named or touching):
        return None
    return _measure([touching[0].strip(), *named] if touching else named, power)


def _may_be_unit(word: str) -> bool:
    """Two letters side by side may be a product: ab is none, cm is one."""
    if _NOT_UNITS.intersection(re.split("['’-]", word)):
        return False
    return len(word) > 2 or word in (_TWO_LETTERS if len(word) == 2 else _LETTER_UNITS)


def _measure(named: list[str], power: str) -> str:
    turned = _DIRECTIONS.intersection(word.lower() for word in named)
    if turned:
        return min(turned)
    if len(named) == 2 and named[0].lower() in _AREAS:
        power, named = _AREAS[named[0].lower()], named[1:]
    if len(named) != 1:
        return ""
    word = named[0] if len(named[0]) < 3 else named[0].lower()
    short = _MEASURES.get(word) or _MEASURES.get(word.removesuffix("s"), "")
    return short + power if short or power else ""


_TRAILING_WORDS = re.compile(r"\s+([A-Za-z][A-Za-z'’ /-]*(?:\s*\^\s*\{?[23]\}?|[²³])?)$")


def without_unit(text: str) -> str:
    r"""The text without a unit at its end, for values that are no plain numbers.

    >>> without_unit(r"8\sqrt{3} square inches"), without_unit(r"3 \sin x"), without_unit("2 xyz")
    ('8\\sqrt{3}', '3 \\sin x', '2 xyz')
    """
    found = _TRAILING_WORDS.search(text)
    if found is None or not found.start() or _unit(" " + found[1]) is None:
        return text
    # Three letters may be a product; longer words, and units that we know, are none.
    named = _UNIT_WORD.findall(found[1])
    sure = all(len(word) > 3 or _measure([word], "") or word in ("per", "sq") for word in named)
    return text[: found.start()] if sure else text


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

r"""The canonical form of an answer: a number, a group of answers, or normalised text.

Two answers with the same canonical form are the same answer, however they are written:

>>> canonical(r"\$1,200.00") == canonical("1200 dollars") == canonical(r"\boxed{1200}")
True

Conventions: currency signs, units and a per-cent sign are dropped (18, $18 and "18 dollars" are one
answer, and so are 50 and 50%; 0.5 and 50 are not); the unknown in "x = 3" is dropped; "a, b" and
"{a, b}" are unordered, "(a, b)" and "[a, b]" are ordered and differ; a group of one is its member.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

__all__ = ["Canonical", "Group", "Number", "Text", "canonical", "split_top_level", "tidy"]

# Beyond these an answer is text: numbers that large cost time and are never right.
MAX_DIGITS = 200
MAX_EXPONENT = 400
MAX_LENGTH = 2000
# From so many decimals on, a decimal may carry the noise of a binary float.
NOISE_DECIMALS = 9


@dataclass(frozen=True)
class Number:
    """An exact value; `noisy` where at least 9 decimals were written, `percent` with a % sign."""

    value: Fraction
    noisy: bool = False
    percent: bool = False


@dataclass(frozen=True)
class Text:
    """Normalised text; `words` where it is plain words, so that another text differs for sure."""

    text: str
    words: bool = False


@dataclass(frozen=True)
class Group:
    """Several answers: `brackets` is "()", "[]", "(]", "[)", or "{}" (unordered)."""

    brackets: str
    items: tuple[Canonical, ...]


Canonical = Number | Text | Group

_INTEGER = re.compile(r"-?[0-9]{1,200}")


@lru_cache(maxsize=1 << 16)
def canonical(answer: str) -> Canonical | None:
    """The canonical form; None for what is no answer (empty, nan, inf, None, True, [], …)."""
    if _INTEGER.fullmatch(answer):
        return Number(Fraction(int(answer)))
    if len(answer) > MAX_LENGTH:
        return Text(answer.strip())
    text = tidy(answer)
    if text.lower().lstrip("+-") in _NO_ANSWERS:
        return None
    return _form(_without_unknown(text))


# ---- Cleaning ----

_NO_ANSWERS = frozenset(
    ("", "nan", "inf", "none", "null", "true", "false", "n/a", "[]", "()", "{}", "zoo", "undefined")
)
_CHARACTERS = str.maketrans(
    {"−": "-", "–": "-", "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u200b": "", "π": r"\pi "}
)
_WRAPPERS = (
    *(("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("__", "__")),
    *(("`", "`"), ('"', '"'), ("'", "'"), ("“", "”")),
)
_COMMAND_WRAPPER = re.compile(
    r"\\(?:boxed|fbox|text|textbf|mathbf|mathrm|mbox|textrm)\s*\{([^{}]*)\}"
)
_OUTER_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{(.*)\}", re.DOTALL)
_PYTHON_WRAPPER = re.compile(
    r"(?:np\.|numpy\.|sympy\.|decimal\.)?(?:float\d*|int\d*|Float|Integer|Decimal)\((.*)\)"
)
_PYTHON_FRACTION = re.compile(r"(?:Fraction|Rational)\((-?\d+), ?(-?\d+)\)")
_LATEX: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\\(?:left|right)(?![a-z])"), ""),
    (re.compile(r"\\!"), ""),
    (re.compile(r"\{,\}|(?<=\d)\\,(?=\d{3})"), ","),
    (re.compile(r"\\[,;: ]|\\q?quad(?![a-z])|~"), " "),
    (re.compile(r"\\([$%{}])"), r"\1"),
    (re.compile(r"\\[dtc]frac"), r"\\frac"),
    (re.compile(r"\^\s*(?:\\circ|\{\s*\\circ\s*\})|°|\\degree"), ""),
)
_UNKNOWN = re.compile(r"[A-Za-z](?:_\{?\w+\}?)?\s*(?:=|\\in(?![a-z]))\s*(?!=)|=\s*")


def tidy(answer: str) -> str:
    r"""An answer without what surrounds it: white space, $…$, \boxed, \text, **, a final stop.

    >>> tidy(r" **$\boxed{\text{18 dollars}}$.**")
    '18 dollars'
    """
    text = answer.translate(_CHARACTERS).strip()
    if "\\" in text:
        for pattern, replacement in _LATEX:
            text = pattern.sub(replacement, text)
    before = None
    while before != text:
        before = text
        # Not "0.333...", which says more than 0.333.
        text = text.strip()
        text = text if text.endswith("..") else text.rstrip(".,;:").rstrip()
        for left, right in _WRAPPERS:
            inside = text[len(left) : -len(right)]
            if text.startswith(left) and text.endswith(right) and inside and left not in inside:
                text = inside
                break
        box = _OUTER_BOX.fullmatch(text)
        if box and _balanced(box[1]):
            text = box[1]
        text = _COMMAND_WRAPPER.sub(r"\1", text) if "\\" in text else text
    python = _PYTHON_WRAPPER.fullmatch(text)
    text = python[1].strip("'\"") if python else text
    return _PYTHON_FRACTION.sub(r"\1/\2", text)


def _balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0


def _without_unknown(text: str) -> str:
    """3 for "x = 3" and for "x = 1 + 2 = 3"; "x = 2, y = 3" stays."""
    found = _UNKNOWN.match(text)
    if found is None or len(split_top_level(text)) > 1:
        return text
    return text[found.end() :].rpartition("=")[2].strip() or text


# ---- Numbers ----

_DECIMAL = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_SIGN = r"(?P<sign>[-+]?)\s*"
_MONEY = r"(?:(?:US|A|C)?[$€£¥]\s*)?"
_PLAIN = re.compile(
    rf"{_SIGN}{_MONEY}(?P<inner>-?)(?P<number>{_DECIMAL})"
    rf"(?:[eE](?P<e>[-+]?[0-9]+)|\s*(?:\*|x|×|\\times|\\cdot)\s*10\s*(?:\^|\*\*)\s*"
    rf"(?:\{{(?P<p1>-?[0-9]+)\}}|(?P<p2>-?[0-9]+)))?(?P<rest>.*)",
    re.DOTALL,
)
_FRACTION = re.compile(
    rf"{_SIGN}{_MONEY}(?P<inner>-?)(?:(?P<whole>[0-9]+)(?:\s*(?=\\)|\s+))?"
    rf"(?:\\frac\s*(?:\{{\s*(?P<a1>-?{_DECIMAL})\s*\}}|(?P<a2>[0-9]))"
    rf"\s*(?:\{{\s*(?P<b1>-?{_DECIMAL})\s*\}}|(?P<b2>[0-9]))"
    rf"|(?P<a3>{_DECIMAL})\s*/\s*(?P<b3>-?{_DECIMAL}))(?P<rest>.*)",
    re.DOTALL,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Units that may touch their number; single letters are units only after a space: 5m may be 5 · m.
_SHORT_UNITS = r"mm|cm|km|kg|mg|lbs?|oz|ft|mph|kph|hrs?|mins?|secs?|ml|kWh|°?C|°?F"
_LETTER_UNITS = _words("a m g l L h s")
# Words that change the number before them.
_NOT_UNITS = _words(
    "or and to sqrt root pi log ln sin cos tan exp mod plus minus times divided multiplied over by "
    "base point power squared cubed choose infinity half third quarter dozen hundred thousand "
    "million billion trillion am pm noon midnight January February March April May June July "
    "August September October November December Jan Feb Mar Apr Jun Jul Aug Sep Oct Nov Dec"
)
_PERCENT = re.compile(r"\s*(?:%|percent(?![a-z])|per cent(?![a-z]))")
_TOUCHING_UNIT = re.compile(rf"(?:{_SHORT_UNITS})(?![A-Za-z])|[$€£¢]")
_UNIT_WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*")
_UNIT_POWER = re.compile(r"(?<=[A-Za-z])(?:\s*\^\s*(?:[23]|\{[23]\})|[²³])$")
_BRACKETED = re.compile(r"\s*\(([^()]*)\)")
_MAX_UNIT_LENGTH = 80
_MAX_UNIT_WORDS = 6


def _number(text: str) -> Number | None:
    for pattern, value_of in ((_FRACTION, _fraction_value), (_PLAIN, _plain_value)):
        found = pattern.fullmatch(text)
        if found is None:
            continue
        rest = found["rest"]
        percent = _PERCENT.match(rest)
        rest = rest[percent.end() :] if percent else rest
        if not _is_unit(rest) or (found["sign"] and found["inner"]):
            continue
        number = value_of(found)
        if number is not None:
            return Number(number.value, number.noisy, percent is not None)
    return None


def _is_unit(rest: str) -> bool:
    """Whether what follows a number is nothing, or a unit that may be dropped."""
    if not rest:
        return True
    if len(rest) > _MAX_UNIT_LENGTH:
        return False
    rest = _UNIT_POWER.sub("", rest)
    touching = _TOUCHING_UNIT.match(rest)
    bracketed = _BRACKETED.fullmatch(rest)  # 20 (books)
    if touching:
        rest = rest[touching.end() :]
    elif bracketed:
        rest = bracketed[1]
    elif rest[0] not in " /-":
        return False
    words = _UNIT_WORD.findall(rest)
    if _UNIT_WORD.sub("", rest).strip(" /-") or len(words) > _MAX_UNIT_WORDS:
        return False
    known = all(len(word) > 1 or word in _LETTER_UNITS for word in words)
    return known and not _NOT_UNITS.intersection(words) and (bool(words) or not rest.strip())


def _plain_value(found: re.Match[str]) -> Number | None:
    digits = found["number"].replace(",", "")
    exponent = int((found["e"] or found["p1"] or found["p2"] or "0")[:6])
    if len(digits) > MAX_DIGITS or abs(exponent) > MAX_EXPONENT:
        return None
    value = Fraction(digits.rstrip(".")) * Fraction(10) ** exponent
    decimals = len(digits.partition(".")[2]) - exponent
    return Number(_signed(found, value), noisy=decimals >= NOISE_DECIMALS)


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


# ---- Groups and text ----

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_AND = re.compile(r",?\s+(?:and|or)\s+")
_WORDS = re.compile(r"[A-Za-z]+(?:[ '’-]+[A-Za-z]+)*")
# Letters that are mathematics, numbers in words, and "none of these": not plain words.
_MATHEMATICAL = _words(
    "e i pi oo infinity zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty "
    "seventy eighty ninety hundred thousand million billion half third quarter dozen once twice "
    "none"
)
_WHITE_SPACE = re.compile(r"\s+")
_MAX_NESTING = 8


def _form(text: str, nesting: int = 0) -> Canonical:
    number = _number(text)
    if number is not None:
        return number
    return (_group(text, nesting) if nesting < _MAX_NESTING else None) or _text(text)


def _group(text: str, nesting: int) -> Canonical | None:
    """The members of a list, set, tuple or interval; None where the text is none of them."""
    inside, brackets = text, "{}"
    if text[:1] in _CLOSING and text[-1:] in (")", "]", "}") and _one_bracket(text):
        inside, brackets = text[1:-1], text[0] + text[-1]
        if "{" in brackets and brackets != "{}":
            return None
    parts = split_top_level(inside)
    if len(parts) == 1 and brackets == "{}":
        parts = _AND.split(inside)
    if not all(part.strip() for part in parts):
        return None
    if len(parts) == 1:
        return _form(inside.strip(), nesting + 1) if inside != text else None
    items = [_form(part.strip(), nesting + 1) for part in parts]
    if inside == text and any(isinstance(item, Text) and " " in item.text for item in items):
        return None  # prose with a comma, not a list of answers
    return Group(brackets, tuple(sorted(items, key=_order) if brackets == "{}" else items))


def _one_bracket(text: str) -> bool:
    """Whether the first bracket closes at the very end: not so in (0,1) U (2,3)."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            return index == len(text) - 1
    return False


def _order(item: Canonical) -> tuple[int, Fraction, str]:
    if isinstance(item, Number):
        return 0, item.value, ""
    return 1, Fraction(0), repr(item)


def split_top_level(text: str) -> list[str]:
    """Splits at the commas that stand in no brackets."""
    if "," not in text:
        return [text]
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _text(text: str) -> Text:
    if not _WORDS.fullmatch(text):
        return Text(_WHITE_SPACE.sub("", text.replace("**", "^")))
    folded = " ".join((text.casefold() if len(text) > 1 else text).split())
    words = re.split(r"[ '’-]+", folded)
    # Two letters side by side may be a product (xy); one letter, or a longer word, is a name.
    product = len(folded) == 2 and folded != "no"
    return Text(folded, words=not product and not _MATHEMATICAL.intersection(words))

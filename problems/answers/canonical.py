r"""The canonical form of an answer: what it says, however it is written.

>>> canonical("1,200.00") == canonical(r"\boxed{1200}") == canonical("1200")
True
>>> canonical("x < 3") == Assigned("x", canonical(r"(-\infty, 3)"))
True

A form (`forms`) is a `Number`, a `Value` (an expression that is no rational number), a `Group` of
forms (list, set, tuple, interval, union, matrix), an `Equation`, a `Ratio`, a number in another
base (`Based`), an `Infinite`, or `Text`; `Assigned` keeps the unknown's name beside it, `Measured`
the unit. "a, b" and "{a, b}" are unordered, "(a, b)" and "[a, b]" are ordered and differ; a group
of one is its member.
"""

from __future__ import annotations

import re
from functools import lru_cache

from assay.problems.answers.brackets import is_one_bracket, split_top_level
from assay.problems.answers.expressions import Ambiguous, Unread, parse
from assay.problems.answers.forms import (
    Assigned,
    Canonical,
    Equation,
    Group,
    Measured,
    Number,
    Text,
    Value,
    order,
)
from assay.problems.answers.inequalities import ORDER, read_inequalities
from assay.problems.answers.intervals import united
from assay.problems.answers.numerals import read_long, read_number
from assay.problems.answers.python_forms import MAX_ITEMS, interval, matrix, read_python
from assay.problems.answers.special import read_special
from assay.problems.answers.tidying import MAX_LENGTH, tidy, words
from assay.problems.answers.units import without_unit
from assay.problems.answers.values import value_of

__all__ = ["canonical"]

# What needs no tidying: 18, -2.5, 3/4, \\frac{3}{4}.
_PLAIN = re.compile(r"-?(?:[0-9./]{1,200}|\\frac\{[0-9]{1,99}\}\{[0-9]{1,99}\})")
_NO_ANSWERS = frozenset(
    {"", *words("nan inf none null zoo n/a n.a na #n/a <na> nat [] () {} set() frozenset()")}
)
# Somebody's word, not the mark of a value that is missing.
_NONE_IN_WORDS = re.compile(r"\\(?:text|mathrm|mbox)[a-z]*\s*\{\s*none\s*\.?\}", re.IGNORECASE)
_MAX_NESTING = 6


@lru_cache(maxsize=1 << 16)
def canonical(answer: str) -> Canonical | None:
    r"""The canonical form; None for what is no answer (empty, nan, inf, None, N/A, [], …).

    None is a value that is missing; the answer "None" is written \text{None}.
    """
    if _PLAIN.fullmatch(answer):
        number = read_number(answer)
        if number is not None:
            return number
    if len(answer) > MAX_LENGTH:
        return read_long(answer) or (Text(answer.strip()) if answer.strip() else None)
    text = tidy(answer)
    if text.lower().lstrip("+-") in _NO_ANSWERS:
        return Text("none", words=True) if _NONE_IN_WORDS.search(answer) else None
    return _form(text)


def _form(text: str, nesting: int = 0) -> Canonical:
    text = text.strip()
    read_first = read_number(text) or read_special(text)
    if read_first is not None:
        return read_first
    try:
        if nesting < _MAX_NESTING:
            for read in (_relation, _plus_minus, _union, _matrix, _group):
                form = read(text, nesting)
                if form is not None:
                    return form
        return _expression(text)
    except Unread as error:
        return _text(text, ambiguous=isinstance(error, Ambiguous))


# ---- Equations and inequalities ----

# What "… = 3" may name: x, x_1, \theta, f(x), AB, |AB|, \angle A, P(A), words.
_UNKNOWN = re.compile(
    r"(?:\\?(?:angle|triangle|overline|log|Pr|text)\s*)*[|{]*(?:\\[A-Za-z]+|[A-Za-z]|[A-Z]{2,3}|"
    r"[A-Za-z]{3,}(?:[ _][A-Za-z0-9]+)*)(?:_\{?\w{1,8}\}?)?(?:\s?\([A-Za-z0-9, ]{1,12}\))?"
    r"[|}]*\s*"
)
_EQUALS = re.compile(r"(?<![<>!:=])=(?!=)|\\in(?![a-z])|:=")
_MARKS = re.compile(r"\\?(?:angle|triangle|overline|text)(?![a-z])|[\\|{}\s]")
_WORD_NAME = re.compile(r"[A-Za-z]{3,}")
_GREEK = re.compile(r"\\[A-Za-z]+\s*")


def _relation(text: str, nesting: int) -> Canonical | None:
    """Equations and inequalities; the unknown's name is kept at the top level alone."""
    if ORDER.search(text):
        found = read_inequalities(text, lambda end: _form(end, nesting + 1))
        return found.form if nesting and isinstance(found, Assigned) else found
    if "=" not in text and r"\in" not in text:
        return None
    if len(split_top_level(text)) > 1 or _AND.search(text):
        return None
    parts = [part.strip() for part in _EQUALS.split(text)]
    if len(parts) < 2 or not parts[-1]:
        return None
    left = parts[0]
    if not left:
        return _form(parts[-1], nesting + 1)
    found, is_solved = _equated(left, parts[-1], nesting)
    name = _name(left) if is_solved and not nesting else ""
    return Assigned(name, found) if name and found is not None else found


def _equated(left: str, right: str, nesting: int) -> tuple[Canonical | None, bool]:
    """The form of left = right, and whether it is the right side alone."""
    solved = _form(right, nesting + 1)
    if not isinstance(solved, Value | Number | Text | Measured):
        return solved, True  # x = (1, 2), x \in [0, 1]
    inner = solved.form if isinstance(solved, Measured) else solved
    known = isinstance(inner, Number) or (isinstance(inner, Value) and not inner.symbols)
    if _UNKNOWN.fullmatch(left) and (known or "(" in left):
        return solved, True
    equation = _equation(left, right)
    if equation is None:
        return (solved, True) if _UNKNOWN.fullmatch(left) else (None, False)
    if not equation.difference.symbols:  # 4 + 5 = 9
        return solved, False
    if _UNKNOWN.fullmatch(left) and isinstance(solved, Value) and len(left) == 1:
        return (
            equation if left in solved.symbols else Equation(equation.difference, solved)
        ), False
    return equation, False


def _name(left: str) -> str:
    r"""The name of an unknown: x, AB, P(A); "" for words, which say the same in many ways."""
    if not _UNKNOWN.fullmatch(left):
        return ""
    greek = _GREEK.fullmatch(left) is not None
    name = _MARKS.sub("", left)
    return "" if _WORD_NAME.search(name) and not greek else name


def _equation(left: str, right: str) -> Equation | None:
    try:
        return Equation(value_of(("+", parse(left), ("-", parse(right)))))
    except Unread:
        return None


# ---- Groups ----

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_AND = re.compile(r",?\s+(?:and|or)\s+")
_PLUS_MINUS = re.compile(r"\\pm(?![a-z])|\\mp(?![a-z])|\+/-")
_UNION = re.compile(r"\\cup(?![a-z])|(?<=[)\]])\s*U\s*(?=[(\[])")
_MATRIX = re.compile(
    r"\\begin\s*\{([pbB]?matrix|array)\}(?:\{[^{}]*\})?(.*?)\\end\s*\{\1\}", re.DOTALL
)
_ROW = re.compile(r"\\\\(?:\[[^\]]*\])?")


def _plus_minus(text: str, nesting: int) -> Canonical | None:
    r"""1 \pm \sqrt{2} is two answers."""
    if not _PLUS_MINUS.search(text) or len(split_top_level(text)) > 1 or is_one_bracket(text):
        return None
    upper = _PLUS_MINUS.sub(lambda sign: "-" if sign[0] == r"\mp" else "+", text)
    lower = _PLUS_MINUS.sub(lambda sign: "+" if sign[0] == r"\mp" else "-", text)
    items = [_form(part.lstrip("+"), nesting + 1) for part in (upper, lower)]
    if any(isinstance(item, Text) for item in items):
        return None
    return _unordered(items)


def _union(text: str, nesting: int) -> Canonical | None:
    parts = _UNION.split(text)
    if len(parts) < 2 or len(parts) > MAX_ITEMS:
        return None
    items = [_form(part, nesting + 1) for part in parts]
    return None if any(isinstance(item, Text) for item in items) else _joined(items)


def _joined(items: list[Canonical]) -> Group:
    return united(items) or Group("∪", tuple(items))


def _matrix(text: str, nesting: int) -> Canonical | None:
    found = _MATRIX.fullmatch(text)
    if found is None:
        return read_python(text, lambda member: _form(member, nesting + 1))
    rows = [row.split("&") for row in _ROW.split(found[2]) if row.strip()]
    return matrix(rows, lambda cell: _form(cell, nesting + 1))


def _group(text: str, nesting: int) -> Canonical | None:
    """The members of a list, set, tuple or interval; None where the text is none of them."""
    inside, brackets = text, "{}"
    bracketed = text[:1] in _CLOSING and text[-1:] in (")", "]", "}") and is_one_bracket(text)
    if bracketed:
        inside, brackets = text[1:-1], text[0] + text[-1]
        if "{" in brackets and brackets != "{}":
            return None
    parts = split_top_level(inside, thousands=not bracketed)
    if len(parts) == 1 and brackets == "{}":
        parts = _AND.split(inside)
    if len(parts) > 1 and re.match(r"\s*(?:and|or)\s", parts[-1]):  # 1, 2, and 3
        parts[-1] = parts[-1].strip().partition(" ")[2]
    if len(parts) > MAX_ITEMS or not all(part.strip() for part in parts):
        return None
    if len(parts) == 1:
        return _form(inside, nesting + 1) if bracketed else None
    items = _members(parts, nesting)
    if not bracketed and any(isinstance(item, Text) and " " in item.text for item in items):
        return None  # prose with a comma, not a list of answers
    if brackets == "{}":
        return _unordered(items)
    return (
        interval(brackets, (items[0], items[1]))
        if len(items) == 2
        else Group(brackets, tuple(items))
    )


def _unordered(items: list[Canonical]) -> Group:
    """Members in a fixed order, groups among them spread out: {1 ± 2, 5} has three.

    Not so what belongs together: x = 1, y = 2 beside x = 3, y = 4.
    """
    spread: list[Canonical] = []
    for item in items:
        inner = item.items if isinstance(item, Group) and item.brackets == "{}" else ()
        named = any(isinstance(member, Assigned) for member in inner)
        spread += inner if inner and not named else [item]
    return Group("{}", tuple(sorted(spread, key=order)))


_NAMED = re.compile(r"\s*(\\?[A-Za-z]+(?:_\{?\w\}?)?)\s*=.*", re.DOTALL)


def _members(parts: list[str], nesting: int) -> list[Canonical]:
    """The members of a list; x = 2, x = 3 are 2 and 3, but x = 2, y = 3 keep their names."""
    named = [_NAMED.fullmatch(part) for part in parts]
    forms = [_form(part, nesting + 1) for part in parts]
    if len({found[1] for found in named if found}) < 2:
        return forms
    return [
        Assigned(found[1], form) if found and not isinstance(form, Equation) else form
        for found, form in zip(named, forms, strict=True)
    ]


# ---- Expressions and text ----

_WORDS = re.compile(r"[A-Za-z]+(?:(?: +|['’]| ?- ?)[A-Za-z]+)*")


# Letters that are mathematics, numbers in words, and "none of these": not plain words.
_MATHEMATICAL = words(
    "e i pi oo infinity zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty "
    "seventy eighty ninety hundred thousand million billion half third quarter dozen once twice "
    "none"
)
_PYTHON_COMPLEX = re.compile(r"\(?(?:[-+]?[0-9.]+(?:e[-+]\d\d+)?)?[-+]?[0-9.]+(?:e[-+]\d\d+)?j\)?")
# Words that are mathematics after all: x y, p - q, xy, sin x.
_LETTERS = re.compile(
    r"[a-z]{2}|(?:(?:sin|cos|tan|sec|csc|cot|exp|ln|pi|[A-Za-z])(?:\s*-\s*|\s+|$))+"
)
_WHITE_SPACE = re.compile(r"\s+")


def _expression(text: str) -> Number | Value | Measured:
    """Raises `Unread` for what is no expression, and for words."""
    if _WORDS.fullmatch(text) and not _LETTERS.fullmatch(text):
        raise Unread("words")
    if _PYTHON_COMPLEX.fullmatch(text):
        text = text.replace("j", "i")
    text, unit = without_unit(text)
    tree = parse(text)
    if tree[0] == "symbol" and text.isupper():
        raise Unread("one capital letter: a name or a choice")
    value = value_of(tree)
    rational = value.rational
    if rational is not None:
        return Number(rational, noisy=value.noisy, unit=unit)
    return Measured(value, unit) if unit else value


def _text(text: str, *, ambiguous: bool) -> Text:
    if not _WORDS.fullmatch(text):
        return Text(_WHITE_SPACE.sub("", text.replace("**", "^")), ambiguous=ambiguous)
    folded = " ".join((text.casefold() if len(text) > 1 else text).split())
    parts = re.split(r"[ '’-]+", folded)
    # Two letters side by side may be a product; one letter, or a longer word, is a name.
    product = len(folded) == 2 and folded != "no"
    return Text(folded, words=not product and not _MATHEMATICAL.intersection(parts))

r"""The canonical form of an answer: what it says, however it is written.

>>> canonical("1,200.00") == canonical(r"\boxed{1200}") == canonical("x = 1200")
True
>>> canonical("x < 3") == canonical(r"(-\infty, 3)")
True

A form (`forms`) is a `Number`, a `Value` (an expression that is no rational number), a `Group` of
forms (list, set, tuple, interval, union, matrix), an `Equation`, a `Ratio`, a number in another
base (`Based`), an `Infinite`, or `Text`. The unknown in "x = 3" is dropped; "a, b" and "{a, b}" are
unordered, "(a, b)" and "[a, b]" are ordered and differ; a group of one is its member.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from problems.answers.expressions import Ambiguous, Unread, parse
from problems.answers.forms import (
    Assigned,
    Canonical,
    Equation,
    Group,
    Infinite,
    Number,
    Text,
    Value,
)
from problems.answers.intervals import united
from problems.answers.numerals import read_number, without_unit
from problems.answers.special import read_special
from problems.answers.tidying import MAX_LENGTH, tidy, words
from problems.answers.values import value_of

__all__ = ["canonical", "split_top_level"]

# What needs no tidying: 18, -2.5, 3/4, \\frac{3}{4}.
_PLAIN = re.compile(r"-?(?:[0-9./]{1,200}|\\frac\{[0-9]{1,99}\}\{[0-9]{1,99}\})")
_NO_ANSWERS = frozenset(
    ("", "nan", "inf", "none", "null", "true", "false", "n/a", "[]", "()", "{}", "set()", "zoo")
)
_MAX_NESTING = 6
_MAX_ITEMS = 64


@lru_cache(maxsize=1 << 16)
def canonical(answer: str) -> Canonical | None:
    """The canonical form; None for what is no answer (empty, nan, inf, None, True, [], …)."""
    if _PLAIN.fullmatch(answer):
        number = read_number(answer)
        if number is not None:
            return number
    if len(answer) > MAX_LENGTH:
        return Text(answer.strip()) if answer.strip() else None
    text = tidy(answer)
    if text.lower().lstrip("+-") in _NO_ANSWERS:
        return None
    return _form(text)


def _form(text: str, nesting: int = 0) -> Canonical:
    text = text.strip()
    read_first = read_number(text) or read_special(text)
    if read_first is not None:
        return read_first
    if nesting < _MAX_NESTING:
        for read in (_relation, _plus_minus, _union, _matrix, _group):
            form = read(text, nesting)
            if form is not None:
                return form
    try:
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
_ORDER = re.compile(r"\\le(?![a-z])|\\ge(?![a-z])|\\lt(?![a-z])|\\gt(?![a-z])|<=|>=|<|>")
_SYMBOL = re.compile(r"\\?[A-Za-z]+|[α-ω]")


def _relation(text: str, nesting: int) -> Canonical | None:
    if _ORDER.search(text):
        return _interval(text, nesting)
    if "=" not in text and r"\in" not in text:
        return None
    if len(split_top_level(text)) > 1 or _AND.search(text):
        return None
    parts = [part.strip() for part in _EQUALS.split(text)]
    if len(parts) < 2 or not parts[-1]:
        return None
    left, right = parts[0], parts[-1]
    if not left:
        return _form(right, nesting + 1)
    solved = _form(right, nesting + 1)
    if not isinstance(solved, Value | Number | Text):
        return solved  # x = (1, 2), x \in [0, 1]
    known = isinstance(solved, Number) or (isinstance(solved, Value) and not solved.symbols)
    if _UNKNOWN.fullmatch(left) and (known or "(" in left):
        return solved
    equation = _equation(left, right)
    if equation is None:
        return solved if _UNKNOWN.fullmatch(left) else None
    if not equation.difference.symbols:  # 4 + 5 = 9
        return solved
    if _UNKNOWN.fullmatch(left) and isinstance(solved, Value) and len(left) == 1:
        return equation if left in solved.symbols else Equation(equation.difference, solved)
    return equation


def _equation(left: str, right: str) -> Equation | None:
    try:
        return Equation(value_of(("+", parse(left), ("-", parse(right)))))
    except Unread:
        return None


def _interval(text: str, nesting: int) -> Canonical | None:
    r"""Inequalities as intervals: x > 3, 1 < x \le 5, x < 1 or x > 2."""
    pieces = re.split(r"\s+or\s+", text)
    if len(pieces) > 1:
        items = [_interval(piece, nesting) for piece in pieces]
        found = [item for item in items if item is not None]
        return _joined(found) if len(found) == len(items) else None
    signs = [sign.lstrip("\\") for sign in _ORDER.findall(text)]
    parts = [part.strip() for part in _ORDER.split(text)]
    smaller = [sign[0] in "<l" for sign in signs]
    if len(parts) not in (2, 3) or len(set(smaller)) != 1:
        return None
    closed = [sign in ("<=", ">=", "le", "ge") for sign in signs]
    if not smaller[0]:  # read from the smaller side
        parts, closed = parts[::-1], closed[::-1]
    if len(parts) == 2:
        if _SYMBOL.fullmatch(parts[0]):
            parts, closed = [r"-\infty", *parts], [False, *closed]
        else:
            parts, closed = [*parts, r"\infty"], [*closed, False]
    if not _SYMBOL.fullmatch(parts[1]):
        return None
    ends = (_form(parts[0], nesting + 1), _form(parts[2], nesting + 1))
    if not all(_is_end(end) for end in ends):
        return None
    return Group("(["[closed[0]] + ")]"[closed[1]], ends)


def _is_end(form: Canonical) -> bool:
    constant = isinstance(form, Value) and not form.symbols
    return constant or isinstance(form, Number | Infinite)


# ---- Groups ----

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_AND = re.compile(r",?\s+(?:and|or)\s+")
_PLUS_MINUS = re.compile(r"\\pm(?![a-z])|\\mp(?![a-z])|\+/-")
_UNION = re.compile(r"\\cup(?![a-z])|(?<=[)\]])\s*U\s*(?=[(\[])")
_MATRIX = re.compile(
    r"\\begin\s*\{([pbB]?matrix|array)\}(?:\{[^{}]*\})?(.*?)\\end\s*\{\1\}", re.DOTALL
)
_PYTHON_GROUP = re.compile(
    r"(Matrix|FiniteSet|Interval(?:\.(?:open|[LR]open))?|Union|set|array)\s*\((.*)\)", re.DOTALL
)
_INTERVALS = {
    **{"Interval": "[]", "Interval.open": "()"},
    **{"Interval.Lopen": "(]", "Interval.Ropen": "[)"},
}
_ROW = re.compile(r"\\\\(?:\[[^\]]*\])?")


def _plus_minus(text: str, nesting: int) -> Canonical | None:
    r"""1 \pm \sqrt{2} is two answers."""
    if not _PLUS_MINUS.search(text) or len(split_top_level(text)) > 1 or _one_bracket(text):
        return None
    upper = _PLUS_MINUS.sub(lambda sign: "-" if sign[0] == r"\mp" else "+", text)
    lower = _PLUS_MINUS.sub(lambda sign: "+" if sign[0] == r"\mp" else "-", text)
    items = [_form(part.lstrip("+"), nesting + 1) for part in (upper, lower)]
    if any(isinstance(item, Text) for item in items):
        return None
    return _unordered(items)


def _union(text: str, nesting: int) -> Canonical | None:
    parts = _UNION.split(text)
    if len(parts) < 2 or len(parts) > _MAX_ITEMS:
        return None
    items = [_form(part, nesting + 1) for part in parts]
    return None if any(isinstance(item, Text) for item in items) else _joined(items)


def _joined(items: list[Canonical]) -> Group:
    return united(items) or Group("∪", tuple(items))


def _matrix(text: str, nesting: int) -> Canonical | None:
    found = _MATRIX.fullmatch(text)
    if found:
        rows = [row.split("&") for row in _ROW.split(found[2]) if row.strip()]
        return _rows([[cell.strip() for cell in row] for row in rows], nesting)
    found = _PYTHON_GROUP.fullmatch(text)
    if found is None:
        return None
    name, inside = found[1], found[2]
    if name in ("FiniteSet", "set"):
        return _form("{" + inside.strip("{}") + "}", nesting + 1)
    items = [_form(part, nesting + 1) for part in split_top_level(inside)]
    if name == "Union":
        return _joined(items)
    if name.startswith("Interval"):
        return Group(_INTERVALS[name], tuple(items)) if len(items) == 2 else None
    if len(items) != 1 or not isinstance(items[0], Group) or items[0].brackets != "[]":
        return None
    lines = [row.items if isinstance(row, Group) else (row,) for row in items[0].items]
    return Group("matrix", tuple(Group("row", line) for line in lines))


def _rows(rows: list[list[str]], nesting: int) -> Group | None:
    sizes = {len(row) for row in rows}
    if not rows or len(sizes) != 1 or len(rows) * sizes.pop() > _MAX_ITEMS:
        return None
    cells = [Group("row", tuple(_form(cell, nesting + 1) for cell in row)) for row in rows]
    return Group("matrix", tuple(cells))


def _group(text: str, nesting: int) -> Canonical | None:
    """The members of a list, set, tuple or interval; None where the text is none of them."""
    inside, brackets = text, "{}"
    bracketed = text[:1] in _CLOSING and text[-1:] in (")", "]", "}") and _one_bracket(text)
    if bracketed:
        inside, brackets = text[1:-1], text[0] + text[-1]
        if "{" in brackets and brackets != "{}":
            return None
    parts = split_top_level(inside, thousands=not bracketed)
    if len(parts) == 1 and brackets == "{}":
        parts = _AND.split(inside)
    if len(parts) > 1 and re.match(r"\s*(?:and|or)\s", parts[-1]):  # 1, 2, and 3
        parts[-1] = parts[-1].strip().partition(" ")[2]
    if len(parts) > _MAX_ITEMS or not all(part.strip() for part in parts):
        return None
    if len(parts) == 1:
        return _form(inside, nesting + 1) if bracketed else None
    items = _members(parts, nesting)
    if not bracketed and any(isinstance(item, Text) and " " in item.text for item in items):
        return None  # prose with a comma, not a list of answers
    return _unordered(items) if brackets == "{}" else Group(brackets, tuple(items))


def _unordered(items: list[Canonical]) -> Group:
    """Members in a fixed order, groups among them spread out: {1 ± 2, 5} has three."""
    spread: list[Canonical] = []
    for item in items:
        inner = isinstance(item, Group) and item.brackets == "{}"
        spread += item.items if inner and isinstance(item, Group) else [item]
    return Group("{}", tuple(sorted(spread, key=_order)))


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


def _one_bracket(text: str) -> bool:
    """Whether the first bracket closes at the very end: not so in (0,1) U (2,3)."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth <= 0:
            return index == len(text) - 1 and index > 0
    return False


def _order(item: Canonical) -> tuple[int, Fraction, str]:
    if isinstance(item, Number):
        return 0, item.value, ""
    return 1, Fraction(0), repr(item)


_THOUSANDS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,])")


def split_top_level(text: str, *, thousands: bool = True) -> list[str]:
    """Splits at the commas and semicolons that stand in no brackets.

    The commas of thousands stay; without `thousands` (in brackets, where (1,234) is a pair) only
    where other commas are followed by a space: (1,200, 3,400).
    """
    if "," not in text and ";" not in text:
        return [text]
    keep: set[int] = set()
    if thousands or re.search(r"[,;]\s", text):
        for found in _THOUSANDS.finditer(text):
            keep.update(range(*found.span()))
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character in ",;" and depth == 0 and index not in keep:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


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


def _expression(text: str) -> Number | Value:
    """Raises `Unread` for what is no expression, and for words."""
    if _WORDS.fullmatch(text) and not _LETTERS.fullmatch(text):
        raise Unread("words")
    if _PYTHON_COMPLEX.fullmatch(text):
        text = text.replace("j", "i")
    tree = parse(without_unit(text))
    if tree[0] == "symbol" and text.isupper():
        raise Unread("one capital letter: a name or a choice")
    value = value_of(tree)
    rational = value.rational
    return value if rational is None else Number(rational, noisy=value.noisy)


def _text(text: str, *, ambiguous: bool) -> Text:
    if not _WORDS.fullmatch(text):
        return Text(_WHITE_SPACE.sub("", text.replace("**", "^")), ambiguous=ambiguous)
    folded = " ".join((text.casefold() if len(text) > 1 else text).split())
    parts = re.split(r"[ '’-]+", folded)
    # Two letters side by side may be a product; one letter, or a longer word, is a name.
    product = len(folded) == 2 and folded != "no"
    return Text(folded, words=not product and not _MATHEMATICAL.intersection(parts))

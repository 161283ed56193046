"""Calculator annotations, `<<48/2=24>>` (Cobbe et al. 2021, arXiv 2110.14168, section 4.1).

They stand before a result in a worked solution: "48/2 = <<48/2=24>>24". Here they are found and
stripped, and put into solutions that have none, wherever the plain text holds a true equation:
"27 girls x 3 boys/girl = 81 boys" has units, currency signs, × for * and per-cent results.

    >>> annotate("27 girls x 3 boys/girl = $81")
    '27 girls x 3 boys/girl = $<<27*3=81>>81'
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from assay.problems.arithmetic import (
    CURRENCIES,
    NUMBER_PATTERN,
    Node,
    Operation,
    agrees,
    evaluate,
    format_number,
    parse,
    render,
    value_of,
)

__all__ = [
    "Annotation",
    "Equation",
    "annotate",
    "annotations",
    "continue_with",
    "equations",
    "strip_annotations",
]

_ANNOTATION = re.compile(r"<<([^<>=\n]*)=([^<>\n]*)>>")
# A shift has an operand before it or white space after it; of GSM8K's 27,998 annotations only one.
_BEGUN = re.compile(r"(?<![\w)\]])<<(?!\s)([^<>=\n]*)=\Z")
# In a result; what is longer, nobody would have written.
_MAX_RESULT_LENGTH = 30


@dataclass(frozen=True)
class Annotation:
    """`<<expression=result>>` at text[start:end]."""

    start: int
    end: int
    expression: str
    result: str


@dataclass(frozen=True)
class Equation:
    """A true equation in plain text: its left side as a tree, its right side as written.

    `value` is what the right side means here ("30%" is 30 where the left side speaks in per cent);
    `position` is where its number begins in the text.
    """

    position: int
    node: Node
    value: Fraction


def annotations(text: str) -> list[Annotation]:
    """The annotations of a text, in order."""
    return [Annotation(m.start(), m.end(), m[1], m[2]) for m in _ANNOTATION.finditer(text)]


def strip_annotations(text: str) -> str:
    """The text without its annotations."""
    return _ANNOTATION.sub("", text)


def continue_with(text: str) -> str | None:
    """What the calculator writes after `text`: where it ends in `<<expression=`, result and `>>`.

    None where there is nothing to complete: no annotation was begun, its result is begun already,
    the expression has no value (`evaluate`), or one of more than 30 characters. `<<` right after a
    letter, a digit or a closing bracket, or before white space, is a shift and no annotation.
    (Cobbe et al. 2021, appendix C.)

    >>> [continue_with(text) for text in ("48/2 = <<48/2=", "$<<.1+.2=", "1 << 3 =", "<<1/0=")]
    ['24>>', '0.3>>', None, None]
    """
    if not text.endswith("="):
        return None
    begun = _BEGUN.match(text, max(0, text.rfind("<<")))
    value = evaluate(begun[1]) if begun else None
    if value is None:
        return None
    result = format_number(value)
    return f"{result}>>" if len(result) <= _MAX_RESULT_LENGTH else None


def annotate(text: str) -> str:
    """Puts an annotation before the result of every true equation of the text.

    Lines that have annotations stay as they are. False equations, and what is not arithmetic, get
    none; nothing else changes: `strip_annotations(annotate(text)) == strip_annotations(text)`.
    """
    return "".join(_annotate_line(line) for line in text.splitlines(keepends=True))


def _annotate_line(line: str) -> str:
    if _ANNOTATION.search(line):
        return line
    for equation in reversed(equations(line)):
        result = format_number(equation.value)
        if Fraction(result) != equation.value:
            continue  # 1 - 1/3 = 2/3: no decimal says it exactly
        mark = f"<<{render(equation.node, compact=True)}={result}>>"
        line = line[: equation.position] + mark + line[equation.position :]
    return line


# ---- Plain-text equations ----

_TOKEN = re.compile(
    rf"(?P<number>{NUMBER_PATTERN})|(?P<word>[^\W\d_]+(?:['’-][^\W\d_]+)*)"
    rf"|(?P<operator>\*\*|//|[-+*/×÷·•−–^])|(?P<currency>[{CURRENCIES}])|(?P<space>\s+)|(?P<other>.)"
)
# Words that multiply when an operand follows: 3 x 4, 20% of 50, 3 times 4.
_TIMES_WORDS = ("x", "X", "of", "times")
# The most words of unit that one quantity may have ("8 skeins per pair of gloves").
_MAX_UNIT_WORDS = 8
# Signs that begin an item of a list.
_BULLETS = ("-", "*", "•", "–", "·", "+")


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def equations(line: str) -> list[Equation]:
    """The true equations of one line, in order: an operation left of "=", a number right of it.

    The left side begins where the longest run of quantities and operators does, so that of
    "T + 75 + 46 = 121" no part is taken for an equation.
    """
    tokens = [
        _Token(m.lastgroup or "", m.group(), m.start(), m.end())
        for m in _TOKEN.finditer(line)
        if m.lastgroup != "space"
    ]
    return list(_true_equations(tokens))


def _true_equations(tokens: list[_Token]) -> Iterator[Equation]:
    index = 0
    while index < len(tokens):
        left = _left_side(tokens, index) if _may_begin(tokens, index) else None
        if left is None:
            index += 1
            continue
        expression, equals = left
        right = _right_side(tokens, equals + 1)
        if right is not None:
            position, stated, percent = right
            read = _true_reading(expression, stated, percent)
            if read is not None:
                yield Equation(position, *read)
        index = equals + 1


def _may_begin(tokens: list[_Token], index: int) -> bool:
    """Whether a left side may begin here: at an operand that nothing before belongs to."""
    if tokens[index].kind not in ("number", "currency") and tokens[index].text != "(":
        return False
    if index == 0:
        return True
    before = tokens[index - 1]
    if before.kind == "operator":
        return index == 1 and before.text in _BULLETS
    if before.kind in ("number", "currency") or before.text == "%":
        return False
    # 5:30 is a time or a ratio, not the end of a clause.
    return not (before.text == ":" and before.end == tokens[index].start and index > 1) or (
        tokens[index - 2].kind != "number"
    )


def _left_side(tokens: list[_Token], start: int) -> tuple[str, int] | None:
    """The arithmetic from `start` to the next "=", units dropped, and the index of that "="."""
    pieces: list[str] = []
    depth = unit_words = 0
    operand_next = True
    index = start
    while index < len(tokens):
        token = tokens[index]
        if operand_next:
            if token.kind == "number":
                pieces.append(token.text)
                operand_next, unit_words = False, 0
            elif token.text == "(":
                pieces.append("(")
                depth += 1
            elif token.kind != "currency":
                return None
        elif token.text == "=":
            return (" ".join(pieces), index) if depth == 0 else None
        elif token.text == "%":
            pieces.append("%")
        elif token.text == ")" and depth:
            pieces.append(")")
            depth -= 1
        elif _operates(tokens, index):
            pieces.append("*" if token.kind == "word" else token.text)
            operand_next = True
        elif token.text == "(" and tokens[index - 1].end == token.start:  # 2(3)
            pieces.append("(")
            depth += 1
            operand_next = True
        elif _is_unit(tokens, index) and unit_words < _MAX_UNIT_WORDS:
            unit_words += token.kind == "word"
        else:
            return None
        index += 1
    return None


def _operates(tokens: list[_Token], index: int) -> bool:
    """Whether the token joins two operands."""
    token = tokens[index]
    if token.kind != "operator" and token.text not in _TIMES_WORDS:
        return False
    # Of "2 for a total of 29*2" and of "6 packs of 5", no "of" multiplies.
    if token.text == "of" and not (
        tokens[index - 1].kind == "number" or tokens[index - 1].text == "%"
    ):
        return False
    following = tokens[index + 1 : index + 2]
    return bool(following) and (
        following[0].kind in ("number", "currency") or following[0].text == "("
    )


def _is_unit(tokens: list[_Token], index: int) -> bool:
    """Whether the token is part of a unit: a word, or the sign in 3 boys/girl and 20-page."""
    token = tokens[index]
    if token.kind == "word":
        # A letter that touches its number is an unknown (2x + 3), not a unit.
        return len(token.text) > 1 or token.text == "a" or tokens[index - 1].end < token.start
    following = tokens[index + 1 : index + 2]
    if not following or following[0].kind != "word":
        return False
    if token.text == "/":
        return True
    return token.text == "-" and tokens[index - 1].end == token.start == following[0].start - 1


def _right_side(tokens: list[_Token], start: int) -> tuple[int, str, bool] | None:
    """(position, number or fraction as written, whether in per cent) after "="; None if more."""
    index, position, sign = start, None, ""
    while index < len(tokens) and (tokens[index].kind == "currency" or tokens[index].text == "-"):
        if tokens[index].text == "-":
            if sign:
                return None
            sign, position = "-", tokens[index].start
        index += 1
    if index == len(tokens) or tokens[index].kind != "number":
        return None
    position = tokens[index].start if position is None else position
    stated = sign + tokens[index].text.replace(",", "")
    index += 1
    rest = tokens[index : index + 2]
    if len(rest) == 2 and rest[0].text == "/" and rest[1].kind == "number":
        stated += "/" + rest[1].text.replace(",", "")
        index += 2
    percent = index < len(tokens) and tokens[index].text == "%"
    index += percent
    if index < len(tokens):
        touches = tokens[index].end - tokens[index].start == 1 and (
            tokens[index - 1].end == tokens[index].start
        )
        is_unknown = tokens[index].kind == "word" and touches
        if is_unknown or _operates(tokens, index) or (tokens[index].text == "(" and touches):
            return None
    return position, stated, percent


def _true_reading(expression: str, stated: str, percent: bool) -> tuple[Node, Fraction] | None:
    """The tree and the value under which the equation is true, if any.

    A percent sign is a hundredth (450 x 6% = 27) or just a unit (95% - 25% = 70%); where the result
    is in per cent, the unit is tried first.
    """
    as_unit = (expression.replace("%", ""), stated)
    as_hundredth = (expression, _hundredth(stated) if percent else stated)
    for left, right in (as_unit, as_hundredth) if percent else (as_hundredth, as_unit):
        node = parse(left)
        if not isinstance(node, Operation):
            continue
        value = value_of(node)
        if value is not None and agrees(value, right):
            return node, value
    return None


def _hundredth(stated: str) -> str:
    try:
        return str(Fraction(stated) / 100)
    except ZeroDivisionError:
        return stated

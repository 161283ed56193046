"""Arithmetic without `eval`: an expression's tree, its exact value, and its text as Python.

A tokenizer and a recursive descent parser of our own, exact fractions, and limits on length,
digits and exponents, so that no text can run code or use up time and memory.

    >>> evaluate("$1,200 x 6% + 2(3)")
    Fraction(78, 1)
    >>> format_number(Fraction(3, 10))
    '0.3'
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

__all__ = [
    "CURRENCIES",
    "NUMBER_PATTERN",
    "Negation",
    "Node",
    "Number",
    "Operation",
    "agrees",
    "evaluate",
    "format_number",
    "parse",
    "render",
    "value_of",
]

MAX_LENGTH = 400
MAX_DEPTH = 40
MAX_DIGITS = 100
MAX_EXPONENT = 400
# Size of any intermediate numerator or denominator.
MAX_BITS = 4096

CURRENCIES = "$€£¥¢"

# Thousands commas only where they stand right: 1,234 is one number, 1,23 is not.
NUMBER_PATTERN = r"(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?|\.\d+"

_TOKEN = re.compile(
    rf"(?P<number>{NUMBER_PATTERN})\.?(?!\d)|(?P<operator>\*\*|//|[-+*/^()%])|(?P<skip>[\s{CURRENCIES}]+)"
)
_OPERATOR_SIGNS = str.maketrans({"×": "*", "·": "*", "•": "*", "÷": "/", "−": "-", "–": "-"})
_TIMES_LETTER = re.compile(r"(?<=[\d)%\s])[xX](?=[\s\d(.$€£¥])")
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "**": 4}
_NEGATION_PRECEDENCE = 3


@dataclass(frozen=True)
class Number:
    """A number as written; `fixed` marks the 100 that a percent sign stands for."""

    value: Fraction
    text: str
    fixed: bool = False


@dataclass(frozen=True)
class Negation:
    """−operand"""

    operand: Node


@dataclass(frozen=True)
class Operation:
    """left sign right, with sign one of + - * / // **"""

    sign: str
    left: Node
    right: Node


Node = Number | Negation | Operation


class _RefusedError(ArithmeticError):
    """Not an expression of ours, or one too large to evaluate."""


def evaluate(expression: str) -> Fraction | None:
    """The exact value of an arithmetic expression, or None where it has none.

    Understands + - * / // ** ^, x × · • ÷, parentheses, percent (60% = 60/100), `2(3)`, thousands
    commas and currency signs. None for anything else, for a division by zero, a root, and numbers
    beyond the limits of this module.
    """
    node = parse(expression)
    return None if node is None else value_of(node)


def parse(expression: str) -> Node | None:
    """The tree of an arithmetic expression, or None where it is not one."""
    try:
        return _Parser(_tokens(expression)).whole()
    except _RefusedError:
        return None


def value_of(node: Node) -> Fraction | None:
    """The exact value of a tree; None as for `evaluate`."""
    try:
        return _value(node)
    except (_RefusedError, ZeroDivisionError):
        return None


def render(
    node: Node, *, compact: bool = False, number: Callable[[Number], str] | None = None
) -> str:
    """A tree as Python, with the fewest parentheses that keep its mathematical value.

    compact: without spaces, as in calculator annotations. number: what to write for a number in
    place of its own text.
    """
    return _render(node, 0, "" if compact else " ", number or (lambda leaf: leaf.text))


def format_number(value: Fraction) -> str:
    """A value as text: an integer, a finite decimal, else 10 significant digits.

    >>> [format_number(Fraction(v)) for v in ("5", "-2.5", "1/3", "2000000/3")]
    ['5', '-2.5', '0.3333333333', '666666.6667']
    """
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    value = abs(value)
    places = _decimal_places(value.denominator)
    if places is None or places > 12:
        whole_digits = len(str(value.numerator // value.denominator)) if value >= 1 else 0
        places = max(10 - whole_digits, 0) + (_leading_zeros(value) if value < 1 else 0)
    scaled = round(value * 10**places)
    digits = str(scaled).rjust(places + 1, "0")
    whole, decimals = digits[: len(digits) - places], digits[len(digits) - places :].rstrip("0")
    return sign + whole + (f".{decimals}" if decimals else "")


def agrees(value: Fraction, stated: str) -> bool:
    """Whether a number as written says `value`: exactly, or up to the noise of binary floats.

    Noise is granted only where at least 9 decimals are written, and up to 1e-10 of the larger, so
    that 17.999999999999996 says 18 and 0.33 does not say 1/3.
    """
    try:
        claimed = Fraction(stated)
    except (ValueError, ZeroDivisionError):
        return False
    if claimed == value:
        return True
    decimals = len(stated.partition(".")[2])
    return decimals >= 9 and abs(claimed - value) * 10**10 <= max(abs(claimed), abs(value))


def _tokens(expression: str) -> list[str]:
    """Numbers (commas removed), operators and parentheses; x and the signs of print become * /."""
    if len(expression) > MAX_LENGTH:
        raise _RefusedError
    text = _TIMES_LETTER.sub("*", expression.translate(_OPERATOR_SIGNS))
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _RefusedError
        if match["number"]:
            if not match["number"].isascii() or len(match["number"]) > MAX_DIGITS:
                raise _RefusedError
            tokens.append(match["number"].replace(",", ""))
        elif match["operator"]:
            tokens.append("**" if match["operator"] == "^" else match["operator"])
        position = match.end()
    return tokens


class _Parser:
    """Recursive descent over: sum = product {± product}; product = signed {*/ signed} and so on."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0

    def whole(self) -> Node:
        node = self.sum()
        if self.position != len(self.tokens):
            raise _RefusedError
        return node

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.position += 1
        return token

    def sum(self) -> Node:
        node = self.product()
        while self.peek() in ("+", "-"):
            node = Operation(self.take(), node, self.product())
        return node

    def product(self) -> Node:
        node = self.signed()
        while True:
            if self.peek() in ("*", "/", "//"):
                node = Operation(self.take(), node, self.signed())
            elif self.peek() == "(":  # 2(3)
                node = Operation("*", node, self.signed())
            else:
                return node

    def signed(self) -> Node:
        if self.peek() not in ("+", "-"):
            return self.power()
        self.deeper()
        sign, operand = self.take(), self.signed()
        self.depth -= 1
        return Negation(operand) if sign == "-" else operand

    def power(self) -> Node:
        node = self.atom()
        if self.peek() != "**":
            return node
        self.take()
        self.deeper()
        node = Operation("**", node, self.signed())
        self.depth -= 1
        return node

    def atom(self) -> Node:
        token = self.take()
        node: Node
        if token == "(":
            self.deeper()
            node = self.sum()
            self.depth -= 1
            if self.take() != ")":
                raise _RefusedError
        elif token[:1].isdigit() or token[:1] == ".":
            node = Number(Fraction(token), _python_number(token))
        else:
            raise _RefusedError
        if self.peek() == "%":
            self.take()
            node = Operation("/", node, Number(Fraction(100), "100", fixed=True))
        return node

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _RefusedError


def _python_number(token: str) -> str:
    """As written, but a Python literal: no leading zeros, no bare point."""
    whole, point, decimals = token.partition(".")
    return (whole.lstrip("0") or "0") + (point + decimals if decimals else "")


def _value(node: Node) -> Fraction:
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Negation):
        return -_value(node.operand)
    left, right = _value(node.left), _value(node.right)
    if node.sign == "+":
        result = left + right
    elif node.sign == "-":
        result = left - right
    elif node.sign == "*":
        result = left * right
    elif node.sign == "/":
        result = left / right
    elif node.sign == "//":
        result = Fraction(left // right)
    else:
        result = _power(left, right)
    if max(result.numerator.bit_length(), result.denominator.bit_length()) > MAX_BITS:
        raise _RefusedError
    return result


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > MAX_EXPONENT:
        raise _RefusedError
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if size * abs(exponent.numerator) > MAX_BITS:
        raise _RefusedError
    return base**exponent.numerator


def _render(node: Node, outer: int, space: str, number: Callable[[Number], str]) -> str:
    """`outer`: the precedence that the text around needs; lower ones get parentheses."""
    if isinstance(node, Number):
        return number(node)
    if isinstance(node, Negation):
        text = "-" + _render(node.operand, _NEGATION_PRECEDENCE, space, number)
        own = _NEGATION_PRECEDENCE
    else:
        own = _PRECEDENCE[node.sign]
        # a + (b - c) is a + b - c, and a * (b / c) is a * b / c; not so after - and /, nor for //.
        floors = isinstance(node.right, Operation) and node.right.sign == "//"
        right = own if node.sign in ("+", "*") and not floors else own + 1
        left = own + 1 if node.sign == "**" else own
        space = "" if node.sign == "**" else space
        text = (
            _render(node.left, left, space, number)
            + f"{space}{node.sign}{space}"
            + _render(node.right, right, space, number)
        )
    return f"({text})" if own < outer else text


def _decimal_places(denominator: int) -> int | None:
    """How many decimals a fraction of this denominator has; None where they never end."""
    twos = fives = 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    return max(twos, fives) if denominator == 1 else None


def _leading_zeros(value: Fraction) -> int:
    """Zeros between the point and the first digit, of a value between 0 and 1."""
    zeros = 0
    while value and value * 10 < 1:
        value, zeros = value * 10, zeros + 1
    return zeros

r"""Reading mathematics: LaTeX, Python and plain text into one small tree, without eval.

Trees are tuples: ("number", Fraction, noisy), ("symbol", name), ("constant", "pi" | "e" | "i"),
("+", a, b), ("-", a), ("*", a, b), ("/", a, b), ("^", a, b), and (function, argument, …).

What has more than one usual reading is `Ambiguous`: 1/2x, sin x/2, 2 3, x2. `Unread` says why.

>>> parse(r"\frac{3x}{2}")
('/', ('*', ('number', Fraction(3, 1), False), ('symbol', 'x')), ('number', Fraction(2, 1), False))
>>> parse("sqrt(2)/2") == parse(r"\frac{\sqrt 2}{2}")
True
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from assay.problems.answers.numerals import MAX_DIGITS, MAX_EXPONENT, NOISE_DECIMALS
from assay.problems.answers.tidying import words

__all__ = ["Ambiguous", "Tree", "Unread", "parse"]

Tree = tuple[Any, ...]

# Longer expressions are left to the engine for mathematics.
_MAX_LENGTH = 400
_MAX_DEPTH = 40


class Unread(Exception):  # noqa: N818
    """The text is no expression, or has more than one reading."""


class Ambiguous(Unread):
    """The text has more than one reading."""


# ---- Tokens ----

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<repeating>[0-9]*\.[0-9]*\([0-9]+\))
    | (?P<number>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)
      (?P<exponent>[eE](?:[-+][0-9]{2,}|[0-9]+))?
    | \\(?P<command>[A-Za-z]+)
    | (?P<name>[A-Za-z]+|[α-ωΑ-Ω])
    | (?P<operator>\*\*|[-+*/^()\[\]{}|!,_°√×·•∙÷⋅'])
    )""",
    re.VERBOSE,
)
_SAME_OPERATOR = {"**": "^", "×": "*", "·": "*", "•": "*", "∙": "*", "⋅": "*", "÷": "/"}
_COMMAND_OPERATOR = {"cdot": "*", "times": "*", "ast": "*", "div": "/", "lbrack": "["}
_FUNCTIONS = {
    name: name.replace("arc", "a")
    for name in words(
        "sin cos tan sec csc cot asin acos atan arcsin arccos arctan sinh cosh tanh exp ln"
    )
}
_CALLED = {"sqrt", "cbrt", "abs", "log", "factorial", "binomial", "floor", "ceiling", "root", "Abs"}
_GREEK = words(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi "
    "rho sigma tau phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega"
)
# Short words that are no products of their letters.
_WORDS = words(
    "and or not the for all mod any no yes per of to is in at by on an if as are was has one two "
    "six ten day cm mm km kg mg ft lb oz pm am oo inf nan log gcd lcm max min det arg deg rad"
)
# A letter with an argument is a function more often than a factor.
_FUNCTION_LETTERS = frozenset("fghFGH")


class _Token:
    __slots__ = ("end", "kind", "start", "text", "value")

    def __init__(self, kind: str, text: str, start: int, end: int, value: Tree | None = None):
        self.kind, self.text, self.start, self.end, self.value = kind, text, start, end, value


def _number(found: re.Match[str]) -> Tree:
    digits = found["number"].replace(",", "").rstrip(".")
    exponent = int((found["exponent"] or "e0")[1:][:6])
    if len(digits) > MAX_DIGITS or abs(exponent) > MAX_EXPONENT:
        raise Unread("a number too long")
    if re.match(r"[eE][-+]?[0-9]", found.string[found.end() :]):
        raise Ambiguous("2e-1, which is 0.2 or 2e - 1")
    decimals = len(digits.partition(".")[2]) - exponent
    value = Fraction(digits) * Fraction(10) ** exponent
    return "number", value, decimals >= NOISE_DECIMALS


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    end = len(text.rstrip())
    # Python writes every product with *, and then I and E are its constants.
    python = "*" in text and "\\" not in text
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise Unread(f"unknown sign {text[at]!r}")
        if found["repeating"]:
            raise Ambiguous("2.5(3), which is 2.5333… or 2.5 · 3")
        start, at = found.end() - len(found[0].lstrip()), found.end()
        if found["number"]:
            tokens.append(_Token("number", found[0].strip(), start, at, _number(found)))
        elif found["command"]:
            tokens.append(_command(found["command"], start, at))
        elif found["name"]:
            tokens += _names(found["name"], start, python)
        else:
            sign = _SAME_OPERATOR.get(found["operator"], found["operator"])
            tokens.append(_Token("operator", sign, start, at))
    tokens.append(_Token("end", "", end, end))
    return tokens


def _command(name: str, start: int, end: int) -> _Token:
    if name in _COMMAND_OPERATOR:
        return _Token("operator", _COMMAND_OPERATOR[name], start, end)
    if name in _FUNCTIONS:
        return _Token("function", _FUNCTIONS[name], start, end)
    if name in _GREEK:
        return _Token("value", name, start, end, ("symbol", name))
    if name in ("pi", "imath"):
        return _Token("value", name, start, end, ("constant", "pi" if name == "pi" else "i"))
    return _Token("command", name, start, end)


def _names(run: str, start: int, python: bool) -> list[_Token]:
    """The tokens of a run of letters: a function, a constant, or a product of one to three."""
    if run in _FUNCTIONS:
        return [_Token("function", _FUNCTIONS[run], start, start + len(run))]
    if run in _CALLED:
        return [_Token("called", run.lower(), start, start + len(run))]
    if run == "pi":
        return [_Token("value", run, start, start + 2, ("constant", "pi"))]
    if len(run) > 3 or run.lower() in _WORDS:
        raise Unread(f"the word {run}")
    tokens = []
    for place, letter in enumerate(run, start):
        value: Tree = ("symbol", letter)
        if letter in ("e", "i") or (python and letter in "EI"):
            value = ("constant", letter.lower())
        tokens.append(_Token("value", letter, place, place + 1, value))
    return tokens


# ---- Grammar ----


def parse(text: str) -> Tree:
    """The tree of a tidied text. Raises `Unread`."""
    if len(text) > _MAX_LENGTH:
        raise Unread("too long")
    reader = _Reader(text)
    tree = reader.sum()
    if reader.now.kind != "end":
        raise Unread(f"{reader.now.text!r} where nothing was expected")
    return tree


class _Reader:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str):
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0
        self.bars = 0

    @property
    def now(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        token = self.tokens[self.at]
        self.at += token.kind != "end"
        return token

    def is_now(self, *signs: str) -> bool:
        return self.now.kind == "operator" and self.now.text in signs

    def expect(self, sign: str) -> None:
        if not self.is_now(sign):
            raise Unread(f"expected {sign!r}")
        self.take()

    def nested(self, read: Callable[[], Tree]) -> Tree:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Unread("nested too deeply")
        tree = read()
        self.depth -= 1
        return tree

    def signed(self, read: Callable[[], Tree]) -> Tree:
        """Signs before what `read` reads: -x^2, x^-2, 2*-3."""
        minus = False
        while self.is_now("+", "-"):
            minus ^= self.take().text == "-"
        tree = read()
        return ("-", tree) if minus else tree

    def sum(self) -> Tree:
        tree = self.product()
        while self.is_now("+", "-"):
            minus = self.take().text == "-"
            term = self.product()
            tree = ("+", tree, ("-", term) if minus else term)
        return tree

    def product(self) -> Tree:
        return self.signed(self.unsigned_product)

    def unsigned_product(self) -> Tree:
        tree = self.factors()
        divided = False
        while self.is_now("*", "/"):
            sign = self.take().text
            if sign == "/" and divided:
                raise Ambiguous("a/b/c")
            before = self.at
            tree = (sign, tree, self.signed(self.factors))
            divided = sign == "/"
            if divided and self.factor_count > 1:
                raise Ambiguous(f"a/bc: {self.text[self.tokens[before].start :]!r}")
        return tree

    def factors(self) -> Tree:
        r"""Factors side by side: 2x, 3\sqrt{2}, (a+1)(b+2). A number is only the first."""
        tree, count = self.power(), 1
        while self.begins_factor():
            if self.now.kind == "number":
                raise Ambiguous("a number after a factor")
            if self.is_mixed(tree):
                raise Ambiguous("a mixed number in an expression")
            tree, count = ("*", tree, self.power()), count + 1
        self.factor_count = count
        return tree

    def begins_factor(self) -> bool:
        token = self.now
        if token.kind == "operator":
            return token.text in ("(", "[", "{", "√") or (token.text == "|" and not self.bars)
        closes = token.kind == "command" and token.text in ("rfloor", "rceil")
        return token.kind in ("number", "value", "function", "called", "command") and not closes

    def is_mixed(self, left: Tree) -> bool:
        r"""Whether digits stand before a fraction of digits: 2\frac{1}{2}."""
        if left[0] != "number" or self.now.text != "frac":
            return False
        return (
            re.match(r"\\frac\s*(?:\{\s*\d+\s*\}|\d)\s*(?:\{\s*\d+\s*\}|\d)", self.rest())
            is not None
        )

    def rest(self) -> str:
        return self.text[self.now.start :]

    def power(self) -> Tree:
        tree = self.postfix()
        if self.is_now("^"):
            self.take()
            return ("^", tree, self.exponent())
        return tree

    def exponent(self) -> Tree:
        return self.nested(lambda: self.signed(self.power))

    def postfix(self) -> Tree:
        tree = self.atom()
        while self.is_now("!", "°"):
            sign = self.take().text
            if sign == "!" and self.is_now("!"):
                raise Ambiguous("a double factorial")
            tree = ("factorial" if sign == "!" else "degrees", tree)
        return tree

    def group(self) -> Tree:
        closing = {"(": ")", "[": "]", "{": "}"}[self.take().text]
        bars, self.bars = self.bars, 0
        tree = self.nested(self.sum)
        self.bars = bars
        self.expect(closing)
        return tree

    def atom(self) -> Tree:
        token = self.now
        if self.is_now("(", "[", "{"):
            return self.group()
        if self.is_now("|"):
            return self.absolute()
        if self.is_now("√"):
            self.take()
            return ("sqrt", self.nested(self.postfix))
        self.take()
        if token.kind == "number":
            return self.number(token)
        if token.kind == "value":
            return self.value(token)
        if token.kind == "function":
            return self.nested(lambda: self.function(token.text))
        if token.kind == "called":
            return self.called(token.text)
        if token.kind == "command":
            return self.command(token.text)
        raise Unread(f"{token.text!r} where a value was expected")

    def number(self, token: _Token) -> Tree:
        if self.is_now("_"):
            raise Ambiguous("a number in another base")
        if self.now.text == "overline" and self.now.kind == "command":
            raise Unread("a repeating decimal in an expression")
        assert token.value is not None
        return token.value

    def value(self, token: _Token) -> Tree:
        """A symbol or constant, with its index: a_1, x_{n+1}; with primes it is not read."""
        assert token.value is not None
        if self.is_now("'"):
            raise Ambiguous("a prime")
        if token.text in _FUNCTION_LETTERS and self.is_now("("):
            raise Unread(f"the function {token.text}")
        if not self.is_now("_"):
            return token.value
        found = re.match(r"_\s*(?:\{([A-Za-z0-9+,]{1,8})\}|([A-Za-z0-9]))", self.rest())
        if found is None:
            raise Unread("an index")
        end = self.now.start + found.end()
        while self.now.start < end and self.now.kind != "end":
            self.take()
        if self.now.start < end or self.tokens[self.at - 1].end > end:
            raise Ambiguous("an index that runs on")
        return ("symbol", f"{token.text}_{found[1] or found[2]}")

    def absolute(self) -> Tree:
        self.take()
        self.bars += 1
        tree = self.nested(self.sum)
        self.bars -= 1
        self.expect("|")
        return ("abs", tree)

    # -- Functions --

    def function(self, name: str) -> Tree:
        r"""\sin^2 x, \sin^{-1} x, \sin 2x, sin(x)."""
        power: Tree | None = None
        if self.is_now("^"):
            self.take()
            power = self.exponent()
            if power in (("-", ("number", Fraction(1), False)),):
                if "a" + name not in _FUNCTIONS.values():
                    raise Unread(f"{name}^-1")
                name, power = "a" + name, None
        tree: Tree = (name, self.argument())
        return tree if power is None else ("^", tree, power)

    def argument(self) -> Tree:
        """What a function without brackets is of: 2x in sin 2x cos y; sin x/2 is not read."""
        if self.is_now("(", "{", "["):
            return self.group()
        if not self.begins_factor() or self.now.kind in ("function",):
            raise Unread("a function of nothing")
        tree = self.power()
        while self.begins_factor() and self.now.kind != "function" and not self.is_now("(", "["):
            if self.now.kind == "number":
                raise Ambiguous("a number after a factor")
            tree = ("*", tree, self.power())
        if self.is_now("/", "(", "["):
            raise Ambiguous("a function of a/b or divided by b, of 2 or 2(x+1)")
        return tree

    def called(self, name: str) -> Tree:
        """Python's functions, with their brackets: sqrt(2), log(8, 2), binomial(5, 2)."""
        if not self.is_now("("):
            if name == "sqrt" and self.is_now("{"):
                return ("sqrt", self.group())
            raise Unread(f"{name} without brackets")
        self.take()
        arguments = [self.nested(self.sum)]
        while self.is_now(","):
            self.take()
            arguments.append(self.nested(self.sum))
        self.expect(")")
        return _call(name, arguments)

    def command(self, name: str) -> Tree:
        if name in ("frac", "binom"):
            return ("/" if name == "frac" else "binomial", self.braced(), self.braced())
        if name == "sqrt":
            if self.is_now("["):
                index = self.group()
                return ("root", self.braced(), index)
            return ("sqrt", self.braced())
        if name == "log":
            base = None
            if self.is_now("_"):
                self.take()
                base = self.braced()
            argument = self.argument()
            return ("log", argument) if base is None else ("log", argument, base)
        if name in ("lfloor", "lceil"):
            tree = self.nested(self.sum)
            if self.take().text != name.replace("l", "r", 1):
                raise Unread(name)
            return ("floor" if name == "lfloor" else "ceiling", tree)
        raise Unread(f"the command \\{name}")

    def braced(self) -> Tree:
        r"""An argument of a LaTeX command: {…}, or one sign: \frac12, \sqrt x."""
        if self.is_now("{"):
            return self.group()
        token = self.now
        if token.kind == "number":
            return self.digit(token)
        if token.kind == "value":
            self.take()
            assert token.value is not None
            return token.value
        if token.kind == "command" and token.text in ("frac", "sqrt"):
            self.take()
            return self.nested(lambda: self.command(token.text))
        if self.is_now("("):  # \sqrt(2) is not LaTeX, but often written
            return self.group()
        raise Unread("a command without its argument")

    def digit(self, token: _Token) -> Tree:
        r"""One digit of a number: \frac12 is 1/2. \sqrt23 is not read."""
        if not token.text.isdigit():
            raise Ambiguous("digits without braces")
        before = self.tokens[self.at - 1].text if self.at else ""
        if len(token.text) > 2 or (len(token.text) == 2 and before != "frac"):
            raise Ambiguous("digits without braces")
        if len(token.text) == 1:
            self.take()
        else:  # leave the second digit to the next argument
            self.tokens[self.at] = _digit(token.text[1], token.start + 1)
        return "number", Fraction(int(token.text[0])), False


def _digit(digit: str, start: int) -> _Token:
    return _Token("number", digit, start, start + 1, ("number", Fraction(int(digit)), False))


def _call(name: str, arguments: list[Tree]) -> Tree:
    count = {"log": (1, 2), "binomial": (2, 2), "root": (2, 2)}.get(name, (1, 1))
    if not count[0] <= len(arguments) <= count[1]:
        raise Unread(f"{name} of {len(arguments)} arguments")
    if name == "log" and len(arguments) == 1:
        return ("ln", arguments[0])  # Python's log is the natural one
    if name == "cbrt":
        return ("root", arguments[0], ("number", Fraction(3), False))
    return (name, *arguments)

r"""What an expression is worth: exactly where it is rational, else to 50 digits.

Two expressions are compared by their values at a few fixed points of their symbols. Where both are
rational functions the values are exact fractions, and expressions that agree at points of some
30 digits are identical (Schwartz 1980, Zippel 1979: the chance of an accident is below 1e-9 even
for degree 1000). Otherwise 40 digits have to agree. A difference at a point is a proof.

At the first points all symbols are positive, at the others of either sign: what agrees only at the
first is equal only for positive numbers (\sqrt{x^2} and x).

>>> from assay.problems.answers.expressions import parse
>>> first, second = value_of(parse(r"\frac{\sqrt{12}}{2}")), value_of(parse(r"\sqrt{3}"))
>>> close(first.values[0], second.values[0])
True
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import ceil, comb, factorial, floor, isqrt
from typing import Any

from assay.problems.answers.expressions import Ambiguous, Tree, Unread

__all__ = ["POSITIVE_POINTS", "Complex", "Value", "close", "value_at", "value_of"]

# Of the points, so many come first at which every symbol is positive.
POSITIVE_POINTS = 2
_POINTS = 4
_DIGITS = 50
_MORE_DIGITS = 80
_AGREE = Fraction(1, 10**40)
# Two runs that differ by more have lost too many digits to cancellation.
_STABLE = Fraction(1, 10**42)
_AGREE_MORE = Fraction(1, 10**25)
# An irrational value this close to a fraction of small denominator is that fraction.
_SMALL_DENOMINATOR = 10**12
# Bits of any number: a power that has more is not computed.
_MAX_BITS = 40_000
_MAX_FACTORIAL = 2500
_MAX_ARGUMENT = 20_000

# mpmath's constants are cached without locks, so threads take turns.
_evaluating = threading.RLock()

Point = dict[str, Fraction]
# A complex number by its exact or rounded parts.
Complex = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Value:
    r"""The values of an expression at the points: (real, imaginary) each, and whether exactly.

    `symbols` are the letters in it. `vague` where a difference proves nothing: \log without its
    base, powers of negative numbers, whole-number symbols in periodic functions. `noisy` where a
    decimal in it may carry the noise of binary floats.
    """

    values: tuple[Complex, ...]
    symbols: tuple[str, ...] = ()
    exact: bool = True
    vague: bool = False
    noisy: bool = False
    tree: Tree = field(default=(), compare=False, repr=False)

    @property
    def rational(self) -> Fraction | None:
        """The exact value where it is one rational number."""
        first, imaginary = self.values[0]
        constant = self.exact and not imaginary and not self.vague
        return first if constant and all(v == self.values[0] for v in self.values) else None


def value_of(tree: Tree, names: tuple[str, ...] | None = None) -> Value:
    """The values of a tree at the points. Raises `Unread` where it has none or costs too much.

    With `names`, the tree's symbols, in order, take the points of these.
    """
    facts = _Facts()
    facts.see(tree)
    symbols = tuple(sorted(facts.symbols))
    points = range(_POINTS if symbols else 1)
    values, exact = [], True
    for point in points:
        at = {
            symbol: _coordinate(name, point)
            for symbol, name in zip(symbols, names or symbols, strict=True)
        }
        value, is_exact = _robust(tree, at)
        values.append(value)
        exact = exact and is_exact
    if not exact and symbols and all(close(values[0], v) for v in values):
        simple = _simple(values[0])  # sin^2 x + cos^2 x
        values, exact = [simple or values[0]] * len(values), simple is not None
    shown = tuple(s for s in symbols if s != _BASE)
    return Value(tuple(values), shown, exact, facts.vague or _BASE in symbols, facts.noisy, tree)


def close(a: Complex, b: Complex, tolerance: Fraction = _AGREE) -> bool:
    """Whether two complex numbers agree to a relative tolerance, of the larger of them."""
    size = max(abs(a[0]), abs(a[1]), abs(b[0]), abs(b[1]))
    return max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= size * tolerance


def value_at(tree: Tree, at: Mapping[str, Fraction]) -> Complex:
    """The value of a tree where its symbols are these numbers. Raises `Unread`."""
    return _robust(tree, dict(at))[0]


# ---- Before evaluation ----

# The unknown base of a logarithm.
_BASE = "log base"
_PERIODIC = ("sin", "cos", "tan", "sec", "csc", "cot")
_WHOLE = frozenset("nkm")


class _Facts:
    def __init__(self) -> None:
        self.symbols: set[str] = set()
        self.vague = self.noisy = False

    def see(self, tree: Tree) -> None:
        kind = tree[0]
        if kind == "symbol":
            self.symbols.add(tree[1])
        elif kind == "number":
            self.noisy = self.noisy or tree[2]
        elif kind != "constant":
            if kind == "log" and len(tree) == 2:
                self.symbols.add(_BASE)
            for part in tree[1:]:
                self.see(part)
            if kind in _PERIODIC or kind in ("^", "factorial", "binomial"):
                self.vague = self.vague or self.is_vague(tree)

    def is_vague(self, tree: Tree) -> bool:
        inner = _Facts()
        inner.see(tree[-1])
        if tree[0] == "^":
            return bool(inner.symbols) and tree[1][0] == "-"
        if tree[0] in _PERIODIC:
            return bool(inner.symbols & _WHOLE)
        return False


@lru_cache(maxsize=4096)
def _coordinate(name: str, point: int) -> Fraction:
    """Where a symbol is at a point: a fraction of some 30 digits between 1 and 4 in size."""
    digest = hashlib.sha256(f"{name}/{point}".encode()).digest()
    size = 1 + Fraction(int.from_bytes(digest[:7], "big"), 2**56 // 3)
    negative = point >= POSITIVE_POINTS and (digest[8] & 1 or point == _POINTS - 1)
    return -size if negative else size


# ---- Evaluation ----


def _robust(tree: Tree, at: Point) -> tuple[Complex, bool]:
    """The value, and whether it is exact; an inexact one is computed twice, to be sure of it."""
    try:
        with _evaluating:
            rough = _Evaluator(at, _DIGITS).value(tree)
            if isinstance(rough, Fraction):
                return (rough, Fraction(0)), True
            first = _parts(rough)
            second = _parts(_Evaluator(at, _MORE_DIGITS).value(tree))
    except (ArithmeticError, ValueError, TypeError, RecursionError) as error:
        raise Unread(f"no value: {type(error).__name__}") from error
    if max(map(abs, first)) < _AGREE and max(map(abs, second)) < _AGREE * _AGREE_MORE:
        return (Fraction(0), Fraction(0)), True
    if not close(first, second, _STABLE):
        raise Unread("too much cancellation")
    size = max(map(abs, second))
    real, imaginary = (Fraction(0) if abs(x) <= size * _AGREE else x for x in second)
    simple = None if at else _simple((real, imaginary))
    return (simple, True) if simple else ((real, imaginary), False)


def _simple(value: Complex) -> Complex | None:
    """A constant that agrees to 40 digits with a simple fraction is that fraction."""
    real, imaginary = (x.limit_denominator(_SMALL_DENOMINATOR) for x in value)
    return (real, imaginary) if close((real, imaginary), value) else None


@lru_cache(maxsize=4)
def _context(digits: int) -> Any:
    """The mpmath context of a precision, imported when first needed."""
    from mpmath.ctx_mp import MPContext

    context = MPContext()
    context.dps = digits
    return context


def _parts(number: Any) -> Complex:
    return (
        (_fraction(number.real._mpf_), _fraction(number.imag._mpf_))
        if hasattr(number, "_mpc_")
        else (_fraction(number._mpf_), Fraction(0))
    )


def _fraction(raw: tuple[int, int, int, int]) -> Fraction:
    sign, mantissa, exponent, bits = raw
    if abs(exponent) + bits > _MAX_BITS or (not mantissa and exponent):
        raise Unread("too large, too small, or no number")
    value = Fraction(int(mantissa)) * Fraction(2) ** exponent
    return -value if sign else value


class _Evaluator:
    """Values of trees at one point: exact fractions as far as that goes, then mpmath numbers."""

    def __init__(self, at: Point, digits: int):
        self.at, self.digits = at, digits
        self.angles = 0  # how many sines and the like we are in: there, a degree is pi/180

    def inexact(self, value: Any) -> Any:
        if isinstance(value, Fraction):
            context = _context(self.digits)
            return context.mpf(value.numerator) / value.denominator
        return value

    def value(self, tree: Tree) -> Any:
        kind = tree[0]
        if kind == "number":
            return tree[1]
        if kind == "symbol":
            return self.at[tree[1]]
        if kind == "constant":
            context = _context(self.digits)
            constants = {"pi": context.pi, "e": context.e, "i": context.j}
            return +constants[tree[1]]
        self.angles += kind in _PERIODIC
        operands = [self.value(part) for part in tree[1:]]
        self.angles -= kind in _PERIODIC
        if kind in ("+", "*", "/", "^"):
            return self.binary(kind, operands[0], operands[1])
        if kind == "-":
            return -operands[0]
        return self.function(kind, operands)

    def binary(self, kind: str, a: Any, b: Any) -> Any:
        if kind == "^":
            return self.power(a, b)
        if not (isinstance(a, Fraction) and isinstance(b, Fraction)):
            a, b = self.inexact(a), self.inexact(b)
        elif max(map(_bits, (a, b))) > _MAX_BITS:
            raise Unread("a number too long")
        return a + b if kind == "+" else a * b if kind == "*" else a / b

    def power(self, a: Any, b: Any) -> Any:
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            if b.denominator == 1 and abs(b) * _bits(a) <= _MAX_BITS:
                return a ** int(b)
            if a < 0 and b.denominator > 2:
                raise Ambiguous("a root of a negative number")
            if b.denominator == 2 and abs(b) * _bits(a) <= _MAX_BITS:
                root = self.square_root(a)
                return self.power(root, Fraction(b.numerator))
        context = _context(self.digits)
        base, exponent = self.inexact(a), self.inexact(b)
        if not base:
            raise Unread("zero to an odd power")
        if abs(exponent * context.log(abs(base), 2)) > _MAX_BITS:
            raise Unread("a power too large")
        if isinstance(b, Fraction) and b.denominator == 1:
            return base ** int(b)
        return base**exponent

    def square_root(self, a: Any) -> Any:
        if isinstance(a, Fraction) and a >= 0:
            top, bottom = isqrt(a.numerator), isqrt(a.denominator)
            if top * top == a.numerator and bottom * bottom == a.denominator:
                return Fraction(top, bottom)
        return _context(self.digits).sqrt(self.inexact(a))

    def root(self, a: Any, n: Any) -> Any:
        """The real root where there is one."""
        if not isinstance(n, Fraction) or n.denominator != 1 or not 2 <= n <= 100:
            raise Unread("a root of an unusual degree")
        degree = int(n)
        if isinstance(a, Fraction) and a < 0:
            if degree % 2 == 0:
                raise Unread("an even root of a negative number")
            return -self.root(-a, n)
        value = _context(self.digits).root(self.inexact(a), degree)
        if isinstance(a, Fraction):
            near = _parts(value)[0].limit_denominator(_SMALL_DENOMINATOR)
            if near**degree == a:
                return near
        return value

    def function(self, kind: str, operands: list[Any]) -> Any:
        first = operands[0]
        if kind == "degrees":
            return self.inexact(first) * _context(self.digits).pi / 180 if self.angles else first
        if kind == "sqrt":
            return self.square_root(first)
        if kind == "root":
            return self.root(first, operands[1])
        if kind == "abs":
            return abs(first)
        if kind in ("floor", "ceiling"):
            return self.rounded(kind, first)
        if kind in ("factorial", "binomial"):
            return self.counted(kind, operands)
        if kind == "log":
            base = operands[1] if len(operands) > 1 else self.at[_BASE]
            return self.logarithm(first, base)
        return self.elementary(kind, first)

    def rounded(self, kind: str, x: Any) -> Fraction:
        if self.at or not isinstance(x, Fraction):
            raise Unread("rounding what is not known exactly")
        return Fraction(floor(x) if kind == "floor" else ceil(x))

    def counted(self, kind: str, operands: list[Any]) -> Any:
        whole = all(
            isinstance(x, Fraction) and x.denominator == 1 and 0 <= x <= _MAX_FACTORIAL
            for x in operands
        )
        if whole:
            numbers = [int(x) for x in operands]
            return Fraction(factorial(numbers[0]) if kind == "factorial" else comb(*numbers))
        if not self.at or any(abs(self.inexact(x)) > _MAX_FACTORIAL for x in operands):
            raise Unread(f"{kind} of no whole number, or of a large one")
        return getattr(_context(self.digits), kind)(*map(self.inexact, operands))

    def logarithm(self, x: Any, base: Any) -> Any:
        """To a base, exactly where both are powers of one number that is quickly found."""
        context = _context(self.digits)
        value = context.log(self.inexact(x)) / context.log(self.inexact(base))
        if isinstance(x, Fraction) and isinstance(base, Fraction) and not hasattr(value, "_mpc_"):
            near = _parts(value)[0].limit_denominator(1000)
            small = abs(near.numerator) * max(_bits(x), _bits(base)) < _MAX_BITS
            if small and base > 0 and base**near.numerator == x**near.denominator:
                return near
        return value

    def elementary(self, kind: str, x: Any) -> Any:
        if x == 0:
            if kind in ("sin", "tan", "asin", "atan", "sinh", "tanh"):
                return Fraction(0)
            if kind in ("cos", "sec", "exp", "cosh"):
                return Fraction(1)
        context, x = _context(self.digits), self.inexact(x)
        if abs(x) > _MAX_ARGUMENT:
            raise Unread("a function of a large number")
        return getattr(context, kind)(x)


def _bits(x: Fraction) -> int:
    return x.numerator.bit_length() + x.denominator.bit_length()

"""The safe evaluator, against literal values and against Python itself."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.problems.arithmetic import agrees, evaluate, format_number, parse, render, value_of


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("48/2", 24),
        ("2+3*4", 14),
        ("(2+3)*4", 20),
        ("10-4-3", 3),
        ("100/5/2", 10),
        ("2**3**2", 512),
        ("-2**2", -4),
        ("2^10", 1024),
        ("7//2", 3),
        ("60%", Fraction(3, 5)),
        ("50*20%", 10),
        ("$1,200 x 6%", 72),
        ("3 × 4 ÷ 6", 2),
        ("9+2(21)", 51),
        ("(1+2)(3+4)", 21),
        (".1+.2", Fraction(3, 10)),
        ("5.", 5),
        ("−5 + 3", -2),
        ("1,234,567", 1234567),
        ("007", 7),
    ],
)
def test_evaluate(expression: str, value: int | Fraction) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        *("", " ", "x", "2x", "1/0", "1//0", "0**-1", "2**0.5", "(1", "1)", "1 2", "*3", "1+"),
        *("1,23", "1.2.3", "__import__('os')", "10**10**10", "9**999999", "1" * 500),
        *("(" * 100 + "1" + ")" * 100, "-" * 200 + "1", "2**400**400", "1e5", "٣+1", "3 4"),
    ],
)
def test_refused(expression: str) -> None:
    begin = time.thread_time()
    assert evaluate(expression) is None
    assert time.thread_time() - begin < 0.1


_NUMBERS = st.integers(0, 999).map(str) | st.decimals(
    0, 99, allow_nan=False, allow_infinity=False, places=2
).map(str)
_EXPRESSIONS = st.recursive(
    _NUMBERS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-({text})"),
    ),
    max_leaves=8,
)


def _reference(expression: str) -> Fraction | None:
    """Python's own evaluation, on fractions."""
    import re

    exact = re.sub(r"\d+(?:\.\d+)?", lambda m: f"F('{m[0]}')", expression)
    try:
        return eval(exact, {"F": Fraction})
    except ZeroDivisionError:
        return None


@given(_EXPRESSIONS)
def test_same_as_python(expression: str) -> None:
    assert evaluate(expression) == _reference(expression)


@given(_EXPRESSIONS, st.booleans())
def test_rendered_text_has_the_same_value(expression: str, compact: bool) -> None:
    node = parse(expression)
    assert node is not None
    assert evaluate(render(node, compact=compact)) == value_of(node)


def test_render_style() -> None:
    node = parse("2*(3+4)-(5-6)/(7*8)+.5*(1/2)")
    assert node is not None
    assert render(node) == "2 * (3 + 4) - (5 - 6) / (7 * 8) + 0.5 * 1 / 2"
    assert render(node, compact=True) == "2*(3+4)-(5-6)/(7*8)+0.5*1/2"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("5", "5"),
        ("-2.5", "-2.5"),
        ("0.3", "0.3"),
        ("0", "0"),
        ("-1/8", "-0.125"),
        ("1/3", "0.3333333333"),
        ("-2/3", "-0.6666666667"),
        ("2000000/3", "666666.6667"),
        ("1/30000", "0.00003333333333"),
        ("100000000000000000001", "100000000000000000001"),
        ("10000000000/3", "3333333333"),
    ],
)
def test_format_number(value: str, text: str) -> None:
    assert format_number(Fraction(value)) == text


@given(st.fractions())
def test_format_number_is_close(value: Fraction) -> None:
    assert abs(Fraction(format_number(value)) - value) <= abs(value) / 10**9


@pytest.mark.parametrize(
    ("value", "stated", "expected"),
    [
        ("18", "17.999999999999996", True),
        ("1/3", "0.3333333333333333", True),
        ("1/3", "0.33", False),
        ("1/3", "1/3", True),
        ("12345", "12346", False),
        ("5", "five", False),
        ("5", "1/0", False),
    ],
)
def test_agrees(value: str, stated: str, expected: bool) -> None:
    assert agrees(Fraction(value), stated) is expected

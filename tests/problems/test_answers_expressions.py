"""Reading and evaluating expressions, against a slow and obvious reference."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.problems.answers.expressions import Ambiguous, Unread, parse
from assay.problems.answers.tidying import tidy
from assay.problems.answers.values import value_of

# ---- Rational trees: written in three ways, evaluated by hand ----

_LEAVES = st.integers(0, 12).map(lambda n: ("number", n)) | st.sampled_from("xy").map(
    lambda letter: ("symbol", letter)
)


def _grown(trees: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.tuples(st.sampled_from("+-*/"), trees, trees)
    powers = st.tuples(st.just("^"), trees, st.integers(0, 3).map(lambda n: ("number", n)))
    return pairs | powers


TREES = st.recursive(_LEAVES, _grown, max_leaves=8)


def as_latex(tree: Any) -> str:
    kind, *parts = tree
    if kind in ("number", "symbol"):
        return str(parts[0])
    left, right = map(as_latex, parts)
    if kind == "/":
        return rf"\frac{{{left}}}{{{right}}}"
    if kind == "^":
        return rf"\left({left}\right)^{{{right}}}"
    return rf"({left}) \cdot ({right})" if kind == "*" else f"({left}) {kind} ({right})"


def as_python(tree: Any) -> str:
    kind, *parts = tree
    if kind in ("number", "symbol"):
        return str(parts[0])
    left, right = map(as_python, parts)
    return f"({left}){'**' if kind == '^' else kind}({right})"


def by_hand(tree: Any, at: dict[str, Fraction]) -> Fraction:
    kind, *parts = tree
    if kind == "number":
        return Fraction(parts[0])
    if kind == "symbol":
        return at[parts[0]]
    a, b = (by_hand(part, at) for part in parts)
    if kind == "^":
        return a ** int(b)
    return a + b if kind == "+" else a - b if kind == "-" else a * b if kind == "*" else a / b


@given(TREES)
def test_rational_expressions_exactly(tree: Any) -> None:
    points = [
        {letter: value_of(("symbol", letter)).values[k][0] for letter in "xy"} for k in range(4)
    ]
    try:
        expected = [by_hand(tree, at) for at in points]
    except ZeroDivisionError:
        for text in (as_latex(tree), as_python(tree)):
            with pytest.raises(Unread):
                value_of(parse(tidy(text)))
        return
    for text in (as_latex(tree), as_python(tree)):
        value = value_of(parse(tidy(text)))
        assert value.exact
        assert [v[0] for v in value.values] == expected[: len(value.values)]


# ---- Closed forms: values from a table ----


@pytest.mark.parametrize(
    ("text", "real", "imaginary"),
    [
        (r"\sqrt{2}", "1.41421356237309504880168872420969807857", "0"),
        (r"\pi", "3.14159265358979323846264338327950288420", "0"),
        ("e", "2.71828182845904523536028747135266249776", "0"),
        (r"\ln 2", "0.69314718055994530941723212145817656808", "0"),
        (r"\sqrt[3]{2}", "1.25992104989487316476721060727822835057", "0"),
        (r"\sin 1", "0.84147098480789650665250232163029899962", "0"),
        (r"\frac{1+\sqrt5}{2}", "1.61803398874989484820458683436563811772", "0"),
        (r"\arctan 1", "0.78539816339744830961566084581987572105", "0"),
        (r"\sqrt{-2}", "0", "1.41421356237309504880168872420969807857"),
        (r"2^{\frac12}", "1.41421356237309504880168872420969807857", "0"),
        (r"\tan 15^\circ", "0.26794919243112270647255365849412763305", "0"),
    ],
)
def test_closed_forms(text: str, real: str, imaginary: str) -> None:
    (found,) = value_of(parse(tidy(text))).values
    for part, expected in zip(found, (real, imaginary), strict=True):
        assert abs(part - Fraction(expected)) <= Fraction(1, 10**37)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\sqrt{\frac{4}{9}}", "2/3"),
        (r"\sqrt[3]{27}", "3"),
        (r"\log_{3}\frac19", "-2"),
        (r"\cos\pi", "-1"),
        (r"(\sqrt2-1)(\sqrt2+1)", "1"),
        (r"\sqrt{3+2\sqrt2} - \sqrt2", "1"),
        ("e^{2 i \\pi} + |{-3}|", "4"),
        (r"\lfloor \frac72 \rfloor + \lceil \frac72 \rceil", "7"),
        (r"\sin 30^\circ", "1/2"),
        ("-2^2", "-4"),
        ("2^3^2", "512"),
        ("2*-3", "-6"),
        ("6/2*3", "9"),
        (r"3\cdot 2^{-1}", "3/2"),
        ("i^2", "-1"),
    ],
)
def test_rational_closed_forms(text: str, value: str) -> None:
    assert value_of(parse(tidy(text))).rational == Fraction(value)


@pytest.mark.parametrize(
    "text",
    [
        *("1/2x", "x/2y", "a/b/c", r"\sin x/2", r"\sin 2(x+1)", "2 3", "x2", "(a-b)2", "2e-1"),
        *(r"\sqrt23", "2^3 4", "10!!", "y'", r"x 2\frac{1}{2}"),
    ],
)
def test_what_has_two_readings_is_not_read(text: str) -> None:
    with pytest.raises(Ambiguous):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x +", "(x", "x)", "f(x)", "the cat", "x = 2", "x < 2", "a, b", r"\frac{1}", "52_8"),
        *(
            r"\mathbb{R}",
            r"\int x",
            "9" * 2300,
            "(" * 300,
            "5%",
            "|x",
            "2**",
            "sqrt",
            "log(2, 3, 4)",
        ),
    ],
)
def test_unread(text: str) -> None:
    with pytest.raises(Unread):
        value_of(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        *(r"\frac{1}{0}", r"\tan 90^\circ", "9^{9^{9^9}}", "(10^8)!", r"\ln 0", "0^{-1}"),
        *(r"\binom{10^9}{5}", r"\sqrt{10^{80}+1} - 10^{40}", "(-8)^{1/3}", "10^{10^{6}}+1"),
    ],
)
def test_no_value(text: str) -> None:
    with pytest.raises(Unread):
        value_of(parse(tidy(text)))

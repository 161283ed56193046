"""Equivalence and labels: literal pairs, what must never be equal, invariants."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.problems.answers import equivalent, label
from assay.problems.answers.canonical import canonical

SAME = [
    # numbers and what surrounds them
    *[("18", other) for other in ("18.0", "$18", "18 dollars", "18.", " 18 ", "**18**", "+18")],
    *[("18", other) for other in (r"\boxed{18}", "$18$", r"\(18\)", "x = 18", r"\$18.00", "018")],
    *[("18", other) for other in ("17.999999999999996", "17.999999999", "18.000000000000004")],
    ("14", "13.999999999999998"),
    *[("0.5", other) for other in ("1/2", r"\frac{1}{2}", r"\dfrac12", "Fraction(1, 2)", ".5")],
    *[("0.5", other) for other in ("50%", r"50\%", "5e-01", "1 over 2", "½")],
    *[("1234", other) for other in ("1,234", r"1{,}234", r"1,\!234", r"1\,234", "1.234e3")],
    *[("5/2", other) for other in ("2 1/2", r"2\frac{1}{2}", "2.5", "2½", "-(-5/2)")],
    ("50%", "50"),
    ("[3]", "3"),
    ("1.5e3", "1500"),
    (r"1.5\times 10^3", "1500"),
    ("5.551115123125783e-17", "0"),
    ("0.30000000000000004", "0.3"),
    ("0.3333333333333333", "1/3"),
    (r"0.\overline{3}", "1/3"),
    (r"0.1\overline{6}", "1/6"),
    ("-0", "0"),
    ("−5", "-5"),
    ("five", "5"),
    ("Twenty-one apples", "21"),
    ("5 million", "5,000,000"),
    ("9" * 300, "9" * 300),
    # units
    *[("18", unit) for unit in ("18 eggs per day", "18 (books)", "18-year-old", "£18/hour")],
    *[("18", unit) for unit in ("18 cm^2", "18cm", "Rs. 18", r"18^\circ", r"18\text{ m}", "18°")],
    (r"\frac{270}7\text{ degrees}", "270/7"),
    ("5 square inches", r"5\text{ in}^2"),
    # closed forms
    (r"\sqrt{4}", "2"),
    (r"\frac{\sqrt{12}}{2}", r"\sqrt{3}"),
    (r"\frac{1}{\sqrt{2}}", "sqrt(2)/2"),
    (r"\sqrt3", "1.7320508075688772"),
    (r"\frac34\pi", "3*pi/4"),
    (r"8\sqrt{3} \text { square inches}", r"8\sqrt3"),
    (r"\cos 60^\circ", "1/2"),
    (r"\sin\frac{\pi}{3}", r"\frac{\sqrt 3}{2}"),
    (r"\log_2 8", "3"),
    ("6 - 5i", "-5*I + 6"),
    ("3+4i", "(3+4j)"),
    (r"e^{i\pi}", "-1"),
    (r"\sqrt[3]{-8}", "-2"),
    ("5!", "120"),
    (r"\binom{5}{2}", "10"),
    ("2^{2005}", "2**2005"),
    # functions
    ("x+1", "1+x"),
    ("(x+1)(x-1)", "x^2-1"),
    ("x^2", "x**2"),
    (r"\frac{2x+2}{2}", "x+1"),
    (r"\sin^2 x + \cos^2 x", "1"),
    ("p - q", "-q + p"),
    ("f(x) = 2x", "2x"),
    ("y = 2x + 3", "2x + 3"),
    ("y = 2x + 3", "y - 2x = 3"),
    ("x^2+y^2=4", "2y^2 + 2x^2 - 8 = 0"),
    # lists, sets, intervals, matrices
    ("{3, -2}", "-2 and 3"),
    ("3, -2", "-2, 3"),
    ("x=3, x=-2", "{-2, 3}"),
    ("x=2, y=3", "y = 3, x = 2"),
    ("( 1, 2 )", r"\left(1,2\right)"),
    (r"1 \pm \sqrt{19}", r"1+\sqrt{19}, 1-\sqrt{19}"),
    (r"\{1\pm\sqrt{5},-2\}", r"-2, 1+\sqrt5, 1-\sqrt5"),
    (r"(2,\infty)", "x > 2"),
    (r"(2,\infty)", "Interval.open(2, oo)"),
    ("(1, 5]", r"1 < x \le 5"),
    (r"(-\infty, 2) \cup (3, \infty)", "x<2 or x>3"),
    (r"[1,2] \cup [2,3]", "[1, 3]"),
    (r"(3,4) \cup (-\infty, 2]", r"(-\infty, 0) \cup [0,2] \cup (3,4)"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{bmatrix}1\\2\end{bmatrix}"),
    (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "Matrix([[1, 2], [3, 4]])"),
    # of other kinds
    ("52_8", "52_{8}"),
    (r"\text{even}", "Even"),
    (r"\text{(C)}", "C"),
    (r"\text{June 20}", "20th June"),
    ("June 20, 2021", "2021-06-20"),
    ("1:03 PM", "1:03 p.m."),
]
DIFFERENT = [
    ("12345", "12346"),
    ("123456789", "123456790"),
    ("0.5", "50"),
    ("(0,1)", "[0,1]"),
    ("(0,1)", "(1,0)"),
    ("5(3)", "53"),
    ("0.33", "1/3"),
    ("17.6", "18"),
    ("81444.73", "81444.7333333"),
    ("2 1/2", "21/2"),
    ("3", "{3,4}"),
    ("1,23", "123"),
    ("(1,234)", "1234"),
    ("0.0000001", "0.0000002"),
    (r"1/2^{99}", r"1/2^{98}"),
    ("1/2004!", "1/2006!"),
    (r"1-\frac{1}{\mathrm e}", r"1+\frac{1}{\mathrm e}"),
    ("1.7320", r"\sqrt{3}"),
    ("x^2", "x^3"),
    ("2k+2", "2k+3"),
    ("2k+2", "2n+3"),
    ("x=2, y=3", "x=3, y=2"),
    ("x < 3", r"x \le 3"),
    (r"(1,2) \cup (2,3)", "(1,3)"),
    ("1, -3", "(1,3)"),
    ("4x-5y=-51", "4x-5y=-50"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 2 \\ 1 \end{pmatrix}"),
    ("52_8", "53_8"),
    ("yes", "no"),
    ("A", "B"),
    ("no solution", "5"),
    ("June 20", "June 21"),
    ("1:03 PM", "1:04 PM"),
    ("-1.8 billion", "2"),
]
NOT_SAME = [  # different or undecided, but never equal
    *[("5!", "5"), ("12:30", "12"), ("3 pm", "3"), ("5x", "5"), ("5 ab", "5"), ("1/2/3", "1/6")],
    *[("5 million", "5"), ("5/0", "5"), ("2 pi", "2"), ("0.333...", "0.333"), ("18-3", "18")],
    *[("10^3", "103"), ("5 (3)", "53"), ("2 3", "23"), ("2 3", "5"), ("2 3", "6"), ("x2", "x^2")],
    *[("0.5%", "0.5"), ("5 cm", "5 m"), ("5 cm^2", "5 cm^3"), ("3% profit", "3% loss")],
    *[("2e-1", "0.2"), ("one-to-one", "1"), ("y' = 3", "y = 3"), ("R", "r"), ("ACF", "CAF")],
    *[("nan", "nan"), ("None", "None"), ("", ""), ("[]", "[]"), ("inf", "inf")],
]
UNDECIDED = [
    ("{1,2}", "(1,2)"),
    (r"1/2x", r"\frac{x}{2}"),
    (r"\sqrt{x^2}", "x"),
    (r"\log 100", "2"),
    ("2k+2", "2n+2"),
    ("52_8", "52"),
    ("3:1", "6:2"),
    ("neither", "neither even nor odd"),
    ("10+John's age", "50"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_same(a: str, b: str) -> None:
    assert equivalent(a, b, mathematics=False) is True
    assert equivalent(b, a, mathematics=False) is True


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a: str, b: str) -> None:
    assert equivalent(a, b, mathematics=False) is False
    assert equivalent(b, a, mathematics=False) is False


@pytest.mark.parametrize(("a", "b"), NOT_SAME)
def test_never_same(a: str, b: str) -> None:
    assert not equivalent(a, b)
    assert equivalent(a, b) is equivalent(b, a)


@pytest.mark.parametrize(("a", "b"), UNDECIDED)
def test_undecided(a: str, b: str) -> None:
    assert equivalent(a, b) is None
    assert equivalent(b, a) is None
    assert label(a, b) is None


def test_label() -> None:
    assert label("18.0", "18") is True
    assert label("19", "18") is False
    assert label(None, "18") is False
    assert label("nan", "18") is False
    assert label("18", None) is None
    assert label(None, None) is None


def test_per_cent_is_either_with_its_sign_and_never_without() -> None:
    """50% is 50 and 0.5; 0.5 is not 50: the one relation here that is not transitive."""
    assert equivalent("50%", "50") is True
    assert equivalent("50%", "0.5") is True
    assert equivalent("0.5", "50") is False
    assert equivalent("1%", "1") is None
    assert equivalent("150%", "1.5") is True


OPTIONS = ("12", "15", "1/2", "None of these")


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("C", "C", True),
        ("(c)", "C", True),
        ("C) 1/2", "C", True),
        ("(C): 0.5", "C", True),
        ("option C", "C", True),
        (r"\text{(C)}", "C", True),
        ("0.5", "C", True),
        ("C) 12", "C", None),  # the letter of one option, the text of another
        ("15", "C", False),
        ("99", "C", False),
        ("99", "D", None),  # it may well be none of these
        ("B", "C", False),
        ("none of these", "D", True),
        ("x^2", "C", False),
        (None, "C", False),
    ],
)
def test_multiple_choice(answer: str | None, reference: str, expected: bool | None) -> None:
    assert label(answer, reference, OPTIONS) is expected


@pytest.mark.parametrize(
    ("options", "answer", "expected"),
    [
        (("17 over 2", "34 over 4"), "34 over 4", True),  # literally, though 17/2 is as much
        (("True, False", "False, True"), "False, True", True),
        (("2% Profit", "3% Profit", "3% Loss"), "3% Profit", True),
        (("A)89", "B)90"), "90", True),
        (("~A", "A"), "~A", False),
    ],
)
def test_options_with_like_texts(options: tuple[str, ...], answer: str, expected: bool) -> None:
    assert label(answer, "B", options) is expected


@given(st.fractions(), st.fractions())
def test_numbers_exactly(a: Fraction, b: Fraction) -> None:
    assert equivalent(str(a), str(b)) is (a == b)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0.5, 1.5))
def test_symmetric(a: float, factor: float) -> None:
    b = a * factor
    assert equivalent(str(a), str(b)) is equivalent(str(b), str(a))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9)))
def test_formatting_changes_nothing(number: object) -> None:
    text = f"{number:f}"
    written = (
        f"${text}$",
        rf"\boxed{{{text}}}",
        f"{text}0",
        f"{number:,f}",
        f"x = {text}",
        f"{text} cm",
    )
    for other in written:
        assert equivalent(text, other) is True


_PIECES = st.sampled_from(
    [
        *(
            r"\frac",
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            "^",
            "_",
            "x",
            "y",
            "2",
            "37",
            ".",
            ",",
            "-",
            "+",
        ),
        *("*", "/", r"\sqrt", r"\pi", "|", "!", "=", "<", r"\le", r"\cup", "or", "and", r"\pm"),
        *("e", "i", r"\sin", "%", "$", "cm", r"\text{", "million", "°", r"\infty", "a", "AB", "~"),
        *("√", "²", r"\begin{pmatrix}", r"\end{pmatrix}", "&", r"\\", "Eq(", "Interval(", "1e9"),
    ]
)


@given(st.text(max_size=40) | st.lists(_PIECES, max_size=30).map(" ".join))
def test_any_text(text: str) -> None:
    assert equivalent(text, text) is (canonical(text) is not None)
    forwards = equivalent(text, "18", mathematics=False)
    assert forwards is equivalent("18", text, mathematics=False)


@given(st.lists(_PIECES, max_size=12).map("".join), st.lists(_PIECES, max_size=12).map("".join))
def test_symmetric_for_any_pieces(a: str, b: str) -> None:
    assert equivalent(a, b, mathematics=False) is equivalent(b, a, mathematics=False)


@pytest.mark.parametrize(
    "text",
    [
        *("18 " + "a" * 5000 + "!", "18 " + "a b " * 20 + "!", "(" * 1500, "{" * 900 + "}" * 900),
        *("1" * 20000, "1e999999999999", "1/" * 900, "1," * 900, "and " * 400, "'" * 1900),
        *("$" * 1900, "-" * 390, "((((1,2),3),4),5)" * 50, "\\frac" * 300, "9" * 5000 + "/3"),
        *(
            "√" * 390,
            "2^" * 190 + "2",
            "x" * 10000,
            "9^{9^{9^{9}}}",
            r"\sqrt{" * 60 + "2" + "}" * 60,
        ),
        *("10^8!", "((10^8)!)!", r"\binom{10^9}{5\cdot 10^8}", "2^{10^{10}}x", r"\tan(10^{30})"),
    ],
)
def test_hostile_text_is_quick(text: str) -> None:
    begin = time.thread_time()
    equivalent(text, "18", mathematics=False)
    label(text, "A", OPTIONS)
    assert time.thread_time() - begin < 0.5

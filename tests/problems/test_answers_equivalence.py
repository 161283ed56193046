"""Equivalence, labels and classes: literal pairs, real references perturbed, invariants."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems.answers import classes, equivalent, label
from problems.answers.canonical import Group, Number, canonical

SAME = [
    *[("18", other) for other in ("18.0", "$18", "18 dollars", "18.", " 18 ", "**18**", "+18")],
    ("18", "17.999999999999996"),
    ("18", "17.999999999"),
    ("14", "13.999999999999998"),
    ("1/2", "0.5"),
    ("1/2", r"\frac{1}{2}"),
    ("0.5", r"\dfrac12"),
    ("0.5", "Fraction(1, 2)"),
    ("1,234", "1234"),
    (r"10,\!000", "10000"),
    (r"1\,000", "1000"),
    ("50%", "50"),
    ("[3]", "3"),
    ("x = 3", "3"),
    ("2 1/2", "2.5"),
    (r"2\frac{1}{2}", "5/2"),
    ("{3, -2}", "-2 and 3"),
    ("3, -2", "-2, 3"),
    ("1.5e3", "1500"),
    (r"1.5\times 10^3", "1500"),
    ("18 eggs per day", "18"),
    ("5 cm^2", "5"),
    ("20 (books)", "20"),
    ("3-year-old", "3"),
    ("£26/hour", "26"),
    ("0.3333333333333333", "1/3"),
    ("5.551115123125783e-17", "0"),
    ("0.30000000000000004", "0.3"),
    ("-0", "0"),
    ("016", "16"),
    ("−5", "-5"),
    (r"90^\circ", "90"),
    (r"\boxed{\frac{1}{2}}", "0.5"),
    (r"\text{even}", "Even"),
    (r"\frac{270}7\text{ degrees}", "270/7"),
    ("( 1, 2 )", r"\left(1,2\right)"),
    ("9" * 300, "9" * 300),
]
DIFFERENT = [
    ("12345", "12346"),
    ("123456789", "123456790"),
    ("0.5", "50"),
    ("(0,1)", "[0,1]"),
    ("(0,1)", "(1,0)"),
    ("0.33", "1/3"),
    ("17.6", "18"),
    ("81444.73", "81444.7333333"),
    ("2 1/2", "21/2"),
    ("3", "{3,4}"),
    ("1,23", "123"),
    ("yes", "no"),
    ("A", "B"),
    ("no solution", "5"),
    ("0.0000001", "0.0000002"),
]
NOT_SAME = [  # different or undecided, but never equal
    *[("5(3)", "53"), ("5!", "5"), ("12:30", "12"), ("3 pm", "3"), ("5x", "5"), ("0.5", "50%")],
    *[("5 million", "5"), ("5/0", "5"), ("2 pi", "2"), ("0.333...", "0.333"), ("18-3", "18")],
    *[("x=2, y=3", "x=3, y=2"), ("1/2/3", "1/6"), ("10^3", "103"), ("5 (3)", "53")],
    *[("nan", "nan"), ("None", "None"), ("", ""), ("True", "True"), ("[]", "[]"), ("inf", "inf")],
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_same(a: str, b: str) -> None:
    assert equivalent(a, b) is True
    assert equivalent(b, a) is True
    assert classes([a, b]) == [0, 0]


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a: str, b: str) -> None:
    assert equivalent(a, b) is False
    assert equivalent(b, a) is False
    assert classes([a, b]) == [0, 1]


@pytest.mark.parametrize(("a", "b"), NOT_SAME)
def test_never_same(a: str, b: str) -> None:
    assert not equivalent(a, b)
    assert equivalent(a, b) is equivalent(b, a)


@pytest.mark.parametrize(("a", "b"), [(r"\sqrt{4}", "2"), ("x+1", "1+x"), ("{1,2}", "(1,2)")])
def test_undecided(a: str, b: str) -> None:
    assert equivalent(a, b) is None
    assert label(a, b) is None
    assert classes([a, b]) == [0, 1]


def test_label() -> None:
    assert label("18.0", "18") is True
    assert label("19", "18") is False
    assert label(None, "18") is False
    assert label("nan", "18") is False
    assert label("18", None) is None
    assert label(None, None) is None


OPTIONS = ("12", "15", "1/2", "None of these")


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("C", "C", True),
        ("(c)", "C", True),
        ("C) 1/2", "C", True),
        ("option C", "C", True),
        (r"\text{(C)}", "C", True),
        ("0.5", "C", True),
        ("15", "C", False),
        ("99", "C", False),
        ("99", "D", None),  # it may well be none of these
        ("B", "C", False),
        ("none of these", "D", True),
        ("x^2", "C", None),
        (None, "C", False),
    ],
)
def test_multiple_choice(answer: str | None, reference: str, expected: bool | None) -> None:
    assert label(answer, reference, OPTIONS) is expected


def test_classes() -> None:
    answers = [
        "18",
        None,
        "18.0",
        "1/3",
        "nan",
        "$18",
        "0.3333333333333333",
        "0.33",
        "x",
        "17.999999999999996",
    ]
    assert classes(answers) == [0, -1, 0, 1, -1, 0, 1, 2, 3, 0]
    assert classes(["0.5", "C", "A", "12", "E"], OPTIONS) == [0, 0, 1, 1, 2]
    assert classes([]) == []
    # noisy decimals meet without an exact one, and do not chain exact ones together
    assert classes(["0.30000000000000004", "0.3000000000000001", "0.2999999999999999"]) == [0, 0, 0]


def test_noise_does_not_chain() -> None:
    """Two exact answers stay apart whatever lies between them."""
    result = classes(["10000000000", "10000000001", "10000000000.500000000"])
    assert result[0] != result[1]


def reference_classes(answers: list[str | None]) -> list[int]:
    """Slow and obvious: compare with every earlier class's first member."""
    firsts: list[str] = []
    result = []
    for answer in answers:
        if answer is None or canonical(answer) is None:
            result.append(-1)
            continue
        for index, first in enumerate(firsts):
            if equivalent(answer, first):
                result.append(index)
                break
        else:
            result.append(len(firsts))
            firsts.append(answer)
    return result


_ANSWERS = st.sampled_from(
    [
        *("18", "18.0", "$18", "17.999999999999996", "1/3", "0.3333333333333333", "0.33", "x+1"),
        *("yes", "No", "no", "(1,2)", "[1,2]", "{2,1}", "1, 2", "50%", "50", "0.5", "nan", "C"),
    ]
)


@given(st.lists(_ANSWERS | st.none(), max_size=12))
def test_classes_agree_with_equivalence(answers: list[str | None]) -> None:
    assert classes(answers) == reference_classes(answers)


@given(st.fractions(), st.fractions())
def test_numbers_exactly(a: Fraction, b: Fraction) -> None:
    assert equivalent(str(a), str(b)) is (a == b)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0.5, 1.5))
def test_symmetric(a: float, factor: float) -> None:
    b = a * factor
    assert equivalent(str(a), str(b)) is equivalent(str(b), str(a))


@given(st.text(max_size=40))
def test_any_text(text: str) -> None:
    assert equivalent(text, text) is (canonical(text) is not None)
    assert equivalent(text, "18") is equivalent("18", text)


@pytest.mark.parametrize(
    "text",
    [
        *("18 " + "a" * 5000 + "!", "18 " + "a b " * 20 + "!", "(" * 1500, "{" * 900 + "}" * 900),
        *("1" * 20000, "1e999999999999", "1/" * 900, "1," * 900, "and " * 400, "'" * 1900),
        *("$" * 1900, "-" * 1900, "((((1,2),3),4),5)" * 50, "\\frac" * 300, "9" * 5000 + "/3"),
    ],
)
def test_hostile_text_is_quick(text: str) -> None:
    begin = time.perf_counter()
    equivalent(text, "18")
    classes([text, "18"], OPTIONS)
    assert time.perf_counter() - begin < 0.5


def references(shared_data: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for path in sorted((shared_data / "eval").glob("*.jsonl")):
        with open(path, encoding="utf-8", newline="\n") as lines:
            for line in lines:
                row = json.loads(line)
                yield row["answer"], tuple(row.get("options", ()))


def test_every_reference_equals_itself(shared_data: Path) -> None:
    count = 0
    for reference, options in references(shared_data):
        assert label(reference, reference, options) is True, reference
        count += 1
    assert count == 11823


def test_perturbed_references(shared_data: Path) -> None:
    """Rewritten numbers stay equal; changed ones, and changed brackets, never are."""
    numbers = groups = 0
    for reference in sorted({ref for ref, options in references(shared_data) if not options}):
        form = canonical(reference)
        if isinstance(form, Number):
            numbers += 1
            value = form.value
            written = [str(value), f"${value}", f"{value} dollars", rf"\boxed{{{value}}}"]
            if value.denominator == 1:
                written += [f"{value}.0", f"{value.numerator:,}", repr(float(value))]
            else:
                written += [rf"\frac{{{value.numerator}}}{{{value.denominator}}}"]
            for text in written:
                assert equivalent(text, reference) is True, (text, reference)
            changed = [
                value + 1,
                value - 1,
                value * 100,
                value / 100,
                -value,
                value + Fraction(1, 2),
            ]
            changed += [1 / value] if value else []
            for other in changed:
                same = equivalent(str(other), reference)
                assert not same or other == value, (other, reference)
        elif isinstance(form, Group) and form.brackets != "{}":
            groups += 1
            opened, closed = "([".index(form.brackets[0]), ")]".index(form.brackets[1])
            inside = reference[reference.index("(["[opened]) + 1 : reference.rindex(")]"[closed])]
            other = "[("[opened] + inside + "])"[closed]
            assert equivalent(other, reference) is False, (other, reference)
    assert numbers > 1500, numbers
    assert groups > 100, groups

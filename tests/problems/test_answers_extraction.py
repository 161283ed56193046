"""Extraction: literal texts, hostile texts, and 5276 real solutions against their labels."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.problems.answers import extract, extract_output


@pytest.mark.parametrize(
    ("text", "answer", "source"),
    [
        ("9 * 2 = <<9*2=18>>18\n#### 18", "18", "hash"),
        ("#### 18.", "18", "hash"),
        ("#### $18", "$18", "hash"),
        ("#### 1,234 dollars", "1,234 dollars", "hash"),
        ("#### Step 1: add\n3+4=7\n#### Final\nThe answer is 7.", "7", "phrase"),
        (r"so $\boxed{\frac{1}{\sqrt{2}}}$.", r"\frac{1}{\sqrt{2}}", "boxed"),
        (r"\boxed{3}, no: \boxed{4}", "4", "boxed"),
        (r"\boxed 5", "5", "boxed"),
        (r"\boxed{7} or \boxed{8}", r"\boxed{7}, \boxed{8}", "boxed"),
        (r"cut off: \boxed{\frac{1}{2", None, "none"),
        ("The answer is 18.", "18", "phrase"),
        ("The answer is 3.5.", "3.5", "phrase"),
        ("The answer is **18**.", "18", "phrase"),
        ("**Final Answer:** 18", "18", "phrase"),
        ("**Answer**: $x = 5$.", "x = 5", "phrase"),
        ("Answer:\n42", "42", "phrase"),
        ("The answer is 4. No, wait. The answer is 5.", "5", "phrase"),
        ("So the answer to the question is 12 cm.", "12 cm", "phrase"),
        ("The answer is 4 + 5 = 9", "9", "phrase"),
        ("The answer is that Janet makes 18 dollars a day.", "18", "phrase"),
        ("The answer is 18, because 9*2=18.", "18", "phrase"),
        ("She makes 18.\nA: 18", "18", "phrase"),
        ("#### 1,234.50 dollars.", "1,234.50 dollars", "hash"),
        ("#### 18 eggs.\nDone", "18 eggs", "hash"),
        ("#### 5%", "5%", "hash"),
        ("The answer is:\n\\[\nx = 5\n\\]", "x = 5", "phrase"),
        ("The answer is\n$$\n\\frac{1}{2}\n$$", r"\frac{1}{2}", "phrase"),
        (r"\text{Answer: } 18", "18", "phrase"),
        (r"**Answer: \( \frac{3}{4} \)**", r"\frac{3}{4}", "phrase"),
        ("Final Answer: The final answer is $7$. I hope it is correct.", "7", "phrase"),
        ("### Answer: 18 apples", "18 apples", "phrase"),
        ("The answer is approximately 3.14", "3.14", "phrase"),
        ("The answer is twelve.", "twelve", "phrase"),
        ("The answer is x = 2, y = 3.", "x = 2, y = 3", "phrase"),
        ("The answer is 10 < x < 20.", "10 < x < 20", "phrase"),
        (r"\boxed{\text{The answer is } 5}", "5", "boxed"),
        (r"\boxed{18\text{ dollars}}", "18 dollars", "boxed"),
        (
            r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}",
            r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}",
            "boxed",
        ),
        (r"\fbox{7}", "7", "boxed"),
        (r"\boxed{}", None, "none"),
        ("The answer is not 5", None, "none"),
        ("She has <<3+4=7>>7 apples.", None, "none"),
        ("", None, "none"),
        ("#### ", None, "none"),
        ("The answer is nan", None, "none"),
        (
            "The answer is found by adding all of the numbers that we have found so far",
            None,
            "none",
        ),
    ],
)
def test_extract(text: str, answer: str | None, source: str) -> None:
    found = extract(text)
    assert (found.answer, found.source) == (answer, source)


def test_last_number_only_when_asked() -> None:
    text = "He had 5, then <<5+1200=1205>>1,205 apples."
    assert extract(text).answer is None
    found = extract(text, last_number=True)
    assert (found.answer, found.source) == ("1205", "last_number")
    assert extract("no number", last_number=True).answer is None


OPTIONS = ("12", "15", "1/2", "None of these")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is (C).", "C"),
        ("So the answer is B", "B"),
        ("Answer: **C**", "C"),
        ("Answer: C) 1/2", "C"),
        ("answer: option D", "D"),
        (r"\boxed{\text{(A)}}", "A"),
        ("The answer is 0.5", "C"),
        ("The answer is 15.", "B"),
        ("The answer is 99", "99"),
        ("therefore we choose (A)", "A"),
        ("D", "D"),
        ("The answer is 1/2, so C", "C"),
        ("The answer is b", "B"),
        ("B. 15", "B"),
        ("(B) 15", "B"),
        ("So we pick B", "B"),
        ("None of these", "D"),
        ("Option A is wrong. Option B is right.", "B"),
        ("Answer: B) 12", None),  # the letter of one, the text of another
        ("The answer is A triangle", None),
        ("The area is E and A triangle", None),
        ("(A) or (B)", None),
        ("The answer is (E).", None),
    ],
)
def test_choices(text: str, answer: str | None) -> None:
    assert extract(text, OPTIONS).answer == answer


SENTENCES = ("Rs. 750", "There is exactly 1 solution.", "30 in. by 57 in.", "about 20")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is Rs. 750.", "A"),
        ("The answer is Rs. 750. That is more.", None),
        ("The answer is There is exactly 1 solution.", "B"),
        ("The answer is 30 in. by 57 in.", "C"),
        ("The answer is about 20.", "D"),
        ("#### about 20", "D"),
        ("The answer is B. There is exactly 1 solution.", "B"),
    ],
)
def test_options_that_are_sentences(text: str, answer: str | None) -> None:
    assert extract(text, SENTENCES).answer == answer


def test_options_that_are_letters() -> None:
    options = ("A", "~A", "B", "~B")
    assert extract("The answer is B.", options).answer == "B"
    assert extract_output("B", options).answer == "B"


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("18.0\n", "18.0"),
        ("working\n42\n\n", "42"),
        ("x = 3", "3"),
        ("Total: 18 dollars", "18 dollars"),
        ("The answer is 12.5", "12.5"),
        ("Janet has 5 apples left", "5"),
        ("[18]", "18"),
        ("[3, -2]", "3, -2"),
        ("(3, -2)", "(3, -2)"),
        ("{3}", "{3}"),
        ("{x: 3}", "x = 3"),
        ("[{x: 3, y: 2}]", "x = 3, y = 2"),
        ("[(3, 2)]", "(3, 2)"),
        ("x=3, y=2", "x=3, y=2"),
        ("15 9", "15, 9"),
        ("['A', 'B']", "A, B"),
        ("[Fraction(1, 2)]", "1/2"),
        ("2*sqrt(3)", "2*sqrt(3)"),
        ("Eq(x, 3)", "x = 3"),
        ("(-oo < x) & (x < 3)", "(-oo < x) & (x < 3)"),
        ("(2 < x) & (x < 3)", "(2 < x) & (x < 3)"),
        ("(x < 2) | (x > 3)", "(x < 2) | (x > 3)"),
        ("Matrix([[1, 2], [3, 4]])", "Matrix([[1, 2], [3, 4]])"),
        ("50.0%", "50.0%"),
        ("2020-06-20", "2020-06-20"),
        ("Total cost = $18", "$18"),
        ("Decimal('18.0')", "18.0"),
        ("Rational(1, 2)", "1/2"),
        ("np.float64(3.0)", "3.0"),
        ("True", "True"),
        ("False", "False"),
        ("[None]", None),
        ("[]", None),
        ("set()", None),
        ("inf", None),
        ("zoo", None),
        ("Error: division by zero", None),
        ("ZeroDivisionError", None),
        ("nan", None),
        ("None", None),
        ("\n \n", None),
        ("", None),
    ],
)
def test_output(output: str, answer: str | None) -> None:
    found = extract_output(output)
    assert found.answer == answer
    assert found.source == ("none" if answer is None else "program")


def test_output_choice() -> None:
    assert extract_output("0.5", OPTIONS).answer == "C"
    # An option's text, before it is read as Python's way of printing a list or a result.
    assert extract_output("9 2 0 7", ("9 2 0 0", "9 2 0 7")).answer == "B"
    assert extract_output("[-1/2, -1/20]", ("[-1, 1]", "[-1/2, -1/20]")).answer == "B"
    assert extract_output("on the line x = y", ("on a circle", "on the line x = y")).answer == "B"
    assert extract_output("B\n", OPTIONS).answer == "B"


@given(st.text(max_size=80), st.booleans())
def test_never_raises_never_empty(text: str, last_number: bool) -> None:
    for found in (
        extract(text, last_number=last_number),
        extract(text, OPTIONS),
        extract_output(text),
    ):
        assert found.answer is None or found.answer.strip()
        assert (found.answer is None) == (found.source == "none")


@pytest.mark.parametrize(
    "text",
    [
        *("\\boxed{" * 3000, "####" * 5000, "#### " * 5000, "\n" * 20000 + "answer"),
        *("answer " * 5000, "answer is " * 3000, "a" * 50000, " " * 30000 + "x", "A:\n" * 5000),
        *("<<" * 10000, "1" * 20000, "x" * 20000 + "=", "(A) " * 5000),
    ],
)
def test_hostile_text_is_quick(text: str) -> None:
    begin = time.thread_time()
    extract(text)
    extract(text, OPTIONS, last_number=True)
    extract_output(text)
    assert time.thread_time() - begin < 1.0

"""Extraction: literal texts, hostile texts, and 5276 real solutions against their labels."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems.answers import extract, extract_output, label

MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


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
        (r"\boxed{7} or \boxed{8}", None, "none"),
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
        ("The area is E and A triangle", None),
        ("(A) or (B)", None),
        ("The answer is (E).", None),
    ],
)
def test_choices(text: str, answer: str | None) -> None:
    assert extract(text, OPTIONS).answer == answer


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("18.0\n", "18.0"),
        ("working\n42\n\n", "42"),
        ("x = 3", "3"),
        ("Total: 18 dollars", "18 dollars"),
        ("The answer is 12.5", "12.5"),
        ("Janet has 5 apples left", "5"),
        ("[18]", "[18]"),
        ("Rational(1, 2)", "1/2"),
        ("np.float64(3.0)", "3.0"),
        ("True", None),
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
    begin = time.perf_counter()
    extract(text)
    extract(text, OPTIONS, last_number=True)
    extract_output(text)
    assert time.perf_counter() - begin < 1.0


def test_agreement_with_labelled_solutions(shared_data: Path) -> None:
    """All 5276 `is_correct` labels of openai/grade-school-math, bar two that are undecided.

    Undecided, and wrong by the released label: "-1.8 billion" against 2 (number words are not
    multiplied out), and "10+John's age" against 50 (an expression, not a number). Eleven solutions
    claim nothing (cut off before "A:"): label False, as released.
    """
    path = shared_data / "gsm8k_model_solutions" / "example_model_solutions.jsonl"
    with open(path, encoding="utf-8", newline="\n") as lines:
        rows = [json.loads(line) for line in lines]
    disagreements, undecided = [], []
    count = silent = 0
    for index, row in enumerate(rows):
        reference = extract(row["ground_truth"]).answer
        for model in MODELS:
            answer = extract(row[model]["solution"]).answer
            verdict = label(answer, reference)
            count += 1
            silent += answer is None
            if verdict is None:
                undecided.append((index, model, answer, reference, row[model]["is_correct"]))
            elif verdict != row[model]["is_correct"]:
                disagreements.append((index, model, answer, reference, row[model]["is_correct"]))
    assert disagreements == []
    assert undecided == [
        (507, "6b_finetuning", "-1.8 billion", "2", False),
        (931, "175b_finetuning", "10+John's age", "50", False),
    ]
    assert (count, silent) == (5276, 11)

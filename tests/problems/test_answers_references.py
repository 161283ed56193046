"""References that are no answer give no label; True, None and the like in words can be right."""

import pytest

from assay.problems.answers import extract, extract_output, judge, label
from assay.problems.answers.equivalence import is_answer


@pytest.mark.parametrize(
    "reference",
    [None, "", "  ", "NaN", "nan", "N/A", "n/a", "None", "null", "NULL", "NA", "<NA>", "-", "inf"],
)
def test_no_answer_gives_no_label(reference: str | None) -> None:
    assert not is_answer(reference)
    assert label("7", reference) is None
    assert label(None, reference) is None
    assert label(reference, reference) is None
    assert judge(["7", "8", None], reference).labels == [None, None, None]


@pytest.mark.parametrize(
    ("text", "reference", "right"),
    [
        ("The answer is True.", "True", True),
        (r"So \boxed{\text{True}}", "true", True),
        ("The answer is False.", "True", False),
        ("The answer is 1.", "True", False),
        ("The answer is True.", "Yes", None),
        (r"The answer is \boxed{\text{None}}.", r"\text{None}", True),
        ("The answer is None.", r"\text{None}", True),
        (r"\boxed{none}", r"\textbf{None}", True),
        ("The answer is 7.", r"\text{None}", False),
        ("The answer is 0.", r"\text{None}", None),
        (r"\boxed{\text{no solution}}", r"\text{None}", None),
        (r"\boxed{\infty}", r"\infty", True),
        (r"\boxed{-\infty}", "-oo", True),
        ("The answer is 7.", r"\infty", False),
    ],
)
def test_words_can_be_right(text: str, reference: str, right: bool | None) -> None:
    assert is_answer(reference)
    assert label(extract(text).answer, reference) is right


def test_of_programs() -> None:
    assert label(extract_output("True\n").answer, "True") is True
    assert label(extract_output("None\n").answer, r"\text{None}") is False
    assert label(extract_output("oo\n").answer, r"\infty") is True
    assert extract_output("inf\n").answer is None
    assert extract_output("nan\n").answer is None


def test_an_option_may_say_none() -> None:
    options = ("1", "2", "None")
    assert is_answer("C", options)
    assert is_answer("None", options)
    assert label("C", "None", options) is True
    assert not is_answer("", options)
    assert not is_answer("nan", options)
    assert label("A", "nan", options) is None

r"""Boxes: several at once, those taken back, those without braces, and what is no answer in one."""

from __future__ import annotations

import pytest

from assay.problems.answers import CONVENTIONS, classes, extract, label
from assay.problems.answers.extraction.boxes import several, split_boxes


@pytest.mark.parametrize(
    ("text", "reference", "right"),
    [
        ("The solutions are $\\boxed{3}$, $\\boxed{5}$, $\\boxed{7}$.", "3,5,7", True),
        ("$x=\\boxed{-3}$ or $x=\\boxed{3}$", "-3,3", True),
        ("So x = $\\boxed{3}$ and x = $\\boxed{5}$.", "3,5", True),
        ("x_1 = \\boxed{3}\n\nx_2 = \\boxed{5}", "3,5", True),
        ("\\boxed{3} and \\boxed{5}", "3,5", True),
        ("\\boxed{5}\n\\boxed{3}", "\\{3, 5\\}", True),
        ("\\boxed{\\frac{1}{2}} and \\boxed{\\sqrt{\\frac{1}{3}}}", "1/2, 1/\\sqrt{3}", True),
        ("\\boxed{1,234}, \\boxed{567}", "567, 1234", True),
        ("$\\boxed{x=3}$ or $\\boxed{x=-3}$", "3, -3", True),
        ("\\fbox{3}, \\boxed{5}", "3, 5", True),
        ("\\boxed{3} and \\boxed{5}", "3, 6", False),
        # One of the boxes, or several: the others may be steps on the way.
        ("\\boxed{3} and \\boxed{5}", "3", None),
        ("\\boxed{3} and \\boxed{5}", "5", None),
        ("\\boxed{9} eggs, so \\boxed{18} dollars", "18", None),
        ("\\boxed{\\frac{1}{2}} and \\boxed{5}", "0.5", None),
        ("\\boxed{\\text{yes}}, \\boxed{5}", "yes", None),
        ("a = \\boxed{1}: x is \\boxed{3} or \\boxed{5}", "3,5", None),
        ("x = \\boxed{3}, y = \\boxed{5}", "(3,5)", None),
        ("\\boxed{5\\text{ cm}}, \\boxed{7}", "5 m", None),
        ("\\boxed{3} and \\boxed{5}", "4", False),
        # The same in all of them.
        ("\\boxed{18}.\nThe final answer is \\boxed{18}.", "18", True),
        ("\\boxed{18}.\nThe final answer is \\boxed{18}.", "19", False),
        ("\\boxed{\\frac12} = \\boxed{0.5}", "1/2", True),
        ("x is \\boxed{3} or \\boxed{5}: \\boxed{3, 5}", "3,5", True),
        ("\\boxed{\\boxed{4}}", "4", True),
    ],
)
def test_several(text: str, reference: str, right: bool | None) -> None:
    assert label(extract(text).answer, reference) is right


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is \\boxed{2}. Wait, actually \\boxed{3}", "3"),
        ("\\boxed{2}. Wait, that is wrong. \\boxed{3}", "3"),
        ("\\boxed{2}. No, that's incorrect: \\boxed{3}", "3"),
        ("\\boxed{2}\nI made a mistake. Let me redo it.\n\\boxed{3}", "3"),
        ("\\boxed{2}. Hmm, 1 + 2 = 3. So \\boxed{3}", "3"),
        ("$x = \\boxed{-3}$ is extraneous, so $x = \\boxed{3}$", "3"),
        ("It is not $\\boxed{2}$ but $\\boxed{3}$.", "3"),
        ("\\boxed{2}, \\boxed{4}. Oops: \\boxed{3}, \\boxed{5}", "\\boxed{3}, \\boxed{5}"),
        ("The answer is \\boxed{2}. Wait, that is wrong. The answer is 3.", "3"),
        ("\\boxed{3}. Wait, the answer is right.", "3"),
        ("\\boxed{3}. Wait, let me che", "3"),
        # Adds to it, takes nothing back.
        ("\\boxed{3}. Actually, there is also \\boxed{5}.", "\\boxed{3}, \\boxed{5}"),
        ("\\boxed{3}. Wait, there is another one: \\boxed{5}.", "\\boxed{3}, \\boxed{5}"),
        ("not \\boxed{5}", None),
        ("It is \\boxed{3} instead of \\boxed{5}.", "3"),
        ("\\boxed{2} isn't right. \\boxed{3}", "3"),
        ("\\(\\boxed{2}\\) can't be correct, so \\boxed{3}", "3"),
        # Of something else, or nothing wrong.
        (
            "Case 1: \\boxed{3}. Case 2: x = -1, which is impossible. Case 3: \\boxed{5}",
            "\\boxed{3}, \\boxed{5}",
        ),
        ("\\boxed{3} is right, and so is \\boxed{5}", "\\boxed{3}, \\boxed{5}"),
        ("x = \\boxed{3}. Let us fix y. Then \\boxed{5}", "\\boxed{3}, \\boxed{5}"),
        ("\\boxed{3}; x = 4 is not possible; \\boxed{5}", "\\boxed{3}, \\boxed{5}"),
    ],
)
def test_taken_back(text: str, answer: str | None) -> None:
    assert extract(text).answer == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("I put the result in \\boxed format. 8 - 4 = 4. The answer is 4.", "4"),
        ("Mark the solution with \\boxed\n\n8 - 4 = 4. The answer is 4.", "4"),
        ("The answer is 4.\n\n(Given in \\boxed notation.)", "4"),
        ("I will give \\boxed{answer} at the end. 8 - 4 = 4. The answer is 4.", "4"),
        ("Put it within \\boxed{}. 8 - 4 = 4. The answer is 4.", "4"),
        ("\\boxed 4", "4"),
        ("$\\boxed4$", "4"),
        ("so \\boxed -3.", "-3"),
        ("$\\boxed x$", "x"),
        ("\\boxed 4 apples", "4"),
        ("Use \\boxed a lot. The answer is 4.", "4"),
        ("A \\boxed expression. The answer is 4.", "4"),
        ("\\boxed{your answer here}: the answer is 4.", "4"),
        ("\\boxed{\\text{final answer}}: the answer is 4.", "4"),
        ("\\boxed{...} The answer is 4.", "4"),
        ("\\boxed{\\ldots} The answer is 4.", "4"),
        ("\\boxed{ANSWER} #### 4", "4"),
        ("\\boxed{<answer>}. The answer is 4.", "4"),
        ("\\boxed{?} \\boxed{4}", "4"),
        ("\\fbox{4}", "4"),
        ("\\framebox{4}", "4"),
        ("\\boxed{ 4 }", "4"),
        ("\\boxed\n{4}", "4"),
        ("<|begin_of_box|>4<|end_of_box|>", "4"),
        ("\\boxed{\\text{no solution}}", "no solution"),
        ("\\boxedtext 4", None),
    ],
)
def test_what_a_box_is(text: str, answer: str | None) -> None:
    assert extract(text).answer == answer


def test_boxes_of_choices() -> None:
    options = ("12", "15", "18")
    assert extract("\\boxed{15}, so \\boxed{B}", options).answer == "B"
    assert extract("the area is \\boxed{99}: \\boxed{B}", options).answer == "B"
    both = extract("\\boxed{A} or \\boxed{B}", options).answer
    assert both == "\\boxed{A}, \\boxed{B}"
    assert [label(both, letter, options) for letter in "ABC"] == [None, None, False]


def test_boxes_vote_as_the_list_that_they_are() -> None:
    answers = ["\\boxed{3}, \\boxed{5}", "5, 3", "3", "\\boxed{3}; \\boxed{5}"]
    assert classes(answers) == [0, 0, 1, 0]


def test_one_of_two_numbers_by_convention() -> None:
    assert label("\\boxed{3}, \\boxed{5}", "3", convention=CONVENTIONS["simuleq"]) is True


def test_an_answer_of_several_boxes_can_be_split() -> None:
    contents = ["\\frac{1}{2}", "1,234", "x = 3"]
    assert split_boxes(several(contents)) == tuple(contents)
    assert split_boxes("\\boxed{3}") == split_boxes("3, 5") == ()


def test_many_boxes() -> None:
    text = " ".join(f"\\boxed{{{number}}}" for number in range(500))
    assert label(extract(text).answer, "499") is None
    assert extract("\\boxed{1}\n" * 500).answer == "1"

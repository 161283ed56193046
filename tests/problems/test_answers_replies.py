"""What stands around an answer: talk, headings, end tokens, Markdown, the next question."""

from __future__ import annotations

import pytest

from assay.problems.answers import extract


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("9 * 2 = 18. The answer is 18.\n\nCheck: 18 / 2 = 9, so the answer is correct.", "18"),
        ("Answer: 18\n\nNote: the answer is given in dollars.", "18"),
        ("The answer is 18. This answer is reasonable.", "18"),
        ("The answer is 18 dollars. The answer is consistent with the problem.", "18 dollars"),
        ("The answer is 18.\nI am confident that the answer is right.", "18"),
        ("The final answer is $18$. I hope it is correct.", "18"),
        # A number in the talk.
        ("The answer is 18. This answer is reasonable since 18 / 2 = 9.", "18"),
        ("The answer is 18. Note: the answer is rounded to 2 decimal places.", "18"),
        ("The answer is 18. Our answer is between 10 and 20.", "18"),
        ("The answer is 18. The answer is not 20, as some may think.", "18"),
        ("The answer is 18. If the price doubled, the answer would be 36.", "18"),
        # Words of any kind.
        ("The answer is 18. I hope this answer is helpful!", "18"),
        ("The answer is 18. The answer is an integer, as expected.", "18"),
        ("Answer: **18**\n\nThe answer is found by multiplying 9 and 2.", "18"),
        ("The answer is 18, and the answer is correct.", "18"),
        ("The answer is 18 (the answer is in dollars).", "18"),
        ("The answer is 18.\n#### Done", "18"),
        # Words beside words, and where there is nothing else.
        ("The answer is Tuesday. So the answer is correct.", "Tuesday"),
        ("The answer is Monday. No, the answer is Tuesday.", "Tuesday"),
        ("Answer: There are 7 days in a week. So the answer is Tuesday.", "Tuesday"),
        ("The answer is correct.", "correct"),
        ("If the answer is 5, then it fails.", None),
        # The last claim of a value still counts.
        ("The answer is 17. The correct answer is 18.", "18"),
        ("The answer for the first part is 9. The answer is given by 9 * 2 = 18.", "18"),
        ("The answer is 17.6. The answer is approximately 18.", "18"),
        ("The answer is 5. No, the answer is not 5.", None),
        ("The answer is 5. So the answer is not right.", None),
    ],
)
def test_talk(text: str, answer: str | None) -> None:
    assert extract(text).answer == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            "#### 1 Count the eggs\n\n16 - 7 = 9\n\n#### 2 Compute the money\n\n9 * 2 = 18\n\n"
            "The answer is \\boxed{18}.",
            "18",
        ),
        ("#### 1. Eggs\n\n16 - 7 = 9\n\n#### 2. Money\n\nThe answer is \\boxed{18}.", "18"),
        ("#### 9 eggs are sold\n\nEach costs 2.\n\nThe answer is \\boxed{18}.", "18"),
        ("#### Step 1\n\n16 - 7 = 9\n\n#### Step 2\n\nThe answer is \\boxed{18}.", "18"),
        ("#### 1) Eggs\n9\n#### 2) Money\nThe answer is 18", "18"),
        ("#### 1: Eggs\n9\n#### 2: Money\n\\boxed{18}", "18"),
        ("#### 9 eggs\n\nEach costs 2.\n\nA: 18", "18"),
        ("#### 1\n9\n#### 2\n18\n\nThe answer is 18.", "18"),
        ("##### 2 Money\n#### 18", "18"),
        ("#### 1 Count\n9\n#### 2 Compute", None),
        ("#### 2 Compute it\n9 * 2 = 18", None),
        # Answers after all.
        ("#### 18\nThe answer is above.", "18"),
        ("#### 18 eggs.\nDone", "18 eggs"),
        ("#### 18 Dollars", "18 Dollars"),
        ("#### 18 Dollars.\nDone", "18 Dollars"),
        ("#### 16 - 7 = 9\nso\n#### 18", "18"),
        ("#### Tuesday", "Tuesday"),
    ],
)
def test_headings(text: str, answer: str | None) -> None:
    assert extract(text).answer == answer


@pytest.mark.parametrize(
    "text",
    [
        *(
            "9 * 2 = 18\n#### 18</s>",
            "The answer is 18.<|im_end|>",
            "The answer is 18<|endoftext|>",
        ),
        *("So \\boxed{18}<|eot_id|>", "#### 18<end_of_turn>\n", "A: 18<｜end▁of▁sentence｜>"),
        *("The answer is 18[/INST] And 7?", "The answer is 18 <|end|>", "#### 18<eos>"),
        *("#### 18<|END_OF_TURN_TOKEN|>", "The answer is 18[|endofturn|]", "#### 18<|return|>"),
        "#### 18<|im_end|>\n<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n#### 7",
        "#### 18<|start_header_id|>user<|end_header_id|>\n\nAnd?\n#### 7",
        "#### 18<｜User｜>And?<｜Assistant｜>#### 7",
        # At the beginning: padding, and the mark of the turn.
        *("<s> The answer is 18</s>", "<|endoftext|><|endoftext|>The answer is 18"),
        "<|im_start|>assistant\nThe answer is 18.<|im_end|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\nThe answer is 18.<|eot_id|>",
        # A whole conversation.
        "<|im_start|>user\nThe answer is 5?<|im_end|>\n<|im_start|>assistant\nThe answer is 18.",
        "<s>[INST] The answer is 5? [/INST] The answer is 18.</s>",
    ],
)
def test_end_tokens(text: str) -> None:
    assert extract(text).answer == "18"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is:\n```\n18\n```", "18"),
        ("The answer is *18*.", "18"),
        ("The answer is **18** dollars.", "18 dollars"),
        ("The answer is ***18***", "18"),
        ("The answer is _18_.", "18"),
        ("**Answer:** __18__", "18"),
        ("The answer is `18`.", "18"),
        ("The answer is ```18```", "18"),
        ("The answer is **`18`**", "18"),
        ("The answer is:\n```text\n18\n```\nDone.", "18"),
        ("**The answer is:**\n\n**18**", "18"),
        ("#### **18**", "18"),
        ("#### `18`", "18"),
        ("The answer is 2**3", "2**3"),
        ("The answer is x_1*x_2", "x_1*x_2"),
    ],
)
def test_markdown(text: str, answer: str) -> None:
    assert extract(text).answer == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Adding both gives **7**.", "7"),
        ("3 + 4.\n\n**7 apples**", "7 apples"),
        ("The sum of **3** and **4** is **7**.", "7"),
        ("So she has **7** apples left.", "7"),
        ("So she has **7** apples and then", None),  # cut off
        ("So **3** of the 4 are gone.", None),
        ("**7**\nThen we go on", None),
        ("**3.** Multiply.", None),
        ("**Note**", None),
    ],
)
def test_bold_at_the_end(text: str, answer: str | None) -> None:
    found = extract(text)
    assert (found.answer, found.source) == (answer, "none" if answer is None else "emphasis")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("9 * 2 = 18\n#### 18\n\nQuestion: Tom?\nAnswer: 3 + 4 = 7\n#### 7", "18"),
        ("The answer is 18.\n\nQ: Tom?\nA: The answer is 7.", "18"),
        (
            "The answer is \\boxed{18}.\n\nHuman: Tom has 3 pens and buys 4.\n\n"
            "Assistant: The answer is \\boxed{7}.",
            "18",
        ),
        ("The answer is 18.\n\n### Instruction:\nTom?\n\n### Response:\nThe answer is 7.", "18"),
        ("#### 18\n\nProblem: Tom?\nSolution: 3 + 4\n#### 7", "18"),
        ("#### 18\n\n**Question 2:** Tom?\n#### 7", "18"),
        ("\\boxed{18}.\n\n## Problem 2\n\nTom has 3.\n\nSolution: \\boxed{7}", "18"),
        ("The answer is 18.\nUser: Tom?\nAssistant: The answer is 7.", "18"),
        ("The answer is 18.\nuser\nTom?\nassistant\nThe answer is 7.", "18"),
        ("#### 18\n\nBelow is an instruction that describes a task.\n#### 7", "18"),
        # Solved without a claim: what is claimed below is another's.
        ("9 * 2 = 18 dollars.\n\nQuestion: Tom?\nAnswer: 7", None),
        ("She earns 18.\n\nHuman: Tom?\n\nAssistant: The answer is 7.", None),
        # Questions on the way to the answer.
        ("Question: Janet?\nAnswer: 18", "18"),
        ("Let me restate.\nProblem: find x.\nSolution: the answer is 18.", "18"),
        ("Q: eggs?\nA: 9\nQ: money?\nA: 18", "18"),
        ("Break it up.\n\nQ: eggs?\nA: 9\n\nQ: money?\nA: 18", "18"),
        ("Given x = 9.\n\nQuestion: what is 2x?\nAnswer: 18", "18"),
        ("The answer is 20.\n\nProblem: this forgets the discount. The answer is 18.", "18"),
        ("User: Janet?\nAssistant: The answer is 18.", "18"),
    ],
)
def test_the_next_question(text: str, answer: str | None) -> None:
    assert extract(text).answer == answer


def test_the_last_number_is_one_of_the_reply() -> None:
    text = "<think>5</think>She makes 18 dollars.<|im_end|>\n7"
    assert extract(text, last_number=True).answer == "18"


def test_choices_behind_talk() -> None:
    options = ("12", "15", "18")
    assert extract("The answer is (C). So the answer is correct.", options).answer == "C"
    assert extract("The answer is 18.\n\nQuestion: 3?\nThe answer is (A).", options).answer == "C"
    assert extract("We choose **B**.<|im_end|>", options).answer == "B"

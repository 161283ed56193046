"""Thoughts are no answers: marks of many models, halves of pairs, and what only looks like one."""

from __future__ import annotations

import pytest

from assay.problems.answers import extract, without_thoughts

FINAL = "<|start|>assistant<|channel|>final<|message|>"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>First try:\n#### 12\nno, subtract 5.</think>\nThe result is \\boxed{7}.", "7"),
        ("<think>Maybe \\boxed{5}? 3 + 4 is 7.</think>\nThere are 7. The answer is 7.", "7"),
        (
            "Maybe the answer is 5. Wait, 3 + 4 = 7.\n</think>\n\nAdding both gives **7**.",
            "7",
        ),
        ("<think>Let me see. If the answer is 5 then it fails. Let me try 6", None),
        ("[THINK]Maybe \\boxed{5}?[/THINK]\nThe answer is 7.", "7"),
        (
            f"<|channel|>analysis<|message|>Maybe \\boxed{{5}}?<|end|>{FINAL}The answer is 7.",
            "7",
        ),
        # Other names, and a pair of two names.
        ("<thinking>\\boxed{5}?</thinking>The answer is 7.", "7"),
        ("<reasoning>The answer is 5.</reasoning>\n<answer>7</answer>", "7"),
        ("<thought>#### 5</thought>\n#### 7", "7"),
        ("<think>#### 5</thinking>\n#### 7", "7"),
        ("<THINK>#### 5</Think>#### 7", "7"),
        ("<seed:think>\\boxed{5}</seed:think>\\boxed{7}", "7"),
        ("<scratchpad>\\boxed{5}</scratchpad>\\boxed{7}", "7"),
        ("◁think▷\\boxed{5}?◁/think▷\\boxed{7}", "7"),
        ("<|begin_of_thought|>\\boxed{5}<|end_of_thought|>\n\\boxed{7}", "7"),
        ("<|START_THINKING|>\\boxed{5}<|END_THINKING|><|START_RESPONSE|>\\boxed{7}", "7"),
        ("<|channel>thought\n\\boxed{5}<channel|>\\boxed{7}", "7"),
        # Unclosed.
        ("◁think▷\\boxed{5}", None),
        ("[THINK]\\boxed{5}", None),
        ("<reasoning>The answer is 5.</think>", None),
        ("<think>\n<answer>5</answer>", None),
        ("The answer is 7.\n<think>Or is the answer 5? The answer is 5", "7"),
        # A closing mark alone; one inside of a thought; one too many.
        ("The answer is 5.</think>The answer is 7.", "7"),
        ("The answer is 5.\n</think>", None),
        ("The answer is 5.[/THINK]The answer is 7.", "7"),
        ("<think>I close </think> it? The answer is 5.</think>The answer is 7.", "7"),
        ("<think>a</think>The answer is 7.</think>", "7"),
        ("<think>5</think>One. <think>\\boxed{5}</think>\nThe answer is 7.", "7"),
        ("<think>a <think> b</think>The answer is 7.", "7"),
        # Marks that are only spoken of.
        ("I end with `</think>`.\nThe answer is 7.", "7"),
        ('Not in "<think>" tags: the answer is 7.', "7"),
        # The thought parts lines.
        ("The answer is 4<think>x</think>12 apples", "4"),
    ],
)
def test_thoughts(text: str, answer: str | None) -> None:
    assert extract(text).answer == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<|channel|>analysis<|message|>The answer is 5", None),
        ("<|channel|>analysis<|message|>The answer is 5<|end|>", None),
        ("<|start|>assistant<|channel|>final<|message|>The answer is 7.<|return|>", "7"),
        ("<|channel|>final <|constrain|>json<|message|>The answer is 7", "7"),
        ("The answer is 5.<|end|>" + FINAL + "The answer is 7.<|return|>", "7"),
        (
            "<|channel|>analysis<|message|>5<|end|><|start|>assistant<|channel|>commentary to=f"
            "<|message|>The answer is 6<|call|>",
            None,
        ),
        (
            FINAL + "\\boxed{7}<|end|><|start|>user<|message|>And?<|end|>" + FINAL + "\\boxed{9}",
            "7",
        ),
        # Special tokens skipped in decoding.
        ("analysisWe need 3+4. The answer is 5?assistantfinalThe answer is 7.", "7"),
        ("analysisThe answer is 5.assistantcommentary6assistantfinal\\boxed{7}", "7"),
        ("analysisMaybe \\boxed{5}", None),
        ("assistantanalysisMaybe \\boxed{5}", None),
        ("Analysis of it: 3 + 4. The answer is 7.", "7"),
        ("analysis: the answer is 7.", "7"),
    ],
)
def test_channels(text: str, answer: str | None) -> None:
    assert extract(text).answer == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>9 * 2 = 18</think>\n<answer>18</answer>", "18"),
        ("<think>Is it \\boxed{5}? No.</think>\n<answer>18</answer>", "18"),
        ("<answer>\n18 dollars\n</answer>", "18 dollars"),
        ("<answer>9 * 2 = 18\n#### 18</answer>", "18"),
        ("<answer>It is \\boxed{18}.</answer> The answer is 5.", "18"),
        ("<answer>The answer is 18", "18"),  # stopped by "</answer>"
        ("In <answer></answer> tags: <answer>18</answer>", "18"),
        ("<answer>5</answer> No: <answer>18</answer>", "18"),
        ("<Answer>eighteen</Answer>", "eighteen"),
        ("<answer>your answer here</answer> The answer is 18.", "18"),
        ("<answer></answer>\\boxed{18}", "18"),
        ("No <answer> tag is asked for. The answer is 18.", "18"),
        ("So \\boxed{18}, without an <answer> tag", "18"),
    ],
)
def test_answer_tag(text: str, answer: str | None) -> None:
    assert extract(text).answer == answer


def test_options_in_a_tag() -> None:
    found = extract("<think>A?</think><answer>(B)</answer>", ("12", "15"))
    assert (found.answer, found.source) == ("B", "tag")


def test_unclosed_thoughts_can_be_counted() -> None:
    texts = {
        "<think>a": True,
        "<think>a</think>b": False,
        "b <think>a": True,
        "[THINK]a": True,
        "analysisWe": True,
        "analysisWe assistantfinal7": False,
        "<|channel|>analysis<|message|>a": True,
        "<|channel|>analysis<|message|>a<|end|>": False,
        "<|channel|>analysis": True,
        "a</think>b": False,
        "The answer is 7.": False,
        "": False,
    }
    assert {text: without_thoughts(text).unclosed for text in texts} == texts


@pytest.mark.parametrize("text", ["", " \n", "a\n\nb ", "if 1 < 2:\n    print(3)\n", "x[0] = 1"])
def test_a_text_without_thoughts_stays_as_it_is(text: str) -> None:
    assert without_thoughts(text) == (text, False)

"""Unfinished candidates: counted, told, and left out where that is asked for."""

import pandas as pd
import pytest

from assay.pools.finishing import cut_notes, finishing_line, unfinished_shares, without_cut
from assay.pools.grading import grade_candidates
from assay.pools.rows import Candidate
from assay.problems.answers import may_think
from assay.problems.problem import Problem

FRAME = pd.DataFrame(
    [
        ("cot", "eos", 0, False),
        ("cot", "length", 1, False),
        ("cot", "max_tokens", -1, True),
        ("cot", None, 0, False),
        ("pot", "stop", -1, False),
        ("pot", "eos", 0, False),
    ],
    columns=["mode", "stop", "answer_class", "unclosed"],
).astype({"unclosed": "boolean"})


def test_shares_by_modes():
    assert unfinished_shares(FRAME) == {
        "cot": {"cut": 0.5, "silent": 0.25, "unclosed": 0.25},
        "pot": {"cut": 0.0, "silent": 0.5, "unclosed": 0.0},
        "both": {"cut": 1 / 3, "silent": 1 / 3, "unclosed": 1 / 6},
    }
    assert finishing_line(FRAME) == (
        "33.3 % cut off by the length limit, 33.3 % without an answer, 16.7 % with an open thought"
    )
    # A run from before open thoughts were recorded.
    old = FRAME.assign(unclosed=pd.array([None] * 6, "boolean"))
    assert unfinished_shares(old)["cot"] == {"cut": 0.5, "silent": 0.25}


def test_what_was_cut_off_may_be_left_out():
    assert without_cut(FRAME, "count") is FRAME
    assert without_cut(FRAME, "drop")["answer_class"].tolist() == [0, -1, -1, 0, -1, 0]


@pytest.mark.parametrize(
    ("share", "cut", "expected"),
    [
        (0.05, "count", []),
        (0.06, "count", ["6.0 % of the candidates were cut off by the length limit: sample with a "
                         "larger sampling.max_new_tokens, or let none of them answer with "
                         "cut=drop"]),
        (0.01, "drop", ["1.0 % of the candidates were cut off and may not answer"]),
        (0.0, "drop", []),
    ],
)  # fmt: skip
def test_more_than_a_twentieth_is_worth_a_note(share, cut, expected):
    assert cut_notes({"cot": {"cut": share, "silent": 0.5}}, cut) == expected


def test_open_thoughts_are_found_when_grading():
    texts = ["<think>so 2", "<think>so 2</think>#### 2", "#### 2"]
    rows = [Candidate("p", "cot", i, text, [], 5, 5, 0.0, "eos") for i, text in enumerate(texts)]
    graded = grade_candidates([Problem("p", "1+1?", "2")], rows, None)
    assert [(each.answer, each.unclosed) for each in graded] == [
        (None, True),
        ("2", False),
        ("2", False),
    ]


@pytest.mark.parametrize(
    ("template", "thinks"),
    [
        ("{% if enable_thinking is false %}", True),
        ("<|Assistant|><think>\n", True),
        ("[SYSTEM_PROMPT][THINK]", True),
        ("<|start|>assistant<|channel|>analysis", True),
        ("<|im_start|>assistant\n{{ content }}", False),
        ("Please reason step by step, and think hard.", False),
    ],
)
def test_templates_of_thinking_models(template, thinks):
    assert may_think(template) is thinks

"""Training examples from reference solutions."""

import pytest

from assay.generator.rationales import RationalesConfig, build_examples, tell
from assay.problems.problem import Problem, Solution
from assay.problems.prompts import PromptConfig, Prompter
from assay.settings.errors import UserError

APPLES = Problem(
    id="apples",
    question="2 apples and 3 apples?",
    answer="5",
    solutions=(
        Solution("cot", "2+3 = <<2+3=5>>5\n#### 5"),
        Solution("pot", "x1 = 2 + 3\nprint(x1)"),
    ),
)
WORDS = Problem(
    id="words", question="1 + 1?", answer="2", solutions=(Solution("cot", "2\n#### 2"),)
)
NONE = Problem(id="none", question="?", answer="1", solutions=(Solution("cot", "  "),))


@pytest.fixture
def prompter(byte_tokenizer):
    return Prompter(PromptConfig(form="plain"), byte_tokenizer)


def texts(examples, tokenizer):
    return [
        (e.problem_id, e.mode, tokenizer.decode(e.prompt_ids), tokenizer.decode(e.response_ids))
        for e in examples
    ]


def test_examples_are_prompt_and_solution(prompter, byte_tokenizer):
    examples = build_examples([APPLES, WORDS, NONE], prompter, RationalesConfig())
    assert texts(examples, byte_tokenizer) == [
        (
            "apples",
            "cot",
            "Question: 2 apples and 3 apples?\nAnswer:",
            " 2+3 = <<2+3=5>>5\n#### 5</s>",
        ),
        (
            "apples",
            "pot",
            "Question: 2 apples and 3 apples? Let's write a program.\nAnswer:",
            "\nx1 = 2 + 3\nprint(x1)</s>",
        ),
        ("words", "cot", "Question: 1 + 1?\nAnswer:", " 2\n#### 2</s>"),
    ]
    assert tell([APPLES, WORDS, NONE], examples) == {
        "cot": 2,
        "pot": 1,
        "problems": 3,
        "without": 1,
    }


def test_one_mode_and_stripped_annotations(prompter, byte_tokenizer):
    config = RationalesConfig(modes=["cot"], annotations="strip")
    (example,) = build_examples([APPLES], prompter, config)
    assert byte_tokenizer.decode(example.response_ids) == " 2+3 = 5\n#### 5</s>"
    assert len(example) == len(example.prompt_ids) + len(example.response_ids)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            RationalesConfig(modes=["pot", "code"]),
            "rationales.modes: expected cot and pot, found 'code'",
        ),
        (RationalesConfig(modes=[]), "rationales.modes: expected at least one"),
        (
            RationalesConfig(annotations="drop"),
            "rationales.annotations=drop: expected keep or strip",
        ),
        (RationalesConfig(modes=["pot"]), "none of the 2 problems has a reference solution .* pot"),
    ],
)
def test_what_cannot_be_used_is_told(prompter, config, message):
    with pytest.raises(UserError, match=message):
        build_examples([WORDS, NONE], prompter, config)

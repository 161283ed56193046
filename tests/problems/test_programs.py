"""Where in a candidate's text its program stands."""

from __future__ import annotations

import pytest

from assay.problems.programs import program_text
from assay.sandbox import clean_program


@pytest.mark.parametrize(
    ("text", "program"),
    [
        # Thoughts.
        (
            "<think>\n```python\nprint(undefined_name)\n```\nno\n</think>\n"
            "```python\nprint(3 + 4)\n```",
            "print(3 + 4)\n",
        ),
        ("<think>\n```python\nprint(5)\n```", ""),
        ("print(5)\n</think>\nprint(7)\n", "\nprint(7)\n"),
        ("[THINK]print(5)[/THINK]print(7)", "print(7)"),
        (
            "<|channel|>analysis<|message|>print(5)<|end|><|start|>assistant<|channel|>final"
            "<|message|>```python\nprint(7)\n```<|return|>",
            "print(7)\n",
        ),
        ("analysisI try\nprint(5)assistantfinal```python\nprint(7)\n```", "print(7)\n"),
        ("x = 3\n<think>print it</think>print(x)", "x = 3\n\nprint(x)"),
        # End tokens and tags.
        ("print(18)</s>", "print(18)"),
        ("print(18)<|im_end|>\n<|im_start|>user\nAnd?", "print(18)"),
        ("```python\nprint(18)\n```<|eot_id|>", "print(18)\n"),
        ("<answer>print(18)</answer>", "print(18)"),
        ("```python\nprint(18)\n```\n<answer>18</answer>", "print(18)\n"),
        # The next question.
        ("print(9*2)\n\nQuestion: Tom?\nprint(7)", "print(9*2)"),
        (
            "```python\nprint(18)\n```\n\n### Instruction:\nTom?\n\n### Response:\n"
            "```python\nprint(7)\n```",
            "print(18)\n",
        ),
        ("print(18)\n\nHuman: Tom?\n\nAssistant: print(7)", "print(18)"),
        ("print(18)\n```\n\nProblem: Tom?\n```python\nprint(7)\n```", "print(18)\n"),
        (
            "def solution():\n    return 18\n\n\nQ: Tom?\ndef solution():\n    return 7",
            "def solution():\n    return 18",
        ),
    ],
)
def test_program(text: str, program: str) -> None:
    assert clean_program(program_text(text)) == program


@pytest.mark.parametrize(
    "program",
    [
        *("", "print(1)\n", "  x = 1\n  print(x)", "if 1 < 2:\n    print(3)", "a[0] = 1"),
        "# Question: how many?\nx = 3\n# Question: how much?\nprint(x)",
        "x = 3\n## Question: how much?\nprint(x)",
        '"""\nQuestion: how many?\n"""\nprint(3)',
        'x = 1\ns = """\nQuestion: how many?\n"""\nprint(3)',
        "```python\nx = 3\n## Question: how much?\nprint(x)\n```",
        "print('<think>')\nprint('</think>')",
        "Question: how many?\n```python\nprint(3)\n```",
        "```python\nx = 1\n```\nthen\n```python\nprint(x)\n```",
    ],
)
def test_a_program_stays_as_it_is(program: str) -> None:
    assert program_text(program) == program

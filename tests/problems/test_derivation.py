"""Programs derived from worked solutions; on GSM8K, each is run and must print the answer."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

from assay.problems import ProblemsConfig, load_problems
from assay.problems.answers import extract_output, label
from assay.problems.calculator import derive_program


def run(program: str) -> str:
    """What a derived program prints; only for programs that hold nothing but arithmetic."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, {})
    return printed.getvalue()


def test_gsm8k_style() -> None:
    solution = (
        "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n"
        "Natalia sold 48+24 = <<48+24=72>>72 clips altogether.\n#### 72"
    )
    assert derive_program(solution, "72") == "x1 = 48 / 2\nx2 = 48 + x1\nprint(x2)"


@pytest.mark.parametrize(
    ("solution", "answer", "program"),
    [
        # plain text with units
        ("He has 3 boxes x 4 = 12 pens\n12 - 5 = 7", "7", "x1 = 3 * 4\nx2 = x1 - 5\nprint(x2)"),
        # the latest variable with a value
        (
            "<<2+2=4>>4 <<8-4=4>>4 <<4*5=20>>20",
            "20",
            "x1 = 2 + 2\nx2 = 8 - x1\nx3 = x2 * 5\nprint(x3)",
        ),
        # what is not used goes, and numbering has no gaps
        ("<<1+1=2>>2 <<3*7=21>>21 <<21*4=84>>84", "84", "x1 = 3 * 7\nx2 = x1 * 4\nprint(x2)"),
        # thousands commas; negative results
        ("<<500*4=2000>>2,000", "2,000", "x1 = 500 * 4\nprint(x1)"),
        ("<<3-8=-5>>-5 <<-5+9=4>>4", "4", "x1 = 3 - 8\nx2 = x1 + 9\nprint(x2)"),
        # per cent: its hundred is no earlier result
        ("50+50 = 100\n100*20% = 20", "20", "x1 = 50 + 50\nx2 = x1 * 20 / 100\nprint(x2)"),
        # parentheses are kept where they matter
        ("<<2+3=5>>5 <<30/(5*2)=3>>3", "3", "x1 = 2 + 3\nx2 = 30 / (x1 * 2)\nprint(x2)"),
        # an annotation that computes nothing, beside the equation that does
        ("20 x 2 =<<40=40>>40", "40", "x1 = 20 * 2\nprint(x1)"),
        # what follows the answer is no step of it
        ("<<6*7=42>>42, check: <<42/7=6>>6", "42", "x1 = 6 * 7\nprint(x1)"),
    ],
)
def test_derived(solution: str, answer: str, program: str) -> None:
    assert derive_program(solution, answer) == program
    assert label(extract_output(run(program)).answer, answer)


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("", "5"),
        ("It is 5.", "5"),
        ("<<5=5>>5", "5"),
        ("<<2+2=5>>5", "5"),  # false
        ("<<2*3=6>>6", "7"),
        ("<<__import__('os')=5>>5", "5"),
        ("x + 3 = 8, so x = 5", "5"),
        ("<<2+3=5>>5", "no number"),
    ],
)
def test_not_derived(solution: str, answer: str) -> None:
    assert derive_program(solution, answer) is None


@pytest.mark.parametrize("split", ["train", "test"])
def test_gsm8k(shared_data: Path, split: str) -> None:
    """At least 96 % convert, and all that do print the reference answer under Python itself."""
    problems = load_problems(
        ProblemsConfig(name="gsm8k", path=str(shared_data / "gsm8k"), split=split)
    )
    assert len(problems) == {"train": 7473, "test": 1319}[split]
    derived = 0
    for problem in problems:
        programs = [s.text for s in problem.solutions if s.mode == "pot"]
        for program in programs:
            printed = run(program)
            assert label(extract_output(printed).answer, problem.answer), (program, printed)
        derived += len(programs)
    rate = derived / len(problems)
    assert rate >= 0.96, f"{derived} of {len(problems)} ({rate:.2%}) solutions convert"

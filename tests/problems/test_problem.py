"""Problems as JSONL, the examples in the docstrings, and what importing the room costs."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from assay.problems import Problem, Solution, read_problems, write_problems
from assay.settings.errors import UserError


def test_round_trip(tmp_path: Path) -> None:
    problems = [
        Problem("1", "Q\u2028 “é”?", "18", ("18", "19"), (Solution("cot", "a\nb"),)),
        Problem("2", "R?"),
    ]
    write_problems(tmp_path / "p.jsonl", problems)
    assert read_problems(tmp_path / "p.jsonl") == problems


def test_bad_solution(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"question": "Q", "solutions": [{"mode": "poem", "text": ""}]}\n')
    with pytest.raises(UserError, match=r"line 1: expected .*'mode'"):
        read_problems(path)


@pytest.mark.parametrize(
    "name",
    [
        *("problem", "prompts", "arithmetic", "annotations", "derivation"),
        *("answers", "answers.canonical"),
    ],
)
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(f"assay.problems.{name}")
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0


def test_import_is_light() -> None:
    heavy = "torch transformers reasoning_gym datasets sympy matplotlib numpy pandas"
    code = f"import sys, assay.problems; print([m for m in {heavy.split()} if m in sys.modules])"
    root = Path(__file__).resolve().parents[2]
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "[]"

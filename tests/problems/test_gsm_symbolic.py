"""GSM-Symbolic: disjoint splits, determinism, solutions that say what they should."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.problems import Problem, ProblemsConfig, load_problems
from assay.problems.answers import extract, label
from assay.problems.calculator import annotations, evaluate
from assay.problems.gsm_symbolic import HARD_TEMPLATES, TEMPLATES, generate
from assay.settings.errors import UserError


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Problem]]:
    sizes = {"train": 1500, "test": 200, "hard": 200}
    return {split: generate(split, size) for split, size in sizes.items()}


def questions(problems: list[Problem]) -> set[str]:
    return {problem.question for problem in problems}


def test_sizes_and_ids(splits: dict[str, list[Problem]]) -> None:
    assert {split: len(problems) for split, problems in splits.items()} == {
        "train": 1500,
        "test": 200,
        "hard": 200,
    }
    assert splits["test"][12].id == "gsm_symbolic-test-00012"
    for problems in splits.values():
        assert len(questions(problems)) == len({p.id for p in problems}) == len(problems)


def test_disjoint_whatever_the_sizes_and_seeds(splits: dict[str, list[Problem]]) -> None:
    held_out = questions(splits["test"]) | questions(splits["hard"])
    held_out |= questions(generate("test", 600, seed=1))
    for seed, size in ((0, 1500), (0, 3000), (1, 1000), (2, 100)):
        assert not held_out & questions(generate("train", size, seed=seed))


def test_longer_calls_begin_the_same(splits: dict[str, list[Problem]]) -> None:
    assert generate("train", 100) == splits["train"][:100]
    tail = load_problems(ProblemsConfig(name="gsm_symbolic", limit=50, offset=100))
    assert tail == splits["train"][100:150]
    assert generate("train", 100, seed=1) != splits["train"][:100]


def test_same_in_another_process(splits: dict[str, list[Problem]]) -> None:
    code = (
        "import hashlib, json; from assay.problems.gsm_symbolic import generate; "
        "print(hashlib.sha256(json.dumps([p.to_dict() for p in generate('train', 300)])"
        ".encode()).hexdigest())"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(root)}
    printed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    here = json.dumps([p.to_dict() for p in splits["train"][:300]]).encode()
    assert printed.stdout.strip() == hashlib.sha256(here).hexdigest()


def test_solutions(splits: dict[str, list[Problem]]) -> None:
    """Every problem has both; CoT ends in the answer; annotations are true; answers are whole."""
    for problem in (p for problems in splits.values() for p in problems):
        assert problem.answer is not None
        assert problem.answer.isdecimal()
        assert "final answer" not in problem.question
        assert [s.mode for s in problem.solutions] == ["cot", "pot"], problem.id
        cot, pot = (s.text for s in problem.solutions)
        assert label(extract(cot).answer, problem.answer)
        assert extract(cot).source == "hash"
        marks = annotations(cot)
        assert marks
        for mark in marks:
            assert evaluate(mark.expression) == evaluate(mark.result)
        assert pot.endswith(")")


def test_templates_are_shared_out_evenly(splits: dict[str, list[Problem]]) -> None:
    assert len(TEMPLATES) == len(set(TEMPLATES)) == 40
    assert len(HARD_TEMPLATES) == len(set(HARD_TEMPLATES)) == 15
    assert not set(TEMPLATES) & set(HARD_TEMPLATES)
    peeling = [p for p in splits["train"] if "can peel" in p.question]  # template 0
    assert len(peeling) in (37, 38)


def test_template_without_more_questions_ends() -> None:
    # "A child has N toys. His sister has M fewer" (43) has a few thousand questions at most.
    few = generate("test", 100_000, templates=[43])
    assert 100 < len(few) < 20_000


def test_bad_input() -> None:
    with pytest.raises(UserError, match=r"split=dev.*train, test, hard"):
        generate("dev", 5)
    with pytest.raises(UserError, match=r"\[8\] are in problems.templates too"):
        generate("hard", 5, templates=[6, 8], hard_templates=[8, 9])
    with pytest.raises(UserError, match="no template 32"):
        generate("train", 5, templates=[32])

"""Problem sets by name, from files and from a stand-in for the hub; bad input in one line each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.problems import Problem, ProblemsConfig, Solution, load_problems, write_problems
from assay.settings.errors import UserError


def write(path: Path, rows: list[Any]) -> Path:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def load(path: Path | str, **changes: Any) -> list[Problem]:
    return load_problems(ProblemsConfig(**{"name": "jsonl", "path": str(path), **changes}))


GSM8K_ROW = {"question": "Q?", "answer": "500*2=<<500*2=1000>>1000\n#### 1,000"}


def test_gsm8k(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", [GSM8K_ROW])
    problem = load(tmp_path, name="gsm8k")[0]
    assert problem == Problem(
        id="gsm8k-train-00000",
        question="Q?",
        answer="1000",
        solutions=(
            Solution("cot", GSM8K_ROW["answer"]),
            Solution("pot", "x1 = 500 * 2\nprint(x1)"),
        ),
        convention="gsm8k",
    )


def test_conventions(tmp_path: Path) -> None:
    """The configuration says how the answers are written, or else the row, or else its id."""
    rows = [
        {"id": "numglue-7", "question": "Which? Option 1: 3 Option 2: 4", "answer": "A"},
        {"id": "mine-1", "question": "?", "answer": "2.33", "convention": "simuleq"},
        {"id": "mine-2", "question": "?", "answer": "2.33"},
    ]
    path = write(tmp_path / "rows.jsonl", rows)
    assert [p.convention for p in load(path)] == ["numglue", "simuleq", ""]
    assert [p.convention for p in load(path, convention="general")] == ["general"] * 3
    with pytest.raises(UserError, match="convention 'gsm9k': expected one of general, gsm8k"):
        load(path, convention="gsm9k")
    rows = [p.to_dict() for p in load(path)]
    assert [Problem.from_dict(row).convention for row in rows] == ["numglue", "simuleq", ""]


def test_gsm8k_evaluation_format(shared_data: Path) -> None:
    problems = load(shared_data / "eval" / "gsm8k.jsonl", name="gsm8k", limit=2)
    assert [(p.id, p.answer, p.solutions) for p in problems] == [
        ("gsm8k-test-0000", "18", ()),
        ("gsm8k-test-0001", "3", ()),
    ]


def test_evaluation_sets(shared_data: Path) -> None:
    sizes = {path.stem: len(load(path)) for path in (shared_data / "eval").glob("*.jsonl")}
    assert sizes == {
        "aqua": 254,
        "gsm8k": 1319,
        "math": 5000,
        "math500": 500,
        "mathematics": 1000,
        "mmlu_mathematics": 974,
        "numglue": 1042,
        "sat": 220,
        "simuleq": 514,
        "svamp": 1000,
    }
    aqua = load(shared_data / "eval" / "aqua.jsonl")[0]
    assert (aqua.answer, len(aqua.options)) == ("A", 5)


@pytest.mark.parametrize(
    ("source", "instruction", "question", "mode"),
    [
        ("data/CoT/gsm_train.json", "How many?", "How many?", "cot"),
        ("data/PoT/gsm_gpt4.json", "How many? Let's write a program.", "How many?", "pot"),
        ("data/PoT/aqua.json", "N? Let's write a Python program to solve it.", "N?", "pot"),
        ("data/PoT/numglue.json", "N? Please write a program to solve it", "N?", "pot"),
    ],
)
def test_mathinstruct(
    tmp_path: Path, source: str, instruction: str, question: str, mode: Any
) -> None:
    rows = [{"source": source, "instruction": instruction, "output": "text"}]
    path = tmp_path / "MathInstruct.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    name = source.removeprefix("data/").removesuffix(".json")
    expected = Problem(
        "mathinstruct-000000", question, solutions=(Solution(mode, "text"),), source=name
    )
    assert load(path, name="mathinstruct") == [expected]


def test_own_format_comes_back(tmp_path: Path) -> None:
    problems = [
        Problem("a", "Q\u2028?", "1", ("1", "2"), (Solution("pot", "print(1)"),)),
        Problem("b", "R?"),
    ]
    write_problems(tmp_path / "p.jsonl", problems)
    assert load(tmp_path / "p.jsonl") == problems


def test_fields(tmp_path: Path) -> None:
    row = {
        "problem": "P?",
        "solution": "so \\boxed{7}.",
        "key": 12,
        "choices": {"B": "8", "A": "7"},
    }
    fields = {
        "id": "key",
        "question": "problem",
        "answer": "solution",
        "answer_pattern": r"boxed\{(\d+)\}",
        "solution": "solution",
        "options": "choices",
    }
    assert load(write(tmp_path / "x.jsonl", [row]), fields=fields) == [
        Problem("12", "P?", "7", ("7", "8"), (Solution("cot", "so \\boxed{7}."),))
    ]


def test_slices(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", [{"question": f"Q{i}"} for i in range(10)])
    everything = load(path)
    assert [p.id for p in everything][:2] == ["jsonl-00000", "jsonl-00001"]
    assert load(path, limit=3, offset=2) == everything[2:5]
    shuffled = load(path, shuffle=True, seed=4)
    assert shuffled != everything
    assert sorted(shuffled, key=lambda p: p.id) == everything
    assert load(path, shuffle=True, seed=4, limit=2, offset=5) == shuffled[5:7]
    assert load(path, shuffle=True, seed=5) != shuffled


def test_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[Any] = []

    def load_dataset(*words: Any, **settings: Any) -> list[dict[str, str]]:
        asked.append((words, settings))
        return [GSM8K_ROW]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert load_problems(ProblemsConfig(name="gsm8k", split="test"))[0].id == "gsm8k-test-00000"
    load_problems(ProblemsConfig(name="hub", path="me/set", revision="v1"))
    assert asked == [
        (("openai/gsm8k", "main"), {"split": "test", "revision": None}),
        (("me/set", None), {"split": "train", "revision": "v1"}),
    ]


def test_hub_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def load_dataset(*words: Any, **settings: Any) -> None:
        raise ConnectionError("no\nroute")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    message = r"hub data set TIGER-Lab/MathInstruct .*ConnectionError: no route.*problems.path=FILE"
    with pytest.raises(UserError, match=message):
        load_problems(ProblemsConfig(name="mathinstruct"))


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([], {}, "no problems there"),
        ([{"question": "Q"}], {"offset": 5}, "no problems there"),
        ([{"question": "Q"}, "{broken"], {}, r"x.jsonl, line 2: not JSON"),
        ([[1]], {}, "line 1: expected a JSON object"),
        ([{"query": "Q", "gold": 1}], {}, r"line 1: no field 'question'.*found gold, query"),
        ([{"question": "Q"}], {"fields": {"answer": "gold"}}, "no field 'gold' for 'answer'"),
        ([{"question": "Q"}], {"fields": {"answr": "gold"}}, "problems.fields.answr: expected one"),
        ([{"question": "Q", "id": "a"}, {"question": "R", "id": "a"}], {}, "'a' occurs twice"),
        ([{"question": " "}], {}, "expected a non-empty text in 'question'"),
        ([{"question": "Q", "answer": {"x": 1}}], {}, "expected a text or a number in 'answer'"),
        (
            [{"question": "Q", "answer": "seven"}],
            {"fields": {"answer_pattern": r"\d+"}},
            "matches nothing",
        ),
        (
            [{"question": "Q", "answer": "7"}],
            {"fields": {"answer_pattern": "("}},
            "not a regular expression",
        ),
        ([{"question": "Q", "options": 5}], {}, "expected a list of texts in 'options'"),
        ([{"question": "Q"}], {"name": "gsm8k"}, "line 1: expected a text in 'answer'"),
        ([{"question": "Q", "answer": "1+1\n####"}], {"name": "gsm8k"}, "number after '####'"),
        ([{"source": "x"}], {"name": "mathinstruct"}, "expected a text in 'instruction'"),
        (
            [{"source": "x", "instruction": "Q", "output": "o"}],
            {"name": "mathinstruct"},
            "expected /CoT/ or /PoT/",
        ),
        ([{"question": "Q"}], {"name": "gsm9k"}, "problems.name=gsm9k: expected one of gsm8k"),
        ([{"question": "Q"}], {"limit": -1}, "expected 0 or more"),
    ],
)
def test_bad_input(tmp_path: Path, rows: list[Any], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(write(tmp_path / "x.jsonl", rows), **changes)


def test_bad_paths(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load(tmp_path / "missing.jsonl")
    with pytest.raises(UserError, match=r"missing.jsonl: no such file"):
        load("missing.jsonl", name="gsm8k")
    write(tmp_path / "other.jsonl", [])
    with pytest.raises(UserError, match=r"expected train.jsonl in this folder.*other.jsonl"):
        load(tmp_path)
    with pytest.raises(UserError, match="expected a path"):
        load("")
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="expected a JSON list"):
        load(tmp_path / "x.json")
    (tmp_path / "y.jsonl").write_bytes(b'{"question": "\xff"}\n')
    with pytest.raises(UserError, match="not UTF-8"):
        load(tmp_path / "y.jsonl")


def test_math_by_its_own_rows_and_by_those_of_copies(tmp_path):
    rows = [
        # As Hendrycks et al. wrote them.
        {
            "problem": "What is $1+1$?",
            "level": "Level 1",
            "type": "Algebra",
            "solution": "It is $\\boxed{2}$.",
        },
        # As MATH-500 has them.
        {"problem": "Half?", "answer": "\\frac{1}{2}", "unique_id": "test/a/1.json"},
        {"question": "None?", "id": "math-x", "solution": "No box."},
    ]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second, third = load_problems(
        ProblemsConfig(name="math", path=str(tmp_path), split="test")
    )
    assert (first.id, first.answer, first.convention) == ("math-test-00000", "2", "math")
    assert first.solutions == (Solution("cot", "It is $\\boxed{2}$."),)
    assert (second.id, second.answer, second.solutions) == ("test/a/1.json", "\\frac{1}{2}", ())
    assert (third.id, third.question, third.answer) == ("math-x", "None?", None)
    assert (second.convention, third.convention) == ("math", "math")
    (tmp_path / "train.jsonl").write_text('{"x": 1}\n')
    with pytest.raises(UserError, match="expected a text in 'question'"):
        load_problems(ProblemsConfig(name="math", path=str(tmp_path)))

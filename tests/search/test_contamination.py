"""The stage: sets by file, folder and name; the file of overlaps; before a training."""

import json

import pytest

from assay import command_line
from assay.problems.problem import Problem
from assay.search.stages.contamination import ContaminationConfig, checked, evaluation_sets
from assay.settings.errors import UserError

LONG = "Tom buys 12 red apples and 30 green apples and gives 9 of them to his sister"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "eval").mkdir()
    rows = {"a": [("a0", LONG), ("a1", "Other?")], "b": [("b0", "Which one?")]}
    for name, items in rows.items():
        text = "".join(json.dumps({"id": i, "question": q, "answer": "1"}) + "\n" for i, q in items)
        (tmp_path / "eval" / f"{name}.jsonl").write_text(text)
    return tmp_path / "eval"


def problems():
    return [Problem("x", "First, " + LONG), Problem("y", "Unseen?")]


def test_sets(folder):
    sets = evaluation_sets([str(folder)], "against")
    assert {name: len(items) for name, items in sets.items()} == {"a": 2, "b": 1}
    assert list(evaluation_sets([str(folder / "b.jsonl")], "against")) == ["b"]
    assert len(evaluation_sets(["gsm_symbolic"], "against")["gsm_symbolic"]) == 1000


@pytest.mark.parametrize(
    ("against", "message"),
    [
        ([], "expected evaluation sets, for example against="),
        (["nowhere"], "against: nowhere: expected a JSONL file, a folder of them, or a set's name"),
        (["{folder}/a.jsonl", "{folder}"], "two sets are named a"),
        (["{folder}/.."], "no \\*.jsonl in"),
    ],
)
def test_sets_that_are_none(folder, against, message):
    with pytest.raises(UserError, match=message):
        evaluation_sets([name.format(folder=folder) for name in against], "against")


def test_the_command(folder, tmp_path, capsys):
    train = tmp_path / "train.jsonl"
    train.write_text("".join(json.dumps(p.to_dict()) + "\n" for p in problems()))
    words = ["check-contamination", f"problems={train}", f"against=[{folder}]"]
    assert command_line.main([*words, f"output={tmp_path / 'o.jsonl'}"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "contamination: 2 problems against 3 (13 words in a row)"
    assert told[-1] == f"1 overlaps written to {tmp_path / 'o.jsonl'}"
    assert json.loads((tmp_path / "o.jsonl").read_text()) == {
        "id": "x",
        "source": "",
        "set": "a",
        "other": "a0",
        "shared": "tom buys 12 red apples and 30 green apples and gives 9 of",
        "question": "First, " + LONG,
        "other_question": LONG,
    }


def test_before_a_training(folder, capsys):
    assert checked(problems(), ContaminationConfig()) == problems()
    assert capsys.readouterr().err == ""
    config = ContaminationConfig(against=[str(folder)])
    assert checked(problems(), config) == problems()
    assert "  in all         3       1                   1\n" in capsys.readouterr().err
    config.drop = True
    assert [p.id for p in checked(problems(), config)] == ["y"]
    with pytest.raises(UserError, match="every training problem overlaps"):
        checked(problems()[:1], config)


def test_only_the_first_process_tells(folder, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    checked(problems(), ContaminationConfig(against=[str(folder)]))
    assert capsys.readouterr().err == ""

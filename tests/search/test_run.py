"""What `assay run` tells and refuses before it trains: questions of the tests among the others."""

import json

import pytest

from assay import command_line
from assay.search.drivers import run as pipeline
from assay.search.drivers.run import PipelineConfig, check_leaks, fine_tune
from assay.settings.errors import UserError
from assay.settings.schema import load

LONG = "Tom buys 12 red apples and 30 green apples and gives 9 of them to his sister"


@pytest.fixture
def words(tmp_path):
    rows = {
        "train": [("x", "First, " + LONG), ("y", "Unseen?"), ("z", "What is 1 + 1?")],
        "test": [("a", "Now " + LONG), ("b", "Other?")],
        "same": [("c", "Unseen?")],
    }
    for name, items in rows.items():
        text = "".join(json.dumps({"id": i, "question": q, "answer": "1"}) + "\n" for i, q in items)
        (tmp_path / f"{name}.jsonl").write_text(text)
    return ["problems=jsonl", f"problems.path={tmp_path}", f"output={tmp_path / 'out'}"]


def test_overlaps_are_told_and_nothing_is_left_out(words, capsys):
    assert check_leaks(load(PipelineConfig, words)) == frozenset()
    assert capsys.readouterr().out.splitlines() == [
        "contamination: 3 problems against 2 (13 words in a row)",
        "              problems   found   training problems",
        "  tests.test         2       1                   1",
        "  in all             2       1                   1",
        "  for example x and tests.test: a",
        "    “tom buys 12 red apples and 30 green apples and gives 9 of”",
    ]


def test_a_question_of_a_test_is_refused_or_left_out(words, capsys):
    words.append("tests={same: {split: same}}")
    with pytest.raises(
        UserError,
        match=r"tests\.same: c is among the training problems; contamination\.drop=true leaves",
    ):
        check_leaks(load(PipelineConfig, words))
    words.append("contamination.drop=true")
    assert check_leaks(load(PipelineConfig, words)) == {"First, " + LONG, "Unseen?"}
    assert capsys.readouterr().out.endswith("  left out of training: 2 problems\n")


def test_other_sets_are_compared_too(words, tmp_path, capsys):
    words += [f"contamination.against=[{tmp_path / 'same.jsonl'}]", "contamination.drop=true"]
    dropped = check_leaks(load(PipelineConfig, words))
    assert dropped == {"First, " + LONG, "Unseen?"}
    assert "  same               1       1                   1\n" in capsys.readouterr().out


def test_where_nothing_would_be_left(words):
    words += ["pool.limit=1", "contamination.drop=true"]
    with pytest.raises(UserError, match="every problem of pool overlaps; none is left"):
        check_leaks(load(PipelineConfig, words))


def test_what_is_left_out_is_trained_on_nowhere(words, monkeypatch):
    words += ["validation={split: train, limit: 2}"]
    config = load(PipelineConfig, words)
    given = []
    monkeypatch.setattr(pipeline, "train_generator", lambda _, *problems: given.extend(problems))
    fine_tune(config, frozenset({"Unseen?"}))
    assert [[p.id for p in problems] for problems in given] == [["x", "z"], ["x"]]


def test_names_of_folders_are_no_names_of_tests(words, capsys):
    assert command_line.main(["run", *words, "tests={verifier: {split: test}}"]) == 2
    assert capsys.readouterr().err == (
        "assay: tests.verifier: this name is taken; choose another\n"
    )

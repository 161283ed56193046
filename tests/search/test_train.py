"""Graded runs as a verifier's training data; the summary at a training's end."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from assay.problems.problem import Problem, Solution
from assay.search.stages import train as training
from assay.search.stages.train import training_pool, training_summary
from assay.selection import rules
from assay.settings.errors import UserError
from assay.verifier.validate import measure

ONE = Problem("one", "2 + 3?", answer="5", solutions=(Solution("cot", "2 + 3 = <<2+3=5>>5"),))
TWO = Problem("two", "4 / 8?", answer="1/2")


def frame(*rows):
    """Rows of (problem, text, answer, class, label)."""
    columns = ["problem_id", "text", "answer", "answer_class", "label"]
    table = pd.DataFrame(rows, columns=columns).astype({"label": "boolean"})
    return table.assign(origin="", mode="cot", output="")


@pytest.fixture
def run_of(monkeypatch):
    monkeypatch.setattr(training, "load_frame", lambda run, *, texts: run.frame)

    def make(*rows, problems=(ONE, TWO)):
        return SimpleNamespace(path="runs/x", problems=list(problems), frame=frame(*rows))

    return make


def classes_of(data):
    return {item.problem.id: [c.answer_class for c in item.candidates] for item in data}


def test_a_run_keeps_its_classes(run_of):
    run = run_of(
        ("one", "a", "5", 3, True),
        ("one", "b", "6", 1, False),
        ("one", "c", None, -1, False),
        ("one", "d", "?", 2, None),
        ("two", "e", "0.5", 0, True),
    )
    data = training_pool([run], "keep")
    # The undecided one is left out.
    assert classes_of(data) == {"one": [3, 1, -1], "two": [0]}
    assert [(c.text, c.label) for c in data[0].candidates] == [
        ("a", True),
        ("b", False),
        ("c", False),
    ]
    assert data[0].problem == ONE
    assert training_pool([run], "strip")[0].problem.solutions[0].text == "2 + 3 = 5"


def test_origins_can_be_chosen(run_of):
    run = run_of(
        ("one", "a", "5", 0, True), ("one", "b", "6", 1, False), ("two", "c", "1", 0, True)
    )
    run.frame["origin"] = ["hot", "cool", "cool"]
    data = training_pool([run], "keep", ["cool"])
    assert [[c.text for c in item.candidates] for item in data] == [["b"], ["c"]]
    assert len(training_pool([run], "keep", ["cool", "hot"])) == len(training_pool([run], "keep"))
    with pytest.raises(UserError, match="origins: no candidates of 'cold'; found cool, hot"):
        training_pool([run], "keep", ["cold"])


def test_classes_of_several_runs_are_joined(run_of):
    first = run_of(("two", "a", "1/2", 0, True), ("two", "b", "2", 1, False))
    second = run_of(
        ("two", "c", "2.0", 0, False),
        ("two", "d", "0.5", 1, True),
        ("two", "e", None, -1, False),
        ("two", "f", "7", 2, False),
        ("one", "g", "5", 4, True),
    )
    found = classes_of(training_pool([first, second], "keep"))
    # 1/2 is 0.5 and 2 is 2.0; a problem of one run keeps its numbers.
    assert found == {"two": [0, 1, 1, 0, -1, 2], "one": [4]}


def test_the_same_id_with_another_question_is_another_problem(run_of):
    other = Problem("one", "9 + 9?", answer="18")
    data = training_pool(
        [
            run_of(("one", "a", "5", 0, True)),
            run_of(("one", "b", "18", 0, True), problems=(other,)),
        ],
        "keep",
    )
    assert [(item.problem.question, len(item.candidates)) for item in data] == [
        ("2 + 3?", 1),
        ("9 + 9?", 1),
    ]


def test_nothing_labelled(run_of):
    with pytest.raises(UserError, match="runs/x: no candidate has a label"):
        training_pool([run_of(("one", "a", "5", 0, None))], "keep")
    with pytest.raises(UserError, match="annotations=drop: expected keep or strip"):
        training_pool([], "drop")


def test_validation_measures_what_the_rules_choose():
    """Small integers as scores, so that there are ties of every kind; 4000 draws of the ties."""
    rng = np.random.default_rng(0)
    classes = rng.integers(-1, 3, (30, 6))
    classes[0] = -1
    labels = classes == rng.integers(0, 3, (30, 1))
    scores = rng.integers(-1, 3, (30, 6)) / 2
    ties = rng.random((4000, 30, 6), dtype=np.float32)
    wide_classes, wide_scores = (np.broadcast_to(x, ties.shape) for x in (classes, scores))

    def accuracy(chosen):
        right = np.take_along_axis(labels[None], chosen[..., None], axis=2)[..., 0]
        return float(np.mean(right & (chosen >= 0)))

    found = measure(list(scores), list(labels), list(classes))
    # Standard error of a draw's mean over 30 problems: below 0.5 / √(30 · 4000) = 0.0014.
    expected = {
        "majority": accuracy(rules.majority(wide_classes, ties)),
        "best_of_n": accuracy(rules.best_of_n(wide_classes, wide_scores, ties)),
        "weighted": accuracy(rules.weighted(wide_classes, wide_scores, ties)),
    }
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected, abs=0.006)
    assert len(set(expected.values())) == 3


def test_the_summary(tmp_path):
    assert training_summary(tmp_path) == ""
    row = {
        "step": 4,
        "problems": 2,
        "candidates": 8,
        "mse": 0.2,
        "auc": 0.8,
        "auc_within": 0.75,
        "calibration_error": 0.05,
        "best_of_n": 0.5,
        "weighted": 0.5,
        "majority": 0.5,
        "share_right": 0.25,
        "solvable": 1.0,
    }
    kept = {"step": 4, "auc_within": 0.75, "why": "best auc_within of 1 validations"}
    file = tmp_path / "assay.json"
    file.write_text(json.dumps({"validations": [row], "kept": kept}))
    lines = training_summary(tmp_path).splitlines()
    assert len(lines) == 4
    assert lines[2].split()[0] == "4*"
    assert lines[3] == "kept: step 4, best auc_within of 1 validations"
    file.write_text(json.dumps({"validations": [], "kept": {"step": 9, "why": "the last"}}))
    assert training_summary(tmp_path) == "kept: step 9, the last\n"

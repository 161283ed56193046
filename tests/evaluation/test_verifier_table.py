"""Several verifiers side by side, from pools in memory and from a run on disk."""

import json

import numpy as np
import pandas as pd
import pytest

from assay.evaluation.evaluate import EvaluateStage, run_evaluate
from assay.evaluation.verifier_table import comparison, frame_of
from assay.pools.rows import Candidate, candidates_table, scores_table
from assay.pools.run import Part, Run
from assay.problems.problem import Problem
from assay.search.stages.grade import GradeConfig, grade
from assay.search.stages.score import ScoreStageConfig, by_verifier
from assay.selection.evaluate import evaluate
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig
from assay.settings.errors import UserError
from assay.settings.schema import load


def make_pool():
    """40 problems, 8 candidates in words each; "good" sees which are right, "blind" nothing."""
    rng = np.random.default_rng(0)
    rows = []
    for p in range(40):
        for sample in range(8):
            right = bool(rng.random() < 0.4)
            answer = 0 if right else 1
            rows.append((f"p{p:02d}", "cot", sample, answer, right, float(right), rng.random()))
    names = ["problem_id", "mode", "sample", "answer_class", "label", "score:good", "score:blind"]
    return PoolArrays.from_frame(pd.DataFrame(rows, columns=names))


@pytest.fixture(scope="module")
def evaluations():
    pool = make_pool()
    return [evaluate(pool, EvaluateConfig(verifier=name, draws=20)) for name in ("blind", "good")]


def test_rules_with_scores_have_a_row_for_each_verifier(evaluations):
    lines = comparison(evaluations, seconds={"score": 3.0}).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert [line[2:22].rstrip() for line in lines[:16]] == [
        "40 problems · 8 cand",
        "accuracy in % [95 %",
        "",
        "",
        "─" * 20,
        "single sample",
        "majority vote",
        "best-of-n",
        "  blind",
        "  good",
        "weighted vote",
        "  blind",
        "  good",
        "top-3 vote",
        "  blind",
        "  good",
    ]
    at = evaluations[1].at("best_of_n", "cot", 8)
    assert (at.low, at.value, at.high) == pytest.approx((1.0,) * 3)
    assert lines[9].split() == ["good", "100", "[100,", "100]"]


def test_differences_are_paired(evaluations):
    blind, good = evaluations
    cell = ("best_of_n", "cot", 8)
    found = good.difference_to(blind, cell)
    assert found.value == pytest.approx(
        (good.per_problem[cell] - blind.per_problem[cell]).mean(), abs=1e-12
    )
    assert 0 < found.low < found.value < found.high
    same = good.difference_to(blind, ("majority", "cot", 8))
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)
    shown = comparison(evaluations)
    assert "verifier − blind (CoT only, n = 8; paired over problems, in points)" in shown


def test_one_frame_of_all(evaluations):
    frame = frame_of(evaluations)
    assert frame.columns[0] == "verifier"
    assert frame["verifier"].unique().tolist() == ["blind", "good"]
    assert len(frame) == sum(len(each.frame) for each in evaluations)
    assert frame_of(evaluations[:1]) is evaluations[0].frame


def test_verifiers_are_named_by_keys_or_folders():
    config = load(ScoreStageConfig, ["verifiers={small: runs/a/verifier, large: runs/b/verifier}"])
    found = by_verifier(config)
    assert [(c.name, c.verifier.name) for c in found] == [
        ("small", "runs/a/verifier"),
        ("large", "runs/b/verifier"),
    ]
    assert list(load(ScoreStageConfig, ["verifiers=[runs/a,org/b]"]).verifiers) == ["a", "b"]
    with pytest.raises(UserError, match="verifiers: two have one name; name them"):
        load(ScoreStageConfig, ["verifiers=[runs/a/verifier,runs/b/verifier]"])
    for words in ([], ["verifier=runs/a", "verifiers=[runs/b]"]):
        with pytest.raises(UserError, match="verifier: expected a verifier's folder"):
            by_verifier(load(ScoreStageConfig, words))
    with pytest.raises(UserError, match="name=x: names one verifier"):
        by_verifier(load(ScoreStageConfig, ["verifiers=[runs/a]", "name=x"]))


@pytest.fixture
def scored_run(tmp_path):
    """Two problems with four graded candidates each, scored by "a" and "b"; "c" was stopped."""
    problems = [Problem(id=f"p{i}", question="1 + 1?", answer="2") for i in range(2)]
    run = Run.open_or_create(tmp_path / "run", problems)
    run.register("candidates", {"problems_per_part": 2}, {})
    part = Part(0, "cot", 0, 4)
    rows = [
        Candidate(p.id, "cot", sample, f"#### {2 + sample % 2}", [1], 2, 3, -1.0, "eos")
        for p in problems
        for sample in range(4)
    ]
    run.write("candidates", part, candidates_table(rows), 1.0)
    grade(GradeConfig(run=str(run.path)))
    for name, sign in (("a", 1), ("b", -1), ("c", 0)):
        run.register(f"scores/{name}", {"verifier": name}, {})
        if name != "c":
            scores = [
                {"problem_id": c.problem_id, "mode": "cot", "sample": c.sample,
                 "score": sign * float(c.sample % 2)}
                for c in rows
            ]  # fmt: skip
            run.write(f"scores/{name}", part, scores_table(scores, values=False), 1.0)
    return run


def test_evaluate_compares_all_verifiers_that_scored(scored_run, capsys):
    stage = EvaluateStage(run=str(scored_run.path), draws=5, bootstrap=5)
    run_evaluate(stage)
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("  best-of-n")
    assert [line.split() for line in lines[start + 1 : start + 3]] == [
        ["a", "0.0", "[0.0,", "0.0]"],  # sample 1, wrong, has the highest score
        ["b", "100", "[100,", "100]"],
    ]
    stage.json = True
    run_evaluate(stage)
    assert [each["verifier"] for each in json.loads(capsys.readouterr().out)] == ["a", "b"]
    stage.verifiers = ["b"]
    run_evaluate(stage)
    assert json.loads(capsys.readouterr().out)["verifier"] == "b"
    stage.verifiers, stage.json, stage.csv = ["b", "a"], False, True
    run_evaluate(stage)
    assert capsys.readouterr().out.startswith("verifier,rule,modes,n,accuracy")
    stage.verifiers = ["b", "c"]
    run_evaluate(stage)
    told = capsys.readouterr()
    assert told.out.startswith("rule,modes,n,accuracy")  # "b" alone
    stage.csv = False
    run_evaluate(stage)
    told = " ".join(capsys.readouterr().out.split())
    assert f"scores by c left out: 0 of 1 parts are scored; `assay score {scored_run.path}" in told
    stage.rules = ["weighted"]
    with pytest.raises(UserError, match="rules: weighted: scores by 'c': 0 of 1 parts are scored"):
        run_evaluate(stage)
    stage.verifier = "a"
    with pytest.raises(UserError, match="not both"):
        run_evaluate(stage)


def test_held_out_problems_must_be_held_out(scored_run, tmp_path, capsys):
    stage = EvaluateStage(run=str(scored_run.path), verifier="a", k="auto", draws=5, bootstrap=5)
    stage.tune = stage.run
    with pytest.raises(UserError, match="2 of its problems are in"):
        run_evaluate(stage)
    other = Run.open_or_create(
        tmp_path / "other", [Problem(id=f"q{i}", question=f"1 + {i}?", answer="2") for i in (5, 6)]
    )
    other.register("candidates", {"problems_per_part": 2}, {})
    part = Part(0, "cot", 0, 4)
    rows = [
        Candidate(p, "cot", sample, f"#### {2 + sample % 2}", [1], 2, 3, -1.0, "eos")
        for p in ("q5", "q6")
        for sample in range(4)
    ]
    other.write("candidates", part, candidates_table(rows), 1.0)
    grade(GradeConfig(run=str(other.path)))
    stage.tune = str(other.path)
    with pytest.raises(UserError, match="no scores by verifier 'a'"):
        run_evaluate(stage)
    other.register("scores/a", {"verifier": "a"}, {})
    scores = [
        {"problem_id": c.problem_id, "mode": "cot", "sample": c.sample, "score": 0.5} for c in rows
    ]
    other.write("scores/a", part, scores_table(scores, values=False), 1.0)
    run_evaluate(stage)
    assert "k chosen on held-out problems: " in capsys.readouterr().out

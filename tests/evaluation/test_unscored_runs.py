"""Runs with scores that are missing, through the commands: told in a note, and nothing refused."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from assay import command_line
from assay.evaluation.of_run import unfinished, usable
from assay.generator.models import ModelConfig
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.search.solving.show import show_one
from assay.search.stages.train import training_pool
from assay.selection.request import EvaluateConfig
from assay.verifier.config import VerifierModelConfig
from assay.verifier.model import Verifier

pytestmark = pytest.mark.usefixtures("undrawn")

QUESTION = {"question": "Tom has 3 pens and buys 4. How many?", "reference": "7"}
FAST = ["draws=5", "bootstrap=20"]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def imported(folder, rows, *words):
    run = str(folder / "run")
    path = write(folder / "pool.jsonl", rows)
    assert command_line.main(["import", path, f"run={run}", "format=long", *words]) == 0
    assert command_line.main(["grade", run]) == 0
    return run


def told(capsys, *words):
    """What a command that must succeed prints, its lines as one."""
    capsys.readouterr()
    assert command_line.main([*words]) == 0
    return " ".join(capsys.readouterr().out.split())


def refused(capsys, *words):
    capsys.readouterr()
    assert command_line.main([*words]) == 2
    line = capsys.readouterr().err.strip().splitlines()
    assert len(line) == 1
    return line[0]


@pytest.fixture(scope="module")
def verifier(tmp_path_factory):
    """The embedded model, which reads 1024 tokens, with a head that was not trained."""
    folder = tmp_path_factory.mktemp("verifier") / "tiny"
    torch.manual_seed(0)
    model, tokenizer = Verifier.from_base(VerifierModelConfig(base=ModelConfig(name="embedded")))
    model.save_pretrained(folder, tokenizer)
    return str(folder)


MISSING = {
    "null": [None, 0.5],
    "absent": ["absent", 0.5],
    "NaN": [float("nan"), 0.5],
    "infinite": [float("inf"), 0.5],
    "minus infinite": [float("-inf"), 0.5],
    "beyond single precision": [1e300, 0.5],
    "no steps": [[], 0.5],
    "a step that is null": [[0.5, None], [0.5]],
}


@pytest.mark.parametrize("scores", MISSING.values(), ids=MISSING)
def test_an_imported_score_that_is_missing(tmp_path, capsys, scores):
    rows = [
        {"id": "a", **QUESTION, "solution": f"The answer is {answer}.", "score": score}
        for answer, score in zip((7, 8), scores, strict=True)
    ]
    if scores[0] == "absent":
        del rows[0]["score"]
    run = imported(tmp_path, rows)
    note = "1 of 2 candidates without a score by long (1 CoT): left out of the rules that need"
    for words in (["evaluate", run], ["evaluate", run, "rules=[majority]"], ["report", run]):
        assert note in told(capsys, *words, *FAST)
    assert note in told(capsys, "compare", run, "rules=[weighted,majority]", *FAST)
    found = json.loads(told(capsys, "evaluate", run, "--json", *FAST))
    at_two = {r["rule"]: r["accuracy"] for r in found["accuracy"] if r["n"] == 2}
    assert (at_two["best_of_n"], at_two["weighted"], at_two["pass"]) == (0.0, 0.0, 1.0)
    assert found["quality"]["candidates"] == 1
    out = tmp_path / "out.jsonl"
    told(capsys, "export", run, f"output={out}")
    (line,) = map(json.loads, out.read_text().splitlines())
    assert [c["scores"] for c in line["candidates"]] == [{"long": None}, {"long": 0.5}]
    parquet = tmp_path / "out.parquet"
    told(capsys, "export", run, f"output={parquet}")
    (candidates,) = pd.read_parquet(parquet)["candidates"]
    assert [c["scores"]["long"] for c in candidates] == [None, 0.5]
    # What was exported comes in again, with as many scores.
    again = str(tmp_path / "again")
    told(capsys, "import", str(out), f"run={again}")
    told(capsys, "grade", again)
    assert load_frame(Run.open(again))["score:long"].isna().tolist() == [True, False]


OVERLONG = "Let me count again. " * 400


@pytest.fixture(scope="module")
def overlong(tmp_path_factory, verifier):
    folder = tmp_path_factory.mktemp("overlong")
    texts = ["3 + 4 = 7. The answer is 7.", f"{OVERLONG}The answer is 7.", "The answer is 12."]
    run = imported(folder, [{"id": "a", **QUESTION, "solution": text} for text in texts])
    assert command_line.main(["score", run, f"verifier={verifier}", "workers=1"]) == 0
    return run


def test_a_candidate_that_is_too_long(overlong, capsys, verifier):
    frame = load_frame(Run.open(overlong), texts=True)
    assert np.isfinite(frame["score:tiny"]).tolist() == [True, False, True]
    assert [values is None for values in frame["values:tiny"]] == [False, True, False]
    note = "1 of 3 candidates without a score by tiny (1 CoT): left out of the rules that need"
    for command in ("evaluate", "report"):
        assert note in told(capsys, command, overlong, *FAST)
        assert note in told(capsys, command, overlong, "rules=[majority]", *FAST)
    assert note in told(capsys, "compare", overlong, "rules=[weighted,majority]", *FAST)
    # What is done is not done again, and still told.
    said = told(capsys, "score", overlong, f"verifier={verifier}")
    assert "1 of 3 candidates without a score (longer, with their question, than the" in said


def stopped(overlong, tmp_path):
    """The run as a `score` leaves it that was killed before its first part."""
    run = tmp_path / "stopped"
    shutil.copytree(overlong, run)
    for part in (run / "scores" / "tiny").iterdir():
        part.unlink()
    return str(run)


def test_scores_that_were_stopped_before_the_first_part(overlong, tmp_path, capsys):
    run = stopped(overlong, tmp_path)
    note = f"scores by tiny left out: 0 of 1 parts are scored; `assay score {run} verifier="
    for words in ([], ["rules=[majority]"], ["verifier=tiny"], ["verifiers=[tiny]"], ["k=auto"]):
        assert note in told(capsys, "evaluate", run, *words, *FAST)
    assert note in told(capsys, "report", run, *FAST)
    assert note in told(capsys, "compare", run, overlong, *FAST)
    assert note in told(capsys, "compare", run, overlong, "rules=[majority]", *FAST)
    for words in (["rules=[weighted]"], ["rules=[majority,top_k]", "verifier=tiny"]):
        line = refused(capsys, "evaluate", run, *words, *FAST)
        assert "scores by 'tiny': 0 of 1 parts are scored; `assay score" in line
    shutil.rmtree(f"{run}/scores/tiny")
    assert note in told(capsys, "evaluate", run, *FAST)


def test_half_of_the_parts(tmp_path, capsys):
    """Sixteen parts of two modes; one verifier has all of them, the other lost one."""
    rows = [
        {
            "id": f"p{p}", "question": f"{p} + 1?", "reference": str(p + 1),
            "solution": f"The answer is {p + 1 + s}.", "mode": mode, "scores": {"a": 0.5, "b": s},
        }
        for p in range(6)
        for mode in ("cot", "pot")
        for s in range(2)
    ]  # fmt: skip
    words = ["fields.scores=scores", "fields.modes=mode"]
    run = imported(tmp_path, rows, *words)
    parts = sorted((tmp_path / "run" / "scores" / "b").glob("*.parquet"))
    parts[0].unlink()
    opened = Run.open(run)
    assert list(unfinished(opened)) == ["b"]
    assert usable(opened) == ["a"]
    said = told(capsys, "evaluate", run, *FAST)
    assert f"scores by b left out: {len(parts) - 1} of {len(parts)} parts are scored" in said
    assert "scores by a (" in said
    both = told(capsys, "evaluate", run, "verifiers=[a,b]", *FAST)
    assert "scores by b left out" in both
    assert "scores by b left out" in told(capsys, "report", run, *FAST)
    assert "best-of-n" in told(capsys, "evaluate", run, "rules=[best_of_n]", *FAST)
    assert "'b': " in refused(capsys, "evaluate", run, "rules=[weighted]", "verifier=b", *FAST)
    # Held-out problems whose scores are not all there cannot be chosen by.
    other = tmp_path / "other"
    other.mkdir()
    moved = [{**row, "question": row["question"] + " Tell."} for row in rows]
    tested = imported(other, moved, *words)
    words = ["evaluate", tested, "k=auto", f"tune={run}", "verifier=b", *FAST]
    assert "tune: scores by 'b': 1 of 2 parts" in refused(capsys, *words)
    assert "majority vote" in told(capsys, *words, "rules=[majority]")


def test_two_verifiers_side_by_side_with_gaps(tmp_path, capsys):
    rows = [
        {**QUESTION, "id": "a", "solution": f"The answer is {answer}.", "scores": scores}
        for answer, scores in (
            (7, {"a": 0.9, "b": None}),
            (8, {"a": 0.1, "b": 0.3}),
            (7, {"a": None, "b": 0.2}),
        )
    ]
    run = imported(tmp_path, rows, "fields.scores=scores")
    found = json.loads(told(capsys, "evaluate", run, "--json", "n=[3]", *FAST))
    assert [each["verifier"] for each in found] == ["a", "b"]
    best = [
        row["accuracy"] for each in found for row in each["accuracy"] if row["rule"] == "best_of_n"
    ]
    assert best == [1.0, 0.0]
    said = told(capsys, "evaluate", run, *FAST)
    for name in "ab":
        assert f"1 of 3 candidates without a score by {name} (1 CoT)" in said


def test_training_and_solving_do_not_mind(overlong, tmp_path):
    (own,) = training_pool([Run.open(overlong)], "keep")
    assert [c.label for c in own.candidates] == [True, True, False]
    assert "by weighted vote by" in show_one(Run.open(overlong), EvaluateConfig())
    run = Run.open(stopped(overlong, tmp_path))
    assert "by majority vote" in show_one(run, EvaluateConfig())
    assert "by majority vote" in show_one(run, EvaluateConfig(verifier="tiny"))


def test_solve_tells_of_voters_and_of_scores(capsys, verifier):
    words = ["solve", "Tom has 3 apples.", "generator=embedded", "prompt.form=plain", "n=3"]
    words += ["sampling.max_new_tokens=8", f"verifier={verifier}"]
    said = told(capsys, *words, "rule=top_k", "k=9")
    assert "note: k=9 is more than the 3 candidates: all of them vote" in said
    assert "note:" not in told(capsys, *words)

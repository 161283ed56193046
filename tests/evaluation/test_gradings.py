"""Both gradings of an imported pool: the table, and evaluation by theirs."""

import json
from pathlib import Path

import pytest

from assay import command_line
from assay.evaluation.evaluate import EvaluateRunConfig, run_evaluate
from assay.evaluation.gradings import gradings
from assay.evaluation.report.report import page_problems
from assay.pools.exchange.importing import ImportConfig, import_pool
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.settings.errors import UserError

# Theirs takes 17.6 for 18 and misses "A: 18"; it has no label for the last.
pytestmark = pytest.mark.usefixtures("undrawn")

ROWS = [
    {
        "id": f"p{i}",
        "problem": "3 * 6?",
        "answer": "18",
        "generations": ["#### 18", "#### 17.6", "So…\nA: 18", "#### 20"],
        "extracted_answers": ["18", "18", None, "20"],
        "is_correct": [True, True, False, None],
        "scores": [0.5, 0.75, 0.25, 0.125],
    }
    for i in range(2)
]


@pytest.fixture
def run(tmp_path, capsys):
    path = tmp_path / "pool.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    words = ["import", str(path), f"run={tmp_path / 'run'}", "--format", "hf"]
    assert command_line.main(words) == 0
    assert command_line.main(["grade", str(tmp_path / "run")]) == 0
    return str(tmp_path / "run"), capsys.readouterr().out


TABLE = """\
                            ours right      ours wrong  ours undecided
  ────────────────────────────────────────────────────────────────────
  theirs right                       2               2               0
  theirs wrong                       2               0               0
  theirs undecided                   0               2               0
  agree on 33.3 % of the 6 that both decide; only theirs right 2, only ours right 2
  where they differ, for example
    p0 cot 1                          theirs right  ours 17.6, theirs 18
    p1 cot 1                          theirs right  ours 17.6, theirs 18
"""


def test_grade_and_evaluate_print_both(run, capsys):
    path, printed = run
    assert TABLE in printed
    assert command_line.main(["evaluate", path, "draws=5", "bootstrap=5"]) == 0
    assert capsys.readouterr().out.endswith(TABLE)


def test_evaluation_by_their_grading(run, capsys):
    path, _ = run

    def accuracy(grading, rule):
        stage = EvaluateRunConfig(run=path, grading=grading, n=[4], draws=5, bootstrap=5, json=True)
        run_evaluate(stage)
        rows = json.loads(capsys.readouterr().out)["accuracy"]
        return next(row["accuracy"] for row in rows if row["rule"] == rule)

    assert accuracy("ours", "single") == 0.5
    # The second has our class of 17.6, but their answer 18.
    assert accuracy("theirs", "single") == 0.5
    assert accuracy("ours", "best_of_n") == 0.0
    assert accuracy("theirs", "best_of_n") == 1.0
    assert accuracy("ours", "majority") == 1.0
    assert accuracy("theirs", "majority") == 1.0
    with pytest.raises(UserError, match="grading=mine: expected one of ours, theirs"):
        accuracy("mine", "single")


def test_a_report_by_their_grading(run, capsys):
    path, _ = run
    words = ["report", path, "n=[4]", "draws=5", "bootstrap=5"]
    found = {}
    for grading in ("ours", "theirs"):
        assert command_line.main([*words, f"grading={grading}"]) == 0
        told = capsys.readouterr().out
        found[grading] = json.loads((Path(path) / "report" / "evaluation.json").read_text())
        assert "(theirs) and the strict grader (ours) agree on 33.3 % of the 6" in flat(told)
        note = "labels and answers are those that came along with the candidates"
        page = (Path(path) / "report" / "index.html").read_text()
        assert [note in flat(told), note in page] == [grading == "theirs"] * 2
    best = {
        grading: next(row["accuracy"] for row in one["accuracy"] if row["rule"] == "best_of_n")
        for grading, one in found.items()
    }
    assert best == {"ours": 0.0, "theirs": 1.0}
    assert command_line.main([*words, "grading=mine"]) == 2
    assert "grading=mine: expected one of ours, theirs" in capsys.readouterr().err


def test_the_page_shows_the_labels_that_count(run):
    opened = Run.open(run[0])
    label = {
        grading: [c["label"] for c in next(page_problems(opened, "hf", grading))["candidates"]]
        for grading in ("ours", "theirs")
    }
    assert label["ours"][:3] == [True, False, True]
    assert label["theirs"][:3] == [True, True, False]


def flat(text):
    return " ".join(text.split())


def test_labels_alone_go_with_our_answers(tmp_path, capsys):
    path = tmp_path / "pool.jsonl"
    rows = [{k: v for k, v in row.items() if k != "extracted_answers"} for row in ROWS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run, _ = import_pool(ImportConfig([str(path)], str(tmp_path / "run"), format="hf"))
    assert command_line.main(["grade", str(run.path)]) == 0
    assert "theirs right  ours 17.6, theirs —" in capsys.readouterr().out
    assert command_line.main(["evaluate", str(run.path), "grading=theirs", "n=[4]", "--csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split(",")[3] for row in rows if row.startswith("best_of_n,")] == ["1.0"]


def test_a_pool_without_their_labels(tmp_path, capsys):
    path = tmp_path / "pool.jsonl"
    path.write_text(json.dumps({"question": "1 + 1?", "answer": "2", "solution": "#### 2"}))
    words = ["import", str(path), f"run={tmp_path / 'run'}", "--format", "long"]
    assert command_line.main(words) == 0
    assert command_line.main(["grade", str(tmp_path / "run")]) == 0
    assert "theirs" not in capsys.readouterr().out
    assert command_line.main(["evaluate", str(tmp_path / "run"), "grading=theirs"]) == 2
    assert "no labels came along" in capsys.readouterr().err


def test_no_table_without_labels(run):
    frame = load_frame(Run.open(run[0]))
    assert gradings(frame.drop(columns="imported_label")) is None
    assert gradings(frame.assign(imported_label=None)) is None

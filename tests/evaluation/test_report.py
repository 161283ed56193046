"""The stage `report`: the files of one run and of several, their tables, what is refused."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from assay import command_line
from assay.evaluation.report.report import _names, report_run
from assay.pools.rows import Candidate, Graded, answers_table, candidates_table, scores_table
from assay.pools.run import Part, Run
from assay.problems.problem import Problem
from assay.selection.request import EvaluateConfig

pytestmark = pytest.mark.usefixtures("undrawn")


def make_run(folder, right=(0, 3), problems=3, temperature=0.7, question="What is {}?"):
    """A graded and scored run: four candidates in words each, those at `right` are right."""
    asked = [Problem(f"p{i}", question.format(i), "5") for i in range(problems)]
    run = Run.open_or_create(folder, asked)
    config = {"candidates": {"sampling": {"temperature": temperature}}}
    for stage in ("candidates", "answers", "scores/v"):
        run.register(stage, {"problems_per_part": problems}, config.get(stage, {}))
    part = Part(0, "cot", 0, 4)
    candidates, graded, scores = [], [], []
    for problem in asked:
        for sample in range(4):
            name = {"problem_id": problem.id, "mode": "cot", "sample": sample}
            text = f"so {sample}"
            candidates.append(Candidate(**name, text=text, token_ids=[1, 2], tokens=3,
                                        prompt_tokens=4, logprob=-1.0, stop="eos"))  # fmt: skip
            is_right = sample in right
            answer = "5" if is_right else "4"
            graded.append(Graded("", "", "", 0.0, answer, "hash", int(is_right), is_right))
            values = np.float32([0.5, 0.1 * sample])
            scores.append({**name, "score": values[-1], "values": values})
            scores[-1] |= {"starts": [0, 3], "ends": [2, 4]}
    run.write("candidates", part, candidates_table(candidates), 1.0)
    run.write("answers", part, answers_table(candidates, graded), 1.0)
    run.write("scores/v", part, scores_table(scores, values=True), 1.0)
    return folder


TABLES = ["accuracy", "calibration", "differences", "over_optimisation", "problems", "quality"]
TABLES += ["stopping", "stopping_savings"]
FIGURES = ["calibration", "curves", "over_optimisation", "stopping"]
PAPER = [f"{name}.{end}" for name in ("accuracy", "curves", "differences") for end in ("md", "tex")]
FILES = sorted(
    [f"{name}.{suffix}" for name in TABLES for suffix in ("csv", "parquet")]
    + [f"{name}.{suffix}" for name in FIGURES for suffix in ("svg", "pdf", "png")]
    + ["evaluation.json", "index.html", "table.txt", *PAPER]
)


def test_one_run(tmp_path, capsys):
    run = make_run(tmp_path / "one")
    assert command_line.main(["report", str(run)]) == 0
    assert re.search(r"one/report/index.html \([\d.]+ kB, one file\)", capsys.readouterr().out)
    report = run / "report"
    assert sorted(file.name for file in report.iterdir()) == FILES
    accuracy = pd.read_csv(report / "accuracy.csv")
    assert accuracy.equals(pd.read_parquet(report / "accuracy.parquet").astype(accuracy.dtypes))
    single = accuracy[accuracy["rule"] == "single"]
    assert single[["modes", "n", "accuracy"]].values.tolist() == [["cot", 1, 0.5]]
    problems = pd.read_csv(report / "problems.csv")
    best = problems[(problems["rule"] == "best_of_n") & (problems["n"] == 4)]
    # The last sample has the best score and is right.
    assert best[["problem_id", "accuracy"]].values.tolist() == [["p0", 1], ["p1", 1], ["p2", 1]]
    assert set(pd.read_csv(report / "differences.csv")["against"]) == {"majority"}


def test_difficulty_is_on_the_page_and_in_files_but_printed_only_when_asked(tmp_path, capsys):
    run = make_run(tmp_path / "one", problems=5)
    assert command_line.main(["report", str(run)]) == 0
    assert "by difficulty" not in capsys.readouterr().out
    report = run / "report"
    files = {file.name for file in report.iterdir()}
    assert files - set(FILES) == {
        *(f"difficulty.{suffix}" for suffix in ("svg", "pdf", "png")),
        "groups.csv",
        "groups.parquet",
        "stopping_difficulty.csv",
        "stopping_difficulty.parquet",
    }
    groups = pd.read_csv(report / "groups.csv")
    # Two of four candidates are right, so that half of them reach n = 2.
    assert (set(groups["by"]), set(groups["n"])) == ({"difficulty"}, {1, 2})
    assert 'id="h-difficulty"' in (report / "index.html").read_text()
    assert command_line.main(["report", str(run), "by=[difficulty]"]) == 0
    assert "by difficulty" in capsys.readouterr().out


def test_tables_and_figures_without_rows_go(tmp_path):
    run = make_run(tmp_path / "one", problems=5)
    output = tmp_path / "report"
    assert command_line.main(["report", str(run), f"output={output}"]) == 0
    fewer = make_run(tmp_path / "fewer")
    assert command_line.main(["report", str(fewer), f"output={output}"]) == 0
    assert sorted(file.name for file in output.iterdir()) == FILES


def test_tables_of_what_scores_are_worth(tmp_path):
    """The last sample has the best score and is right, the first the worst and is right too."""
    run = make_run(tmp_path / "one")
    assert command_line.main(["report", str(run)]) == 0
    quality = pd.read_csv(run / "report" / "quality.csv").set_index("measure")["value"]
    assert quality["within"] == 0.5
    bins = pd.read_csv(run / "report" / "calibration.csv")
    # 0.1, 0.2 and 0.3 lie on borders, which are of the lower bin.
    assert bins["count"].tolist() == [6, 3, 3]
    assert bins["share_right"].tolist() == [0.5, 0.0, 1.0]
    assert bins["mean_score"].tolist() == pytest.approx([0.05, 0.2, 0.3], abs=1e-6)
    over = pd.read_csv(run / "report" / "over_optimisation.csv").iloc[0]
    assert (over["modes"], over["peak"], over["n"], over["drop"]) == ("cot", 4, 4, 0.0)


def test_it_can_be_written_anew_and_in_a_folder(tmp_path, capsys):
    run = make_run(tmp_path / "one")
    output = tmp_path / "elsewhere"
    words = [str(run), f"output={output}"]
    assert command_line.main(["report", *words, "--single=false"]) == 0
    assert "kB beside it in data-" in capsys.readouterr().out
    assert len(list(output.glob("data-*/problems-0-0.js"))) == 1
    assert command_line.main(["report", *words, "title=Mine", "candidates=1"]) == 0
    assert sorted(file.name for file in output.iterdir()) == FILES
    assert "<h1>Mine</h1>" in (output / "index.html").read_text()
    assert not (run / "report").exists()


def test_the_loop_reports_by_the_same_way(tmp_path):
    run = Run.open(make_run(tmp_path / "one"))
    table = report_run(run, EvaluateConfig(draws=20, bootstrap=50), "The title")
    assert "3 problems · 4 candidates each" in table
    assert "<h1>The title</h1>" in (run.path / "report" / "index.html").read_text()


def test_several_runs(tmp_path, capsys):
    one = make_run(tmp_path / "a" / "test")
    other = make_run(tmp_path / "b" / "test", right=(0, 1, 3), problems=2, temperature=1.0)
    output = tmp_path / "both"
    assert command_line.main(["report", str(one), str(other), f"output={output}"]) == 0
    several = [
        f"{name}.{end}"
        for name in (
            "accuracy-cot",
            *(f"{kind}-{run}-test-cot" for kind in ("curves", "differences") for run in "ab"),
        )
        for end in ("md", "tex")
    ]
    assert {file.name for file in output.iterdir()} == {*set(FILES) - set(PAPER), *several}
    assert set(json.loads((output / "evaluation.json").read_text())) == {"a/test", "b/test"}
    differences = pd.read_csv(output / "differences.csv")
    between = differences[differences["against"] == "a/test"]
    single = between[between["rule"] == "single"]
    told = single[["run", "modes", "n", "difference", "low", "high", "p"]].values.tolist()
    # Right are 3 of 4 against 2 of 4, on each of the two problems that both hold.
    assert told == [["b/test", "cot", 1, 0.25, 0.25, 0.25, pytest.approx(2 / 1001)]]
    assert list(pd.read_csv(output / "accuracy.csv")["run"].unique()) == ["a/test", "b/test"]
    text = (output / "index.html").read_text()
    assert "<h1>a/test, b/test</h1>" in text
    assert "sampling.temperature</th><td>0.7</td><td>1.0</td>" in text
    assert "a/test\n\n" in (output / "table.txt").read_text()


def test_an_id_must_stand_for_one_question(tmp_path, capsys):
    one = make_run(tmp_path / "one")
    other = make_run(tmp_path / "other", question="How much is {}?")
    assert command_line.main(["report", str(one), str(other), f"output={tmp_path}/both"]) == 2
    assert capsys.readouterr().err == (
        "assay: runs: problem 'p0' asks another question in other than in one; "
        "runs side by side need the same problems, or other ids\n"
    )
    assert not (tmp_path / "both").exists()


def test_names_are_as_short_as_they_can_be(tmp_path):
    paths = [tmp_path / name for name in ("x/a/test", "x/b/test", "y/c")]
    assert _names(paths) == ["a/test", "b/test", "y/c"]
    assert _names(paths[1:]) == ["test", "c"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "runs: expected the folder of a run, for example assay report runs/demo"),
        (["{run}", "run={run}"], "runs: give the runs as words or one as run=…, not both"),
        (["{run}", "{run}", "output={run}/x"], "runs: one run is given twice"),
        (
            ["{run}", "{run}"],
            "output: expected a folder for the report of several runs (output=FOLDER)",
        ),
        (["{run}", "candidates=-1"], "candidates: -1, expected 0 (all) or more"),
        (["{run}/nothing"], "{run}/nothing: not a run (it has no run.json)"),
        (
            ["{run}", "output={run}/run.json"],
            "output: {run}/run.json is a file, expected a folder",
        ),
    ],
)
def test_bad_words_are_told_in_one_line(tmp_path, capsys, words, line):
    run = make_run(tmp_path / "one")
    assert command_line.main(["report", *(word.format(run=run) for word in words)]) == 2
    assert capsys.readouterr().err == f"assay: {line.format(run=run)}\n"

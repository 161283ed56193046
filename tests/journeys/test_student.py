"""The student: a file of completions with rewards becomes a figure and a table for a paper.

Ten problems with four solutions in words and four programs each. Of the eight answers to a problem
four say the right number, three another, one a third; of two problems it is the other way round. A
reward model prefers what is right everywhere, in numbers below 0. One solution in words of each
problem was cut off by the length limit.
"""

import contextlib
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from assay import command_line

RIGHT, WRONG, OTHER = -1.5, -3.0, -4.25
WORDS, PROGRAM = "So it is {}.\n#### {}", "```python\nprint({})\n```"


def outputs(p):
    """The eight outputs of problem p as vLLM writes them, with a reward each."""
    right, wrong = p + 1, p + 101
    most, fewer = (wrong, right) if p in (3, 7) else (right, wrong)
    said = [most, most, fewer, fewer, fewer, most, most, 999]
    made = []
    for place, number in enumerate(said):
        reward = RIGHT if number == right else WRONG if number == wrong else OTHER
        made.append(
            {
                "text": (WORDS if place < 4 else PROGRAM).format(number, number),
                "token_ids": list(range(40 + 20 * (place % 4))),
                "finish_reason": "length" if place == 3 else "stop",
                "reward": reward,
                "perplexity": 1.5,
            }
        )
    return made


POOL = [
    {
        "id": f"p{p}",
        "question": f"What is {p} + 1?",
        "answer": str(p + 1),
        "level": 1 + p % 5,
        "outputs": outputs(p),
    }
    for p in range(10)
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student")
    text = "".join(json.dumps(row) + "\n" for row in POOL)
    (folder / "pool.jsonl").write_text(text)
    # The same pool scored by another model: a list a problem, and two of its numbers for samples
    # of programs, which the modes tell apart.
    second = [
        {
            "id": row["id"],
            "mode": ["cot"] * 4 + ["pot"] * 4,
            "prm_scores": [[0.5, 1 / (1 + i)] for i in range(8)],
        }
        for row in POOL
    ]
    (folder / "second.jsonl").write_text("".join(json.dumps(row) + "\n" for row in second))
    (folder / "paper.yaml").write_text(
        "width: 5.5\nheight: 2.2\nfont_size: 8\nlegend: below\nintervals: whiskers\n"
        "rules: [weighted, majority, pass]\nlabels: {weighted: Ours}\nformats: [pdf]\n"
    )
    with contextlib.chdir(folder):
        yield folder


def assay(*words, code=0):
    """What a command prints."""
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        assert command_line.main(list(words)) == code, out.getvalue() + error.getvalue()
    return out.getvalue() if code == 0 else error.getvalue()


@pytest.fixture(scope="module")
def imported(place):
    return assay("import", "pool.jsonl", "run=runs/x", "format=vllm", "scores_name=rm")


@pytest.fixture(scope="module")
def graded(imported):
    return assay("grade", "runs/x")


@pytest.fixture(scope="module")
def told(graded):
    return json.loads(assay("evaluate", "runs/x", "n=[8]", "--json"))


def accuracy(told, rule, modes="both", n=8):
    (row,) = [
        row for row in told["accuracy"] if (row["rule"], row["modes"], row["n"]) == (rule, modes, n)
    ]
    return row["accuracy"]


def test_import_says_what_it_took_and_what_not(imported):
    assert imported.splitlines() == [
        "scores by rm: from -4.25 to -1.5: no probabilities (docs/curves.md)",
        "not imported, as no part of the mapping reads it:",
        "  level                      10 rows",
        "  outputs[].perplexity       10 rows",
        "10 problems, 80 candidates in runs/x; next: assay grade runs/x",
    ]


def test_a_path_that_matches_nothing_is_an_error(place):
    error = assay(
        *("import", "pool.jsonl", "run=runs/y", "format=vllm", "fields.scores=outputs.*.rewrd"),
        code=2,
    )
    assert "fields.scores=outputs.*.rewrd: no row has it; is outputs.*.reward meant?" in error
    assert not Path("runs/y").exists()


def test_grade_tells_what_was_cut_off(graded):
    lines = graded.splitlines()
    assert lines[0].endswith(
        "10 problems, 80 candidates: cot 50.0 % right, pot 45.0 % right, 100.0 % of programs run; "
        "100.0 % of problems solved at least once"
    )
    assert lines[1].strip() == (
        "12.5 % cut off by the length limit, 0.0 % without an answer, 0.0 % with an open thought"
    )
    assert lines[2].startswith("note: 12.5 % of the candidates were cut off by the length limit")


def test_the_majority_by_pandas_is_that_of_evaluate(told):
    key = ["problem_id", "origin", "mode", "sample"]
    pool = pd.read_parquet("runs/x/candidates").merge(pd.read_parquet("runs/x/answers"), on=key)
    votes = pool.groupby(["problem_id", "answer_class"]).agg(
        votes=("sample", "size"), right=("label", "max")
    )
    chosen = votes.reset_index().sort_values("votes").groupby("problem_id").tail(1)
    assert chosen["right"].mean() == accuracy(told, "majority") == 0.8


def test_rewards_are_weighed_with_a_note_and_are_no_probabilities(told):
    assert accuracy(told, "weighted") == accuracy(told, "best_of_n") == 1.0
    assert told["quality"]["brier"]["value"] is None
    about_scores = [note for note in told["notes"] if "cores" in note]
    assert about_scores == [
        "scores by rm run from −4.25 to −1.5, no probabilities: weighted votes take "
        "transform=softmax of them",
        "Brier score and calibration left out: the scores are no probabilities; "
        "calibration=platt or calibration=isotonic makes such of them",
    ]


def test_the_table_names_the_calibration_and_the_shares(told):
    table = assay("evaluate", "runs/x", "n=[8]", "calibration=platt", "bootstrap=50")
    assert "    Brier score and calibration after Platt scaling, cross-fitted in 5 folds" in table
    rows = {line[2:22].strip(): line[22:].split() for line in table.splitlines()}
    assert rows["cut off, %"] == ["12.5"]
    assert "Brier score and calibration left out" not in table


def test_what_was_cut_off_need_not_answer(told):
    dropped = json.loads(assay("evaluate", "runs/x", "n=[8]", "cut=drop", "--json"))
    assert dropped["notes"][0] == "12.5 % of the candidates were cut off and may not answer"
    # 4 : 2 where it was 4 : 3.
    assert accuracy(dropped, "majority") == 0.8
    assert "cut=keep: expected one of count, drop" in assay(
        "evaluate", "runs/x", "cut=keep", code=2
    )


def test_scores_of_another_model_are_attached(told):
    out = assay("attach", "runs/x", "second.jsonl", "name=prm")
    assert out.splitlines() == [
        "80 scores by prm in runs/x/scores/prm: from 0.125 to 1",
        "next: assay evaluate runs/x verifier=prm",
    ]
    both = assay("evaluate", "runs/x", "n=[8]", "verifiers=[rm,prm]", "bootstrap=50")
    assert "verifier − rm (both, n = 8; paired over problems, in points)" in both


def test_one_pair_has_one_interval(told):
    (row,) = [row for row in told["differences"] if row["rule"] == "weighted"]
    words = ("compare", "runs/x", "rules=[weighted,majority]", "n=[8]", "verifiers=[rm]", "--json")
    (found,) = json.loads(assay(*words))["differences"]
    names = ("difference", "low", "high", "p")
    assert [found[name] for name in names] == [row[name] for name in names]


def test_a_figure_and_a_table_for_the_paper(told):
    assay("report", "runs/x", "verifier=rm", "style=paper.yaml", "x=tokens", "bootstrap=50")
    report = Path("runs/x/report")
    assert b"FontFile2" in (report / "curves.pdf").read_bytes()
    assert not (report / "curves.png").exists()
    rows = (report / "accuracy.md").read_text().splitlines()
    assert rows[0] == "|  | CoT only | PoT only | both |"
    assert [row.split(" | ")[0] for row in rows[2:]] == [
        "| Ours",
        "| majority vote",
        "| pass@4 (ceiling)",
    ]
    assert r"\toprule" in (report / "accuracy.tex").read_text()
    page = (report / "index.html").read_text()
    assert ">cut off, %</th>" in page
    assert "transform=softmax of them" in page

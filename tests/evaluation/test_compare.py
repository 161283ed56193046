"""Compare: paired differences between runs, and between rules of one run."""

import json

import numpy as np
import pytest

from assay import command_line
from assay.evaluation.compare import CompareConfig, compare_rules, compare_runs, table
from assay.pools.exchange.importing import ImportConfig, import_pool
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.search.stages.grade import GradeConfig, grade


def make_run(folder, name, chance, problems=range(40), seed=0, ids=True):
    """8 candidates of each problem, each right with probability `chance`; scores know which."""
    rng = np.random.default_rng(seed)
    rows = []
    for p in problems:
        right = rng.random(8) < chance
        row = {
            "question": f"What is {p} + 1?",
            "answer": str(p + 1),
            "solutions": [f"#### {p + 1 if good else p + 2 + i}" for i, good in enumerate(right)],
            "scores": [float(good) for good in right],
        }
        rows.append(row | ({"id": f"p{p}"} if ids else {}))
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run, _ = import_pool(
        ImportConfig([str(path)], str(folder / name), format="hf", scores_name="oracle")
    )
    grade(GradeConfig(run=str(run.path)))
    return str(run.path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def runs(folder):
    return [make_run(folder, "a", 0.6), make_run(folder, "b", 0.3, range(10, 60), seed=1)]


def single(run, ids):
    """The plain way: the mean of each problem's labels."""
    frame = load_frame(Run.open(run))
    means = frame.groupby("problem_id")["label"].mean()
    return means.loc[ids].to_numpy(float)


def test_runs_are_compared_over_the_problems_that_both_have(runs):
    found = compare_runs(CompareConfig(runs=runs, n=[1, 4], draws=20, bootstrap=10_000))
    assert found.problems == 30
    assert found.notes[:2] == (
        f"10 problems of {runs[0]} left out: not in the other",
        f"20 problems of {runs[1]} left out: not in the other",
    )
    ids = [f"p{i}" for i in range(10, 40)]
    a, b = (single(run, ids) for run in runs)
    row = found.frame[(found.frame["rule"] == "single") & (found.frame["n"] == 1)].iloc[0]
    assert row["first"] == pytest.approx(a.mean(), abs=1e-12)
    assert row["second"] == pytest.approx(b.mean(), abs=1e-12)
    assert row["difference"] == pytest.approx((a - b).mean(), abs=1e-12)
    # The interval of a mean of 30 differences, by the normal approximation.
    error = (a - b).std(ddof=1) / np.sqrt(30)
    assert row["low"] == pytest.approx((a - b).mean() - 1.96 * error, abs=0.02)
    assert row["high"] == pytest.approx((a - b).mean() + 1.96 * error, abs=0.02)
    assert row["p"] < 0.001
    assert set(found.frame["rule"]) > {"single", "majority", "best_of_n", "weighted", "pass"}


def test_a_run_against_itself_differs_nowhere(runs):
    frame = compare_runs(CompareConfig(runs=[runs[0], runs[0]], draws=5)).frame
    assert (frame[["difference", "low", "high"]] == 0.0).all(axis=None)
    assert (frame["p"] == 1.0).all()
    assert sorted(set(frame["n"])) == [1, 2, 4, 8]


def test_the_order_of_runs_is_the_sign(runs):
    there = compare_runs(CompareConfig(runs=runs, rules=["pass"], bootstrap=200)).frame
    back = compare_runs(CompareConfig(runs=runs[::-1], rules=["pass"], bootstrap=200)).frame
    assert there["difference"].tolist() == pytest.approx((-back["difference"]).tolist(), abs=1e-12)
    assert there["low"].tolist() == pytest.approx((-back["high"]).tolist(), abs=1e-12)
    assert there["p"].tolist() == pytest.approx(back["p"].tolist(), abs=1e-12)


def test_rules_of_one_run(runs):
    stage = CompareConfig(
        runs=runs[:1], rules=["best_of_n", "majority", "pass"], n=[1, 8], draws=20
    )
    frame = compare_rules(stage).frame
    assert frame[["rule", "against", "n"]].to_numpy().tolist() == [
        ["best_of_n", "majority", 8],
        ["best_of_n", "pass", 8],
    ]
    # Scores that know which are right find the right one where there is one.
    assert frame["difference"][1] == pytest.approx(0.0, abs=1e-12)
    assert frame["difference"][0] >= 0


def test_problems_find_each_other_by_question(runs, folder):
    other = make_run(folder, "c", 0.6, ids=False)
    with_ids = CompareConfig(runs=[runs[0], other], draws=5)
    assert command_line.main(["compare", runs[0], other]) == 2
    with_ids.match = "question"
    found = compare_runs(with_ids)
    assert found.problems == 40
    assert (found.frame["difference"] == 0.0).all()


def test_the_table(runs, capsys):
    assert command_line.main(["compare", *runs, "n=[4]", "rules=[majority,pass]", "draws=20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"  A  {runs[0]}", f"  B  {runs[1]}"]
    assert lines[2].startswith("  30 problems, CoT only; accuracy in %, A − B in points")
    assert [line.split()[:2] for line in lines[6:8]] == [
        ["majority", "vote"],
        ["pass@n", "(ceiling)"],
    ]
    assert all(len(line) <= 100 for line in lines[3:8])
    assert lines[6].endswith("≤ 0.002")  # of 1000 resamples


def test_json_and_csv(runs, capsys):
    words = ["compare", runs[0], "rules=[weighted,majority]", "n=[8]", "draws=5"]
    assert command_line.main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == 40
    assert [row["against"] for row in told["differences"]] == ["majority"]
    assert command_line.main([*words, "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "rule,against,modes,n,first,second,difference,low,high,p,problems"
    assert lines[1].startswith("weighted,majority,cot,8,")


def test_the_table_of_rules_names_what_is_subtracted(runs):
    found = compare_rules(CompareConfig(runs=runs[:1], rules=["weighted", "majority"], draws=5))
    lines = table(found).splitlines()
    assert lines[0] == f"  A  weighted vote ({runs[0]})"
    assert lines[6].startswith("  − majority vote")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "runs: expected two"),
        (["{a}"], "rules: expected two of one run"),
        (["{a}", "{b}", "{a}"], "runs: expected two"),
        (["{a}", "nowhere"], "nowhere: not a run"),
        (["{a}", "{b}", "rules=[best]"], "rules=best, expected one of single"),
        (["{a}", "{b}", "modes=tir"], "modes=tir: expected one of cot, pot, both"),
        (["{a}", "{b}", "modes=pot"], "modes=pot: expected one of cot, which are there"),
        (["{a}", "{b}", "match=text"], "match=text: expected one of id, question"),
        (["{a}", "{b}", "bootstrap=0"], "evaluate: bootstrap=0, expected at least 1"),
        (["{a}", "{b}", "n=[9]"], "evaluate: n=9 is more than the 8 candidates"),
        (["{a}", "{b}", "verifiers=[oracle]"], "verifiers: expected one for each run"),
        (["{a}", "{d}"], "no problem in common by id ('p0' … and 'p90' …); try match=question"),
        (["{a}", "{e}"], "problem 'p1' has different questions"),
        (["{a}", "rules=[single,majority]"], "rules=single,majority: not known at the same n"),
    ],
)
def test_bad_input_is_one_clear_line(words, expected, runs, folder, capsys):
    names = {"a": runs[0], "b": runs[1]}
    if "{d}" in words and not (folder / "d").exists():
        make_run(folder, "d", 0.5, range(90, 92))
    if "{e}" in words and not (folder / "e").exists():
        path = folder / "e.jsonl"
        path.write_text(
            '{"id": "p1", "question": "Another?", "answer": "1", "solutions": ["#### 1"]}\n'
        )
        run, _ = import_pool(ImportConfig([str(path)], str(folder / "e"), format="hf"))
        grade(GradeConfig(run=str(run.path)))
    names |= {name: str(folder / name) for name in "de"}
    capsys.readouterr()
    assert command_line.main(["compare", *(word.format(**names) for word in words)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert expected in lines[0]


def test_a_pair_has_one_interval_wherever_it_is_told(runs, capsys):
    """`evaluate` and `compare` draw the same subsets and the same resamples by default."""
    assert command_line.main(["evaluate", runs[0], "n=[4]", "--json"]) == 0
    (told,) = [
        row
        for row in json.loads(capsys.readouterr().out)["differences"]
        if row["rule"] == "weighted"
    ]
    words = ["compare", runs[0], "n=[4]", "rules=[weighted,majority]", "--json"]
    assert command_line.main(words) == 0
    (found,) = json.loads(capsys.readouterr().out)["differences"]
    assert {name: found[name] for name in ("difference", "low", "high", "p")} == {
        name: told[name] for name in ("difference", "low", "high", "p")
    }

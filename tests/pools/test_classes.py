"""Answer classes in a run's files hold over all parts of a problem, whoever graded them when."""

import itertools
import re
from pathlib import Path

import pytest

from assay.pools import classes as classes_module
from assay.pools.classes import AFTER, Chain, chains, follow, link, numbered_after
from assay.pools.frame import load_frame
from assay.pools.grading import grade_candidates
from assay.pools.rows import Candidate, answers_table, candidate_of, candidates_table
from assay.pools.run import Part, Run
from assay.problems.answers import classes
from assay.problems.problem import Problem
from assay.search.stages.grade import GradeConfig, grade
from tests.conftest import ROOT

PROBLEMS = [Problem(id=f"p{i}", question=f"{i}?", answer="18") for i in range(3)]
A, B, C = Part(0, "cot", 0, 2), Part(0, "cot", 0, 2, "hot"), Part(0, "cot", 2, 4)
# Of p0 the majority is 18 (right, 3 of 6), of p1 20, of p2 nobody answers but twice in the last.
ANSWERS = {
    A: [["18", "7"], ["20", "18"], [None, None]],
    B: [["18.0", "9"], ["20", "3"], [None, "5"]],
    C: [["36/2", "7"], ["20", "18"], ["18", "18"]],
}


def texts(answer):
    return "no idea" if answer is None else f"so \\boxed{{{answer}}}"


def put(run, part):
    """Writes the candidates of a part."""
    rows = [
        Candidate(p.id, "cot", part.first + i, texts(answer), [], 5, 9, -1.0, "eos", part.origin)
        for p, answers in zip(run.problems, ANSWERS[part], strict=True)
        for i, answer in enumerate(answers)
    ]
    run.write("candidates", part, candidates_table(rows), 0.0)


@pytest.fixture
def run(tmp_path, monkeypatch):
    # No candidate is a program.
    monkeypatch.setattr("assay.search.stages.grade.open_sandbox", lambda _: None)
    run = Run.open_or_create(tmp_path / "run", PROBLEMS)
    run.register("candidates", {"problems_per_part": 3}, {})
    run.register("candidates", {"problems_per_part": 3}, {}, "hot")
    for part in (A, B):
        put(run, part)
    return run


def by_pandas(run, problem="p0"):
    """The classes of a problem's answers as any reader of Parquet finds them."""
    import pandas as pd

    rows = pd.read_parquet(run.path / "answers").sort_values(["sample", "origin"])
    rows = rows[rows["problem_id"] == problem]
    return dict(zip(rows["answer"].fillna("—"), rows["answer_class"], strict=True))


def contents(run):
    return {file.name: file.read_bytes() for file in (run.path / "answers").iterdir()}


def graded(run):
    return grade(GradeConfig(run=str(run.path), workers=1))


def test_parts_of_a_problem_share_their_classes_on_disk(run):
    graded(run)
    assert by_pandas(run) == {"18": 0, "18.0": 0, "7": 1, "9": 2}
    assert by_pandas(run, "p1") == {"20": 0, "18": 1, "3": 2}
    assert by_pandas(run, "p2") == {"—": -1, "5": 0}


def test_widening_adds_to_the_classes_and_writes_no_file_again(run):
    graded(run)
    before = contents(run)
    put(run, C)
    graded(run)
    after = contents(run)
    assert {name: after[name] for name in before} == before
    assert len(after) == 3
    assert by_pandas(run) == {"18": 0, "7": 1, "18.0": 0, "9": 2, "36/2": 0}
    assert by_pandas(run, "p2") == {"—": -1, "5": 0, "18": 1}


def apart(run, parts):
    """Grades parts as workers do that start at the same moment, none seeing the other's."""
    run.register("answers", {"grader": 0}, {})
    tables = {}
    for part in parts:
        rows = [candidate_of(row) for row in run.read("candidates", part).to_pylist()]
        own = grade_candidates(run.problems, rows, None)
        tables[part] = rows, *follow(run, part, [row.problem_id for row in rows], own)
    for part, (rows, own, state) in tables.items():
        run.write("answers", part, answers_table(rows, own), 1.0, {AFTER: state})


def test_parts_that_were_graded_at_the_same_time_are_numbered_anew(run):
    put(run, C)
    apart(run, [A, B, C])
    assert by_pandas(run)["9"] == by_pandas(run)["7"] == 1  # two answers, one number
    frame = load_frame(run)
    assert frame[frame["problem_id"] == "p0"]["answer_class"].tolist() == [0, 1, 0, 1, 0, 2]
    kept = contents(run)[A.filename]
    assert link(run) == 2
    assert link(run) == 0
    assert contents(run)[A.filename] == kept
    assert by_pandas(run) == {"18": 0, "18.0": 0, "7": 1, "9": 2, "36/2": 0}
    linked = load_frame(run).assign(joined=frame["answer_class"])
    pairs = linked[["problem_id", "answer_class", "joined"]].drop_duplicates()
    assert not pairs.duplicated(["problem_id", "answer_class"]).any()
    assert not pairs.duplicated(["problem_id", "joined"]).any()
    assert run.part_seconds("answers", B) == 1.0


def test_a_run_from_before_is_read_right_and_mended_by_grading_it(run, capsys):
    apart(run, [A, B])
    for part in (A, B):  # as such a run has them
        run.write("answers", part, run.read("answers", part), 1.0)
    frame = load_frame(run)
    assert frame[frame["problem_id"] == "p0"]["answer_class"].tolist() == [0, 1, 0, 2]
    assert link(Run.open(run.path)) == 1
    assert by_pandas(run) == {"18": 0, "18.0": 0, "7": 1, "9": 2}


def test_a_part_that_is_graded_again_takes_those_after_it_along(run):
    put(run, C)
    graded(run)
    (run.path / "answers" / A.filename).unlink()
    graded(run)
    named = by_pandas(run)
    assert named["18"] == named["18.0"] == named["36/2"]
    assert len({named["18"], named["7"], named["9"]}) == 3
    (chain,) = chains(Run.open(run.path).footers("answers")).values()
    assert not chain.loose
    assert len(chain.parts) == 3


def test_whole_runs_are_not_compared_again(run, monkeypatch):
    run = graded(run)
    monkeypatch.setattr(classes_module, "classes", None)
    monkeypatch.setattr("assay.pools.frame.classes", None)
    assert load_frame(run)["answer_class"].max() == 2


def test_a_chain_is_what_follows_from_the_beginning():
    first = Chain().then(A, "x")
    footers = {
        A: {"digest": "x", AFTER: ""},
        B: {"digest": "y", AFTER: first.state},
        C: {"digest": "z", AFTER: first.state},
    }
    assert chains(footers) == {0: Chain((A, B), first.then(B, "y").state, (C,))}
    footers[A] = {"digest": "other", AFTER: ""}
    assert chains(footers)[0].parts == (A,)
    assert chains(footers)[0].loose == (B, C)


@pytest.mark.parametrize(
    ("before", "numbers", "answers", "expected"),
    [
        ({}, [0, 1, -1], ["1", "2", None], [0, 1, -1]),
        ({}, [4, 2, 4], ["1", "2", "1"], [0, 1, 0]),
        ({0: "18", 1: "20"}, [0, 1, -1, 0], ["20.0", "7", None, "20"], [1, 2, -1, 1]),
        # Two classes of a part that are one beside what was there.
        ({0: "1/3"}, [0, 1], ["0.33333333333", "0.333333333333"], [0, 0]),
        # What was told apart before stays so.
        ({0: "x", 3: "y"}, [0, 1], ["y", "z"], [3, 4]),
        ({0: "5"}, [-1], [None], [-1]),
    ],
)
def test_numbers_go_on_from_those_before(before, numbers, answers, expected):
    assert numbered_after(before, numbers, answers) == expected


def test_however_candidates_are_divided_their_classes_are_those_of_all():
    answers = ["1/2", "0.5", None, "2", "50%", "2.0"]
    whole = classes(answers)
    pairs = list(itertools.combinations(range(len(answers)), 2))
    for division in itertools.product("ab", repeat=len(answers)):
        found, heads = [-1] * len(answers), {}
        for group in "ab":
            own = [i for i, name in enumerate(division) if name == group]
            held = [answers[i] for i in own]
            for i, number in zip(own, numbered_after(heads, classes(held), held), strict=True):
                found[i] = number
            heads |= {found[i]: answers[i] for i in own if found[i] >= 0 and found[i] not in heads}
        assert all((found[i] == found[j]) == (whole[i] == whole[j]) for i, j in pairs)


def examples():
    """The Python examples of docs/runs.md that compute an accuracy."""
    text = (ROOT / "docs" / "runs.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return [block for block in blocks if "accuracy =" in block]


@pytest.mark.parametrize("package", ["pandas", "duckdb"])
def test_the_examples_of_the_docs_count_right(run, package):
    pytest.importorskip(package)
    put(run, C)
    graded(run)
    (example,) = [block for block in examples() if f"import {package}" in block]
    names: dict = {}
    exec(example.replace("runs/NAME", str(Path(run.path))), names)
    assert names["accuracy"] == pytest.approx(2 / 3)  # p0 and p2

"""Attach: scores and labels of others beside ours, by problem and sample."""

import json

import pytest

from assay import command_line
from assay.evaluation.of_run import unfinished
from assay.pools.exchange.alignment import Entry, aligned
from assay.pools.exchange.importing import ImportConfig, import_pool
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.search.stages.grade import GradeConfig, grade
from assay.settings.errors import UserError

POOL = [
    {"id": "a", "question": "1 + 1?", "answer": "2", "completions": ["#### 2", "#### 3", "#### 2"]},
    {"id": "b", "question": "2 * 3?", "answer": "6", "completions": ["#### 5", "#### 6", "#### 6"]},
]


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.search.stages.grade.open_sandbox", lambda _: None)
    files = [written(tmp_path / "pool.jsonl", POOL)]
    made, _ = import_pool(ImportConfig(files=files, run=str(tmp_path / "run"), format="hf"))
    return grade(GradeConfig(run=str(made.path)))


@pytest.fixture
def attach(run, tmp_path, capsys):
    """Attaches rows as a user does; the exit code and what was printed."""

    def attach(rows, *words, name="rm.jsonl"):
        code = command_line.main(["attach", str(run.path), written(tmp_path / name, rows), *words])
        out = capsys.readouterr()
        return code, out.out + out.err

    return attach


def scores(run, name):
    column = load_frame(Run.open(run.path))[f"score:{name}"]
    return [None if value != value else round(value, 4) for value in column.tolist()]


def test_a_list_of_rewards_is_in_the_order_of_the_samples(run, attach):
    code, out = attach([{"id": "b", "rewards": [1, 2, 3]}, {"id": "a", "rewards": [-4, 5, 6.5]}])
    assert code == 0
    assert scores(run, "rm") == [-4, 5, 6.5, 1, 2, 3]
    told = "from -4 to 6.5, no probabilities (docs/curves.md)"
    assert out.splitlines() == [
        f"6 scores by rm in {run.path}/scores/rm: {told}",
        f"next: assay evaluate {run.path} verifier=rm",
    ]


def test_a_candidate_a_line_is_found_by_its_sample(run, attach):
    rows = [{"problem_id": "a", "sample": 2, "score": 0.5}, {"idx": "b", "sample": 0, "score": 1}]
    code, out = attach(rows, "name=mine")
    assert code == 0
    assert scores(run, "mine") == [None, None, 0.5, 1, None, None]
    assert "note: 4 candidates have none in the file" in out


def test_more_may_be_attached_later_but_nothing_else(run, attach):
    attach([{"id": "a", "rewards": [1, 2, 3]}])
    assert scores(run, "rm") == [1, 2, 3, None, None, None]
    attach([{"id": "b", "rewards": [4, 5, 6]}])
    assert scores(run, "rm") == [1, 2, 3, 4, 5, 6]
    code, out = attach([{"id": "a", "rewards": [1, 9, 3]}])
    assert code == 2
    assert "sample 1 of problem 'a' has 2 by rm already, and 9 in the file; give another" in out
    assert unfinished(run) == {}


def test_labels_are_kept_beside_ours(run, attach):
    code, out = attach(
        [{"id": "a", "ok": [True, False, None]}], "fields.labels=ok", name="human.jsonl"
    )
    assert code == 0
    assert out.splitlines()[-1] == f"next: assay evaluate {run.path} grading=theirs"
    frame = load_frame(Run.open(run.path))
    assert frame["imported_label"].astype(object).tolist()[:2] == [True, False]
    assert frame["imported_label"].isna().sum() == 4
    assert Run.open(run.path).verifiers() == []


def test_log_probabilities_count_as_scores(run, attach):
    rows = [{"id": "a", "lp": [[-1, -2.5], [-1], None]}]
    assert attach(rows, "fields.logprobs=lp", "name=llama")[0] == 0
    assert scores(run, "llama")[:3] == [-3.5, -1, None]


def test_problems_are_found_by_their_question(run, attach):
    rows = [
        {"id": "other-1", "question": " 1 +  1?", "outputs": [{"reward": r} for r in (1, 2, 3)]}
    ]
    code, out = attach(rows)
    assert code == 2
    assert "1 problems of" in out
    assert "(the first: 'other-1'); match=question may find them" in out
    assert attach(rows, "match=question")[0] == 0
    assert scores(run, "rm")[:3] == [1, 2, 3]


@pytest.mark.parametrize(
    ("rows", "words", "message"),
    [
        ([{"id": "a", "rewards": [1, 2]}], [], "2 values for the 3 candidates of problem 'a'"),
        ([{"id": "a", "rewards": [1, 2, 3, 4]}], [], "more values than problem 'a' has candidates"),
        ([{"id": "a", "sample": 7, "score": 1}], [], "line 1: problem 'a' has no sample 7 (cot)"),
        ([{"id": "a", "sample": 0, "score": 1}] * 2, [], "sample 0 of problem 'a' twice"),
        ([{"id": "a", "quality": [1, 2, 3]}], [], "give fields.scores=PATH (found: id, quality)"),
        (
            [{"id": "a", "quality": [1, 2, 3]}],
            ["fields.scores=qualty"],
            "fields.scores=qualty: no row has it; is quality meant? (found: id, quality)",
        ),
        ([{"id": "a", "rewards": ["x", 2, 3]}], [], "expected numbers in 'scores', found 'x'"),
        ([{"rewards": [1, 2, 3]}], [], "no id of a problem in it, and no question"),
        ([{"id": "a", "rewards": [1, 2, 3]}], ["match=text"], "match=text: expected one of id, qu"),
    ],
)
def test_what_does_not_fit_is_one_line(attach, run, rows, words, message):
    code, out = attach(rows, *words)
    assert code == 2
    assert message in out
    assert len(out.splitlines()) == 1
    assert run.parts("candidates")


def key(mode, sample, origin=""):
    return {
        "problem_id": "p",
        "origin": origin,
        "mode": mode,
        "sample": sample,
        "text": f"{mode}{sample}",
    }


MIXED = [key("cot", 0), key("cot", 3), key("pot", 0)]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([Entry({"s": 1}, mode="pot"), *(Entry({"s": s}, mode="cot") for s in (2, 3))],
         {("pot", 0): 1, ("cot", 0): 2, ("cot", 3): 3}),
        ([Entry({"s": 1}, sample=3, mode="cot")], {("cot", 3): 1}),
        # Where nothing else tells candidates apart, their texts do.
        ([Entry({"s": 1}, text="pot0"), Entry({"s": 2}, text="cot3"), Entry({"s": 3}, text="cot0")],
         {("pot", 0): 1, ("cot", 3): 2, ("cot", 0): 3}),
    ],
)  # fmt: skip
def test_candidates_of_several_kinds(entries, expected):
    found = aligned("p", MIXED, entries)
    assert {(mode, n): value["s"] for (_, _, mode, n), value in found.items()} == expected


def test_what_could_be_of_several_kinds_is_refused():
    with pytest.raises(UserError, match=r"several kinds \(cot, pot\), and nothing tells which"):
        aligned("p", MIXED, [Entry({"s": 1}, sample=0)])

"""Export: what is in the file, who reads it, and that an import makes the same pool of it."""

import gzip
import json

import numpy as np
import pytest

from assay import command_line
from assay.pools.exchange.exporting import ExportConfig, export
from assay.pools.frame import load_frame
from assay.pools.rows import Candidate, candidate_of, candidates_table, scores_table
from assay.pools.run import Part, Run
from assay.problems.problem import Problem, Solution
from assay.search.stages.grade import GradeConfig, grade
from assay.selection.free import FREE_SCORES, recorded
from assay.settings.errors import UserError

PROGRAM = "print(1 + 1)"


@pytest.fixture
def run(tmp_path):
    """Three problems in slices of two, in words and as programs, widened once; the last has none.

    The second problem's answers `1/2` and `0.5` are in different parts and one class.
    """
    problems = [
        Problem("a", "1 + 1?", "2", solutions=(Solution("cot", "1 + 1 = 2"),)),
        Problem("b", "1 / 2?", "A", options=("1/2", "2")),
        Problem("c", "2 * 3?"),
    ]
    opened = Run.open_or_create(tmp_path / "run", problems)
    opened.register("candidates", {"problems_per_part": 2}, {})

    def write(part, *rows):
        found = [
            Candidate(problem, part.mode, sample, text, [4, 5], 3, 7, -1.25, "eos")
            for problem, sample, text in rows
        ]
        opened.write("candidates", part, candidates_table(found), 1.0)
        return found

    parts = {
        part: write(part, *rows)
        for part, rows in {
            Part(0, "cot", 0, 1): [("a", 0, "#### 2"), ("b", 0, "The answer is (A).")],
            Part(0, "cot", 1, 2): [("a", 1, "I do not know. ½ \u2028"), ("b", 1, "#### B")],
            Part(0, "pot", 0, 1): [("a", 0, PROGRAM), ("b", 0, "print('A')")],
        }.items()
    }
    grade(GradeConfig(run=str(opened.path)))
    opened.register("scores/v", {"verifier": "v"}, {})
    for part, rows in parts.items():
        scores = [
            {"problem_id": c.problem_id, "mode": c.mode, "sample": c.sample, "score": 0.25,
             "values": np.array([0.5, 0.25]), "starts": [0, 2], "ends": [2, 4]}
            for c in rows
        ]  # fmt: skip
        opened.write("scores/v", part, scores_table(scores, values=True), 1.0)
    return Run.open(opened.path)


def exported(run, path, **config):
    export(ExportConfig(run=str(run.path), output=str(path), **config))
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream.read().strip().split("\n")]


def test_a_line_holds_everything_known(run, tmp_path):
    lines = exported(run, tmp_path / "pool.jsonl", values=True, token_ids=True)
    assert [line["id"] for line in lines] == ["a", "b", "c"]
    assert {k: v for k, v in lines[1].items() if k != "candidates"} == {
        "id": "b",
        "question": "1 / 2?",
        "answer": "A",
        "options": ["1/2", "2"],
        "solutions": [],
        "convention": "",
    }
    assert [(c["mode"], c["sample"]) for c in lines[0]["candidates"]] == [
        ("cot", 0), ("cot", 1), ("pot", 0),
    ]  # fmt: skip
    program = lines[0]["candidates"][2]
    assert program.pop("program_seconds") > 0
    assert program == {
        "origin": "",
        "mode": "pot",
        "sample": 0,
        "text": PROGRAM,
        "tokens": 3,
        "prompt_tokens": 7,
        "logprob": -1.25,
        "stop": "eos",
        "token_ids": [4, 5],
        "outcome": "ok",
        "output": "2\n",
        "message": "",
        "answer": "2",
        "source": "program",
        "answer_class": 0,
        "label": True,
        "scores": {"v": 0.25},
        "values": {"v": {"values": [0.5, 0.25], "starts": [0, 2], "ends": [2, 4]}},
    }
    assert lines[0]["candidates"][1]["answer"] is None
    assert lines[0]["candidates"][1]["answer_class"] == -1
    # Classes hold over all parts of a problem: words and program both say A.
    assert [c["answer_class"] for c in lines[1]["candidates"]] == [0, 1, 0]
    assert lines[2]["candidates"] == []


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_free_scores_go_out_and_come_back(ending, tmp_path):
    opened = Run.open_or_create(tmp_path / "run", [Problem("a", "1 + 1?", "2")])
    key = {"problems_per_part": 1, "sampling": {"confidence": True}}
    opened.register("candidates", key, {})
    free = {"self_certainty": 12.5, "entropy": 0.25}
    found = [
        Candidate("a", "cot", i, "#### 2", [4], 2, 7, -1.0, "eos", free=scores)
        for i, scores in enumerate((free, {}))
    ]
    opened.write("candidates", Part(0, "cot", 0, 2), candidates_table(found), 1.0)
    path = tmp_path / f"pool.{ending}"
    export(ExportConfig(run=str(opened.path), output=str(path)))
    words = ["import", str(path), f"run={tmp_path / 'again'}"]
    assert command_line.main(words) == 0
    again = Run.open(tmp_path / "again")
    (part,) = again.parts("candidates")
    rows = [candidate_of(row) for row in again.read("candidates", part).to_pylist()]
    assert [row.free for row in rows] == [free, {}]
    frame = load_frame(grade(GradeConfig(run=str(again.path))))
    assert recorded(frame.columns) == list(free)
    assert frame["entropy"].dtype == np.float32
    export(ExportConfig(run=str(again.path), output=str(tmp_path / "twice.jsonl")))
    line = json.loads((tmp_path / "twice.jsonl").read_text())
    assert line["candidates"][0]["free"] == dict.fromkeys(FREE_SCORES) | free
    assert line["candidates"][1]["free"] == dict.fromkeys(FREE_SCORES)


def test_an_import_makes_the_same_pool(run, tmp_path):
    import pandas.testing

    exported(run, tmp_path / "pool.jsonl.gz", token_ids=True)
    words = ["import", str(tmp_path / "pool.jsonl.gz"), f"run={tmp_path / 'again'}"]
    assert command_line.main([*words, "--format", "assay", "problems_per_part=2"]) == 0
    again = grade(GradeConfig(run=str(tmp_path / "again")))
    assert again.problems == run.problems
    not_exported = ("values", "starts", "ends", "verifier_tokens", "verifier_prompt_tokens")
    drop = ["program_seconds", "part", *(f"{name}:v" for name in not_exported)]
    before = load_frame(run, texts=True).drop(columns=drop)
    after = load_frame(again, texts=True).drop(columns=drop[:2])
    theirs = [name for name in after.columns if name.startswith("imported")]
    pandas.testing.assert_frame_equal(after.drop(columns=theirs)[before.columns], before)
    assert after["imported_answer"].fillna("").tolist() == before["answer"].fillna("").tolist()
    assert after["imported_label"].tolist() == before["label"].tolist()
    # And once more: what came along is told apart in the file too.
    line = exported(again, tmp_path / "twice.jsonl")[0]
    assert line["candidates"][0]["imported"] == {"answer": "2", "label": True}


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_values_come_back(run, tmp_path, ending):
    path = tmp_path / f"pool.{ending}"
    export(ExportConfig(run=str(run.path), output=str(path), values=True))
    words = ["import", str(path), f"run={tmp_path / 'again'}", "--format", "assay"]
    assert command_line.main(words) == 0
    again = load_frame(grade(GradeConfig(run=str(tmp_path / "again"))), texts=True)
    assert len(again) == 6
    for row in again.to_dict("records"):
        found = {name: row[f"{name}:v"].tolist() for name in ("values", "starts", "ends")}
        assert found == {"values": [0.5, 0.25], "starts": [0, 2], "ends": [2, 4]}
        assert row["score:v"] == 0.25


@pytest.mark.parametrize("values", [False, True])
def test_parquet_and_json_lines_are_the_same(run, tmp_path, values):
    import pyarrow.parquet

    lines = exported(run, tmp_path / "pool.jsonl", values=values)
    export(ExportConfig(str(run.path), str(tmp_path / "pool.parquet"), values=values))
    rows = pyarrow.parquet.read_table(tmp_path / "pool.parquet").to_pylist()
    for row in [*rows, *lines]:
        for candidate in row["candidates"]:
            candidate["program_seconds"] = pytest.approx(candidate["program_seconds"])
    assert rows == lines


def test_datasets_reads_them(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    lines = exported(run, tmp_path / "pool.jsonl.gz", values=True)
    export(ExportConfig(str(run.path), str(tmp_path / "pool.parquet"), values=True))
    for kind, name in (("json", "pool.jsonl.gz"), ("parquet", "pool.parquet")):
        found = datasets.load_dataset(
            kind, data_files=str(tmp_path / name), split="train", cache_dir=str(tmp_path / "cache")
        )
        assert found["id"][:] == ["a", "b", "c"]
        candidates = found[0]["candidates"]
        assert [c["text"] for c in candidates] == [c["text"] for c in lines[0]["candidates"]]
        assert candidates[0]["scores"] == {"v": 0.25}


def test_the_same_pool_gives_the_same_file(run, tmp_path):
    exported(run, tmp_path / "a.jsonl.gz")
    exported(run, tmp_path / "b.jsonl.gz")
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_a_pool_that_nobody_graded(tmp_path):
    opened = Run.open_or_create(tmp_path / "run", [Problem("a", "1 + 1?", "2")])
    with pytest.raises(UserError, match="holds no candidates yet"):
        export(ExportConfig(str(opened.path), str(tmp_path / "pool.jsonl")))
    opened.register("candidates", {"problems_per_part": 1}, {})
    for first in (0, 1):
        row = Candidate("a", "cot", first, "#### 2", [], -1, -1, float("nan"), "")
        opened.write("candidates", Part(0, "cot", first, first + 1), candidates_table([row]), 0.0)
        if first == 0:
            (line,) = exported(opened, tmp_path / "pool.jsonl")
            assert line["candidates"][0] == {
                "origin": "", "mode": "cot", "sample": 0, "text": "#### 2", "tokens": -1,
                "prompt_tokens": -1, "logprob": None, "stop": "", "scores": {},
            }  # fmt: skip
            grade(GradeConfig(run=str(opened.path)))
    with pytest.raises(UserError, match="1 of 2 parts are not graded yet; `assay grade"):
        export(ExportConfig(str(opened.path), str(tmp_path / "late.jsonl")))
    assert not (tmp_path / "late.jsonl").exists()


def test_another_ending_is_refused(run, tmp_path):
    with pytest.raises(UserError, match=r"output=pool.csv: expected a file that ends in .jsonl"):
        export(ExportConfig(str(run.path), "pool.csv"))

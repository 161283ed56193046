"""Import: every format in its true shape, whole or absent, and one clear line for what is wrong."""

import gzip
import json
import math
from types import SimpleNamespace

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from assay import command_line
from assay.generator.models import ModelConfig
from assay.pools.exchange.cells import free_of
from assay.pools.exchange.fields import Fields
from assay.pools.exchange.importing import ImportConfig, import_pool
from assay.pools.exchange.reading import formats
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.search.stages.grade import GradeConfig, grade
from assay.selection.free import FREE_SCORES
from assay.settings.errors import UserError
from assay.settings.schema import load
from tests.pools.shapes import ASSAY, FILES, HF, LM_EVAL, LONG, QWEN, RIGHT, SEARCH_AND_LEARN


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def make(tmp_path):
    """Writes rows to a file and imports it."""

    def make(rows, name="run", **config):
        path = rows if isinstance(rows, str) else written(tmp_path / f"{name}.jsonl", rows)
        found, _ = import_pool(ImportConfig(files=[path], run=str(tmp_path / name), **config))
        return found

    return make


def candidates(run):
    parts = run.parts("candidates")
    return [row for part in parts for row in run.read("candidates", part).to_pylist()]


def imported(run):
    return [row for p in run.parts("imported") for row in run.read("imported", p).to_pylist()]


def scores(run, name):
    stage = f"scores/{name}"
    return [row["score"] for p in run.parts(stage) for row in run.read(stage, p).to_pylist()]


def test_every_format_has_a_file_in_its_shape():
    assert formats() == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_imported_and_graded(name, make):
    run = make(FILES[name], format=name)
    assert [p.question for p in run.problems] == ["What is 1 + 1?", "What is 2 * 3?"]
    assert [p.answer for p in run.problems] == ["2", "6"]
    frame = load_frame(grade(GradeConfig(run=str(run.path))))
    assert frame["mode"].eq("cot").all()
    if name == "lm-eval":  # one response each; "It is 5." claims nothing by the strict grader
        assert frame["label"].tolist() == [True, False]
    else:
        assert frame["label"].tolist() == [True, False] * (len(frame) // 2)
    if "imported_label" in frame and frame["imported_label"].notna().any():
        assert frame["imported_label"].tolist() == frame["label"].tolist()


def test_what_is_known_comes_along(make):
    run = make(ASSAY)
    assert candidates(run)[1] == {
        "problem_id": "a",
        "mode": "cot",
        "sample": 1,
        "text": "So it is \\boxed{3}.",
        "token_ids": [],
        "tokens": 8,
        "prompt_tokens": 12,
        "logprob": -2.5,
        "stop": "length",
        "origin": "",
        **dict.fromkeys(FREE_SCORES),
    }
    assert math.isnan(candidates(run)[3]["logprob"])
    assert [row["imported_answer"] for row in imported(run)] == ["2", "3", "6", "5"]
    assert scores(run, "v") == [0.75, 0.25, 0.5, 0.125]
    assert run.problems[0].solutions[0].text == "1 + 1 = 2\n#### 2"


def test_tokens_and_logprobs_of_vllm_and_servers(make):
    rows = candidates(make(FILES["vllm"], format="vllm"))
    assert [row["tokens"] for row in rows] == [3, 2, 1, 1]
    assert rows[0]["logprob"] == -1.5
    assert math.isnan(rows[1]["logprob"])
    assert [row["stop"] for row in rows] == ["stop", "length", "stop", "stop"]
    rows = candidates(make(FILES["openai"], "o", format="openai"))
    assert [row["tokens"] for row in rows] == [-1, -1, -1, -1]
    assert rows[0]["logprob"] == -1.5  # the sum over its tokens
    assert math.isnan(rows[1]["logprob"])


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("last", [0.75, 0.125, 0.5, 0.125]),
        ("min", [0.5, 0.125, 0.5, 0.125]),
        ("product", [0.375, 0.015625, 0.5, 0.125]),
        ("mean", [0.625, 0.875 / 3, 0.5, 0.125]),
    ],
)
def test_step_scores_are_aggregated(aggregate, expected, make):
    run = make(SEARCH_AND_LEARN, format="search-and-learn", aggregate=aggregate)
    assert scores(run, "search-and-learn") == pytest.approx(expected, abs=1e-7)
    assert [row["tokens"] for row in candidates(run)] == [9, 8, 9, 9]


def test_scores_are_named(make):
    run = make(SEARCH_AND_LEARN, format="search-and-learn", scores_name="prm")
    assert run.verifiers() == ["prm"]


def test_one_filter_of_the_harness_is_taken(make):
    run = make(LM_EVAL, format="lm-eval")
    assert [row["imported_answer"] for row in imported(run)] == ["2", None]
    fields = {"only": {"filter": "flexible-extract"}}
    config = load(ImportConfig, [{"fields": fields}])
    run = make(LM_EVAL, "flexible", format="lm-eval", fields=config.fields)
    assert [row["imported_answer"] for row in imported(run)] == ["2", "5"]


def test_repeated_responses_have_no_label_of_their_own(make, capsys):
    row = LM_EVAL[0] | {"resps": [["#### 2", "#### 3"]]}
    run = make([row], format="lm-eval")
    assert [c["text"] for c in candidates(run)] == ["#### 2", "#### 3"]
    assert "imported" not in run.record["stages"]
    out = capsys.readouterr().out
    assert "labels left out in 1 rows: one value for several solutions" in out


def test_origins_are_kept(make):
    run = make(FILES["gsm8k-solutions"], format="gsm8k-solutions")
    assert sorted({(row["origin"], row["sample"]) for row in candidates(run)}) == [
        ("175b_finetuning", 0),
        ("175b_verification", 0),
        ("6b_finetuning", 0),
        ("6b_verification", 0),
    ]
    assert run.problems[0].convention == "gsm8k"


def test_lines_of_one_problem_need_not_stand_together(make):
    run = make(LONG, format="long", problems_per_part=1)
    assert [(c["problem_id"], c["sample"], c["text"]) for c in candidates(run)] == [
        (run.problems[p].id, sample, LONG[line]["solution"])
        for p, sample, line in ((0, 0, 0), (0, 1, 2), (1, 0, 1), (1, 1, 3))
    ]
    assert len(run.parts("candidates")) == 2


def test_ids_are_made_of_the_question(make):
    ids = [p.id for p in make(LONG, format="long").problems]
    assert ids == [p.id for p in make([*LONG, LONG[0]], "again", format="long").problems]
    assert all(len(each) == 14 and each.startswith("q-") for each in ids)


PROGRAM = "```python\nprint(1 + 1)\n```"


@pytest.mark.parametrize(
    ("text", "mode", "kept"),
    [
        (PROGRAM, "pot", PROGRAM),
        ("I compute it.\n" + PROGRAM, "pot", "I compute it.\n" + PROGRAM),
        (PROGRAM + "\nSo it is \\boxed{2}.", "cot", PROGRAM + "\nSo it is \\boxed{2}."),
        ("<llm-code>\nprint(1 + 1)\n</llm-code>", "pot", "```python\nprint(1 + 1)\n\n```\n"),
        ("1 + 1 = 2\n#### 2", "cot", "1 + 1 = 2\n#### 2"),
        ("```\nno language\n```\nA: 2", "cot", "```\nno language\n```\nA: 2"),
    ],
)
def test_programs_are_recognised(text, mode, kept, make):
    run = make([{"question": "What is 1 + 1?", "answer": "2", "solution": text}], format="long")
    (row,) = candidates(run)
    assert (row["mode"], row["text"]) == (mode, kept)
    frame = load_frame(grade(GradeConfig(run=str(run.path))))
    assert frame["label"].tolist() == [True]


def test_problems_with_different_numbers_of_candidates(make):
    rows = [
        QWEN[0],
        QWEN[1]
        | {"code": [PROGRAM, *RIGHT], "pred": ["2", "2", "6"], "score": [False, False, True]},
    ]
    run = make(rows, format="qwen")
    frame = load_frame(grade(GradeConfig(run=str(run.path))))
    assert frame[["problem_id", "mode", "sample"]].to_numpy().tolist() == [
        ["0", "cot", 0], ["0", "cot", 1], ["1", "cot", 0], ["1", "cot", 1], ["1", "pot", 0],
    ]  # fmt: skip
    assert frame["imported_label"].tolist() == [True, False, False, True, False]


@pytest.mark.parametrize("kind", ["jsonl.gz", "json", "parquet"])
def test_other_containers(kind, make, tmp_path):
    path = tmp_path / f"pool.{kind}"
    if kind == "jsonl.gz":
        with gzip.open(path, "wt") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in HF)
    elif kind == "json":
        path.write_text(json.dumps(HF))
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(HF), path)
    run = make(str(path), format="hf")
    plain = make(HF, "plain", format="hf")
    # As text, for NaN is not equal to itself.
    assert str(candidates(run)) == str(candidates(plain))
    assert imported(run) == imported(plain)


def test_a_mapping_of_ones_own(make, tmp_path):
    mapping = tmp_path / "mine.yaml"
    mapping.write_text("question: q.text\nreference: q.gold\nsolutions: out.*.0\nmodes: =cot\n")
    rows = [{"q": {"text": "1 + 1?", "gold": 2}, "out": [["#### 2"], ["#### 3"]]}]
    run = make(rows, mapping=str(mapping))
    assert [c["text"] for c in candidates(run)] == ["#### 2", "#### 3"]
    assert run.problems[0].answer == "2"
    config = load(ImportConfig, ["fields.question=q.other"])
    with pytest.raises(UserError, match=r"line 1: no field 'q.other' for 'question'; found out, q"):
        make(rows, "other", mapping=str(mapping), fields=config.fields)


def test_several_files_are_one_pool(tmp_path):
    files = [
        written(tmp_path / f"rs{i}.jsonl", [
            {"problem": "1 + 1?", "expected_answer": "2", "generation": f"#### {i}"}
        ])
        for i in (1, 2)
    ]  # fmt: skip
    run, _ = import_pool(ImportConfig(files=files, run=str(tmp_path / "r"), format="long"))
    assert [c["text"] for c in candidates(run)] == ["#### 1", "#### 2"]


def test_the_same_again_is_nothing_to_do_and_another_is_refused(make, tmp_path, capsys):
    run = make(HF, format="hf")
    before = {p: p.stat().st_mtime_ns for p in run.path.rglob("*")}
    words = ["import", str(tmp_path / "run.jsonl"), f"run={run.path}"]
    assert command_line.main([*words, "--format", "hf"]) == 0
    assert "holds these candidates already" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in run.path.rglob("*")} == before
    with pytest.raises(UserError, match=r"holds another import .aggregate: .last. there, .min."):
        make(HF, format="hf", aggregate="min")
    with pytest.raises(UserError, match=r"holds another import .*files"):
        make(HF[:1], format="hf")
    other = tmp_path / "sampled"
    Run.open_or_create(other, run.problems)
    with pytest.raises(UserError, match="holds a run that was not imported"):
        make(HF, "sampled", format="hf")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    with pytest.raises(UserError, match="is there and is no run"):
        make(HF, "folder", format="hf")


def test_a_run_that_lost_parts_is_not_taken_for_whole(make, capsys):
    run = make(HF, format="hf", problems_per_part=1)
    (run.path / "candidates" / "part-00001.cot.00000-00002.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="1 parts of candidates are lost; delete it and import"):
        make(HF, format="hf", problems_per_part=1)


def test_imported_candidates_are_scored(make, monkeypatch):
    """Without token ids and counts: a verifier reads the text."""
    import assay.search.stages.score
    from assay.search.stages.score import ScoreRunConfig, score
    from assay.verifier.config import ScoreConfig

    class Longest:
        def __init__(self, model):
            pass

        def score(self, problem, rows, config):
            found = np.array([len(row.text) for row in rows], np.float32)
            return SimpleNamespace(scores=found, values=None, tokens=found, prompt_tokens=found)

    monkeypatch.setattr(assay.search.stages.score, "Scorer", Longest)
    monkeypatch.setattr(assay.search.stages.score, "fingerprint", str)
    run = grade(GradeConfig(run=str(make(LONG, format="long").path)))
    model = ModelConfig(name="longest")
    score(ScoreRunConfig(str(run.path), model, scoring=ScoreConfig(values=False), workers=1))
    frame = load_frame(Run.open(run.path))
    assert frame["score:longest"].tolist() == [float(len(RIGHT[0]))] * 4
    assert sorted(frame["score:long"]) == [0.125, 0.25, 0.5, 0.75]


STEPS = {
    "problem": "What is 1 + 1?",
    "answer": "2",
    "completions": ["First 1 + 1.\n\nIt is \\boxed{2}.", "It is \\boxed{3}."],
    "scores": [[0.5, 0.75], [0.5, 0.25, 0.125]],
}


def test_step_scores_stand_at_their_steps(make, capsys):
    run = make([STEPS], format="search-and-learn")
    told = "note: 1 of 2 candidates have not as many steps between '\\n\\n' as scores"
    assert told in capsys.readouterr().out
    first, second = load_frame(grade(GradeConfig(run=str(run.path))), texts=True).to_dict("records")
    name = "search-and-learn"
    assert first[f"values:{name}"].tolist() == [0.5, 0.75]
    places = zip(first[f"starts:{name}"], first[f"ends:{name}"], strict=True)
    assert [first["text"][a:b] for a, b in places] == ["First 1 + 1.", "It is \\boxed{2}."]
    assert (first[f"score:{name}"], second[f"score:{name}"]) == (0.75, 0.125)
    assert second[f"values:{name}"] is None


VALUED = {
    "question": "What is 1 + 1?",
    "answer": "2",
    "solution": "#### 2",
    "tokens_of_v": {"values": [0.25, 0.5], "starts": [0, 4], "ends": [4, 6]},
}


def test_values_of_a_mapping_of_ones_own(make, tmp_path):
    fields = Fields(values="tokens_of_v")
    run = make([VALUED], format="long", fields=fields, scores_name="v")
    (row,) = load_frame(grade(GradeConfig(run=str(run.path))), texts=True).to_dict("records")
    # Without a score of its own the last value is the score, as the verifier's is.
    assert row["score:v"] == 0.5
    assert [row[f"{n}:v"].tolist() for n in ("values", "starts", "ends")] == [
        [0.25, 0.5], [0, 4], [4, 6],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        [0.25, 0.5],
        {"values": [0.25], "starts": [0, 4], "ends": [4, 6]},
        {"values": [0.25, 0.5], "starts": [0, 4], "ends": [4, 7]},
        {"values": [0.25, None], "starts": [0, 4], "ends": [4, 6]},
        {"values": [0.25, 0.5]},
        {"v": [0.25, 0.5]},
    ],
)
def test_values_that_fit_no_text(wrong, make):
    with pytest.raises(UserError, match=r"line 1: expected .*starts.* in 'values'|expected lists"):
        make([VALUED | {"tokens_of_v": wrong}], format="long", fields=Fields(values="tokens_of_v"))


def test_an_import_is_whole_or_absent(make, tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        make(HF, format="hf")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.jsonl"]
    # What a kill left behind is in nobody's way.
    monkeypatch.undo()
    (tmp_path / ".run.importing").mkdir()
    (tmp_path / ".run.importing" / "run.json").write_text("{")
    assert len(candidates(make(HF, format="hf"))) == 4
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run", "run.jsonl"]


ROW = HF[0]


@pytest.mark.parametrize(
    ("rows", "config", "expected"),
    [
        ([{"x": 1}], {}, "line 1: no field 'question | problem | prompt | instruction' for 'ques"),
        ([{"x": 1}], {}, "found x"),
        (QWEN, {"format": "search-and-learn"}, "found answer, code, gt,"),
        (QWEN, {"format": "search-and-learn"}, "format=qwen fits"),
        ([ROW, ROW], {}, "line 2: problem 'u-1' is there twice, first in"),
        ([ROW, ROW | {"answer": "3"}], {}, "line 2: problem 'u-1' differs from that of"),
        ([ROW | {"correctness_math_verify": [True]}], {}, "2 solutions, but 1 values in"),
        ([ROW | {"correctness_math_verify": [2, 3]}], {}, "expected true, false or null in 'label"),
        ([ROW | {"generations": [1, 2]}], {}, "line 1: expected texts in 'solutions', found 1"),
        ([{**ROW, "generations": [], "correctness_math_verify": []}], {}, "holds no solutions"),
        ([ROW | {"scores": ["high", "low"]}], {}, "expected numbers in 'scores', found 'high'"),
        ([ROW | {"modes": ["cot", "tir"]}], {}, "expected one of cot, pot in 'modes', found 'tir'"),
        ([], {}, "holds no rows"),
        ([ROW], {"aggregate": "max"}, "aggregate=max: expected one of last, min, product, mean"),
        ([ROW], {"format": "gwen"}, "format=gwen: expected one of assay, gsm8k-solutions, hf"),
        (
            ASSAY[:1] * 2,
            {"format": "assay"},
            "line 2: sample 0 (cot) of problem 'a' is there twice",
        ),
    ],
)
def test_bad_input_is_one_clear_line(rows, config, expected, make, tmp_path):
    with pytest.raises(UserError) as error:
        make(rows, **{"format": "hf", **config})
    assert expected in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_rows_of_one_problem_join_on_request(make):
    assert [c["sample"] for c in candidates(make([ROW, ROW], format="hf", join=True))] == [
        0, 1, 2, 3,
    ]  # fmt: skip


def test_files_that_cannot_be_read(tmp_path, capsys):
    broken = tmp_path / "broken.jsonl"
    broken.write_text(json.dumps(ROW) + '\n{"id": \n')
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(json.dumps(ROW).encode() * 50)[:-12])
    nothing = tmp_path / "nothing.parquet"
    nothing.write_bytes(b"PAR1")
    for path, expected in (
        (broken, "broken.jsonl, line 2: not JSON"),
        (cut, "cut.jsonl.gz: not a whole gzip file"),
        (nothing, "nothing.parquet: not a Parquet file"),
        (tmp_path / "absent.jsonl", "absent.jsonl: cannot be read"),
    ):
        assert command_line.main(["import", str(path), f"run={tmp_path / 'r'}", "format=hf"]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert expected in lines[0]
        assert not (tmp_path / "r").exists()


def test_gsm8ks_model_solutions(make, shared_data):
    """Both gradings of the 5276 solutions of Cobbe et al. agree; 56.3 % by 175B verification."""
    path = shared_data / "gsm8k_model_solutions" / "example_model_solutions.jsonl"
    frame = load_frame(grade(GradeConfig(run=str(make(str(path), format="gsm8k-solutions").path))))
    assert len(frame) == 4 * 1319
    assert (frame["label"].fillna(False) == frame["imported_label"]).all()
    right = frame.groupby("origin")["label"].sum() / 1319
    assert {name: round(100 * share, 1) for name, share in right.items()} == {
        "175b_finetuning": 34.7,
        "175b_verification": 56.3,
        "6b_finetuning": 21.7,
        "6b_verification": 39.0,
    }


# What JSON can write and a run cannot hold

PLAIN = {"id": "a", "question": "3 + 4?", "reference": "7", "solution": "The answer is 7."}


@pytest.mark.parametrize(
    ("field", "written", "told"),
    [
        ("sample", "2147483647", "expected numbers from 0 to 2147483646 in 'samples'"),
        ("sample", "3000000000", "expected numbers from 0 to 2147483646 in 'samples', found 30000"),
        ("sample", "-1", "expected numbers from 0 to 2147483646 in 'samples', found -1"),
        ("sample", "Infinity", "expected numbers from 0 to 2147483646 in 'samples', found inf"),
        ("sample", "true", "expected numbers from 0 to 2147483646 in 'samples', found True"),
        ("tokens", "Infinity", "expected at most 2147483647 in 'tokens', found inf"),
        ("tokens", "1e12", "expected at most 2147483647 in 'tokens', found 1000000000000.0"),
        ("tokens", "3000000000", "expected at most 2147483647 in 'tokens', found 3000000000"),
        ("tokens", "1" * 400, "expected numbers in 'tokens', found one above 1e308"),
        ("logprob", "1" * 400, "expected numbers in 'logprobs', found one above 1e308"),
        ("seed", "1" * 5000, "an integer has thousands of digits"),
        ("seed", "[" * 100_000, "brackets are nested too deep"),
        ("solution", "7", "expected texts in 'solutions', found 7"),
    ],
)
def test_numbers_that_a_run_cannot_hold(field, written, told, make, tmp_path):
    lines = [json.dumps(PLAIN), json.dumps(PLAIN | {field: 0}).replace("0}", written + "}")]
    path = tmp_path / "pool.jsonl"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError) as error:
        make(str(path), format="long")
    assert str(error.value).startswith(f"{path}, line 2: {told}")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("ids", [[3_000_000_000], [1, 1e3], [True], ["7"], [None], 7])
def test_token_ids_that_are_none(ids, make):
    fields = Fields(token_ids="ids")
    with pytest.raises(UserError, match=r"line 1: expected lists of integers of 32 bits in 'token"):
        make([PLAIN | {"ids": ids}], format="long", fields=fields)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("id", ["x \ufffd", "3 + 4?", "7", "The answer is 7."]),
        ("question", ["a", "x \ufffd", "7", "The answer is 7."]),
        ("reference", ["a", "3 + 4?", "x \ufffd", "The answer is 7."]),
        ("solution", ["a", "3 + 4?", "7", "x \ufffd"]),
        ("model", ["a", "3 + 4?", "7", "The answer is 7."]),
        ("prediction", ["a", "3 + 4?", "7", "The answer is 7."]),
    ],
)
def test_half_a_surrogate_pair_is_replaced(field, expected, make):
    run = make([PLAIN | {field: "x \ud83d"}], format="long")
    (problem,), (row,) = run.problems, candidates(run)
    assert [problem.id, problem.question, problem.answer, row["text"]] == expected
    load_frame(grade(GradeConfig(run=str(run.path))))


def test_a_byte_order_mark_is_read_over(make, tmp_path):
    for number, name in enumerate(["pool.jsonl", "pool.json", "pool.jsonl.gz"]):
        data = json.dumps([PLAIN] if name.endswith(".json") else PLAIN).encode()
        data = b"\xef\xbb\xbf" + data
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        run = make(str(path), f"run{number}", format="long")
        assert [p.question for p in run.problems] == ["3 + 4?"]
    mapping = tmp_path / "mine.yaml"
    mapping.write_bytes(b"\xef\xbb\xbfquestion: question\nsolutions: solution\n")
    assert len(candidates(make([PLAIN], "mapped", mapping=str(mapping)))) == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["3", "7"], ("3", "7")),
        ({"A": "3", "B": "7"}, ("3", "7")),
        ({"text": ["3", "7"], "label": ["A", "B"]}, ("3", "7")),
        ([3, 7.5], ("3", "7.5")),
        (None, ()),
        ([], ()),
    ],
)
def test_long_takes_options(options, expected, make):
    row = PLAIN | {"options": options, "reference": "B", "solution": "The answer is (B)."}
    run = make([row], format="long")
    assert run.problems[0].options == expected
    if expected:
        assert load_frame(grade(GradeConfig(run=str(run.path))))["label"].tolist() == [True]
    row["choices"] = row.pop("options")
    assert make([row], "choices", format="long").problems[0].options == expected


# Several files that number their problems alike


def harness(number, question, answer):
    return {
        "doc_id": number,
        "doc": {"problem": question, "answer": answer},
        "target": answer,
        "resps": [[f"\\boxed{{{answer}}}"]],
        "filtered_resps": [f"\\boxed{{{answer}}}"],
        "filter": "none",
        "exact_match": 1,
    }


def joined(tmp_path, files, **config):
    paths = []
    for name, rows in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        paths.append(written(tmp_path / name, rows))
    run, _ = import_pool(ImportConfig(files=paths, run=str(tmp_path / "r"), **config))
    return run


def test_subtasks_that_number_their_problems_alike(tmp_path, capsys):
    algebra = [harness(0, "3+4?", "7"), harness(1, "3+5?", "8")]
    geometry = [harness(0, "Area of a 2 by 3 box?", "6"), harness(1, "Angle?", "90")]
    files = {"algebra.jsonl": algebra, "geometry.jsonl": geometry}
    run = joined(tmp_path, files, format="lm-eval")
    assert [(p.id, p.question, p.answer) for p in run.problems] == [
        ("0", "3+4?", "7"),
        ("1", "3+5?", "8"),
        ("geometry/0", "Area of a 2 by 3 box?", "6"),
        ("geometry/1", "Angle?", "90"),
    ]
    assert "note: 2 problems of geometry have numbers as ids" in capsys.readouterr().out
    assert load_frame(grade(GradeConfig(run=str(run.path))))["label"].tolist() == [True] * 4


def test_three_subtasks_and_more_samples_of_one(tmp_path):
    one = [harness(0, "1+1?", "2"), harness(1, "1+2?", "3")]
    two, three = [harness(0, "2+2?", "4")], [harness(1, "3+3?", "6"), harness(0, "3+4?", "7")]
    files = {"a.jsonl": one, "b.jsonl": two, "c.jsonl": three, "again.jsonl": one}
    run = joined(tmp_path, files, format="lm-eval")
    assert [p.id for p in run.problems] == ["0", "1", "b/0", "c/1", "c/0"]
    assert [(c["problem_id"], c["sample"]) for c in candidates(run)] == [
        ("0", 0), ("0", 1), ("1", 0), ("1", 1), ("b/0", 0), ("c/1", 0), ("c/0", 0),
    ]  # fmt: skip


def test_files_of_one_name_go_by_their_paths(tmp_path):
    files = {"x/task.jsonl": [harness(0, "1?", "1")], "y/task.jsonl": [harness(0, "2?", "2")]}
    run = joined(tmp_path, files, format="lm-eval")
    assert [p.id for p in run.problems] == ["0", f"{tmp_path}/y/task/0"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (PLAIN, PLAIN | {"question": "5 + 4?"}),  # ids that are names are not numbers of a file
        (PLAIN | {"id": 0}, PLAIN | {"id": 0, "reference": "8"}),  # one question, two answers
    ],
)
def test_problems_that_contradict_each_other_are_still_refused(first, second, tmp_path):
    with pytest.raises(UserError, match="differs from that of"):
        joined(tmp_path, {"a.jsonl": [first], "b.jsonl": [second]}, format="long")


def test_one_number_twice_in_a_file_is_still_refused(tmp_path):
    twice = [PLAIN | {"id": 0}, PLAIN | {"id": 0, "question": "5 + 4?"}]
    with pytest.raises(UserError, match=r"line 2: problem '0' differs from that of .*line 1 in"):
        joined(tmp_path, {"a.jsonl": twice}, format="long")
    with pytest.raises(UserError, match="differs from that of"):
        joined(tmp_path, {"a.jsonl": [harness(0, "1?", "1")], "b.jsonl": [
            harness(0, "2?", "2"), harness(0, "3?", "3")
        ]}, format="lm-eval", fields=Fields(only={}))  # fmt: skip


@pytest.mark.parametrize("written", [{"luck": 1}, [1], 0.5])
def test_free_scores_have_their_names(written):
    with pytest.raises(UserError, match=r"a, line 1: expected names of min_logprob, .* in 'free'"):
        free_of(written, "a, line 1")
    assert free_of({"entropy": 1, "margin": None}, "a") == {"entropy": 1.0}

"""The run folder: parts, resuming, widening, sharding, refusing what does not belong."""

import json
import os
import uuid

import pyarrow as pa
import pytest

from assay.pools.run import Part, Run, Shard
from assay.problems.problem import Problem
from assay.settings.errors import UserError
from assay.storage.files import atomic_file, write_json

PROBLEMS = [
    Problem(id=f"p{i}", question=f"What is {i} + {i}?", answer=str(2 * i)) for i in range(5)
]


def table(*texts: str) -> pa.Table:
    return pa.table({"text": list(texts)})


@pytest.fixture(params=["folder", "object store"])
def run(request, tmp_path):
    store = request.param == "object store"
    path = f"memory://{uuid.uuid4().hex}/run" if store else tmp_path / "run"
    run = Run.open_or_create(path, PROBLEMS)
    run.register("candidates", {"problems_per_part": 2, "seed": 0}, {})
    return run


def content(path):
    with path.open("rb") as stream:
        return stream.read()


def put(path, data):
    with atomic_file(path, "wb") as stream:
        stream.write(data)


def test_a_part_is_named_by_its_slices():
    part = Part(3, "pot", 16, 64)
    assert part.filename == "part-00003.pot.00016-00064.parquet"
    assert Part.parse(part.filename) == part
    assert Part.parse("part-00003.parquet") is None


def test_a_plan_covers_every_problem_and_mode(run):
    assert run.wanted_parts({"cot": 4, "pot": 0}, 2) == [Part(i, "cot", 0, 4) for i in range(3)]
    assert [len(run.slice(p)) for p in run.wanted_parts({"cot": 4}, 2)] == [2, 2, 1]


def test_asking_for_more_samples_adds_parts_beside_the_old_ones(run):
    run.write("candidates", Part(0, "cot", 0, 4), table("a"), 1.0)
    assert run.wanted_parts({"cot": 16}, 2)[:2] == [Part(0, "cot", 0, 4), Part(0, "cot", 4, 16)]
    assert run.missing("candidates", run.wanted_parts({"cot": 16}, 2)) == [
        Part(0, "cot", 4, 16),
        Part(1, "cot", 0, 16),
        Part(2, "cot", 0, 16),
    ]


def test_asking_for_fewer_samples_discards_nothing(run):
    for i in range(3):
        run.write("candidates", Part(i, "cot", 0, 4), table("a"), 1.0)
    assert run.missing("candidates", run.wanted_parts({"cot": 2}, 2)) == []
    assert len(run.parts("candidates")) == 3


def test_shards_share_the_parts_without_overlap(run):
    wanted = run.wanted_parts({"cot": 4, "pot": 4}, 2)
    shards = [run.missing("candidates", wanted, Shard.parse(f"{i}/2")) for i in range(2)]
    assert sorted(shards[0] + shards[1]) == sorted(wanted)
    assert {p.index for p in shards[0]} == {0, 2}


@pytest.mark.parametrize("text", ["2/2", "-1/2", "1", "a/b", "1/0"])
def test_a_bad_shard_is_refused(text):
    with pytest.raises(UserError, match="expected i/m"):
        Shard.parse(text)


def test_other_settings_are_refused_and_the_differing_field_is_named(run):
    run.write("candidates", Part(0, "cot", 0, 4), table("a"), 1.0)
    key = {"problems_per_part": 2, "seed": 1}
    with pytest.raises(UserError, match=r"seed: 0 there, 1 asked for"):
        Run.open(run.path).register("candidates", key, {})


def test_another_shard_does_not_write_the_record_anew(run, monkeypatch):
    key = {"problems_per_part": 2, "seed": 0}
    run.register("candidates", key, {"limit": 1, "shard": "0/2"})
    assert run.record["stages"]["candidates"]["config"] == {"limit": 1, "shard": "0/2"}
    other = Run.open(run.path)
    with monkeypatch.context() as patch:
        patch.setattr("assay.pools.record.create_json", None)
        other.register("candidates", key, {"limit": 1, "shard": "1/2", "workers": 3})
    other.register("candidates", key, {"limit": 2, "shard": "1/2"})
    assert Run.open(run.path).record["stages"]["candidates"]["config"]["limit"] == 2


def test_settings_may_change_while_nothing_was_made(run):
    run.register("candidates", {"problems_per_part": 2, "seed": 1}, {})
    assert Run.open(run.path).key("candidates")["seed"] == 1


def test_a_shape_is_found_out_once_for_a_key(run):
    key, asked = {"problems_per_part": 2, "seed": 0}, []

    def shape():
        asked.append(len(asked))
        return {"layers": len(asked)} if len(asked) > 1 else None

    for _ in range(3):  # not known, known, as it was
        run.register("candidates", key, {}, shape=shape)
    assert asked == [0, 1]
    assert Run.open(run.path).shapes("candidates") == {"": {"layers": 2}}
    run.register("candidates", {**key, "seed": 1}, {}, shape=shape)
    assert run.shapes("candidates") == {"": {"layers": 3}}


def test_who_began_with_other_settings_than_are_registered_now_writes_nothing(run):
    part = Part(0, "cot", 0, 4)
    slow = Run.open(run.path, run.record)
    run.register("candidates", {"problems_per_part": 2, "seed": 1}, {})
    with pytest.raises(
        UserError, match=r"another command does candidates .*seed: 1 there, 0 asked"
    ):
        slow.write("candidates", part, table("a"), 1.0)
    assert not run.has_parts("candidates")
    run.write("candidates", part, table("b"), 1.0)
    assert run.parts("candidates") == [part]


def test_other_problems_are_refused(run):
    with pytest.raises(UserError, match="holds a run of 5 other problems than the 2"):
        Run.open_or_create(run.path, PROBLEMS[:2])


def test_an_edited_problem_file_is_refused(run):
    path = run.path / "problems.jsonl"
    put(path, content(path).replace(b"What is 1", b"What was 1"))
    with pytest.raises(UserError, match="is not the file that this run was made with"):
        Run.open(run.path)


def test_a_truncated_part_is_named_and_done_again(run, capsys):
    part, other = Part(0, "cot", 0, 4), Part(1, "cot", 0, 4)
    for p in (part, other):
        run.write("candidates", p, table("a", "b"), 1.0)
    path = run.path / "candidates" / part.filename
    put(path, content(path)[:-20])
    missing = run.missing("candidates", run.wanted_parts({"cot": 4}, 2))
    assert missing == [part, Part(2, "cot", 0, 4)]
    assert (
        f"{part.filename}: is truncated or not Parquet; it will be recomputed"
        in capsys.readouterr().err
    )
    assert (run.path / "candidates" / other.filename).exists()


def test_a_part_from_another_run_is_named_and_done_again(run, tmp_path, capsys):
    foreign = Run.open_or_create(tmp_path / "other", PROBLEMS)
    foreign.register("candidates", {"problems_per_part": 2, "seed": 7}, {})
    part = Part(0, "cot", 0, 4)
    foreign.write("candidates", part, table("x"), 1.0)
    target = run.path / "candidates" / part.filename
    (run.path / "candidates").mkdir()
    put(target, content(foreign.path / "candidates" / part.filename))
    assert part in run.missing("candidates", run.wanted_parts({"cot": 4}, 2))
    assert "was made with other settings" in capsys.readouterr().err


def test_answers_of_replaced_candidates_are_done_again(run, capsys):
    part = Part(0, "cot", 0, 4)
    run.write("candidates", part, table("old"), 1.0)
    run.register("answers", {"grader": 1}, {})
    run.write("answers", part, table("graded"), 1.0)
    assert run.missing("answers", [part]) == []
    run.write("candidates", part, table("old"), 9.0)
    assert run.missing("answers", [part]) == [], "the same rows again are the same part"
    run.write("candidates", part, table("new"), 1.0)
    assert run.missing("answers", [part]) == [part]
    assert "belongs to other candidates" in capsys.readouterr().err


def test_seconds_are_the_sum_over_parts(run):
    run.write("candidates", Part(0, "cot", 0, 4), table("a"), 1.5)
    run.write("candidates", Part(1, "cot", 0, 4), table("a"), 2.0)
    assert run.seconds("candidates") == 3.5


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(UserError, match=r"not a run \(it has no run.json\)"):
        Run.open(tmp_path)
    write_json(tmp_path / "run.json", {"format": 99})
    with pytest.raises(UserError, match="expected format 1, found 99"):
        Run.open(tmp_path)


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")

    def half():
        with atomic_file(path) as stream:
            stream.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.json"]


def test_parts_are_plain_parquet(run):
    import pandas as pd

    part = Part(0, "cot", 0, 4)
    run.write("candidates", part, table("a", "b"), 1.0)
    frame = pd.read_parquet(str(run.path / "candidates" / part.filename))
    assert list(frame["text"]) == ["a", "b"]
    record = json.loads((run.path / "run.json").read_text())
    assert record["stages"]["candidates"]["key"]["seed"] == 0
    assert "python" in record["stages"]["candidates"]["versions"]

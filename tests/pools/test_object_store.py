"""Stages on a run in an object store (fsspec's, in memory): the same pool as in a folder."""

import uuid

import pandas as pd
import pytest

from assay import command_line
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.storage.files import write_json
from assay.storage.places import names_below, place

WORDS = [
    *("problems=gsm_symbolic", "problems.limit=3", "generator=embedded", "generator.device=cpu"),
    *("prompt.form=plain", "sampling.max_new_tokens=24", "modes.cot=2", "modes.pot=2"),
    *("problems_per_part=1", "workers=1"),
]


def line_of(capsys, *words):
    capsys.readouterr()
    assert command_line.main(list(words)) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.fixture(scope="module")
def store():
    path = f"memory://{uuid.uuid4().hex}/run"
    assert command_line.main(["sample", path, *WORDS]) == 0
    assert command_line.main(["grade", path]) == 0
    return path


def test_the_pool_is_that_of_a_folder(store, tmp_path):
    folder = tmp_path / "run"
    assert command_line.main(["sample", str(folder), *WORDS]) == 0
    assert command_line.main(["grade", str(folder)]) == 0
    frames = [load_frame(Run.open(path)) for path in (store, folder)]
    assert len(frames[0]) == 12
    pd.testing.assert_frame_equal(*frames)


def test_what_is_there_stays_and_other_settings_are_refused(store, capsys):
    before = Run.open(store).part_seconds("candidates", Run.open(store).parts("candidates")[0])
    assert command_line.main(["sample", store, *WORDS]) == 0
    run = Run.open(store)
    assert run.part_seconds("candidates", run.parts("candidates")[0]) == before
    line = line_of(capsys, "sample", store, *WORDS, "sampling.temperature=1")
    assert f"{store}: candidates were made with other settings" in line


def test_a_report_is_written_into_the_run(store, tmp_path, capsys):
    folder = tmp_path / "report"
    assert command_line.main(["report", store, f"output={folder}", "draws=20", "bootstrap=20"]) == 0
    for old in ("quality.csv", "data-0123456789ab/problems-0-0.js", "mine.csv"):
        write_json(place(store) / "report" / old, "old")
    assert command_line.main(["report", store, "draws=20", "bootstrap=20"]) == 0
    assert f"report written to {store}/report/index.html (" in capsys.readouterr().out
    names = (place(store) / "report").names()
    assert names == sorted([*names_below(folder), "mine.csv"])
    assert {"index.html", "curves.svg", "accuracy.csv", "table.txt"} <= set(names)
    assert (place(store) / "report" / "table.txt").read_text() == (folder / "table.txt").read_text()


@pytest.mark.parametrize("ending", ["jsonl.gz", "parquet"])
def test_a_pool_goes_out_and_comes_back(store, tmp_path, capsys, ending):
    away, here = f"{store}-{ending}/pool.{ending}", tmp_path / f"pool.{ending}"
    for output in (away, here):
        assert command_line.main(["export", store, f"output={output}"]) == 0
    with place(away).open() as stream:
        assert stream.read() == here.read_bytes()
    imported = f"{store}-{ending}/run"
    # As one leaves it that was killed while it was put there.
    write_json(place(imported) / "candidates" / "part-00000.cot.00000-00002.parquet", "half")
    assert command_line.main(["import", str(here), f"run={imported}"]) == 0
    assert command_line.main(["grade", imported]) == 0
    one, other = (load_frame(Run.open(path)) for path in (store, imported))
    pd.testing.assert_series_equal(one["label"], other["label"])
    capsys.readouterr()
    assert command_line.main(["import", str(here), f"run={imported}"]) == 0
    assert "holds these candidates already" in capsys.readouterr().out


def test_an_import_does_not_go_where_something_else_is(store, tmp_path, capsys):
    write_json(place(f"{store}-other") / "notes.json", 1)
    assert command_line.main(["export", store, f"output={tmp_path / 'a.jsonl'}"]) == 0
    line = line_of(capsys, "import", str(tmp_path / "a.jsonl"), f"run={store}-other")
    assert line == f"assay: {store}-other: is there and is no run; give another run="


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["run", "output=RUN"], "output"),
        (["evaluate-suite", "output=RUN", "data=nowhere"], "output"),
        (["sandbox", "run", __file__, "output=RUN/x.jsonl"], "output"),
        (["train-verifier", "RUN/v", "pools=[RUN]"], "output"),
    ],
)
def test_what_needs_a_folder_says_so_in_one_line(store, words, key, capsys):
    line = line_of(capsys, *(word.replace("RUN", store) for word in words))
    assert line.startswith(f"assay: {key}: {store}")
    assert line.endswith("is in an object store; expected a folder of this machine")


def test_a_store_without_atomic_writes_is_refused(capsys):
    assert "ftp://h/run: expected a folder or a URL of" in line_of(capsys, "grade", "ftp://h/run")

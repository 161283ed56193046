"""Stages on a run in an object store (fsspec's, in memory): the same pool as in a folder."""

import uuid

import pandas as pd
import pytest

import assay
from search.results import load_frame
from search.runs import Run

WORDS = [
    *("problems=gsm_symbolic", "problems.limit=3", "generator=embedded", "generator.device=cpu"),
    *("prompt.form=plain", "sampling.max_new_tokens=24", "modes.cot=2", "modes.pot=2"),
    *("problems_per_part=1", "workers=1"),
]


def line_of(capsys, *words):
    capsys.readouterr()
    assert assay.main(list(words)) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.fixture(scope="module")
def store():
    path = f"memory://{uuid.uuid4().hex}/run"
    assert assay.main(["sample", path, *WORDS]) == 0
    assert assay.main(["grade", path]) == 0
    return path


def test_the_pool_is_that_of_a_folder(store, tmp_path):
    folder = tmp_path / "run"
    assert assay.main(["sample", str(folder), *WORDS]) == 0
    assert assay.main(["grade", str(folder)]) == 0
    frames = [load_frame(Run.open(path)) for path in (store, folder)]
    assert len(frames[0]) == 12
    pd.testing.assert_frame_equal(*frames)


def test_what_is_there_stays_and_other_settings_are_refused(store, capsys):
    before = Run.open(store).part_seconds("candidates", Run.open(store).parts("candidates")[0])
    assert assay.main(["sample", store, *WORDS]) == 0
    run = Run.open(store)
    assert run.part_seconds("candidates", run.parts("candidates")[0]) == before
    line = line_of(capsys, "sample", store, *WORDS, "sampling.temperature=1")
    assert f"{store}: candidates were made with other settings" in line


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["report", "RUN"], "output"),
        (["import", "x.jsonl", "run=RUN"], "run"),
        (["export", "RUN", "output=RUN/x.jsonl"], "output"),
        (["run", "output=RUN"], "output"),
        (["train-verifier", "RUN/v", "pools=[RUN]"], "output"),
    ],
)
def test_what_needs_a_folder_says_so_in_one_line(store, words, key, capsys):
    line = line_of(capsys, *(word.replace("RUN", store) for word in words))
    assert line.startswith(f"assay: {key}: {store}")
    assert line.endswith("is in an object store; expected a folder of this machine")


def test_a_store_without_atomic_writes_is_refused(capsys):
    assert "ftp://h/run: expected a folder or a URL of" in line_of(capsys, "grade", "ftp://h/run")

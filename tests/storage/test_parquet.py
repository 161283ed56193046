"""Parquet is read by the thread that asks for it, and nothing of it outlives the reading."""

import json
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from assay.settings.errors import UserError
from assay.storage.parquet import read_rows, read_table, to_frame

ROOT = Path(__file__).resolve().parents[2]
TABLE = {"n": [1, None, 3], "text": ["a", None, "é"], "list": [[1], [], None]}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(pyarrow.table(TABLE), path)
    return path


def test_what_is_read(file):
    table = read_table(file.read_bytes())
    assert table.to_pydict() == TABLE
    assert list(read_rows(file)) == table.to_pylist()
    frame = to_frame(table.select(["n", "text"]))
    assert frame["text"].fillna("-").tolist() == ["a", "-", "é"]
    assert frame["n"].isna().tolist() == [False, True, False]


class _Bytes(np.ndarray):
    """Bytes that a finalizer can be put on."""


def test_the_bytes_are_let_go_of_by_the_thread_that_read_them(file):
    """Arrow's own `read_table` leaves that to a thread of its pool in most of such readings, and
    that aborts the process where it happens while the interpreter ends.
    """
    data, threads = file.read_bytes(), []
    for _ in range(50):
        mine = np.frombuffer(data, np.uint8).view(_Bytes)
        weakref.finalize(mine, lambda: threads.append(threading.get_native_id()))
        table = read_table(pyarrow.py_buffer(mine))
        to_frame(table)
        del mine, table
    assert threads == [threading.get_native_id()] * 50


def test_files_that_are_no_parquet(tmp_path):
    path = tmp_path / "x.parquet"
    for data in (b"", b"PAR1", b"PAR1" * 9, b'{"a": 1}\n', os.urandom(99)):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"x\.parquet: not a Parquet file") as caught:
            list(read_rows(path))
        assert "\n" not in str(caught.value)


COMMANDS = """
import os, sys, threading
import pandas, pyarrow.parquet
import assay.evaluation.compare, assay.evaluation.evaluate, assay.evaluation.report.report
from assay import command_line
before = len(os.listdir("/proc/self/task"))
folder = sys.argv[1]
for words in (
    ["import", folder + "/pool.jsonl", "run=" + folder + "/a", "format=long"],
    ["grade", folder + "/a", "workers=1"],
    ["export", folder + "/a", "output=" + folder + "/a.parquet"],
    ["import", folder + "/a.parquet", "run=" + folder + "/b", "format=assay"],
    ["grade", folder + "/b", "workers=1"],
    ["evaluate", folder + "/a"],
    ["compare", folder + "/a", folder + "/b", "bootstrap=10"],
    ["report", folder + "/a"],
):
    assert command_line.main(words) == 0, words
    others = len(threading.enumerate()) - 1
    print("threads", words[0], len(os.listdir("/proc/self/task")) - before - others)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads as Linux does")
def test_no_command_leaves_a_native_thread_behind(tmp_path):
    rows = [
        {"id": "p", "question": "What is it?", "reference": "42", "solution": f"The answer is {n}."}
        for n in (42, 42, 43)
    ]
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("threads ")]
    assert [name for name, _ in counts] == [
        "import", "grade", "export", "import", "grade", "evaluate", "compare", "report",
    ]  # fmt: skip
    assert {count for _, count in counts} == {"0"}

"""Parts on local processes: all done, progress counted, errors told in one line."""

import os
import re
import signal
import time

import pytest

from problems.errors import UserError
from search import work
from search.runs import Part
from search.work import Bar, cores, do_parts

PARTS = [Part(i, "cot", 0, 1) for i in range(6)]


def prepare(folder, trouble=""):
    def do(part, report):
        if trouble == "user" and part.index == 3:
            raise UserError("part 3: bad row")
        if trouble == "defect" and part.index == 3:
            raise ValueError("a defect")
        if trouble == "killed" and part.index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        (folder / str(part.index)).write_text(str(os.getpid()))
        report(1, 10)

    return do


@pytest.mark.parametrize("workers", [1, 2])
def test_every_part_is_done_once(tmp_path, workers):
    do_parts(PARTS, prepare, (tmp_path,), workers=workers, total=6, description="test")
    assert sorted(p.name for p in tmp_path.iterdir()) == list("012345")
    pids = {p.read_text() for p in tmp_path.iterdir()}
    assert (str(os.getpid()) in pids) == (workers == 1)


def test_a_users_error_comes_through(tmp_path):
    with pytest.raises(UserError, match=r"^part 3: bad row$"):
        do_parts(PARTS, prepare, (tmp_path, "user"), workers=2, total=6, description="test")


def test_a_defect_comes_with_its_traceback(tmp_path):
    with pytest.raises(RuntimeError, match="a defect"):
        do_parts(PARTS, prepare, (tmp_path, "defect"), workers=2, total=6, description="test")


def test_a_killed_worker_is_told_and_its_parts_are_not_there(tmp_path):
    with pytest.raises(UserError, match="SIGKILL"):
        do_parts(PARTS, prepare, (tmp_path, "killed"), workers=2, total=6, description="test")
    assert not (tmp_path / "3").exists()


def test_a_log_gets_lines_of_progress_and_short_work_none(capsys, monkeypatch):
    with Bar(400, "sample") as bar:
        bar.add(1, 10)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(work, "LOG_SECONDS", 0.01)
    with Bar(400, "sample") as bar:
        for _ in range(4):
            time.sleep(0.05)
            bar.add(100, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 6
    assert all(
        re.fullmatch(r"sample: [1-4]00/400 candidates \[00:00<.*, \d+ tok/s\]", line)
        for line in lines
    )
    assert lines[-1].startswith("sample: 400/400")


def test_cores_are_those_of_a_job(monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_ON_NODE", raising=False)
    own = cores()
    assert own >= 1
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")
    assert cores() == 1
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "100000")
    assert cores() == own

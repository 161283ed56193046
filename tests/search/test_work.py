"""Parts on local processes: all done, progress counted, errors told in one line."""

import os
import signal
import sys

import pytest

from problems.errors import UserError
from search import work
from search.runs import Part
from search.work import do_parts

PARTS = [Part(i, "cot", 0, 1) for i in range(6)]


@pytest.fixture(params=["spawned", "forked"], autouse=True)
def how(request, monkeypatch):
    monkeypatch.setattr(work, "_warm", False)
    if request.param == "forked":
        if sys.platform != "linux":
            pytest.skip("no fork server here")
        work.warm_up()
    return request.param


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


def prepare_to_tell(folder):
    def do(part, report):
        before = "torch" in sys.modules
        import torch

        told = [before, os.environ["ASSAY_TOLD"], os.environ.get("ASSAY_GONE", ""),
                os.environ["OMP_NUM_THREADS"], torch.get_num_threads()]  # fmt: skip
        (folder / str(part.index)).write_text(" ".join(map(str, told)))

    return do


def test_workers_have_the_commands_environment_and_their_threads(tmp_path, monkeypatch, how):
    # Set or deleted after the fork server began, in the second case.
    monkeypatch.setenv("ASSAY_TOLD", how)
    monkeypatch.delenv("ASSAY_GONE", raising=False)
    monkeypatch.setattr(work, "cores", lambda: 4)
    do_parts(PARTS[:2], prepare_to_tell, (tmp_path,), workers=2, total=2, description="test")
    imported = how == "forked"
    assert {p.read_text() for p in tmp_path.iterdir()} == {f"{imported} {how}  2 2"}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_what_is_imported_beforehand_starts_no_thread():
    """A fork takes only the thread that forks: others would leave their locks behind."""
    import subprocess

    code = "import os, search.preload; print(len(os.listdir('/proc/self/task')))"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "1\n"

"""run.json written by many processes at once, killed in the middle, and by hand."""

import errno
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.pools.record import change_record, read_record
from assay.pools.run import Run
from assay.problems.problem import Problem
from assay.settings.errors import UserError
from assay.storage.files import create_file

ROOT = Path(__file__).resolve().parents[2]
PROBLEMS = [Problem(id=f"p{i}", question=f"What is {i} + {i}?", answer="1") for i in range(3)]
START = """
import sys
from assay.problems.problem import Problem
from assay.settings.errors import UserError
from assay.pools.run import Run

path, number = sys.argv[1], int(sys.argv[2])
problems = [Problem(id=f"p{i}", question=f"What is {i} + {i}?", answer="1") for i in range(3)]
print("ready", flush=True)
sys.stdin.readline()
"""
REGISTERS = """
run = Run.open_or_create(path, problems)
run.register("candidates", {"problems_per_part": 1}, {})
for stage in range(4):
    run.register(f"scores/{number}-{stage}", {"number": number, "stage": stage}, {})
"""
CREATES_ANOTHER = """
try:
    Run.open_or_create(path, problems[: 1 + number % 3])
    print(1 + number % 3)
except UserError as error:
    print(error)
"""
REGISTERS_FOR_EVER = """
run = Run.open_or_create(path, problems)
while True:
    number += 1
    run.register("candidates", {"problems_per_part": 1}, {"limit": number})
    print(number, flush=True)
"""


def begin(path, number, script):
    return subprocess.Popen(
        [sys.executable, "-c", START + script, str(path), str(number)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def let_go(processes):
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()


def together(path, count, script):
    """What `count` processes print that are let go in the same moment."""
    processes = [begin(path, number, script) for number in range(count)]
    let_go(processes)
    found = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * count
    return found


def test_processes_that_make_one_run_and_register_at_once_lose_nothing(tmp_path):
    together(tmp_path / "run", 6, REGISTERS)
    stages = Run.open(tmp_path / "run").record["stages"]
    expected = {f"scores/{number}-{stage}" for number in range(6) for stage in range(4)}
    assert set(stages) == {"candidates"} | expected
    assert stages["scores/5-2"]["key"] == {"number": 5, "stage": 2}
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        *("problems.jsonl", "revisions", "run.json"),
    ]
    assert len(list((tmp_path / "run" / "revisions").iterdir())) == 25


def test_of_commands_with_other_problems_one_makes_the_run(tmp_path):
    told = [text.strip() for text in together(tmp_path / "run", 6, CREATES_ANOTHER)]
    made = len(Run.open(tmp_path / "run").problems)
    assert [text for text in told if text.isdigit()] == [str(made)] * 2
    for text in told:
        assert text.isdigit() or "other problems than the" in text


def test_a_kill_leaves_a_record_that_is_read_and_changed(tmp_path):
    draw = random.Random(0)
    last = 0
    for _ in range(4):
        process = begin(tmp_path / "run", last, REGISTERS_FOR_EVER)
        let_go([process])
        for _ in range(draw.randrange(1, 20)):
            told = int(process.stdout.readline())
        time.sleep(draw.uniform(0, 0.01))
        process.kill()
        process.communicate()
        run = Run.open_or_create(tmp_path / "run", PROBLEMS)
        run.register("answers", {"grader": 1}, {})
        last = run.record["stages"]["candidates"]["config"]["limit"]
        assert last >= told, "what was registered is there"


def test_an_older_copy_in_run_json_is_passed_by(tmp_path):
    run = Run.open_or_create(tmp_path / "run", PROBLEMS)
    run.register("candidates", {"problems_per_part": 1}, {})
    older = (run.path / "run.json").read_text()
    run.register("answers", {"grader": 1}, {})
    assert json.loads((run.path / "run.json").read_text()) == run.record
    (run.path / "run.json").write_text(older)
    assert read_record(run.path) == run.record
    run.register("scores/v", {"v": 1}, {})
    assert set(json.loads((run.path / "run.json").read_text())["stages"]) == {
        *("candidates", "answers", "scores/v"),
    }


def test_a_run_from_before_there_were_revisions_goes_on(tmp_path):
    run = Run.open_or_create(tmp_path / "run", PROBLEMS)
    record = {**run.record, "stages": {"candidates": {"key": {"a": 1}, "config": {}}}}
    (run.path / "run.json").write_text(json.dumps(record))
    run = Run.open(run.path)
    run.register("answers", {"grader": 1}, {})
    assert list(run.record["stages"]) == ["candidates", "answers"]
    assert run.record["revision"] == 1


def test_a_revision_that_cannot_be_read_is_named(tmp_path):
    run = Run.open_or_create(tmp_path / "run", PROBLEMS)
    (run.path / "revisions").mkdir()
    (run.path / "revisions" / "00001.json").write_text("{")
    with pytest.raises(UserError, match=r"revisions/00001\.json: cannot be read"):
        change_record(run.path, lambda record: True)


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_created_once(tmp_path, monkeypatch, links):
    if not links:

        def refused(*_):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refused)
    path = tmp_path / "folder" / "a"
    create_file(path, "ü\n")
    with pytest.raises(FileExistsError):
        create_file(path, "other")
    assert path.read_text(encoding="utf-8") == "ü\n"
    assert os.listdir(path.parent) == ["a"]
    assert path.stat().st_mode & 0o400

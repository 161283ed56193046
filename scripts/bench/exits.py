r"""How every command that reads or writes Parquet ends, many times over.

    python scripts/bench/exits.py [runs=300] [commands=import,grade,export,evaluate,compare,report]
        [at_once=2]

Each run is a process of its own that does one command on a pool of three candidates and ends as a
Python program does, with the interpreter's and the libraries' clean-up: what goes wrong there is
seen in the exit code alone, after everything was written. The processes are forked from one that
has imported the libraries and used none of them, so that a run takes a fraction of a second.

Prints the exit codes of each command (a negative one is the number of a signal) and what the first
bad run said; exits with 1 where one is not 0.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# In the place of this folder.
sys.path[0] = str(ROOT)

from assay import command_line  # noqa: E402

DEFAULTS = {
    "runs": "300",
    "commands": "import,grade,export,evaluate,compare,report",
    "at_once": "2",
}
LIBRARIES = ("pandas", "pyarrow.parquet", "sympy", "matplotlib")
ROWS = [
    {"id": "p", "question": "What is it?", "reference": "42", "solution": f"The answer is {n}."}
    for n in (42, 42, 43)
]


def words(command: str, folder: Path, number: int) -> list[str]:
    """The command line of a run. What it writes is its own, what it reads is there already."""
    own, there = str(folder / f"own-{number}"), str(folder / "graded")
    return {
        "import": ["import", str(folder / "pool.jsonl"), f"run={own}", "format=long"],
        "grade": ["grade", own, "workers=1"],
        "export": ["export", there, f"output={own}.parquet"],
        "evaluate": ["evaluate", there],
        "compare": ["compare", there, str(folder / "other"), "bootstrap=10"],
        "report": ["report", there, f"output={own}"],
    }[command]


def prepare(folder: Path) -> None:
    """The pool, a run that is imported alone, and two that are graded too."""
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (folder / "pool.jsonl").write_text(lines, encoding="utf-8")
    for name in ("imported", "graded", "other"):
        run = f"run={folder / name}"
        _done(["import", str(folder / "pool.jsonl"), run, "format=long"], folder)
        if name != "imported":
            _done(["grade", str(folder / name), "workers=1"], folder)


def _done(command: list[str], folder: Path) -> None:
    child = _start(command, folder / "log")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        sys.exit(f"assay {' '.join(command)}: exit code {code}\n{(folder / 'log').read_text()}")


def _start(command: list[str], log: Path) -> int:
    """A process that does one command and ends as the interpreter ends; returns its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    raise SystemExit(command_line.main(command))


def ends(command: str, runs: int, at_once: int, folder: Path) -> Iterator[tuple[int, str]]:
    """Yields the exit code of each run, and what a bad one printed."""
    busy: deque[tuple[int, int]] = deque()
    for number in range(runs):
        if command == "grade":
            shutil.copytree(folder / "imported", folder / f"own-{number}")
        busy.append((number, _start(words(command, folder, number), folder / f"log-{number}")))
        if len(busy) == at_once or number + 1 == runs:
            while busy and (len(busy) == at_once or number + 1 == runs):
                yield _ended(*busy.popleft(), folder)


def _ended(number: int, child: int, folder: Path) -> tuple[int, str]:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    log, own = folder / f"log-{number}", folder / f"own-{number}"
    log_text = log.read_text(encoding="utf-8", errors="replace") if code else ""
    log.unlink()
    shutil.rmtree(own, ignore_errors=True)
    own.with_name(own.name + ".parquet").unlink(missing_ok=True)
    return code, log_text


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    if unknown := set(given) - set(DEFAULTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(DEFAULTS)}")
    given = {**DEFAULTS, **given}
    for name in LIBRARIES:
        __import__(name)
    mine = os.getpid()
    folder = Path(tempfile.mkdtemp(prefix="exits-"))
    bad = False
    try:
        prepare(folder)
        for command in given["commands"].split(","):
            endings = list(ends(command, int(given["runs"]), int(given["at_once"]), folder))
            counts = sorted(Counter(code for code, _ in endings).items())
            print(f"{command:10}", ", ".join(f"{n} × {code}" for code, n in counts), flush=True)
            complaint = next((text for code, text in endings if code), "")
            bad = bad or any(code for code, _ in endings)
            if complaint:
                print(complaint.rstrip(), flush=True)
    finally:
        # The forked processes end here too, and the folder is not theirs.
        if os.getpid() == mine:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(int(bad))


if __name__ == "__main__":
    main()

"""The count of how commands end, at its smallest size, and that it counts what ends badly."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests import warm

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/bench/exits.py"


def counted(*words):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_ends_well():
    done = counted("runs=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        f"{name:10} 1 × 0"
        for name in ("import", "grade", "export", "evaluate", "compare", "report")
    ]


def test_what_is_unknown_is_told():
    done = counted("run=2")
    assert (done.returncode, done.stderr) == (1, "unknown: run; known: runs, commands, at_once\n")


def test_a_run_that_ends_badly_is_counted():
    """One of two processes dies of a signal."""
    broken = f"""
import os, runpy, sys
sys.argv = ["exits", "runs=2", "commands=import"]
module = runpy.run_path({str(SCRIPT)!r})
begin = module["_start"]
def start(command, log):
    if "own-1" in " ".join(command):
        child = os.fork()
        if not child:
            open(log, "w").close()
            os.kill(os.getpid(), {int(signal.SIGABRT)})
        return child
    return begin(command, log)
module["main"].__globals__["_start"] = start
module["main"]()
"""
    done = warm.run(["-c", broken])
    assert done.returncode == 1, done.error
    assert done.out.startswith(f"import     1 × -{int(signal.SIGABRT)}, 1 × 0")

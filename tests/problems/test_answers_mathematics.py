"""math-verify in its processes: verdicts, deadlines, threads, and nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assay.problems.answers import equivalent, mathematics
from assay.problems.answers.mathematics import worth_asking

ROOT = Path(__file__).parents[2]
NEVER = [  # each takes longer than anybody waits
    (r"9^{9^{9^9}}", r"9^{9^{9^8}}"),
    (r"(10^8)!", "5"),
    (r"\sum_{k=1}^{10^9} k^k", "7"),
]


@pytest.fixture
def desk() -> Iterator[mathematics._Desk]:
    """A desk of its own, with its own workers and nothing remembered."""
    own = mathematics._Desk()
    yield own
    workers = list(own.all)
    own.close()
    assert all(worker.process.returncode is not None for worker in workers)


def test_verdicts(desk: mathematics._Desk) -> None:
    table = {
        (r"\sum_{k=1}^{10} k", "55"): True,
        (r"\sum_{k=1}^{10} k", "56"): False,
        (r"\int_0^1 x \,dx", r"\frac12"): True,
        (r"\lim_{x\to 0}\frac{\sin x}{x}", "1"): True,
        ("3 - 2f(x)", "-2f(x) + 3"): True,
        ("x^2+y^2=4", "x^2+y^2=5"): False,
        (r"\mathbb{R}\setminus\{3\}", r"(-\infty,3)\cup(3,\infty)"): True,
        ("[1,2]", "[1,3]"): False,
        (r"\oint \clubsuit", "7"): None,
        ("x^2+4x+4=0", "x+2=0"): None,
    }
    assert {pair: desk.decide(*sorted(pair)) for pair in table} == table


def test_asked_only_where_the_exact_path_is_open() -> None:
    assert equivalent(r"\sum_{k=1}^{10} k", "55") is True
    assert equivalent("55", r"\sum_{k=1}^{10} k") is True
    assert equivalent(r"\sum_{k=1}^{10} k", "55", mathematics=False) is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("R", "r"),
        ("y' = 3", "y = 3"),
        ("3 pm", "3"),
        ("2 3", "5"),
        ("x = 3", "the median would increase"),
        ("__import__('os').mkdir('/tmp/x')", "1"),
        ("x" * 600 + "=1", "1"),
    ],
)
def test_not_worth_asking(a: str, b: str) -> None:
    """What math-verify misreads: it folds cases, drops primes, adds what stands side by side."""
    assert not worth_asking(a, b)
    assert not worth_asking(b, a)


def test_deadline(desk: mathematics._Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mathematics, "CPU_SECONDS", 0.5)  # too little for some true verdicts
    for a, b in NEVER:
        begin = time.monotonic()
        assert desk.decide(*sorted((a, b))) is None
        assert time.monotonic() - begin < mathematics.WALL_SECONDS
    assert not desk.idle, "each was killed"
    monkeypatch.undo()
    assert desk.decide("1+1=x", "x=2") is True, "and another serves the next pair"


def test_what_took_too_long_is_not_tried_again(
    desk: mathematics._Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mathematics, "CPU_SECONDS", 0.5)
    for number in range(mathematics._STRIKES):
        assert desk.decide(r"(10^8)!", str(number)) is None
    monkeypatch.setattr(desk, "ask", lambda pair: pytest.fail("it was tried again"))
    assert desk.decide(r"(10^8)!", "77") is None


def test_eight_threads(desk: mathematics._Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mathematics, "CPU_SECONDS", 2.0)
    pairs = [(rf"\sum_{{k=1}}^{{{n}}} k", str(n * (n + 1) // 2)) for n in range(2, 22)]
    pairs[5:5] = NEVER[:2]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda pair: desk.decide(*sorted(pair)), pairs))
    assert found == [True] * 5 + [None] * 2 + [True] * 15
    assert len(desk.all) <= mathematics._MAX_WORKERS


def test_a_worker_that_dies_is_replaced(desk: mathematics._Desk) -> None:
    assert desk.decide(r"\sum_{k=1}^{3} k", "6") is True
    os.kill(desk.idle[0].process.pid, signal.SIGKILL)
    assert desk.decide(r"\sum_{k=1}^{4} k", "10") is True


def test_memory_is_limited(desk: mathematics._Desk) -> None:
    assert desk.decide(r"2^{2^{36}}", r"3^{2^{36}}") is None
    assert desk.decide(r"\sum_{k=1}^{5} k", "15") is True


def test_the_callers_alarm_stays(desk: mathematics._Desk) -> None:
    signal.alarm(500)
    try:
        assert desk.decide(r"\sum_{k=1}^{6} k", "21") is True
    finally:
        assert signal.alarm(0) > 400


def test_no_worker_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mathematics, "_WORKER", Path("/nowhere/worker.py"))
    own = mathematics._Desk()
    with pytest.warns(UserWarning, match="math-verify"):
        assert own.decide("1+1=x", "x=2") is None
    assert own.decide("1+1=x", "x=3") is None


# ---- In programs of their own ----


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert not done.stderr, done.stderr
    return done.stdout.strip()


def test_the_exact_path_starts_nothing() -> None:
    code = """
import sys
from assay.problems.answers import classes, equivalent, label, mathematics
assert label("18.0", "$18") and equivalent("12345", "12346") is False
assert classes(["1/2", "0.5", "x^2+1", "1+x^2"]) == [0, 0, 1, 1]
assert mathematics._the_desk is None
print([m for m in ("sympy", "math_verify", "mpmath") if m in sys.modules])
"""
    assert run_python(code) == "[]"


def test_after_a_fork_each_has_its_own_workers() -> None:
    code = r"""
import os
from assay.problems.answers import mathematics
assert mathematics.decide(r"\sum_{k=1}^{3} k", "6") is True
child = os.fork()
assert mathematics.decide(r"\sum_{k=1}^{4} k", "10") is True
if child:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run_python(code) == "0"


@pytest.mark.parametrize("busy", [False, True])
def test_workers_end_with_their_program(busy: bool) -> None:
    """Idle, at once; busy, by the limit on their processor time."""
    code = rf"""
import os, threading, time
from assay.problems.answers import mathematics
mathematics.CPU_SECONDS = 1.0
assert mathematics.decide(r"\sum_{{k=1}}^{{3}} k", "6") is True
worker, = mathematics._desk().all
if {busy}:
    threading.Thread(target=mathematics.decide, args=(r"(10^8)!", "5"), daemon=True).start()
    time.sleep(0.3)
print(worker.process.pid, flush=True)
os._exit(0)
"""
    worker = int(run_python(code))
    until = time.monotonic() + (120 if busy else 30)
    while is_running(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(worker)


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"

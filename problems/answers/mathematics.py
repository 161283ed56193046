r"""Asking math-verify, in processes of its own, with a deadline that holds.

math-verify (Hugging Face) and sympy know more mathematics than `comparison`: integrals, sums,
equations that have to be solved. They also run for ever, leak memory and use alarms. So pairs of
answers go to worker processes (`worker`), which are started when first needed, serve the whole
program from any thread, and are killed from outside when a pair takes too long. No verdict in time
is None, never False.

>>> decide(r"\sum_{k=1}^{10} k", r"\int_0^{10} x\,dx + 5")   # doctest: +SKIP
True
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import select
import subprocess
import sys
import threading
import time
import warnings
from collections import OrderedDict
from pathlib import Path

from assay.problems.answers.tidying import words

__all__ = ["CPU_SECONDS", "WALL_SECONDS", "decide", "worth_asking"]

# The time that a pair may take: of the worker's processor, so that verdicts do not depend on what
# else the machine does; and by the clock, for what sleeps or starves.
CPU_SECONDS = 3.0
WALL_SECONDS = 60.0  # no verdict may depend on how busy the machine is
_START_SECONDS = 60.0
_POLL_SECONDS = 0.05
# A worker is replaced after so many pairs: sympy's caches only grow.
_REQUESTS = 5000
_MAX_WORKERS = 4
_MAX_CACHED = 1 << 16
# An answer that took too long so often beside others is not asked about again.
_STRIKES = 3
_MAX_LENGTH = 500

_WORKER = Path(__file__).with_name("worker.py")


def decide(a: str, b: str) -> bool | None:
    """Whether two tidied answers are the same by mathematics; None where that is not known.

    Symmetric, remembered, safe from any thread. Takes at most about `CPU_SECONDS` of processor time
    or `WALL_SECONDS`, after waiting for a free worker.
    """
    first, second = sorted((a, b))
    return _desk().decide(first, second)


# ---- What to ask ----

_COMMAND = re.compile(r"\\[A-Za-z]+")
_WORD = re.compile(r"[A-Za-z]{2,}")
_DIFFERENTIAL = re.compile(r"(?<![A-Za-z])d(?=[a-z](?![A-Za-z]))")
_FUNCTIONS = words("sin cos tan sec csc cot ln log exp lim mod max min gcd lcm det")
_SIDE_BY_SIDE = re.compile(r"[0-9]\s+[0-9]")
_MATHEMATICS = re.compile(r"[0-9\\^=+*/<>]")
_LETTER = re.compile(r"[A-Za-z]")


def worth_asking(a: str, b: str) -> bool:
    """Whether both texts look like mathematics that math-verify reads in the usual way.

    It folds R and r into one symbol, drops the prime of y', adds numbers that stand side by side
    (2 3 is 5) and multiplies the letters of words.
    """
    both = _DIFFERENTIAL.sub("", _COMMAND.sub(" ", f"{a} | {b}"))
    letters = set(_LETTER.findall(both))
    folded = len({letter.lower() for letter in letters}) == len(letters)
    return (
        folded
        and max(len(a), len(b)) <= _MAX_LENGTH
        and all(_MATHEMATICS.search(text) for text in (a, b))
        and _FUNCTIONS.issuperset(_WORD.findall(both))
        and not _SIDE_BY_SIDE.search(both)
        and not any(sign in both for sign in "'\"@#;?$~\n")
    )


def _as_latex(text: str) -> str:
    return text.replace("**", "^").replace("*", r" \cdot ")


# ---- The desk: remembers, shares out workers ----


class _Desk:
    """All that the workers' users share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.free = threading.Semaphore(min(os.cpu_count() or 1, _MAX_WORKERS))
        self.idle: list[_Worker] = []
        self.all: set[_Worker] = set()
        self.known: OrderedDict[tuple[str, str], bool | None] = OrderedDict()
        self.strikes: dict[str, int] = {}
        self.broken = False

    def decide(self, first: str, second: str) -> bool | None:
        pair = (first, second)
        with self.lock:
            if pair in self.known:
                self.known.move_to_end(pair)
                return self.known[pair]
        with self.free:
            with self.lock:
                costly = max(self.strikes.get(text, 0) for text in pair) >= _STRIKES
            if costly or self.broken:
                return None
            verdict = self.ask(pair)
        with self.lock:
            self.known[pair] = verdict
            if len(self.known) > _MAX_CACHED:
                self.known.popitem(last=False)
        return verdict

    def ask(self, pair: tuple[str, str]) -> bool | None:
        worker = self.take()
        if worker is None:
            return None
        texts = (_as_latex(pair[0]), _as_latex(pair[1]))
        verdict, fault = worker.ask(*texts)
        if fault == 0 and worker.gone:  # it may have been gone before it was asked
            with self.lock:
                self.all.discard(worker)
            worker = self.take()
            if worker is None:
                return None
            verdict, fault = worker.ask(*texts)
        if worker.asked >= _REQUESTS:
            worker.kill()
        with self.lock:
            if worker.alive:
                self.idle.append(worker)
            else:
                self.all.discard(worker)
            if fault is not None:
                self.blame(pair, fault)
        return verdict

    def blame(self, pair: tuple[str, str], fault: int) -> None:
        """Remembers what took too long: the text that could not be read, or the longer one."""
        if fault < 2:  # what cannot even be read in time never will be
            self.strikes[pair[fault]] = _STRIKES
            return
        longest = max(map(len, pair))
        for text in pair:
            if len(text) == longest:
                self.strikes[text] = self.strikes.get(text, 0) + 1

    def take(self) -> _Worker | None:
        with self.lock:
            while self.idle:
                worker = self.idle.pop()
                if worker.process.poll() is None:
                    return worker
                self.all.discard(worker)
        try:
            worker = _Worker()
        except _NoWorkerError as error:
            self.broken = True
            warnings.warn(f"math-verify: {error}; such answers stay undecided", stacklevel=2)
            return None
        with self.lock:
            self.all.add(worker)
        return worker

    def close(self) -> None:
        with self.lock:
            workers, self.all, self.idle = self.all, set(), []
        for worker in workers:
            worker.kill()


_the_desk: _Desk | None = None
_making = threading.Lock()


def _desk() -> _Desk:
    global _the_desk
    if _the_desk is None:
        with _making:
            if _the_desk is None:
                _the_desk = _Desk()
                atexit.register(_the_desk.close)
    return _the_desk


def _forget() -> None:
    """After a fork: the workers are the parent's."""
    global _the_desk, _making
    _making = threading.Lock()
    if _the_desk is not None:
        for worker in _the_desk.all:
            worker.let_go()
        atexit.unregister(_the_desk.close)
        _the_desk = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


# ---- One worker process ----


class _NoWorkerError(Exception):
    """The worker process does not start."""


class _Worker:
    """One process; used by one thread at a time."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-s", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            # Sets of strings come in one order, so that verdicts do not depend on the process.
            env={"PATH": os.defpath, "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input, self.output = self.process.stdin, self.process.stdout
        self.poll = select.poll()
        self.poll.register(self.output, select.POLLIN | select.POLLHUP)
        self.unread = b""
        self.alive = True
        self.gone = False  # ended by itself, or by somebody else
        self.asked = 0
        path = [os.path.abspath(entry) for entry in sys.path if entry]
        self.send(json.dumps({"path": path, "seconds": CPU_SECONDS}))
        if self.line(time.monotonic() + _START_SECONDS, None) != "ready":
            self.kill()
            raise _NoWorkerError("its process does not start (is math-verify installed?)")

    def ask(self, first: str, second: str) -> tuple[bool | None, int | None]:
        """The verdict, and what took too long: 0 or 1 reading that text, 2 comparing; else None."""
        self.asked += 1
        self.send(json.dumps([first, second]))
        wall, cpu = time.monotonic() + WALL_SECONDS, self.cpu_time()
        until = None if cpu is None else cpu + CPU_SECONDS
        for step in range(3):
            line = self.line(wall, until)
            if line is None:
                self.kill()
                return None, step
            if line in ("true", "false", "null"):
                return json.loads(line), None
            if line == "full":
                break
        self.kill()
        return None, None

    def send(self, line: str) -> None:
        try:
            self.input.write(line.encode() + b"\n")
            self.input.flush()
        except OSError:
            self.gone = True
            self.kill()

    def line(self, wall: float, cpu: float | None) -> str | None:
        """The next line that the worker writes; None when its time is up or it is gone."""
        while self.alive:
            end = self.unread.find(b"\n")
            if end >= 0:
                line, self.unread = self.unread[:end], self.unread[end + 1 :]
                return line.decode("utf-8", "replace")
            if self.poll.poll(1000 * _POLL_SECONDS):
                try:
                    more = os.read(self.output.fileno(), 1 << 16)
                except (OSError, ValueError):
                    return None
                if not more:
                    self.gone = True
                    return None
                self.unread += more
            elif time.monotonic() > wall or (cpu is not None and (self.cpu_time() or cpu) > cpu):
                return None
        return None

    def cpu_time(self) -> float | None:
        """Seconds of processor time that the worker has used; None where a system cannot say."""
        if not sys.platform.startswith("linux"):
            return None
        try:
            # The kernel's clock of another process: include/linux/posix-timers.h.
            return time.clock_gettime((~self.process.pid << 3) | 2)
        except OSError:
            return None

    def kill(self) -> None:
        self.alive = False
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        self.let_go()

    def let_go(self) -> None:
        """Closes this side's ends."""
        for stream in (self.input, self.output):
            with contextlib.suppress(OSError):
                stream.close()

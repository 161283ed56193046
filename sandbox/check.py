"""The hostile suite, run: does the sandbox keep in, on this machine, what tries to break out of it?

Every attack runs between well-behaved programs on one worker, so that what it leaves behind is seen
in the program after it. It is contained if it ends as it should, they have the right results, no
secret of the client's or of theirs came out, the files around are as they were, nobody called the
port that was listened on, and there are no more processes and descriptors than before.

    for verdict in check():
        print(verdict.kind, verdict.name, verdict.contained, verdict.problem)
"""

import contextlib
import os
import random
import re
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.sandbox.client import Sandbox, capabilities
from assay.sandbox.hostile import ATTACKS, Attack
from assay.sandbox.outcome import Limits, Outcome, SandboxError, Status

__all__ = ["LIMITS", "TOGETHER", "Verdict", "check", "descendants", "unmet"]

# Short, because some of the attacks end only at a limit; several times what the others need, of
# which none may reach a limit because the machine is busy.
LIMITS = Limits(cpu_seconds=0.4, wall_seconds=1.0, memory_mb=64)

# The one verdict on all plain attacks in one call, of which a sandbox may run many in one process.
TOGETHER = "all plain ones in one call"
_AFTERWARDS = "what is left after closing"

_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Verdict:
    """What became of an attack.

    problem:
        What went wrong; empty where nothing did.
    missing:
        The layer of isolation that it needs and that is missing here, for which it was not run.
    outcome:
        `None` where it was not run, or where the verdict is on more than one program.
    """

    kind: str
    name: str
    outcome: Outcome | None
    problem: str = ""
    missing: str = ""

    @property
    def contained(self) -> bool:
        """Whether it did no harm and ended as it should."""
        return not self.problem and not self.missing


@dataclass(frozen=True)
class _Neighbour:
    """A well-behaved program and what it must give, whatever runs beside it."""

    program: str
    status: Status
    output: str

    def problem(self, outcome: Outcome) -> str:
        if (outcome.status, outcome.output) == (self.status, self.output):
            return ""
        told = (outcome.output if outcome.status == "ok" else outcome.message).strip()
        return f"a program beside it gave {outcome.status}: {told:.200}"


def unmet(active: dict[str, bool], attacks: Sequence[Attack] = ATTACKS) -> list[Attack]:
    """The attacks that are not contained with these layers, and so must not be run."""
    return [attack for attack in attacks if attack.missing(active)]


def check(
    attacks: Sequence[Attack] = ATTACKS,
    require: Sequence[str] = (),
    make: Callable[..., AbstractContextManager[Any]] = Sandbox,
) -> Iterator[Verdict]:
    """Runs attacks, in order, and yields what became of each; two more verdicts end the list.

    `make` opens the sandbox to check: `make(workers=1, limits=LIMITS, require=require)`. Raises
    SandboxError where it cannot work here, a layer in `require` is missing, or well-behaved
    programs fail before there was any attack.
    """
    active = capabilities()
    with contextlib.ExitStack() as stack:
        around = stack.enter_context(_surroundings())
        before = _Count.now()
        with make(workers=1, limits=LIMITS, require=tuple(require)) as sandbox:
            _check_neighbours(sandbox, around.secret, attacks)
            now = _Count.now()
            alone: dict[Attack, Outcome] = {}
            for number, attack in enumerate(attacks):
                if missing := attack.missing(active):
                    yield Verdict(attack.kind, attack.name, None, missing=missing)
                    continue
                outcome, problem = _run_between(sandbox, attack, around, number)
                if _may_share(attack) and not problem:
                    alone[attack] = outcome
                problem = problem or around.change() or now.growth()
                yield Verdict(attack.kind, attack.name, outcome, problem)
            if alone:
                problem = _run_together(sandbox, alone, around) or around.change() or now.growth()
                yield Verdict("together", TOGETHER, None, problem)
        yield Verdict("afterwards", _AFTERWARDS, None, around.change() or before.growth())


def _run_between(
    sandbox: Any, attack: Attack, around: "_Surroundings", number: int
) -> tuple[Outcome, str]:
    packages = _needs_packages(attack)
    before = _neighbours(2 * number, around.secret, packages)[:1]
    after = _neighbours(2 * number + 1, around.secret, packages)
    programs = [neighbour.program for neighbour in [*before, *after]]
    programs.insert(1, attack.source(around.places))
    outcomes = sandbox.run(programs)
    outcome = outcomes.pop(1)
    problem = _problem(attack, outcome, around.secret)
    for neighbour, its in zip([*before, *after], outcomes, strict=True):
        problem = problem or neighbour.problem(its)
    return outcome, problem


def _run_together(sandbox: Any, alone: Mapping[Attack, Outcome], around: "_Surroundings") -> str:
    """All attacks in one call, in an order of chance, a well-behaved program behind each.

    They must give what they gave `alone`, addresses in memory aside.
    """
    shuffled = random.Random(0).sample(list(alone), len(alone))
    neighbours = [
        _neighbours(2 * i, around.secret, _needs_packages(attack))[i % 3]
        for i, attack in enumerate(shuffled)
    ]
    programs = []
    for attack, neighbour in zip(shuffled, neighbours, strict=True):
        programs += [attack.source(around.places), neighbour.program]
    outcomes = sandbox.run(programs)
    for i, attack in enumerate(shuffled):
        outcome, expected = outcomes[2 * i], alone[attack]
        problem = _problem(attack, outcome, around.secret)
        if not problem and _comparable(outcome) != _comparable(expected):
            problem = f"gave {outcome.output[:80]!r}, alone {expected.output[:80]!r}"
        problem = problem or neighbours[i].problem(outcomes[2 * i + 1])
        if problem:
            return f"{attack.kind}, {attack.name}: {problem}"
    return ""


def _comparable(outcome: Outcome) -> tuple[str, ...]:
    texts = (re.sub("0x[0-9a-f]+", "0x", text) for text in (outcome.output, outcome.message))
    return outcome.status, *texts


def _may_share(attack: Attack) -> bool:
    """Whether a sandbox may take it for plain, and it leaves no choice how it ends."""
    kind = attack.kind.partition(":")[0]
    return kind in ("plain", "answers", "numpy", "sympy") and "|" not in attack.expected


def _problem(attack: Attack, outcome: Outcome, secret: str) -> str:
    """What is wrong with the outcome of an attack; empty where nothing is."""
    told = outcome.output if outcome.status == "ok" else outcome.message
    if secret in outcome.output + outcome.message:
        return "it came by a secret"
    if "fork server died" in outcome.message:
        return "it took the fork server along"
    if outcome.status not in attack.expected.split("|"):
        return f"expected {attack.expected.replace('|', ' or ')}"
    if not re.search(attack.pattern, told):
        return f"expected {attack.pattern!r}"
    if len(outcome.message.splitlines()) > 1 or len(outcome.message) > 1000:
        return "its message is longer than a line"
    if any("\ud800" <= letter <= "\udfff" for letter in outcome.message):
        return "its message cannot be written to a file"
    return ""


def _needs_packages(attack: Attack) -> bool:
    return attack.kind in ("numpy", "sympy")


def _check_neighbours(sandbox: Any, secret: str, attacks: Sequence[Attack]) -> None:
    """That all is well before the first attack; it also starts every server that will be needed."""
    neighbours = _neighbours(-1, secret)
    if any(_needs_packages(attack) for attack in attacks):
        neighbours += _neighbours(-2, secret, packages=True)
    outcomes = sandbox.run([neighbour.program for neighbour in neighbours])
    for neighbour, outcome in zip(neighbours, outcomes, strict=True):
        if problem := neighbour.problem(outcome):
            raise SandboxError(f"the sandbox does not work here: without any attack {problem}")


def _neighbours(number: int, secret: str, packages: bool = False) -> list[_Neighbour]:
    """Programs that use what attacks like to break; no two numbers give the same text.

    The first is plain, such that a sandbox may run it in one process with others.
    """
    head = f"secret, i = {secret!r}, {number}\n"
    plain = _Neighbour(
        head + _PLAIN,
        "ok",
        f"sentinel {number + 1} 4.0 3.141592653589793 3 3 8\n21 [1, 2, 3] 0.250 2 [4, 2500]\n"
        "0.8444218515250481 1/3 0.1428571428571428571428571429 Counter({'a': 2})\n",
    )
    # What an earlier program left in `answer` must not become the answer of one that has none.
    silent = _Neighbour(f"secret = {secret!r}\nx = {number}", "no_output", "")
    if packages:
        plain_packages = _Neighbour(
            head + _PLAIN_PACKAGES,
            "ok",
            f"sentinel {number} [0.33333333] 5.0 [1. 1. 1.]\n2*sqrt(2) 2 1/2 [-2, 2]\n"
            "{2: 3, 3: 2, 5: 1} [1, 2, 4] factorial((1.0, 2.0)) Matrix([[1, 0], [0, 1]])\n",
        )
        others = _Neighbour(
            head + _PACKAGES, "ok", f"{number} 2.0 0.548814 0.333333333333333 x**2 + 1\n"
        )
        return [plain_packages, others, silent]
    others = _Neighbour(
        head + _OTHERS,
        "ok",
        f"{number} 0.8444218515250481 0.1428571428571428571428571429 1/2\n"
        "UTC [1] 1000 \\ud800 True\n",
    )
    return [plain, others, silent]


_PLAIN = """
import math, random
from collections import Counter
from decimal import Decimal
from fractions import Fraction
total = sum([i, 1])
print('sentinel', total, math.sqrt(16.0), math.pi, max(2, 3), round(2.6), int('7') + 1)
print(len(str(10 ** 20)), sorted([3, 1, 2]), f'{1 / 4:.3f}', 1 + 1, [x * x for x in (2, 50)])
print(random.random(), Fraction(1, 3).limit_denominator(9), Decimal(1) / 7, Counter('aa'))
"""
_OTHERS = """
import json, random, sys, time
from decimal import Decimal
from fractions import Fraction
print(i, random.random(), Decimal(1) / 7, Fraction(1, 3) + Fraction(1, 6))
print(time.tzname[0], json.dumps([1]), sys.getrecursionlimit(), '\\ud800', len(sys.path) > 2)
"""
_PLAIN_PACKAGES = """
import numpy as np
from sympy import *
print('sentinel', i, np.array([1 / 3]), np.sqrt(25.0), np.ones(3))
print(sqrt(8), Integer(1) + 1, S.Half, solve(Symbol('x')**2 - 4))
print(factorint(360), divisors(4), factorial((1.0, 2.0)), eye(2))
"""
_PACKAGES = """
import mpmath, numpy as np, sympy
print(i, np.sqrt(np.array([4.0])).sum(), f'{np.random.rand():.6f}', mpmath.mpf(1) / 3, end=' ')
print(sympy.sympify('1 + x**2'))
"""


class _Surroundings:
    """What attacks reach for: a folder with files, a port that is listened on, and a secret.

    The secret is in the files, in the client's environment and in every well-behaved program.
    """

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        self.secret = f"SECRET-{secrets.token_hex(8)}"
        self._folder = folder
        (folder / "victim").write_text(self.secret)
        (folder / "notes.py").write_text(f"secret = {self.secret!r}\n")
        self._listener = listener
        listener.setblocking(False)
        self.places = {"outside": str(folder), "port": str(listener.getsockname()[1])}
        self._seen = self._look()

    def change(self) -> str:
        """What is different since the last look; empty where nothing is."""
        before, self._seen = self._seen, self._look()
        with contextlib.suppress(BlockingIOError):
            self._listener.accept()[0].close()
            return "it called a port of this machine"
        changed = [
            name
            for name in sorted({*before, *self._seen})
            if before.get(name) != self._seen.get(name)
        ]
        return f"it changed {changed[0]} in a folder of the user's" if changed else ""

    def _look(self) -> dict[str, tuple[int, bytes]]:
        """Mode and content of every file; of links and the like only that they are there."""
        found = {}
        for path in sorted(self._folder.rglob("*")):
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path.relative_to(self._folder))] = (path.lstat().st_mode, content)
        return found


@contextlib.contextmanager
def _surroundings() -> Iterator[_Surroundings]:
    with (
        tempfile.TemporaryDirectory(prefix="assay-check-") as folder,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        around = _Surroundings(Path(folder), listener)
        os.environ["ASSAY_SECRET"] = around.secret
        try:
            yield around
        finally:
            del os.environ["ASSAY_SECRET"]


@dataclass
class _Count:
    """Processes under this one, and open descriptors, theirs and its own (Linux; else zero)."""

    processes: int
    descriptors: int

    @classmethod
    def now(cls) -> "_Count":
        found = [os.getpid(), *descendants(os.getpid())]
        return cls(len(found) - 1, sum(_descriptors(pid) for pid in found))

    def growth(self) -> str:
        """What there still is more of after a while, now taken for granted; empty: nothing."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            new = _Count.now()
            more = (new.processes > self.processes, new.descriptors > self.descriptors)
            if not any(more):
                return ""
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        self.processes, self.descriptors = new.processes, new.descriptors
        return "it left a process behind" if more[0] else "it left a descriptor open"


def descendants(ancestor: int) -> list[int]:
    """Process numbers of the children, and of theirs; zombies are not counted."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            # The name, in parentheses, can hold anything, parentheses too.
            state, parent = path.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(path.parent.name))
    found, at = [ancestor], 0
    while at < len(found):
        found += children.get(found[at], [])
        at += 1
    return found[1:]


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:  # not Linux, or not to be looked at
        return 0

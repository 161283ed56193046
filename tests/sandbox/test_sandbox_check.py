"""The check of a sandbox: it must find out one that is none, and not run what would do harm."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import assay.sandbox.check
from assay.sandbox import STATUSES, Limits, Outcome, SandboxError, capabilities
from assay.sandbox.check import LIMITS, Verdict, check, unmet
from assay.sandbox.hostile import ATTACKS, Attack
from assay.sandbox.layers import LAYERS

ROOT = Path(__file__).resolve().parents[2]

# The executor that sampling harnesses often have: a worker that `exec`s one program after another.
WORKER = r"""
import contextlib, io, json, random, sys
for line in sys.stdin:
    out, status, message = io.StringIO(), "ok", ""
    random.seed(0)
    try:
        with contextlib.redirect_stdout(out):
            exec(json.loads(line), {"__name__": "__main__"})
    except BaseException as error:
        status, message = "error", f"{type(error).__name__}: {error}"
    printed = out.getvalue().encode("utf-8", "backslashreplace").decode()
    if status == "ok" and not printed:
        status = "no_output"
    sys.__stdout__.write(json.dumps([status, printed, message]) + "\n")
    sys.__stdout__.flush()
"""


class Unguarded:
    """Has the interface of a sandbox and nothing else of it."""

    def __init__(self, workers: int, limits: Any, require: Sequence[str]) -> None:
        self.ran: list[str] = []
        self._worker = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "TZ": "UTC"},
        )

    def run(self, programs: Sequence[str]) -> list[Outcome]:
        self.ran += programs
        return [self._run(program) for program in programs]

    def _run(self, program: str) -> Outcome:
        assert self._worker.stdin
        assert self._worker.stdout
        self._worker.stdin.write(json.dumps(program).encode() + b"\n")
        self._worker.stdin.flush()
        return Outcome(*json.loads(self._worker.stdout.readline()), 0.0)

    def __enter__(self) -> "Unguarded":
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.kill()
        self._worker.communicate()


def attack(kind: str, name: str) -> Attack:
    (found,) = [a for a in ATTACKS if (a.kind, a.name) == (kind, name)]
    return found


def problem_of(one: Attack) -> str:
    """What is found wrong with the unguarded worker under one attack, the summary aside."""
    first, *_ = check([one], make=Unguarded)
    return first.problem


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assay.sandbox.check, "_PATIENCE_SECONDS", 0.2)


NEEDS_ALL = pytest.mark.skipif(
    not all(capabilities().get(layer) for layer in ("seccomp", "landlock")),
    reason="where a layer is missing, these attacks are not run",
)


@NEEDS_ALL
@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        ("writing", "a new file", "expected error"),
        ("reading", "a secret", "it came by a secret"),
        ("reading", "the environment", "it came by a secret"),
        ("reading", "a secret, as a module", "it came by a secret"),
        ("network", "local", "expected error"),
        ("poisoning", "decimals", "0.8444218515250481 1/3 0.14 Counter"),
        ("poisoning", "recursion limit", "a program beside it gave"),
        ("plain: changing", "pi", "a program beside it gave ok: sentinel 2 4.0 3 3 3 8"),
        ("plain: changing", "builtins, by print", "a program beside it gave ok: sentinel 1 4.0"),
        ("memory", "MemoryError for nothing", "expected memory"),
    ],
)
def test_a_worker_that_execs_is_found_out(kind: str, name: str, problem: str) -> None:
    assert problem in problem_of(attack(kind, name))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("open('{outside}/new', 'w')", "it changed new in a folder of the user's"),
        ("open('{outside}/victim', 'w')", "it changed victim in a folder of the user's"),
        ("import os\nos.chmod('{outside}/victim', 0)", "it changed victim"),
        ("import os\nos.remove('{outside}/notes.py')", "it changed notes.py"),
        (
            "import socket\nsocket.create_connection(('127.0.0.1', {port})).close()",
            "it called a port of this machine",
        ),
        (
            "import subprocess\nsubprocess.Popen(['sleep', '5'], stdin=-3, stdout=-3)",
            "it left a process behind",
        ),
        ("import os\nos.open('/dev/null', os.O_RDONLY)", "it left a descriptor open"),
    ],
)
def test_what_a_program_leaves_behind_is_seen(program: str, problem: str) -> None:
    if "left" in problem and not Path("/proc/self/fd").exists():
        pytest.skip("counts processes and descriptors through /proc")
    found = problem_of(Attack("test", "x", program, "ok|no_output"))
    assert problem in found


def judged(expected: str, outcome: Outcome, pattern: str = "") -> str:
    class Scripted(Unguarded):
        def _run(self, program: str) -> Outcome:
            return outcome if program == "x" else super()._run(program)

    first, *_ = check([Attack("test", "x", "x", expected, pattern)], make=Scripted)
    return first.problem


def test_how_an_outcome_is_judged() -> None:
    assert judged("ok", Outcome("ok", "1\n", "", 0.0), r"^1\n$") == ""
    assert judged("error|killed", Outcome("killed", "", "signal 11", 0.0), "11$") == ""
    assert judged("error", Outcome("ok", "1\n", "", 0.0)) == "expected error"
    assert judged("error|killed", Outcome("ok", "1\n", "", 0.0)) == "expected error or killed"
    assert judged("ok", Outcome("ok", "2\n", "", 0.0), r"^1\n$") == r"expected '^1\\n$'"
    died = Outcome("killed", "", "the fork server died while it ran", 0.0)
    assert judged("killed", died) == "it took the fork server along"
    assert "longer than a line" in judged("error", Outcome("error", "", "a\nb", 0.0))
    assert "longer than a line" in judged("error", Outcome("error", "", "a" * 2000, 0.0))
    assert "cannot be written" in judged("error", Outcome("error", "", "E: \ud800", 0.0))


def test_a_secret_in_a_message_is_seen() -> None:
    class Leaky(Unguarded):
        def _run(self, program: str) -> Outcome:
            if program == "x":
                return Outcome("error", "", os.environ["ASSAY_SECRET"], 0.0)
            return super()._run(program)

    first, *_ = check([Attack("test", "x", "x", "error")], make=Leaky)
    assert first.problem == "it came by a secret"


def test_what_needs_a_missing_layer_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def make(**arguments: Any) -> Unguarded:
        opened.append(Unguarded(**arguments))
        return opened[0]

    active = {"seccomp": True, "landlock": False}
    monkeypatch.setattr(assay.sandbox.check, "capabilities", lambda: active)
    attacks = [
        Attack("test", "reads", "DO NOT RUN", "error", needs="landlock"),
        Attack("test", "reads, or not", "'either'", "no_output", needs="seccomp|landlock"),
        Attack("test", "harmless", "'neither'", "no_output"),
    ]
    reads, either, neither, *_ = check(attacks, make=make)
    assert reads == Verdict("test", "reads", None, missing="landlock")
    assert not reads.contained
    assert either.contained
    assert neither.contained
    assert "DO NOT RUN" not in opened[0].ran
    assert "'either'" in opened[0].ran
    assert [a.name for a in unmet(active, attacks)] == ["reads"]


def test_plain_programs_are_run_all_at_once_too() -> None:
    """And must give what they gave alone, even where any other outcome would be right too."""

    class OneCallOnly(Unguarded):
        def run(self, programs: Sequence[str]) -> list[Outcome]:
            outcomes = super().run(programs)
            if len(programs) > 5:
                outcomes[0] = Outcome("ok", "7\n", "", 0.0)
            return outcomes

    plain = [Attack("plain: x", f"number {i}", f"print({i})", "ok", r"^\d\n$") for i in range(3)]
    *each, together, _ = check(plain, make=OneCallOnly)
    assert all(verdict.contained for verdict in each)
    assert together.kind == "together"
    assert re.fullmatch(r"plain: x, number \d: gave '7\\n', alone '\d\\n'", together.problem)


def test_a_sandbox_that_fails_without_any_attack() -> None:
    class Broken(Unguarded):
        def _run(self, program: str) -> Outcome:
            return Outcome("error", "", "no", 0.0)

    with pytest.raises(SandboxError, match="without any attack a program beside it gave error"):
        list(check([], make=Broken))


def test_a_required_layer_that_does_not_exist() -> None:
    with pytest.raises(SandboxError, match="'moat'"):
        list(check([], require=["moat"]))


def test_nothing_of_the_check_itself_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    verdicts = check([Attack("test", "x", "print(1)", "ok")])
    assert next(verdicts).contained
    assert len(list(tmp_path.iterdir())) == 1
    assert "ASSAY_SECRET" in os.environ
    verdicts.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []
    assert "ASSAY_SECRET" not in os.environ


def test_the_source_of_an_attack() -> None:
    block = Attack("test", "x", "\n    if 1:\n        print('{outside}')\n    ", "ok")
    assert block.source({"outside": "/x"}) == "if 1:\n    print('/x')\n"
    # Any other text is taken as it is: its blanks may be what the attack is about.
    assert Attack("test", "x", "\fx = '{port}' \n", "ok").source({"port": "80"}) == "\fx = '80' \n"
    assert LIMITS.cpu_seconds < 1


def test_the_page_about_the_sandbox_is_up_to_date() -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    for limit in dataclasses.fields(Limits):
        assert f"| `{limit.name}` | {limit.default:g} |" in page
    for name in (*LAYERS, *STATUSES):
        assert f"| `{name}` |" in page
    for module in (ROOT / "sandbox").glob("[a-z]*.py"):
        if module.stem not in ("linux", "outcome", "probe"):
            assert module.name in page

r"""The client's hold on its fork servers: it starts a root and opens servers on it.

Example:
    with contextlib.closing(Root("light", Limits())) as root:
        server = root.open()
        list(server.run(["print(6 * 7)"], alone=True))  # [[(0, Outcome("ok", "42\n", "", 0.001))]]
"""

import contextlib
import dataclasses
import importlib.util
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from assay.sandbox import wire
from assay.sandbox.lane import ALONE, LATER
from assay.sandbox.outcome import STATUSES, Limits, Outcome, SandboxError
from assay.sandbox.preload import Tier

__all__ = ["Root", "Server", "ServerDiedError"]

_BOOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot.py")
# Importing numpy and sympy from a cold network disk can take minutes; nothing else here should.
_START_SECONDS = {"light": 60, "full": 300}
_OPEN_SECONDS = 30
# Times the wall limit: when a fork server ends a program that does not get a processor, and what
# the client waits for a fork server on top of that before it takes it for dead.
_PATIENCE, _GRACE_SECONDS = 6, 30


# What a fork server tells of a program: its outcome, or ALONE or LATER.
Told = Outcome | str


class ServerDiedError(Exception):
    """A fork server is gone, or answers nonsense, or not at all."""


class Server:
    """One fork server, which runs one request after the other."""

    def __init__(self, connection: socket.socket, pid: int, patience: float) -> None:
        self.pid = pid
        self._connection = connection
        self._connection.settimeout(patience)
        self._number = 0  # of the request

    def run(self, programs: Sequence[str], alone: bool) -> Iterator[list[tuple[int, Told]]]:
        """What became of programs, some at a time as it is known; to be read to the end.

        With each program's index its outcome; ALONE where it cannot share a process; LATER where it
        has not been run. With `alone` each has a process of its own and there are only outcomes.
        Raises ServerDiedError, SandboxError.
        """
        self._number += 1
        request = {"number": self._number, "programs": list(programs), "alone": alone}
        left = set(range(len(programs)))
        try:
            wire.send(self._connection, request)
            while left:
                told = self._receive()
                yield told
                left.difference_update(index for index, _ in told)
        except (OSError, ValueError) as error:
            raise ServerDiedError(str(error)) from error

    def _receive(self) -> list[tuple[int, Told]]:
        reply = wire.receive(self._connection)
        if reply is None:
            raise ServerDiedError("closed")
        if reply.get("number") != self._number or not isinstance(reply.get("outcomes"), list):
            raise ServerDiedError("an outcome of another program")
        return [_checked(outcome) for outcome in reply["outcomes"]]

    def shut(self) -> None:
        """Ends the conversation, also for another thread that is in the middle of it."""
        _shut(self._connection)

    def close(self) -> None:
        """Shuts, and gives the descriptor back; only for the thread that uses the server."""
        self.shut()
        self._connection.close()


class Root:
    """The process that servers are forked from; `start` returns at once, `open` waits for it.

    Every method may be called from any thread.
    """

    def __init__(self, tier: Tier, limits: Limits, require: tuple[str, ...] = ()) -> None:
        self._tier = tier
        self._require = require
        self._limits = limits
        self._patience = _PATIENCE * limits.wall_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._active: dict[str, bool] | None = None
        self._closed = False

    def start(self) -> None:
        """Starts the process if it is not running or being started. Raises SandboxError."""
        if self._lock.acquire(blocking=False):
            try:
                self._start()
            finally:
                self._lock.release()

    def is_ready(self) -> bool:
        """Whether `open` would not have to wait."""
        if not self._lock.acquire(blocking=False):
            return False  # somebody is waiting for it already
        try:
            if self._control is None or self._active is not None:
                return self._active is not None
            return _readable(self._control)
        finally:
            self._lock.release()

    def active(self) -> dict[str, bool]:
        """Which layers of isolation hold here. Raises SandboxError."""
        with self._lock:
            return dict(self._ready())

    def open(self) -> Server:
        """A new server; a process that has died is replaced first. Raises SandboxError."""
        with self._lock:
            for last_try in (False, True):
                self._ready()
                try:
                    return self._open()
                except (OSError, ValueError, ServerDiedError) as error:
                    self._stop()
                    if last_try:
                        raise SandboxError(f"the sandbox cannot open a server: {error}") from error
        raise AssertionError

    def kill(self, server: Server) -> None:
        """Makes sure that a server is gone, and the program that it was running."""
        server.close()
        with self._lock:
            if self._control is not None:
                try:
                    # By the root, because only a parent can know that the number is still its.
                    self._control.sendall(wire.KILL + server.pid.to_bytes(4, "big"))
                except OSError:
                    self._stop()

    def close(self) -> None:
        """Ends the process and all that came of it, for good."""
        self._closed = True
        if control := self._control:
            _shut(control)  # wakes a thread that holds the lock and waits for the process
        with self._lock:
            self._stop()

    def _start(self) -> None:
        if self._closed:
            raise SandboxError("the sandbox is closed")
        if os.name != "posix":
            raise SandboxError(f"the sandbox needs Linux or macOS, not {sys.platform}")
        if self._process is not None and self._process.poll() is None:
            return
        self._stop()
        ours, theirs = socket.socketpair()
        safe_path = ["-P"] if sys.version_info >= (3, 11) else []
        command = [sys.executable, "-s", *safe_path, _BOOT, str(theirs.fileno())]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                env=_environment(),
                cwd="/",
                start_new_session=True,  # out of the reach of the terminal's Ctrl-C and Ctrl-Z
            )
        except OSError as error:
            ours.close()
            raise SandboxError(f"the sandbox cannot start {sys.executable}: {error}") from error
        finally:
            theirs.close()
        self._control = ours
        ours.settimeout(_START_SECONDS[self._tier])
        settings = {
            "tier": self._tier,
            "paths": _package_paths(),
            "limits": dataclasses.asdict(self._limits),
            "patience_seconds": self._patience,
        }
        try:
            wire.send(ours, settings)
        except OSError as error:
            raise self._failed_to_start() from error

    def _ready(self) -> dict[str, bool]:
        """Waits until the process has said what holds here."""
        self._start()
        if self._active is None:
            assert self._control
            try:
                hello = wire.receive(self._control)
            except (OSError, ValueError) as error:
                raise self._failed_to_start() from error
            if hello is None:
                raise self._failed_to_start()
            self._active = {str(name): bool(on) for name, on in hello["active"].items()}
            self._check_required(self._active)
            self._control.settimeout(_OPEN_SECONDS)
            if self._process and self._process.stderr:
                self._process.stderr.close()
        return self._active

    def _check_required(self, active: dict[str, bool]) -> None:
        for name in self._require:
            if not active.get(name):
                self._stop()
                known = "is not available here" if name in active else "is none of its layers"
                raise SandboxError(f"the sandbox requires {name!r}, which {known}: {active}")

    def _failed_to_start(self) -> SandboxError:
        said = ""
        if self._process and self._process.stderr:
            self._process.kill()
            said = self._process.stderr.read().decode(errors="replace")
        self._stop()
        last = said.strip().rpartition("\n")[2] or "no reason given"
        return SandboxError(f"the sandbox's fork server did not start: {last}")

    def _open(self) -> Server:
        assert self._control
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._control, [wire.OPEN], [theirs.fileno()])
            theirs.close()
            ours.settimeout(_OPEN_SECONDS)
            hello = wire.receive(ours)
            if hello is None:
                raise ServerDiedError("closed")
            return Server(ours, int(hello["pid"]), self._patience + _GRACE_SECONDS)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()

    def _stop(self) -> None:
        process, control = self._process, self._control
        self._process = self._control = self._active = None
        if control is not None:
            _shut(control)
            control.close()
        if process is None:
            return
        if process.stderr:
            process.stderr.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _shut(connection: socket.socket) -> None:
    """Ends a conversation even where a process that the client has forked holds a copy of it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _checked(told: dict[str, Any]) -> tuple[int, Told]:
    if "fault" in told:
        raise SandboxError(f"the sandbox {told['fault']}")
    index, status, seconds = told.get("index"), told.get("status"), told.get("seconds")
    output, message = told.get("output"), told.get("message")
    if isinstance(index, int):
        if status in (ALONE, LATER):
            return index, status
        if (
            status in STATUSES
            and isinstance(output, str)
            and isinstance(message, str)
            and isinstance(seconds, float)
        ):
            return index, Outcome(status, output, message, seconds)  # type: ignore[arg-type]
    raise ServerDiedError(f"an answer that is no outcome: {told}")


def _environment() -> dict[str, str]:
    """What a program can see of the environment: nothing of the user's."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",  # sets of strings print in the same order every time
        "PYTHONUTF8": "1",
        "SYMPY_CACHE_SIZE": "20000",  # results a function; what is warmed up stays warm
        # A process with threads cannot fork safely.
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    }
    # Without these some interpreters do not find themselves.
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME"):
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment


def _package_paths() -> list[str]:
    """Where this process finds the packages that programs use, however it came to find them."""
    paths = []
    for name in ("numpy", "sympy"):
        found = importlib.util.find_spec(name)
        if found and found.origin:
            paths.append(os.path.dirname(os.path.dirname(found.origin)))
    return list(dict.fromkeys(paths))


def _readable(connection: socket.socket) -> bool:
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(0))

"""One program in one child, watched from outside until it has ended or has been ended.

The fork server decides everything here: it forks, counts the bytes of output, reads the child's CPU
clock, kills, and tells the fate from how the process ended.
"""

import contextlib
import json
import math
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from assay.sandbox import child, linux
from assay.sandbox.isolation import Isolation
from assay.sandbox.outcome import Limits

__all__ = ["AbandonedError", "Supervisor", "cpu_seconds"]

# Why a child was stopped; "" where it ended by itself.
_Stop = Literal["", "cpu", "wall", "output", "abandoned"]


class AbandonedError(Exception):
    """The client is gone, and with it the reason to go on."""


@dataclass
class _Child:
    """A running child and what has been seen of it."""

    pid: int
    stdout: int
    report: int
    ended: int | None  # a descriptor that becomes readable when it ends, where there are such
    started: float
    stopped: _Stop = "abandoned"
    output: bytearray = field(default_factory=bytearray)
    status: int | None = None  # None until it is reaped
    seconds: float = 0.0

    def reap(self, options: int) -> bool:
        pid, status, usage = os.wait4(self.pid, options)
        if pid:
            self.status, self.seconds = status, usage.ru_utime + usage.ru_stime
        return bool(pid)


class Supervisor:
    """Runs programs one after the other, behind the walls and within the limits given.

    However long a starved program has to wait for a processor, `patience_seconds` end it.
    """

    def __init__(self, limits: Limits, patience_seconds: float, isolation: Isolation) -> None:
        self.limits = limits
        self.patience_seconds = patience_seconds
        self._output_limit = limits.output_kb * 1024
        self._isolation = isolation

    def run(self, program: str, client: socket.socket) -> dict[str, Any]:
        """The outcome of a program as a message; `fault` where it could not be run at all.

        Raises AbandonedError where the client closes its socket meanwhile.
        """
        try:
            running = self._fork(program)
        except OSError as error:
            return {"fault": f"cannot start a process: {error.strerror}"}
        try:
            running.stopped = self._watch(running, client)
        finally:
            report = self._end(running)
        if running.stopped == "abandoned":
            raise AbandonedError
        if not running.stopped and not report.startswith(child.ENTERED):
            return {"fault": f"cannot isolate a program: {report.decode(errors='replace')}"}
        status, message = self._fate(running, report[len(child.ENTERED) :])
        return {
            "status": status,
            "output": bytes(running.output[: self._output_limit]).decode("utf-8", "replace"),
            "message": message,
            "seconds": round(running.seconds, 6),
        }

    def fork(self, body: Callable[[Callable[[int], None]], NoReturn]) -> int:
        """Forks a child that does `body` and ends; its number. Raises OSError.

        `body` gets what puts the walls up and closes all descriptors from the number it is given.
        """
        server = os.getpid()
        pid = _fork_patiently()
        if pid == 0:
            body(lambda first_closed: self._enter(server, first_closed))
        return pid

    def cpu_message(self) -> str:
        """The line that tells of too much CPU time."""
        return f"more than {self.limits.cpu_seconds:g} s of CPU time"

    def error_message(self, report: str | bytes, code: int = 1) -> str:
        """The line that tells of an exception, from what the child reported of it."""
        try:
            error = json.loads(report)
            kind, text, line = str(error["type"]), str(error["text"]), error["line"]
        except (ValueError, TypeError, LookupError, RecursionError):
            # os._exit, or the program wrote here itself
            return f"exit code {code}"
        message = f"{kind}: {text}" if text else kind
        message = message.encode("utf-8", "backslashreplace").decode()  # lone surrogates
        return message + (f" (line {line})" if isinstance(line, int) else "")

    def _fork(self, program: str) -> _Child:
        stdout, stdout_end = os.pipe()
        report, report_end = os.pipe()
        started = time.monotonic()
        try:
            pid = self.fork(lambda enter: child.run(program, stdout_end, report_end, enter))
        except OSError:
            os.close(stdout)
            os.close(report)
            raise
        finally:
            os.close(stdout_end)
            os.close(report_end)
        try:
            ended = os.pidfd_open(pid)
        except (AttributeError, OSError):  # macOS, or Linux before 5.3
            ended = None
        return _Child(pid, stdout, report, ended, started)

    def _enter(self, server: int, first_closed: int) -> None:
        if sys.platform == "linux":
            linux.die_with_parent(server)
        self._isolation.enter(first_closed)

    def _watch(self, running: _Child, client: socket.socket) -> _Stop:
        """Waits for the end and collects the output; says why the child has to be stopped."""
        poller = select.poll()
        poller.register(running.stdout, select.POLLIN)
        poller.register(client, 0)  # only its hanging up
        if running.ended is not None:
            poller.register(running.ended, select.POLLIN)
        while True:
            limit, left = self._time_left(running)
            if left <= 0:
                return limit
            if running.ended is None:
                left = min(left, 0.005)
            # A process of one thread cannot use more CPU time than passes, so that nothing has to
            # be looked at before `left` is over.
            ready = {descriptor for descriptor, _ in poller.poll(math.ceil(left * 1000))}
            if client.fileno() in ready:
                return "abandoned"
            has_ended = running.ended in ready or (
                running.ended is None and running.reap(os.WNOHANG)
            )
            if running.stdout in ready and not self._read(running):
                poller.unregister(running.stdout)
            while has_ended and _is_readable(running.stdout) and self._read(running):
                pass
            if len(running.output) > self._output_limit:
                return "output"
            if has_ended:
                return ""

    def _time_left(self, running: _Child) -> tuple[_Stop, float]:
        """The limit that may be reached first, and in how many seconds at the earliest."""
        passed = time.monotonic() - running.started
        wall = self.limits.wall_seconds - passed
        if wall <= 0 and passed < self.patience_seconds:
            wall += _starved_seconds(running.pid)
        cpu = self.limits.cpu_seconds - cpu_seconds(running.pid)
        return ("cpu", cpu) if cpu <= wall else ("wall", wall)

    def _read(self, running: _Child) -> bool:
        """Reads some output, up to one byte more than allowed; whether there may be more."""
        data = os.read(running.stdout, min(65536, self._output_limit + 1 - len(running.output)))
        running.output += data
        return bool(data)

    def _end(self, running: _Child) -> bytes:
        """Kills what still runs, reaps it, gives back its descriptors; returns its report."""
        if running.stopped and running.status is None:
            os.kill(running.pid, signal.SIGKILL)
        if not self._isolation.active["seccomp"]:
            _kill_group(running.pid)  # it may have made processes of its own
        report = os.read(running.report, 4096) if _is_readable(running.report) else b""
        if running.status is None:
            running.reap(0)
        for descriptor in (running.stdout, running.report, running.ended):
            if descriptor is not None:
                os.close(descriptor)
        return report

    def _fate(self, running: _Child, report: bytes) -> tuple[str, str]:
        """Status and message of a child that has been reaped."""
        limits = self.limits
        too_long = self.cpu_message()
        if running.stopped == "cpu":
            return "timeout", too_long
        if running.stopped == "wall":
            return "timeout", f"more than {limits.wall_seconds:g} s"
        if running.stopped == "output":
            return "output_limit", f"more than {limits.output_kb} KiB of output"
        code = os.waitstatus_to_exitcode(running.status or 0)
        if code == 0:
            return ("ok" if running.output.strip() else "no_output"), ""
        if code > 0:
            if report == child.MEMORY_ERROR:
                return "memory", f"more than {limits.memory_mb} MiB of memory"
            return "error", self.error_message(report, code)
        if -code in (signal.SIGXCPU, signal.SIGKILL) and running.seconds >= limits.cpu_seconds:
            return "timeout", too_long
        return "killed", f"signal {-code} ({_signal_name(-code)})"


def _fork_patiently() -> int:
    """os.fork, again after a while where there are too many processes just now."""
    for attempt in range(8):
        try:
            return os.fork()
        except OSError:
            time.sleep(0.01 * 2**attempt)
    return os.fork()


def cpu_seconds(pid: int) -> float:
    """CPU time of another process, to the nanosecond: the kernel's clock number for it (Linux).

    Where there is no such clock it seems to be zero, and RLIMIT_CPU, which counts whole seconds,
    takes over.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _starved_seconds(pid: int) -> float:
    """How long a process was ready to run and no processor was free for it (Linux)."""
    try:
        with open(f"/proc/{_number_in_proc(pid)}/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def _number_in_proc(pid: int) -> int:
    """The number by which /proc knows a process: another one, in a PID namespace of our own.

    Inside there is still the /proc of outside, and a descriptor of the process tells. Raises
    OSError where nothing does: in such a namespace before Linux 5.3.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        if os.readlink("/proc/self") != str(os.getpid()):
            raise OSError("a process without a number") from None
        return pid
    try:
        with open(f"/proc/self/fdinfo/{descriptor}") as file:
            return int(file.read().partition("Pid:")[2].split()[0])
    finally:
        os.close(descriptor)


def _is_readable(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))


def _kill_group(leader: int) -> None:
    with contextlib.suppress(OSError):  # nobody there
        os.killpg(leader, signal.SIGKILL)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "real-time"

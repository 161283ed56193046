"""One program in one child, watched from outside until it has ended or has been ended.

The fork server decides everything here: it forks, counts the bytes of output, reads the child's CPU
clock, kills, and tells the fate from how the process ended.
"""

import json
import math
import os
import select
import signal
import socket
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from sandbox import child
from sandbox.isolation import Isolation

__all__ = ["Abandoned", "Supervisor"]

# However long a starved child has to wait for a processor, this many times the wall limit ends it.
PATIENCE = 6


class Abandoned(Exception):
    """The client is gone, and with it the reason to go on."""


@dataclass
class _Child:
    pid: int
    stdout: int
    report: int
    ended: int | None  # a descriptor that becomes readable when it ends, where there are such
    started: float


@dataclass
class _Seen:
    """What was seen of a child: why it was stopped (`""` if it ended by itself), its output."""

    stopped: str
    output: bytearray
    report: bytes = b""
    status: int = 0
    seconds: float = 0.0


class Supervisor:
    """Runs programs one after the other; `settings` are the client's limits as plain numbers."""

    def __init__(self, settings: dict[str, Any], isolation: Isolation) -> None:
        self._cpu = float(settings["cpu_seconds"])
        self._wall = float(settings["wall_seconds"])
        self._memory_mb = int(settings["memory_mb"])
        self._output_kb = int(settings["output_kb"])
        self._output_limit = self._output_kb * 1024
        self._isolation = isolation

    def run(self, program: str, client: socket.socket) -> dict[str, Any]:
        """The outcome of a program as a message; `fault` where it could not be run at all.

        Raises Abandoned where the client closes its socket meanwhile.
        """
        try:
            running = self._fork(program)
        except OSError as error:
            return {"fault": f"cannot start a process: {error.strerror}"}
        seen = _Seen("abandoned", bytearray())
        try:
            seen.stopped = self._watch(running, client, seen.output)
        finally:
            self._end(running, seen)
        if seen.stopped == "abandoned":
            raise Abandoned
        return self._outcome(seen)

    def _fork(self, program: str) -> _Child:
        stdout, stdout_end = os.pipe()
        report, report_end = os.pipe()
        started = time.monotonic()
        server = os.getpid()
        for attempt in range(8):
            try:
                pid = os.fork()
                break
            except OSError:  # too many processes just now, as a rule
                if attempt == 7:
                    for descriptor in (stdout, stdout_end, report, report_end):
                        os.close(descriptor)
                    raise
                time.sleep(0.01 * 2**attempt)
        if pid == 0:
            child.run(program, stdout_end, report_end, lambda: self._enter(server))
        os.close(stdout_end)
        os.close(report_end)
        try:
            ended = os.pidfd_open(pid)
        except (AttributeError, OSError):  # macOS, or Linux before 5.3
            ended = None
        return _Child(pid, stdout, report, ended, started)

    def _enter(self, server: int) -> None:
        self._isolation.enter(server)

    def _watch(self, running: _Child, client: socket.socket, output: bytearray) -> str:
        """Waits for the end and collects the output; says why the child has to be stopped."""
        poller = select.poll()
        poller.register(running.stdout, select.POLLIN)
        poller.register(client, 0)  # only its hanging up
        if running.ended is not None:
            poller.register(running.ended, select.POLLIN)
        while True:
            left = self._time_left(running)
            if isinstance(left, str):
                return left
            # A process of one thread cannot use more CPU time than passes, so nothing has to be
            # looked at before `left` is over.
            if running.ended is None:
                left = min(left, 0.005)
            ready = {descriptor for descriptor, _ in poller.poll(math.ceil(left * 1000))}
            if client.fileno() in ready:
                return "abandoned"
            if running.stdout in ready:
                if not self._read(running.stdout, output):
                    poller.unregister(running.stdout)
                if len(output) > self._output_limit:
                    return "output"
            if running.ended in ready or (running.ended is None and _has_ended(running.pid)):
                while _is_readable(running.stdout) and self._read(running.stdout, output):
                    if len(output) > self._output_limit:
                        return "output"
                return ""

    def _time_left(self, running: _Child) -> float | str:
        """Seconds until a limit may be reached, or the name of the limit that has been."""
        passed = time.monotonic() - running.started
        if passed >= self._wall:
            starved = _waiting_seconds(running.pid)
            if passed - starved >= self._wall or passed >= PATIENCE * self._wall:
                return "wall"
            wall = self._wall + starved - passed
        else:
            wall = self._wall - passed
        cpu = self._cpu - _cpu_seconds(running.pid)
        return "cpu" if cpu <= 0 else min(cpu, wall)

    def _read(self, descriptor: int, output: bytearray) -> bool:
        data = os.read(descriptor, min(65536, self._output_limit + 1 - len(output)))
        output += data
        return bool(data)

    def _end(self, running: _Child, seen: _Seen) -> None:
        """Kills what still runs, reaps it, and gives back its descriptors."""
        if seen.stopped:
            os.kill(running.pid, signal.SIGKILL)
        if not self._isolation.active["seccomp"]:
            # It may have made processes of its own. Its number is not free before it is reaped.
            _kill_group(running.pid)
        if _is_readable(running.report):
            seen.report = os.read(running.report, 4096)
        _, seen.status, usage = os.wait4(running.pid, 0)
        seen.seconds = usage.ru_utime + usage.ru_stime
        for descriptor in (running.stdout, running.report, running.ended):
            if descriptor is not None:
                os.close(descriptor)

    def _outcome(self, seen: _Seen) -> dict[str, Any]:
        entered = seen.report.startswith(child.ENTERED)
        if not entered and not seen.stopped:
            return {"fault": f"cannot isolate a program: {seen.report.decode(errors='replace')}"}
        status, message = self._fate(seen)
        output = bytes(seen.output[: self._output_limit]).decode("utf-8", "replace")
        seconds = round(seen.seconds, 6)
        return {"status": status, "output": output, "message": message, "seconds": seconds}

    def _fate(self, seen: _Seen) -> tuple[str, str]:
        too_long = f"more than {self._cpu:g} s of CPU time"
        if seen.stopped == "cpu":
            return "timeout", too_long
        if seen.stopped == "wall":
            return "timeout", f"more than {self._wall:g} s"
        if seen.stopped == "output":
            return "output_limit", f"more than {self._output_kb} KiB of output"
        code = os.waitstatus_to_exitcode(seen.status)
        if code == 0:
            return ("ok" if seen.output.strip() else "no_output"), ""
        if code > 0:
            return self._error(seen.report[len(child.ENTERED) :], code)
        if -code in (signal.SIGXCPU, signal.SIGKILL) and seen.seconds >= self._cpu:
            return "timeout", too_long
        return "killed", f"signal {-code} ({_signal_name(-code)})"

    def _error(self, report: bytes, code: int) -> tuple[str, str]:
        if report == child.MEMORY_ERROR:
            return "memory", f"more than {self._memory_mb} MiB of memory"
        try:
            error = json.loads(report)
            kind, text, line = str(error["type"]), str(error["text"]), error["line"]
        except (ValueError, TypeError, LookupError):  # os._exit, or the program wrote here itself
            return "error", f"exit code {code}"
        message = f"{kind}: {text}" if text else kind
        return "error", message + (f" (line {line})" if isinstance(line, int) else "")


def _cpu_seconds(pid: int) -> float:
    """CPU time of another process, to the nanosecond: the kernel's clock number for it (Linux).

    Where there is no such clock it seems to be zero, and RLIMIT_CPU, which counts whole seconds,
    takes over.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _waiting_seconds(pid: int) -> float:
    """How long a process was ready to run and no processor was free for it (Linux)."""
    try:
        with open(f"/proc/{pid}/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _is_readable(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except OSError:  # nobody there
        return


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "real-time"

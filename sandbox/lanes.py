"""The fork server's side of lanes: forks children that run several programs each, and watches them.

What a lane's child reports is taken only where it is an ordinary end or an ordinary exception. Any
trouble (a signal, a record that is none) costs the lane its life, and the program that was running
is said to be one that must run alone; the others go on in a new child. A program that takes long
keeps its lane, but for itself: the others are given back, so that they need not wait for it. So no
program's outcome depends on its neighbours, only the time that it takes.
"""

import contextlib
import json
import math
import os
import select
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any

from assay.sandbox import child, lane
from assay.sandbox.supervise import AbandonedError, Supervisor, cpu_seconds

__all__ = ["Lanes"]

# A program that takes longer than this, in CPU seconds, has the lane for itself from then on.
_LONG = 0.1
# Milliseconds for which records are gathered, unless the child says that it has done all: to be
# woken for each would cost more than most run.
_GATHERED = 5


class Lanes:
    """The lane of one fork server: it lives on from one request to the next."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._idle: _Lane | None = None  # between two requests

    @property
    def is_idle(self) -> bool:
        """Whether there is a process that waits for a request."""
        return self._idle is not None

    def end(self) -> None:
        """Ends the process that waits for a request, if there is one."""
        if self._idle:
            self._idle.end()
            self._idle = None

    def run(self, programs: Sequence[str], client: socket.socket) -> Iterator[list[dict[str, Any]]]:
        """The outcomes of programs, in order, as messages; of some only that they must run alone.

        The last message may be a `fault`, as of `Supervisor.run`. Raises AbandonedError where the
        client closes its socket meanwhile.
        """
        first, last = 0, len(programs)
        while first < last:
            try:
                watched = self._lane_for(programs[first:last])
            except OSError as error:
                yield [{"fault": f"cannot start a process: {error.strerror}"}]
                return
            goes_on = False
            try:
                for records in watched.records(client):
                    if not records:  # it takes long
                        yield [{"index": i, "status": lane.LATER} for i in range(first + 1, last)]
                        last = first + 1
                    records = records[: last - first]
                    yield [
                        {"index": i, **self._message(record)}
                        for i, record in enumerate(records, first)
                    ]
                    first += len(records)
                    if first == last:
                        break
                goes_on = watched.has_done_all
            finally:
                if not goes_on:
                    watched.end()
            if goes_on:
                self._idle = watched
            elif first < last and not watched.has_left:
                yield [{"index": first, "status": lane.ALONE}]  # the one that was running
                first += 1

    def _lane_for(self, programs: Sequence[str]) -> "_Lane":
        """A lane that has begun to run programs. Raises OSError."""
        idle, self._idle = self._idle, None
        if idle:
            if idle.goes_on_with(programs):
                return idle
            idle.end()
        return _Lane(self._supervisor, programs)

    def _message(self, record: dict[str, Any]) -> dict[str, Any]:
        status = record["status"]
        if status == lane.ALONE:
            return {"status": status}
        message = ""
        if status == "error":
            message = self._supervisor.error_message(record["error"])
        elif status == "timeout":
            message = self._supervisor.cpu_message()
        seconds = round(record["seconds"], 6)
        return {
            "status": status,
            "output": record["output"],
            "message": message,
            "seconds": seconds,
        }


class _Lane:
    """One child, from its fork to its end."""

    def __init__(self, supervisor: Supervisor, programs: Sequence[str]) -> None:
        output_limit = supervisor.limits.output_kb * 1024
        self._cpu_limit = supervisor.limits.cpu_seconds
        self._patience = supervisor.patience_seconds
        self.has_left = False  # it has ended by itself after some of the programs
        self._expected = len(programs)
        # JSON makes at most six bytes of one; the rest is for what is around the output.
        self._longest = 6 * output_limit + 65536
        self._entered = False  # it is behind the walls
        self._in_trouble = False
        self._count = 0  # of the records so far
        self._begun = b""  # a record
        self._cpu = 0.0  # seconds, when it began with a request
        self._report, report_end = os.pipe()
        self._requests, theirs = socket.socketpair()
        # A child that does not read must not hold this process up.
        self._requests.setblocking(False)
        try:
            self._pid = supervisor.fork(
                lambda enter: lane.run(programs, report_end, theirs.fileno(), output_limit, enter)
            )
        except OSError:
            os.close(self._report)
            self._requests.close()
            raise
        finally:
            os.close(report_end)
            theirs.close()

    @property
    def has_done_all(self) -> bool:
        """Whether it has done all that it was given, without trouble."""
        return self._count == self._expected and not self._in_trouble and not self._begun

    def goes_on_with(self, programs: Sequence[str]) -> bool:
        """Gives more programs to a lane that has done all; False where it does not take them.

        What does not fit into its socket at once is for a new lane.
        """
        data = lane.as_request(programs)
        self._cpu = cpu_seconds(self._pid)
        self._expected += len(programs)
        try:
            return self._requests.send(data) == len(data)
        except OSError:  # nobody there any more, or no room
            return False

    def records(self, client: socket.socket) -> Iterator[list[dict[str, Any]]]:
        """What the child reports of a request, checked, up to its end or the first trouble.

        An empty list says that a program takes long. What it may come to in the end is `timeout`,
        without output: a lane tells nothing of a program before its end.
        """
        poller = select.poll()
        poller.register(self._report, select.POLLIN)
        poller.register(client, 0)  # only its hanging up
        pause = select.poll()
        pause.register(self._requests, select.POLLIN)
        cpu, wall, is_long = self._cpu, time.monotonic(), False
        while self._count < self._expected and not self._in_trouble:
            used, passed = cpu_seconds(self._pid) - cpu, time.monotonic() - wall
            left = (self._cpu_limit if is_long else min(_LONG, self._cpu_limit)) - used
            waited = min(left, self._patience - passed)
            ready = {descriptor for descriptor, _ in poller.poll(max(0, math.ceil(waited * 1000)))}
            if client.fileno() in ready:
                raise AbandonedError
            if self._report in ready:
                if pause.poll(_GATHERED):
                    with contextlib.suppress(OSError):
                        self._requests.recv(4096)  # that it has done all
                if records := self._read():
                    cpu = cpu_seconds(self._pid)
                    yield records
                    wall, is_long = time.monotonic(), False
                continue
            # Nothing has ended since the last record, so that all of the time is one program's. To
            # look at the clock alone would blame it for others' where this process was held up.
            if used >= self._cpu_limit:
                yield [{"status": "timeout", "output": "", "seconds": used}]
                return
            if passed >= self._patience:  # no processor for it, or no clock to see what it does
                return
            if used >= _LONG and not is_long:
                is_long = True
                yield []

    def _read(self) -> list[dict[str, Any]]:
        """The records that have come, up to the first trouble."""
        data = os.read(self._report, 65536)
        *lines, self._begun = (self._begun + data).split(b"\n")
        self._in_trouble = not data or len(self._begun) > self._longest
        records: list[dict[str, Any]] = []
        for line in lines:
            if not self._entered and line == child.ENTERED:
                self._entered = True
                continue
            record = _checked(line, self._count) if self._entered else None
            if record is None or record["status"] == lane.LEFT:
                self.has_left = record is not None and self._count > 0
                self._in_trouble = True
                break
            self._count += 1
            records.append(record)
        return records

    def end(self) -> None:
        """Kills the child, which has nothing left to do or is not to go on, and reaps it."""
        os.close(self._report)
        self._requests.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _checked(line: bytes, count: int) -> dict[str, Any] | None:
    """The record in a line, or None where it is not one that may come now."""
    try:
        record = json.loads(line)
        status = record["status"]
        if record["index"] != count:
            return None
        if status in (lane.ALONE, lane.LEFT):
            return {"status": status}
        told = (record["output"], record["error"], record["seconds"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    if status in ("ok", "no_output", "error") and list(map(type, told)) == [str, str, float]:
        return dict(zip(("status", "output", "error", "seconds"), (status, *told), strict=True))
    return None

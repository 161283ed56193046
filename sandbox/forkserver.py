"""A clean interpreter that never runs a program itself, but forks for every one that it is sent.

Two levels. The root is what the client starts: it imports, sets up the walls, and forks servers,
one for each of the client's workers, so that importing numpy and sympy happens once however many
there are, and a server that dies is replaced in milliseconds. A server forks one child a program.
Neither ever starts a thread, opens a file that a program could reach, or holds more than the one
program that it is running.

The end: each level ends when the socket to the client closes, and on Linux the kernel kills a
server whose root is gone and a child whose server is gone. The root also looks every second whether
the client still is its parent, because a copy of the socket may live on in a process that the
client has forked. Where there are PID namespaces, the root is process 1 of its own, whose end is
the end of every process in it, and a process outside, idle but for that look, stands between it and
the client.
"""

import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any, NoReturn

from assay.sandbox import child, lanes, linux, wire
from assay.sandbox.isolation import Isolation
from assay.sandbox.outcome import Limits
from assay.sandbox.preload import preload
from assay.sandbox.supervise import AbandonedError, Supervisor

__all__ = ["main"]

_TICK = 1000  # milliseconds


def main(descriptor: int, parent: int, entered: list[str]) -> NoReturn:
    """The root: `descriptor` is its socket to the client, over which the settings come first.

    It ends when its parent is another than `parent`. `entered` are the layers that it is in.
    """
    _adopt_orphans()
    # On the lowest number that is free: a client may have thousands of descriptors open, and the
    # children close only as many as a fork server can have.
    control = socket.socket(fileno=os.dup(descriptor))
    os.close(descriptor)
    settings = wire.receive(control)
    if settings is None:
        sys.exit(0)
    sys.path += [path for path in settings["paths"] if path not in sys.path]
    preload(settings["tier"])
    # Ours are no modules of the program's.
    for name in [name for name in sys.modules if name.partition(".")[0] == "assay"]:
        del sys.modules[name]
    limits = Limits(**settings["limits"])
    isolation = Isolation(limits.memory_mb, limits.cpu_seconds, settings["paths"], entered)
    child.prepare()
    supervisor = Supervisor(limits, settings["patience_seconds"], isolation)
    # What exists now is never looked at again by the collector, whose marks would make every child
    # copy every page of it.
    gc.collect()
    gc.disable()
    gc.freeze()
    wire.send(control, {"active": isolation.active})
    os.dup2(0, 2)  # errors up to here were the client's to read
    _serve_client(control, parent, supervisor)


def _adopt_orphans() -> None:
    """Children of a server that was killed become this process's, which reaps them.

    In a container there is often nobody else who would.
    """
    if sys.platform == "linux":
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)


def _serve_client(control: socket.socket, parent: int, supervisor: Supervisor) -> NoReturn:
    servers: set[int] = set()
    poller = select.poll()
    poller.register(control, select.POLLIN)
    while os.getppid() == parent:
        asked = poller.poll(_TICK)
        servers -= _reap()
        if not asked:
            continue
        order, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if order == wire.OPEN and descriptors:
            servers.add(_fork_server(control, socket.socket(fileno=descriptors[0]), supervisor))
        elif order == wire.KILL:
            pid = int.from_bytes(control.recv(4, socket.MSG_WAITALL), "big")
            if pid in servers:
                os.kill(pid, signal.SIGKILL)
        else:  # the client has closed
            break
    _end(servers)


def _fork_server(control: socket.socket, client: socket.socket, supervisor: Supervisor) -> int:
    root = os.getpid()
    pid = os.fork()
    if pid:
        client.close()
        return pid
    try:
        control.close()
        if sys.platform == "linux":
            linux.die_with_parent(root)
        _serve(client, root, supervisor)
    except (AbandonedError, OSError):
        pass
    finally:
        os._exit(0)


def _serve(client: socket.socket, root: int, supervisor: Supervisor) -> None:
    wire.send(client, {"pid": os.getpid()})
    own_lanes = lanes.Lanes(supervisor)
    # Without the kernel's help a server has to look for itself whether its root is still there.
    tick = None if sys.platform == "linux" else _TICK
    poller = select.poll()
    poller.register(client, select.POLLIN)
    while os.getppid() == root:
        if not poller.poll(_TICK if own_lanes.is_idle else tick):
            own_lanes.end()
            continue
        request = wire.receive(client)
        if request is None:
            return
        number, programs = request["number"], request["programs"]
        # A single program is worth a lane only where there is one.
        if request["alone"] or (len(programs) == 1 and not own_lanes.is_idle):
            told = _one_by_one(supervisor, programs, client)
        else:
            told = own_lanes.run(programs, client)
        for outcomes in told:
            wire.send(client, {"number": number, "outcomes": outcomes})
        # So that the next program's child does not inherit them.
        del request, programs, outcomes, told


def _one_by_one(
    supervisor: Supervisor, programs: list[str], client: socket.socket
) -> Iterator[list[dict[str, Any]]]:
    for index, program in enumerate(programs):
        yield [{"index": index, **supervisor.run(program, client)}]


def _reap() -> set[int]:
    reaped: set[int] = set()
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return reaped
        if pid == 0:
            return reaped
        reaped.add(pid)


def _end(servers: set[int]) -> NoReturn:
    """Waits a little for the servers, which end by themselves, kills the rest, and ends."""
    if os.getpid() == 1:  # of a PID namespace: the kernel kills all others in it
        os._exit(0)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline and servers:
        servers -= _reap()
        time.sleep(0.002)
    for pid in servers:
        os.kill(pid, signal.SIGKILL)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            os._exit(0)

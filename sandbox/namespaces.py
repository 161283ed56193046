"""Users, a network and processes of a sandbox's own, where the kernel lets us make them (Linux).

An extra behind seccomp, entered once by a fork server and inherited by all that it forks. In a
network namespace there is nothing to connect to, not even the machine itself. In a PID namespace no
process outside can be named, and when its first one ends, the kernel kills all the others and waits
until they are gone, whatever they did to be forgotten.

Only root may make these two, except in a user namespace, which anybody may make: its maker has
every capability over what is made in it, and none over anything else. Many containers refuse all
three. Ubuntu lets a user namespace be made and then takes its capabilities away. So a forked child
goes first, and this process enters only what was seen to hold in it.

    held, parent = namespaces.enter(os.getppid())
    # ["user_namespace", "network_namespace", "pid_namespace"], 0; this is process 1 of the last

See namespaces(7), user_namespaces(7), network_namespaces(7) and pid_namespaces(7).
"""

import functools
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

from assay.sandbox import linux
from assay.sandbox.probe import which_succeed

__all__ = ["enter"]

_TICK = 1.0  # seconds
_USER, _NETWORK, _PID = "user_namespace", "network_namespace", "pid_namespace"
# The one that allows the others comes first.
_FLAGS = {_USER: linux.CLONE_NEWUSER, _NETWORK: linux.CLONE_NEWNET, _PID: linux.CLONE_NEWPID}


def enter(client: int) -> tuple[list[str], int]:
    """Enters the namespaces that hold here; returns their names and this process's parent.

    With a PID namespace the process that returns is a child of the one that called, and process 1
    of the namespace. The one that called stays outside, ends when that child ends, and ends it when
    `client`, its own parent, is gone: the child cannot see who lives outside, its parent is 0.
    """
    if sys.platform != "linux":
        return [], client
    readable = [path for path in (os.__file__, *sys.path) if os.access(path, os.R_OK)]
    found = _try(list(_FLAGS), readable)
    if not found and os.geteuid() == 0:
        # A user namespace may be of no use to root either (it takes CAP_SETFCAP to be root in one),
        # or Python may lie where only a true root can read it.
        found = _try([_NETWORK, _PID], readable)
    held = _unshare(found)
    if _PID not in held:
        return held, client
    parent = _continue_inside(client)
    return [name for name in held if name != _PID or os.getpid() == 1], parent


def _try(names: Sequence[str], readable: Sequence[str]) -> list[str]:
    """Which of the namespaces hold, and leave what is `readable` so: found out by a child."""
    # That a PID namespace holds is seen by the first one who is in it.
    tests = {_USER: _knows_nobody_else, _NETWORK: _cannot_reach_itself}
    made: list[str] = []

    def make() -> bool:
        made.extend(_unshare(names))
        return all(os.access(path, os.R_OK) for path in readable)

    def holds(name: str) -> bool:
        return name in made and (name not in tests or tests[name]())

    fits, *hold = which_succeed([make, *(functools.partial(holds, name) for name in names)])
    return [name for name, it_holds in zip(names, hold, strict=True) if fits and it_holds]


def _unshare(names: Sequence[str]) -> list[str]:
    """Makes the namespaces, for this process or its next child; returns those that were allowed.

    Raises OSError where a user namespace was made that is of no use.
    """
    made = []
    for name in names:
        user, group = os.geteuid(), os.getegid()
        try:
            linux.unshare(_FLAGS[name])
        except OSError:
            continue
        made.append(name)
        if name == _USER:
            _keep_identity(user, group)
    if _USER in made:
        linux.drop_capabilities()  # those over the namespaces, which their maker was given
    return made


def _keep_identity(user: int, group: int) -> None:
    """Gives this user the same number inside, so that files belong to whom they belonged before.

    Without privilege only one's own number can be mapped, and a group only after giving up the
    right to leave groups, which may be what denies access to a file.
    """
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def _knows_nobody_else() -> bool:
    with open("/proc/self/uid_map") as file:
        return file.read().split()[2:] == ["1"]  # one line, and one user in it


def _cannot_reach_itself() -> bool:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("127.0.0.1", 9))  # sends nothing, but looks for a way there
    except OSError:
        return True
    return False


def _continue_inside(client: int) -> int:
    """Returns in a child, the first of the PID namespace, its parent; that one stays outside."""
    lives, end = os.pipe()
    root = os.fork()
    if root:
        os.close(lives)
        _watch(root, client)  # and keeps `end` open for as long as this process lives
    os.close(end)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = os.getppid()
    poller = select.poll()
    poller.register(lives, 0)
    if poller.poll(0):  # it was gone before the kernel was told
        os._exit(0)
    os.close(lives)
    return parent


def _watch(root: int, client: int) -> NoReturn:
    # Waiting for the signal, with a limit, is waiting for the child or the next look at the client.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    while True:
        ended, status = os.waitpid(root, os.WNOHANG)
        if ended:
            os._exit(1 if status else 0)
        if os.getppid() != client:
            os.kill(root, signal.SIGKILL)
        signal.sigtimedwait([signal.SIGCHLD], _TICK)

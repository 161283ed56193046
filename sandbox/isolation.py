"""The walls between a program and the machine: which there are here, and how a child enters them.

Each layer is probed once, by a forked child that enters it and then tries what it forbids; only a
layer that was seen to hold counts as active. The rest works without: rlimits alone on macOS.

    isolation = Isolation(memory_mb=512, cpu_seconds=2.0, extra_paths=[])
    isolation.active    # {"rlimits": True, "no_new_privs": True, "seccomp": True, ...}
    isolation.enter(4)  # in the child; there is no way back out
"""

import contextlib
import errno
import functools
import os
import resource
import socket
import sys
import sysconfig
from collections.abc import Collection

from assay.sandbox import landlock, linux, seccomp
from assay.sandbox.layers import LAYERS
from assay.sandbox.probe import which_succeed

__all__ = ["Isolation"]

_DESCRIPTORS = 64  # as many as a fork server can have open
_MEGABYTE = 1024 * 1024


class Isolation:
    """Made by a fork server before it serves anything; entered by each child.

    `entered` are the layers that the fork server is in already, and its children with it.
    """

    def __init__(
        self,
        memory_mb: int,
        cpu_seconds: float,
        extra_paths: list[str],
        entered: Collection[str] = (),
    ) -> None:
        self.active = {name: name in entered for name in LAYERS}
        self._rules = -1
        self._filter: seccomp.Filter | None = None
        # Inherited by every child, and no hindrance to a fork server.
        for limit, value in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NOFILE, _DESCRIPTORS),
            (resource.RLIMIT_STACK, 64 * _MEGABYTE),
        ):
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(limit, _lowered(limit, value))
        self._prepare_limits(_address_space() + memory_mb * _MEGABYTE, cpu_seconds)
        with contextlib.suppress(OSError):
            linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
            self.active["no_new_privs"] = True
        self.active["unprivileged"] = self._without_privileges()
        if self.active["no_new_privs"]:
            with contextlib.suppress(OSError):
                self._rules = landlock.make_rules(readable_folders(extra_paths))
            with contextlib.suppress(OSError):
                self._filter = seccomp.build()
            # In this order, because under seccomp nobody can enter Landlock any more.
            probed = which_succeed([self._landlock_holds, self._seccomp_holds])
            self.active["landlock"], self.active["seccomp"] = probed

    def enter(self, first_closed: int) -> None:
        """Limits, Landlock, and seccomp last, which would forbid the others. Raises OSError.

        Descriptors from `first_closed` on are closed on the way: Landlock's rules are one of them.
        """
        for limit, values in self._limits:
            resource.setrlimit(limit, values)
        if self.active["landlock"]:
            landlock.enter(self._rules)
        os.closerange(first_closed, _DESCRIPTORS)
        if self.active["seccomp"] and self._filter:
            self._filter.install()

    def _prepare_limits(self, memory: int, cpu_seconds: float) -> None:
        wanted = [
            (resource.RLIMIT_AS, _lowered(resource.RLIMIT_AS, memory)),
            # A second line behind the fork server, which measures more finely.
            (resource.RLIMIT_CPU, _lowered(resource.RLIMIT_CPU, int(cpu_seconds) + 2)),
            (resource.RLIMIT_NPROC, _lowered(resource.RLIMIT_NPROC, 0)),
        ]
        *are_set, self.active["memory"] = which_succeed(
            [*(functools.partial(_sets, *one) for one in wanted), lambda: _cannot_take(memory)]
        )
        # macOS has all their numbers and refuses some.
        self._limits = [one for one, is_set in zip(wanted, are_set, strict=True) if is_set]
        self.active["rlimits"] = bool(self._limits)

    def _without_privileges(self) -> bool:
        if os.geteuid() != 0:
            return True
        # Root without capabilities may not even read files that belong to somebody else, so where
        # Python itself is such a file they have to stay.
        if not which_succeed([_can_read_python_without_capabilities])[0]:
            return False
        linux.drop_capabilities()
        return True

    def _landlock_holds(self) -> bool:
        landlock.enter(self._rules)
        return _sees_python_only()

    def _seccomp_holds(self) -> bool:
        if self._filter is None:
            return False
        self._filter.install()
        return _cannot_open_a_socket()


def readable_folders(extra_paths: list[str]) -> list[str]:
    """Where Python, its packages and the C libraries under them lie; nothing of the user's."""
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    for prefix in {sys.prefix, sys.base_prefix}:
        paths += [os.path.join(prefix, name) for name in ("lib", "lib64")]
    paths += ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/nix/store"]
    # These two can name anything, a home folder or this project, so only by what they look like.
    paths += [p for p in os.environ.get("LD_LIBRARY_PATH", "").split(":") if "/lib" in p]
    paths += [p for p in sys.path + extra_paths if p.endswith("-packages")]
    folders = {os.path.realpath(path) for path in paths if path and os.path.isdir(path)}
    return sorted(folders - {"/"})


def _lowered(limit: int, value: int) -> tuple[int, int]:
    """Soft and hard value, never above what the hard one was, which only root could."""
    hard = resource.getrlimit(limit)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    return value, value


def _sets(limit: int, values: tuple[int, int]) -> bool:
    resource.setrlimit(limit, values)
    return True


def _address_space() -> int:
    """Bytes of address space this process has; it is what a child starts with."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 256 * _MEGABYTE


def _cannot_take(size: int) -> bool:
    try:
        bytearray(size)
    except MemoryError:
        return True
    return False


def _can_read_python_without_capabilities() -> bool:
    linux.drop_capabilities()
    return _can_read_python()


def _can_read_python() -> bool:
    with open(os.__file__, "rb") as file:
        return bool(file.read(1))


def _sees_python_only() -> bool:
    try:
        os.listdir("/")
    except PermissionError:
        return _can_read_python()
    return False


def _cannot_open_a_socket() -> bool:
    try:
        socket.socket().close()
    except OSError as error:
        return error.errno == errno.EPERM
    return False

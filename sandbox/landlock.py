"""No file system but what Python needs to import, no TCP, no signals outward: Linux's Landlock.

seccomp sees numbers and flags but not paths; Landlock sees paths. It needs no privilege, only a
kernel that has it switched on (5.13 for files; 6.7 adds TCP, 6.12 signals and abstract sockets).
The rules are made once, as a descriptor; a child enters them with one cheap call.
See landlock(7) and Linux `Documentation/userspace-api/landlock.rst`.
"""

import ctypes
import fcntl
import os
from collections.abc import Iterable

from assay.sandbox import linux

__all__ = ["enter", "make_rules"]

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_READ_FILE, _READ_DIRECTORY = 1 << 2, 1 << 3
_TCP = 0b11
# Above the few numbers that a child moves its pipes to.
_OUT_OF_THE_WAY = 32
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


class _Handled(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def make_rules(readable: Iterable[str]) -> int:
    """A descriptor of the rules: the folders in `readable` may be read, and nothing else.

    Raises OSError where the kernel has no Landlock.
    """
    no_size, ask_version = ctypes.c_size_t(0), ctypes.c_uint32(1)
    version = linux.syscall(_CREATE_RULESET, None, no_size, ask_version)
    # A kernel refuses rights that it does not know, so ask for those of its version: 13 from the
    # start, then linking across folders, truncating, and device control.
    rights = 13 + sum(version >= v for v in (2, 3, 5))
    handled = _Handled((1 << rights) - 1)
    size = 8
    if version >= 4:
        handled.net, size = _TCP, 16
    if version >= 6:
        handled.scoped, size = _ABSTRACT_SOCKETS_AND_SIGNALS, 24
    rules = linux.syscall(
        _CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(size), ctypes.c_uint32(0)
    )
    for path in readable:
        folder = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            beneath = _Beneath(_READ_FILE | _READ_DIRECTORY, folder)
            linux.syscall(
                _ADD_RULE,
                ctypes.c_int(rules),
                ctypes.c_int(_PATH_BENEATH),
                ctypes.byref(beneath),
                ctypes.c_uint32(0),
            )
        finally:
            os.close(folder)
    try:
        return fcntl.fcntl(rules, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY)
    finally:
        os.close(rules)


def enter(rules: int) -> None:
    """Puts this process under the rules, for good; needs no_new_privs. Raises OSError."""
    linux.syscall(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0))

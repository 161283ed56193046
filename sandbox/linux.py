"""The few Linux calls that Python lacks, over ctypes: prctl, capset, unshare and raw system calls.

Every function raises OSError where the kernel refuses or where this is not Linux.
"""

import ctypes
import os
import signal
import sys
from typing import Any

__all__ = [
    "CLONE_NEWNET",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "PR_SET_CHILD_SUBREAPER",
    "PR_SET_NO_NEW_PRIVS",
    "PR_SET_PDEATHSIG",
    "PR_SET_SECCOMP",
    "die_with_parent",
    "drop_capabilities",
    "prctl",
    "syscall",
    "unshare",
]

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_CAPABILITY_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySets(ctypes.Structure):
    # Effective, permitted and inheritable, once for the low and once for the high 32 bits.
    _fields_ = (("bits", ctypes.c_uint32 * 6),)


def prctl(option: int, first: Any = 0, second: Any = 0) -> None:
    """Sets a property of this process; unused arguments are zero, as some options demand."""
    _on_linux()
    given = [a if isinstance(a, ctypes.c_void_p) else ctypes.c_ulong(a) for a in (first, second)]
    _checked(_libc.prctl(option, *given, ctypes.c_ulong(0), ctypes.c_ulong(0)))


def syscall(number: int, *arguments: Any) -> int:
    """A system call that the C library has no wrapper for."""
    _on_linux()
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments))


def die_with_parent(parent: int) -> None:
    """Lets the kernel kill this process when its parent, which must be `parent`, is gone."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before the line above
        os._exit(0)


def unshare(kind: int) -> None:
    """Makes a namespace for this process, or with CLONE_NEWPID for its children."""
    _on_linux()
    _checked(_libc.unshare(ctypes.c_int(kind)))


def drop_capabilities() -> None:
    """Gives up every capability of this process, and the means to get one back."""
    _on_linux()
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # beyond the last one, or not allowed to: the sets below are what counts
            break
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(ctypes.byref(header), ctypes.byref(_CapabilitySets())))


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def _on_linux() -> None:
    if sys.platform != "linux":
        raise OSError("not Linux")

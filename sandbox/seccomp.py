"""The list of system calls that a program may make; every other one fails with EPERM.

A filter is a small program for the kernel's classic BPF machine, run at every system call of the
process that installed it and of nobody else; it cannot be taken off again. It is written here by
hand, because the alternative is a C library that every user would have to install.

What is left to a program is what Python itself needs to compute, to import and to print. It cannot
open a file for writing, make, rename or remove one, open a socket, start a process or thread,
signal or trace anyone, change its limits, or reach a device. Where to look things up: seccomp(2),
Linux `Documentation/userspace-api/seccomp_filter.rst`.

    build().install()
"""

import ctypes
import errno
import platform
from dataclasses import dataclass

from assay.sandbox import linux

__all__ = ["ARCHITECTURES", "Filter", "assemble", "build"]

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant

# Allowed with any arguments. Names are the kernel's; numbers differ by architecture, and where one
# lacks a call (aarch64 has no `stat`, only `newfstatat`) it is missing from its table.
_X86_64 = {
    # files: reading what is open, looking at what is there
    "read": 0, "readv": 19, "pread64": 17, "write": 1, "writev": 20, "close": 3, "lseek": 8,
    "fstat": 5, "newfstatat": 262, "stat": 4, "lstat": 6, "statx": 332, "access": 21,
    "faccessat": 269, "faccessat2": 439, "readlink": 89, "readlinkat": 267, "getdents64": 217,
    "getcwd": 79, "dup": 32, "fadvise64": 221,
    # memory
    "mmap": 9, "mprotect": 10, "munmap": 11, "mremap": 25, "madvise": 28, "brk": 12,
    # its own signal handlers
    "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "sigaltstack": 131,
    "restart_syscall": 219,
    # who and where it is
    "getpid": 39, "gettid": 186, "getppid": 110, "getuid": 102, "geteuid": 107, "getgid": 104,
    "getegid": 108, "uname": 63, "sysinfo": 99, "getrusage": 98, "times": 100, "getrlimit": 97,
    "sched_getaffinity": 204, "sched_yield": 24, "getcpu": 309,
    # time and chance
    "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "nanosleep": 35,
    "gettimeofday": 96, "time": 201, "getrandom": 318,
    # waiting, locks, the end
    "poll": 7, "ppoll": 271, "select": 23, "pselect6": 270, "futex": 202, "membarrier": 324,
    "exit": 60, "exit_group": 231,
}  # fmt: skip
_AARCH64 = {
    "read": 63, "readv": 65, "pread64": 67, "write": 64, "writev": 66, "close": 57, "lseek": 62,
    "fstat": 80, "newfstatat": 79, "statx": 291, "faccessat": 48, "faccessat2": 439,
    "readlinkat": 78, "getdents64": 61, "getcwd": 17, "dup": 23, "fadvise64": 223,
    "mmap": 222, "mprotect": 226, "munmap": 215, "mremap": 216, "madvise": 233, "brk": 214,
    "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "sigaltstack": 132,
    "restart_syscall": 128,
    "getpid": 172, "gettid": 178, "getppid": 173, "getuid": 174, "geteuid": 175, "getgid": 176,
    "getegid": 177, "uname": 160, "sysinfo": 179, "getrusage": 165, "times": 153,
    "getrlimit": 163, "sched_getaffinity": 123, "sched_yield": 124, "getcpu": 168,
    "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115, "nanosleep": 101,
    "gettimeofday": 169, "getrandom": 278,
    "ppoll": 73, "pselect6": 72, "futex": 98, "membarrier": 283, "exit": 93, "exit_group": 94,
}  # fmt: skip


@dataclass(frozen=True)
class Architecture:
    """What differs between processors; `audit` is the kernel's name for the calling convention."""

    audit: int
    allowed: dict[str, int]
    # Allowed with some arguments only, or refused in a special way.
    checked: dict[str, int]


ARCHITECTURES = {
    "x86_64": Architecture(
        0xC000003E,
        _X86_64,
        {"open": 2, "openat": 257, "fcntl": 72, "prlimit64": 302, "clone3": 435},
    ),
    "aarch64": Architecture(
        0xC00000B7, _AARCH64, {"openat": 56, "fcntl": 25, "prlimit64": 261, "clone3": 435}
    ),
}

# Offsets in struct seccomp_data. Both architectures are little-endian: the low half comes first.
_NUMBER, _AUDIT, _ARGUMENTS = 0, 4, 16
# Classic BPF: load a word, and with it, compare (equal, at least, any bit of), return.
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT = 0x15, 0x35, 0x45
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000

# O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | __O_TMPFILE, the same on both architectures.
_OPEN_TO_WRITE = 0o1 | 0o2 | 0o100 | 0o1000 | 0o20000000
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC. Not F_SETOWN and F_SETFL: together they make
# the kernel send a signal to any process of the same user.
_HARMLESS_FCNTL = (0, 1, 2, 3, 1030)
# Calls made by the x32 convention carry this bit; they would get past a list of numbers.
_X32 = 0x40000000


class Filter:
    """An assembled filter in the kernel's form; `install` is cheap enough for every child."""

    def __init__(self, instructions: list[Instruction]) -> None:
        size = len(instructions)
        self._code = (_Statement * size)(*[_Statement(*i) for i in instructions])
        self._program = _Program(size, ctypes.cast(self._code, ctypes.c_void_p))
        self._address = ctypes.c_void_p(ctypes.addressof(self._program))

    def install(self) -> None:
        """Puts this process under the filter, for good; needs no_new_privs. Raises OSError."""
        seccomp_mode_filter = 2
        linux.prctl(linux.PR_SET_SECCOMP, seccomp_mode_filter, self._address)


class _Statement(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("constant", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("statements", ctypes.c_void_p))


def build() -> Filter:
    """The filter for this machine; raises OSError where there is none for its processor."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(f"no list of system calls for {machine}")
    return Filter(assemble(ARCHITECTURES[machine]))


def assemble(architecture: Architecture) -> list[Instruction]:
    """The filter as instructions: foreign conventions end the process, then a binary search."""
    denied = [_returns(_ERRNO | errno.EPERM)]
    allowed = [_returns(_ALLOW)]
    verdicts = dict.fromkeys(architecture.allowed.values(), allowed)
    for name, number in architecture.checked.items():
        verdicts[number] = _checks(name)
    # The verdict is the same from each start to the next.
    starts: list[tuple[int, list[Instruction]]] = [(0, denied)]
    for number in sorted(verdicts):
        if starts[-1][0] == number:
            starts.pop()
        if not starts or starts[-1][1] != verdicts[number]:
            starts.append((number, verdicts[number]))
        starts.append((number + 1, denied))
    starts.append((_X32, [_returns(_KILL)]))
    return [
        (_LOAD, 0, 0, _AUDIT),
        (_IF_EQUAL, 1, 0, architecture.audit),
        _returns(_KILL),
        (_LOAD, 0, 0, _NUMBER),
        *_search(starts),
    ]


def _search(starts: list[tuple[int, list[Instruction]]]) -> list[Instruction]:
    """A balanced tree, so that a call costs six comparisons and not sixty.

    It matters most at installation, when the kernel tries the filter on every number there is to
    learn which calls it may wave through.
    """
    if len(starts) == 1:
        return starts[0][1]
    middle = len(starts) // 2
    below, above = _search(starts[:middle]), _search(starts[middle:])
    if len(below) > 255:
        raise ValueError("the filter's tree is too large for a conditional jump")
    return [(_IF_AT_LEAST, len(below), 0, starts[middle][0]), *below, *above]


def _checks(name: str) -> list[Instruction]:
    """Instructions for a call whose arguments decide; each ends in a return."""
    refuse = _returns(_ERRNO | errno.EPERM)
    if name == "clone3":
        # Its arguments are behind a pointer, out of reach. ENOSYS makes the C library fall back to
        # clone, which is refused with EPERM: an error that Python reports properly.
        return [_returns(_ERRNO | errno.ENOSYS)]
    if name in ("open", "openat"):
        flags = 1 if name == "open" else 2
        return [
            (_LOAD, 0, 0, _low_half(flags)),
            (_IF_ANY_BIT, 1, 0, _OPEN_TO_WRITE),
            _returns(_ALLOW),
            refuse,
        ]
    if name == "fcntl":
        tests = [
            (_IF_EQUAL, len(_HARMLESS_FCNTL) - i, 0, command)
            for i, command in enumerate(_HARMLESS_FCNTL)
        ]
        return [(_LOAD, 0, 0, _low_half(1)), *tests, refuse, _returns(_ALLOW)]
    if name == "prlimit64":
        # Only its own limits (process 0), and only to read them (no new value).
        halves = (_low_half(0), _low_half(0) + 4, _low_half(2), _low_half(2) + 4)
        tests = []
        for i, half in enumerate(halves):
            tests += [(_LOAD, 0, 0, half), (_IF_EQUAL, 0, 2 * (len(halves) - i) - 1, 0)]
        return [*tests, _returns(_ALLOW), refuse]
    raise ValueError(name)


def _low_half(argument: int) -> int:
    return _ARGUMENTS + 8 * argument


def _returns(value: int) -> Instruction:
    return (_RETURN, 0, 0, value)

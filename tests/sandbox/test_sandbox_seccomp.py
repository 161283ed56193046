"""The seccomp filter, run on a small model of the kernel's BPF machine for both architectures."""

import errno
import re
from pathlib import Path

import pytest

from assay.sandbox import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS


def verdict(machine: str, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the kernel would answer: the filter interpreted one instruction at a time."""
    architecture = seccomp.ARCHITECTURES[machine]
    words = {0: number, 4: architecture.audit if audit is None else audit}
    for i, value in enumerate([*arguments, 0, 0, 0, 0, 0, 0][:6]):
        words[16 + 8 * i], words[20 + 8 * i] = value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF
    program = seccomp.assemble(architecture)
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, constant = program[at]
        at += 1
        if code == 0x20:
            accumulator = words[constant]
        elif code == 0x06:
            return constant
        else:
            test = {
                0x15: accumulator == constant,
                0x35: accumulator >= constant,
                0x45: bool(accumulator & constant),
            }[code]
            at += if_true if test else if_false


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_exactly_the_listed_calls_are_allowed(machine: str) -> None:
    architecture = seccomp.ARCHITECTURES[machine]
    allowed = set(architecture.allowed.values())
    checked = set(architecture.checked.values())
    for number in range(600):
        if number not in checked:
            expected = ALLOW if number in allowed else EPERM
            assert verdict(machine, number) == expected, number


def test_a_foreign_calling_convention_ends_the_process() -> None:
    getpid = 39
    assert verdict("x86_64", getpid) == ALLOW
    assert verdict("x86_64", getpid, audit=0x40000003) == KILL  # int 0x80, i386
    assert verdict("x86_64", getpid | 0x40000000) == KILL  # x32
    assert verdict("x86_64", 0xFFFFFFFF) == KILL


@pytest.mark.parametrize(("machine", "openat"), [("x86_64", 257), ("aarch64", 56)])
def test_files_open_for_reading_only(machine: str, openat: int) -> None:
    o_wronly, o_rdwr, o_creat, o_trunc = 0o1, 0o2, 0o100, 0o1000
    o_cloexec, o_directory, o_tmpfile = 0o2000000, 0o200000, 0o20200000
    here = (1 << 64) - 100  # AT_FDCWD
    assert verdict(machine, openat, here, 4096, 0) == ALLOW
    assert verdict(machine, openat, here, 4096, o_cloexec | o_directory) == ALLOW
    for flags in (o_wronly, o_rdwr, o_creat, o_trunc, o_tmpfile | o_rdwr, o_cloexec | o_rdwr):
        assert verdict(machine, openat, here, 4096, flags) == EPERM
    if machine == "x86_64":
        assert verdict(machine, 2, 4096, 0) == ALLOW
        assert verdict(machine, 2, 4096, o_wronly | o_creat) == EPERM


@pytest.mark.parametrize(("machine", "prlimit"), [("x86_64", 302), ("aarch64", 261)])
def test_limits_can_be_read_not_set_and_only_its_own(machine: str, prlimit: int) -> None:
    nofile = 7
    assert verdict(machine, prlimit, 0, nofile, 0, 4096) == ALLOW
    assert verdict(machine, prlimit, 1234, nofile, 0, 4096) == EPERM
    assert verdict(machine, prlimit, 0, nofile, 4096, 0) == EPERM
    # Both halves of an argument count: this address has a zero low half.
    assert verdict(machine, prlimit, 0, nofile, 7 << 32, 0) == EPERM
    assert verdict(machine, prlimit, 7 << 32, nofile, 0, 4096) == EPERM


@pytest.mark.parametrize(("machine", "fcntl"), [("x86_64", 72), ("aarch64", 25)])
def test_fcntl_cannot_make_the_kernel_signal_others(machine: str, fcntl: int) -> None:
    f_getfd, f_getfl, f_setfl, f_setown, f_setsig, f_dupfd_cloexec = 1, 3, 4, 8, 10, 1030
    for command in (f_getfd, f_getfl, f_dupfd_cloexec):
        assert verdict(machine, fcntl, 1, command) == ALLOW
    for command in (f_setfl, f_setown, f_setsig):
        assert verdict(machine, fcntl, 1, command) == EPERM


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_processes_and_threads_cannot_be_made(machine: str) -> None:
    clone, execve = {"x86_64": (56, 59), "aarch64": (220, 221)}[machine]
    assert verdict(machine, clone) == verdict(machine, execve) == EPERM
    assert verdict(machine, 435) == ENOSYS  # clone3: the C library then tries clone


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_numbers_are_those_of_the_kernel_headers(machine: str, header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"{header} is not installed")
    lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text())
    numbers = {name: int(number) for name, number in lines}
    architecture = seccomp.ARCHITECTURES[machine]
    for name, number in {**architecture.allowed, **architecture.checked}.items():
        if machine == "aarch64" and name == "newfstatat":
            name = "fstatat"  # the generic header's name for it
        assert numbers[name] == number, name

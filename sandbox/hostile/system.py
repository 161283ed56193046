"""Attacks on other processes and on the kernel: kept in by seccomp."""

from functools import partial

from assay.sandbox.hostile.attack import CPU, DENIED, Attack

__all__ = ["ATTACKS"]

_process = partial(Attack, "processes", needs="seccomp")
_signal = partial(Attack, "signals", needs="seccomp")

_PROCESSES = (
    _process("fork", "import os\nos.fork()", "error", "^PermissionError"),
    _process("fork with a terminal", "import pty\npty.fork()", "error", "Error"),
    _process(
        "fork bomb",
        """
        import os
        while True:
            try: os.fork()
            except OSError: pass
        """,
        "timeout",
        CPU,
    ),
    _process(
        "forty sleepers",
        """
        import os, time
        for _ in range(40):
            if os.fork() == 0:
                time.sleep(5)
        """,
        "error",
        "^PermissionError",
    ),
    _process(
        "daemon",
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(0.3)
                open("{outside}/daemon", "w")
        """,
        "error",
        "^PermissionError",
    ),
    _process("subprocess", "import subprocess\nsubprocess.run(['id'])", "error", DENIED),
    _process(
        "shell", "import os\nprint(os.system('touch {outside}/shell') == 0)", "ok", r"^False\n$"
    ),
    _process("shell with a pipe", "import os\nprint(os.popen('id').read())", "error", DENIED),
    _process("spawn", "import os\nos.posix_spawn('/bin/sh', ['sh'], {})", "error", DENIED),
    _process("exec", "import os\nos.execv('/bin/sh', ['sh'])", "error", DENIED),
    _process(
        "exec of Python",
        "import os, sys\nos.execv(sys.executable, ['python', '-c', ''])",
        "error",
        DENIED,
    ),
    _process(
        "multiprocessing",
        "import multiprocessing as m\nm.get_context('fork').Process(target=print).start()",
        "error",
        DENIED,
    ),
    _process(
        "process pool",
        "import concurrent.futures as c\n"
        "with c.ProcessPoolExecutor(2) as p: print(*p.map(abs, [1]))",
        "error",
    ),
    _process(
        "thread", "import threading\nthreading.Thread(target=print).start()", "error", "thread"
    ),
    _process(
        "low thread", "import _thread\n_thread.start_new_thread(print, ())", "error", "thread"
    ),
    _process(
        "thread pool",
        "import concurrent.futures as c\n"
        "with c.ThreadPoolExecutor(2) as p: print(*p.map(abs, [1]))",
        "error",
        "thread",
    ),
    _process(
        "watchdog thread", "import faulthandler as f\nf.dump_traceback_later(9)", "error", "thread"
    ),
    _process("new session", "import os\nos.setsid()", "error", "^PermissionError"),
    _process(
        "another's group", "import os\nos.setpgid(0, os.getppid())", "error", "^PermissionError"
    ),
)

_SIGNALS = (
    _signal("kills its parent", "import os\nos.kill(os.getppid(), 9)", "error", DENIED),
    _signal("kills its group", "import os\nos.kill(0, 9)", "error", DENIED),
    _signal("killpg", "import os\nos.killpg(os.getpgid(os.getppid()), 9)", "error", DENIED),
    _signal("kills everyone", "import os\nos.kill(-1, 9)", "error", DENIED),
    _signal(
        "stops its parent",
        "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)",
        "error",
        DENIED,
    ),
    _signal(
        "stops itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "error", DENIED
    ),
    _signal(
        "raises a signal", "import signal\nsignal.raise_signal(signal.SIGSTOP)", "error", DENIED
    ),
    _signal(
        "through a descriptor",
        "import fcntl, os\nfcntl.fcntl(1, fcntl.F_SETOWN, os.getppid())",
        "error",
        "^PermissionError",
    ),
    _signal(
        "as soon as there is output",
        "import fcntl, os\nfcntl.fcntl(1, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)",
        "error",
        "^PermissionError",
    ),
    _signal(
        "through a handle of a process",
        "import os, signal\nsignal.pidfd_send_signal(os.pidfd_open(os.getppid()), 9)",
        "error",
        DENIED,
    ),
    _signal(
        "limits of its parent",
        "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (5, 5))",
        "error",
        DENIED,
    ),
    _signal(
        "its own limits",
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)",
        "error",
        "^(PermissionError|ValueError)",
    ),
    _signal("its own limits, lowered", "import resource\nresource.setrlimit(9, (1, 1))", "error"),
    _signal("priority", "import os\nos.nice(5)", "error", "^PermissionError"),
    _signal(
        "priority of its parent",
        "import os\nos.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "error",
        DENIED,
    ),
    _signal(
        "a processor for its parent",
        "import os\nos.sched_setaffinity(os.getppid(), {0})",
        "error",
        DENIED,
    ),
    _signal(
        "real-time scheduling",
        "import os\nos.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
        "error",
        "^PermissionError",
    ),
    _signal("user", "import os\nos.setuid(12345)\nprint(os.getuid())", "error", "^PermissionError"),
    _signal("groups", "import os\nos.setgroups([0])", "error", "^PermissionError"),
    _signal("root folder", "import os\nos.chroot('/usr')", "error", DENIED),
    _signal("host name", "import socket\nsocket.sethostname('x')", "error", "^PermissionError"),
    _signal(
        "clock",
        "import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)",
        "error",
        "^PermissionError",
    ),
)

# Numbers on x86_64 and aarch64, and the arguments that matter.
_SYSTEM_CALLS = {
    "ptrace": (101, 117, "16, os.getppid()"),
    "process_vm_readv": (310, 270, "os.getppid()"),
    "process_vm_writev": (311, 271, "os.getppid()"),
    "process_madvise": (440, 440, ""),
    "kcmp": (312, 272, "os.getpid(), os.getppid()"),
    "pidfd_open": (434, 434, "os.getppid()"),
    "pidfd_getfd": (438, 438, "0"),
    "pidfd_send_signal": (424, 424, "0, 9"),
    "tgkill": (234, 131, "os.getppid(), os.getppid(), 9"),
    "rt_sigqueueinfo": (129, 138, "os.getppid(), 9"),
    "clone": (56, 220, "0x11"),
    "clone into new namespaces": (56, 220, "0x7E020011"),
    "unshare": (272, 97, "0x10000000"),
    "setns": (308, 268, "0"),
    "mount": (165, 40, ""),
    "umount": (166, 39, ""),
    "pivot_root": (155, 41, ""),
    "open_tree": (428, 428, "-100, b'/', 1"),
    "move_mount": (429, 429, ""),
    "fsopen": (430, 430, "b'tmpfs'"),
    "bpf": (321, 280, ""),
    "perf_event_open": (298, 241, ""),
    "userfaultfd": (323, 282, ""),
    "io_uring_setup": (425, 425, "1"),
    "io_uring_register": (427, 427, ""),
    "keyctl": (250, 219, "0, -3"),
    "add_key": (248, 217, "b'user', b'x', b'x', 1, -3"),
    "request_key": (249, 218, "b'user', b'x', 0, -3"),
    "memfd_create": (319, 279, "b'x'"),
    "memfd_secret": (447, 447, ""),
    "vmsplice": (278, 75, "1"),
    "splice": (275, 76, "0, 0, 1, 0, 1"),
    "tee": (276, 77, "0, 1, 1"),
    "sendfile": (40, 71, "1, 0, 0, 1"),
    "copy_file_range": (326, 285, "0, 0, 1, 0, 1"),
    "openat2": (437, 437, "-100, b'/etc/passwd'"),
    "open_by_handle_at": (304, 265, "0"),
    "name_to_handle_at": (303, 264, "-100, b'/'"),
    "execveat": (322, 281, "-100, b'/bin/sh'"),
    "seccomp": (317, 277, "1"),
    "landlock_restrict_self": (446, 446, "0"),
    "prctl, to outlive its parent": (157, 167, "1, 0"),
    "prctl, to be traced": (157, 167, "0x59616D61, -1"),
    "personality": (135, 92, "0x0400000"),
    "ioctl, to type on the terminal": (16, 29, "0, 0x5412, b'x'"),
    "shmget": (29, 194, "1, 4096, 0o1600"),
    "msgget": (68, 186, "1, 0o1600"),
    "semget": (64, 190, "1, 1, 0o1600"),
    "mq_open": (240, 180, "b'x', 0o102, 0o600"),
    "eventfd": (290, 19, "0"),
    "epoll_create": (291, 20, "0"),
    "inotify_init": (294, 26, "0"),
    "fanotify_init": (300, 262, "0"),
    "signalfd": (289, 74, "-1"),
    "timerfd_create": (283, 85, "1"),
    "timer_create": (222, 107, "1"),
    "truncate": (76, 45, "b'{outside}/victim', 0"),
    "socket": (41, 198, "1, 1"),
    "socketpair": (53, 199, "1, 1"),
    "ioprio_set": (251, 30, "1, os.getppid(), 0"),
    "sched_setattr": (314, 274, "0"),
    "migrate_pages": (256, 238, "os.getppid()"),
    "syslog": (103, 116, "3"),
    "quotactl": (179, 60, ""),
    "init_module": (175, 105, ""),
    "no such call": (9999, 9999, ""),
}


def _system_call(name: str, x86_64: int, aarch64: int, arguments: str) -> Attack:
    program = f"""
import ctypes, os
number = {{"x86_64": {x86_64}, "aarch64": {aarch64}}}[os.uname().machine]
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(number, *[{arguments}], *[0] * 4), ctypes.get_errno())
"""
    # 1 is EPERM: the filter's own answer, before the kernel has looked at a single argument.
    return Attack("system calls", name, program, "ok", r"^-1 1\n$", "seccomp")


_CALLS = tuple(_system_call(name, *call) for name, call in _SYSTEM_CALLS.items())

_OTHER_CALLS = (
    Attack(
        "system calls",
        "clone3",
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.syscall(435, 0, 0), ctypes.get_errno())",
        "ok",
        r"^-1 38\n$",  # ENOSYS, on which the C library falls back to clone
        "seccomp",
    ),
    Attack(
        "system calls",
        "by the x32 convention",
        """
        import ctypes, os
        if os.uname().machine == "x86_64":
            ctypes.CDLL(None).syscall(0x40000000 | 39)
        else:
            ctypes.string_at(0)
        """,
        "killed",
        "SIGSYS|SIGSEGV",
        "seccomp",
    ),
    Attack(
        "system calls",
        "by the convention of i386",
        """
        import ctypes, mmap, os
        if os.uname().machine == "x86_64":
            # mov eax, 20 (getpid); int 0x80; ret
            code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
            code.write(bytes.fromhex("b814000000cd80c3"))
            address = ctypes.addressof(ctypes.c_char.from_buffer(code))
            ctypes.CFUNCTYPE(ctypes.c_int)(address)()
        else:
            ctypes.string_at(0)
        """,
        "killed",
        "SIGSYS|SIGSEGV",
        "seccomp",
    ),
)

ATTACKS = (*_PROCESSES, *_SIGNALS, *_CALLS, *_OTHER_CALLS)

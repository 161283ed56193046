"""Attacks on time, memory and output, and programs that crash: kept in by limits and deadlines."""

from functools import partial

from assay.sandbox.hostile.attack import CPU, WALL, Attack

__all__ = ["ATTACKS"]

_time = partial(Attack, "time")
_memory = partial(Attack, "memory", needs="memory")
_output = partial(Attack, "output")
_crash = partial(Attack, "crash")

_TIME = (
    _time("endless loop", "while True: pass", "timeout", CPU),
    _time(
        "catches everything",
        """
        while True:
            try:
                while True: pass
            except BaseException:
                pass
        """,
        "timeout",
        CPU,
    ),
    _time(
        "ignores and blocks every signal",
        """
        import signal
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True: pass
        """,
        "timeout",
        CPU,
    ),
    _time("loop in C", "sum(range(10**11))", "timeout", CPU),
    _time("power tower", "print(10**10**10)", "timeout|memory"),
    _time("power tower, reduced too late", "print((10**10**8) % 7)", "timeout|memory"),
    _time("factorial", "import math\nprint(math.factorial(10**7))", "timeout|memory"),
    _time("regex", "import re\nre.match('(a+)+$', 'a' * 40 + 'b')", "timeout", CPU),
    _time("endless iterator", "import itertools\nsum(itertools.count())", "timeout", CPU),
    _time(
        "sum of a million fractions",
        "from fractions import Fraction as F\nprint(sum(F(1, i) for i in range(1, 10**6)))",
        "timeout",
        CPU,
    ),
    _time(
        "colliding hashes",
        "print(len({i * (2**61 - 1): i for i in range(10**5)}))",
        "timeout",
        CPU,
    ),
    _time("sleep", "import time\ntime.sleep(100)", "timeout", WALL),
    _time(
        "deadlock",
        "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
        "timeout",
        WALL,
    ),
    _time("waits for nothing", "import select\nselect.select([], [], [])", "timeout", WALL),
    _time(
        "alarm that never rings", "import signal\nsignal.setitimer(0, 1e9)\nprint(1)", "error|ok"
    ),
    _time("waits for a signal", "import signal\nsignal.sigwait([10])", "error|timeout"),
    _time(
        "hang at exit",
        "import atexit, time\natexit.register(time.sleep, 100)\nprint(1)",
        "ok",
        r"^1\n$",
    ),
    _time(
        "endless __del__",
        """
        class A:
            def __del__(self):
                while True: pass
        a = A()
        print(1)
        """,
        "ok",
        r"^1\n$",
    ),
    _time(
        "endless finalizer",
        """
        import time, weakref
        class A: pass
        a = A()
        weakref.finalize(a, time.sleep, 100)
        print(1)
        """,
        "ok",
        r"^1\n$",
    ),
    _time(
        "endless trace function, entered after the end",
        "import sys\ndef trace(*_):\n    while True: pass\nsys.settrace(trace)",
        "timeout",
        CPU,
    ),
    _time("solution() that never returns", "def solution():\n    while True: pass", "timeout", CPU),
    _time(
        "answer that never becomes text",
        """
        class A:
            def __str__(self):
                while True: pass
        answer = A()
        """,
        "timeout",
        CPU,
    ),
)

_MEMORY = (
    _memory("at once", "x = [0] * 10**10", "memory", "64 MiB"),
    _memory("bit by bit", "x = []\nwhile True: x.append(bytearray(100_000))", "memory"),
    _memory("small objects", "x = []\nwhile True: x.append([x])", "memory|timeout"),
    _memory(
        "deaf to MemoryError",
        """
        kept = []
        while True:
            try:
                while True: kept.append(bytearray(1_000_000))
            except MemoryError:
                pass
        """,
        "timeout|memory",
    ),
    _memory("endless dictionary", "x = {}\nwhile True: x[len(x)] = 0", "memory|timeout"),
    _memory("string doubled", "s = 'x'\nwhile True: s += s", "memory"),
    _memory(
        "a generator of lists",
        "print(len(list([0] * 1000 for _ in iter(int, 1))))",
        "memory|timeout",
    ),
    _memory("mapped", "import mmap\nmmap.mmap(-1, 10**10)", "error|memory"),
    _memory(
        "private mapping",
        "import mmap\nmmap.mmap(-1, 10**10, flags=mmap.MAP_PRIVATE | mmap.MAP_ANON)",
        "error|memory",
    ),
    _memory(
        "from the C library",
        "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.malloc.restype = ctypes.c_void_p\n"
        "print(libc.malloc(ctypes.c_size_t(10**10)))",
        "ok",
        r"^None\n$",
    ),
    _memory(
        "decimals of any precision",
        "import decimal as d\nd.getcontext().prec = d.MAX_PREC\nprint(d.Decimal(1) / 3)",
        "memory",
    ),
    _memory(
        "recursion without a limit",
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f()\nf()",
        "memory|killed|timeout",
    ),
    _memory(
        "held where it cannot be freed",
        """
        import gc
        class A:
            def __del__(self): kept.append(self)
        kept = []
        while True: A().x = bytearray(100_000)
        """,
        "memory",
    ),
    Attack("memory", "MemoryError for nothing", "raise MemoryError", "memory", "64 MiB"),
)

_OUTPUT = (
    _output("20 MB at once", "print('x' * 20_000_000)", "output_limit", "64 KiB"),
    _output("endless lines", "while True: print('spam')", "output_limit", "64 KiB"),
    _output(
        "endless, without a newline", "while True: print('spam', end='')", "output_limit", "64 KiB"
    ),
    _output("a million lines", "for i in range(10**6): print(i)", "output_limit", "64 KiB"),
    _output(
        "past print",
        "import os\nwhile True: os.write(1, bytes(range(256)))",
        "output_limit",
        "64 KiB",
    ),
    _output(
        "endless on the error stream",
        "import sys\nwhile True: print(1, file=sys.stderr)",
        "timeout",
        CPU,
    ),
    _output(
        "much on the error stream",
        "import sys\nprint('x' * 10**7, file=sys.stderr)\nprint(1)",
        "ok",
        r"^1\n$",
    ),
    _output("as much as is allowed", "print('x' * 65_535)", "ok", r"^x{65535}\n$"),
    _output("one byte more", "print('x' * 65_536)", "output_limit", "64 KiB"),
    _output("a large answer", "answer = list(range(10**5))", "output_limit", "64 KiB"),
    _output(
        "solution() of a large answer",
        "def solution(): return 'x' * 10**6",
        "output_limit",
        "64 KiB",
    ),
    _output("no newline", "print('x' * 10, end='')", "ok", "^x{10}$"),
    _output(
        "escapes of a terminal", "print('\\x1b[2J\\x1b]0;x\\x07')", "ok", "^\x1b.2J\x1b.0;x\x07\n$"
    ),
    _output(
        "an exception of 10 MB",
        "raise ValueError('x' * 10**7)",
        "error",
        r"^ValueError: x{100,600} \(line 1\)$",
    ),
    _output(
        "an exception with a name of 3 MB", "raise type('E' * 3_000_000, (Exception,), {})", "error"
    ),
    _output(
        "an exception of many lines", "raise ValueError('x\\n' * 9)", "error", "^ValueError: x x"
    ),
    _output("an exception that is no text", "raise ValueError('\\ud800')", "error", "^ValueError"),
)

_CRASH = (
    _crash("deep recursion", "def f(): return f()\nf()", "error", r"^RecursionError.*\(line 1\)"),
    _crash(
        "recursion through comparing",
        "a = []\na.append(a)\nb = [a]\na[0] = b\nprint(a == [b])",
        "error|ok",
        "^(RecursionError|True|False)",
    ),
    _crash(
        "a list of a list of a list …",
        "x = []\nfor _ in range(10**5): x = [x]\nprint(x)",
        "error",
        "^RecursionError",
    ),
    _crash(
        "C stack overflow",
        """
        import sys
        sys.setrecursionlimit(10**9)
        class A:
            def __repr__(self): return repr([self])
        repr(A())
        """,
        "killed|memory|error|timeout",
    ),
    _crash("segmentation fault", "import ctypes\nctypes.string_at(0)", "killed", "SIGSEGV"),
    _crash(
        "tells of its segmentation fault",
        "import ctypes, faulthandler\nfaulthandler.enable()\nctypes.string_at(0)",
        "killed",
        "SIGSEGV",
    ),
    _crash(
        "catches its segmentation fault",
        "import ctypes, signal\nsignal.signal(11, lambda *_: None)\nctypes.string_at(0)",
        "timeout",
        CPU,
    ),
    _crash("abort", "import os\nos.abort()", "killed", "SIG"),
    _crash(
        "type destroyed",
        "import ctypes\nctypes.memset(id(int), 0, 400)\nprint(int('7') + 1)",
        "killed|error|timeout|memory",
    ),
    _crash(
        "interpreter ended",
        "import ctypes\nprint(1)\nctypes.pythonapi.Py_Exit(0)",
        "ok|no_output|killed",
    ),
    _crash("silent exit", "import os\nos._exit(0)", "no_output", "^$"),
    _crash("exit with its output", "import os\nprint(1, flush=True)\nos._exit(0)", "ok", r"^1\n$"),
    _crash("exit code", "import os\nprint(1, flush=True)\nos._exit(7)", "error", "^exit code 7$"),
    _crash("sys.exit() after printing", "import sys\nprint(1)\nsys.exit()", "ok", r"^1\n$"),
    _crash(
        "sys.exit('no') after printing",
        "import sys\nprint(1)\nsys.exit('no')",
        "error",
        "SystemExit: no",
    ),
    _crash(
        "quits inside a handler", "try: 1 / 0\nexcept Exception: print(1); quit()", "ok", r"^1\n$"
    ),
    _crash("exits with an odd code", "import sys\nsys.exit([1])", "error", r"^SystemExit: \[1\]"),
    _crash("exits in the middle of its answer", "def solution(): exit()", "error|no_output"),
    _crash("interrupt", "raise KeyboardInterrupt", "error", "^KeyboardInterrupt"),
    _crash("opens a debugger", "breakpoint()", "error", "BdbQuit"),
)

ATTACKS = (*_TIME, *_MEMORY, *_OUTPUT, *_CRASH)

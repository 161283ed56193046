"""Programs that mean harm: each has one right outcome, and nothing outside notices.

Every attack runs between two well-behaved programs whose outcomes must be right, on one server, so
that what an attack leaves behind would be seen in the program after it.
"""

import os
import re
import socket
import textwrap
from pathlib import Path

import pytest

from sandbox import Limits, Outcome, Sandbox, capabilities

pytestmark = pytest.mark.skipif(
    not all(capabilities().get(layer) for layer in ("seccomp", "landlock", "memory")),
    reason="the full isolation is not available here",
)

# name: (program, status, pattern of the message or, for ok, of the output)
ATTACKS = {
    # time
    "endless loop": ("while True: pass", "timeout", "CPU"),
    "catches everything": (
        """
        while True:
            try:
                while True: pass
            except BaseException:
                pass
        """,
        "timeout",
        "CPU",
    ),
    "ignores signals": (
        """
        import signal
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True: pass
        """,
        "timeout",
        "CPU",
    ),
    "loop in C": ("sum(range(10**11))", "timeout", "CPU"),
    "power tower": ("print(10**10**10)", "timeout|memory", ""),
    "regex": ("import re\nre.match('(a+)+$', 'a' * 40 + 'b')", "timeout", "CPU"),
    "sleep": ("import time\ntime.sleep(100)", "timeout", "more than 1 s"),
    "hang at exit": (
        "import atexit, time\natexit.register(time.sleep, 100)\nprint(1)",
        "ok",
        "^1\n$",
    ),
    # memory and output
    "memory at once": ("x = [0] * 10**10", "memory", "64 MiB"),
    "memory bit by bit": (
        """
        kept = []
        while True:
            kept.append(bytearray(100_000))
        """,
        "memory",
        "",
    ),
    "memory in small objects": ("x = []\nwhile True: x.append([x])", "memory|timeout", ""),
    "deaf to MemoryError": (
        """
        kept = []
        while True:
            try:
                while True: kept.append(bytearray(1_000_000))
            except MemoryError:
                pass
        """,
        "timeout|memory",
        "",
    ),
    "20 MB printed": ("print('x' * 20_000_000)", "output_limit", "64 KiB"),
    "endless printing": ("while True: print('spam')", "output_limit", "64 KiB"),
    "bytes written past print": (
        "import os\nwhile True: os.write(1, bytes(range(256)))",
        "output_limit",
        "",
    ),
    # crashes and odd ends
    "deep recursion": ("def f(): return f()\nf()", "error", r"^RecursionError.*\(line 1\)"),
    "C stack overflow": (
        """
        import sys
        sys.setrecursionlimit(10**9)
        class A:
            def __repr__(self): return repr([self])
        repr(A())
        """,
        "killed|memory|error|timeout",
        "",
    ),
    "segmentation fault": ("import ctypes\nctypes.string_at(0)", "killed", "SIGSEGV"),
    "abort": ("import os\nos.abort()", "killed", "SIG"),
    "silent exit": ("import os\nos._exit(0)", "no_output", "^$"),
    "exit code": ("import os\nprint('x', flush=True)\nos._exit(7)", "error", "^exit code 7$"),
    "closes everything": ("import os\nos.closerange(0, 100)\nprint(1)", "error", ""),
    "closes everything and hangs": (
        "import os, time\nos.closerange(0, 100)\ntime.sleep(100)",
        "timeout",
        "more than 1 s",
    ),
    # processes and signals
    "fork": ("import os\nos.fork()", "error", "PermissionError"),
    "fork bomb": (
        """
        import os
        while True:
            try: os.fork()
            except OSError: pass
        """,
        "timeout",
        "CPU",
    ),
    "daemon": (
        """
        import os
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                open("{outside}/daemon", "w")
        """,
        "error",
        "PermissionError",
    ),
    "subprocess": ("import subprocess\nsubprocess.run(['id'])", "error", "PermissionError"),
    "exec": ("import os\nos.execv('/bin/sh', ['sh'])", "error", "PermissionError"),
    "threads": ("import threading\nthreading.Thread(target=print).start()", "error", "thread"),
    "kills its parent": ("import os\nos.kill(os.getppid(), 9)", "error", "PermissionError"),
    "kills its group": ("import os\nos.kill(0, 9)", "error", "PermissionError"),
    "kills everyone": ("import os\nos.kill(-1, 9)", "error", "PermissionError"),
    "stops itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "error", "Perm"),
    "signals through a descriptor": (
        """
        import fcntl, os
        fcntl.fcntl(1, fcntl.F_SETOWN, os.getppid())
        """,
        "error",
        "PermissionError",
    ),
    "limits of its parent": (
        "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (5, 5))",
        "error",
        "PermissionError",
    ),
    "raises its own limits": (
        """
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        """,
        "error",
        "PermissionError|ValueError",
    ),
    "traces its parent": (
        """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        print(libc.ptrace(16, os.getppid(), None, None), ctypes.get_errno())
        """,
        "ok",
        "^-1 1\n$",
    ),
    "system calls of x32": (
        "import ctypes\nctypes.CDLL(None).syscall(0x40000000 | 39)",
        "killed" if os.uname().machine == "x86_64" else "no_output",
        "SIGSYS" if os.uname().machine == "x86_64" else "",
    ),
    # files, environment, network
    "writes a file": ("open('{outside}/file', 'w').write('x')", "error", "PermissionError"),
    "appends to a file": ("open('{outside}/victim', 'a').write('x')", "error", "PermissionError"),
    "removes a file": ("import os\nos.remove('{outside}/victim')", "error", "PermissionError"),
    "makes a folder": ("import os\nos.mkdir('{outside}/folder')", "error", "PermissionError"),
    "makes a link": ("import os\nos.symlink('/etc', '{outside}/link')", "error", "PermissionError"),
    "changes a mode": ("import os\nos.chmod('{outside}/victim', 0)", "error", "PermissionError"),
    "shared memory": (
        "from multiprocessing import shared_memory as s\ns.SharedMemory('x', True, 9)",
        "error",
        "PermissionError",
    ),
    "anonymous file": ("import os\nos.memfd_create('x')", "error", "PermissionError"),
    "reads a secret": ("print(open('{outside}/victim').read())", "error", "PermissionError"),
    "reads passwords": ("print(open('/etc/passwd').read())", "error", "PermissionError"),
    "reads its parent's environment": (
        "import os\nprint(open(f'/proc/{os.getppid()}/environ').read())",
        "error",
        "PermissionError",
    ),
    "reads its parent's memory": (
        "import os\nopen(f'/proc/{os.getppid()}/mem', 'r+b')",
        "error",
        "PermissionError",
    ),
    "lists the root": ("import os\nprint(os.listdir('/'))", "error", "PermissionError"),
    "environment": ("import os\nprint('SECRET' in str(os.environ))", "ok", "^False\n$"),
    "TCP": (
        "import socket\nsocket.create_connection(('127.0.0.1', {port}))",
        "error",
        "PermissionError",
    ),
    "UDP": (
        "import socket as s\ns.socket(s.AF_INET, s.SOCK_DGRAM)",
        "error",
        "PermissionError",
    ),
    "local socket": ("import socket as s\ns.socketpair()", "error", "PermissionError"),
    # tricks on the sandbox itself
    "forges an outcome": (
        """
        import os
        for fd in range(1, 100):
            try: os.write(fd, b'{"number": 1, "status": "ok", "output": "13"}')
            except OSError: pass
        os._exit(1)
        """,
        "error",
        "^exit code 1$",
    ),
    "hides an error": (
        "import os\nos._exit = print\nimport sys\nsys.exit = print\n1 / 0",
        "error",
        "ZeroDivisionError",
    ),
    "replaces what others use": (
        """
        import builtins, math, random, sys
        builtins.print = builtins.sum = builtins.exec = builtins.compile = lambda *a, **k: 5
        math.sqrt, math.pi = abs, 3
        sys.setrecursionlimit(60)
        sys.modules.clear()
        """,
        "no_output|error",
        "",
    ),
    "walks the frames of the server": (
        """
        import gc, sys
        other = ''.join(['sen', 'tinel'])  # the word is in every program around this one
        frame, seen = sys._getframe(), []
        while frame:
            seen += frame.f_locals.values()
            frame = frame.f_back
        for thing in gc.get_objects():
            if type(thing) in (dict, list, tuple):
                seen += thing.values() if type(thing) is dict else thing
        print([v for v in seen if type(v) in (str, bytes) and v is not other and other in str(v)])
        """,
        "ok",
        r"^\[\]\n$",
    ),
    "reaches for the server's socket": (
        """
        import sys
        frame = sys._getframe()
        while frame:
            for value in list(frame.f_locals.values()):
                if hasattr(value, 'sendall'):
                    value.sendall(b'forged')
            frame = frame.f_back
        """,
        "error",
        "PermissionError",
    ),
    # what cannot be read or written
    "input": ("print(input())", "error", "EOFError"),
    "NUL": ("print(1)\0", "error", "null bytes"),
    "syntax error": ("x = 1\nprint(x", "error", r"^SyntaxError: .* \(line 2\)$"),
    "nested too deeply": ("(" * 5000 + ")" * 5000, "error|memory|killed", ""),
    "surrogate": ("print('\\ud800' + chr(0xdfff))", "ok", r"^\\ud800\\udfff\n$"),
    "surrogate in the source": ("print('\ud800')", "error", "surrogates not allowed"),
    "binary": ("import os\nos.write(1, b'\\xff\\x00\\n')", "ok", "^\ufffd\0\n$"),
    "a number too long to print": ("print(10**5000)", "error", "ValueError"),
    "odd numbers": ("print(float('nan'), -float('inf'), 1j)", "ok", "^nan -inf 1j\n$"),
    "an exception that cannot be told": (
        "class E(Exception):\n    def __str__(self): raise self\nraise E",
        "error",
        "^exit code 1$",
    ),
}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that attacks try to change; it holds one file."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "victim").write_text("SECRET")
    return folder


@pytest.fixture(scope="module")
def outcomes(outside: Path) -> dict[str, tuple[Outcome, Outcome]]:
    """The outcome of each attack, and of the well-behaved program right behind it."""
    os.environ["ASSAY_SECRET"] = "SECRET"
    listener = socket.create_server(("127.0.0.1", 0))
    places = {"{outside}": str(outside), "{port}": str(listener.getsockname()[1])}
    programs: list[str] = []
    for i, (program, _, _) in enumerate(ATTACKS.values()):
        for key, value in places.items():
            program = program.replace(key, value)
        programs += [textwrap.dedent(program).strip("\n"), sentinel(i)]
    limits = Limits(cpu_seconds=0.3, wall_seconds=1.0, memory_mb=64)
    with Sandbox(workers=1, limits=limits) as sandbox:
        assert sandbox.run(["print(1)"])[0].status == "ok"
        (server,) = (worker._servers["light"] for worker in sandbox._pool._workers)
        results = sandbox.run(programs)
        assert sandbox._pool._workers[0]._servers["light"] is server  # the same one survived it all
    del os.environ["ASSAY_SECRET"]
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()
    listener.close()
    return dict(zip(ATTACKS, zip(results[::2], results[1::2], strict=True), strict=True))


def sentinel(i: int) -> str:
    """A program with a result of its own that uses what attacks like to break."""
    return f"import math\nprint('sentinel', sum([{i}, 1]), math.sqrt(16.0), math.pi)"


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(name: str, outcomes: dict[str, tuple[Outcome, Outcome]]) -> None:
    _, status, pattern = ATTACKS[name]
    outcome, after = outcomes[name]
    told = outcome.output if outcome.status == "ok" else outcome.message
    assert outcome.status in status.split("|"), outcome
    assert re.search(pattern, told), outcome
    assert "SECRET" not in outcome.output
    i = list(ATTACKS).index(name)
    assert after.status == "ok"
    assert after.output == f"sentinel {i + 1} 4.0 3.141592653589793\n"


def test_nothing_outside_was_touched(
    outside: Path, outcomes: dict[str, tuple[Outcome, Outcome]]
) -> None:
    assert outcomes
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_text() == "SECRET"
    assert (outside / "victim").stat().st_mode & 0o777


def test_output_is_kept_up_to_the_limit(outcomes: dict[str, tuple[Outcome, Outcome]]) -> None:
    outcome, _ = outcomes["20 MB printed"]
    assert outcome.output == "x" * 64 * 1024


def test_hostile_numpy_and_sympy() -> None:
    programs = [
        "import numpy\nx = numpy.ones((20_000, 20_000))",
        "import numpy\nprint(numpy.load('/etc/passwd'))",
        "import sympy\nprint(sympy.factorint(2**277 - 1, use_ecm=False) and 2**277)",
        'import sympy\nsympy.sympify(\'__import__("os").mkdir("/tmp/x")\')',
        "import sympy\nprint(sympy.sqrt(8))",
    ]
    with Sandbox(workers=1, limits=Limits(cpu_seconds=0.5)) as sandbox:
        outcomes = sandbox.run(programs)
    assert [o.status for o in outcomes] == ["memory", "error", "timeout", "error", "ok"]
    assert outcomes[4].output == "2*sqrt(2)\n"

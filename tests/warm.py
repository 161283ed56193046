"""Processes that have imported torch and transformers already: forked from one that did it once.

A test that kills a command, or runs it as two processes, needs processes of its own; it does not
need each to import everything again (4 seconds). `Warm` does what `python SCRIPT`, `python -m
MODULE` or `python -c CODE` would do, in a child of a server that is kept for the whole session. The
modules of the project itself are imported anew.

    process = Warm(["-m", "assay", "grade", str(run)])
    out, error = process.communicate()
    assert process.returncode == 0, error

Commands that start `sys.executable` or `$PYTHON` (torchrun, shell scripts) get warm children with
the environment `children()`: the interpreter is then a script that asks the server for a child,
lends it all files that it holds open, passes signals on and ends as the child does. Workers that
`multiprocessing` spawns are such children too. Only light modules are imported at the top, for that
script.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

TYPE_CHECKING = False  # typing takes its time to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
# Nothing that starts threads or looks for GPUs when it is imported: children are forked from it.
PRELOADED = (
    *("torch", "torch.distributed.run", "transformers", "transformers.trainer"),
    *("transformers.models.llama.modeling_llama", "accelerate", "accelerate.commands.launch"),
    *("peft", "numpy", "pandas", "safetensors.torch", "pyarrow.parquet", "omegaconf", "sympy"),
    *("scipy.stats", "sklearn.metrics", "sklearn.calibration", "matplotlib.figure", "jinja2"),
    "reasoning_gym.arithmetic.gsm_symbolic.generators_00_49",
    "reasoning_gym.arithmetic.gsm_symbolic.generators_50_99",
)
CHILDREN = "ASSAY_TEST_WARM_CHILDREN"
STUB = """#!{python} -SE
import sys
sys.path.insert(0, {root!r})
from tests import warm
sys.exit(warm.stand_in({python!r}, {address!r}, sys.argv[1:]))
"""


class Warm:
    """A Python process, with the methods of `subprocess.Popen` that tests use.

    `arguments` are those of the interpreter: a script, `-m` and a module, or `-c` and code, then
    what is in `sys.argv`. `more` are environment variables beside those of the tests. What it
    writes is kept in files, so that it never waits for a reader.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        more: Mapping[str, str] | None = None,
        cwd: str | Path = ROOT,
        new_session: bool = False,
    ) -> None:
        import tempfile

        self.returncode: int | None = None
        self._out, self._error = (tempfile.TemporaryFile() for _ in "12")  # noqa: SIM115
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(more or {})}
        with open(os.devnull, "rb") as nothing:
            files = {0: nothing.fileno(), 1: self._out.fileno(), 2: self._error.fileno()}
            self.pid, self._line = _ask(
                _Server.the().address, list(arguments), environment, str(cwd), files, new_session
            )

    def poll(self) -> int | None:
        """The exit code, -N where signal N ended it, None as long as it runs."""
        return self._ended(0)

    def _ended(self, seconds: float) -> int | None:
        if self.returncode is None and select.select([self._line], [], [], seconds)[0]:
            self.returncode = _number(self._line)
            self._line.close()
        return self.returncode

    @property
    def out(self) -> str:
        """What it has written to stdout so far."""
        return _content(self._out.fileno())

    @property
    def error(self) -> str:
        """What it has written to stderr so far."""
        return _content(self._error.fileno())

    def wait_until(self, condition: Callable[[], object], timeout: float = 300) -> bool:
        """Waits for something that this process does; whether it came before the process's end."""
        deadline = time.monotonic() + timeout
        while not condition():
            if self.poll() is not None:
                return bool(condition())
            assert time.monotonic() < deadline, self.error
            time.sleep(0.005)
        return True

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float = 600) -> int:
        code = self._ended(timeout)
        assert code is not None, f"still running after {timeout} s: {self.error}"
        return code

    def communicate(self, timeout: float = 600) -> tuple[str, str]:
        """What it wrote, once it has ended."""
        self.wait(timeout)
        return self.out, self.error


def run(
    arguments: Sequence[str], *, more: Mapping[str, str] | None = None, timeout: float = 600
) -> Warm:
    """Runs to the end; killed if it takes longer than `timeout` seconds."""
    process = Warm(arguments, more=more)
    try:
        process.wait(timeout)
    finally:
        process.kill()
    return process


def children() -> dict[str, str]:
    """The environment of a command whose own Python processes, and theirs, shall be warm.

    One of `Warm` finds the script as `sys.executable`, one that is started otherwise as `$PYTHON`.
    """
    return {"PYTHON": _Server.the().stub, CHILDREN: "1"}


def _content(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode(errors="replace")


def _number(line: socket.socket) -> int:
    """A number that the server sends; where it is gone, the child was killed."""
    data = line.recv(4, socket.MSG_WAITALL)
    return int(struct.unpack("i", data)[0]) if len(data) == 4 else -signal.SIGKILL


def _ask(
    address: str,
    arguments: list[str],
    environment: dict[str, str],
    cwd: str,
    files: dict[int, int],
    new_session: bool,
) -> tuple[int, socket.socket]:
    """A child's id, and the line that its exit code will come by; closed, it is killed.

    `files` are lent to it: by their number there, the descriptors here.
    """
    line = socket.socket(socket.AF_UNIX)
    line.connect(address)
    asked = json.dumps([arguments, environment, cwd, list(files), new_session]).encode()
    socket.send_fds(line, [struct.pack("i", len(asked))], list(files.values()))
    line.sendall(asked)
    return _number(line), line


class _Server:
    """The process that is forked, as seen from a test process."""

    _the: _Server | None = None

    @classmethod
    def the(cls) -> _Server:
        if cls._the is None:
            cls._the = cls()
        return cls._the

    def __init__(self) -> None:
        import atexit
        import subprocess
        import tempfile

        folder = Path(tempfile.mkdtemp(prefix="assay-warm-"))  # removed by the server
        self.address, self.stub = str(folder / "socket"), str(folder / "python")
        text = STUB.format(python=sys.executable, root=str(ROOT), address=self.address)
        Path(self.stub).write_text(text)
        Path(self.stub).chmod(0o755)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.address)
        listener.listen(64)
        code = "from tests import warm; warm.serve()"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=environment,
            stdin=listener.fileno(),
            stdout=subprocess.PIPE,  # nobody writes; closed with this process, it ends the server
        )
        listener.close()
        atexit.register(self._close)

    def _close(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.wait()


def serve() -> None:
    """Forks a child for everyone who connects to the socket that is stdin, until stdout closes."""
    import importlib
    import shutil

    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the tests
    listener = socket.socket(fileno=os.dup(0))
    _Children(listener).serve()
    shutil.rmtree(Path(listener.getsockname()).parent, ignore_errors=True)


class _Children:
    """The server's children, by process id, each with the line to whoever asked for it."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._awake, self._wake = socket.socketpair()  # told of by the system when a child ends
        for end in (self._awake, self._wake):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        self._lines: dict[int, socket.socket] = {}

    def serve(self) -> None:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._awake, select.POLLIN)
        poll.register(1, 0)  # tells of nothing but the end of the other side
        while True:
            for number, _ in poll.poll():
                if number == self._listener.fileno():
                    poll.register(self._start(), 0)
                elif number == self._awake.fileno():
                    self._awake.recv(4096)
                elif number == 1:
                    return self._kill(self._lines)
                else:  # whoever asked for this child is gone
                    poll.unregister(number)
                    self._kill(p for p, line in self._lines.items() if line.fileno() == number)
            for line in self._ended():
                with contextlib.suppress(KeyError):
                    poll.unregister(line)
                line.close()

    def _start(self) -> socket.socket:
        line = self._listener.accept()[0]
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for other in (self._listener, self._awake, self._wake, *self._lines.values()):
                other.close()
            _be_child(line)
        self._lines[pid] = line
        return line

    def _kill(self, children: Iterable[int]) -> None:
        for pid in children:
            os.kill(pid, signal.SIGKILL)

    def _ended(self) -> Iterator[socket.socket]:
        """Tells of the children that have ended; gives their lines."""
        while self._lines:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            line = self._lines.pop(pid)
            with contextlib.suppress(OSError):  # nobody may ask any more
                line.sendall(struct.pack("i", os.waitstatus_to_exitcode(status)))
            yield line


def _be_child(line: socket.socket) -> NoReturn:
    """Reads what is asked for, and does what the interpreter would do then."""
    import atexit
    import threading
    import traceback

    size, files, _, _ = socket.recv_fds(line, 4, 64)
    asked = line.recv(struct.unpack("i", size)[0], socket.MSG_WAITALL)
    arguments, environment, cwd, numbers, new_session = json.loads(asked)
    if new_session:
        os.setsid()
    line.sendall(struct.pack("i", os.getpid()))
    line.close()  # the server's end stays open
    _take(files, numbers)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    if os.environ.get(CHILDREN):
        import multiprocessing

        sys.executable = environment["PYTHON"]
        multiprocessing.set_executable(sys.executable)
    os.chdir(cwd)
    atexit._clear()
    code = 0
    try:
        _interpret(arguments, cwd)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:  # as the interpreter asks, too
            stream.flush()
    os._exit(code & 0xFF)


def _take(files: list[int], numbers: list[int]) -> None:
    """Gives descriptors their numbers, which others of them may have before."""
    import fcntl

    above = max(*numbers, *files) + 1
    moved = [fcntl.fcntl(file, fcntl.F_DUPFD, above) for file in files]
    for file in files:
        os.close(file)
    for file, number in zip(moved, numbers, strict=True):
        os.dup2(file, number)
        os.close(file)


def _interpret(arguments: list[str], cwd: str) -> None:
    import runpy

    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [path for path in paths if path and path not in sys.path]
    while arguments[0] == "-u":
        arguments = arguments[1:]
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path.insert(0, cwd)
        sys.modules.pop(arguments[1], None)  # as runpy advises
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        sys.path.insert(0, cwd)
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(arguments[0]).parent))
        runpy.run_path(arguments[0], run_name="__main__")


def stand_in(python: str, address: str, arguments: list[str]) -> int:
    """What the script in the place of the interpreter does; with other options, the interpreter."""
    first = next((word for word in arguments if word != "-u"), "-i")
    if first.startswith("-") and first not in ("-m", "-c"):
        os.execv(python, [python, *arguments])
    lent = {number: number for number in map(int, os.listdir("/proc/self/fd")) if _is_open(number)}
    pid, line = _ask(address, arguments, dict(os.environ), os.getcwd(), lent, False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    code = _number(line)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _is_open(number: int) -> bool:
    """Not the descriptor that the list of them was read by."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True

"""Processes that have imported torch and transformers already: forked from one that did it once.

A test that kills a command, or runs it as two processes, needs processes of its own; it does not
need to import everything again (4 seconds each). `Warm` is for those: what `python SCRIPT`,
`python -m MODULE` or `python -c CODE` would do, in a child of a process that is kept for the whole
session (the fork server of multiprocessing). The modules of the project itself are imported anew.

    process = Warm(["-m", "assay", "grade", str(run)])
    out, error = process.communicate()
    assert process.returncode == 0, error
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Nothing that starts threads or looks for GPUs when it is imported: children are forked from it.
PRELOADED = [
    *("torch", "transformers", "transformers.trainer", "transformers.models.llama.modeling_llama"),
    *("accelerate", "peft", "numpy", "pandas", "safetensors.torch", "pyarrow.parquet"),
]


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
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._folder = tempfile.TemporaryDirectory(prefix="assay-warm-")
        self._out, self._error = (Path(self._folder.name) / name for name in ("out", "err"))
        self._out.touch()
        self._error.touch()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(more or {})}
        self._process = context.Process(
            target=_run,
            args=(list(arguments), environment, str(cwd), str(self._out), str(self._error)),
            kwargs={"new_session": new_session},
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, -N where signal N ended it, None as long as it runs."""
        return self._process.exitcode

    @property
    def out(self) -> str:
        """What it has written to stdout so far."""
        return self._out.read_text()

    @property
    def error(self) -> str:
        """What it has written to stderr so far."""
        return self._error.read_text()

    def wait_until(self, condition: Callable[[], object], timeout: float = 300) -> bool:
        """Waits for something that this process does; whether it came before the process's end."""
        deadline = time.monotonic() + timeout
        while not condition():
            if self.returncode is not None:
                return bool(condition())
            assert time.monotonic() < deadline, self.error
            time.sleep(0.005)
        return True

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float = 600) -> int:
        self._process.join(timeout)
        assert self.returncode is not None, f"still running after {timeout} s: {self.error}"
        return self.returncode

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


def run_together(
    count: int,
    arguments: Sequence[str],
    *,
    more: Mapping[str, str] | None = None,
    timeout: float = 600,
) -> list[Warm]:
    """Runs `count` processes that find each other as those of torchrun do.

    As there, all are ended where one fails. One process alone is started without a word of others.
    """
    if count == 1:
        return [run(arguments, more=more, timeout=timeout)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GROUP_RANK": "0"}
    shared |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), **(more or {})}
    processes = [
        Warm(arguments, more={**shared, "RANK": str(i), "LOCAL_RANK": str(i)}) for i in range(count)
    ]
    deadline = time.monotonic() + timeout
    try:
        while any(p.returncode is None for p in processes):
            if any(p.returncode for p in processes):
                break
            assert time.monotonic() < deadline, [p.error for p in processes]
            time.sleep(0.01)
    finally:
        for process in processes:
            process.kill()
            process.wait(60)
    return processes


def _run(
    arguments: list[str],
    environment: dict[str, str],
    cwd: str,
    out: str,
    error: str,
    *,
    new_session: bool,
) -> None:
    """Does what the interpreter would do with these arguments."""
    for number, path in ((1, out), (2, error)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    if new_session:
        os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    paths = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [path for path in paths if path and path not in sys.path]
    try:
        if arguments[0] == "-m":
            sys.argv = arguments[1:]
            sys.path.insert(0, cwd)
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        elif arguments[0] == "-c":
            sys.argv = ["-c", *arguments[2:]]
            sys.path.insert(0, cwd)
            exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
        else:
            sys.argv = arguments
            sys.path.insert(0, str(Path(arguments[0]).parent))
            runpy.run_path(arguments[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()

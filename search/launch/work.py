"""Doing the parts of a stage on local worker processes, with one progress bar.

A stage gives a function `prepare(*arguments)` that loads what a worker needs (a model, say) and
returns `do(part, report)`. With one worker it runs in this process; with more, each is a process of
its own with one thread per core that falls to it: two processes of one thread sample as much as one
of two threads on an idle machine, and far more on a busy one. A worker that is free is given the
next part, so that a slow part holds nobody up. One that dies loses only the part that it was at.

Each worker has a pipe of its own to the command and shares no lock with the others: whatever it was
doing when it was killed, nobody waits for it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from tqdm import tqdm

from assay.pools.progress import Bar
from assay.pools.run import Part, Run
from assay.settings.errors import UserError

__all__ = ["Counts", "Do", "Remaining", "Report", "Work", "cores", "do_parts", "failure"]

Report = Callable[[int, int], None]
"""`report(candidates, tokens)`: so many more are done."""
Do = Callable[[Part, Report], None]


@dataclass(frozen=True)
class Work:
    """What is left to do of a stage, for whichever launcher does it.

    `prepare` must be importable by name and `arguments` picklable; `total` is the number of
    candidates in the parts. `workers` and `devices` are those of this machine (`do_parts`); `gpus`
    is how many GPUs one worker takes where there are any, 0 for work of the CPU.
    """

    parts: Sequence[Part]
    prepare: Callable[..., Do]
    arguments: Sequence[Any]
    total: int
    description: str
    workers: int = 1
    devices: Sequence[str] = ()
    gpus: int = 0


Remaining = Callable[[], tuple[Run, Sequence[Work]]]
"""Makes or opens a stage's run, registers the stage, and says what of it is left to do."""


def cores() -> int:
    """Processor cores that this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # Where Slurm does not bind a job to its cores, it still says how many they are.
    return max(1, min(count or 1, int(os.environ.get("SLURM_CPUS_ON_NODE") or count or 1)))


def do_parts(
    parts: Sequence[Part],
    prepare: Callable[..., Do],
    arguments: Sequence[Any],
    *,
    workers: int,
    total: int,
    description: str,
    devices: Sequence[str] = (),
) -> None:
    """Does every part. `total` is the number of candidates in them, for the bar.

    `prepare` must be importable by name and `arguments` picklable. Process i sees the GPUs
    `devices[i % len(devices)]` alone (`CUDA_VISIBLE_DEVICES`), all where there are none.

    Raises what `do` raised (`UserError` as it is, anything else as `RuntimeError` with the worker's
    traceback), and `UserError` where a worker was killed.
    """
    if not parts:
        return
    with Bar(total, description) as bar:
        if workers <= 1 or len(parts) == 1:
            do = prepare(*arguments)
            for part in parts:
                do(part, bar.add)
        else:
            _do_in_processes(parts, prepare, arguments, min(workers, len(parts)), devices, bar)


def _do_in_processes(
    parts: Sequence[Part],
    prepare: Callable[..., Do],
    arguments: Sequence[Any],
    workers: int,
    devices: Sequence[str],
    bar: Bar,
) -> None:
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(workers)]
    threads = max(1, cores() // workers)
    processes = [
        context.Process(
            target=_work,
            args=(theirs, prepare, tuple(arguments), threads, _share(devices, i)),
            daemon=False,
        )
        for i, (_, theirs) in enumerate(pipes)
    ]
    try:
        for process in processes:
            with _without_interrupts():
                process.start()
        for _, theirs in pipes:
            theirs.close()  # held open here, it would not tell of its worker's end
        _follow({ours: p for (ours, _), p in zip(pipes, processes, strict=True)}, parts, bar)
        for process in processes:  # they end by themselves, and tidy up
            process.join(30)
    finally:
        for process in processes:
            if process.pid is not None and process.is_alive():
                process.terminate()
        for process in processes:
            if process.pid is not None:
                process.join(5)
                if process.is_alive():
                    process.kill()
                    process.join()


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started meanwhile never see Ctrl-C, which goes to the whole process group.

    The command alone decides, and ends its workers; they would tell of it while they still import.
    It hears of it at the end: a worker half started would be one that it does not know of.
    """
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN  # as of a shell's background jobs
    main = threading.current_thread() is threading.main_thread()
    if sys.platform == "win32" or ignored or not main:
        yield
        return
    heard: list[int] = []
    # A handler too: any other thread of this process may take the signal.
    handler = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if heard:
            raise KeyboardInterrupt


def _share(devices: Sequence[str], worker: int) -> str | None:
    return devices[worker % len(devices)] if devices else None


def _follow(workers: Mapping[Connection, Any], parts: Sequence[Part], bar: Bar) -> None:
    """Gives out the parts to the workers, by their pipes, until all are done."""
    left, busy = deque(parts), dict(workers)
    while busy:
        ready = set(wait(list(busy), timeout=0.5))
        for pipe in [each for each in busy if each in ready]:
            try:
                kind, payload = pipe.recv()
                if kind == "free":
                    pipe.send(left.popleft() if left else None)
            except (EOFError, OSError):
                raise _ended(busy[pipe]) from None
            if kind == "progress":
                bar.add(*payload)
            elif kind == "done":
                del busy[pipe]
            elif kind == "user error":
                raise UserError(payload)
            elif kind == "error":
                raise RuntimeError(f"in a worker process:\n{payload}")
        for pipe, process in busy.items():
            # Where a process that it has forked holds its pipe open, that does not tell of its end.
            if process.exitcode is not None and not pipe.poll():
                raise _ended(process)


def _ended(process: Any) -> UserError:
    process.join(5)
    code = process.exitcode
    how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
    return UserError(
        f"a worker process ended early ({how}; out of memory?); finished parts are kept: give the "
        "same command again to go on, perhaps with workers=1"
    )


def _work(
    pipe: Connection,
    prepare: Callable[..., Do],
    arguments: Any,
    threads: int,
    gpus: str | None,
) -> None:
    """A worker process: does the parts that it is given until there are no more."""
    # Ctrl-C goes to the whole process group; the parent alone decides, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    # Of a lock between processes, as bars make one, the system would tell when a worker is killed.
    tqdm.set_lock(threading.RLock())
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if gpus is not None:  # read when CUDA is first used, which is later
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    counts = Counts(lambda *done: _tell(pipe, "progress", done), seconds=0.2)
    try:
        do = prepare(*arguments)
        while (part := _next(pipe)) is not None:
            do(part, counts.report)
            counts.flush()
        _tell(pipe, "done", None)
    except Exception as error:
        _tell(pipe, *failure(error))


def _next(pipe: Connection) -> Part | None:
    _tell(pipe, "free", None)
    try:
        part: Part | None = pipe.recv()
    except (EOFError, OSError):
        os._exit(1)
    return part


def _tell(pipe: Connection, kind: str, payload: Any) -> None:
    try:
        pipe.send((kind, payload))
    except OSError:
        os._exit(1)  # the command is gone, and nobody listens


class Counts:
    """What a worker has done, reported every `seconds` instead of for every candidate."""

    def __init__(self, tell: Callable[[int, int], Any], seconds: float) -> None:
        self._tell, self._seconds = tell, seconds
        self._candidates = self._tokens = 0
        self._last = time.monotonic()

    def report(self, candidates: int, tokens: int) -> None:
        """So many more are done (a `Report`)."""
        self._candidates += candidates
        self._tokens += tokens
        if time.monotonic() - self._last > self._seconds:
            self.flush()

    def flush(self) -> Any:
        """Tells now; returns what telling gives."""
        answer = self._tell(self._candidates, self._tokens)
        self._candidates = self._tokens = 0
        self._last = time.monotonic()
        return answer


def failure(error: Exception) -> tuple[str, str]:
    """An error as a worker reports it: ("user error", its line) or ("error", its traceback)."""
    if isinstance(error, UserError):
        return "user error", str(error)
    if isinstance(error, OSError):
        return "user error", f"{error.filename or 'writing'}: {error.strerror or error}"
    import traceback

    return "error", "".join(traceback.format_exception(error))


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, even by `kill -9`."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        with contextlib.suppress(Exception):
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()

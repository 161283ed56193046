"""Doing the parts of a stage on local worker processes, with one progress bar.

A stage gives a function `prepare(*arguments)` that loads what a worker needs (a model, say) and
returns `do(part, report)`. With one worker it runs in this process; with more, each is a process of
its own with one thread per core that falls to it: two processes of one thread sample as much as one
of two threads on an idle machine, and far more on a busy one. Workers take parts from one queue, so
that a slow part holds nobody up. A worker that dies loses only the part that it was at.

Workers are started anew (`spawn`), or, after `warm_up`, forked from a process that has imported
what a model needs, while the command was still looking for what there is to do.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from problems.errors import UserError
from search.runs import Part

__all__ = [
    "Bar",
    "Counts",
    "Do",
    "Report",
    "Work",
    "cores",
    "do_parts",
    "failure",
    "progress_bar",
    "warm_up",
]

_PRELOAD = "search.preload"
_warm = False

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


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def progress_bar(total: int, description: str, unit: str = " candidates") -> Any:
    """A bar on stderr where that is a terminal, else nothing."""
    return tqdm(
        total=total,
        desc=description,
        unit=unit,
        disable=not sys.stderr.isatty(),
        dynamic_ncols=True,
        smoothing=0.1,
    )


def warm_up() -> None:
    """Begins to import what workers with a model need, in a process that they are forked from.

    Returns at once. It is a fork server (`multiprocessing`), which ends with this process; whatever
    libraries read from the environment while they are imported is as it is now. Not for work on a
    GPU. On Linux only: elsewhere libraries of the system do not survive a fork.
    """
    global _warm
    if _warm or sys.platform != "linux":
        return
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # by itself: it lets interrupts through again
    multiprocessing.get_context("forkserver").set_forkserver_preload([_PRELOAD])
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # no threads that a fork would lose
    try:
        with _without_interrupts():
            forkserver.ensure_running()
    finally:
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = threads
    _warm = True


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started meanwhile never see Ctrl-C, which goes to the whole process group.

    The command alone decides, and ends its workers; they would tell of it while they still import.
    It hears of it at the end: a worker half started would be one that it does not know of.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
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


class Bar:
    """The bar of a stage: candidates done, and tokens per second where tokens are reported."""

    def __init__(self, total: int, description: str) -> None:
        self._bar = progress_bar(total, description)
        self._tokens = 0
        self._start = time.monotonic()

    def add(self, candidates: int, tokens: int) -> None:
        self._tokens += tokens
        if self._tokens:
            rate = self._tokens / max(1e-9, time.monotonic() - self._start)
            self._bar.set_postfix_str(f"{rate:.0f} tok/s", refresh=False)
        self._bar.update(candidates)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


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
    context = multiprocessing.get_context("forkserver" if _warm else "spawn")
    tasks, reports = context.Queue(), context.Queue()
    for part in [*parts, *[None] * workers]:
        tasks.put(part)
    threads = max(1, cores() // workers)
    processes = [
        context.Process(
            target=_work,
            args=(tasks, reports, prepare, tuple(arguments), _environment(threads, devices, i)),
            daemon=False,
        )
        for i in range(workers)
    ]
    try:
        for process in processes:
            with _without_interrupts():
                process.start()
        _follow(processes, reports, bar, workers)
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
        tasks.cancel_join_thread()


def _environment(threads: int, devices: Sequence[str], worker: int) -> dict[str, str]:
    """The environment of a worker: this process's, its threads and its share of the GPUs."""
    environment = {"TOKENIZERS_PARALLELISM": "false", **os.environ}
    environment["OMP_NUM_THREADS"] = str(threads)
    if devices:  # read when CUDA is first used, which is later
        environment["CUDA_VISIBLE_DEVICES"] = devices[worker % len(devices)]
    return environment


def _follow(processes: Sequence[Any], reports: Any, bar: Bar, workers: int) -> None:
    finished = 0
    while finished < workers:
        try:
            kind, payload = reports.get(timeout=0.5)
        except queue.Empty:
            dead = [p for p in processes if p.exitcode not in (None, 0)]
            if dead:
                code = dead[0].exitcode
                how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                raise UserError(
                    f"a worker process ended early ({how}; out of memory?); finished parts are "
                    "kept: give the same command again to go on, perhaps with workers=1"
                ) from None
            continue
        if kind == "progress":
            bar.add(*payload)
        elif kind == "done":
            finished += 1
        elif kind == "user error":
            raise UserError(payload)
        else:
            raise RuntimeError(f"in a worker process:\n{payload}")


def _work(
    tasks: Any,
    reports: Any,
    prepare: Callable[..., Do],
    arguments: Any,
    environment: dict[str, str],
) -> None:
    """A worker process: takes parts until the queue says that there are no more."""
    # Ctrl-C goes to the whole process group; the parent alone decides, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    os.environ.clear()
    os.environ.update(environment)
    if "torch" in sys.modules:  # it has read the fork server's already
        import torch

        torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))
    counts = Counts(lambda *done: reports.put(("progress", done)), seconds=0.2)
    try:
        do = prepare(*arguments)
        while (part := tasks.get()) is not None:
            do(part, counts.report)
            counts.flush()
        reports.put(("done", None))
    except Exception as error:
        reports.put(failure(error))


class Counts:
    """What a worker has done since it told so: told every `seconds`, not for every candidate."""

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
        told = self._tell(self._candidates, self._tokens)
        self._candidates = self._tokens = 0
        self._last = time.monotonic()
        return told


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

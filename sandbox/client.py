"""The sandbox as its users see it: programs in, outcomes out, in order.

The programs of all callers wait in one queue. A worker is a thread that has one program running at
a time, on the fork server that it keeps of each kind.
"""

import contextlib
import functools
import logging
import os
import queue
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from sandbox.cleaning import clean_program
from sandbox.outcome import Limits, Outcome, SandboxError
from sandbox.preload import Tier, tier_of
from sandbox.servers import Root, Server, ServerDiedError

__all__ = ["Sandbox", "capabilities"]

# A server may die under a program by mere bad luck once.
_TRIES = 2

_log = logging.getLogger("sandbox")


class Sandbox:
    """Runs programs, hundreds a second on each core, and keeps the machine safe from them.

    workers:
        Programs that run at the same time; by default the processors that this process may use.
    limits:
        What each program may use.
    require:
        Layers of isolation (see `capabilities`) without which to refuse to work. What is missing
        and not required is warned about once, in one line.

    May be used from any thread, by several at a time, but not in a process forked later. Raises
    SandboxError where it cannot work here.
    """

    def __init__(
        self,
        workers: int | None = None,
        limits: Limits | None = None,
        require: Sequence[str] = (),
    ) -> None:
        limits = limits or Limits()
        limits.check()
        if workers is not None and workers < 1:
            raise SandboxError(f"sandbox workers: at least 1, not {workers}")
        self._pool = _Pool(workers or _processors(), limits, tuple(require))
        self._close = weakref.finalize(self, self._pool.close)
        try:
            active = self._pool.roots["light"].active()
        except BaseException:
            self.close()
            raise
        _warn_once(tuple(name for name, on in active.items() if not on))

    def run(self, programs: Sequence[str]) -> list[Outcome]:
        """The outcomes of programs, in order; identical programs are run once.

        Fences, prose and prompts around them are removed first, as `clean_program` does.
        """
        outcomes: dict[int, Outcome] = dict(self.stream(programs))
        return [outcomes[i] for i in range(len(programs))]

    def stream(self, programs: Sequence[str]) -> Iterator[tuple[int, Outcome]]:
        """Pairs of a program's index and its outcome, as they finish.

        Programs that have not been started when the iterator is closed are forgotten.
        """
        if isinstance(programs, str):
            raise TypeError("expected a sequence of programs, found one string")
        indices: dict[str, list[int]] = {}
        for index, program in enumerate(programs):
            indices.setdefault(clean_program(program), []).append(index)
        batch = _Batch()
        try:
            self._pool.add([_Job(program, tier_of(program), batch) for program in indices])
            for _ in indices:
                program, outcome = batch.finished.get()
                if isinstance(outcome, SandboxError):
                    raise outcome
                for index in indices[program]:
                    yield index, outcome
        finally:
            batch.given_up = True

    def close(self) -> None:
        """Ends every process of the sandbox, also those that are running a program."""
        self._close()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@functools.cache
def _capabilities() -> tuple[tuple[str, bool], ...]:
    with contextlib.closing(Root("light", Limits())) as root:
        return tuple(root.active().items())


def capabilities() -> dict[str, bool]:
    """Which layers of isolation are active here: they were tried, and seen to hold.

    `rlimits` (CPU time, processes, files), `memory` (a limit on it), `no_new_privs`, `unprivileged`
    (no root capabilities), `seccomp` (a short list of system calls), `landlock` (reading only
    Python's own folders). Raises SandboxError where the sandbox cannot work at all.
    """
    return dict(_capabilities())


@dataclass(eq=False)
class _Batch:
    """The programs of one call, and what has come back for it."""

    finished: "queue.SimpleQueue[tuple[str, Outcome | SandboxError]]" = field(
        default_factory=queue.SimpleQueue
    )
    given_up: bool = False


@dataclass(eq=False)
class _Job:
    program: str
    tier: Tier
    batch: _Batch
    tries: int = 0
    place: int = 0  # in the order of arrival

    def finish(self, outcome: Outcome | SandboxError) -> None:
        self.batch.finished.put((self.program, outcome))


class _Pool:
    """The queue, the workers and the roots; everything that more than one thread touches."""

    def __init__(self, workers: int, limits: Limits, require: tuple[str, ...]) -> None:
        light, full = Root("light", limits, require), Root("full", limits, require)
        self.roots: dict[Tier, Root] = {"light": light, "full": full}
        self._workers = [_Worker(self) for _ in range(workers)]
        self._waiting: dict[Tier, deque[_Job]] = {"light": deque(), "full": deque()}
        self._changed = threading.Condition()
        self._arrived = 0
        self._started = self._closed = False
        self._process = os.getpid()

    def add(self, jobs: list[_Job]) -> None:
        """Puts jobs at the end of the queue. Raises SandboxError."""
        if os.getpid() != self._process:
            raise SandboxError("a Sandbox cannot be used in a forked process: make a new one there")
        if any(job.tier == "full" for job in jobs):
            self.roots["full"].start()  # imports while the workers do what needs no numpy
        with self._changed:
            if self._closed:
                raise SandboxError("the sandbox is closed")
            for job in jobs:
                job.place = self._arrived
                self._arrived += 1
                self._waiting[job.tier].append(job)
            if not self._started:
                self._started = True
                for worker in self._workers:
                    worker.start()
            self._changed.notify_all()

    def put_back(self, job: _Job) -> None:
        """Returns a job to the head of the queue."""
        with self._changed:
            if not self._closed:
                self._waiting[job.tier].appendleft(job)
                self._changed.notify()
                return
        job.finish(SandboxError("the sandbox is closed"))

    def take(self) -> _Job | None:
        """The next job, waiting for one; None when the pool is closed."""
        with self._changed:
            while not self._closed:
                tiers = [tier for tier in self._waiting if self._first(tier)]
                if tiers:
                    return self._waiting[self._choose(tiers)].popleft()
                self._changed.wait()
        return None

    def close(self) -> None:
        """Ends all processes and fails all jobs."""
        if os.getpid() != self._process:  # at the end of a forked process: not its sandbox
            return
        with self._changed:
            self._closed = True
            jobs = [job for waiting in self._waiting.values() for job in waiting]
            for waiting in self._waiting.values():
                waiting.clear()
            self._changed.notify_all()
        for worker in self._workers:
            worker.shut()
        for root in self.roots.values():
            root.close()
        for job in jobs:
            job.finish(SandboxError("the sandbox was closed"))
        for worker in self._workers:
            if worker.is_alive() and worker is not threading.current_thread():
                worker.join(timeout=5)

    def is_closed(self) -> bool:
        return self._closed

    def _first(self, tier: Tier) -> _Job | None:
        waiting = self._waiting[tier]
        while waiting and waiting[0].batch.given_up:
            waiting.popleft()
        return waiting[0] if waiting else None

    def _choose(self, tiers: list[Tier]) -> Tier:
        if len(tiers) == 2 and not self.roots["full"].is_ready():
            return "light"
        return min(tiers, key=lambda tier: self._waiting[tier][0].place)


class _Worker(threading.Thread):
    def __init__(self, pool: _Pool) -> None:
        super().__init__(name="sandbox", daemon=True)
        self._pool = pool
        self._servers: dict[Tier, Server] = {}

    def run(self) -> None:
        while (job := self._pool.take()) is not None:
            try:
                outcome: Outcome | SandboxError | None = self._outcome(job)
            except ServerDiedError:
                outcome = self._lost(job)
            except SandboxError as error:
                outcome = error
            except Exception as error:  # whatever happens, somebody waits for this job
                outcome = SandboxError(f"the sandbox failed: {error!r}")
            if outcome is None:
                self._pool.put_back(job)
            else:
                job.finish(outcome)
        for server in self._servers.values():
            server.close()

    def shut(self) -> None:
        """From another thread: ends what this one is waiting for."""
        for server in list(self._servers.values()):
            server.shut()

    def _outcome(self, job: _Job) -> Outcome:
        server = self._servers.get(job.tier)
        if server is None:
            server = self._servers[job.tier] = self._pool.roots[job.tier].open()
            if self._pool.is_closed():  # too late for `shut` to have seen it
                raise ServerDiedError
        server.send(job.place, job.program)
        place, outcome = server.receive()
        if place != job.place:
            raise ServerDiedError("an outcome of another program")
        return outcome

    def _lost(self, job: _Job) -> Outcome | SandboxError | None:
        """The server died under a job; None where the job is to be tried again."""
        server = self._servers.pop(job.tier, None)
        if server is not None:
            self._pool.roots[job.tier].kill(server)
        job.tries += 1
        if self._pool.is_closed():
            return SandboxError("the sandbox was closed")
        if job.tries < _TRIES:
            return None
        return Outcome("killed", "", "the fork server died while it ran", 0.0)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def _warn_once(missing: tuple[str, ...]) -> None:
    if missing:
        _log.warning("the sandbox works here without: %s", ", ".join(missing))

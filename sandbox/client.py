"""The sandbox as its users see it: programs in, outcomes out, in order.

The programs of all callers wait in one queue. A worker is a thread that has a few of them run at a
time, on the fork server that it keeps of each kind: first several together, in one process, then
alone those that must not share one.
"""

import contextlib
import functools
import logging
import math
import os
import queue
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from assay.sandbox.cleaning import clean_program
from assay.sandbox.lane import ALONE, MOST
from assay.sandbox.layers import worth_a_warning
from assay.sandbox.outcome import Limits, Outcome, SandboxError
from assay.sandbox.preload import Tier, tier_of
from assay.sandbox.servers import Root, Server, ServerDiedError

__all__ = ["Sandbox", "capabilities"]

# A server may die under a program by mere bad luck once.
_TRIES = 2
# Programs that are worth a request of their own.
_FEW = 2

# Characters; a longer program would not fit into a message to the fork server.
_LONGEST = 20_000_000
_TOO_LONG = Outcome("error", "", f"a program of more than {_LONGEST:,} characters is not run", 0.0)

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
    share:
        Whether programs that can leave nothing behind may run several to a process, which is many
        times faster and gives the same outcomes.

    May be used from any thread, by several at a time, but not in a process forked later. Raises
    SandboxError where it cannot work here.
    """

    def __init__(
        self,
        workers: int | None = None,
        limits: Limits | None = None,
        require: Sequence[str] = (),
        share: bool = True,
    ) -> None:
        self._share = share
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
        _warn_once(worth_a_warning(active))

    def run(self, programs: Sequence[str], progress: bool = False) -> list[Outcome]:
        """The outcomes of programs, in order; identical programs are run once.

        Fences, prose and prompts around them are removed first, as `clean_program` does. With
        `progress` a bar shows how many have finished, and the rate.
        """
        outcomes: dict[int, Outcome] = dict(self.stream(programs, progress))
        return [outcomes[i] for i in range(len(programs))]

    def stream(
        self, programs: Sequence[str], progress: bool = False
    ) -> Iterator[tuple[int, Outcome]]:
        """Pairs of a program's index and its outcome, as they finish.

        Programs that have not been started when the iterator is closed are forgotten.
        """
        finished = self._stream(programs)
        if not progress:
            return finished
        from tqdm.auto import tqdm

        return iter(tqdm(finished, total=len(programs), desc="run", unit="program"))

    def _stream(self, programs: Sequence[str]) -> Iterator[tuple[int, Outcome]]:
        if isinstance(programs, str):
            raise TypeError("expected a sequence of programs, found one string")
        indices: dict[str, list[int]] = {}
        for index, program in enumerate(programs):
            indices.setdefault(clean_program(program), []).append(index)
        batch = _Batch()
        try:
            jobs = []
            for program in indices:
                if len(program) > _LONGEST:
                    batch.finished.put([(program, _TOO_LONG)])
                else:
                    jobs.append(_Job(program, tier_of(program), batch, alone=not self._share))
            self._pool.add(jobs)
            left = len(indices)
            while left:
                for program, outcome in batch.finished.get():
                    if isinstance(outcome, SandboxError):
                        raise outcome
                    left -= 1
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
    Python's own folders), and in namespaces of its own `user_namespace`, `network_namespace` (with
    nothing in it) and `pid_namespace` (none of its processes outlives it). The last three are an
    extra: where there is seccomp, nobody is warned that they are missing. Raises SandboxError where
    the sandbox cannot work at all.
    """
    return dict(_capabilities())


# What may be run in one request.
_Kind = tuple[Tier, bool]


@dataclass(eq=False)
class _Batch:
    """The programs of one call, and what has come back for it."""

    finished: "queue.SimpleQueue[list[tuple[str, Outcome | SandboxError]]]" = field(
        default_factory=queue.SimpleQueue
    )
    given_up: bool = False


@dataclass(eq=False)
class _Job:
    program: str
    tier: Tier
    batch: _Batch
    alone: bool
    tries: int = 0
    place: int = 0  # in the order of arrival

    @property
    def kind(self) -> "_Kind":
        return self.tier, self.alone


class _Pool:
    """The queue, the workers and the roots; everything that more than one thread touches."""

    def __init__(self, workers: int, limits: Limits, require: tuple[str, ...]) -> None:
        light, full = Root("light", limits, require), Root("full", limits, require)
        self.roots: dict[Tier, Root] = {"light": light, "full": full}
        self._workers = [_Worker(self) for _ in range(workers)]
        self._waiting: dict[_Kind, deque[_Job]] = {
            (tier, alone): deque() for tier in self.roots for alone in (False, True)
        }
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
            self._line_up(jobs)
            if not self._started:
                self._started = True
                for worker in self._workers:
                    worker.start()

    def put_back(self, jobs: list[_Job]) -> None:
        """Returns jobs to the queue."""
        with self._changed:
            if not self._closed:
                self._line_up(jobs)
                return
        _fail(jobs, SandboxError("the sandbox is closed"))

    def take(self) -> list[_Job]:
        """The next jobs, all of one kind, waiting for some; none when the pool is closed."""
        with self._changed:
            while not self._closed:
                kinds = [kind for kind in self._waiting if self._first(kind)]
                if kinds:
                    return self._some(self._choose(kinds))
                self._changed.wait()
        return []

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
        _fail(jobs, SandboxError("the sandbox was closed"))
        for worker in self._workers:
            if worker.is_alive() and worker is not threading.current_thread():
                worker.join(timeout=5)

    def is_closed(self) -> bool:
        return self._closed

    def _line_up(self, jobs: list[_Job]) -> None:
        for job in jobs:
            job.place = self._arrived
            self._arrived += 1
            self._waiting[job.kind].append(job)
        self._changed.notify_all()

    def _first(self, kind: _Kind) -> _Job | None:
        waiting = self._waiting[kind]
        while waiting and waiting[0].batch.given_up:
            waiting.popleft()
        return waiting[0] if waiting else None

    def _choose(self, kinds: list[_Kind]) -> _Kind:
        light = [kind for kind in kinds if kind[0] == "light"]
        if light and not self.roots["full"].is_ready():
            kinds = light
        return min(kinds, key=lambda kind: self._waiting[kind][0].place)

    def _some(self, kind: _Kind) -> list[_Job]:
        waiting = self._waiting[kind]
        # Less and less of what is left, so that the workers finish together.
        share = math.ceil(len(waiting) / (2 * len(self._workers)))
        count = 1 if kind[1] else min(MOST, max(_FEW, share))
        jobs = [waiting.popleft()]
        while waiting and len(jobs) < count:
            job = waiting.popleft()
            if not job.batch.given_up:
                jobs.append(job)
        return jobs


class _Worker(threading.Thread):
    def __init__(self, pool: _Pool) -> None:
        super().__init__(name="sandbox", daemon=True)
        self._pool = pool
        self._servers: dict[Tier, Server] = {}

    def run(self) -> None:
        while jobs := self._pool.take():
            left = dict(enumerate(jobs))
            try:
                self._do(left)
            except ServerDiedError:
                self._lost(jobs[0].tier, list(left.values()))
            except SandboxError as error:
                _fail(left.values(), error)
            except Exception as error:  # whatever happens, somebody waits for these
                _fail(left.values(), SandboxError(f"the sandbox failed: {error!r}"))
        for server in self._servers.values():
            server.close()

    def shut(self) -> None:
        """From another thread: ends what this one is waiting for."""
        for server in list(self._servers.values()):
            server.shut()

    def _do(self, left: dict[int, _Job]) -> None:
        """Has jobs of one kind run; takes those that are finished or put back from `left`."""
        programs = [job.program for job in left.values()]
        tier, alone = left[0].kind
        server = self._servers.get(tier)
        if server is None:
            server = self._servers[tier] = self._pool.roots[tier].open()
            if self._pool.is_closed():  # too late for `shut` to have seen it
                raise ServerDiedError
        for told in server.run(programs, alone):
            done, again = [], []
            for index, outcome in told:
                job = left.pop(index)
                if isinstance(outcome, Outcome):
                    done.append((job, outcome))
                else:
                    job.alone = outcome == ALONE
                    again.append(job)
            _finish(done)
            self._pool.put_back(again)

    def _lost(self, tier: Tier, jobs: list[_Job]) -> None:
        """The server died under these jobs: one of them may be why."""
        server = self._servers.pop(tier, None)
        if server is not None:
            self._pool.roots[tier].kill(server)
        if self._pool.is_closed():
            _fail(jobs, SandboxError("the sandbox was closed"))
            return
        again = []
        for job in jobs:
            job.tries += job.alone
            job.alone = True
            if job.tries < _TRIES:
                again.append(job)
            else:
                _finish([(job, Outcome("killed", "", "the fork server died while it ran", 0.0))])
        self._pool.put_back(again)


def _fail(jobs: Iterable[_Job], error: SandboxError) -> None:
    _finish([(job, error) for job in jobs])


def _finish(done: Iterable[tuple[_Job, Outcome | SandboxError]]) -> None:
    """Hands outcomes to those that wait for them, all of one batch at a time."""
    by_batch: dict[_Batch, list[tuple[str, Outcome | SandboxError]]] = {}
    for job, outcome in done:
        by_batch.setdefault(job.batch, []).append((job.program, outcome))
    for batch, finished in by_batch.items():
        batch.finished.put(finished)


def _processors() -> int:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # Where Slurm does not bind a job to its cores, it still says how many they are.
    return max(1, min(count or 1, int(os.environ.get("SLURM_CPUS_ON_NODE") or count or 1)))


@functools.cache
def _warn_once(missing: tuple[str, ...]) -> None:
    if missing:
        _log.warning("the sandbox works here without: %s", ", ".join(missing))

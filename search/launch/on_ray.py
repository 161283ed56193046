"""Doing the parts of a stage on a Ray cluster: `launcher=ray`.

Workers are actors: one loads what it needs (a model, a sandbox) once and is then given part after
part. The driver gives a part only to a worker that is ready, so that workers for which the cluster
has no room yet (one that grows, say) hold nobody up. A worker that dies, with its machine or alone,
loses the part that it was at: the part is begun again, `retries` times at most, and another worker
takes its place. Where parts are written (`pools/run.py`) nothing changes: the run must be
reached from every machine under the same path.

    assay score RUN verifier=runs/v launcher=ray ray.address=auto
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections import Counter, deque
from typing import Any

from assay.pools.progress import Bar
from assay.pools.run import Part
from assay.search.launch.config import RayConfig
from assay.search.launch.work import Counts, Do, Work, failure
from assay.settings.errors import UserError
from assay.settings.extras import missing_package

__all__ = ["do_on_ray"]

_POLL_SECONDS = 0.5


def do_on_ray(work: Work, config: RayConfig) -> None:
    """Does every part on the cluster. Raises as `do_parts`; `UserError` where Ray is missing."""
    try:
        import ray
    except ImportError as error:
        raise missing_package("launcher=ray", "ray", extra="ray") from error
    if config.retries < 0 or config.workers < 0 or config.cpus < 0:
        raise UserError("ray.retries, ray.workers and ray.cpus: expected 0 or more")
    if config.gpus < 0 and config.gpus != -1:
        raise UserError(f"ray.gpus={config.gpus}: expected 0 or more, or -1 (what the stage needs)")
    if not work.parts:
        return
    started = not ray.is_initialized()
    if started:
        _connect(config.address)
    try:
        with Bar(work.total, work.description) as bar:
            _Driver(work, config, bar).run()
    finally:
        if started:
            ray.shutdown()


def _connect(address: str) -> None:
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    try:
        _reach(address)
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"ray.address={address}: no Ray cluster there ({reason})") from error


def _reach(address: str) -> None:
    """Raises `OSError` where nobody listens: Ray itself would try for many minutes."""
    if address == "local" or "://" in address:
        return
    try:
        from ray._private.services import canonicalize_bootstrap_address
    except ImportError:  # no part of Ray's interface
        return
    host, _, port = str(canonicalize_bootstrap_address(address)).rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


class _Driver:
    """Gives parts to workers until none is left."""

    def __init__(self, work: Work, config: RayConfig, bar: Bar) -> None:
        import ray
        import ray.util.scheduling_strategies

        self.work, self.config, self.bar = work, config, bar
        gpus = _gpus(work, config)
        # Deaths are counted and replaced here, by the part; Ray would hide them.
        self.actor = ray.remote(
            num_cpus=config.cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0
        )(_Worker)
        # Beside this process: it dies with no other machine.
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self.progress = ray.remote(num_cpus=0, scheduling_strategy=here)(_Progress).remote()
        self.wanted = min(len(work.parts), config.workers or _room(config.cpus, gpus))
        self.left = deque(work.parts)
        self.begun: Counter[Part] = Counter()
        self.counted: dict[tuple[Part, int], tuple[int, int]] = {}
        self.busy: dict[Any, tuple[Any, Part | None]] = {}
        self.failed_starts = 0

    def run(self) -> None:
        import ray

        try:
            while self.left or any(part for _, part in self.busy.values()):
                # As many as there are parts to do, whether begun or not.
                doing = sum(part is not None for _, part in self.busy.values())
                while len(self.busy) < min(self.wanted, doing + len(self.left)):
                    self._hire()
                done, _ = ray.wait(list(self.busy), timeout=_POLL_SECONDS)
                self._show()
                for answer in done:
                    self._take(answer)
            self._show()
        finally:
            for worker, _ in self.busy.values():
                ray.kill(worker)

    def _hire(self) -> None:
        worker = self.actor.remote()
        arguments = (self.work.prepare, tuple(self.work.arguments), os.getcwd(), self.progress)
        self.busy[worker.begin.remote(*arguments)] = (worker, None)

    def _take(self, answer: Any) -> None:
        """A worker has answered, or died; it gets the next part, if there is one."""
        import ray

        worker, part = self.busy.pop(answer)
        try:
            kind, text = ray.get(answer)
        except ray.exceptions.RayActorError as error:
            ray.kill(worker)  # it may only be out of reach
            self._bury(part, " ".join(str(error).split()))
            return
        if kind == "user error":
            ray.kill(worker)
            raise UserError(text)
        if kind == "error":
            ray.kill(worker)
            raise RuntimeError(f"in a worker of Ray:\n{text}")
        if not self.left:
            ray.kill(worker)
            return
        part = self.left.popleft()
        self.begun[part] += 1
        self.busy[worker.do.remote(part, self.begun[part])] = (worker, part)

    def _bury(self, part: Part | None, reason: str) -> None:
        if part is None:
            self.failed_starts += 1
            times, what = self.failed_starts, "before its first part"
        else:
            candidates, tokens = self.counted.pop((part, self.begun[part]), (0, 0))
            self.bar.add(-candidates, -tokens)
            self.left.appendleft(part)
            times, what = self.begun[part], f"at {part.filename}"
        if times > self.config.retries:
            raise UserError(
                f"a worker of Ray died {what} ({times} times; ray.retries={self.config.retries}); "
                f"finished parts are kept: {reason[:300]}"
            )
        print(f"a worker of Ray died {what}; its part will be restarted", file=sys.stderr)

    def _show(self) -> None:
        import ray

        for (part, attempt), (candidates, tokens) in ray.get(self.progress.taken.remote()).items():
            # What a dead worker still had to say of its attempt does not count.
            if self.begun[part] == attempt and part not in self.left:
                before = self.counted.get((part, attempt), (0, 0))
                self.counted[part, attempt] = (before[0] + candidates, before[1] + tokens)
                self.bar.add(candidates, tokens)


class _Worker:
    """An actor: loads what it needs once, does one part after the other."""

    def begin(
        self, prepare: Any, arguments: tuple[Any, ...], folder: str, progress: Any
    ) -> tuple[str, str]:
        """("ready", "") or what went wrong, as `assay.search.launch.work.failure` tells it."""
        # Paths are relative to where the command was given, on every machine.
        with contextlib.suppress(OSError):
            os.chdir(folder)
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._progress = progress
        try:
            self._do: Do = prepare(*arguments)
        except Exception as error:
            return failure(error)
        return "ready", ""

    def do(self, part: Part, attempt: int) -> tuple[str, str]:
        """("done", "") or what went wrong, as `assay.search.launch.work.failure` tells it."""
        import ray

        def tell(candidates: int, tokens: int) -> Any:
            return self._progress.add.remote(part, attempt, candidates, tokens)

        counts = Counts(tell, seconds=_POLL_SECONDS)
        try:
            self._do(part, counts.report)
        except Exception as error:
            return failure(error)
        ray.get(counts.flush())
        return "done", ""


class _Progress:
    """An actor: what was done since it was last asked, by part and attempt."""

    def __init__(self) -> None:
        self._new: dict[tuple[Part, int], tuple[int, int]] = {}

    def add(self, part: Part, attempt: int, candidates: int, tokens: int) -> None:
        before = self._new.get((part, attempt), (0, 0))
        self._new[part, attempt] = (before[0] + candidates, before[1] + tokens)

    def taken(self) -> dict[tuple[Part, int], tuple[int, int]]:
        new, self._new = self._new, {}
        return new


def _gpus(work: Work, config: RayConfig) -> float:
    """GPUs of one worker."""
    import ray

    if config.gpus >= 0:
        return config.gpus
    return work.gpus if ray.cluster_resources().get("GPU", 0) else 0


def _room(cpus: float, gpus: float) -> int:
    """How many workers the cluster has room for, at least one."""
    import ray

    resources = ray.cluster_resources()
    rooms = [int(resources.get(name, 0) / n) for name, n in (("CPU", cpus), ("GPU", gpus)) if n]
    return max(1, min(rooms, default=1))

"""The campaign's state between calls, its clock, and the processes that it starts and stops."""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from assay.pools.run import Part
from assay.settings.errors import UserError
from assay.storage.files import write_json

__all__ = ["Campaign", "OutOfTimeError", "whole_slices"]

ROOT = Path(__file__).resolve().parents[2]
# Of a rehearsal: the embedded base learns made-up problems with rates of its size.
SMALL_WORDS = {
    "train-generator": ["learning_rate=1e-3", "batch_size=8"],
    "sample": ["sampling.max_new_tokens=96"],
    "train-verifier": ["learning_rate=1e-3", "batch_tokens=2000", "pack_tokens=512"],
}
CONFIGS = {"train-generator": "generator", "sample": "sample", "train-verifier": "verifier"}

_PR_SET_PDEATHSIG = 1


class OutOfTimeError(Exception):
    """The call's seconds are over."""


def whole_slices(folder: Path) -> set[int]:
    """The slices of problems that have parts of both modes."""
    parts = [part for file in folder.glob("part-*.parquet") if (part := Part.parse(file.name))]
    cot, pot = ({part.index for part in parts if part.mode == mode} for mode in ("cot", "pot"))
    return cot & pot


class Campaign:
    """Settings, the state that is carried over, and the clock."""

    def __init__(self, given: dict[str, str], *, rehearse: bool) -> None:
        self.given, self.rehearse = given, rehearse
        self.work = Path(given["work"]).resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.file = self.work / "campaign.json"
        self.state: dict[str, Any] = {"spent": 0.0}
        self.state |= {name: {} for name in ("done", "plan", "rates", "benches")}
        if self.file.exists():
            self.state = json.loads(self.file.read_text(encoding="utf-8"))
        self._begun, self._before = time.monotonic(), self.state["spent"]
        seconds = float(given["seconds"])
        self._end = self._begun + seconds if seconds else math.inf

    @property
    def left(self) -> float:
        """Seconds of the whole budget that are left; negative where it is overdrawn."""
        self.state["spent"] = self._before + time.monotonic() - self._begun
        return 60 * float(self.given["minutes"]) - float(self.state["spent"])

    def save(self) -> None:
        """Writes the state."""
        _ = self.left
        write_json(self.file, self.state)

    def stage(self, name: str, work: Callable[[], Any]) -> None:
        """Does a stage that is not done yet."""
        if name in self.state["done"]:
            return
        print(f"[{name}] {self.left:.0f} s left", flush=True)
        begun = time.monotonic()
        told = work()
        seconds = round(time.monotonic() - begun, 1)
        self.state["done"][name] = {"seconds": seconds, **(told or {})}
        self.save()
        print(f"[{name}] {seconds:.0f} s {json.dumps(told) if told else ''}", flush=True)

    def decided(self, name: str, decide: Callable[[], Any]) -> Any:
        """What was decided once; a stage that goes on must not decide otherwise."""
        if name not in self.state["plan"]:
            self.state["plan"][name] = decide()
            self.save()
        return self.state["plan"][name]

    def assay(
        self, name: str, *words: str, until: float = math.inf, enough: Path | None = None
    ) -> float:
        """One of Assay's commands, with the campaign's settings for it; its seconds.

        It is ended after `until` seconds, once some problems have parts of both modes in `enough`.
        """
        command = words[0]
        own = [f"configs/gsm8k_135m/{CONFIGS[command]}.yaml"] if command in CONFIGS else []
        small = SMALL_WORDS.get(command, []) if self.rehearse else []
        line = ["-m", "assay", *words[:2], *own, *small, *words[2:]]
        return self.python(name, line, until=until, enough=enough)

    def python(
        self,
        name: str,
        words: Sequence[str],
        *,
        until: float = math.inf,
        enough: Path | None = None,
    ) -> float:
        """Runs a script, its output in logs/NAME.log; returns its seconds.

        Raises `OutOfTimeError` where the call's time is over, `UserError` where the script fails.
        """
        log = self.work / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
        begun = time.monotonic()
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"$ {' '.join(words)}\n")
            stream.flush()
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                preexec_fn=_apart,
            )
            try:
                cut = self._wait(process, begun + until, enough)
            finally:
                _stop(process)
        if process.returncode and not cut:
            lines = log.read_text(encoding="utf-8").strip().splitlines()
            raise UserError(f"{name} failed: {lines[-1][:300]} ({log})")
        return time.monotonic() - begun

    def _wait(self, process: subprocess.Popen[bytes], end: float, enough: Path | None) -> bool:
        """Waits; whether the process was left unfinished because its own time is over."""
        saved = time.monotonic()
        while process.poll() is None:
            time.sleep(0.1)
            now = time.monotonic()
            if now - saved > 10:  # a machine that is taken away must not give time back
                self.save()
                saved = now
            if now > self._end:
                raise OutOfTimeError
            if now > end and (enough is None or whole_slices(enough)):
                return True
        return False


def _apart() -> None:
    """In a stage's process: a group of its own to be stopped with, and no life without this one.

    What a killed call left running would work on the files of the next one.
    """
    os.setpgid(0, 0)
    with contextlib.suppress(OSError, AttributeError):  # elsewhere than on Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and what it has started: first it may save what it has."""
    for number, patience in ((signal.SIGINT, 30), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue

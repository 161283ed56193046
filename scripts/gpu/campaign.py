r"""The campaign: the paper's experiment with a 135M model on GSM8K, inside a budget of minutes.

    python scripts/gpu/campaign.py [work=runs/gsm8k_135m] [model=models/smollm2-135m-instruct]
        [data=data/gsm8k] [minutes=25] [seconds=0] [bench_minutes=4] [workers=4,8]
        [probe_problems=256] [problems=0] [tests=0] [device=cuda]
    python scripts/gpu/campaign.py --rehearse [key=value …]    # tiny, on a CPU, data made up

`model` is a Hugging Face folder, a GGUF file, or a GGUF file in pieces: where models/x.gguf is not
there but models/x.gguf.aa, … are (`split -b 47M x.gguf x.gguf.`), they are joined. Pieces may come
in different calls: each is kept in the work folder until the whole has the SHA-256 that is known.
`data` holds GSM8K's train.jsonl and test.jsonl. `problems` and `tests` take so many of them.

Stages, each once, in this order; the settings are those of configs/gsm8k_135m:

    base        the model as a folder
    generator   a probe of 4 × `probe_problems` problems, then the training: at most 20 % of
                `minutes`, or fewer epochs, or fewer problems
    probe       samples, grades, trains a verifier and scores on `probe_problems` problems, with
                each number of `workers` (processes that sample on one GPU, and score); the faster
                one counts
    plan        the largest size of `campaign_plan.LADDER` that fits into what is left, less
                `bench_minutes` and one minute for the summary
    pool        samples and grades the verifier's training problems; what is not there after one
                and a half times the time planned is left out (problems, in both modes)
    verifier    on as many samples of each problem as there is time for
    greedy      one candidate of each test problem and mode at temperature 0
    test        as many samples of each test problem as there is time for; report
    bench       against peers: sampling, scoring, training of generator and verifier
    summary     WORK/summary and WORK/summary.tar.gz, a few hundred kilobytes; a call that ends
                earlier, for whatever reason, writes them too, with what there is

`minutes` count over all calls, the pauses between them not. With `seconds` a call ends after so
many, in the middle of a stage if need be, and the same command goes on there: the stages are
Assay's own commands, which keep what is finished. The work folder must be carried over.

Exit codes: 0 done, 2 something is missing or failed (one line says what), 3 not done yet.
"""

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

ROOT = Path(__file__).resolve().parents[2]
# In the place of this folder.
sys.path[0] = str(ROOT)

from assay.settings.errors import UserError  # noqa: E402
from assay.storage.files import write_json  # noqa: E402
from scripts.gpu.campaign_machine import check_machine  # noqa: E402
from scripts.gpu.campaign_stages import Stages, whole_slices  # noqa: E402

DEFAULTS = {
    "work": "runs/gsm8k_135m",
    "model": "models/smollm2-135m-instruct",
    "data": "data/gsm8k",
    "minutes": "25",
    "seconds": "0",
    "bench_minutes": "4",
    "workers": "4,8",
    "probe_problems": "256",
    "problems": "0",
    "tests": "0",
    "device": "cuda",
}
REHEARSAL = {
    "work": "runs/gsm8k_135m_rehearsal",
    "model": "embedded",
    "data": "",
    "minutes": "8",
    "bench_minutes": "2.5",
    "workers": "1",
    "probe_problems": "4",
    "device": "cpu",
}
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
        line = [str(ROOT / "assay/command_line.py"), *words[:2], *own, *small, *words[2:]]
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


def main() -> int:
    # Started in the background by a shell, this process ignores Ctrl-C, and so would its stages.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    words = sys.argv[1:]
    rehearse = "--rehearse" in words
    words = [word for word in words if word != "--rehearse"]
    known = {**DEFAULTS, **(REHEARSAL if rehearse else {})}
    given = dict(word.split("=", 1) for word in words if "=" in word)
    unknown = [word for word in words if word.split("=", 1)[0] not in known or "=" not in word]
    if unknown:
        raise UserError(f"unknown: {', '.join(unknown)}; expected key=value of {', '.join(known)}")
    campaign = Campaign({**known, **given}, rehearse=rehearse)
    campaign.state["command"] = " ".join(sys.argv[1:])
    if "summary" not in campaign.state["done"]:
        check_machine(campaign.given, campaign.work)
    stages = Stages(campaign)
    done = False
    try:
        for name, work in stages.all().items():
            campaign.stage(name, work)
        done = True
    except (OutOfTimeError, KeyboardInterrupt):
        print(f"not done yet: the same command goes on in {campaign.work}", flush=True)
        return 3
    finally:
        campaign.save()
        if not done:
            stages.summary_so_far()
    print((campaign.work / "summary" / "result.md").read_text(encoding="utf-8"))
    print(f"summary: {campaign.work / 'summary.tar.gz'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"campaign: {error}", file=sys.stderr)
        sys.exit(2)

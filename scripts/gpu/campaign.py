r"""The campaign: the paper's experiment with a 135M model on GSM8K, inside a budget of minutes.

    python scripts/gpu/campaign.py [work=runs/gsm8k_135m] [model=models/smollm2-135m-instruct]
        [data=data/gsm8k] [minutes=25] [seconds=0] [bench_minutes=4] [workers=1,4]
        [probe_problems=128] [problems=0] [tests=0] [device=cuda]
    python scripts/gpu/campaign.py --rehearse [key=value …]    # tiny, on a CPU, data made up

`model` is a Hugging Face folder, a GGUF file, or a GGUF file in pieces: where models/x.gguf is not
there but models/x.gguf.aa, … are (`split -b 47M x.gguf x.gguf.`), they are joined. Pieces may come
in different calls: each is kept in the work folder until the whole has the SHA-256 that is known.
`data` holds GSM8K's train.jsonl and test.jsonl. `problems` and `tests` take so many of them.

Stages, each once, in this order; the settings are those of configs/gsm8k_135m:

    base        the model as a folder
    generator   a probe of 8 × `probe_problems` problems, then the training: at most 20 % of
                `minutes`, or fewer epochs, or fewer problems
    probe       samples, grades, trains a verifier and scores on `probe_problems` problems, with
                each number of `workers` (processes that sample on one GPU); the faster one counts
    plan        the largest size of `campaign_plan.LADDER` that fits into what is left, less
                `bench_minutes` and one minute for the summary
    pool        samples and grades the verifier's training problems; what is not there after one
                and a half times the time planned is left out
    verifier    on as many samples of each problem as there is time for
    greedy      one candidate of each test problem and mode at temperature 0
    test        as many samples of each test problem as there is time for; report
    bench       against peers: sampling, scoring, training of generator and verifier
    summary     WORK/summary and WORK/summary.tar.gz, a few hundred kilobytes

`minutes` count over all calls, the pauses between them not. With `seconds` a call ends after so
many, in the middle of a stage if need be, and the same command goes on there: the stages are
Assay's own commands, which keep what is finished. The work folder must be carried over.

Exit codes: 0 done, 2 something is missing or failed (one line says what), 3 not done yet.
"""

from __future__ import annotations

import json
import math
import os
import shutil
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

from problems.errors import UserError  # noqa: E402
from problems.records import write_json  # noqa: E402
from scripts.gpu.campaign_machine import (  # noqa: E402
    BENCHES,
    REHEARSED_BENCHES,
    check_machine,
    made_up,
    model_file,
)
from scripts.gpu.campaign_plan import (  # noqa: E402
    LADDER,
    SAFETY,
    Rates,
    Size,
    choose,
    epochs_that_fit,
    seconds_of,
    shrink,
)

DEFAULTS = {
    "work": "runs/gsm8k_135m",
    "model": "models/smollm2-135m-instruct",
    "data": "data/gsm8k",
    "minutes": "25",
    "seconds": "0",
    "bench_minutes": "4",
    "workers": "1,4",
    "probe_problems": "128",
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
SMALL = (Size(24, 8, 8), Size(16, 8, 4), Size(8, 4, 4))
# Of a rehearsal: the embedded base learns made-up problems with rates of its size.
SMALL_WORDS = {
    "train-generator": ["learning_rate=1e-3", "batch_size=8"],
    "sample": ["sampling.max_new_tokens=96"],
    "train-verifier": ["learning_rate=1e-3", "batch_tokens=2000", "pack_tokens=512"],
}
PROBE_SAMPLES = 32
CONFIGS = {"train-generator": "generator", "sample": "sample", "train-verifier": "verifier"}
GENERATOR_SHARE = 0.2
SUMMARY_SECONDS = 60
OVERDUE = 1.5
PART_SAMPLES = 4096


class OutOfTimeError(Exception):
    """The call's seconds are over."""


class Campaign:
    """Settings, the state that is carried over, and the clock."""

    def __init__(self, given: dict[str, str], *, rehearse: bool) -> None:
        self.given, self.rehearse = given, rehearse
        self.work = Path(given["work"]).resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.file = self.work / "campaign.json"
        self.state: dict[str, Any] = {"spent": 0.0, "done": {}, "plan": {}, "rates": {}}
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
        print(f"[{name}] {seconds:.0f} s {json.dumps(told or {})}", flush=True)

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

        It is ended after `until` seconds, where the folder `enough` holds parts of both modes.
        """
        command = words[0]
        own = [f"configs/gsm8k_135m/{CONFIGS[command]}.yaml"] if command in CONFIGS else []
        small = SMALL_WORDS.get(command, []) if self.rehearse else []
        line = [str(ROOT / "assay.py"), *words[:2], *own, *small, *words[2:]]
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

        Raises `OutOfTimeError` where the call's time is over, and `UserError` where the script fails.
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
                start_new_session=True,
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
            if now > end and (enough is None or _both_modes(enough)):
                return True
        return False


def _both_modes(folder: Path) -> bool:
    return all(any(folder.glob(f"part-*.{mode}.*.parquet")) for mode in ("cot", "pot"))


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


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


class Stages:
    """What the stages do."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign, self.given, self.work = campaign, campaign.given, campaign.work
        self.data = Path(self.given["data"]).resolve() if self.given["data"] else self.work / "data"
        if not self.given["data"]:
            made_up(self.data)
        self.available = {
            split: self._count(split, int(self.given[key]))
            for split, key in (("train", "problems"), ("test", "tests"))
        }
        self.budget = 60 * float(self.given["minutes"])

    def _count(self, split: str, limit: int) -> int:
        file = self.data / f"{split}.jsonl"
        if not file.is_file():
            raise UserError(f"data={self.data}: expected GSM8K's {split}.jsonl there")
        lines = file.read_text(encoding="utf-8").strip().count("\n") + 1
        return min(lines, limit) if limit else lines

    def problems(self, split: str, limit: int) -> list[str]:
        """Words that name the first problems of a split."""
        return ["problems=gsm8k", f"problems.path={self.data}", f"problems.split={split}",
                f"problems.limit={limit}"]  # fmt: skip

    def base(self) -> dict[str, Any]:
        """The model as a folder, or as the name of one."""
        found = model_file(self.given["model"], self.work)
        if found.endswith(".gguf"):
            self.campaign.assay("base", "fetch", found, f"to={self.work / 'base'}")
            found = str(self.work / "base")
        return {"model": found}

    def train_generator(self) -> dict[str, Any]:
        """A probe for the rate, then the training."""
        model = f"model={self.campaign.state['done']['base']['model']}"
        everything = self.available["train"]
        few = min(everything, 8 * int(self.given["probe_problems"]))
        probe = self.work / "probe" / "generator"

        def decide() -> list[float]:
            words = [model, *self.problems("train", few), "epochs=1"]
            self.campaign.assay("probe-generator", "train-generator", str(probe), *words)
            per_epoch = _read(probe / "assay.json")["seconds"] * everything / few
            shutil.rmtree(probe)
            wanted = 1 if self.campaign.rehearse else 3
            return list(epochs_that_fit(per_epoch, GENERATOR_SHARE * self.budget, wanted))

        epochs, share = self.campaign.decided("generator", decide)
        limit = max(1, int(share * everything))
        words = [model, *self.problems("train", limit), f"epochs={int(epochs)}"]
        self.campaign.assay("generator", "train-generator", str(self.work / "generator"), *words)
        record = _read(self.work / "generator" / "assay.json")
        return {"epochs": int(epochs), "problems": limit, "training_seconds": record["seconds"]}

    def sample(
        self,
        run: Path,
        split: str,
        limit: int,
        samples: int,
        workers: int,
        *more: str,
        until: float = math.inf,
    ) -> float:
        """So many candidates of each problem, half of them in words, half as programs; graded.

        Returns the seconds of the sampling command.
        """
        half = max(1, samples // 2)
        size = max(1, min(PART_SAMPLES // half, math.ceil(limit / workers)))
        seconds = self.campaign.assay(
            f"sample-{run.name}", "sample", str(run), *self.problems(split, limit),
            f"generator={self.work / 'generator'}", f"modes.cot={half}", f"modes.pot={half}",
            f"problems_per_part={size}", f"workers={workers}", *more,
            until=until, enough=run / "candidates",
        )  # fmt: skip
        self.campaign.assay(f"grade-{run.name}", "grade", str(run))
        return seconds

    def train_verifier(self, output: Path, pool: Path, *more: str) -> dict[str, Any]:
        """Trains a verifier; returns its record."""
        base = f"model.base={self.work / 'generator'}"
        self.campaign.assay(
            f"train-{output.name}", "train-verifier", str(output), f"pools=[{pool}]", base, *more
        )
        return _read(output / "assay.json")

    def probe(self) -> dict[str, Any]:
        """Rates of every stage, on few problems."""
        from search.runs import Run

        folder = self.work / "probe"
        limit = min(int(self.given["probe_problems"]), self.available["train"])
        samples = self.campaign.decided("probe_samples", lambda: self._first().samples)
        rates: dict[int, float] = {}
        start = 0.0
        for workers in map(int, self.given["workers"].split(",")):
            run = folder / f"pool-{workers}"
            took = self.sample(run, "train", limit, samples, workers)
            work = Run.open(run).seconds("candidates") / (workers * limit * samples)
            rates[workers] = work
            start = max(start, took - work * limit * samples)
        workers = min(rates, key=lambda count: rates[count])
        run, count = folder / f"pool-{workers}", limit * samples
        small = ["validation_fraction=0", "batch_tokens=8000"]
        record = self.train_verifier(folder / "probe-verifier", run, *small)
        scored = self.campaign.assay(
            "probe-score", "score", str(run), f"verifier={folder / 'probe-verifier'}"
        )
        opened = Run.open(run)
        score = opened.seconds("scores/probe-verifier")
        found = Rates(
            sample=rates[workers],
            grade=opened.seconds("answers") / count,
            train=record["seconds"] / record["data"]["candidates"],
            score=score / count,
            # What is still to come are about so many commands.
            start=round(8 * max(start, scored - score), 1),
        )
        shutil.rmtree(folder / "probe-verifier")
        self.campaign.state["rates"] = vars(found)
        return {"workers": workers, "by_workers": rates, **vars(found)}

    def _first(self) -> Size:
        return SMALL[-1] if self.campaign.rehearse else Size(0, PROBE_SAMPLES, 0)

    @property
    def rates(self) -> Rates:
        """What the probe found."""
        return Rates(**self.campaign.state["rates"])

    @property
    def workers(self) -> int:
        """How many processes sample."""
        return int(self.campaign.state["done"]["probe"]["workers"])

    @property
    def left(self) -> float:
        """Seconds for everything but benchmarks and summary."""
        reserved = 60 * float(self.given["bench_minutes"]) + SUMMARY_SECONDS
        return self.campaign.left - reserved

    def plan(self) -> dict[str, Any]:
        """The size."""
        ladder = SMALL if self.campaign.rehearse else LADDER
        tests, rates = self.available["test"], self.rates
        size = choose(rates, self.left, self.available["train"], tests, ladder)
        expected = round(seconds_of(size, tests, rates))
        return {**vars(size), "expected": expected, "allowed": round(self.left)}

    @property
    def size(self) -> Size:
        """The size planned."""
        planned = self.campaign.state["done"]["plan"]
        return Size(planned["problems"], planned["samples"], planned["test_samples"])

    def pool(self) -> None:
        """The verifier's training candidates."""
        size = self.size
        expected = size.problems * size.samples * self.rates.sample + self.rates.start / 3
        self.sample(
            self.work / "pool", "train", size.problems, size.samples, self.workers,
            until=OVERDUE * SAFETY * expected,
        )  # fmt: skip

    def verifier(self) -> dict[str, Any]:
        """The verifier, on as many samples of each problem as there is time for."""
        size, rates, tests = self.size, self.rates, self.available["test"]

        def decide() -> int:
            after = seconds_of(Size(0, 0, size.test_samples), tests, rates)
            per_sample = size.problems * rates.train
            return shrink(size.samples, per_sample, self.left - after, min(8, size.samples))

        samples = self.campaign.decided("verifier_samples", decide)
        record = self.train_verifier(
            self.work / "verifier", self.work / "pool", f"samples_per_problem={samples}"
        )
        return {"samples": samples, "training_seconds": record["seconds"], "kept": record["kept"]}

    def greedy(self) -> None:
        """Candidates at temperature 0."""
        tests = self.available["test"]
        self.sample(self.work / "greedy", "test", tests, 2, self.workers, "sampling.temperature=0")

    def test(self) -> dict[str, Any]:
        """Test candidates, scores, report."""
        tests, rates, run = self.available["test"], self.rates, self.work / "test"
        per_sample = tests * (rates.sample + rates.grade + rates.score)
        samples = self.campaign.decided(
            "test_samples",
            lambda: shrink(self.size.test_samples, per_sample, self.left - rates.start / 2, 4),
        )
        expected = tests * samples * rates.sample + rates.start / 3
        self.sample(run, "test", tests, samples, self.workers, until=OVERDUE * SAFETY * expected)
        words = [f"verifier={self.work / 'verifier'}", "scoring.values=true"]
        self.campaign.assay("score-test", "score", str(run), *words)
        self.campaign.assay("report", "report", str(run), "candidates=8")
        return {"samples": samples}

    def bench(self) -> dict[str, Any]:
        """Benchmarks, one after the other, while there is time; one that fails stops nothing."""
        told: dict[str, Any] = {}
        benches = REHEARSED_BENCHES if self.campaign.rehearse else BENCHES
        end = time.monotonic() + max(30.0, self.campaign.left - SUMMARY_SECONDS)
        places = {"model": self.campaign.state["done"]["base"]["model"], "data": str(self.data),
                  "work": str(self.work)}  # fmt: skip
        for name, words in benches.items():
            seconds = end - time.monotonic()
            if seconds < 15:
                told[name] = "no time left"
                continue
            try:
                took = self.campaign.python(
                    f"bench-{name}", [word.format(**places) for word in words], until=seconds
                )
                told[name] = "out of time" if took >= seconds else f"{took:.0f} s"
            except UserError as error:
                told[name] = str(error)
        return told

    def summary(self) -> dict[str, Any]:
        """The folder to take home."""
        from scripts.gpu.campaign_summary import write_summary

        size = write_summary(self.work, self.campaign.state, self.given)
        return {"kilobytes": round(size / 1000)}


def main() -> int:
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
        check_machine(campaign.given["device"], campaign.given["model"])
    stages = Stages(campaign)
    try:
        for name, work in {
            "base": stages.base,
            "generator": stages.train_generator,
            "probe": stages.probe,
            "plan": stages.plan,
            "pool": stages.pool,
            "verifier": stages.verifier,
            "greedy": stages.greedy,
            "test": stages.test,
            "bench": stages.bench,
            "summary": stages.summary,
        }.items():
            campaign.stage(name, work)
    except (OutOfTimeError, KeyboardInterrupt):
        print(f"not done yet: the same command goes on in {campaign.work}", flush=True)
        return 3
    finally:
        campaign.save()
    print((campaign.work / "summary" / "result.md").read_text(encoding="utf-8"))
    print(f"summary: {campaign.work / 'summary.tar.gz'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"campaign: {error}", file=sys.stderr)
        sys.exit(2)

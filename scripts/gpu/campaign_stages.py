"""The campaign's stages: what each does with the time that is left (campaign.py lists them)."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.pools.run import Part, Run
from assay.settings.errors import UserError
from scripts.gpu.campaign_machine import (
    BENCHES,
    REHEARSED_BENCHES,
    gpu_gib,
    made_up,
    model_file,
)
from scripts.gpu.campaign_plan import (
    LADDER,
    SAFETY,
    Rates,
    Size,
    choose,
    epochs_that_fit,
    seconds_of,
    shrink,
)
from scripts.gpu.campaign_state import Campaign, whole_slices
from scripts.gpu.campaign_summary import write_summary

__all__ = ["Stages", "drop_half_slices"]

# Of a rehearsal.
SMALL = (Size(24, 8, 8), Size(16, 8, 4), Size(8, 4, 4))

PROBE_SAMPLES = 64
PROBE_TRAINED = 16
# A GPU that holds a step of the verifier's training at once needs half as many calls; the weights
# are those of two micro-batches up to rounding.
LARGE_GIB, LARGE_MICRO_BATCH = 60, 16384
GENERATOR_SHARE = 0.2
PROBE_SHARE = 0.06
"""of the minutes, at most, for the probe's sampling with each number of processes"""
SUMMARY_SECONDS = 60
BENCH_SHARE = 0.6
"""of what is left, at most, for one benchmark"""
OVERDUE = 1.5
PART_SAMPLES = 4096


def drop_half_slices(folder: Path) -> None:
    """Removes parts without the other mode's: a problem without candidates counts as wrong."""
    whole = whole_slices(folder)
    for file in folder.glob("part-*.parquet"):
        part = Part.parse(file.name)
        if part is not None and part.index not in whole:
            file.unlink()


def _candidates(run: Path) -> int:
    """Candidates of a run, of which all parts need not be there."""
    opened = Run.open(run)
    return sum(opened.read("candidates", part).num_rows for part in opened.parts("candidates"))


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

    def all(self) -> dict[str, Callable[[], Any]]:
        """The stages in their order."""
        return {
            "base": self.base,
            "generator": self.train_generator,
            "probe": self.probe,
            "plan": self.plan,
            "pool": self.pool,
            "verifier": self.verifier,
            "greedy": self.greedy,
            "test": self.test,
            "bench": self.bench,
            "summary": self.summary,
        }

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
        few = min(everything, 4 * int(self.given["probe_problems"]))
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
        """So many candidates of each problem, half of them in words, half as programs.

        Returns the seconds of the sampling command.
        """
        half = max(1, samples // 2)
        size = max(1, min(PART_SAMPLES // half, math.ceil(limit / workers)))

        def take() -> float:
            seconds = self.campaign.assay(
                f"sample-{run.name}", "sample", str(run), *self.problems(split, limit),
                f"generator={self.work / 'generator'}", f"modes.cot={half}", f"modes.pot={half}",
                f"problems_per_part={size}", f"workers={workers}", *more,
                until=until, enough=run / "candidates",
            )  # fmt: skip
            drop_half_slices(run / "candidates")
            return seconds

        # What was cut once is not gone on with by a later call.
        return float(self.campaign.decided(f"sampled {run.name}, seconds", take))

    def grade(self, run: Path) -> None:
        """Grades them."""
        self.campaign.assay(f"grade-{run.name}", "grade", str(run))

    def train_verifier(self, output: Path, pool: Path, *more: str) -> dict[str, Any]:
        """Trains a verifier; returns its record."""
        words = [f"pools=[{pool}]", f"model.base={self.work / 'generator'}", *more]
        if gpu_gib() > LARGE_GIB:
            words.append(f"micro_batch_tokens={LARGE_MICRO_BATCH}")
        self.campaign.assay(f"train-{output.name}", "train-verifier", str(output), *words)
        return _read(output / "assay.json")

    def probe(self) -> dict[str, Any]:
        """Rates of every stage, on few problems."""
        folder = self.work / "probe"
        limit = min(int(self.given["probe_problems"]), self.available["train"])
        samples = SMALL[-1].samples if self.campaign.rehearse else PROBE_SAMPLES
        rates: dict[int, float] = {}
        failures = []
        start = 0.0
        for workers in map(int, self.given["workers"].split(",")):
            run = folder / f"pool-{workers}"
            until = PROBE_SHARE * self.budget
            try:
                took = self.sample(run, "train", limit, samples, workers, until=until)
            except UserError as error:
                # Several processes may be more than the GPU's memory holds.
                print(f"  with {workers} processes: {error}", flush=True)
                failures.append(str(error))
                continue
            found, count = Run.open(run), _candidates(run)
            rates[workers] = found.seconds("candidates") / (workers * count)
            start = max(start, took - rates[workers] * count)
        if not rates:
            raise UserError("; ".join(failures))
        workers = min(rates, key=lambda count: rates[count])
        run = folder / f"pool-{workers}"
        self.grade(run)
        small = ["validation_fraction=0", f"samples_per_problem={PROBE_TRAINED}"]
        record = self.train_verifier(folder / "probe-verifier", run, *small)
        scored = self.score("probe-score", run, folder / "probe-verifier", workers)
        opened, count = Run.open(run), _candidates(run)
        score = opened.seconds("scores/probe-verifier") / workers
        found_rates = Rates(
            sample=rates[workers],
            grade=opened.seconds("answers") / count,
            train=record["seconds"] / record["data"]["candidates"],
            score=score / count,
            # What is still to come are about so many commands.
            start=round(8 * max(start, scored - score), 1),
        )
        shutil.rmtree(folder / "probe-verifier")
        self.campaign.state["rates"] = vars(found_rates)
        return {"workers": workers, "by_workers": rates, **vars(found_rates)}

    def score(self, name: str, run: Path, verifier: Path, workers: int) -> float:
        """Scores a run, with values; returns the seconds of the command."""
        return self.campaign.assay(
            name, "score", str(run), f"verifier={verifier}", "scoring.values=true",
            f"workers={workers}",
        )  # fmt: skip

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
        self.grade(self.work / "pool")

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
        run = self.work / "greedy"
        self.sample(run, "test", tests, 2, self.workers, "sampling.temperature=0")
        self.grade(run)

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
        self.grade(run)
        self.score("score-test", run, self.work / "verifier", self.workers)
        self.campaign.assay("report", "report", str(run), "candidates=8")
        return {"samples": samples}

    def bench(self) -> None:
        """Benchmarks, one after the other, while there is time; one that fails stops nothing."""
        told: dict[str, str] = self.campaign.state["benches"]
        benches = REHEARSED_BENCHES if self.campaign.rehearse else BENCHES
        end = time.monotonic() + max(30.0, self.campaign.left - SUMMARY_SECONDS)
        model = self.campaign.state["done"]["base"]["model"]
        places = {"model": model, "data": str(self.data), "work": str(self.work)}
        for name, words in benches.items():
            if name in told:  # by an earlier call
                continue
            left = end - time.monotonic()
            if left < 15:
                told[name] = "no time left"
                continue
            # One that hangs shall leave some to the others.
            seconds = max(15.0, BENCH_SHARE * left)
            try:
                took = self.campaign.python(
                    f"bench-{name}", [word.format(**places) for word in words], until=seconds
                )
                told[name] = "out of time" if took >= seconds else f"{took:.0f} s"
            except UserError as error:
                told[name] = str(error)
            self.campaign.save()

    def summary(self) -> dict[str, Any]:
        """The folder to take home."""
        size = write_summary(self.work, self.campaign.state, self.given)
        return {"kilobytes": round(size / 1000)}

    def summary_so_far(self) -> None:
        """The same, of a campaign that is not done; it fails silently, since others tell why."""
        with contextlib.suppress(Exception):
            self.summary()

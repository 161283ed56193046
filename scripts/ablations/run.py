"""The paper's ablations in small: each variant trained over several seeds, tables with intervals.

    python scripts/ablations/run.py                                # all of configs/ablations/
    python scripts/ablations/run.py only=level,dropout seeds=1 output=runs/first
    python scripts/ablations/run.py reuse=runs/quickstart          # its generator and candidates
    python scripts/ablations/run.py scale=full verifier.epochs=3   # any key of `assay run`, too

Each YAML file of configs/ablations/ is one ablation: its variants are layers over
configs/quickstart.yaml and configs/ablations/scale/SCALE.yaml. Candidates are sampled once for each
generator and shared by all variants and seeds; a seed decides the order, the dropout, the held-out
problems, and which problems and candidates a smaller training set holds. Equal trainings of two
ablations are done once. Killed and started again it goes on; what is finished is not done again.

The tables go to OUTPUT/ablations.md, with all figures in OUTPUT/ablations.json;
`selection/crossed.py` says how the intervals are made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# In the place of this folder.
sys.path[0] = str(ROOT)

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from assay.generator.models import ModelConfig, fingerprint  # noqa: E402
from assay.pools.run import Run, key_hash  # noqa: E402
from assay.search.drivers.run import LoopConfig, verifier_training  # noqa: E402
from assay.search.launch.devices import workers_for  # noqa: E402
from assay.search.launch.work import Do, Report, cores, do_parts  # noqa: E402
from assay.selection.crossed import CrossedBootstrap, measures  # noqa: E402
from assay.selection.curves import Floats  # noqa: E402
from assay.selection.measures import Statistic  # noqa: E402
from assay.selection.pool import PoolArrays  # noqa: E402
from assay.settings.errors import UserError  # noqa: E402
from assay.settings.help import describe  # noqa: E402
from assay.storage.files import atomic_file, write_json  # noqa: E402
from assay.verifier.config import TrainVerifierConfig  # noqa: E402
from assay.verifier.data import VerifierProblem  # noqa: E402
from assay.verifier.scorers.own import Readable, Scorer  # noqa: E402
from assay.verifier.train import train_verifier  # noqa: E402
from assay.verifier.validate import measure  # noqa: E402
from scripts.ablations.candidates import Source, sources  # noqa: E402
from scripts.ablations.config import (  # noqa: E402
    LARGE,
    TEST,
    Ablation,
    Options,
    Variant,
    loop_config,
    parse,
    read_ablations,
)
from scripts.ablations.page import page  # noqa: E402


@dataclass(frozen=True)
class Job:
    """One verifier to train, and the test candidates to score with it."""

    label: str
    seed: int
    source: Source
    training: TrainVerifierConfig
    problems: int
    folder: Path
    cost: float

    @property
    def scores(self) -> Path:
        """The scores of the test candidates."""
        return self.folder / "scores.parquet"

    @property
    def result(self) -> Path:
        """What the training was and cost; where it stands, the scores do, too."""
        return self.folder / "result.json"

    def data(self) -> list[VerifierProblem]:
        """The problems to train on: a draw by the seed, the smaller ones parts of the larger."""
        everything = self.source.training
        order = np.random.default_rng([self.seed, 4]).permutation(len(everything))
        return [everything[i] for i in sorted(order[: self.problems])]


def make_job(
    label: str, variant: Variant, config: LoopConfig, seed: int,
    made: Mapping[str, Source], output: Path,
) -> Job:  # fmt: skip
    """The job of a variant, whose `config` is resolved, and a seed."""
    source, start = made[variant.generator], made[variant.verifier or variant.generator]
    everything, problems = len(source.training), config.pool.limit
    if problems > everything:
        raise UserError(f"{label}: pool.limit={problems}, but the pool has {everything} problems")
    problems = problems or everything
    training = verifier_training(config, start.generator, Path())
    training = dataclasses.replace(training, seed=seed)
    key = {
        "training": dataclasses.asdict(training),
        "start": fingerprint(training.model.base),
        "generator": fingerprint(ModelConfig(name=str(source.generator))),
        "sampling": config.sampling.key(),
        "problems": problems,
        "pool": [len(source.training), dict(source.config.pool_modes)],
        "test": [source.test["problem_id"].nunique(), dict(source.config.modes)],
        "scoring": config.scoring.aggregate,
    }
    key["training"]["model"].pop("base")
    folder = output / "verifiers" / key_hash(key)
    samples = sum(config.pool_modes.values())
    drawn = min(samples, training.samples_per_problem or samples)
    # Scoring is forward alone: about a third of a training step.
    size = sum(file.stat().st_size for file in start.generator.glob("*.safetensors"))
    cost = size * (training.epochs * problems * drawn + len(source.test) / 3)
    training = dataclasses.replace(training, output=str(folder / "verifier"))
    return Job(label, seed, source, training, problems, folder, cost)


def resolved(
    options: Options, words: Sequence[str], ablations: Mapping[str, Ablation]
) -> dict[tuple[str, str], LoopConfig]:
    """The configuration of every ablation and variant. Raises `UserError` for bad keys."""
    return {
        (name, column): loop_config(options.scale, *words, variant.set)
        for name, ablation in ablations.items()
        for column, variant in ablation.variants.items()
    }


def plan(
    options: Options, ablations: Mapping[str, Ablation],
    configs: Mapping[tuple[str, str], LoopConfig], made: Mapping[str, Source],
) -> dict[tuple[str, str, int], Job]:  # fmt: skip
    """The job of every ablation, variant and seed; equal ones share a folder.

    Seeds are outermost: every variant is trained once before any is trained twice.
    """
    jobs = {}
    for seed in range(options.seeds):
        for (name, column), config in configs.items():
            label, variant = f"{name}: {column}, seed {seed}", ablations[name].variants[column]
            jobs[name, column, seed] = make_job(
                label, variant, config, seed, made, Path(options.output)
            )
    return jobs


def open_worker(jobs: Sequence[Job], workers: int) -> Do:
    """Returns what does the job of a number: trains a verifier, scores the test candidates."""
    import torch

    # The same number whatever is left to do, so that every training could be repeated exactly.
    torch.set_num_threads(max(1, cores() // workers))

    def do(number: Any, report: Report) -> None:
        job = jobs[number]
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            train_verifier(job.training, job.data())
        start = time.perf_counter()
        scores = score_test(job)
        with atomic_file(job.scores, "wb") as stream:
            scores.to_parquet(stream, index=False)
        trained = json.loads((job.folder / "verifier" / "assay.json").read_text())
        result = {
            "label": job.label,
            "steps": trained["steps"],
            "candidates": trained["data"]["candidates"],
            "training_seconds": trained["seconds"],
            "scoring_seconds": round(time.perf_counter() - start, 1),
        }
        write_json(job.result, result)
        report(len(scores), 0)
        print(progress(jobs, job, scores, workers), flush=True)

    return do


def score_test(job: Job) -> pd.DataFrame:
    """The test candidates' scores: problem_id, mode, sample, label, score."""
    frame, config = job.source.test, job.source.config
    device = config.generator.model.device
    scorer = Scorer(ModelConfig(name=str(job.folder / "verifier"), device=device))
    problems = {problem.id: problem for problem in Run.open(job.source.folder / TEST).problems}
    scores = np.full(len(frame), np.nan, np.float32)
    for problem_id, rows in frame.groupby("problem_id", sort=False):
        texts = zip(rows["mode"], rows["text"], rows["output"], strict=True)
        read = [Readable(*row) for row in texts]
        scores[rows.index] = scorer.score(problems[str(problem_id)], read, config.scoring).scores
    return frame[["problem_id", "mode", "sample", "label"]].assign(score=scores)


def progress(jobs: Sequence[Job], job: Job, scores: pd.DataFrame, workers: int) -> str:
    """A line on what was just finished, and how long the rest will take."""
    results = {other.folder: _result_of(other) for other in jobs if other.result.exists()}
    seconds = sum(t["training_seconds"] + t["scoring_seconds"] for t in results.values())
    done = sum(other.cost for other in jobs if other.folder in results)
    open_cost = sum(other.cost for other in jobs if other.folder not in results)
    left = open_cost * seconds / done / workers
    groups = [rows for _, rows in scores[scores["label"].notna()].groupby("problem_id")]
    measured = measure(
        [rows["score"].to_numpy() for rows in groups],
        [rows["label"].to_numpy(bool) for rows in groups],
    )
    auc = "–" if measured.auc_within is None else f"{100 * measured.auc_within:.1f}"
    this = results[job.folder]
    return (
        f"[{len(results)}/{len(jobs)}] {job.label}: trained {this['training_seconds']:.0f} s, "
        f"scored {this['scoring_seconds']:.0f} s, AUC within problem {auc} %; "
        f"about {left / 60:.0f} min left"
    )


def _result_of(job: Job) -> dict[str, Any]:
    return dict(json.loads(job.result.read_text(encoding="utf-8")))


# The results


def statistics(job: Job, ns: Sequence[int]) -> tuple[list[str], dict[str, Statistic]]:
    """The test problems' ids, and what the verifier's scores are worth on them."""
    frame = job.source.test.drop(columns=["text", "output"])
    scores = pd.read_parquet(job.scores).drop(columns="label")
    scores = scores.rename(columns={"score": "score:verifier"})
    joined = frame.merge(scores, on=["problem_id", "mode", "sample"], validate="one_to_one")
    pool = PoolArrays.from_frame(joined)
    return pool.problem_ids, measures(pool, "verifier", ns)


def compare(
    options: Options, ablations: Mapping[str, Ablation], jobs: Mapping[tuple[str, str, int], Job]
) -> dict[str, Any]:
    """Every variant's measures and their paired differences to the baseline's, as JSON types."""
    modes = next(iter(jobs.values())).source.config.modes
    ns = sorted({min(16, 2 * min(modes.values())), 2 * min(modes.values())})
    found = {job.folder: statistics(job, ns) for job in jobs.values()}
    (ids, _), *others = found.values()
    # Differences are paired over problems.
    if any(other != ids for other, _ in others):
        raise UserError(f"reuse={options.reuse}: its test problems are not the other generators'")
    bootstrap = CrossedBootstrap(len(ids), options.seeds, options.bootstrap)
    result: dict[str, Any] = {}
    for name, ablation in ablations.items():
        columns = {}
        for column in ablation.variants:
            own = [jobs[name, column, seed] for seed in range(options.seeds)]
            by_seed = [found[job.folder][1] for job in own]
            values = {m: bootstrap.values([each[m] for each in by_seed]) for m in by_seed[0]}
            columns[column] = (own, values)
        reference = columns[ablation.baseline][1]
        result[name] = {
            "title": ablation.title,
            "paper": ablation.paper,
            "baseline": ablation.baseline,
            "variants": {
                column: {
                    **_about(own),
                    "measures": {m: _entry(bootstrap, v) for m, v in values.items()},
                    "differences": {
                        m: _entry(bootstrap, v - reference[m])
                        for m, v in values.items()
                        if column != ablation.baseline
                    },
                }
                for column, (own, values) in columns.items()
            },
        }
    return result


def _about(own: Sequence[Job]) -> dict[str, Any]:
    results = [_result_of(job) for job in own]
    names = ("candidates", "steps", "training_seconds")
    return {
        "problems": own[0].problems,
        **{name: float(np.mean([each[name] for each in results])) for name in names},
        "folders": [str(job.folder) for job in own],
    }


def _entry(bootstrap: CrossedBootstrap, values: Floats) -> dict[str, Any]:
    """The interval and each seed's own value; `None` where there is none."""
    found = bootstrap.interval(values)
    return {
        "value": _known(found.value),
        "low": _known(found.low),
        "high": _known(found.high),
        "seeds": [_known(value) for value in values[0]],
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def run(words: Sequence[str]) -> None:
    """Does what is missing, prints the tables and writes them."""
    options, others = parse(words)
    ablations = read_ablations(options.only)
    configs = resolved(options, others, ablations)
    made = sources(options, others, ablations)
    for name, source in made.items():
        source.make(reused=bool(options.reuse) and name == LARGE)
    jobs = plan(options, ablations, configs, made)
    distinct = list({job.folder: job for job in jobs.values()}.values())
    missing = [number for number, job in enumerate(distinct) if not job.result.exists()]
    workers = workers_for(options.workers, made[LARGE].config.generator.model.device)
    print(f"{len(distinct)} trainings, {len(distinct) - len(missing)} of them done", flush=True)
    do_parts(
        missing,
        open_worker,
        (distinct, workers),
        workers=workers,
        total=sum(len(distinct[number].source.test) for number in missing),
        description="train and score",
    )
    results = {
        "options": dataclasses.asdict(options),
        "words": others,
        "config": dataclasses.asdict(made[LARGE].config),
        "pools": {name: source.describe_pools() for name, source in made.items()},
        "ablations": compare(options, ablations, jobs),
    }
    output = Path(options.output)
    write_json(output / "ablations.json", results)
    text = page(results, " ".join(["python scripts/ablations/run.py", *words]))
    with atomic_file(output / "ablations.md") as stream:
        stream.write(text)
    print(f"\n{text}\nwritten to {output / 'ablations.md'} and {output / 'ablations.json'}")


def main() -> None:
    """Runs the words of the command line."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(f"{__doc__}\n{describe(Options)}")
        return
    try:
        run(sys.argv[1:])
    except UserError as error:
        print(f"ablations: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()

"""The stage `score`: a verifier scores every candidate of a run.

    assay score RUN verifier=runs/quickstart/verifier
    assay score RUN verifiers='{small: runs/a/verifier, large: runs/b/verifier}'

Several verifiers can score one run; each has a folder of its own under `scores/`.
"""

from __future__ import annotations

import dataclasses
import gc
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from assay.generator.flops import model_shape
from assay.generator.models import ModelConfig, fingerprint, pinned
from assay.pools.rows import KEY, scores_table
from assay.pools.run import Part, Run, Shard
from assay.search.launch.config import RayConfig, SlurmConfig
from assay.search.launch.devices import gpu_shares, workers_for
from assay.search.launch.launchers import do_work
from assay.search.launch.work import Do, Report, Work
from assay.settings.errors import UserError
from assay.settings.schema import as_dict
from assay.verifier.config import ScoreConfig
from assay.verifier.scorers.own import Readable, Scorer

__all__ = ["ScoreStage", "Scorers", "run", "score", "verifier_name"]


@dataclass
class ScoreStage:
    """What `assay score` reads."""

    run: str = ""
    """the run's folder"""
    verifier: ModelConfig = field(default_factory=lambda: ModelConfig(name=""))
    """a folder that `assay train-verifier` wrote, or a hub id of one"""
    name: str = ""
    """what the scores of `verifier` are called in the run; empty = its folder's name"""
    verifiers: dict[str, ModelConfig] = field(default_factory=dict)
    """several instead, by the names that their scores get; a list is named by its folders"""
    scoring: ScoreConfig = field(default_factory=lambda: ScoreConfig(values=True))
    workers: int = 0
    """number of local processes; 0 = one per core on a CPU, one on a GPU"""
    shard: str = "0/1"
    """i/m: do only the parts i modulo m, so that m machines can share a run"""
    launcher: str = "local"
    """local | slurm | ray: what the parts run on (docs/clusters.md)"""
    slurm: SlurmConfig = field(default_factory=SlurmConfig)
    ray: RayConfig = field(default_factory=RayConfig)


class Scorers:
    """The verifier asked for last, loaded once for all runs that it scores one after the other.

    Processes that it is sent to start without one.
    """

    def __init__(self) -> None:
        self._scorer: Scorer | None = None
        self._loaded: ModelConfig | None = None

    def get(self, model: ModelConfig) -> Scorer:
        """The scorer of a model, loaded where another one was asked for last."""
        if self._scorer is None or self._loaded != model:
            self._scorer = None  # two models need not fit into memory
            gc.collect()
            self._scorer, self._loaded = Scorer(model), model
        return self._scorer

    def __reduce__(self) -> tuple[type[Scorers], tuple[()]]:
        return Scorers, ()


def verifier_name(config: ScoreStage) -> str:
    """What the scores are called in the run."""
    name = config.name or Path(config.verifier.name).resolve().name
    return re.sub(r"[^\w.-]+", "-", name)


def run(config: ScoreStage) -> None:
    """`assay score`."""
    done = score(config)
    for one in single_stages(config):
        stage = _stage(one)
        parts = done.parts(stage)
        print(f"{len(parts)} parts of scores in {done.path / stage}{_unscored(done, stage, parts)}")


def _unscored(opened: Run, stage: str, parts: Sequence[Part]) -> str:
    """What the last line says of candidates without a score."""
    number = total = 0
    for part in parts:
        scores = opened.read(stage, part, ["score"])["score"]
        number, total = number + scores.null_count, total + len(scores)
    if not number:
        return ""
    return (
        f"; {number:,} of {total:,} candidates without a score (longer, with their question, than "
        "the verifier reads, or it gave no finite number)"
    )


def single_stages(config: ScoreStage) -> list[ScoreStage]:
    """The configuration taken apart: one for each verifier. Raises `UserError` where none is."""
    if bool(config.verifier.name) == bool(config.verifiers):
        raise UserError(
            "verifier: expected a verifier's folder, for example verifier=runs/v, or several: "
            "verifiers='{a: runs/a, b: runs/b}'"
        )
    if config.verifier.name:
        return [config]
    if config.name:
        raise UserError(f"name={config.name}: names one verifier; verifiers have their own names")
    return [
        dataclasses.replace(config, verifier=verifier, name=name, verifiers={})
        for name, verifier in config.verifiers.items()
    ]


def score(config: ScoreStage, scorers: Scorers | None = None) -> Run:
    """Scores every graded part that these verifiers have not scored yet.

    `scorers` keeps the verifier from one call to the next, where this process itself scores.
    """
    opened, works = planned(config, scorers)
    for work in works:
        do_work(work, config.launcher, config.ray)
    return opened


def planned(config: ScoreStage, scorers: Scorers | None = None) -> tuple[Run, list[Work]]:
    """Registers the stage and finds what of it is left to do, verifier by verifier."""
    if not config.run:
        raise UserError("run: expected the folder of the run, for example assay score runs/demo")
    singles = [
        dataclasses.replace(one, verifier=pinned(one.verifier)) for one in single_stages(config)
    ]
    opened = Run.open(config.run)
    opened.key("answers")
    # All are checked before the first one works for hours.
    for one in singles:
        key = {
            "verifier": fingerprint(one.verifier),
            "dtype": one.verifier.dtype,
            "aggregate": one.scoring.aggregate,
            "values": one.scoring.values,
        }
        opened.register(_stage(one), key, as_dict(one), shape=partial(_shape, one))
    return opened, [_work(opened, one, scorers or Scorers()) for one in singles]


def _stage(config: ScoreStage) -> str:
    return f"scores/{verifier_name(config)}"


def _shape(config: ScoreStage) -> dict[str, Any] | None:
    shape = model_shape(config.verifier)
    return shape.to_dict() if shape else None


def _work(opened: Run, config: ScoreStage, scorers: Scorers) -> Work:
    stage, device = _stage(config), config.verifier.device
    parts = opened.missing(stage, opened.parts("answers"), Shard.parse(config.shard))
    return Work(
        parts,
        open_worker,
        (config, opened.record, scorers),
        total=sum(len(opened.slice(part)) * (part.end - part.first) for part in parts),
        description=f"score ({verifier_name(config)})",
        workers=workers_for(config.workers, device) if parts else 1,
        devices=gpu_shares(device) if parts else [],
        gpus=1,
    )


def open_worker(config: ScoreStage, record: dict[str, Any], scorers: Scorers) -> Do:
    """Loads the verifier; returns what scores one part."""
    opened = Run.open(config.run, record)
    scorer = scorers.get(config.verifier)
    stage = _stage(config)

    def do(part: Part, report: Report) -> None:
        start = time.perf_counter()
        candidates = opened.read("candidates", part).to_pylist()
        answers = opened.read("answers", part).to_pylist()
        rows = []
        for problem in opened.slice(part):
            own = [i for i, row in enumerate(candidates) if row["problem_id"] == problem.id]
            read = [
                Readable(candidates[i]["mode"], candidates[i]["text"], answers[i]["output"])
                for i in own
            ]
            scored = scorer.score(problem, read, config.scoring)
            rows += [_row(candidates[i], scored, place) for place, i in enumerate(own)]
            # Of imported candidates the number of tokens may be unknown (−1).
            report(len(own), sum(max(0, candidates[i]["tokens"]) for i in own))
        table = scores_table(rows, values=config.scoring.values)
        opened.write(stage, part, table, time.perf_counter() - start)

    return do


def _row(candidate: dict[str, Any], scored: Any, place: int) -> dict[str, Any]:
    row = {name: candidate[name] for name in KEY}
    row["score"] = float(scored.scores[place])
    row["verifier_tokens"] = int(scored.tokens[place])
    row["verifier_prompt_tokens"] = int(scored.prompt_tokens[place])
    if scored.values is not None and len(scored.values[place]):
        row["values"] = scored.values[place]
        row["starts"] = scored.offsets[place][:, 0]
        row["ends"] = scored.offsets[place][:, 1]
    return row

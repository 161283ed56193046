"""The stage `score`: a verifier scores every candidate of a run.

    assay score RUN verifier=runs/quickstart/verifier
    assay score RUN verifiers='{small: runs/a/verifier, large: runs/b/verifier}'
    assay score RUN ranker=runs/ranker           # by what other verifiers left (rank.py)

Several verifiers can score one run; each has a folder of its own under `scores/`.
"""

from __future__ import annotations

import dataclasses
import gc
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from assay.generator.flops import model_shape
from assay.generator.models import ModelConfig, fingerprint, pinned
from assay.pools.rows import KEY, scores_table
from assay.pools.run import Part, Run, Shard
from assay.search.launch.config import StageConfig
from assay.search.launch.devices import gpu_shares, workers_for
from assay.search.launch.launchers import Launched, launch
from assay.search.launch.work import Do, Report, Work
from assay.search.stages import rank
from assay.settings.errors import UserError
from assay.settings.schema import as_dict
from assay.verifier.config import ScoreConfig
from assay.verifier.scorers.own import Readable, Scorer

__all__ = ["ScoreRunConfig", "Scorers", "run", "score", "verifier_name"]


@dataclass
class ScoreRunConfig(StageConfig):
    """What `assay score` reads."""

    verifier: ModelConfig = field(default_factory=lambda: ModelConfig(name=""))
    """a folder that `assay train-verifier` wrote, or a hub id of one"""
    name: str = ""
    """what the scores of `verifier` or `ranker` are called in the run; empty = its folder's name"""
    ranker: str = ""
    """a ranker that `assay train-ranker` wrote, instead of a verifier"""
    verifiers: dict[str, ModelConfig] = field(default_factory=dict)
    """several instead, by the names that their scores get; a list is named by its folders"""
    scoring: ScoreConfig = field(default_factory=lambda: ScoreConfig(values=True))
    workers: int = 0
    """number of local processes; 0 = one per core on a CPU, one on a GPU"""


class Scorers:
    """Keeps the verifier used last, so that it is loaded once for consecutive runs.

    A process that it is sent to starts without a verifier.
    """

    def __init__(self) -> None:
        self._scorer: Scorer | None = None
        self._loaded: ModelConfig | None = None

    def get(self, model: ModelConfig) -> Scorer:
        """The scorer of a model, loaded unless it is the one used last."""
        if self._scorer is None or self._loaded != model:
            self._scorer = None  # two models need not fit into memory
            gc.collect()
            self._scorer, self._loaded = Scorer(model), model
        return self._scorer

    def __reduce__(self) -> tuple[type[Scorers], tuple[()]]:
        return Scorers, ()


def verifier_name(config: ScoreRunConfig) -> str:
    """What the scores are called in the run."""
    name = config.name or Path(config.ranker or config.verifier.name).resolve().name
    return re.sub(r"[^\w.-]+", "-", name)


def run(config: ScoreRunConfig) -> str | None:
    """`assay score`; returns the id of the Slurm job that does it, if one does."""
    launched = _launch(config)
    for one in by_verifier(config) if launched.awaited else []:
        opened, stage = launched.run, _stage(one)
        parts = opened.parts(stage)
        unscored = _unscored(opened, stage, parts)
        print(f"{len(parts)} parts of scores in {opened.path / stage}{unscored}")
    return launched.job


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


def by_verifier(config: ScoreRunConfig) -> list[ScoreRunConfig]:
    """The configuration taken apart: one for each verifier. Raises `UserError` where none is."""
    if [bool(config.verifier.name), bool(config.verifiers), bool(config.ranker)].count(True) != 1:
        raise UserError(
            "verifier: expected a verifier's folder, for example verifier=runs/v, or several: "
            "verifiers='{a: runs/a, b: runs/b}', or ranker=runs/r"
        )
    if not config.verifiers:
        return [config]
    if config.name:
        raise UserError(f"name={config.name}: names one verifier; verifiers have their own names")
    return [
        dataclasses.replace(config, verifier=verifier, name=name, verifiers={})
        for name, verifier in config.verifiers.items()
    ]


def score(config: ScoreRunConfig, scorers: Scorers | None = None) -> Run:
    """Scores every graded part that these verifiers have not scored yet.

    With Slurm it returns once the job is submitted. `scorers` keeps the verifier from one call to
    the next, where this process itself scores.
    """
    return _launch(config, scorers).run


def _launch(config: ScoreRunConfig, scorers: Scorers | None = None) -> Launched:
    return launch("score", config, partial(_remaining, config, scorers))


def _remaining(config: ScoreRunConfig, scorers: Scorers | None) -> tuple[Run, list[Work]]:
    """Registers the stage and says what of it is left to do, verifier by verifier."""
    if not config.run:
        raise UserError("run: expected the folder of the run, for example assay score runs/demo")
    if config.ranker:
        by_verifier(config)
        name = verifier_name(config)
        return rank.remaining(config.run, config.ranker, name, config.shard, as_dict(config))
    singles = [
        dataclasses.replace(one, verifier=pinned(one.verifier)) for one in by_verifier(config)
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


def _stage(config: ScoreRunConfig) -> str:
    return f"scores/{verifier_name(config)}"


def _shape(config: ScoreRunConfig) -> dict[str, Any] | None:
    shape = model_shape(config.verifier)
    if shape is None:
        return None
    from assay.verifier.model import read_settings

    try:
        reads = read_settings(config.verifier).head_inputs != "hidden"
    except UserError:  # another kind of verifier
        reads = False
    return dataclasses.replace(shape, reads_likelihood=reads).to_dict()


def _work(opened: Run, config: ScoreRunConfig, scorers: Scorers) -> Work:
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


def open_worker(config: ScoreRunConfig, record: dict[str, Any], scorers: Scorers) -> Do:
    """Loads the verifier; returns what scores one part."""
    opened = Run.open(config.run, record)
    scorer = scorers.get(config.verifier)
    stage = _stage(config)

    def do(part: Part, report: Report) -> None:
        start = time.perf_counter()
        candidates = opened.read("candidates", part).to_pylist()
        answers = opened.read("answers", part).to_pylist()
        members = defaultdict(list)
        for candidate, answer in zip(candidates, answers, strict=True):
            members[candidate["problem_id"]].append((candidate, answer["output"]))
        rows = []
        for problem in opened.slice(part):
            own = members[problem.id]
            readable = [Readable(c["mode"], c["text"], output) for c, output in own]
            scored = scorer.score(problem, readable, config.scoring)
            rows += [_row(candidate, scored, i) for i, (candidate, _) in enumerate(own)]
            # The number of tokens of imported candidates may be unknown (−1).
            report(len(own), sum(max(0, candidate["tokens"]) for candidate, _ in own))
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

"""The stage `score`: a verifier scores every candidate of a run.

    assay score run=runs/demo verifier=runs/quickstart/verifier

Several verifiers can score one run; each has a folder of its own under `scores/`.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.models import ModelConfig, fingerprint
from problems.errors import UserError
from problems.problem import Problem
from search.runs import Part, Run, Shard
from search.sampling import workers_for
from search.settings import as_dict
from search.work import Do, Report, do_parts
from verifier import ScoreConfig as ScoringConfig

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ScoreConfig", "Scorer", "score", "verifier_name"]


@dataclass
class ScoreConfig:
    """What `assay score` reads."""

    run: str = ""
    """the run's folder"""
    verifier: ModelConfig = field(default_factory=lambda: ModelConfig(name=""))
    """a folder that `assay train-verifier` wrote"""
    name: str = ""
    """what the scores are called in the run; empty = the verifier's folder name"""
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    workers: int = 0
    """local processes; 0 = one a core on a CPU, one on a GPU"""
    shard: str = "0/1"
    """i/m: do the parts i modulo m, so that m machines share a run"""


def verifier_name(config: ScoreConfig) -> str:
    """What the scores are called in the run."""
    name = config.name or Path(config.verifier.name).resolve().name
    return re.sub(r"[^\w.-]+", "-", name)


def score(config: ScoreConfig) -> Run:
    """Scores every candidates part that this verifier has not scored yet."""
    if not config.run:
        raise UserError("run: expected the folder of the run, for example run=runs/demo")
    if not config.verifier.name:
        raise UserError("verifier: expected a verifier's folder, for example verifier=runs/v")
    run = Run.open(config.run)
    run.key("candidates")
    stage = f"scores/{verifier_name(config)}"
    key = {
        "verifier": fingerprint(config.verifier),
        "dtype": config.verifier.dtype,
        "aggregate": config.scoring.aggregate,
        "values": config.scoring.values,
    }
    planned = run.parts("candidates")
    if (Path(config.verifier.name) / "verifier.json").is_file():
        from verifier.model import uses_output

        if uses_output(config.verifier.name):
            planned = run.parts("answers")
    run.register(stage, key, as_dict(config))
    parts = run.missing(stage, planned, Shard.parse(config.shard))
    total = sum(len(run.slice(part)) * (part.end - part.first) for part in parts)
    do_parts(
        parts,
        open_worker,
        (config,),
        workers=workers_for(config.workers, config.verifier.device),
        total=total,
        description=f"score ({verifier_name(config)})",
    )
    return run

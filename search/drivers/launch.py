"""`assay launch`: the stages sample, grade and score of a run, one after the other.

    # chain.yaml
    launcher: slurm
    slurm: {array: 16, partition: gpu, gpus: 1, cpus: 8, time: "04:00:00"}
    sample: {problems: gsm8k, generator: runs/g, modes: {cot: 50, pot: 50}}
    grade: {slurm: {partition: cpu, gpus: 0}}
    score: {verifier: runs/v}

    assay launch runs/pool chain.yaml

With Slurm, all are submitted at once, each to start when the one before it has ended well.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

from assay.search.launch.config import RayConfig, SlurmConfig, check_launcher
from assay.search.launch.launchers import STAGES
from assay.settings.errors import UserError
from assay.settings.schema import as_dict, merge

__all__ = ["ChainConfig", "run"]


@dataclass
class ChainConfig:
    """What `assay launch` reads."""

    run: str = ""
    """the run's folder"""
    launcher: str = "local"
    """local | slurm | ray: what the parts run on (docs/clusters.md)"""
    slurm: SlurmConfig = field(default_factory=SlurmConfig)
    """settings for all stages; a stage's own slurm: {…} takes precedence"""
    ray: RayConfig = field(default_factory=RayConfig)
    """settings for all stages; a stage's own ray: {…} takes precedence"""
    sample: dict[str, Any] = field(default_factory=dict)
    """keys of assay sample; empty = no sampling, the run holds candidates"""
    grade: dict[str, Any] = field(default_factory=dict)
    """keys of assay grade"""
    score: dict[str, Any] = field(default_factory=dict)
    """keys of assay score; empty = no scoring"""


def run(config: ChainConfig) -> None:
    """`assay launch`."""
    check_launcher(config.launcher)
    if not config.run:
        raise UserError("run: expected the folder of the run, for example assay launch runs/demo")
    # All are read before the first one works for hours.
    stages = {
        stage: _stage_config(stage, config)
        for stage in STAGES
        if stage == "grade" or getattr(config, stage)
    }
    if config.launcher == "slurm":
        _submit(stages, config)
        return
    for stage, own in stages.items():
        importlib.import_module(STAGES[stage].module).run(own)


def _stage_config(stage: str, config: ChainConfig) -> Any:
    """The configuration of a stage, as its own command would read it."""
    schema = getattr(importlib.import_module(STAGES[stage].module), STAGES[stage].schema)
    section = getattr(config, stage)
    for key in ("run", "launcher"):
        if key in section:
            raise UserError(f"{stage}.{key}: set it once at the top level, for all stages")
    shared = {"launcher": config.launcher, "slurm": as_dict(config.slurm)}
    layers = [{"run": config.run, **shared, "ray": as_dict(config.ray)}, section]
    try:
        return merge(schema, layers)
    except UserError as error:
        raise UserError(f"{stage}.{error}") from error


def _submit(stages: dict[str, Any], config: ChainConfig) -> None:
    from assay.search.launch.slurm import submit

    after = config.slurm.after
    for stage, own in stages.items():
        own.slurm.after = after
        job = submit(stage, own)
        if job is not None:
            # Unsubmitted, the job has no number yet.
            after = job or f"JOB_OF_{stage.upper()}"

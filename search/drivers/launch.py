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

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from assay.search.launch.config import LauncherConfig, RayConfig, SlurmConfig, StageConfig
from assay.search.stages import grade, sample, score
from assay.settings.errors import UserError
from assay.settings.schema import as_dict, merge

__all__ = ["STAGES", "ChainConfig", "run", "stage_configs"]


class _Stage(NamedTuple):
    """The configuration of a stage's command, the command itself, and what it checks at first."""

    schema: type[StageConfig]
    run: Callable[[Any], str | None]
    check: Callable[[Any], None]


STAGES = {
    "sample": _Stage(sample.SampleConfig, sample.run, sample.check),
    "grade": _Stage(grade.GradeConfig, grade.run, grade.check),
    "score": _Stage(score.ScoreRunConfig, score.run, score.check),
}
"""By name, in the order in which they follow each other."""


@dataclass
class ChainConfig(LauncherConfig):
    """What `assay launch` reads."""

    slurm: SlurmConfig = field(default_factory=SlurmConfig, kw_only=True)
    """settings for all stages; a stage's own slurm: {…} takes precedence"""
    ray: RayConfig = field(default_factory=RayConfig, kw_only=True)
    """settings for all stages; a stage's own ray: {…} takes precedence"""
    sample: dict[str, Any] = field(default_factory=dict)
    """keys of assay sample; empty = no sampling, the run holds candidates"""
    grade: dict[str, Any] = field(default_factory=dict)
    """keys of assay grade"""
    score: dict[str, Any] = field(default_factory=dict)
    """keys of assay score; empty = no scoring"""


def run(config: ChainConfig) -> None:
    """`assay launch`."""
    if not config.run:
        raise UserError("run: expected the folder of the run, for example assay launch runs/demo")
    configs = stage_configs(config)
    # All are checked before the first one works for hours.
    for stage, stage_config in configs.items():
        try:
            STAGES[stage].check(stage_config)
        except UserError as error:
            raise UserError(f"{stage}: {error}") from error
    after = config.slurm.after
    for stage, stage_config in configs.items():
        stage_config.slurm.after = after
        job = STAGES[stage].run(stage_config)
        if job is not None:
            # A job that was not submitted has no number yet.
            after = job or f"JOB_OF_{stage.upper()}"


def stage_configs(config: ChainConfig) -> dict[str, StageConfig]:
    """The configurations of the stages that a chain has, in their order. Raises `UserError`."""
    config.check_launcher()
    return {
        stage: _stage_config(stage, config)
        for stage in STAGES
        if stage == "grade" or getattr(config, stage)
    }


def _stage_config(stage: str, config: ChainConfig) -> StageConfig:
    """The configuration of a stage, as its own command would read it."""
    section = getattr(config, stage)
    for key in ("run", "launcher"):
        if key in section:
            raise UserError(f"{stage}.{key}: set it once at the top level, for all stages")
    shared = {"launcher": config.launcher, "slurm": as_dict(config.slurm)}
    layers = [{"run": config.run, **shared, "ray": as_dict(config.ray)}, section]
    try:
        return merge(STAGES[stage].schema, layers)
    except UserError as error:
        raise UserError(f"{stage}.{error}") from error

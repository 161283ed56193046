"""Launchers: who does the parts of a stage, and the stages of a run in one go.

`local` are processes of this machine (`search/launch/work.py`), `slurm` an array job
(`search/launch/slurm.py`), `ray` workers of a Ray cluster (`search/launch/on_ray.py`). Parts are
the unit of all three: whoever dies, what is written stays, and the same command does the rest.

    assay sample runs/pool sample.yaml launcher=slurm slurm='{array: 16, gpus: 1}'
    assay grade runs/pool launcher=ray
"""

from __future__ import annotations

from typing import NamedTuple

from assay.search.launch.config import RayConfig, check_launcher
from assay.search.launch.work import Work, do_parts
from assay.settings.errors import UserError

__all__ = ["STAGES", "Stage", "do_work"]


class Stage(NamedTuple):
    """Where a stage that works on parts is: its module has `planned` and `run`."""

    module: str
    schema: str


STAGES = {
    "sample": Stage("assay.search.stages.sample", "SampleConfig"),
    "grade": Stage("assay.search.stages.grade", "GradeConfig"),
    "score": Stage("assay.search.stages.score", "ScoreStage"),
}
"""In the order in which they follow each other."""


def do_work(work: Work, launcher: str, ray: RayConfig) -> None:
    """Does the parts here or on a Ray cluster. Raises what `do_parts` raises."""
    check_launcher(launcher)
    if launcher == "slurm":
        raise UserError(
            "launcher=slurm: submits a command; from Python, call assay.search.launch.slurm.submit"
        )
    if launcher == "ray":
        from assay.search.launch.on_ray import do_on_ray

        do_on_ray(work, ray)
        return
    do_parts(
        work.parts,
        work.prepare,
        work.arguments,
        workers=work.workers,
        total=work.total,
        description=work.description,
        devices=work.devices,
    )

"""Launchers: who does the parts of a stage.

`local` are processes of this machine (`search/launch/work.py`), `slurm` an array job
(`search/launch/slurm.py`), `ray` workers of a Ray cluster (`search/launch/on_ray.py`). Parts are
the unit of all three: whoever dies, what is written stays, and the same command does the rest.

    assay sample runs/pool sample.yaml launcher=slurm slurm='{array: 16, gpus: 1}'
    assay grade runs/pool launcher=ray

A stage hands over its name, its configuration and a function that makes or opens the run and tells
what is left to do. That function is not called where a Slurm job already has the parts.
"""

from __future__ import annotations

from dataclasses import dataclass

from assay.pools.run import Run
from assay.search.launch.config import StageConfig
from assay.search.launch.on_ray import do_on_ray
from assay.search.launch.slurm import submit
from assay.search.launch.work import Remaining, do_parts

__all__ = ["Launched", "launch"]


@dataclass(frozen=True)
class Launched:
    """A stage that was launched.

    `awaited`: whether its parts are written by now, as with every launcher but Slurm. `job` is the
    id of the Slurm job that does them: empty where only its script was written, `None` where there
    is no job, because another launcher did the parts or none were left.
    """

    run: Run
    awaited: bool = True
    job: str | None = None


def launch(stage: str, config: StageConfig, remaining: Remaining) -> Launched:
    """Does the parts that are left of a stage, or submits them to Slurm.

    `stage` is the name of the stage's command, `config` what that command reads. Raises what
    `do_parts`, `do_on_ray` or `submit` raises, and `UserError` for an unknown launcher.
    """
    config.check_launcher()
    if config.launcher == "slurm":
        job = submit(stage, config, remaining)
        return Launched(Run.open(config.run), awaited=False, job=job)
    run, works = remaining()
    for work in works:
        if config.launcher == "ray":
            do_on_ray(work, config.ray)
        else:
            do_parts(
                work.parts,
                work.prepare,
                work.arguments,
                workers=work.workers,
                total=work.total,
                description=work.description,
                devices=work.devices,
            )
    return Launched(run)

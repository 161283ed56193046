"""Who does the parts of a stage: this machine, Slurm or Ray, and with what."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.settings.errors import UserError

__all__ = ["LAUNCHERS", "RayConfig", "SlurmConfig", "check_launcher"]


LAUNCHERS = ("local", "slurm", "ray")


@dataclass
class SlurmConfig:
    """The array job of `launcher=slurm` (an OmegaConf schema)."""

    array: int = 1
    """number of tasks; task i does the parts i modulo this number"""
    at_once: int = 0
    """maximum number of tasks that run at the same time; 0 = all"""
    partition: str = ""
    account: str = ""
    gpus: int = 0
    """GPUs per task"""
    cpus: int = 0
    """cores per task; 0 = the cluster's default"""
    memory: str = ""
    """memory per task, for example 32G"""
    time: str = ""
    """time limit, for example 04:00:00"""
    options: list[str] = field(default_factory=list)
    """additional options of sbatch, for example [--constraint=a100, --requeue]"""
    setup: str = ""
    """shell lines before the command, for example "source .venv/bin/activate"; empty = the
    interpreter that submits"""
    after: str = ""
    """id of a job that must have succeeded before this one starts"""
    submit: bool = True
    """false: write the script without submitting it"""


@dataclass
class RayConfig:
    """The workers of `launcher=ray` (an OmegaConf schema)."""

    address: str = ""
    """of the cluster; auto = the one on this machine; empty = $RAY_ADDRESS, else one of this
    machine alone, which ends with the command"""
    workers: int = 0
    """number of workers; 0 = as many as the cluster has room for, at most one per part"""
    cpus: float = 1
    """cores per worker; grading runs as many programs at once"""
    gpus: float = -1
    """of each worker; -1 = what sampling (vLLM: tensor_parallel) and scoring need, where the
    cluster has GPUs"""
    retries: int = 3
    """how often a part is restarted after its worker died"""


def check_launcher(launcher: str) -> None:
    """Raises `UserError` where there is no such launcher."""
    if launcher not in LAUNCHERS:
        raise UserError(f"launcher={launcher}: expected one of {', '.join(LAUNCHERS)}")

"""Who does the parts of a stage: this machine, Slurm or Ray, and with what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from assay.settings.errors import UserError

__all__ = [
    "LAUNCHERS",
    "LauncherConfig",
    "RayConfig",
    "SlurmConfig",
    "StageConfig",
    "TrainingLauncherConfig",
    "TrainingSlurmConfig",
]


LAUNCHERS = ("local", "slurm", "ray")


@dataclass
class SlurmConfig:
    """The array job of `launcher=slurm` (an OmegaConf schema)."""

    FOLDED: ClassVar[bool] = True

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
class TrainingSlurmConfig:
    """The job of a training by `launcher=slurm` (an OmegaConf schema)."""

    FOLDED: ClassVar[bool] = True

    nodes: int = 1
    """number of machines; each runs one task, which starts a process for each of its GPUs"""
    partition: str = ""
    account: str = ""
    gpus: int = 0
    """GPUs of each machine; 0 = one process on each machine's cores"""
    cpus: int = 0
    """cores of each machine; 0 = the cluster's default"""
    memory: str = ""
    """memory of each machine, for example 500G"""
    time: str = ""
    """time limit, for example 24:00:00"""
    options: list[str] = field(default_factory=list)
    """additional options of sbatch, for example [--constraint=h100, --exclusive]"""
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

    FOLDED: ClassVar[bool] = True

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


@dataclass
class TrainingLauncherConfig:
    """What a training runs on (an OmegaConf schema)."""

    launcher: str = field(default="local", kw_only=True)
    """what the training runs on: local (this process, or those that torchrun started) | slurm (a
    job: docs/clusters.md)"""
    slurm: TrainingSlurmConfig = field(default_factory=TrainingSlurmConfig, kw_only=True)

    def check_launcher(self) -> None:
        """Raises `UserError` where a training cannot be launched so."""
        if self.launcher not in ("local", "slurm"):
            raise UserError(f"launcher={self.launcher}: a training runs by local or slurm")


@dataclass
class LauncherConfig:
    """A run, and what its parts run on (an OmegaConf schema)."""

    run: str = ""
    """the run's folder"""
    launcher: str = field(default="local", kw_only=True)
    """what the parts run on (docs/clusters.md): local | slurm | ray"""
    slurm: SlurmConfig = field(default_factory=SlurmConfig, kw_only=True)
    ray: RayConfig = field(default_factory=RayConfig, kw_only=True)

    def check_launcher(self) -> None:
        """Raises `UserError` where there is no such launcher."""
        if self.launcher not in LAUNCHERS:
            raise UserError(f"launcher={self.launcher}: expected one of {', '.join(LAUNCHERS)}")


@dataclass
class StageConfig(LauncherConfig):
    """What every stage of a run that works on parts reads (an OmegaConf schema)."""

    shard: str = field(default="0/1", kw_only=True)
    """i/m: do only the parts i modulo m, so that m machines can share a run"""

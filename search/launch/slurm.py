"""`launcher=slurm`: a stage as an array job.

The stage's configuration and a script are written into the run's folder slurm/ and submitted: task
i of m runs the stage with `launcher=local shard=i/m`. What can be checked before is checked at once
(the command's words, the models, the run's keys), and the run is made, so that tasks need not race
for it. Only tasks that have parts to do are in the array: submitted again, it does what is missing,
and nothing while the job is still in the queue.

    assay sample runs/pool sample.yaml launcher=slurm slurm='{array: 16, gpus: 1, time: "4:00:00"}'
    sbatch --parsable runs/pool/slurm/sample.sh          # what it then does
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.search.launch.config import SlurmConfig, StageConfig
from assay.search.launch.work import Remaining
from assay.settings.errors import UserError
from assay.settings.schema import as_dict
from assay.storage.files import atomic_file
from assay.storage.places import Remote, place

__all__ = [
    "Job",
    "check_options",
    "folder_of",
    "frozen",
    "hand_in",
    "in_queue",
    "script",
    "shell_script",
    "submit",
]


def submit(stage: str, config: StageConfig, remaining: Remaining) -> str | None:
    """Writes the script of a stage and submits it; returns the job's id.

    `config` is the configuration of `assay STAGE`. `None` where nothing is left to do, the earlier
    job's id where that is still in the queue (`remaining` is not called then), empty where
    `slurm.submit` is false. Raises `UserError` for bad settings, and where sbatch is missing or
    refuses.
    """
    _check(config)
    slurm = config.slurm
    folder = folder_of(config.run)
    if slurm.submit and (earlier := in_queue(folder / f"{stage}.job")):
        print(f"{stage}: job {earlier} is still in the queue (scancel {earlier} takes it out)")
        return earlier
    parts = [part for work in remaining()[1] for part in work.parts]
    tasks = sorted({part.index % slurm.array for part in parts})
    if slurm.after:  # that job may make the parts that this one works on
        tasks = list(range(slurm.array))
    if not tasks:
        print(f"{stage}: nothing to do, every part is there")
        return None
    summary = f"{stage}: {len(tasks)} of {slurm.array} tasks"
    if not slurm.after:
        summary += f", {len(parts)} parts to do"
    text = script(stage, config.run, slurm, tasks, folder)
    return hand_in(Job(stage, folder, frozen(config), text, summary, slurm.after, slurm.submit))


@dataclass(frozen=True)
class Job:
    """What `hand_in` writes into `folder` and gives to sbatch; `summary` is told of it."""

    name: str
    folder: Path
    config: str
    script: str
    summary: str
    after: str
    submit: bool

    @property
    def noted(self) -> Path:
        """The file that holds the id of the job that was submitted last."""
        return self.folder / f"{self.name}.job"


def hand_in(job: Job) -> str:
    """Writes a job's configuration and script and submits it; returns its id.

    Empty where it is only written. Raises `UserError` where sbatch is missing or refuses.
    """
    path = job.folder / f"{job.name}.sh"
    with atomic_file(job.folder / f"{job.name}.yaml") as stream:
        stream.write(job.config)
    with atomic_file(path) as stream:
        stream.write(job.script)
    command = ["sbatch", "--parsable", *_dependency(job.after), str(path)]
    if not job.submit:
        print(f"{job.summary}; to submit it: {shlex.join(command)}")
        return ""
    number = _sbatch(command, path)
    with atomic_file(job.noted) as stream:
        stream.write(f"{number}\n")
    print(f"{job.summary}; job {number}, script and logs in {job.folder}")
    return number


def script(stage: str, run: str, slurm: SlurmConfig, tasks: Sequence[int], folder: Path) -> str:
    """The array job's script, for bash."""
    limit = f"%{slurm.at_once}" if slurm.at_once else ""
    options = {
        "--job-name": f"{stage}-{place(run).name}",
        "--array": _ranges(tasks) + limit,
        # Slurm's own % stands for something.
        "--output": f"{str(folder).replace('%', '%%')}/{stage}-%A_%a.log",
        "--open-mode": "append",
        "--nodes": "1",
        "--ntasks": "1",
        "--partition": slurm.partition,
        "--account": slurm.account,
        "--gres": f"gpu:{slurm.gpus}" if slurm.gpus else "",
        "--cpus-per-task": str(slurm.cpus or ""),
        "--mem": slurm.memory,
        "--time": slurm.time,
    }
    # The same environment on the same path, unless set-up lines make one.
    assay = "assay" if slurm.setup else f"{shlex.quote(sys.executable)} -m assay"
    command = f"exec {assay} {stage} {shlex.quote(f'{folder}/{stage}.yaml')}"
    command += f' "shard=${{SLURM_ARRAY_TASK_ID}}/{slurm.array}"'
    return shell_script(options, slurm.options, slurm.setup, [command])


def shell_script(
    options: Mapping[str, str], more: Sequence[str], setup: str, commands: Sequence[str]
) -> str:
    """A script for bash with these options of sbatch, those without a value left out."""
    lines = [f"{name}={value}" for name, value in options.items() if value]
    # A task that Slurm begins again (preempted, its node lost) does what is missing.
    lines += ["--requeue", *more]
    # In a script, Slurm takes quotes as a shell does.
    header = [f"#SBATCH {_quoted(line)}" for line in lines]
    folder = f"cd {shlex.quote(str(Path.cwd()))}"
    setup_lines = [setup.strip()] if setup else []
    head = ["#!/bin/bash", *header, "set -eo pipefail", folder, *setup_lines]
    return "\n".join([*head, *commands, ""])


def frozen(config: Any) -> str:
    """A configuration as YAML, for the job's tasks: what is edited later is not theirs."""
    from omegaconf import OmegaConf

    plain = {**as_dict(config), "launcher": "local"}
    for name in ("slurm", "ray", "shard"):
        plain.pop(name, None)
    return OmegaConf.to_yaml(_escaped(plain))


def _escaped(value: Any) -> Any:
    """Values in which "${" is text, once more to be read as configuration."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_escaped(item) for item in value]
    return value.replace("${", "\\${") if isinstance(value, str) else value


def _quoted(option: str) -> str:
    return option if re.fullmatch(r"\S+", option) else shlex.quote(option)


def _ranges(tasks: Sequence[int]) -> str:
    """Numbers in order, as Slurm's array takes them.

    >>> _ranges([0, 1, 2, 5, 7, 8])
    '0-2,5,7-8'
    """
    runs: list[list[int]] = []
    for task in tasks:
        if runs and runs[-1][1] == task - 1:
            runs[-1][1] = task
        else:
            runs.append([task, task])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _check(config: StageConfig) -> None:
    slurm = config.slurm
    if slurm.array < 1:
        raise UserError(f"slurm.array={slurm.array}: expected 1 or more tasks")
    if min(slurm.at_once, slurm.gpus, slurm.cpus) < 0:
        raise UserError("slurm.at_once, slurm.gpus and slurm.cpus: expected 0 or more")
    if config.shard != "0/1":
        raise UserError(f"shard={config.shard}: with launcher=slurm, slurm.array gives the shards")
    check_options(slurm.options)


def check_options(options: Sequence[str]) -> None:
    """Raises `UserError` for what is no option of sbatch."""
    for option in options:
        if not option.startswith("-"):
            raise UserError(f"slurm.options: {option}: expected an option of sbatch, as --requeue")


def folder_of(run: str) -> Path:
    """Where scripts and logs go: into the run; of one in an object store, beside the user."""
    folder = place(run)
    if isinstance(folder, Remote):
        return Path("slurm").absolute() / folder.name
    return folder.absolute() / "slurm"


def _dependency(after: str) -> list[str]:
    if not after:
        return []
    # One that can never be met must not leave a job in the queue for ever.
    return [f"--dependency=afterok:{after}", "--kill-on-invalid-dep=yes"]


def in_queue(noted: Path) -> str:
    """The job that was submitted last, where Slurm still has to do with it, else empty."""
    if not noted.exists():
        return ""
    job = noted.read_text(encoding="utf-8").strip()
    command = ["squeue", "--noheader", f"--jobs={job}", "--format=%A"]
    try:
        # An id that Slurm has forgotten is an error to it.
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return job if done.stdout.strip() else ""


def _sbatch(command: list[str], path: Path) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise UserError(
            f"launcher=slurm: sbatch cannot be run here ({error.strerror}); the script is {path}"
        ) from error
    # "ID" or "ID;CLUSTER"
    job = done.stdout.strip().split(";")[0]
    if done.returncode or not job.isdigit():
        reason = " ".join((done.stderr or done.stdout).split())
        raise UserError(f"{path}: sbatch refused it ({reason})")
    return job

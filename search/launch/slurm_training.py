"""`launcher=slurm` of a training: one job on several machines, with one task on each.

Each task is a `torchrun` that starts a process for each GPU of its machine; they meet at the first
machine. A job that Slurm puts back (preempted, a machine lost) goes on from the last checkpoint,
since the command that it gives is the training's own. Given again, the command submits what is left
and nothing while the job is in the queue.

    assay train-verifier runs/v verifier.yaml launcher=slurm slurm='{nodes: 4, gpus: 8}'
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.search.launch.config import TrainingSlurmConfig
from assay.search.launch.slurm import (
    Job,
    check_options,
    folder_of,
    frozen,
    hand_in,
    in_queue,
    shell_script,
)
from assay.settings.errors import UserError

__all__ = ["submit_training", "training_script"]

# Ports that torchrun meets at: another one for each of the jobs that share a machine.
_MEETING = (
    "port=$((20000 + SLURM_JOB_ID % 20000))",
    'first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)',
)


def submit_training(command: str, output: str, config: Any, left: Callable[[], bool]) -> str | None:
    """Writes the script of `assay COMMAND` and submits it; returns the job's id.

    `config` is the command's configuration with `slurm`, `left` says whether there is anything to
    train (it raises what is wrong). `None` where not; the earlier job's id where that is still in
    the queue, empty where `slurm.submit` is false. Raises `UserError`.
    """
    slurm: TrainingSlurmConfig = config.slurm
    if slurm.nodes < 1 or min(slurm.gpus, slurm.cpus) < 0:
        raise UserError("slurm: expected nodes of 1 or more, gpus and cpus of 0 or more")
    check_options(slurm.options)
    folder = folder_of(output)
    if slurm.submit and (earlier := in_queue(folder / f"{command}.job")):
        print(f"{command}: job {earlier} is still in the queue (scancel {earlier} takes it out)")
        return earlier
    if not left():
        print(f"{command}: nothing to do, {output} is finished")
        return None
    processes = slurm.nodes * max(1, slurm.gpus)
    summary = f"{command}: {slurm.nodes} nodes, {processes} processes"
    text = training_script(command, output, slurm, folder)
    return hand_in(Job(command, folder, frozen(config), text, summary, slurm.after, slurm.submit))


def training_script(command: str, output: str, slurm: TrainingSlurmConfig, folder: Path) -> str:
    """The job's script, for bash."""
    options = {
        "--job-name": f"{command}-{Path(output).name}",
        # Slurm's own % stands for something.
        "--output": f"{str(folder).replace('%', '%%')}/{command}-%j.log",
        "--open-mode": "append",
        "--nodes": str(slurm.nodes),
        "--ntasks-per-node": "1",
        "--partition": slurm.partition,
        "--account": slurm.account,
        "--gres": f"gpu:{slurm.gpus}" if slurm.gpus else "",
        "--cpus-per-task": str(slurm.cpus or ""),
        "--mem": slurm.memory,
        "--time": slurm.time,
    }
    torchrun = "torchrun"
    if not slurm.setup:
        torchrun = f"{shlex.quote(sys.executable)} -m torch.distributed.run"
    file = shlex.quote(f"{folder}/{command}.yaml")
    # Since Slurm 22.05 srun does not take the number of cores from the job.
    cores = f" --cpus-per-task={slurm.cpus}" if slurm.cpus else ""
    run = (
        f"exec srun --kill-on-bad-exit=1{cores} {torchrun} --nnodes={slurm.nodes} "
        f"--nproc_per_node={max(1, slurm.gpus)} --rdzv_id=$SLURM_JOB_ID --rdzv_backend=c10d "
        f'--rdzv_endpoint="$first:$port" -m assay {command} {file}'
    )
    return shell_script(options, slurm.options, slurm.setup, [*_MEETING, run])

r"""Several processes: data-parallel, or with everything divided over them by DeepSpeed's ZeRO.

Data-parallel processes (`torchrun`, `accelerate launch`) hold the whole model each and may do any
number of micro-batches in a step. Under ZeRO stage 3 (Rajbhandari et al. 2020, arXiv 1910.02054)
each holds a part of the weights, gradients and optimiser states, and a layer's weights are gathered
when it is computed: every process must take every layer's turn, so all do as many micro-batches,
and all score the held-out problems.

DeepSpeed is easily started such that it does nothing, or such that every process believes itself
alone and does all of the data. What was asked for is therefore checked against what there is.

    torchrun --nproc_per_node 8 -m assay train-verifier runs/v \
        deepspeed=configs/deepspeed/zero3.json
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedType

from assay.generator.models import device_of
from assay.generator.parallel import deepspeed_settings, launched_deepspeed, under_fsdp
from assay.settings.errors import UserError
from assay.settings.extras import missing_package
from assay.verifier.config import TrainVerifierConfig

__all__ = [
    "OURS",
    "backward",
    "check_engine",
    "drop_divided",
    "load_divided",
    "loaded_whole",
    "most",
    "optimiser_step",
    "save_divided",
    "start",
    "under_deepspeed",
]

# Settings of DeepSpeed that follow from ours.
OURS = {
    "optimizer": "learning_rate and betas",
    "scheduler": "learning_rate and warmup_ratio",
    "gradient_clipping": "max_grad_norm",
    "train_batch_size": "batch_tokens",
    "train_micro_batch_size_per_gpu": "micro_batch_tokens",
    "gradient_accumulation_steps": "batch_tokens and micro_batch_tokens",
    "fp16": "model.base.dtype",
    "bf16": "model.base.dtype",
    "torch_autocast": "model.base.dtype",
}


def start(config: TrainVerifierConfig, bfloat16: bool) -> Accelerator:
    """Joins the other processes. With `bfloat16`, DeepSpeed computes products in that type.

    Raises `UserError` where DeepSpeed is asked for and cannot be had.
    """
    device = device_of(config.model.base)
    if under_fsdp():
        raise UserError(
            "train-verifier: FSDP does not divide a verifier; "
            "deepspeed=configs/deepspeed/zero3.json does, started with torchrun"
        )
    if not config.deepspeed:
        if launched_deepspeed():
            raise UserError(
                "train-verifier: the launcher asks for DeepSpeed; start with torchrun and "
                "deepspeed=FILE.json instead"
            )
        accelerator = Accelerator(cpu=device.type == "cpu", **_tracked(config))
    else:
        accelerator = _start_deepspeed(config, device, bfloat16)
    if config.report_to:
        accelerator.init_trackers("assay")
    return accelerator


def _tracked(config: TrainVerifierConfig) -> dict[str, Any]:
    """What an `Accelerator` is told of `report_to`; trackers that write files do so in OUTPUT."""
    if not config.report_to:
        return {}
    return {"log_with": list(config.report_to), "project_dir": f"{config.output}/reports"}


def _start_deepspeed(
    config: TrainVerifierConfig, device: torch.device, bfloat16: bool
) -> Accelerator:
    settings = _settings(config.deepspeed)
    if "LOCAL_RANK" not in os.environ:
        raise UserError(
            f"deepspeed={config.deepspeed}: start with torchrun, for example "
            "torchrun --nproc_per_node 8 -m assay train-verifier …"
        )
    # Else DeepSpeed looks for a GPU of its own, and finds one of another kind or none.
    os.environ.setdefault("DS_ACCELERATOR", device.type)
    try:
        import deepspeed  # noqa: F401
        from accelerate import DeepSpeedPlugin
    except ImportError as error:
        what = f"deepspeed={config.deepspeed}"
        raise missing_package(what, "deepspeed", extra="deepspeed") from error
    settings |= {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": config.max_grad_norm,
        "torch_autocast": {"enabled": bfloat16, "dtype": "bfloat16"},
    }
    if device.type == "cpu":
        # Without a GPU accelerate starts no other processes for DeepSpeed: they are joined before.
        PartialState(cpu=True)
    plugin = DeepSpeedPlugin(hf_ds_config=settings)
    accelerator = Accelerator(deepspeed_plugin=plugin, **_tracked(config))
    # Models are from now on divided while they are loaded.
    plugin.set_deepspeed_weakref()
    world = int(os.environ["WORLD_SIZE"])
    count, rank = accelerator.num_processes, accelerator.process_index
    kind = accelerator.device.type
    if (count, rank, kind) != (world, int(os.environ["RANK"]), device.type):
        raise UserError(
            f"deepspeed={config.deepspeed}: process {os.environ['RANK']} of {world} on "
            f"{device.type} finds itself process {rank} of {count} on {kind}; "
            "start with torchrun"
        )
    return accelerator


def _settings(name: str) -> dict[str, Any]:
    return deepspeed_settings(name, "deepspeed", OURS)


def loaded_whole() -> None:
    """Ends what `start` began: models are no longer divided while they are loaded."""
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()


def under_deepspeed(accelerator: Accelerator) -> bool:
    """Whether DeepSpeed's engine runs the training."""
    return bool(accelerator.distributed_type == DistributedType.DEEPSPEED)


def check_engine(config: TrainVerifierConfig, accelerator: Accelerator, model: Any) -> None:
    """Raises `UserError` where the prepared `model` is not run as the configuration says."""
    if not config.deepspeed:
        return
    stage = _settings(config.deepspeed)["zero_optimization"]["stage"]
    if not under_deepspeed(accelerator) or not hasattr(model, "zero_optimization_stage"):
        raise UserError(f"deepspeed={config.deepspeed}: the engine is not engaged")
    found = (model.zero_optimization_stage(), model.dp_world_size)
    if found != (stage, int(os.environ["WORLD_SIZE"])):
        raise UserError(
            f"deepspeed={config.deepspeed}: the engine runs stage {found[0]} over {found[1]} "
            f"processes; expected stage {stage} over {os.environ['WORLD_SIZE']}"
        )


def backward(accelerator: Accelerator, model: Any, loss: torch.Tensor, last: bool) -> None:
    """Adds a micro-batch's gradients; the `last` of a step exchanges them between processes."""
    if under_deepspeed(accelerator):
        model.set_gradient_accumulation_boundary(last)
        model.backward(loss)
    else:
        accelerator.backward(loss)


def optimiser_step(accelerator: Accelerator, model: Any, optimizer: Any, max_norm: float) -> None:
    """Scales the gradients down to `max_norm`, moves the weights and drops the gradients."""
    if under_deepspeed(accelerator):
        model.step()
        return
    accelerator.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    optimizer.zero_grad()


def most(accelerator: Accelerator, count: int) -> int:
    """The largest of the processes' counts."""
    own = torch.tensor([count], device=accelerator.device)
    return int(accelerator.gather(own).max())


def save_divided(accelerator: Accelerator, model: Any, folder: Path, step: int) -> dict[str, Any]:
    """Every process writes its part of the state; returns what the main state has to record.

    Older parts stay until `drop_divided`: the state on disk is always complete.
    """
    model.save_checkpoint(
        str(folder), tag=f"step-{step}", save_latest=False, exclude_frozen_parameters=True
    )
    accelerator.wait_for_everyone()
    return {"divided": f"step-{step}", "processes": accelerator.num_processes}


def drop_divided(folder: Path, keep: str) -> None:
    """Removes all parts but those of the state `keep`."""
    for old in folder.glob("step-*"):
        if old.name != keep:
            shutil.rmtree(old, ignore_errors=True)


def load_divided(accelerator: Accelerator, model: Any, folder: Path, state: dict[str, Any]) -> None:
    """Puts back what `save_divided` wrote. Raises `UserError` where that does not fit."""
    found, own = state.get("processes"), accelerator.num_processes
    if found != own:
        raise UserError(f"{folder}: written by {found} processes; {own} cannot go on from there")
    path, _ = model.load_checkpoint(str(folder), tag=state["divided"], load_module_strict=False)
    if path is None:
        raise UserError(f"{folder}: {state['divided']} is missing; delete the folder to start anew")

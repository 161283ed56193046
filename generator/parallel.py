"""Several processes: the generator's training, data-parallel or divided by FSDP or DeepSpeed.

Data-parallel processes hold the whole model each; FSDP (Zhao et al. 2023, arXiv 2304.11277) and
ZeRO (Rajbhandari et al. 2020, arXiv 1910.02054) divide optimizer states, gradients and weights.
Whatever the division, a step's loss is the mean over its response tokens (`generator/trainer.py`).

    torchrun --nproc_per_node 8 -m assay train-generator configs/generator/mammoth_7b.yaml
    accelerate launch --config_file configs/accelerate/fsdp2.yaml -m assay train-generator …

A launch can easily do without a word what was not asked for: one process instead of several, or
plain training instead of a divided one. So what was asked for is compared with what there is.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from assay.settings.errors import UserError
from assay.settings.extras import missing_package
from assay.settings.files import packaged
from assay.storage.jsonl import parse_json

if TYPE_CHECKING:
    from transformers import TrainingArguments

__all__ = [
    "OURS",
    "check_launch",
    "deepspeed_settings",
    "kind_of",
    "launched_deepspeed",
    "prepare_deepspeed",
    "settle_batch",
    "under_fsdp",
]

# Settings of DeepSpeed that follow from ours.
OURS = {
    "optimizer": "learning_rate and trainer.optim",
    "scheduler": "schedule and warmup_ratio",
    "gradient_clipping": "trainer.max_grad_norm",
    "train_batch_size": "batch_size",
    "train_micro_batch_size_per_gpu": "batch_size or trainer.per_device_train_batch_size",
    "gradient_accumulation_steps": "batch_size or trainer.gradient_accumulation_steps",
    "fp16": "trainer.fp16",
    "bf16": "trainer.bf16",
}


def deepspeed_settings(name: str, key: str, ours: Mapping[str, str]) -> dict[str, Any]:
    """The settings in DeepSpeed's JSON file `name`, without those that follow from ours.

    `ours` gives for each of those what to set instead. Raises `UserError` naming `key`.
    """
    try:
        settings = parse_json(packaged(name).read_bytes())
        stage = settings["zero_optimization"]["stage"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{key}={name}: expected a JSON file with zero_optimization.stage ({error!r})"
        ) from error
    if stage not in (2, 3):
        raise UserError(f"{key}={name}: zero_optimization.stage={stage}: expected 2 or 3")
    for setting in settings.keys() & ours.keys():
        raise UserError(f"{key}={name}: {setting} is set by Assay; set {ours[setting]} instead")
    return dict(settings)


def prepare_deepspeed(name: str, device: str) -> dict[str, Any]:
    """What the Trainer is given as `deepspeed`: the file's settings and what follows from ours.

    Raises `UserError` where the file does not fit, DeepSpeed is missing, or this process was not
    started by a launcher.
    """
    settings = deepspeed_settings(name, "deepspeed", OURS)
    if "LOCAL_RANK" not in os.environ:
        raise UserError(
            f"deepspeed={name}: start with torchrun, for example "
            "torchrun --nproc_per_node 8 -m assay train-generator …"
        )
    # Else DeepSpeed looks for a GPU of its own, and finds one of another kind or none.
    os.environ.setdefault("DS_ACCELERATOR", device)
    try:
        import deepspeed  # noqa: F401
    except ImportError as error:
        what = f"deepspeed={name}"
        raise missing_package(what, "deepspeed", extra="deepspeed") from error
    zero = dict(settings["zero_optimization"])
    if zero["stage"] == 3:
        # Otherwise no process would have the whole weights to write.
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    auto = ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping")
    return {
        **settings,
        **dict.fromkeys(auto, "auto"),
        "bf16": {"enabled": "auto"},
        "fp16": {"enabled": "auto"},
        "zero_optimization": zero,
    }


def settle_batch(arguments: TrainingArguments) -> None:
    """Tells DeepSpeed how a step is divided, which is known only when the model is loaded."""
    plugin = getattr(arguments, "deepspeed_plugin", None)
    if plugin is None:
        return
    parts = {
        "train_micro_batch_size_per_gpu": arguments.per_device_train_batch_size,
        "gradient_accumulation_steps": arguments.gradient_accumulation_steps,
    }
    for settings in (plugin.hf_ds_config.config, plugin.deepspeed_config):
        settings.update(parts)
        settings.pop("train_batch_size", None)
    plugin.gradient_accumulation_steps = arguments.gradient_accumulation_steps


def kind_of(model: Any) -> str:
    """How a prepared model is trained: plain | ddp | fsdp | zero-2 | zero-3."""
    from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel
    from torch.nn.parallel import DistributedDataParallel

    if hasattr(model, "zero_optimization_stage"):
        return f"zero-{model.zero_optimization_stage()}"
    if isinstance(model, (FSDPModule, FullyShardedDataParallel)):
        return "fsdp"
    return "ddp" if isinstance(model, DistributedDataParallel) else "plain"


def check_launch(trainer_settings: Mapping[str, Any], model: Any, processes: int) -> str:
    """The kind of the prepared `model`'s training, over `processes` of which each has its data.

    Raises `UserError` where it is not what the configuration and the launcher asked for.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if processes != world:
        raise UserError(
            f"the launcher started {world} processes, of which the training sees {processes}: "
            "start with torchrun"
        )
    kind, wanted = kind_of(model), _wanted(trainer_settings, world)
    if kind not in wanted:
        raise UserError(
            f"asked for {' or '.join(wanted)} over {world} processes, found {kind}: start with "
            "torchrun"
        )
    # An engine may be told another number than it was started with.
    found = getattr(model, "dp_world_size", world)
    if found != world:
        raise UserError(f"DeepSpeed's engine runs over {found} processes, not {world}")
    return kind


def _wanted(settings: Mapping[str, Any], world: int) -> Collection[str]:
    if settings.get("deepspeed"):
        stage = settings["deepspeed"]["zero_optimization"]["stage"]
        return (f"zero-{stage}",)
    if launched_deepspeed():
        return ("zero, by deepspeed=FILE.json",)
    if settings.get("fsdp") or under_fsdp():
        return ("fsdp",)
    return ("ddp",) if world > 1 else ("plain",)


def under_fsdp() -> bool:
    """Whether the launcher asked for FSDP."""
    return _true("ACCELERATE_USE_FSDP")


def launched_deepspeed() -> bool:
    """Whether the launcher asked for DeepSpeed."""
    return _true("ACCELERATE_USE_DEEPSPEED")


def _true(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "true", "yes", "on")

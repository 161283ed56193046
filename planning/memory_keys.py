"""How the configurations of trainings ask for what needs less memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.generator.train import TrainGeneratorConfig
from assay.planning.memory import PARALLEL
from assay.settings.errors import UserError
from assay.settings.files import packaged
from assay.storage.jsonl import parse_json

__all__ = ["NO_KEYS", "MemoryKeys", "deepspeed_name", "generator_keys", "verifier_keys"]


@dataclass(frozen=True)
class MemoryKeys:
    """How a training's configuration asks for what needs less memory; an empty key: it cannot.

    `micro_unit` is the tokens for which `micro` counts one.
    """

    micro: str = ""
    micro_unit: int = 1
    deepspeed: str = ""
    checkpointing: str = ""
    rank: str = ""
    bits: str = ""
    states: str = ""
    dtype: str = ""


NO_KEYS = MemoryKeys()


def generator_keys(config: TrainGeneratorConfig, prefix: str) -> MemoryKeys:
    """How `assay train-generator` asks for less memory; `prefix` where its keys are nested."""
    return MemoryKeys(
        micro=f"{prefix}trainer.per_device_train_batch_size",
        micro_unit=config.pack_tokens,
        deepspeed=f"{prefix}deepspeed",
        checkpointing=f"{prefix}gradient_checkpointing",
        rank=f"{prefix}lora.rank",
        bits=f"{prefix}lora.bits",
        dtype=f"{prefix}model.dtype",
    )


def verifier_keys(prefix: str) -> MemoryKeys:
    """How `assay train-verifier` asks for less memory."""
    return MemoryKeys(
        micro=f"{prefix}micro_batch_tokens",
        deepspeed=f"{prefix}deepspeed",
        checkpointing=f"{prefix}gradient_checkpointing",
        states=f"{prefix}optimizer_states",
        rank=f"{prefix}lora.rank",
        dtype=f"{prefix}model.base.dtype",
    )


def deepspeed_name(settings: str | Mapping[str, Any]) -> str:
    """The name in `PARALLEL` of a DeepSpeed configuration. Raises `UserError`."""
    try:
        if isinstance(settings, str):
            settings = dict(parse_json(packaged(settings).read_bytes()))
        zero = settings["zero_optimization"]
        name = f"zero{zero['stage']}"
        offload = zero.get("offload_optimizer") or {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"deepspeed={settings}: expected JSON with zero_optimization.stage ({error!r})"
        ) from error
    name += "-offload" * (offload.get("device", "none") != "none")
    if name not in PARALLEL:
        raise UserError(f"deepspeed: {name}: expected stage 2 or 3")
    return name

"""Adapters (PEFT folders): the base model that they name, with the adapter merged into its weights.

What comes out is a model like any other, to be sampled from, trained and saved:

    base, revision = base_of(Path("runs/lora/adapter_config.json"), "runs/lora")
    model = merged(load_model(ModelConfig(base)), Path("runs/lora"), "runs/lora")
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from assay.settings.errors import UserError
from assay.settings.extras import missing_package
from assay.storage.jsonl import parse_json

__all__ = ["ADAPTER_CONFIG", "ADAPTER_PICKLE", "ADAPTER_WEIGHTS", "base_of", "merged"]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_PICKLE = "adapter_model.bin"


def base_of(file: Path, name: str) -> tuple[str, str]:
    """Name and revision (empty = none said) of the base that adapter `name` was trained on.

    `file` is its adapter_config.json. Raises `UserError` where that names no base.
    """
    try:
        said = parse_json(file.read_bytes())
        base, revision = said["base_model_name_or_path"], said.get("revision")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"adapter {name}: {file.name} cannot be read ({error!r})") from error
    if not isinstance(base, str) or not base or base == name:
        raise UserError(f"adapter {name}: {ADAPTER_CONFIG} names no base_model_name_or_path")
    return base, revision if isinstance(revision, str) else ""


def merged(base: Any, folder: Path, name: str) -> Any:
    """The base with the adapter in `folder` merged into its weights (LoRA and what is like it).

    Raises `UserError` where PEFT is missing or the adapter's kind cannot be merged; what PEFT
    raises for weights that do not fit goes through.
    """
    if importlib.util.find_spec("peft") is None:
        raise missing_package(f"adapter {name}", "peft", extra="lora")
    from peft import PeftModel

    adapted = PeftModel.from_pretrained(base, str(folder))
    if not hasattr(adapted.base_model, "merge_and_unload"):
        kind = adapted.active_peft_config.peft_type
        raise UserError(f"adapter {name}: adapters of the kind {kind} cannot be merged")
    return adapted.merge_and_unload()

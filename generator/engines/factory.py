"""Engines by the name that a configuration gives them; each is imported when it is asked for."""

from __future__ import annotations

import importlib.util
from typing import Any

from assay.generator.engines.config import EngineConfig
from assay.generator.engines.interface import Engine
from assay.generator.models import ModelConfig
from assay.settings.errors import UserError
from assay.settings.extras import missing_package

__all__ = ["ENGINES", "check_engine", "identity", "make_engine"]

ENGINES = ("transformers", "vllm", "server")


def make_engine(config: EngineConfig, model: ModelConfig) -> Engine:
    """Loads the model into the engine named. Raises `UserError` for an unknown engine."""
    if config.name == "transformers":
        from assay.generator.engines.hf import TransformersEngine

        return TransformersEngine.load(config, model)
    if config.quantize != "none":
        raise UserError(f"engine.quantize={config.quantize}: only for engine.name=transformers")
    if config.name == "vllm":
        from assay.generator.engines.vllm import VllmEngine

        return VllmEngine.load(config, model)
    if config.name == "server":
        from assay.generator.engines.server import ServerEngine

        return ServerEngine.load(config, model)
    raise UserError(f"engine.name={config.name}: expected transformers, vllm or server")


def check_engine(config: EngineConfig) -> None:
    """Raises `UserError` for an engine that is unknown, not installed, or wrongly set.

    Nothing is loaded: so it is known at once, and not by each of a cluster's tasks.
    """
    if config.name not in ENGINES:
        raise UserError(f"engine.name={config.name}: expected one of {', '.join(ENGINES)}")
    if config.name != "transformers" and config.quantize != "none":
        raise UserError(f"engine.quantize={config.quantize}: only for engine.name=transformers")
    if config.name == "vllm" and importlib.util.find_spec("vllm") is None:
        raise missing_package("engine.name=vllm", "vllm", extra="vllm")
    if config.vllm.tensor_parallel < 1:
        raise UserError(
            f"engine.vllm.tensor_parallel={config.vllm.tensor_parallel}: expected 1 or more GPUs"
        )


def identity(config: EngineConfig) -> dict[str, Any]:
    """What of an engine changes samples, for the keys of stages; may ask the servers."""
    if config.name == "server":
        from assay.generator.engines.connection import model_name

        # Which machines serve the model, and how many, may change from one start to the next.
        server = config.server
        kept = {"model": model_name(server), "api": server.api, "extra": server.extra}
        return {"engine": config.name, "server": kept}
    if config.name == "vllm":
        limit = {"max_model_len": config.vllm.max_model_len}
        return {"engine": config.name, "vllm": {**limit, "extra": config.vllm.extra}}
    quantized = {"quantize": config.quantize} if config.quantize != "none" else {}
    return {"engine": config.name, **quantized}

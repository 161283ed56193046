"""Engines by the name that a configuration gives them; each is imported when it is asked for."""

from __future__ import annotations

from typing import Any

from assay.generator.engines.config import EngineConfig
from assay.generator.engines.interface import Engine
from assay.generator.models import ModelConfig
from assay.settings.errors import UserError

__all__ = ["identity", "make_engine"]


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

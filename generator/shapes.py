"""Models by their shapes alone: how many parameters, and where, without any weights.

A model is built on torch's `meta` device, which allocates nothing, so the counts are exact for
every family that Transformers knows, tied embeddings and biases included. Shapes come from a
folder's or the hub's config.json; those of well-known models are here, so that planning needs no
network.

    found = known_model(ModelConfig(name="meta-llama/Llama-2-7b-hf"))
    found.size.total        # 6738415616
    found.shape.layers      # 32
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.generator.flops import ModelShape, model_settings
from assay.generator.models import ModelConfig, quiet, resolve
from assay.settings.errors import UserError

__all__ = ["KNOWN", "KnownModel", "ModelSize", "known_model", "size_of"]


@dataclass(frozen=True)
class ModelSize:
    """Numbers of parameters.

    `total`: all, shared ones once. `embedding`: tokens' (and positions') embeddings. `head`: the
    output embedding, 0 where it is tied. `matrices`: weights of the layers' linear maps, which is
    what adapters sit on and what 4-bit quantisation shrinks. `sides`: the sum over these of inputs
    plus outputs: adapters of rank r have r · `sides` parameters. `largest_layer`: of one layer.
    """

    total: int
    embedding: int
    head: int
    matrices: int
    sides: int
    largest_layer: int


@dataclass(frozen=True)
class KnownModel:
    """A model's name, the shape that decides its FLOPs, and its numbers of parameters."""

    name: str
    shape: ModelShape
    size: ModelSize


def _llama(
    hidden: int, inner: int, layers: int, heads: int, keyed: int, vocabulary: int, **more: Any
) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": keyed,
        "vocab_size": vocabulary,
        "tie_word_embeddings": False,
    } | more


_QWEN2 = {"model_type": "qwen2"}
_TIED = {"tie_word_embeddings": True}
KNOWN: dict[str, dict[str, Any]] = {
    "llama-2-7b": _llama(4096, 11008, 32, 32, 32, 32000),
    "llama-2-13b": _llama(5120, 13824, 40, 40, 40, 32000),
    "llama-2-70b": _llama(8192, 28672, 80, 64, 8, 32000),
    "codellama-7b": _llama(4096, 11008, 32, 32, 32, 32016),
    "codellama-13b": _llama(5120, 13824, 40, 40, 40, 32016),
    "codellama-34b": _llama(8192, 22016, 48, 64, 8, 32000),
    # Without the tokens for infilling.
    "codellama-7b-python": _llama(4096, 11008, 32, 32, 32, 32000),
    "codellama-13b-python": _llama(5120, 13824, 40, 40, 40, 32000),
    "codellama-34b-python": _llama(8192, 22016, 48, 64, 8, 32000),
    "llama-3-8b": _llama(4096, 14336, 32, 32, 8, 128256),
    "llama-3.1-8b": _llama(4096, 14336, 32, 32, 8, 128256),
    "mistral-7b": _llama(4096, 14336, 32, 32, 8, 32000, model_type="mistral", sliding_window=None),
    "qwen2.5-1.5b": _llama(1536, 8960, 28, 12, 2, 151936, **_QWEN2, **_TIED),
    "qwen2.5-7b": _llama(3584, 18944, 28, 28, 4, 152064, **_QWEN2),
    "smollm2-135m": _llama(576, 1536, 30, 9, 3, 49152, **_TIED),
    "smollm2-360m": _llama(960, 2560, 32, 15, 5, 49152, **_TIED),
    "smollm2-1.7b": _llama(2048, 8192, 24, 32, 32, 49152, **_TIED),
}
"""Configurations of well-known models by their names in lower case, without what does not change
shapes (organisation, -hf, -instruct, -chat, -math, versions)."""

_IGNORED = re.compile(r"^meta-|-(hf|instruct|chat|it|base|math(?=-)|v0\.[12])(?=-|$)")


def known_model(model: ModelConfig) -> KnownModel:
    """Shape and size of a model by its name: a folder, a well-known model, or a hub id.

    Raises `UserError` where there is no configuration, or one of a family whose FLOPs are not
    known (`assay.generator.flops`).
    """
    is_local = Path(resolve(model.name)).exists()
    settings = None if is_local else KNOWN.get(_plain_name(model.name))
    settings = settings or model_settings(model)
    if settings is None:
        raise UserError(
            f"model {model.name}: no configuration could be read (a model that is not trained yet: "
            "name its base); expected a folder with config.json, a hub id that can be reached, or "
            f"one of {', '.join(KNOWN)}"
        )
    from transformers import AutoConfig

    settings = {key: value for key, value in settings.items() if value is not None}
    config = AutoConfig.for_model(settings["model_type"], **_without_type(settings))
    shape = ModelShape.from_config(config.to_dict())
    if shape is None:
        raise UserError(
            f"model {model.name}: the FLOPs of the family {settings['model_type']} are not known"
        )
    return KnownModel(model.name, shape, size_of(config))


def size_of(config: Any) -> ModelSize:
    """Numbers of parameters of the causal language model of a Transformers configuration."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.pytorch_utils import Conv1D

    with quiet(), torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    head = model.get_output_embeddings()
    embedding = model.get_input_embeddings().weight
    tied = head is None or head.weight is embedding
    linear = [
        module.weight
        for module in model.modules()
        if isinstance(module, (torch.nn.Linear, Conv1D)) and module is not head
    ]
    blocks = max(
        (m for m in model.modules() if isinstance(m, torch.nn.ModuleList)),
        key=lambda m: sum(p.numel() for p in m.parameters()),
    )
    return ModelSize(
        total=sum(parameter.numel() for parameter in model.parameters()),
        embedding=embedding.numel(),
        head=0 if tied else head.weight.numel(),
        matrices=sum(weight.numel() for weight in linear),
        sides=sum(sum(weight.shape) for weight in linear),
        largest_layer=max(sum(p.numel() for p in block.parameters()) for block in blocks),
    )


def _plain_name(name: str) -> str:
    """The key of `KNOWN` that a name may mean.

    >>> _plain_name("Qwen/Qwen2.5-Math-7B-Instruct")
    'qwen2.5-7b'
    """
    return _IGNORED.sub("", name.rstrip("/").split("/")[-1].lower())


def _without_type(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != "model_type"}

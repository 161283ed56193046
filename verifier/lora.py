"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685), by the peft library.

The language model is frozen; beside each of its linear layers stands a product of two thin matrices
that starts at zero, and only those, the head and the reserved token's row are trained. The adapters
are put into the model in place, so everything that knows its modules (attention over packs,
residual dropout) finds them where they were. Saving adds the products to the weights: what comes
out is a verifier like any other.

    add_adapters(lm, LoraSettings(rank=16), seed=0)
    lm.save_pretrained(path, state_dict=merged_state(lm))
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from problems.errors import UserError
from verifier.config import LoraSettings
from verifier.partition import first_process, gathered

__all__ = ["add_adapters", "merged_state"]


def add_adapters(lm: Any, settings: LoraSettings, seed: int) -> None:
    """Freezes `lm` and puts adapters, drawn from `seed`, on the layers that `settings` name.

    Raises `UserError` without peft, and for targets that the model has not or that may not be.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise UserError(
            f"model.lora.rank={settings.rank}: needs the package peft (pip install 'assay[lora]')"
        ) from error
    named = settings.targets
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha or 2 * settings.rank,
        lora_dropout=settings.dropout,
        target_modules=named if named == "all-linear" else named.replace(" ", "").split(","),
        # GPT-2 keeps its matrices transposed.
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in lm.modules()),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            inject_adapter_in_model(config, lm)
        except ValueError as error:
            raise UserError(
                f"model.lora.targets={named}: expected all-linear or names of linear layers, "
                "separated by commas"
            ) from error
    ends = (lm.get_input_embeddings(), lm.get_output_embeddings())
    if any(hasattr(end, "base_layer") for end in ends):
        raise UserError(f"model.lora.targets={named}: the embeddings cannot be adapted")
    for parameter in lm.parameters():
        # Steps of a small learning rate would be lost in 8 bits of mantissa.
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.promote_types(parameter.dtype, torch.float32))


def merged_state(lm: Any) -> dict[str, Tensor]:
    """The plain model's weights on the CPU, adapters added to what they adapt.

    Tensors that the model shares stay shared. Where weights are divided over processes, all of
    those must call this; it is the first one that gets them.
    """
    keep = first_process()
    seen: dict[int, Tensor] = {}
    state: dict[str, Tensor] = {}
    for prefix, module in lm.named_modules(remove_duplicate=False):
        if hasattr(module, "base_layer"):
            for name, tensor in _own(module.base_layer):
                with gathered([tensor, *module.parameters()]):
                    if keep:
                        state[f"{prefix}.{name}"] = _merged(module, name, tensor.detach())
        elif not _inside_adapter(prefix):
            for name, tensor in _own(module):
                if id(tensor) not in seen:
                    with gathered([tensor]):
                        seen[id(tensor)] = tensor.detach().cpu().clone() if keep else tensor
                state[f"{prefix}.{name}"] = seen[id(tensor)]
    return state if keep else {}


def _merged(module: Any, name: str, tensor: Tensor) -> Tensor:
    """A parameter of the layer that `module` adapts, with the adapter's product added."""
    if name == "weight":
        delta = module.get_delta_weight("default").detach()
        tensor = (tensor.to(delta.dtype) + delta).to(tensor.dtype)
    return tensor.cpu().clone()


def _inside_adapter(prefix: str) -> bool:
    parts = prefix.split(".")
    return "base_layer" in parts or any(part.startswith("lora_") for part in parts)


def _own(module: nn.Module) -> list[tuple[str, Tensor]]:
    """Parameters and saved buffers of the module itself."""
    buffers = [
        (name, tensor)
        for name, tensor in module.named_buffers(recurse=False)
        if name not in module._non_persistent_buffers_set
    ]
    return [*module.named_parameters(recurse=False, remove_duplicate=False), *buffers]

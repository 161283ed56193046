"""Residual dropout: what attention and MLP add back to the residual stream is dropped out.

Cobbe et al. 2021 (arXiv 2110.14168, section 4.3) regularise verifiers with dropout "along the
residual paths of each layer". Few open models have it, so it is hung onto any of them by forward
hooks on the modules whose output is added back. It acts in training mode alone. Dropout that the
base brings along (GPT-2's) is switched off first, so that the rate is the one that was asked for.

    handles = add_residual_dropout(lm, 0.2)
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import nn
from torch.utils.hooks import RemovableHandle

from assay.settings.errors import UserError

__all__ = ["add_residual_dropout", "residual_branches", "switch_off_own_dropout"]

_ATTENTION = ("self_attn", "attention", "attn", "self_attention")
_MLP = ("mlp", "feed_forward")
# Gemma 2 and 3 and OLMo 2 normalise a branch's output once more before it is added back.
_POST_NORMS = ("post_attention_layernorm", "post_feedforward_layernorm")


def residual_branches(lm: Any) -> list[nn.Module]:
    """The modules whose output is added to the residual stream, two a layer, in order.

    Raises `UserError` for an architecture whose layers are not understood.
    """
    decoder = lm.get_decoder()
    layers = list(getattr(decoder, "layers", None) or getattr(decoder, "h", None) or ())
    branches: list[nn.Module] = []
    for layer in layers:
        if all(hasattr(layer, name) for name in _POST_NORMS):
            branches += [getattr(layer, name) for name in _POST_NORMS]
        else:
            branches += [
                module
                for names in (_ATTENTION, _MLP)
                for module in [next((getattr(layer, n) for n in names if hasattr(layer, n)), None)]
                if module is not None
            ]
    if not branches or len(branches) != 2 * len(layers):
        kind = getattr(lm.config, "model_type", type(lm).__name__)
        raise UserError(
            f"model.dropout: the residual paths of a '{kind}' model are not known; set it to 0"
        )
    return branches


def add_residual_dropout(lm: Any, rate: float) -> list[RemovableHandle]:
    """Drops out every residual addition at `rate` while in training mode; returns the hooks."""

    def hook(module: nn.Module, _: Any, output: Any) -> Any:
        if not module.training:
            return output
        if isinstance(output, tuple):
            return (F.dropout(output[0], rate), *output[1:])
        return F.dropout(output, rate)

    return [branch.register_forward_hook(hook) for branch in residual_branches(lm)]


def switch_off_own_dropout(lm: nn.Module) -> None:
    """Sets every dropout rate that the architecture has of its own to 0."""
    for module in lm.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = 0.0  # type: ignore[assignment]

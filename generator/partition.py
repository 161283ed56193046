"""Parameters that DeepSpeed's ZeRO stage 3 has divided over processes, and ordinary ones alike.

A divided parameter is an empty tensor until it is gathered (Rajbhandari et al. 2020, arXiv
1910.02054, section 5.3); its true shape is kept beside it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["divided", "first_process", "gathered", "shape_of"]


def divided(tensor: Tensor) -> bool:
    """Whether this is a parameter of which each process holds a part."""
    return hasattr(tensor, "ds_id")


def shape_of(tensor: Tensor) -> torch.Size:
    """The shape of the whole parameter."""
    return tensor.ds_shape if divided(tensor) else tensor.shape  # type: ignore[attr-defined]


def gathered(
    parameters: Iterable[Tensor], *, write: bool = False
) -> contextlib.AbstractContextManager[Any]:
    """A context in which the parameters are whole; all processes must enter it.

    With `write` what the first process has put into them holds for all when the context ends.
    """
    parts = list(
        {id(p): p for p in parameters if isinstance(p, nn.Parameter) and divided(p)}.values()
    )
    if not parts:
        return contextlib.nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters(parts, modifier_rank=0 if write else None)


def first_process() -> bool:
    """Whether this process is the one that writes."""
    distributed = torch.distributed
    return not distributed.is_initialized() or distributed.get_rank() == 0

"""Parameters that ZeRO stage 3 or FSDP2 has divided over processes, and ordinary ones alike.

One that ZeRO divides is an empty tensor until it is gathered (Rajbhandari et al. 2020, arXiv
1910.02054, section 5.3); its true shape is kept beside it. One that FSDP2 divides is a DTensor:
arithmetic on it is done in parts, and `whole` puts them together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

__all__ = ["divided", "first_process", "gathered", "put", "shape_of", "whole"]


def divided(tensor: Tensor) -> bool:
    """Whether this is a parameter that ZeRO stage 3 has divided."""
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


def whole(tensor: Tensor) -> Tensor:
    """The tensor, detached, its parts put together; all processes must call this.

    One that ZeRO divides has to be `gathered` already.
    """
    tensor = tensor.detach()
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def put(parameter: nn.Parameter, value: Tensor) -> None:
    """Copies `value`, which every process has whole, into a parameter (not one of ZeRO's)."""
    with torch.no_grad():
        if isinstance(parameter, DTensor):
            mesh = parameter.device_mesh
            value = value.to(mesh.device_type)
            value = distribute_tensor(value, mesh, parameter.placements, src_data_rank=None)
        parameter.copy_(value)


def first_process() -> bool:
    """Whether this process is the one that writes."""
    distributed = torch.distributed
    return not distributed.is_initialized() or distributed.get_rank() == 0

"""The memory that sampling takes: how many samples at a time fit, and whether it has run out."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["is_out_of_memory", "release", "rows_of_model", "rows_that_fit"]

_CPU_CACHE_BYTES = 2 << 30
_MAX_ROWS = {"cpu": 256, "cuda": 1024}


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says so, on any kind of device."""
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, torch.OutOfMemoryError) or should_reduce_batch_size(error)


def release(device: torch.device) -> None:
    """Gives back what the allocator keeps, which is in pieces of the sizes used so far."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def rows_of_model(model: Any, new_tokens: int) -> int:
    """Samples at a time: as many as keep the processor busy and fit the memory for their caches."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    element = 2 if model.dtype in (torch.bfloat16, torch.float16) else 4
    token = 2 * config.num_hidden_layers * heads * size * element
    free = _free_bytes(model.device) if model.device.type == "cuda" else None
    return rows_that_fit(token, new_tokens, free)


def rows_that_fit(token: float, new_tokens: int, free: float | None) -> int:
    """Samples at a time where a token's keys and values take `token` bytes.

    `free` are a GPU's free bytes; `None`: a CPU.
    """
    memory = _CPU_CACHE_BYTES if free is None else free // 2
    most = _MAX_ROWS["cpu" if free is None else "cuda"]
    # Caches grow by doubling, so half of them may be room to grow.
    return max(8, min(most, int(memory // (2 * token * new_tokens))))


def _free_bytes(device: torch.device) -> int:
    """Memory of a GPU that is free, or kept by PyTorch's allocator without being used."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + kept

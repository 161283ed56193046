"""Batches of packed rows, and an attention that stays within each example.

Rows are laid end to end into one, with no padding anywhere. A dense block-diagonal mask would cost
the square of that row's length, nearly all of it masked: instead each example's tokens are attended
to by a call of their own. It plugs into Transformers as an attention function; a model whose
attention is `flash_attention_2` reads the same boundaries from the same batch natively.

    batch = collate([row.tensors() …])
    with within_documents(model):
        logits = model(**batch).logits
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from generator.packing import Packed

__all__ = ["NAME", "collate", "within_documents"]

NAME = "assay_documents"


def collate(rows: Sequence[Packed]) -> dict[str, Any]:
    """One batch of one row, (1, tokens), that holds all examples of `rows`.

    `cu_seq_lens_…` and `max_length_…` are the names under which Transformers hands boundaries to
    flash attention; `document_lengths` is what `document_attention` reads.
    """
    lengths = [length for row in rows for length in row.lengths]
    bounds = torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32)
    return {
        **{
            name: torch.tensor([[i for row in rows for i in getattr(row, name)]])
            for name in ("input_ids", "labels", "position_ids")
        },
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
        "document_lengths": lengths,
    }


@contextlib.contextmanager
def within_documents(model: Any) -> Iterator[None]:
    """Within, a model that runs with `sdpa` attends as `document_lengths` of its input say."""
    config = model.config.get_text_config()
    before = config._attn_implementation
    if before == "sdpa":
        config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def document_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    document_lengths: Sequence[int] | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """The attention function: (1, heads, tokens, size) → (1, tokens, heads, size), causal within
    each document.
    """
    if document_lengths is None:
        document_lengths = [query.shape[2]]
    parts = zip(*(t.split(list(document_lengths), dim=2) for t in (query, key, value)), strict=True)
    outputs = []
    for q, k, v in parts:
        mask = _window(q, sliding_window)
        outputs.append(sdpa_attention_forward(module, q, k, v, mask, **kwargs)[0])
    return torch.cat(outputs, dim=1), None


ALL_ATTENTION_FUNCTIONS.register(NAME, document_attention)


def _window(query: torch.Tensor, window: int | None) -> torch.Tensor | None:
    """The mask of a sliding window, (1, 1, size, size), where the document is longer than it."""
    size = query.shape[2]
    if window is None or size <= window:
        return None
    at = torch.arange(size, device=query.device)
    back = at[:, None] - at
    return ((back >= 0) & (back < window))[None, None]

"""Batches of packed rows, and an attention that stays within each example.

Rows are laid end to end into one, with no padding anywhere. A dense block-diagonal mask would cost
the square of that row's length, nearly all of it masked: instead each example's tokens are attended
to by a call of their own on a CPU, and elsewhere by one call on padded rows, since an accelerator
wants few calls. It plugs into Transformers as an attention function; a model whose
attention is `flash_attention_2` reads the same boundaries from the same batch natively.

    batch = collate([row.tensors() …])
    with within_documents(model):
        logits = model(**batch).logits
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from assay.generator.packing import Packed

__all__ = ["NAME", "collate", "within_documents"]

NAME = "assay_documents"


def collate(rows: Sequence[Packed]) -> dict[str, Any]:
    """One batch of one row, (1, tokens), that holds all examples of `rows`.

    `cu_seq_lens_…` and `max_length_…` are the names under which Transformers hands boundaries to
    flash attention; the others are what `document_attention` reads: `document_lengths`, and the
    place of each token in padded rows of the longest one's length, (tokens,).
    """
    lengths = [length for row in rows for length in row.lengths]
    longest = max(lengths)
    places = [i * longest + at for i, length in enumerate(lengths) for at in range(length)]
    bounds = torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32)
    return {
        **{
            name: torch.tensor([[i for row in rows for i in getattr(row, name)]])
            for name in ("input_ids", "labels", "position_ids")
        },
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": longest,
        "max_length_k": longest,
        "document_lengths": lengths,
        "document_places": torch.tensor(places),
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
    document_places: torch.Tensor | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """The attention function: (1, heads, tokens, size) → (1, tokens, heads, size), causal within
    each document.
    """
    new, lengths = (query, key, value), document_lengths or [query.shape[2]]

    def attended(*own: torch.Tensor) -> torch.Tensor:
        mask = _window(own[0], sliding_window)
        output: torch.Tensor = sdpa_attention_forward(module, *own, mask, **kwargs)[0]
        return output

    if document_places is not None and _wants_few_calls(query.device):
        output = attended(*(_padded(t, lengths, document_places) for t in new))
        return output.flatten(0, 1).index_select(0, document_places)[None], None
    if query.device.type == "cpu":
        return _attended_in_float32(attended, new, lengths), None
    parts = zip(*(t.split(list(lengths), dim=2) for t in new), strict=True)
    return torch.cat([attended(*part) for part in parts], dim=1), None


ALL_ATTENTION_FUNCTIONS.register(NAME, document_attention)


def _attended_in_float32(
    attended: Callable[..., torch.Tensor], new: Sequence[torch.Tensor], lengths: Sequence[int]
) -> torch.Tensor:
    """Each document by a call of its own, in float32 at least, also under autocast.

    A processor's kernels for bfloat16 are slow at such sizes, the backward one threefold.
    """
    dtype = new[0].dtype
    exact = torch.promote_types(dtype, torch.float32)
    with torch.autocast("cpu", enabled=False):
        parts = zip(*(t.to(exact).split(list(lengths), dim=2) for t in new), strict=True)
        return torch.cat([attended(*part) for part in parts], dim=1).to(dtype)


def _wants_few_calls(device: torch.device) -> bool:
    return device.type != "cpu"


def _padded(x: torch.Tensor, lengths: Sequence[int], places: torch.Tensor) -> torch.Tensor:
    """(1, heads, tokens, size) → (documents, heads, longest, size), zero behind the ends."""
    longest = max(lengths)
    tokens = x[0].transpose(0, 1).flatten(1)
    padded = tokens.new_zeros(len(lengths) * longest, tokens.shape[1])
    # Its gradient is plain indexing; that of plain indexing would be sums.
    rows = padded.index_copy(0, places, tokens)
    return rows.view(len(lengths), longest, x.shape[1], -1).transpose(1, 2)


def _window(query: torch.Tensor, window: int | None) -> torch.Tensor | None:
    """The mask of a sliding window, (1, 1, size, size), where the document is longer than it."""
    size = query.shape[2]
    if window is None or size <= window:
        return None
    at = torch.arange(size, device=query.device)
    back = at[:, None] - at
    return ((back >= 0) & (back < window))[None, None]

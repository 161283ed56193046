"""Attention over shared-prefix packs, without the work that a dense mask throws away.

The packs of a batch stand one behind the other in one row, without padding: a question, then
solutions, each of which sees its question and itself. With a dense mask attention costs the square
of the row, nearly all of it masked. Here each question attends to itself and each solution to
question + itself, as calls of PyTorch's scaled-dot-product attention on padded rows, one for the
questions and one for each *bucket* of solutions of about equal length: about
solution · (question + solution) for each solution. Everything else in the model (embedding,
projections, MLP) runs over the unpadded row.

It plugs into transformers as an attention function, which reads the layout from the forward call
and is plain `sdpa` where there is none. `pack_mask` is the dense mask, for models that run with
`attention=eager`; tests hold the two together.

    use_shared_prefix_attention(lm)
    lm.get_decoder()(input_ids, position_ids=positions, **attention_arguments(lm, layout))
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from assay.verifier.prefix import Prefix, SolutionsLayout

__all__ = [
    "Call",
    "Layout",
    "PackLayout",
    "attends_to_layouts",
    "attention_arguments",
    "pack_mask",
    "use_shared_prefix_attention",
]

NAME = "assay_shared_prefix"


class Call(NamedTuple):
    """One call of attention: R padded rows of s queries and n keys.

    `visible`, shape (R or 1, 1, s, n), is true where a query may look; `None` is plain causal.
    """

    rows: int
    queries: int
    keys: int
    visible: Tensor | None


class PackLayout(NamedTuple):
    """Where the questions and solutions of packs are in a row of L positions.

    `packs` (L,): each position's pack. `segments` (L,): 0 on a question, j on the pack's j-th
    solution. `calls`: the questions', then one for each bucket of solutions. The slots of their
    padded queries, call after call: `token_of_slot` is the position that goes there (any, where it
    is one of the `empty_slots`), `slot_of_token` (L,) its inverse. `token_of_key`: the position of
    each of their keys (any, where nobody may look).
    """

    packs: Tensor
    segments: Tensor
    token_of_slot: Tensor
    empty_slots: Tensor
    slot_of_token: Tensor
    token_of_key: Tensor
    calls: tuple[Call, ...]

    def to(self, device: torch.device) -> PackLayout:
        """The layout on a device."""
        calls = [
            call if call.visible is None else call._replace(visible=call.visible.to(device))
            for call in self.calls
        ]
        moved = {
            name: part.to(device)
            for name, part in self._asdict().items()
            if isinstance(part, Tensor)
        }
        return self._replace(**moved, calls=tuple(calls))


Layout = PackLayout | Prefix | SolutionsLayout


def use_shared_prefix_attention(lm: Any) -> None:
    """Lets a model that runs with `sdpa` attend to packs; other attentions stay as they are."""
    if lm.config._attn_implementation == "sdpa":
        lm.set_attn_implementation(NAME)


def attends_to_layouts(lm: Any) -> bool:
    """Whether the model's attention reads the layout (else `attention_arguments` gives masks)."""
    return bool(lm.config._attn_implementation == NAME)


def attention_arguments(lm: Any, layout: Layout | None) -> dict[str, Any]:
    """What a decoder's forward call needs to attend as `layout` says (`None`: plain causal)."""
    if layout is None:
        return {"attention_mask": None}
    if isinstance(layout, (Prefix, SolutionsLayout)):
        return {"attention_mask": torch.ones(1, 1, 1, 1, dtype=torch.bool), "pack_layout": layout}
    if attends_to_layouts(lm):
        # A mask of four dimensions is taken as it is: none is built, and ours looks at the layout.
        return {"attention_mask": layout.packs.new_ones(1, 1, 1, 1).bool(), "pack_layout": layout}
    additive = torch.zeros((), device=layout.packs.device)
    mask = pack_mask(layout.packs, layout.segments)
    return {"attention_mask": additive.where(mask, float("-inf"))}


def pack_mask(packs: Tensor, segments: Tensor) -> Tensor:
    """Who sees whom in a row of packs: shape (1, 1, L, L), true where attention may go.

    `packs` and `segments` (L,) as in `PackLayout`. Each position sees, of what stands before it in
    its pack and itself, the question and its own segment.

        question a b | solution c d | solution e        a b c d e
                                                   d    1 1 1 1 .
                                                   e    1 1 . . 1
    """
    order = torch.arange(len(packs), device=packs.device)
    seen = (segments == 0) | (segments == segments[:, None])
    return (seen & (packs == packs[:, None]) & (order <= order[:, None]))[None, None]


class _Move(torch.autograd.Function):
    """Rows of a matrix from positions to slots (zero where one is empty), or back.

    Each is the other's gradient; plain indexing would add up rows one by one.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, layout: PackLayout, to_slots: bool) -> Tensor:
        ctx.layout, ctx.to_slots = layout, to_slots
        return _moved(x, layout, to_slots)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _moved(gradients[0], ctx.layout, not ctx.to_slots), None, None


def _moved(x: Tensor, layout: PackLayout, to_slots: bool) -> Tensor:
    if not to_slots:
        return x.index_select(0, layout.slot_of_token)
    return x.index_select(0, layout.token_of_slot).index_fill_(0, layout.empty_slots, 0)


def _shared_prefix_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    pack_layout: Layout | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of (packs, heads, length, size) tensors; returns (packs, length, heads, size)."""
    if pack_layout is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    if isinstance(pack_layout, (Prefix, SolutionsLayout)):
        return pack_layout.attend(module, query, key, value, scaling), None
    heads = query.shape[1]
    slots = _Move.apply(_flat(query), pack_layout, True)
    at = pack_layout.token_of_key
    keys, values = _flat(key).index_select(0, at), _flat(value).index_select(0, at)
    calls = pack_layout.calls
    asking = slots.split([call.rows * call.queries for call in calls])
    asked = [x.split([call.rows * call.keys for call in calls]) for x in (keys, values)]
    outputs = []
    for call, own, *pair in zip(calls, asking, *asked, strict=True):
        own_keys, own_values = (_rows(x, call.rows, key.shape[1]) for x in pair)
        if call.visible is not None and query.device.type == "cuda" and key.shape[1] != heads:
            # With a mask, CUDA's fast kernels know no shared key heads.
            own_keys, own_values = (
                x.repeat_interleave(heads // key.shape[1], 1) for x in (own_keys, own_values)
            )
        output = F.scaled_dot_product_attention(
            _rows(own, call.rows, heads),
            own_keys,
            own_values,
            attn_mask=call.visible,
            is_causal=call.visible is None,
            dropout_p=dropout,
            scale=scaling,
            enable_gqa=own_keys.shape[1] != heads,
        )
        outputs.append(output.transpose(1, 2).flatten(0, 1).flatten(1))
    output = _Move.apply(torch.cat(outputs), pack_layout, False)
    return output.view(1, len(output), heads, -1), None


def _flat(x: Tensor) -> Tensor:
    """(1, heads, L, size) → (L, heads · size)."""
    return x.transpose(1, 2).flatten(0, 1).flatten(1)


def _rows(x: Tensor, rows: int, heads: int) -> Tensor:
    """(rows · length, heads · size) → (rows, heads, length, size)."""
    return x.view(rows, len(x) // rows, heads, -1).transpose(1, 2)


AttentionInterface.register(NAME, _shared_prefix_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)

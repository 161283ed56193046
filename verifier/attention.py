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

__all__ = [
    "Bucket",
    "PackLayout",
    "attention_arguments",
    "pack_mask",
    "use_shared_prefix_attention",
]

NAME = "assay_shared_prefix"


class Bucket(NamedTuple):
    """R solutions of about equal length: `pack_of_row` (R,) says whose question each one follows.

    `visible`, shape (R or 1, 1, s, m + s), is true where a solution's token may look: at its
    question (padded to m tokens) and at what stands before it in its solution (padded to s).
    """

    pack_of_row: Tensor
    visible: Tensor

    @property
    def solution_length(self) -> int:
        """s, the longest solution."""
        return self.visible.shape[2]

    @property
    def question_length(self) -> int:
        """m, the longest question."""
        return self.visible.shape[3] - self.visible.shape[2]


class PackLayout(NamedTuple):
    """Where the questions and solutions of P packs are in a row of L positions.

    `packs` (L,): each position's pack. `segments` (L,): 0 on a question, j on the pack's j-th
    solution. `questions`: P and the longest question's length. `token_of_slot`: for each slot of
    the padded questions (P, m), then of each bucket's padded solutions (R, s), the position that
    goes there (any, where it is one of the `empty_slots`); `slot_of_token` (L,) is its inverse.
    """

    packs: Tensor
    segments: Tensor
    questions: tuple[int, int]
    token_of_slot: Tensor
    empty_slots: Tensor
    slot_of_token: Tensor
    buckets: tuple[Bucket, ...]

    def to(self, device: torch.device) -> PackLayout:
        """The layout on a device."""
        return PackLayout(
            self.packs.to(device),
            self.segments.to(device),
            self.questions,
            self.token_of_slot.to(device),
            self.empty_slots.to(device),
            self.slot_of_token.to(device),
            tuple(Bucket(*(tensor.to(device) for tensor in bucket)) for bucket in self.buckets),
        )


def use_shared_prefix_attention(lm: Any) -> None:
    """Lets a model that runs with `sdpa` attend to packs; other attentions stay as they are."""
    if lm.config._attn_implementation == "sdpa":
        lm.set_attn_implementation(NAME)


def attention_arguments(lm: Any, layout: PackLayout | None) -> dict[str, Any]:
    """What a decoder's forward call needs to attend as `layout` says (`None`: plain causal)."""
    if layout is None:
        return {"attention_mask": None}
    if lm.config._attn_implementation == NAME:
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
    pack_layout: PackLayout | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of (packs, heads, length, size) tensors; returns (packs, length, heads, size)."""
    if pack_layout is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    queries, keys, values = (_slots(x, pack_layout) for x in (query, key, value))
    options: dict[str, Any] = {
        "dropout_p": dropout,
        "scale": scaling,
        "enable_gqa": key.shape[1] != query.shape[1],
    }
    asked_keys, asked_values = keys[0], values[0]
    outputs = [
        F.scaled_dot_product_attention(
            queries[0], asked_keys, asked_values, is_causal=True, **options
        )
    ]
    for bucket, own, own_keys, own_values in zip(
        pack_layout.buckets, queries[1:], keys[1:], values[1:], strict=True
    ):
        outputs.append(
            F.scaled_dot_product_attention(
                own,
                torch.cat([_of_rows(asked_keys, bucket), own_keys], dim=2),
                torch.cat([_of_rows(asked_values, bucket), own_values], dim=2),
                attn_mask=bucket.visible,
                **options,
            )
        )
    slots = torch.cat([x.transpose(1, 2).flatten(0, 1).flatten(1) for x in outputs])
    output = _Move.apply(slots, pack_layout, False)
    return output.view(1, query.shape[2], query.shape[1], -1), None


def _slots(x: Tensor, layout: PackLayout) -> list[Tensor]:
    """(1, heads, L, size) as slots: questions (P, heads, m, size), buckets (R, …)."""
    _, heads, _, size = x.shape
    flat = x.transpose(1, 2).reshape(-1, heads * size)
    moved = _Move.apply(flat, layout, True)
    shapes = [layout.questions, *((len(b.pack_of_row), b.solution_length) for b in layout.buckets)]
    return [
        part.view(rows, length, heads, size).transpose(1, 2)
        for (rows, length), part in zip(
            shapes, moved.split([rows * length for rows, length in shapes]), strict=True
        )
    ]


def _of_rows(question: Tensor, bucket: Bucket) -> Tensor:
    """Each solution row's question: (P, heads, …, size) → (R, heads, m, size)."""
    question = question[:, :, : bucket.question_length]
    if len(question) == 1:
        return question.expand(len(bucket.pack_of_row), -1, -1, -1)
    return question.index_select(0, bucket.pack_of_row)


AttentionInterface.register(NAME, _shared_prefix_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)

"""Attention over shared-prefix packs, without the work that a dense mask throws away.

A packed row is a question followed by solutions, each of which sees the question and itself. With a
dense mask attention costs (question + all solutions)² per pack, nearly all of it masked. Here each
question attends to itself and each solution to question + itself, as two calls of PyTorch's
scaled-dot-product attention on padded rows: k · solution · (question + solution). Everything else
in the model (embedding, projections, MLP) still runs over the packs, without that padding.

It plugs into transformers as an attention function, which reads the layout from the forward call
and is plain `sdpa` where there is none. `pack_mask` is the dense mask, for models that run with
`attention=eager`; tests hold the two together.

    use_shared_prefix_attention(lm)
    lm.get_decoder()(input_ids, position_ids=positions, **attention_arguments(layout))
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from verifier.prefix import Prefix, SolutionsLayout

__all__ = [
    "Layout",
    "PackLayout",
    "attends_to_layouts",
    "attention_arguments",
    "pack_mask",
    "use_shared_prefix_attention",
]

NAME = "assay_shared_prefix"


class PackLayout(NamedTuple):
    """Where the questions and solutions of packed rows (P packs, R solutions, L positions) are.

    `segments` (P, L): 0 on the question, j on the pack's j-th solution, −1 on padding.
    `token_of_slot`: for each slot of the padded rows, questions (P, m) first and solutions (R, s)
    after them, the position in the flattened packs, −1 where the slot is empty. `slot_of_token`
    (P · L,) is its inverse. `pack_of_row` (R,) is each solution's pack; `visible`, shape
    (R or 1, 1, s, m + s), is true where a solution's token may look.
    """

    segments: Tensor
    token_of_slot: Tensor
    slot_of_token: Tensor
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
        return {"attention_mask": layout.visible[:1, :, :1, :1], "pack_layout": layout}
    additive = torch.zeros((), device=layout.segments.device)
    return {"attention_mask": additive.where(pack_mask(layout.segments), float("-inf"))}


def pack_mask(segments: Tensor) -> Tensor:
    """Who sees whom in packed rows: shape (rows, 1, length, length), true where attention may go.

    `segments` as in `PackLayout`. Each position sees, of what stands before it and itself, the
    question and its own segment. Padding sees padding, so that no row of the softmax is empty.

        question a b | solution c d | solution e        a b c d e
                                                   d    1 1 1 1 .
                                                   e    1 1 . . 1
    """
    length = segments.shape[1]
    query, key = segments[:, None, :, None], segments[:, None, None, :]
    order = torch.arange(length, device=segments.device)
    return ((key == 0) | (key == query)) & (order[:, None] >= order)


class _Move(torch.autograd.Function):
    """Rows of a matrix to other places: y[i] = x[there[i]], zero where there[i] < 0.

    As no row goes to two places, the gradient is the inverse move; plain indexing would add up rows
    one by one.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(there, back)
        return _moved(x, there)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _moved(gradients[0], ctx.saved_tensors[1]), None, None


def _moved(x: Tensor, there: Tensor) -> Tensor:
    return x.index_select(0, there.clamp_min(0)).masked_fill_((there < 0)[:, None], 0)


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
    asked, own = _slots(query, pack_layout)
    asked_keys, own_keys = _slots(key, pack_layout)
    asked_values, own_values = _slots(value, pack_layout)
    options: dict[str, Any] = {
        "dropout_p": dropout,
        "scale": scaling,
        "enable_gqa": key.shape[1] != query.shape[1],
    }
    seen = F.scaled_dot_product_attention(
        asked, asked_keys, asked_values, is_causal=True, **options
    )
    keys = torch.cat([_of_rows(asked_keys, pack_layout.pack_of_row), own_keys], dim=2)
    values = torch.cat([_of_rows(asked_values, pack_layout.pack_of_row), own_values], dim=2)
    read = F.scaled_dot_product_attention(
        own, keys, values, attn_mask=pack_layout.visible, **options
    )
    slots = torch.cat([x.transpose(1, 2).flatten(0, 1).flatten(1) for x in (seen, read)])
    output = _Move.apply(slots, pack_layout.slot_of_token, pack_layout.token_of_slot)
    return output.view(query.shape[0], query.shape[2], query.shape[1], -1), None


def _slots(x: Tensor, layout: PackLayout) -> tuple[Tensor, Tensor]:
    """(packs, heads, length, size) as padded questions (P, heads, m, size) and solutions (R, …)."""
    packs, heads, _, size = x.shape
    flat = x.transpose(1, 2).reshape(-1, heads * size)
    moved = _Move.apply(flat, layout.token_of_slot, layout.slot_of_token)
    question, solution = moved.split(
        [packs * layout.question_length, len(moved) - packs * layout.question_length]
    )
    return (
        question.view(packs, -1, heads, size).transpose(1, 2),
        solution.view(-1, layout.solution_length, heads, size).transpose(1, 2),
    )


def _of_rows(question: Tensor, pack_of_row: Tensor) -> Tensor:
    """Each solution row's question: (P, heads, m, size) → (R, heads, m, size)."""
    if len(question) == 1:
        return question.expand(len(pack_of_row), -1, -1, -1)
    return question.index_select(0, pack_of_row)


AttentionInterface.register(NAME, _shared_prefix_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)

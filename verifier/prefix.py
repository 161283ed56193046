"""Attention of many solutions that stand behind one question: what scoring does.

The question goes through the model once; its keys and values stay with a `Prefix`. Solutions follow
in one row without padding, each behind the question, and what two of them begin with in common
stands there once (sampled solutions of one model often begin alike): only attention still looks at
each solution as a whole. On a CPU it is taken in two parts,

    all tokens over the question       one call: every token sees all of it, so no mask
    each solution over itself          causal, one call each, so no mask and no padding

and the parts are put together by their normalisers (softmax over a union is the average of the
parts' softmaxes, weighted by their sums of exponentials). Elsewhere one call of padded rows with a
mask does the same: an accelerator wants few large calls.

    prefix = Prefix()
    verifier.hidden(question, positions, prefix)
    layout = prefix.layout(solutions)
    hidden = verifier.hidden(layout.ids, layout.positions, layout)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.integrations.sdpa_attention import sdpa_attention_forward

__all__ = ["Prefix", "SolutionsLayout", "order_of", "shared_tokens"]

# Fewer common tokens are not worth gathering a solution's keys.
_LEAST_SHARED = 8


@dataclass(frozen=True)
class Prefix:
    """A question's keys and values by layer, each (1, key heads, tokens, size); filled when read."""

    layers: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def layout(self, solutions: Sequence[Sequence[int]]) -> SolutionsLayout:
        """The row in which these solutions, in the order of `order_of`, stand behind the prefix."""
        keys, _ = next(iter(self.layers.values()))
        start, device = keys.shape[2], keys.device
        ids: list[int] = []
        positions: list[int] = []
        spans: list[tuple[int, int]] = []
        places: list[list[int]] = []
        for number, own in enumerate(solutions):
            shared = shared_tokens(solutions[number - 1], own) if number else 0
            lead = places[-1][:shared] if shared else []
            spans.append((len(ids), len(ids) + len(own) - shared))
            places.append([*lead, *range(*spans[-1])])
            ids += own[shared:]
            positions += range(start + shared, start + len(own))
        return SolutionsLayout(
            self,
            torch.tensor([ids], device=device),
            torch.tensor([positions], device=device),
            spans,
            [torch.tensor(place, device=device) for place in places],
        )

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, scale: Any) -> Tensor:
        """The question's attention to itself; remembers its keys and values."""
        self.layers[module.layer_idx] = key, value
        output, _ = sdpa_attention_forward(
            module, query, key, value, None, scaling=scale, is_causal=True
        )
        return output


@dataclass(frozen=True)
class SolutionsLayout:
    """Solutions in one row (T tokens) behind a prefix.

    `ids`, `positions`: (1, T). `spans[i]`: the tokens that stand there for solution i alone, its
    last ones. `places[i]`: where each of its tokens is in the row, shared ones included.
    """

    prefix: Prefix
    ids: Tensor
    positions: Tensor
    spans: list[tuple[int, int]]
    places: list[Tensor]

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, scale: Any) -> Tensor:
        """Attention of (1, heads, T, size) tensors; returns (1, T, heads, size)."""
        before = self.prefix.layers[module.layer_idx]
        scale = query.shape[-1] ** -0.5 if scale is None else scale
        attend = self._in_parts if query.device.type == "cpu" else self._in_rows
        return attend(query, key, value, before, scale)

    def _in_parts(
        self, query: Tensor, key: Tensor, value: Tensor, before: tuple[Tensor, Tensor], scale: float
    ) -> Tensor:
        heads, (_, keyed, _, size) = query.shape[1], key.shape
        # Heads that share keys stand below each other: (key heads, group · T).
        grouped = query.reshape(1, keyed, -1, size)
        first, weight = _flash(grouped, *before, is_causal=False, scale=scale)
        first, weight = first.reshape(query.shape), weight.reshape(1, heads, -1)
        key, value = (_repeated(x, heads // keyed) for x in (key, value))
        own = torch.empty_like(query)
        own_weight = torch.empty_like(weight)
        for (start, end), place in zip(self.spans, self.places, strict=True):
            shared = len(place) - (end - start)
            row = [
                x.index_select(2, place) if shared else x[:, :, start:end]
                for x in (query, key, value)
            ]
            read, sums = _flash(*row, is_causal=True, scale=scale)
            own[:, :, start:end] = read[:, :, shared:]
            own_weight[:, :, start:end] = sums[:, :, shared:]
        share = torch.sigmoid(weight - own_weight).to(query.dtype)
        return own.lerp_(first, share[..., None]).transpose(1, 2)

    def _in_rows(
        self, query: Tensor, key: Tensor, value: Tensor, before: tuple[Tensor, Tensor], scale: float
    ) -> Tensor:
        rows = torch.nn.utils.rnn.pad_sequence(self.places, batch_first=True)
        length = rows.shape[1]
        own_query, own_key, own_value = (x[0][:, rows].transpose(0, 1) for x in (query, key, value))
        keys, values = (
            torch.cat([shared.expand(len(rows), -1, -1, -1), own], dim=2)
            for shared, own in zip(before, (own_key, own_value), strict=True)
        )
        asked = keys.shape[2] - length
        visible = torch.ones(length, asked + length, dtype=torch.bool, device=rows.device)
        read = F.scaled_dot_product_attention(
            own_query,
            keys,
            values,
            attn_mask=visible.tril(asked),
            scale=scale,
            enable_gqa=key.shape[1] != query.shape[1],
        )
        last = [
            read[i, :, len(place) - (end - start) : len(place)]
            for i, ((start, end), place) in enumerate(zip(self.spans, self.places, strict=True))
        ]
        return torch.cat(last, dim=1).transpose(0, 1)[None]


def order_of(solutions: Sequence[Sequence[int]]) -> list[int]:
    """Indices in the order in which solutions that begin alike are neighbours."""
    return sorted(range(len(solutions)), key=lambda i: solutions[i])


def shared_tokens(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens at which two solutions begin alike and which are computed once; 0 for only a few.

    At least the other's last token is its own.

    >>> shared_tokens(range(20), [*range(12), 99])
    12
    >>> shared_tokens(range(20), range(20)), shared_tokens([1, 2], [1, 3])
    (19, 0)
    """
    most = min(len(one), len(other) - 1)
    shared = next((i for i in range(most) if one[i] != other[i]), most)
    return shared if shared >= _LEAST_SHARED else 0


def _flash(
    query: Tensor, key: Tensor, value: Tensor, *, is_causal: bool, scale: float
) -> tuple[Tensor, Tensor]:
    """PyTorch's CPU attention, and the logarithm of its sums of exponentials, (rows, heads, T).

    The public function gives no access to the latter.
    """
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, 0.0, is_causal, scale=scale
    )


def _repeated(x: Tensor, times: int) -> Tensor:
    """Each key head `times` times, as its queries' heads stand."""
    return x if times == 1 else x.repeat_interleave(times, dim=1)

"""Attention of many solutions that stand behind one question: what scoring does.

The question goes through the model once; its keys and values stay with a `Prefix`. Solutions follow
in one row without padding, each behind the question. What two of them begin with in common stands
there once (sampled solutions of one model often begin alike); only attention looks at a solution as
a whole. On a CPU it takes one solution at a time, which needs no padding and stays in the caches;
elsewhere all at once, as padded rows: an accelerator wants few calls.

    prefix = Prefix()
    verifier.hidden(question, positions, prefix)
    layout = prefix.layout(solutions)
    hidden = verifier.hidden(layout.ids, layout.positions, layout)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.integrations.sdpa_attention import sdpa_attention_forward

__all__ = ["Prefix", "SolutionsLayout", "order_of", "shared_tokens"]

Pair = tuple[Tensor, Tensor]  # keys and values

# Fewer common tokens are not worth gathering a solution's keys.
_LEAST_SHARED = 8


@dataclass(frozen=True)
class Prefix:
    """A question's keys and values by layer, (1, key heads, tokens, size), once it was read."""

    layers: dict[int, Pair] = field(default_factory=dict)

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
        longest = max(map(len, places))
        shape = (longest, start + longest)
        mask = torch.full(shape, float("-inf"), dtype=keys.dtype, device=device).triu_(start + 1)
        return SolutionsLayout(
            self,
            torch.tensor([ids], device=device),
            torch.tensor([positions], device=device),
            spans,
            [torch.tensor(place, device=device) for place in places],
            mask,
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
    last ones. `places[i]`: where each of its tokens is in the row, shared ones included. `mask`
    (s, question + s): what is added to the scores of the tokens of the longest solution, s tokens.
    """

    prefix: Prefix
    ids: Tensor
    positions: Tensor
    spans: list[tuple[int, int]]
    places: list[Tensor]
    mask: Tensor

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, scale: Any) -> Tensor:
        """Attention of (1, heads, T, size) tensors; returns (1, T, heads, size)."""
        before = self.prefix.layers[module.layer_idx]
        options = {"scale": scale, "enable_gqa": key.shape[1] != query.shape[1]}
        attend = self._one_by_one if query.device.type == "cpu" else self._in_padded_rows
        return attend(query, (key, value), before, options)

    def _one_by_one(
        self, query: Tensor, new: Pair, before: Pair, options: dict[str, Any]
    ) -> Tensor:
        asked, longest = before[0].shape[2], len(self.mask)
        found = query.new_empty(1, query.shape[2], query.shape[1], new[1].shape[3])
        # The question stays in front, where each solution in turn is written behind it.
        room = [torch.cat([x, x.new_empty(*x.shape[:2], longest, x.shape[3])], 2) for x in before]
        for (start, end), place in zip(self.spans, self.places, strict=True):
            length, shared = len(place), len(place) - (end - start)
            for x, seen in zip(new, room, strict=True):
                own = x.index_select(2, place) if shared else x[:, :, start:end]
                seen[:, :, asked : asked + length] = own
            keys, values = (seen[:, :, : asked + length] for seen in room)
            read = F.scaled_dot_product_attention(
                query[:, :, start:end],
                keys,
                values,
                attn_mask=self.mask[shared:length, : asked + length],
                **options,
            )
            found[:, start:end] = read.transpose(1, 2)
        return found

    def _in_padded_rows(
        self, query: Tensor, new: Pair, before: Pair, options: dict[str, Any]
    ) -> Tensor:
        rows, slots = self.padded
        # (1, heads, T, size) → (rows, heads, length, size)
        own_query, *own = (x[0][:, rows].transpose(0, 1) for x in (query, *new))
        shared = (x.expand(len(rows), -1, -1, -1) for x in before)
        keys, values = (torch.cat(pair, dim=2) for pair in zip(shared, own, strict=True))
        if options.pop("enable_gqa"):
            # With a mask, CUDA's fast kernels know no shared key heads.
            group = query.shape[1] // keys.shape[1]
            keys, values = (x.repeat_interleave(group, 1) for x in (keys, values))
        read = F.scaled_dot_product_attention(
            own_query, keys, values, attn_mask=self.mask, **options
        )
        return read.transpose(1, 2).flatten(0, 1).index_select(0, slots)[None]

    @cached_property
    def padded(self) -> Pair:
        """Solutions as padded rows: which tokens of the row are in them, (rows, longest), and the
        places in those, row after row, of the tokens that stand there for one solution alone, (T,).
        """
        longest = len(self.mask)
        slots = [
            torch.arange(i * longest + len(place) - (end - start), i * longest + len(place))
            for i, ((start, end), place) in enumerate(zip(self.spans, self.places, strict=True))
        ]
        rows = torch.nn.utils.rnn.pad_sequence(self.places, batch_first=True)
        return rows, torch.cat(slots).to(rows.device)


def order_of(solutions: Sequence[list[int]]) -> list[int]:
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

"""Keys and values of samples in the making, and the attention that reads them.

Samples that start together form a `Cohort`. They stay of one length, so that a step needs no mask
and writes its keys in place; the prompt's keys are stored once for all samples of a cohort and read
by one matrix product. A sample that ends leaves: the last row moves into its place. The layers
between the attentions see all cohorts as one batch.

A model joins by Transformers' attention interface (`shared_prefix` is one of its attention
functions), which hands over what the new tokens add; positions are given from outside, so no
architecture is known here.

    prompt = [Cohort(rows=1)]
    with attending(model, prompt):
        logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits
    cohort = Cohort(rows=32, prefix=prompt[0])
"""

from __future__ import annotations

import contextlib
import math
import mmap
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from assay.settings.errors import UserError

__all__ = ["Cohort", "attend", "attending", "supports"]

NAME = "assay_cohorts"
_FIRST_COLUMNS = 64
_HUGE_PAGE = 2 << 20
# What some architectures hand to their attention beside scale and window.
_UNSUPPORTED = ("softcap", "s_aux", "position_bias", "dynamic_mask")


@dataclass
class Layer:
    """One layer's keys and values: shape (rows, key heads, columns, head size), filled in part."""

    keys: torch.Tensor
    values: torch.Tensor


@dataclass
class Cohort:
    """Rows (samples or prompts) of one length.

    `columns` is how many columns the rows' own layers hold; row r begins at column `padding[r]`
    where the rows are prompts of different lengths, aligned on the right. `prefix` is what all rows
    have in common before their own columns: a cohort of one row.
    """

    rows: int
    prefix: Cohort | None = None
    padding: torch.Tensor | None = None
    columns: int = 0
    layers: dict[int, Layer] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Tokens in front of the next one, padding included."""
        return self.columns + (self.prefix.columns if self.prefix else 0)

    def drop(self, gone: Sequence[int]) -> list[int]:
        """Takes rows out; returns for each remaining row which it was before.

        Rows from the end fill the gaps, so that only they are copied.
        """
        order = list(range(self.rows))
        for row in sorted(gone, reverse=True):
            order[row] = order[-1]
            order.pop()
        moved = [(to, old) for to, old in enumerate(order) if to != old]
        if moved and self.layers:
            tensors = [t for layer in self.layers.values() for t in (layer.keys, layer.values)]
            _move_rows([tensor[:, :, : self.columns] for tensor in tensors], moved)
        if self.padding is not None:
            self.padding = self.padding[order]
        self.rows = len(order)
        return order

    def repeat(self, source: Sequence[int]) -> Cohort:
        """A cohort whose row r is this one's row `source[r]`, with room to grow."""
        at = torch.tensor(source, device=next(iter(self.layers.values())).keys.device)
        repeated = Cohort(
            rows=len(source),
            padding=None if self.padding is None else self.padding[at],
            columns=self.columns,
        )
        room = self.columns + _FIRST_COLUMNS
        for index, layer in self.layers.items():
            repeated.layers[index] = Layer(
                *(_widened(t[at], self.columns, room) for t in (layer.keys, layer.values))
            )
        return repeated

    def write(self, index: int, keys: torch.Tensor, values: torch.Tensor) -> Layer:
        """Appends new columns, shape (rows, key heads, new, head size), to layer `index`."""
        new = keys.shape[2]
        end = self.columns + new
        layer = self.layers.get(index)
        if layer is None:
            # A prompt is written once and in full, samples column by column.
            room = new if new > 1 else _FIRST_COLUMNS
            layer = Layer(*(_empty(t, room) for t in (keys, values)))
            self.layers[index] = layer
        used = self.columns
        # Each by itself: where memory ran out between them, only one is wide already.
        if layer.keys.shape[2] < end:
            layer.keys = _widened(layer.keys[: self.rows], used, 2 * used)
        if layer.values.shape[2] < end:
            layer.values = _widened(layer.values[: self.rows], used, 2 * used)
        layer.keys[: self.rows, :, self.columns : end] = keys
        layer.values[: self.rows, :, self.columns : end] = values
        return layer


def _move_rows(tensors: Sequence[torch.Tensor], moved: Sequence[tuple[int, int]]) -> None:
    """Copies rows of each tensor: `moved` are (to, from) pairs; no row is both."""
    # Many rows at once: on a GPU each small copy would be a call of its own.
    to: Any
    old: Any
    to, old = moved[0] if len(moved) == 1 else torch.tensor(moved, device=tensors[0].device).T
    for tensor in tensors:
        tensor[to] = tensor[old]


def _widened(tensor: torch.Tensor, used: int, room: int) -> torch.Tensor:
    """The same first `used` columns with room for `room`."""
    grown = _empty(tensor, room)
    grown[:, :, :used] = tensor[:, :, :used]
    return grown


def _empty(like: torch.Tensor, room: int) -> torch.Tensor:
    """Memory for keys or values of so many columns.

    On a CPU in pages of 2 MB where the system has them: a step reads all of the cache, which is
    more than a processor's table of small pages covers.
    """
    shape = (*like.shape[:2], room, like.shape[3])
    count = math.prod(shape)
    size = -(-count * like.element_size() // _HUGE_PAGE) * _HUGE_PAGE
    if like.device.type == "cpu" and size > _HUGE_PAGE and hasattr(mmap, "MADV_HUGEPAGE"):
        # Without such pages the system refuses or gives small ones; without memory PyTorch says so.
        with contextlib.suppress(OSError):
            memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            memory.madvise(mmap.MADV_HUGEPAGE)
            return torch.frombuffer(memory, dtype=like.dtype, count=count).view(shape)
    return like.new_empty(shape)


_cohorts: ContextVar[Sequence[Cohort]] = ContextVar("_cohorts")


@contextlib.contextmanager
def attending(model: Any, cohorts: Sequence[Cohort], new: int = 1) -> Iterator[None]:
    """Within, one call of `model` appends `new` tokens a row to `cohorts` and attends to them all.

    The input's rows are the cohorts' rows in order; more than one new token only for one cohort
    that is still empty. Raises `UserError` for an attention that is not supported.
    """
    config = model.config.get_text_config()
    before, config._attn_implementation = config._attn_implementation, NAME
    token = _cohorts.set(cohorts)
    try:
        yield
    finally:
        _cohorts.reset(token)
        config._attn_implementation = before
    for cohort in cohorts:
        cohort.columns += new


def supports(model: Any) -> bool:
    """Whether every layer of the model is an attention that `shared_prefix` can stand in for."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    attends = getattr(model, "_supports_attention_backend", False)
    return bool(attends) and kinds <= {"full_attention", "sliding_attention"}


def shared_prefix(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """The attention function: query, key and value of the new tokens, (rows, heads, new, size).

    Returns the attention's output, (rows, new, heads, size), and no weights.
    """
    unknown = [name for name in _UNSUPPORTED if kwargs.get(name) is not None]
    if unknown:
        raise UserError(f"engine transformers: attention with {unknown[0]} is not supported")
    cohorts, layer = _cohorts.get(), int(module.layer_idx)  # type: ignore[arg-type]
    if query.shape[2] > 1:
        (cohort,) = cohorts
        cohort.write(layer, key, value)
        mask = _prompt_mask(cohort, query, sliding_window)
        return sdpa_attention_forward(module, query, key, value, mask, scaling=scaling)
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    new = (query[:, :, 0], key[:, :, 0], value[:, :, 0])
    return attend(cohorts, layer, *new, scaling, sliding_window)[:, None], None


ALL_ATTENTION_FUNCTIONS.register(NAME, shared_prefix)


def _prompt_mask(cohort: Cohort, query: torch.Tensor, window: int | None) -> torch.Tensor | None:
    """What a prompt's tokens may attend to, (rows, 1, new, new); None = plainly causal."""
    size = query.shape[2]
    narrow = window is not None and window < size
    if cohort.padding is None and not narrow:
        return None
    at = torch.arange(size, device=query.device)
    mask = (at[:, None] >= at)[None]
    if window is not None and narrow:
        mask = mask & (at[:, None] - at < window)
    if cohort.padding is not None:
        # Padding attends to itself, since a softmax over nothing would leave NaN in the cache.
        mask = mask & (at >= cohort.padding[:, None, None]) | (at[:, None] == at)
    return mask[:, None]


def attend(
    cohorts: Sequence[Cohort],
    layer: int,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float,
    window: int | None = None,
) -> torch.Tensor:
    """One new token a row: writes its key and value, and attends to all there is.

    `query` is (rows, heads, size), `key` and `value` are (rows, key heads, size); rows are those of
    the cohorts in order. Returns (rows, heads, size).
    """
    parts, first = [], 0
    for cohort in cohorts:
        rows = slice(first, first + cohort.rows)
        own = cohort.write(layer, key[rows, :, None], value[rows, :, None])
        prefix = cohort.prefix.layers[layer] if cohort.prefix else None
        parts.append(_attend(cohort, query[rows], own, prefix, scaling, window))
        first += cohort.rows
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _attend(
    cohort: Cohort,
    query: torch.Tensor,
    own: Layer,
    prefix: Layer | None,
    scaling: float,
    window: int | None,
) -> torch.Tensor:
    """Attention of one cohort over its prefix and the rows' own columns.

    Memory-bound: the own keys and values are read once each, the prefix's once for all rows.
    """
    rows, heads, size = query.shape
    keyed = own.keys.shape[1]
    group = heads // keyed
    seen = cohort.length + 1 if window is None else min(window, cohort.length + 1)
    end = cohort.columns + 1
    used = slice(max(0, end - seen), end)
    # (rows × key heads) is one dimension of even stride, so bmm reads the cache where it lies.
    keys = own.keys[:rows].flatten(0, 1)[:, used]
    values = own.values[:rows].flatten(0, 1)[:, used]
    scores = _scores(query.reshape(-1, group, size), keys, scaling).view(rows, keyed, group, -1)
    if cohort.padding is not None:
        columns = torch.arange(used.start, end, device=query.device)
        scores.masked_fill_((columns < cohort.padding[:, None])[:, None, None], float("-inf"))
    shared = 0 if prefix is None else max(0, seen - end)
    if prefix is None or shared == 0:
        weights = scores.softmax(-1, dtype=torch.float32).to(query.dtype)
        return torch.bmm(weights.flatten(0, 1), values).view(rows, heads, size)
    assert cohort.prefix is not None
    common = slice(cohort.prefix.columns - shared, cohort.prefix.columns)
    by_head = query.reshape(rows, keyed, group, size).transpose(0, 1).reshape(keyed, -1, size)
    before = _scores(by_head, prefix.keys[0][:, common], scaling).view(keyed, rows, group, shared)
    together = torch.cat((before.transpose(0, 1), scores), -1)
    weights = together.softmax(-1, dtype=torch.float32).to(query.dtype)
    output = torch.bmm(weights[..., shared:].flatten(0, 1), values)
    first = weights[..., :shared].transpose(0, 1).reshape(keyed, -1, shared)
    shares = torch.bmm(first, prefix.values[0][:, common]).view(keyed, rows, group, size)
    return (output.view(rows, keyed, group, size) + shares.transpose(0, 1)).view(rows, heads, size)


def _scores(query: torch.Tensor, keys: torch.Tensor, scaling: float) -> torch.Tensor:
    """Scaled products of (batch, queries, size) and (batch, keys, size)."""
    into = query.new_empty((len(query), query.shape[1], keys.shape[1]))
    return torch.baddbmm(into, query, keys.mT, beta=0, alpha=scaling)

r"""From groups to batches: shared-prefix packs (fast) and plain padded rows (slow, obvious).

The joint objective (Cobbe et al. 2021, arXiv 2110.14168, section 4.2 and appendix E) mixes language
data and verifier data equally: taken literally, each sampled solution comes with one copy of its
problem's reference solution, both behind the question:

    question sample₁ | question reference | question sample₂ | question reference | …

The value loss is the mean over the samples' tokens, the language loss the mean over the references'
tokens; questions are masked out of both. A *pack* says the same in one sequence,

    question sample₁ … sampleₖ reference

in which every solution sees the question and itself, with positions that restart behind the
question: to the model each solution stands alone behind its question, and its hidden states are
those of its own row. Writing the reference once is still the equal mix: the k copies of the literal
batch have the same loss ℓ (a sum over r tokens), so with k_p samples of problem p in the step

    literal mean = Σ_p k_p ℓ_p / Σ_p k_p r_p

and that is what a pack gives where its reference's tokens have weight k in both sums. It holds for
any number of packs that a problem's samples are spread over, and for several references (each pairs
with every sample at weight 1/R). Both losses stay means over their own tokens, whose numbers are
summed over the whole optimiser step: not per pack, per micro-batch or per machine.

    rng = np.random.default_rng(0)
    for step in joint_steps(groups, pack_tokens=1536, batch_tokens=32000, rng=rng):
        for packs in micro_batches(step, 4096):
            batch = packed_batch(packs, level="token")
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.verifier.attention import Call, PackLayout
from assay.verifier.data import Group, Ids, Sampled

__all__ = [
    "Batch",
    "Pack",
    "deal",
    "idle",
    "joint_steps",
    "micro_batches",
    "packed_batch",
    "padded_batch",
    "reference_steps",
]

# Solutions that differ more in length do not share an attention call.
_SLACK = 1.3


@dataclass(frozen=True)
class Pack:
    """A prompt, some of its sampled solutions, and the references that they are paired with."""

    prompt: Ids
    sampled: tuple[Sampled, ...]
    references: tuple[Ids, ...]

    @property
    def count(self) -> int:
        """Sampled solutions, repetitions counted."""
        return sum(s.count for s in self.sampled)

    @property
    def length(self) -> int:
        """Tokens of the packed sequence (a reference's end token is predicted, not read)."""
        read = sum(len(s.ids) for s in self.sampled) + sum(len(r) - 1 for r in self.references)
        return len(self.prompt) + read

    @property
    def copies(self) -> float:
        """How often each reference counts: once a sample, in equal shares; else once."""
        return self.count / len(self.references) if self.sampled else 1.0

    @property
    def literal_tokens(self) -> int:
        """Tokens of the literal recipe's rows for these samples (else of the references)."""
        question, pairs = len(self.prompt), max(1, len(self.references))
        if not self.sampled:
            return sum(question + len(r) for r in self.references)
        sampled = sum(s.count * (question + len(s.ids)) for s in self.sampled)
        return sampled + self.count * sum(question + len(r) for r in self.references) // pairs


class Batch(NamedTuple):
    """What `Verifier.forward` reads. `…index` counts positions row after row.

    `input_ids`, `positions`: (rows, length); packs stand in one row. `layout`: who attends to whom
    in it, `None` for plain padded rows. `value_…` (tokens that carry the value loss): where, the
    0/1 label, the weight, and which of the sampled tokens it is. `sampled_…` (all tokens of sampled
    solutions, one solution behind the other): where, the position that predicts it, and which of
    them is the first of its solution. `language_…` (tokens of references): the position that
    predicts it, the token, the weight. Indices and tokens are int64, targets and weights float64.
    """

    input_ids: Tensor
    positions: Tensor
    layout: PackLayout | None
    value_index: Tensor
    value_target: Tensor
    value_weight: Tensor
    value_sampled: Tensor
    sampled_index: Tensor
    sampled_before: Tensor
    sampled_first: Tensor
    language_index: Tensor
    language_target: Tensor
    language_weight: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        layout = self.layout
        if layout is not None:
            layout = layout.to(device)
        return Batch(
            self.input_ids.to(device),
            self.positions.to(device),
            layout,
            *(tensor.to(device) for tensor in self[3:]),
        )


def joint_steps(
    groups: Sequence[Group], *, pack_tokens: int, batch_tokens: int, rng: np.random.Generator
) -> list[list[Pack]]:
    """One epoch: every sampled solution in one pack, the packs in random order, cut into steps.

    Packs hold about `pack_tokens`, steps about `batch_tokens` (counted as the literal recipe's).
    """
    packs = [pack for group in groups for pack in _packs(group, pack_tokens, rng)]
    return _steps(packs, batch_tokens, rng)


def reference_steps(
    groups: Sequence[Group], *, batch_tokens: int, rng: np.random.Generator
) -> list[list[Pack]]:
    """One epoch of the reference solutions alone, each once; steps of about `batch_tokens`."""
    packs = [Pack(group.prompt, (), group.references) for group in groups if group.references]
    return _steps(packs, batch_tokens, rng)


def _steps(packs: list[Pack], batch_tokens: int, rng: np.random.Generator) -> list[list[Pack]]:
    """The packs in random order, cut into steps."""
    packs = [packs[i] for i in rng.permutation(len(packs))]
    sizes = [pack.literal_tokens for pack in packs]
    count = max(1, round(sum(sizes) / batch_tokens))
    return [[packs[i] for i in part] for part in _even_parts(sizes, count)]


def _packs(group: Group, pack_tokens: int, rng: np.random.Generator) -> list[Pack]:
    shared = len(group.prompt) + sum(len(r) - 1 for r in group.references)
    order = rng.permutation(len(group.sampled))
    sizes = [len(group.sampled[i].ids) for i in order]
    room = pack_tokens - shared
    count = len(sizes) if room <= 0 else min(len(sizes), -(-sum(sizes) // room))
    return [
        Pack(group.prompt, tuple(group.sampled[order[i]] for i in part), group.references)
        for part in _even_parts(sizes, count)
    ]


def _even_parts(sizes: Sequence[int], count: int) -> list[list[int]]:
    """Consecutive indices in at most `count` parts of about equal size; none is empty.

    >>> _even_parts([3, 3, 3, 3, 3], 2)
    [[0, 1], [2, 3, 4]]
    """
    middle = np.cumsum(sizes) - np.asarray(sizes) / 2
    part_of = np.minimum(count - 1, (middle * count / max(1, sum(sizes))).astype(int))
    parts: list[list[int]] = [[] for _ in range(count)]
    for index, part in enumerate(part_of.tolist()):
        parts[part].append(index)
    return [part for part in parts if part]


def deal(packs: Sequence[Pack], rank: int, world: int) -> list[Pack]:
    """The packs of a step that process `rank` of `world` does; long and short ones are shared out.

    Every process must take part in every step, so one that would get nothing gets a pack whose
    samples count zero times.
    """
    own = sorted(packs, key=lambda pack: pack.length)[rank::world]
    return own or [idle(packs[0])]


def idle(pack: Pack) -> Pack:
    """The pack with samples that count zero times: something to compute that changes nothing."""
    sampled = pack.sampled or (Sampled(pack.references[0], False, 1, np.zeros(1, np.int64)),)
    return Pack(pack.prompt, tuple(replace(s, count=0) for s in sampled), ())


def micro_batches(packs: Sequence[Pack], tokens: int) -> list[list[Pack]]:
    """Batches of at most `tokens` tokens, packs of similar length together.

    A pack that is longer stands alone.
    """
    batches: list[list[Pack]] = []
    room = 0
    for pack in sorted(packs, key=lambda pack: -pack.length):
        if not batches or pack.length > room:
            batches.append([])
            room = tokens
        batches[-1].append(pack)
        room -= pack.length
    return batches


def packed_batch(packs: Sequence[Pack], level: str, last_weight: float = 1.0) -> Batch:
    """The fast path: the packs in one row, each with its question and its references once.

    `level` and `last_weight` as in `VerifierModelConfig`.
    """
    targets = _Targets(level, last_weight)
    rows: list[_Row] = []
    start = 0
    for pack in packs:
        row = _Row(pack.prompt)
        for sampled in pack.sampled:
            at = start + row.add(sampled.ids)
            targets.add_sampled(start + row.question - 1, at, sampled, sampled.count)
        for reference in pack.references:
            at = start + row.add(reference[:-1])
            targets.add_reference(start + row.question - 1, at, reference, pack.copies)
        rows.append(row)
        start += row.length
    return targets.batch(
        np.concatenate([row.ids() for row in rows])[None],
        np.concatenate([row.positions() for row in rows])[None],
        _layout(rows),
    )


def padded_batch(packs: Sequence[Pack], level: str, last_weight: float = 1.0) -> Batch:
    """The literal recipe: a row for every sample and for every copy of a reference."""
    targets, rows = _Targets(level, last_weight), []
    pairs = [(pack, s) for pack in packs for s in pack.sampled for _ in range(s.count)]
    length = max(
        len(pack.prompt) + len(ids)
        for pack, s in pairs
        for ids in (s.ids, *(reference[:-1] for reference in pack.references))
    )
    for pack, sampled in pairs:
        rows.append(_Row(pack.prompt))
        at = (len(rows) - 1) * length + rows[-1].add(sampled.ids)
        targets.add_sampled(at - 1, at, sampled, 1.0)
        for reference in pack.references:
            rows.append(_Row(pack.prompt))
            at = (len(rows) - 1) * length + rows[-1].add(reference[:-1])
            targets.add_reference(at - 1, at, reference, 1 / len(pack.references))
    ids, positions = [row.ids() for row in rows], [row.positions() for row in rows]
    return targets.batch(_stacked(ids, 0), _stacked(positions, 0), None)


class _Row:
    """One sequence that grows: a question, then solutions."""

    def __init__(self, prompt: Ids) -> None:
        self.question = len(prompt)
        self.parts = [prompt]
        self.length = len(prompt)

    def add(self, ids: Ids) -> int:
        """Appends a solution; returns where it begins."""
        start = self.length
        self.parts.append(ids)
        self.length += len(ids)
        return start

    def ids(self) -> Ids:
        return np.concatenate(self.parts)

    def positions(self) -> Ids:
        """Every solution is counted on from the question's end."""
        after = [self.question + np.arange(len(part)) for part in self.parts[1:]]
        return np.concatenate([np.arange(self.question), *after])

    def segments(self) -> Ids:
        return np.repeat(np.arange(len(self.parts)), [len(part) for part in self.parts])


class _Targets:
    """Collects the positions that carry a loss."""

    def __init__(self, level: str, last_weight: float) -> None:
        self.level, self.last_weight = level, last_weight
        self.value: list[tuple[Ids, NDArray[np.float64], NDArray[np.float64], Ids]] = []
        self.sampled: list[tuple[Ids, Ids, Ids]] = []
        self.language: list[tuple[Ids, Ids, NDArray[np.float64]]] = []
        self.read = 0

    def add_sampled(self, before: int, at: int, sampled: Sampled, weight: float) -> None:
        """A sampled solution read from position `at`; its first token is predicted at `before`."""
        length = len(sampled.ids)
        tokens = np.arange(length)
        chosen = tokens
        if self.level == "solution":
            chosen = tokens[-1:]
        elif self.level == "step":
            assert sampled.line_ends is not None
            chosen = sampled.line_ends
        target = np.full(len(chosen), float(sampled.label))
        weights = np.full(len(chosen), float(weight))
        if self.level != "solution":
            weights[-1] *= self.last_weight
        self.value.append((at + chosen, target, weights, self.read + chosen))
        self.sampled.append(
            (
                at + tokens,
                np.concatenate([[before], at + tokens[:-1]]),
                np.full(length, self.read),
            )
        )
        self.read += length

    def add_reference(self, before: int, at: int, reference: Ids, weight: float) -> None:
        """A reference read from position `at`; its first token is predicted at `before`."""
        index = np.concatenate([[before], np.arange(at, at + len(reference) - 1)])
        self.language.append((index, reference, np.full(len(reference), float(weight))))

    def batch(self, input_ids: Ids, positions: Ids, layout: PackLayout | None) -> Batch:
        none, nothing = np.empty(0, np.int64), np.empty(0)
        value = zip(*(self.value or [(none, nothing, nothing, none)]), strict=True)
        sampled = zip(*(self.sampled or [(none, none, none)]), strict=True)
        language = zip(*(self.language or [(none, none, nothing)]), strict=True)
        return Batch(
            torch.from_numpy(input_ids),
            torch.from_numpy(positions),
            layout,
            *(torch.from_numpy(np.concatenate(part)) for part in value),
            *(torch.from_numpy(np.concatenate(part)) for part in sampled),
            *(torch.from_numpy(np.concatenate(part)) for part in language),
        )


def _stacked(rows: Sequence[Ids], fill: int) -> Ids:
    stacked = np.full((len(rows), max(map(len, rows))), fill, dtype=np.int64)
    for row, target in zip(rows, stacked, strict=True):
        target[: len(row)] = row
    return stacked


def _layout(rows: Sequence[_Row]) -> PackLayout:
    """Slots of the padded questions and solutions, and who sees what (see `PackLayout`)."""
    starts = np.cumsum([0, *(row.length for row in rows)])
    asked = [start + np.arange(row.question) for start, row in zip(starts, rows, strict=False)]
    queries = [_stacked(asked, -1)]
    keys: list[Ids] = [queries[0]]
    masks: list[Tensor | None] = [None]
    # Each solution's pack and positions, the longest solution first.
    solutions = sorted(
        (
            (pack, start + np.flatnonzero(row.segments() == number))
            for pack, (start, row) in enumerate(zip(starts, rows, strict=False))
            for number, part in enumerate(row.parts)
            if number and len(part)
        ),
        key=lambda solution: -len(solution[1]),
    )
    for part in _buckets([len(places) for _, places in solutions]):
        own = _stacked([places for _, places in solutions[part]], -1)
        question = _stacked([asked[pack] for pack, _ in solutions[part]], -1)
        queries.append(own)
        keys.append(np.concatenate([question, own], axis=1))
        masks.append(torch.from_numpy(_visible((question >= 0).sum(1), own.shape[1])))
    token_of_slot = np.concatenate([places.ravel() for places in queries])
    filled = np.flatnonzero(token_of_slot >= 0)
    slot_of_token = np.empty(starts[-1], dtype=np.int64)
    slot_of_token[token_of_slot[filled]] = filled
    token_of_key = np.concatenate([places.ravel() for places in keys])
    return PackLayout(
        packs=torch.from_numpy(np.repeat(np.arange(len(rows)), [row.length for row in rows])),
        segments=torch.from_numpy(np.concatenate([row.segments() for row in rows])),
        token_of_slot=torch.from_numpy(np.maximum(token_of_slot, 0)),
        empty_slots=torch.from_numpy(np.flatnonzero(token_of_slot < 0)),
        slot_of_token=torch.from_numpy(slot_of_token),
        token_of_key=torch.from_numpy(np.maximum(token_of_key, 0)),
        calls=tuple(
            Call(len(query), query.shape[1], key.shape[1], mask)
            for query, key, mask in zip(queries, keys, masks, strict=True)
        ),
    )


def _buckets(lengths: Sequence[int]) -> list[slice]:
    """Cuts falling lengths where padding to the longest would exceed `_SLACK`.

    >>> _buckets([100, 90, 60, 10])
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    cuts = [0]
    for index, length in enumerate(lengths):
        if lengths[cuts[-1]] > _SLACK * length:
            cuts.append(index)
    return [slice(a, b) for a, b in itertools.pairwise([*cuts, len(lengths)])]


def _visible(known: Ids, solution: int) -> NDArray[np.bool_]:
    """Where the tokens of solutions behind questions of `known` lengths may look (see `Call`)."""
    question = known.max()
    # One mask serves all rows where all questions have one length.
    known = known[:1] if (known == question).all() else known
    asked = np.broadcast_to(
        np.arange(question) < known[:, None, None], (len(known), solution, question)
    )
    own = np.broadcast_to(np.tri(solution, dtype=bool), (len(known), solution, solution))
    return np.concatenate([asked, own], axis=2)[:, None]

"""Packing: examples laid end to end into rows of nearly equal length, each example whole.

First fit: each example, in the order given, goes into the first row that has room. The order is
shuffled by the caller. (First-fit decreasing fills rows a few per cent better, but puts solutions
of equal length, that is of equal kind, into one row; and no row is padded anyway.) A row says where
its examples end, and positions start anew in each, so that a model which attends within examples
(documents.py) computes for each exactly what it would for the example alone.

    rows = pack(examples, max_length=1024)
    rows[0].input_ids, rows[0].labels, rows[0].position_ids, rows[0].lengths
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.generator.rationales import Example

__all__ = ["IGNORED", "Packed", "pack"]

IGNORED = -100
"""the label of tokens that carry no loss"""


@dataclass(frozen=True)
class Packed:
    """One row: the tokens of several examples, their labels and positions, and their lengths.

    Labels are the tokens themselves on responses and `IGNORED` on prompts: the label at t is what
    the model shall say at t − 1.
    """

    input_ids: list[int]
    labels: list[int]
    position_ids: list[int]
    lengths: list[int]


def pack(examples: Sequence[Example], max_length: int) -> list[Packed]:
    """Puts every example into a row of at most `max_length` tokens.

    Raises `ValueError` for an example that is longer.
    """
    room = _Room(len(examples), max_length)
    rows: dict[int, list[Example]] = {}
    for example in examples:
        if len(example) > max_length:
            raise ValueError(f"{example.problem_id}: {len(example)} tokens exceed {max_length}")
        rows.setdefault(room.take(len(example)), []).append(example)
    return [_packed(rows[row]) for row in sorted(rows)]


def _packed(examples: Sequence[Example]) -> Packed:
    packed = Packed([], [], [], [])
    for example in examples:
        packed.input_ids.extend(example.prompt_ids + example.response_ids)
        packed.labels.extend([IGNORED] * len(example.prompt_ids) + example.response_ids)
        packed.position_ids.extend(range(len(example)))
        packed.lengths.append(len(example))
    return packed


class _Room:
    """The room left in each row, as a binary tree of maxima: first fit in logarithmic time."""

    def __init__(self, rows: int, room: int) -> None:
        self._leaves = 1 << max(0, (rows - 1).bit_length())
        self._tree = [room] * (2 * self._leaves)

    def take(self, size: int) -> int:
        """Takes `size` from the first row that has so much; returns the row."""
        node = 1
        while node < self._leaves:
            node = 2 * node if self._tree[2 * node] >= size else 2 * node + 1
        row = node - self._leaves
        self._tree[node] -= size
        while node > 1:
            node //= 2
            self._tree[node] = max(self._tree[2 * node], self._tree[2 * node + 1])
        return row

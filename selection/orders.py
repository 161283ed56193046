"""Random orders of a pool's candidates: the order in which a rule that may stop sees them.

    for problems, columns in drawn_orders(pool, "both", most=64):
        columns.shape                                     # (problems, draws, 64)

The first n of an order are the subset that the curves evaluate at n with the same seed and draws
(`selection/subsets.py`): accuracies along an order and accuracies of a curve are paired.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from assay.problems.problem import MODES
from assay.selection.curves import Mix
from assay.selection.pool import PoolArrays
from assay.selection.subsets import Block, arrivals, chunks

__all__ = ["drawn_orders", "sampled_order"]

Columns = NDArray[np.intp]


def drawn_orders(
    pool: PoolArrays, mix: Mix, most: int, draws: int = 200, seed: int = 0
) -> Iterator[tuple[Columns, Columns]]:
    """Yields problems, shape (P,), and their orders as columns of the pool, (P, draws, most).

    −1 where a problem has fewer candidates. With both modes they alternate, every other draw
    beginning with words: of an odd n one half of the draws has one way to split it, the other half
    the other. Problems without candidates of these modes are left out.
    """
    for number, (problems, counts) in enumerate(chunks(pool, mix, draws)):
        block = Block(pool, None, problems, counts)
        arrival = arrivals(block, draws, np.random.default_rng([seed, 0, number]))
        cot = counts[0]
        column = (1 << max(1, (block.width - 1).bit_length())) - 1
        parts = [
            np.sort(part, axis=-1) & column for part in (arrival[..., :cot], arrival[..., cot:])
        ]
        local = _alternating(parts, most) if all(counts) else _padded(parts[cot == 0], most)
        rows = np.arange(len(problems))[:, None, None]
        yield problems, np.where(local >= 0, block.columns[rows, np.maximum(local, 0)], -1)


def sampled_order(pool: PoolArrays, mix: Mix, most: int) -> Columns:
    """The order of sampling, as columns of the pool, shape (P, most); −1 where there are fewer.

    Both modes alternate, words first.
    """
    parts = []
    for mode in MODES:
        there = pool.of_mode(mode) if mix in (mode, "both") else np.zeros_like(pool.present)
        order = np.argsort(~there, axis=1, kind="stable")
        parts.append(np.where(np.take_along_axis(there, order, axis=1), order, -1))
    found = np.full((len(pool.problem_ids), most), -1, np.intp)
    held = np.array([(part >= 0).any(axis=1) for part in parts])
    both = held.all(axis=0)
    for part, own in zip(parts, held, strict=True):
        alone = own & ~both
        found[alone] = _padded(part[alone], most)
    found[both] = _alternating([part[both][:, None] for part in parts], most)[:, 0]
    return found


def _padded(columns: Columns, most: int) -> Columns:
    """The first `most` along the last axis, −1 after the last."""
    missing = max(0, most - columns.shape[-1])
    filled = [(0, 0)] * (columns.ndim - 1) + [(0, missing)]
    return np.pad(columns[..., :most], filled, constant_values=-1)


def _alternating(parts: list[Columns], most: int) -> Columns:
    """Two modes' orders, shapes (P, draws, their candidates), as one in turns; −1 for no more."""
    half = -(-most // 2)
    turns = np.stack([_padded(part, half) for part in parts], axis=-1)
    turns[:, 1::2] = turns[:, 1::2, :, ::-1]
    return turns.reshape(*turns.shape[:2], 2 * half)[..., :most]

"""What the first n candidates of an order say, at every n: votes, sums of scores, the best score.

    votes = majority_path(classes, labels)       # (candidates, orders), −1 where nobody answers
    votes.first[n - 1], votes.second[n - 1]      # the two largest counts after n candidates
    votes.right[n - 1]                           # how likely the vote is then right

One pass over the candidates, with every order at once: a candidate adds to the count of one class,
so the largest counts change by comparisons with that one alone. Arrays are time first, so that a
step reads and writes rows that lie together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Best", "Look", "Sums", "Votes", "best_path", "majority_path", "weighted_path"]

Integers = NDArray[np.integer[Any]]
Floats = NDArray[np.float32]

Look = Callable[[int, Integers, Integers, Integers], None]
"""`look(n, counts, first, second)` after n candidates; counts of shape (orders, classes)."""


@dataclass(frozen=True)
class Votes:
    """Of every order after each candidate, shape (candidates, orders).

    `first` and `second` are the largest and the second largest number of votes (equal in a tie),
    `right` how likely the majority vote is right: random where answers are level.
    """

    first: NDArray[np.int16]
    second: NDArray[np.int16]
    right: Floats


@dataclass(frozen=True)
class Sums:
    """The same of summed weights: the largest sum, the second, and whether the first is right."""

    first: Floats
    second: Floats
    right: Floats


@dataclass(frozen=True)
class Best:
    """The best score so far (−inf before there is one), and whether its candidate is right."""

    score: Floats
    right: Floats


def majority_path(classes: Integers, labels: NDArray[np.bool_], look: Look | None = None) -> Votes:
    """The majority vote along orders; `classes` and `labels` of shape (candidates, orders).

    Level answers are chosen among at random, each candidate with the same chance, as in
    `subsets.MAJORITY`. `look` is called after every candidate with arrays that change afterwards.
    """
    steps, rows = classes.shape
    kinds = int(classes.max(initial=-1)) + 2
    # Column 0 takes those without an answer, and stays 0.
    cells = (classes + 1).astype(np.intp) + kinds * np.arange(rows)
    heard = (classes >= 0).astype(np.int16)
    rights = (labels & (classes >= 0)).astype(np.int16)
    counts, right_counts = (np.zeros(rows * kinds, np.int16) for _ in range(2))
    first, second, level, right = (np.zeros(rows, np.int16) for _ in range(4))
    found = Votes(
        np.empty((steps, rows), np.int16),
        np.empty((steps, rows), np.int16),
        np.empty((steps, rows), np.float32),
    )
    for step in range(steps):
        cell = cells[step]
        votes = counts[cell] + heard[step]
        counts[cell] = votes
        among = right_counts[cell] + rights[step]
        right_counts[cell] = among
        above = votes > first
        # Those level with the leader: this class alone once it is above, else one more.
        joins = (votes == first) & (heard[step] > 0)
        level = np.where(above, 1, level + joins)
        right = np.where(above, among, right + joins * among)
        # Above it was a leader before; where there were others, the second has as many already.
        second = np.where(above, second, np.maximum(second, votes))
        first = np.maximum(first, votes)
        found.first[step], found.second[step] = first, second
        np.divide(right, np.maximum(first * level.astype(np.int32), 1), out=found.right[step])
        if look is not None:
            look(step + 1, counts.reshape(rows, kinds)[:, 1:], first, second)
    return found


def weighted_path(
    classes: Integers, labels: NDArray[np.bool_], weights: Floats, scores: Floats
) -> Sums:
    """The weighted vote along orders; all arrays of shape (candidates, orders).

    `weights` are not negative; a candidate whose score is not finite has no part. Level answers
    are decided by their best score, then for the one that had it first.
    """
    steps, rows = classes.shape
    heard = (classes >= 0) & np.isfinite(scores)
    kinds = int(classes.max(initial=-1)) + 2
    cells = np.where(heard, classes + 1, 0).astype(np.intp) + kinds * np.arange(rows)
    totals = np.zeros(rows * kinds)
    tops = np.full(rows * kinds, -np.inf)
    top_right = np.zeros(rows * kinds, bool)
    leader = kinds * np.arange(rows)  # nobody yet
    first, second = np.zeros(rows), np.zeros(rows)
    found = Sums(*(np.empty((steps, rows), np.float32) for _ in range(3)))
    for step in range(steps):
        cell, voting = cells[step], heard[step]
        total = totals[cell] + np.where(voting, weights[step], 0.0)
        totals[cell] = total
        better = voting & (scores[step] > tops[cell])
        tops[cell] = np.where(better, scores[step], tops[cell])
        top_right[cell] = np.where(better, labels[step], top_right[cell])
        same = cell == leader
        takes = voting & ~same & (total > first)
        takes |= voting & ~same & (total == first) & (tops[cell] > tops[leader])
        second = np.where(takes, first, np.where(same, second, np.maximum(second, total)))
        first = np.where(takes | same, total, first)
        leader = np.where(takes, cell, leader)
        found.first[step], found.second[step] = first, second
        found.right[step] = top_right[leader]
    return found


def best_path(classes: Integers, labels: NDArray[np.bool_], scores: Floats) -> Best:
    """Best-of-n along orders; all arrays of shape (candidates, orders). Of equals the first."""
    held = np.where((classes >= 0) & np.isfinite(scores), scores, -np.inf).astype(np.float32)
    best = np.maximum.accumulate(held, axis=0)
    new = np.ones(held.shape, bool)
    new[1:] = held[1:] > best[:-1]
    place = np.maximum.accumulate(np.where(new, np.arange(len(held))[:, None], 0), axis=0)
    right = np.take_along_axis(labels, place, axis=0) & np.isfinite(best)
    return Best(best, right.astype(np.float32))

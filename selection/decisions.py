"""After how many candidates a stopping rule stops, for many orders and thresholds at once.

    seen = Seen(classes, labels, scores, most=64, round_size=8)       # (candidates, orders)
    stops("beta", [0.9, 0.95], seen).ends                             # (thresholds, orders)

The replay of stored pools asks this of random orders, and sampling online of the one order that it
has: one function decides both. A rule sees what it could know: at n candidates nothing of those
after, and only at its checkpoints (`stopping.checkpoints`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.selection import rules as selection
from assay.selection.stopping import (
    CERTAIN,
    RULES,
    beta_confidence,
    checkpoints,
    crp_confidence,
    dirichlet_confidence,
)
from assay.selection.voting import Best, Sums, Votes, best_path, majority_path, weighted_path

__all__ = ["Seen", "Stops", "stops"]

Integers = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Levels = NDArray[np.uint8]

_SIMULATED: dict[tuple[int, int, tuple[int, ...]], float] = {}


@dataclass(frozen=True)
class Stops:
    """Of each threshold and order, shape (thresholds, orders).

    `ends` is the number of candidates, `rounds` how often the rule has looked.
    """

    ends: NDArray[np.intp]
    rounds: NDArray[np.intp]


@dataclass
class Seen:
    """Candidates in the order in which rules see them; arrays of shape (candidates, orders).

    `classes` is −1 where there is no answer, `labels` False where there is none or it is not known.
    There may be fewer candidates than `most`: those are still to come. `looked` are rules that look
    at all counts, with their thresholds: what they decide is found in the pass that counts votes.
    """

    classes: Integers
    labels: Bools
    scores: NDArray[np.floating[Any]] | None
    most: int
    round_size: int = 1
    seed: int = 0
    looked: dict[str, Sequence[float]] = field(default_factory=dict)
    levels: dict[str, Levels] = field(default_factory=dict)

    @cached_property
    def votes(self) -> Votes:
        """The majority vote after every candidate; fills `levels` of the rules `looked`."""
        if not self.looked:
            return majority_path(self.classes, self.labels)
        at = {n: place for place, n in enumerate(self.points("beta"))}
        shape = (len(at), self.classes.shape[1])
        self.levels.update({rule: np.zeros(shape, np.uint8) for rule in self.looked})

        def look(n: int, counts: Integers, first: Integers, second: Integers) -> None:
            if n in at and n < self.most:
                for rule, thresholds in self.looked.items():
                    self._look(rule, thresholds, at[n], counts, first, second)

        return majority_path(self.classes, self.labels, look)

    @cached_property
    def sums(self) -> Sums:
        """The weighted vote after every candidate."""
        assert self.scores is not None
        weights = selection.vote_weights(self.classes, self.scores)
        return weighted_path(self.classes, self.labels, weights, self.scores.astype(np.float32))

    @cached_property
    def best(self) -> Best:
        """The best score after every candidate."""
        assert self.scores is not None
        return best_path(self.classes, self.labels, self.scores.astype(np.float32))

    def right(self, chooses: str) -> NDArray[np.float32]:
        """How likely a selection rule's answer is right after every candidate."""
        if chooses == "majority":
            return self.votes.right
        return self.sums.right if chooses == "weighted" else self.best.right

    def points(self, rule: str) -> list[int]:
        """The rule's checkpoints, as far as there are candidates."""
        return [n for n in checkpoints(rule, self.most, self.round_size) if n <= len(self.classes)]

    def _look(
        self,
        rule: str,
        thresholds: Sequence[float],
        place: int,
        counts: Integers,
        first: Integers,
        second: Integers,
    ) -> None:
        """Levels of a rule at one checkpoint, for those orders that it could still change."""
        levels = self.levels[rule]
        if place:
            levels[place] = levels[place - 1]
        # The leader is the likeliest of all at most as surely as it is likelier than the second.
        bound = beta_confidence(first, second) if rule == "dirichlet" else first > 0
        rows = np.flatnonzero((levels[place] < len(thresholds)) & (bound >= min(thresholds)))
        if not len(rows):
            return
        if rule == "dirichlet":
            known = dirichlet_confidence(counts[rows])
        else:
            known = np.array([_simulated(own, self.most, self.seed) for own in counts[rows]])
        reached = np.searchsorted(np.asarray(thresholds), known, side="right")
        levels[place, rows] = np.maximum(levels[place, rows], reached)


def stops(rule: str, thresholds: Sequence[float], seen: Seen) -> Stops:
    """Where a rule stops at each of its thresholds, ascending; at the last checkpoint at latest.

    An order that is not yet at `most` candidates and not decided ends at 0: it goes on. Raises
    `ValueError` for a rule that needs scores where there are none.
    """
    if RULES[rule].scored and seen.scores is None:
        raise ValueError(f"rule {rule}: needs scores")
    points = np.asarray(seen.points(rule), np.intp)
    at = points - 1
    if rule == "window":
        place = _window_places(thresholds, seen, points)
    elif rule in ("dirichlet", "crp"):
        seen.looked.setdefault(rule, tuple(thresholds))
        if rule not in seen.levels:
            seen.__dict__.pop("votes", None)
        _ = seen.votes
        place = _places(seen.levels[rule], len(thresholds))
    else:
        place = _places(_levels(rule, thresholds, seen, points, at), len(thresholds))
    whole = len(points) > 0 and int(points[-1]) == seen.most
    if whole:
        place = np.minimum(place, len(points) - 1)
    ends = np.where(place < len(points), np.append(points, 0)[place], 0)
    return Stops(ends, place + 1)


def _levels(
    rule: str, thresholds: Sequence[float], seen: Seen, points: Integers, at: Integers
) -> Levels:
    """How many thresholds a rule has reached at each checkpoint, shape (points, orders)."""
    ladder = np.asarray(thresholds, np.float64)
    if rule == "best":
        # Compared as the scores are, in single precision.
        reached = np.searchsorted(ladder.astype(np.float32), seen.best.score[at], side="right")
        return reached.astype(np.uint8)
    left = (seen.most - points)[:, None]
    if rule == "score":
        lead = seen.sums.first[at] - seen.sums.second[at]
        # More than what is left can add to another answer: equality would be a tie.
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(lead > 0, lead / left, 0.0)
        return np.searchsorted(ladder, share, side="left").astype(np.uint8)
    first, second = seen.votes.first[at], seen.votes.second[at]
    if rule == CERTAIN:
        return (first - second > left).astype(np.uint8)
    if rule == "doubling":
        # Rounded, so that 3 of 4 are three quarters.
        shares = np.arange(seen.most + 1) / points[:, None]
        table = np.searchsorted(ladder - 1e-12, shares, side="right").astype(np.uint8)
        return np.take_along_axis(table, first.astype(np.intp), axis=1)
    counts = np.arange(seen.most + 1)
    confidence = beta_confidence(counts[:, None], counts[None, :])
    table = np.searchsorted(ladder, confidence, side="right").astype(np.uint8)
    return table.ravel()[first.astype(np.int32) * (seen.most + 1) + second]


def _places(levels: Levels, thresholds: int) -> NDArray[np.intp]:
    """The first checkpoint at which each threshold was reached, (thresholds, orders).

    The number of checkpoints where it never was.
    """
    highest = np.maximum.accumulate(levels, axis=0)
    rows = highest.shape[1]
    cells = highest + (thresholds + 1) * np.arange(rows, dtype=np.int32)
    times = np.bincount(cells.ravel(), minlength=rows * (thresholds + 1))
    # As many checkpoints as had fewer thresholds behind them.
    return times.reshape(rows, -1).cumsum(axis=1)[:, :thresholds].T


def _window_places(sizes: Sequence[float], seen: Seen, points: Integers) -> NDArray[np.intp]:
    """The first checkpoint at or after the end of a window that agrees, (sizes, orders)."""
    steps, rows = seen.classes.shape
    places = np.full((len(sizes), rows), len(points), np.intp)
    for index, size in enumerate(int(size) for size in sizes):
        windows = seen.classes[: steps - steps % size].reshape(-1, size, rows)
        if not len(windows):
            continue
        agree = (windows == windows[:, :1]).all(axis=1) & (windows[:, 0] >= 0)
        ends = size * (agree.argmax(axis=0) + 1)
        places[index] = np.where(agree.any(axis=0), np.searchsorted(points, ends), len(points))
    return places


def _simulated(counts: Integers, most: int, seed: int) -> float:
    """`crp_confidence`, kept for the next order that comes to the same counts."""
    key = (most, seed, tuple(sorted(counts[counts > 0].tolist(), reverse=True)))
    if key not in _SIMULATED:
        _SIMULATED[key] = crp_confidence(key[2], most, seed)
    return _SIMULATED[key]

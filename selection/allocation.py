"""Spreading a budget of samples over problems: where the vote is open, more; where it is not, none.

    values = LeadValues(spread=0.5, ns=[8, 16, 32, 64])
    values.of((5, 2, 1))                     # P(the vote of n is the commonest answer), for each n
    allocate(np.array([values.of(c) for c in counts]), ns, budget=16 * len(counts))

After a first round of every problem, the posterior of its answers says how likely the vote of n
would be the answer that is really the commonest (the vote cannot do better than that), and so what
more samples are worth. The budget goes where a sample is worth most (marginal analysis: Damani et
al. 2024, arXiv 2410.04707; Snell et al. 2024, arXiv 2408.03314). No label is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.selection.curves import Floats

__all__ = ["LeadValues", "allocate", "fit_spread"]

Integers = NDArray[np.integer[Any]]
Counts = tuple[int, ...]


def fit_spread(counts: Sequence[Counts]) -> float:
    """The likeliest concentration of a Dirichlet process that the answers of problems come from.

    `counts` are those of each problem's answer classes, of any order.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    tables = np.array([len(own) for own in counts if own], np.float64)
    customers = np.array([sum(own) for own in counts if own], np.float64)
    if not len(tables):
        return 1.0

    def loss(log: float) -> float:
        alpha = np.exp(log)
        return float(-(tables * log + gammaln(alpha) - gammaln(alpha + customers)).sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 5), method="bounded").x))


@dataclass
class LeadValues:
    """How likely votes of `ns` candidates find the commonest answer, by the counts so far.

    `ns` ascend from the number of candidates that the counts are of; `spread` as `fit_spread`.
    Values are kept: after a first round few counts differ.
    """

    spread: float
    ns: Sequence[int]
    draws: int = 400
    seed: int = 0
    _known: dict[tuple[Counts, int], Floats] = field(default_factory=dict)

    def of(self, counts: Counts, silent: int = 0) -> Floats:
        """For each n; `silent` candidates had no answer, and as many of those to come have none."""
        key = tuple(sorted((c for c in counts if c), reverse=True)), silent
        if key not in self._known:
            self._known[key] = self._simulated(*key)
        return self._known[key]

    def _simulated(self, counts: Counts, silent: int) -> Floats:
        generator = np.random.default_rng([self.seed, silent, *counts])
        seen = sum(counts)
        sticks = int(min(200, 8 * self.spread + 10))
        broken = generator.beta(1.0, self.spread, (self.draws, sticks))
        left = np.cumprod(np.column_stack([np.ones(self.draws), 1 - broken[:, :-1]]), axis=1)
        new = broken * left
        masses = generator.dirichlet(np.append(counts, self.spread), self.draws)
        new *= masses[:, -1:] / new.sum(axis=1, keepdims=True)
        chances = np.concatenate([masses[:, :-1], new], axis=1)
        chances /= chances.sum(axis=1, keepdims=True)
        best = chances.argmax(axis=1)
        votes = np.zeros(chances.shape, np.int64)
        votes[:, : len(counts)] = counts
        answering = (seen + 1) / (seen + silent + 1)
        values, before = [], self.ns[0]
        for n in self.ns:
            # One path of votes for all n, so that differences carry little noise.
            votes = votes + generator.multinomial(round((n - before) * answering), chances)
            before = n
            level = votes == votes.max(axis=1, keepdims=True)
            values.append(float((level[np.arange(self.draws), best] / level.sum(axis=1)).mean()))
        return np.array(values)


def allocate(values: Floats, ns: Sequence[int], budget: int) -> NDArray[np.intp]:
    """How many candidates each problem gets, of `ns`, ascending; at most `budget` in all, (P,).

    `values`, shape (P, len(ns)), are what each n is worth. Every problem gets at least ns[0]; the
    rest goes to the steps that gain most per sample. A step that gains little on the way to one
    that gains much is taken together with it (the upper hull). Ties go to the problem that comes
    first.
    """
    steps = [step for p, own in enumerate(values) for step in _hull(p, own, ns)]
    steps.sort(key=lambda step: -step[0])
    found = np.full(len(values), ns[0], np.intp)
    left = budget - int(found.sum())
    for _, p, low, high in steps:
        # Those of one problem come in order: slopes of a hull fall.
        if found[p] == low and high - low <= left:
            found[p] = high
            left -= high - low
    return found


def _hull(p: int, values: Floats, ns: Sequence[int]) -> list[tuple[float, int, int, int]]:
    """(gain per sample, problem, from n, to n) of the upper hull's steps; falling, positive."""
    steps, at = [], 0
    while at + 1 < len(ns):
        gains = (values[at + 1 :] - values[at]) / (np.asarray(ns[at + 1 :]) - ns[at])
        best = int(gains.argmax())
        if gains[best] <= 0:
            break
        steps.append((float(gains[best]), p, ns[at], ns[at + 1 + best]))
        at += 1 + best
    return steps

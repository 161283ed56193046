"""Constants of rules, chosen by accuracy on other problems than those that they are used on.

    k: auto                      how many vote in top-k, for each n
    softmax_temperature: auto    of the softmax transform, for each n

With a run of held-out problems (`tune=RUN`) every constant is the one with the highest accuracy
there. Without, it is cross-fitted: the problems are split in `FOLDS` folds by a seeded draw, and
each fold uses what is best on the other folds, so that no problem has a say in its own constant.
The first of equals is used: the fewest voters, the lowest temperature.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.selection import rules
from assay.selection.curves import Estimate, Floats
from assay.selection.subsets import Vote

__all__ = ["FOLDS", "TEMPERATURES", "FoldVotes", "choose", "fold_of", "k_grid", "variants"]

FOLDS = 5
TEMPERATURES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True)
class FoldVotes:
    """What a rule is as a vote: one for all problems, or one for those of each fold.

    `constants` are the names of those that were chosen: k, temperature.
    """

    votes: tuple[Vote, ...]
    constants: tuple[str, ...] = ()

    @property
    def typical(self) -> Vote:
        """What most folds use, the first of equals."""
        return Counter(self.votes).most_common(1)[0][0]

    def tuned(self) -> list[tuple[str, str]]:
        """Each chosen constant and its value: the typical one, and the range where folds differ."""
        found = []
        for name in self.constants:
            values = sorted({getattr(vote, name) for vote in self.votes})
            spread = f" ({values[0]:g}–{values[-1]:g})" if len(values) > 1 else ""
            found.append((name, f"{getattr(self.typical, name):g}{spread}"))
        return found

    def combine(self, folds: NDArray[np.intp], estimates: Mapping[Vote, Estimate]) -> Estimate:
        """Values (P,) with each problem under its fold's vote; the largest error of the votes."""
        values = np.empty(len(folds))
        for fold in np.unique(folds):
            held = folds == fold
            values[held] = estimates[self.votes[fold % len(self.votes)]].values[held]
        used = [estimates[vote] for vote in self.votes]
        return Estimate(values, max(e.error for e in used), min(e.draws for e in used))


def k_grid(n: int) -> list[int]:
    """The numbers of voters that are tried: 1 to 5, then by steps of about a third, up to n.

    >>> k_grid(32)
    [1, 2, 3, 4, 5, 7, 9, 12, 16, 21, 28, 32]
    """
    tried = {n, rules.automatic_k(n)}
    k = 1
    while k < n:
        tried.add(k)
        k = max(k + 1, round(k * 4 / 3))
    return sorted(tried)


def variants(vote: Vote, n: int, *, k: bool, temperature: bool) -> list[Vote]:
    """The votes to choose from at n, where its k or its temperature is to be tuned."""
    ks = k_grid(n) if k and vote.k is not None else [vote.k]
    tuned = temperature and vote.weights == "softmax"
    temperatures = TEMPERATURES if tuned else (vote.temperature,)
    return [
        Vote(vote.weights, own, value, vote.by_score)
        for own, value in itertools.product(ks, temperatures)
    ]


def fold_of(problems: int, seed: int) -> NDArray[np.intp]:
    """Each problem's fold, 0 … FOLDS − 1, of sizes as equal as can be; shape (P,)."""
    return np.random.default_rng([seed, FOLDS]).permutation(problems) % FOLDS


def choose(
    votes: Sequence[Vote], values: Sequence[Floats], folds: NDArray[np.intp] | None
) -> FoldVotes:
    """The vote with the highest accuracy, of `values` (P,) for each of `votes`.

    With `folds`, shape (P,), these are the problems that the votes are for, and each fold's vote is
    chosen on the others; without, one vote is chosen on all. Problems whose values are NaN have no
    say; where no others are left, the first vote is chosen.
    """
    table = np.stack(values)
    known = ~np.isnan(table[0])
    parts = (
        [np.ones(table.shape[1], bool)]
        if folds is None
        else [folds != fold for fold in range(FOLDS)]
    )
    # Rounded, so that equals are equal however their values were summed.
    best = [
        int(table[:, held & known].mean(axis=1).round(12).argmax()) if (held & known).any() else 0
        for held in parts
    ]
    names = [name for name in ("k", "temperature") if len({getattr(v, name) for v in votes}) > 1]
    return FoldVotes(tuple(votes[index] for index in best), tuple(names))

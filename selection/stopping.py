"""Stopping rules: whether a problem has been decided, from the votes and scores that it has so far.

    >>> import numpy as np
    >>> round(float(beta_confidence(np.array(8), np.array(2))), 4)    # 8 votes against 2
    0.9673
    >>> round(float(dirichlet_confidence(np.array([[5, 2, 1]]))[0]), 3)
    0.818

A rule looks at the candidates of a problem in the order of sampling, never in that of completion
(the first to finish are the short ones), and is a function of what it has seen: of the counts of
the answer classes, or of the scores. `RULES` says of each what it is called, which answer it
chooses when it stops, and its thresholds. `certain` has none: it stops where no outcome of the
remaining candidates can change the vote, and so costs no accuracy.

Candidates without an answer are samples that have been paid for, and vote for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CERTAIN",
    "CONFIDENCES",
    "RULES",
    "StoppingRule",
    "beta_confidence",
    "checkpoints",
    "crp_confidence",
    "dirichlet_confidence",
]

Floats = NDArray[np.float64]

CONFIDENCES = (
    *(0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99, 0.995),
    *(0.998, 0.999, 0.9995, 0.9999, 0.99999),
)


@dataclass(frozen=True)
class StoppingRule:
    """What a rule is called, how it chooses an answer, and the thresholds that are tried.

    `chooses` is the selection rule applied to the candidates that were seen: majority, weighted or
    best_of_n; the last two need scores. `usual` is the threshold of the paper (of `best`, whose
    thresholds are quantiles of the scores, there is none). `whole`: its threshold is a number of
    candidates.
    """

    label: str
    chooses: str
    thresholds: tuple[float, ...]
    usual: float | None
    whole: bool = False

    @property
    def scored(self) -> bool:
        """Whether it needs scores."""
        return self.chooses != "majority"


CERTAIN = "certain"

RULES = {
    CERTAIN: StoppingRule("certain", "majority", (0.0,), 0.0),
    # Aggarwal et al. 2023, arXiv 2305.11860: Adaptive-Consistency, section 3 and equation 1;
    # crp: appendix C.3.
    "beta": StoppingRule("beta", "majority", CONFIDENCES, 0.95),
    "dirichlet": StoppingRule("Dirichlet", "majority", CONFIDENCES, 0.95),
    "crp": StoppingRule("CRP", "majority", CONFIDENCES[:14], 0.95),
    # Li et al. 2024, arXiv 2401.10480: early-stopping self-consistency.
    "window": StoppingRule(
        "window", "majority", (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 16.0), 5.0, True
    ),
    "doubling": StoppingRule(
        "doubling", "majority", (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0), 0.75
    ),
    # The share of what is left that the runner-up would have to win: at 1 it cannot.
    "score": StoppingRule(
        "score", "weighted", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0), 1.0
    ),
    "best": StoppingRule("best score", "best_of_n", (), None),
}


def checkpoints(rule: str, most: int, round_size: int = 1) -> list[int]:
    """The numbers of candidates after which a rule looks: every round, and at last all.

    `doubling` looks after 2, 4, 8, … candidates, or a round, two, four, …: never after one.

    >>> checkpoints("beta", 10, 4), checkpoints("doubling", 10), checkpoints("doubling", 24, 8)
    ([4, 8, 10], [2, 4, 8, 10], [8, 16, 24])
    """
    if rule == "doubling":
        found, n = [], max(2, round_size)
        while n < most:
            found.append(n)
            n *= 2
        return [*found, most]
    return [*range(round_size, most, round_size), most]


def beta_confidence(first: ArrayLike, second: ArrayLike) -> Floats:
    """P(the leader is likelier than the runner-up | their counts), uniform prior.

    1 − I½(first + 1, second + 1) (Aggarwal et al. 2023, section 3); 0 where nobody has answered.
    Arrays broadcast.
    """
    from scipy.special import betainc

    first, second = np.broadcast_arrays(np.asarray(first), np.asarray(second))
    known = np.asarray(betainc(second + 1.0, first + 1.0, 0.5), np.float64)
    return np.where(first > 0, known, 0.0)


_NODES = np.linspace(-8.0, 8.0, 65)


def dirichlet_confidence(counts: NDArray[np.integer[Any]]) -> Floats:
    """P(the leader's answer is the likeliest of those seen | counts), uniform prior, shape (B,).

    `counts`, shape (B, K), are the votes of each answer class in any order; zeros are classes that
    were not seen. Exact up to 1e-9: with independent Gamma variables X_j of shape counts_j + 1 it
    is E[∏ P(X_j < X_leader)], by the trapezoid rule over the normal quantile of the leader's
    (Aggarwal et al. 2023, equation 1). With one answer alone it would be 1 whatever its count: as
    in the authors' code it is `beta_confidence` against an unseen one there.
    """
    counts = np.asarray(counts)
    first = counts.max(axis=1, initial=0)
    most = int(first.max(initial=0))
    # How many classes have each number of votes: all that the probability depends on.
    cells = counts + (most + 1) * np.arange(len(counts))[:, None]
    having = np.bincount(cells.ravel(), minlength=len(counts) * (most + 1))
    having = having.reshape(len(counts), most + 1)
    result = np.zeros(len(counts))
    for votes in np.unique(first[first > 0]):
        rows = np.flatnonzero(first == votes)
        others = having[rows, 1 : votes + 1].astype(np.float64)
        others[:, -1] -= 1  # the leader itself
        logs, weights = _quadrature(int(votes))
        result[rows] = np.exp(others @ logs) @ weights
        alone = rows[others.sum(axis=1) == 0]
        result[alone] = beta_confidence(votes, 0)
    return result


@lru_cache(maxsize=1024)
def _quadrature(votes: int) -> tuple[Floats, Floats]:
    """At the nodes x of a leader with so many votes: log P(X_v < x) for v = 1 … votes; weights.

    Shapes (votes, nodes) and (nodes,).
    """
    from scipy.special import gammainc, gammainccinv, gammaincinv, ndtr

    shape = votes + 1.0
    # Each tail by its own inverse: close to 1 a probability has no digits left.
    below = gammaincinv(shape, ndtr(np.minimum(_NODES, 0)))
    above = gammainccinv(shape, ndtr(-np.maximum(_NODES, 0)))
    points = np.where(_NODES < 0, below, above)
    weights = np.exp(-0.5 * _NODES**2)
    cdf = gammainc(np.arange(2, votes + 2)[:, None], points)
    return np.log(np.maximum(cdf, 1e-300)), weights / weights.sum()


def crp_confidence(
    counts: Sequence[int], most: int, seed: int = 0, alphas: int = 20, simulations: int = 100
) -> float:
    """P(the leader is still the leader after `most` candidates | counts), by simulation.

    Future answers follow a Chinese restaurant process, so that some are new; its concentration has
    West's Gamma posterior (Aggarwal et al. 2023, appendix C.3). `alphas` concentrations are drawn,
    and `simulations` futures for each; the standard error is at most 0.5 / √(alphas · simulations)
    and a little more for the concentrations. A tie at the end goes to the leader of now.
    """
    votes = -np.sort(-np.asarray([count for count in counts if count > 0]))
    seen = int(votes.sum())
    if seen == 0:
        return 0.0
    left = most - seen
    if left <= 0:
        return 1.0
    generator = np.random.default_rng([seed, most, *votes.tolist()])
    rate = 1.0 + np.euler_gamma + np.log(seen)
    drawn = generator.gamma(len(votes), 1.0 / rate, alphas)
    alpha = np.repeat(drawn, simulations)
    masses = generator.gamma(np.append(votes, 1.0)[None, :], size=(len(alpha), len(votes) + 1))
    masses[:, -1] = generator.gamma(alpha)
    masses /= masses.sum(axis=1, keepdims=True)
    future = generator.multinomial(left, masses)
    known = future[:, :-1] + votes
    new = _largest_table(future[:, -1], alpha, generator)
    return float((known[:, 0] >= np.maximum(known.max(axis=1), new)).mean())


def _largest_table(
    customers: NDArray[np.integer[Any]], alpha: Floats, generator: np.random.Generator
) -> NDArray[np.intp]:
    """The largest table of a Chinese restaurant process with so many customers, shape (B,)."""
    rows, most = len(customers), int(customers.max(initial=0))
    table = np.zeros((rows, most), np.intp)
    sizes = np.zeros((rows, most + 1), np.intp)
    tables = np.zeros(rows, np.intp)
    for customer in range(most):
        there = np.flatnonzero(customers > customer)
        draw = generator.random(len(there)) * (customer + alpha[there])
        opens = draw >= customer
        # To sit down beside a random earlier customer is to choose a table by its size.
        beside = table[there, np.minimum(draw.astype(np.intp), max(customer - 1, 0))]
        table[there, customer] = np.where(opens, tables[there], beside)
        tables[there] += opens
        sizes[there, table[there, customer]] += 1
    return np.asarray(sizes.max(axis=1))

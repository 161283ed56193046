"""How accuracy goes on beyond the pool: fits of the solve rates, and votes from the answers seen.

    fit = fit_rates(right, total, "beta")
    fit.pass_at_k(10_000)                 # the mean over problems of 1 − (1 − rate)^k

**pass@k** is decided by the problems that are almost never solved. A curve fitted to pass@k by
least squares knows little of them; the distribution of solve rates over problems, fitted to the
counts of right candidates by maximum likelihood, knows what the counts say (Schaeffer et al. 2025,
arXiv 2502.17578: scaled Beta and Kumaraswamy distributions).

**The majority vote** is not decided by solve rates: what counts is whether the right answer or
another is the commonest. Each problem's answers get a Dirichlet posterior from the counts of all
its answer classes, under a prior that is fitted to all problems and leaves room for answers not
seen yet; the vote of n is drawn from it.

An extrapolation is worth what it would have said from less: `thinned` gives the counts of a random
part of the pool, from which all of it can be predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.selection.curves import Floats, Integers
from assay.selection.pool import PoolArrays

__all__ = [
    "FAMILIES",
    "AnswerPrior",
    "RateFit",
    "fit_answers",
    "fit_power_law",
    "fit_rates",
    "majority_at",
    "majority_of_all",
    "thinned",
]

FAMILIES = {"beta": "scaled Beta", "kumaraswamy": "scaled Kumaraswamy"}
SCALES = (1.0, 0.98, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
# Edges of cells in which a rate is taken for constant: dense towards 0, where pass@k is decided,
# and towards 1.
_SMALL = np.geomspace(1e-9, 0.05, 120)
_EDGES = np.concatenate(
    [[0.0], _SMALL, np.linspace(0.05, 0.95, 72)[1:], 1 - np.geomspace(0.05, 1e-6, 40)[1:], [1.0]]
)
_RATES = np.concatenate(
    [[_EDGES[1] / 2], np.sqrt(_EDGES[1:120] * _EDGES[2:121]), (_EDGES[120:-1] + _EDGES[121:]) / 2]
)


@dataclass(frozen=True)
class RateFit:
    """A distribution of solve rates: `scale` times a Beta or Kumaraswamy variable (a, b)."""

    family: str
    a: float
    b: float
    scale: float
    log_likelihood: float

    @cached_property
    def masses(self) -> Floats:
        """The probability of each cell of rates."""
        return _masses(self.family, self.a, self.b)

    def pass_at_k(self, k: int) -> float:
        """The expected share of problems that k candidates solve at least once."""
        none = np.exp(k * np.log1p(-np.minimum(self.scale * _RATES, 1 - 1e-15)))
        return float(1.0 - self.masses @ none)


def fit_rates(
    right: Integers,
    total: Integers,
    family: str,
    weights: Floats | None = None,
    start: RateFit | None = None,
) -> RateFit:
    """The family's member that makes the counts likeliest: `right` of `total`, shapes (P,).

    `weights` are those of a resample of the problems; `start` is a fit of nearby counts, from whose
    shapes and scale the search starts. Raises `ValueError` for an unknown family and without
    candidates.
    """
    if family not in FAMILIES:
        raise ValueError(f"family {family!r}: expected one of {', '.join(FAMILIES)}")
    held = total > 0
    if not held.any():
        raise ValueError("no candidates to fit")
    shares = np.ones(len(total)) if weights is None else weights * len(total)
    pairs, which = np.unique(np.stack([right[held], total[held]]), axis=1, return_inverse=True)
    times = np.bincount(which.ravel(), shares[held])
    scales: Sequence[float] = SCALES
    if start is not None:
        place = SCALES.index(start.scale)
        scales = SCALES[max(0, place - 1) : place + 2]
    fits = [_fit_at(scale, pairs, times, family, start) for scale in scales]
    return max(fits, key=lambda fit: fit.log_likelihood)


def _fit_at(
    scale: float, pairs: Integers, times: NDArray[Any], family: str, start: RateFit | None
) -> RateFit:
    """The likeliest shapes at one scale."""
    from scipy.optimize import minimize

    right, total = pairs[0][:, None], pairs[1][:, None]
    rates = scale * _RATES
    with np.errstate(divide="ignore"):
        logs = right * np.log(rates) + np.where(
            total > right, (total - right) * np.log1p(-np.minimum(rates, 1 - 1e-15)), 0.0
        )
    # Scaled for each count, so that nothing underflows.
    peaks = logs.max(axis=1, keepdims=True)
    chances = np.exp(logs - peaks)

    def loss(shapes: Floats) -> float:
        a, b = np.exp(np.clip(shapes, -7, 7))
        return float(-times @ np.log(np.maximum(chances @ _masses(family, a, b), 1e-300)))

    first = np.log([start.a, start.b]) if start else np.log([0.5, 1.0])
    found = minimize(loss, first, method="Nelder-Mead", options={"xatol": 2e-3, "fatol": 1e-4})
    a, b = np.exp(np.clip(found.x, -7, 7))
    return RateFit(family, float(a), float(b), scale, float(-found.fun + times @ peaks[:, 0]))


def _masses(family: str, a: float, b: float) -> Floats:
    """P(cell) of the unscaled variable."""
    from scipy.special import betainc

    if family == "beta":
        below = betainc(a, b, _EDGES)
    else:
        # 1 − (1 − x^a)^b (Kumaraswamy 1980).
        with np.errstate(divide="ignore"):
            below = -np.expm1(b * np.log1p(-np.minimum(_EDGES**a, 1.0)))
    return np.diff(below)


def fit_power_law(ks: Integers, coverage: Floats) -> tuple[float, float]:
    """(A, b) of −log pass@k = A k^−b, by least squares of logarithms.

    The curve's own extrapolation (Brown et al. 2024, arXiv 2407.21787), for comparison. Where every
    problem is solved at once there is nothing to fit: (0, 0).
    """
    known = (coverage > 0) & (coverage < 1)
    if known.sum() < 2:
        return 0.0, 0.0
    slope, level = np.polyfit(np.log(ks[known]), np.log(-np.log(coverage[known])), 1)
    return float(np.exp(level)), float(-slope)


@dataclass(frozen=True)
class AnswerPrior:
    """What problems have in common, from the counts of all: a prior for the answers of each.

    `shares` are the parameters of a Dirichlet distribution of being right, being wrong and having
    no answer; `spread` is the concentration of a Dirichlet process over wrong answers: the larger
    it is, the more of them are new.
    """

    shares: tuple[float, float, float]
    spread: float


def fit_answers(kinds: Integers, wrong: Sequence[Integers]) -> AnswerPrior:
    """The likeliest prior.

    `kinds`, shape (P, 3), counts right, wrong and no answers; `wrong` has the counts of each wrong
    answer of each problem.
    """
    from scipy.optimize import minimize, minimize_scalar
    from scipy.special import gammaln

    def shares_loss(logs: Floats) -> float:
        alpha = np.exp(np.clip(logs, -7, 7))
        inside = gammaln(alpha + kinds).sum(axis=1) - gammaln(alpha).sum()
        return float(
            -(gammaln(alpha.sum()) - gammaln(alpha.sum() + kinds.sum(axis=1)) + inside).sum()
        )

    found = minimize(shares_loss, np.zeros(3), method="Nelder-Mead", options={"maxiter": 400})
    several = np.array([(len(own), own.sum()) for own in wrong if len(own)], float).reshape(-1, 2)

    def spread_loss(log: float) -> float:
        alpha = np.exp(log)
        tables, customers = several.T
        return float(-(tables * log + gammaln(alpha) - gammaln(alpha + customers)).sum())

    best = minimize_scalar(spread_loss, bounds=(-5, 6), method="bounded") if len(several) else None
    shares = np.exp(np.clip(found.x, -7, 7))
    return AnswerPrior(
        (float(shares[0]), float(shares[1]), float(shares[2])),
        float(np.exp(best.x)) if best is not None else 1.0,
    )


def majority_at(
    pool: PoolArrays,
    counted: NDArray[np.bool_],
    ns: Sequence[int],
    draws: int = 100,
    seed: int = 0,
) -> Floats:
    """How likely the majority vote of n is right, of each problem, shape (len(ns), P).

    From the candidates `counted`, shape (P, S): each problem's posterior is that of its own counts
    under the prior fitted to all (`fit_answers`); a draw of it and then of n votes is one outcome,
    level answers share it. All right candidates are one answer. NaN without candidates.
    """
    found = np.full((len(ns), len(pool.problem_ids)), np.nan)
    held = np.flatnonzero(counted.any(axis=1))
    kinds, wrong = [], []
    for p in held:
        classes, labels = pool.classes[p][counted[p]], pool.labels[p][counted[p]]
        others = classes[~labels & (classes >= 0)]
        wrong.append(np.unique(others, return_counts=True)[1])
        kinds.append((int(labels.sum()), len(others), int((classes < 0).sum())))
    prior = fit_answers(np.array(kinds).reshape(-1, 3), wrong)
    for p, own, others in zip(held, kinds, wrong, strict=True):
        generator = np.random.default_rng([seed, int(p)])
        chances = _answer_draws(prior, np.array(own), others, draws, generator)
        for row, n in enumerate(ns):
            votes = generator.multinomial(n, chances)[:, :-1]
            best = votes.max(axis=1)
            level = (votes == best[:, None]).sum(axis=1)
            found[row, p] = np.where((votes[:, 0] == best) & (best > 0), 1 / level, 0.0).mean()
    return found


def _answer_draws(
    prior: AnswerPrior,
    kinds: Integers,
    wrong: Integers,
    draws: int,
    generator: np.random.Generator,
) -> Floats:
    """Posterior probabilities of the right answer, each wrong one, and none: (draws, answers)."""
    shares = generator.dirichlet(kinds + np.array(prior.shares), draws)
    # New wrong answers by breaking a stick, until hardly anything of it is left.
    sticks = int(min(500, 8 * prior.spread + 20))
    broken = generator.beta(1.0, prior.spread, (draws, sticks))
    new = broken * np.cumprod(np.column_stack([np.ones(draws), 1 - broken[:, :-1]]), axis=1)
    seen = generator.dirichlet(np.append(wrong, prior.spread), draws)
    among = np.concatenate(
        [seen[:, :-1], seen[:, -1:] * new / new.sum(axis=1, keepdims=True)], axis=1
    )
    chances = np.concatenate([shares[:, :1], shares[:, 1:2] * among, shares[:, 2:]], axis=1)
    return np.asarray(chances / chances.sum(axis=1, keepdims=True))


def thinned(
    counted: NDArray[np.bool_], kept: int, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """A random `kept` of the candidates of each problem, as a mask like `counted`, shape (P, S)."""
    keys = np.where(counted, generator.random(counted.shape), np.inf)
    place = keys.argsort(axis=1).argsort(axis=1)
    return np.asarray(counted & (place < kept))


def majority_of_all(pool: PoolArrays, counted: NDArray[np.bool_]) -> Floats:
    """How likely the majority vote of all candidates `counted` is right, of each problem, (P,)."""
    found = np.zeros(len(pool.problem_ids))
    for p in np.flatnonzero(counted.any(axis=1)):
        own = counted[p] & (pool.classes[p] >= 0)
        votes = np.bincount(pool.classes[p][own])
        leading = own & np.isin(pool.classes[p], np.flatnonzero(votes == votes.max(initial=1)))
        found[p] = pool.labels[p][leading].mean() if leading.any() else 0.0
    return found

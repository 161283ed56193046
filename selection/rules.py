"""Selection rules: pure functions that choose one candidate of each problem.

Every rule takes arrays whose last axis runs over candidates (any leading axes: problems, subsets)
and returns the index of the chosen candidate along that axis, −1 where nobody has an answer.
Candidates without an answer (class −1) neither vote nor win. To rules that need scores the same
goes for a candidate without a score (NaN or infinite): nothing is known of it that it could be
chosen by.

Ties are broken by score where a rule has scores, then by `ties`: one random number per candidate
(`tie_draw`), the highest wins. A curve averages over fresh draws, so no order is ever favoured.

    >>> classes, scores = np.array([0, 1, 1, 2, -1]), np.array([0.9, 0.3, 0.2, 0.8, 1.0])
    >>> ties = tie_draw(classes.shape, seed=0)
    >>> int(majority(classes, ties)) in (1, 2), int(best_of_n(classes, scores, ties))
    (True, 0)
    >>> int(weighted(np.array([0, 1, 1]), np.array([0.6, 0.4, 0.3]), ties[:3]))
    1
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "TRANSFORMS",
    "automatic_k",
    "best_of_n",
    "eligible",
    "hybrid",
    "leaders",
    "majority",
    "tie_draw",
    "top_k",
    "vote_weights",
    "weighted",
    "weighted_top_k",
]

TRANSFORMS = ("none", "sigmoid", "rank", "softmax")

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


def tie_draw(shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """Random numbers in [0, 1) that break ties, the same for the same seed."""
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def majority(classes: Integers, ties: Floats, scores: Floats | None = None) -> NDArray[np.intp]:
    """The answer given most often (self-consistency: Wang et al. 2022, arXiv 2203.11171).

    `scores`, where given, break ties between equally frequent answers and choose among the
    candidates of the winner; one without a score votes, and comes last in a tie. Left out, the rule
    is the baseline that needs no verifier.
    """
    votes = _class_totals(classes, np.ones(classes.shape))
    if scores is None:
        return _choose(classes >= 0, votes, ties)
    return _choose(classes >= 0, votes, np.where(np.isfinite(scores), scores, -np.inf), ties)


def best_of_n(classes: Integers, scores: Floats, ties: Floats) -> NDArray[np.intp]:
    """The best-scored candidate that has an answer (Cobbe et al. 2021, section 4)."""
    return _choose(eligible(classes, scores), scores, ties)


def weighted(
    classes: Integers,
    scores: Floats,
    ties: Floats,
    transform: str = "none",
    temperature: float = 1.0,
) -> NDArray[np.intp]:
    """The answer whose candidates' weights sum highest (Li et al. 2022, arXiv 2206.02336).

    Weights are made of the scores by a transform, see `vote_weights`.
    """
    return weighted_top_k(classes, scores, ties, classes.shape[-1], transform, temperature)


def top_k(classes: Integers, scores: Floats, ties: Floats, k: int = 0) -> NDArray[np.intp]:
    """Majority among the `k` best-scored candidates with an answer (Cobbe et al. 2021, section 4).

    `k=0` chooses it by the number of candidates, `automatic_k`.
    """
    return _elect(classes, scores, ties, k, np.ones(classes.shape))


def weighted_top_k(
    classes: Integers,
    scores: Floats,
    ties: Floats,
    k: int = 0,
    transform: str = "none",
    temperature: float = 1.0,
) -> NDArray[np.intp]:
    """The weighted vote among the `k` best-scored candidates with an answer; `k` as in `top_k`."""
    return _elect(classes, scores, ties, k, vote_weights(classes, scores, transform, temperature))


def hybrid(classes: Integers, modes: Integers, ties: Floats) -> NDArray[np.intp]:
    """A program's answer where there is one, else one in words (Yue et al. 2023, arXiv 2309.05653).

    `modes` indexes `assay.problems.problem.MODES` (0 CoT, 1 PoT). Meant for one candidate of each
    mode; of several with an answer, `ties` chooses.
    """
    return _choose(classes >= 0, modes.astype(np.float32), ties)


def leaders(
    rule: Callable[[Integers, Floats, Floats], NDArray[np.intp]], classes: Integers, scores: Floats
) -> NDArray[np.bool_]:
    """The candidates of one problem, shape (n,), among whom a rule's tie break alone decides.

    Those who are chosen if it falls their way; none where nobody has an answer. So a rule's
    accuracy over all tie breaks is the share of right ones among them.

    >>> leaders(lambda c, s, ties: majority(c, ties), np.array([0, 1, 1, 0, 2]), np.zeros(5))
    array([ True,  True,  True,  True, False])
    """
    n = len(classes)
    each = np.broadcast_to(classes, (n, n)), np.broadcast_to(scores, (n, n))
    return np.asarray(rule(*each, np.eye(n, dtype=np.float32)) == np.arange(n))


def eligible(classes: Integers, scores: Floats) -> NDArray[np.bool_]:
    """Where rules that need scores may choose: candidates with an answer and a finite score."""
    return (classes >= 0) & np.isfinite(scores)


def vote_weights(
    classes: Integers, scores: Floats, transform: str = "none", temperature: float = 1.0
) -> NDArray[np.float32]:
    """Each candidate's weight in a weighted vote, never negative; 0 without an answer or a score.

    - `none`: the score; a negative one counts as 0, as a regression's prediction may fall below the
      labels' range, and an answer must not lose by having one candidate more.
    - `sigmoid`: 1 / (1 + exp(−score)), for scores that are log-odds.
    - `rank`: among the candidates with an answer and a score the worst weighs 1, the next 2, …;
      equal scores share their mean rank. Only the scores' order matters.
    - `softmax`: exp(score / `temperature`), up to a factor that all candidates of a problem share.

    Raises `ValueError` for another transform.
    """
    voting = eligible(classes, scores)
    held = np.where(voting, scores, 0.0).astype(np.float64)
    if transform == "none":
        weights = np.maximum(held, 0.0)
    elif transform == "sigmoid":
        weights = 0.5 * (1.0 + np.tanh(0.5 * held))
    elif transform == "rank":
        from scipy.stats import rankdata

        below = (~voting).sum(axis=-1, keepdims=True)
        weights = rankdata(np.where(voting, scores, -np.inf), axis=-1) - below
    elif transform == "softmax":
        best = np.where(voting, held, -np.inf).max(axis=-1, keepdims=True, initial=-np.inf)
        weights = np.exp(np.minimum(held - np.where(np.isfinite(best), best, 0), 0) / temperature)
    else:
        raise ValueError(f"transform {transform!r}, expected one of {', '.join(TRANSFORMS)}")
    # Single precision, so that sums in double precision are the same in any order (_class_totals).
    return np.where(voting, weights, 0.0).astype(np.float32)


def automatic_k(n: int) -> int:
    """How many of `n` candidates vote in `top_k`: half the square root of n, at least 3.

    Fits what Cobbe et al. (section 4.2) found best: 3 to 5 of 100, about 30 of 3200. Below 3 the
    rule is `best_of_n`. Nothing is tuned on the problems at hand.

    >>> [automatic_k(n) for n in (1, 8, 100, 3200)]
    [1, 3, 5, 28]
    """
    return min(n, max(3, round(n**0.5 / 2)))


def _elect(
    classes: Integers, scores: Floats, ties: Floats, k: int, weights: Floats
) -> NDArray[np.intp]:
    """The answer with the highest sum of weights among the k best-scored; ties by score."""
    elected = _best(eligible(classes, scores), scores, ties, k or automatic_k(classes.shape[-1]))
    totals = _class_totals(np.where(elected, classes, -1), np.where(elected, weights, 0.0))
    return _choose(elected, totals, scores, ties)


def _class_totals(classes: Integers, weights: Floats) -> NDArray[np.float64]:
    """For each candidate the summed weight of its answer class; shape of `classes`.

    Single-precision scores of like size sum exactly in double precision, whatever their order: two
    classes with the same scores are a tie here too.
    """
    rows = classes.reshape(-1, classes.shape[-1])
    width = int(rows.max(initial=-1)) + 2
    cell = (rows.astype(np.intp) + 1) + width * np.arange(len(rows), dtype=np.intp)[:, None]
    totals = np.bincount(cell.ravel(), weights.ravel(), minlength=width * len(rows))
    return totals[cell].reshape(classes.shape)


def _choose(allowed: NDArray[np.bool_], *keys: Floats) -> NDArray[np.intp]:
    """The allowed candidate with the highest first key, then second key, …; −1 where none is."""
    left = allowed
    for key in keys:
        held = np.where(left, key, -np.inf)
        left = left & (held == held.max(axis=-1, keepdims=True, initial=-np.inf))
    return np.where(allowed.any(axis=-1), left.argmax(axis=-1), -1)


def _best(allowed: NDArray[np.bool_], scores: Floats, ties: Floats, k: int) -> NDArray[np.bool_]:
    """Marks the k allowed candidates with the highest scores, ties at the border by `ties`."""
    n = scores.shape[-1]
    if k >= n:
        return allowed
    scores = np.where(allowed, scores, -np.inf)
    border = np.partition(scores, n - k, axis=-1)[..., n - k, None]
    marked = allowed & (scores >= border)
    # Only rows with a tie across the border need the full sort.
    tied = np.flatnonzero(marked.sum(axis=-1).ravel() > k)
    if len(tied):
        rows = scores.reshape(-1, n)[tied]
        order = np.lexsort((ties.reshape(-1, n)[tied], rows))[:, n - k :]
        exact = np.zeros(rows.shape, bool)
        np.put_along_axis(exact, order, True, axis=-1)
        flat = marked.reshape(-1, n)
        flat[tied] = exact
        marked = flat.reshape(scores.shape)
    return marked

"""Every rule's expected accuracy at every n, of each problem: exact where there is a closed form.

Rules that choose the candidate with the highest number (the verifier's score, the mean token
log-probability, the fewest tokens), pass@n, a single sample and the hybrid are exact; votes are
estimated over random subsets. What each rule is made of by a configuration is said here alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.selection.curves import Floats, Mix, best_of_n_at, hybrid_at, pass_at
from assay.selection.pool import PoolArrays, orders
from assay.selection.rules import eligible
from assay.selection.subsets import MAJORITY, Vote, estimate
from assay.selection.tuning import FOLDS, Plan, choose, fold_of, variants
from assay.settings.errors import UserError

if TYPE_CHECKING:
    from assay.selection.request import EvaluateConfig

__all__ = ["Cell", "Grid", "Measured", "Plans", "make_plans", "measure", "votes_of"]

Cell = tuple[str, Mix, int]  # rule, modes, n
Grid = Mapping[Mix, Sequence[int]]


@dataclass
class Measured:
    """Accuracies of each problem, shape (P,), and for votes the Monte Carlo error and draws.

    NaN where a problem has no candidates of the modes.
    """

    per_problem: dict[Cell, Floats] = field(default_factory=dict)
    errors: dict[Cell, float] = field(default_factory=dict)
    draws: dict[Cell, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Plans:
    """The vote of every vote-rule at every n ≥ 2; `folds` has each problem's fold, shape (P,)."""

    votes: dict[Cell, Plan]
    folds: NDArray[np.intp]


def votes_of(config: EvaluateConfig) -> dict[str, Vote]:
    """The rules that are votes, as configured; a constant to be tuned has its default here.

    Best-of-n is the vote of one voter.
    """
    k = 0 if config.k == "auto" else int(config.k)
    heat = config.softmax_temperature
    temperature = 1.0 if heat == "auto" else float(heat)
    return {
        "majority": MAJORITY,
        "best_of_n": Vote(k=1),
        "weighted": Vote(config.transform, None, temperature),
        "top_k": Vote(k=k),
        "weighted_top_k": Vote(config.transform, k, temperature),
    }


def make_plans(
    pool: PoolArrays,
    scores: NDArray[Any] | None,
    grid: Grid,
    names: Sequence[str],
    config: EvaluateConfig,
    tune: tuple[PoolArrays, NDArray[Any] | None] | None = None,
) -> Plans:
    """Which vote each rule is at each n: as configured, or the best on other problems.

    `tune`: held-out problems' pool and scores to choose by; None: cross-fitting
    (selection/tuning.py). Raises `UserError` where there are too few problems for that, or a mode
    is missing in `tune`.
    """
    rules = votes_of(config)
    rules = {name: rules[name] for name in rules if name in names and name != "best_of_n"}
    auto = {"k": config.k == "auto", "temperature": config.softmax_temperature == "auto"}
    problems = len(pool.problem_ids)
    folds = fold_of(problems, config.seed) if tune is None else np.zeros(problems, np.intp)
    source, source_scores = tune or (pool, scores)
    plans: dict[Cell, Plan] = {}
    for mix, ns in grid.items():
        asked = {
            n: {name: variants(vote, n, **auto) for name, vote in rules.items()}
            for n in ns
            if n > 1
        }
        tried = {
            n: {vote: vote for votes in named.values() if len(votes) > 1 for vote in votes}
            for n, named in asked.items()
        }
        if any(tried.values()):
            _check_source(source, mix, cross=tune is None)
        found = estimate(
            source,
            {n: votes for n, votes in tried.items() if votes},
            config.draws,
            config.seed,
            mix=mix,
            scores=source_scores,
        )
        for n, named in asked.items():
            for name, own in named.items():
                if len(own) == 1:
                    plans[name, mix, n] = Plan((own[0],))
                    continue
                values = [found[vote, n].values for vote in own]
                plans[name, mix, n] = choose(own, values, None if tune else folds)
    return Plans(plans, folds)


def _check_source(source: PoolArrays, mix: Mix, *, cross: bool) -> None:
    problems = len(source.problem_ids)
    if cross and problems < 2 * FOLDS:
        raise UserError(
            f"evaluate: auto: {problems} problems are too few to choose constants by "
            f"cross-fitting; expected {2 * FOLDS} or more, or held-out problems with tune=RUN"
        )
    wanted = {"cot", "pot"} if mix == "both" else {mix}
    missing = sorted(wanted - set(source.mode_names))
    if missing:
        raise UserError(f"evaluate: tune: the run has no {missing[0]} candidates to choose by")


def measure(
    pool: PoolArrays,
    scores: NDArray[Any] | None,
    grid: Grid,
    names: Sequence[str],
    plans: Plans,
    config: EvaluateConfig,
) -> Measured:
    """The accuracy of the rules `names` at every n of `grid`; "single" and "pass" always."""
    found = Measured()
    highest = {name: own for name, own in orders(pool, scores).items() if name in names}
    voting = [name for name in votes_of(config) if name in names and name not in highest]
    if "hybrid" in names:
        found.per_problem["hybrid", "both", 2] = hybrid_at(pool)
    for mix, ns in grid.items():
        single = pass_at(pool, mix, 1)
        found.per_problem["single", mix, 1] = single
        for n in ns:
            found.per_problem["pass", mix, n] = pass_at(pool, mix, n)
        for name, own in highest.items():
            best = best_of_n_at(pool, own, mix, ns)
            for row, n in enumerate(ns):
                found.per_problem[name, mix, n] = best[row]
        if 1 in ns:
            # With one candidate there is nothing to choose: every rule is the single sample, and to
            # those that need scores one without a score is none.
            scored = single if scores is None else pass_at(_heard(pool, scores), mix, 1)
            for name in voting:
                found.per_problem[name, mix, 1] = single if name == "majority" else scored
        _votes(pool, scores, mix, [n for n in ns if n > 1], voting, plans, config, found)
    return found


def _heard(pool: PoolArrays, scores: NDArray[Any]) -> PoolArrays:
    """The pool in which nothing without a score is right."""
    return replace(pool, labels=pool.labels & eligible(pool.classes, scores))


def _votes(
    pool: PoolArrays,
    scores: NDArray[Any] | None,
    mix: Mix,
    ns: Sequence[int],
    names: Sequence[str],
    plans: Plans,
    config: EvaluateConfig,
    found: Measured,
) -> None:
    """Adds the votes' estimates to `found`."""
    asked = {
        n: {vote: vote for name in names for vote in plans.votes[name, mix, n].votes} for n in ns
    }
    estimates = estimate(
        pool, asked, config.draws, config.seed, mix=mix, scores=scores, error=config.error
    )
    for n in ns:
        for name in names:
            cell: Cell = (name, mix, n)
            own = plans.votes[cell]
            result = own.combine(plans.folds, {vote: estimates[vote, n] for vote in own.votes})
            found.per_problem[cell] = result.values
            found.errors[cell], found.draws[cell] = result.error, result.draws

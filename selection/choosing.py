"""Which rule to use, by held-out problems, and what it is worth without the winner's curse.

    found = choose_rule(pool, n=32)
    found.spec.label(32), found.accuracy, found.majority, found.difference

The most accurate of many rules looks better than it is: the best of forty equals has had luck
(the winner's curse). Against that:

- *Ties go to the simpler rule.* Within one standard error of the best, paired over problems, the
  first in order of simplicity is taken (Breiman et al. 1984, "Classification and Regression Trees",
  section 3.4.3): the majority, then votes in which all take part, then votes of the best-scored,
  then rules that trust one candidate. Of one rule and scorer the k with the highest accuracy
  competes, of equals the largest: the nearest to the majority.
- *What is told is cross-fitted.* The problems are split in folds; on each fold the rule is used
  that would be chosen on the others, k and all (Stone 1974; Varma & Simon 2006, "Bias in error
  estimation when using cross-validation for model selection"). So the accuracy is that of the
  procedure, averaged over several splits, on problems that had no say.
- A rule whose lead on the majority does not outlive cross-fitting is not chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assay.selection.curves import Floats, Mix, best_of_n_at, has
from assay.selection.intervals import Interval, Paired, bootstrap_weights, interval, paired
from assay.selection.names import SCORED_RULES, count
from assay.selection.pool import PoolArrays, orders
from assay.selection.request import sizes_of
from assay.selection.rule_spec import RuleSpec
from assay.selection.rules import TRANSFORMS
from assay.selection.subsets import Vote, estimate
from assay.selection.tuning import FOLDS, fold_of, k_grid
from assay.settings.errors import UserError

__all__ = [
    "LEAST",
    "ChooseConfig",
    "Chosen",
    "accuracies",
    "choose_rule",
    "competitors",
    "cross_fitted",
    "simplest",
]

LEAST = 2 * FOLDS
"""Problems without which nothing can be chosen."""
DEFAULT = 32  # candidates, as `assay solve` draws by default
SPLITS = 8  # of the problems into folds: what is told depends less on one of them
VOTES = ("majority", "weighted", "weighted_top_k", "top_k")  # before rules that trust one candidate

Group = Sequence[RuleSpec]


@dataclass
class ChooseConfig:
    """Which rules compete, and how."""

    n: int = 0
    """candidates per problem that the rule will choose from; 0 = 32 as in assay solve, or all where
    the run has fewer"""
    rules: list[str] = field(default_factory=list)
    """majority, weighted, top_k, weighted_top_k, best_of_n, logprob, shortest, and the free scores
    by name (self_certainty, …); empty = all but shortest that the run has the numbers for. The
    majority always competes"""
    scorers: list[str] = field(default_factory=list)
    """whose scores, the simplest first; empty = all that the run has, in its order"""
    k: list[int] = field(default_factory=list)
    """numbers of voters to try in the top-k votes; empty = from 1 by steps of about a third"""
    transform: str = "none"
    """of the scores into weights: none | sigmoid | rank | softmax"""
    errors: float = 1.0
    """within so many standard errors of the best the simplest rule is chosen; 0 = the best"""
    draws: int = 200
    """random subsets of each problem's candidates, where there are more than n"""
    bootstrap: int = 1000
    """bootstrap resamples of the problems for the 95 % intervals"""
    seed: int = 0
    """seed of the subsets, the folds and the resamples"""


@dataclass(frozen=True)
class Chosen:
    """The chosen rule and what held-out problems say of it.

    `accuracy`, and its `difference` to the majority, are those of the procedure by cross-fitting;
    `majority` is the majority vote's. `table` has of each rule and scorer its best spec and its
    accuracy on each problem, shape (P,), the simplest first; `rows` are the problems' rows in the
    pool.
    """

    spec: RuleSpec
    accuracy: Interval
    majority: Interval
    difference: Paired
    table: dict[RuleSpec, Floats]
    rows: NDArray[np.intp]
    weights: Floats
    mix: Mix
    n: int


def choose_rule(pool: PoolArrays, config: ChooseConfig | None = None, mix: Mix = "both") -> Chosen:
    """The rule to use for n candidates of these modes.

    Raises `UserError` for fewer than `LEAST` problems, an n that the pool cannot give, a rule or a
    scorer that it has no numbers for.
    """
    config = config or ChooseConfig()
    _check(config)
    size = sizes_of(pool).get(mix, 0)
    n = config.n or min(size, DEFAULT)
    if not 1 <= n <= size:
        raise UserError(f"n={n}: the run has {count(size, 'candidate')} per problem ({mix})")
    rows = np.flatnonzero(has(pool, mix))
    if len(rows) < LEAST:
        raise UserError(
            f"{count(len(rows), 'problem')}: too few to choose a rule by; expected {LEAST} or more"
        )
    pool = pool.take(rows)
    groups = competitors(pool, config, n)
    table = accuracies(pool, [spec for group in groups for spec in group], mix, n, config)
    best = {spec: table[spec] for spec in (_best(table, group) for group in groups)}
    majority = next(iter(best))
    spec = simplest(table, groups, config.errors)
    held = cross_fitted(table, groups, config)
    if spec == majority or not (held - table[majority]).mean() > 0:
        spec, held = majority, table[majority]
    weights = bootstrap_weights(len(rows), config.bootstrap, config.seed)
    return Chosen(
        spec,
        interval(held, weights),
        interval(table[majority], weights),
        paired(held, table[majority], weights),
        best,
        rows,
        weights,
        mix,
        n,
    )


def _check(config: ChooseConfig) -> None:
    """Raises `UserError` for the first key with a value that means nothing."""
    for name, least in (("errors", 0), ("draws", 1), ("bootstrap", 1), ("n", 0)):
        if not getattr(config, name) >= least:
            raise UserError(f"{name}={getattr(config, name)}: expected {least} or more")
    if config.transform not in TRANSFORMS:
        raise UserError(f"transform={config.transform}: expected one of {', '.join(TRANSFORMS)}")
    if any(k < 1 for k in config.k):
        raise UserError(f"k={min(config.k)}: expected 1 or more")


def competitors(pool: PoolArrays, config: ChooseConfig, n: int) -> list[Group]:
    """The rules that compete, the simplest first; each group is one rule and scorer at every k.

    Raises `UserError` for a rule or a scorer that is asked for and that the pool lacks.
    """
    highest = _highest(pool)
    known = [*VOTES, *highest, "best_of_n"]
    for name in config.rules:
        if name not in known:
            raise UserError(f"rules: {name}: expected one of {', '.join(known)} (of this run)")
    for name in config.scorers:
        if name not in pool.scores:
            why = pool.left_out.get(name, f"the run has {', '.join(pool.scores) or 'none'}")
            raise UserError(f"scorers: no scores by '{name}': {why}")
    scorers = config.scorers or list(pool.scores)
    if not scorers and set(config.rules) & set(SCORED_RULES):
        raise UserError(f"rules: {config.rules[0]}: the run has no scores")
    wanted = {"majority", *(config.rules or set(known) - {"shortest"})}
    # If all vote, it is the majority, whose ties alone the scores would break.
    ks = sorted({min(k, n) for k in config.k} or {*k_grid(n)} - {n} or {n}, reverse=True)
    groups: list[Group] = []
    for name in known:
        if name not in wanted:
            continue
        for scorer in scorers if name in SCORED_RULES else [""]:
            kind = RuleSpec(name, scorer, transform=config.transform)
            if name in ("top_k", "weighted_top_k"):
                groups.append([RuleSpec(name, scorer, k, config.transform) for k in ks])
            else:
                groups.append([kind])
    return groups


def _highest(pool: PoolArrays) -> list[str]:
    """The rules that take the highest of a number which every answer of the pool has."""
    answered = pool.present & (pool.classes >= 0)
    return [name for name, own in orders(pool, None).items() if np.isfinite(own[answered]).all()]


def accuracies(
    pool: PoolArrays, specs: Sequence[RuleSpec], mix: Mix, n: int, config: ChooseConfig
) -> dict[RuleSpec, Floats]:
    """Each rule's expected accuracy at n of each problem, shape (P,); all see the same subsets.

    Where a problem has no more than n candidates there is one subset of them, and no chance in it.
    """
    found: dict[RuleSpec, Floats] = {}
    voting: dict[str, dict[RuleSpec, Vote]] = {}
    # All candidates of every problem: only ties are left to the draw.
    draws = config.draws if max(pool.present.sum(axis=1)) > n else max(1, config.draws // 10)
    for spec in specs:
        vote, numbers = spec.vote, spec.numbers(pool)
        if vote is None and numbers is not None:
            found[spec] = best_of_n_at(pool, numbers, mix, [n])[0]
        elif vote is not None:
            voting.setdefault(spec.scorer, {})[spec] = vote
    for scorer, votes in voting.items():
        scores = pool.scores.get(scorer)
        estimates = estimate(pool, {n: votes}, draws, config.seed, mix=mix, scores=scores)
        found |= {spec: estimates[spec, n].values for spec in votes}
    return {spec: found[spec] for spec in specs}


def _best(table: Mapping[RuleSpec, Floats], group: Group, kept: Floats | None = None) -> RuleSpec:
    """The most accurate of one rule and scorer, the first of equals."""
    # Rounded, so that equals are equal however their values were summed.
    return max(group, key=lambda spec: round(float(np.average(table[spec], weights=kept)), 12))


def simplest(
    table: Mapping[RuleSpec, Floats],
    groups: Sequence[Group],
    errors: float,
    kept: NDArray[np.bool_] | None = None,
) -> RuleSpec:
    """The first of the groups' best rules that is within `errors` standard errors of the best.

    `kept`, shape (P,): the problems to choose by.
    """
    every = next(iter(table.values()))
    kept = np.ones(len(every), bool) if kept is None else kept
    leading = [_best(table, group, kept.astype(float)) for group in groups]
    best = _best(table, leading, kept.astype(float))
    for spec in leading:
        lead = (table[best] - table[spec])[kept]
        if lead.mean() <= errors * lead.std(ddof=1) / np.sqrt(len(lead)) + 1e-12:
            return spec
    return best


def cross_fitted(
    table: Mapping[RuleSpec, Floats], groups: Sequence[Group], config: ChooseConfig
) -> Floats:
    """Each problem's accuracy under the rules chosen without its fold, shape (P,).

    The mean over `SPLITS` splits of the problems into folds.
    """
    problems = len(next(iter(table.values())))
    held = np.zeros(problems)
    for split in range(SPLITS):
        folds = fold_of(problems, config.seed + split)
        for fold in range(FOLDS):
            own = folds == fold
            held[own] += table[simplest(table, groups, config.errors, ~own)][own]
    return held / SPLITS

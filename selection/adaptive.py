"""Stopping rules replayed on a pool: what each costs, and how often it is right.

    replay = replay_rules(pool, ReplayPlan({"beta": [0.9, 0.95], "certain": [0.0]}, "both", 64))
    replay.outcomes["beta", 0.95].samples.mean()         # of 64
    replay.outcomes["beta", 0.95].accuracy - replay.fixed["majority"][63]      # paired, (P,)

A pool of n candidates of each problem holds all that a rule that stops before n could have seen. So
every rule is run over random orders of the candidates, the orders of the curves
(`selection/orders.py`), and everything is kept per problem: intervals are over problems, and the
differences to a fixed number of candidates are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.selection.curves import Floats, Mix
from assay.selection.decisions import Seen, stops
from assay.selection.orders import drawn_orders
from assay.selection.pool import PoolArrays
from assay.selection.stopping import RULES

__all__ = ["Costs", "Outcome", "Replay", "ReplayPlan", "replay_rules"]

Cell = tuple[str, float]  # rule, threshold

_LOOKING = ("dirichlet", "crp")


@dataclass(frozen=True)
class Costs:
    """What candidates cost, arrays of shape (P, S), NaN where unknown.

    `each` is paid for every candidate, `once` for the first of each mode (the prompt); `scored` and
    `scored_once` by rules that need scores, besides.
    """

    each: NDArray[np.float64]
    once: NDArray[np.float64] | float = 0.0
    scored: NDArray[np.float64] | float = 0.0
    scored_once: NDArray[np.float64] | float = 0.0


@dataclass(frozen=True)
class ReplayPlan:
    """What is replayed: rules with their thresholds, ascending, for one way to mix the modes.

    `costs` are summed up by name beside the number of samples.
    """

    thresholds: Mapping[str, Sequence[float]]
    mix: Mix
    most: int
    round_size: int = 1
    draws: int = 200
    seed: int = 0
    costs: Mapping[str, Costs] = field(default_factory=dict)

    @property
    def chooses(self) -> list[str]:
        """The selection rules that these rules choose by."""
        return list(dict.fromkeys(RULES[rule].chooses for rule in self.thresholds))


@dataclass
class Outcome:
    """A rule at one threshold: means over the orders of each problem, shape (P,).

    NaN where a problem has no candidates of the modes. `times` is how often it stopped after each
    number of samples, over all problems and orders, shape (most + 1,).
    """

    accuracy: Floats
    samples: Floats
    rounds: Floats
    costs: dict[str, Floats]
    times: NDArray[np.int64]

    def quantile(self, share: float) -> int:
        """The number of samples that this share of problems and orders did not exceed."""
        return int(np.searchsorted(self.times.cumsum(), share * self.times.sum()))


@dataclass
class Replay:
    """All rules and thresholds on one pool, and a fixed number of candidates beside them.

    `fixed` holds for each selection rule its accuracy at n = 1 … most, shape (most, P),
    `fixed_costs` what n candidates cost; by (name, whether they are scored).
    """

    plan: ReplayPlan
    outcomes: dict[Cell, Outcome]
    fixed: dict[str, Floats]
    fixed_samples: Floats
    fixed_costs: dict[tuple[str, bool], Floats]


def replay_rules(
    pool: PoolArrays,
    plan: ReplayPlan,
    scores: NDArray[Any] | None = None,
    progress: Callable[[int], Any] | None = None,
) -> Replay:
    """Every rule of the plan at every threshold; `scores` of shape (P, S) where a rule needs them.

    `progress` is called with the number of problems that are done besides. Raises `ValueError`
    where a rule needs scores and there are none.
    """
    problems = len(pool.problem_ids)

    def empty(*shape: int) -> Floats:
        return np.full((*shape, problems), np.nan)

    replay = Replay(
        plan,
        {
            (rule, threshold): Outcome(
                empty(),
                empty(),
                empty(),
                {name: empty() for name in plan.costs},
                np.zeros(plan.most + 1, np.int64),
            )
            for rule, thresholds in plan.thresholds.items()
            for threshold in thresholds
        },
        {chooses: empty(plan.most) for chooses in plan.chooses},
        empty(plan.most),
        {
            (name, scored): empty(plan.most)
            for name in plan.costs
            for scored in {RULES[rule].scored for rule in plan.thresholds}
        },
    )
    for own, columns in drawn_orders(pool, plan.mix, plan.most, plan.draws, plan.seed):
        _Chunk(pool, scores, plan, own, columns).add(replay)
        if progress is not None:
            progress(len(own))
    return replay


class _Chunk:
    """Some problems' orders; arrays are time first, (candidates, problems · draws)."""

    def __init__(
        self,
        pool: PoolArrays,
        scores: NDArray[Any] | None,
        plan: ReplayPlan,
        problems: NDArray[np.intp],
        columns: NDArray[np.intp],
    ) -> None:
        self.plan, self.problems = plan, problems
        self.pool = pool
        self.columns = np.ascontiguousarray(columns.reshape(-1, plan.most).T)
        self.rows = np.repeat(problems, plan.draws)
        self.there = self.columns >= 0
        looked = {r: plan.thresholds[r] for r in _LOOKING if r in plan.thresholds}
        self.seen = Seen(
            self._taken(pool.classes, -1),
            self._taken(pool.labels, False),
            None if scores is None else self._taken(scores, np.nan),
            plan.most,
            plan.round_size,
            plan.seed,
            looked,
        )
        self.samples = np.cumsum(self.there, axis=0, dtype=np.int16)
        self.paid = {
            (name, scored): self._paid(costs, scored)
            for name, costs in plan.costs.items()
            for scored in {RULES[rule].scored for rule in plan.thresholds}
        }

    def _taken(self, values: NDArray[Any], missing: Any) -> NDArray[Any]:
        """Values of the pool in the orders; `missing` where there is no candidate."""
        found = values[self.rows, self.columns]
        return found if self.there.all() else np.where(self.there, found, missing)

    def _paid(self, costs: Costs, scored: bool) -> NDArray[np.float64]:
        """What has been paid after each candidate."""
        each, once = costs.each, np.broadcast_to(costs.once, self.pool.classes.shape)
        if scored:
            each, once = each + costs.scored, once + costs.scored_once
        steps = self._taken(each, 0.0)
        modes = self._taken(self.pool.modes, -1)
        for mode in np.unique(self.pool.modes[self.pool.present]):
            first = (modes == mode).argmax(axis=0)
            has = (modes == mode).any(axis=0)
            column = self.columns[first, np.arange(len(first))]
            steps[first[has], has] += once[self.rows[has], column[has]]
        return np.cumsum(steps, axis=0)

    def add(self, replay: Replay) -> None:
        """Enters these problems into a replay."""
        for chooses, into in replay.fixed.items():
            into[:, self.problems] = self._means(self.seen.right(chooses))
        replay.fixed_samples[:, self.problems] = self._means(self.samples)
        for key, into in replay.fixed_costs.items():
            into[:, self.problems] = self._means(self.paid[key])
        for rule, thresholds in self.plan.thresholds.items():
            found = stops(rule, thresholds, self.seen)
            own = [replay.outcomes[rule, threshold] for threshold in thresholds]
            cells = (found.ends - 1) * len(self.rows) + np.arange(len(self.rows))
            samples = self.samples.ravel()[cells]
            right = self.seen.right(RULES[rule].chooses).ravel()[cells]
            for place, outcome in enumerate(own):
                outcome.times += np.bincount(samples[place], minlength=self.plan.most + 1)
            self._enter(own, "accuracy", right)
            self._enter(own, "samples", samples)
            self._enter(own, "rounds", found.rounds)
            for name in self.plan.costs:
                spent = self._means(self.paid[name, RULES[rule].scored].ravel()[cells])
                for place, outcome in enumerate(own):
                    outcome.costs[name][self.problems] = spent[place]

    def _enter(self, outcomes: Sequence[Outcome], name: str, values: NDArray[Any]) -> None:
        means = self._means(values)
        for place, outcome in enumerate(outcomes):
            getattr(outcome, name)[self.problems] = means[place]

    def _means(self, values: NDArray[Any]) -> Floats:
        """Means over the draws, shape (…, problems)."""
        return np.asarray(
            values.reshape(len(values), len(self.problems), -1).mean(axis=-1, dtype=np.float64)
        )

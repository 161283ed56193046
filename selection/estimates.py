"""Every rule's expected accuracy at every n, of each problem: exact where there is a closed form.

Rules that choose the candidate with the highest number (the verifier's score, the mean token
log-probability, the fewest tokens), pass@n, a single sample and the hybrid are exact; votes are
estimated over random subsets. What each rule is made of by a configuration is said here alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.selection.curves import Floats, Mix, best_of_n_at, hybrid_at, pass_at
from assay.selection.pool import PoolArrays, orders
from assay.selection.request import EvaluateConfig
from assay.selection.rules import eligible
from assay.selection.subsets import MAJORITY, Vote, estimate
from assay.selection.tuning import FOLDS, FoldVotes, choose, fold_of, variants
from assay.settings.errors import UserError

__all__ = ["Cell", "Design", "Grid", "Measured", "measure", "votes_of", "with_votes", "within"]

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
class Design:
    """What is estimated: which rules, at which n, with whose scores and with which votes.

    `votes` holds the vote that every vote-rule is at every n ≥ 2 (`with_votes`), `folds` each
    problem's fold, shape (P,). Without scores `verifier` is empty.
    """

    rules: tuple[str, ...]
    grid: Grid
    verifier: str
    config: EvaluateConfig
    votes: Mapping[Cell, FoldVotes] = field(default_factory=dict)
    folds: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))

    def scores(self, pool: PoolArrays) -> NDArray[np.float32] | None:
        """The verifier's scores of a pool, shape (P, S); None without."""
        return pool.scores.get(self.verifier)

    def within(self, sizes: Mapping[Mix, int]) -> Design:
        """The same for a smaller pool: of the grid what these sizes can give."""
        return replace(self, grid=within(self.grid, sizes))


def within(grid: Grid, sizes: Mapping[Mix, int]) -> Grid:
    """What of the grid a pool of these sizes can give; modes without any n are left out."""
    shorter = {mix: [n for n in ns if n <= sizes.get(mix, 0)] for mix, ns in grid.items()}
    return {mix: ns for mix, ns in shorter.items() if ns}


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


def with_votes(design: Design, pool: PoolArrays, tune: PoolArrays | None = None) -> Design:
    """The design with the vote that each rule is at each n: as configured, or best elsewhere.

    `tune`: held-out problems to choose by; None: cross-fitting (selection/tuning.py). Raises
    `UserError` where there are too few problems for that, or a mode is missing in `tune`.
    """
    config, problems = design.config, len(pool.problem_ids)
    rules = {
        name: vote
        for name, vote in votes_of(config).items()
        if name in design.rules and name != "best_of_n"
    }
    auto = {"k": config.k == "auto", "temperature": config.softmax_temperature == "auto"}
    folds = fold_of(problems, config.seed) if tune is None else np.zeros(problems, np.intp)
    source = pool if tune is None else tune
    votes: dict[Cell, FoldVotes] = {}
    for mix, ns in design.grid.items():
        asked = {
            n: {name: variants(vote, n, **auto) for name, vote in rules.items()}
            for n in ns
            if n > 1
        }
        tried = {
            n: {vote: vote for choices in named.values() if len(choices) > 1 for vote in choices}
            for n, named in asked.items()
        }
        if any(tried.values()):
            _check_source(source, mix, cross=tune is None)
        estimates = estimate(
            source,
            {n: choices for n, choices in tried.items() if choices},
            config.draws,
            config.seed,
            mix=mix,
            scores=design.scores(source),
        )
        for n, named in asked.items():
            for name, choices in named.items():
                if len(choices) == 1:
                    votes[name, mix, n] = FoldVotes((choices[0],))
                    continue
                values = [estimates[vote, n].values for vote in choices]
                votes[name, mix, n] = choose(choices, values, None if tune else folds)
    return replace(design, votes=votes, folds=folds)


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


def measure(pool: PoolArrays, design: Design) -> Measured:
    """The accuracy of the design's rules at every n of its grid; "single" and "pass" always."""
    measured = Measured()
    per_problem, scores = measured.per_problem, design.scores(pool)
    highest = {name: by for name, by in orders(pool, scores).items() if name in design.rules}
    voting = [name for name in votes_of(design.config) if name in {*design.rules} - {*highest}]
    if "hybrid" in design.rules:
        per_problem["hybrid", "both", 2] = hybrid_at(pool)
    for mix, ns in design.grid.items():
        single = pass_at(pool, mix, 1)
        per_problem["single", mix, 1] = single
        for n in ns:
            per_problem["pass", mix, n] = pass_at(pool, mix, n)
        for name, by in highest.items():
            best = best_of_n_at(pool, by, mix, ns)
            for row, n in enumerate(ns):
                per_problem[name, mix, n] = best[row]
        if 1 in ns:
            # With one candidate there is nothing to choose: every rule is the single sample, and to
            # those that need scores one without a score is none.
            scored = single if scores is None else pass_at(_heard(pool, scores), mix, 1)
            for name in voting:
                per_problem[name, mix, 1] = single if name == "majority" else scored
        _add_votes(measured, pool, design, voting, mix)
    return measured


def _heard(pool: PoolArrays, scores: NDArray[Any]) -> PoolArrays:
    """The pool in which nothing without a score is right."""
    return replace(pool, labels=pool.labels & eligible(pool.classes, scores))


def _add_votes(
    measured: Measured, pool: PoolArrays, design: Design, names: Sequence[str], mix: Mix
) -> None:
    """Adds the estimates of the votes `names` for these modes."""
    cells: list[Cell] = [(name, mix, n) for n in design.grid[mix] if n > 1 for name in names]
    asked: dict[int, dict[Vote, Vote]] = {}
    for cell in cells:
        asked.setdefault(cell[2], {}).update({vote: vote for vote in design.votes[cell].votes})
    config = design.config
    estimates = estimate(
        pool,
        asked,
        config.draws,
        config.seed,
        mix=mix,
        scores=design.scores(pool),
        error=config.error,
    )
    for cell in cells:
        chosen = design.votes[cell]
        result = chosen.combine(
            design.folds, {vote: estimates[vote, cell[2]] for vote in chosen.votes}
        )
        measured.per_problem[cell] = result.values
        measured.errors[cell], measured.draws[cell] = result.error, result.draws

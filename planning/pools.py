"""The pool that a verifier learns from or scores: as a run holds it, or as it will be sampled.

pool = pool_of_runs(["runs/pool"])
pool.problems, pool.modes, pool.lengths.solutions["cot"], pool.longest
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.planning.workload import Lengths
from assay.problems.problem import MODES

if TYPE_CHECKING:
    from assay.pools.run import Run

__all__ = ["Pool", "pool_of_runs"]

# Of reference solutions, which no generator has counted.
_CHARACTERS_A_TOKEN = 3.5


@dataclass(frozen=True)
class Pool:
    """`problems` with so many samples each by mode, and their mean lengths.

    `reference`: mean tokens of a problem's reference solutions together, 0 where it has none.
    `longest`: tokens of the longest solution.
    """

    problems: float
    modes: dict[str, float]
    lengths: Lengths
    reference: float
    longest: float

    @property
    def prompt(self) -> float:
        """Mean tokens of the prompt of a candidate."""
        return self.lengths.mean_prompt(self.modes)

    @property
    def solution(self) -> float:
        """Mean tokens of a candidate."""
        return self.lengths.mean_solution(self.modes)


def pool_of_runs(paths: Sequence[str], origins: Sequence[str] = ()) -> Pool:
    """What the candidates of these runs are together, by the tokens of who wrote them.

    Those of `origins` alone where some are given. Raises `UserError` where one is no run, and where
    there are no candidates.
    """
    from assay.pools.run import Run
    from assay.settings.errors import UserError

    runs = [Run.open(path) for path in paths]
    written: dict[str, list[np.ndarray]] = defaultdict(list)
    asked: dict[str, list[np.ndarray]] = defaultdict(list)
    for run in runs:
        for part in run.parts("candidates"):
            if origins and part.origin not in origins:
                continue
            table = run.read("candidates", part, ["tokens", "prompt_tokens"])
            written[part.mode].append(table["tokens"].to_numpy())
            asked[part.mode].append(table["prompt_tokens"].to_numpy())
    tokens = {str(mode): np.concatenate(written[mode]) for mode in MODES if written[mode]}
    if not tokens:
        raise UserError(f"pools: {', '.join(paths)}: no candidates there")
    problems = len({problem.question for run in runs for problem in run.problems})
    solutions = {mode: _mean(own) for mode, own in tokens.items()}
    prompts = {mode: _mean(np.concatenate(asked[mode])) for mode in tokens}
    return Pool(
        problems,
        {mode: len(own) / problems for mode, own in tokens.items()},
        Lengths(prompts, solutions),
        _references(runs),
        max(float(own.max()) for own in tokens.values()),
    )


def _mean(tokens: np.ndarray) -> float:
    """The mean of what is known: imported candidates may not tell (−1)."""
    known = tokens[tokens > 0]
    return float(known.mean()) if len(known) else 1.0


def _references(runs: Sequence[Run]) -> float:
    """Tokens of a problem's reference solutions of one mode, on average over problems and modes."""
    lengths = Counter[str]()
    problems = 0
    for run in runs:
        problems += len(run.problems)
        for problem in run.problems:
            for solution in problem.solutions:
                lengths[solution.mode] += len(solution.text)
    each = [length / _CHARACTERS_A_TOKEN / max(1, problems) for length in lengths.values()]
    return sum(each) / len(each) if each else 0.0

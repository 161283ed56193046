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
    from assay.pools.run import Part, Run

__all__ = ["Pool", "pool_of_runs"]

# Of what no generator has counted: reference solutions, and candidates from elsewhere.
_CHARACTERS_A_TOKEN = 3.5
# What a prompt has besides the question.
_FORM = 24


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
            written[part.mode].append(_tokens(run, part))
            prompts_read = run.read("candidates", part, ["prompt_tokens"])["prompt_tokens"]
            asked[part.mode].append(_known(prompts_read.to_numpy(), _prompt(run)))
    tokens = {str(mode): np.concatenate(written[mode]) for mode in MODES if written[mode]}
    if not tokens:
        raise UserError(f"pools: {', '.join(paths)}: no candidates there")
    problems = len({problem.question for run in runs for problem in run.problems})
    solutions = {mode: float(own.mean()) for mode, own in tokens.items()}
    prompts = {mode: float(np.concatenate(asked[mode]).mean()) for mode in tokens}
    return Pool(
        problems,
        {mode: len(own) / problems for mode, own in tokens.items()},
        Lengths(prompts, solutions),
        _references(runs),
        max(float(own.max()) for own in tokens.values()),
    )


def _tokens(run: Run, part: Part) -> np.ndarray:
    """Tokens of the candidates of a part; of imported ones that do not tell, by their texts."""
    tokens = run.read("candidates", part, ["tokens"])["tokens"].to_numpy()
    if (tokens > 0).all():
        return tokens
    texts = run.read("candidates", part, ["text"])["text"].to_pylist()
    return _known(tokens, np.array([len(text) for text in texts]) / _CHARACTERS_A_TOKEN)


def _prompt(run: Run) -> float:
    """Tokens of a prompt where nobody counted them."""
    mean = sum(len(problem.question) for problem in run.problems) / len(run.problems)
    return mean / _CHARACTERS_A_TOKEN + _FORM


def _known(tokens: np.ndarray, otherwise: np.ndarray | float) -> np.ndarray:
    return np.where(tokens > 0, tokens, otherwise)


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

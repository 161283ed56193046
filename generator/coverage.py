"""Coverage: the share of held-out problems that at least one of n samples solves (pass@n).

A verifier lives on coverage: it can only choose what was sampled. Greedy accuracy keeps rising with
more epochs when coverage already falls (Cobbe et al. 2021, arXiv 2110.14168, section 4.1 and
figure 3), so the epoch to keep is chosen by coverage.

    config = CoverageConfig(samples=16)
    measured = measure_coverage(engine, prompter, problems, ["cot", "pot"], config)
    measured.coverage, measured.accuracy
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from assay.generator.candidates import sample_candidates
from assay.generator.engines import Engine, SamplingParams
from assay.pools.grading import grade_candidates
from assay.problems.problem import Problem
from assay.problems.prompts import Prompter
from assay.sandbox import Sandbox
from assay.settings.errors import UserError

__all__ = ["Coverage", "CoverageConfig", "measure_coverage"]


@dataclass
class CoverageConfig:
    """How coverage is measured after each epoch (an OmegaConf schema)."""

    problems: int = 0
    """held-out problems to measure on; 0 = measure nothing and keep the last epoch"""
    samples: int = 16
    """samples per problem and mode"""
    temperature: float = 0.7
    max_new_tokens: int = 400

    def check(self) -> None:
        """Raises `UserError` naming the field that is out of range."""
        if self.problems < 0:
            raise UserError(f"coverage.problems={self.problems}: expected 0 or more")
        if self.samples < 1:
            raise UserError(f"coverage.samples={self.samples}: expected 1 or more")


@dataclass(frozen=True)
class Coverage:
    """`coverage`: share of problems with a right sample; `accuracy`: share of right samples."""

    coverage: float
    accuracy: float
    problems: int
    samples: int


def measure_coverage(
    engine: Engine,
    prompter: Prompter,
    problems: Sequence[Problem],
    modes: Sequence[str],
    config: CoverageConfig,
) -> Coverage:
    """Samples every problem in every mode and grades as the stage `grade` does.

    The random numbers depend on the problem alone: every epoch is measured with the same ones.
    """
    params = SamplingParams(temperature=config.temperature, max_new_tokens=config.max_new_tokens)
    counts = dict.fromkeys(modes, config.samples)
    candidates = list(sample_candidates(engine, prompter, problems, counts, params))
    with Sandbox() if "pot" in modes else contextlib.nullcontext() as sandbox:
        graded = grade_candidates(problems, candidates, sandbox)
    solved = {c.problem_id for c, g in zip(candidates, graded, strict=True) if g.label}
    return Coverage(
        coverage=len(solved) / len(problems),
        accuracy=sum(bool(g.label) for g in graded) / len(graded),
        problems=len(problems),
        samples=config.samples * len(modes),
    )

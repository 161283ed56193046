"""Coverage: the share of held-out problems that at least one of n samples solves (pass@n).

A verifier lives on coverage: it can only choose what was sampled. Greedy accuracy keeps rising with
more epochs when coverage already falls (Cobbe et al. 2021, arXiv 2110.14168, section 4.1 and
figure 3), so the epoch to keep is chosen by coverage.

    found = measure_coverage(engine, prompter, problems, ["cot", "pot"], CoverageConfig(samples=16))
    found.coverage, found.accuracy
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass

from assay.generator.engines import Completion, Engine, Request, SamplingParams
from assay.problems.answers import convention_of, extract, extract_output, label
from assay.problems.problem import Mode, Problem
from assay.problems.programs import program_text
from assay.problems.prompts import Prompter
from assay.sandbox import Sandbox, clean_program
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
    """Samples every problem in every mode and grades strictly.

    The random numbers depend on the problem alone: every epoch is measured with the same ones.
    """
    asked = [(p, typing.cast(Mode, mode)) for p in problems for mode in modes]
    requests = [
        Request(prompter.ids(problem, mode), config.samples, f"{problem.id}/{mode}")
        for problem, mode in asked
    ]
    params = SamplingParams(temperature=config.temperature, max_new_tokens=config.max_new_tokens)
    completions = list(engine.sample(requests, params))
    right = _labels(completions, asked, prompter)
    solved = {asked[c.request][0].id for c, good in zip(completions, right, strict=True) if good}
    return Coverage(
        coverage=len(solved) / len(problems),
        accuracy=sum(right) / len(right),
        problems=len(problems),
        samples=config.samples * len(modes),
    )


def _labels(
    completions: Sequence[Completion], asked: Sequence[tuple[Problem, Mode]], prompter: Prompter
) -> list[bool]:
    """Whether each completion's answer is right. Programs are run."""
    texts = [prompter.candidate_text(asked[c.request][1], c.text) for c in completions]
    programs = [i for i, c in enumerate(completions) if asked[c.request][1] == "pot"]
    outputs: dict[int, str] = {}
    if programs:
        with Sandbox() as sandbox:
            outcomes = sandbox.run([clean_program(program_text(texts[i])) for i in programs])
        ran = zip(programs, outcomes, strict=True)
        outputs = {i: outcome.output for i, outcome in ran if outcome.status == "ok"}
    labels = []
    for i, completion in enumerate(completions):
        problem, mode = asked[completion.request]
        if mode == "cot":
            answer = extract(texts[i], problem.options).answer
        else:
            answer = extract_output(outputs[i], problem.options).answer if i in outputs else None
        labels.append(
            label(
                answer,
                problem.answer,
                problem.options,
                convention=convention_of(problem.convention),
            )
            is True
        )
    return labels

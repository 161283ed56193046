"""The stages `train-generator` and `train-verifier`.

    assay train-generator runs/g problems=gsm8k model=models/smollm2-135m-instruct
    assay train-verifier runs/v pools=[runs/train] model.base=runs/g

A verifier learns from graded runs; several can be mixed (other temperatures, other checkpoints of
the generator), as TinyGSM does (Liu et al. 2023, arXiv 2312.09241).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from generator.train import TrainGeneratorConfig, train_generator
from problems.calculator import strip_annotations
from problems.errors import UserError
from problems.problem import Problem, Solution
from problems.prompts import PromptConfig
from problems.sets import ProblemsConfig, load_problems
from search.results import load_frame
from search.runs import Run
from search.sampling import prompt_of
from search.settings import fields_of
from verifier.config import TrainVerifierConfig
from verifier.data import LabelledCandidate, VerifierProblem
from verifier.train import train_verifier

__all__ = ["GeneratorStage", "VerifierStage", "run_generator", "run_verifier", "training_pool"]


@dataclass
class GeneratorStage(TrainGeneratorConfig):
    """What `assay train-generator` reads."""

    problems: ProblemsConfig = field(default_factory=ProblemsConfig)
    """problems with reference solutions to learn from"""
    validation: ProblemsConfig = field(default_factory=lambda: ProblemsConfig(name=""))
    """held-out problems by whose coverage the epoch is chosen"""


def run_generator(config: GeneratorStage) -> None:
    """`assay train-generator`."""
    problems = load_problems(config.problems)
    validation = load_problems(config.validation) if config.validation.name else []
    path = train_generator(fields_of(TrainGeneratorConfig, config), problems, validation)
    print(f"generator written to {path}")


@dataclass
class VerifierStage(TrainVerifierConfig):
    """What `assay train-verifier` reads."""

    pools: list[str] = field(default_factory=list)
    """graded runs to learn from"""
    annotations: str = "keep"
    """calculator annotations in the reference solutions: keep | strip, as the base was trained"""
    prompt: PromptConfig = field(default_factory=lambda: PromptConfig(form="auto"))
    """form auto: the one that the base was made for, else its chat template, else alpaca"""


def run_verifier(config: VerifierStage) -> None:
    """`assay train-verifier`."""
    if not config.pools:
        raise UserError("pools: expected at least one graded run, for example pools=[runs/train]")
    data = training_pool([Run.open(path) for path in config.pools], config.annotations)
    training = fields_of(TrainVerifierConfig, config)
    training.prompt = prompt_of(config.model.base, config.prompt)
    path = train_verifier(training, data)
    print(f"verifier written to {path}")


def training_pool(runs: Sequence[Run], annotations: str) -> list[VerifierProblem]:
    """The graded candidates of one or more runs, by problem, in the order of the runs.

    `annotations` ("keep" or "strip") should be what the generator was trained with: a language
    model's loss on text of another form would first undo what the generator knows. Raises
    `UserError` where no candidate has a label.
    """
    if annotations not in ("keep", "strip"):
        raise UserError(f"annotations={annotations}: expected keep or strip")
    found: dict[tuple[str, str], tuple[Problem, list[LabelledCandidate]]] = {}
    for run in runs:
        by_id = {
            problem.id: _stripped(problem) if annotations == "strip" else problem
            for problem in run.problems
        }
        frame = load_frame(run, texts=True)
        labelled = frame["label"].notna()
        for problem_id, mode, text, label, output in zip(
            *(frame[labelled][name] for name in ("problem_id", "mode", "text", "label", "output")),
            strict=True,
        ):
            problem = by_id[problem_id]
            own = found.setdefault((problem.id, problem.question), (problem, []))
            own[1].append(
                LabelledCandidate(problem.id, mode, text, label=bool(label), output=output)
            )
    if not any(candidates for _, candidates in found.values()):
        names = ", ".join(str(run.path) for run in runs)
        raise UserError(f"{names}: no candidate has a label; the problems need reference answers")
    return [VerifierProblem(problem, candidates) for problem, candidates in found.values()]


def _stripped(problem: Problem) -> Problem:
    solutions = tuple(Solution(s.mode, strip_annotations(s.text)) for s in problem.solutions)
    return dataclasses.replace(problem, solutions=solutions)

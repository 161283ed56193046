"""The stages `train-generator` and `train-verifier`.

    assay train-generator runs/g problems=gsm8k model=models/smollm2-135m-instruct
    assay train-verifier runs/v pools=[runs/train] model.base=runs/g

A verifier learns from graded runs. Candidates of other temperatures and of other checkpoints of the
generator can be mixed, as TinyGSM does (Liu et al. 2023, arXiv 2312.09241): in one run
(`search/stages/mixture.py`) or by several runs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from assay.generator.train import TrainGeneratorConfig, train_generator
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.problems.answers import classes
from assay.problems.calculator import strip_annotations
from assay.problems.mathinstruct import told_sources
from assay.problems.problem import Problem, Solution
from assay.problems.prompts import PromptConfig
from assay.problems.sets import ProblemsConfig, load_problems
from assay.search.stages.contamination import ContaminationConfig, checked
from assay.search.stages.sample import prompt_of
from assay.settings.errors import UserError
from assay.settings.schema import fields_of
from assay.verifier.config import TrainVerifierConfig
from assay.verifier.data import LabelledCandidate, VerifierProblem
from assay.verifier.train import train_verifier
from assay.verifier.validate import validation_table

__all__ = [
    "GeneratorStage",
    "VerifierStage",
    "run_generator",
    "run_verifier",
    "training_pool",
    "training_summary",
]


@dataclass
class GeneratorStage(TrainGeneratorConfig):
    """What `assay train-generator` reads."""

    problems: ProblemsConfig = field(default_factory=ProblemsConfig)
    """problems with reference solutions to learn from"""
    validation: ProblemsConfig = field(default_factory=lambda: ProblemsConfig(name=""))
    """held-out problems by whose coverage the epoch is chosen"""
    contamination: ContaminationConfig = field(default_factory=ContaminationConfig)
    """told before training: questions of evaluation sets among the problems"""


def run_generator(config: GeneratorStage) -> None:
    """`assay train-generator`."""
    problems = checked(load_problems(config.problems), config.contamination)
    first = os.environ.get("RANK", "0") == "0"
    if first:
        print(told_sources(problems), end="", file=sys.stderr)
    validation = load_problems(config.validation) if config.validation.name else []
    path = train_generator(fields_of(TrainGeneratorConfig, config), problems, validation)
    if first:
        print(f"generator written to {path}")


@dataclass
class VerifierStage(TrainVerifierConfig):
    """What `assay train-verifier` reads."""

    pools: list[str] = field(default_factory=list)
    """graded runs to learn from"""
    origins: list[str] = field(default_factory=list)
    """members of their mixtures to learn from; empty = all"""
    annotations: str = "keep"
    """calculator annotations in the reference solutions: keep | strip, as the base was trained"""
    prompt: PromptConfig = field(default_factory=lambda: PromptConfig(form="auto"))
    """form auto: the one that the base was made for, else its chat template, else alpaca"""


def run_verifier(config: VerifierStage) -> None:
    """`assay train-verifier`."""
    if not config.pools:
        raise UserError("pools: expected at least one graded run, for example pools=[runs/train]")
    data = training_pool(
        [Run.open(path) for path in config.pools], config.annotations, config.origins
    )
    training = fields_of(TrainVerifierConfig, config)
    training.prompt = prompt_of(config.model.base, config.prompt)
    path = train_verifier(training, data)
    print(training_summary(path), end="")
    print(f"verifier written to {path}")


def training_summary(path: Path) -> str:
    """What validation measured of a finished verifier and which step was kept, in lines."""
    file = path / "assay.json"
    if not file.exists():  # the main process of a training on another machine has it
        return ""
    record = json.loads(file.read_text(encoding="utf-8"))
    kept = record["kept"]
    table = validation_table(record["validations"], kept["step"])
    return f"{table}\n" * bool(table) + f"kept: step {kept['step']}, {kept['why']}\n"


def training_pool(
    runs: Sequence[Run], annotations: str, origins: Sequence[str] = ()
) -> list[VerifierProblem]:
    """The graded candidates of one or more runs, by problem, in the order of the runs.

    Those of `origins` alone where some are given.

    `annotations` ("keep" or "strip") should be what the generator was trained with: a language
    model's loss on text of another form would first undo what the generator knows. Raises
    `UserError` for an origin that no run has, and where no candidate has a label.
    """
    if annotations not in ("keep", "strip"):
        raise UserError(f"annotations={annotations}: expected keep or strip")
    found: dict[tuple[str, str], tuple[Problem, list[LabelledCandidate]]] = {}
    sources: dict[tuple[str, str], list[_Source]] = {}
    seen: set[str] = set()
    columns = ("problem_id", "mode", "text", "label", "output", "answer", "answer_class")
    for number, run in enumerate(runs):
        by_id = {
            problem.id: _stripped(problem) if annotations == "strip" else problem
            for problem in run.problems
        }
        frame = load_frame(run, texts=True)
        seen |= set(frame["origin"])
        kept = frame["label"].notna() & (frame["origin"].isin(origins) | (not origins))
        for problem_id, mode, text, label, output, answer, own_class in zip(
            *(frame[kept][name] for name in columns), strict=True
        ):
            problem = by_id[problem_id]
            key = (problem.id, problem.question)
            found.setdefault(key, (problem, []))[1].append(
                LabelledCandidate(problem.id, mode, text, bool(label), output, own_class)
            )
            sources.setdefault(key, []).append(_Source(number, own_class, answer))
    for origin in origins:
        if origin not in seen:
            known = ", ".join(sorted(filter(None, seen))) or "none"
            raise UserError(f"origins: no candidates of {origin!r}; found {known}")
    if not any(candidates for _, candidates in found.values()):
        names = ", ".join(str(run.path) for run in runs)
        raise UserError(f"{names}: no candidate has a label; the problems need reference answers")
    return [
        VerifierProblem(problem, _of_one_class(problem, candidates, sources[key]))
        for key, (problem, candidates) in found.items()
    ]


class _Source(NamedTuple):
    """Where a candidate comes from: the run's number, its answer class there, its answer."""

    run: int
    answer_class: int
    answer: str | None


def _of_one_class(
    problem: Problem, candidates: list[LabelledCandidate], sources: Sequence[_Source]
) -> list[LabelledCandidate]:
    """Makes classes, which count within a problem of a run, count over the runs.

    One representative of each run's class is enough: what is equivalent in a run has been found.
    """
    if len({source.run for source in sources}) < 2:
        return candidates
    heads: dict[tuple[int, int], str | None] = {}
    for run, own_class, answer in sources:
        if own_class >= 0:
            heads.setdefault((run, own_class), answer)
    merged = dict(zip(heads, classes(list(heads.values()), problem.options), strict=True))
    return [
        dataclasses.replace(candidate, answer_class=merged.get((run, own_class), -1))
        for candidate, (run, own_class, _) in zip(candidates, sources, strict=True)
    ]


def _stripped(problem: Problem) -> Problem:
    solutions = tuple(Solution(s.mode, strip_annotations(s.text)) for s in problem.solutions)
    return dataclasses.replace(problem, solutions=solutions)

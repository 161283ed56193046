"""The commands `train-generator` and `train-verifier`.

    assay train-generator runs/g problems=gsm8k model=models/smollm2-135m-instruct
    assay train-generator runs/g2 problems=gsm8k model=… pools=[runs/train]
    assay train-verifier runs/v pools=[runs/train] model.base=runs/g

A generator learns from reference solutions, and from the right candidates of graded runs
(`generator/rejection.py`). A verifier learns from graded runs. Candidates of other temperatures and
of other checkpoints of the generator can be mixed, as TinyGSM does (Liu et al. 2023, arXiv
2312.09241): in one run (`search/stages/mixture.py`) or by several runs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.generator.parallel import OURS as GENERATOR_KEYS
from assay.generator.rejection import RejectionConfig, Sampled, pool_problems, take
from assay.generator.train import TrainGeneratorConfig, train_generator
from assay.generator.train import left_to_train as generator_left
from assay.pools.frame import joined_classes, load_frame
from assay.pools.run import Run
from assay.problems.calculator import strip_annotations
from assay.problems.mathinstruct import told_sources
from assay.problems.problem import Problem, Solution
from assay.problems.prompts import PromptConfig
from assay.problems.sets import ProblemsConfig, load_problems
from assay.search.launch.config import TrainingLauncherConfig
from assay.search.launch.slurm_training import submit_training
from assay.search.stages.checks import check_division, check_prompt
from assay.search.stages.contamination import ContaminationConfig, checked
from assay.search.stages.sample import prompt_of
from assay.settings.errors import UserError
from assay.settings.schema import fields_of
from assay.verifier.config import TrainVerifierConfig
from assay.verifier.data import LabelledCandidate, VerifierProblem
from assay.verifier.parallel import OURS as VERIFIER_KEYS
from assay.verifier.train import left_to_train as verifier_left
from assay.verifier.train import train_verifier
from assay.verifier.validate import overlong_line, validation_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "GeneratorTrainingConfig",
    "VerifierTrainingConfig",
    "reference_problems",
    "run_generator",
    "run_verifier",
    "training_pool",
    "training_summary",
]


@dataclass
class GeneratorTrainingConfig(TrainGeneratorConfig, TrainingLauncherConfig):
    """What `assay train-generator` reads."""

    problems: ProblemsConfig = field(default_factory=lambda: ProblemsConfig(name=""))
    """problems with reference solutions to learn from; name empty = those of the pools, without
    pools gsm8k"""
    pools: list[str] = field(default_factory=list)
    """graded runs of training problems, whose right candidates are learnt too"""
    rejection: RejectionConfig = field(default_factory=RejectionConfig)
    """with pools: which of their right candidates are learnt (rejection sampling, RFT)"""
    validation: ProblemsConfig = field(default_factory=lambda: ProblemsConfig(name=""))
    """held-out problems whose coverage decides which epoch is kept"""
    contamination: ContaminationConfig = field(default_factory=ContaminationConfig)
    """reported before training: questions of evaluation sets that occur among the problems"""


def run_generator(config: GeneratorTrainingConfig) -> str | None:
    """`assay train-generator`; returns the id of the Slurm job that does it, if one does."""
    config.check_launcher()
    problems, sampled = _learnt(config)
    first = os.environ.get("RANK", "0") == "0"
    if first:
        print(told_sources(problems), end="", file=sys.stderr)
        print(sampled.summary if sampled else "", end="", file=sys.stderr)
    validation = load_problems(config.validation) if config.validation.name else []
    training = fields_of(TrainGeneratorConfig, config)
    if config.launcher == "slurm":
        check_division(config, GENERATOR_KEYS)
        processes = config.slurm.nodes * max(1, config.slurm.gpus)
        left = partial(generator_left, training, problems, validation, processes, sampled)
        return submit_training("train-generator", config.output, config, left)
    path = train_generator(training, problems, validation, sampled)
    if first:
        print(f"generator written to {path}")
    return None


def reference_problems(config: GeneratorTrainingConfig) -> ProblemsConfig | None:
    """The problem set with the references; `None` = the problems of the pools."""
    if config.problems.name:
        return config.problems
    if config.pools and not config.problems.path:
        return None
    return dataclasses.replace(config.problems, name="gsm8k")


def _learnt(config: GeneratorTrainingConfig) -> tuple[list[Problem], Sampled | None]:
    """Problems with references, and what is taken of the pools, both without contamination."""
    asked = reference_problems(config)
    if not config.pools:
        assert asked is not None
        return checked(load_problems(asked), config.contamination), None
    config.rejection.check()
    runs = [Run.open(path) for path in config.pools]
    pooled = pool_problems(runs, config.rejection)
    problems = pooled if asked is None else load_problems(asked)
    questions = {problem.question for problem in problems}
    more = [problem for problem in pooled if problem.question not in questions]
    clean = {p.question for p in checked([*problems, *more], config.contamination)}
    problems = [problem for problem in problems if problem.question in clean]
    return problems, take(runs, config.rejection, problems, clean)


@dataclass
class VerifierTrainingConfig(TrainVerifierConfig, TrainingLauncherConfig):
    """What `assay train-verifier` reads."""

    pools: list[str] = field(default_factory=list)
    """graded runs to learn from"""
    origins: list[str] = field(default_factory=list)
    """members of their mixtures to learn from; empty = all"""
    annotations: str = "keep"
    """calculator annotations in the reference solutions: keep | strip, as the base was trained"""
    prompt: PromptConfig = field(default_factory=lambda: PromptConfig(form="auto"))
    """form auto: the one that the base was made for, else its chat template, else alpaca"""


def run_verifier(config: VerifierTrainingConfig) -> str | None:
    """`assay train-verifier`; returns the id of the Slurm job that does it, if one does."""
    config.check_launcher()
    if not config.pools:
        raise UserError("pools: expected at least one graded run, for example pools=[runs/train]")
    data = training_pool(
        [Run.open(path) for path in config.pools], config.annotations, config.origins
    )
    training = fields_of(TrainVerifierConfig, config)
    training.prompt = prompt_of(config.model.base, config.prompt)
    if config.launcher == "slurm":
        check_division(config, VERIFIER_KEYS)
        check_prompt(training.prompt, config.model.base)
        left = partial(verifier_left, training, data)
        return submit_training("train-verifier", config.output, config, left)
    path = train_verifier(training, data)
    print(training_summary(path), end="")
    print(f"verifier written to {path}")
    return None


def training_summary(path: Path) -> str:
    """What validation measured of a finished verifier and which step was kept, in lines."""
    file = path / "assay.json"
    if not file.exists():  # the main process of a training on another machine has it
        return ""
    record = json.loads(file.read_text(encoding="utf-8"))
    kept = record["kept"]
    long = overlong_line(record.get("data", {}), record.get("config", {}).get("overlong", ""))
    table = validation_table(record["validations"], kept["step"])
    return long + f"{table}\n" * bool(table) + f"kept: step {kept['step']}, {kept['why']}\n"


def training_pool(
    runs: Sequence[Run],
    annotations: str,
    origins: Sequence[str] = (),
    frames: Sequence[pd.DataFrame] | None = None,
) -> list[VerifierProblem]:
    """The graded candidates of one or more runs, by problem, in the order of the runs.

    Those of `origins` alone where some are given. `frames` are what `load_frame` gave of the runs,
    with texts; they are read where they are not given.

    `annotations` ("keep" or "strip") should be what the generator was trained with: a language
    model's loss on text of another form would first undo what the generator knows. Raises
    `UserError` for an origin that no run has, and where no candidate has a label.
    """
    if annotations not in ("keep", "strip"):
        raise UserError(f"annotations={annotations}: expected keep or strip")
    collected: dict[tuple[str, str], _Collected] = {}
    seen: set[str] = set()
    for number, run in enumerate(runs):
        by_id = {
            problem.id: _stripped(problem) if annotations == "strip" else problem
            for problem in run.problems
        }
        frame = load_frame(run, texts=True) if frames is None else frames[number]
        seen |= set(frame["origin"])
        kept = frame["label"].notna() & (frame["origin"].isin(origins) | (not origins))
        for row in frame.loc[kept, _COLUMNS].itertuples(index=False):
            problem = by_id[str(row.problem_id)]
            key = (problem.id, problem.question)
            collected.setdefault(key, _Collected(problem)).add(number, row)
    for origin in origins:
        if origin not in seen:
            known = ", ".join(sorted(filter(None, seen))) or "none"
            raise UserError(f"origins: no candidates of {origin!r}; found {known}")
    if not collected:
        names = ", ".join(str(run.path) for run in runs)
        raise UserError(f"{names}: no candidate has a label; the problems need reference answers")
    return [VerifierProblem(each.problem, each.labelled()) for each in collected.values()]


_COLUMNS = ["problem_id", "mode", "text", "label", "output", "answer", "answer_class"]


@dataclass
class _Collected:
    """A problem's candidates of all runs: the run's number, its class there, its answer."""

    problem: Problem
    candidates: list[LabelledCandidate] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)

    def add(self, run: int, row: Any) -> None:
        """Takes a row of the frame of a run."""
        self.candidates.append(
            LabelledCandidate(
                self.problem.id, row.mode, row.text, bool(row.label), row.output, row.answer_class
            )
        )
        self.runs.append(run)
        self.answers.append(row.answer)

    def labelled(self) -> list[LabelledCandidate]:
        """The candidates, with classes that hold over all runs."""
        numbers = [candidate.answer_class for candidate in self.candidates]
        joined = joined_classes(self.runs, numbers, self.answers, self.problem.options)
        return [
            dataclasses.replace(candidate, answer_class=number)
            for candidate, number in zip(self.candidates, joined, strict=True)
        ]


def _stripped(problem: Problem) -> Problem:
    solutions = tuple(Solution(s.mode, strip_annotations(s.text)) for s in problem.solutions)
    return dataclasses.replace(problem, solutions=solutions)

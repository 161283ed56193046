"""The whole loop, as one configuration describes it: `assay run CONFIG.yaml`, `assay quickstart`.

    fine-tune the generator            OUTPUT/generator
    sample and grade, for training     OUTPUT/train          (a run)
    train the verifier                 OUTPUT/verifier
    sample, grade and score each test  OUTPUT/TEST           (a run each)
    evaluate and report                OUTPUT/TEST/report

Every step is the stage that its own command runs, on the same folders: what is there is kept, so a
loop that was interrupted goes on where it was, and any step can be repeated or changed by hand.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from generator.engines import EngineConfig, SamplingParams
from generator.models import ModelConfig
from generator.train import TrainGeneratorConfig, train_generator
from problems.errors import UserError
from problems.places import local_folder
from problems.problem import Problem
from problems.prompts import PromptConfig
from problems.sets import ProblemsConfig, load_problems
from sandbox import Limits
from search import report, results
from search.evaluate import EvaluateConfig
from search.grading import GradeConfig, grade
from search.runs import Run
from search.sampling import SampleConfig, prompt_of, sample
from search.scoring import ScoreStage, score
from search.training import training_pool
from verifier.config import ScoreConfig, TrainVerifierConfig, VerifierModelConfig
from verifier.train import train_verifier

__all__ = [
    "PipelineConfig",
    "Split",
    "fine_tune",
    "grade_split",
    "refuse_leaks",
    "run",
    "sample_split",
    "split_of",
    "verifier_training",
]


@dataclass
class Split:
    """Which part of the problem set a step works on."""

    split: str = "train"
    """name of the split"""
    limit: int = 0
    """take so many problems; 0 = all"""
    offset: int = 0
    """skip so many first"""
    shuffle: bool = False
    """shuffle before taking"""


@dataclass
class PipelineConfig:
    """What `assay run` and `assay quickstart` read."""

    output: str = ""
    """folder of everything that is made"""
    problems: ProblemsConfig = field(default_factory=ProblemsConfig)
    """the problem set; which of its problems a step takes is said by the splits below"""
    train: Split = field(default_factory=Split)
    """problems that the generator is fine-tuned on"""
    validation: Split = field(default_factory=lambda: Split(limit=0))
    """held-out problems by whose coverage the generator's epoch is chosen (generator.coverage)"""
    generator: TrainGeneratorConfig = field(default_factory=TrainGeneratorConfig)
    pool: Split = field(default_factory=Split)
    """problems whose candidates the verifier is trained on"""
    pool_modes: dict[str, int] = field(default_factory=lambda: {"cot": 50, "pot": 50})
    """samples of each of those in each mode"""
    pool_mixture: dict[str, Any] = field(default_factory=dict)
    """several origins of those, as `mixture` of assay sample; generators are the fine-tuned one
    unless a member names another"""
    verifier: TrainVerifierConfig = field(
        default_factory=lambda: TrainVerifierConfig(
            model=VerifierModelConfig(base=ModelConfig(name="")), prompt=PromptConfig(form="auto")
        )
    )
    """starts from the generator, and asks as it does, unless model.base and prompt say otherwise"""
    tests: dict[str, Split] = field(default_factory=lambda: {"test": Split(split="test")})
    """test sets by name"""
    modes: dict[str, int] = field(default_factory=lambda: {"cot": 32, "pot": 32})
    """samples of each test problem in each mode"""
    mixture: dict[str, Any] = field(default_factory=dict)
    """several origins of those, as `pool_mixture`"""
    sampling: SamplingParams = field(default_factory=SamplingParams)
    engine: EngineConfig = field(default_factory=EngineConfig)
    limits: Limits = field(default_factory=Limits)
    """of each program"""
    scoring: ScoreConfig = field(default_factory=ScoreConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    problems_per_part: int = 0
    """problems in one part, the unit of resuming; 0 = enough for about 512 samples"""
    workers: int = 0
    """local processes for sampling and scoring; 0 = one a core on a CPU, one on a GPU"""
    show: bool = True
    """end with one test problem being solved"""


def run(config: PipelineConfig) -> None:
    """Runs the whole loop, or what is left of it, and prints its table."""
    if not config.output:
        raise UserError("output: expected a folder, for example output=runs/first")
    if not config.tests:
        raise UserError("tests: expected at least one test set")
    output = local_folder(config.output, "output")
    refuse_leaks(config)
    steps = _Steps(4 + 3 * len(config.tests))

    generator = steps.do("fine-tune the generator", lambda: fine_tune(config))
    steps.do("sample for the verifier", lambda: sample_split(config, "train", generator))
    pool = steps.do("run programs and grade", lambda: grade_split(config, "train"))
    print(results.pool_line(pool))
    verifier = steps.do("train the verifier", lambda: _verifier(config, pool, generator))
    runs = {}
    for name in config.tests:
        steps.do(f"{name}: sample", partial(sample_split, config, name, generator))
        steps.do(f"{name}: run programs and grade", partial(grade_split, config, name))
        runs[name] = steps.do(f"{name}: score", partial(_score, config, name, verifier))
    for name, test in runs.items():
        print(f"\n{name}: {len(test.problems)} problems of {config.problems.name}\n")
        print(report.report_run(test, config.evaluate, title=f"{output.name}: {name}"))
    print()
    print(results.costs(output, runs))
    if config.show:
        first = next(iter(runs))
        print(f"\nOne problem of {first}, solved:\n")
        print(results.show_one(runs[first], config.evaluate))
    for test in runs.values():
        print(f"\nreport: {test.path / 'report' / 'index.html'}", end="")
    print(f'\nsolve:  assay solve generator={generator} verifier={verifier} "QUESTION"')


class _Steps:
    """Numbers the steps and says how long each took."""

    def __init__(self, count: int) -> None:
        self.count, self.number = count, 0

    def do(self, name: str, work: Callable[[], Any]) -> Any:
        self.number += 1
        label = f"[{self.number}/{self.count}] {name}"
        print(f"{label} …", flush=True)
        start = time.monotonic()
        value = work()
        print(f"{label}: {time.monotonic() - start:.0f} s", flush=True)
        return value


def split_of(config: PipelineConfig, split: Split) -> ProblemsConfig:
    """The problem set, and which of its problems `split` takes."""
    return dataclasses.replace(config.problems, **dataclasses.asdict(split))


def refuse_leaks(config: PipelineConfig) -> None:
    """Refuses tests that share a question with what is trained on."""
    trained = {
        problem.question
        for split in (config.train, config.pool)
        for problem in load_problems(split_of(config, split))
    }
    for name, split in config.tests.items():
        if name in ("generator", "verifier", "train"):
            raise UserError(f"tests.{name}: this name is taken; choose another")
        for problem in load_problems(split_of(config, split)):
            if problem.question in trained:
                raise UserError(f"tests.{name}: {problem.id} is among the training problems")


def fine_tune(config: PipelineConfig) -> Path:
    """Fine-tunes the generator; returns its folder."""
    validation: list[Problem] = []
    if config.validation.limit:
        validation = load_problems(split_of(config, config.validation))
    training = dataclasses.replace(config.generator, output=str(Path(config.output) / "generator"))
    return train_generator(training, load_problems(split_of(config, config.train)), validation)


def sample_split(config: PipelineConfig, name: str, generator: Path) -> Run:
    """Samples the candidates of "train" or of a test set, into OUTPUT/NAME."""
    split, modes, mixture = config.pool, config.pool_modes, config.pool_mixture
    if name != "train":
        split, modes, mixture = config.tests[name], config.modes, config.mixture
    return sample(
        SampleConfig(
            run=str(Path(config.output) / name),
            problems=split_of(config, split),
            generator=dataclasses.replace(config.generator.model, name=str(generator), revision=""),
            modes=modes,
            sampling=config.sampling,
            engine=config.engine,
            mixture=mixture,
            problems_per_part=config.problems_per_part,
            workers=config.workers,
        )
    )


def grade_split(config: PipelineConfig, name: str) -> Run:
    """Grades the candidates of OUTPUT/NAME."""
    return grade(GradeConfig(run=str(Path(config.output) / name), limits=config.limits))


def _verifier(config: PipelineConfig, pool: Run, generator: Path) -> Path:
    training = verifier_training(config, generator, Path(config.output) / "verifier")
    return train_verifier(training, training_pool([pool], config.generator.rationales.annotations))


def verifier_training(config: PipelineConfig, generator: Path, output: Path) -> TrainVerifierConfig:
    """The verifier's training, started from `generator` unless the configuration names a base."""
    model = config.verifier.model
    if not model.base.name:
        base = dataclasses.replace(model.base, name=str(generator))
        model = dataclasses.replace(model, base=base)
    prompt = prompt_of(model.base, config.verifier.prompt)
    return dataclasses.replace(config.verifier, model=model, prompt=prompt, output=str(output))


def _score(config: PipelineConfig, name: str, verifier: Path) -> Run:
    model = ModelConfig(name=str(verifier), device=config.generator.model.device)
    return score(
        ScoreStage(
            run=str(Path(config.output) / name),
            verifier=model,
            scoring=config.scoring,
            workers=config.workers,
        )
    )

"""What the whole loop reads: `assay run CONFIG.yaml`, `assay quickstart`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from assay.generator.engines import EngineConfig, SamplingParams
from assay.generator.models import ModelConfig
from assay.generator.train import TrainGeneratorConfig
from assay.problems.prompts import PromptConfig
from assay.problems.sets import ProblemsConfig
from assay.sandbox import Limits
from assay.search.stages.contamination import ContaminationConfig
from assay.selection.choosing import LEAST, ChooseConfig
from assay.selection.request import EvaluateConfig
from assay.settings.errors import UserError
from assay.verifier.config import ScoreConfig, TrainVerifierConfig, VerifierModelConfig
from assay.verifier.ranker.config import TrainRankerConfig, check_ranker

__all__ = ["HeldOut", "LoopConfig", "Split", "check_loop", "held_split", "split_of"]


@dataclass
class Split:
    """Which part of the problem set a step works on."""

    split: str = "train"
    """name of the split"""
    limit: int = 0
    """number of problems to take; 0 = all (of validation and held: none)"""
    offset: int = 0
    """number of problems to skip first"""
    shuffle: bool = False
    """shuffle before skipping and limiting"""


@dataclass
class HeldOut(Split):
    """The held-out problems by which the rule is chosen."""

    offset: int = -1
    """number of problems to skip first; -1 = those of the same split that other steps take"""


@dataclass
class LoopConfig:
    """What `assay run` and `assay quickstart` read."""

    output: str = ""
    """folder for everything that is written"""
    problems: ProblemsConfig = field(default_factory=ProblemsConfig)
    """the problem set; the splits below say which of its problems each step takes"""
    train: Split = field(default_factory=Split)
    """problems to fine-tune the generator on"""
    validation: Split = field(default_factory=lambda: Split(limit=0))
    """held-out problems whose coverage decides which epoch of the generator is kept; limit=0 = none
    """
    generator: TrainGeneratorConfig = field(default_factory=TrainGeneratorConfig)
    pool: Split = field(default_factory=Split)
    """problems to sample candidates from for training the verifier"""
    pool_modes: dict[str, int] = field(default_factory=lambda: {"cot": 50, "pot": 50})
    """samples per pool problem, by mode"""
    pool_mixture: dict[str, Any] = field(default_factory=dict)
    """several origins of these samples, as `mixture` of assay sample; members use the fine-tuned
    generator unless they name another"""
    verifier: TrainVerifierConfig = field(
        default_factory=lambda: TrainVerifierConfig(
            model=VerifierModelConfig(base=ModelConfig(name="")), prompt=PromptConfig(form="auto")
        )
    )
    """by default it starts from the generator and is prompted as it is (model.base, prompt)"""
    held: HeldOut = field(default_factory=HeldOut)
    """held-out problems that the rule is chosen by, and the ranker trained on; limit=0 = none"""
    held_modes: dict[str, int] = field(default_factory=dict)
    """samples per held-out problem, by mode; empty = as many as per test problem"""
    ranker: TrainRankerConfig = field(default_factory=TrainRankerConfig)
    """by default it reads the verifier, and is trained on the held-out problems (pools)"""
    train_ranker: bool = True
    """train a ranker, where there are held-out problems"""
    choose: ChooseConfig = field(default_factory=ChooseConfig)
    """how the rule is chosen that assay solve uses"""
    tests: dict[str, Split] = field(default_factory=lambda: {"test": Split(split="test")})
    """test sets by name"""
    contamination: ContaminationConfig = field(default_factory=ContaminationConfig)
    """reported before training: questions of the tests, and of the sets in against, that occur
    among the training problems"""
    modes: dict[str, int] = field(default_factory=lambda: {"cot": 32, "pot": 32})
    """samples per test problem, by mode"""
    mixture: dict[str, Any] = field(default_factory=dict)
    """several origins of the test candidates, like `pool_mixture`"""
    sampling: SamplingParams = field(default_factory=SamplingParams)
    engine: EngineConfig = field(default_factory=EngineConfig)
    limits: Limits = field(default_factory=Limits)
    """limits on each program"""
    scoring: ScoreConfig = field(default_factory=ScoreConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    problems_per_part: int = 0
    """problems per part, the unit of resuming; 0 = enough for about 512 samples"""
    workers: int = 0
    """local processes for sampling and scoring; 0 = one per core on a CPU, one on a GPU"""
    show: bool = True
    """show at the end how one test problem is solved"""


def check_loop(config: LoopConfig) -> None:
    """Raises `UserError` for what would fail hours later."""
    if not config.output:
        raise UserError("output: expected a folder, for example output=runs/first")
    if not config.tests:
        raise UserError("tests: expected at least one test set")
    for name in {"generator", "verifier", "train", "held", "ranker"} & set(config.tests):
        raise UserError(f"tests.{name}: this name is taken; choose another")
    if not config.held.limit:
        return
    if config.held.limit < LEAST:
        raise UserError(f"held.limit={config.held.limit}: expected {LEAST} or more, or 0 for none")
    if config.mixture:
        raise UserError("held: no rule can be chosen for a mixture, which solve cannot sample")
    if config.train_ranker:
        check_ranker(dataclasses.replace(config.ranker, output=config.output, pools=["held"]))
    held_split(config)
    most = sum((config.held_modes or config.modes).values())
    if config.choose.n > most:
        raise UserError(f"choose.n={config.choose.n}: held_modes give {most} candidates")


def split_of(config: LoopConfig, split: Split) -> ProblemsConfig:
    """The problem set, and which of its problems `split` takes."""
    return dataclasses.replace(config.problems, **dataclasses.asdict(split))


def held_split(config: LoopConfig) -> Split | None:
    """The held-out problems' split with its offset; `None` where there are none.

    Raises `UserError` where another step takes the whole split.
    """
    held = config.held
    if not held.limit:
        return None
    offset = held.offset
    if offset < 0:
        validation = [config.validation] if config.validation.limit else []
        takers = [config.train, config.pool, *validation, *config.tests.values()]
        takers = [taker for taker in takers if taker.split == held.split]
        if any(not taker.limit for taker in takers):
            raise UserError(
                f"held: another step takes all the problems of split {held.split}; give it a "
                "limit, or held.split, or held.offset"
            )
        offset = max((taker.offset + taker.limit for taker in takers), default=0)
    return Split(held.split, held.limit, offset, held.shuffle)

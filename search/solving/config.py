"""What `assay solve` reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from assay.generator.engines import EngineConfig
from assay.generator.models import ModelConfig
from assay.problems.sets import ProblemsConfig
from assay.problems.shots import FewShotConfig
from assay.sandbox import Limits
from assay.selection.until import UntilConfig

__all__ = ["SolveConfig"]


@dataclass
class SolveConfig:
    """What `assay solve` reads."""

    question: str = ""
    """the question, or a JSONL file of them; or give problems="""
    problems: ProblemsConfig = field(default_factory=lambda: ProblemsConfig(name=""))
    """a set or a JSONL file to solve instead of one question"""
    output: str = ""
    """with problems: JSONL file to write, one answer a line, as they come; the same command goes on
    after those that it holds; empty = only printed"""
    candidates: bool = False
    """with output: all candidates of each problem, too"""
    generator: ModelConfig = field(default_factory=lambda: ModelConfig(name=""))
    """a folder or hub id; empty = the small solver's (`assay fetch small-solver`), else the
    quickstart's"""
    verifier: ModelConfig = field(default_factory=lambda: ModelConfig(name=""))
    """a verifier's folder, or `none`; empty = the one that the chosen rule goes by, or that of the
    small solver or the quickstart with its generator"""
    ranker: str = ""
    """a ranker's folder, whose scores to use; it reads the verifiers beside it, or the one given"""
    choice: str = ""
    """what `assay choose-rule` wrote, or `none`; empty = choice.json beside the generator's folder,
    if there is one"""
    min_confidence: float = 0.0
    """abstain where an answer's probability of being right is below this; 0 = never. Needs a choice
    that holds here"""
    prompt: FewShotConfig = field(default_factory=lambda: FewShotConfig(form="auto"))
    """form auto: the one that the generator was made for, else its chat template, else alpaca"""
    n: int = 0
    """candidates per problem; 0 = as many as the choice was made for, else 32"""
    modes: list[str] = field(default_factory=list)
    """modes that the n candidates are divided among; empty = those of the choice, else those that
    the generator was trained on, else cot and pot"""
    rule: str = ""
    """majority | weighted | top_k | weighted_top_k | best_of_n | logprob | shortest | a free score
    (self_certainty, …; with sampling.confidence=true) | hybrid (greedy; n, modes, verifier and
    sampling.temperature are not read); empty = the chosen one, else weighted with a verifier,
    majority without"""
    k: int = 0
    """candidates that vote in top_k and weighted_top_k; 0 = the best by the choice, else by n"""
    sampling: dict[str, Any] = field(default_factory=dict)
    """temperature, top_p, top_k, min_p, max_new_tokens, seed, … (`assay sample --help`); what is
    not given is as in the choice"""
    engine: EngineConfig = field(default_factory=EngineConfig)
    limits: Limits = field(default_factory=Limits)
    until: UntilConfig = field(default_factory=UntilConfig)
    """a stopping rule: a problem that is decided gets no more candidates, at most n"""
    show: bool = False
    """print every candidate"""

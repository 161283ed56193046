"""Answering a question: sample, run, score, vote.

    assay solve "A box holds 12 eggs. How many eggs do 3 boxes hold?" --show
    assay solve problems=questions.jsonl output=answers.jsonl n=64
    assay solve problems=questions.jsonl rule=hybrid

Several problems are sampled at once, so that an engine's batch is full. `rule=hybrid` is MAmmoTH's
greedy decoding (Yue et al. 2023, arXiv 2309.05653, section 2): a program first, words where it does
not run or prints no answer, and for multiple choice.

Nothing is kept on disk but the answers; for pools that are to be studied there are runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from assay.generator.candidates import asked_modes, sample_candidates
from assay.generator.engines import Engine, EngineConfig, SamplingParams, make_engine
from assay.generator.models import ModelConfig
from assay.pools.grading import grade_candidates
from assay.pools.progress import progress_bar
from assay.pools.rows import Candidate, Graded
from assay.problems.problem import MODES, Problem
from assay.problems.prompts import Prompter
from assay.problems.sets import ProblemsConfig
from assay.problems.shots import FewShotConfig, choose_shots
from assay.sandbox import Limits, Sandbox
from assay.search.stages.mixture import check_length, prompt_of
from assay.search.stages.sample import batch_samples
from assay.selection import rules
from assay.settings.errors import UserError
from assay.verifier.config import ScoreConfig
from assay.verifier.scorers.own import Readable, Scorer

__all__ = ["Member", "SolveConfig", "Solved", "Solver", "choose", "share"]

QUICKSTART = Path("runs/quickstart")
RULES = ("majority", "best_of_n", "weighted", "top_k", "hybrid")


@dataclass
class SolveConfig:
    """What `assay solve` reads."""

    question: str = ""
    """the question; or give problems="""
    problems: ProblemsConfig = field(default_factory=lambda: ProblemsConfig(name=""))
    """a set or a JSONL file to solve instead of one question"""
    output: str = ""
    """with problems: JSONL file to write, one answer a line; empty = only printed"""
    generator: ModelConfig = field(default_factory=lambda: ModelConfig(name=""))
    """a folder or hub id; empty = the quickstart's"""
    verifier: ModelConfig = field(default_factory=lambda: ModelConfig(name=""))
    """a verifier's folder, or `none`; empty = the quickstart's with the quickstart's generator"""
    prompt: FewShotConfig = field(default_factory=lambda: FewShotConfig(form="auto"))
    """form auto: the one that the generator was made for, else its chat template, else alpaca"""
    n: int = 32
    """candidates per problem"""
    modes: list[str] = field(default_factory=lambda: ["cot", "pot"])
    """modes that the n candidates are divided among"""
    rule: str = ""
    """majority | best_of_n | weighted | top_k | hybrid (greedy; n, modes, verifier and
    sampling.temperature are not read); empty = top_k with a verifier, else majority"""
    k: int = 0
    """candidates that vote in top_k; 0 = chosen by n"""
    sampling: SamplingParams = field(default_factory=SamplingParams)
    engine: EngineConfig = field(default_factory=EngineConfig)
    limits: Limits = field(default_factory=Limits)
    show: bool = False
    """print every candidate"""


@dataclass(frozen=True)
class Member:
    """A candidate with its grade and its score.

    NaN without a verifier, and where the candidate is longer than the verifier reads.
    """

    candidate: Candidate
    graded: Graded
    score: float


@dataclass(frozen=True)
class Solved:
    """A problem with its candidates and the one that a rule chose (`None`: nobody has an answer).

    `votes` and `weight` are the chosen answer's shares of all answers and of all scores. `rule` is
    the one that chose: where no candidate with an answer has a score, the majority vote in place of
    a rule that needs scores.
    """

    problem: Problem
    members: list[Member]
    rule: str
    chosen: Member | None
    votes: float
    weight: float

    @property
    def answer(self) -> str | None:
        """The answer that was voted for."""
        return None if self.chosen is None else self.chosen.graded.answer

    @property
    def right(self) -> bool | None:
        """The answer's label; `None` where that is undecided or the problem has no reference."""
        # Where nobody has an answer, all have the same label.
        return (self.chosen or self.members[0]).graded.label


def choose(problem: Problem, members: Sequence[Member], rule: str, k: int = 0) -> Solved:
    """Applies a rule to the candidates of one problem; see `Solved` for those without scores."""
    classes = np.array([m.graded.answer_class for m in members], dtype=np.int64)
    scores = np.array([m.score for m in members], dtype=np.float64)
    ties = rules.tie_draw(classes.shape, seed=0)
    index: Any
    scored = rules.eligible(classes, scores)
    if rule not in ("majority", "hybrid") and (classes >= 0).any() and not scored.any():
        rule = "majority"
    if rule == "hybrid":
        modes = np.array([MODES.index(m.candidate.mode) for m in members], dtype=np.int64)
        # Of several of one mode the first.
        index = rules.hybrid(classes, modes, -np.arange(len(members), dtype=np.float32))
    elif rule == "majority":
        index = rules.majority(classes, ties, scores)
    elif rule == "best_of_n":
        index = rules.best_of_n(classes, scores, ties)
    elif rule == "weighted":
        index = rules.weighted(classes, scores, ties)
    else:
        index = rules.top_k(classes, scores, ties, k)
    if int(index) < 0:
        return Solved(problem, list(members), rule, None, 0.0, 0.0)
    same = classes == classes[int(index)]
    positive = np.where(scored, np.maximum(scores, 0.0), 0.0)
    total = positive.sum()
    weight = float(positive[same].sum() / total) if total > 0 else float("nan")
    votes = float(same.sum() / (classes >= 0).sum())
    return Solved(problem, list(members), rule, members[int(index)], votes, weight)


def _any_answer(members: Sequence[Member]) -> bool:
    return any(member.graded.answer_class >= 0 for member in members)


class Solver:
    """Generator, sandbox and verifier, loaded once for many problems."""

    def __init__(self, config: SolveConfig, *, progress: bool = True) -> None:
        """Raises `UserError` where a model is missing or a key does not fit.

        `progress` shows a bar on stderr while candidates are sampled.
        """
        config = _with_defaults(config)
        self.progress = progress
        if config.rule not in RULES:
            raise UserError(f"rule={config.rule}: expected one of {', '.join(RULES)}")
        scored = config.verifier.name not in ("", "none")
        if config.rule not in ("majority", "hybrid") and not scored:
            raise UserError(f"rule={config.rule}: needs a verifier; give verifier=PATH")
        if config.n < 1:
            raise UserError(f"n={config.n}: expected 1 or more")
        self.config = config
        self.counts = share(config.n, config.modes)
        shots = choose_shots(config.prompt, config.problems, asked_modes(self.counts))
        self.engine: Engine = make_engine(config.engine, config.generator)
        self.prompter = Prompter(config.prompt, self.engine.tokenizer, shots)
        self.scorer = Scorer(config.verifier) if scored else None

    def solve(self, problems: Sequence[Problem]) -> Iterator[Solved]:
        """Yields the problems' solutions in order; ids must be unique."""
        size = max(1, batch_samples(self.config.engine) // sum(self.counts.values()))
        decode = self._decode_hybrid if self.config.rule == "hybrid" else self._decode
        with Sandbox(limits=self.config.limits) as sandbox:
            for start in range(0, len(problems), size):
                chunk = problems[start : start + size]
                members = decode(chunk, sandbox)
                for problem in chunk:
                    yield choose(problem, members[problem.id], self.config.rule, self.config.k)

    def _decode(self, problems: Sequence[Problem], sandbox: Sandbox) -> dict[str, list[Member]]:
        return self._members(problems, self.counts, sandbox)

    def _decode_hybrid(
        self, problems: Sequence[Problem], sandbox: Sandbox
    ) -> dict[str, list[Member]]:
        """A program of each open-ended problem; words where that has no answer, and of the rest."""
        open_ended = [problem for problem in problems if not problem.options]
        members = self._members(open_ended, {"pot": 1}, sandbox)
        rest = [p for p in problems if not _any_answer(members.get(p.id, []))]
        for problem_id, words in self._members(rest, {"cot": 1}, sandbox).items():
            members.setdefault(problem_id, []).extend(words)
        return members

    def _members(
        self, problems: Sequence[Problem], counts: Mapping[str, int], sandbox: Sandbox
    ) -> dict[str, list[Member]]:
        """The problems' candidates, graded and scored, by problem id."""
        if not problems:
            return {}
        sampled: dict[str, list[Candidate]] = {problem.id: [] for problem in problems}
        total = len(problems) * sum(counts.values())
        with progress_bar(total, "sample", shown=self.progress) as progress:
            for candidate in sample_candidates(
                self.engine, self.prompter, problems, counts, self.config.sampling
            ):
                sampled[candidate.problem_id].append(candidate)
                progress.update(1)
        for candidates in sampled.values():
            candidates.sort(key=lambda c: (c.mode, c.sample))
        graded = iter(grade_candidates(problems, list(chain(*sampled.values())), sandbox))
        members = {}
        for problem in problems:
            candidates = sampled[problem.id]
            grades = list(islice(graded, len(candidates)))
            scores = self._scores(problem, candidates, grades)
            members[problem.id] = [
                Member(*row) for row in zip(candidates, grades, scores, strict=True)
            ]
        return members

    def _scores(
        self, problem: Problem, candidates: Sequence[Candidate], graded: Sequence[Graded]
    ) -> list[float]:
        if self.scorer is None:
            return [float("nan")] * len(candidates)
        read = [Readable(c.mode, c.text, g.output) for c, g in zip(candidates, graded, strict=True)]
        scores: list[float] = self.scorer.score(problem, read, ScoreConfig()).scores.tolist()
        return scores


def share(n: int, modes: Sequence[str]) -> dict[str, int]:
    """Shares n candidates out among the modes; the first ones get the remainder.

    >>> share(7, ["cot", "pot"])
    {'cot': 4, 'pot': 3}
    """
    if not modes:
        raise UserError("modes: expected at least one of cot, pot")
    return {mode: n // len(modes) + (i < n % len(modes)) for i, mode in enumerate(modes)}


def _with_defaults(config: SolveConfig) -> SolveConfig:
    generator, verifier = config.generator, config.verifier
    if config.rule == "hybrid":
        greedy = dataclasses.replace(config.sampling, temperature=0.0)
        verifier = dataclasses.replace(verifier, name="none")
        config = dataclasses.replace(config, n=2, modes=list(MODES), sampling=greedy)
    if not generator.name:
        if not (QUICKSTART / "generator" / "config.json").is_file():
            raise UserError(
                f"{QUICKSTART / 'generator'}: not there yet; run `assay quickstart` first, "
                "or give generator=PATH_OR_HUB_ID"
            )
        generator = dataclasses.replace(generator, name=str(QUICKSTART / "generator"))
        trained = QUICKSTART / "verifier"
        if not verifier.name and (trained / "verifier.json").is_file():
            verifier = dataclasses.replace(verifier, name=str(trained))
    scored = verifier.name not in ("", "none")
    prompt = prompt_of(generator, config.prompt)
    check_length(config.sampling, generator, prompt)
    return dataclasses.replace(
        config,
        generator=generator,
        verifier=verifier,
        prompt=prompt,
        rule=config.rule or ("top_k" if scored else "majority"),
    )

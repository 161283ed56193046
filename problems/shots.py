"""Few-shot prompts: worked examples before the question, for base models.

The examples are problems with reference solutions, by default of the training split of the set that
is asked; words as they stand, programs as they stand or derived (`problems/derivation.py`). They
are drawn once, by a seed, and are the same for every problem, except that no problem is ever an
example of itself: its place is taken by the next one.

    shots = choose_shots(FewShotConfig(form="plain", shots=4), ProblemsConfig("gsm8k"), ["pot"])
    prompter = Prompter(config, tokenizer, shots)
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.problems.annotations import strip_annotations
from assay.problems.derivation import derive_program
from assay.problems.problem import Mode, Problem
from assay.problems.prompts import PromptConfig, Shot, Shots, same_question
from assay.problems.sets import ProblemsConfig, load_problems
from assay.settings.errors import UserError

__all__ = ["FewShotConfig", "choose_shots"]


@dataclass
class FewShotConfig(PromptConfig):
    """How questions are put, with worked examples before them (an OmegaConf schema)."""

    shots: int = 0
    """worked examples before each question, for base models; 0 = none"""
    shots_from: ProblemsConfig = field(default_factory=lambda: ProblemsConfig(name=""))
    """JSONL file or problem set that they are drawn from; empty = the set's own split train"""
    shots_seed: int = 0
    """seed of that draw"""
    shots_annotations: str = "strip"
    """calculator annotations <<48/2=24>> in them: keep | strip"""


def choose_shots(
    config: FewShotConfig, problems: ProblemsConfig, modes: Sequence[Mode]
) -> Shots | None:
    """The examples in each of `modes`, drawn by `config.shots_seed`; `None` where none are wanted.

    `problems` is the set that is asked. Raises `UserError` naming the key where that set has no
    training split, or the source too few problems with a solution in a mode.
    """
    if config.shots < 0:
        raise UserError(f"prompt.shots={config.shots}: expected 0 or more")
    if config.shots_annotations not in ("keep", "strip"):
        raise UserError(
            f"prompt.shots_annotations={config.shots_annotations}: expected keep or strip"
        )
    if not config.shots:
        return None
    source = _source(config, problems)
    found = load_problems(source)
    random.Random(f"problems/shots/{config.shots_seed}").shuffle(found)
    by_mode = {}
    for mode in modes:
        # Two to spare: a problem is left out that has the asked one's id, or its question.
        shots = list(_first(config.shots + 2, found, mode, config.shots_annotations == "keep"))
        if len(shots) < config.shots:
            raise UserError(
                f"prompt.shots={config.shots}: {source.name} {source.path} has {len(shots)} "
                f"problems with a {mode} solution"
            )
        by_mode[mode] = tuple(shots)
    return Shots(config.shots, by_mode)


def _source(config: FewShotConfig, problems: ProblemsConfig) -> ProblemsConfig:
    if config.shots_from.name:
        return config.shots_from
    if config.shots_from.path:
        raise UserError("prompt.shots_from.name: expected the kind of set that its path holds")
    if not problems.name or Path(problems.path).is_file():
        raise UserError(
            "prompt.shots_from: expected a JSONL file or a problem set with solutions; "
            f"{problems.path or 'a single question'} has no training split"
        )
    return dataclasses.replace(problems, split="train", offset=0, limit=0, shuffle=False)


def _first(count: int, problems: Sequence[Problem], mode: Mode, annotated: bool) -> Iterator[Shot]:
    """The first `count` examples in `mode`, of different questions."""
    given: list[Problem] = []
    for problem in problems:
        if len(given) == count:
            return
        text = _solution(problem, mode)
        if text is None or any(same_question(problem, other) for other in given):
            continue
        if mode == "cot" and not annotated:
            text = strip_annotations(text)
        given.append(problem)
        yield Shot(problem, text)


def _solution(problem: Problem, mode: Mode) -> str | None:
    """The first reference solution in `mode`; for programs, else one derived from the words."""
    own = [s.text.strip() for s in problem.solutions if s.mode == mode and s.text.strip()]
    if own or mode == "cot":
        return own[0] if own else None
    words = [s.text for s in problem.solutions if s.mode == "cot"]
    derived = (derive_program(text, problem.answer) for text in words if problem.answer)
    return next((program for program in derived if program), None)

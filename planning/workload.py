"""How much there is to do: problems and tokens, without reading a tokenizer or a candidate.

Counts of problems come from the configuration (`limit`), from a local file's lines, or from what a
set is known to have. Lengths were measured with SmolLM2's tokenizer, which splits numbers into
digits (`docs/plan.md` has the command), and are means:

    lengths = lengths_of(ProblemsConfig(name="gsm8k"), PromptConfig(form="plain"), "keep")
    lengths.prompts["cot"], lengths.solutions["cot"]        # 65, 126
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from assay.problems.gsm_symbolic import DEFAULT_SIZE
from assay.problems.prompts import PromptConfig
from assay.problems.sets import ProblemsConfig
from assay.settings.errors import UserError
from assay.storage.jsonl import read_json_list

__all__ = ["Lengths", "lengths_of", "problems_in", "solutions_in"]

_SIZES = {
    ("gsm8k", "train"): 7473,
    ("gsm8k", "test"): 1319,
    ("math", "train"): 7500,
    ("math", "test"): 5000,
    ("mathinstruct", "train"): 262039,
}
# Mean tokens of a question in the plain form, a solution in words, and a program.
_LENGTHS = {
    "gsm8k": (65, 126, 42),
    "gsm_symbolic": (65, 118, 37),
    # Not measured.
    "math": (90, 260, 110),
    "mathinstruct": (90, 180, 110),
}
_OTHER = (80, 200, 80)
# What the annotations of the calculator take of the words.
_ANNOTATIONS = {"gsm8k": 32, "gsm_symbolic": 36}
# What a prompt has besides the question, more than the plain form, and what asks for a program.
_FORMS = {"plain": 0, "alpaca": 24, "chat": 30, "auto": 24}
_PROGRAM = 6


@dataclass(frozen=True)
class Lengths:
    """Mean tokens by mode: of prompts, and of solutions with their end token."""

    prompts: dict[str, float]
    solutions: dict[str, float]

    def mean_solution(self, weights: Mapping[str, float]) -> float:
        """The mean over modes that have these weights."""
        return _mean(self.solutions, weights)

    def mean_prompt(self, weights: Mapping[str, float]) -> float:
        """The mean over modes that have these weights."""
        return _mean(self.prompts, weights)

    def replaced(self, prompt: float, cot: float, pot: float) -> Lengths:
        """These lengths, with those given that are not 0."""
        prompts = {mode: prompt or own for mode, own in self.prompts.items()}
        given = {"cot": cot, "pot": pot}
        solutions = {mode: given[mode] or own for mode, own in self.solutions.items()}
        return Lengths(prompts, solutions)

    def capped(self, most: float) -> Lengths:
        """No solution longer than `most` tokens."""
        solutions = {mode: min(own, most) for mode, own in self.solutions.items()}
        return dataclasses.replace(self, solutions=solutions)

    def longer(self, most: float, modes: Iterable[str]) -> dict[str, float]:
        """Those of the modes whose mean solution is longer than `most` tokens, with its length."""
        return {mode: self.solutions[mode] for mode in modes if self.solutions[mode] > most}


def lengths_of(problems: ProblemsConfig, prompt: PromptConfig, annotations: str) -> Lengths:
    """Mean lengths of a set's prompts and solutions, with or without calculator annotations."""
    question, cot, pot = _LENGTHS.get(problems.name, _OTHER)
    if annotations == "strip":
        cot -= _ANNOTATIONS.get(problems.name, 0)
    asked = question + _FORMS.get(prompt.form, _FORMS["auto"])
    prompts = {"cot": float(asked), "pot": float(asked + _PROGRAM)}
    solutions = {"cot": float(cot), "pot": float(pot)}
    shots = getattr(prompt, "shots", 0)
    for mode in prompts:
        prompts[mode] += shots * (question + solutions[mode])
    return Lengths(prompts, solutions)


def problems_in(problems: ProblemsConfig, key: str) -> int:
    """How many problems a configuration takes; `key` is its name in messages.

    Raises `UserError` where that cannot be known without loading them.
    """
    if problems.name == "gsm_symbolic":
        return problems.limit or DEFAULT_SIZE
    there = _rows_in_file(problems)
    if there is None and not problems.path:
        there = _SIZES.get((problems.name, problems.split))
    if there is None and not problems.limit:
        there = _rows_on_hub(problems)
    if there is None:
        if not problems.limit:
            raise UserError(
                f"{key}.limit: how many problems {problems.name} {problems.path} has is not known "
                "without loading them; expected a number"
            )
        return problems.limit
    left = max(0, there - problems.offset)
    return min(left, problems.limit) if problems.limit else left


def solutions_in(problems: ProblemsConfig, modes: list[str]) -> dict[str, float]:
    """Reference solutions of a problem in each mode, on average."""
    if problems.name == "gsm8k":  # programs derived from annotations: 7234 of 7473
        each = {"cot": 1.0, "pot": 0.968}
    elif problems.name == "gsm_symbolic":
        each = {"cot": 1.0, "pot": 1.0}
    else:  # one of either kind: MathInstruct's rows
        each = {"cot": 1 / len(modes), "pot": 1 / len(modes)}
    return {mode: each[mode] for mode in modes}


def _rows_in_file(problems: ProblemsConfig) -> int | None:
    """Rows of a local JSONL or JSON file, or of a folder's; `None` where there is none."""
    path = Path(problems.path).expanduser() if problems.path else None
    if path is not None and path.is_dir():
        files = [path / f"{problems.split}{suffix}" for suffix in (".jsonl", ".json")]
        path = next((file for file in files if file.is_file()), None)
    if path is None or path.suffix not in (".jsonl", ".json") or not path.is_file():
        return None
    if path.suffix == ".json":
        return len(list(read_json_list(path)))
    with path.open("rb") as stream:
        return sum(bool(line.strip()) for line in stream)


def _rows_on_hub(problems: ProblemsConfig) -> int | None:
    """What the hub says of a data set's split, without downloading it."""
    from assay.generator.models import hub_reachable

    if problems.name == "jsonl" or problems.path.count("/") != 1 or not hub_reachable():
        return None
    from datasets import load_dataset_builder

    try:
        info = load_dataset_builder(
            problems.path, problems.config or None, revision=problems.revision or None
        ).info
        return int(info.splits[problems.split].num_examples)
    except Exception:  # the hub's client raises a dozen unrelated kinds
        return None


def _mean(of: dict[str, float], weights: Mapping[str, float]) -> float:
    total = sum(weights.values())
    return sum(of[mode] * weight for mode, weight in weights.items()) / total if total else 0.0

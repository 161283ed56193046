"""Training examples: reference solutions as prompt and response tokens, words and programs mixed.

A problem gives one example for each reference solution of a wanted mode (MAmmoTH's mix of CoT and
PoT, Yue et al. 2023, arXiv 2309.05653, section 2). Annotations of the calculator are ordinary
tokens in training (Cobbe et al. 2021, arXiv 2110.14168, appendix B) or are stripped.

    examples = build_examples(problems, prompter, RationalesConfig(modes=["cot", "pot"]))
    tell(problems, examples)    # {"cot": 998, "pot": 961, "problems": 1000, "without": 2}
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass, field

from assay.problems.annotations import strip_annotations
from assay.problems.problem import MODES, Mode, Problem
from assay.problems.prompts import Prompter
from assay.settings.errors import UserError

__all__ = ["Example", "RationalesConfig", "build_examples", "tell"]


@dataclass
class RationalesConfig:
    """Which reference solutions are learnt (an OmegaConf schema)."""

    modes: list[str] = field(default_factory=lambda: ["cot", "pot"])
    """cot (words), pot (programs), or both"""
    annotations: str = "keep"
    """calculator annotations <<48/2=24>> in words: keep | strip"""

    def check(self) -> None:
        """Raises `UserError` naming the field and what it may be."""
        for mode in self.modes:
            if mode not in MODES:
                raise UserError(f"rationales.modes: expected {' and '.join(MODES)}, found {mode!r}")
        if not self.modes:
            raise UserError(f"rationales.modes: expected at least one of {', '.join(MODES)}")
        if self.annotations not in ("keep", "strip"):
            raise UserError(f"rationales.annotations={self.annotations}: expected keep or strip")


@dataclass(frozen=True)
class Example:
    """One solution to learn: the loss is on `response_ids`, which end with the end token."""

    prompt_ids: list[int]
    response_ids: list[int]
    problem_id: str
    mode: Mode

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.response_ids)


def build_examples(
    problems: Sequence[Problem], prompter: Prompter, config: RationalesConfig
) -> list[Example]:
    """The examples of all problems, in their order, each mode's in the order of `config.modes`.

    Raises `UserError` where not one problem has a usable solution.
    """
    config.check()
    examples = []
    for problem in problems:
        for mode in dict.fromkeys(config.modes):
            wanted = typing.cast(Mode, mode)
            texts = [s.text for s in problem.solutions if s.mode == mode]
            if mode == "cot" and config.annotations == "strip":
                texts = [strip_annotations(text) for text in texts]
            texts = [text for text in dict.fromkeys(texts) if text.strip()]
            if not texts:
                continue
            prompt = prompter.ids(problem, wanted)
            examples += [
                Example(prompt, prompter.response_ids(wanted, text), problem.id, wanted)
                for text in texts
            ]
    if not examples:
        raise UserError(
            f"none of the {len(problems)} problems has a reference solution in the modes "
            f"{', '.join(config.modes)} (field 'solutions')"
        )
    return examples


def tell(problems: Sequence[Problem], examples: Sequence[Example]) -> dict[str, int]:
    """Counts: examples of each mode, problems by id, and problems without any example."""
    counts: dict[str, int] = {mode: sum(e.mode == mode for e in examples) for mode in MODES}
    asked = {problem.id for problem in problems}
    without = asked - {example.problem_id for example in examples}
    return {**counts, "problems": len(asked), "without": len(without)}

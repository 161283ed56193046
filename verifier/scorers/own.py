"""Scoring with a verifier that Assay trained, one problem at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.generator.models import ModelConfig
from assay.problems.problem import Problem
from assay.verifier.config import ScoreConfig

__all__ = ["Readable", "Scorer"]


@dataclass(frozen=True)
class Readable:
    """What a verifier reads of a candidate."""

    mode: Any
    text: str
    output: str


class Scorer:
    """A verifier with its tokenizer and prompt form, loaded once."""

    def __init__(self, model: ModelConfig) -> None:
        """Raises `UserError` where `model` is no verifier."""
        from assay.verifier.model import load_verifier

        self.verifier, self.tokenizer, self.prompter = load_verifier(model)

    def score(self, problem: Problem, candidates: Sequence[Readable], config: ScoreConfig) -> Any:
        """The candidates' scores, and on request the values at their tokens (`Scored`)."""
        from assay.verifier.score import score as score_candidates

        return score_candidates(
            self.verifier, self.tokenizer, self.prompter, problem, candidates, config
        )

"""Solutions that are longer, with their question, than a verifier reads: what is read of them.

A verifier reads up to `limit` tokens: as many as its model can, or fewer (`max_length`). What is
longer is, in training and in scoring alike, one of

- `skip`: not read; it has no score.
- `truncate`: read up to the limit. The verifier does not see how it ends.
- `truncate-question`: read whole, behind the end of its question. (It may still be too long.)
- `windows`: read piece by piece, each behind the whole question; from the second one on, the first
  half of a piece is what the piece before ended with, and only the tokens behind that count.

    pieces(question=80, solution=9000, limit=4096, how="windows")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assay.generator.models import ModelConfig, quiet, resolve
from assay.verifier.config import ScoreConfig, VerifierSettings

__all__ = ["Piece", "Reading", "pieces", "readable_in", "readable_tokens", "reading_of"]


@dataclass(frozen=True)
class Reading:
    """How many tokens of question and solution are read, and what happens to longer ones."""

    limit: int
    how: str = "skip"

    def pieces(self, question: int, solution: int) -> list[Piece]:
        """As the function `pieces`."""
        return pieces(question, solution, self.limit, self.how)


@dataclass(frozen=True)
class Piece:
    """The tokens `first` … `end` of a solution, behind the last `question` tokens of its question.

    The first `context` of them are there for what follows: they count in another piece.
    """

    question: int
    first: int
    end: int
    context: int = 0


def pieces(question: int, solution: int, limit: int, how: str) -> list[Piece]:
    """What is read of a solution of so many tokens behind a question of so many, in order.

    The tokens that count in them follow each other from the first one on. Empty where nothing is.

    >>> pieces(10, 100, 60, "truncate")
    [Piece(question=10, first=0, end=50, context=0)]
    >>> pieces(10, 100, 105, "truncate-question")
    [Piece(question=5, first=0, end=100, context=0)]
    >>> [(p.first, p.end, p.context) for p in pieces(10, 100, 60, "windows")]
    [(0, 50, 0), (25, 75, 25), (50, 100, 25)]
    """
    room = limit - question
    if solution <= room:
        return [Piece(question, 0, solution)]
    if how == "truncate" and room > 0:
        return [Piece(question, 0, room)]
    if how == "truncate-question" and solution < limit:
        return [Piece(limit - solution, 0, solution)]
    if how == "windows" and room > 1:
        context = room // 2
        starts = range(0, solution - context, room - context)
        return [
            Piece(question, start, min(start + room, solution), context if start else 0)
            for start in starts
        ]
    return []


def reading_of(settings: VerifierSettings, readable: int, config: ScoreConfig) -> Reading:
    """How a verifier whose model can read `readable` tokens reads, by `config`, else as trained."""
    limit = config.max_length or settings.max_length or readable
    return Reading(min(limit, readable), config.overlong or settings.overlong)


def readable_tokens(model: ModelConfig) -> int:
    """`Verifier.readable` of a folder or hub id, from its configuration alone."""
    from transformers import AutoConfig

    with quiet():
        config = AutoConfig.from_pretrained(
            resolve(model.name),
            revision=model.revision or None,
            trust_remote_code=model.trust_remote_code,
        )
    return readable_in(config)


def readable_in(config: Any) -> int:
    """The same of a configuration of Transformers."""
    config = config.get_text_config()
    names = ("max_position_embeddings", "sliding_window")
    limits = [limit for name in names if (limit := getattr(config, name, None))]
    return min(limits, default=1 << 30)

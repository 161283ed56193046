"""What is asked: a problem, its reference answer and its reference solutions; JSONL in and out.

>>> Problem(id="1", question="What is 1 + 1?", answer="2").to_dict()
{'id': '1', 'question': 'What is 1 + 1?', 'answer': '2'}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from assay.settings.errors import UserError
from assay.storage.jsonl import read_jsonl
from assay.storage.places import Place

__all__ = [
    "MODES",
    "Mode",
    "Problem",
    "Solution",
    "problem_lines",
    "question_hash",
    "read_problems",
    "write_problems",
]

Mode = Literal["cot", "pot"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True)
class Solution:
    """A reference solution: chain of thought (`cot`) or a program (`pot`)."""

    mode: Mode
    text: str


@dataclass(frozen=True)
class Problem:
    """One question with what is known of its answer.

    `answer` is the reference answer as text (`None` where it is unknown), for multiple choice the
    letter; `options` are the choices' texts in order A, B, …; `solutions` are reference solutions;
    `convention` names how the reference answer is written (`assay.problems.answers.CONVENTIONS`);
    `source` is the part of a mixed set that the problem is of (`problems/mathinstruct.py`).
    """

    id: str
    question: str
    answer: str | None = None
    options: tuple[str, ...] = ()
    solutions: tuple[Solution, ...] = ()
    convention: str = ""
    source: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The problem as JSON types; empty optional fields are left out."""
        row: dict[str, Any] = {"id": self.id, "question": self.question, "answer": self.answer}
        if self.options:
            row["options"] = list(self.options)
        if self.solutions:
            row["solutions"] = [{"mode": s.mode, "text": s.text} for s in self.solutions]
        if self.convention:
            row["convention"] = self.convention
        if self.source:
            row["source"] = self.source
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any], where: str = "problem") -> Problem:
        """Inverse of `to_dict`. Raises `UserError` naming `where` and the field that is wrong."""
        question = row.get("question")
        if not isinstance(question, str) or not question.strip():
            raise UserError(f"{where}: expected a non-empty text in 'question'")
        answer = row.get("answer")
        if answer is not None and not isinstance(answer, (str, int, float)):
            raise UserError(f"{where}: expected a text or a number in 'answer'")
        options = row.get("options") or ()
        if not isinstance(options, (list, tuple)) or not all(isinstance(o, str) for o in options):
            raise UserError(f"{where}: expected a list of texts in 'options'")
        return cls(
            id=str(row.get("id", where)),
            question=question,
            answer=None if answer is None else str(answer),
            options=tuple(options),
            solutions=tuple(_solution(s, where) for s in row.get("solutions") or ()),
            convention=str(row.get("convention") or ""),
            source=str(row.get("source") or ""),
        )


def _solution(row: Any, where: str) -> Solution:
    if not isinstance(row, Mapping) or row.get("mode") not in MODES or "text" not in row:
        raise UserError(f"{where}: expected {{'mode': 'cot' or 'pot', 'text': …}} in 'solutions'")
    return Solution(mode=row["mode"], text=str(row["text"]))


def read_problems(path: str | Place) -> list[Problem]:
    """Reads what `write_problems` wrote. Raises `UserError` naming the file and the line."""
    return [Problem.from_dict(row, f"{path}, line {number}") for number, row in read_jsonl(path)]


def question_hash(question: str) -> str:
    """Sixteen hexadecimal digits by which a question is known again, whatever its problem's id."""
    return hashlib.sha256(question.encode()).hexdigest()[:16]


def problem_lines(problems: Iterable[Problem]) -> Iterator[str]:
    """The problems as lines of JSONL, each with its newline."""
    for problem in problems:
        yield json.dumps(problem.to_dict(), ensure_ascii=False) + "\n"


def write_problems(path: str | Path, problems: Iterable[Problem]) -> None:
    """Writes problems as JSONL, one a line."""
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(problem_lines(problems))

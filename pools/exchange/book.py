"""The problems of an import and the places of their candidates, whatever order the rows come in.

What contradicts the book is refused:

book = Book(join=False)
placed = book.place(row, "a.jsonl, line 3", "a", listed)
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from assay.pools.exchange.mapping import Imported, Row
from assay.problems.problem import Problem
from assay.problems.prompts import same_question
from assay.settings.errors import UserError

__all__ = ["Book", "Placed", "file_names"]


@dataclass(frozen=True)
class Placed:
    """A candidate with its place in the run."""

    problem: int
    sample: int
    candidate: Imported


class Book:
    """The problems and places found so far; refuses what contradicts them.

    Ids that are numbers often count the problems of one file. Where such an id stands for another
    question in a later file, that file's problem is another one, and has the file's name in its id;
    `renamed` counts these by file.
    """

    def __init__(self, *, join: bool) -> None:
        self.join = join
        self.renamed: Counter[str] = Counter()
        self.problems: list[Problem] = []
        self._numbers: dict[str, int] = {}
        # Where each problem was first seen, and in which file.
        self._seen: list[tuple[str, str]] = []
        self._taken: dict[tuple[int, str, str], set[int]] = defaultdict(set)
        self._next: Counter[tuple[int, str, str]] = Counter()

    def place(self, row: Row, where: str, file: str, listed: dict[int, str]) -> list[Placed]:
        """The row's candidates in their places; `listed`: where problems stood in this file."""
        number = self._number(self._own(row.problem, file), where, file)
        numbered = all(candidate.sample is not None for candidate in row.candidates)
        if not (row.alone or numbered or self.join) and number in listed:
            raise UserError(
                f"{where}: problem {row.problem.id!r} is there twice, first in {listed[number]} "
                "(join=true takes such rows as more samples of it)"
            )
        listed[number] = where
        return [self._placed(number, candidate, where) for candidate in row.candidates]

    def _own(self, problem: Problem, file: str) -> Problem:
        """The problem, by another id where its own is a number that an earlier file gave away."""
        number = self._numbers.get(problem.id)
        if number is None or not problem.id.isdecimal():
            return problem
        if self._seen[number][1] == file or same_question(self.problems[number], problem):
            return problem
        return dataclasses.replace(problem, id=f"{file}/{problem.id}")

    def _number(self, problem: Problem, where: str, file: str) -> int:
        number = self._numbers.setdefault(problem.id, len(self.problems))
        if number == len(self.problems):
            self.problems.append(problem)
            self._seen.append((where, file))
            self.renamed[file] += problem.id.startswith(f"{file}/")
        elif self.problems[number] != problem:
            names = [each.name for each in dataclasses.fields(Problem)]
            name = next(
                n for n in names if getattr(problem, n) != getattr(self.problems[number], n)
            )
            raise UserError(
                f"{where}: problem {problem.id!r} differs from that of {self._seen[number][0]} in "
                f"its {name}"
            )
        return number

    def _placed(self, number: int, candidate: Imported, where: str) -> Placed:
        place = number, candidate.origin, candidate.mode
        sample = self._next[place] if candidate.sample is None else candidate.sample
        if sample in self._taken[place]:
            kind = f"{candidate.origin} {candidate.mode}".strip()
            raise UserError(
                f"{where}: sample {sample} ({kind}) of problem {self.problems[number].id!r} is "
                "there twice"
            )
        self._taken[place].add(sample)
        self._next[place] = max(self._next[place], sample + 1)
        return Placed(number, sample, candidate)


def file_names(files: Sequence[str]) -> list[str]:
    """A name for each file: what it is called without its endings, or its path where others are
    called so too.

    >>> file_names(["a/algebra.jsonl.gz", "a/geometry.jsonl", "b/geometry.jsonl"])
    ['algebra', 'a/geometry', 'b/geometry']
    """
    whole = [re.sub(r"\.(jsonl|json|parquet)(\.gz)?$", "", file) for file in files]
    short = [path.rsplit("/", 1)[-1] for path in whole]
    return [n if short.count(n) == 1 else path for n, path in zip(short, whole, strict=True)]

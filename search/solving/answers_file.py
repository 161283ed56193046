"""The file that `assay solve` writes: a line an answer, kept as they come.

Answers cost money or hours. Each is appended when it is there and written through; the same command
given again goes on after those that the file holds, whatever ended the last one. A line says by
which settings it was answered (`settings`, a digest), so that nothing is mixed.

    answers = AnswersFile(Path("answers.jsonl"), settings)
    left = [problem for problem in problems if problem not in answers]
    answers.append(row)

An object store has no appending: there the file is written when all are answered.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from assay.problems.problem import Problem
from assay.settings.errors import UserError
from assay.storage.files import atomic_file
from assay.storage.jsonl import parse_json
from assay.storage.places import Remote, place

__all__ = ["AnswersFile"]

SETTINGS = "settings"


class AnswersFile:
    """Answers of earlier and of this command, in the order in which they came.

    Raises `UserError` where the file holds anything else than answers by these settings; it is left
    as it is then.
    """

    def __init__(self, path: str, settings: str) -> None:
        self.path, self.settings = place(path), settings
        self.rows: list[dict[str, Any]] = []
        if isinstance(self.path, Path) and self.path.exists():
            self.rows = self._read(self.path)
        self._known = {(row["id"], row["question"]) for row in self.rows}

    def __contains__(self, problem: Problem) -> bool:
        return (problem.id, problem.question) in self._known

    def append(self, row: dict[str, Any]) -> None:
        """Adds an answer; when this returns, it is on the disk."""
        row = {**row, SETTINGS: self.settings}
        self.rows.append(row)
        if isinstance(self.path, Remote):
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(_line(row))
            stream.flush()
            os.fsync(stream.fileno())

    def finish(self) -> None:
        """Writes what could not be appended."""
        if isinstance(self.path, Remote):
            with atomic_file(self.path) as stream:
                stream.writelines(_line(row) for row in self.rows)

    def _read(self, path: Path) -> list[dict[str, Any]]:
        """The answers of the file; a last line that a kill has left half written is cut off."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"output: {path}: cannot be read ({error.strerror})") from error
        *lines, rest = data.split(b"\n")
        rows = [self._ours(line, number) for number, line in enumerate(lines, start=1)]
        if rest and not (rows or rest.startswith(b'{"id": ')):
            raise UserError(f"output: {path}: holds something else; choose another file")
        if rest:
            os.truncate(path, len(data) - len(rest))
        return rows

    def _ours(self, line: bytes, number: int) -> dict[str, Any]:
        where = f"output: {self.path}, line {number}"
        try:
            row = parse_json(line)
        except ValueError as error:
            raise UserError(f"{where}: {error}; choose another file") from error
        if not isinstance(row, dict) or {"id", "question", SETTINGS} - row.keys():
            raise UserError(f"{where}: no answer of `assay solve`; choose another file")
        if row[SETTINGS] != self.settings:
            raise UserError(
                f"{where}: answered by other settings; choose another file, or remove this one to "
                "answer anew"
            )
        return row


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"

"""What an import did not take: fields of the file that no part of the mapping reads.

    unread = Unread(fields)
    for row in rows:
        unread.add(row)
    unread.lines()    # ["outputs[].reward  200 rows   fields.scores=outputs.*.reward takes it"]

Places in a row are written as paths with `[]` for the items of a list: `outputs[].reward`.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from assay.pools.exchange.fields import MISSING, Fields, look_up
from assay.settings.errors import UserError

__all__ = ["SCORE_NAMES", "Asked", "Unread", "asked_for", "paths_in"]

SCORE_NAMES = (
    *("score", "scores", "reward", "rewards", "rm_score", "rm_scores", "reward_score"),
    *("reward_scores", "orm_score", "orm_scores", "prm_score", "prm_scores", "pred_score"),
    *("pred_scores", "step_scores", "verifier_score", "verifier_scores", "agg_scores"),
)
"""What reward models' numbers are called in other people's files."""
_NAMES = {
    "scores": SCORE_NAMES,
    "labels": ("label", "labels", "correct", "is_correct", "correctness"),
    "tokens": ("tokens", "num_tokens", "completion_tokens", "generation_tokens"),
    "logprobs": ("logprob", "logprobs", "cumulative_logprob"),
    "stops": ("stop", "stops", "finish_reason", "finish_reasons"),
}
_MOST = 12  # lines
# Texts, lists of texts and mappings: what stands in fields that are no paths.
_NO_PATHS = ("reference_pattern", "steps", "no_answer", "only", "ignored")


def paths_in(value: Any, path: str = "") -> Iterable[str]:
    """The paths of everything in a row that is no null.

    >>> list(paths_in({"id": 1, "meta": {"level": None}, "outputs": [{"text": "a", "score": 1}]}))
    ['id', 'outputs[].text', 'outputs[].score']
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from paths_in(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        found: dict[str, None] = {}
        for item in value:
            found |= dict.fromkeys(paths_in(item, f"{path}[]"))
        yield from found
    elif value is not None and value != [] and path:
        yield path


class Unread:
    """Counts, over the rows of a file, the fields that a mapping does not read."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._known: dict[frozenset[str], list[str]] = {}
        self.rows: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Takes one row into account."""
        paths = frozenset(paths_in(row))
        if paths not in self._known:
            read = _read(self._fields, row)
            left = [path for path in paths_in(row) if not any(_is_of(path, each) for each in read)]
            self._known[paths] = _topmost(left, paths)
        self.rows.update(self._known[paths])

    def lines(self) -> list[str]:
        """A line for each field, those first that have a name we know; none where all was read."""
        hints = {path: _hint(path) for path in self.rows}
        order = sorted(self.rows, key=lambda path: (not hints[path], -self.rows[path], path))
        width = max(map(len, order), default=0)
        lines = [
            f"{path:<{width}}  {self.rows[path]:>7,} rows"
            + (f"   {hints[path]}" if hints[path] else "")
            for path in order[:_MOST]
        ]
        return [*lines, *([f"and {len(order) - _MOST} more"] if len(order) > _MOST else [])]


class Asked:
    """Paths that were asked for by name, each of which some row must have.

    `expressions`: what each is called in the configuration -> the expression.
    """

    def __init__(self, expressions: Mapping[str, str]) -> None:
        self._left = dict(expressions)
        self._seen: dict[str, None] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Takes one row into account."""
        if not self._left:
            return
        self._seen |= dict.fromkeys(paths_in(row))
        for name in list(self._left):
            if _holds(look_up(self._left[name], row)):
                del self._left[name]

    def check(self, file: str) -> None:
        """Raises `UserError` for the first path that no row had, with those that are like it."""
        for name, expression in self._left.items():
            there = {_as_expression(path): path for path in self._seen}
            near = difflib.get_close_matches(expression, there, n=1)
            meant = f"; is {near[0]} meant?" if near else ""
            raise UserError(
                f"{file}: {name}={expression}: no row has it{meant} "
                f"(found: {', '.join(self._seen) or 'nothing'})"
            )


def asked_for(fields: Fields, names: Iterable[str], prefix: str = "") -> dict[str, str]:
    """Of these fields those that are paths, with the prefix: what `Asked` takes."""
    given = {name: getattr(fields, name) for name in names if name not in _NO_PATHS}
    return {
        f"{prefix}{name}": text for name, text in given.items() if text and not text.startswith("=")
    }


def _holds(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_holds, value))
    return value is not MISSING and value is not None


def _as_expression(path: str) -> str:
    return path.replace("[]", ".*")


def _read(fields: Fields, row: Mapping[str, Any]) -> set[str]:
    """The paths that the mapping reads in a row, and those that it leaves out knowingly."""
    expressions = [
        getattr(fields, each.name)
        for each in dataclasses.fields(fields)
        if each.name not in _NO_PATHS
    ]
    read: set[str] = set()
    for expression in (*expressions, *fields.only):
        for alternative in expression.split(" | "):
            terms = [term.strip() for term in alternative.split(" + ")]
            if any(look_up(term, row) is not MISSING for term in terms):
                read |= {_path(term, row) for term in terms if not term.startswith("=")}
                break
    return read | {_path(term, row) for term in fields.ignored}


def _path(term: str, row: Mapping[str, Any]) -> str:
    """A term of an expression as a path: `choices.*.text` is `choices[].text`."""
    return term if term in row else re.sub(r"\.(\*|-?\d+)(?=\.|$)", "[]", term)


def _is_of(path: str, read: str) -> bool:
    """Whether what stands at `path` was read: by itself, or with what it is in, or in part."""
    return path == read or path.startswith((f"{read}.", f"{read}[")) or read.startswith(f"{path}[")


def _topmost(left: list[str], all_paths: Iterable[str]) -> list[str]:
    """The fields left over; where nothing within a field was read and no name in it is known, it
    alone.
    """
    others = set(all_paths) - set(left)
    found: dict[str, None] = {}
    for path in left:
        shown = path
        if not _hint(path):
            steps = re.split(r"(?=\.|\[\])", path)
            for count in range(1, len(steps)):
                start = "".join(steps[:count])
                if not any(_is_of(other, start) for other in others):
                    shown = start
                    break
        found[shown] = None
    return list(found)


def _hint(path: str) -> str:
    """What would take a field whose name is known."""
    name = re.split(r"\.|\[\]", path)[-1].lower()
    for field, names in _NAMES.items():
        if name in names:
            return f"fields.{field}={_as_expression(path)} takes it"
    return ""

"""Which candidates of a run somebody's values are of.

found = aligned("p1", candidates, [Entry({"scores/rm": 0.7}, sample=3)])
found["p1", "", "cot", 3]                    # {"scores/rm": 0.7}
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.pools.rows import KEY
from assay.settings.errors import UserError

__all__ = ["Entry", "aligned"]

_Key = tuple[Any, ...]
_Kind = tuple[str, str]


@dataclass(frozen=True)
class Entry:
    """Values of one candidate, by stage, and what the file tells of which it is.

    Without a `sample` it is the next one, in the order of the file.
    """

    values: Mapping[str, Any]
    sample: int | None = None
    mode: str | None = None
    origin: str | None = None
    text: str | None = None
    where: str = ""


def aligned(
    problem_id: str, candidates: Sequence[Mapping[str, Any]], entries: Sequence[Entry]
) -> dict[_Key, Mapping[str, Any]]:
    """The values of each candidate of a problem, by its key (`KEY`); others are not in it.

    `candidates` have the columns of `KEY` and `text`. Where modes or origins are needed and not
    told, texts decide. Raises `UserError` where a candidate cannot be told, is not there or is
    there twice, and where entries without samples are not as many as there are candidates.
    """
    kinds: dict[_Kind, list[int]] = defaultdict(list)
    for row in candidates:
        kinds[row["origin"], row["mode"]].append(row["sample"])
    waiting = {kind: deque(sorted(samples)) for kind, samples in kinds.items()}
    texts: dict[str, deque[_Key]] = defaultdict(deque)
    for row in sorted(candidates, key=lambda row: tuple(row[name] for name in KEY[1:])):
        texts[row["text"]].append(tuple(row[name] for name in KEY))
    found: dict[_Key, Mapping[str, Any]] = {}
    for entry in entries:
        key = _key(problem_id, entry, kinds, waiting, texts)
        if key in found:
            raise UserError(f"{entry.where}: sample {key[-1]} of problem {problem_id!r} twice")
        found[key] = entry.values
    if entries and all(entry.sample is None for entry in entries) and len(found) < len(candidates):
        told = {kind for kind, samples in waiting.items() if len(samples) < len(kinds[kind])}
        if any(waiting[kind] for kind in told):
            raise UserError(
                f"{entries[-1].where}: {len(entries)} values for the {len(candidates)} candidates "
                f"of problem {problem_id!r}; fields.samples=PATH tells which they are of"
            )
    return found


def _key(
    problem_id: str,
    entry: Entry,
    kinds: Mapping[_Kind, Sequence[int]],
    waiting: Mapping[_Kind, deque[int]],
    texts: Mapping[str, deque[_Key]],
) -> _Key:
    """The candidate that an entry is of."""
    possible = [
        (origin, mode)
        for origin, mode in kinds
        if entry.mode in (None, mode) and entry.origin in (None, origin)
    ]
    if len(possible) != 1:
        if entry.text is not None and texts.get(entry.text):
            return texts[entry.text].popleft()
        what = ", ".join(" ".join(filter(None, kind)) for kind in kinds)
        raise UserError(
            f"{entry.where}: problem {problem_id!r} has candidates of several kinds ({what}), and "
            "nothing tells which is meant; give fields.modes=PATH, fields.origins=PATH or, with "
            "the texts, fields.solutions=PATH"
        )
    (kind,) = possible
    if entry.sample is None:
        if not waiting[kind]:
            raise UserError(
                f"{entry.where}: more values than problem {problem_id!r} has candidates "
                f"({len(kinds[kind])})"
            )
        return (problem_id, *kind, waiting[kind].popleft())
    if entry.sample not in kinds[kind]:
        raise UserError(
            f"{entry.where}: problem {problem_id!r} has no sample {entry.sample} ({kind[1]})"
        )
    return (problem_id, *kind, entry.sample)

"""Single values of somebody's candidates as ours: numbers, labels, scores, values at places.

    number_of([0.9, 0.5], "min", "scores", "pool.jsonl, line 3")       # 0.5

`where` begins the message about a value of the wrong type or size, a `UserError`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from assay.selection.free import FREE_SCORES
from assay.settings.errors import UserError

__all__ = [
    "AGGREGATES",
    "Values",
    "answer_of",
    "free_of",
    "label_of",
    "number_of",
    "sample_of",
    "scores_of",
    "step_values",
    "text_of",
    "token_ids_of",
    "tokens_of",
    "values_of",
    "word_of",
]

AGGREGATES = ("last", "min", "product", "mean")
# The parts of a run hold whole numbers in 32 bits.
_LARGEST = 2**31 - 1


class Values(NamedTuple):
    """Values at places of a candidate's text: from `starts[i]` to `ends[i]` it is `values[i]`."""

    values: list[float]
    starts: list[int]
    ends: list[int]


def text_of(value: Any, where: str) -> str:
    if value is None:  # a request that failed: a candidate without an answer
        return ""
    if not isinstance(value, str):
        raise UserError(f"{where}: expected texts in 'solutions', found {value!r:.60}")
    return value


def sample_of(value: Any, where: str) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value < _LARGEST:
        raise UserError(
            f"{where}: expected numbers from 0 to {_LARGEST - 1} in 'samples', found {value!r:.60}"
        )
    return value


def word_of(value: Any) -> str:
    return "" if value is None else str(value)


def token_ids_of(value: Any, where: str) -> list[int]:
    ids = [] if value is None else value
    if not isinstance(ids, list) or not all(
        type(each) is int and -_LARGEST <= each <= _LARGEST for each in ids
    ):
        raise UserError(
            f"{where}: expected lists of integers of 32 bits in 'token_ids', found {value!r:.60}"
        )
    return ids


def tokens_of(value: Any, name: str, where: str) -> int:
    if isinstance(value, list):
        return len(value)
    number = number_of(value, "sum", name, where)
    if number > _LARGEST:
        raise UserError(f"{where}: expected at most {_LARGEST} in {name!r}, found {value!r:.60}")
    return -1 if math.isnan(number) or number < 0 else int(number)


def answer_of(value: Any, no_answer: Sequence[str]) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = str(value).strip()
    return None if not text or text in no_answer else text


def label_of(value: Any, where: str) -> bool | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if value not in (0, 1):  # True and 1.0 are equal to 1
        raise UserError(f"{where}: expected true, false or null in 'labels', found {value!r:.60}")
    return bool(value)


def scores_of(value: Any, aggregate: str, where: str) -> dict[str, float]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {
            str(name): number_of(each, aggregate, "scores", where) for name, each in value.items()
        }
    return {"": number_of(value, aggregate, "scores", where)}


def free_of(value: Any, where: str) -> dict[str, float]:
    """The free scores that are known, by name."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not value.keys() <= FREE_SCORES.keys():
        raise UserError(
            f"{where}: expected names of {', '.join(FREE_SCORES)} with numbers in 'free', "
            f"found {value!r:.60}"
        )
    numbers = {name: number_of(each, "last", "free", where) for name, each in value.items()}
    return {name: number for name, number in numbers.items() if not math.isnan(number)}


def values_of(value: Any, text: str, where: str) -> dict[str, Values]:
    """Values at places of a text, by name; those that are null are none."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UserError(
            f"{where}: expected {{values, starts, ends}} in 'values', found {value!r:.60}"
        )
    named = {"": value} if "values" in value else value
    by_name = {}
    for name, each in named.items():
        if each is None or (isinstance(each, Mapping) and each.get("values") is None):
            continue
        lists = [each.get(part) for part in Values._fields] if isinstance(each, Mapping) else []
        if not _are_values(lists, len(text)):
            raise UserError(
                f"{where}: expected lists of one length in 'values': values (numbers), starts and "
                f"ends (places in the text of {len(text)} characters), found {each!r:.60}"
            )
        by_name[str(name)] = Values(*cast(Any, lists))
    return by_name


def _are_values(lists: Sequence[Any], length: int) -> bool:
    """Whether these are values, starts and ends in a text of that length."""
    if not lists or not all(isinstance(each, list) for each in lists):
        return False
    if len({len(each) for each in lists}) != 1:
        return False
    for value, *places in zip(*lists, strict=True):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if not all(type(place) is int for place in places):
            return False
        if not 0 <= places[0] <= places[1] <= length:
            return False
    return True


def step_values(value: Any, text: str, separator: str) -> dict[str, Values]:
    """Step scores as values at the steps; none where a solution has another number of steps.

    >>> step_values([0.5, 0.9], "1 + 1; = 2; ", "; ")
    {'': Values(values=[0.5, 0.9], starts=[0, 7], ends=[5, 10])}
    """
    starts, ends, place = [], [], 0
    for step in text.split(separator):
        if step.strip():
            starts.append(place)
            ends.append(place + len(step))
        place += len(step) + len(separator)
    named = value if isinstance(value, Mapping) else {"": value}
    return {
        str(name): Values(each, starts, ends)
        for name, each in named.items()
        if isinstance(each, list) and len(each) == len(starts) and None not in each
    }


def number_of(value: Any, aggregate: str, name: str, where: str) -> float:
    """A number, or those of a list made one: NaN for null, for an empty list and for a null in it.

    >>> number_of([0.9, 0.5], "product", "scores", "f"), number_of(3, "last", "scores", "f")
    (0.45, 3.0)
    """
    if value is None:
        return math.nan
    numbers = [math.nan if each is None else each for each in _listed(value)]
    if not all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in numbers):
        raise UserError(f"{where}: expected numbers in {name!r}, found {value!r:.60}")
    if not numbers:
        return math.nan
    try:
        floats = [float(each) for each in cast(list[float], numbers)]
    except OverflowError as error:
        raise UserError(f"{where}: expected numbers in {name!r}, found one above 1e308") from error
    if aggregate == "sum":
        return float(sum(floats))
    if aggregate == "product":
        return float(math.prod(floats))
    if aggregate == "mean":
        return float(sum(floats) / len(floats))
    if aggregate == "min":
        # `min` would pass over a NaN that does not come first.
        return math.nan if any(map(math.isnan, floats)) else float(min(floats))
    return float(floats[-1])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

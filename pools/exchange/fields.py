"""Where a file has what: a mapping's paths, and what stands there in a row.

A mapping names, for each of our fields, where theirs is (`configs/imports/*.yaml`):

    question: question | problem           # the first that the row has
    reference: doc.answer                  # a field inside a field
    solutions: choices.*.text              # of every item of a list (0: the first, -1: the last)
    labels: small.right + large.right      # side by side: one list
    modes: =pot                            # a text that is no field
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["MISSING", "Fields", "look_up", "selected"]

MISSING: Any = object()


@dataclass
class Fields:
    """Where a file has what: paths, as the module's head explains them; empty = nowhere."""

    id: str = ""
    """of the problem; empty = made from the question's hash"""
    question: str = ""
    reference: str = ""
    """the reference answer"""
    reference_pattern: str = ""
    """regular expression: where it matches, its first group is the reference answer"""
    reference_solution: str = ""
    options: str = ""
    """of multiple choice: a list of texts, or letters with texts"""
    convention: str = ""
    """how reference answers are written, a path or for example =gsm8k (docs/answers.md)"""
    solutions: str = ""
    modes: str = ""
    """cot or pot; empty = pot where a solution is a fenced program and claims no answer outside"""
    samples: str = ""
    """the number within problem and mode; empty = counted"""
    origins: str = ""
    """which generator or setting a candidate is of"""
    tokens: str = ""
    """how many were generated, or a list with an item for each"""
    prompt_tokens: str = ""
    token_ids: str = ""
    """of the generator's tokenizer, without the end token"""
    logprobs: str = ""
    """of all generated tokens together, in nats, or a list with an item for each token"""
    stops: str = ""
    """why generation ended"""
    free: str = ""
    """free scores by their names (docs/engines.md)"""
    answers: str = ""
    """as they extracted them"""
    labels: str = ""
    """as they graded them: true, false, 1, 0 or null"""
    scores: str = ""
    """a number, a list with one for each step, or names with numbers"""
    values: str = ""
    """at places of the text: {values, starts, ends} of each token, or names with such"""
    steps: str = ""
    """what stands between two steps, for example "\\n\\n": where a solution has as many steps as
    scores, these are kept as values at its steps"""
    no_answer: list[str] = field(default_factory=list)
    """texts that stand for no answer, for example ["[invalid]"]"""
    only: dict[str, str] = field(default_factory=dict)
    """path: value of the rows to take; an empty value is that of the first row"""


def look_up(expression: str, row: Mapping[str, Any]) -> Any:
    """What an expression finds in a row; `MISSING` where there is nothing.

    >>> row = {"a": [{"b": 1}, {"b": 2}], "c": None}
    >>> look_up("x | a.*.b", row), look_up("a.-1.b + =z", row), look_up("c", row)
    ([1, 2], [2, 'z'], None)
    """
    for alternative in expression.split(" | "):
        terms = [_term(term.strip(), row) for term in alternative.split(" + ")]
        if all(value is MISSING for value in terms):
            continue
        if len(terms) == 1:
            return terms[0]
        joined: list[Any] = []
        for value in terms:
            joined += value if isinstance(value, list) else [None if value is MISSING else value]
        return joined
    return MISSING


def _term(term: str, row: Mapping[str, Any]) -> Any:
    if term.startswith("="):
        return term[1:]
    # A field's own name may hold a dot.
    return row[term] if term in row else _walk(row, term.split(".") if term else [""])


def _walk(value: Any, steps: Sequence[str]) -> Any:
    for place, step in enumerate(steps):
        if step == "*":
            if not isinstance(value, list):
                return MISSING
            items = [_walk(item, steps[place + 1 :]) for item in value]
            if items and all(item is MISSING for item in items):
                return MISSING
            return [None if item is MISSING else item for item in items]
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and re.fullmatch(r"-?\d+", step):
            if not -len(value) <= int(step) < len(value):
                return MISSING
            value = value[int(step)]
        else:
            return MISSING
    return value


def selected(row: Mapping[str, Any], only: Mapping[str, str]) -> bool:
    """Whether a row has the values asked for."""
    return all(str(look_up(path, row)) == value for path, value in only.items())

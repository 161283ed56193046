"""The rows of a pool: a candidate, what grading it gave, and the tables that hold them.

One key for all tables and one schema a table, here: whoever writes a part or reads one takes them
from this module.

    table = candidates_table([Candidate("gsm8k-0", "cot", 0, …)])
    frame.merge(other, on=list(KEY))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.selection.free import FREE_SCORES

if TYPE_CHECKING:
    import pyarrow

__all__ = [
    "KEY",
    "VALUES",
    "Candidate",
    "Graded",
    "answers_schema",
    "answers_table",
    "candidate_of",
    "candidates_schema",
    "candidates_table",
    "imported_table",
    "scores_table",
]

KEY = ("problem_id", "origin", "mode", "sample")
"""What tells a run's candidates apart; every table of a pool has these columns."""
VALUES = ("values", "starts", "ends")
"""A verifier's values and the places of their tokens in the text: lists of one length."""


def _keyed(columns: Mapping[str, pyarrow.DataType]) -> pyarrow.Schema:
    """The schema of a table with these columns after its key."""
    import pyarrow as pa

    key = {name: pa.int32() if name == "sample" else pa.string() for name in KEY}
    return pa.schema(list((key | dict(columns)).items()))


@dataclass(frozen=True)
class Candidate:
    """One sampled solution. `tokens` counts what was generated, the end token included.

    `origin` names the member of a mixture that it comes from, and is empty without one. `free` are
    its free scores by the names of `FREE_SCORES`, none where they were not recorded.
    """

    problem_id: str
    mode: str
    sample: int
    text: str
    token_ids: list[int]
    tokens: int
    prompt_tokens: int
    logprob: float
    stop: str
    origin: str = ""
    free: Mapping[str, float] = field(default_factory=dict)


def candidates_schema() -> pyarrow.Schema:
    """The columns of a candidates part; runs of older versions lack those of the free scores."""
    import pyarrow as pa

    return _keyed(
        {
            "text": pa.string(),
            "token_ids": pa.list_(pa.int32()),
            "tokens": pa.int32(),
            "prompt_tokens": pa.int32(),
            "logprob": pa.float32(),
            "stop": pa.string(),
            **dict.fromkeys(FREE_SCORES, pa.float32()),
        }
    )


def candidates_table(candidates: Sequence[Candidate]) -> pyarrow.Table:
    """The rows of a candidates part."""
    import pyarrow as pa

    rows = [
        {**vars(c), **{name: _finite(value) for name, value in c.free.items()}} for c in candidates
    ]
    return pa.Table.from_pylist(rows, schema=candidates_schema())


def candidate_of(row: Mapping[str, Any]) -> Candidate:
    """The candidate of a row of a candidates part, or of a frame with texts; more columns may be.

    Free scores that are null or NaN are left out.
    """
    known = {f.name: row[f.name] for f in fields(Candidate) if f.name in row}
    scores = {name: row.get(name) for name in FREE_SCORES}
    free = {name: score for name, score in scores.items() if score is not None and score == score}
    return Candidate(**known, free=free)


@dataclass(frozen=True)
class Graded:
    """What is known of a candidate once its program has run and its answer was compared.

    `outcome` is empty for `cot`; `answer_class` counts within the problem (−1: no answer); `label`
    is `None` where the comparison was undecided or the problem has no reference answer.
    """

    outcome: str
    output: str
    message: str
    program_seconds: float
    answer: str | None
    source: str
    answer_class: int
    label: bool | None


def answers_schema() -> pyarrow.Schema:
    """The columns of an answers part."""
    import pyarrow as pa

    return _keyed(
        {
            "outcome": pa.string(),
            "output": pa.string(),
            "message": pa.string(),
            "program_seconds": pa.float32(),
            "answer": pa.string(),
            "source": pa.string(),
            "answer_class": pa.int32(),
            "label": pa.bool_(),
        }
    )


def answers_table(candidates: Sequence[Candidate], graded: Sequence[Graded]) -> pyarrow.Table:
    """The rows of an answers part."""
    import pyarrow as pa

    rows = [
        {name: getattr(c, name) for name in KEY} | vars(g)
        for c, g in zip(candidates, graded, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=answers_schema())


def imported_table(rows: Sequence[Mapping[str, Any]]) -> pyarrow.Table:
    """The rows of an imported part: another grader's answers and labels, null where unknown."""
    import pyarrow as pa

    schema = _keyed({"imported_answer": pa.string(), "imported_label": pa.bool_()})
    return pa.Table.from_pylist(list(rows), schema=schema)


_MOST = float(np.finfo(np.float32).max)


def _finite(score: float | None) -> float | None:
    """The score; `None` for what is no finite number in single precision."""
    return None if score is None or not abs(score) <= _MOST else score


def scores_table(rows: Sequence[dict[str, Any]], *, values: bool) -> pyarrow.Table:
    """The rows of a scores part; `starts` and `ends` are the tokens' places in the text.

    Rows without an `origin` are of no mixture; those without values, or without a finite score,
    have null there. Without `verifier_tokens`, they are as many as the values.
    """
    import pyarrow as pa

    columns = {
        "score": pa.float32(),
        "verifier_tokens": pa.int32(),
        "verifier_prompt_tokens": pa.int32(),
    }
    if values:
        # float32 on disk, although float16 is what was kept: few readers know half precision.
        kinds = (pa.float32(), pa.int32(), pa.int32())
        columns |= {name: pa.list_(kind) for name, kind in zip(VALUES, kinds, strict=True)}
        with np.errstate(over="ignore"):  # imported numbers may be beyond single precision
            rows = [
                {**row, "values": np.asarray(row["values"], np.float32)} if "values" in row else row
                for row in rows
            ]
    rows = [
        {
            "origin": "",
            "verifier_tokens": len(row["values"]) if "values" in row else None,
            **row,
            "score": _finite(row["score"]),
        }
        for row in rows
    ]
    return pa.Table.from_pylist(rows, schema=_keyed(columns))

"""The rows of a pool: a candidate, what grading it gave, and the tables that hold them.

One schema a table, here: whoever writes a part or reads one takes it from this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Candidate", "Graded", "answers_table", "candidates_table", "scores_table"]


@dataclass(frozen=True)
class Candidate:
    """One sampled solution. `tokens` counts what was generated, the end token included.

    `origin` names the member of a mixture that it comes from, and is empty without one.
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


def candidates_table(candidates: Sequence[Candidate]) -> pyarrow.Table:
    """The rows of a candidates part."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("problem_id", pa.string()),
            ("origin", pa.string()),
            ("mode", pa.string()),
            ("sample", pa.int32()),
            ("text", pa.string()),
            ("token_ids", pa.list_(pa.int32())),
            ("tokens", pa.int32()),
            ("prompt_tokens", pa.int32()),
            ("logprob", pa.float32()),
            ("stop", pa.string()),
        ]
    )
    rows = [{name: getattr(c, name) for name in schema.names} for c in candidates]
    return pa.Table.from_pylist(rows, schema=schema)


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


def answers_table(candidates: Sequence[Candidate], graded: Sequence[Graded]) -> pyarrow.Table:
    """The rows of an answers part."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("problem_id", pa.string()),
            ("origin", pa.string()),
            ("mode", pa.string()),
            ("sample", pa.int32()),
            ("outcome", pa.string()),
            ("output", pa.string()),
            ("message", pa.string()),
            ("program_seconds", pa.float32()),
            ("answer", pa.string()),
            ("source", pa.string()),
            ("answer_class", pa.int32()),
            ("label", pa.bool_()),
        ]
    )
    rows: list[dict[str, Any]] = [
        {
            "problem_id": c.problem_id,
            "origin": c.origin,
            "mode": c.mode,
            "sample": c.sample,
            **{name: getattr(g, name) for name in schema.names[4:]},
        }
        for c, g in zip(candidates, graded, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=schema)


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

    fields = [
        ("problem_id", pa.string()),
        ("origin", pa.string()),
        ("mode", pa.string()),
        ("sample", pa.int32()),
        ("score", pa.float32()),
        ("verifier_tokens", pa.int32()),
        ("verifier_prompt_tokens", pa.int32()),
    ]
    if values:
        fields += [
            # float32 on disk, although float16 is what was kept: few readers know half precision.
            ("values", pa.list_(pa.float32())),
            ("starts", pa.list_(pa.int32())),
            ("ends", pa.list_(pa.int32())),
        ]
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
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))

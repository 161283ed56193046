"""What is known of a candidate without the reference, as numbers.

    frame = load_frame(run, texts=True)
    features = candidate_features(frame, verifiers=["v"])     # float64, a row a candidate

Of a verifier: its score, and where its values were kept the last, their mean, minimum and slope,
and mean and minimum at line ends. Of the generator: log-probability, alone and per token, number of
tokens, and the free scores that were recorded. Of the candidate: its mode, whether it was cut off,
what became of its program, and the form of its answer. What is not known is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.problems.answers.numerals import read_number
from assay.selection.free import FREE_SCORES
from assay.settings.errors import UserError
from assay.verifier.steps import line_ends

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["VALUE_FEATURES", "candidate_features", "direction", "feature_group"]

REQUIRED = ("mode", "answer", "answer_class", "tokens", "logprob", "stop", "outcome", "text")
VALUE_FEATURES = ("last", "mean", "min", "slope", "line_mean", "line_min")
ANSWER_FEATURES = ("negative", "integer", "fraction", "magnitude", "digits")
_GROUPS = {
    "log-probability": ("logprob", "logprob_per_token"),
    "free scores": tuple(FREE_SCORES),
    "length": ("tokens", "lines", "cut_off"),
    "mode and outcome": ("program", "ran"),
    "answer's form": ("answered", *ANSWER_FEATURES),
}
_FOR = {
    *("logprob", "logprob_per_token", *FREE_SCORES, "score", "last", "line_mean", "line_min"),
    *("rank_within", "vote_share", "other_mode_share", "score_share"),
} - {"entropy"}
_AGAINST = {"entropy", "vote_rank", "score_rank"}


def feature_group(feature: str) -> str:
    """What a feature is told of with: `verifier v`, `log-probability`, …, `pool`."""
    name, _, verifier = feature.partition(":")
    if verifier and name in ("score", *VALUE_FEATURES):
        return f"verifier {verifier}"
    return next((group for group, names in _GROUPS.items() if feature in names), "pool")


def direction(feature: str) -> int:
    """1 where a higher number speaks for a candidate, −1 where it speaks against it, else 0."""
    name = feature.partition(":")[0]
    return 1 if name in _FOR else -1 if name in _AGAINST else 0


def candidate_features(frame: pd.DataFrame, verifiers: Sequence[str] = ()) -> pd.DataFrame:
    """The features of candidates, float64, in the rows and order of `frame`; NaN: unknown.

    `frame` is as `load_frame(run, texts=True)` gives it; of each of `verifiers` it holds
    `score:NAME`, and where values were kept `values:NAME`, `starts:NAME` and `ends:NAME`. Raises
    `UserError` for a column that is missing.
    """
    import pandas as pd

    _check(frame, verifiers)
    tokens = _numbers(frame["tokens"])
    tokens[~(tokens > 0)] = np.nan  # -1: not known
    logprob, program = _numbers(frame["logprob"]), (frame["mode"] == "pot").to_numpy()
    found: dict[str, NDArray[np.float64]] = {
        "logprob": logprob,
        "logprob_per_token": logprob / tokens,
        **{name: _numbers(frame[name]) for name in FREE_SCORES if name in frame},
        "tokens": tokens,
        "lines": np.array([text.strip().count("\n") + 1.0 for text in frame["text"]]),
        "cut_off": (frame["stop"] == "length").to_numpy().astype(np.float64),
        "program": program.astype(np.float64),
        "ran": np.where(program, frame["outcome"] == "ok", np.nan),
        "answered": (frame["answer_class"] >= 0).to_numpy().astype(np.float64),
    }
    forms: dict[str, tuple[float, ...]] = {}
    answers = [answer if isinstance(answer, str) else "" for answer in frame["answer"]]
    for answer in answers:
        if answer not in forms:
            forms[answer] = answer_form(answer)
    table = np.array([forms[answer] for answer in answers], np.float64)
    found |= dict(zip(ANSWER_FEATURES, table.reshape(len(frame), -1).T, strict=True))
    for verifier in verifiers:
        found |= _verifier_features(frame, verifier)
    return pd.DataFrame(found, index=frame.index)


def _check(frame: pd.DataFrame, verifiers: Sequence[str]) -> None:
    for name in (*REQUIRED, *(f"score:{verifier}" for verifier in verifiers)):
        if name not in frame:
            raise UserError(f"ranker: no column {name!r} among what is known of the candidates")
    if frame.empty:
        raise UserError("ranker: there are no candidates")


def answer_form(answer: str) -> tuple[float, ...]:
    """`ANSWER_FEATURES` of an answer; NaN for what only a number has.

    >>> answer_form("-7/2")[:3]
    (1.0, 0.0, 1.0)
    """
    digits = float(sum(c.isdigit() for c in answer)) if answer else math.nan
    number = read_number(answer.strip()) if answer else None
    if number is None:
        return (math.nan, math.nan, math.nan, math.nan, digits)
    value = number.value
    return (
        float(value < 0),
        float(value.denominator == 1),
        float("/" in answer or "frac" in answer),
        _magnitude(abs(value.numerator), value.denominator),
        digits,
    )


def _magnitude(numerator: int, denominator: int) -> float:
    """The decimal logarithm of 1 + the value, which may be beyond what a float holds."""
    return math.log10(numerator + denominator) - math.log10(denominator)


def _verifier_features(frame: pd.DataFrame, verifier: str) -> dict[str, NDArray[np.float64]]:
    found = {f"score:{verifier}": _numbers(frame[f"score:{verifier}"])}
    names = [f"{name}:{verifier}" for name in ("values", "starts", "ends")]
    if all(name in frame for name in names):
        columns = [frame[name] for name in names]
        rows = [value_features(*row) for row in zip(frame["text"], *columns, strict=True)]
        table = np.array(rows, np.float64).reshape(len(frame), -1)
        found |= {f"{n}:{verifier}": own for n, own in zip(VALUE_FEATURES, table.T, strict=True)}
    return found


def value_features(text: str, values: Any, starts: Any, ends: Any) -> tuple[float, ...]:
    """`VALUE_FEATURES` of a candidate's values; NaN where it has none.

    The slope is that of the straight line through them over the solution's length, by least
    squares: how far they rise from its beginning to its end.
    """
    if not isinstance(values, (np.ndarray, list)) or not len(values):
        return (math.nan,) * len(VALUE_FEATURES)
    own = np.asarray(values, np.float64)
    at_lines = own[line_ends(text, np.stack([starts, ends], axis=1))]
    place = np.linspace(-0.5, 0.5, len(own)) if len(own) > 1 else np.zeros(1)
    spread = float(place @ place)
    slope = float(place @ own) / spread if spread else 0.0
    return (
        *(float(own[-1]), float(own.mean()), float(own.min()), slope),
        *(float(at_lines.mean()), float(at_lines.min())),
    )


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    """A column's numbers; NaN for what is missing or not finite."""
    values: NDArray[np.float64] = np.array(column.astype("float64"), np.float64)
    values[~np.isfinite(values)] = np.nan
    return values

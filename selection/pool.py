"""A pool as arrays: what selection needs to know of every candidate, and nothing else.

Rules and curves work on numbers only: the answer class, the label, the scores. A pool of P problems
with up to S candidates each becomes arrays of shape (P, S); a problem with fewer candidates has
rows padded at the end, where `present` is False.

    >>> import pandas
    >>> rows = [("a", "cot", 0, 0, True, 20, -3.0), ("a", "pot", 0, 1, False, 30, -4.0)]
    >>> names = ["problem_id", "mode", "sample", "answer_class", "label", "tokens", "logprob"]
    >>> pool = PoolArrays.from_frame(pandas.DataFrame(rows, columns=names))
    >>> pool.classes.tolist(), pool.modes.tolist()
    ([[0, 1]], [[0, 1]])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.problems.problem import MODES, Mode
from assay.selection.free import FREE_SCORES, recorded
from assay.settings.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["SCORE_PREFIX", "PoolArrays", "orders"]


SCORE_PREFIX = "score:"
REQUIRED = ("problem_id", "mode", "sample", "answer_class", "label")


@dataclass(frozen=True)
class PoolArrays:
    """P problems × S candidates. All arrays have shape (P, S).

    `classes` is the answer class (−1: no answer), `labels` whether the answer is right (False where
    that is unknown; `labelled` says where it is known), `scores` the score by each verifier (NaN:
    no score), `modes` the index into `MODES` (0 CoT, 1 PoT; −1 in padding), `origins` the index
    into `origin_names` (the members of a mixture, sorted; without a mixture the one name is empty;
    −1 in padding), `tokens` the number of generated tokens (−1: unknown), `logprobs` their summed
    log-probability in nats (NaN: unknown), `free` the free scores that were recorded, by the names
    of `FREE_SCORES` (NaN: unknown), `present` what is not padding. `left_out` are verifiers whose
    scores cannot be used, by name, and why.
    """

    problem_ids: list[str]
    classes: NDArray[np.int32]
    labels: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    scores: dict[str, NDArray[np.float32]]
    modes: NDArray[np.int8]
    tokens: NDArray[np.int32]
    logprobs: NDArray[np.float32]
    present: NDArray[np.bool_]
    origins: NDArray[np.int32]
    origin_names: list[str]
    left_out: Mapping[str, str] = field(default_factory=dict)
    free: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, left_out: Mapping[str, str] | None = None
    ) -> PoolArrays:
        """The arrays of a frame with one row a candidate, in any order.

        Columns: `problem_id`, `mode` ("cot" or "pot"), `sample` (its number within problem, origin
        and mode), `answer_class` (int, −1 or null: no answer), `label` (bool or null); where known
        `origin` (text; missing: empty), `tokens`, `logprob`, the free scores, and `score:NAME` for
        every verifier.
        Problems are sorted by id and candidates by mode, origin and sample, so that the order of
        the rows changes nothing. A score that is infinite is none.

        The scores of verifiers in `left_out`, by name and why, are not taken, nor are those of one
        who scored no candidate that has an answer.

        Raises `UserError` for a missing column, an unknown mode, a candidate that is there twice.
        """
        import pandas as pd

        frame = _in_order(frame)
        origins, origin_names = pd.factorize(frame["origin"], sort=True)
        rows, problem_ids = pd.factorize(frame["problem_id"])
        starts = np.searchsorted(rows, np.arange(len(problem_ids)))
        columns = np.arange(len(frame)) - starts[rows]
        shape = (len(problem_ids), int(columns.max()) + 1)

        def spread(values: Any, fill: Any, dtype: Any) -> NDArray[Any]:
            array = np.full(shape, fill, dtype)
            array[rows, columns] = values
            return array

        numbers = partial(_numbers, frame)
        classes = spread(numbers("answer_class", -1), -1, np.int32)
        label = _boolean(frame["label"])
        labels = spread(label.fillna(False).to_numpy(bool), False, bool)
        scored = [str(name) for name in frame.columns if str(name).startswith(SCORE_PREFIX)]
        scores = {
            name.removeprefix(SCORE_PREFIX): spread(_finite(numbers(name)), np.nan, np.float32)
            for name in scored
        }
        free = {
            name: spread(_finite(numbers(name)), np.nan, np.float32) for name in recorded(frame)
        }
        unused = {**_without_scores(scores, classes), **(left_out or {})}
        return cls(
            problem_ids=[str(problem_id) for problem_id in problem_ids],
            classes=classes,
            # A candidate without an answer can be neither chosen nor right.
            labels=labels & (classes >= 0),
            labelled=spread(label.notna().to_numpy(bool), False, bool),
            scores={name: own for name, own in scores.items() if name not in unused},
            left_out=unused,
            free=free,
            modes=spread(frame["_mode"].to_numpy(), -1, np.int8),
            tokens=spread(numbers("tokens", -1), -1, np.int32),
            logprobs=spread(numbers("logprob"), np.nan, np.float32),
            present=spread(True, False, bool),
            origins=spread(origins, -1, np.int32),
            origin_names=[str(name) for name in origin_names],
        )

    @property
    def mode_names(self) -> list[Mode]:
        """The modes that occur in the pool, in the order of `MODES`."""
        return [mode for index, mode in enumerate(MODES) if bool((self.modes == index).any())]

    def of_mode(self, mode: Mode) -> NDArray[np.bool_]:
        """Where the candidates of one mode are, shape (P, S)."""
        return self.present & (self.modes == MODES.index(mode))

    def size(self, mode: Mode) -> int:
        """The most common number of candidates of this mode per problem, the larger of equals.

        Not the least: one problem that was left half sampled shall not shorten every curve.
        """
        counts = self.of_mode(mode).sum(axis=1)
        values, times = np.unique(counts[counts > 0], return_counts=True)
        return int(values[times == times.max()].max()) if len(values) else 0

    def take(self, problems: NDArray[np.integer[Any]]) -> PoolArrays:
        """The pool of these problems, by their rows; one that is named twice is there twice."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        taken: dict[str, Any] = {
            name: array[problems] for name, array in own.items() if isinstance(array, np.ndarray)
        }
        return replace(
            self,
            **taken,
            problem_ids=[self.problem_ids[p] for p in problems],
            scores={name: array[problems] for name, array in self.scores.items()},
            free={name: array[problems] for name, array in self.free.items()},
        )

    def select(self, kept: NDArray[np.bool_]) -> PoolArrays:
        """The pool with the candidates `kept`, shape (P, S), only, its columns moved together."""
        # Stable, so that the candidates keep their order; padding ends up last.
        order = np.argsort(~kept, axis=1, kind="stable")[:, : max(1, int(kept.sum(axis=1).max()))]
        there = np.take_along_axis(kept, order, axis=1)

        def move(array: NDArray[Any]) -> NDArray[Any]:
            fill = {"b": False, "f": np.nan}.get(array.dtype.kind, -1)
            moved = np.where(there, np.take_along_axis(array, order, axis=1), fill)
            return moved.astype(array.dtype)

        own = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {
            name: move(array) for name, array in own.items() if isinstance(array, np.ndarray)
        }
        scores = {name: move(array) for name, array in self.scores.items()}
        free = {name: move(array) for name, array in self.free.items()}
        return replace(self, **moved, scores=scores, free=free)


def orders(pool: PoolArrays, scores: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    """For each rule that takes the highest, its numbers, shape (P, S); NaN where unknown."""
    known = np.where(pool.tokens > 0, pool.tokens, np.nan)
    found = {"shortest": -known, "logprob": pool.logprobs / known}
    found |= {name: FREE_SCORES[name] * own for name, own in pool.free.items()}
    return found if scores is None else {**found, "best_of_n": scores}


def _finite(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scores, NaN for what is no finite number in single precision."""
    most = float(np.finfo(np.float32).max)
    return np.where(np.abs(scores) <= most, scores, np.nan)


def _without_scores(
    scores: Mapping[str, NDArray[np.float32]], classes: NDArray[np.int32]
) -> dict[str, str]:
    """The verifiers who scored no candidate that has an answer, and that as the reason."""
    answered = classes >= 0
    if not answered.any():
        return {}
    return {
        name: "no candidate with an answer has a score"
        for name, own in scores.items()
        if not np.isfinite(own[answered]).any()
    }


def _check(frame: pd.DataFrame) -> None:
    missing = [name for name in REQUIRED if name not in frame]
    if missing:
        found = ", ".join(map(str, frame.columns)) or "none"
        raise UserError(f"pool: no column '{missing[0]}' (found: {found})")
    if frame.empty:
        raise UserError("pool: it holds no candidates")
    unknown = frame.loc[~frame["mode"].isin(MODES), "mode"]
    if len(unknown):
        raise UserError(f"pool: unknown mode {unknown.iloc[0]!r}, expected one of {_listed(MODES)}")
    twice = frame.duplicated(["problem_id", "origin", "mode", "sample"])
    if twice.any():
        row = frame[twice].iloc[0]
        kind = f"{row['origin']} {row['mode']}".strip()
        raise UserError(
            f"pool: candidate {row['sample']} ({kind}) of problem {row['problem_id']!r} "
            f"occurs twice ({int(twice.sum())} such rows)"
        )


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows sorted by problem, mode, origin and sample, with the mode's index as `_mode`.

    Raises `UserError` for rows that make no pool.
    """
    frame = frame.assign(origin=frame["origin"].fillna("") if "origin" in frame else "")
    _check(frame)
    mode_codes = frame["mode"].map({mode: index for index, mode in enumerate(MODES)})
    frame = frame.assign(_mode=mode_codes.to_numpy(np.int8))
    return frame.sort_values(["problem_id", "_mode", "origin", "sample"], kind="stable")


def _numbers(frame: pd.DataFrame, name: str, missing: float = np.nan) -> NDArray[np.float64]:
    """A column as numbers, `missing` where it has none or the frame lacks it."""
    if name not in frame:
        return np.full(len(frame), missing)
    return np.asarray(_numeric(frame[name], name).fillna(missing), np.float64)


def _numeric(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    import pandas as pd

    try:
        return pd.to_numeric(column)
    except (TypeError, ValueError) as error:
        raise UserError(f"pool: expected numbers in column '{name}' ({error})") from error


def _boolean(column: pd.Series[Any]) -> pd.Series[Any]:
    try:
        return column.astype("boolean")
    except (TypeError, ValueError) as error:
        raise UserError("pool: expected true, false or null in column 'label'") from error


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)

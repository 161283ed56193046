"""What the suite's runs are worth: accuracies per set and decoding, and their average.

Decodings of the greedy candidates are CoT, PoT and the hybrid of Yue et al. 2023 (arXiv
2309.05653, section 2): the program's answer, where it has none the answer in words; multiple choice
in words alone. The votes are over sampled candidates. The average is the plain mean over sets, as
in the paper; its interval resamples the problems of every set by themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.pools.frame import load_frame, score_scales
from assay.problems.problem import MODES, Mode
from assay.search.drivers.suite.published import CITATION, PUBLISHED_SETS, PublishedRow, nearest
from assay.search.drivers.suite.sets import SUITE
from assay.selection.curves import Floats
from assay.selection.evaluate import evaluate
from assay.selection.intervals import Interval, bootstrap_weights, interval
from assay.selection.names import MODE_WORDS
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig, sizes_of

if TYPE_CHECKING:
    import pandas as pd

    from assay.pools.run import Run

__all__ = ["DECODINGS", "SetResult", "SuiteResult", "hybrid_right", "set_result"]

DECODINGS = {**MODE_WORDS, "hybrid": "hybrid"}
VOTES = ("majority", "best_of_n", "weighted", "top_k", "pass")
# Above this share of samples without an end, a token limit decides more than a model.
_OFTEN = 0.1
# Numbers printed with one decimal, and means of them, differ by this much at most (in points).
_ROUNDED = 0.0501
_FALL_BACK = "fall back"


@dataclass(frozen=True)
class SetResult:
    """One set. `right` holds each problem's (expected) accuracy by decoding and by vote, (P,).

    `fell_back` is, of the problems that hybrid decoding asks for a program, whether it went on to
    words, (number of such problems,). `n` is the number of candidates that vote, 0 without votes,
    `silent` and `cut_off` the shares of greedy candidates without an answer and without an end by
    mode, `undecided` how many answers have no label.
    """

    name: str
    right: dict[str, Floats]
    fell_back: Floats
    n: int = 0
    silent: dict[str, float] = field(default_factory=dict)
    cut_off: dict[str, float] = field(default_factory=dict)
    undecided: int = 0
    runs: dict[str, str] = field(default_factory=dict)

    @property
    def problems(self) -> int:
        """How many problems were answered."""
        return len(self.right["cot"])


@dataclass(frozen=True)
class SuiteResult:
    """All sets that were asked for, in the paper's order; `label` is the generator's name.

    `published` are the rows of the paper that ours stand beside.
    """

    label: str
    sets: list[SetResult]
    bootstrap: int = 1000
    seed: int = 0
    published: Sequence[PublishedRow] = field(default_factory=lambda: nearest(None))

    @property
    def names(self) -> list[str]:
        """The sets' names."""
        return [one.name for one in self.sets]

    @property
    def votes(self) -> list[str]:
        """The votes that every set has."""
        return [vote for vote in VOTES if all(vote in one.right for one in self.sets)]

    def at(self, one: SetResult, what: str) -> Interval:
        """One set's accuracy by a decoding or vote, as a fraction."""
        return self._intervals[one.name][what]

    def fall_back(self, one: SetResult) -> Interval | None:
        """How often hybrid decoding went on to words; None where no program is asked for."""
        return self._intervals[one.name].get(_FALL_BACK)

    def average(self, what: str) -> Interval:
        """The plain mean over the sets, with its interval."""
        return self._averages[what]

    def _average(self, what: str) -> Interval:
        values = [one.right[what] for one in self.sets]
        means = [
            # A seed for each set: sets are resampled independently of each other.
            bootstrap_weights(len(right), self.bootstrap, self.seed + place) @ right
            for place, right in enumerate(values)
        ]
        low, high = np.quantile(np.mean(means, axis=0), [0.025, 0.975])
        return Interval(float(np.mean([right.mean() for right in values])), float(low), float(high))

    def notes(self) -> list[str]:
        """What the numbers do not say by themselves."""
        notes = []
        fewer = [
            f"{one.name} {one.problems:,} of {SUITE[one.name].problems:,}"
            for one in self.sets
            if one.problems != SUITE[one.name].problems
        ]
        if fewer:
            notes.append(f"not the sizes of the paper: {', '.join(fewer)}")
        undecided = [f"{one.name} {one.undecided:,}" for one in self.sets if one.undecided]
        if undecided:
            notes.append(f"answers without a label, counted as wrong: {', '.join(undecided)}")
        for what, shares in (
            ("cut off by sampling.max_new_tokens", "cut_off"),
            ("without an answer", "silent"),
        ):
            often = [
                f"{one.name} {MODE_WORDS[mode]} {100 * share:.0f} %"
                for one in self.sets
                for mode, share in getattr(one, shares).items()
                if share > _OFTEN
            ]
            if often:
                notes.append(f"greedy candidates {what}: {', '.join(often)}")
        return [*notes, *self._printed_averages()]

    def _printed_averages(self) -> list[str]:
        """Where the paper's own average is another number than the mean that the tables show."""
        printed = [
            f"{row.model} {DECODINGS[row.decoding]} {row.average:.1f}"
            for row in self.published
            if abs(row.mean(self.names) - row.average) > _ROUNDED
        ]
        if not printed:
            return []
        whole = set(self.names) == set(PUBLISHED_SETS)
        why = "which are not the means of its rows" if whole else "over all nine sets"
        return [f"averages that the paper prints, {why}: {', '.join(printed)}"]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single problems, as JSON types; accuracies are fractions."""
        return {
            "generator": self.label,
            "sets": [self._set_dict(one) for one in self.sets],
            "average": {
                what: _interval_dict(self.average(what)) for what in (*DECODINGS, *self.votes)
            },
            "published": [
                {
                    "model": row.model,
                    "decoding": row.decoding,
                    "source": CITATION,
                    "accuracy": {name: _fraction(row.of(name)) for name in self.names},
                    "average": _fraction(row.mean(self.names)),
                }
                for row in self.published
            ],
            "notes": self.notes(),
        }

    def frame(self) -> pd.DataFrame:
        """A row per source, set and decoding or vote; accuracies are fractions.

        Published rows come after ours, without intervals; the average over the sets is the set
        "average".
        """
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for what in (*DECODINGS, *self.votes):
            common = {"source": self.label, "decoding": what}
            for one in self.sets:
                counts = {"n": 1 if what in DECODINGS else one.n, "problems": one.problems}
                rows.append(
                    {**common, "set": one.name, **counts, **_interval_dict(self.at(one, what))}
                )
            rows.append({**common, "set": "average", **_interval_dict(self.average(what))})
        for row in self.published:
            common = {"source": row.model, "decoding": row.decoding}
            for name in self.names:
                counts = {"n": 1, "problems": SUITE[name].problems}
                rows.append({**common, "set": name, **counts, "accuracy": _fraction(row.of(name))})
            rows.append({**common, "set": "average", "accuracy": _fraction(row.mean(self.names))})
        columns = ["source", "set", "decoding", "n", "problems", "accuracy", "low", "high"]
        return pd.DataFrame(rows, columns=pd.Index(columns)).astype(
            {"n": "Int64", "problems": "Int64"}
        )

    @cached_property
    def _intervals(self) -> dict[str, dict[str, Interval]]:
        intervals = {}
        for one in self.sets:
            weights = bootstrap_weights(one.problems, self.bootstrap, self.seed)
            intervals[one.name] = {
                what: interval(right, weights) for what, right in one.right.items()
            }
            asked = len(one.fell_back)
            if asked:
                weights = bootstrap_weights(asked, self.bootstrap, self.seed)
                intervals[one.name][_FALL_BACK] = interval(one.fell_back, weights)
        return intervals

    @cached_property
    def _averages(self) -> dict[str, Interval]:
        return {what: self._average(what) for what in (*DECODINGS, *self.votes)}

    def _set_dict(self, one: SetResult) -> dict[str, Any]:
        fall_back = self.fall_back(one)
        return {
            "set": one.name,
            "title": SUITE[one.name].title,
            "problems": one.problems,
            "paper_problems": SUITE[one.name].problems,
            "n": one.n,
            "accuracy": {what: _interval_dict(self.at(one, what)) for what in one.right},
            "fall_back": None
            if fall_back is None
            else {
                "problems": len(one.fell_back),
                "rate": fall_back.value,
                "low": fall_back.low,
                "high": fall_back.high,
            },
            "no_answer": one.silent,
            "cut_off": one.cut_off,
            "undecided": one.undecided,
            "runs": one.runs,
        }


def _interval_dict(interval: Interval) -> dict[str, float]:
    return {"accuracy": interval.value, "low": interval.low, "high": interval.high}


def _fraction(percent: float) -> float:
    """A printed percentage as a fraction, without the noise of the division."""
    return round(percent / 100, 6)


def hybrid_right(
    right: Mapping[Mode, NDArray[np.bool_]],
    answered: NDArray[np.bool_],
    choice: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Whether hybrid decoding is right, (P,): the program's answer where there is one, else words.

    `right` by mode, `answered`: whether the program has an answer, `choice`: whether the problem is
    multiple choice, which is decoded in words (Yue et al. 2023, section 2); each of shape (P,).

    >>> right = {"cot": np.array([True, True, True]), "pot": np.array([False, False, False])}
    >>> hybrid_right(right, np.array([True, False, True]), np.array([False, False, True])).tolist()
    [False, True, True]
    """
    return np.where(answered & ~choice, right["pot"], right["cot"])


def set_result(
    name: str, greedy: Run, votes: Run | None, config: EvaluateConfig, verifier: str = ""
) -> SetResult:
    """One set, from the run of its greedy candidates and, where there are any, of those that vote.

    `verifier` names the scores of the votes' run, "" for none. Raises `UserError` where a run is
    not graded.
    """
    frame = load_frame(greedy)
    pool = PoolArrays.from_frame(frame)
    options = {problem.id: bool(problem.options) for problem in greedy.problems}
    choice = np.array([options[problem_id] for problem_id in pool.problem_ids])
    # One candidate of each mode: any is that one.
    right = {mode: _any(pool.of_mode(mode) & pool.labels) for mode in MODES}
    answered = _any(pool.of_mode("pot") & (pool.classes >= 0))
    accuracies: dict[str, Floats] = {str(mode): r.astype(float) for mode, r in right.items()}
    accuracies["hybrid"] = hybrid_right(right, answered, choice).astype(np.float64)
    runs = {"greedy": str(greedy.path)}
    n = 0
    if votes is not None:
        n, more = _votes(votes, config, verifier)
        accuracies |= more
        runs["votes"] = str(votes.path)
    modes = frame.groupby("mode")
    return SetResult(
        name=name,
        right=accuracies,
        fell_back=(~answered[~choice]).astype(np.float64),
        n=n,
        silent={str(mode): float((rows["answer_class"] < 0).mean()) for mode, rows in modes},
        cut_off={str(mode): float((rows["stop"] == "length").mean()) for mode, rows in modes},
        undecided=int((pool.present & (pool.classes >= 0) & ~pool.labelled).sum()),
        runs=runs,
    )


def _any(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether any candidate of a problem, (P, S) -> (P,)."""
    return np.asarray(where.any(axis=1))


def _votes(run: Run, config: EvaluateConfig, verifier: str) -> tuple[int, dict[str, Floats]]:
    """The number of candidates that vote, and each problem's accuracy by rule."""
    pool = PoolArrays.from_frame(load_frame(run), scales=score_scales(run))
    n = [*sizes_of(pool).values()][-1]
    settings = dataclasses.replace(config, n=[1, n], verifier=verifier)
    evaluation = evaluate(pool, settings)
    mix = evaluation.mixes[-1]
    cells = evaluation.per_problem
    return n, {rule: cells[rule, mix, n] for rule in VOTES if (rule, mix, n) in cells}

"""What each rule makes of a pool: accuracies with intervals, and paired differences.

    pool = PoolArrays.from_frame(frame)
    evaluation = evaluate(pool, EvaluateConfig())
    print(table(evaluation))                                  # search/table.py
    evaluation.frame.to_csv("accuracy.csv", index=False)

Accuracies are expectations over random subsets of the pool (`search/curves.py`); intervals are 95 %
bootstrap intervals over problems. One bootstrap serves all numbers, so every difference is paired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from problems.errors import UserError
from problems.problem import MODES
from search import rules
from search.curves import (
    Floats,
    Interval,
    Mix,
    best_of_n_at,
    bootstrap_weights,
    interval,
    pass_at,
    tokens_at,
)
from search.pool import PoolArrays
from search.subsets import MAJORITY, Vote, expected_accuracy

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MIX_LABELS",
    "RULE_LABELS",
    "SCORED_RULES",
    "Cell",
    "EvaluateConfig",
    "Evaluation",
    "best_rules",
    "count",
    "evaluate",
    "rule_label",
]

RULE_LABELS = {
    "single": "single sample",
    "majority": "majority vote",
    "best_of_n": "best-of-n",
    "weighted": "weighted vote",
    "top_k": "top-k vote",
    "pass": "pass@n (ceiling)",
}
SCORED_RULES = ("best_of_n", "weighted", "top_k")
MIX_LABELS: dict[Mix, str] = {"cot": "CoT only", "pot": "PoT only", "both": "both"}

Cell = tuple[str, Mix, int]  # rule, modes, n


@dataclass
class EvaluateConfig:
    """How a pool is evaluated."""

    n: list[int] = field(default_factory=list)
    """numbers of candidates; empty = powers of two up to the pool's size"""
    k: int = 0
    """candidates that vote in top-k; 0 = half the square root of n, at least 3"""
    draws: int = 200
    """random subsets of each problem's candidates at each n"""
    bootstrap: int = 1000
    """resamples of the problems for the 95 % intervals"""
    seed: int = 0
    """of the subsets, the tie-breaks and the resamples"""
    verifier: str = ""
    """whose scores to use; empty = the only one"""


@dataclass(frozen=True)
class Evaluation:
    """All that was estimated.

    `frame` has a row per rule, modes and n: accuracy, low, high (fractions), error (standard error
    of the Monte Carlo estimate, 0 where it is exact), k (top-k only) and tokens (mean number
    generated per problem). `differences` has a row per rule, modes and n ≥ 2: the rule's accuracy
    minus majority's on the same problems. `per_problem` holds the expected accuracy of each problem
    in the order of `problem_ids`. `table_n` is the largest n that every modes' pool can give.
    """

    frame: pd.DataFrame
    differences: pd.DataFrame
    per_problem: dict[Cell, Floats]
    problem_ids: list[str]
    sizes: dict[Mix, int]
    table_n: int
    verifier: str
    config: EvaluateConfig
    notes: tuple[str, ...] = ()

    @property
    def mixes(self) -> list[Mix]:
        """The modes evaluated, "both" last."""
        return list(self.sizes)

    @property
    def rules(self) -> list[str]:
        """The rules evaluated, in the order of the table."""
        present = set(self.frame["rule"])
        return [rule for rule in RULE_LABELS if rule in present]

    def ns(self, mix: Mix) -> list[int]:
        """The n estimated for these modes, ascending."""
        return sorted(n for rule, modes, n in self.per_problem if (rule, modes) == ("pass", mix))

    def at(self, rule: str, mix: Mix, n: int) -> Interval:
        """One accuracy. Raises `KeyError` where it was not estimated."""
        return interval(self.per_problem[rule, mix, n], self._weights)

    def difference(self, cell: Cell, against: Cell) -> Interval:
        """Accuracy of `cell` minus that of `against`, paired over problems."""
        return interval(self.per_problem[cell] - self.per_problem[against], self._weights)

    def difference_to(self, other: Evaluation, cell: Cell) -> Interval:
        """Accuracy of `cell` minus that in another evaluation of the same pool and settings."""
        return interval(self.per_problem[cell] - other.per_problem[cell], self._weights)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single problems, as JSON types (unknown numbers are null)."""
        return {
            "problems": len(self.problem_ids),
            "verifier": self.verifier or None,
            "table_n": self.table_n,
            "sizes": dict(self.sizes),
            "accuracy": _records(self.frame),
            "differences": _records(self.differences),
            "notes": list(self.notes),
        }

    @cached_property
    def _weights(self) -> Floats:
        return bootstrap_weights(len(self.problem_ids), self.config.bootstrap, self.config.seed)


def evaluate(pool: PoolArrays, config: EvaluateConfig | None = None) -> Evaluation:
    """Estimates every rule at every n, for CoT only, PoT only and both.

    Raises `UserError` for an unknown verifier, candidates without a score, a pool without labels,
    and an n that the pool cannot give.
    """
    config = config or EvaluateConfig()
    _check_config(config)
    if not pool.labelled.any():
        raise UserError("evaluate: no candidate has a label; the problems need reference answers")
    verifier, scores = _scores(pool, config.verifier)
    sizes = _sizes(pool)
    grid = {mix: _grid(config.n, size, list(sizes.values())) for mix, size in sizes.items()}
    if not any(grid.values()):
        raise UserError(
            f"evaluate: n={min(config.n)} is more than the {max(sizes.values())} candidates per "
            "problem that the pool holds"
        )
    notes = [
        f"{MIX_LABELS[mix]} left out: it has no more than {sizes[mix]} candidates per problem"
        for mix, ns in grid.items()
        if not ns
    ]
    grid = {mix: ns for mix, ns in grid.items() if ns}
    per_problem: dict[Cell, Floats] = {}
    errors: dict[Cell, float] = {}
    for mix, ns in grid.items():
        found, error = _accuracies(pool, scores, mix, ns, config)
        per_problem.update(found)
        errors.update(error)
    weights = bootstrap_weights(len(pool.problem_ids), config.bootstrap, config.seed)
    tokens = {(mix, n): tokens_at(pool, mix, n).mean() for mix, ns in grid.items() for n in ns}
    return Evaluation(
        frame=_frame(per_problem, errors, tokens, weights, config.k),
        differences=_differences(per_problem, weights),
        per_problem=per_problem,
        problem_ids=pool.problem_ids,
        sizes={mix: sizes[mix] for mix in grid},
        # The least n wanted is in every grid, so that there is one.
        table_n=max(set.intersection(*(set(ns) for ns in grid.values()))),
        verifier=verifier,
        config=config,
        notes=(*notes, *_notes(pool, sizes)),
    )


def rule_label(rule: str, n: int | None = None, k: int = 0) -> str:
    """The rule's name for people: `top-k vote`, or at a known n `top-3 vote`."""
    if n is not None and rule == "top_k":
        return f"top-{_voters(n, k)} vote"
    if n is not None and rule == "pass":
        return f"pass@{n} (ceiling)"
    return RULE_LABELS[rule]


def _check_config(config: EvaluateConfig) -> None:
    for name, least in (("k", 0), ("draws", 1), ("bootstrap", 1)):
        if getattr(config, name) < least:
            raise UserError(f"evaluate: {name}={getattr(config, name)}, expected at least {least}")
    wrong = [n for n in config.n if n < 1]
    if wrong:
        raise UserError(f"evaluate: n={wrong[0]}, expected at least 1")


def _scores(pool: PoolArrays, verifier: str) -> tuple[str, np.ndarray[Any, Any] | None]:
    known = ", ".join(f"'{name}'" for name in pool.scores) or "none"
    if verifier and verifier not in pool.scores:
        raise UserError(f"evaluate: no scores by verifier '{verifier}' (the pool has: {known})")
    if not pool.scores:
        return "", None
    if not verifier and len(pool.scores) > 1:
        raise UserError(f"evaluate: choose one with verifier=… (the pool has scores by {known})")
    name = verifier or next(iter(pool.scores))
    scores = pool.scores[name]
    unscored = np.isnan(scores) & pool.present & (pool.classes >= 0)
    if unscored.any():
        problem = pool.problem_ids[int(unscored.any(axis=1).argmax())]
        raise UserError(
            f"evaluate: {int(unscored.sum())} candidates with an answer have no score by verifier "
            f"'{name}' (first in problem {problem!r}); score the run first"
        )
    return name, scores


def _sizes(pool: PoolArrays) -> dict[Mix, int]:
    sizes: dict[Mix, int] = {mode: pool.size(mode) for mode in pool.mode_names}
    if len(sizes) == len(MODES):
        sizes["both"] = 2 * min(sizes.values())
    return sizes


def _grid(wanted: list[int], size: int, sizes: list[int]) -> list[int]:
    """The n to estimate up to `size`: those wanted, or the powers of two and every mode's size."""
    powers = [1 << exponent for exponent in range(size.bit_length())]
    return sorted({n for n in wanted or [*powers, *sizes] if n <= size})


def _accuracies(
    pool: PoolArrays,
    scores: np.ndarray[Any, Any] | None,
    mix: Mix,
    ns: list[int],
    config: EvaluateConfig,
) -> tuple[dict[Cell, Floats], dict[Cell, float]]:
    single = pass_at(pool, mix, 1)
    found: dict[Cell, Floats] = {("single", mix, 1): single}
    found |= {("pass", mix, n): pass_at(pool, mix, n) for n in ns}
    drawn = {"majority": MAJORITY}
    if scores is not None:
        best = best_of_n_at(pool, scores, mix, ns)
        found |= {("best_of_n", mix, n): best[row] for row, n in enumerate(ns)}
        drawn |= {"weighted": Vote("none"), "top_k": Vote(k=config.k)}
    # With one candidate there is nothing to choose: every rule is the single sample, exactly.
    found |= {(name, mix, 1): single for name in drawn if 1 in ns}
    estimates = expected_accuracy(
        pool,
        drawn,
        [n for n in ns if n > 1],
        config.draws,
        config.seed,
        mix=mix,
        scores=scores,
    )
    found |= {(name, mix, n): estimate.values for (name, n), estimate in estimates.items()}
    errors = {(name, mix, n): estimate.error for (name, n), estimate in estimates.items()}
    return found, errors


def _voters(n: int, k: int) -> int:
    return min(n, k) if k else rules.automatic_k(n)


def _frame(
    per_problem: Mapping[Cell, Floats],
    errors: Mapping[Cell, float],
    tokens: Mapping[tuple[Mix, int], float],
    weights: Floats,
    k: int,
) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for rule in RULE_LABELS:
        for (name, mix, n), values in per_problem.items():
            if name == rule:
                found = interval(values, weights)
                rows.append(
                    {
                        "rule": rule,
                        "modes": mix,
                        "n": n,
                        "accuracy": found.value,
                        "low": found.low,
                        "high": found.high,
                        "error": errors.get((name, mix, n), 0.0),
                        "k": _voters(n, k) if rule == "top_k" else None,
                        "tokens": tokens.get((mix, n), float("nan")),
                    }
                )
    frame = pd.DataFrame(rows).astype({"k": "Int64"})
    return frame.sort_values(["modes", "n"], kind="stable", ignore_index=True, key=_by_mix)


def _differences(per_problem: Mapping[Cell, Floats], weights: Floats) -> pd.DataFrame:
    import pandas as pd

    names = ["rule", "modes", "n", "difference", "low", "high"]
    rows = []
    for (rule, mix, n), values in per_problem.items():
        if rule in SCORED_RULES and n > 1:
            found = interval(values - per_problem["majority", mix, n], weights)
            rows.append((rule, mix, n, found.value, found.low, found.high))
    frame = pd.DataFrame(rows, columns=pd.Index(names))
    return frame.sort_values(["modes", "n"], kind="stable", ignore_index=True, key=_by_mix)


def _by_mix(column: pd.Series[Any]) -> pd.Series[Any]:
    if column.name != "modes":
        return column
    return column.map({mix: place for place, mix in enumerate(MIX_LABELS)})


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _notes(pool: PoolArrays, sizes: Mapping[Mix, int]) -> list[str]:
    notes = []
    for mode in pool.mode_names:
        counts = pool.of_mode(mode).sum(axis=1)
        short = np.flatnonzero(counts < sizes[mode])
        if len(short):
            notes.append(
                f"{count(len(short), 'problem')} with fewer than {sizes[mode]} "
                f"{MIX_LABELS[mode][:3]} candidates (first: {pool.problem_ids[short[0]]}); "
                "all of theirs are used"
            )
    unlabelled = int((pool.present & (pool.classes >= 0) & ~pool.labelled).sum())
    if unlabelled:
        notes.append(f"{count(unlabelled, 'answer')} without a label, counted as wrong")
    return notes


def best_rules(evaluation: Evaluation, mix: Mix, n: int) -> set[str]:
    """The rules with the highest accuracy, to the digit that tables show; the ceiling aside."""
    shown = {
        rule: round(100 * float(evaluation.per_problem[rule, mix, n].mean()), 1)
        for rule in evaluation.rules
        if rule not in ("single", "pass")
    }
    # With one candidate every rule is the same.
    return {rule for rule, value in shown.items() if n > 1 and value == max(shown.values())}


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")

"""What each rule makes of a pool: accuracies with intervals, and paired differences.

    pool = PoolArrays.from_frame(frame)
    evaluation = evaluate(pool, EvaluateConfig())
    print(table(evaluation))                                  # evaluation/table.py
    evaluation.frame.to_csv("accuracy.csv", index=False)

Accuracies are expectations over random subsets of the pool (`selection/curves.py`); intervals are
95 % bootstrap intervals over problems. One bootstrap serves all numbers, so every difference is
paired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.selection.curves import Floats, Mix, has, hybrid_tokens, tokens_at
from assay.selection.estimates import Cell, Design, Measured, measure, with_votes
from assay.selection.free import FREE_SCORES
from assay.selection.groups import groups
from assay.selection.intervals import Interval, Paired, bootstrap_weights, interval, paired
from assay.selection.names import (
    MIX_LABELS,
    ON_REQUEST,
    RULE_LABELS,
    SCORED_RULES,
    count,
)
from assay.selection.pool import PoolArrays
from assay.selection.quality import Quality, quality
from assay.selection.request import (
    EvaluateConfig,
    applicable,
    check_config,
    grids,
    score_notes,
    scores_of,
    voter_notes,
)
from assay.selection.tuning import FOLDS, FoldVotes
from assay.settings.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Evaluation", "best_rules", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """All that was estimated.

    `frame` has a row per rule, modes and n: accuracy, low, high (fractions), problems (how many
    they are over), error (standard error of the Monte Carlo estimate, 0 where it is exact), k
    (top-k only; where it is cross-fitted, what most folds use), tokens (mean number generated per
    problem; for the hybrid, words are only generated where the program has no answer), draws
    (subsets of each problem behind an estimate, none where it is exact) and temperature (of the
    softmax transform). `differences` has a row per
    rule, modes and n ≥ 2: the rule's accuracy minus majority's on the same problems, with interval
    and p-value. `groups` has a row per breakdown (`by`), group, rule, modes and n; None where none
    was asked for.

    `per_problem` holds the expected accuracy of each problem in the order of `problem_ids`, NaN for
    one without candidates of the modes: accuracies are over the others, of which `frame` has the
    number (`problems`).
    `table_n` is the largest n that every modes' pool can give. `quality` tells what the scores are
    worth; None without scores. `votes` holds the vote that each rule is at each n ≥ 2.
    The hybrid has one point, ("hybrid", "both", 2), and is none of `rules`, which have one at every
    n (the single sample at n = 1 alone).
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
    groups: pd.DataFrame | None = None
    quality: Quality | None = None
    votes: Mapping[Cell, FoldVotes] = field(default_factory=dict)

    @property
    def mixes(self) -> list[Mix]:
        """The modes evaluated, "both" last."""
        return list(self.sizes)

    @property
    def rules(self) -> list[str]:
        """The rules evaluated, in the order of the table; the hybrid apart."""
        present = set(self.frame["rule"]) - {"hybrid"}
        return [rule for rule in RULE_LABELS if rule in present]

    @property
    def drawn(self) -> list[str]:
        """The rules of curves and figures: not the single sample, and `ON_REQUEST` where asked."""
        left_out = {"single", *(set(ON_REQUEST) - set(self.config.rules))}
        return [rule for rule in self.rules if rule not in left_out]

    @property
    def hybrid(self) -> Interval | None:
        """Accuracy of a program's answer, or where it has none that of one solution in words."""
        values = self.per_problem.get(("hybrid", "both", 2))
        return None if values is None else interval(values, self._weights)

    def ns(self, mix: Mix) -> list[int]:
        """The n estimated for these modes, ascending."""
        return sorted(n for rule, modes, n in self.per_problem if (rule, modes) == ("pass", mix))

    def problems(self, mix: Mix) -> int:
        """How many problems have candidates of these modes: those that accuracies are over."""
        values = self.per_problem["pass", mix, self.ns(mix)[0]]
        return int((~np.isnan(values)).sum())

    def mix_label(self, mix: Mix) -> str:
        """`PoT only`; with the number of problems, `PoT only (11)`, where it is not that of all."""
        number = self.problems(mix)
        told = f" ({number:,})" if number < len(self.problem_ids) else ""
        return f"{MIX_LABELS[mix]}{told}"

    @property
    def shares_modes(self) -> bool:
        """Whether every problem has candidates of all modes, so that both takes half of each."""
        return all(self.problems(mix) == len(self.problem_ids) for mix in self.mixes)

    def mean(self, rule: str, mix: Mix, n: int) -> float:
        """One accuracy without its interval. Raises `KeyError` where it was not estimated."""
        return float(np.nanmean(self.per_problem[rule, mix, n]))

    def at(self, rule: str, mix: Mix, n: int) -> Interval:
        """One accuracy. Raises `KeyError` where it was not estimated."""
        return interval(self.per_problem[rule, mix, n], self._weights)

    def difference(self, cell: Cell, against: Cell) -> Paired:
        """Accuracy of `cell` minus that of `against`, paired over problems."""
        return paired(self.per_problem[cell], self.per_problem[against], self._weights)

    def difference_to(self, other: Evaluation, cell: Cell) -> Paired:
        """Accuracy of `cell` minus that in another evaluation of the same pool and settings."""
        return paired(self.per_problem[cell], other.per_problem[cell], self._weights)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single problems, as JSON types (unknown numbers are null)."""
        return {
            "problems": len(self.problem_ids),
            "verifier": self.verifier or None,
            "table_n": self.table_n,
            "sizes": dict(self.sizes),
            "problems_by_modes": {mix: self.problems(mix) for mix in self.mixes},
            "accuracy": _records(self.frame),
            "differences": _records(self.differences),
            "groups": [] if self.groups is None else _records(self.groups),
            "quality": None if self.quality is None else self.quality.to_dict(),
            "notes": list(self.notes),
        }

    @cached_property
    def _weights(self) -> Floats:
        return bootstrap_weights(len(self.problem_ids), self.config.bootstrap, self.config.seed)


def evaluate(
    pool: PoolArrays, config: EvaluateConfig | None = None, tune: PoolArrays | None = None
) -> Evaluation:
    """Estimates every rule at every n, for CoT only, PoT only and both.

    `tune`: a pool of held-out problems on which constants that are `auto` are chosen; without,
    they are cross-fitted (selection/tuning.py).

    Candidates without a score have no part in rules that need scores. Raises `UserError` for an
    unknown rule or verifier, a rule asked for by name whose scores are missing, a pool without
    labels, an n that the pool cannot give, and with `short=refuse` problems with too few of them.
    """
    config = config or EvaluateConfig()
    check_config(config)
    if not pool.labelled.any():
        raise UserError("evaluate: no candidate has a label; the problems need reference answers")
    verifier, scores = scores_of(pool, config.verifier)
    sizes, grid, notes = grids(pool, config)
    names, left_out = applicable(pool, scores, config)
    held_out = None if tune is None else _held_out(tune, verifier, names)
    design = with_votes(Design(tuple(names), grid, verifier, config), pool, held_out)
    measured = measure(pool, design)
    weights = bootstrap_weights(len(pool.problem_ids), config.bootstrap, config.seed)
    return Evaluation(
        frame=_frame(pool, measured, design, weights),
        differences=_differences(measured.per_problem, weights),
        per_problem=measured.per_problem,
        problem_ids=pool.problem_ids,
        sizes={mix: sizes[mix] for mix in grid},
        # The least n wanted is in every grid, so that there is one.
        table_n=max(set.intersection(*(set(ns) for ns in grid.values()))),
        verifier=verifier,
        config=config,
        notes=(
            *notes,
            *left_out,
            *score_notes(pool, verifier),
            *voter_notes(config, grid, names),
            *_notes(pool, names),
            *_chosen(design, [*grid][-1], tune is not None),
        ),
        groups=groups(pool, design, weights) if config.by else None,
        quality=None if scores is None else quality(pool, scores, measured.per_problem, weights),
        votes=design.votes,
    )


def _held_out(tune: PoolArrays, verifier: str, names: list[str]) -> PoolArrays | None:
    """The held-out problems, where a rule needs scores; else None: there is nothing to tune."""
    if not verifier or not set(SCORED_RULES) & set(names):
        return None
    if scores_of(tune, verifier)[1] is None:
        why = tune.left_out.get(verifier, "the run has none")
        raise UserError(f"evaluate: tune: scores by '{verifier}': {why}")
    return tune


def _frame(pool: PoolArrays, measured: Measured, design: Design, weights: Floats) -> pd.DataFrame:
    import pandas as pd

    sizes = {(mix, n) for _, mix, n in measured.per_problem}
    tokens = {(mix, n): tokens_at(pool, mix, n)[has(pool, mix)].mean() for mix, n in sizes}
    rows = []
    for rule in RULE_LABELS:
        for cell, values in measured.per_problem.items():
            name, mix, n = cell
            if name != rule:
                continue
            result = interval(values, weights)
            votes = design.votes.get(cell)
            rows.append(
                {
                    "rule": rule,
                    "modes": mix,
                    "n": n,
                    "accuracy": result.value,
                    "low": result.low,
                    "high": result.high,
                    "problems": int((~np.isnan(values)).sum()),
                    "error": measured.errors.get(cell, 0.0),
                    # With one candidate there is no vote.
                    "k": (votes.typical.voters(n) if votes else 1) if "top_k" in rule else None,
                    "tokens": hybrid_tokens(pool).mean() if rule == "hybrid" else tokens[mix, n],
                    "draws": measured.draws.get(cell),
                    "temperature": votes.typical.temperature
                    if votes and votes.typical.weights == "softmax"
                    else None,
                }
            )
    frame = pd.DataFrame(rows).astype({"k": "Int64", "draws": "Int64", "temperature": "Float64"})
    return frame.sort_values(["modes", "n"], kind="stable", ignore_index=True, key=_by_mix)


def _differences(per_problem: Mapping[Cell, Floats], weights: Floats) -> pd.DataFrame:
    import pandas as pd

    names = ["rule", "modes", "n", "difference", "low", "high", "p"]
    rows = []
    for (rule, mix, n), values in per_problem.items():
        if rule in (*SCORED_RULES, *FREE_SCORES, "logprob", "shortest") and n > 1:
            found = paired(values, per_problem["majority", mix, n], weights)
            rows.append((rule, mix, n, found.value, found.low, found.high, found.p))
    frame = pd.DataFrame(rows, columns=pd.Index(names))
    return frame.sort_values(["modes", "n"], kind="stable", ignore_index=True, key=_by_mix)


def _by_mix(column: pd.Series[Any]) -> pd.Series[Any]:
    if column.name != "modes":
        return column
    return column.map({mix: place for place, mix in enumerate(MIX_LABELS)})


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _notes(pool: PoolArrays, names: list[str]) -> list[str]:
    notes = []
    unlabelled = int((pool.present & (pool.classes >= 0) & ~pool.labelled).sum())
    if unlabelled:
        notes.append(f"{count(unlabelled, 'answer')} without a label, counted as wrong")
    if "hybrid" in names:
        programs = pool.of_mode("pot")
        silent = (programs & (pool.classes < 0)).sum() / programs.sum()
        notes.append(f"hybrid falls back to CoT for {100 * silent:.1f} % of the programs")
    return notes


def _chosen(design: Design, mix: Mix, held_out: bool) -> list[str]:
    """Notes on the constants that were chosen for these modes: one for each rule and constant."""
    how = "on held-out problems" if held_out else f"by cross-fitting in {FOLDS} folds"
    told: dict[tuple[str, str], list[str]] = {}
    for (rule, modes, n), votes in design.votes.items():
        for name, value in votes.tuned() if modes == mix else ():
            told.setdefault((rule, name), []).append(f"{value} at {n}")
    return [
        f"{RULE_LABELS[rule]} ({MIX_LABELS[mix]}): {name} chosen {how}: {', '.join(values)}"
        for (rule, name), values in told.items()
    ]


def best_rules(evaluation: Evaluation, mix: Mix, n: int) -> set[str]:
    """The rules with the highest accuracy, to the digit that tables show; the ceiling aside."""
    shown = {
        rule: round(100 * evaluation.mean(rule, mix, n), 1)
        for rule in evaluation.rules
        if rule not in ("single", "pass")
    }
    # With one candidate every rule is the same.
    return {rule for rule, value in shown.items() if n > 1 and value == max(shown.values())}

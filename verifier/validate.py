"""How good a verifier's scores are on problems that it was not trained on, beside a plain vote.

    measured = measure([np.array([0.9, 0.2])], [np.array([True, False])])
    measured.auc        # 1.0: every right candidate is above every wrong one

Votes and measures are those by which a run is evaluated (`selection/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.selection.measures import calibration_error, group_aucs, pooled_auc
from assay.selection.rules import best_of_n, leaders, weighted
from assay.selection.subsets import MAJORITY, Rule
from assay.settings.errors import UserError
from assay.verifier.config import KEEP_BY, ScoreConfig
from assay.verifier.data import VerifierProblem

if TYPE_CHECKING:
    from assay.problems.prompts import Prompter
    from assay.verifier.model import Verifier

__all__ = [
    "Validation",
    "is_as_good",
    "measure",
    "measure_problems",
    "score_problems",
    "told",
    "validation_table",
]

Scores = Sequence[NDArray[Any]]
Labels = Sequence[NDArray[np.bool_]]
Classes = Sequence[NDArray[np.integer[Any]]]


@dataclass(frozen=True)
class Validation:
    """Measures over held-out problems; `None` where one is not defined.

    `mse`: mean squared difference of score and label (chance level: the labels' variance). `auc`:
    ROC-AUC over all candidates; easy problems alone make it high. `auc_within`: the mean AUC among
    the candidates of one problem and mode, over those that have right and wrong ones: what a vote
    can use, and nothing is gained by telling programs from words. `calibration_error`: see
    `assay.selection.measures`.

    Shares of problems: `best_of_n` (the best-scored candidate is right), `weighted` (the answer
    with the largest sum of scores, Li et al. 2022, arXiv 2206.02336), `majority` (the commonest
    answer, Wang et al. 2022, arXiv 2203.11171: the baseline, which needs no verifier),
    `share_right` (a random candidate), `solvable` (any candidate). Equal sums are told apart by the
    best score; ties that are left are split evenly: what a random draw among equals gives on
    average. A problem without any answer counts as wrong. Votes are `None` where the data does not
    know which answers are equal.

    `standard_errors`: of the measures that are means over problems (other problems of the kind).
    """

    problems: int
    candidates: int
    mse: float
    auc: float | None
    auc_within: float | None
    calibration_error: float
    best_of_n: float
    weighted: float | None
    majority: float | None
    share_right: float
    solvable: float
    standard_errors: dict[str, float] = field(default_factory=dict)


def measure(
    scores: Scores,
    labels: Labels,
    classes: Classes | None = None,
    modes: Sequence[NDArray[Any]] | None = None,
) -> Validation:
    """Measures from scores, labels, answer classes (−1: no answer) and modes, one array a problem.

    Without `modes` all candidates are of one.
    """
    held, right = _padded(scores, 0.0), _padded(labels, False)
    kept = _padded([np.ones(len(y), bool) for y in labels], False)
    mode = _padded(modes or [np.zeros(len(y), int) for y in labels], -1)
    pool = np.full((1, len(scores)), 1 / len(scores))
    off = [np.square(s.astype(np.float64) - y) for s, y in zip(scores, labels, strict=True)]
    mse = float(np.mean(np.concatenate(off)))
    candidates = int(kept.sum())
    groups = [kept & (mode == each) for each in np.unique(mode[kept])]
    aucs = group_aucs(held, right, groups)
    within = aucs[~np.isnan(aucs)]
    # Without classes every candidate may win; with them those that have an answer.
    voting = classes if classes is not None else [np.zeros(len(y), int) for y in labels]
    rows = list(zip(labels, voting, scores, strict=True))
    best = [_chance(best_of_n, *row) for row in rows]
    vote = [_chance(weighted, *row) for row in rows]
    majority = [_chance(MAJORITY, *row) for row in rows]
    return Validation(
        problems=len(scores),
        candidates=candidates,
        mse=mse,
        auc=_defined(pooled_auc(held, right, kept)(pool)),
        auc_within=float(np.mean(within)) if len(within) else None,
        calibration_error=float(calibration_error(held, right, kept)(pool)[0]),
        best_of_n=float(np.mean(best)),
        weighted=None if classes is None else float(np.mean(vote)),
        majority=None if classes is None else float(np.mean(majority)),
        share_right=float(np.mean([y.mean() for y in labels])),
        solvable=float(np.mean([y.any() for y in labels])),
        standard_errors={
            "auc_within": _standard_error(within),
            "best_of_n": _standard_error(best),
            "weighted": _standard_error(vote),
            # Of a ratio of two sums over problems, to first order.
            "mse": _standard_error([len(off) * (o - mse).sum() / candidates for o in off]),
        },
    )


def _padded(rows: Sequence[NDArray[Any]], fill: Any) -> NDArray[Any]:
    """Arrays of several lengths as one of shape (P, S), filled up at the end of each row."""
    padded = np.full((len(rows), max(map(len, rows))), fill, np.result_type(*rows))
    for line, row in zip(padded, rows, strict=True):
        line[: len(row)] = row
    return padded


def _chance(
    rule: Rule, labels: NDArray[np.bool_], classes: NDArray[np.integer[Any]], scores: NDArray[Any]
) -> float:
    """How likely a rule's choice is right, over all ways in which ties can be broken."""
    leading = leaders(rule, classes, scores)
    return float(labels[leading].mean()) if leading.any() else 0.0


def _defined(values: NDArray[np.float64]) -> float | None:
    """The one value of a statistic, `None` where it is not defined."""
    return None if np.isnan(values[0]) else float(values[0])


def _standard_error(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Of the mean of independent values; 0 where there are too few to tell."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def score_problems(
    verifier: Verifier,
    tokenizer: Any,
    prompter: Prompter,
    held_out: Sequence[VerifierProblem],
    batch_tokens: int,
) -> list[NDArray[np.float32]]:
    """Scores of the held-out problems' candidates, both modes together, one array a problem."""
    from assay.verifier.score import score

    config = ScoreConfig(batch_tokens=batch_tokens)
    return [
        score(verifier, tokenizer, prompter, item.problem, item.candidates, config).scores
        for item in held_out
    ]


def measure_problems(scores: Scores, held_out: Sequence[VerifierProblem]) -> Validation:
    """`measure` for candidates as they are held out, with votes where any has an answer class.

    Raises `UserError` where scores are not finite.
    """
    if not all(np.isfinite(own).all() for own in scores):
        raise UserError("train-verifier: the training diverged; try a lower learning_rate")
    labels = [np.array([c.label for c in item.candidates]) for item in held_out]
    classes = [np.array([c.answer_class for c in item.candidates]) for item in held_out]
    known = any((own >= 0).any() for own in classes)
    modes = [np.array([c.mode for c in item.candidates]) for item in held_out]
    return measure(scores, labels, classes if known else None, modes)


def is_as_good(new: float | None, old: float | None, by: str, margin: float = 0.0) -> bool:
    """Whether a later step's measure `by` is as good as an earlier one's, or worse by `margin`.

    Undefined is never as good.
    """
    if new is None or old is None:
        return new is not None
    return KEEP_BY[by] * (new - old) >= -margin


def told(measured: Validation) -> str:
    """One line for a progress bar."""
    auc = "–" if measured.auc_within is None else f"{measured.auc_within:.3f}"
    text = f"held out: AUC within {auc}, best-of-n {100 * measured.best_of_n:.0f} %"
    if measured.majority is None:
        return f"{text}, one sample {100 * measured.share_right:.0f} %"
    return f"{text}, majority {100 * measured.majority:.0f} %"


def validation_table(validations: Sequence[Mapping[str, Any]], kept: int) -> str:
    """What validation measured, a line a validation; a star marks the step whose weights are kept.

    Accuracies in %. Empty where nothing was validated.
    """
    if not validations:
        return ""
    columns = [
        ("mse", "MSE", 1, 4),
        ("auc", "AUC", 1, 3),
        ("auc_within", "AUC within", 1, 3),
        ("calibration_error", "calibration", 1, 3),
        ("best_of_n", "best-of-n", 100, 1),
        ("weighted", "weighted", 100, 1),
    ]
    last = validations[-1]
    lines = [
        f"held out: {last['problems']} problems, {last['candidates']} candidates; of their answers "
        f"right: one sample {_number(last['share_right'], 100, 1)} %, majority "
        f"{_number(last['majority'], 100, 1)} %, any {_number(last['solvable'], 100, 1)} %",
        "  ".join([f"{'step':>8}", *(f"{title:>11}" for _, title, _, _ in columns)]),
    ]
    for row in validations:
        cells = [f"{_number(row[name], scale, digits):>11}" for name, _, scale, digits in columns]
        star = "*" if row["step"] == kept else " "
        lines.append("  ".join([f"{row['step']:>7}{star}", *cells]))
    return "\n".join(lines)


def _number(value: float | None, scale: int, digits: int) -> str:
    return "–" if value is None else f"{scale * value:.{digits}f}"

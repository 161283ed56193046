"""How good a verifier's scores are on problems that it was not trained on.

measured = measure([np.array([0.9, 0.2])], [np.array([True, False])])
measured.auc        # 1.0: every right candidate is above every wrong one
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from verifier.config import ScoreConfig
from verifier.data import VerifierProblem

if TYPE_CHECKING:
    from problems.prompts import Prompter
    from verifier.model import Verifier

__all__ = ["Validation", "measure", "validate"]


@dataclass(frozen=True)
class Validation:
    """Measures over held-out problems; `None` where one is not defined.

    `mse`: mean squared difference of score and label (chance level: the labels' variance). `auc`:
    ROC-AUC over all candidates; easy problems alone make it high. `auc_within`: the mean over
    problems with right and wrong candidates of the AUC within the problem: what a vote can use.
    `best_of_n`: share of problems whose best-scored candidate is right, between `share_right` (a
    random candidate's) and `solvable` (problems with any right candidate).
    """

    problems: int
    candidates: int
    mse: float
    auc: float | None
    auc_within: float | None
    best_of_n: float
    share_right: float
    solvable: float


def measure(scores: Sequence[NDArray[Any]], labels: Sequence[NDArray[np.bool_]]) -> Validation:
    """Measures from scores and labels, one array a problem. Ties for the best share the place."""
    from sklearn.metrics import roc_auc_score

    flat_scores = np.concatenate(scores).astype(np.float64)
    flat_labels = np.concatenate(labels)
    mixed = 0 < flat_labels.sum() < len(flat_labels)
    within = [
        roc_auc_score(y, s) for s, y in zip(scores, labels, strict=True) if 0 < y.sum() < len(y)
    ]
    best = [y[s == s.max()].mean() for s, y in zip(scores, labels, strict=True)]
    return Validation(
        problems=len(scores),
        candidates=len(flat_scores),
        mse=float(np.mean((flat_scores - flat_labels) ** 2)),
        auc=float(roc_auc_score(flat_labels, flat_scores)) if mixed else None,
        auc_within=float(np.mean(within)) if within else None,
        best_of_n=float(np.mean(best)),
        share_right=float(np.mean([y.mean() for y in labels])),
        solvable=float(np.mean([y.any() for y in labels])),
    )


def validate(
    verifier: Verifier,
    tokenizer: Any,
    prompter: Prompter,
    held_out: Sequence[VerifierProblem],
    batch_tokens: int,
) -> Validation:
    """Scores the held-out problems' candidates, both modes together, and measures."""
    from verifier.score import score

    config = ScoreConfig(batch_tokens=batch_tokens)
    items = [item for item in held_out if item.candidates]
    scores = [
        score(verifier, tokenizer, prompter, item.problem, item.candidates, config).scores
        for item in items
    ]
    return measure(scores, [np.array([c.label for c in item.candidates]) for item in items])

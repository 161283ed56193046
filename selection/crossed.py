"""Verifiers compared over several trainings (seeds) and one set of test problems, with intervals.

    bootstrap = CrossedBootstrap(problems=100, seeds=3)
    ours = bootstrap.values([mean_of(right) for right in ours_by_seed])      # right: shape (P,)
    theirs = bootstrap.values([mean_of(right) for right in theirs_by_seed])
    bootstrap.interval(ours), bootstrap.interval(ours - theirs)              # paired

What is estimated is the mean over seeds of a statistic over problems. Every seed is tested on the
same problems: the two factors are crossed, not nested, so each draw of the bootstrap resamples the
problems (the same ones for every seed and variant) and, independently, the seeds (Owen 2007, "The
pigeonhole bootstrap", arXiv 0712.1111). A difference is taken within each draw: paired over
problems and over seeds. Resampling S seeds knows (S − 1)/S of the variance between trainings, with
S = 3 two thirds of it: where that dominates, 95 % intervals are too narrow by a fifth or more. With
one seed they speak of the problems alone. The pool of candidates is fixed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.problems.problem import MODES
from assay.selection.curves import Floats, best_of_n_at
from assay.selection.intervals import Interval, bootstrap_weights
from assay.selection.measures import Statistic, auc_within, calibration_error, mean_of, pooled_auc
from assay.selection.pool import PoolArrays
from assay.selection.subsets import MAJORITY, Vote, expected_accuracy

__all__ = ["CrossedBootstrap", "measures"]


class CrossedBootstrap:
    """Weights of problems and seeds in every draw; row 0 weighs all equally: the estimate."""

    def __init__(self, problems: int, seeds: int, draws: int = 2000, seed: int = 0) -> None:
        """`draws` resamples from the random seed `seed`."""
        self._problems = _weights(problems, draws, seed)
        self._seeds = _weights(seeds, draws, seed + 1)

    def values(self, statistics: Sequence[Statistic]) -> Floats:
        """Each seed's statistic in each draw, shape (1 + draws, seeds)."""
        return np.stack([statistic(self._problems) for statistic in statistics], axis=1)

    def interval(self, values: Floats) -> Interval:
        """The mean over seeds with its 95 % percentile interval (draws without a value aside)."""
        means = np.where(self._seeds > 0, self._seeds * values, 0.0).sum(axis=1)
        drawn = means[1:][~np.isnan(means[1:])]
        low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
        return Interval(float(means[0]), float(low), float(high))


def _weights(count: int, draws: int, seed: int) -> Floats:
    equal = np.full((1, count), 1 / count)
    return np.concatenate([equal, bootstrap_weights(count, draws, seed)])


def measures(
    pool: PoolArrays, verifier: str, ns: Sequence[int], draws: int = 200
) -> dict[str, Statistic]:
    """What a verifier's scores of a pool are worth, by name; accuracies mix both modes.

    Accuracies are expectations over random subsets of n candidates, by Monte Carlo over `draws` of
    them for the votes (`selection/subsets.py`).
    """
    scores = pool.scores[verifier]
    known = pool.labelled & pool.present & ~np.isnan(scores)
    by_mode = [known & pool.of_mode(mode) for mode in MODES]
    best = best_of_n_at(pool, scores, "both", ns)
    voting = {"weighted vote": Vote("none"), "majority vote": MAJORITY}
    votes = expected_accuracy(pool, voting, ns, draws, seed=0, scores=scores)
    statistics = {
        "AUC within problem and mode": auc_within(scores, pool.labels, by_mode),
        "AUC within problem": auc_within(scores, pool.labels, [known]),
        "AUC": pooled_auc(scores, pool.labels, known),
        "calibration error": calibration_error(scores, pool.labels, known),
    }
    statistics |= {f"best-of-{n}": mean_of(best[row]) for row, n in enumerate(ns)}
    statistics |= {f"{name} of {n}": mean_of(vote.values) for (name, n), vote in votes.items()}
    for n in ns:
        gained = votes["weighted vote", n].values - votes["majority vote", n].values
        statistics[f"weighted − majority of {n}"] = mean_of(gained)
    return statistics

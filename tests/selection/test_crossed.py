"""Statistics worked out by hand, against scikit-learn on repeated problems, and the bootstrap."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from assay.selection.crossed import CrossedBootstrap, measures
from assay.selection.intervals import bootstrap_weights, interval
from assay.selection.measures import auc_within, calibration_error, mean_of, pooled_auc
from assay.selection.pool import PoolArrays

# Two problems of two candidates: the first well ranked, the second the wrong way round.
SCORES = np.array([[0.95, 0.45], [0.55, 0.65]])
RIGHT = np.array([[True, False], [True, False]])
ALL = np.ones((2, 2), bool)
EQUAL, FIRST, SECOND = np.array([0.5, 0.5]), np.array([1.0, 0.0]), np.array([0.0, 1.0])


def at(statistic, *weights):
    return statistic(np.array(weights)).tolist()


def test_pooled_auc_by_hand():
    # 0.95 beats both wrong ones, 0.55 beats 0.45 alone: 3 of 4 pairs.
    assert at(pooled_auc(SCORES, RIGHT, ALL), EQUAL, FIRST, SECOND) == [0.75, 1.0, 0.0]


def test_auc_within_by_hand():
    assert at(auc_within(SCORES, RIGHT, [ALL]), EQUAL, FIRST, SECOND) == [0.5, 1.0, 0.0]


def test_auc_within_groups_keeps_them_apart():
    # One mode scores high and is right more often: seen within problems, not within modes.
    scores = np.array([[0.9, 0.9, 0.1, 0.1]])
    right = np.array([[True, False, False, False]])
    first = np.array([[True, True, False, False]])
    everything = np.ones((1, 4), bool)
    assert at(auc_within(scores, right, [everything]), [1.0]) == [pytest.approx(2.5 / 3)]
    # The second mode has no right candidate: only the first counts, and there is a tie.
    assert at(auc_within(scores, right, [first, ~first]), [1.0]) == [0.5]


def test_calibration_error_by_hand():
    # Four bins of one candidate each: 0.05, 0.45, 0.45 and 0.65 off.
    found = calibration_error(SCORES, RIGHT, ALL)
    assert at(found, EQUAL, FIRST, SECOND) == pytest.approx([0.4, 0.25, 0.55])


def test_calibration_error_within_a_bin_cancels_and_scores_are_cut():
    scores, kept = np.array([[0.5, 0.5, 1.7, 0.3]]), np.array([[True, True, True, False]])
    right = np.array([[True, False, True, True]])
    assert at(calibration_error(scores, right, kept), [1.0]) == [0.0]


def test_without_pairs_there_is_no_auc():
    right = np.array([[True, True], [True, False]])
    assert np.isnan(at(pooled_auc(SCORES, right, ALL), FIRST)[0])
    assert np.isnan(at(auc_within(SCORES, right, [ALL]), FIRST)[0])


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_repetitions(seed):
    draw = np.random.default_rng(seed)
    scores = np.round(draw.random((6, 8)), 1)  # with ties
    right, kept = draw.random((6, 8)) < 0.4, draw.random((6, 8)) < 0.9
    repeated = draw.integers(0, 6, 6)
    weights = np.bincount(repeated, minlength=6)[None] / 6
    flat = kept[repeated]
    expected = roc_auc_score(right[repeated][flat], scores[repeated][flat])
    assert pooled_auc(scores, right, kept)(weights) == pytest.approx([expected])

    own = [(right[p][kept[p]], scores[p][kept[p]]) for p in repeated]
    within = np.mean([roc_auc_score(y, s) for y, s in own if 0 < y.sum() < len(y)])
    assert auc_within(scores, right, [kept])(weights) == pytest.approx([within])

    labels, values = right[repeated][flat], scores[repeated][flat]
    bins = np.minimum(np.floor(values * 10 + 1e-9), 9)
    parts = [np.abs((values - labels)[bins == b].sum()) for b in range(10)]
    # The same bins: rounded tenths are on their lower borders.
    assert calibration_error(scores + 1e-9, right, kept)(weights) == pytest.approx(
        [sum(parts) / len(values)], abs=1e-6
    )


def test_with_one_seed_it_is_the_bootstrap_over_problems():
    values = np.random.default_rng(0).random(20)
    bootstrap = CrossedBootstrap(20, seeds=1, draws=500, seed=3)
    found = bootstrap.interval(bootstrap.values([mean_of(values)]))
    expected = interval(values, bootstrap_weights(20, 500, 3))
    assert (found.value, found.low, found.high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )


def test_the_estimate_is_the_mean_over_seeds():
    bootstrap = CrossedBootstrap(2, seeds=3, draws=50)
    values = bootstrap.values([mean_of(np.array([a, a])) for a in (0.2, 0.3, 0.7)])
    assert values[0].tolist() == pytest.approx([0.2, 0.3, 0.7])
    found = bootstrap.interval(values)
    assert found.value == pytest.approx(0.4)
    assert 0.2 <= found.low < 0.4 < found.high <= 0.7


def test_both_factors_are_in_the_spread():
    # Values a_s + b_p: the draws' variance is var(a) / S + var(b) / P.
    of_seeds, of_problems = np.array([0.0, 0.3, 0.6]), np.linspace(0, 1, 10)
    bootstrap = CrossedBootstrap(10, seeds=3, draws=40_000)
    values = bootstrap.values([mean_of(of_problems + a) for a in of_seeds])
    drawn = (bootstrap._seeds * values).sum(axis=1)[1:]
    assert drawn.var() == pytest.approx(of_seeds.var() / 3 + of_problems.var() / 10, rel=0.05)


def test_a_difference_is_paired():
    # Problems and seeds differ widely, the two variants by 0.1 everywhere.
    bootstrap = CrossedBootstrap(8, seeds=3, draws=200)
    shared = [np.random.default_rng(s).random(8) for s in range(3)]
    ours = bootstrap.values([mean_of(each + 0.1) for each in shared])
    theirs = bootstrap.values([mean_of(each) for each in shared])
    found = bootstrap.interval(ours - theirs)
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    alone = bootstrap.interval(ours)
    assert alone.high - alone.low > 0.1


def test_draws_without_a_value_are_left_out():
    bootstrap = CrossedBootstrap(2, seeds=2, draws=400)
    # Defined where the first problem was drawn.
    statistic = auc_within(SCORES, np.array([[True, False], [True, True]]), [ALL])
    found = bootstrap.interval(bootstrap.values([statistic, statistic]))
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)
    nowhere = auc_within(SCORES, np.ones((2, 2), bool), [ALL])
    assert np.isnan(bootstrap.interval(bootstrap.values([nowhere, nowhere])).value)


def test_measures_of_a_verifier_that_knows():
    rows = [
        (problem, mode, sample, sample % 2, sample % 2 == 0, float(sample % 2 == 0))
        for problem in ("a", "b")
        for mode in ("cot", "pot")
        for sample in range(4)
    ]
    names = ["problem_id", "mode", "sample", "answer_class", "label", "score:v"]
    pool = PoolArrays.from_frame(pd.DataFrame(rows, columns=names))
    found = {name: s(np.array([[0.5, 0.5]]))[0] for name, s in measures(pool, "v", [2, 8]).items()}
    assert {name: value for name, value in found.items() if "of 2" not in name} == {
        "AUC within problem and mode": 1.0,
        "AUC within problem": 1.0,
        "AUC": 1.0,
        "calibration error": 0.0,
        "best-of-2": 0.75,  # one of each mode, each right by half
        "best-of-8": 1.0,
        "weighted vote of 8": 1.0,
        "majority vote of 8": pytest.approx(0.5, abs=0.1),  # four votes against four
        "weighted − majority of 8": pytest.approx(0.5, abs=0.1),
    }
    assert found["weighted vote of 2"] == pytest.approx(0.75, abs=0.1)

"""The best option at each budget: by hand, and chosen on other problems."""

import numpy as np

from assay.selection.frontier import frontier
from assay.selection.tuning import fold_of


def test_by_hand():
    """A cheap one, a dear one that is better, one as good as it for less, one that is useless."""
    accuracy = np.repeat([[0.5], [0.8], [0.8], [0.4]], 10, axis=1)
    cost = np.repeat([[1.0], [9.0], [6.0], [5.0]], 10, axis=1)
    points = frontier(accuracy, cost, [0.5, 1.0, 5.5, 6.0, 20.0], fold_of(10, 0))
    assert [point.budget for point in points] == [1.0, 5.5, 6.0, 20.0]
    assert [point.typical for point in points] == [0, 0, 2, 2]
    assert [point.accuracy.mean() for point in points] == [0.5, 0.5, 0.8, 0.8]
    assert points[-1].cost.mean() == 6.0


def test_no_problem_has_a_say_in_its_own_option():
    """Of many options that are noise the best of each fold's others is no better than the mean."""
    rng = np.random.default_rng(0)
    accuracy, cost = rng.random((300, 200)), np.ones((300, 200))
    folds = fold_of(200, 1)
    (point,) = frontier(accuracy, cost, [1.0], folds)
    assert accuracy.mean(axis=1).max() > 0.55
    assert abs(point.accuracy.mean() - 0.5) < 0.05
    for fold, option in enumerate(point.chosen):
        others = folds != fold
        assert option == accuracy[:, others].mean(axis=1).argmax()
        np.testing.assert_array_equal(point.accuracy[~others], accuracy[option, ~others])

import numpy as np
import pytest

from verifier.validate import measure


def arrays(*rows, dtype=np.float64):
    return [np.array(row, dtype=dtype) for row in rows]


def test_measures_by_hand():
    scores = arrays([0.9, 0.4], [0.2, 0.6, 0.1])
    labels = arrays([1, 0], [1, 0, 0], dtype=bool)
    found = measure(scores, labels)
    assert (found.problems, found.candidates) == (2, 5)
    # 0.1² + 0.4² + 0.8² + 0.6² + 0.1² = 1.18
    assert found.mse == pytest.approx(1.18 / 5)
    # Right 0.9, 0.2 against wrong 0.4, 0.6, 0.1: 3 + 1 of 6 pairs.
    assert found.auc == pytest.approx(4 / 6)
    # Within: 1 of 1 pair, 1 of 2.
    assert found.auc_within == pytest.approx(0.75)
    assert found.best_of_n == 0.5
    assert found.share_right == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert found.solvable == 1.0


def test_ties_for_the_best_share_the_place():
    found = measure(arrays([0.5, 0.5, 0.1]), arrays([1, 0, 0], dtype=bool))
    assert found.best_of_n == 0.5


def test_undefined_measures_are_none():
    found = measure(arrays([0.5, 0.2]), arrays([0, 0], dtype=bool))
    assert found.auc is None
    assert found.auc_within is None
    assert found.solvable == 0.0
    # Right and wrong ones, but in different problems.
    apart = measure(arrays([0.9], [0.1]), arrays([1], [0], dtype=bool))
    assert apart.auc == 1.0
    assert apart.auc_within is None

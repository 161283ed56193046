"""How likely an answer is right: calibrated on fresh problems, and told by cross-fitting."""

import numpy as np
import pytest

from assay.selection.confidence import (
    Confidence,
    draw_subsets,
    feature_names,
    features,
    fit_confidence,
)
from assay.selection.intervals import bootstrap_weights
from assay.selection.rule_spec import RuleSpec
from assay.settings.errors import UserError
from tests.selection.drawn_pools import drawn_pool

WEIGHTED = RuleSpec("weighted", "v")


def test_features_by_hand():
    pool = drawn_pool(2, 0, samples=6)
    pool.classes[:] = [[0, 0, 0, 1, 1, -1], [-1] * 6]
    pool.scores["v"][:] = [0.5, 0.3, np.nan, 0.9, -0.2, 0.99]
    chosen = np.array([3, -1])
    found = features(WEIGHTED, pool, chosen)
    # 2 of 5 votes, one behind; 0.9 of 0.5 + 0.3 + 0.9; the best of its own.
    np.testing.assert_allclose(found[0], [0.4, -0.2, 0.9 / 1.7, 0.9], rtol=1e-6)
    assert np.isnan(found[1]).all()
    assert feature_names(WEIGHTED) == ("votes", "lead", "weight", "best")
    pool.logprobs[0] = -20  # of ten tokens
    np.testing.assert_allclose(features(RuleSpec("logprob"), pool, chosen)[0], [0.4, -0.2, -2])
    np.testing.assert_allclose(features(RuleSpec("majority"), pool, chosen)[0], [0.4, -0.2])


def test_probabilities_are_right_so_often_on_fresh_problems():
    weights = bootstrap_weights(300, 50)
    for spec in (WEIGHTED, RuleSpec("majority")):
        fitted = fit_confidence(drawn_pool(300, 3), spec, "both", 32, weights)
        fresh = drawn_pool(3000, 2)
        chosen = spec.choose(fresh)
        told = fitted.confidence.of(features(spec, fresh, chosen))
        right = fresh.labels[np.arange(3000), chosen]
        for low, high in ((0, 0.8), (0.8, 0.95), (0.95, 1.01)):
            own = (told >= low) & (told < high)
            off = abs(told[own].mean() - right[own].mean())
            assert off * own.mean() < 0.03, (spec, low)
        measured = fitted.calibration
        assert measured.brier.low < np.square(told - right).mean() < measured.brier.high
        assert measured.brier.value < measured.base
        assert measured.error.value < 0.05


def test_of_votes_that_tell_nothing_nothing_is_claimed():
    """Labels drawn apart from everything: cross-fitted, the probability is the base rate."""
    pool = drawn_pool(200, 3)
    pool.labels[:] = np.random.default_rng(4).random((200, 1)) < 0.7
    found = fit_confidence(pool, WEIGHTED, "both", 32, bootstrap_weights(200, 50))
    assert found.calibration.brier.value == pytest.approx(found.calibration.base, abs=0.01)
    assert found.probabilities.min() > 0.45


def test_cross_fitted_probabilities_owe_nothing_to_their_own_label():
    """Turning one problem's label changes other problems' probabilities, not its own."""
    pool = drawn_pool(40, 5)
    weights = bootstrap_weights(40, 10)
    before = fit_confidence(pool, WEIGHTED, "both", 32, weights)
    pool.labels[7] = ~pool.labels[7]
    after = fit_confidence(pool, WEIGHTED, "both", 32, weights)
    assert before.right[7] != after.right[7]
    assert before.probabilities[7] == pytest.approx(after.probabilities[7], abs=1e-12)
    assert (before.probabilities != after.probabilities).any()


def test_what_is_answered_at_a_level_and_how_much_of_it_is_right():
    pool = drawn_pool(100, 6)
    found = fit_confidence(pool, WEIGHTED, "both", 32, bootstrap_weights(100, 10))
    told, right = found.probabilities[:, 0], found.right[:, 0]
    share, of_these = found.calibration.covered[3]
    assert share == (told >= 0.8).mean()
    assert of_these == right[told >= 0.8].mean()


@pytest.mark.parametrize("all_right", [True, False])
def test_where_all_are_right_or_all_wrong_there_is_a_rate(all_right):
    pool = drawn_pool(20, 7)
    pool.labels[:] = all_right
    found = fit_confidence(pool, RuleSpec("majority"), "both", 32, bootstrap_weights(20, 10))
    expected = 21 / 22 if all_right else 1 / 22
    assert found.confidence.of(np.array([0.9, 0.8])) == pytest.approx(expected)


def test_nobody_answers():
    pool = drawn_pool(20, 8)
    pool.classes[:] = -1
    found = fit_confidence(pool, RuleSpec("majority"), "both", 32, bootstrap_weights(20, 10))
    assert np.isnan(found.probabilities).all()
    assert not found.right.any()


@pytest.mark.parametrize(("mix", "n", "expected"), [("both", 6, (3, 3)), ("pot", 5, (0, 5))])
def test_subsets_hold_so_many_of_each_mode(mix, n, expected):
    pool = drawn_pool(4, 0, samples=16)
    drawn = draw_subsets(pool, mix, n, 3, seed=0)
    assert drawn.problem_ids[:4] == ["p0", "p0", "p0", "p1"]
    assert drawn.classes.shape == (12, n)
    for mode, count in zip(("cot", "pot"), expected, strict=True):
        assert (drawn.of_mode(mode).sum(axis=1) == count).all()
    odd = draw_subsets(pool, "both", 5, 2, seed=0)
    assert sorted(odd.of_mode("cot").sum(axis=1)) == [2] * 4 + [3] * 4


def test_what_is_written_is_read():
    found = Confidence(("votes",), (0.5,), (0.2,), (1.5,), 0.25)
    assert Confidence.from_dict(found.to_dict()) == found
    assert found.of(np.array([[0.7]])) == pytest.approx(1 / (1 + np.exp(-1.75)))
    with pytest.raises(UserError, match="confidence: not readable"):
        Confidence.from_dict({**found.to_dict(), "means": []})

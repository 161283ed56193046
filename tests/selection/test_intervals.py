"""Paired differences: values by hand, agreement of interval and p-value, the error rate."""

import numpy as np
import pytest

from assay.selection.intervals import bootstrap_weights, interval, p_text, paired, percentile_p


def test_no_difference_is_certain():
    found = paired(np.array([1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0]))
    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_a_constant_difference_has_the_least_p():
    found = paired(np.full(20, 0.75), np.full(20, 0.5), draws=999)
    assert (found.value, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert found.p == 2 / 1000


def test_values_by_hand():
    """Ten problems more right, none less, of 100: the exact chance of a resample without any is
    0.9^100 = 2.7e-5; the mean is 0.1, its standard error 0.03.
    """
    gained = np.repeat([1.0, 0.0], [10, 90])
    found = paired(gained, np.zeros(100), draws=9999)
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high) == pytest.approx((0.05, 0.16), abs=0.011)
    assert found.p < 0.001


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ([-3.0, -1.0, 1.0, 2.0, 3.0, 4.0, 5.0], 0.5),  # 0 is the quantile 1.5 / 6
        ([-5.0, -4.0, -3.0, -2.0, -1.0, 1.0, 3.0], 0.5),
        ([-2.0, -1.0, 0.0, 1.0, 2.0], 1.0),
        ([0.0, 0.0, 0.0], 1.0),
        ([0.0, 0.0, 1.0, 2.0, 3.0], 0.5),  # zeros are not above 0: the quantile 1 / 4
        ([1.0, 2.0, 3.0], 0.5),  # the floor of three resamples
    ],
)
def test_p_inverts_the_percentile_interval(means, expected):
    assert percentile_p(np.array(means)) == pytest.approx(expected)


def test_p_and_interval_never_disagree():
    rng = np.random.default_rng(0)
    weights = bootstrap_weights(40, 400, seed=1)
    verdicts = []
    for _ in range(500):
        a = (rng.random(40) < 0.6).astype(float)
        b = (rng.random(40) < 0.4).astype(float)
        found = paired(a, b, weights)
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
        plain = interval(a - b, weights)
        assert (found.value, found.low, found.high) == pytest.approx(
            (plain.value, plain.low, plain.high), abs=1e-11
        )
        verdicts.append(found.p < 0.05)
    assert 0.1 < np.mean(verdicts) < 0.9


def test_error_rate_and_symmetry():
    """Without a difference, p < 0.05 in about 5 % of samples; p is the same for a − b and b − a."""
    rng = np.random.default_rng(3)
    weights = bootstrap_weights(200, 1000, seed=0)
    below = 0
    for _ in range(400):
        a, b = rng.random(200), rng.random(200)
        found = paired(a, b, weights)
        assert paired(b, a, weights).p == pytest.approx(found.p)
        below += found.p < 0.05
    # the binomial's 99.9 % range round 20
    assert 8 <= below <= 36


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1.0], [1.0, 2.0], "expected two arrays"),
        ([], [], "expected two arrays"),
        ([1.0, np.inf], [0.0, 0.0], "infinite"),
        ([1.0, np.nan], [np.nan, 0.0], "no problem has a value on both sides"),
    ],
)
def test_what_is_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        paired(np.array(a), np.array(b))


def test_a_problem_that_one_side_lacks_is_left_out():
    weights = bootstrap_weights(4, 200)
    found = paired([1.0, 0.0, np.nan, 1.0], [0.0, 0.0, 1.0, 0.0], weights)
    assert found.value == pytest.approx(2 / 3)
    kept = [0, 1, 3]
    held = weights[:, kept].sum(axis=1) > 0
    means = weights[held][:, kept] @ np.array([1.0, 0.0, 1.0]) / weights[held][:, kept].sum(axis=1)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))


@pytest.mark.parametrize(
    ("p", "resamples", "text"),
    [
        (0.0124, 1000, "p = 0.012"),
        (2 / 1001, 1000, "p ≤ 0.002"),
        (2 / 51, 50, "p ≤ 0.039"),
        (0.00099, 10_000, "p < 0.001"),
        (1.0, 1000, "p = 1.000"),
    ],
)
def test_p_values_for_people(p, resamples, text):
    assert p_text(p, resamples) == text

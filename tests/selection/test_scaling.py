"""Fits of solve rates against closed forms and known truths; votes drawn from the posterior."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln, gammaln
from scipy.stats import betabinom

from assay.selection.pool import PoolArrays
from assay.selection.scaling import (
    RateFit,
    fit_answers,
    fit_power_law,
    fit_rates,
    majority_at,
    thinned,
)


def test_pass_at_k_is_the_closed_form():
    """Of a Beta it is 1 − B(a, b + k) / B(a, b); of the uniform distribution k / (k + 1)."""
    for a, b in ((0.3, 2.0), (0.15, 0.6), (2.0, 5.0)):
        fit = RateFit("beta", a, b, 1.0, 0.0)
        for k in (1, 16, 256, 10_000):
            expected = 1 - np.exp(betaln(a, b + k) - betaln(a, b))
            assert fit.pass_at_k(k) == pytest.approx(expected, abs=2e-3)
    uniform = RateFit("kumaraswamy", 1.0, 1.0, 1.0, 0.0)
    assert uniform.pass_at_k(3) == pytest.approx(0.75, abs=1e-3)
    # Half as large rates: ∫ 1 − (1 − x/2)³ dx = 1 − (1 − 1/16) · 2/4.
    half = RateFit("kumaraswamy", 1.0, 1.0, 0.5, 0.0)
    assert half.pass_at_k(3) == pytest.approx(1 - 15 / 32, abs=1e-3)


@pytest.mark.parametrize(
    ("family", "a", "b", "scale"), [("beta", 0.3, 2.0, 1.0), ("kumaraswamy", 0.4, 3.0, 0.8)]
)
def test_the_fit_finds_what_the_counts_were_drawn_from(family, a, b, scale):
    rng = np.random.default_rng(0)
    uniform = rng.random(3000)
    draws = rng.beta(a, b, 3000) if family == "beta" else (1 - (1 - uniform) ** (1 / b)) ** (1 / a)
    rates = scale * draws
    right, total = rng.binomial(32, rates), np.full(3000, 32)
    fit = fit_rates(right, total, family)
    assert fit.a == pytest.approx(a, rel=0.15)
    for k in (1, 32, 1000):
        assert fit.pass_at_k(k) == pytest.approx((1 - (1 - rates) ** k).mean(), abs=0.015)
    # The curve itself, by least squares, is further off at thirty times the candidates.
    coverage = np.array([(1 - (1 - rates) ** k).mean() for k in (1, 2, 4, 8, 16, 32)])
    level, slope = fit_power_law(np.array([1, 2, 4, 8, 16, 32]), coverage)
    truth = (1 - (1 - rates) ** 1000).mean()
    assert abs(fit.pass_at_k(1000) - truth) < abs(np.exp(-level * 1000**-slope) - truth)


def test_the_likelihood_is_that_of_a_beta_binomial():
    right, total = np.array([0, 0, 1, 3, 8, 5, 0, 2]), np.array([8] * 6 + [4] * 2)
    fit = fit_rates(right, total, "beta")
    ways = (gammaln(total + 1) - gammaln(right + 1) - gammaln(total - right + 1)).sum()
    if fit.scale == 1.0:
        expected = betabinom.logpmf(right, total, fit.a, fit.b).sum()
        assert fit.log_likelihood + ways == pytest.approx(expected, abs=0.01)
    # No other shapes are likelier at this scale.
    for a, b in ((fit.a * 1.2, fit.b), (fit.a, fit.b * 0.8), (0.5, 0.5)):
        assert betabinom.logpmf(right, total, a, b).sum() <= fit.log_likelihood + ways + 0.01


def test_weights_are_repetitions():
    right, total = np.array([0, 2, 5, 8, 1]), np.full(5, 8)
    times = np.array([2, 0, 1, 1, 1])
    weighted = fit_rates(right, total, "beta", times / 5)
    repeated = fit_rates(np.repeat(right, times), np.full(5, 8), "beta")
    assert (weighted.a, weighted.b, weighted.scale) == (repeated.a, repeated.b, repeated.scale)
    near = fit_rates(right, total, "beta", times / 5, weighted)
    assert near.log_likelihood == pytest.approx(weighted.log_likelihood, abs=0.01)
    with pytest.raises(ValueError, match="expected one of beta, kumaraswamy"):
        fit_rates(right, total, "gamma")
    with pytest.raises(ValueError, match="no candidates"):
        fit_rates(right, np.zeros(5, int), "beta")


def test_a_power_law_is_found_again():
    ks = np.array([1, 2, 4, 8, 16])
    level, slope = fit_power_law(ks, np.exp(-1.5 * ks**-0.4))
    assert (level, slope) == pytest.approx((1.5, 0.4))
    assert fit_power_law(ks, np.ones(5)) == (0.0, 0.0)


def make_pool(rng, problems, candidates, kinds=30):
    """Rates of a Beta(1, 1); wrong answers spread, of every third problem one that leads."""
    rows, truth = [], []
    for p in range(problems):
        rate = rng.beta(1, 1)
        others = rng.dirichlet(np.full(kinds, 0.05) if p % 3 == 0 else np.full(kinds, 2.0))
        chances = np.array([rate, *(1 - rate) * others])
        truth.append(chances)
        for sample, answer in enumerate(rng.choice(kinds + 1, candidates, p=chances)):
            rows.append((f"p{p:03d}", "pot", sample, int(answer), answer == 0))
    names = ["problem_id", "mode", "sample", "answer_class", "label"]
    return PoolArrays.from_frame(pd.DataFrame(rows, columns=names)), np.array(truth)


def test_the_vote_is_predicted_from_the_answers():
    rng = np.random.default_rng(1)
    pool, truth = make_pool(rng, 300, 16)
    found = majority_at(pool, pool.present, [1, 16, 1000], 50)
    votes = np.array([rng.multinomial(1000, own).argmax() == 0 for own in truth])
    assert found[2].mean() == pytest.approx(votes.mean(), abs=0.03)
    assert found[0].mean() == pytest.approx(truth[:, 0].mean(), abs=0.03)
    # Solve rates alone say less: above a half all is decided, below it is not.
    assert (truth[:, 0] > 0.5).mean() < votes.mean() - 0.1


def test_votes_without_answers_and_without_candidates():
    rows = [("a", "pot", s, 0, True) for s in range(6)]
    rows += [("b", "pot", s, -1, False) for s in range(6)]
    rows += [("c", "cot", 0, 0, True)]
    names = ["problem_id", "mode", "sample", "answer_class", "label"]
    pool = PoolArrays.from_frame(pd.DataFrame(rows, columns=names))
    found = majority_at(pool, pool.of_mode("pot"), [1, 50], 200)
    assert found[1, 0] > 0.9 > 0.35 > found[1, 1]
    assert np.isnan(found[:, 2]).all()


def test_the_prior_knows_how_often_wrong_answers_are_new():
    rng = np.random.default_rng(2)
    kinds = rng.multinomial(20, [0.5, 0.4, 0.1], 200)
    new = [np.ones(n, int) for n in kinds[:, 1]]
    same = [np.array([n]) for n in kinds[:, 1] if n]
    assert fit_answers(kinds, new).spread > 100 > 0.1 > fit_answers(kinds, same).spread
    shares = np.array(fit_answers(kinds, new).shares)
    assert shares / shares.sum() == pytest.approx([0.5, 0.4, 0.1], abs=0.02)


def test_a_part_is_a_part():
    counted = np.ones((50, 10), bool)
    counted[0, 3:] = False
    part = thinned(counted, 4, np.random.default_rng(0))
    assert part.sum(axis=1).tolist() == [3] + [4] * 49
    assert not (part & ~counted).any()
    assert len(np.unique(part[1:], axis=0)) > 30

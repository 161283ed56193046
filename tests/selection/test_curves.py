"""Every estimator against brute force over all subsets of small pools."""

import dataclasses
import itertools
import math
from functools import partial

import numpy as np
import pandas as pd
import pytest

from assay.selection import rules
from assay.selection.curves import (
    best_of_n_at,
    hybrid_at,
    hybrid_tokens,
    pass_at,
    pass_at_k,
    splits,
    tokens_at,
)
from assay.selection.intervals import bootstrap_weights, interval
from assay.selection.pool import PoolArrays, orders
from assay.selection.subsets import expected_accuracy

MIXES = ["cot", "pot", "both"]


def make_pool(seed, problems=4, cot=4, pot=5, levels=4):
    """A small pool with ties, silent candidates and problems with too few candidates."""
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(problems):
        # the last problem has fewer candidates than the others
        counts = {"cot": cot, "pot": pot} if p < problems - 1 else {"cot": 2, "pot": 1}
        for mode, count in counts.items():
            for sample in range(count):
                answer = int(rng.integers(-1, 3))
                score = rng.integers(0, levels) / 4 if levels else rng.random()
                rows.append((f"p{p}", mode, sample, answer, answer == 0, 10 + sample, score))
    names = ["problem_id", "mode", "sample", "answer_class", "label", "tokens", "score:v"]
    return PoolArrays.from_frame(pd.DataFrame(rows, columns=names))


def subsets(pool, p, mix, n):
    """All equally likely subsets of a problem's candidates, with the weight of each."""
    columns = [np.flatnonzero(pool.modes[p] == mode) for mode in (0, 1)]
    for way in splits(mix, n):
        parts = [
            list(itertools.combinations(held, min(drawn, len(held))))
            for held, drawn in zip(columns, way, strict=True)
        ]
        pairs = list(itertools.product(*parts))
        for cot, pot in pairs:
            yield [*cot, *pot], 1 / len(pairs) / len(splits(mix, n))


def brute(pool, mix, n, value):
    """The expectation of value(p, subset) over all subsets, shape (P,)."""
    return np.array(
        [
            sum(weight * value(p, held) for held, weight in subsets(pool, p, mix, n))
            for p in range(len(pool.problem_ids))
        ]
    )


def chance_right(pool, chances, rule, k=3):
    def value(p, held):
        found = chances(rule, pool.classes[p, held].tolist(), pool.scores["v"][p, held].tolist(), k)
        return float(found.get(0, 0))

    return value


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_pass_at_is_exact(mix, n, seed):
    pool = make_pool(seed)
    expected = brute(pool, mix, n, lambda p, held: float(pool.labels[p, held].any()))
    np.testing.assert_allclose(pass_at(pool, mix, n), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("levels", [1, 2, 4, 0])
@pytest.mark.parametrize("seed", range(4))
def test_best_of_n_is_exact_with_ties(mix, levels, seed, chances):
    pool = make_pool(seed, levels=levels)
    ns = [1, 2, 3, 4, 6]
    found = best_of_n_at(pool, pool.scores["v"], mix, ns)
    for row, n in enumerate(ns):
        expected = brute(pool, mix, n, chance_right(pool, chances, "best_of_n"))
        np.testing.assert_allclose(found[row], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("n", [2, 3, 5])
def test_votes_agree_with_brute_force(mix, n, chances):
    pool = make_pool(7, problems=6)
    drawn = {
        "majority": lambda classes, _, ties: rules.majority(classes, ties),
        "weighted": rules.weighted,
        "top_k": partial(rules.top_k, k=3),
        "best_of_n": rules.best_of_n,
    }
    draws = 20_000
    found = expected_accuracy(pool, drawn, [n], draws, 0, mix=mix, scores=pool.scores["v"])
    for rule in drawn:
        expected = brute(pool, mix, n, chance_right(pool, chances, rule))
        estimate = found[rule, n]
        error = 5 * np.sqrt(expected * (1 - expected) / draws)
        assert np.all(np.abs(estimate.values - expected) <= error + 1e-12), rule
        assert abs(estimate.values.mean() - expected.mean()) <= 5 * estimate.error + 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_hybrid_is_exact(seed):
    """One program and one solution in words: the program's answer where it has one."""
    pool = make_pool(seed)

    def value(p, held):
        drawn = pool.modes[p, held]
        drawn_ties = np.zeros(len(held))
        chosen = rules.hybrid(pool.classes[p, held], drawn, drawn_ties)
        return float(chosen >= 0 and pool.labels[p, held[chosen]])

    def cost(p, held):
        words, program = sorted(held, key=lambda c: pool.modes[p, c])
        return pool.tokens[p, program] + (pool.classes[p, program] < 0) * pool.tokens[p, words]

    expected, tokens = brute(pool, "both", 2, value), brute(pool, "both", 2, cost)
    np.testing.assert_allclose(hybrid_at(pool), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(hybrid_tokens(pool), tokens, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("name", ["logprob", "shortest"])
def test_log_probability_and_length_are_exact(mix, name, chances):
    """Best-of-n by another number: mean token log-probability, fewest tokens (with ties)."""
    pool = make_pool(11)
    rng = np.random.default_rng(0)
    pool = dataclasses.replace(
        pool,
        logprobs=-pool.tokens * rng.integers(1, 4, pool.tokens.shape).astype(np.float32),
        scores={},
    )
    own = orders(pool, None)[name]
    by_hand = -pool.tokens if name == "shortest" else pool.logprobs / pool.tokens
    ns = [1, 2, 3, 4]
    found = best_of_n_at(pool, own, mix, ns)
    for row, n in enumerate(ns):

        def value(p, held):
            numbers = by_hand[p, held].tolist()
            chance = chances("best_of_n", pool.classes[p, held].tolist(), numbers, 3)
            return float(chance.get(0, 0))

        np.testing.assert_allclose(found[row], brute(pool, mix, n, value), rtol=0, atol=1e-12)


def test_one_draw_serves_every_n_and_the_chunks_do_not_matter(monkeypatch):
    pool = make_pool(3, problems=5)
    rule = {"majority": lambda classes, _, ties: rules.majority(classes, ties)}
    whole = expected_accuracy(pool, rule, [1, 2, 4], 500, 0, mix="both")
    monkeypatch.setattr("assay.selection.subsets.CHUNK", 1)  # one problem at a time
    pieces = expected_accuracy(pool, rule, [1, 2, 4], 500, 0, mix="both")
    for key, estimate in whole.items():
        np.testing.assert_allclose(estimate.values, pieces[key].values, atol=0.15)
    again = expected_accuracy(pool, rule, [1, 2, 4], 500, 0, mix="both")
    for key, estimate in pieces.items():
        np.testing.assert_array_equal(estimate.values, again[key].values)


def test_values_are_of_each_problem_with_their_error():
    pool = make_pool(1)
    found = expected_accuracy(
        pool, {"r": rules.weighted}, [4], draws=50, seed=2, mix="cot", scores=pool.scores["v"]
    )
    assert found["r", 4].values.shape == (4,)
    assert 0 <= found["r", 4].error < 0.1


def test_a_subset_of_everything_is_the_pool():
    pool = make_pool(5, levels=0)  # no ties
    whole = rules.best_of_n(pool.classes, pool.scores["v"], rules.tie_draw(pool.classes.shape, 0))
    right = (whole >= 0) & np.take_along_axis(pool.labels, np.maximum(whole, 0)[:, None], 1)[:, 0]
    # problems have 4 + 5 candidates: 5 of each mode take all there are
    np.testing.assert_allclose(best_of_n_at(pool, pool.scores["v"], "both", [10])[0], right)


def test_a_problem_where_nobody_answers_is_wrong():
    pool = PoolArrays.from_frame(
        pd.DataFrame(
            [("a", m, s, -1, False, 0.5) for m in ("cot", "pot") for s in range(2)],
            columns=["problem_id", "mode", "sample", "answer_class", "label", "score:v"],
        )
    )
    for mix in MIXES:
        assert pass_at(pool, mix, 2).tolist() == [0.0]
        assert best_of_n_at(pool, pool.scores["v"], mix, [1, 2]).tolist() == [[0.0], [0.0]]
        scores = pool.scores["v"]
        found = expected_accuracy(pool, {"r": rules.weighted}, [2], 10, mix=mix, scores=scores)
        assert found["r", 2].values.tolist() == [0.0]


@pytest.mark.parametrize(
    ("total", "right", "k", "expected"),
    [(4, 1, 2, 0.5), (10, 3, 5, 1 - 21 / 252), (5, 0, 3, 0.0), (5, 3, 3, 1.0), (2, 1, 8, 1.0)],
)
def test_pass_at_k_by_hand(total, right, k, expected):
    assert pass_at_k(np.array([total]), np.array([right]), k)[0] == pytest.approx(
        expected, abs=1e-15
    )


def test_pass_at_k_of_large_pools():
    # the quotient of binomial coefficients in exact integers, far beyond what factorials allow
    total, right, k = 10_000, 7, 400
    expected = 1 - math.comb(total - right, k) / math.comb(total, k)
    assert pass_at_k(np.array([total]), np.array([right]), k)[0] == pytest.approx(
        expected, abs=1e-12
    )


def test_tokens_are_those_of_the_drawn_candidates():
    pool = make_pool(0)
    for mix, n in itertools.product(MIXES, (1, 2, 3)):
        expected = brute(pool, mix, n, lambda p, held: float(pool.tokens[p, held].sum()))
        np.testing.assert_allclose(tokens_at(pool, mix, n), expected)


def test_splits_are_of_equal_size_or_both_ways():
    assert splits("both", 8) == [(4, 4)]
    assert splits("both", 5) == [(2, 3), (3, 2)]
    assert splits("pot", 5) == [(0, 5)]


def test_bootstrap_interval_covers_at_its_rate():
    """Of the 95 % intervals of 300 samples from a known distribution, about 95 % hold its mean."""
    rng = np.random.default_rng(0)
    weights = bootstrap_weights(100, 1000, seed=0)
    held = 0
    for _ in range(300):
        found = interval(rng.beta(0.5, 0.5, 100), weights)
        held += found.low <= 0.5 <= found.high
    # the binomial's 99.9 % range round 285
    assert 270 <= held <= 297


def test_bootstrap_of_a_hand_made_sample():
    """The mean of 100 coin tosses has standard error 0.05: the interval is 0.5 ± 0.098."""
    values = np.tile([0.0, 1.0], 50)
    found = interval(values, bootstrap_weights(100, 20_000, seed=1))
    assert found.value == 0.5
    assert found.low == pytest.approx(0.402, abs=0.011)
    assert found.high == pytest.approx(0.598, abs=0.011)


def test_paired_differences_are_narrower_than_their_parts():
    rng = np.random.default_rng(0)
    difficulty = rng.random(200)
    better = np.clip(difficulty + 0.05, 0, 1)
    weights = bootstrap_weights(200, 1000)
    difference = interval(better - difficulty, weights)
    alone = interval(difficulty, weights)
    assert difference.value == pytest.approx(0.05, abs=0.005)
    assert difference.high - difference.low < (alone.high - alone.low) / 10

"""Replays: paired with the curves, exact where they claim it, against one order at a time."""

import numpy as np
import pandas as pd
import pytest

from assay.selection.adaptive import Costs, ReplayPlan, replay_rules
from assay.selection.orders import drawn_orders, sampled_order
from assay.selection.pool import PoolArrays
from assay.selection.savings import FIXED, at_equal_samples, savings
from assay.selection.subsets import MAJORITY, Vote, estimate
from assay.selection.tuning import fold_of

DRAWS = 40


def make_pool(counts=((6, 6), (6, 6), (6, 6), (3, 6), (0, 6), (6, 0)), seed=0):
    """Problems of these numbers of candidates in words and programs; labels go with the class."""
    rng = np.random.default_rng(seed)
    rows = []
    for p, own in enumerate(counts):
        for mode, most in zip(("cot", "pot"), own, strict=True):
            for sample in range(most):
                answer = int(rng.choice([-1, 0, 0, 1, 2]))
                tokens = int(rng.integers(5, 50))
                rows.append((f"p{p}", mode, sample, answer, answer == 0, rng.random(), tokens))
    names = ["problem_id", "mode", "sample", "answer_class", "label", "score:v", "tokens"]
    return PoolArrays.from_frame(pd.DataFrame(rows, columns=names))


@pytest.fixture(scope="module")
def pool():
    return make_pool()


@pytest.mark.parametrize("mix", ["cot", "both"])
def test_a_fixed_number_of_an_order_is_the_curve_at_that_n(pool, mix):
    """To the last digit: the same subsets. An odd n of both is split one way by each draw."""
    plan = ReplayPlan({"certain": [0.0], "score": [1.0], "best": [0.5]}, mix, 6, draws=DRAWS)
    replay = replay_rules(pool, plan, pool.scores["v"])
    votes = {"majority": MAJORITY, "weighted": Vote("none"), "best_of_n": Vote(k=1)}
    ns = [1, 2, 3, 6] if mix == "cot" else [2, 4, 6]
    curves = estimate(pool, dict.fromkeys(ns, votes), DRAWS, 0, mix=mix, scores=pool.scores["v"])
    for name in votes:
        for n in ns:
            # In single precision along orders.
            np.testing.assert_allclose(
                replay.fixed[name][n - 1], curves[name, n].values, atol=1e-6, equal_nan=True
            )


def test_orders_alternate_the_modes_and_hold_every_candidate_once(pool):
    for problems, columns in drawn_orders(pool, "both", 12, 8):
        modes = np.where(columns >= 0, pool.modes[problems[:, None, None], columns], -1)
        for p, problem in enumerate(problems):
            for draw in range(8):
                held = columns[p, draw][columns[p, draw] >= 0]
                assert sorted(held) == list(range(pool.present[problem].sum()))
            if pool.present[problem].sum() == 12:
                assert (modes[p, ::2, ::2] == 0).all()
                assert (modes[p, ::2, 1::2] == 1).all()
                assert (modes[p, 1::2, ::2] == 1).all()


def test_the_order_of_sampling(pool):
    order = sampled_order(pool, "both", 12)
    assert order[0].tolist() == [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]
    assert order[3].tolist() == [0, 3, 1, 4, 2, 5, -1, 6, -1, 7, -1, 8]
    assert order[4].tolist() == [0, 1, 2, 3, 4, 5, -1, -1, -1, -1, -1, -1]
    assert sampled_order(pool, "cot", 2)[4].tolist() == [-1, -1]


def test_what_is_certain_costs_no_accuracy(pool):
    thresholds = {"certain": [0.0], "score": [1.0]}
    plan = ReplayPlan(thresholds, "both", 12, draws=DRAWS)
    replay = replay_rules(pool, plan, pool.scores["v"])
    for rule, chooses in (("certain", "majority"), ("score", "weighted")):
        found = replay.outcomes[rule, thresholds[rule][0]]
        np.testing.assert_array_equal(found.accuracy, replay.fixed[chooses][-1])
        assert found.samples.mean() < replay.fixed_samples[-1].mean()


def slow_beta(pool, columns, threshold, most):
    """One order at a time: (samples, tokens, chance to be right)."""
    from scipy.special import betainc

    votes, tokens, seen = {}, 0, 0
    for n, (row, column) in enumerate(columns, 1):
        if column >= 0:
            seen += 1
            tokens += int(pool.tokens[row, column])
            answer = int(pool.classes[row, column])
            if answer >= 0:
                votes[answer] = votes.get(answer, 0) + 1
        first, second = ([*sorted(votes.values(), reverse=True), 0, 0])[:2]
        if n == most or (first and 1 - betainc(first + 1, second + 1, 0.5) >= threshold):
            leaders = [a for a, count in votes.items() if count == first]
            return seen, tokens, (0 in leaders) / len(leaders) if leaders else 0.0
    raise AssertionError("an order has an end")


def test_the_replay_is_the_mean_over_orders(pool):
    costs = {"tokens": Costs(np.where(pool.present, pool.tokens, 0).astype(float))}
    plan = ReplayPlan({"beta": [0.8, 0.95]}, "both", 12, draws=5, costs=costs)
    replay = replay_rules(pool, plan)
    for problems, columns in drawn_orders(pool, "both", 12, 5):
        for p, problem in enumerate(problems):
            for threshold in (0.8, 0.95):
                runs = [
                    slow_beta(pool, [(problem, c) for c in order], threshold, 12)
                    for order in columns[p]
                ]
                found = replay.outcomes["beta", threshold]
                values = (
                    found.samples[problem],
                    found.costs["tokens"][problem],
                    found.accuracy[problem],
                )
                assert values == pytest.approx(np.mean(runs, axis=0), abs=1e-6)
    assert replay.outcomes["beta", 0.95].times.sum() == 6 * 5


def test_what_is_paid_once_is_paid_for_each_mode_that_was_drawn():
    pool = make_pool(((2, 2), (0, 3)))
    ones = np.ones(pool.classes.shape)
    costs = {"flops": Costs(ones, 10 * ones, 100 * ones, 1000 * ones)}
    plan = ReplayPlan({"certain": [0.0], "best": [2.0]}, "both", 4, draws=2, costs=costs)
    replay = replay_rules(pool, plan, pool.scores["v"])
    # Two prompts for both modes, one for programs alone; the second problem has no fourth.
    assert replay.fixed_costs["flops", False][:, 0].tolist() == [11, 22, 23, 24]
    assert replay.fixed_costs["flops", False][:, 1].tolist() == [11, 12, 13, 13]
    assert replay.fixed_costs["flops", True][1].tolist() == [2222, 1212]
    # The threshold is out of reach: all are drawn and read.
    assert replay.outcomes["best", 2.0].costs["flops"].tolist() == [2424, 1313]


def test_problems_without_candidates_of_the_modes_are_nan(pool):
    replay = replay_rules(pool, ReplayPlan({"beta": [0.9]}, "cot", 6, draws=4))
    assert np.isnan(replay.outcomes["beta", 0.9].samples).tolist() == [False] * 4 + [True, False]
    assert np.isnan(replay.fixed["majority"][0]).sum() == 1


def test_savings_choose_the_cheapest_threshold_of_the_other_folds():
    pool = make_pool(((8, 0),) * 30, seed=2)
    plan = ReplayPlan({"beta": [0.6, 0.8, 0.95, 0.999]}, "cot", 8, draws=20)
    replay = replay_rules(pool, plan)
    folds = fold_of(30, 0)
    for margin in (0.0, 0.02, 1.0):
        found = savings(replay, "beta", folds, margin)
        for fold in range(5):
            others = folds != fold
            whole = replay.fixed["majority"][-1][others].mean()
            fit = [
                t
                for t in plan.thresholds["beta"]
                if replay.outcomes["beta", t].accuracy[others].mean() >= whole - margin - 1e-12
            ]
            best = min(fit, key=lambda t: replay.outcomes["beta", t].samples[others].mean())
            assert found.chosen[fold] == best
            own = folds == fold
            np.testing.assert_array_equal(
                found.samples[own], replay.outcomes["beta", best].samples[own]
            )
    assert found.chosen == (0.6,) * 5  # anything goes
    assert savings(replay, FIXED, folds, 1.0).chosen == (1.0,) * 5


def test_between_two_numbers_of_candidates_accuracy_is_mixed():
    pool = make_pool(((4, 0),) * 4, seed=3)
    replay = replay_rules(pool, ReplayPlan({"certain": [0.0]}, "cot", 4, draws=10))
    curve = replay.fixed["majority"]
    expected = 0.75 * curve[1] + 0.25 * curve[2]
    np.testing.assert_allclose(at_equal_samples(replay, "majority", 2.25), expected)
    np.testing.assert_array_equal(at_equal_samples(replay, "majority", 4), curve[3])

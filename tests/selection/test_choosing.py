"""The rule that held-out problems choose: never noise for a fact, and told without its luck."""

import dataclasses

import numpy as np
import pytest

from assay.selection.choosing import (
    ChooseConfig,
    accuracies,
    choose_rule,
    competitors,
    cross_fitted,
    simplest,
)
from assay.selection.rule_spec import RuleSpec
from assay.settings.errors import UserError
from tests.selection.drawn_pools import drawn_pool

QUICK = ChooseConfig(bootstrap=50, draws=20)
MAJORITY, WEIGHTED, BEST = (
    RuleSpec("majority"),
    RuleSpec("weighted", "v"),
    RuleSpec("best_of_n", "v"),
)


def test_noise_is_hardly_ever_chosen_over_the_majority():
    found = [choose_rule(drawn_pool(150, seed, strength=0.0), QUICK) for seed in range(12)]
    others = [each for each in found if each.spec != MAJORITY]
    assert len(others) <= 1
    for each in found:
        assert each.majority.value - 0.001 <= each.accuracy.value < each.majority.value + 0.03


def test_a_good_scorer_is_chosen_and_its_lead_leaves_zero_out():
    for seed in range(3):
        found = choose_rule(drawn_pool(150, seed, strength=1.0), QUICK)
        assert found.spec.scorer == "v"
        assert found.difference.low > 0.05
        assert found.accuracy.value == pytest.approx(
            found.majority.value + found.difference.value, abs=1e-9
        )


def test_what_is_told_is_unbiased_where_the_best_of_many_looks_too_good():
    """Twelve scorers of noise: the best of them is ahead by luck alone."""
    names = [f"v{number}" for number in range(12)]
    config = dataclasses.replace(QUICK, errors=0.0, rules=["weighted"])
    lucky, told = [], []
    for seed in range(24):
        pool = drawn_pool(60, seed, strength=0.0, scorers=names)
        groups = competitors(pool, config, 32)
        table = accuracies(pool, [spec for (spec,) in groups], "both", 32, config)
        weighted = {spec: values for spec, values in table.items() if spec != MAJORITY}
        groups = [group for group in groups if group[0] != MAJORITY]
        truth = np.mean([values.mean() for values in weighted.values()])
        lucky.append(max(values.mean() for values in weighted.values()) - truth)
        told.append(cross_fitted(weighted, groups, config).mean() - truth)
    error = np.std(told) / np.sqrt(len(told))
    assert np.mean(lucky) > 0.03
    assert abs(np.mean(told)) < min(3 * error, np.mean(lucky) / 2)


def test_within_a_standard_error_the_simpler_rule_is_taken():
    right = np.tile([1.0, 1.0, 1.0, 0.0], 25)
    ahead = right.copy()
    ahead[3] = 1.0  # 76 of 100 instead of 75: one problem is one standard error
    table = {MAJORITY: right, WEIGHTED: ahead, BEST: ahead}
    groups = [[spec] for spec in table]
    assert simplest(table, groups, 1.0) == MAJORITY
    assert simplest(table, groups, 0.0) == WEIGHTED
    ahead[[7, 11]] = 1.0  # a lead of 0.03 with an error of 0.0171
    assert simplest(table, groups, 1.0) == WEIGHTED
    assert simplest(table, groups, 2.0) == MAJORITY


def test_of_one_rule_the_best_k_competes_and_of_equals_the_largest():
    few, more, most = (RuleSpec("top_k", "v", k) for k in (3, 5, 9))
    low, high = np.tile([1.0, 0.0], 20), np.tile([1.0, 1.0, 1.0, 0.0], 10)
    table = {MAJORITY: low, most: low, more: high, few: high}
    assert simplest(table, [[MAJORITY], [most, more, few]], 1.0) == more


def test_each_fold_uses_what_is_best_on_the_others():
    """A slow reference, on a rule that is right where the problem's number is even."""
    generator = np.random.default_rng(1)
    table = {MAJORITY: generator.random(40), WEIGHTED: generator.random(40)}
    config = ChooseConfig(errors=0.0)
    expected = np.zeros(40)
    for split in range(8):
        folds = np.random.default_rng([split, 5]).permutation(40) % 5
        for problem in range(40):
            others = folds != folds[problem]
            means = [values[others].mean() for values in table.values()]
            expected[problem] += list(table.values())[int(means[1] > means[0])][problem] / 8
    groups = [[spec] for spec in table]
    np.testing.assert_allclose(cross_fitted(table, groups, config), expected)


def test_the_rules_that_compete_simplest_first():
    pool = drawn_pool(20, 0, samples=8, scorers=("a", "b"))
    groups = competitors(pool, ChooseConfig(), 8)
    assert [(group[0].name, group[0].scorer) for group in groups] == [
        ("majority", ""),
        *(("weighted", name) for name in "ab"),
        *(("weighted_top_k", name) for name in "ab"),
        *(("top_k", name) for name in "ab"),
        ("logprob", ""),
        *(("best_of_n", name) for name in "ab"),
    ]
    assert [spec.k for spec in groups[3]] == [7, 5, 4, 3, 2, 1]
    groups = competitors(pool, ChooseConfig(rules=["top_k"], scorers=["b"], k=[3, 9]), 8)
    assert [[(spec.name, spec.scorer, spec.k) for spec in group] for group in groups] == [
        [("majority", "", 0)],
        [("top_k", "b", 8), ("top_k", "b", 3)],
    ]


def test_a_free_score_competes_by_name():
    pool = dataclasses.replace(drawn_pool(60, 0, samples=8, strength=0.0), free={})
    pool.free["entropy"] = np.where(pool.labels, 0.1, 0.9).astype(np.float32)  # low is good
    found = choose_rule(pool, dataclasses.replace(QUICK, scorers=[]))
    assert found.spec == RuleSpec("entropy")
    kept = pool.take(np.array([3, 3, 5]))
    assert (kept.free["entropy"][1] == pool.free["entropy"][3]).all()


def test_without_a_number_for_every_answer_a_rule_does_not_compete():
    pool = drawn_pool(20, 0, samples=8)
    pool.logprobs[0, 0] = np.nan
    assert "logprob" not in [group[0].name for group in competitors(pool, ChooseConfig(), 8)]


@pytest.mark.parametrize(
    ("config", "problems", "expected"),
    [
        (ChooseConfig(n=9), 20, r"n=9: the run has 8 candidates per problem \(both\)"),
        (ChooseConfig(), 9, "9 problems: too few to choose a rule by; expected 10 or more"),
        (ChooseConfig(rules=["best"]), 20, "rules: best: expected one of majority, weighted"),
        (ChooseConfig(scorers=["w"]), 20, "scorers: no scores by 'w': the run has v"),
        (ChooseConfig(transform="square"), 20, "transform=square: expected one of none, sigmoid"),
        (ChooseConfig(errors=-1.0), 20, "errors=-1.0: expected 0 or more"),
        (ChooseConfig(bootstrap=0), 20, "bootstrap=0: expected 1 or more"),
    ],
)
def test_what_does_not_fit_is_refused(config, problems, expected):
    with pytest.raises(UserError, match=expected):
        choose_rule(drawn_pool(problems, 0, samples=8), config)


def test_by_default_a_rule_is_chosen_for_32_candidates_or_all_there_are():
    assert choose_rule(drawn_pool(12, 0, samples=8), QUICK).n == 8
    assert choose_rule(drawn_pool(12, 0, samples=40), QUICK).n == 32
    assert choose_rule(drawn_pool(12, 0, samples=8), QUICK, "pot").n == 4


@pytest.mark.parametrize(
    ("spec", "chosen"),
    [
        (RuleSpec("majority"), 0),
        (RuleSpec("weighted", "v"), 3),
        (RuleSpec("top_k", "v", 2), 4),
        (RuleSpec("top_k", "v", 1), 4),
        (RuleSpec("best_of_n", "v"), 4),
        (RuleSpec("logprob"), 2),
    ],
)
def test_a_spec_chooses(spec, chosen):
    """Classes 0 0 0 1 2 1 with scores that favour 2, then 1; the third is the likeliest."""
    pool = drawn_pool(1, 0, samples=6)
    pool.classes[0] = [0, 0, 0, 1, 2, 1]
    pool.scores["v"][0] = [0.1, 0.1, 0.1, 0.6, 0.7, 0.5]
    pool.logprobs[0] = [-9, -9, -1, -9, -9, -9]
    ties = np.linspace(1, 0, 6, dtype=np.float32)[None]
    assert spec.choose(pool, ties).tolist() == [chosen]
    assert RuleSpec.from_dict(spec.to_dict()) == spec


def test_a_specs_name_for_people():
    assert RuleSpec("weighted_top_k", "ranker", 5).label(32) == "weighted top-5 vote by ranker"
    assert RuleSpec("logprob").label(32) == "log-probability"
    with pytest.raises(UserError, match="rule: guess: expected one of"):
        RuleSpec.from_dict({**RuleSpec("majority").to_dict(), "name": "guess"})

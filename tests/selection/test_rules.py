"""Every rule on pools worked out by hand, and its chances under ties against a slow reference."""

import itertools
from collections import Counter

import numpy as np
import pytest

from assay.selection import rules

NOTIES = np.linspace(0.9, 0.1, 8)


def ties(n):
    return NOTIES[:n]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([0, 1, 1, 2], 1),
        ([-1, -1, -1, 3], 3),  # nobody's silence outvotes an answer
        ([-1, -1, -1, -1], -1),
        ([2, 2, 5, 5, 5], 2),
    ],
)
def test_majority(classes, expected):
    assert rules.majority(np.array(classes), ties(len(classes))) == expected


def test_majority_breaks_ties_by_score_where_given():
    classes, scores = np.array([0, 0, 1, 1, 2]), np.array([0.2, 0.3, 0.1, 0.8, 0.9])
    assert rules.majority(classes, ties(5)) == 0
    assert rules.majority(classes, ties(5), scores) == 3


def test_best_of_n_ignores_who_has_no_answer():
    classes, scores = np.array([-1, 0, 1]), np.array([0.9, 0.2, 0.4])
    assert rules.best_of_n(classes, scores, ties(3)) == 2
    assert rules.best_of_n(np.array([-1, -1]), np.array([0.9, np.nan]), ties(2)) == -1


def test_weighted_sums_scores_and_chooses_the_best_of_the_winners():
    classes, scores = np.array([0, 1, 1, -1]), np.array([0.6, 0.3, 0.4, np.nan])
    assert rules.weighted(classes, scores, ties(4)) == 2


def test_weighted_does_not_punish_an_answer_for_a_negative_score():
    classes, scores = np.array([0, 1, 1]), np.array([0.4, 0.5, -0.3])
    assert rules.weighted(classes, scores, ties(3)) == 1
    # all weights are 0: the best score decides
    assert rules.weighted(np.array([0, 1]), np.array([-0.2, -0.1]), ties(2)) == 1


def test_top_k_lets_only_the_best_scored_vote():
    classes = np.array([0, 1, 1, 2, 2, 2])
    scores = np.array([0.9, 0.8, 0.7, 0.3, 0.2, 0.1])
    assert rules.top_k(classes, scores, ties(6), k=1) == 0
    assert rules.top_k(classes, scores, ties(6), k=3) == 1
    assert rules.top_k(classes, scores, ties(6), k=6) == 3
    assert rules.top_k(classes, scores, ties(6)) == 1  # k = 3 by itself
    # a candidate without an answer takes no one's place
    assert rules.top_k(np.array([-1, -1, 1, 1, 0]), scores[:5], ties(5), k=3) == 2


def test_leading_axes_are_independent():
    rng = np.random.default_rng(0)
    classes, scores = rng.integers(-1, 3, (4, 5, 6)), rng.random((4, 5, 6))
    drawn = rules.tie_draw(classes.shape, seed=1)
    for rule in (rules.best_of_n, rules.weighted, rules.top_k, rules.majority):
        arguments = (classes, drawn) if rule is rules.majority else (classes, scores, drawn)
        whole = rule(*arguments)
        assert whole.shape == (4, 5)
        for i, j in itertools.product(range(4), range(5)):
            assert whole[i, j] == rule(*(array[i, j] for array in arguments))


@pytest.mark.parametrize("rule", ["majority", "best_of_n", "weighted", "top_k"])
@pytest.mark.parametrize("seed", range(12))
def test_chances_under_ties_equal_the_reference(rule, seed, chances):
    rng = np.random.default_rng(seed)
    classes = rng.integers(-1, 3, 6)
    scores = rng.integers(-1, 4, 6) / 4  # few values: many ties
    draws = 20_000
    drawn = rules.tie_draw((draws, 6), seed)
    many, held = np.tile(classes, (draws, 1)), np.tile(scores, (draws, 1))
    if rule == "majority":
        chosen = rules.majority(many, drawn)
    elif rule == "top_k":
        chosen = rules.top_k(many, held, drawn, k=3)
    else:
        chosen = getattr(rules, rule)(many, held, drawn)
    found = Counter(np.where(chosen < 0, -1, classes[chosen]).tolist())
    expected = chances(rule, classes.tolist(), scores.tolist(), k=3)
    assert set(found) == set(expected)
    for answer, chance in expected.items():
        # five standard errors of a share of 20 000
        error = 5 * (float(chance * (1 - chance)) / draws) ** 0.5
        assert found[answer] / draws == pytest.approx(float(chance), abs=error + 1e-12)


def test_automatic_k():
    assert [rules.automatic_k(n) for n in (1, 2, 3, 16, 64, 100, 400, 3200)] == [
        *(1, 2, 3, 3, 4, 5, 10, 28),
    ]


def test_weights_by_hand():
    classes = np.array([0, 1, 1, 2, -1])
    scores = np.array([0.5, -1.0, 2.0, 0.5, np.nan], np.float32)
    weights = {name: rules.vote_weights(classes, scores, name) for name in rules.TRANSFORMS}
    assert weights["none"].tolist() == [0.5, 0.0, 2.0, 0.5, 0.0]
    assert weights["sigmoid"] == pytest.approx([0.62246, 0.26894, 0.88080, 0.62246, 0], abs=1e-5)
    assert weights["rank"].tolist() == [2.5, 1.0, 4.0, 2.5, 0.0]
    shares = weights["softmax"] / weights["softmax"].sum()
    # exp(0.5), exp(-1), exp(2), exp(0.5): 1.64872, 0.36788, 7.38906, 1.64872
    assert shares == pytest.approx([0.14914, 0.03328, 0.66843, 0.14914, 0], abs=1e-5)
    cold = rules.vote_weights(classes, scores, "softmax", 0.5)
    assert cold[2] / cold[0] == pytest.approx(np.exp(3.0))
    with pytest.raises(ValueError, match="transform 'square', expected one of none, sigmoid"):
        rules.vote_weights(classes, scores, "square")


def test_weights_where_nobody_answers_are_zero():
    for name in rules.TRANSFORMS:
        found = rules.vote_weights(np.array([[-1, -1], [0, -1]]), np.full((2, 2), np.nan), name)
        assert found[0].tolist() == [0.0, 0.0]


def test_transforms_change_the_winner():
    """Two middling candidates against one good: the sum, the rank and a cold softmax disagree."""
    classes, scores = np.array([0, 1, 1, 2]), np.array([0.9, 0.5, 0.48, 0.1])
    assert rules.weighted(classes, scores, ties(4)) == 1  # 0.9 < 0.98
    assert rules.weighted(classes, scores, ties(4), "rank") == 1  # 4 < 3 + 2
    assert rules.weighted(classes, scores, ties(4), "softmax", 0.1) == 0
    assert rules.weighted(classes, scores, ties(4), "softmax", 100.0) == 1  # nearly equal votes


def test_weighted_top_k():
    classes = np.array([0, 1, 1, 2, 2, 2])
    scores = np.array([0.9, 0.5, 0.39, 0.38, 0.37, 0.36])
    assert rules.weighted_top_k(classes, scores, ties(6), k=1) == 0
    assert rules.weighted_top_k(classes, scores, ties(6), k=3) == 0  # 0.9 against 0.89
    assert rules.top_k(classes, scores, ties(6), k=3) == 1
    assert rules.weighted_top_k(classes, scores, ties(6), k=6) == 3  # 1.11


def test_hybrid_takes_the_program_that_answers():
    classes, modes = np.array([[4, 7], [4, -1], [-1, -1]]), np.array([[0, 1]] * 3)
    assert rules.hybrid(classes, modes, np.zeros((3, 2))).tolist() == [1, 0, -1]

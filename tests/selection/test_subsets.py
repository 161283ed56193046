"""Votes counted on sorted subsets against the rules themselves and against all subsets."""

import itertools
from functools import partial

import numpy as np
import pandas as pd
import pytest

from assay.selection import rules
from assay.selection.pool import PoolArrays
from assay.selection.subsets import MAJORITY, MOST, Vote, estimate, expected_accuracy

VOTES = {
    "majority": MAJORITY,
    "majority by score": Vote(),
    "best": Vote(k=1),
    "weighted": Vote("none"),
    "sigmoid": Vote("sigmoid"),
    "rank": Vote("rank"),
    "softmax": Vote("softmax", temperature=0.1),
    "top": Vote(k=3),
    "top automatic": Vote(k=0),
    "weighted top": Vote("none", k=3),
    "rank top": Vote("rank", k=4),
}


def make_pool(seed, problems=5, counts=(6, 5), levels=4):
    """Ties, silent candidates, negative scores, mixed labels in a class, problems of all sizes."""
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(problems):
        for mode, most in zip(("cot", "pot"), counts, strict=True):
            for sample in range(most if p < 2 else int(rng.integers(0, most + 1)) + (p == 2)):
                answer = int(rng.integers(-1, 4))
                score = (rng.integers(-1, levels) / 4) if levels else rng.normal()
                right = answer == 0 or (answer == 1 and rng.random() < 0.5)
                rows.append((f"p{p}", mode, sample, answer, right, score))
    names = ["problem_id", "mode", "sample", "answer_class", "label", "score:v"]
    return PoolArrays.from_frame(pd.DataFrame(rows, columns=names))


@pytest.mark.parametrize("levels", [3, 0])
@pytest.mark.parametrize("mix", ["cot", "both"])
@pytest.mark.parametrize("name", VOTES)
def test_votes_agree_with_the_rules(name, mix, levels):
    """The same subsets, counted fast and by calling the rule; random ties differ between them."""
    pool, ns, draws = make_pool(1, levels=levels), [1, 2, 3, 8], 2000
    vote = VOTES[name]
    fast = expected_accuracy(pool, {"r": vote}, ns, draws, mix=mix, scores=pool.scores["v"])
    called = partial(Vote.__call__, vote)
    slow = expected_accuracy(pool, {"r": called}, ns, draws, mix=mix, scores=pool.scores["v"])
    for n in ns:
        # without ties of scores nothing is drawn but the subsets, which are the same
        exact = not levels and vote.by_score
        off = np.abs(fast["r", n].values - slow["r", n].values)
        assert off.max() <= (0 if exact else 5 * np.sqrt(0.5 / draws)), n


def every_subset_and_order(pool, vote, n):
    """The obvious way: all subsets of both modes, their ties broken in every order."""
    modes, classes, labels, scores = (
        array[0] for array in (pool.modes, pool.classes, pool.labels, pool.scores["v"])
    )
    right = []
    for share in {(n // 2, n - n // 2), (n - n // 2, n // 2)}:
        ways = [
            itertools.combinations(held, min(most, len(held)))
            for mode, most in enumerate(share)
            if len(held := np.flatnonzero(modes == mode))
        ]
        outcomes = []
        for parts in itertools.product(*ways):
            columns = list(itertools.chain(*parts))
            ties = np.array(list(itertools.permutations(range(len(columns)))))
            own = [np.broadcast_to(array[columns], ties.shape) for array in (classes, scores)]
            chosen = vote(*own, ties)
            outcomes.append(np.mean(labels[columns][chosen] & (chosen >= 0)))
        right.append(np.mean(outcomes))
    return np.mean(right)


@pytest.mark.parametrize("n", [3, 4, 5, 6])
@pytest.mark.parametrize("counts", [(1, 5), (2, 6), (5, 2), (4, 4)])
@pytest.mark.parametrize("name", [name for name in VOTES if "best" in name or "majority" in name])
def test_no_mode_is_favoured_where_a_score_is_tied_across_modes(name, counts, n):
    """Of a mode with few candidates most are drawn, early and late arrivals alike."""
    rows = [
        ("p", mode, sample, {"cot": 0, "pot": 1}[mode] if sample % 3 else 2 + sample, mode == "pot")
        for mode, count in zip(("cot", "pot"), counts, strict=True)
        for sample in range(count)
    ]
    names = ["problem_id", "mode", "sample", "answer_class", "label"]
    pool = PoolArrays.from_frame(pd.DataFrame(rows, columns=names).assign(**{"score:v": 0.5}))
    draws = 20_000
    found = expected_accuracy(pool, {"r": VOTES[name]}, [n], draws, scores=pool.scores["v"])
    expected = every_subset_and_order(pool, VOTES[name], n)
    assert abs(found["r", n].values[0] - expected) <= 4 * np.sqrt(0.25 / draws)


def test_one_subset_of_everything_is_the_rule_itself():
    pool = make_pool(4, problems=40, counts=(7, 0), levels=0)
    whole = pool.present.sum(axis=1) == 7
    rows = np.arange(len(whole))
    for name, vote in VOTES.items():
        if vote.by_score:  # without ties of scores nothing is drawn
            found = estimate(pool, {7: {"r": vote}}, 3, mix="cot", scores=pool.scores["v"])
            chosen = vote(pool.classes, pool.scores["v"], rules.tie_draw(pool.classes.shape, 0))
            right = pool.labels[rows, np.maximum(chosen, 0)] & (chosen >= 0)
            np.testing.assert_array_equal(found["r", 7].values[whole], right[whole], name)


def test_the_subsets_do_not_depend_on_the_scores():
    """Two verifiers are compared on the same subsets: the plain majority is the same to the bit."""
    pool = make_pool(2, problems=20)
    other = np.random.default_rng(0).normal(size=pool.classes.shape).astype(np.float32)
    for mix in ("cot", "both"):
        one, two = (
            expected_accuracy(pool, {"m": MAJORITY}, [2, 3, 4], 50, mix=mix, scores=scores)
            for scores in (pool.scores["v"], other)
        )
        for key in one:
            np.testing.assert_allclose(one[key].values, two[key].values, atol=1e-12)


def test_draws_grow_until_the_error_is_reached():
    pool = make_pool(3, problems=30)
    asked = {2: {"m": MAJORITY}, 4: {"m": MAJORITY}}
    fixed = estimate(pool, asked, 50, mix="both")
    assert {found.draws for found in fixed.values()} == {50}
    target = fixed["m", 4].error / 3
    grown = estimate(pool, asked, 50, mix="both", error=target)
    for found in grown.values():
        assert found.error <= target
        # a third of the error takes nine times the draws
        assert 50 < found.draws < 50 * 30
    capped = estimate(pool, asked, 2, mix="both", error=1e-9)
    assert {found.draws for found in capped.values()} == {2 * MOST}


def test_the_error_is_the_spread_between_seeds():
    pool = make_pool(5, problems=12)
    found = [
        expected_accuracy(pool, {"w": Vote("none")}, [4], 60, seed, scores=pool.scores["v"])["w", 4]
        for seed in range(200)
    ]
    spread = np.std([each.values.mean() for each in found], ddof=1)
    # the standard deviation of 200 numbers is known to 5 %
    assert spread == pytest.approx(np.mean([each.error for each in found]), rel=0.2)


def test_nobody_and_nothing():
    rows = [("a", "cot", 0, -1, False), ("a", "cot", 1, -1, False), ("b", "pot", 0, 0, True)]
    names = ["problem_id", "mode", "sample", "answer_class", "label"]
    pool = PoolArrays.from_frame(pd.DataFrame(rows, columns=names))
    for name, vote in VOTES.items():
        found = expected_accuracy(pool, {"r": vote}, [1, 2], 20, mix="cot")
        # Of "b" there is nothing in words to estimate.
        np.testing.assert_array_equal(found["r", 2].values, [0.0, np.nan], name)
        both = expected_accuracy(pool, {"r": vote}, [2], 20, mix="both")
        assert both["r", 2].values.tolist() == [0.0, 1.0], name


def test_voters():
    assert [Vote().voters(8), Vote(k=3).voters(8), Vote(k=3).voters(2)] == [8, 3, 2]
    assert [Vote(k=0).voters(n) for n in (2, 8, 400)] == [2, 3, 10]

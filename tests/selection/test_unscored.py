"""Candidates without a score: by hand, and fast paths against slow ones."""

import itertools
from functools import partial

import numpy as np
import pandas as pd
import pytest

from assay.selection import rules
from assay.selection.curves import best_of_n_at, splits
from assay.selection.evaluate import evaluate
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig
from assay.selection.subsets import MAJORITY, Vote, expected_accuracy
from assay.selection.tuning import fold_of

NAN, INF = np.nan, np.inf
NAMES = ["problem_id", "mode", "sample", "answer_class", "label", "score:v"]

# classes, scores -> the class that is chosen by best-of-n, the weighted vote, top-2, rank weights
BY_HAND = {
    "NaN": ([0, 1], [NAN, 0.5], [1, 1, 1, 1]),
    "infinite": ([0, 1], [INF, 0.5], [1, 1, 1, 1]),
    "minus infinite": ([0, 1, 0], [-INF, 0.5, 0.1], [1, 1, 1, 1]),
    "a crowd without scores": ([0, 0, 0, 1], [NAN, NAN, NAN, -2.0], [1, 1, 1, 1]),
    "one of a crowd": ([0, 0, 1], [0.4, NAN, 0.5], [1, 1, 1, 1]),
    "not the missing one": ([0, 0, 1, 1], [0.4, 0.3, 0.6, NAN], [1, 0, 1, 1]),
    "no scores at all": ([0, 1], [NAN, INF], [None, None, None, None]),
    "scored without an answer": ([-1, 0, 1], [0.9, NAN, 0.1], [1, 1, 1, 1]),
}


@pytest.mark.parametrize(("classes", "scores", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_rules_by_hand(classes, scores, expected):
    classes, scores = np.array(classes), np.array(scores, np.float32)
    ties = rules.tie_draw(classes.shape, seed=3)
    chosen = [
        rules.best_of_n(classes, scores, ties),
        rules.weighted(classes, scores, ties, "sigmoid"),
        rules.top_k(classes, scores, ties, 2),
        rules.weighted(classes, scores, ties, "rank"),
    ]
    assert [None if i < 0 else int(classes[i]) for i in chosen] == expected


@pytest.mark.parametrize(
    ("transform", "weights"),
    [
        ("none", [0.0, 0.25, 0.0, 0.5]),
        ("sigmoid", [0.0, 0.5621765, 0.0, 0.6224593]),
        ("rank", [0.0, 1.0, 0.0, 2.0]),
        ("softmax", [0.0, 0.7788008, 0.0, 1.0]),
    ],
)
def test_what_has_no_score_has_no_weight(transform, weights):
    scores = np.array([NAN, 0.25, INF, 0.5])
    found = rules.vote_weights(np.array([0, 0, 1, 1]), scores, transform)
    np.testing.assert_allclose(found, weights, atol=1e-6)


def test_the_majority_hears_those_without_a_score():
    classes, scores = np.array([0, 0, 1]), np.array([NAN, NAN, 0.9])
    ties = rules.tie_draw((3,), 0)
    assert classes[rules.majority(classes, ties)] == 0
    assert classes[rules.majority(classes, ties, scores)] == 0
    # In a tie the one with a score comes first.
    assert rules.majority(np.array([0, 1]), ties[:2], np.array([NAN, -5.0])) == 1


def make_pool(seed, problems=5, counts=(4, 3), missing=0.3, levels=3):
    """Ties, silent candidates, problems of all sizes, one mode alone; scores missing by chance."""
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(problems):
        for place, mode in enumerate(("cot", "pot")):
            own = counts[place] if p < 2 else int(rng.integers(0, counts[place] + 1)) + (p == 2)
            for sample in range(max(own, place if p > 2 else 0)):
                answer = int(rng.integers(-1, 3))
                score = (rng.integers(0, levels) / 4) if levels else rng.random()
                if rng.random() < missing:
                    score = rng.choice([NAN, INF, -INF])
                rows.append((f"p{p}", mode, sample, answer, answer == 0, score))
    return PoolArrays.from_frame(pd.DataFrame(rows, columns=NAMES))


def subsets(pool, p, mix, n):
    """All equally likely subsets of a problem's candidates, and the chance of each."""
    columns = [np.flatnonzero(pool.modes[p] == mode) for mode in (0, 1)]
    if mix == "both" and not all(map(len, columns)):
        mix = "cot" if len(columns[0]) else "pot"
    for way in splits(mix, n):
        parts = [
            list(itertools.combinations(held, min(drawn, len(held))))
            for held, drawn in zip(columns, way, strict=True)
        ]
        pairs = list(itertools.product(*parts))
        for cot, pot in pairs:
            yield [*cot, *pot], 1 / len(pairs) / len(splits(mix, n))


def expected_by_hand(pool, mix, n, rule, chances, k=3):
    """The expected accuracy of each problem over all subsets; NaN without such candidates.

    To a rule that needs scores a candidate without one is as one without an answer.
    """
    values = []
    for p in range(len(pool.problem_ids)):
        held = pool.modes[p] >= 0 if mix == "both" else pool.modes[p] == ("cot", "pot").index(mix)
        if not held.any():
            values.append(np.nan)
            continue
        classes, scores = pool.classes[p].copy(), pool.scores["v"][p]
        if rule != "majority":
            classes[~np.isfinite(scores)] = -1
        values.append(
            sum(
                chance * float(chances(rule, classes[c].tolist(), scores[c].tolist(), k).get(0, 0))
                for c, chance in subsets(pool, p, mix, n)
            )
        )
    return np.array(values)


@pytest.mark.parametrize("mix", ["cot", "pot", "both"])
@pytest.mark.parametrize("levels", [1, 3, 0])
@pytest.mark.parametrize("seed", range(3))
def test_best_of_n_is_exact(seed, levels, mix, chances):
    pool = make_pool(seed, levels=levels)
    ns = [1, 2, 3, 4, 6]
    found = best_of_n_at(pool, pool.scores["v"], mix, ns)
    for row, n in enumerate(ns):
        expected = expected_by_hand(pool, mix, n, "best_of_n", chances)
        np.testing.assert_allclose(found[row], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mix", ["cot", "pot", "both"])
@pytest.mark.parametrize(
    ("rule", "vote"),
    [
        ("majority", MAJORITY),
        ("best_of_n", Vote(k=1)),
        ("weighted", Vote("none")),
        ("top_k", Vote(k=3)),
    ],
)
def test_votes_agree_with_all_subsets(rule, vote, mix, chances):
    for seed in range(2):
        # Scores differ where both modes are drawn from: ties between modes are another matter.
        pool, draws = make_pool(seed, levels=0 if mix == "both" else 3), 4000
        found = expected_accuracy(
            pool, {"r": vote}, [1, 2, 3, 5], draws, mix=mix, scores=pool.scores["v"]
        )
        for n in (1, 2, 3, 5):
            expected = expected_by_hand(pool, mix, n, rule, chances)
            np.testing.assert_array_equal(np.isnan(found["r", n].values), np.isnan(expected))
            off = np.abs(found["r", n].values - expected)
            assert np.nanmax(off) <= 5 * np.sqrt(0.25 / draws), (seed, n)


@pytest.mark.parametrize("mix", ["pot", "both"])
@pytest.mark.parametrize(
    "vote",
    [Vote(), Vote("rank"), Vote("softmax", temperature=0.1), Vote("sigmoid", k=2), Vote(k=0)],
)
def test_counted_votes_are_the_called_rules(vote, mix):
    pool = make_pool(5, problems=12, levels=0)
    ns = [1, 2, 3, 6]
    fast = expected_accuracy(pool, {"r": vote}, ns, 300, mix=mix, scores=pool.scores["v"])
    called = partial(Vote.__call__, vote)
    slow = expected_accuracy(pool, {"r": called}, ns, 300, mix=mix, scores=pool.scores["v"])
    for n in ns:  # without ties of scores nothing is drawn but the subsets, which are the same
        np.testing.assert_array_equal(fast["r", n].values, slow["r", n].values)


def test_scores_that_are_all_there_change_nothing():
    pool = make_pool(3, missing=0, levels=0)
    halved = make_pool(3, missing=0, levels=0)
    halved.scores["v"][:, ::2] = np.nan
    for vote in (MAJORITY, Vote(k=3)):
        whole, part = (
            expected_accuracy(each, {"r": vote}, [4], 50, scores=each.scores["v"])["r", 4].values
            for each in (pool, halved)
        )
        assert (whole == part).all() == (vote is MAJORITY)


# One problem of four: sample 0 right without a score, 1 and 2 right, 3 wrong with the best score.
FOUR = [
    ("a", "cot", 0, 0, True, NAN),
    ("a", "cot", 1, 0, True, 0.6),
    ("a", "cot", 2, 0, True, 0.4),
    ("a", "cot", 3, 1, False, 0.9),
]


def frame_of(rows, **more):
    return pd.DataFrame(rows, columns=NAMES).assign(**more)


def test_an_evaluation_by_hand():
    found = evaluate(PoolArrays.from_frame(frame_of(FOUR)), EvaluateConfig(draws=50, bootstrap=5))
    assert found.at("majority", "cot", 4).value == 1.0
    assert found.at("best_of_n", "cot", 4).value == 0.0
    assert found.at("weighted", "cot", 4).value == 1.0  # 0.6 + 0.4 against 0.9
    assert found.at("single", "cot", 1).value == 0.75
    for rule in ("best_of_n", "weighted", "top_k"):  # of one candidate those with a score
        assert found.at(rule, "cot", 1).value == 0.5
    # Pairs of which the chosen is right: {0, 1}, {0, 2}, {1, 2}.
    assert found.at("best_of_n", "cot", 2).value == pytest.approx(0.5)
    assert found.notes == (
        "1 of 4 candidates without a score by v (1 CoT): left out of the rules that need scores",
    )
    assert found.quality.candidates == 3
    assert found.quality.auc.value == 0.0  # the wrong one above both


def test_measures_leave_out_what_has_no_score():
    rows = [*FOUR, ("b", "pot", 0, 0, True, INF), ("b", "pot", 1, 0, True, 0.5)]
    whole = evaluate(PoolArrays.from_frame(frame_of(rows)), EvaluateConfig(draws=5, bootstrap=5))
    kept = [row for row in rows if np.isfinite(row[-1])]
    part = evaluate(PoolArrays.from_frame(frame_of(kept)), EvaluateConfig(draws=5, bootstrap=5))
    for name in ("auc", "within", "brier", "calibration_error"):
        assert getattr(whole.quality, name).value == getattr(part.quality, name).value
    assert whole.quality.bins == part.quality.bins
    assert whole.notes[-2].startswith("2 of 6 candidates without a score by v (1 CoT, 1 PoT)")


@pytest.mark.parametrize(
    ("change", "config"),
    [
        ({"score:v": NAN}, {}),
        ({"score:v": INF}, {}),
        ({"score:v": 1e300}, {}),
        ({"score:v": None}, {"verifier": "v"}),
        ({"score:v": [0.5, 0.5, 0.5, NAN], "answer_class": [-1, -1, -1, 0]}, {}),
        ({"score:v": -INF}, {"rules": ["majority", "logprob"]}),
        ({"score:v": NAN}, {"rules": ["majority"], "verifier": "v"}),
    ],
)
def test_a_verifier_that_cannot_be_used_is_told(change, config):
    pool = PoolArrays.from_frame(frame_of(FOUR, tokens=4, logprob=-3.0, **change))
    found = evaluate(pool, EvaluateConfig(draws=5, bootstrap=5, **config))
    asked = config.get("rules") or ["shortest", "logprob", "majority"]
    assert set(found.rules) == {"single", "pass", *asked}
    assert (found.verifier, found.quality) == ("", None)
    told = "scores by v left out: no candidate with an answer has a score"
    assert [note for note in found.notes if "score" in note] == [told]


def test_one_verifier_of_two_that_cannot_be_used():
    pool = PoolArrays.from_frame(frame_of(FOUR, **{"score:w": NAN}))
    found = evaluate(pool, EvaluateConfig(draws=5, bootstrap=5))
    assert found.verifier == "v"  # the only one left: nothing to choose
    assert found.at("best_of_n", "cot", 4).value == 0.0
    assert found.notes[0] == "scores by w left out: no candidate with an answer has a score"


def test_constants_are_chosen_with_missing_scores():
    """Top-1 is always right, a larger k never: a wrong crowd, and right ones without a score."""
    rows = [
        (f"p{p:02d}", "cot", sample, answer, answer == 0, score)
        for p in range(20)
        for sample, (answer, score) in enumerate([(0, 0.9), (1, 0.5), (1, 0.4), (2, NAN)])
    ]
    pool = PoolArrays.from_frame(frame_of(rows))
    found = evaluate(pool, EvaluateConfig(n=[4], k="auto", draws=20, bootstrap=5))
    assert found.votes["top_k", "cot", 4].typical.k == 1
    assert found.at("top_k", "cot", 4).value == 1.0
    assert sorted(set(fold_of(20, 0))) == [0, 1, 2, 3, 4]

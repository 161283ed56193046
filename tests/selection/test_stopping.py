"""Stopping rules: literal values, the slow rule on a list of answers, and scorio's."""

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy.special import betainc

from assay.selection.decisions import Seen, stops
from assay.selection.stopping import (
    RULES,
    beta_confidence,
    checkpoints,
    crp_confidence,
    dirichlet_confidence,
)

THRESHOLDS = {
    "certain": [0.0],
    "beta": [0.7, 0.9, 0.95],
    "dirichlet": [0.7, 0.9],
    "window": [2, 3, 4],
    "doubling": [0.5, 0.75, 1.0],
    "score": [0.3, 1.0],
    "best": [0.5, 0.9],
}


def drawn(rng, steps, orders, kinds=4):
    """Classes with a leader, an eighth without an answer; labels by class; scores in eighths."""
    shares = np.array([0.125, 0.5, *np.full(kinds - 1, 0.375 / (kinds - 1))])
    classes = rng.choice(np.arange(-1, kinds), (steps, orders), p=shares)
    scores = rng.integers(0, 9, (steps, orders)) / 8
    scores[rng.random((steps, orders)) < 0.05] = np.nan
    return classes, classes == 0, scores.astype(np.float32)


def slow_stop(rule, threshold, classes, scores, most, round_size):
    """The rule as it is told, on lists: after how many candidates it stops."""
    for n in checkpoints(rule, most, round_size):
        answers = [c for c in classes[:n] if c >= 0]
        votes = [count for _, count in Counter(answers).most_common()] + [0, 0]
        heard = [
            (c, s)
            for c, s in zip(classes[:n], scores[:n], strict=True)
            if c >= 0 and np.isfinite(s)
        ]
        if n == most:
            return n
        if rule == "certain" and votes[0] > votes[1] + most - n:
            return n
        confidences = {
            "beta": 1 - betainc(votes[0] + 1, votes[1] + 1, 0.5),
            "dirichlet": dirichlet_confidence(np.array([votes]))[0],
        }
        if answers and confidences.get(rule, -1) >= threshold:
            return n
        if rule == "window":
            size = int(threshold)
            windows = [classes[i : i + size] for i in range(0, n - size + 1, size)]
            if any(len(set(w)) == 1 and w[0] >= 0 for w in windows):
                return n
        if rule == "doubling" and votes[0] / n >= threshold:
            return n
        if rule == "score":
            sums = Counter()
            for c, s in heard:
                sums[c] += float(s)
            first, second = ([value for _, value in sums.most_common()] + [0.0, 0.0])[:2]
            if first - second > threshold * (most - n):
                return n
        if rule == "best" and any(s >= np.float32(threshold) for _, s in heard):
            return n
    raise AssertionError("it looks at the last candidate")


@pytest.mark.parametrize("round_size", [1, 4])
@pytest.mark.parametrize("rule", THRESHOLDS)
def test_every_rule_is_the_slow_one(rule, round_size):
    classes, labels, scores = drawn(np.random.default_rng(0), 13, 60)
    seen = Seen(classes, labels, scores, 13, round_size)
    found = stops(rule, THRESHOLDS[rule], seen)
    points = checkpoints(rule, 13, round_size)
    for place, threshold in enumerate(THRESHOLDS[rule]):
        for order in range(classes.shape[1]):
            expected = slow_stop(
                rule, threshold, classes[:, order].tolist(), scores[:, order], 13, round_size
            )
            assert found.ends[place, order] == expected, (threshold, classes[:, order])
            assert found.rounds[place, order] == points.index(expected) + 1
    # The cases tell the thresholds apart.
    assert len({tuple(row) for row in found.ends}) == len(THRESHOLDS[rule])


def test_certain_is_exact_and_stops_as_early_as_it_may():
    """Against every way to go on: 3 kinds of answers and none, 5 candidates."""
    for classes in itertools.product([-1, 0, 1], repeat=4):
        column = np.array(classes)[:, None]
        seen = Seen(column, column == 0, None, 5)
        end = int(stops("certain", [0.0], seen).ends[0, 0])
        for n in range(2, 5):
            winners = set()
            for future in itertools.product([-1, 0, 1, 2], repeat=5 - n):
                votes = Counter(c for c in (*classes[:n], *future) if c >= 0)
                best = max(votes.values(), default=0)
                winners.add(frozenset(c for c, count in votes.items() if count == best))
            decided = len(winners) == 1 and len(next(iter(winners))) == 1
            assert decided == (0 < end <= n), (classes, n)


def test_an_order_that_is_neither_decided_nor_whole_goes_on():
    column = np.array([0, 0, 1])[:, None]
    found = stops("beta", [0.6, 0.999], Seen(column, column == 0, None, 8, 1))
    assert found.ends.tolist() == [[1], [0]]


def test_literal_confidences():
    # 1 − I½(6, 1) = 1 − 1/64; the example of scorio's documentation; a tie is even.
    assert beta_confidence(5, 0) == pytest.approx(63 / 64, abs=1e-12)
    assert beta_confidence(8, 2) == pytest.approx(0.9672852, abs=1e-7)
    assert beta_confidence([0, 3], [0, 3]).tolist() == pytest.approx([0, 0.5])
    assert dirichlet_confidence(np.array([[5, 2, 1]])) == pytest.approx(0.818, abs=5e-4)
    # All level: each is as likely to lead. Two answers: the Beta rule; one: against an unseen one.
    counts = np.array([[4, 4, 4], [7, 3, 0], [0, 5, 0], [0, 0, 0]])
    expected = [1 / 3, float(beta_confidence(7, 3)), 63 / 64, 0]
    assert dirichlet_confidence(counts) == pytest.approx(expected, abs=1e-9)


def test_dirichlet_is_what_drawing_from_the_posterior_gives():
    rng = np.random.default_rng(0)
    for counts in ([6, 4, 1, 1], [30, 22, 20], [3] + [1] * 12):
        draws = rng.dirichlet(np.array(counts) + 1.0, 200_000)
        share = (draws.argmax(axis=1) == 0).mean()
        assert dirichlet_confidence(np.array([counts]))[0] == pytest.approx(share, abs=0.005)


def test_crp_knows_what_is_decided():
    assert crp_confidence([], 10) == 0
    assert crp_confidence([6, 4], 10) == 1
    assert crp_confidence([9, 2], 14) == 1  # three more change nothing
    assert crp_confidence([3, 3], 40) == pytest.approx(0.5, abs=0.1)
    assert crp_confidence([7, 3, 1], 40) == crp_confidence([1, 7, 0, 3], 40)


def test_as_scorio_decides():
    """Scorio 0.2.3 (arXiv 2608.04001): the same confidences, and so the same decisions.

    Of 10 000 drawn cases as many as take it a second. Its
    CRP gives a tie at the end to the answer that was first seen, ours to the leader: the same where
    the leader comes first.
    """
    online = pytest.importorskip("scorio.aggregate.online", reason="the extra dev has scorio")
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 30, (10_000, 4))
    first, second = np.sort(counts, axis=1)[:, :-3:-1].T
    ours = beta_confidence(first, second)
    for row, confidence in zip(counts[::20], ours[::20], strict=True):
        answers = np.repeat(np.arange(4), row).tolist()
        stop, known = online.adaptive_consistency_stop(answers, return_prob=True)
        assert known == pytest.approx(confidence, abs=1e-12)
        assert stop == (confidence >= 0.95)
    windows = rng.integers(-1, 2, (10_000, 3)).T
    agree = stops("window", [3], Seen(windows, windows == 0, None, 4)).ends[0] == 3
    for window, ends in zip(windows.T[::4], agree[::4], strict=True):
        assert online.esc_stop([None if c < 0 else int(c) for c in window]) == ends
    for row, known in zip(counts[:15], dirichlet_confidence(counts[:15]), strict=True):
        answers = np.repeat(np.arange(4), row).tolist()
        theirs = online.adaptive_consistency_dirichlet_stop(answers, return_prob=True)[1]
        assert known == pytest.approx(theirs, abs=1e-8)
    for row in ([7, 3, 1], [4, 3], [10, 8, 1, 1]):
        answers = np.repeat(np.arange(len(row)), row).tolist()
        theirs = online.adaptive_consistency_crp_stop(answers, return_prob=True)[1]
        assert crp_confidence(row, 40, alphas=200, simulations=200) == pytest.approx(
            theirs, abs=0.015
        )


def test_every_rule_has_a_usual_threshold_among_those_tried():
    for rule in RULES.values():
        assert rule.usual is None or rule.usual in rule.thresholds
        assert list(rule.thresholds) == sorted(rule.thresholds)

"""What scores are worth: against scikit-learn, by hand, and how the intervals cover."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_auc_score

from assay.evaluation.table import table
from assay.selection.evaluate import evaluate
from assay.selection.intervals import bootstrap_weights
from assay.selection.pool import PoolArrays
from assay.selection.quality import calibration_bins, over_optimisation, quality
from assay.selection.request import EvaluateConfig


def make_pool(problems=30, candidates=12, seed=0, levels=None, gain=0.5):
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(problems):
        skill = rng.random()
        for sample in range(candidates):
            right = bool(rng.random() < skill)
            score = float(np.clip(gain * right + 0.6 * rng.random(), 0, 1))
            score = score if levels is None else round(score * levels) / levels
            label = None if sample == 0 else right  # the first are not labelled
            rows.append((f"p{p:02d}", "cot", sample, 0 if right else 1, label, score))
    names = ["problem_id", "mode", "sample", "answer_class", "label", "score:v"]
    return PoolArrays.from_frame(pd.DataFrame(rows, columns=names))


@pytest.mark.parametrize("levels", [None, 4])
def test_measures_equal_scikit_learn(levels):
    """Of which the bins hold their upper border too."""
    pool = make_pool(levels=levels)
    scores = pool.scores["v"]
    found = quality(pool, scores, {}, bootstrap_weights(30, 200))
    kept = pool.labelled
    rows = [(scores[p][kept[p]], pool.labels[p][kept[p]]) for p in range(30)]
    within = [roc_auc_score(y, s) for s, y in rows if 0 < y.sum() < len(y)]
    held, right = scores[kept].astype(np.float64), pool.labels[kept]
    assert found.auc.value == pytest.approx(roc_auc_score(right, held), abs=1e-12)
    assert found.within.value == pytest.approx(np.mean(within), abs=1e-12)
    assert found.brier.value == pytest.approx(np.mean(np.square(held - right)), abs=1e-7)
    assert found.candidates == kept.sum() == 30 * 11
    share, mean = calibration_curve(right, held, n_bins=10)
    counts = np.histogram(held, np.nextafter(np.arange(11) / 10, 2))[0]
    counts[0] += (held == 0).sum()
    expected = np.average(np.abs(share - mean), weights=counts[counts > 0])
    assert found.calibration_error.value == pytest.approx(expected, abs=1e-6)
    for interval in (found.auc, found.within, found.brier, found.calibration_error):
        assert interval.low < interval.value < interval.high
    # the bins and the error are the same numbers
    error = sum(b.count * abs(b.mean_score - b.share_right) for b in found.bins)
    assert error / found.candidates == pytest.approx(found.calibration_error.value)


def test_auc_within_problem_and_mode_by_hand():
    """Programs above words, whatever is right: among candidates of one mode nothing is gained."""
    rows = [
        ("a", "cot", 0, 0, True, 0.2), ("a", "cot", 1, 1, False, 0.3),
        ("a", "pot", 0, 0, True, 0.9), ("a", "pot", 1, 0, True, 0.8),
        ("a", "pot", 2, 1, False, 0.7),
        ("b", "cot", 0, 0, True, 0.4), ("b", "cot", 1, 1, False, 0.1),
        ("b", "pot", 0, 1, False, 0.9), ("b", "pot", 1, 1, False, 0.6),
    ]  # fmt: skip
    names = ["problem_id", "mode", "sample", "answer_class", "label", "score:v"]
    pool = PoolArrays.from_frame(pd.DataFrame(rows, columns=names))
    found = quality(pool, pool.scores["v"], {}, bootstrap_weights(2, 50))
    assert found.within_cot.value == pytest.approx((0 + 1) / 2)
    assert found.within_pot.value == 1.0  # b's programs are all wrong
    assert found.within_mode.value == pytest.approx((0 + 1 + 1) / 3)
    assert found.within.value == pytest.approx((4 / 6 + 1 / 3) / 2)
    assert list(found.shown())[:4] == ["within", "within_mode", "within_cot", "within_pot"]
    words = pool.select(pool.of_mode("cot"))
    of_words = quality(words, words.scores["v"], {}, bootstrap_weights(2, 50))
    assert of_words.within_mode == of_words.within == of_words.within_cot
    assert list(of_words.shown()) == ["within", "auc", "brier", "calibration_error"]


def test_bins_by_hand():
    scores = np.array([0.05, 0.07, 0.31, 1.0, 1.7, -0.2])
    right = np.array([False, True, False, True, True, False])
    kept = np.ones((1, 6), bool)
    found = calibration_bins(scores[None], right[None], kept, np.ones((1, 1)))
    assert [(b.low, b.count, b.share_right) for b in found] == [
        (0.0, 3, pytest.approx(1 / 3)),
        (0.3, 1, 0.0),
        (0.9, 2, 1.0),
    ]
    # 1.7 and −0.2 count as 1 and 0
    assert [b.mean_score for b in found] == pytest.approx([0.04, 0.31, 1.0])


def test_intervals_of_bins_are_of_resampled_problems():
    """Against the obvious way: the candidates of the drawn problems, put together."""
    pool = make_pool(20, 6, seed=3)
    scores, draws = pool.scores["v"], np.random.default_rng(0).integers(0, 20, (50, 20))
    weights = np.stack([np.bincount(drawn, minlength=20) / 20 for drawn in draws])
    kept = pool.labelled & pool.present
    for found in calibration_bins(scores, pool.labels, kept, weights):
        inside = kept & (scores >= found.low) & (scores < found.high)
        shares = []
        for drawn in draws:
            labels = np.concatenate([pool.labels[p][inside[p]] for p in drawn])
            shares += [labels.mean()] if len(labels) else []
        expected = np.quantile(shares, [0.025, 0.975])
        assert (found.right_low, found.right_high) == pytest.approx(expected)


def test_over_optimisation_is_seen():
    """Accuracies 0.4, 0.7, 0.5 at 1, 2, 4: the best is 2, the drop −0.2 on every problem."""
    cells = {("best_of_n", "cot", n): np.full(6, a) for n, a in ((1, 0.4), (2, 0.7), (4, 0.5))}
    (found,) = over_optimisation(cells, bootstrap_weights(6, 100))
    assert (found.modes, found.peak, found.n) == ("cot", 2, 4)
    assert (found.drop.value, found.drop.low, found.drop.high) == pytest.approx((-0.2,) * 3)
    assert found.drop.p < 0.05


def test_no_drop_where_the_last_is_the_best():
    cells = {("best_of_n", "pot", n): np.full(6, n / 8) for n in (1, 2, 4)}
    (found,) = over_optimisation(cells, bootstrap_weights(6, 100))
    assert (found.peak, found.n, found.drop.value, found.drop.p) == (4, 4, 0.0, 1.0)
    assert over_optimisation({("best_of_n", "pot", 1): np.zeros(6)}, np.ones((1, 6)) / 6) == []


def test_what_is_not_defined_is_null():
    """All candidates right: there is no pair to rank."""
    rows = [(f"p{p}", "cot", s, 0, True, 0.95) for p in range(3) for s in range(2)]
    names = ["problem_id", "mode", "sample", "answer_class", "label", "score:v"]
    pool = PoolArrays.from_frame(pd.DataFrame(rows, columns=names))
    found = evaluate(pool, EvaluateConfig(draws=5, bootstrap=20))
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))["quality"]
    assert told["auc"] == {"value": None, "low": None, "high": None}
    assert told["brier"]["value"] == pytest.approx(0.0025)
    assert told["bins"] == [
        {
            "low": 0.9,
            "high": 1.0,
            "mean_score": pytest.approx(0.95),
            "share_right": 1.0,
            "right_low": 1.0,
            "right_high": 1.0,
            "count": 6,
        }
    ]
    assert "not defined" in table(found, bold=False)


def test_intervals_cover_at_their_rate():
    """Of the 95 % intervals of 100 pools, about 95 hold the measure of a very large one."""
    large = make_pool(3000, seed=999, gain=0.2)
    truth = quality(large, large.scores["v"], {}, bootstrap_weights(3000, 2))
    weights = bootstrap_weights(60, 400)
    held = dict.fromkeys(("within", "brier"), 0)
    for seed in range(100):
        pool = make_pool(60, seed=seed, gain=0.2)
        found = quality(pool, pool.scores["v"], {}, weights)
        for name in held:
            own = getattr(found, name)
            held[name] += own.low <= getattr(truth, name).value <= own.high
    # the binomial's 99.9 % range round 95, and the bootstrap's own shortfall
    assert all(86 <= count <= 100 for count in held.values()), held

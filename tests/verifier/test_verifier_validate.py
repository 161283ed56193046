import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from assay.problems.problem import Problem
from assay.selection.measures import bin_of
from assay.selection.measures import calibration_error as statistic
from assay.settings.errors import UserError
from assay.verifier.data import LabelledCandidate, VerifierProblem
from assay.verifier.validate import is_as_good, measure, measure_problems, validation_table


def arrays(*rows, dtype=np.float64):
    return [np.array(row, dtype=dtype) for row in rows]


def calibration_error(scores, labels, bins=10):
    """Of the candidates of one problem."""
    (value,) = statistic(scores[None], labels[None], np.ones((1, len(scores)), bool), bins)([[1.0]])
    return value


def test_measures_by_hand():
    scores = arrays([0.9, 0.4], [0.2, 0.6, 0.1])
    labels = arrays([1, 0], [1, 0, 0], dtype=bool)
    found = measure(scores, labels)
    assert (found.problems, found.candidates) == (2, 5)
    # 0.1² + 0.4² + 0.8² + 0.6² + 0.1² = 1.18
    assert found.mse == pytest.approx(1.18 / 5)
    # Right 0.9, 0.2 against wrong 0.4, 0.6, 0.1: 3 + 1 of 6 pairs.
    assert found.auc == pytest.approx(4 / 6)
    # Within: 1 of 1 pair, 1 of 2.
    assert found.auc_within == pytest.approx(0.75)
    # Every score alone in its bin: 0.1, 0.4, 0.8, 0.6 and 0.1 from its label.
    assert found.calibration_error == pytest.approx(2.0 / 5)
    assert found.best_of_n == 0.5
    assert found.share_right == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert found.solvable == 1.0
    assert found.majority is None
    assert found.weighted is None


def test_ties_for_the_best_share_the_place():
    found = measure(arrays([0.5, 0.5, 0.1]), arrays([1, 0, 0], dtype=bool))
    assert found.best_of_n == 0.5


def test_undefined_measures_are_none():
    found = measure(arrays([0.5, 0.2]), arrays([0, 0], dtype=bool))
    assert found.auc is None
    assert found.auc_within is None
    assert found.solvable == 0.0
    # Both are wrong: the calibration error is the mean score.
    assert found.calibration_error == pytest.approx(0.35)
    # Right and wrong ones, but in different problems.
    apart = measure(arrays([0.9], [0.1]), arrays([1], [0], dtype=bool))
    assert apart.auc == 1.0
    assert apart.auc_within is None


@pytest.mark.parametrize(
    ("scores", "labels", "classes", "majority", "weighted", "best"),
    [
        # Class 0 (wrong) has three votes of 0.2 each, class 1 (right) two of 0.4.
        ([0.2, 0.2, 0.2, 0.4, 0.4], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1], 0, 1, 1),
        # Two votes each, one of the two answers right: an even split. Equal sums: the best score.
        ([0.25, 0.375, 0.125, 0.5], [1, 1, 0, 0], [0, 0, 1, 1], 1 / 2, 0, 0),
        # Everything equal between a right and a wrong answer.
        ([0.5, 0.5], [1, 0], [0, 1], 1 / 2, 1 / 2, 1 / 2),
        # Three answers with a vote each.
        ([0.2, 0.3, 0.1], [1, 0, 0], [0, 1, 2], 1 / 3, 0, 0),
        # No answer neither votes nor wins, however well scored.
        ([0.9, 0.9, 0.1], [0, 0, 1], [-1, -1, 4], 1, 1, 1),
        ([0.9], [0], [-1], 0, 0, 0),
        # A negative score takes nothing from its answer; class 1 of 3 is empty.
        ([0.5, -0.9, 0.4], [1, 1, 0], [0, 0, 2], 1, 1, 1),
        # All weights are 0: the best score.
        ([-0.1, -0.5, -0.2], [1, 0, 0], [0, 2, 2], 0, 1, 1),
    ],
)
def test_votes_by_hand(scores, labels, classes, majority, weighted, best):
    rows = arrays(scores), arrays(labels, dtype=bool), arrays(classes, dtype=int)
    found = measure(*rows)
    assert found.majority == pytest.approx(majority)
    assert found.weighted == pytest.approx(weighted)
    assert found.best_of_n == best


def test_calibration_error_by_hand():
    # Bin [0, 0.5]: mean score 0.2, one of four right; bin (0.5, 1]: 0.9, one of two.
    scores = np.array([0.1, 0.2, 0.2, 0.3, 0.8, 1.0])
    labels = np.array([0, 0, 1, 0, 0, 1], dtype=bool)
    expected = (4 * abs(0.25 - 0.2) + 2 * abs(0.5 - 0.9)) / 6
    assert calibration_error(scores, labels, bins=2) == pytest.approx(expected)
    # Predictions of a regression may lie outside.
    assert calibration_error(np.array([-3.0, 7.0]), np.array([False, True])) == 0
    assert calibration_error(np.array([0.4, 0.4]), np.array([True, True])) == pytest.approx(0.6)


def test_calibration_error_equals_a_loop_over_bins():
    rng = np.random.default_rng(1)
    # Numbers on the bins' borders among them.
    scores = np.concatenate([rng.random(300), np.arange(11) / 10])
    labels = rng.random(311) < scores
    total = 0.0
    for i in range(10):
        # A border belongs to the bin below it; np.linspace has the borders that are compared.
        low, high = np.linspace(0, 1, 11)[[i, i + 1]]
        inside = (scores <= high) & ((scores > low) | (i == 0))
        total += inside.sum() * abs(labels[inside].mean() - scores[inside].mean())
    assert calibration_error(scores, labels) == pytest.approx(total / 311)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bins", [1, 2, 3, 7, 10, 49])
def test_a_border_is_of_the_bin_below_it(bins, dtype):
    borders = (np.arange(1, bins + 1) / bins).astype(dtype)
    assert bin_of(borders, bins).tolist() == list(range(bins))
    above = np.nextafter(borders[:-1], dtype(1))
    assert bin_of(above, bins).tolist() == list(range(1, bins))
    assert bin_of(np.array([-1, 0, 2], dtype), bins).tolist() == [0, 0, bins - 1]


def test_measures_equal_scikit_learn_and_loops():
    """Problems of several sizes, scores with ties, two modes."""
    rng = np.random.default_rng(2)
    sizes = rng.integers(1, 9, 40)
    scores = [rng.integers(0, 5, n) / 4 for n in sizes]
    labels = [rng.random(n) < 0.4 for n in sizes]
    modes = [np.where(rng.random(n) < 0.5, "cot", "pot") for n in sizes]
    found = measure(scores, labels, modes=modes)
    assert found.auc == pytest.approx(roc_auc_score(np.concatenate(labels), np.concatenate(scores)))
    within = [
        roc_auc_score(y[m == mode], s[m == mode])
        for s, y, m in zip(scores, labels, modes, strict=True)
        for mode in ("cot", "pot")
        if 0 < y[m == mode].sum() < (m == mode).sum()
    ]
    assert found.auc_within == pytest.approx(np.mean(within))
    error = np.std(within, ddof=1) / np.sqrt(len(within))
    assert found.standard_errors["auc_within"] == pytest.approx(error)
    best = [y[s == s.max()].mean() for s, y in zip(scores, labels, strict=True)]
    assert found.best_of_n == pytest.approx(np.mean(best))


def test_votes_need_answer_classes():
    def item(*classes):
        own = [LabelledCandidate("p", "cot", "x", c == 1, "", c) for c in classes]
        return VerifierProblem(Problem(id="p", question="?"), own)

    scores = arrays([0.9, 0.1], [0.1, 0.2])
    with_classes = measure_problems(scores, [item(1, -1), item(-1, -1)])
    assert with_classes.majority == 0.5
    assert with_classes.best_of_n == 0.5
    without = measure_problems(scores, [item(-1, -1), item(-1, -1)])
    assert without.majority is None


def test_a_training_that_diverged():
    own = [LabelledCandidate("p", "cot", "x", True)]
    with pytest.raises(UserError, match="the training diverged; try a lower learning_rate"):
        measure_problems(arrays([np.nan]), [VerifierProblem(Problem(id="p", question="?"), own)])


@pytest.mark.parametrize(
    ("new", "old", "by", "margin", "good"),
    [
        (0.8, 0.7, "auc_within", 0.0, True),
        (0.7, 0.8, "auc_within", 0.0, False),
        (0.7, 0.8, "auc_within", 0.05, False),
        (0.75, 0.8, "auc_within", 0.0625, True),
        (0.1, 0.2, "mse", 0.0, True),
        (0.2, 0.1, "calibration_error", 0.0, False),
        (0.25, 0.125, "mse", 0.125, True),
        # The later of equals.
        (0.5, 0.5, "best_of_n", 0.0, True),
        (0.5, 0.5, "mse", 0.0, True),
        (0.5, None, "auc", 0.0, True),
        (None, 0.5, "auc", 9.0, False),
        (None, None, "auc", 9.0, False),
    ],
)
def test_what_is_as_good(new, old, by, margin, good):
    assert is_as_good(new, old, by, margin) is good


def test_modes_are_told_apart():
    """Programs score higher than words here, and in neither mode the right one does."""
    scores, labels = arrays([0.9, 0.8, 0.2, 0.1]), arrays([0, 1, 0, 1], dtype=bool)
    assert measure(scores, labels).auc_within == 0.25
    modes = [np.array(["pot", "pot", "cot", "cot"])]
    assert measure(scores, labels, modes=modes).auc_within == 0.0


def test_standard_errors_by_hand():
    scores = arrays([1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0])
    labels = arrays([1, 0], [1, 0], [1, 0], [1, 0], dtype=bool)
    found = measure(scores, labels)
    assert found.auc_within == pytest.approx((1 + 0 + 1 + 0.5) / 4)
    # Deviations 3/8, −5/8, 3/8, −1/8: variance 0.6875 / 3, over 4 problems.
    assert found.standard_errors["auc_within"] == pytest.approx((0.6875 / 3 / 4) ** 0.5)
    assert found.best_of_n == pytest.approx((1 + 0 + 1 + 0.5) / 4)
    assert found.standard_errors["best_of_n"] == pytest.approx((0.6875 / 3 / 4) ** 0.5)
    # Mean squares 0, 1, 0, 0.5: with equally many candidates the error of a plain mean.
    assert found.mse == pytest.approx(0.375)
    assert found.standard_errors["mse"] == pytest.approx((0.6875 / 3 / 4) ** 0.5)


def test_the_standard_error_of_the_mse_is_that_of_other_draws_of_problems():
    """With problems of different sizes, against the bootstrap."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 30, 200)
    scores = [rng.random(n) * (1 + n / 30) for n in sizes]
    labels = [rng.random(n) < 0.5 for n in sizes]
    off = np.array([np.square(s - y).sum() for s, y in zip(scores, labels, strict=True)])
    draws = rng.integers(0, 200, (4000, 200))
    spread = np.std(off[draws].sum(axis=1) / sizes[draws].sum(axis=1))
    assert measure(scores, labels).standard_errors["mse"] == pytest.approx(spread, rel=0.05)


def test_the_table():
    row = {
        "step": 5,
        "problems": 30,
        "candidates": 480,
        "mse": 0.21,
        "auc": 0.8,
        "auc_within": None,
        "calibration_error": 0.05,
        "best_of_n": 0.5,
        "weighted": None,
        "majority": 0.45,
        "share_right": 0.3,
        "solvable": 0.9,
    }
    lines = validation_table([row, {**row, "step": 10, "auc_within": 0.75}], 10).splitlines()
    assert lines[0] == (
        "held out: 30 problems, 480 candidates; of their answers right: "
        "one sample 30.0 %, majority 45.0 %, any 90.0 %"
    )
    assert lines[2].split() == ["5", "0.2100", "0.800", "–", "0.050", "50.0", "–"]
    assert lines[3].split() == ["10*", "0.2100", "0.800", "0.750", "0.050", "50.0", "–"]
    assert len({len(line) for line in lines[1:]}) == 1
    assert validation_table([], 3) == ""

"""What scores are, what weighs them, and what makes probabilities of them."""

import numpy as np
import pandas as pd
import pytest

from assay.selection.evaluate import evaluate
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig
from assay.selection.rules import vote_weights
from assay.selection.scale import Scale, probabilities, scale_of, weighting

NAN = float("nan")


@pytest.mark.parametrize(
    ("scores", "declared", "expected"),
    [
        ([0.0, 0.25, 1.0, NAN], "", Scale("probability", 0.0, 1.0, 0, 0, 3)),
        ([-0.5, 0.25, 1.5], "", Scale("reward", -0.5, 1.5, 1, 2, 3)),
        ([2.0, 3.0], "", Scale("reward", 2.0, 3.0, 0, 2, 2)),
        # A regression predicts a little beyond its labels.
        ([-0.25, 1.25], "probability", Scale("probability", -0.25, 1.25, 1, 2, 2)),
        ([0.25], "log-odds", Scale("log-odds", 0.25, 0.25, 0, 0, 1)),
        ([NAN], "", Scale("probability", 0.0, 0.0, 0, 0, 0)),
    ],
)
def test_scales_are_told_by_the_numbers_or_declared(scores, declared, expected):
    assert scale_of(np.array(scores), declared) == expected


@pytest.mark.parametrize(
    ("asked", "scale", "transform", "notes"),
    [
        ("auto", Scale("probability", 0, 1, 0, 0, 9), "none", []),
        (
            "auto",
            Scale("reward", -7.25, 9.5, 4, 8, 9),
            "softmax",
            ["scores by rm run from −7.25 to 9.5, no probabilities: weighted votes take "
             "transform=softmax of them"],
        ),
        (
            "auto",
            Scale("log-odds", -7, 9, 4, 8, 9),
            "sigmoid",
            ["scores by rm run from −7 to 9, read as log-odds: weighted votes take "
             "transform=sigmoid of them"],
        ),
        ("rank", Scale("reward", -7, 9, 4, 8, 9), "rank", []),
        # Nothing becomes 0 in silence.
        (
            "none",
            Scale("reward", -7, 9, 4, 8, 9),
            "none",
            ["4 of 9 scores by rm are below 0 and weigh nothing in weighted votes "
             "(transform=none)"],
        ),
        (
            "auto",
            Scale("probability", -0.1, 1, 2, 2, 9),
            "none",
            ["2 of 9 scores by rm are below 0 and weigh nothing in weighted votes "
             "(transform=none)"],
        ),
    ],
)  # fmt: skip
def test_the_transform_fits_the_scale(asked, scale, transform, notes):
    assert weighting(asked, scale, "rm") == (transform, notes)


def pool(scores, labels, scales=None):
    """Problems with candidates whose classes are their labels."""
    rows = [
        (f"p{p}", "cot", s, int(right), right, score)
        for p, (own, truth) in enumerate(zip(scores, labels, strict=True))
        for s, (score, right) in enumerate(zip(own, truth, strict=True))
    ]
    names = ["problem_id", "mode", "sample", "answer_class", "label", "score:rm"]
    return PoolArrays.from_frame(pd.DataFrame(rows, columns=names), scales=scales)


# Right: -1 alone, wrong: -2 and -2. Raw weights are all 0; of the softmax, right has 1 / (1 + 2/e).
REWARDS = [[-1.0, -2.0, -2.0], [-2.0, -1.0, -2.0]]
LABELS = [[True, False, False], [False, True, False]]


def test_rewards_are_voted_on_by_their_softmax():
    found = evaluate(pool(REWARDS, LABELS), EvaluateConfig(n=[3], draws=4))
    assert found.config.transform == "softmax"
    assert found.mean("weighted", "cot", 3) == 1.0
    assert found.mean("majority", "cot", 3) == 0.0
    assert any("transform=softmax" in note for note in found.notes)
    weights = vote_weights(np.array([1, 0, 0]), np.array(REWARDS[0]), "softmax")
    assert weights[0] / weights.sum() == pytest.approx(1 / (1 + 2 / np.e), rel=1e-6)
    # Adding a constant to a question's rewards changes nothing.
    shifted = [[score + 100 * p for score in own] for p, own in enumerate(REWARDS)]
    assert evaluate(pool(shifted, LABELS), EvaluateConfig(n=[3])).mean("weighted", "cot", 3) == 1.0


def test_what_is_no_probability_has_no_brier_score():
    found = evaluate(pool(REWARDS, LABELS), EvaluateConfig(n=[3]))
    assert "brier" not in found.quality.measures
    assert found.quality.bins == ()
    assert any(note.startswith("Brier score and calibration left out") for note in found.notes)
    declared = evaluate(pool(REWARDS, LABELS, {"rm": "log-odds"}), EvaluateConfig(n=[3]))
    assert declared.config.transform == "sigmoid"
    # sigmoid(-1) = 0.2689, sigmoid(-2) = 0.1192
    assert declared.quality.brier.value == pytest.approx((0.7311**2 + 2 * 0.1192**2) / 3, abs=1e-4)


@pytest.mark.parametrize("calibration", ["platt", "isotonic"])
def test_calibration_is_fitted_on_other_problems(calibration):
    generator = np.random.default_rng(0)
    truth = generator.random((60, 8))
    right = generator.random((60, 8)) < truth
    scores = (5 * np.log(truth / (1 - truth)) - 40).astype(np.float32)
    kept = np.ones(right.shape, bool)
    scale = scale_of(scores)
    found, name = probabilities(scores, right, kept, scale, calibration, seed=0)
    assert name.endswith("cross-fitted in 5 folds")
    assert np.abs(found - truth).mean() < 0.06
    # A problem's own labels have no say in its probabilities.
    flipped = right.copy()
    flipped[7] = ~flipped[7]
    other, _ = probabilities(scores, flipped, kept, scale, calibration, seed=0)
    assert (other[7] == found[7]).all()
    assert not np.allclose(other, found)


def test_calibrated_rewards_have_a_brier_score_that_says_so():
    generator = np.random.default_rng(1)
    labels = generator.random((20, 6)) < 0.5
    scores = 10 * labels + generator.normal(size=labels.shape) - 30
    found = evaluate(
        pool(scores.tolist(), labels.tolist()),
        EvaluateConfig(n=[1], bootstrap=20, calibration="platt"),
    ).quality
    assert found.calibrated == "Platt scaling, cross-fitted in 5 folds"
    assert found.brier.value < 0.01
    assert sum(each.count for each in found.bins) == 120

"""A ranker's models and calibration against scikit-learn's own, and its features."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from assay.selection.measures import group_aucs
from assay.settings.errors import UserError
from assay.verifier.ranker import models
from assay.verifier.ranker.calibration import fit_isotonic, fit_sigmoid
from assay.verifier.ranker.config import TrainRankerConfig
from assay.verifier.ranker.features import (
    VALUE_FEATURES,
    answer_form,
    candidate_features,
    feature_group,
    value_features,
)
from assay.verifier.ranker.measure import auc_within
from assay.verifier.ranker.models import Logistic, Trees, fit_model, model_of
from assay.verifier.ranker.pool_features import pool_features

NAMES = ["logprob", "tokens", "score:v", "lines", "entropy"]


@pytest.fixture(scope="module")
def rows():
    """Features of 600 candidates, some missing, one constant, one never known; and labels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5))
    labels = x[:, 0] + 0.5 * x[:, 1] ** 2 + rng.normal(size=600) > 0.5
    x[rng.random(x.shape) < 0.2] = np.nan
    # Missing by itself says something, so that a tree splits what is missing from what is not.
    x[labels & (rng.random(600) < 0.7), 2] = np.nan
    x[:, 3] = 7.0
    return x, labels


def test_trees_are_those_of_scikit_learn(rows, monkeypatch):
    x, labels = rows
    fitted = HistGradientBoostingClassifier(
        max_iter=20, max_leaf_nodes=8, early_stopping=False
    ).fit(x, labels)
    trees = Trees.from_sklearn(fitted)
    assert np.isinf(trees.threshold).any()
    np.testing.assert_array_equal(trees.margins(x), fitted.decision_function(x))
    monkeypatch.setattr(models, "_AT_ONCE", 50)  # a few rows at once
    np.testing.assert_array_equal(trees.margins(x), fitted.decision_function(x))
    assert trees.margins(x[:0]).shape == (0,)
    for count, staged in enumerate(fitted.staged_decision_function(x), start=1):
        np.testing.assert_array_equal(trees.first(count).margins(x), staged.ravel())
        expected = np.logaddexp(0, np.where(labels, -1, 1) * staged.ravel()).sum()
        assert trees.losses(x, labels)[count] == pytest.approx(expected)


def test_logistic_regression_is_that_of_scikit_learn(rows):
    x, labels = rows
    model = fit_model(TrainRankerConfig(model="logistic", l2=2.0), x, labels, NAMES)
    assert isinstance(model, Logistic)
    mean, std = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    std[3] = 1.0
    plain = np.hstack([np.nan_to_num((x - mean) / std), np.isnan(x)[:, [0, 1, 2, 4]]])
    fitted = LogisticRegression(C=0.5, max_iter=2000).fit(plain, labels)
    np.testing.assert_allclose(model.margins(x), fitted.decision_function(plain), atol=1e-9)


@pytest.mark.parametrize("kind", ["trees", "logistic"])
def test_models_survive_json_to_the_last_bit(rows, kind):
    x, labels = rows
    model = fit_model(TrainRankerConfig(model=kind, rounds=10), x, labels, NAMES)
    again = model_of(json.loads(json.dumps(model.to_json(), allow_nan=False)))
    np.testing.assert_array_equal(again.margins(x), model.margins(x))


def test_trees_go_in_known_directions_alone(rows):
    x, labels = rows
    for monotone in (True, False):
        config = TrainRankerConfig(rounds=30, min_leaf=5, monotone=monotone)
        model = fit_model(config, x, labels, NAMES)
        steps = []
        for place, sign in ((0, 1), (2, 1), (4, -1)):
            rising = np.repeat(x[:50], 20, axis=0)
            rising[:, place] = np.tile(np.linspace(-3, 3, 20), 50)
            steps.append(sign * np.diff(model.margins(rising).reshape(50, 20), axis=1))
        assert bool((np.stack(steps) >= 0).all()) is monotone


def test_trees_with_children_that_are_not_there_are_refused(rows):
    content = fit_model(TrainRankerConfig(rounds=2), *rows, NAMES).to_json()
    with pytest.raises(ValueError, match="left has nodes beyond"):
        model_of({**content, "left": [999, *content["left"][1:]]})


def test_the_sigmoid_recovers_what_labels_were_drawn_by():
    rng = np.random.default_rng(0)
    margins = rng.normal(size=40_000) * 3
    labels = rng.random(40_000) < 1 / (1 + np.exp(-(0.5 * margins - 1)))
    sigmoid = fit_sigmoid(margins, labels)
    assert (sigmoid.slope, sigmoid.shift) == pytest.approx((0.5, -1), abs=0.05)
    assert sigmoid(np.array([2.0])) == pytest.approx([0.5], abs=0.02)
    # Order is kept strictly.
    assert (np.diff(sigmoid(np.sort(margins)[::400])) > 0).all()


def test_a_perfect_model_does_not_make_the_sigmoid_steep_without_end():
    sigmoid = fit_sigmoid(np.array([-1.0, -1, 1, 1]), np.array([False, False, True, True]))
    # Platt's targets with two of each: 1/4 and 3/4.
    assert sigmoid(np.array([-1.0, 1.0])) == pytest.approx([0.25, 0.75], abs=1e-3)


def test_a_model_worth_less_than_nothing_keeps_its_order():
    sigmoid = fit_sigmoid(np.array([-1.0, -1, 1, 1]), np.array([True, True, False, False]))
    assert 0 < sigmoid.slope < 0.01


def test_isotonic_regression_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    margins = rng.normal(size=300)
    labels = rng.random(300) < 1 / (1 + np.exp(-margins))
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(margins, labels)
    asked = np.linspace(-5, 5, 99)
    np.testing.assert_allclose(fit_isotonic(margins, labels)(asked), fitted.predict(asked))


@settings(max_examples=30)
@given(st.data())
def test_auc_within_is_the_slow_one(data):
    count = data.draw(st.integers(1, 30))
    draw = st.lists(st.integers(0, 3), min_size=count, max_size=count)
    scores, groups = (np.array(data.draw(draw)) for _ in range(2))
    right = np.array(data.draw(draw)) > 1
    slow = group_aucs(scores[None], right[None], [(groups == g)[None] for g in range(4)])
    expected = np.nanmean(slow) if not np.isnan(slow).all() else np.nan
    assert auc_within(scores * 1.0, right, groups) == pytest.approx(expected, nan_ok=True)


NAN = float("nan")


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ("42", (0, 1, 0, np.log10(43), 2)),
        ("-3/4", (1, 0, 1, np.log10(1.75), 2)),
        (r"\frac{1}{2}", (0, 0, 1, np.log10(1.5), 2)),
        ("1.5", (0, 0, 0, np.log10(2.5), 2)),
        ("x + 1", (NAN, NAN, NAN, NAN, 1)),
        ("", (NAN, NAN, NAN, NAN, NAN)),
        ("9" * 400, (0, 1, 0, 400.0, 400)),
    ],
)
def test_the_form_of_an_answer(answer, form):
    assert answer_form(answer) == pytest.approx(form, nan_ok=True)


def test_features_of_values():
    # Two lines, whose last tokens are the second and the end token.
    starts, ends = [0, 1, 3, 4], [1, 2, 4, 4]
    found = value_features("ab\nc", np.float32([0.0, 0.25, 0.5, 0.75]), starts, ends)
    named = dict(zip(VALUE_FEATURES, found, strict=True))
    expected = {"last": 0.75, "mean": 0.375, "min": 0.0, "slope": 0.75}
    assert named == pytest.approx({**expected, "line_mean": 0.5, "line_min": 0.25})
    assert value_features("a", np.float32([0.5]), [0], [1])[:4] == (0.5, 0.5, 0.5, 0.0)
    assert np.isnan(value_features("a", None, None, None)).all()


def frame_of(*rows):
    """Rows of (problem, mode, class, mean log-probability, score)."""
    columns = ["problem_id", "mode", "answer_class", "logprob", "score:v"]
    frame = pd.DataFrame(rows, columns=columns)
    answers = [None if number < 0 else str(number) for number in frame["answer_class"]]
    return frame.assign(answer=answers, text="a\nb", tokens=1, stop="eos", outcome="ok")


def test_features_of_candidates():
    frame = frame_of(("a", "cot", 0, -2.0, 0.5), ("a", "pot", -1, np.inf, None))
    frame = frame.assign(tokens=[4, -1], outcome=["", "error"], stop=["eos", "length"], entropy=1.5)
    found = candidate_features(frame, ["v"])
    assert found.iloc[0].to_dict() == pytest.approx(
        {
            **{"logprob": -2, "logprob_per_token": -0.5, "entropy": 1.5, "tokens": 4, "lines": 2},
            **{"cut_off": 0, "program": 0, "ran": NAN, "answered": 1, "negative": 0, "integer": 1},
            **{"fraction": 0, "magnitude": 0, "digits": 1, "score:v": 0.5},
        },
        nan_ok=True,
    )
    second = found.iloc[1].dropna().to_dict()
    expected = {"lines": 2, "cut_off": 1, "program": 1, "ran": 0, "answered": 0, "entropy": 1.5}
    assert second == expected
    groups = ["log-probability", "free scores", "verifier v"]
    assert [feature_group(f) for f in ("logprob", "entropy", "score:v")] == groups
    with pytest.raises(UserError, match="no column 'score:w'"):
        candidate_features(frame, ["w"])


def slow_pool_features(frame):
    """`pool_features`, candidate by candidate."""
    rows = []
    for _, own in frame.iterrows():
        pool = frame[frame["problem_id"] == own["problem_id"]]
        answered = pool[pool["answer_class"] >= 0]
        row = {"answers": answered["answer_class"].nunique()}
        for name in ("logprob", "score:v"):
            mode = pool[(pool["mode"] == own["mode"]) & pool[name].notna()]
            below, level = (mode[name] < own[name]).sum(), (mode[name] == own[name]).sum()
            place = (below + (level - 1) / 2) / (len(mode) - 1) if len(mode) > 1 else 0.5
            key = {"logprob": "rank_within:logprob_per_token", "score:v": "rank_within:v"}[name]
            row[key] = np.nan if np.isnan(own[name]) else place
        if own["answer_class"] >= 0:
            votes = answered["answer_class"].value_counts()
            scores = answered["score:v"].fillna(0).clip(lower=0).groupby(answered["answer_class"])
            other = answered[answered["mode"] != own["mode"]]
            same = answered["answer_class"] == own["answer_class"]
            sums = scores.sum().round(9)
            row["vote_share"] = same.mean()
            row["vote_rank"] = (votes > votes[own["answer_class"]]).sum()
            row["score_share:v"] = sums[own["answer_class"]] / sums.sum() if sums.sum() else np.nan
            row["score_rank:v"] = (sums > sums[own["answer_class"]]).sum()
            agree = other["answer_class"] == own["answer_class"]
            row["other_mode_share"] = agree.mean() if len(other) else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


@settings(max_examples=5)
@given(st.integers(0, 10_000))
def test_pool_features_are_the_slow_ones(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 25))
    frame = frame_of(
        *zip(
            rng.choice(["a", "b", "c"], count),
            rng.choice(["cot", "pot"], count),
            rng.integers(-1, 3, count),
            rng.integers(-3, 0, count).astype(float),
            np.where(rng.random(count) < 0.2, np.nan, rng.integers(-1, 3, count)),
            strict=True,
        )
    )
    found = pool_features(frame, candidate_features(frame, ["v"]))
    slow = slow_pool_features(frame)
    for name in found:
        expected = slow[name] if name in slow else pd.Series(np.nan, range(count))
        np.testing.assert_allclose(found[name], expected.astype(float), atol=1e-8, err_msg=name)

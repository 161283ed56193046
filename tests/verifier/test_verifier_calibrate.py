"""Scale and shift of values, against scikit-learn and against what is put in."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from assay.verifier.calibrate import fit
from assay.verifier.config import VerifierSettings
from assay.verifier.model import Verifier


def draws(scale, shift, count=4000, seed=0):
    """Logits of which scale · logit + shift are the true ones, and labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, count)
    return logits, rng.random(count) < 1 / (1 + np.exp(-(scale * logits + shift)))


def test_platt_scaling_equals_scikit_learn():
    logits, labels = draws(2.0, -0.5)
    found = fit(1 / (1 + np.exp(-logits)), labels, "bce")
    model = LogisticRegression(C=np.inf).fit(logits[:, None], labels)
    assert found == pytest.approx((model.coef_[0, 0], model.intercept_[0]), abs=0.02)
    assert found == pytest.approx((2.0, -0.5), abs=0.2)


def test_least_squares_by_hand():
    scores, labels = np.array([0.2, 0.4, 0.4, 0.6]), np.array([False, False, True, True])
    # The line through the means 0, 1/2 and 1 at 0.2, 0.4 and 0.6.
    assert fit(scores, labels, "mse") == pytest.approx((2.5, -0.5))


@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_values_that_say_nothing_stay(loss):
    scores = np.array([0.1, 0.9, 0.5])
    assert fit(scores, np.array([True, False, True]), loss) == (1.0, 0.0)  # they fall
    assert fit(scores, np.ones(3, bool), loss) == (1.0, 0.0)
    assert fit(np.full(3, 0.5), np.array([True, False, True]), loss) == (1.0, 0.0)


def test_separable_labels_have_an_end():
    scores, labels = np.repeat([0.2, 0.3, 0.7, 0.8], 20), np.repeat([False, True], 40)
    scale, shift = fit(scores, labels, "bce")
    assert 2 < scale < 10
    assert abs(shift) < 1e-6


@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize("head", ["token", "linear"])
def test_a_rescaled_verifier_gives_scaled_and_shifted_values(make_lm, head, loss):
    settings = VerifierSettings(
        "<|verifier|>", 260, head=head, loss=loss, head_inputs="hidden+logprob"
    )
    verifier = Verifier(make_lm(), settings)
    with torch.no_grad():
        for parameter in verifier.head_parameters().values():
            parameter.normal_()
    hidden, numbers = torch.randn(5, 32), torch.randn(5, 2)
    before = verifier.values(hidden, numbers).detach()
    verifier.rescale(3.0, -0.5)
    after = verifier.values(hidden, numbers).detach()
    expected = torch.sigmoid(3 * torch.logit(before) - 0.5) if loss == "bce" else 3 * before - 0.5
    torch.testing.assert_close(after, expected, atol=1e-5, rtol=1e-5)

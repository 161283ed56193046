"""What the head reads of a solution's likelihood, against sums one by one."""

import math

import numpy as np
import pytest
import torch

from assay.settings.errors import UserError
from assay.verifier.config import VerifierModelConfig, check_model
from assay.verifier.likelihood import likelihood


def test_running_sum_and_mean_by_hand():
    """Two solutions; the second begins at token 3 and knows nothing of the first."""
    logprobs = torch.tensor([-1.0, -2.0, 0.0, -4.0, -2.0])
    found = likelihood(logprobs, torch.tensor([0, 0, 0, 3, 3]))
    sums, means = [1, 3, 3, 4, 6], [-1, -1.5, -1, -4, -3]
    assert found[:, 0].tolist() == pytest.approx([-math.log(1 + own) for own in sums])
    assert found[:, 1].tolist() == pytest.approx(means)


def test_equals_sums_one_by_one():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 40, 60)
    logprobs = torch.tensor(-rng.exponential(3, lengths.sum()), dtype=torch.float32)
    starts = np.cumsum(lengths) - lengths
    found = likelihood(logprobs, torch.tensor(np.repeat(starts, lengths)))
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        for t in range(length):
            own = logprobs[start : start + t + 1].double()
            expected = [-math.log1p(-own.sum()), own.mean()]
            assert found[start + t].tolist() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head_inputs": "logits"}, "model.head_inputs=logits: expected one of hidden"),
        ({"last_weight": 0.0}, "model.last_weight=0.0: expected a number above 0"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    with pytest.raises(UserError, match=message):
        check_model(VerifierModelConfig(**settings))

"""What the head reads of a solution's likelihood, against sums one by one."""

import math

import numpy as np
import pytest
import torch

from assay.settings.errors import UserError
from assay.verifier.config import VerifierModelConfig, VerifierSettings, check_model
from assay.verifier.data import Sampled
from assay.verifier.likelihood import likelihood
from assay.verifier.model import Verifier
from assay.verifier.packing import Pack, packed_batch
from assay.verifier.score import token_values


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
            expected = [-math.log1p(-float(own.sum())), float(own.mean())]
            assert found[start + t].tolist() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("loss", "weight"), [("bce", 1.0), ("mse", 0.25)])
def test_values_start_as_the_likelihood_around_the_base_rate(make_lm, loss, weight):
    settings = VerifierSettings("<|verifier|>", 260, loss=loss, head_inputs="hidden+logprob")
    verifier = Verifier(make_lm(), settings)
    with torch.no_grad():
        verifier.row.zero_()
    verifier.set_base_rate(0.3)
    bias = verifier.bias.item()
    prompt, rng = np.array([5, 6, 7]), np.random.default_rng(0)
    sampled = [Sampled(rng.integers(2, 250, size), True, 1) for size in (1, 3, 8, 20)]
    packs = [Pack(prompt, tuple(sampled[:2]), ()), Pack(prompt, tuple(sampled[2:]), ())]
    verifier.start_from_likelihood([packed_batch([pack], "solution") for pack in packs])
    sums = []
    for own in sampled:
        ids = torch.tensor([[*prompt, *own.ids]])
        logits = verifier.lm(input_ids=ids).logits[0, len(prompt) - 1 : -1].detach()
        logits[:, 260] = float("-inf")
        sums.append(float(logits.log_softmax(-1).gather(1, ids[0, len(prompt) :, None]).sum()))
    wanted = [-weight * math.log1p(-each) for each in sums]
    wanted = np.array(wanted) - np.mean(wanted) + bias
    values = [float(v[-1]) for v in token_values(
        verifier, prompt.tolist(), [own.ids.tolist() for own in sampled], 1000)]  # fmt: skip
    raw = [math.log(v / (1 - v)) for v in values] if loss == "bce" else values
    assert raw == pytest.approx(wanted.tolist(), abs=1e-4)


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

"""Drawing tokens: the streams of random numbers, and the exact probabilities."""

import numpy as np
import pytest
import torch
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from assay.generator.engines import SamplingParams
from assay.generator.engines.sampling import BITS, choose, uniforms
from assay.settings.errors import UserError

PINNED = [0.7730166915639107, 0.2780383623290361, 0.43056748808961]


def slow_choice(weights, draws):
    """An id bit by bit from the lowest one, by sums in float64 over all ids with these bits."""
    weights = np.asarray(weights, dtype=np.float64)
    ids = np.arange(len(weights))
    for bit, draw in enumerate(draws[: (len(weights) - 1).bit_length()]):
        left = np.where(np.isin(np.arange(len(weights)), ids), weights, 0)
        zeros = ids[(ids >> bit) % 2 == 0]
        is_zero = draw < left[zeros].sum() / left[ids].sum()
        ids = zeros if is_zero else np.setdiff1d(ids, zeros)
    (one,) = ids
    return int(one)


def test_streams_are_pinned_and_prefixes_of_longer_ones():
    assert uniforms(0, "p/cot", 0, 3)[0, :3].tolist() == PINNED
    assert uniforms(0, "p/cot", 0, 3).shape == (3, BITS)
    assert uniforms(0, "p/cot", 0, 50)[:3].tolist() == uniforms(0, "p/cot", 0, 3).tolist()


def test_streams_differ_by_seed_key_and_index():
    firsts = {
        uniforms(seed, key, index, 1)[0, 0]
        for seed in (0, 1)
        for key in ("p/cot", "p/pot", "p/cot0")
        for index in (0, 1, 10)
    }
    assert len(firsts) == 18


@pytest.mark.parametrize("vocabulary", [1, 2, 3, 255, 256, 257, 1000, 3072])
def test_bits_are_drawn_with_their_probabilities(vocabulary):
    generator = torch.Generator().manual_seed(vocabulary)
    logits = torch.randn(200, vocabulary, generator=generator) * 3
    draws = torch.rand(200, BITS, generator=generator, dtype=torch.float64)
    tokens, logprobs = choose(logits, draws, SamplingParams(temperature=0.5))
    weights = torch.softmax(logits / 0.5, -1)
    expected = [slow_choice(w, d) for w, d in zip(weights.numpy(), draws.numpy(), strict=True)]
    assert tokens.tolist() == expected
    untempered = torch.log_softmax(logits, -1)[torch.arange(200), tokens]
    assert torch.allclose(logprobs, untempered, atol=1e-5)


def bits(*rows):
    """Draws whose first numbers are these."""
    draws = torch.zeros(len(rows), BITS, dtype=torch.float64)
    for number, row in enumerate(rows):
        draws[number, : len(row)] = torch.tensor(row)
    return draws


def test_choice_by_hand():
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log().repeat(4, 1)
    # The lowest bit is 0 for 0 and 2, at 0.1 + 0.3; then 0 has 0.1 / 0.4, and 1 has 0.2 / 0.6.
    draws = bits((0.39, 0.24), (0.41, 0.33), (0.39, 0.26), (0.41, 0.34))
    tokens, logprobs = choose(logits, draws, SamplingParams(temperature=1.0))
    assert tokens.tolist() == [0, 1, 2, 3]
    assert logprobs.exp().tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4], rel=1e-5)
    # 0.3 and 0.4 are left: the lowest bit is 0 at 0.3 / 0.7 = 0.429
    draws = bits((0.42,), (0.43,), (0.0, 0.9), (0.999999,))
    tokens, logprobs = choose(logits, draws, SamplingParams(temperature=1.0, top_k=2))
    assert tokens.tolist() == [2, 3, 2, 3]
    assert logprobs.exp().tolist() == pytest.approx([0.3, 0.4, 0.3, 0.4], rel=1e-5)
    # 0.4 + 0.3 + 0.2 are needed for 0.75: the lowest bit is 0 at 0.333; then 1 has 0.2 / 0.6
    draws = bits((0.33, 0.9), (0.34, 0.33), (0.34, 0.34), (0.99, 0.0))
    tokens, _ = choose(logits, draws, SamplingParams(temperature=1.0, top_p=0.75))
    assert tokens.tolist() == [2, 1, 3, 1]
    # at least 0.6 × 0.4: 0.3 and 0.4
    draws = bits((0.42,), (0.43,), (0.0, 0.9), (0.999999,))
    tokens, logprobs = choose(logits, draws, SamplingParams(temperature=1.0, min_p=0.6))
    assert tokens.tolist() == [2, 3, 2, 3]
    assert logprobs.exp().tolist() == pytest.approx([0.3, 0.4, 0.3, 0.4], rel=1e-5)
    assert choose(logits, draws, SamplingParams(temperature=0))[0].tolist() == [3] * 4
    assert choose(logits, draws, SamplingParams(min_p=1))[0].tolist() == [3] * 4


@pytest.mark.parametrize("draw", [0.0, 0.5, 1 - 2**-53])
def test_what_has_no_probability_is_never_drawn(draw):
    logits = torch.full((1, 600), float("-inf"))
    logits[:, [5, 300, 599]] = 0.0
    draws = torch.full((1, BITS), draw, dtype=torch.float64)
    tokens, _ = choose(logits, draws, SamplingParams(temperature=1.0))
    # 300 is the even one; bit 1 of 5 = 101 is 0, that of 599 = 1001010111 is 1.
    assert tokens.tolist() == [{0.0: 300, 0.5: 599, 1 - 2**-53: 599}[draw]]


def test_rounding_changes_few_tokens():
    """Of two distributions that differ as rounding makes them differ, the same tokens are drawn.

    The inverse of the cumulative distribution would draw another one 1 time in 10 here.
    """
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 20000, generator=generator).double()
    noise = 3e-5 * torch.linspace(-1, 1, 20000).double()
    draws = torch.from_numpy(uniforms(0, "p", 0, 5000))
    params = SamplingParams(temperature=1.0)
    one, _ = choose(logits.float().expand(5000, -1), draws, params)
    two, _ = choose((logits + noise).float().expand(5000, -1), draws, params)
    assert int((one != two).sum()) <= 5
    p, q = (torch.softmax(x, -1)[0].cumsum(0) for x in (logits, logits + noise))
    u = draws[:, 0].contiguous()
    assert int((torch.searchsorted(p, u) != torch.searchsorted(q, u)).sum()) >= 200


@pytest.mark.parametrize("spread", [0.02, 4.0])
@pytest.mark.parametrize(
    ("top_k", "top_p", "min_p"),
    [
        *((7, 1.0, 0.0), (0, 0.9, 0.0), (20, 0.8, 0.0), (0, 0.9999, 0.0)),
        *((0, 1.0, 0.05), (20, 0.95, 0.3)),
    ],
)
def test_left_tokens_are_those_of_transformers(spread, top_k, top_p, min_p):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, 1500, generator=generator) * spread
    warped = logits.clone()
    if top_k:
        warped = TopKLogitsWarper(top_k)(None, warped)
    if top_p < 1:
        warped = TopPLogitsWarper(top_p)(None, warped)
    if min_p:
        warped = MinPLogitsWarper(min_p)(None, warped)
    exact = torch.softmax(warped.double(), -1)[0]
    draws = torch.from_numpy(uniforms(2, "p", 0, 5000))
    params = SamplingParams(temperature=1.0, top_k=top_k, top_p=top_p, min_p=min_p)
    tokens, _ = choose(logits.expand(5000, -1), draws, params)
    frequencies = torch.bincount(tokens, minlength=1500) / 5000
    # Five standard errors, and one sample for the rarest.
    error = (exact * (1 - exact) / 5000).sqrt()
    assert bool(((frequencies - exact).abs() <= 5 * error + 1 / 5000).all())
    # Where the tail is flat, float32 and float64 may differ by one token at its edge.
    assert int(((frequencies > 0) & (exact == 0)).sum()) <= 1


def test_broken_logits_are_told():
    with pytest.raises(UserError, match="not finite"):
        choose(torch.full((1, 4), float("nan")), torch.zeros(1, BITS).double(), SamplingParams())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("temperature", -1), ("top_p", 0), ("top_p", 1.5), ("top_k", -1), ("min_p", -0.1)),
        *(("min_p", 1.1), ("max_new_tokens", 0)),
    ],
)
def test_parameters_out_of_range_are_named(field, value):
    with pytest.raises(UserError, match=f"sampling.{field}="):
        SamplingParams(**{field: value}).check()

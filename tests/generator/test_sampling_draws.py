"""Drawing tokens: the streams of random numbers, and the exact probabilities."""

import numpy as np
import pytest
import torch
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from generator.engines import SamplingParams
from generator.engines.sampling import choose, uniforms
from problems.errors import UserError

PINNED = [0.7730166915639107, 0.2780383623290361, 0.43056748808961]


def slow_choice(weights, draw):
    """Inverse CDF the obvious way, in float64."""
    sums = np.cumsum(np.asarray(weights, dtype=np.float64))
    return int(np.searchsorted(sums, draw * sums[-1], side="right"))


def test_streams_are_pinned_and_prefixes_of_longer_ones():
    assert uniforms(0, "p/cot", 0, 3).tolist() == PINNED
    assert uniforms(0, "p/cot", 0, 50)[:3].tolist() == PINNED


def test_streams_differ_by_seed_key_and_index():
    firsts = {
        uniforms(seed, key, index, 1)[0]
        for seed in (0, 1)
        for key in ("p/cot", "p/pot", "p/cot0")
        for index in (0, 1, 10)
    }
    assert len(firsts) == 18


@pytest.mark.parametrize("vocabulary", [3, 256, 257, 1000])
def test_choice_is_the_inverse_of_the_distribution(vocabulary):
    generator = torch.Generator().manual_seed(vocabulary)
    logits = torch.randn(200, vocabulary, generator=generator) * 3
    draws = torch.rand(200, generator=generator, dtype=torch.float64)
    tokens, logprobs = choose(logits, draws, SamplingParams(temperature=0.5))
    weights = torch.softmax(logits / 0.5, -1)
    expected = [slow_choice(w, d) for w, d in zip(weights.numpy(), draws.tolist(), strict=True)]
    assert tokens.tolist() == expected
    untempered = torch.log_softmax(logits, -1)[torch.arange(200), tokens]
    assert torch.allclose(logprobs, untempered, atol=1e-5)


def test_choice_by_hand():
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log().repeat(6, 1)
    draws = torch.tensor([0.0, 0.05, 0.15, 0.35, 0.65, 0.999999], dtype=torch.float64)
    tokens, logprobs = choose(logits, draws, SamplingParams(temperature=1.0))
    assert tokens.tolist() == [0, 0, 1, 2, 3, 3]
    assert logprobs.exp().tolist() == pytest.approx([0.1, 0.1, 0.2, 0.3, 0.4, 0.4], rel=1e-5)
    # likeliest first: 0.4, 0.3 | 0.4 / 0.7 = 0.571
    tokens, logprobs = choose(logits, draws, SamplingParams(temperature=1.0, top_k=2))
    assert tokens.tolist() == [3, 3, 3, 3, 2, 2]
    assert logprobs.exp().tolist() == pytest.approx([0.4, 0.4, 0.4, 0.4, 0.3, 0.3], rel=1e-5)
    # 0.4 + 0.3 + 0.2 are needed for 0.75: the edges are 0.444 and 0.778
    tokens, _ = choose(logits, draws, SamplingParams(temperature=1.0, top_p=0.75))
    assert tokens.tolist() == [3, 3, 3, 3, 2, 1]
    # at least 0.6 × 0.4: 0.3 and 0.4, in their places | 0.3 / 0.7 = 0.429
    tokens, logprobs = choose(logits, draws, SamplingParams(temperature=1.0, min_p=0.6))
    assert tokens.tolist() == [2, 2, 2, 2, 3, 3]
    assert logprobs.exp().tolist() == pytest.approx([0.3] * 4 + [0.4] * 2, rel=1e-5)
    assert choose(logits, draws, SamplingParams(temperature=0))[0].tolist() == [3] * 6
    assert choose(logits, draws, SamplingParams(min_p=1))[0].tolist() == [3] * 6


def test_what_has_no_probability_is_never_drawn():
    logits = torch.full((3, 600), float("-inf"))
    logits[:, [5, 300, 599]] = 0.0
    edges = torch.tensor([0.0, 1 / 3, 1 - 2**-53], dtype=torch.float64)
    tokens, _ = choose(logits, edges, SamplingParams(temperature=1.0))
    assert set(tokens.tolist()) <= {5, 300, 599}
    assert tokens.tolist()[::2] == [5, 599]


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
    draws = torch.linspace(0, 1, 5001, dtype=torch.float64)[:-1]
    params = SamplingParams(temperature=1.0, top_k=top_k, top_p=top_p, min_p=min_p)
    tokens, _ = choose(logits.expand(5000, -1), draws, params)
    frequencies = torch.bincount(tokens, minlength=1500) / 5000
    # A grid of draws meets each probability to one grid step at either end.
    assert (frequencies - exact).abs().max() <= 4.1e-4
    # Where the tail is flat, float32 and float64 may differ by one token at its edge.
    assert int(((frequencies > 0) & (exact == 0)).sum()) <= 1


def test_broken_logits_are_told():
    with pytest.raises(UserError, match="not finite"):
        choose(torch.full((1, 4), float("nan")), torch.zeros(1).double(), SamplingParams())


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

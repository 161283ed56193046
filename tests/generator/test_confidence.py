"""Free scores against the plain definitions in numpy, from all logits of a forward pass."""

import math

import numpy as np
import pytest
import torch

from assay.generator.engines import EngineConfig, Request, SamplingParams
from assay.generator.engines.confidence import (
    TOKEN_SCORES,
    free_scores,
    top_scores,
    window,
)
from assay.generator.engines.hf import TransformersEngine
from assay.generator.engines.token_scores import token_scores
from assay.selection.free import FREE_SCORES

QUESTIONS = [[40], [50, 60, 70], [33] * 20]


def by_definition(logits):
    """The scores of each row, as the papers write them, in float64."""
    found = []
    for row in np.asarray(logits, np.float64):
        p = np.exp(row - row.max())
        p /= p.sum()
        size = len(p)
        top = np.sort(p)[::-1][:20]
        certainty = -np.log(size * p).sum() / size
        entropy = -(p * np.log(p)).sum()
        confidence = -np.log(top).sum() / len(top)
        found.append([certainty, entropy, confidence, np.log(top[0] / top[1])])
    return np.array(found)


def summary(logprobs, scores):
    """The scores of a sample, window by window."""
    count = len(logprobs)
    size = min(count, 2048, max(4, math.ceil(count / 8)))
    starts = range(count - size + 1)
    groups = sorted(np.mean(scores[i : i + size, 2]) for i in starts)
    tenth = math.ceil(len(groups) / 10)
    return {
        "min_logprob": min(np.mean(logprobs[i : i + size]) for i in starts),
        "self_certainty": np.mean(scores[:, 0]),
        "token_confidence": np.mean(scores[:, 2]),
        "lowest_confidence": groups[0],
        "bottom_confidence": np.mean(groups[:tenth]),
        "tail_confidence": np.mean(scores[-size:, 2]),
        "entropy": np.mean(scores[:, 1]),
        "margin": np.mean(scores[:, 3]),
    }


# Groups of the search for the likeliest come in from 640 tokens on; 1003 leaves a rest.
@pytest.mark.parametrize("vocabulary", [2, 7, 20, 639, 640, 1003])
@pytest.mark.parametrize("scale", [0.1, 3.0, 20.0])
def test_tokens_against_the_definitions(vocabulary, scale):
    rng = np.random.default_rng(vocabulary)
    logits = (scale * rng.standard_normal((9, vocabulary))).astype(np.float32)
    logits[0] = np.sort(logits[0])  # the likeliest side by side, in the rest beside the groups
    found = token_scores(torch.log_softmax(torch.from_numpy(logits), -1))
    expected = by_definition(logits)
    assert found.shape == (9, len(TOKEN_SCORES))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_tokens_by_hand():
    half = torch.tensor([[0.5, 0.5], [0.75, 0.25]]).log()
    expected = [[0, math.log(2), math.log(2), 0], [0.143841, 0.562335, 0.836988, math.log(3)]]
    np.testing.assert_allclose(token_scores(half).numpy(), expected, atol=1e-6)


def test_tokens_that_a_model_rules_out():
    logits = torch.zeros(2, 700)
    logits[0, 5:] = -math.inf
    found = token_scores(torch.log_softmax(logits, -1))
    assert found[0, 0] == math.inf
    assert found[0, 1].item() == pytest.approx(math.log(5), abs=1e-5)
    assert found[1].tolist() == pytest.approx([0, math.log(700), math.log(700), 0], abs=1e-4)


def test_windows():
    assert [window(n) for n in (1, 3, 4, 32, 33, 120, 10**6)] == [1, 3, 4, 4, 5, 15, 2048]
    values = np.array([3.0, 1, 1, 1, 1, 5, 7, 1])
    found = free_scores({"logprob": -values, "confidence": values})
    assert found == {
        "min_logprob": -3.5,
        "token_confidence": 2.5,
        "lowest_confidence": 1.0,
        "bottom_confidence": 1.0,
        "tail_confidence": 3.5,
    }


def test_what_is_not_known_gives_no_score():
    series = {"logprob": np.array([-1.0, np.nan]), "entropy": np.array([0.5, 1.0]), "margin": []}
    assert free_scores(series | {"confidence": np.array([1.0, np.inf])}) == {"entropy": 0.75}
    assert top_scores([-0.5, -2.5, -1.5]) == (1.5, 1.0)
    assert top_scores([-float(i) for i in range(30)]) == (9.5, 1.0)
    assert all(map(math.isnan, top_scores([-1.0])))


def sampled(engine, params, counts=(3, 1, 2)):
    requests = [
        Request(ids, count, f"p{i}")
        for i, (ids, count) in enumerate(zip(QUESTIONS, counts, strict=True))
    ]
    return {(c.request, c.sample): c for c in engine.sample(requests, params)}


@pytest.mark.parametrize("own", [False, True], ids=["plain", "lean"])
@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_samples_against_a_forward_pass(own, temperature, make_lm, byte_tokenizer):
    lm = make_lm(vocab=700, positions=256)
    engine = TransformersEngine(lm, byte_tokenizer, EngineConfig(batch_size=4), own=own)
    params = SamplingParams(temperature=temperature, top_p=0.95, max_new_tokens=40)
    without = sampled(engine, params)
    params.confidence = True
    for place, completion in sampled(engine, params).items():
        plain = without[place]
        assert plain.free == {}
        assert (plain.text, plain.logprob) == (completion.text, completion.logprob)
        tokens = completion.token_ids + [0] * (completion.stop == "eos")
        prompt = QUESTIONS[place[0]]
        with torch.inference_mode():
            logits = lm(input_ids=torch.tensor([prompt + tokens])).logits[0]
        logits = logits[len(prompt) - 1 : -1].double()
        scores = torch.log_softmax(logits, -1).gather(1, torch.tensor(tokens)[:, None])[:, 0]
        expected = summary(scores.numpy(), by_definition(logits.numpy()))
        assert set(completion.free) == set(FREE_SCORES)
        for name, value in expected.items():
            assert completion.free[name] == pytest.approx(value, abs=1e-5, rel=1e-5), name


def test_free_scores_do_not_depend_on_the_batch(make_lm, byte_tokenizer):
    lm, params = (
        make_lm(vocab=700, positions=64),
        SamplingParams(max_new_tokens=30, confidence=True),
    )
    whole = sampled(TransformersEngine(lm, byte_tokenizer, EngineConfig(batch_size=9)), params)
    narrow = sampled(TransformersEngine(lm, byte_tokenizer, EngineConfig(batch_size=1)), params)
    for place, completion in whole.items():
        assert completion.free == pytest.approx(narrow[place].free, rel=1e-5, abs=1e-5)

"""What the engine `transformers` samples, against exact probabilities and plain forward passes.

The references are slow and obvious: every continuation is enumerated, each by a forward pass over
the whole text, and filtered by Transformers' own processors in float64. Seeds are fixed: a test at
the level of 1 in 1000 is passed once and for all.
"""

import re

import pytest
import torch
from scipy.stats import chisquare
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from assay.generator.engines import EngineConfig, Request, SamplingParams
from assay.generator.engines.hf import TransformersEngine

ALPHA = 1e-3
VOCABULARY = 10
PROMPTS = ([3, 7, 2], [5, 2, 2, 9, 4, 8, 6])


def processors(params):
    """Those of `generate`, in its order."""
    wanted = LogitsProcessorList([TemperatureLogitsWarper(params.temperature)])
    if params.top_k:
        wanted.append(TopKLogitsWarper(params.top_k))
    if params.top_p < 1:
        wanted.append(TopPLogitsWarper(params.top_p))
    if params.min_p:
        wanted.append(MinPLogitsWarper(params.min_p))
    return wanted


def exact(lm, prompt, params):
    """The probability of every continuation up to the token limit; 0 ends one."""
    done, open_ = {}, {(): 1.0}
    for _ in range(params.max_new_tokens):
        texts = list(open_)
        with torch.inference_mode():
            logits = lm(input_ids=torch.tensor([[*prompt, *t] for t in texts])).logits[:, -1]
        after = torch.softmax(processors(params)(None, logits.double()), -1).tolist()
        grown = {
            (*text, token): open_[text] * p
            for text, row in zip(texts, after, strict=True)
            for token, p in enumerate(row)
            if p > 0
        }
        done |= {text: p for text, p in grown.items() if text[-1] == 0}
        open_ = {text: p for text, p in grown.items() if text[-1] != 0}
    return done | open_


def pvalue(counts, probabilities):
    """Of Pearson's chi-square test; what is expected fewer than five times is one class."""
    total = sum(counts.values())
    assert set(counts) <= set(probabilities)
    common = [text for text, p in probabilities.items() if p * total >= 5]
    observed = [counts.get(text, 0) for text in common]
    expected = [probabilities[text] * total for text in common]
    if len(common) < len(probabilities):
        observed.append(total - sum(observed))
        expected.append(total - sum(expected))
    assert len(observed) > 1
    return chisquare(observed, expected, sum_check=False).pvalue


def drawn(completions):
    """How often every continuation of each prompt came; requests take turns with the prompts."""
    counts = tuple({} for _ in PROMPTS)
    for completion in completions:
        text = (*completion.token_ids, *[0] * (completion.stop == "eos"))
        of_prompt = counts[completion.request % len(PROMPTS)]
        of_prompt[text] = of_prompt.get(text, 0) + 1
    return counts


@pytest.fixture
def lm(make_lm):
    lm = make_lm(vocab=VOCABULARY, width=16, layers=2, seed=1)
    # Less sure of itself: filters shall have something to choose from.
    lm.lm_head.weight.data.mul_(0.5)
    return lm


def firsts(of_texts):
    """The same by first token."""
    summed = {}
    for text, amount in of_texts.items():
        summed[text[:1]] = summed.get(text[:1], 0) + amount
    return summed


@pytest.mark.parametrize(
    "settings",
    [
        *({"temperature": t} for t in (0.5, 1.0, 1.3)),
        *({"temperature": t, "top_p": 0.7} for t in (0.5, 1.0, 1.3)),
        {"top_k": 5},
        {"min_p": 0.05},
        {"temperature": 1.3, "top_k": 7, "top_p": 0.9},
        {"temperature": 1.3, "top_k": 8, "min_p": 0.04},
        {"temperature": 1.3, "top_p": 0.95, "min_p": 0.04},
        {"temperature": 1.3, "top_k": 8, "top_p": 0.97, "min_p": 0.02},
    ],
    ids=lambda settings: "-".join(f"{name}{value}" for name, value in settings.items()),
)
def test_frequencies_of_a_prompts_samples(lm, byte_tokenizer, settings):
    params = SamplingParams(**{"temperature": 1.0} | settings, max_new_tokens=2, seed=1)
    requests = [Request(ids, 10_000, str(i)) for i, ids in enumerate(PROMPTS)]
    engine = TransformersEngine(lm, byte_tokenizer, EngineConfig(batch_size=5000))
    for counts, prompt in zip(drawn(engine.sample(requests, params)), PROMPTS, strict=True):
        probabilities = exact(lm, prompt, params)
        assert sum(probabilities.values()) == pytest.approx(1)
        assert pvalue(firsts(counts), firsts(probabilities)) > ALPHA
        assert pvalue(counts, probabilities) > ALPHA


def test_frequencies_where_prompts_share_a_batch(lm, byte_tokenizer):
    """Prompts of two lengths are padded and repeated; groups of all ages run together."""
    params = SamplingParams(temperature=1.3, top_p=0.9, max_new_tokens=3, seed=8)
    requests = [Request(PROMPTS[i % 2], 4, str(i)) for i in range(5000)]
    engine = TransformersEngine(lm, byte_tokenizer, EngineConfig(batch_size=700))
    for counts, prompt in zip(drawn(engine.sample(requests, params)), PROMPTS, strict=True):
        assert pvalue(counts, exact(lm, prompt, params)) > ALPHA


def token_logprobs(lm, prompt, tokens):
    """Log-probability of each of `tokens` after what is before it, by one forward pass."""
    with torch.inference_mode():
        logits = lm(input_ids=torch.tensor([prompt + tokens])).logits[0].double()
    scores = torch.log_softmax(logits[len(prompt) - 1 : -1], -1)
    return scores.gather(1, torch.tensor(tokens)[:, None])[:, 0]


QUESTIONS = [[40], [50, 60, 70], [33] * 20, [90, 80, 70, 60, 50], [45, 46] * 30]


def requests_of(counts, **more):
    return [
        Request(ids, count, f"p{i}", **more)
        for i, (ids, count) in enumerate(zip(QUESTIONS, counts, strict=True))
    ]


@pytest.fixture
def writer(make_lm):
    """Knows the bytes, and seldom ends a text."""
    lm = make_lm(vocab=258, positions=512, seed=3)
    head = torch.nn.Linear(32, 258)
    head.weight = torch.nn.Parameter(0.5 * lm.lm_head.weight.detach())
    head.bias = torch.nn.Parameter(torch.zeros(258))
    head.bias.data[0] = -2.0
    head.bias.data[1] = -100.0
    lm.lm_head = head
    return lm


def test_logprobs_of_long_samples(writer, byte_tokenizer):
    params = SamplingParams(temperature=0.8, top_p=0.95, max_new_tokens=300, seed=2)
    engine = TransformersEngine(writer, byte_tokenizer, EngineConfig(batch_size=7))
    found = list(engine.sample(requests_of([1, 5, 2, 6, 1]), params))
    assert len(found) == 15
    assert max(len(c.token_ids) for c in found) == 300
    for c in found:
        tokens = c.token_ids + [0] * (c.stop == "eos")
        expected = token_logprobs(writer, QUESTIONS[c.request], tokens).sum().item()
        assert c.logprob == pytest.approx(expected, abs=1e-4, rel=0)


def test_logprobs_count_the_tokens_of_a_stop_text(writer, byte_tokenizer):
    requests = requests_of([1, 6, 2, 6, 1])
    engine = TransformersEngine(writer, byte_tokenizer)
    params = SamplingParams(temperature=1.2, max_new_tokens=60)
    free = {(c.request, c.sample): c for c in engine.sample(requests, params)}
    stop = [next(c.text[9:11] for c in free.values() if len(c.text) > 20)]
    params.stop = [*stop, "e"]
    cut = [c for c in engine.sample(requests, params) if c.stop == "stop"]
    assert len(cut) >= 3
    for c in cut:
        whole = free[c.request, c.sample].token_ids
        end = next(
            n
            for n in range(1, len(whole) + 1)
            if any(text in byte_tokenizer.decode(whole[:n]) for text in params.stop)
        )
        assert end > len(c.token_ids)
        expected = token_logprobs(writer, QUESTIONS[c.request], whole[:end]).sum().item()
        assert c.logprob == pytest.approx(expected, abs=1e-4, rel=0)


def test_logprobs_leave_out_what_the_calculator_writes(writer, byte_tokenizer):
    for token, more in {"<": 7.0, "1": 6.0, "=": 6.0, "+": 5.5}.items():
        writer.lm_head.bias.data[byte_tokenizer.convert_tokens_to_ids(token)] = more
    params = SamplingParams(temperature=1.2, max_new_tokens=80, seed=1)
    engine = TransformersEngine(writer, byte_tokenizer)
    found = list(engine.sample(requests_of([2, 40, 3, 60, 1], calculator=True), params))
    checked = 0
    for c in found:
        # A token is a character: results are where their tokens are.
        text = byte_tokenizer.decode(c.token_ids)
        if len(text) != len(c.token_ids):
            continue
        sampled = torch.ones(len(c.token_ids) + (c.stop == "eos"), dtype=torch.bool)
        for result in re.finditer(r"(?<!\w)<<[\d+]*\d=([\d.]+(?:>>?)?)", text):
            sampled[result.start(1) : result.end(1)] = False
            checked += 1
        tokens = c.token_ids + [0] * (c.stop == "eos")
        scores = token_logprobs(writer, QUESTIONS[c.request], tokens)
        assert c.logprob == pytest.approx(scores[sampled].sum().item(), abs=1e-4, rel=0)
    assert checked >= 8

"""The engine `transformers`: the same tokens as `generate`, exact samples, any batch layout."""

import itertools
import math
import random

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from transformers import MambaConfig, MambaForCausalLM

from assay.generator.engines import EngineConfig, Request, SamplingParams, make_engine, waiting
from assay.generator.engines.cache import Cohort, attending
from assay.generator.engines.hf import TransformersEngine
from assay.generator.models import ModelConfig
from assay.settings.errors import UserError


def prompts(count, vocab=64, shortest=3, longest=20, seed=0):
    draw = random.Random(seed)
    return [
        [draw.randrange(2, vocab) for _ in range(draw.randint(shortest, longest))]
        for _ in range(count)
    ]


def sampled(engine, requests, params):
    """Completions by (key, sample); every one must come once."""
    found = {}
    for completion in engine.sample(requests, params):
        key = requests[completion.request].key, completion.sample
        assert key not in found
        found[key] = completion
    asked = {(r.key, i) for r in requests for i in range(r.first, r.first + r.count)}
    assert set(found) == asked
    return found


def greedy_reference(lm, ids, new):
    """`generate`, one prompt at a time."""
    tensor = torch.tensor([ids])
    out = lm.generate(
        tensor,
        attention_mask=torch.ones_like(tensor),
        do_sample=False,
        max_new_tokens=new,
        pad_token_id=1,
    )
    return out[0, len(ids) :].tolist()


def teacher_forced(lm, ids, tokens):
    """Log-probability of `tokens` after `ids`, by one plain forward pass."""
    with torch.inference_mode():
        logits = lm(input_ids=torch.tensor([ids + tokens])).logits[0].double()
    scores = torch.log_softmax(logits, -1)
    return sum(scores[len(ids) + i - 1, token].item() for i, token in enumerate(tokens))


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("batch_size", [3, 64])
def test_greedy_is_what_generate_gives(family, make_lm, byte_tokenizer, count, batch_size):
    lm = make_lm(family)
    questions = [[5], *prompts(4, shortest=1)]
    requests = [Request(ids, count, f"p{i}") for i, ids in enumerate(questions)]
    engine = TransformersEngine(lm, byte_tokenizer, EngineConfig(batch_size=batch_size))
    found = sampled(engine, requests, SamplingParams(temperature=0, max_new_tokens=25))
    references = [greedy_reference(lm, ids, 25) for ids in questions]
    for (key, _), completion in found.items():
        expected = references[int(key[1:])]
        tokens = completion.token_ids + [0] * (completion.stop == "eos")
        assert tokens == expected
        assert completion.stop == ("eos" if expected[-1] == 0 else "length")


@pytest.mark.parametrize(("gone", "left"), [([1], [0, 5, 2, 3, 4]), ([0, 2, 5], [3, 1, 4])])
def test_rows_that_leave_make_room_for_the_last(gone, left):
    cohort = Cohort(rows=6)
    keys = torch.arange(6.0)[:, None, None, None].expand(6, 2, 3, 4).clone()
    cohort.write(0, keys, keys + 100)
    cohort.columns = 3
    assert cohort.drop(gone) == left
    assert cohort.layers[0].keys[: len(left), 1, 2, 3].tolist() == left
    assert cohort.layers[0].values[: len(left), 0, 0, 0].tolist() == [100 + i for i in left]


@pytest.mark.parametrize("batch_size", [5, 64])
def test_large_groups_as_on_a_gpu_write_the_same(make_lm, byte_tokenizer, batch_size):
    requests = [Request(ids, 2 + i, f"p{i}") for i, ids in enumerate(prompts(6, shortest=1))]
    params = SamplingParams(temperature=0.9, max_new_tokens=25)
    engine = TransformersEngine(make_lm(), byte_tokenizer, EngineConfig(batch_size=batch_size))
    expected = sampled(engine, requests, params)
    begun = []
    start = engine._start
    engine._start = lambda samples, *rest: begun.append(len(samples)) or start(samples, *rest)
    engine._large_groups = True
    found = sampled(engine, requests, params)
    assert begun[0] == min(batch_size, 27)
    assert min(begun[:-1], default=2) >= 2
    assert {k: c.token_ids for k, c in found.items()} == {
        k: c.token_ids for k, c in expected.items()
    }


def test_large_groups_are_bounded_by_their_prompts(monkeypatch):
    monkeypatch.setattr(waiting, "_PROMPT_TOKENS", 30)
    requests = [Request([3] * length, 2, str(length)) for length in (10, 12, 8, 40, 5)]
    taken = waiting.Waiting(requests, [9] * 5, together=True)
    assert [[s.request for s in group] for group in taken.take(9)] == [
        [0, 0, 1, 1],
        [2, 2],
        [3, 3],
        [4],
    ]
    assert [[(s.request, s.index) for s in group] for group in taken.take(9)] == [[(4, 1)]]


def test_prompts_of_one_token(make_lm, byte_tokenizer):
    lm = make_lm()
    requests = [Request([token], 1, str(token)) for token in (5, 6, 7)]
    engine = TransformersEngine(lm, byte_tokenizer)
    found = sampled(engine, requests, SamplingParams(temperature=0, max_new_tokens=9))
    for (key, _), completion in found.items():
        tokens = completion.token_ids + [0] * (completion.stop == "eos")
        assert tokens == greedy_reference(lm, [int(key)], 9)


def test_sliding_windows_are_kept(make_lm, byte_tokenizer):
    windows = {"sliding_window": 6}
    mixed = windows | {"use_sliding_window": True, "max_window_layers": 1}
    for family, more in (("mistral", windows), ("qwen2", mixed)):
        lm = make_lm(family, **more)
        questions = prompts(6, shortest=2, longest=15)
        requests = [Request(ids, 1 + 5 * (i % 2), f"p{i}") for i, ids in enumerate(questions)]
        engine = TransformersEngine(lm, byte_tokenizer)
        found = sampled(engine, requests, SamplingParams(temperature=0, max_new_tokens=20))
        for (key, _), completion in found.items():
            expected = greedy_reference(lm, questions[int(key[1:])], 20)
            assert completion.token_ids + [0] * (completion.stop == "eos") == expected


def test_a_sample_does_not_depend_on_its_batch(family, make_lm, byte_tokenizer):
    lm = make_lm(family)
    questions = prompts(9)
    requests = [Request(ids, 1 + 3 * (i % 4), f"p{i}/cot") for i, ids in enumerate(questions)]
    params = SamplingParams(temperature=0.9, max_new_tokens=40, seed=3)
    whole = sampled(TransformersEngine(lm, byte_tokenizer), requests, params)
    assert len({c.text for c in whole.values()}) > len(requests)

    narrow = TransformersEngine(lm, byte_tokenizer, EngineConfig(batch_size=3))
    backwards = sampled(narrow, requests[::-1], params)
    halves = {}
    for first, last in ((0, 2), (2, 100)):
        part = [
            Request(r.prompt_ids, max(0, min(r.count, last) - first), r.key, first)
            for r in requests
        ]
        halves |= sampled(TransformersEngine(lm, byte_tokenizer), part, params)
    for key, completion in whole.items():
        for other in (backwards[key], halves[key]):
            assert (other.text, other.token_ids, other.stop) == (
                completion.text,
                completion.token_ids,
                completion.stop,
            )
            assert other.logprob == pytest.approx(completion.logprob, abs=1e-4)


def test_the_same_call_gives_the_same_bits(make_lm, byte_tokenizer):
    engine = TransformersEngine(make_lm(), byte_tokenizer, EngineConfig(batch_size=16))
    requests = [Request(ids, 7, f"p{i}") for i, ids in enumerate(prompts(5))]
    params = SamplingParams(max_new_tokens=30)
    assert list(engine.sample(requests, params)) == list(engine.sample(requests, params))


def test_logprobs_are_those_of_a_plain_forward_pass(family, make_lm, byte_tokenizer):
    lm = make_lm(family)
    questions = prompts(5)
    requests = [Request(ids, 1 + 4 * (i % 2), f"p{i}") for i, ids in enumerate(questions)]
    params = SamplingParams(temperature=0.6, top_k=9, top_p=0.9, max_new_tokens=30)
    engine = TransformersEngine(lm, byte_tokenizer)
    for (key, _), completion in sampled(engine, requests, params).items():
        tokens = completion.token_ids + [0] * (completion.stop == "eos")
        expected = teacher_forced(lm, questions[int(key[1:])], tokens)
        assert completion.logprob == pytest.approx(expected, abs=1e-4)


def exact_pairs(lm, prompt, params, vocab):
    """Probability of every pair of first tokens, with the filters written out, in float64."""

    def distribution(ids):
        with torch.inference_mode():
            logits = lm(input_ids=torch.tensor([ids])).logits[0, -1].double().numpy()
        weights = np.exp(logits / params.temperature - (logits / params.temperature).max())
        order = np.argsort(-weights)
        if params.top_k:
            weights[order[params.top_k :]] = 0
        weights /= weights.sum()
        total = 0.0
        for token in order:
            if total >= params.top_p:
                weights[token] = 0
            total += weights[token]
        weights[weights < params.min_p * weights.max()] = 0
        return weights / weights.sum()

    pairs = {}
    for first, weight in enumerate(distribution(prompt)):
        if weight == 0:
            continue
        if first == 0:
            pairs[(0,)] = weight
            continue
        for second, after in enumerate(distribution([*prompt, first])):
            if after > 0:
                pairs[(first, second)] = weight * after
    assert math.isclose(sum(pairs.values()), 1, abs_tol=1e-9)
    assert all(token < vocab for token in itertools.chain(*pairs))
    return pairs


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(temperature=1.0, max_new_tokens=2),
        SamplingParams(temperature=0.7, max_new_tokens=2, seed=5),
        SamplingParams(temperature=1.3, top_p=0.8, max_new_tokens=2),
        SamplingParams(temperature=1.0, top_k=4, max_new_tokens=2),
        SamplingParams(temperature=0.8, top_k=6, top_p=0.9, max_new_tokens=2),
        SamplingParams(temperature=1.5, min_p=0.1, max_new_tokens=2),
        SamplingParams(temperature=1.3, top_k=6, top_p=0.95, min_p=0.2, max_new_tokens=2),
    ],
    ids=lambda p: f"T{p.temperature}-p{p.top_p}-k{p.top_k}-m{p.min_p}",
)
def test_frequencies_match_exact_probabilities(make_lm, byte_tokenizer, params):
    vocab, samples = 10, 20_000
    lm = make_lm(vocab=vocab, width=16, layers=1)
    prompt = [3, 7, 2]
    exact = exact_pairs(lm, prompt, params, vocab)
    engine = TransformersEngine(lm, byte_tokenizer, EngineConfig(batch_size=2000))
    counts = dict.fromkeys(exact, 0)
    for completion in engine.sample([Request(prompt, samples, "p")], params):
        tokens = completion.token_ids + [0] * (completion.stop == "eos")
        counts[tuple(tokens)] += 1
    rare = sum(p for p in exact.values() if p * samples < 5)
    common = [pair for pair, p in exact.items() if p * samples >= 5]
    observed = [counts[pair] for pair in common]
    expected = [exact[pair] * samples for pair in common]
    if rare:
        observed.append(samples - sum(observed))
        expected.append(rare * samples)
    # The seed is fixed: a threshold of 1 in 1000 is met once and for all.
    assert chisquare(observed, expected, sum_check=False).pvalue > 1e-3


def test_stop_texts_end_a_sample_and_are_cut(make_lm, byte_tokenizer):
    engine = TransformersEngine(make_lm(vocab=96, seed=2), byte_tokenizer)
    requests = [Request(ids, 20, f"p{i}") for i, ids in enumerate(prompts(4, vocab=96))]
    free = sampled(engine, requests, SamplingParams(temperature=1.0, max_new_tokens=60))
    texts = "".join(c.text for c in free.values())
    stop = [texts[10:12], texts[70:71]]
    params = SamplingParams(temperature=1.0, max_new_tokens=60, stop=stop)
    stopped = sampled(engine, requests, params)
    assert {c.stop for c in stopped.values()} >= {"stop"}
    for key, completion in stopped.items():
        whole = free[key]
        cuts = [at for at in map(whole.text.find, stop) if at >= 0]
        if cuts:
            assert completion.stop == "stop"
            assert completion.text == whole.text[: min(cuts)]
        else:
            assert (completion.text, completion.stop) == (whole.text, whole.stop)
        assert byte_tokenizer.decode(completion.token_ids, skip_special_tokens=True) == (
            completion.text
        )
        assert whole.token_ids[: len(completion.token_ids)] == completion.token_ids


def test_positions_run_out(make_lm, byte_tokenizer):
    for family in ("gpt2", "llama"):
        engine = TransformersEngine(make_lm(family, positions=16), byte_tokenizer)
        prompt = prompts(1, shortest=10, longest=10)[0]
        found = list(engine.sample([Request(prompt, 5, "p")], SamplingParams(max_new_tokens=50)))
        assert max(len(c.token_ids) for c in found) == 6
        with pytest.raises(UserError, match="p/cot: the prompt has 16 tokens"):
            list(engine.sample([Request(prompt + [5] * 6, 1, "p/cot")], SamplingParams()))


def test_a_prompt_is_computed_once(make_lm, byte_tokenizer):
    lm = make_lm()
    lengths = []
    lm.register_forward_pre_hook(
        lambda module, args, kwargs: lengths.append(tuple(kwargs["input_ids"].shape)),
        with_kwargs=True,
    )
    engine = TransformersEngine(lm, byte_tokenizer, EngineConfig(batch_size=8))
    requests = [Request([5] * 9, 30, "a"), Request([6] * 12, 30, "b"), Request([7] * 4, 1, "c")]
    sampled(engine, requests, SamplingParams(temperature=1.0, max_new_tokens=8))
    assert sorted(shape for shape in lengths if shape[1] > 1) == [(1, 4), (1, 9), (1, 12)]


def test_the_model_is_left_as_it_was(make_lm, byte_tokenizer):
    lm = make_lm()
    engine = TransformersEngine(lm, byte_tokenizer)
    before = lm(input_ids=torch.tensor([[4, 5, 6]])).logits
    completions = engine.sample([Request([4, 5], 9, "p")], SamplingParams(max_new_tokens=9))
    next(completions)
    assert lm.config._attn_implementation == "sdpa"
    assert not torch.is_inference_mode_enabled()
    completions.close()
    assert torch.equal(lm(input_ids=torch.tensor([[4, 5, 6]])).logits, before)
    with pytest.raises(RuntimeError, match="boom"), attending(lm, [Cohort(1)]):
        raise RuntimeError("boom")
    assert lm.config._attn_implementation == "sdpa"


def test_bfloat16_runs_and_agrees_with_itself(make_lm, byte_tokenizer):
    lm = make_lm().to(torch.bfloat16)
    engine = TransformersEngine(lm, byte_tokenizer)
    requests = [Request(ids, 6, f"p{i}") for i, ids in enumerate(prompts(3))]
    found = sampled(engine, requests, SamplingParams(max_new_tokens=12))
    assert all(math.isfinite(c.logprob) for c in found.values())


def test_what_cannot_be_sampled_is_told(make_lm, byte_tokenizer):
    mamba = MambaForCausalLM(MambaConfig(vocab_size=32, hidden_size=8, num_hidden_layers=1))
    with pytest.raises(UserError, match="MambaForCausalLM has layers"):
        TransformersEngine(mamba, byte_tokenizer)
    gemma = make_lm("gemma2", head_dim=8, attention="eager")
    engine = TransformersEngine(gemma, byte_tokenizer)
    with pytest.raises(UserError, match="softcap"):
        list(engine.sample([Request([3], 1, "p")], SamplingParams()))
    with pytest.raises(UserError, match="p: the prompt is empty"):
        list(
            TransformersEngine(make_lm(), byte_tokenizer).sample(
                [Request([], 1, "p")], SamplingParams()
            )
        )
    with pytest.raises(UserError, match=r"engine.name=tgi: expected transformers"):
        make_engine(EngineConfig(name="tgi"), ModelConfig())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_what_the_cpu_gives(make_lm, byte_tokenizer):
    requests = [Request(ids, 1 + 5 * (i % 2), f"p{i}") for i, ids in enumerate(prompts(6))]
    params = SamplingParams(temperature=0, max_new_tokens=20)
    here = sampled(TransformersEngine(make_lm(), byte_tokenizer), requests, params)
    there = sampled(TransformersEngine(make_lm().cuda(), byte_tokenizer), requests, params)
    assert {k: c.token_ids for k, c in here.items()} == {k: c.token_ids for k, c in there.items()}

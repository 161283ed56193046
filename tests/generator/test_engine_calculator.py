"""The calculator while sampling: what it writes as tokens, and the samples it is written into."""

import re

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from assay.generator.engines import EngineConfig, Request, SamplingParams
from assay.generator.engines.calculator import Calculator
from assay.generator.engines.hf import TransformersEngine
from assay.generator.engines.sampling import choose, uniforms
from assay.generator.models import ModelConfig, load_tokenizer

MERGES = ["= $", "= 1", "= -", "< <", "> >", "= \n", "3 =", "1 2", "= ="]


def merging_tokenizer():
    """Bytes, and tokens in which "=" has neighbours: `=$`, `=1`, `=-`, `3=`, `=` and a line end."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [tuple("Ċ" if part == "\n" else part for part in m.split(" ")) for m in MERGES]
    tokens = ["</s>", *alphabet, *("".join(merge) for merge in merges)]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")


def prefixing_tokenizer():
    """As Llama 2's: spaces are ▁, and one is put before every text."""
    tokens = ["</s>", "<unk>", "▁", "▁=", "▁<<", "\n", *"0123456789.+-*/<=>abc"]
    tokenizer = Tokenizer(models.Unigram([(t, -float(len(t) == 1)) for t in tokens], unk_id=1))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first", split=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")


@pytest.fixture(params=["byte", "merging", "prefixing", "embedded"])
def tokenizer(request, byte_tokenizer):
    return {
        "byte": lambda: byte_tokenizer,
        "merging": merging_tokenizer,
        "prefixing": prefixing_tokenizer,
        "embedded": lambda: load_tokenizer(ModelConfig()),
    }[request.param]()


def completed(tokenizer, text):
    """What `text` becomes when its last token is drawn, and whether that token stays."""
    *written, drawn = tokenizer(text, add_special_tokens=False)["input_ids"]
    tokens = Calculator(tokenizer).tokens(written, drawn)
    return tokenizer.decode([*written, *tokens]), tokens[0] == drawn


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("a <<4*6=", "a <<4*6=24>>"),
        ("a <<4*6 =", "a <<4*6 =24>>"),
        ("a <<.1+.2=", "a <<.1+.2=0.3>>"),
        ("<<1-3=", "<<1-3=-2>>"),
        ("a << 4*6=", "a << 4*6="),
        ("a 4*6=", "a 4*6="),
        ("a <<4*6", "a <<4*6"),
        ("a <<1/0=", "a <<1/0="),
    ],
)
def test_the_text_is_completed_with_any_tokenizer(tokenizer, text, becomes):
    assert completed(tokenizer, text)[0] == becomes


@pytest.mark.parametrize(
    ("text", "drawn", "becomes", "stays"),
    [
        ("<<4*6=", "=", ["=", "2", "4", ">>"], True),
        # The drawn token is the beginning of what the tokenizer makes of the completed text, …
        ("<<4+6=1", "=1", ["=1", "0", ">>"], True),
        ("<<4-6=-", "=-", ["=-", "2", ">>"], True),
        ("<<4+3=", "3=", ["3=", "7", ">>"], True),
        # … or what is after its "=" goes, …
        ("<<4*6=1", "=1", ["=", "2", "4", ">>"], False),
        ("<<4*6=$", "=$", ["=", "2", "4", ">>"], False),
        ("<<4*6=\n", "=\n", ["=", "2", "4", ">>"], False),
        ("<<4*6==", "==", ["=", "2", "4", ">>"], False),
        # … or the tokenizer joins "=" and the result.
        ("<<4+8=", "=", ["=1", "2", ">>"], False),
        ("<<4+8=$", "=$", ["=1", "2", ">>"], False),
        # Nothing to complete.
        ("<<4*x=1", "=1", ["=1"], True),
        ("4*6=$", "=$", ["=$"], True),
    ],
)
def test_tokens_that_hold_more_than_the_equals_sign(text, drawn, becomes, stays):
    tokenizer = merging_tokenizer()
    *written, last = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode([last]) == drawn
    tokens = Calculator(tokenizer).tokens(written, last)
    assert [tokenizer.decode([token]) for token in tokens] == becomes
    assert (tokens[0] == last) is stays


def test_a_tokenizer_that_cannot_say_it_is_left_alone():
    tokens = ["</s>", "<unk>", *"0123456789+<="]  # no ">"
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, [], unk_token="<unk>"))
    tokenizer.decoder = decoders.Fuse()
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")
    assert completed(made, "<<1+2=") == ("<<1+2=", True)


BYTES = {"<": 7, "1": 6, "=": 6, "+": 5.5}
MERGED = {"<<": 7, "1": 6, "=": 4, "+": 5.5, "=1": 5, "==": 5, "=$": 5}


def slow_sample(lm, tokenizer, request, index, params):
    """(token ids, log-probability, whether it ended): the whole text anew for every token.

    Expressions are sums, evaluated by Python.
    """
    draws = uniforms(params.seed, request.key, index, params.max_new_tokens)
    tokens, forced, logprob = [], [], 0.0
    while len(tokens) < params.max_new_tokens:
        if forced:
            tokens.append(forced.pop(0))
            continue
        with torch.inference_mode():
            logits = lm(input_ids=torch.tensor([request.prompt_ids + tokens])).logits[0, -1:]
        drawn, single = choose(logits, torch.from_numpy(draws[len(tokens)])[None], params)
        if drawn.item() == 0:
            return tokens, logprob + single.item(), True
        before = tokenizer.decode(tokens)
        text = before + tokenizer.decode(drawn)
        begun = re.search(r"(?<!\w)<<([1-9+]*[1-9])=(?=.?$)", text)
        if request.calculator and begun and begun.end() > len(before):
            result = f"{text[len(before) : begun.end()]}{eval(begun[1])}>>"
            forced = tokenizer(result)["input_ids"]
            logprob += single.item() if forced[0] == drawn.item() else 0.0
        else:
            tokens.append(drawn.item())
            logprob += single.item()
    return tokens, logprob, False


@pytest.mark.parametrize("batch_size", [40, 256])
@pytest.mark.parametrize("merged", [False, True])
def test_samples_are_those_of_the_slow_way(arithmetician, byte_tokenizer, batch_size, merged):
    tokenizer = merging_tokenizer() if merged else byte_tokenizer
    lm = arithmetician(tokenizer, MERGED if merged else BYTES)
    prompts = {"a": [5, 9, 7, 30], "b": [3, 8], "c": [40] * 9, "d": [6, 7]}
    requests = [
        Request(ids, count, key, calculator=key != "c")
        for (key, ids), count in zip(prompts.items(), (90, 60, 9, 2), strict=True)
    ]
    params = SamplingParams(temperature=1.2, max_new_tokens=60, seed=1)
    engine = TransformersEngine(lm, tokenizer, EngineConfig(batch_size=batch_size))
    completions = sorted(engine.sample(requests, params), key=lambda c: (c.request, c.sample))
    assert len(completions) == 161
    assert {c.stop for c in completions} == {"eos", "length"}
    calculated = [c for c in completions if re.search(r"<<[1+]+=\d+>>", c.text)]
    assert len(calculated) >= 10
    for c in calculated[:5] + completions[-13::2]:
        tokens, logprob, ended = slow_sample(lm, tokenizer, requests[c.request], c.sample, params)
        assert c.token_ids == tokens
        assert c.text == tokenizer.decode(tokens)
        assert c.logprob == pytest.approx(logprob, abs=1e-3)
        assert (c.stop == "eos") is ended


def test_the_other_samples_keep_their_bits(arithmetician, byte_tokenizer):
    # Nobody ends: no row moves to another place of the batch.
    lm = arithmetician(byte_tokenizer, BYTES | {"</s>": -100})
    params = SamplingParams(temperature=1.0, max_new_tokens=50)
    engine = TransformersEngine(lm, byte_tokenizer)

    def sampled(calculator):
        requests = [
            Request([5, 9, 7], 20, "words", calculator=calculator),
            Request([4, 4, 9], 20, "programs"),
        ]
        completions = engine.sample(requests, params)
        return {(c.request, c.sample): (c.token_ids, c.logprob) for c in completions}

    without, beside = sampled(False), sampled(True)
    programs = [key for key in without if key[0] == 1]
    assert [beside[key] for key in programs] == [without[key] for key in programs]
    assert beside != without


def test_the_limit_and_stop_texts_hold_for_what_the_calculator_writes(
    arithmetician, byte_tokenizer
):
    engine = TransformersEngine(arithmetician(byte_tokenizer, BYTES), byte_tokenizer)
    requests = [Request([5, 9, 7], 300, "p", calculator=True)]
    limits = SamplingParams(temperature=1.0, max_new_tokens=17)
    texts = [c.text for c in engine.sample(requests, limits)]
    assert max(map(len, texts)) == 17
    # Some are cut within a result.
    assert any(re.search(r"[^\w]<<1[1+]*=\d+>?$", text) for text in texts)
    stops = SamplingParams(temperature=1.0, max_new_tokens=40, stop=["1>>"])
    stopped = [c for c in engine.sample(requests, stops) if c.stop == "stop"]
    assert any(c.text.endswith("<<1=") for c in stopped)
    assert all(byte_tokenizer.decode(c.token_ids) == c.text for c in stopped)

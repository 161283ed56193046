"""Samples that are checked for the calculator after they were written, and gone on with."""

import math
import random
import re
import threading
from collections import Counter

import pytest
import torch
from scipy import stats

from assay.generator.engines import Request, SamplingParams
from assay.generator.engines.continuing import Continuing, Draft, Sample, seed_of
from assay.generator.engines.hf import TransformersEngine
from assay.generator.engines.openai_api import Choice, Drawn
from assay.generator.models import ModelConfig, load_tokenizer
from assay.problems.calculator import continue_with
from assay.settings.errors import UserError

BYTES = {"<": 9, "1": 9, "=": 9, "+": 7}


def added(tokenizer, text, choice, stop=(), limit=50, rounds=0, *, calculator=True):
    """What comes of a draft `text` when `choice` (text, logprobs, ended) follows it."""
    new, logprobs, ended = choice
    ids, draft = (tokenizer(part)["input_ids"] for part in (new, text))
    result = Continuing(tokenizer).add(
        Draft(draft, [Drawn(-1.0)] * len(draft), rounds),
        Choice(new, ids, logprobs, ended),
        calculator=calculator,
        stop=stop,
        limit=limit,
    )
    written = result.token_ids
    return result, tokenizer.decode(written)


ENDS = [-0.5] * 20  # more log-probabilities than tokens: the rest are of what ended the text


@pytest.mark.parametrize(
    ("draft", "choice", "text", "logprob", "stop"),
    [
        # No annotation; nothing to say against the annotation; one that is not the calculator's.
        ("", ("a=b", [-1.0, -2.0, -4.0, -8.0], "eos"), "a=b", -15, "eos"),
        ("", ("<<4*6=24>>!", [-1.0] * 12, "eos"), "<<4*6=24>>!", -8, "eos"),
        ("", ("<<4*6=25>>!", [-1.0] * 12, "eos"), "<<4*6=24>>", -6, None),
        ("", ("<<4*6=24 >>", [-1.0] * 11, "eos"), "<<4*6=24>>", -6, None),
        # The first wrong one counts, the right ones before it stay.
        ("", ("<<1+1=2>><<1+2=4>>", [-1.0] * 18, "length"), "<<1+1=2>><<1+2=3>>", -12, None),
        # An annotation begun in the draft.
        ("<<1+", ("1=3>>", [-1.0] * 5, "length"), "<<1+1=2>>", -6, None),
        ("<<1+", ("1=2>>", [-1.0] * 5, "length"), "<<1+1=2>>", -6, "length"),
        ("<<1+1=2>>", ("=3", [-1.0] * 3, "eos"), "<<1+1=2>>=3", -12, "eos"),
        # The text ended within a result: at the limit that is well, otherwise not.
        ("", ("<<4*6=2", [-1.0] * 7, "length"), "<<4*6=2", -6, "length"),
        ("", ("<<4*6=", [-1.0] * 6, "length"), "<<4*6=", -6, "length"),
        ("", ("<<4*6=2", [-1.0] * 8, "eos"), "<<4*6=24>>", -6, None),
        # Without a value.
        ("", ("<<1/0=3>>", [-1.0] * 10, "eos"), "<<1/0=3>>", -10, "eos"),
    ],
)
def test_what_comes_of_a_choice(byte_tokenizer, draft, choice, text, logprob, stop):
    result, written = added(byte_tokenizer, draft, choice, rounds=int(bool(draft)))
    assert written == text
    if stop is None:
        assert isinstance(result, Draft)
        assert len(result.token_ids) == len(result.drawn)
        assert result.rounds == 1 + bool(draft)
        assert math.fsum(each.logprob for each in result.drawn) == logprob
    else:
        assert (result.text, result.logprob, result.stop) == (text, logprob, stop)


def test_without_the_calculator_nothing_is_touched(byte_tokenizer):
    choice = ("<<4*6=25>>", [-1.0] * 11, "eos")
    result, _ = added(byte_tokenizer, "", choice, calculator=False)
    assert (result.text, result.logprob, result.stop) == ("<<4*6=25>>", -11, "eos")


@pytest.mark.parametrize(("limit", "text"), [(8, "<<4*6=24"), (6, "<<4*6="), (10, "<<4*6=24>>")])
def test_the_limit_cuts_what_the_calculator_writes(byte_tokenizer, limit, text):
    choice = ("<<4*6=99>>..", [-1.0] * 12, "length")
    result, _ = added(byte_tokenizer, "", choice, limit=limit)
    assert result == Sample(text, byte_tokenizer(text)["input_ids"], -6, "length")


@pytest.mark.parametrize(
    ("draft", "choice", "stop", "text", "logprob"),
    [
        # What the model wrote ends in the stop text, and the calculator would have written it too.
        ("", ("<<5+6=11>>", [-1.0] * 10, "stop"), ["1>>"], "<<5+6=1", -6),
        # The stop text stands in what the calculator wrote, …
        ("", ("<<5+6=12>>..", [-1.0] * 12, "length"), ["1>>"], "<<5+6=1", -6),
        # … or begins there and ends in what follows.
        ("<<5+6=11>>", (".b.", [-1.0] * 4, "eos"), [">.b"], "<<5+6=11>", -12),
        # The one that is whole first.
        ("<<5+6=11>>", (".b.", [-1.0] * 4, "eos"), [">.b.", ">."], "<<5+6=11>", -11),
    ],
)
def test_stop_texts(byte_tokenizer, draft, choice, stop, text, logprob):
    if choice[2] == "stop":  # servers leave the stop text out of the text, not of the tokens
        ids = byte_tokenizer(choice[0])["input_ids"]
        told = Choice(choice[0][: choice[0].index(stop[0])], ids, choice[1], "stop")
        result = Continuing(byte_tokenizer).add(Draft(), told, calculator=True, stop=stop, limit=50)
    else:
        result, _ = added(byte_tokenizer, draft, choice, stop, rounds=int(bool(draft)))
    assert result == Sample(text, byte_tokenizer(text)["input_ids"], logprob, "stop")


@pytest.mark.parametrize("logprobs", [None, [-1.0] * 3])
def test_log_probabilities_that_belong_to_no_token_known(logprobs):
    """Summed up where nothing was calculated, not known where something was."""
    tokenizer = load_tokenizer(ModelConfig())
    continuing = Continuing(tokenizer)

    def of(text):
        choice = Choice(text, None, logprobs, "eos")
        return continuing.add(Draft(), choice, calculator=True, stop=[], limit=50)

    plain = of(" I am 2+2=4.")
    assert plain.token_ids == tokenizer(" I am 2+2=4.")["input_ids"]
    assert plain.logprob == -3 if logprobs else math.isnan(plain.logprob)
    assert math.isnan(of(" <<2+2=4>>").logprob)
    assert tokenizer.decode(of(" <<2+2=5>>").token_ids) == " <<2+2=4>>"


def test_seeds():
    assert seed_of(0, "p/cot", 3) == seed_of(0, "p/cot", 3, 0)
    seeds = {seed_of(0, "p/cot", i, r) for i in range(30) for r in range(30)}
    assert len(seeds) == 900
    assert all(0 <= seed < 2**31 for seed in seeds)


# The distribution


def continued(local, request, params):
    """The samples of a request, by an engine that knows no calculator; rounds in one batch each."""
    continuing = Continuing(local.tokenizer)
    drafts = {i: Draft() for i in range(request.first, request.first + request.count)}
    found = {}
    while drafts:
        asked = [
            Request(request.prompt_ids + draft.token_ids, 1, f"{i} {draft.rounds}")
            for i, draft in drafts.items()
        ]
        left = {i: params.max_new_tokens - len(draft.token_ids) for i, draft in drafts.items()}
        longest = max(left.values())
        completions = local.sample(
            asked, SamplingParams(params.temperature, max_new_tokens=longest, seed=params.seed)
        )
        names, before = list(drafts), dict(drafts)
        for c in completions:
            name = names[c.request]
            ids, ended = c.token_ids, c.stop
            if len(ids) + (ended == "eos") > left[name]:
                ids, ended = ids[: left[name]], "length"
            choice = Choice(local.tokenizer.decode(ids), ids, None, ended)
            result = continuing.add(
                before[name], choice, calculator=True, stop=[], limit=params.max_new_tokens
            )
            if isinstance(result, Draft):
                assert len(result.token_ids) > len(before[name].token_ids)
                drafts[name] = result
            else:
                found[name] = result
                del drafts[name]
    return found


def test_the_distribution_is_that_of_an_engine_that_halts(arithmetician, byte_tokenizer):
    lm = arithmetician(byte_tokenizer, BYTES)
    engine = TransformersEngine(lm, byte_tokenizer)
    params = SamplingParams(temperature=1.0, max_new_tokens=10, seed=1)
    request = Request([5, 9, 7], 5000, "p", calculator=True)
    halting = Counter(c.text for c in engine.sample([request], params))
    checked = Counter(s.text for s in continued(engine, request, params).values())
    assert sum(n for text, n in checked.items() if re.search(r"<<1[1+]*=\d+>>", text)) > 100

    # Classes of texts: up to the first result, and the character that follows it.
    def classes(counts):
        found = Counter()
        for text, n in counts.items():
            result = re.search(r"<<1[1+]*=\d+>>.?", text)
            found[result[0] if result else f"{text[:2]}…"] += n
        return found

    one, two = classes(halting), classes(checked)
    common = [k for k in one | two if one[k] + two[k] >= 20]
    rare = [sum(c.values()) - sum(c[k] for k in common) for c in (one, two)]
    table = [[c[k] for k in common] + [r] for c, r in zip((one, two), rare, strict=True)]
    assert len(common) > 8
    assert stats.chi2_contingency(table).pvalue > 0.001


# Behind a server


def answering(lm, tokenizer, *, fault=0.0, text_only=False):
    """A server's answers, by the model in process."""
    local, lock, draw = TransformersEngine(lm, tokenizer), threading.Lock(), random.Random(0)

    def answer(body):
        with lock:
            if draw.random() < fault:
                return (500, {}, b"Internal Server Error")
            if text_only and isinstance(body["prompt"], list):
                return (422, {}, b'{"detail": "prompt: expected a string"}')
            prompt = body["prompt"]
            prompt = tokenizer(prompt)["input_ids"] if text_only else prompt
            params = SamplingParams(body["temperature"], max_new_tokens=body["max_tokens"])
            request = Request(prompt, body.get("n", 1), str(body["seed"]))
            return {"choices": [told(c, prompt) for c in local.sample([request], params)]}

    def told(c, prompt):
        choice = {"index": c.sample, "text": c.text, "stop_reason": None}
        choice["finish_reason"] = "length" if c.stop == "length" else "stop"
        if not text_only:
            choice["token_ids"] = c.token_ids + [tokenizer.eos_token_id] * (c.stop == "eos")
            choice["logprobs"] = {"token_logprobs": scores(lm, prompt, choice["token_ids"])}
        return choice

    return answer


def scores(lm, prompt, ids):
    with torch.inference_mode():
        logits = lm(input_ids=torch.tensor([prompt + ids])).logits[0].double()
    values = torch.log_softmax(logits, -1)[len(prompt) - 1 :]
    return [float(values[i, token]) for i, token in enumerate(ids)]


def results_in(text):
    """Where results are due in a text, and what the calculator writes there; only whole ones."""
    found, at = [], 0
    while (at := text.find("=", at) + 1) > 0:
        result = continue_with(text[:at])
        if result is not None:
            found.append((at, result))
            at += len(result)
    return found


@pytest.mark.parametrize("fault", [0.0, 0.2])
def test_a_servers_samples(arithmetician, byte_tokenizer, model_server, engine_for, fault):
    lm = arithmetician(byte_tokenizer, BYTES)
    server = model_server(answering(lm, byte_tokenizer, fault=fault))
    engine = engine_for(server, samples_per_request=8, in_flight=4, retries=20)
    prompts = {"a": [5, 9, 7, 30], "b": [3, 8], "c": [40] * 9}
    requests = [Request(ids, 30, k, first=7, calculator=k != "c") for k, ids in prompts.items()]
    params = SamplingParams(temperature=1.2, max_new_tokens=60, seed=1)
    found = list(engine.sample(requests, params))
    assert Counter((c.request, c.sample) for c in found) == Counter(
        (n, i) for n in range(3) for i in range(7, 37)
    )
    assert sum(len(results_in(c.text)) for c in found if c.request < 2) > 15
    for c in found:
        assert c.text == byte_tokenizer.decode(c.token_ids)
        ids = c.token_ids + [0] * (c.stop == "eos")
        assert len(ids) <= 60
        assert c.stop == "eos" or len(ids) == 60
        told = scores(lm, requests[c.request].prompt_ids, ids)
        for at, result in results_in(c.text) if c.request < 2 else []:
            assert result.startswith(c.text[at : at + len(result)])
            assert len(c.text) == 60 or c.text[at:].startswith(result)
            told[at : at + len(result)] = [0.0] * len(c.text[at : at + len(result)])
        assert c.logprob == pytest.approx(math.fsum(told), abs=1e-3)
    # Each round of each sample has a seed of its own.
    if not fault:
        assert len({body["seed"] for body in server.requests}) == len(server.requests)
        again = [body for body in server.requests if body["prompt"] not in prompts.values()]
        assert len(again) > 15
        assert all("n" not in body for body in again)
        for body in again:
            prompt = next(p for p in prompts.values() if body["prompt"][: len(p)] == p)
            assert body["max_tokens"] == 60 - (len(body["prompt"]) - len(prompt))


def test_a_server_of_texts_alone(arithmetician, byte_tokenizer, model_server, engine_for):
    lm = arithmetician(byte_tokenizer, BYTES)
    server = model_server(answering(lm, byte_tokenizer, text_only=True))
    engine = engine_for(server, samples_per_request=1)
    prompt = byte_tokenizer("2+2 =")["input_ids"]
    params = SamplingParams(temperature=1.2, max_new_tokens=40)
    found = list(engine.sample([Request(prompt, 40, "p", calculator=True)], params))
    assert len({c.sample for c in found}) == len(found) == 40
    again = [b["prompt"] for b in server.requests if len(b["prompt"]) > 5 and "logprobs" in b]
    assert all(isinstance(text, str) and text.startswith("2+2 =") for text in again)
    texts = [text for text in again if isinstance(text, str)]
    assert any(re.search(r"<<1[1+]*=\d+>>\Z", text) for text in texts)
    for c in found:
        assert c.token_ids == byte_tokenizer(c.text)["input_ids"]
        assert math.isnan(c.logprob)
        for at, result in results_in(c.text):
            assert result.startswith(c.text[at : at + len(result)])


def test_chats_cannot_be_gone_on_with(model_server, engine_for):
    engine = engine_for(model_server(), api="chat")
    with pytest.raises(UserError, match=r"sampling\.calculator: .*engine\.server\.api=completions"):
        list(engine.sample([Request([9], 1, "p", calculator=True)], SamplingParams()))

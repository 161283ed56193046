"""The engine `server` against servers that fail in every way: each sample comes exactly once."""

import asyncio
import email.utils
import json
import logging
import math
import random
import threading
import time

import httpx2
import pytest

from assay.generator.engines import EngineConfig, Request, SamplingParams, ServerConfig, make_engine
from assay.generator.engines.connection import retry_after
from assay.generator.engines.hf import TransformersEngine
from assay.generator.engines.server import ServerEngine
from assay.generator.models import ModelConfig, load_model, load_tokenizer
from assay.settings.errors import UserError
from tests.model_server import written

PROMPTS = [[40 + i, 50 + i, 60] for i in range(5)]
PARAMS = SamplingParams(max_new_tokens=50)


def requests_of(count, first=0):
    return [Request(ids, count, f"p{i}", first) for i, ids in enumerate(PROMPTS)]


def collected(engine, requests, params=PARAMS):
    """Completions by (request, sample): each came once, with a text of its own prompt's."""
    found = {}
    for completion in engine.sample(requests, params):
        key = completion.request, completion.sample
        assert key not in found
        found[key] = completion
        prompt, number = completion.text.split("#")
        assert json.loads(prompt) == requests[completion.request].prompt_ids
        assert number.isdigit()
    asked = {(n, i) for n, r in enumerate(requests) for i in range(r.first, r.first + r.count)}
    assert set(found) == asked
    assert len({c.text for c in found.values()}) == len(found)
    return found


def broken(kind, body, numbers):
    """A reply that is wrong in the way `kind`."""
    reply = written(body, numbers)
    choices = reply["choices"]
    if kind == "half the choices":
        reply["choices"] = choices[: max(1, len(choices) // 2)]
    elif kind == "too many":
        reply["choices"] += written(body | {"n": 3}, numbers)["choices"]
        for index, choice in enumerate(reply["choices"]):
            choice["index"] = index
    elif kind == "twice the same index":
        reply["choices"] = [*choices, *choices]
    elif kind == "none":
        reply["choices"] = []
    elif kind == "no text in some":
        for choice in choices[1:]:
            del choice["text"]
    elif kind == "not ended":
        for choice in choices:
            choice["finish_reason"] = "error"
    elif kind == "a list":
        return (200, {}, json.dumps([reply]).encode())
    elif kind == "null choices":
        reply["choices"] = None
    return reply


STATUS = {
    "429": (429, {"Retry-After": "0"}, b'{"error": {"message": "slow down"}}'),
    "500": (500, {}, b"Internal Server Error"),
    "503": (503, {}, b'{"error": "busy"}'),
    "malformed": (200, {}, b'{"choices": [{"text": "a'),
    "html": (200, {}, b"<html>gateway</html>"),
    "not utf-8": (200, {}, b"\xff\xfe\x00"),
}
BROKEN = (
    "half the choices",
    "too many",
    "twice the same index",
    "none",
    "no text in some",
    "not ended",
    "a list",
    "null choices",
)


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("fault", [*STATUS, "cut", *BROKEN])
def test_every_sample_comes_once_whatever_goes_wrong(model_server, engine_for, fault, n):
    draw, lock = random.Random(0), threading.Lock()

    def answer(body):
        with lock:
            wrong = draw.random() < 0.3
        if not wrong:
            return written(body, server.numbers)
        if fault in STATUS or fault == "cut":
            return STATUS.get(fault, "cut")
        return broken(fault, body, server.numbers)

    server = model_server(answer)
    engine = engine_for(server, samples_per_request=n, in_flight=4, retries=12)
    collected(engine, requests_of(9))
    if fault in STATUS or fault == "cut":
        assert len(server.requests) > 45 / n


def test_a_hanging_request_is_given_up_and_asked_again(model_server, engine_for):
    hung = threading.Event()

    def answer(body):
        if not hung.is_set():
            hung.set()
            return "hang"
        return written(body, server.numbers)

    server = model_server(answer)
    engine = engine_for(server, timeout_seconds=0.5)
    start = time.monotonic()
    collected(engine, requests_of(4))
    assert 0.5 <= time.monotonic() - start < 60


def test_a_dead_servers_work_goes_to_the_others_until_it_is_back(model_server, engine_for):
    died = threading.Event()

    joined = threading.Event()

    def waits(body):
        """The last work is there until the other is back."""
        if len(other.requests) > 100:
            joined.wait(60)
        return slow(body)

    def slow(body):
        time.sleep(0.02)
        return written(body, other.numbers)

    def dies(body):
        if len(mortal.requests) > 5:
            died.set()
            return "hang"
        return slow(body)

    def joins(body):
        if len(back[0].requests) > 5:
            joined.set()
        return slow(body)

    other = model_server(waits)
    mortal = model_server(dies, numbers=other.numbers)
    back = []

    def revive():
        died.wait()
        mortal.close()
        time.sleep(0.2)
        back.append(model_server(joins, port=mortal.port, numbers=other.numbers))

    reviver = threading.Thread(target=revive)
    reviver.start()
    engine = engine_for(other, mortal, samples_per_request=1, in_flight=2)
    collected(engine, requests_of(40))
    reviver.join()
    assert len(mortal.requests) > 5
    assert joined.is_set()
    assert len(other.requests) > 50


def test_a_single_server_that_dies_is_waited_for(model_server, engine_for):
    died = threading.Event()

    def dies(body):
        if len(mortal.requests) > 5:
            died.set()
            return "hang"
        return written(body, mortal.numbers)

    mortal = model_server(dies)

    def revive():
        died.wait()
        mortal.close()
        time.sleep(0.3)
        model_server(port=mortal.port, numbers=mortal.numbers)

    reviver = threading.Thread(target=revive)
    reviver.start()
    collected(engine_for(mortal, samples_per_request=1, in_flight=8), requests_of(8))
    reviver.join()


def test_a_server_that_was_down_at_first_joins(model_server, engine_for, byte_tokenizer):
    def slow(body):
        time.sleep(0.02)
        return written(body, up.numbers)

    up = model_server(slow)
    late = model_server(slow, numbers=up.numbers)
    late.healthy = False
    engine = engine_for(late, up, samples_per_request=1, in_flight=1)
    late.healthy = True
    collected(engine, requests_of(10))
    assert late.requests
    late.close()
    up.healthy = False
    with pytest.raises(UserError, match=r"127.0.0.1:\d+/v1.*is it running\?"):
        engine_for(late, up)


def test_where_all_servers_stay_down(model_server, engine_for):
    server = model_server()
    engine = engine_for(server, retries=3)
    server.close()
    with pytest.raises(UserError, match=r"no server answers, after 4 tries: http://127.0.0.1"):
        collected(engine, requests_of(2))


def test_a_request_that_always_fails_is_named(model_server, engine_for):
    def answer(body):
        if body["prompt"] == PROMPTS[3]:
            return STATUS["500"]
        return written(body, server.numbers)

    server = model_server(answer)
    with pytest.raises(
        UserError, match=r"p3: given up after 3 tries: .* 500 Internal Server Error"
    ):
        collected(engine_for(server, retries=2, in_flight=2), requests_of(4))


def test_failures_count_only_in_a_row(model_server, engine_for):
    def answer(body):
        return STATUS["503"] if len(server.requests) % 3 == 0 else written(body, server.numbers)

    server = model_server(answer)
    collected(engine_for(server, retries=1, in_flight=1, samples_per_request=1), requests_of(4))
    assert len(server.requests) == 29


@pytest.mark.parametrize("status", [400, 401, 404, 307])
def test_what_will_not_go_away_is_told_at_once_without_the_key(
    model_server, engine_for, monkeypatch, caplog, status
):
    key = "sk-very-secret-123"
    monkeypatch.setenv("MY_KEY", key)
    caplog.set_level(logging.DEBUG)
    told = json.dumps({"error": {"message": f"the key {key}\nor model is wrong"}}).encode()
    server = model_server(lambda body: (status, {}, told))
    engine = engine_for(server, key_variable="MY_KEY", samples_per_request=1)
    with pytest.raises(UserError) as caught:
        collected(engine, requests_of(4))
    assert f"/v1: {status} the key *** or model is wrong" in str(caught.value)
    assert {h["Authorization"] for h in server.headers} == {f"Bearer {key}"}
    error: BaseException | None = caught.value
    while error is not None:
        assert key not in f"{error!r}{vars(error)}"
        error = error.__cause__ or error.__context__
    assert key not in caplog.text
    assert key not in f"{engine._config}{engine._connection.nodes}"


def test_a_missing_key_is_hinted_at(model_server, engine_for):
    server = model_server(lambda body: (401, {}, b'{"error": "who are you"}'))
    with pytest.raises(UserError, match=r"401 who are you \(no key is set in OPENAI_API_KEY\)"):
        collected(engine_for(server), requests_of(1))
    assert "Authorization" not in server.headers[0]


def test_retry_after_is_obeyed(model_server, engine_for):
    times = []

    def answer(body):
        times.append(time.monotonic())
        if len(times) == 1:
            return (429, {"Retry-After": "0.7"}, b"")
        return written(body, server.numbers)

    server = model_server(answer)
    collected(engine_for(server, in_flight=1), requests_of(1))
    assert times[1] - times[0] >= 0.7


def test_retry_after_as_number_date_and_nonsense():
    def told(value):
        return retry_after(httpx2.Response(429, headers={"Retry-After": value}))

    assert told("7") == 7
    assert told("-3") == 0
    assert told("soon") == 0
    assert told("nan") == 0
    assert told("inf") == 3600
    assert 25 < told(email.utils.formatdate(time.time() + 30, usegmt=True)) <= 30
    assert told(email.utils.formatdate(time.time() - 30, usegmt=True)) == 0
    assert retry_after(httpx2.Response(429)) == 0


# What servers grant


def test_many_samples_a_request_and_what_is_sent(model_server, engine_for):
    server = model_server()
    params = SamplingParams(
        0.6, top_p=0.9, top_k=7, min_p=0.125, max_new_tokens=33, seed=5, stop=["\n\n"]
    )
    collected(engine_for(server, extra={"user": "me", "top_p": None}), requests_of(40), params)
    assert sorted(body.get("n", 1) for body in server.requests) == [8] * 5 + [16] * 10
    for body in server.requests:
        assert body["path"] == "/v1/completions"
        assert body["prompt"] in PROMPTS
        sent = {k: v for k, v in body.items() if k not in ("path", "prompt", "n", "seed")}
        assert sent == {
            "model": "tiny",
            "max_tokens": 33,
            "temperature": 0.6,
            "top_k": 7,
            "min_p": 0.125,
            "stop": ["\n\n"],
            "logprobs": 1,
            "user": "me",
        }


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("vllm", {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "return_token_ids": True}),
        ("llamacpp", {"top_k": -1, "min_p": 0.0, "repeat_penalty": 1.0, "cache_prompt": True}),
        ("sglang", {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}),
        ("system", {}),
    ],
)
def test_a_servers_own_defaults_are_put_aside(model_server, engine_for, owner, expected):
    server = model_server(models=({"id": "m", "owned_by": owner},))
    collected(engine_for(server), requests_of(1))
    body = server.requests[0]
    assert expected.items() <= body.items()
    assert ("top_k" in body) == bool(expected)


def test_a_server_that_gives_one_sample_a_request_is_asked_for_one(model_server, engine_for):
    server = model_server(lambda body: written(body, server.numbers, most=1))
    collected(engine_for(server, in_flight=1), requests_of(20))
    assert [body.get("n", 1) for body in server.requests] == [16] + [1] * 99


def test_a_server_that_refuses_many_samples_is_asked_for_fewer(model_server, engine_for):
    def answer(body):
        if body.get("n", 1) > 4:
            return (400, {}, b'{"error": {"message": "n must be at most 4"}}')
        return written(body, server.numbers)

    server = model_server(answer)
    collected(engine_for(server, in_flight=1), requests_of(20))
    assert [body.get("n", 1) for body in server.requests] == [16, 8] + [4] * 25


def test_greedy_samples_are_asked_for_one_by_one(model_server, engine_for):
    server = model_server()
    collected(engine_for(server), requests_of(3), SamplingParams(temperature=0))
    assert all("n" not in body for body in server.requests)


def test_without_log_probabilities_and_token_ids(model_server, engine_for, byte_tokenizer):
    def answer(body):
        if "logprobs" in body:
            return (403, {}, b'{"error": "no logprobs for you"}')
        if isinstance(body["prompt"], list):
            return (422, {}, b'{"detail": [{"msg": "prompt: expected a string"}]}')
        return {"choices": [{"index": 0, "text": "ok!", "finish_reason": "length"}]}

    server = model_server(answer)
    engine = engine_for(server, samples_per_request=1)
    ids = byte_tokenizer("2+2 =")["input_ids"]
    (found,) = engine.sample([Request(ids, 1, "p", first=3)], PARAMS)
    assert server.requests[-1]["prompt"] == "2+2 ="
    assert (found.sample, found.text, found.stop) == (3, "ok!", "length")
    assert found.token_ids == byte_tokenizer("ok!")["input_ids"]
    assert math.isnan(found.logprob)


def test_text_prompts_leave_the_start_token_to_the_server(model_server, byte_tokenizer):
    tokenizer = load_tokenizer(ModelConfig())
    tokenizer.bos_token = "<|reserved_0|>"
    engine = ServerEngine(ServerConfig(urls=[model_server().url]), tokenizer)
    ids = tokenizer("Two <|reserved_1|>", add_special_tokens=False)["input_ids"]
    assert engine._text([tokenizer.bos_token_id, *ids]) == "Two <|reserved_1|>"


def test_seeds_belong_to_samples(model_server, engine_for):
    def sent(requests, seed=9, **settings):
        """The prompt of each seed."""
        server = model_server()
        collected(engine_for(server, **settings), requests, SamplingParams(seed=seed))
        seeds = {body["seed"]: body["prompt"] for body in server.requests}
        assert len(seeds) == len(server.requests)
        assert all(0 <= value < 2**31 for value in seeds)
        return seeds

    narrow = sent(requests_of(4), samples_per_request=1)
    added = sent(requests_of(6, first=4), samples_per_request=1)
    wide = sent(requests_of(10)[::-1], samples_per_request=1)
    assert wide == narrow | added
    assert len(wide) == 50
    assert sent(requests_of(4), samples_per_request=4).items() < narrow.items()
    assert not sent(requests_of(4), seed=8, samples_per_request=1).keys() & narrow.keys()


def test_no_more_requests_are_in_flight_than_allowed(model_server, engine_for):
    full = threading.Event()

    def answer(body):
        if server.busy == 7:
            full.set()
        full.wait(60)
        return written(body, server.numbers)

    server = model_server(answer)
    collected(engine_for(server, samples_per_request=1, in_flight=7), requests_of(12))
    assert server.most_busy == 7


# The iterator


def test_closing_the_iterator_cancels_what_is_in_flight(model_server, engine_for):
    def answer(body):
        return written(body, server.numbers) if len(server.requests) < 4 else "hang"

    server = model_server(answer)
    samples = engine_for(server, samples_per_request=1).sample(requests_of(9), PARAMS)
    next(samples)
    start = time.monotonic()
    samples.close()
    assert time.monotonic() - start < 30


def test_it_works_inside_a_running_loop(model_server, engine_for):
    server = model_server()

    async def notebook():
        return collected(engine_for(server), requests_of(3))

    assert len(asyncio.run(notebook())) == 15


def test_nothing_asked(model_server, engine_for):
    server = model_server()
    assert list(engine_for(server).sample([], PARAMS)) == []
    assert list(engine_for(server).sample([Request([5], 0, "p")], PARAMS)) == []
    assert server.requests == []


# A model behind the server


def test_it_gives_what_the_model_gives_in_process(model_server):
    model = ModelConfig(dtype="float32")
    tokenizer = load_tokenizer(model)
    local = TransformersEngine(load_model(model), tokenizer)
    one_at_a_time = threading.Lock()

    def samples(body):
        params = SamplingParams(
            temperature=body["temperature"],
            top_p=body["top_p"],
            max_new_tokens=body["max_tokens"],
            stop=body.get("stop", []),
        )
        request = Request(body["prompt"], body.get("n", 1), str(body["seed"]))
        with one_at_a_time:
            return sorted(local.sample([request], params), key=lambda c: c.sample)

    def answer(body):
        choices = []
        for c in samples(body):
            ids = c.token_ids + [tokenizer.eos_token_id] * (c.stop == "eos")
            reason = "length" if c.stop == "length" else "stop"
            about = {"stop_reason": body["stop"][0] if c.stop == "stop" else None}
            values = {"token_logprobs": [c.logprob / 2, c.logprob / 2]}
            choices.append(
                {"index": c.sample, "text": c.text, "token_ids": ids, "finish_reason": reason}
                | {"logprobs": values}
                | about
            )
        return {"choices": choices[::-1]}

    server = model_server(answer, models=({"id": "embedded", "owned_by": "vllm"},))
    config = EngineConfig(name="server", server=ServerConfig(urls=[server.url]))
    engine = make_engine(config, model)
    questions = ["Question: What is 3 + 4?\nAnswer:", "Question: Tom has 5 apples."]
    requests = [
        Request(tokenizer(q, add_special_tokens=False)["input_ids"], 6, q) for q in questions
    ]
    params = SamplingParams(temperature=0.9, max_new_tokens=24, stop=[" = "])
    found = {(c.request, c.sample): c for c in engine.sample(requests, params)}
    assert len(found) == 12
    assert {c.stop for c in found.values()} > {"length"}
    for body in server.requests:
        name = [r.prompt_ids for r in requests].index(body["prompt"])
        for expected in samples(body):
            completion = found[name, expected.sample]
            assert (completion.text, completion.token_ids, completion.stop) == (
                expected.text,
                expected.token_ids,
                expected.stop,
            )
            assert completion.logprob == pytest.approx(expected.logprob)

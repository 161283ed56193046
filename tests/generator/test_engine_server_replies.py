"""The engine `server`: what replies mean, which model it is, and settings out of range."""

import json
import math

import pytest

from assay.generator.engines import EngineConfig, Request, SamplingParams, ServerConfig, make_engine
from assay.generator.engines.connection import model_name
from assay.generator.engines.server import ServerEngine
from assay.generator.models import ModelConfig
from assay.settings.errors import UserError

PARAMS = SamplingParams(max_new_tokens=50)

# Replies of real servers, shortened


REPLIES = {
    "vllm": (
        {
            "index": 0,
            "text": "AB",
            "logprobs": {"token_logprobs": [-0.5, -0.25, -1.0], "tokens": ["A", "B", "</s>"]},
            "finish_reason": "stop",
            "stop_reason": None,
            "token_ids": [34, 35, 0],
        },
        ("AB", [34, 35], -1.75, "eos"),
    ),
    "vllm, stop text": (
        {
            "text": "A",
            "logprobs": {"token_logprobs": [-0.5, -0.25, -1.0]},
            "finish_reason": "stop",
            "stop_reason": "BC",
            "token_ids": [34, 35, 36],
        },
        ("A", [34], -1.75, "stop"),
    ),
    "llama.cpp": (
        {
            "text": "AB",
            "index": 0,
            "logprobs": {
                "content": [
                    {"id": 34, "token": "A", "logprob": -0.5},
                    {"id": 35, "token": "B", "logprob": -0.25},
                    {"id": 0, "token": "", "logprob": -1.0},
                ]
            },
            "finish_reason": "stop",
        },
        ("AB", [34, 35], -1.75, "eos"),
    ),
    "llama.cpp, a stop text within a token": (
        {
            "text": "AB",
            "logprobs": {"content": [{"id": 34, "logprob": -0.5}]},
            "finish_reason": "stop",
        },
        ("AB", [34, 35], -0.5, "stop"),
    ),
    "llama.cpp, nothing but a stop text": (
        {"text": "", "index": 0, "logprobs": None, "finish_reason": "stop"},
        ("", [], math.nan, "stop"),
    ),
    "sglang": (
        {"text": "AB", "logprobs": None, "finish_reason": "stop", "matched_stop": 0},
        ("AB", [34, 35], math.nan, "eos"),
    ),
    "an unknown log-probability": (
        {"text": "A", "logprobs": {"token_logprobs": [None, -1.0]}, "finish_reason": "length"},
        ("A", [34], math.nan, "length"),
    ),
    "chat": (
        {
            "message": {"role": "assistant", "content": "AB", "reasoning_content": None},
            "logprobs": {"content": [{"token": "AB", "logprob": -2.0}]},
            "finish_reason": "length",
        },
        ("AB", [34, 35], -2.0, "length"),
    ),
    "chat, still thinking": (
        {
            "message": {"role": "assistant", "content": None, "reasoning_content": "AB"},
            "finish_reason": "length",
        },
        ("<think>AB", None, math.nan, "length"),
    ),
}


@pytest.mark.parametrize("name", REPLIES)
def test_what_replies_mean(model_server, engine_for, name):
    choice, (text, ids, logprob, stop) = REPLIES[name]
    server = model_server(lambda body: {"choices": [choice]})
    params = SamplingParams(stop=["BC"])
    (found,) = engine_for(server).sample([Request([9], 1, "p")], params)
    assert (found.text, found.stop) == (text, stop)
    assert ids is None or found.token_ids == ids
    assert found.logprob == pytest.approx(logprob, nan_ok=True)


# What was thought is kept apart


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            {"content": "12 apples", "reasoning_content": "so the answer is 4"},
            "<think>so the answer is 4</think>\n12 apples",
        ),
        ({"content": "12", "reasoning": "4"}, "<think>4</think>\n12"),
        (
            {"content": "12", "reasoning_content": "4", "reasoning": "4"},
            "<think>4</think>\n12",
        ),
        ({"content": "12", "reasoning_content": "<think>4</think>"}, "<think>4</think>\n12"),
        ({"content": "12", "reasoning_content": ""}, "12"),
        ({"content": "12", "reasoning": {"effort": "low"}}, "12"),
        ({"content": "", "reasoning_content": "so 4"}, "<think>so 4"),
        ({"content": None, "reasoning": "so 4"}, "<think>so 4"),
        ({"reasoning_content": "so 4"}, "<think>so 4"),
        ({"content": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]}, "12"),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "so 4"}]},
                    {"type": "text", "text": "12"},
                ]
            },
            "<think>so 4</think>\n12",
        ),
        ({"content": None}, ""),
        ({"content": None, "tool_calls": [{"id": "t"}]}, ""),
        ({"content": None, "refusal": "I cannot."}, ""),
        ({"content": "half \ud83d a pair"}, "half \ufffd a pair"),
        ({"content": "12", "reasoning_content": "\udc00"}, "<think>\ufffd</think>\n12"),
    ],
)
@pytest.mark.parametrize("reason", ["stop", "length"])
def test_messages(message, expected, reason, model_server, engine_for):
    choice = {"message": {"role": "assistant", **message}, "finish_reason": reason}
    server = model_server(lambda body: {"choices": [choice]})
    (found,) = engine_for(server, api="chat").sample([Request([9], 1, "p")], PARAMS)
    assert found.text == expected
    assert found.stop == ("eos" if reason == "stop" else "length")


# Why a reply ended


@pytest.mark.parametrize(
    ("ended", "stop"),
    [
        ({"finish_reason": "stop"}, "eos"),
        ({"finish_reason": "eos_token"}, "eos"),
        ({"finish_reason": None}, "eos"),
        ({}, "eos"),
        ({"finish_reason": "tool_calls"}, "eos"),
        ({"finish_reason": "function_call"}, "eos"),
        ({"finish_reason": "end_turn"}, "eos"),
        ({"finish_reason": "stop_sequence"}, "stop"),
        ({"finish_reason": None, "stop_reason": "BC"}, "stop"),
        ({"finish_reason": "length"}, "length"),
        ({"finish_reason": "max_tokens"}, "length"),
    ],
)
def test_the_text_is_taken_whatever_ended_it(ended, stop, model_server, engine_for):
    server = model_server(lambda body: {"choices": [{"text": "AB", **ended}]})
    (found,) = engine_for(server).sample([Request([9], 1, "p")], PARAMS)
    assert (found.text, found.stop) == ("AB", stop)
    assert len(server.requests) == 1


@pytest.mark.parametrize("reason", ["abort", "error", "cancelled", 7])
def test_a_broken_reply_is_asked_for_again(reason, model_server, engine_for):
    def answer(body):
        ended = reason if len(server.requests) == 1 else "stop"
        return {"choices": [{"text": "AB", "finish_reason": ended}]}

    server = model_server(answer)
    (found,) = engine_for(server).sample([Request([9], 1, "p")], PARAMS)
    assert (found.text, len(server.requests)) == ("AB", 2)


REFUSED = {"error": {"code": "content_filter", "message": "The prompt was filtered."}}


@pytest.mark.parametrize(
    "filtered",
    [
        {"choices": [{"text": "The answer is 4", "finish_reason": "content_filter"}]},
        {"choices": [{"text": None, "finish_reason": "content_filter"}]},
        {"choices": [{"finish_reason": "content_filter"}]},
        {"choices": [{"message": {"content": "4"}, "finish_reason": "content_filter"}]},
        {"choices": [{"message": {}, "finish_reason": "content_filter"}]},
        (400, {}, json.dumps(REFUSED).encode()),
    ],
)
def test_a_filtered_reply_is_a_candidate_without_an_answer(
    filtered, model_server, engine_for, caplog
):
    whole = {"choices": [{"text": "AB", "finish_reason": "stop"}]}
    server = model_server(lambda body: filtered if body["prompt"] == [8] else whole)
    requests = [Request([8], 1, "p"), Request([9], 1, "q")]
    found = sorted(engine_for(server).sample(requests, PARAMS), key=lambda each: each.request)
    assert [(each.text, each.stop) for each in found] == [("", "content_filter"), ("AB", "eos")]
    assert found[0].token_ids == []
    assert math.isnan(found[0].logprob)
    (told,) = [r.getMessage() for r in caplog.records if "withheld" in r.getMessage()]
    assert "1 replies were withheld by the server (content_filter)" in told


def test_another_refusal_still_ends_the_command(model_server, engine_for):
    refusal = json.dumps({"error": {"code": "bad", "message": "no content_filter here"}})
    server = model_server(lambda body: (400, {}, refusal.encode()))
    with pytest.raises(UserError, match="400 no content_filter here"):
        list(engine_for(server).sample([Request([9], 1, "p")], PARAMS))


# Numbers and texts that JSON can write


@pytest.mark.parametrize(
    "logprobs", [[10**400], [math.inf, -math.inf], [math.nan], ["-1"], [None], [True, []]]
)
def test_log_probabilities_that_are_none(logprobs, model_server, engine_for):
    choice = {"text": "A", "finish_reason": "stop", "logprobs": {"token_logprobs": logprobs}}
    server = model_server(lambda body: {"choices": [choice]})
    (found,) = engine_for(server).sample([Request([9], 1, "p")], PARAMS)
    assert found.text == "A"
    assert math.isnan(found.logprob)


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"choices": [{"text": "A", "finish_reason": "stop", "seed": ' + b"1" * 5000 + b"}]}",
        b'{"choices": [{"text": "\xff", "finish_reason": "stop"}]}',
        b"[" * 100_000,
        b"1" * 5000,
    ],
)
def test_replies_that_cannot_be_read_are_failures(body, model_server, engine_for):
    server = model_server(lambda _: (200, {}, body))
    with pytest.raises(UserError, match="a reply without one whole completion"):
        list(engine_for(server, retries=0).sample([Request([9], 1, "p")], PARAMS))
    server = model_server(lambda _: (400, {}, body))
    with pytest.raises(UserError, match=r"engine server: http.*: 400 "):
        list(engine_for(server, retries=0).sample([Request([9], 1, "p")], PARAMS))


def test_a_byte_order_mark_before_a_reply(model_server, engine_for):
    whole = json.dumps({"choices": [{"text": "AB", "finish_reason": "stop"}]}).encode()
    server = model_server(lambda _: (200, {}, b"\xef\xbb\xbf" + whole))
    (found,) = engine_for(server).sample([Request([9], 1, "p")], PARAMS)
    assert found.text == "AB"


def test_chats(model_server, engine_for):
    def answer(body):
        message = {"role": "assistant", "content": f"{len(server.requests)}"}
        return {"choices": [{"message": message, "finish_reason": "stop"}]}

    server = model_server(answer)
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "2+2?"}]
    engine = engine_for(server, api="chat")
    requests = [Request([9], 1, "a", messages=messages), Request([34, 35], 1, "b")]
    assert len(list(engine.sample(requests, PARAMS))) == 2
    assert {body["path"] for body in server.requests} == {"/v1/chat/completions"}
    assert [b["messages"] for b in sorted(server.requests, key=lambda b: -len(b["messages"]))] == [
        messages,
        [{"role": "user", "content": "AB"}],
    ]
    assert all(body["logprobs"] is True and "prompt" not in body for body in server.requests)


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_the_likeliest_are_asked_for_and_summed_up(api, model_server, engine_for):
    """As a chat has them, and as plain completions have."""
    tops = [[-0.5, -1.5], [-0.25, -2.25, -3.5]]

    def answer(body):
        if api == "chat":
            entries = [
                {"logprob": top[0], "top_logprobs": [{"logprob": v} for v in top]} for top in tops
            ]
            row = {"message": {"content": "AB"}, "logprobs": {"content": entries}}
        else:
            named = [{f"t{i}": v for i, v in enumerate(top)} for top in tops]
            told = {"token_logprobs": [top[0] for top in tops], "top_logprobs": named}
            row = {"text": "AB", "logprobs": told}
        return {"choices": [{**row, "finish_reason": "stop"}]}

    server = model_server(answer)
    params = SamplingParams(max_new_tokens=50, confidence=True)
    (found,) = engine_for(server, api=api).sample([Request([9], 1, "p")], params)
    body = server.requests[-1]
    asked = body["top_logprobs"] if api == "chat" else body["logprobs"]
    assert (asked, found.logprob) == (20, -0.75)
    assert found.free == dict.fromkeys(
        ("token_confidence", "lowest_confidence", "bottom_confidence", "tail_confidence"), 1.5
    ) | {"min_logprob": -0.375, "margin": 1.5}


def test_a_server_that_refuses_the_likeliest(model_server, engine_for, caplog):
    def answer(body):
        if body.get("logprobs", 0) > 5:
            return (400, {}, b'{"error": "logprobs: at most 5"}')
        told = {"token_logprobs": [-0.5], "top_logprobs": [{"A": -0.5, "B": -1.0}]}
        return {"choices": [{"text": "A", "finish_reason": "length", "logprobs": told}]}

    server = model_server(answer)
    params = SamplingParams(max_new_tokens=50, confidence=True)
    (found,) = engine_for(server).sample([Request([9], 1, "p")], params)
    assert [body["logprobs"] for body in server.requests] == [20, 1]
    assert (found.logprob, found.free) == (-0.5, {"min_logprob": -0.5})
    assert "no token confidence: logprobs: at most 5" in caplog.text


def test_another_models_tokenizer_is_found_out(model_server, engine_for):
    choice = {"text": "Paris", "finish_reason": "length", "token_ids": [7042, 11]}
    server = model_server(lambda body: {"choices": [choice]})
    with pytest.raises(UserError, match="tokens that are not those of the tokenizer"):
        list(engine_for(server).sample([Request([9], 1, "p")], PARAMS))


def test_positions_run_out(model_server, engine_for):
    server = model_server(models=({"id": "m", "owned_by": "vllm", "max_model_len": 10},))
    engine = engine_for(server)
    list(engine.sample([Request([9] * 7, 1, "p")], PARAMS))
    assert server.requests[0]["max_tokens"] == 3
    with pytest.raises(UserError, match="p: the prompt has 10 tokens, and the server's 10"):
        list(engine.sample([Request([9] * 10, 1, "p")], PARAMS))
    with pytest.raises(UserError, match="p: the prompt is empty"):
        list(engine.sample([Request([], 1, "p")], PARAMS))


# Which model


def test_the_models_name_is_asked_for(model_server, byte_tokenizer):
    one = model_server()
    two = model_server(models=({"id": "tiny"}, {"id": "large"}))
    other = model_server(models=({"id": "large"},))
    none = model_server(models=())
    assert model_name(ServerConfig(urls=[one.url])) == "tiny"
    assert model_name(ServerConfig(urls=[one.url], model="x")) == "x"
    with pytest.raises(UserError, match=r"serves tiny, large: give engine\.server\.model"):
        model_name(ServerConfig(urls=[two.url]))
    with pytest.raises(UserError, match=r"does not tell what it serves: give engine\.server"):
        model_name(ServerConfig(urls=[none.url]))
    with pytest.raises(UserError, match="expected one model on all servers"):
        model_name(ServerConfig(urls=[one.url, other.url]))
    engine = ServerEngine(ServerConfig(urls=[two.url, none.url], model="large"), byte_tokenizer)
    list(engine.sample([Request([9], 1, "p", first=i) for i in range(30)], PARAMS))
    assert {body["model"] for body in two.requests + none.requests} == {"large"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"urls": []}, "engine.server.urls: expected base URLs"),
        ({"urls": ["localhost:8000"]}, "localhost:8000: expected http://HOST:PORT/v1"),
        ({"urls": ["http://me:secret@host/v1"]}, "no user or password in a URL"),
        ({"api": "responses"}, "engine.server.api=responses: expected completions or chat"),
        ({"in_flight": 0}, "engine.server.in_flight=0: expected 1 or more"),
        ({"samples_per_request": 0}, "engine.server.samples_per_request=0: expected 1 or more"),
        ({"timeout_seconds": 0.0}, "engine.server.timeout_seconds=0.0: expected more than 0"),
        ({"retries": -1}, "engine.server.retries=-1: expected 0 or more"),
    ],
)
def test_settings_out_of_range(settings, message):
    config = ServerConfig(**({"urls": ["http://127.0.0.1:1"]} | settings))
    with pytest.raises(UserError, match=message) as caught:
        make_engine(EngineConfig(name="server", server=config), ModelConfig())
    assert "secret" not in str(caught.value)


def test_a_key_that_cannot_be_sent(model_server, engine_for, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "se\x07cret")
    with pytest.raises(UserError, match="OPENAI_API_KEY: expected a key of printable") as caught:
        engine_for(model_server())
    assert "cret" not in str(caught.value)

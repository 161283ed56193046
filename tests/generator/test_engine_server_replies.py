"""The engine `server`: what replies mean, which model it is, and settings out of range."""

import math

import pytest

from generator.engines import EngineConfig, Request, SamplingParams, ServerConfig, make_engine
from generator.engines.connection import model_name
from generator.engines.server import ServerEngine
from generator.models import ModelConfig
from problems.errors import UserError

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
        ("AB", [34, 35], math.nan, "length"),
    ),
}


@pytest.mark.parametrize("name", REPLIES)
def test_what_replies_mean(model_server, engine_for, name):
    choice, (text, ids, logprob, stop) = REPLIES[name]
    server = model_server(lambda body: {"choices": [choice]})
    params = SamplingParams(stop=["BC"])
    (found,) = engine_for(server).sample([Request([9], 1, "p")], params)
    assert (found.text, found.token_ids, found.stop) == (text, ids, stop)
    assert found.logprob == pytest.approx(logprob, nan_ok=True)


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

"""What the stage `sample` asks of an engine."""

import pytest

from generator.engines import Completion, EngineConfig, SamplingParams
from generator.models import EMBEDDED, ModelConfig
from problems.problem import Problem
from problems.prompts import PromptConfig, Prompter
from search.sampling import SampleConfig, _shapes, sample_candidates


class Recorder:
    """An engine that keeps the requests and answers each of them."""

    def __init__(self):
        self.requests = []

    def sample(self, requests, params):
        self.requests += requests
        for i, request in enumerate(requests):
            yield Completion(i, request.first, " 3 << 2", [7, 8], -1.5, "eos")


class Characters:
    """A tokenizer of characters."""

    eos_token_id = 0

    def __call__(self, text, add_special_tokens):
        return {"input_ids": [ord(character) for character in text]}


@pytest.mark.parametrize("calculator", [False, True])
def test_only_words_have_a_calculator(calculator):
    engine = Recorder()
    prompter = Prompter(PromptConfig(form="plain"), Characters())
    problems = [Problem(id="p1", question="1 + 1?"), Problem(id="p2", question="2 + 2?")]
    params = SamplingParams(calculator=calculator)
    found = list(sample_candidates(engine, prompter, problems, {"cot": 1, "pot": 1}, params))
    assert {(r.key, r.calculator) for r in engine.requests} == {
        ("p1/cot", calculator),
        ("p2/cot", calculator),
        ("p1/pot", False),
        ("p2/pot", False),
    }
    assert [c.tokens for c in found] == [3] * 4


def test_a_server_has_the_shape_of_the_model_that_was_named():
    embedded = _shapes(SampleConfig())
    assert embedded[""]["family"] == "llama"
    server = SampleConfig(engine=EngineConfig(name="server"))
    assert _shapes(server) == {}  # a default tokenizer says nothing of what is served
    server.generator = ModelConfig(name=str(EMBEDDED))
    assert _shapes(server) == embedded

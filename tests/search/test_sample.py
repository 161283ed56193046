"""What the stage `sample` asks of an engine."""

import pytest

from assay.generator.candidates import sample_candidates
from assay.generator.engines import Completion, EngineConfig, SamplingParams
from assay.generator.models import EMBEDDED, ModelConfig
from assay.pools.run import Run
from assay.problems.problem import Problem, Solution
from assay.problems.prompts import PromptConfig, Prompter, Shot, Shots
from assay.problems.shots import FewShotConfig
from assay.search.stages.mixture import Origin, prompt_of
from assay.search.stages.sample import _shape, _with_confidence, sampling_key
from assay.search.stages.train import VerifierTrainingConfig
from assay.settings.errors import UserError
from assay.settings.schema import load
from tests.search.characters import Characters


class Recorder:
    """An engine that keeps the requests and answers each of them."""

    def __init__(self):
        self.requests = []

    def sample(self, requests, params):
        self.requests += requests
        self.stop = params.stop
        for i, request in enumerate(requests):
            yield Completion(i, request.first, " 3 << 2", [7, 8], -1.5, "eos")


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


SHOTS = Shots(1, {"cot": (Shot(Problem("s", "2 + 2?", solutions=(Solution("cot", "4"),)), "4"),)})


def test_examples_stand_in_the_prompt_and_end_the_sample():
    engine = Recorder()
    prompter = Prompter(PromptConfig(form="plain"), Characters(), SHOTS)
    problem = Problem(id="p1", question="1 + 1?")
    params = SamplingParams(stop=["\n\n\n"])
    list(sample_candidates(engine, prompter, [problem], {"cot": 1}, params))
    (request,) = engine.requests
    text = "".join(map(chr, request.prompt_ids))
    assert text == "Question: 2 + 2?\nAnswer: 4\n\nQuestion: 1 + 1?\nAnswer:"
    assert engine.stop == ["\n\n\n", "\nQuestion:"]
    assert params.stop == ["\n\n\n"]


def test_examples_are_part_of_the_key_by_their_content():
    origin = Origin(generator=ModelConfig(name="embedded"), prompt=FewShotConfig(form="plain"))
    plain = sampling_key(origin, None, 8)
    # Runs from before there were examples have this key.
    assert set(plain["prompt"]) == {"form", "template", "system", "pot_suffix"}
    origin.prompt.shots = 1
    key = sampling_key(origin, SHOTS, 8)
    assert key["prompt"] == plain["prompt"] | {
        "shots": 1, "shots_seed": 0, "shots_annotations": "strip", "shots_digest": SHOTS.digest()
    }  # fmt: skip
    origin.prompt.shots_from.path = "moved"
    assert sampling_key(origin, SHOTS, 8) == key


def test_free_scores_are_in_the_key_where_they_are_recorded():
    origin = Origin(generator=ModelConfig(name="embedded"), prompt=FewShotConfig(form="plain"))
    keys = {}
    for confidence in (None, False, True):
        origin.sampling.confidence = confidence
        keys[confidence] = sampling_key(origin, None, 8)
    # Runs from before there were free scores have this key.
    assert "confidence" not in keys[None]["sampling"]
    assert keys[False] == keys[None]
    assert keys[True]["sampling"] == keys[None]["sampling"] | {"confidence": True}


@pytest.mark.parametrize("engine", ["transformers", "vllm", "server"])
@pytest.mark.parametrize("asked", [None, False, True])
@pytest.mark.parametrize("begun", [None, False, True])
def test_whether_free_scores_are_recorded(engine, asked, begun, tmp_path):
    """As asked; else as the run was begun; else as the engine has it."""
    opened = Run.open_or_create(tmp_path / "run", [Problem("a", "1 + 1?", "2")])
    origin = Origin(engine=EngineConfig(name=engine))
    if begun is not None:
        origin.sampling.confidence = begun
        opened.register("candidates", {"sampling": origin.sampling.key()}, {})
    origin.sampling.confidence = asked
    expected = asked if asked is not None else begun
    expected = engine == "transformers" if expected is None else expected
    assert _with_confidence(origin, opened, "").sampling.confidence is expected


def test_a_generators_own_form_keeps_the_examples(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    record = '{"prompt": {"form": "plain", "template": "", "system": "", "pot_suffix": "!"}}'
    (tmp_path / "assay.json").write_text(record)
    found = prompt_of(ModelConfig(name=str(tmp_path)), FewShotConfig(form="auto", shots=3))
    assert found == FewShotConfig(form="plain", pot_suffix="!", shots=3)


def test_verifiers_read_the_plain_question():
    with pytest.raises(UserError, match=r"prompt.shots: unknown key"):
        load(VerifierTrainingConfig, ["prompt.shots=3"])


def test_a_server_has_the_shape_of_the_model_that_was_named():
    embedded = _shape(Origin(generator=ModelConfig(name="embedded")))
    assert embedded is not None
    assert embedded["family"] == "llama"
    server = Origin(engine=EngineConfig(name="server"))
    assert server.generator.name == "embedded"
    assert _shape(server) is None  # a default tokenizer says nothing of what is served
    server.generator = ModelConfig(name=str(EMBEDDED))
    assert _shape(server) == embedded

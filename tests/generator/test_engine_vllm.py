"""The engine `vllm`: what it asks of vLLM and makes of its outputs; vLLM itself is a fake."""

import enum
import importlib.machinery
import sys
import types
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from assay.generator.engines import EngineConfig, Request, SamplingParams, VllmConfig, make_engine
from assay.generator.engines.continuing import seed_of
from assay.generator.models import EMBEDDED, ModelConfig, load_tokenizer
from assay.search.stages.mixture import Origin
from assay.search.stages.sample import sampling_key
from assay.settings.errors import UserError


class _Kind(enum.Enum):
    FINAL_ONLY = 2


@dataclass
class FakeEngine:
    """As much of `LLMEngine` as is used: finishes what was added last first, `per_step` at once.

    `write(prompt ids, parameters)` gives (tokens, log-probabilities, text, finish reason, stop
    reason) of a request.
    """

    write: object
    others: list = field(default_factory=list)  # log-probabilities of two more tokens everywhere
    per_step: int = 2
    model_config: object = field(default_factory=lambda: SimpleNamespace(max_model_len=64))
    added: list = field(default_factory=list)
    waiting: dict = field(default_factory=dict)
    aborted: list = field(default_factory=list)

    def add_request(self, name, prompt, params):
        assert prompt["type"] == "token"
        assert params.output_kind is _Kind.FINAL_ONLY
        self.added.append((prompt["prompt_token_ids"], params))
        self.waiting[name] = (prompt["prompt_token_ids"], params)

    def step(self):
        outputs = [SimpleNamespace(request_id=n, finished=False) for n in list(self.waiting)[:1]]
        for _ in range(min(self.per_step, len(self.waiting))):
            name, (prompt, params) = self.waiting.popitem()
            ids, logprobs, text, reason, stopped = self.write(prompt, params)
            more = {-1 - i: SimpleNamespace(logprob=v) for i, v in enumerate(self.others)}
            told = [
                {t: SimpleNamespace(logprob=v), **more} for t, v in zip(ids, logprobs, strict=True)
            ]
            written = SimpleNamespace(
                token_ids=ids, text=text, logprobs=told, finish_reason=reason, stop_reason=stopped
            )
            outputs.append(SimpleNamespace(request_id=name, finished=True, outputs=[written]))
        return outputs

    def abort_request(self, names):
        self.aborted += [name for name in names if self.waiting.pop(name, None)]


@pytest.fixture
def fake(monkeypatch):
    """Installs a `vllm` whose engine writes by `write`; returns an object with `engine`, `llm`."""
    seen = SimpleNamespace(engine=None, llm=None)

    def install(write, **more):
        class LLM:
            def __init__(self, **settings):
                seen.llm = settings
                seen.engine = self.llm_engine = FakeEngine(write, **more)

        module = types.ModuleType("vllm")
        module.__spec__ = importlib.machinery.ModuleSpec("vllm", None)
        module.LLM = LLM
        module.SamplingParams = SimpleNamespace
        module.sampling_params = types.ModuleType("vllm.sampling_params")
        module.sampling_params.RequestOutputKind = _Kind
        monkeypatch.setitem(sys.modules, "vllm", module)
        monkeypatch.setitem(sys.modules, "vllm.sampling_params", module.sampling_params)
        return seen

    for name in ("VLLM_LOGGING_LEVEL", "VLLM_ENABLE_V1_MULTIPROCESSING"):
        monkeypatch.setenv(name, "")  # what the engine sets is put back
    return install


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(ModelConfig())


def engine_of(vllm=None, model=None, **settings):
    config = EngineConfig(name="vllm", vllm=vllm or VllmConfig(), **settings)
    return make_engine(config, model or ModelConfig(device="cpu"))


def words(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_every_sample_is_a_request_with_a_seed_of_its_own(fake, tokenizer):
    seen = fake(
        lambda prompt, params: ([*prompt, 1], [-1.0] * len(prompt) + [-0.5], "", "stop", None)
    )
    requests = [Request([5, 6], 5, "a", first=3), Request([9], 2, "b"), Request([7], 0, "c")]
    params = SamplingParams(0.8, 0.9, 20, 0.05, max_new_tokens=30, seed=4, stop=["\n\n"])
    found = list(engine_of().sample(requests, params))
    assert Counter((c.request, c.sample) for c in found) == Counter(
        [(0, i) for i in range(3, 8)] + [(1, 0), (1, 1)]
    )
    # They come as they finish, not in order, with the tokens of their own prompt.
    assert [c.request for c in found[:2]] == [1, 1]
    assert all(c.token_ids == requests[c.request].prompt_ids for c in found)
    assert {(c.logprob, c.stop) for c in found} == {(-2.5, "eos"), (-1.5, "eos")}
    assert [prompt for prompt, _ in seen.engine.added] == [[5, 6]] * 5 + [[9]] * 2
    asked = [vars(p) for _, p in seen.engine.added]
    assert [p.pop("seed") for p in asked] == [
        *(seed_of(4, "a", i) for i in range(3, 8)),
        *(seed_of(4, "b", i) for i in range(2)),
    ]
    for p in asked:
        assert p == {
            "temperature": 0.8,
            "top_p": 0.9,
            "top_k": 20,
            "min_p": 0.05,
            "max_tokens": 30,
            "stop": ["\n\n"],
            "logprobs": 0,
            "output_kind": _Kind.FINAL_ONLY,
        }


def test_the_likeliest_are_asked_for_and_summed_up(fake, tokenizer):
    seen = fake(
        lambda prompt, params: ([7, 1], [-1.0, -0.25], "", "stop", None), others=[-0.5, -4.5]
    )
    params = SamplingParams(confidence=True)
    (found,) = engine_of().sample([Request([5, 6], 1, "a")], params)
    assert vars(seen.engine.added[0][1])["logprobs"] == 20
    # Of both tokens, the end token too: −0.5, −1, −4.5 and −0.25, −0.5, −4.5.
    assert found.free == pytest.approx(
        {
            "min_logprob": -0.625,
            "token_confidence": (6 / 3 + 5.25 / 3) / 2,
            "lowest_confidence": (6 / 3 + 5.25 / 3) / 2,
            "bottom_confidence": (6 / 3 + 5.25 / 3) / 2,
            "tail_confidence": (6 / 3 + 5.25 / 3) / 2,
            "margin": (0.5 + 0.25) / 2,
        }
    )


def test_how_texts_end(fake, tokenizer):
    text = " It is 7.\nNext"
    ids = words(tokenizer, text)
    stop = len(words(tokenizer, " It is 7.\n"))
    outcomes = [
        ((ids, [-1.0] * len(ids), text, "length", None), (text, ids, -len(ids), "length")),
        # The end token of the tokenizer, and one that is only the model's.
        (
            ([*ids, 1], [-1.0] * len(ids) + [-3.0], text, "stop", None),
            (text, ids, -len(ids) - 3, "eos"),
        ),
        (
            ([*ids, 99], [-1.0] * len(ids) + [-3.0], text, "stop", 99),
            (text, ids, -len(ids) - 3, "eos"),
        ),
        # A stop text: the tokens told hold it, the text does not.
        (
            (ids[:stop], [-1.0] * stop, " It is 7.", "stop", "\n"),
            (" It is 7.", ids[: stop - 1], -stop, "stop"),
        ),
    ]
    for written, expected in outcomes:
        fake(lambda prompt, params, written=written: written)
        params = SamplingParams(stop=["\n"] if written[4] == "\n" else ["?"])
        (c,) = engine_of().sample([Request([5], 1, "a")], params)
        assert (c.text, c.token_ids, c.logprob, c.stop) == expected


def test_the_calculator_goes_on_after_the_prompt(fake, tokenizer):
    texts = iter([" so <<2*3=5>>5", ", <<6+1=7>>7", "never"])

    def write(prompt, params):
        ids = words(tokenizer, next(texts))
        return [*ids, 1], [-1.0] * (len(ids) + 1), tokenizer.decode(ids), "stop", None

    seen = fake(write)
    request = Request([5, 6], 1, "a", first=2, calculator=True)
    (c,) = engine_of().sample([request], SamplingParams(max_new_tokens=40, seed=3))
    assert c.text == " so <<2*3=6>>, <<6+1=7>>7"
    assert c.stop == "eos"
    (_, one), (prompt, two) = seen.engine.added
    kept = words(tokenizer, " so <<2*3=6>>")
    assert prompt == [5, 6, *kept]
    assert (one.max_tokens, two.max_tokens) == (40, 40 - len(kept))
    assert (one.seed, two.seed) == (seed_of(3, "a", 2), seed_of(3, "a", 2, 1))
    # The calculator's: 6 and >> in the first text, 7 and >> in the second.
    forced = 2 * (1 + len(words(tokenizer, ">>")))
    assert c.logprob == -(len(c.token_ids) + 1 - forced)


def test_closing_takes_back_what_is_not_finished(fake):
    seen = fake(lambda prompt, params: ([8], [-1.0], "", "length", None), per_step=3)
    engine = engine_of()
    samples = engine.sample([Request([5], 10, "a")], SamplingParams())
    next(samples)
    samples.close()
    assert len(seen.engine.aborted) == 7
    assert not seen.engine.waiting
    # The next call is not disturbed.
    assert len(list(engine.sample([Request([5], 4, "a")], SamplingParams()))) == 4


def test_positions_run_out(fake):
    seen = fake(lambda prompt, params: ([8], [-1.0], "", "length", None))
    engine = engine_of()
    list(engine.sample([Request([5] * 60, 1, "a")], SamplingParams()))
    assert seen.engine.added[0][1].max_tokens == 4
    with pytest.raises(
        UserError, match="a: the prompt has 64 tokens, and the model's 64 positions"
    ):
        list(engine.sample([Request([5] * 64, 1, "a")], SamplingParams()))
    with pytest.raises(UserError, match="a: the prompt is empty"):
        list(engine.sample([Request([], 1, "a")], SamplingParams()))
    for temperature in (2.5, 0.001):
        with pytest.raises(UserError, match=f"temperature={temperature}: vLLM takes 0 and .* to 2"):
            list(engine.sample([Request([5], 1, "a")], SamplingParams(temperature=temperature)))
    assert list(engine.sample([], SamplingParams())) == []


def test_what_vllm_is_loaded_with(fake):
    seen = fake(None)
    engine_of()
    settings = {
        "model": str(EMBEDDED),
        "revision": None,
        "tokenizer_revision": None,
        "trust_remote_code": False,
        "dtype": "float32",
        "generation_config": "vllm",
        "logprobs_mode": "raw_logprobs",
        "enable_prefix_caching": True,
        "enable_chunked_prefill": False,
        "tensor_parallel_size": 1,
        "gpu_memory_utilization": 0.9,
        "use_tqdm_on_load": False,
    }
    assert seen.llm == settings
    vllm = VllmConfig(2, 0.5, 2048, {"enforce_eager": True, "enable_prefix_caching": False})
    model = ModelConfig(device="cpu", dtype="bfloat16", trust_remote_code=True)
    engine_of(vllm, model, batch_size=32)
    assert seen.llm == settings | {
        "trust_remote_code": True,
        "dtype": "bfloat16",
        "tensor_parallel_size": 2,
        "gpu_memory_utilization": 0.5,
        "max_model_len": 2048,
        "max_num_seqs": 32,
        "enforce_eager": True,
        "enable_prefix_caching": False,
    }


@pytest.mark.parametrize(
    ("vllm", "device", "message"),
    [
        (VllmConfig(tensor_parallel=0), "cpu", "engine.vllm.tensor_parallel=0: expected 1 or more"),
        (VllmConfig(memory=0.0), "cpu", r"engine.vllm.memory=0.0: expected a number in \(0, 1]"),
        (VllmConfig(max_model_len=-1), "cpu", "engine.vllm.max_model_len=-1: expected 0"),
        (VllmConfig(), "cuda:1", "device=cuda:1: .* CUDA_VISIBLE_DEVICES"),
    ],
)
def test_settings_out_of_range(fake, vllm, device, message):
    fake(None)
    with pytest.raises(UserError, match=message):
        engine_of(vllm, ModelConfig(device=device))


def test_what_vllm_does_not_take_is_one_line(fake, monkeypatch):
    fake(None)

    def refuse(**settings):
        raise ValueError("Model architectures ['X'] are not\nsupported for now.")

    monkeypatch.setattr(sys.modules["vllm"], "LLM", refuse)
    with pytest.raises(
        UserError, match=r"cannot load embedded \(Model architectures .* are not supp"
    ):
        engine_of()


def test_without_vllm(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError) as caught:
        engine_of()
    told = str(caught.value)
    assert told.startswith("engine.name=vllm: needs the package vllm, which is not installed; ")
    assert told.endswith("[vllm]'; or use engine.name=server")


def test_what_the_key_of_a_run_holds():
    def key(**settings):
        return sampling_key(Origin(engine=EngineConfig(name="vllm", **settings)), None, 8)

    assert key()["engine"] == "vllm"
    assert key(vllm=VllmConfig(tensor_parallel=4, memory=0.5), batch_size=7) == key()
    assert key(vllm=VllmConfig(extra={"quantization": "fp8"})) != key()
    assert key(vllm=VllmConfig(max_model_len=512)) != key()

"""Sampling engines: prompts with a count each go in, finished completions come out.

An engine knows nothing of mathematics. It computes a prompt once for all its samples and yields
each completion as soon as it is finished, so a caller can run programs while others are written.

    engine = make_engine(EngineConfig(), ModelConfig(name="embedded"))
    requests = [Request(prompt_ids=ids, count=32, key="gsm8k-test-00001/cot")]
    for completion in engine.sample(requests, SamplingParams(temperature=0.7, seed=0)):
        print(completion.sample, completion.text, completion.logprob, completion.stop)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from assay.settings.errors import UserError

if TYPE_CHECKING:
    from assay.generator.models import ModelConfig

__all__ = [
    "Completion",
    "Engine",
    "EngineConfig",
    "Request",
    "SamplingParams",
    "ServerConfig",
    "Stop",
    "VllmConfig",
    "make_engine",
]

Stop = Literal["eos", "length", "stop", "content_filter"]


@dataclass
class SamplingParams:
    """How tokens are drawn (an OmegaConf schema)."""

    temperature: float = 0.7
    """sampling temperature; 0 = greedy decoding"""
    top_p: float = 1.0
    """nucleus sampling: keep the fewest tokens with this total probability; 1 = off"""
    top_k: int = 0
    """keep only this many of the most likely tokens; 0 = off"""
    min_p: float = 0.0
    """keep only tokens this probable relative to the most likely one; 0 = off"""
    max_new_tokens: int = 400
    """maximum length of a sample in tokens, including its end token"""
    seed: int = 0
    stop: list[str] = field(default_factory=list)
    """strings that end a sample; they are not included in it"""
    calculator: bool = False
    """in chain-of-thought solutions, compute `<<expression=` and fill in its value and `>>`"""

    def check(self) -> None:
        """Raises `UserError` naming the field that is out of range."""
        if not self.temperature >= 0:
            raise UserError(f"sampling.temperature={self.temperature}: expected 0 or more")
        if not 0 < self.top_p <= 1:
            raise UserError(f"sampling.top_p={self.top_p}: expected a number in (0, 1]")
        if self.top_k < 0:
            raise UserError(f"sampling.top_k={self.top_k}: expected 0 (all) or more")
        if not 0 <= self.min_p <= 1:
            raise UserError(f"sampling.min_p={self.min_p}: expected a number in [0, 1]")
        if self.max_new_tokens < 1:
            raise UserError(f"sampling.max_new_tokens={self.max_new_tokens}: expected 1 or more")
        if any(not text for text in self.stop):
            raise UserError("sampling.stop: expected non-empty texts")


@dataclass(frozen=True)
class Request:
    """One prompt and how many samples of it: the indices first … first + count − 1.

    `key` names the prompt for the random numbers, for example "problem id/mode": a sample is a
    function of (seed, key, index), whatever else is sampled beside it. `messages` is the prompt as
    a chat, for servers that apply the chat template themselves.

    `calculator`: after `<<expression=` comes what `assay.problems.calculator.continue_with` says,
    instead of what the model would have written. Engines read this and not
    `SamplingParams.calculator`: only the maker of the requests knows which of them ask for words;
    `<<` in a program is a shift.
    """

    prompt_ids: list[int]
    count: int
    key: str
    first: int = 0
    calculator: bool = False
    messages: list[dict[str, str]] | None = None


@dataclass(frozen=True)
class Completion:
    """One finished sample.

    `request` is the index of its request, `token_ids` come without the end token. `logprob` is the
    natural log-probability of everything sampled, the end token included, under the model's own
    distribution: untempered, over the whole vocabulary; NaN where a server does not tell it. Tokens
    of the calculator are in `token_ids` and count towards the token limit, but were not sampled:
    they add nothing to `logprob`.
    """

    request: int
    sample: int
    text: str
    token_ids: list[int]
    logprob: float
    stop: Stop


class Engine(Protocol):
    """What samples. `tokenizer` is the Hugging Face tokenizer that prompts must be made with."""

    tokenizer: Any

    def sample(self, requests: Sequence[Request], params: SamplingParams) -> Iterator[Completion]:
        """Yields every completion of every request once, as they finish."""
        ...


@dataclass
class ServerConfig:
    """OpenAI-compatible servers of one model (an OmegaConf schema)."""

    urls: list[str] = field(default_factory=list)
    """base URLs, for example [http://127.0.0.1:8000/v1]; requests are spread over all of them"""
    api: str = "completions"
    """completions (the prompt as it is) | chat (the server applies the model's chat template)"""
    model: str = ""
    """the model's name at the server; empty = the only one that it serves"""
    samples_per_request: int = 16
    """samples per request (`n`), fewer if the server refuses; 1 = each sample has its own seed"""
    in_flight: int = 64
    """concurrent requests per server"""
    timeout_seconds: float = 600.0
    """time limit of one request, from sending it to the end of the reply"""
    retries: int = 8
    """consecutive failures, of one request or of all servers, before giving up"""
    key_variable: str = "OPENAI_API_KEY"
    """environment variable that holds the API key, which is sent to every URL and never shown"""
    extra: dict[str, Any] = field(default_factory=dict)
    """additional fields of every request; they override Assay's own, and null removes one"""


@dataclass
class VllmConfig:
    """vLLM in process (an OmegaConf schema)."""

    tensor_parallel: int = 1
    """number of GPUs that the model is split over"""
    memory: float = 0.9
    """fraction of each GPU's memory (of the machine's, on a CPU) that vLLM reserves"""
    max_model_len: int = 0
    """maximum tokens of prompt and answer together; 0 = as many as the model supports"""
    extra: dict[str, Any] = field(default_factory=dict)
    """further arguments of `vllm.LLM`, for example {enforce_eager: true}; they win over Assay's"""


@dataclass
class EngineConfig:
    """Which engine, and how much it does at once (an OmegaConf schema)."""

    name: str = "transformers"
    """transformers | vllm | server"""
    batch_size: int = 0
    """samples generated at the same time; 0 = chosen to suit the model and the memory"""
    threads: int = 0
    """CPU threads for torch; 0 = leave torch's setting unchanged"""
    quantize: str = "none"
    """none | int8 (transformers on CPU: faster, another distribution)"""
    vllm: VllmConfig = field(default_factory=VllmConfig)
    server: ServerConfig = field(default_factory=ServerConfig)

    @property
    def one_process(self) -> bool:
        """Whether one process keeps all of the hardware busy, whatever there is of it."""
        return self.name != "transformers"

    @property
    def gpus(self) -> int:
        """GPUs that one process takes where there are any; 0 where the work is done elsewhere."""
        if self.name == "server":
            return 0
        return self.vllm.tensor_parallel if self.name == "vllm" else 1

    @property
    def at_once(self) -> int:
        """About how many samples are in the making at the same time; 0 = not known here."""
        if self.name == "server":
            return self.server.in_flight * len(self.server.urls)
        if self.name == "vllm":
            return self.batch_size or 256
        return 0

    def identity(self) -> dict[str, Any]:
        """What of an engine changes samples, for the keys of stages; may ask the servers."""
        if self.name == "server":
            # Which machines serve the model, and how many, may change from one start to the next.
            from assay.generator.engines.connection import model_name

            server = self.server
            told = {"model": model_name(server), "api": server.api, "extra": server.extra}
            return {"engine": self.name, "server": told}
        if self.name == "vllm":
            limit = {"max_model_len": self.vllm.max_model_len}
            return {"engine": self.name, "vllm": {**limit, "extra": self.vllm.extra}}
        quantized = {"quantize": self.quantize} if self.quantize != "none" else {}
        return {"engine": self.name, **quantized}


def make_engine(config: EngineConfig, model: ModelConfig) -> Engine:
    """Loads the model into the engine named. Raises `UserError` for an unknown engine."""
    if config.name == "transformers":
        from assay.generator.engines.hf import TransformersEngine

        return TransformersEngine.load(config, model)
    if config.quantize != "none":
        raise UserError(f"engine.quantize={config.quantize}: only for engine.name=transformers")
    if config.name == "vllm":
        from assay.generator.engines.vllm import VllmEngine

        return VllmEngine.load(config, model)
    if config.name == "server":
        from assay.generator.engines.server import ServerEngine

        return ServerEngine.load(config, model)
    raise UserError(f"engine.name={config.name}: expected transformers, vllm or server")

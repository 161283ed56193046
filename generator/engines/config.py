"""What a user sets of an engine and of its sampling (OmegaConf schemas)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from assay.settings.errors import UserError

__all__ = ["EngineConfig", "SamplingParams", "ServerConfig", "VllmConfig"]


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
    confidence: bool | None = None
    """also record the free scores (docs/engines.md): self-certainty, token confidence, entropy and
    others; empty = as the run was begun, for a new one with engine.name=transformers"""

    def key(self) -> dict[str, Any]:
        """What of it a run's key holds.

        All, but `confidence` only where it is on: runs of versions without it keep their keys.
        """
        key = asdict(self)
        if not self.confidence:
            del key["confidence"]
        return key

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
    def records_confidence(self) -> bool:
        """Whether free scores are recorded unless `sampling.confidence` says otherwise.

        This engine has the probabilities anyway; others would have to send them along.
        """
        return self.name == "transformers"

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

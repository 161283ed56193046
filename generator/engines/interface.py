"""What goes into an engine and what comes out, whichever engine it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from assay.generator.engines.config import SamplingParams

__all__ = ["Completion", "Engine", "Request", "Stop"]

Stop = Literal["eos", "length", "stop", "content_filter"]


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
    they add nothing to `logprob`. `free` are the free scores (`engines/confidence.py`) that were
    asked for and that the engine can tell.
    """

    request: int
    sample: int
    text: str
    token_ids: list[int]
    logprob: float
    stop: Stop
    free: Mapping[str, float] = field(default_factory=dict)


class Engine(Protocol):
    """What samples. `tokenizer` is the Hugging Face tokenizer that prompts must be made with."""

    tokenizer: Any

    def sample(self, requests: Sequence[Request], params: SamplingParams) -> Iterator[Completion]:
        """Yields every completion of every request once, as they finish."""
        ...

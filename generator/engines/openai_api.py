"""The words of OpenAI-compatible servers: what a request says, what a reply means.

Pure functions on JSON. Servers tell which software they are by `owned_by` in their list of models;
the known ones are told to leave out whatever would bend the distribution (their own defaults of
top-k, min-p and penalties), and asked for token ids. Replies differ in where ids, log-probabilities
and the reason for stopping stand; nothing in them is taken for granted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from assay.generator.engines.confidence import top_scores
from assay.generator.engines.config import SamplingParams
from assay.storage.jsonl import parse_json

__all__ = [
    "WITHHELD",
    "Choice",
    "Drawn",
    "Ended",
    "Served",
    "choices_of",
    "fields",
    "is_filtered",
    "message_of",
    "served",
]

Ended = Literal["eos", "length", "stop", "stopped", "content_filter"]

# Fields outside OpenAI's API. vLLM takes its defaults from the model's generation_config.json,
# llama.cpp has top-k 40 and min-p 0.05; top-k −1 is "all" to each of them.
_NEUTRAL: dict[str, dict[str, Any]] = {
    "vllm": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "return_token_ids": True},
    "sglang": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "llamacpp": {
        "top_k": -1,
        "min_p": 0.0,
        "typical_p": 1.0,
        "repeat_penalty": 1.0,
        "cache_prompt": True,
    },
}
_LARGEST_ID = 1 << 31
# Of a reply that was cut off by something else than the model or its limit.
_BROKEN = ("abort", "aborted", "cancelled", "error")
_ENDS: dict[Any, Ended] = {
    "length": "length",
    "max_tokens": "length",
    "eos_token": "eos",
    "stop_sequence": "stop",
    "content_filter": "content_filter",
}
_LONGEST_MESSAGE = 300


@dataclass(frozen=True)
class Served:
    """One model of a server; `positions` is its context length in tokens, 0 where not told."""

    model: str
    kind: str
    positions: int


class Drawn(NamedTuple):
    """A token that stands in a sample: its log-probability and that of the likeliest there.

    `confidence` and `margin` as in engines/confidence.py. What is not told is NaN; the calculator's
    tokens were not `sampled`, and add 0 to the sample's log-probability.
    """

    logprob: float
    confidence: float = math.nan
    margin: float = math.nan
    sampled: bool = True


@dataclass(frozen=True)
class Choice:
    """One completion of a reply.

    `token_ids` is `None` where the server does not tell them, and holds the end token where the
    server counts it; `logprobs` are those of the server's tokens, `None` where it does not tell all
    of them, `tops` the confidence and margin of each, where they were asked for. `ended` is
    "stopped" where the server does not say by what; with "content_filter" the server withheld the
    completion, and there is no text.
    """

    text: str
    token_ids: list[int] | None
    logprobs: list[float] | None
    ended: Ended
    tops: list[tuple[float, float]] | None = None

    @property
    def drawn(self) -> list[Drawn] | None:
        """All that was sampled; `None` where it is not told."""
        if self.logprobs is None or self.tops is None:
            return None if self.logprobs is None else [Drawn(each) for each in self.logprobs]
        pairs = zip(self.logprobs, self.tops, strict=True)
        return [Drawn(logprob, *top) for logprob, top in pairs]

    @property
    def logprob(self) -> float:
        """Of all that was sampled; NaN where it is not told."""
        return math.nan if self.logprobs is None else math.fsum(self.logprobs)


WITHHELD = Choice("", [], None, "content_filter")


def fields(kind: str, params: SamplingParams, count: int, seed: int, limit: int) -> dict[str, Any]:
    """The sampling fields of a request for `count` samples of at most `limit` tokens."""
    body: dict[str, Any] = {
        "max_tokens": limit,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "seed": seed,
        **_NEUTRAL.get(kind, {}),
    }
    if count > 1:
        body["n"] = count
    if params.top_k:
        body["top_k"] = params.top_k
    if params.min_p:
        body["min_p"] = params.min_p
    if params.stop:
        body["stop"] = list(params.stop)
    return body


def served(reply: Any) -> list[Served]:
    """What a reply of `/models` lists; nothing where it is not such a list."""
    rows = reply.get("data") if isinstance(reply, Mapping) else None
    models = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, Mapping) and isinstance(row.get("id"), str):
            meta = row.get("meta")
            positions = row.get("max_model_len")
            if positions is None and isinstance(meta, Mapping):
                positions = meta.get("n_ctx")
            models.append(
                Served(
                    model=row["id"],
                    kind=str(row.get("owned_by") or ""),
                    positions=positions if isinstance(positions, int) else 0,
                )
            )
    return models


def choices_of(reply: Any, *, tops: bool = False) -> list[Choice]:
    """The whole choices of a reply, one for each index; with the `tops` that were asked for."""
    rows = reply.get("choices") if isinstance(reply, Mapping) else None
    choices: dict[int, Choice] = {}
    for position, row in enumerate(rows if isinstance(rows, list) else []):
        if not isinstance(row, Mapping):
            continue
        index = row.get("index", position)
        choice = _choice(row, tops=tops)
        if choice is not None and isinstance(index, int) and index not in choices:
            choices[index] = choice
    return [choices[index] for index in sorted(choices)]


def message_of(body: bytes) -> str:
    """What a server says of an error, on one line."""
    text = body.decode("utf-8", "replace")
    try:
        message = parse_json(text.encode())
    except ValueError:
        message = None
    for name in ("error", "message", "detail"):
        if isinstance(message, Mapping) and message.get(name):
            message = message[name]
    line = " ".join((text if message is None else str(message)).split())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"


def is_filtered(body: bytes) -> bool:
    """Whether a refusal says that the server's filter does not let the prompt through."""
    try:
        reply = parse_json(body)
    except ValueError:
        return False
    error = reply.get("error") if isinstance(reply, Mapping) else None
    return isinstance(error, Mapping) and "content_filter" in (error.get("code"), error.get("type"))


def _choice(row: Mapping[str, Any], *, tops: bool) -> Choice | None:
    text, ended = _text(row), _ended(row)
    if ended == "content_filter":
        return WITHHELD
    if text is None or ended is None:
        return None
    probabilities = row.get("logprobs")
    if not isinstance(probabilities, Mapping):
        probabilities = {}
    content = probabilities.get("content")
    content = content if isinstance(content, list) else []
    entries = [entry if isinstance(entry, Mapping) else {} for entry in content]
    ids = row.get("token_ids")
    if ids is None and entries:
        ids = [entry.get("id") for entry in entries]
    logprobs = probabilities.get("token_logprobs")
    if logprobs is None:
        logprobs = [entry.get("logprob") for entry in entries]
    values = _values(logprobs)
    listed = probabilities.get("top_logprobs")
    if listed is None:
        listed = [entry.get("top_logprobs") for entry in entries]
    known = tops and values is not None and isinstance(listed, list) and len(listed) == len(values)
    found = [_top(each) for each in listed] if known else None
    return Choice(text, _ids(ids), values, ended, found)


def _top(listed: Any) -> tuple[float, float]:
    """Confidence and margin of a token: {token: log-probability, …} or a list of such entries."""
    if isinstance(listed, Mapping):
        values = list(listed.values())
    else:
        entries = listed if isinstance(listed, list) else []
        values = [entry.get("logprob") for entry in entries if isinstance(entry, Mapping)]
    return top_scores([float(v) for v in values if isinstance(v, int | float)])


def _text(row: Mapping[str, Any]) -> str | None:
    """The text of a choice, what was thought before it in tags of its own; `None` for no text."""
    message = row.get("message")
    if not isinstance(message, Mapping):
        text = row.get("text")
        return text if isinstance(text, str) else None
    # Servers with a reasoning parser put what was written first into a field of its own, or into
    # a part of the content.
    text, thought = _parts(message.get("content"))
    for name in ("reasoning_content", "reasoning"):
        if not thought and isinstance(message.get(name), str):
            thought = message[name]
    if text is None:
        if not thought and not {"content", "tool_calls", "refusal"} & message.keys():
            return None
        text = ""
    if not thought:
        return text
    thought = thought.strip().removeprefix("<think>").removesuffix("</think>")
    # Without a word after it the thought was not ended: then nothing in it is an answer.
    return f"<think>{thought}</think>\n{text}" if text else f"<think>{thought}"


def _parts(content: Any) -> tuple[str | None, str]:
    """The text and the thought of a message's content, a text or a list of parts."""
    if isinstance(content, str):
        return content, ""
    if not isinstance(content, list):
        return None, ""
    parts = [part for part in content if isinstance(part, Mapping)]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    thoughts = [_parts(part.get("thinking"))[0] or "" for part in parts]
    return "".join(texts), "".join(thoughts)


def _ended(row: Mapping[str, Any]) -> Ended | None:
    """Why a choice ended; `None` where it is not whole."""
    reason = row.get("finish_reason")
    if not isinstance(reason, str | None) or reason in _BROKEN:
        return None
    if reason in _ENDS:
        return _ENDS[reason]
    # vLLM: stop_reason, SGLang: matched_stop. A text is one of ours, a number an end token. Other
    # reasons (none at all, tool_calls) say nothing against the text.
    stopped_by = row.get("stop_reason", row.get("matched_stop"))
    if isinstance(stopped_by, str):
        return "stop"
    return "eos" if "stop_reason" in row or "matched_stop" in row else "stopped"


def _ids(ids: Any) -> list[int] | None:
    if not isinstance(ids, list):
        return None
    plain = all(type(token) is int and 0 <= token < _LARGEST_ID for token in ids)
    return ids if plain else None


def _values(logprobs: Any) -> list[float] | None:
    if not isinstance(logprobs, list) or not logprobs:
        return None
    if not all(isinstance(value, int | float) for value in logprobs):
        return None
    try:
        numbers = [float(value) for value in logprobs]
    except OverflowError:
        return None
    # Those of tokens that were drawn are finite, and only such have a sum.
    return numbers if all(map(math.isfinite, numbers)) else None

"""Scoring: a verifier's numbers for the candidates of a problem.

The question is computed once for each mode. All candidates share its keys and values and go through
the model in rows without padding, in which what two of them begin with in common stands once
(`verifier/prefix.py`); equal texts are scored once. Only the reserved token's logit is computed. A
score does not depend on the candidates around it beyond rounding.

    verifier, tokenizer, prompter = load_verifier(ModelConfig("runs/verifier"))
    scored = score(verifier, tokenizer, prompter, problem, candidates, ScoreConfig(values=True))
    scored.scores        # float32, one a candidate, in order
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from assay.problems.problem import Mode, Problem
from assay.problems.prompts import Prompter
from assay.settings.errors import UserError
from assay.verifier.attention import attends_to_layouts
from assay.verifier.config import ScoreConfig, check_scoring
from assay.verifier.data import read_text
from assay.verifier.likelihood import likelihood
from assay.verifier.model import Verifier
from assay.verifier.prefix import Prefix, SolutionsLayout, order_of, shared_tokens
from assay.verifier.steps import line_ends, token_offsets

__all__ = ["Scorable", "Scored", "score", "token_values"]


class Scorable(Protocol):
    """A candidate: its mode, its text and (for programs) what it printed."""

    @property
    def mode(self) -> Mode: ...
    @property
    def text(self) -> str: ...
    @property
    def output(self) -> str: ...


@dataclass(frozen=True)
class Scored:
    """Scores, one a candidate; and on request what happened at each token of each candidate.

    A candidate that with its question is longer than the verifier reads has no score (NaN) and no
    values. `values[i]` (float16) are the values after each token, the end token last; `offsets[i]`
    (int32, shape (tokens, 2)) say which characters of the candidate's text the token stands for.
    Tokens that stand for none (the end, an appended output) have the text's end twice. `tokens` and
    `prompt_tokens` count the verifier's tokens of each candidate and of the question before it.
    """

    scores: NDArray[np.float32]
    values: list[NDArray[np.float16]] | None
    offsets: list[NDArray[np.int32]] | None
    tokens: NDArray[np.int32]
    prompt_tokens: NDArray[np.int32]


@dataclass(frozen=True)
class _Reading:
    """A text as the verifier reads it: ids, and characters of the candidate's text for each."""

    ids: list[int]
    offsets: NDArray[np.int32] | None


def score(
    verifier: Verifier,
    tokenizer: Any,
    prompter: Prompter,
    problem: Problem,
    candidates: Sequence[Scorable],
    config: ScoreConfig,
) -> Scored:
    """Scores the candidates of one problem; equals the plain padded way within 1e-4 (float32).

    What is longer than the model can read, with its question, has no score: cut off, it would be
    judged without its end. Raises `UserError` for an aggregate over positions at which the verifier
    was not trained.
    """
    check_scoring(config)
    settings = verifier.settings
    if settings.level == "solution" and config.aggregate != "last":
        raise UserError(
            f"scoring.aggregate={config.aggregate}: this verifier was trained at the last token "
            "alone (level=solution); use last"
        )
    spans = config.values or config.aggregate != "last"
    texts = [
        (c.mode, c.text, read_text(c.mode, c.text, c.output, settings.append_output))
        for c in candidates
    ]
    found: dict[tuple[Mode, str, str], tuple[_Reading, NDArray[np.float32]]] = {}
    prompts: dict[Mode, int] = {}
    for mode in dict.fromkeys(mode for mode, _, _ in texts):
        own = list(dict.fromkeys(t for t in texts if t[0] == mode))
        readings = [_read(tokenizer, prompter, *text, spans) for text in own]
        prompt = prompter.ids(problem, mode)
        prompts[mode] = len(prompt)
        values = _values(verifier, prompt, readings, config.batch_tokens)
        found.update(zip(own, zip(readings, values, strict=True), strict=True))
    rows = [found[text] for text in texts]
    scores = [
        _aggregate(config.aggregate, values, reading, text)
        for (reading, values), (_, text, _) in zip(rows, texts, strict=True)
    ]
    return Scored(
        np.array(scores, dtype=np.float32),
        [values.astype(np.float16) for _, values in rows] if config.values else None,
        [_offsets(*row) for row in rows] if config.values else None,
        np.array([len(r.ids) for r, _ in rows], dtype=np.int32),
        np.array([prompts[mode] for mode, _, _ in texts], dtype=np.int32),
    )


def _read(
    tokenizer: Any, prompter: Prompter, mode: Mode, text: str, whole: str, spans: bool
) -> _Reading:
    ids = prompter.response_ids(mode, whole)
    if not spans:
        return _Reading(ids, None)
    return _Reading(ids, token_offsets(tokenizer, prompter, mode, text, whole))


def _values(
    verifier: Verifier, prompt: list[int], readings: Sequence[_Reading], budget: int
) -> list[NDArray[np.float32]]:
    """`token_values` of those that the verifier can read; none of the others."""
    found = [np.empty(0, np.float32)] * len(readings)
    room = verifier.max_length - len(prompt)
    short = [i for i, reading in enumerate(readings) if len(reading.ids) <= room]
    if short:
        own = token_values(verifier, prompt, [readings[i].ids for i in short], budget)
        for i, values in zip(short, own, strict=True):
            found[i] = values
    return found


def _offsets(reading: _Reading, values: NDArray[np.float32]) -> NDArray[np.int32]:
    """The tokens' places in the text, as many as there are values."""
    assert reading.offsets is not None
    return reading.offsets[: len(values)]


def token_values(
    verifier: Verifier, prompt: list[int], solutions: Sequence[list[int]], budget: int
) -> list[NDArray[np.float32]]:
    """Values (float32) after every token of every solution, which all stand behind one prompt.

    `prompt` and `solutions` are token ids; `budget` is as `ScoreConfig.batch_tokens`.
    """
    budget = budget or (1024 if verifier.device.type == "cpu" else 16384)
    training = verifier.training
    verifier.eval()
    way = _in_one_row if attends_to_layouts(verifier.lm) else _in_padded_rows
    found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(solutions)
    with torch.inference_mode():
        for i, values in way(verifier, prompt, solutions, budget):
            found[i] = values
    verifier.train(training)
    return found


def _in_one_row(
    verifier: Verifier, prompt: list[int], solutions: Sequence[list[int]], budget: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Index and values of each solution; no padding, common beginnings computed once."""
    prefix = Prefix()
    ids = torch.tensor([prompt], device=verifier.device)
    positions = torch.arange(len(prompt), device=verifier.device)[None]
    question = verifier.hidden(ids, positions, prefix)[0, -1:]
    for batch in _neighbours(solutions, budget - len(prompt)):
        layout = prefix.layout([solutions[i] for i in batch])
        hidden = verifier.hidden(layout.ids, layout.positions, layout)
        numbers = _likelihood(verifier, question, hidden[0], layout)
        values = verifier.values(hidden[0], numbers).float().cpu().numpy()
        for i, place in zip(batch, layout.places, strict=True):
            yield i, values[place.cpu().numpy()]


def _likelihood(
    verifier: Verifier, question: Tensor, hidden: Tensor, layout: SolutionsLayout
) -> Tensor | None:
    """What the head reads of the row's tokens (T, 2) beside their hidden states (T, width).

    `question` (1, width) is the hidden state that predicts every solution's first token.
    """
    if not verifier.reads_likelihood:
        return None
    # One row behind the other: place 0 is the question's end, place i + 1 the row's token i.
    states = torch.cat([question, hidden])
    at = torch.cat(layout.places)
    lengths = torch.tensor([len(place) for place in layout.places], device=at.device)
    ends = lengths.cumsum(0)
    first = (ends - lengths).repeat_interleave(lengths)
    before = torch.cat([at.new_zeros(1), at[:-1] + 1]).index_fill(0, ends[:-1], 0)
    # What solutions begin with in common has the same tokens before it in each.
    before = at.new_empty(len(hidden)).index_copy(0, at, before)
    logprobs = verifier.logprobs(states[before], layout.ids[0])
    numbers = likelihood(logprobs[at], first)
    return numbers.new_empty(len(hidden), numbers.shape[1]).index_copy(0, at, numbers)


def _neighbours(solutions: Sequence[list[int]], budget: int) -> Iterator[list[int]]:
    """Indices, solutions that begin alike together, in batches whose new tokens fit the budget."""
    batch: list[int] = []
    room = budget
    for i in order_of(solutions):
        new = len(solutions[i])
        if batch:
            new -= shared_tokens(solutions[batch[-1]], solutions[i])
        if batch and new > room:
            yield batch
            batch, room, new = [], budget, len(solutions[i])
        batch.append(i)
        room -= new
    if batch:
        yield batch


def _in_padded_rows(
    verifier: Verifier, prompt: list[int], solutions: Sequence[list[int]], budget: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The same through a cache of Transformers', for attentions that are not ours."""
    device = verifier.device
    prefix = DynamicCache()
    ids = torch.tensor([prompt], device=device)
    positions = torch.arange(len(prompt), device=device)[None]
    question = verifier.hidden(ids, positions, cache=prefix)[:, -1:]
    for batch in _batches(len(prompt), [len(ids) for ids in solutions], budget):
        rows = [torch.tensor(solutions[i], device=device) for i in batch]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        positions = torch.arange(len(prompt), len(prompt) + ids.shape[1], device=device)
        hidden = verifier.hidden(ids, positions.expand(ids.shape), cache=_shared(prefix, len(rows)))
        numbers = None
        if verifier.reads_likelihood:
            before = torch.cat([question.expand(len(rows), -1, -1), hidden[:, :-1]], dim=1)
            first = torch.arange(0, ids.numel(), ids.shape[1], device=device)
            first = first.repeat_interleave(ids.shape[1])
            logprobs = verifier.logprobs(before.flatten(0, 1), ids.flatten())
            numbers = likelihood(logprobs, first).unflatten(0, ids.shape)
        found = verifier.values(hidden, numbers).float().cpu().numpy()
        for i, row in zip(batch, found, strict=True):
            yield i, row[: len(solutions[i])].copy()


def _batches(prompt: int, lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices, longest first, in batches whose padded tokens (question included) fit the budget."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and (len(batch) + 1) * (prompt + lengths[batch[0]]) > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _shared(prefix: DynamicCache, rows: int) -> DynamicCache:
    """The prompt's cache as `rows` sequences see it: views, copied where a layer extends them."""
    cache = DynamicCache()
    for layer in prefix.layers:
        view = DynamicLayer()
        view.lazy_initialization(layer.keys, layer.values)
        view.keys = layer.keys.expand(rows, -1, -1, -1)
        view.values = layer.values.expand(rows, -1, -1, -1)
        cache.layers.append(view)
    return cache


def _aggregate(how: str, values: NDArray[np.float32], reading: _Reading, text: str) -> float:
    """One number from the values at the last token, or at the line ends (the steps).

    NaN where there are no values.
    """
    if not len(values):
        return float("nan")
    if how == "last":
        return float(values[-1])
    assert reading.offsets is not None
    steps = values[line_ends(text, reading.offsets)].astype(np.float64)
    if how == "mean":
        return float(steps.mean())
    if how == "min":
        return float(steps.min())
    return float(np.clip(steps, 0.0, 1.0).prod())

"""The engine `transformers`: any Hugging Face causal language model, on CPU and CUDA.

A prompt is computed once and its keys are shared by all its samples (cache.py); samples that end
leave the batch, and new ones take their place a group at a time. Prompts with few samples each are
computed together and then repeated. Tokens are drawn by inverse CDF from each sample's own random
numbers (sampling.py): a sample does not depend on what else is in the batch, up to the rounding of
matrix products of another size (in float32 about one token in a million draws so close to an edge
that rounding decides). The same requests in the same order give the same bits.

    engine = TransformersEngine(model, tokenizer)
    texts = [c.text for c in engine.sample([Request(ids, count=64, key="p/cot")], SamplingParams())]
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from generator.engines import Completion, EngineConfig, Request, SamplingParams, Stop
from generator.engines.cache import Cohort, attending, supports
from generator.engines.calculator import Calculator
from generator.engines.sampling import choose, uniforms
from generator.models import (
    ModelConfig,
    check_vocabulary,
    load_model,
    load_tokenizer,
    vocabulary_rows,
)
from problems.errors import UserError

__all__ = ["TransformersEngine", "rows_that_fit"]

# Up to this many samples of one prompt are put together with those of others: reading a copy of the
# prompt's keys for each costs less than one more pass through Python and small matrix products.
_SMALL = 4
# New samples join when this part of the batch is free: joining costs a pass of its own.
_JOIN = 4
# Prompts computed together, in tokens: bounds what their activations take.
_PROMPT_TOKENS = 16384
_CPU_CACHE_BYTES = 2 << 30
_MAX_ROWS = {"cpu": 256, "cuda": 1024}


@dataclass
class _Sample:
    """A sample in the making. `forced`: its next tokens, where the calculator has written them."""

    request: int
    index: int
    limit: int
    draws: list[float]
    calculator: bool
    tokens: list[int] = field(default_factory=list)
    forced: list[int] = field(default_factory=list)
    logprob: float = 0.0


@dataclass
class _Group:
    """Samples that started together, with their cache: sample i is row i."""

    samples: list[_Sample]
    cohort: Cohort


class _Computed:
    """The prompts computed last (`names`: their requests) and the logits that follow each."""

    names: Sequence[int] = ()
    prompts: Cohort
    logits: torch.Tensor


class TransformersEngine:
    """Samples from `model`, which it leaves as it was."""

    def __init__(self, model: Any, tokenizer: Any, config: EngineConfig | None = None) -> None:
        config = config or EngineConfig()
        if not supports(model):
            raise UserError(
                f"engine transformers: {type(model).__name__} has layers that are not plain "
                "attention, which this engine cannot sample from"
            )
        if config.threads:
            torch.set_num_threads(config.threads)
        self.model = model
        self.tokenizer = tokenizer
        self.device = model.device
        self.batch_size = config.batch_size
        self._most = sys.maxsize
        self._ends = _end_tokens(model, tokenizer)
        self._calculator = Calculator(tokenizer)

    @classmethod
    def load(cls, config: EngineConfig, model: ModelConfig) -> TransformersEngine:
        """Loads model and tokenizer. Raises `UserError` where that is not possible."""
        lm, tokenizer = load_model(model), load_tokenizer(model)
        check_vocabulary(lm, tokenizer, model.name)
        return cls(lm, tokenizer, config)

    def sample(self, requests: Sequence[Request], params: SamplingParams) -> Iterator[Completion]:
        """Yields every completion of every request once, as they finish.

        Raises `UserError` for parameters out of range and prompts that leave no room to answer.
        """
        params.check()
        waiting = _Waiting(requests, params, self._room(requests, params))
        size = self.batch_size or _rows_that_fit(self.model, params.max_new_tokens)
        groups: list[_Group] = []
        computed = _Computed()
        while waiting or groups:
            size = min(size, self._most)
            free = size - _rows(groups)
            joins = waiting and (free >= max(1, size // _JOIN) or not groups)
            chunks = waiting.take(free) if joins else []
            failed = False
            while chunks and not failed:
                begun = self._begun(chunks[0], requests, computed, params)
                if failed := begun is None:
                    self._shrink(_rows(groups) + len(chunks[0]), fitting=_rows(groups))
                else:
                    groups.append(begun[0])
                    del chunks[0]
                    yield from begun[1]
            groups = [group for group in groups if group.samples]
            if groups and not failed:
                done = self._moved(groups, params)
                if failed := done is None:
                    self._shrink(_rows(groups))
                else:
                    yield from done
            if failed:
                computed = _Computed()
                waiting.put_back([s for chunk in chunks for s in chunk] + self._evicted(groups))
                _free_memory(self.device)

    def _begun(
        self,
        chunk: list[_Sample],
        requests: Sequence[Request],
        computed: _Computed,
        params: SamplingParams,
    ) -> tuple[_Group, list[Completion]] | None:
        """The group of `chunk` after its first tokens, and what ended with them.

        None where memory has run out; the samples are then as they were.
        """
        try:
            group, logits = self._start(chunk, requests, computed)
            return group, self._advance([group], logits, params)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
        return None

    def _moved(self, groups: Sequence[_Group], params: SamplingParams) -> list[Completion] | None:
        """What ended with the next token of every sample.

        None where memory has run out; all is then as it was.
        """
        before = [group.cohort.columns for group in groups]
        try:
            return self._advance(groups, self._step(groups), params)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
        # Keys written for the failed step lie past the columns, and are written again.
        for group, columns in zip(groups, before, strict=True):
            group.cohort.columns = columns
        return None

    def _shrink(self, rows: int, fitting: int = 0) -> None:
        """Remembers that `rows` samples at a time are too many: half, or as many as still run.

        Raises `UserError` where it was a single one.
        """
        if rows == 1:
            raise UserError(
                "engine transformers: out of memory with one sample at a time; a smaller model, "
                "dtype=bfloat16, or a smaller sampling.max_new_tokens would fit"
            )
        self._most = max(fitting, rows // 2)
        print(
            f"sample: out of memory with {rows} samples at a time, going on with {self._most}",
            file=sys.stderr,
        )

    def _evicted(self, groups: list[_Group]) -> list[_Sample]:
        """Takes out what is too many, from the group that began last."""
        gone: list[_Sample] = []
        while (extra := _rows(groups) - self._most) > 0:
            last = groups[-1]
            kept = max(0, len(last.samples) - extra)
            gone += last.samples[kept:]
            last.cohort.drop(range(kept, len(last.samples)))
            del last.samples[kept:]
            if not kept:
                groups.pop()
        return gone

    def _room(self, requests: Sequence[Request], params: SamplingParams) -> list[int]:
        """How many tokens each request's samples may have: the model has only so many positions."""
        config = self.model.config.get_text_config()
        positions = getattr(config, "max_position_embeddings", None)
        known = vocabulary_rows(self.model)
        limits = []
        for request in requests:
            length = len(request.prompt_ids)
            if length == 0:
                raise UserError(f"{request.key}: the prompt is empty")
            if max(request.prompt_ids) >= known:
                raise UserError(
                    f"{request.key}: the prompt holds token {max(request.prompt_ids)}, and the "
                    f"model knows {known} tokens"
                )
            limit = params.max_new_tokens
            if positions:
                limit = min(limit, positions - length)
            if limit < 1:
                raise UserError(
                    f"{request.key}: the prompt has {length} tokens, and the model's {positions} "
                    "positions leave no room for an answer"
                )
            limits.append(limit)
        return limits

    @torch.inference_mode()
    def _start(
        self, samples: list[_Sample], requests: Sequence[Request], computed: _Computed
    ) -> tuple[_Group, torch.Tensor]:
        """The samples' group and the logits of their first tokens.

        `computed` is the prompt computed last and the logits after it: a request whose samples did
        not fit at once goes on with it.
        """
        names = list(dict.fromkeys(sample.request for sample in samples))
        if names != computed.names:
            computed.names = names
            computed.prompts, computed.logits = self._prompts(
                [requests[n].prompt_ids for n in names]
            )
        if len(names) == 1:
            cohort = Cohort(rows=len(samples), prefix=computed.prompts)
            return _Group(samples, cohort), computed.logits.expand(len(samples), -1)
        rows = [names.index(sample.request) for sample in samples]
        return _Group(samples, computed.prompts.repeat(rows)), computed.logits[rows]

    def _prompts(self, prompts: Sequence[list[int]]) -> tuple[Cohort, torch.Tensor]:
        longest = max(map(len, prompts))
        padding = torch.tensor([longest - len(prompt) for prompt in prompts], device=self.device)
        # What stands in the padding is never attended to: any token will do.
        ids = torch.tensor([[p[0]] * (longest - len(p)) + p for p in prompts], device=self.device)
        cohort = Cohort(rows=len(prompts), padding=padding if len(prompts) > 1 else None)
        positions = (torch.arange(longest, device=self.device) - padding[:, None]).clamp(min=0)
        return cohort, self._forward([cohort], ids, positions)

    @torch.inference_mode()
    def _step(self, groups: Sequence[_Group]) -> torch.Tensor:
        """The logits of the next token of every sample, (samples, vocabulary)."""
        ids = torch.tensor(
            [[sample.tokens[-1]] for group in groups for sample in group.samples],
            device=self.device,
        )
        positions = torch.cat([_positions(group.cohort, self.device) for group in groups])
        return self._forward([group.cohort for group in groups], ids, positions[:, None])

    def _forward(
        self, cohorts: Sequence[Cohort], ids: torch.Tensor, positions: torch.Tensor
    ) -> torch.Tensor:
        with attending(self.model, cohorts, new=ids.shape[1]):
            output = self.model(
                input_ids=ids, position_ids=positions, use_cache=False, logits_to_keep=1
            )
        return output.logits[:, -1].float()

    @torch.inference_mode()
    def _advance(
        self, groups: Sequence[_Group], logits: torch.Tensor, params: SamplingParams
    ) -> list[Completion]:
        """Gives every sample its next token; takes out and returns those that ended with it."""
        draws = [s.draws[len(s.tokens)] for group in groups for s in group.samples]
        tensor = torch.tensor(draws, dtype=torch.float64, device=self.device)
        tokens, logprobs = choose(logits, tensor, params)
        drawn = zip(tokens.tolist(), logprobs.tolist(), strict=True)
        done: list[Completion] = []
        for group in groups:
            ended: dict[int, Completion] = {}
            for row, sample in enumerate(group.samples):
                token, logprob = next(drawn)
                if sample.forced:
                    sample.tokens.append(sample.forced.pop(0))
                elif token in self._ends:
                    sample.logprob += logprob
                    ended[row] = self._completion(sample, "eos")
                else:
                    self._append(sample, token, logprob)
            if params.stop:
                ended |= self._stopped(group, ended, params.stop)
            for row, sample in enumerate(group.samples):
                if len(sample.tokens) == sample.limit and row not in ended:
                    ended[row] = self._completion(sample, "length")
            if ended:
                group.samples = [group.samples[row] for row in group.cohort.drop(list(ended))]
                done += ended.values()
        return done

    def _append(self, sample: _Sample, token: int, logprob: float) -> None:
        """Adds a drawn token, or what the calculator writes in its place."""
        tokens = self._calculator.tokens(sample.tokens, token) if sample.calculator else [token]
        if tokens[0] == token:
            sample.logprob += logprob
        sample.tokens.append(tokens[0])
        sample.forced = tokens[1:]

    def _stopped(
        self, group: _Group, ended: Mapping[int, Completion], stop: Sequence[str]
    ) -> dict[int, Completion]:
        """The rows, of those not `ended`, whose text now holds one of the texts `stop`."""
        going = [row for row in range(len(group.samples)) if row not in ended]
        # A token is at least one byte, so the end of the text holds whatever has just come.
        last = 1 + max(len(text.encode()) for text in stop)
        tails = [self._text(group.samples[row].tokens[-last:]) for row in going]
        return {
            row: self._completion(group.samples[row], "stop", stop)
            for row, tail in zip(going, tails, strict=True)
            if any(text in tail for text in stop)
            and any(text in self._text(group.samples[row].tokens) for text in stop)
        }

    def _completion(self, sample: _Sample, reason: Stop, stop: Sequence[str] = ()) -> Completion:
        tokens, text = sample.tokens, self._text(sample.tokens)
        if reason == "stop":
            text = text[: min(at for at in map(text.find, stop) if at >= 0)]
            size = len(tokens)
            while size and self._text(tokens[: size - 1]).startswith(text):
                size -= 1
            tokens = tokens[:size]
        return Completion(sample.request, sample.index, text, tokens, sample.logprob, reason)

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))


class _Waiting:
    """The samples that have not begun, in order."""

    def __init__(
        self, requests: Sequence[Request], params: SamplingParams, limits: Sequence[int]
    ) -> None:
        self._requests, self._limits, self._seed = requests, limits, params.seed
        self._queue = deque(
            (name, request.first, request.first + request.count)
            for name, request in enumerate(requests)
            if request.count > 0
        )

    def __bool__(self) -> bool:
        return bool(self._queue)

    def take(self, free: int) -> list[list[_Sample]]:
        """Up to `free` samples, in the groups that shall start together."""
        going_on: list[list[_Sample]] = []
        groups: list[list[_Sample]] = []
        few: list[_Sample] = []
        while free and self._queue:
            name, first, end = self._queue.popleft()
            request = self._requests[name]
            until = min(end, first + free)
            if until < end:
                self._queue.appendleft((name, until, end))
            samples = [self._sample(name, index) for index in range(first, until)]
            free -= len(samples)
            if first > request.first:
                going_on.append(samples)
            elif request.count > _SMALL or until < end:
                groups.append(samples)
            elif (len(few) + len(samples)) * len(request.prompt_ids) > _PROMPT_TOKENS:
                groups.insert(0, samples)
            else:
                few += samples
        # A prompt that samples are left of is the one computed last, before and after.
        return [group for group in [*going_on, few, *groups] if group]

    def put_back(self, samples: Sequence[_Sample]) -> None:
        """They begin anew, before the others, and become what they would have been."""
        for name, index in sorted(((s.request, s.index) for s in samples), reverse=True):
            end = index + 1
            if self._queue and self._queue[0][:2] == (name, end):
                end = self._queue.popleft()[2]
            self._queue.appendleft((name, index, end))

    def _sample(self, name: int, index: int) -> _Sample:
        limit, request = self._limits[name], self._requests[name]
        draws = uniforms(self._seed, request.key, index, limit)
        return _Sample(name, index, limit, draws.tolist(), request.calculator)


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Every token that ends a text: the tokenizer's, and those of the model's generation config."""
    configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    listed = configured if isinstance(configured, (list, tuple)) else [configured]
    return frozenset(t for t in (*listed, tokenizer.eos_token_id) if t is not None)


def _positions(cohort: Cohort, device: torch.device) -> torch.Tensor:
    """The position of each row's next token, (rows,)."""
    if cohort.padding is None:
        return torch.full((cohort.rows,), cohort.length, device=device)
    return cohort.length - cohort.padding


def _rows(groups: Sequence[_Group]) -> int:
    return sum(len(group.samples) for group in groups)


def _is_out_of_memory(error: RuntimeError) -> bool:
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, torch.OutOfMemoryError) or should_reduce_batch_size(error)


def _free_memory(device: torch.device) -> None:
    """Gives back what the allocator keeps, which is in pieces of the sizes used so far."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _rows_that_fit(model: Any, new_tokens: int) -> int:
    """Samples at a time: as many as keep the processor busy and fit the memory for their caches."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    element = 2 if model.dtype in (torch.bfloat16, torch.float16) else 4
    token = 2 * config.num_hidden_layers * heads * size * element
    free = _free_bytes(model.device) if model.device.type == "cuda" else None
    return rows_that_fit(token, new_tokens, free)


def rows_that_fit(token: float, new_tokens: int, free: float | None) -> int:
    """Samples at a time where a token's keys and values take `token` bytes.

    `free` are a GPU's free bytes; `None`: a CPU.
    """
    memory = _CPU_CACHE_BYTES if free is None else free // 2
    most = _MAX_ROWS["cpu" if free is None else "cuda"]
    # Caches grow by doubling, so half of them may be room to grow.
    return max(8, min(most, int(memory // (2 * token * new_tokens))))


def _free_bytes(device: torch.device) -> int:
    """Memory of a GPU that is free, or kept by PyTorch's allocator without being used."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + kept

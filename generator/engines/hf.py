"""The engine `transformers`: any Hugging Face causal language model, on CPU and CUDA.

A prompt is computed once and its keys are shared by all its samples (cache.py); samples that end
leave the batch, and new ones take their place a group at a time. Prompts with few samples each are
computed together and then repeated. Tokens are drawn from each sample's own random numbers
(sampling.py): a sample does not depend on what else is in the batch, up to the rounding of matrix
products of another size (in float32 that decides about two tokens in a million). The same requests
in the same order give the same bits.

    engine = TransformersEngine(model, tokenizer)
    texts = [c.text for c in engine.sample([Request(ids, count=64, key="p/cot")], SamplingParams())]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from assay.generator.engines.cache import Cohort, attending, supports
from assay.generator.engines.calculator import Calculator
from assay.generator.engines.config import EngineConfig, SamplingParams
from assay.generator.engines.group import Group
from assay.generator.engines.int8 import fastest_way
from assay.generator.engines.interface import Completion, Request, Stop
from assay.generator.engines.lean import LeanStep
from assay.generator.engines.memory import is_out_of_memory, release, rows_of_model
from assay.generator.engines.sampling import choose
from assay.generator.engines.token_scores import token_scores
from assay.generator.engines.waiting import Sample, Waiting
from assay.generator.models import (
    ModelConfig,
    check_vocabulary,
    load_model,
    load_tokenizer,
    vocabulary_rows,
)
from assay.settings.errors import UserError

__all__ = ["TransformersEngine"]

# New samples join when this part of the batch is free: joining costs a pass of its own. On a GPU
# the calls of the groups' attentions are most of a step's time, so groups shall be few and large.
_JOIN, _JOIN_LARGE = 4, 2


class _Computed:
    """The prompts computed last (`names`: their requests) and the logits that follow each."""

    names: Sequence[int] = ()
    prompts: Cohort
    logits: torch.Tensor


class TransformersEngine:
    """Samples from `model`.

    `own`: the model is nobody else's, so that its weights may be laid out anew (lean.py); otherwise
    it is left as it was.
    """

    def __init__(
        self, model: Any, tokenizer: Any, config: EngineConfig | None = None, own: bool = False
    ) -> None:
        config = config or EngineConfig()
        if not supports(model):
            raise UserError(
                f"engine transformers: {type(model).__name__} has layers that are not plain "
                "attention, which this engine cannot sample from"
            )
        if config.quantize != "none" and not own:
            raise UserError("engine.quantize: only for a model that the engine loads")
        if config.threads:
            torch.set_num_threads(config.threads)
        self.model = model
        self.tokenizer = tokenizer
        self.device = model.device
        self.batch_size = config.batch_size
        self._most = sys.maxsize
        self._large_groups = self.device.type == "cuda"
        self._int8 = _quantized(config, model)
        self._lean = LeanStep.of(model, self._int8) if own else None
        if config.quantize == "int8" and self._lean is None:
            raise UserError(
                f"engine.quantize=int8: {type(model).__name__} is not of a shape that can be "
                "sampled from in 8 bits (see docs/engines.md); use none"
            )
        self._ends = _end_tokens(model, tokenizer)
        self._calculator = Calculator(tokenizer)

    @classmethod
    def load(cls, config: EngineConfig, model: ModelConfig) -> TransformersEngine:
        """Loads model and tokenizer. Raises `UserError` where that is not possible."""
        lm, tokenizer = load_model(model), load_tokenizer(model)
        check_vocabulary(lm, tokenizer, model.name)
        return cls(lm, tokenizer, config, own=True)

    def sample(self, requests: Sequence[Request], params: SamplingParams) -> Iterator[Completion]:
        """Yields every completion of every request once, as they finish.

        Raises `UserError` for parameters out of range and prompts that leave no room to answer.
        """
        params.check()
        if self._lean is not None and not self._lean.current():
            self._lean = None  # someone has put other weights or hooks into the model
            if self._int8:
                raise UserError("engine.quantize=int8: the model has been changed since")
        waiting = Waiting(requests, self._room(requests, params), together=self._large_groups)
        join = _JOIN_LARGE if self._large_groups else _JOIN
        size = self.batch_size or self._rows_that_fit(requests, params.max_new_tokens)
        groups: list[Group] = []
        computed = _Computed()
        while waiting or groups:
            size = min(size, self._most)
            free = size - _rows(groups)
            joins = waiting and (free >= max(1, size // join) or not groups)
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
                release(self.device)

    def _rows_that_fit(self, requests: Sequence[Request], new_tokens: int) -> int:
        # In large groups each sample has a copy of its prompt's keys.
        copied = max((len(r.prompt_ids) for r in requests), default=0) if self._large_groups else 0
        return rows_of_model(self.model, copied + new_tokens)

    def _begun(
        self,
        chunk: list[Sample],
        requests: Sequence[Request],
        computed: _Computed,
        params: SamplingParams,
    ) -> tuple[Group, list[Completion]] | None:
        """The group of `chunk` after its first tokens, and what ended with them.

        None where memory has run out; the samples are then as they were.
        """
        try:
            group, logits = self._start(chunk, requests, computed, params)
            return group, self._advance([group], logits, params)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _moved(self, groups: Sequence[Group], params: SamplingParams) -> list[Completion] | None:
        """What ended with the next token of every sample.

        None where memory has run out; all is then as it was.
        """
        before = [group.cohort.columns for group in groups]
        try:
            return self._advance(groups, self._step(groups), params)
        except RuntimeError as error:
            if not is_out_of_memory(error):
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

    def _evicted(self, groups: list[Group]) -> list[Sample]:
        """Takes out what is too many, from the group that began last."""
        gone: list[Sample] = []
        while (extra := _rows(groups) - self._most) > 0:
            last = groups[-1]
            kept = max(0, len(last.samples) - extra)
            gone += last.samples[kept:]
            last.drop(range(kept, len(last.samples)))
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
        self,
        samples: list[Sample],
        requests: Sequence[Request],
        computed: _Computed,
        params: SamplingParams,
    ) -> tuple[Group, torch.Tensor]:
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
            return Group(samples, cohort, params), computed.logits.expand(len(samples), -1)
        rows = [names.index(sample.request) for sample in samples]
        return Group(samples, computed.prompts.repeat(rows), params), computed.logits[rows]

    def _prompts(self, prompts: Sequence[list[int]]) -> tuple[Cohort, torch.Tensor]:
        longest = max(map(len, prompts))
        padding = torch.tensor([longest - len(prompt) for prompt in prompts], device=self.device)
        # What stands in the padding is never attended to: any token will do.
        ids = torch.tensor([[p[0]] * (longest - len(p)) + p for p in prompts], device=self.device)
        cohort = Cohort(rows=len(prompts), padding=padding if len(prompts) > 1 else None)
        positions = (torch.arange(longest, device=self.device) - padding[:, None]).clamp(min=0)
        return cohort, self._forward([cohort], ids, positions)

    @torch.inference_mode()
    def _step(self, groups: Sequence[Group]) -> torch.Tensor:
        """The logits of the next token of every sample, (samples, vocabulary)."""
        last = np.concatenate([group.tokens[:, group.written - 1] for group in groups])
        ids = torch.from_numpy(last).to(self.device)
        positions = torch.cat([_positions(group.cohort, self.device) for group in groups])
        if self._lean is not None:
            return self._lean([group.cohort for group in groups], ids, positions)
        return self._forward([group.cohort for group in groups], ids[:, None], positions[:, None])

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
        self, groups: Sequence[Group], logits: torch.Tensor, params: SamplingParams
    ) -> list[Completion]:
        """Gives every sample its next token; takes out and returns those that ended with it."""
        draws = np.concatenate([group.draws[group.drawing, group.written] for group in groups])
        seen: list[torch.Tensor] = []
        tokens, logprobs = choose(
            logits,
            torch.from_numpy(draws).to(self.device),
            params,
            (lambda untempered: seen.append(token_scores(untempered)))
            if params.confidence
            else None,
        )
        drawn = tokens.cpu().numpy()
        scores = torch.cat([logprobs[:, None], *seen], dim=1).cpu().numpy()
        done: list[Completion] = []
        first = 0
        for group in groups:
            rows = slice(first, first + len(group.samples))
            done += self._append(group, drawn[rows], scores[rows], params.stop)
            first = rows.stop
        return done

    def _append(
        self, group: Group, drawn: np.ndarray, scores: np.ndarray, stop: Sequence[str]
    ) -> list[Completion]:
        """Adds a group's drawn tokens, or what the calculator writes in their place.

        `scores`: of each row its token's log-probability, then its `TOKEN_SCORES` if asked for.
        """
        model_wrote = np.ones(len(drawn), dtype=bool)
        tokens = drawn.copy()
        for row, sample in enumerate(group.samples):
            if sample.calculator:
                tokens[row], model_wrote[row] = self._calculated(group, row, int(drawn[row]))
        group.note(scores, model_wrote)
        at_end = np.isin(tokens, self._ends) & model_wrote
        ended = {
            row: self._completion(group, row, "eos") for row in np.flatnonzero(at_end).tolist()
        }
        group.tokens[:, group.written] = tokens
        group.written += 1
        if stop:
            ended |= self._stopped(group, ended, stop)
        for row in np.flatnonzero(group.limits == group.written).tolist():
            if row not in ended:
                ended[row] = self._completion(group, row, "length")
        if ended:
            group.drop(list(ended))
        return list(ended.values())

    def _calculated(self, group: Group, row: int, drawn: int) -> tuple[int, bool]:
        """The token to write for one that was drawn, and whether it is the model's."""
        sample = group.samples[row]
        if sample.forced:
            return sample.forced.pop(0), False
        if drawn in self._ends:
            return drawn, True
        if not self._calculator.has_equals(drawn):
            return drawn, True
        written = group.tokens[row, : group.written].tolist()
        token, *sample.forced = self._calculator.tokens(written, drawn)
        return token, token == drawn

    def _stopped(
        self, group: Group, ended: Mapping[int, Completion], stop: Sequence[str]
    ) -> dict[int, Completion]:
        """The rows, of those not `ended`, whose text now holds one of the texts `stop`."""
        # A token is at least one byte, so the end of the text holds whatever has just come.
        last = 1 + max(len(text.encode()) for text in stop)
        written = group.tokens[:, : group.written]
        tails = [self._text(tokens.tolist()) for tokens in written[:, -last:]]
        return {
            row: self._completion(group, row, "stop", stop)
            for row, tail in enumerate(tails)
            if row not in ended
            and any(text in tail for text in stop)
            and any(text in self._text(written[row].tolist()) for text in stop)
        }

    def _completion(
        self, group: Group, row: int, reason: Stop, stop: Sequence[str] = ()
    ) -> Completion:
        sample = group.samples[row]
        tokens = group.tokens[row, : group.written].tolist()
        text = self._text(tokens)
        if reason == "stop":
            text = text[: min(at for at in map(text.find, stop) if at >= 0)]
            size = len(tokens)
            while size and self._text(tokens[: size - 1]).startswith(text):
                size -= 1
            tokens = tokens[:size]
        logprob, free = float(group.logprobs[row]), group.free(row)
        return Completion(sample.request, sample.index, text, tokens, logprob, reason, free)

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))


def _quantized(config: EngineConfig, model: Any) -> str:
    """The way of products in 8 bits, told on stderr; empty where they are not wanted or slow here.

    Raises `UserError` where they are not possible.
    """
    if config.quantize not in ("none", "int8"):
        raise UserError(f"engine.quantize={config.quantize}: expected none or int8")
    if config.quantize == "none":
        return ""
    if model.device.type != "cpu":
        raise UserError(
            f"engine.quantize=int8: for the CPU only, and the model is on {model.device}"
        )
    if model.dtype != torch.float32:
        raise UserError(f"engine.quantize=int8: expected dtype=float32, found {model.dtype}")
    shape = model.config.get_text_config()
    width, inner = shape.hidden_size, getattr(shape, "intermediate_size", None)
    way = fastest_way(width, 2 * inner) if isinstance(inner, int) else None
    if way is None:
        told = "no product in 8 bits is both right and faster here: sampling in float32"
    else:
        told = (
            f"{way.name}, products {way.ratio:.1f} times as fast as in float32; "
            "samples come from a slightly different distribution"
        )
    sys.stderr.write(f"engine.quantize=int8: {told}\n")
    return "" if way is None else way.name


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Every token that ends a text: the tokenizer's, and those of the model's generation config."""
    configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    listed = configured if isinstance(configured, (list, tuple)) else [configured]
    return sorted({t for t in (*listed, tokenizer.eos_token_id) if t is not None})


def _positions(cohort: Cohort, device: torch.device) -> torch.Tensor:
    """The position of each row's next token, (rows,)."""
    if cohort.padding is None:
        return torch.full((cohort.rows,), cohort.length, device=device)
    return cohort.length - cohort.padding


def _rows(groups: Sequence[Group]) -> int:
    return sum(len(group.samples) for group in groups)

"""The engine `vllm`: vLLM in this process, on one GPU or several (extra `vllm`), or its CPU build.

Every sample is a request of its own, with a seed of its own: inside vLLM that is what `n` samples
of a prompt become, but so they are handed on one by one as they finish. All are submitted at once,
those of one prompt side by side; prefix caching computes the prompt once. vLLM is driven by
`LLMEngine.add_request` and `step`, as its own `LLM.generate` does.

    engine = VllmEngine.load(EngineConfig(name="vllm"), ModelConfig(name="PATH_OR_HUB_ID"))
    texts = [c.text for c in engine.sample([Request(ids, count=64, key="p/cot")], SamplingParams())]
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from assay.generator.engines.confidence import TOP, top_scores
from assay.generator.engines.config import EngineConfig, SamplingParams
from assay.generator.engines.continuing import Continuing, Draft, seed_of
from assay.generator.engines.interface import Completion, Request
from assay.generator.engines.openai_api import Choice
from assay.generator.models import ModelConfig, device_of, dtype_of, load_tokenizer, resolve
from assay.settings.errors import UserError
from assay.settings.extras import missing_package

__all__ = ["VllmEngine"]

# vLLM refuses hotter sampling, and makes colder one hotter.
_COLDEST, _HOTTEST = 0.01, 2.0
# Unless the user has set them. Its core in this process: one of its own outlives a `kill -9` of
# this one, and keeps the GPU (workers for more GPUs do not). Workers are started afresh: a forked
# one cannot use a GPU that its parent has looked at.
_ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}


class VllmEngine:
    """Samples from the model of a `vllm.LLM`, whose Hugging Face tokenizer is `tokenizer`."""

    def __init__(self, llm: Any, tokenizer: Any) -> None:
        self.llm = llm
        self.tokenizer = tokenizer
        self._engine = llm.llm_engine
        self._positions = int(self._engine.model_config.max_model_len)
        self.continuing = Continuing(tokenizer)
        self._names = itertools.count()

    @classmethod
    def load(cls, config: EngineConfig, model: ModelConfig) -> VllmEngine:
        """Raises `UserError` where vLLM is missing, or does not take the model or a setting."""
        _check(config, model)
        tokenizer, settings = load_tokenizer(model), _settings(config, model)
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        try:
            from vllm import LLM

            return cls(LLM(**settings), tokenizer)
        except (ImportError, OSError, ValueError, TypeError, RuntimeError) as error:
            why = " ".join(str(error).split()) or type(error).__name__
            why = why if len(why) <= 240 else why[:239] + "…"
            raise UserError(f"engine vllm: cannot load {model.name} ({why})") from error

    def sample(self, requests: Sequence[Request], params: SamplingParams) -> Iterator[Completion]:
        """Yields every completion of every request once, as they finish.

        Closing the iterator takes back what is not finished. Raises `UserError` for parameters out
        of range and prompts that leave no room to answer.
        """
        _check_params(params)
        limits = [self._limit(request, params) for request in requests]
        # Request and sample of what is in the making, by its name at vLLM.
        making: dict[str, tuple[int, int, Draft]] = {}

        def start(number: int, sample: int, draft: Draft) -> None:
            name, request = str(next(self._names)), requests[number]
            seed = seed_of(params.seed, request.key, sample, draft.rounds)
            left = limits[number] - len(draft.token_ids)
            ids = [*request.prompt_ids, *draft.token_ids]
            prompt = {"type": "token", "prompt_token_ids": ids}
            making[name] = (number, sample, draft)
            self._engine.add_request(name, prompt, _vllm_params(params, seed, left))

        try:
            for number, request in enumerate(requests):
                for sample in range(request.first, request.first + request.count):
                    start(number, sample, Draft())
            while making:
                for output in self._engine.step():
                    if not output.finished or output.request_id not in making:
                        continue
                    number, sample, draft = making.pop(output.request_id)
                    result = self.continuing.add(
                        draft,
                        _choice(output.outputs[0], tops=bool(params.confidence)),
                        calculator=requests[number].calculator,
                        stop=params.stop,
                        limit=limits[number],
                        confidence=bool(params.confidence),
                    )
                    if isinstance(result, Draft):
                        start(number, sample, result)
                    else:
                        yield Completion(number, sample, *result)
        finally:
            if making:
                # Where vLLM itself has died there is nothing to take back.
                with contextlib.suppress(Exception):
                    self._engine.abort_request(list(making))

    def _limit(self, request: Request, params: SamplingParams) -> int:
        """How many tokens a sample may have."""
        length = len(request.prompt_ids)
        if not length:
            raise UserError(f"{request.key}: the prompt is empty")
        if length >= self._positions:
            raise UserError(
                f"{request.key}: the prompt has {length} tokens, and the model's {self._positions} "
                "positions (engine.vllm.max_model_len) leave no room for an answer"
            )
        return min(params.max_new_tokens, self._positions - length)


def _check_params(params: SamplingParams) -> None:
    params.check()
    if params.temperature and not _COLDEST <= params.temperature <= _HOTTEST:
        raise UserError(
            f"sampling.temperature={params.temperature}: vLLM takes 0 and what is from "
            f"{_COLDEST:g} to {_HOTTEST:g}"
        )


def _check(config: EngineConfig, model: ModelConfig) -> None:
    settings = config.vllm
    if settings.tensor_parallel < 1:
        raise UserError(
            f"engine.vllm.tensor_parallel={settings.tensor_parallel}: expected 1 or more"
        )
    if not 0 < settings.memory <= 1:
        raise UserError(f"engine.vllm.memory={settings.memory}: expected a number in (0, 1]")
    if settings.max_model_len < 0:
        raise UserError(
            f"engine.vllm.max_model_len={settings.max_model_len}: expected 0 (all) or more"
        )
    if ":" in model.device:
        raise UserError(
            f"device={model.device}: vLLM takes the first GPUs that it sees; "
            "choose them by CUDA_VISIBLE_DEVICES"
        )
    if find_spec("vllm") is None:
        raise missing_package(
            "engine.name=vllm", "vllm", extra="vllm", instead="use engine.name=server"
        )


def _settings(config: EngineConfig, model: ModelConfig) -> dict[str, Any]:
    """The arguments of `vllm.LLM`."""
    settings: dict[str, Any] = {
        "model": resolve(model.name),
        "revision": model.revision or None,
        "tokenizer_revision": model.revision or None,
        "trust_remote_code": model.trust_remote_code,
        "dtype": str(dtype_of(model)).removeprefix("torch."),
        # Not the defaults of top-k, penalties, … that come with a model.
        "generation_config": "vllm",
        "logprobs_mode": "raw_logprobs",
        "enable_prefix_caching": True,
        "tensor_parallel_size": config.vllm.tensor_parallel,
        "gpu_memory_utilization": config.vllm.memory,
        "use_tqdm_on_load": False,
    }
    if config.vllm.max_model_len:
        settings["max_model_len"] = config.vllm.max_model_len
    if config.batch_size:
        settings["max_num_seqs"] = config.batch_size
    if device_of(model).type == "cpu":
        # vLLM's CPU build fails at a seeded sample whose prompt is computed in two steps.
        settings["enable_chunked_prefill"] = False
    return settings | config.vllm.extra


def _vllm_params(params: SamplingParams, seed: int, limit: int) -> Any:
    from vllm import SamplingParams as VllmParams
    from vllm.sampling_params import RequestOutputKind

    return VllmParams(
        temperature=params.temperature,
        top_p=params.top_p,
        top_k=params.top_k,
        min_p=params.min_p,
        max_tokens=limit,
        stop=list(params.stop) or None,
        seed=seed,
        logprobs=TOP if params.confidence else 0,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _choice(output: Any, *, tops: bool) -> Choice:
    """What vLLM wrote: its last token, where a token ended it, is left out of the tokens."""
    ids = list(output.token_ids)
    told = output.logprobs or []
    logprobs = [told[i][token].logprob for i, token in enumerate(ids)] if told else None
    likeliest = None
    if tops and told:
        likeliest = [top_scores([each.logprob for each in place.values()]) for place in told]
    if output.finish_reason == "length":
        return Choice(output.text, ids, logprobs, "length", likeliest)
    if isinstance(output.stop_reason, str):
        return Choice(output.text, ids, logprobs, "stop", likeliest)
    return Choice(output.text, ids[:-1], logprobs, "eos", likeliest)

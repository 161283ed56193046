"""What writing candidates and scoring them will take."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from assay.generator.shapes import KnownModel
from assay.planning.estimate import FORWARD_KERNELS, OVERHEAD, StageEstimate, estimate_of
from assay.planning.hardware import GIB, Machine
from assay.planning.memory import Memory, key_value_bytes

__all__ = ["Sampling", "Scoring", "sampling_estimate", "scoring_estimate"]

# Seconds that an engine takes for a token of all samples besides the kernels: Python, drawing. vLLM
# plans the next step meanwhile.
_STEP = {"transformers": 3e-3, "vllm": 2e-3, "server": 2e-3}
# Share of an engine's rows that write at a time: batches run empty at the end of a part.
_OCCUPIED = {"transformers": 0.6, "vllm": 0.85, "server": 0.85}


@dataclass(frozen=True)
class Sampling:
    """Candidates of `problems` problems, `modes` samples of each, of `prompt` + `tokens` tokens."""

    name: str
    model: KnownModel
    problems: int
    prompts: int
    candidates: int
    prompt: float
    tokens: float
    most_tokens: int
    engine: str
    element: int
    batch: int = 0
    tensor_parallel: int = 1


@dataclass(frozen=True)
class Scoring:
    """Scoring of `candidates` candidates behind `prompts` questions."""

    name: str
    model: KnownModel
    prompts: int
    candidates: int
    prompt: float
    tokens: float
    micro_batch_tokens: int
    element: int


def sampling_estimate(work: Sampling, machine: Machine) -> StageEstimate:
    """The estimate of writing candidates, with advice where it does not fit."""
    stage = _sampling(work, machine)
    if stage.fits:
        return stage
    found = []
    for parallel in (2, 4, 8):
        if work.tensor_parallel < parallel <= machine.in_node:
            other = dataclasses.replace(work, tensor_parallel=parallel, engine="vllm")
            tried = _sampling(other, machine)
            if tried.fits:
                needed = tried.memory.total / GIB
                found.append(
                    f"engine.name=vllm engine.vllm.tensor_parallel={parallel} ({needed:.1f} GiB)"
                )
    return dataclasses.replace(stage, advice=tuple(found))


def _sampling(work: Sampling, machine: Machine) -> StageEstimate:
    device, shape, size = machine.device, work.model.shape, work.model.size
    parallel = work.tensor_parallel
    replicas = max(1, machine.count // parallel)
    weights = size.total * work.element / parallel
    token = key_value_bytes(shape, work.element) / parallel
    rows = _rows(work, device.memory, weights, token, is_cpu=device.is_cpu)
    rows = max(1, min(rows, math.ceil(work.candidates / replicas)))
    active = max(1.0, rows * _OCCUPIED[work.engine])
    tokens = work.candidates * work.tokens
    flops = work.prompts * float(shape.prompt_flops(round(work.prompt)))
    sampled = shape.sampling_flops(round(work.prompt), max(1, round(work.tokens)))
    decode_flops = work.candidates * float(sampled)
    steps = tokens / (active * replicas)
    read = weights + active * token * (work.tokens / 2 + _prompt_read(work))
    rate = device.rate(work.element)
    launched = (shape.layers * FORWARD_KERNELS + 20) * device.launch
    seconds = {
        "arithmetic": decode_flops / (rate * device.decode * replicas * parallel),
        "memory": steps * read / (device.bandwidth * device.read),
        # vLLM's graphs start all kernels of a step at once.
        "kernels": steps * (launched if work.engine == "transformers" else 0.0),
    }
    bound, longest = max(seconds.items(), key=lambda item: item[1])
    besides = 0.0 if device.is_cpu else steps * _STEP[work.engine]
    # vLLM reads prompts in large batches, among the samples that write.
    share = device.score if work.engine == "transformers" else device.decode
    prefill = flops / (rate * share * replicas * parallel)
    writing = longest + besides if work.engine == "transformers" else max(longest, besides)
    return estimate_of(
        work.name,
        work.model,
        machine,
        _sampling_memory(work, weights, token, rows, is_cpu=device.is_cpu),
        tokens=tokens,
        step_tokens=active * replicas,
        steps=math.ceil(steps),
        flops=flops + decode_flops,
        seconds=writing + prefill,
        bound=bound if longest >= besides else "engine",
        settings={
            "engine": work.engine,
            "samples_at_once": rows,
            "tensor_parallel": parallel if parallel > 1 else 0,
        },
    )


def _sampling_memory(
    work: Sampling, weights: float, token: float, rows: int, *, is_cpu: bool
) -> Memory:
    """Memory of one device that writes `rows` samples, `token` bytes of cache for each token."""
    # The room that caches take: those of the engine `transformers` grow by doubling.
    room = work.most_tokens * 2 if work.engine == "transformers" else work.prompt + work.tokens
    return Memory(
        {
            "weights": weights,
            "kv cache": rows * room * token,
            "logits": rows * work.model.shape.vocabulary * (work.element + 12.0),
            "other": 0.0 if is_cpu else OVERHEAD,
        }
    )


def _rows(work: Sampling, memory: float, weights: float, token: float, *, is_cpu: bool) -> int:
    """Samples that one replica writes at once, as the engines choose it."""
    if work.batch:
        return work.batch
    if work.engine == "transformers":
        from assay.generator.engines.memory import rows_that_fit

        free = max(0.0, memory - weights - OVERHEAD)
        return rows_that_fit(token, work.most_tokens, None if is_cpu else free)
    room = max(0.0, 0.9 * memory - weights - OVERHEAD)
    return max(1, min(256, int(room / (token * (work.prompt + work.tokens)))))


def _prompt_read(work: Sampling) -> float:
    """Tokens of the prompt whose keys a sample reads: shared by all of one prompt's, or its own."""
    if work.engine != "transformers":
        return work.prompt
    return work.prompt * work.prompts / max(1, work.candidates)


def scoring_estimate(work: Scoring, machine: Machine) -> StageEstimate:
    """The estimate of scoring: one prompt's candidates at a time, on every device its own parts."""
    device, shape, size = machine.device, work.model.shape, work.model.size
    tokens = work.candidates * work.tokens
    together = min(work.micro_batch_tokens, work.candidates / max(1, work.prompts) * work.tokens)
    # In a forward pass the widest layer's tensors live, and the question's keys.
    width = 4 * shape.hidden_size + 4 * max(shape.intermediate_size, shape.expert_size)
    token = key_value_bytes(shape, work.element)
    memory = Memory(
        {
            "weights": float(size.total * work.element),
            "activations": float(work.micro_batch_tokens * width * work.element),
            "kv cache": token * (work.prompt + work.micro_batch_tokens),
            "other": 0.0 if device.is_cpu else OVERHEAD,
        }
    )
    questions = work.prompts * float(shape.forward(0, round(work.prompt)))
    candidate = shape.scoring_flops(round(work.prompt), max(1, round(work.tokens)))
    flops = questions + work.candidates * float(candidate)
    passes = work.prompts + tokens / max(1.0, together)
    seconds = {
        "arithmetic": flops / (device.rate(work.element) * device.score * machine.count),
        "memory": passes * size.total * work.element
        / (device.bandwidth * device.read * machine.count),
        "kernels": passes * shape.layers * 2 * FORWARD_KERNELS * device.launch / machine.count,
    }  # fmt: skip
    bound = max(seconds, key=lambda name: seconds[name])
    return estimate_of(
        work.name,
        work.model,
        machine,
        memory,
        tokens=tokens,
        step_tokens=together,
        steps=math.ceil(passes),
        flops=flops,
        seconds=seconds[bound],
        bound=bound,
        settings={"micro_batch_tokens": work.micro_batch_tokens},
    )

"""What a stage will take, from shapes: memory by part, FLOPs, seconds. No weights, no data.

Every estimate is a roofline: the time of a stage is the longest of its arithmetic, its reading of
memory, its starting of kernels and its talking between devices, each at the share of the peak that
`planning/hardware.py` states. What is shorter is taken to hide behind the longest.

    stage = training_stage(work, machine)
    stage.memory.total, stage.seconds, stage.bound
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from assay.generator.shapes import KnownModel
from assay.planning.hardware import GIB, Machine
from assay.planning.memory import (
    NO_ADAPTERS,
    PARALLEL,
    PRECISIONS,
    Adapters,
    Memory,
    key_value_bytes,
    trained_parameters,
    training_memory,
)

__all__ = [
    "Sampling",
    "Scoring",
    "Stage",
    "Training",
    "grading_stage",
    "sampling_stage",
    "scoring_stage",
    "training_stage",
]

# CUDA's context, libraries' workspaces, buffers of communication, fragmentation.
_OVERHEAD = 1.5 * GIB
# Kernels of a layer, forward and backward, and of a call of attention for each packed example.
_KERNELS, _ATTENTION_KERNELS = (25, 50), 5
# Seconds that an engine takes for a token of all samples besides the kernels: Python, drawing. vLLM
# plans the next step meanwhile.
_STEP = {"transformers": 3e-3, "vllm": 2e-3, "server": 2e-3}
# Share of an engine's rows that write at a time: batches run empty at the end of a part.
_OCCUPIED = {"transformers": 0.6, "vllm": 0.85, "server": 0.85}
# Candidates a second that are run, compared and labelled.
_GRADED = 2000.0
# What `deepspeed=` may name, each dividing more than the one before.
_DEEPSPEED = {
    "zero2": "configs/deepspeed/zero2.json",
    "zero3": "configs/deepspeed/zero3.json",
    "zero3-offload": "configs/deepspeed/zero3_offload.json",
}
# Offloaded optimiser states: byte/s between device and host, and of the host's memory.
_PCIE, _HOST = 25e9, 100e9


@dataclass(frozen=True)
class Stage:
    """An estimate. `memory` is of one device, `capacity` what it has, `host_capacity` its share of
    the host's memory, all in bytes; 0 where neither says anything. `settings`: what was planned
    with. `advice`: what would fit where this does not.
    """

    name: str
    model: str = ""
    parameters: int = 0
    trained: int = 0
    memory: Memory = field(default_factory=lambda: Memory({}))
    capacity: float = 0.0
    host_capacity: float = 0.0
    tokens: float = 0.0
    step_tokens: float = 0.0
    steps: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    bound: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    advice: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the memory is enough."""
        return self.memory.total <= self.capacity and self.memory.host <= self.host_capacity


@dataclass(frozen=True)
class Words:
    """How a training's configuration asks for what needs less memory; an empty key: it cannot.

    `micro_unit` is the tokens for which `micro` counts one.
    """

    micro: str = ""
    micro_unit: int = 1
    deepspeed: str = ""
    checkpointing: str = ""
    rank: str = ""
    bits: str = ""
    dtype: str = ""
    no_deepspeed: str = "null"


@dataclass(frozen=True)
class Training:
    """A training. `tokens` are those read in all, in `steps` steps; `logit_share` of them have
    logits. A micro-batch has `micro_tokens` tokens in `micro_examples` examples. `extra_flops` is
    what else is computed, forward only.
    """

    name: str
    model: KnownModel
    tokens: float
    steps: int
    logit_share: float
    micro_tokens: int
    example_tokens: float
    precision: str
    parallel: str = "ddp"
    checkpointing: bool = False
    adapters: Adapters = NO_ADAPTERS
    extra_flops: float = 0.0
    words: Words = Words()
    divided_precision: str = "autocast"
    """what ZeRO computes in"""


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
    batch_tokens: int
    element: int


def training_stage(work: Training, machine: Machine) -> Stage:
    """The estimate of a training, with advice where it does not fit."""
    stage = _training(work, machine)
    if stage.fits:
        return stage
    found: dict[str, str] = {}
    for change, saving, other in _alternatives(work, machine):
        tried = _training(other, machine)
        # Checkpointing only where the change alone is not enough.
        if tried.fits and change not in found:
            text = f"{change} {saving}".strip()
            found[change] = f"{text} ({tried.memory.total / GIB:.1f} GiB{_of_host(tried)})"
    return dataclasses.replace(stage, advice=tuple(found.values()))


def _of_host(stage: Stage) -> str:
    host = stage.memory.host / GIB
    return f", {host:.0f} of the host" if host else ""


def _training(work: Training, machine: Machine) -> Stage:
    machine = machine.training
    count, device, model = machine.count, machine.device, work.model
    precision, parallel = PRECISIONS[work.precision], PARALLEL[work.parallel]
    step_tokens = work.tokens / max(1, work.steps)
    micro_tokens = max(1, min(work.micro_tokens, math.ceil(step_tokens / count)))
    memory = training_memory(
        model.size, model.shape, precision, parallel,
        devices=count,
        tokens=micro_tokens,
        logit_tokens=micro_tokens * work.logit_share,
        checkpointing=work.checkpointing,
        adapters=work.adapters,
    )  # fmt: skip
    if not device.is_cpu:
        memory = dataclasses.replace(memory, device=memory.device | {"other": _OVERHEAD})
    trained = trained_parameters(model.size, work.adapters)
    micro_batches = math.ceil(step_tokens / count / micro_tokens) * work.steps
    flops = _training_flops(work)
    rate = device.rate(precision.compute) * device.train
    seconds = {
        "arithmetic": flops / (rate * count),
        "kernels": micro_batches * _kernels(work, micro_tokens) * device.launch,
        "communication": _exchanged(work, trained, count, micro_batches) / machine.link,
    }
    bound, longest = max(seconds.items(), key=lambda item: item[1])
    offload = _offloaded(work, trained, machine, micro_batches)
    return _estimate(
        work,
        machine,
        memory,
        trained=trained,
        tokens=work.tokens,
        step_tokens=step_tokens,
        steps=work.steps,
        flops=flops,
        seconds=longest + offload,
        bound="offloading" if offload > longest else bound,
        settings={
            "parallel": work.parallel if count > 1 or work.parallel != "ddp" else "",
            "precision": work.precision,
            "micro_batch_tokens": micro_tokens,
            "checkpointing": work.checkpointing,
            "lora_rank": work.adapters.rank,
            "lora_bits": work.adapters.bits,
        },
    )


def _estimate(
    work: Training | Sampling | Scoring, machine: Machine, memory: Memory, **rest: Any
) -> Stage:
    """A stage of this work on this machine; `rest` are the other fields of `Stage`."""
    device, model = machine.device, work.model
    return Stage(
        work.name,
        model.name,
        model.size.total,
        memory=memory,
        capacity=device.memory,
        host_capacity=device.host,
        **rest,
    )


def _training_flops(work: Training) -> float:
    """Backward costs twice forward; with frozen weights once, and checkpointing once forward."""
    shape = work.model.shape
    per_token = float(shape.forward(0, round(work.example_tokens))) / round(work.example_tokens)
    forward = work.tokens * (per_token + work.logit_share * shape.logit_flops)
    passes = (2 if work.adapters.rank else 3) + work.checkpointing
    adapters = work.tokens * 6 * trained_parameters(work.model.size, work.adapters)
    return passes * forward + (adapters if work.adapters.rank else 0.0) + work.extra_flops


def _kernels(work: Training, micro_tokens: int) -> float:
    forward, backward = _KERNELS
    examples = micro_tokens / work.example_tokens
    layer = forward * (1 + work.checkpointing) + backward + _ATTENTION_KERNELS * examples
    return work.model.shape.layers * layer


def _exchanged(work: Training, trained: int, count: int, micro_batches: int) -> float:
    """Bytes that each device sends (Rajbhandari et al. 2020, section 7): gradients summed once a
    step, twice their size; with divided weights, these gathered twice for each micro-batch.
    """
    precision, parallel = PRECISIONS[work.precision], PARALLEL[work.parallel]
    part = (count - 1) / count
    if parallel.weights:
        gathered = 2 * work.model.size.total * precision.weights * micro_batches
        return part * (gathered + trained * precision.gradients * micro_batches)
    return part * 2 * trained * precision.gradients * work.steps


def _offloaded(work: Training, trained: int, machine: Machine, micro_batches: int) -> float:
    """Seconds that what lies in the host's memory costs each device.

    Of its share, gradients go there after each micro-batch and weights come back after each step,
    or, where they lie there too, twice for each micro-batch. Adam reads and writes 28 bytes a
    parameter, all devices of a node from one memory.
    """
    precision, parallel = PRECISIONS[work.precision], PARALLEL[work.parallel]
    if not parallel.offload_states:
        return 0.0
    share = trained / machine.count
    moved = micro_batches * share * precision.gradients
    if parallel.offload_weights:
        moved += 2 * micro_batches * precision.weights * work.model.size.total / machine.count
    else:
        moved += work.steps * share * precision.weights
    return moved / _PCIE + work.steps * 28 * share / (_HOST / machine.in_node)


def _alternatives(work: Training, machine: Machine) -> list[tuple[str, str, Training]]:
    """Changes that need less memory, the least of a change first: the words that ask for them,
    those that ask for checkpointing besides, and what comes of it.
    """
    replace, words = dataclasses.replace, work.words
    changes = [("", work)]
    unit = words.micro_unit
    small = max(unit, work.micro_tokens // 4 // unit * unit)
    if words.micro and small < work.micro_tokens:
        changes.append((f"{words.micro}={small // unit}", replace(work, micro_tokens=small)))
    # Weights of 4 bits are not divided.
    if not machine.device.is_cpu and words.deepspeed and work.adapters.bits != 4:
        for name, file in _DEEPSPEED.items():
            if machine.count > 1 or name == "zero3-offload":
                divided = replace(work, parallel=name, precision=work.divided_precision)
                changes.append((f"{words.deepspeed}={file}", divided))
    if not machine.device.is_cpu and words.rank:
        # Adapters leave the weights whole.
        whole = replace(work, parallel="ddp", adapters=Adapters(rank=work.adapters.rank or 16))
        text = f"{words.rank}={whole.adapters.rank}"
        if words.deepspeed and work.parallel != "ddp":
            text += f" {words.deepspeed}={words.no_deepspeed}"
        changes.append((f"{text} {words.dtype}=bfloat16", replace(whole, precision="16-bit")))
        if words.bits:
            four = replace(whole, adapters=replace(whole.adapters, bits=4), precision="autocast")
            changes.append((f"{text} {words.bits}=4", four))
    return [
        (text, saving, tried)
        for text, change in changes
        for saving in ("", f"{words.checkpointing}=true")[: 1 + bool(words.checkpointing)]
        if (tried := replace(change, checkpointing=bool(saving) or change.checkpointing)) != work
    ]


def sampling_stage(work: Sampling, machine: Machine) -> Stage:
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


def _sampling(work: Sampling, machine: Machine) -> Stage:
    device, shape, size = machine.device, work.model.shape, work.model.size
    parallel = work.tensor_parallel
    replicas = max(1, machine.count // parallel)
    weights = size.total * work.element / parallel
    token = key_value_bytes(shape, work.element) / parallel
    rows = _rows(work, device.memory, weights, token, is_cpu=device.is_cpu)
    rows = max(1, min(rows, math.ceil(work.candidates / replicas)))
    # The room that caches take: those of the engine `transformers` grow by doubling.
    room = work.most_tokens * 2 if work.engine == "transformers" else work.prompt + work.tokens
    memory = Memory(
        {
            "weights": weights,
            "kv cache": rows * room * token,
            "logits": rows * shape.vocabulary * (work.element + 12.0),
            "other": 0.0 if device.is_cpu else _OVERHEAD,
        }
    )
    active = max(1.0, rows * _OCCUPIED[work.engine])
    tokens = work.candidates * work.tokens
    flops = work.prompts * float(shape.prompt_flops(round(work.prompt)))
    sampled = shape.sampling_flops(round(work.prompt), max(1, round(work.tokens)))
    decode_flops = work.candidates * float(sampled)
    steps = tokens / (active * replicas)
    read = weights + active * token * (work.tokens / 2 + _prompt_read(work))
    rate = device.rate(work.element)
    launched = (shape.layers * _KERNELS[0] + 20) * device.launch
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
    return _estimate(
        work,
        machine,
        memory,
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


def _rows(work: Sampling, memory: float, weights: float, token: float, *, is_cpu: bool) -> int:
    """Samples that one replica writes at once, as the engines choose it."""
    if work.batch:
        return work.batch
    if work.engine == "transformers":
        from assay.generator.engines.memory import rows_that_fit

        free = max(0.0, memory - weights - _OVERHEAD)
        return rows_that_fit(token, work.most_tokens, None if is_cpu else free)
    room = max(0.0, 0.9 * memory - weights - _OVERHEAD)
    return max(1, min(256, int(room / (token * (work.prompt + work.tokens)))))


def _prompt_read(work: Sampling) -> float:
    """Tokens of the prompt whose keys a sample reads: shared by all of one prompt's, or its own."""
    if work.engine != "transformers":
        return work.prompt
    return work.prompt * work.prompts / max(1, work.candidates)


def scoring_stage(work: Scoring, machine: Machine) -> Stage:
    """The estimate of scoring: one prompt's candidates at a time, on every device its own parts."""
    device, shape, size = machine.device, work.model.shape, work.model.size
    tokens = work.candidates * work.tokens
    together = min(work.batch_tokens, work.candidates / max(1, work.prompts) * work.tokens)
    # In a forward pass the widest layer's tensors live, and the question's keys.
    width = 4 * shape.hidden_size + 4 * max(shape.intermediate_size, shape.expert_size)
    token = key_value_bytes(shape, work.element)
    memory = Memory(
        {
            "weights": float(size.total * work.element),
            "activations": float(work.batch_tokens * width * work.element),
            "kv cache": token * (work.prompt + work.batch_tokens),
            "other": 0.0 if device.is_cpu else _OVERHEAD,
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
        "kernels": passes * shape.layers * 2 * _KERNELS[0] * device.launch / machine.count,
    }  # fmt: skip
    bound = max(seconds, key=lambda name: seconds[name])
    return _estimate(
        work,
        machine,
        memory,
        tokens=tokens,
        step_tokens=together,
        steps=math.ceil(passes),
        flops=flops,
        seconds=seconds[bound],
        bound=bound,
        settings={"batch_tokens": work.batch_tokens},
    )


def grading_stage(name: str, candidates: int) -> Stage:
    """The estimate of running programs and labelling answers, on the host's processor."""
    return Stage(name, seconds=candidates / _GRADED, bound="programs")

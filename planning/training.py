"""What a training will take, and what would fit where it does not.

    stage = training_estimate(work, machine)
    stage.fits, stage.advice

Advice is found by trying: every change that a configuration can ask for is estimated as well.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from assay.generator.shapes import KnownModel
from assay.planning.estimate import FORWARD_KERNELS, OVERHEAD, StageEstimate, estimate_of
from assay.planning.hardware import GIB, Machine
from assay.planning.memory import (
    NO_ADAPTERS,
    PARALLEL,
    PRECISIONS,
    STATES_16_BIT,
    Adapters,
    trained_parameters,
    training_memory,
)
from assay.planning.memory_keys import NO_KEYS, MemoryKeys

__all__ = ["Training", "training_estimate"]

# Kernels of a layer, backward, and of a call of attention for each packed example.
_BACKWARD_KERNELS, _ATTENTION_KERNELS = 50, 5
# What `deepspeed=` may name, each dividing more than the one before.
_DEEPSPEED = {
    "zero2": "configs/deepspeed/zero2.json",
    "zero3": "configs/deepspeed/zero3.json",
    "zero3-offload": "configs/deepspeed/zero3_offload.json",
}
# Offloaded optimiser states: byte/s between device and host, and of the host's memory.
_PCIE, _HOST = 25e9, 100e9


@dataclass(frozen=True)
class Training:
    """A training. `tokens` are those read in all, in `steps` steps; `logit_share` of them have
    logits. A micro-batch has `micro_tokens` tokens, and no fewer than `whole_tokens`, those of the
    longest row that cannot be divided. `rows` are those of a step: where they do not come out even
    over the devices, some wait; 0 = they do. `extra_flops` is what else is computed, forward only.
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
    keys: MemoryKeys = NO_KEYS
    whole_tokens: int = 1
    rows: float = 0.0
    divided_precision: str = "autocast"
    """what ZeRO computes in"""


def training_estimate(work: Training, machine: Machine) -> StageEstimate:
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


def _of_host(stage: StageEstimate) -> str:
    host = stage.memory.host / GIB
    return f", {host:.0f} of the host" if host else ""


def _training(work: Training, machine: Machine) -> StageEstimate:
    machine = machine.training
    count, device, model = machine.count, machine.device, work.model
    precision, parallel = PRECISIONS[work.precision], PARALLEL[work.parallel]
    step_tokens = work.tokens / max(1, work.steps)
    micro_tokens = min(work.micro_tokens, math.ceil(step_tokens / count))
    micro_tokens = max(work.whole_tokens, micro_tokens)
    memory = training_memory(
        model.size, model.shape, precision, parallel,
        devices=count,
        tokens=micro_tokens,
        logit_tokens=micro_tokens * work.logit_share,
        checkpointing=work.checkpointing,
        adapters=work.adapters,
    )  # fmt: skip
    if not device.is_cpu:
        memory = dataclasses.replace(memory, device=memory.device | {"other": OVERHEAD})
    trained = trained_parameters(model.size, work.adapters)
    # The memory is that of the longest row; how many micro-batches there are, the mean's.
    usual = max(work.example_tokens, min(work.micro_tokens, step_tokens / count), 1.0)
    micro_batches = math.ceil(step_tokens / count / usual) * work.steps
    flops = _training_flops(work)
    rate = device.rate(precision.compute) * device.train
    seconds = {
        "arithmetic": flops / (rate * count * _busy(work.rows, count)),
        "kernels": micro_batches * _kernels(work, usual) * device.launch,
        "communication": _exchanged(work, trained, count, micro_batches) / machine.link,
    }
    bound, longest = max(seconds.items(), key=lambda item: item[1])
    offload = _offloaded(work, trained, machine, micro_batches)
    return estimate_of(
        work.name,
        work.model,
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


def _busy(rows: float, count: int) -> float:
    """The share of the devices that work, on average, where a step's rows are dealt to them."""
    return rows / (count * math.ceil(rows / count)) if rows and count > 1 else 1.0


def _training_flops(work: Training) -> float:
    """Backward costs twice forward; with frozen weights once, and checkpointing once forward."""
    shape = work.model.shape
    per_token = float(shape.forward(0, round(work.example_tokens))) / round(work.example_tokens)
    forward = work.tokens * (per_token + work.logit_share * shape.logit_flops)
    passes = (2 if work.adapters.rank else 3) + work.checkpointing
    adapters = work.tokens * 6 * trained_parameters(work.model.size, work.adapters)
    return passes * forward + (adapters if work.adapters.rank else 0.0) + work.extra_flops


def _kernels(work: Training, micro_tokens: float) -> float:
    examples = micro_tokens / work.example_tokens
    layer: float = FORWARD_KERNELS * (1 + work.checkpointing) + _BACKWARD_KERNELS
    layer += _ATTENTION_KERNELS * examples
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
    """Changes that need less memory, the least of a change first: the keys that ask for them,
    those that ask for checkpointing besides, and what comes of it.
    """
    replace, keys = dataclasses.replace, work.keys
    changes = [("", work)]
    unit = keys.micro_unit
    small = max(unit, work.micro_tokens // 4 // unit * unit)
    if keys.micro and small < work.micro_tokens and work.whole_tokens < work.micro_tokens:
        changes.append((f"{keys.micro}={small // unit}", replace(work, micro_tokens=small)))
    if keys.states and work.parallel == "ddp" and work.precision + STATES_16_BIT in PRECISIONS:
        fewer = replace(work, precision=work.precision + STATES_16_BIT)
        changes.append((f"{keys.states}=bfloat16", fewer))
    # Weights of 4 bits are not divided.
    if not machine.device.is_cpu and keys.deepspeed and work.adapters.bits != 4:
        for name, file in _DEEPSPEED.items():
            if machine.count > 1 or name == "zero3-offload":
                divided = replace(work, parallel=name, precision=work.divided_precision)
                changes.append((f"{keys.deepspeed}={file}", divided))
    if not machine.device.is_cpu and keys.rank:
        # Adapters leave the weights whole.
        whole = replace(work, parallel="ddp", adapters=Adapters(rank=work.adapters.rank or 16))
        text = f"{keys.rank}={whole.adapters.rank}"
        if keys.deepspeed and work.parallel != "ddp":
            text += f" {keys.deepspeed}="
        changes.append((f"{text} {keys.dtype}=bfloat16", replace(whole, precision="16-bit")))
        if keys.bits:
            four = replace(whole, adapters=replace(whole.adapters, bits=4), precision="autocast")
            changes.append((f"{text} {keys.bits}=4", four))
    return [
        (text, saving, tried)
        for text, change in changes
        for saving in ("", f"{keys.checkpointing}=true")[: 1 + bool(keys.checkpointing)]
        if (tried := replace(change, checkpointing=bool(saving) or change.checkpointing)) != work
    ]

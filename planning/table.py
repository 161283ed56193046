"""A plan for the terminal, at most 100 columns wide, and as JSON."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from typing import Any

from assay.planning.estimate import StageEstimate
from assay.planning.hardware import DEVICES, GIB, Machine

__all__ = ["plan_dict", "plan_table"]

WIDTH = 100
NAMES = 25
# Of a part in `assay.planning.memory`, its column.
PARTS = {
    "weights": "weights",
    "copies": "copies",
    "gradients": "grads",
    "states": "states",
    "activations": "activ.",
    "logits": "logits",
    "kv cache": "kv",
    "other": "other",
}


def plan_table(
    title: str,
    stages: Sequence[StageEstimate],
    machine: Machine,
    notes: Sequence[str],
    warnings: Sequence[str] = (),
) -> str:
    """The whole plan as lines. `warnings` say what the configuration does that few would want."""
    device = machine.device
    head = f"{title} on {machine.text}: ${device.price:.2f} an hour for each"
    lines = [
        *textwrap.wrap(head, WIDTH),
        "",
        *_models(stages),
        "",
        *_memory(stages),
        "",
        *_work(stages, machine),
        "",
    ]
    for warning in warnings:
        lines += textwrap.wrap(warning, WIDTH, initial_indent="! ", subsequent_indent="  ")
    lines += [""] * bool(warnings)
    for stage in stages:
        lines += _advice(stage)
    lines += ["taken for granted (each can be set; docs/plan.md):"]
    for note in [*notes, *_rates(machine)]:
        lines += textwrap.wrap(note, WIDTH, initial_indent="  · ", subsequent_indent="    ")
    return "\n".join(lines)


def plan_dict(
    title: str,
    stages: Sequence[StageEstimate],
    machine: Machine,
    notes: Sequence[str],
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """The whole plan as JSON types: bytes, seconds, US dollars."""
    rows = [
        dataclasses.asdict(stage)
        | {"fits": stage.fits, "memory_total": stage.memory.total}
        | {"dollars": _dollars(stage, machine)}
        for stage in stages
    ]
    seconds = sum(stage.seconds for stage in stages)
    return {
        "plan": title,
        "hardware": {"count": machine.count, **dataclasses.asdict(machine.device)},
        "stages": rows,
        "seconds": seconds,
        "dollars": sum(_dollars(stage, machine) for stage in stages),
        "fits": all(stage.fits for stage in stages),
        "notes": list(notes),
        "warnings": list(warnings),
    }


def _models(stages: Sequence[StageEstimate]) -> list[str]:
    """What each stage is planned with; stages that are alike share a line."""
    alike: dict[str, list[str]] = {}
    for stage in stages:
        if stage.model:
            alike.setdefault(_planned_with(stage), []).append(stage.name)
    lines = []
    for text, names in alike.items():
        whole = f"  {', '.join(names)}: {text}"
        lines += textwrap.wrap(whole, WIDTH, subsequent_indent="    ")
    return lines


def _planned_with(stage: StageEstimate) -> str:
    text = f"{stage.model}, {stage.parameters:,} parameters"
    if stage.trained:
        share = "all" if stage.trained == stage.parameters else f"{stage.trained:,}"
        text += f", {share} trained"
    for key, value in stage.settings.items():
        if value is True:
            text += f" · {key}"
        elif value:
            text += f" · {key} {value}"
    return text


def _memory(stages: Sequence[StageEstimate]) -> list[str]:
    """A line for each stage, a column for each part that any of them has."""
    shown = [stage for stage in stages if stage.memory.device]
    largest = max(stage.memory.total for stage in shown)
    unit, name = (GIB, "GiB") if largest >= GIB else (2**20, "MiB")
    parts = {p: c for p, c in PARTS.items() if any(stage.memory.device.get(p) for stage in shown)}
    host = any(stage.memory.host for stage in shown)
    columns = [*parts.values(), "sum", "has", *["host"] * host]
    names = min(NAMES, WIDTH - 4 - 7 * len(columns))
    lines = [f"  {f'{name}, a device':<{names}}" + "".join(f"{column:>7}" for column in columns)]
    for stage in shown:
        cells = [*(stage.memory.device.get(part, 0.0) for part in parts), stage.memory.total]
        cells += [stage.capacity, *[stage.memory.host] * host]
        row = "".join(f"{_short(cell / unit):>7}" for cell in cells)
        lines.append(f"  {stage.name[:names]:<{names}}{row}{'' if stage.fits else ' !'}")
    return lines


def _work(stages: Sequence[StageEstimate], machine: Machine) -> list[str]:
    heads = ("tokens", "a step", "steps", "FLOPs", "time", "cost")
    lines = [f"  {'work':<{NAMES}}" + "".join(f"{head:>9}" for head in heads) + "  bound by"]
    for stage in stages:
        cells = (
            _count(stage.tokens),
            _count(stage.step_tokens),
            _count(stage.steps),
            f"{stage.flops:.1e}" if stage.flops else "",
            duration(stage.seconds),
            _price(_dollars(stage, machine)),
        )
        row = "".join(f"{cell:>9}" for cell in cells)
        lines.append(f"  {stage.name[:NAMES]:<{NAMES}}{row}  {stage.bound}")
    if len(stages) > 1:
        seconds = sum(stage.seconds for stage in stages)
        flops = f"{sum(stage.flops for stage in stages):.1e}"
        dollars = sum(_dollars(stage, machine) for stage in stages)
        cells = ("", "", "", flops, duration(seconds), _price(dollars))
        lines.append(f"  {'in all':<{NAMES}}" + "".join(f"{cell:>9}" for cell in cells))
    return lines


def _advice(stage: StageEstimate) -> list[str]:
    if stage.fits:
        return []
    needed, there = stage.memory.total / GIB, stage.capacity / GIB
    told = f"{stage.name} does not fit: {needed:.1f} GiB of {there:.1f}"
    if stage.memory.host > stage.host_capacity:
        host, has = stage.memory.host / GIB, stage.host_capacity / GIB
        told += f", and for each device {host:,.0f} GiB of the {has:,.0f} of its host"
    lines = [f"{told}. What would:"]
    found = stage.advice or ("nothing that is known here on this hardware: more or larger devices",)
    return [*lines, *(f"  {text}" for text in found), ""]


def _rates(machine: Machine) -> list[str]:
    device = machine.device
    rate = device.single if device.is_cpu else device.half
    text = (
        f"{device.name}: {rate / 1e12:g} TFLOP/s, of which training reaches {device.train:.0%}, "
        f"scoring {device.score:.0%} (mfu=), sampling {device.decode:.0%}; memory "
        f"{device.bandwidth / 1e9:,.0f} GB/s, of which {device.read:.0%}"
    )
    if not device.is_cpu:
        text += f"; {device.link / 1e9:g} GB/s between devices; {device.launch * 1e6:g} µs a kernel"
    if machine.nodes > 1:
        text += (
            f"; {machine.nodes} nodes of {machine.in_node}, {device.network / 1e9:g} GB/s between "
            f"them for each device (network=): {machine.link / 1e9:g} GB/s around all of them"
        )
    return [text, "loading models, compiling and saving checkpoints are not counted"]


def duration(seconds: float) -> str:
    """Seconds in the unit that fits.

    >>> duration(5400)
    '1.5 h'
    """
    for size, unit in ((86400 * 2, "d"), (3600, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds / {'d': 86400, 'h': 3600, 'min': 60}[unit]:.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 or not seconds else f"{seconds:.1g} s"


def _dollars(stage: StageEstimate, machine: Machine) -> float:
    """What a stage costs: all devices while it runs, or the cores that are all that it needs."""
    hourly = machine.count * machine.device.price
    if stage.cores and not machine.device.is_cpu:
        hourly = stage.cores * DEVICES["cpu"].price
    return stage.seconds / 3600 * hourly


def _price(dollars: float) -> str:
    return f"${dollars:,.0f}" if dollars >= 100 else f"${dollars:.2f}"


def _short(number: float) -> str:
    """Three digits or so in six columns; nothing for nothing."""
    if not number:
        return "·"
    return (
        f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 1 else f"{number:.2f}"
    )


def _count(number: float) -> str:
    if not number:
        return ""
    for size, unit in ((1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return f"{number:,.0f}"

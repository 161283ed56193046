"""Accelerators, as their makers describe them, and what of it is reached: assumptions, all here.

    machine = machine_of("8xH100-80G")
    machine.count, machine.device.memory / 2**30      # 8 devices of 79.6 GiB

Rates are dense, without sparsity; half precision with sums in float32. Prices are of the order that
clouds and marketplaces asked for in 2025: give your own by `price=`.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from problems.errors import UserError

__all__ = ["DEVICES", "Device", "Machine", "machine_of"]

GIB = 2**30


@dataclass(frozen=True)
class Device:
    """One accelerator, or one processor core.

    `half`, `single`: FLOP/s of products in 16 bits and in float32. `bandwidth` of its memory and
    `link` to its neighbours, byte/s. `memory`: bytes that a program can have. `price`: US dollars
    an hour. `train`, `score`, `decode`: shares of the FLOP/s that are reached; `read`: of the
    bandwidth. `launch`: seconds from one kernel to the next where they are small.
    """

    name: str
    half: float
    single: float
    bandwidth: float
    memory: float
    link: float
    price: float
    train: float = 0.4
    score: float = 0.3
    decode: float = 0.5
    read: float = 0.7
    launch: float = 8e-6
    bfloat16: bool = True

    @property
    def is_cpu(self) -> bool:
        """Whether it is a core: several share the machine's memory and work on one training."""
        return self.name == "cpu"

    def rate(self, element: int) -> float:
        """FLOP/s of products of numbers with `element` bytes."""
        return self.half if element == 2 else self.single


DEVICES = {
    device.name.lower(): device
    for device in (
        Device("H100-80G", 989e12, 66.9e12, 3.35e12, 79.6 * GIB, 450e9, 2.50),
        Device("H200-141G", 989e12, 66.9e12, 4.8e12, 139.8 * GIB, 450e9, 3.50),
        Device("A100-40G", 312e12, 19.5e12, 1.555e12, 39.4 * GIB, 300e9, 1.30),
        Device("A100-80G", 312e12, 19.5e12, 2.039e12, 79.3 * GIB, 300e9, 1.80),
        Device("L40S", 362e12, 91.6e12, 0.864e12, 44.4 * GIB, 25e9, 1.00),
        Device("4090-24G", 165e12, 82.6e12, 1.008e12, 23.6 * GIB, 25e9, 0.45),
        Device("3090", 71e12, 35.6e12, 0.936e12, 23.6 * GIB, 12e9, 0.25),
        Device("T4", 65e12, 8.1e12, 0.32e12, 14.6 * GIB, 12e9, 0.35, bfloat16=False),
        # A core with AVX-512; 16 bits are emulated. Measured: docs/plan.md.
        Device(
            "cpu", 43e9, 80e9, 10e9, 8 * GIB, 5e9, 0.05,
            train=0.65, score=0.8, decode=0.5, read=1.0, launch=0.0,
        ),
    )
}  # fmt: skip
_SHORT = {
    "h100": "h100-80g",
    "h200": "h200-141g",
    "a100": "a100-80g",
    "l40s-48g": "l40s",
    "4090": "4090-24g",
    "rtx4090": "4090-24g",
    "3090-24g": "3090",
    "rtx3090": "3090",
    "t4-16g": "t4",
}


@dataclass(frozen=True)
class Machine:
    """`count` devices of one kind."""

    count: int
    device: Device

    @property
    def text(self) -> str:
        """As it is asked for, for example 8xH100-80G."""
        return f"{self.count}x{self.device.name}"

    @property
    def training(self) -> Machine:
        """What a training sees: GPUs one by one, the cores of a processor as one device."""
        if not self.device.is_cpu:
            return self
        scaled = {
            name: getattr(self.device, name) * self.count
            for name in ("half", "single", "bandwidth", "memory", "price")
        }
        return Machine(1, dataclasses.replace(self.device, **scaled))


def machine_of(text: str, *, price: float = 0.0, mfu: float = 0.0, memory: float = 0.0) -> Machine:
    """The machine that `text` names: NAME or COUNTxNAME.

    `price` (dollars an hour for a device), `mfu` (share of the peak reached in training and
    scoring) and `memory` (GiB of a device) replace the table's where they are not 0. Raises
    `UserError`.
    """
    known = ", ".join(device.name for device in DEVICES.values())
    if not text:
        raise UserError(f"hardware: expected COUNTxNAME, for example 8xH100-80G; known: {known}")
    match = re.fullmatch(r"(?:(\d+)\s*[x×*]\s*)?(.+)", text.strip().lower())
    assert match is not None
    name = _SHORT.get(match[2], match[2])
    if name not in DEVICES or int(match[1] or 1) < 1:
        raise UserError(f"hardware={text}: expected NAME or COUNTxNAME; known: {known}")
    for key, value in (("price", price), ("mfu", mfu), ("memory", memory)):
        if value < 0 or (key == "mfu" and value > 1):
            span = "a number in (0, 1]" if key == "mfu" else "a number above 0"
            raise UserError(f"{key}={value}: expected {span}, or 0 for the table's")
    device = DEVICES[name]
    device = dataclasses.replace(
        device,
        price=price or device.price,
        train=mfu or device.train,
        score=mfu or device.score,
        memory=memory * GIB or device.memory,
    )
    return Machine(int(match[1] or 1), device)

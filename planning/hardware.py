"""Accelerators, as their makers describe them, and what of it is reached: assumptions, all here.

    machine = machine_of("8xH100-80G")
    machine.count, machine.device.memory / 2**30      # 8 devices of 79.6 GiB
    machine_of("4x8xH100-80G").nodes                  # 4, of 8 devices each

Rates are dense, without sparsity; half precision with sums in float32. Prices are of the order that
clouds and marketplaces asked for in 2025: give your own by `price=`.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from assay.settings.errors import UserError

__all__ = ["DEVICES", "Device", "Machine", "machine_of"]

GIB = 2**30
NODE = 8
"""Devices of a node where nothing else is said."""


@dataclass(frozen=True)
class Device:
    """One accelerator, or one processor core.

    `half`, `single`: FLOP/s of products in 16 bits and in float32. `bandwidth` of its memory and
    `link` to its neighbours, byte/s. `network`: its share of what its node sends to other nodes,
    byte/s. `memory`: bytes that a program can have; `host`: its share of its node's memory, bytes.
    `price`: US dollars an hour. `train`, `score`, `decode`: shares of the FLOP/s that are reached;
    `read`: of the bandwidth. `launch`: seconds from one kernel to the next where they are small.
    """

    name: str
    half: float
    single: float
    bandwidth: float
    memory: float
    link: float
    network: float
    host: float
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
        Device("H100-80G", 989e12, 66.9e12, 3.35e12, 79.6 * GIB, 450e9, 50e9, 240 * GIB, 2.50),
        Device("H200-141G", 989e12, 66.9e12, 4.8e12, 139.8 * GIB, 450e9, 50e9, 240 * GIB, 3.50),
        Device("A100-40G", 312e12, 19.5e12, 1.555e12, 39.4 * GIB, 300e9, 25e9, 120 * GIB, 1.30),
        Device("A100-80G", 312e12, 19.5e12, 2.039e12, 79.3 * GIB, 300e9, 25e9, 240 * GIB, 1.80),
        Device("L40S", 362e12, 91.6e12, 0.864e12, 44.4 * GIB, 25e9, 6.25e9, 120 * GIB, 1.00),
        Device("4090-24G", 165e12, 82.6e12, 1.008e12, 23.6 * GIB, 25e9, 3.1e9, 60 * GIB, 0.45),
        Device("3090", 71e12, 35.6e12, 0.936e12, 23.6 * GIB, 12e9, 3.1e9, 60 * GIB, 0.25),
        Device(
            "T4", 65e12, 8.1e12, 0.32e12, 14.6 * GIB, 12e9, 3.1e9, 45 * GIB, 0.35, bfloat16=False
        ),
        # A core with AVX-512; 16 bits are emulated. Measured: docs/plan.md.
        Device(
            "cpu", 43e9, 80e9, 10e9, 8 * GIB, 5e9, 0.0, 0.0, 0.05,
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
    """`count` devices of one kind, as many in each of `nodes` nodes."""

    count: int
    device: Device
    nodes: int = 1

    @property
    def text(self) -> str:
        """As it is asked for, for example 8xH100-80G or 4x8xH100-80G."""
        nodes = f"{self.nodes}x" if self.nodes > 1 else ""
        return f"{nodes}{self.in_node}x{self.device.name}"

    @property
    def in_node(self) -> int:
        """The devices of a node."""
        return self.count // self.nodes

    @property
    def link(self) -> float:
        """Bytes a second at which all devices exchange in rings, for each device.

        What crosses from node to node goes once over all the network cards of a node together.
        """
        if self.nodes == 1:
            return self.device.link
        return min(self.device.link, self.in_node * self.device.network)

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


def machine_of(
    text: str,
    *,
    price: float = 0.0,
    mfu: float = 0.0,
    memory: float = 0.0,
    network: float = 0.0,
    host_memory: float = 0.0,
) -> Machine:
    """The machine that `text` names: NAME, COUNTxNAME or NODESxCOUNTxNAME.

    More than 8 devices without a number of nodes are nodes of 8. `price` (dollars an hour for a
    device), `mfu` (share of the peak reached in training and scoring), `memory` (GiB of a device),
    `network` (GB/s between nodes for each device) and `host_memory` (GiB of the host for each
    device) replace the table's where they are not 0. Raises `UserError`.
    """
    known = ", ".join(device.name for device in DEVICES.values())
    if not text:
        raise UserError(f"hardware: expected COUNTxNAME, for example 8xH100-80G; known: {known}")
    match = re.fullmatch(r"(?:(\d+)\s*[x×*]\s*)?(?:(\d+)\s*[x×*]\s*)?(.+)", text.strip().lower())
    assert match is not None
    name = _SHORT.get(match[3], match[3])
    first, second = (int(match[place] or 1) for place in (1, 2))
    if name not in DEVICES or first < 1 or second < 1:
        raise UserError(
            f"hardware={text}: expected NAME, COUNTxNAME or NODESxCOUNTxNAME; known: {known}"
        )
    given = {"price": price, "mfu": mfu, "memory": memory, "network": network}
    for key, value in {**given, "host_memory": host_memory}.items():
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
        network=network * 1e9 or device.network,
        host=host_memory * GIB or device.host,
    )
    return Machine(first * second, device, _nodes(text, device, first, match[2]))


def _nodes(text: str, device: Device, first: int, second: str | None) -> int:
    """How many nodes the numbers before a name mean."""
    if device.is_cpu and second is not None:
        raise UserError(f"hardware={text}: the cores of one machine are planned, as in 16xcpu")
    if second is not None or device.is_cpu:
        return 1 if second is None else first
    if first > NODE and first % NODE:
        raise UserError(
            f"hardware={text}: {first} devices are no nodes of {NODE}; expected "
            f"NODESxCOUNTx{device.name}"
        )
    return max(1, first // NODE)

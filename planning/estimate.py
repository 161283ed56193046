"""What a stage will take: memory by part, FLOPs, seconds. From shapes; no weights, no data.

Every estimate is a roofline: the time of a stage is the longest of its arithmetic, its reading of
memory, its starting of kernels and its talking between devices, each at the share of the peak that
`planning/hardware.py` states. What is shorter is taken to hide behind the longest.

    stage = training_estimate(work, machine)        # planning/training.py
    stage.memory.total, stage.seconds, stage.bound
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from assay.generator.shapes import KnownModel
from assay.planning.hardware import GIB, Machine
from assay.planning.memory import Memory

__all__ = ["FORWARD_KERNELS", "OVERHEAD", "StageEstimate", "estimate_of", "grading_estimate"]

# CUDA's context, libraries' workspaces, buffers of communication, fragmentation.
OVERHEAD = 1.5 * GIB
# Kernels of a layer, forward.
FORWARD_KERNELS = 25
# Candidates a second that are run, compared and labelled, on so many cores.
_GRADED, _GRADING_CORES = 2000.0, 16


@dataclass(frozen=True)
class StageEstimate:
    """An estimate. `memory` is of one device, `capacity` what it has, `host_capacity` its share of
    the host's memory, all in bytes; 0 where neither says anything. `cores`: of a stage that needs
    none of the devices, the processor cores that it is billed for. `settings`: what was planned
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
    cores: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    advice: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the memory is enough."""
        return self.memory.total <= self.capacity and self.memory.host <= self.host_capacity


def estimate_of(
    name: str, model: KnownModel, machine: Machine, memory: Memory, **rest: Any
) -> StageEstimate:
    """The estimate of a model's work on this machine; `rest` are other fields of the estimate."""
    device = machine.device
    return StageEstimate(
        name,
        model.name,
        model.size.total,
        memory=memory,
        capacity=device.memory,
        host_capacity=device.host,
        **rest,
    )


def grading_estimate(name: str, candidates: float) -> StageEstimate:
    """The estimate of running programs and labelling answers, on a processor."""
    seconds = candidates / _GRADED
    return StageEstimate(name, seconds=seconds, bound="programs", cores=_GRADING_CORES)

"""What each step of a training learns from, at which rate, and when it is validated.

A training has one phase or two: where `adaptation_epochs` asks for it, the reference solutions
alone are read first, for the language-model loss; then comes the joint objective. An epoch is a
function of the seed and its number, a rate one of the step: so a training can go on anywhere.

    schedule = Schedule(config, groups)
    for epoch in schedule.epochs:
        for packs in schedule.steps(epoch):
            ...
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.settings.errors import UserError
from assay.verifier.config import TrainVerifierConfig
from assay.verifier.data import Group, balanced
from assay.verifier.packing import Pack, joint_steps, reference_steps

__all__ = ["ADAPTATION", "JOINT", "Epoch", "Schedule", "rate_factor"]

ADAPTATION, JOINT = "adaptation", "joint"


@dataclass(frozen=True)
class Epoch:
    """`count` steps after the first `first` of the training; `number` counts within the phase."""

    phase: str
    number: int
    first: int
    count: int

    def marks(self, validations: int) -> set[int]:
        """The steps after which the held-out problems are scored; the epoch's last is one."""
        if self.phase == ADAPTATION:
            return set()
        parts = range(1, validations + 1)
        return {self.first + math.ceil(self.count * i / validations) for i in parts}


class Schedule:
    """All epochs of a training."""

    def __init__(self, config: TrainVerifierConfig, groups: Sequence[Group]) -> None:
        """`groups` have their references where any phase reads them.

        Raises `UserError` for an adaptation phase without any.
        """
        self._config, self._groups = config, groups
        self.epochs: list[Epoch] = []
        for phase, count in ((ADAPTATION, config.adaptation_epochs), (JOINT, config.epochs)):
            for number in range(count):
                epoch = Epoch(phase, number, self.total, 0)
                steps = len(self.steps(epoch))
                if not steps:
                    raise UserError(
                        f"adaptation_epochs={count}: no training problem has a reference solution"
                    )
                self.epochs.append(replace(epoch, count=steps))

    @property
    def total(self) -> int:
        """Steps of all epochs."""
        return sum(epoch.count for epoch in self.epochs)

    @property
    def counts(self) -> dict[str, int]:
        """Candidates that a joint epoch sees, the same number in each, and right ones of them."""
        sampled = [s for group in self._balanced(0) for s in group.sampled]
        return {
            "candidates": sum(s.count for s in sampled),
            "right": sum(s.count for s in sampled if s.label),
        }

    def steps(self, epoch: Epoch) -> list[list[Pack]]:
        """The packs of every step of an epoch."""
        config = self._config
        if epoch.phase == ADAPTATION:
            rng = np.random.default_rng([config.seed, 4, epoch.number])
            return reference_steps(self._groups, batch_tokens=config.batch_tokens, rng=rng)
        groups = self._balanced(epoch.number)
        if config.lm_weight == 0:
            groups = [replace(group, references=()) for group in groups]
        return joint_steps(
            groups,
            pack_tokens=config.pack_tokens,
            batch_tokens=config.batch_tokens,
            rng=np.random.default_rng([config.seed, 2, epoch.number]),
        )

    def first_joint_step(self) -> list[Pack]:
        """The packs of the first step that reads sampled solutions."""
        return self.steps(next(epoch for epoch in self.epochs if epoch.phase == JOINT))[0]

    def _balanced(self, number: int) -> list[Group]:
        """Another draw each epoch: over the epochs most candidates are seen."""
        rng = np.random.default_rng([self._config.seed, 5, number])
        return balanced(self._groups, self._config.balance, rng)

    def rate(self, epoch: Epoch, step: int) -> float:
        """What the learning rates are multiplied by at `step` (from 0), a step of `epoch`.

        Each phase has the whole schedule to itself.
        """
        own = [e for e in self.epochs if e.phase == epoch.phase]
        steps = sum(e.count for e in own)
        return rate_factor(step - own[0].first, steps, self._config.warmup_ratio)


def rate_factor(step: int, total: int, warmup_ratio: float) -> float:
    """What the rates are multiplied by at `step` (from 0): up to 1, then linearly down to 0.

    >>> [rate_factor(step, 4, 0.0) for step in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    warmup = round(total * warmup_ratio)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (total - step) / (total - warmup)

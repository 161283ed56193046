"""The hostile suite: programs that mean harm, each with the one right way for it to end.

It is data. `assay.sandbox.check` runs it (`assay sandbox check`, and the tests): every attack
between well-behaved programs, whose outcomes must be right too.

    [attack.name for attack in ATTACKS if attack.kind == "network"]
"""

from assay.sandbox.hostile import limits, outside, packages, plain, system, texts, tricks
from assay.sandbox.hostile.attack import Attack

__all__ = ["ATTACKS", "Attack"]

ATTACKS: tuple[Attack, ...] = (
    *limits.ATTACKS,
    *system.ATTACKS,
    *outside.ATTACKS,
    *tricks.ATTACKS,
    *texts.ATTACKS,
    *plain.ATTACKS,
    *packages.ATTACKS,
)

"""Accuracies that papers report on the nine sets of `assay evaluate-suite`, as printed there.

Yue et al. 2023, "MAmmoTH: Building Math Generalist Models through Hybrid Instruction Tuning",
arXiv 2309.05653: greedy decoding, accuracy in %. Its average is the plain mean over the sets.

    >>> PUBLISHED[0].model, PUBLISHED[0].decoding, PUBLISHED[0].of("gsm8k")
    ('MAmmoTH-7B', 'cot', 50.5)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CITATION", "PUBLISHED", "PUBLISHED_SETS", "PublishedRow"]

CITATION = "Yue et al. 2023, arXiv 2309.05653"

PUBLISHED_SETS = (
    "gsm8k",
    "math",
    "aqua",
    "numglue",
    "svamp",
    "mathematics",
    "simuleq",
    "sat",
    "mmlu_mathematics",
)


@dataclass(frozen=True)
class PublishedRow:
    """One row of the paper's table: accuracies in %, in the order of `PUBLISHED_SETS`.

    `decoding` is "cot", "pot" or "hybrid"; `average` is as printed.
    """

    model: str
    decoding: str
    accuracies: tuple[float, ...]
    average: float

    def of(self, name: str) -> float:
        """The accuracy on one set, in %."""
        return self.accuracies[PUBLISHED_SETS.index(name)]

    def mean(self, names: Sequence[str]) -> float:
        """The plain mean over some of the sets, in %."""
        return sum(self.of(name) for name in names) / len(names)


PUBLISHED = (
    PublishedRow("MAmmoTH-7B", "cot", (50.5, 10.4, 43.7, 44.0, 47.3, 9.2, 18.9, 32.7, 39.9), 33.0),
    PublishedRow("MAmmoTH-7B", "pot", (51.6, 28.7, 43.3, 52.3, 65.1, 41.9, 48.2, 39.1, 44.6), 46.1),
    PublishedRow(
        "MAmmoTH-7B", "hybrid", (53.6, 31.5, 44.5, 61.2, 67.7, 46.3, 41.2, 42.7, 42.6), 47.9
    ),
    PublishedRow(
        "MAmmoTH-Coder-7B", "hybrid", (59.4, 33.4, 47.2, 66.4, 71.4, 55.4, 45.9, 40.5, 48.3), 52.0
    ),
    PublishedRow(
        "MAmmoTH-70B", "hybrid", (76.9, 41.8, 65.0, 74.4, 82.4, 55.6, 51.4, 66.4, 56.7), 63.4
    ),
)

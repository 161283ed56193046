"""Accuracies that papers report on the nine sets of `assay evaluate-suite`, as printed there.

Yue et al. 2023, "MAmmoTH: Building Math Generalist Models through Hybrid Instruction Tuning",
arXiv 2309.05653: greedy decoding, accuracy in %. Its average is the plain mean over the sets.

    >>> PUBLISHED[0].model, PUBLISHED[0].decoding, PUBLISHED[0].of("gsm8k")
    ('MAmmoTH-7B', 'cot', 50.5)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.settings.errors import UserError

__all__ = ["CITATION", "PUBLISHED", "PUBLISHED_SETS", "PublishedRow", "named", "nearest"]

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

    @property
    def billions(self) -> float:
        """The model's parameters in units of 10⁹, as its name gives them."""
        return float(self.model.rpartition("-")[2].removesuffix("B"))

    def mean(self, names: Sequence[str]) -> float:
        """The plain mean over some of the sets, in %."""
        return sum(self.of(name) for name in names) / len(names)


# The paper's decodings of one model: accuracies by set, then the average as printed.
# fmt: off
_TABLE: dict[str, dict[str, tuple[float, ...]]] = {
    "MAmmoTH-7B": {
        "cot": (50.5, 10.4, 43.7, 44.0, 47.3, 9.2, 18.9, 32.7, 39.9, 33.0),
        "pot": (51.6, 28.7, 43.3, 52.3, 65.1, 41.9, 48.2, 39.1, 44.6, 46.1),
        "hybrid": (53.6, 31.5, 44.5, 61.2, 67.7, 46.3, 41.2, 42.7, 42.6, 47.9),
    },
    "MAmmoTH-Coder-7B": {
        "cot": (22.4, 7.9, 36.2, 36.0, 37.0, 8.2, 7.2, 32.7, 34.6, 24.7),
        "pot": (58.8, 32.1, 47.2, 57.1, 71.1, 53.9, 44.6, 40.0, 47.8, 50.3),
        "hybrid": (59.4, 33.4, 47.2, 66.4, 71.4, 55.4, 45.9, 40.5, 48.3, 52.0),
    },
    "MAmmoTH-13B": {
        "cot": (56.3, 12.9, 45.3, 45.6, 53.8, 11.7, 22.4, 43.6, 42.3, 37.1),
        "pot": (61.3, 32.6, 48.8, 59.6, 72.2, 48.5, 40.3, 46.8, 45.4, 50.6),
        "hybrid": (62.0, 34.2, 51.6, 68.7, 72.4, 49.2, 43.2, 46.8, 47.6, 52.9),
    },
    "MAmmoTH-Coder-13B": {
        "cot": (32.1, 10.2, 40.6, 36.2, 43.0, 9.6, 10.1, 40.9, 36.6, 28.8),
        "pot": (64.3, 35.2, 46.8, 54.2, 73.2, 60.0, 44.2, 48.2, 48.2, 52.7),
        "hybrid": (64.7, 36.3, 46.9, 66.8, 73.7, 61.5, 47.1, 48.6, 48.3, 54.9),
    },
    "MAmmoTH-Coder-34B": {
        "cot": (34.3, 11.6, 39.0, 36.2, 44.6, 10.8, 10.9, 46.4, 42.9, 30.7),
        "pot": (72.3, 42.8, 53.8, 59.6, 84.0, 64.7, 50.6, 58.6, 52.7, 59.9),
        "hybrid": (72.7, 43.6, 54.7, 71.6, 84.3, 65.4, 51.8, 60.9, 53.8, 62.1),
    },
    "MAmmoTH-70B": {
        "cot": (72.4, 21.1, 57.9, 58.9, 71.6, 20.0, 31.9, 57.3, 52.1, 49.2),
        "pot": (76.7, 40.1, 60.2, 64.3, 81.7, 55.3, 45.3, 64.1, 53.5, 60.1),
        "hybrid": (76.9, 41.8, 65.0, 74.4, 82.4, 55.6, 51.4, 66.4, 56.7, 63.4),
    },
}
# fmt: on

PUBLISHED = tuple(
    PublishedRow(model, decoding, numbers[:-1], numbers[-1])
    for model, decodings in _TABLE.items()
    for decoding, numbers in decodings.items()
)


def named(models: Sequence[str]) -> list[PublishedRow]:
    """All rows of some models, in the paper's order. Raises `UserError` for one it does not have.

    >>> [row.decoding for row in named(["MAmmoTH-13B"])]
    ['cot', 'pot', 'hybrid']
    """
    known = {name.lower(): name for name in _TABLE}
    for model in models:
        if model.lower() not in known:
            raise UserError(f"published: {model}: expected some of {', '.join(_TABLE)}")
    wanted = {known[model.lower()] for model in models}
    return [row for row in PUBLISHED if row.model in wanted]


def nearest(parameters: float | None) -> list[PublishedRow]:
    """The rows of the models nearest in size to one of so many parameters, by their ratio.

    None, a size that is not known, gives the smallest models.

    >>> sorted({row.model for row in nearest(12e9)})
    ['MAmmoTH-13B', 'MAmmoTH-Coder-13B']
    """
    sizes = sorted({row.billions for row in PUBLISHED})
    size_asked = math.log(max(parameters or 1.0, 1.0) / 1e9)
    size = min(sizes, key=lambda billions: abs(math.log(billions) - size_asked))
    return [row for row in PUBLISHED if row.billions == size]

"""How large the campaign is: what fits into the time that is left, by rates measured in a probe.

Sizes come in rungs, from the paper's down to almost nothing; the first one that fits is taken. The
probe runs every stage once on few problems, so a rung's cost is that of starting each stage and so
many seconds for each candidate. Pure arithmetic: no files, no clocks.

    rates = Rates(sample=0.004, grade=0.0005, train=0.003, score=0.001, start=60)
    choose(rates, seconds=900, problems=7473, tests=1319)      # Size(3000, 32, 100)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["LADDER", "Rates", "Size", "choose", "epochs_that_fit", "seconds_of", "shrink"]

SAFETY = 1.15
"""factor on all estimates: the rates of a probe are those of batches that run half empty"""


@dataclass(frozen=True)
class Size:
    """Problems and samples of each, both modes together, for the verifier; samples for the test."""

    problems: int
    samples: int
    test_samples: int


LADDER = (
    Size(7473, 100, 100),
    Size(7473, 64, 100),
    Size(7473, 32, 100),
    Size(5000, 32, 100),
    Size(3000, 32, 100),
    Size(3000, 32, 64),
    Size(3000, 16, 48),
    Size(2000, 16, 32),
    Size(1000, 16, 24),
    Size(500, 12, 16),
    Size(200, 8, 8),
)


@dataclass(frozen=True)
class Rates:
    """Seconds for each candidate, by stage, and seconds that starting all the stages takes."""

    sample: float
    grade: float
    train: float
    score: float
    start: float


def seconds_of(size: Size, tests: int, rates: Rates) -> float:
    """What a size takes from now on, with the margin for surprises. `tests`: test problems."""
    pool, test = size.problems * size.samples, tests * size.test_samples
    # One greedy candidate of each mode as well.
    sampled = (pool + test + 2 * tests) * (rates.sample + rates.grade)
    return SAFETY * (rates.start + sampled + pool * rates.train + test * rates.score)


def choose(
    rates: Rates, seconds: float, problems: int, tests: int, ladder: Sequence[Size] = LADDER
) -> Size:
    """The largest size that takes at most `seconds`; the smallest where none does.

    `problems` is how many exist: a rung that asks for more is taken with that many.
    """
    sizes = [Size(min(s.problems, problems), s.samples, s.test_samples) for s in ladder]
    return next((s for s in sizes if seconds_of(s, tests, rates) <= seconds), sizes[-1])


def shrink(wanted: int, per_sample: float, seconds: float, least: int) -> int:
    """The largest even number of samples, at most `wanted`, that takes at most `seconds`.

    `per_sample`: seconds for one sample of every problem. At least `least`, whatever it takes.
    """
    fits = int(seconds / (SAFETY * per_sample)) if per_sample > 0 else wanted
    return max(least, min(wanted, fits) // 2 * 2)


def epochs_that_fit(per_epoch: float, seconds: float, wanted: int) -> tuple[int, float]:
    """Epochs of the generator, and the share of the problems that it learns from.

    Fewer epochs first, down to one; where that is too much, a part of the problems.
    """
    for epochs in range(wanted, 0, -1):
        if SAFETY * epochs * per_epoch <= seconds:
            return epochs, 1.0
    return 1, max(0.02, seconds / (SAFETY * per_epoch))

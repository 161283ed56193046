"""MathInstruct's sources: which are taken, how often, and what that gives.

MathInstruct (Yue et al. 2023, arXiv 2309.05653, table 1) mixes thirteen data sets in words and as
programs; a row's source is named `CoT/NAME` or `PoT/NAME`, from its field `source`
("data/PoT/gsm_gpt4.json"). The paper's data ablations (words alone, programs alone, subsets of the
data sets) are choices of sources.

    mixed(["CoT/a", "PoT/a", "PoT/a"], SourcesConfig(include=["PoT/*"]), {"PoT/a": 1.5}, seed=0)
    # [(1, 0), (2, 0), (2, 1)]: (row, copy)

>>> source_of("data/PoT/gsm_gpt4.json")
'PoT/gsm_gpt4'
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from assay.problems.problem import Problem
from assay.settings.errors import UserError

__all__ = ["SourcesConfig", "mixed", "source_counts", "source_of", "told_sources"]


@dataclass
class SourcesConfig:
    """Which of MathInstruct's sources are taken (an OmegaConf schema)."""

    include: list[str] = field(default_factory=list)
    """patterns of sources, for example CoT/* or */gsm_*; empty = all"""
    exclude: list[str] = field(default_factory=list)
    """patterns of sources that are left out, whatever includes them"""


def source_of(path: str) -> str:
    """The name of a source by its path in MathInstruct: `CoT/…` or `PoT/…`, without the suffix."""
    parts = path.removesuffix(".json").split("/")
    modes = [i for i, part in enumerate(parts) if part in ("CoT", "PoT")]
    return "/".join(parts[modes[0] :]) if modes else path


def mixed(
    sources: Sequence[str], config: SourcesConfig, weights: Mapping[str, float], seed: int
) -> list[tuple[int, int]]:
    """Which rows are taken, and how often: (row, copy from 0), in the order of the rows.

    `sources` holds the source of every row. A weight (of a source, or of a pattern of sources; the
    last one that fits counts) of 0.5 takes half of a source's rows, 2 takes each twice, 2.5 half of
    them a third time; the draws are seeded by source, so that one source's weight does not change
    what is drawn of another. Raises `UserError` for a pattern that fits no source and for negative
    weights.
    """
    found = sorted(set(sources))
    _check(found, config, weights)
    rows: dict[str, list[int]] = {name: [] for name in found}
    for row, name in enumerate(sources):
        rows[name].append(row)
    taken: list[tuple[int, int]] = []
    for name in found:
        if (config.include and not _fits(name, config.include)) or _fits(name, config.exclude):
            continue
        whole, part = divmod(_weight(name, weights), 1)
        more = round(part * len(rows[name]))
        drawn = set(random.Random(f"problems/weights/{seed}/{name}").sample(rows[name], more))
        for row in rows[name]:
            taken += [(row, copy) for copy in range(int(whole) + (row in drawn))]
    return sorted(taken)


def _check(found: Sequence[str], config: SourcesConfig, weights: Mapping[str, float]) -> None:
    for key, patterns in (
        ("problems.sources.include", config.include),
        ("problems.sources.exclude", config.exclude),
        ("problems.weights", list(weights)),
    ):
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in found):
                raise UserError(f"{key}: {pattern} matches no source; there are {', '.join(found)}")
    for pattern, weight in weights.items():
        if not 0 <= weight < float("inf"):
            raise UserError(f"problems.weights.{pattern}={weight}: expected a number from 0")


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _weight(name: str, weights: Mapping[str, float]) -> float:
    fitting = [weight for pattern, weight in weights.items() if fnmatchcase(name, pattern)]
    return fitting[-1] if fitting else 1.0


def source_counts(problems: Sequence[Problem]) -> dict[str, int]:
    """How many problems there are of each source, by name; empty where none has a source."""
    return dict(sorted(Counter(p.source for p in problems if p.source).items()))


def told_sources(problems: Sequence[Problem]) -> str:
    """The counts as lines of text, with shares and a total; empty where none has a source."""
    counts = source_counts(problems)
    if not counts:
        return ""
    total = sum(counts.values())
    width = max(map(len, counts))
    lines = [f"  {name:<{width}}  {n:>9,}  {n / total:6.1%}" for name, n in counts.items()]
    return "\n".join(["sources", *lines, f"  {'in all':<{width}}  {total:>9,}"]) + "\n"

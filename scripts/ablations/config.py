"""What an ablation is, as configs/ablations/*.yaml say it, and what the script itself reads.

options, words = parse(["only=level", "verifier.epochs=1"])
for name, ablation in read_ablations(options.only).items():
for variant in ablation.variants.values():
config = loop_config(options.scale, *words, variant.set)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.search.drivers.run import LoopConfig
from assay.settings.errors import UserError
from assay.settings.files import CONFIGS
from assay.settings.schema import load

__all__ = [
    "LARGE",
    "TEST",
    "Ablation",
    "CutGenerator",
    "Options",
    "Variant",
    "loop_config",
    "parse",
    "read_ablations",
]

LARGE = "large"
TEST = "test"
# What a variant may change: nothing that the candidates depend on.
VARIED = ("verifier.", "pool.limit")


@dataclass
class Options:
    """The script's own keys; all others are those of `assay run`, for every variant."""

    only: str = ""
    """ablations, separated by commas; empty = all of configs/ablations/"""
    seeds: int = 3
    """trainings of every variant"""
    output: str = "runs/ablations"
    """folder for everything that is written"""
    reuse: str = ""
    """folder of an `assay run` or `assay quickstart`, whose generator and candidates to use"""
    scale: str = "small"
    """small (about 40 minutes on two cores) | full: a file of configs/ablations/scale/"""
    workers: int = 0
    """trainings at a time; 0 = one per core on a CPU, one on a GPU"""
    bootstrap: int = 2000
    """resamples for the intervals"""


@dataclass
class CutGenerator:
    """A generator fine-tuned from the base without some of its layers."""

    keep_layers: list[int] = field(default_factory=list)
    """layers that stay, counted from 0"""
    set: dict[str, Any] = field(default_factory=dict)
    """keys of `assay run` that differ"""


@dataclass
class Variant:
    """One column of the table."""

    generator: str = LARGE
    """whose candidates the verifier is trained and tested on"""
    verifier: str = ""
    """the generator that the verifier starts from; empty = the same"""
    set: dict[str, Any] = field(default_factory=dict)
    """keys of `assay run` that differ: verifier.… and pool.limit"""


@dataclass
class Ablation:
    """A file of configs/ablations/."""

    title: str = ""
    paper: str = ""
    """where in Cobbe et al. 2021"""
    baseline: str = ""
    """the variant that the others are compared with"""
    generators: dict[str, CutGenerator] = field(default_factory=dict)
    """generators besides "large", the configured one"""
    variants: dict[str, Variant] = field(default_factory=dict)


def parse(words: Sequence[str]) -> tuple[Options, list[str]]:
    """The script's options, and the words that are the loop's. Raises `UserError`."""
    own = {f.name for f in dataclasses.fields(Options)}
    mine = [word for word in words if word.split("=")[0] in own]
    options = load(Options, mine)
    if options.seeds < 1:
        raise UserError(f"seeds={options.seeds}: expected 1 or more")
    scales = sorted(path.stem for path in (CONFIGS / "ablations" / "scale").glob("*.yaml"))
    if options.scale not in scales:
        raise UserError(f"scale={options.scale}: expected one of {', '.join(scales)}")
    return options, [word for word in words if word not in mine]


def read_ablations(only: str) -> dict[str, Ablation]:
    """The ablations named in `only` (empty: all). Raises `UserError` for what does not fit."""
    known = sorted(path.stem for path in (CONFIGS / "ablations").glob("*.yaml"))
    names = [name.strip() for name in only.split(",")] if only else known
    found = {}
    for name in names:
        if name not in known:
            raise UserError(f"only={name}: expected some of {', '.join(known)}")
        ablation = load(Ablation, [f"ablations/{name}.yaml"])
        if ablation.baseline not in ablation.variants:
            raise UserError(
                f"{name}.yaml: baseline: {ablation.baseline!r} is none of the variants "
                f"({', '.join(ablation.variants)})"
            )
        for column, variant in ablation.variants.items():
            others = [key for key in _leaves(variant.set) if not key.startswith(VARIED)]
            if others:
                raise UserError(
                    f"{name}.yaml: {column}: set.{others[0]}: expected keys of verifier, or "
                    "pool.limit; the candidates are the same for all variants"
                )
            for generator in (variant.generator, variant.verifier or LARGE):
                if generator != LARGE and generator not in ablation.generators:
                    raise UserError(f"{name}.yaml: {generator!r} is none of its generators")
        found[name] = ablation
    return found


def _leaves(layer: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in layer.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def loop_config(scale: str, *layers: str | Mapping[str, Any]) -> LoopConfig:
    """The loop of the quick start at this scale under further layers, with one test set."""
    config = load(LoopConfig, ["quickstart.yaml", f"ablations/scale/{scale}.yaml", *layers])
    return dataclasses.replace(config, tests={TEST: config.tests[TEST]})

"""The command `check-contamination`, and the same check before a generator is trained.

Both say which questions of evaluation sets occur among the problems; they can be left out:

    assay check-contamination problems=mathinstruct against=[data/eval] output=overlaps.jsonl
    assay train-generator runs/g problems=mathinstruct contamination.against=[data/eval]
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from assay.problems.contamination import (
    Overlap,
    find_overlaps,
    told_overlaps,
    without_overlaps,
)
from assay.problems.problem import Problem
from assay.problems.sets import SETS, ProblemsConfig, load_problems
from assay.settings.errors import UserError
from assay.storage.files import atomic_file
from assay.storage.places import Place, place

__all__ = [
    "CheckContaminationConfig",
    "ContaminationConfig",
    "checked",
    "evaluation_sets",
    "run_check_contamination",
]


@dataclass
class ContaminationConfig:
    """What training problems are compared with (an OmegaConf schema)."""

    against: list[str] = field(default_factory=list)
    """evaluation sets: JSONL files, folders of them, or names of sets (their split test)"""
    n: int = 13
    """number of consecutive words that make an overlap; shorter questions must be equal"""
    drop: bool = False
    """leave out the training problems that overlap"""


@dataclass
class CheckContaminationConfig:
    """What `assay check-contamination` reads."""

    problems: ProblemsConfig = field(default_factory=ProblemsConfig)
    """training problems"""
    against: list[str] = field(default_factory=list)
    """evaluation sets: JSONL files, folders of them, or names of sets (their split test)"""
    n: int = 13
    """number of consecutive words that make an overlap; shorter questions must be equal"""
    output: str = ""
    """JSONL file for all overlaps: ids, source, set, the words shared, both questions"""


def run_check_contamination(config: CheckContaminationConfig) -> None:
    """`assay check-contamination`."""
    sets = evaluation_sets(config.against, "against")
    problems = load_problems(config.problems)
    overlaps = find_overlaps(problems, sets, config.n)
    print(told_overlaps(overlaps, problems, sets, config.n), end="")
    if config.output:
        _write(place(config.output), overlaps)
        print(f"{len(overlaps)} overlaps written to {config.output}")


def checked(problems: list[Problem], config: ContaminationConfig) -> list[Problem]:
    """The problems to train on, after telling (on stderr) what overlaps, where that is asked for.

    Raises `UserError` where every problem would be dropped.
    """
    if not config.against:
        return problems
    sets = evaluation_sets(config.against, "contamination.against")
    overlaps = find_overlaps(problems, sets, config.n)
    if os.environ.get("RANK", "0") == "0":
        print(told_overlaps(overlaps, problems, sets, config.n), end="", file=sys.stderr)
    if not config.drop:
        return problems
    kept = without_overlaps(problems, overlaps)
    if not kept:
        raise UserError("contamination.drop: every training problem overlaps; none is left")
    return kept


def evaluation_sets(against: list[str], key: str) -> dict[str, list[Problem]]:
    """The evaluation sets by name: files by their stems. Raises `UserError` naming `key`."""
    if not against:
        raise UserError(f"{key}: expected evaluation sets, for example {key}=[data/eval]")
    sets: dict[str, list[Problem]] = {}
    for name in against:
        for config in _configs(name, key):
            short = Path(config.path).name.split(".")[0] if config.path else config.name
            if short in sets:
                raise UserError(f"{key}: two sets are named {short}")
            sets[short] = load_problems(config)
    return sets


def _configs(name: str, key: str) -> list[ProblemsConfig]:
    if Path(name).is_dir():
        files = sorted(Path(name).glob("*.jsonl"))
        if not files:
            raise UserError(f"{key}: no *.jsonl in {name}")
        return [ProblemsConfig(name="jsonl", path=str(file)) for file in files]
    if name.endswith((".jsonl", ".json", ".jsonl.gz")):
        return [ProblemsConfig(name="jsonl", path=name)]
    if name not in SETS or name in ("jsonl", "hub"):
        raise UserError(f"{key}: {name}: expected a JSONL file, a folder of them, or a set's name")
    return [ProblemsConfig(name=name, split="test")]


def _write(path: Place, overlaps: list[Overlap]) -> None:
    with atomic_file(path) as stream:
        for overlap in overlaps:
            stream.write(json.dumps(overlap.to_dict(), ensure_ascii=False) + "\n")

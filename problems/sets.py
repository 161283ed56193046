"""Problem sets by name: GSM8K, MATH, GSM-Symbolic, MathInstruct, a JSONL file, a hub data set.

What a set is called, and which of its problems are taken:

    load_problems(ProblemsConfig(name="gsm_symbolic", split="test", limit=200))
    load_problems(ProblemsConfig(name="gsm8k", path="data/gsm8k", split="train", limit=50))
    load_problems(ProblemsConfig(name="hub", path="HuggingFaceH4/MATH-500", split="test",
                                 fields={"question": "problem"}))
    load_problems(ProblemsConfig(name="mathinstruct", sources=SourcesConfig(include=["PoT/*"]),
                                 weights={"PoT/gsm_gpt4": 0.5}))
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar

from assay.problems import gsm_symbolic
from assay.problems.answers import convention_name, convention_of, options_in
from assay.problems.formats import (
    gsm8k_problem,
    mapped_problem,
    math_problem,
    mathinstruct_problem,
)
from assay.problems.mathinstruct import SourcesConfig, mixed, source_of
from assay.problems.problem import Problem
from assay.problems.rows import Row, Where, read_rows
from assay.settings.errors import UserError

__all__ = ["SETS", "ProblemsConfig", "load_problems"]

SETS = ("gsm8k", "math", "gsm_symbolic", "mathinstruct", "jsonl", "hub")

# Where a set is on the Hugging Face hub: (data set, configuration).
_HUB_HOMES = {
    "gsm8k": ("openai/gsm8k", "main"),
    "math": ("DigitalLearningGmbH/MATH-lighteval", "default"),
    "mathinstruct": ("TIGER-Lab/MathInstruct", ""),
}


@dataclass
class ProblemsConfig:
    """Which problems to load (an OmegaConf schema)."""

    FOLDED: ClassVar[bool] = True

    name: str = "gsm8k"
    """gsm8k | math | gsm_symbolic (generated, as many as are wanted) | mathinstruct | jsonl (a
    file, named by path) | hub (any data set, named by path)"""
    path: str = ""
    """a file, a folder that holds {split}.jsonl, or a hub data set; empty = the set's own on the
    hub"""
    split: str = "train"
    """gsm_symbolic: train | test | hard"""
    config: str = ""
    """hub: name of the data set's configuration"""
    revision: str = ""
    """hub: branch, tag or commit"""
    limit: int = 0
    """number of problems to take; 0 = all (gsm_symbolic is endless: 0 = 1000)"""
    offset: int = 0
    """number of problems to skip first"""
    shuffle: bool = False
    """put the problems in a random order (drawn by `seed`) before offset and limit take theirs; of
    gsm_symbolic, which has no end, those that were taken"""
    seed: int = 0
    """seed of the shuffle, of gsm_symbolic's draws, and of those by weights"""
    fields: dict[str, str] = field(default_factory=dict)
    """jsonl, hub: our field -> theirs, for id, question, answer, options, solution;
    answer_pattern: a regular expression whose first group (else whole match) in their answer is
    the answer"""
    convention: str = ""
    """how the reference answers are written: general (as they stand), gsm8k, math, numglue, … (see
    docs/answers.md); empty = what the rows or their ids say"""
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    """mathinstruct: which of its sources are taken"""
    weights: dict[str, float] = field(default_factory=dict)
    """mathinstruct: source, or pattern of sources -> how often its rows are taken: 0.5 half of them
    (drawn by `seed`), 2 each twice; before shuffling, skipping and limiting"""
    templates: list[int] = field(default_factory=list)
    """gsm_symbolic: templates of the splits train and test; empty = `gsm_symbolic.TEMPLATES`"""
    hard_templates: list[int] = field(default_factory=list)
    """gsm_symbolic: templates of the split hard; empty = `gsm_symbolic.HARD_TEMPLATES`"""


def load_problems(config: ProblemsConfig) -> list[Problem]:
    """Loads problems, in a fixed order, with unique ids.

    Raises `UserError` for an unknown set, a file or data set that cannot be read, a malformed line,
    a missing field, ids that repeat, and an empty result.
    """
    if config.name not in SETS:
        raise UserError(f"problems.name={config.name}: expected one of {', '.join(SETS)}")
    if config.limit < 0 or config.offset < 0:
        raise UserError("problems.limit and problems.offset: expected 0 or more")
    if config.name != "mathinstruct" and _is_mixed(config):
        raise UserError("problems.sources and problems.weights: only mathinstruct has sources")
    problems = _symbolic(config) if config.name == "gsm_symbolic" else _converted(config)
    if not problems:
        raise UserError(
            f"problems.name={config.name} path={config.path or '(default)'} split={config.split} "
            f"offset={config.offset}: no problems there"
        )
    _check_ids(problems, config)
    return problems


def _symbolic(config: ProblemsConfig) -> list[Problem]:
    count = config.offset + (config.limit or gsm_symbolic.DEFAULT_SIZE)
    problems = gsm_symbolic.generate(
        config.split,
        count,
        seed=config.seed,
        templates=config.templates or gsm_symbolic.TEMPLATES,
        hard_templates=config.hard_templates or gsm_symbolic.HARD_TEMPLATES,
    )[config.offset :]
    # Only within the slice: the set has no end, so two slices stay disjoint.
    if config.shuffle:
        _shuffle(problems, config.seed)
    return problems


def _converted(config: ProblemsConfig) -> list[Problem]:
    """The chosen rows as problems; the others are not converted, which would cost seconds."""
    by_split = config.name in ("gsm8k", "math")
    prefix = f"{config.name}-{config.split}" if by_split else config.name
    width = 6 if config.name == "mathinstruct" else 5
    rows: Iterable[tuple[str, str, Row]] = (
        (f"{prefix}-{index:0{width}d}", where, row)
        for index, (where, row) in enumerate(_rows(config))
    )
    if _is_mixed(config):
        rows = _mixed(list(rows), config)
    if config.shuffle:
        rows = list(rows)
        _shuffle(rows, config.seed)
    end = config.offset + config.limit if config.limit else None
    return [
        _problem(row, identity, where, config)
        for identity, where, row in islice(rows, config.offset, end)
    ]


def _is_mixed(config: ProblemsConfig) -> bool:
    return bool(config.sources.include or config.sources.exclude or config.weights)


def _mixed(rows: list[tuple[str, str, Row]], config: ProblemsConfig) -> list[tuple[str, str, Row]]:
    """The rows of the chosen sources by their weights; copies of a row have ids of their own."""
    sources = [source_of(str(row.get("source", ""))) for _, _, row in rows]
    taken = []
    for index, copy in mixed(sources, config.sources, config.weights, config.seed):
        identity, where, row = rows[index]
        taken.append((f"{identity}-{copy + 1}" if copy else identity, where, row))
    return taken


def _rows(config: ProblemsConfig) -> Iterator[tuple[str, Row]]:
    path, hub_config = config.path, config.config
    if not path:
        if config.name not in _HUB_HOMES:
            raise UserError(f"problems.path: expected a path for problems.name={config.name}")
        path, home_config = _HUB_HOMES[config.name]
        hub_config = hub_config or home_config
    where: Where = "either"
    if config.name == "jsonl":
        where = "local"
    elif config.name == "hub":
        where = "hub"
    return read_rows(path, config.split, where=where, config=hub_config, revision=config.revision)


def _problem(row: Row, identity: str, where: str, config: ProblemsConfig) -> Problem:
    if config.name == "gsm8k":
        problem = gsm8k_problem(row, identity, where)
    elif config.name == "math":
        problem = math_problem(row, identity, where)
    elif config.name == "mathinstruct":
        problem = mathinstruct_problem(row, identity, where)
    else:
        problem = mapped_problem(row, identity, where, config.fields)
    name = config.convention or problem.convention or convention_name(problem.id)
    options = problem.options
    if not options and convention_of(name).options_in_question:
        options = options_in(problem.question)
    return dataclasses.replace(problem, options=options, convention=name)


def _shuffle(items: list[Any], seed: int) -> None:
    random.Random(f"problems/shuffle/{seed}").shuffle(items)


def _check_ids(problems: list[Problem], config: ProblemsConfig) -> None:
    seen: set[str] = set()
    for problem in problems:
        if problem.id in seen:
            raise UserError(
                f"problems.path={config.path or config.name}: the id {problem.id!r} occurs twice; "
                "expected unique ids"
            )
        seen.add(problem.id)

"""GSM-Symbolic problems, generated: no file, no hub, as many as are wanted.

The templates are `reasoning_gym`'s (Apache-2.0), after Mirzadeh et al. 2024 (arXiv 2410.05229).
Its own data set draws neighbouring items from neighbouring seeds, repeats questions, and ends each
with a sentence about units; here every item has a seed of its own, a question occurs once, and the
splits are disjoint whatever their sizes and seeds: a hash of the question's text decides whether it
is a training or a test question, and the split "hard" has templates of its own.

    generate("train", 1500, seed=0)[0].question
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random
from typing import Any

from assay.problems.calculator import annotate, derive_program
from assay.problems.problem import Problem, Solution
from assay.settings.errors import UserError

__all__ = ["DEFAULT_SIZE", "HARD_TEMPLATES", "SPLITS", "TEMPLATES", "generate"]

SPLITS = ("train", "test", "hard")
DEFAULT_SIZE = 1000

# Chosen for small models: short questions, whole numbers, at most four steps (five in 7 and 9), and
# a program that derives from every item and follows the solution step by step.
TEMPLATES: tuple[int, ...] = (
    *(0, 6, 7, 9, 10, 12, 13, 14, 16, 20, 23, 30, 31, 33, 34, 39, 40, 41, 43, 44),
    *(48, 50, 51, 54, 56, 57, 58, 59, 62, 64, 67, 69, 71, 72, 78, 81, 88, 91, 95, 96),
)
# Longer questions, longer chains, ratios, percentages and decimals; programs derive from all.
HARD_TEMPLATES: tuple[int, ...] = (5, 8, 11, 15, 17, 18, 26, 29, 38, 42, 45, 70, 73, 80, 94)

# One question in five is a test question.
_TEST_SHARE = 0.2
# So many draws of one template in a row without a new question: it has no more to give.
_PATIENCE = 200


def generate(
    split: str,
    count: int,
    *,
    seed: int = 0,
    templates: Sequence[int] = TEMPLATES,
    hard_templates: Sequence[int] = HARD_TEMPLATES,
) -> list[Problem]:
    """The first `count` problems of a split, templates in turn; a longer call begins the same.

    Each problem has its worked solution, annotated (`calculator.annotate`), and a program where one
    can be derived. Fewer come back where the templates have no more questions to give. Raises
    `UserError` for an unknown split or template, and templates in both lists.
    """
    if split not in SPLITS:
        raise UserError(f"problems.split={split}: gsm_symbolic has {', '.join(SPLITS)}")
    shared = sorted(set(templates) & set(hard_templates))
    if shared:
        raise UserError(f"problems.hard_templates: {shared} are in problems.templates too")
    chosen = hard_templates if split == "hard" else templates
    generators = _generators()
    unknown = sorted(set(chosen) - set(generators))
    if unknown:
        raise UserError(f"problems.templates: gsm_symbolic has no template {unknown[0]}")
    streams = [_questions(generators[t], t, split, seed) for t in dict.fromkeys(chosen)]
    problems: list[Problem] = []
    seen: set[str] = set()
    while streams and len(problems) < count:
        for stream in list(streams):
            item = next((i for i in stream if i["question"] not in seen), None)
            if item is None:
                streams.remove(stream)
                continue
            seen.add(item["question"])
            problems.append(_problem(item, f"gsm_symbolic-{split}-{len(problems):05d}"))
            if len(problems) == count:
                break
    return problems


def _questions(
    generator: Callable[[Random], dict[str, Any]], template: int, split: str, seed: int
) -> Iterator[dict[str, Any]]:
    """The distinct questions of one template in one split, until it repeats itself."""
    seen: set[str] = set()
    draw = misses = 0
    while misses < _PATIENCE:
        item = generator(Random(f"gsm_symbolic/{seed}/{template}/{draw}"))
        draw += 1
        question = item["question"]
        if question in seen:
            misses += 1
            continue
        seen.add(question)
        misses = 0
        if split == "hard" or (split == "test") == _is_test(question):
            yield item


def _is_test(question: str) -> bool:
    digest = hashlib.sha256(question.encode()).digest()
    return int.from_bytes(digest[:4], "big") < _TEST_SHARE * 2**32


def _problem(item: dict[str, Any], identity: str) -> Problem:
    answer = _integer(item["answer"])
    worked = item["metadata"]["answer_cot"]
    solutions = [Solution("cot", annotate(worked))]
    program = derive_program(worked, answer)
    if program is not None:
        solutions.append(Solution("pot", program))
    return Problem(
        identity,
        item["question"].strip(),
        answer,
        solutions=tuple(solutions),
        convention="gsm_symbolic",
    )


def _integer(answer: str) -> str:
    """Some templates write 36 as 36.0."""
    whole, point, decimals = answer.partition(".")
    return whole if point and not decimals.strip("0") else answer


@cache
def _generators() -> dict[int, Callable[[Random], dict[str, Any]]]:
    """Template number -> function from a random generator to an item."""
    from reasoning_gym.arithmetic.gsm_symbolic import generators_00_49, generators_50_99
    from reasoning_gym.arithmetic.gsm_symbolic.gsm_symbolic import tasks_ok

    modules = (generators_00_49, generators_50_99)
    found = {
        number: getattr(module, f"generate_{number}")
        for module in modules
        for number in tasks_ok
        if hasattr(module, f"generate_{number}")
    }
    return dict(sorted(found.items()))

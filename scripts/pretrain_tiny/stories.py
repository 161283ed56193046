"""All families of stories, by stage, and those that are made of others.

A family is a function that writes a story, with its solution, from a random generator. Grade-school
vocabulary, many wordings, names and things; facts are sometimes in another order than they are
used, and some are not used at all. No template of GSM-Symbolic is copied.
"""

from __future__ import annotations

from amounts import chain, color_parts, ledger, shopping
from dealings import eaters, goal, profit, two_jobs, two_kinds_sold, unknown_part
from one_step import (
    compare,
    drill,
    groups_of,
    left,
    part_of,
    per_day,
    price,
    running,
    share,
    sum_line,
    together,
)
from phrasing import Family, Rng, value_of, with_filler
from quantities import average, fee, growth, nested_groups, part_chain, shapes
from rates import ages, grouped, minutes, percent_rest, travel, work_week
from shares import capacity, class_groups, convert, found, half_price, ratio
from story import Step, Story


def long_chain(rng: Rng) -> Story:
    return with_filler(rng, chain(rng, 3, 4))


def long_ledger(rng: Rng) -> Story:
    return with_filler(rng, ledger(rng, 3, 5))


def long_shopping(rng: Rng) -> Story:
    return with_filler(rng, shopping(rng, 3, 4))


def long_parts(rng: Rng) -> Story:
    return with_filler(rng, color_parts(rng, 4, 5))


SHORT: list[Family] = [
    sum_line,
    drill,
    running,
    together,
    left,
    groups_of,
    share,
    compare,
    price,
    per_day,
    part_of,
]
MIDDLE: list[Family] = [
    drill,
    chain,
    ledger,
    shopping,
    color_parts,
    work_week,
    travel,
    ages,
    percent_rest,
    grouped,
    minutes,
]
LONG: list[Family] = [long_chain, long_ledger, long_shopping, long_parts]


def middle_with_filler(rng: Rng) -> Story:
    return with_filler(rng, rng.choice(MIDDLE)(rng))


def beside(rng: Rng) -> Story:
    """A story whose facts stand behind another story's, which nobody asks about."""
    other = rng.choice(SHORT[3:])(rng).question.split(". ")
    story = rng.choice([*MIDDLE[1:], *SCENES[:18]])(rng)
    if len(other) < 2:
        raise ValueError("the other story is a single sentence")
    return Story(". ".join([*other[:-1], story.question]), story.steps)


def joined(rng: Rng) -> Story:
    """Two stories, and a last step that puts their answers together."""
    one, two = (rng.choice([*SHORT[3:], *MIDDLE[1:]])(rng) for _ in range(2))
    a, b = (value_of(story.steps[-1].expr) for story in (one, two))
    end, expr = rng.choice(
        [
            ("What is the sum of the two answers?", f"{a} + {b}"),
            ("Add both results.", f"{a} + {b}"),
            ("What is the difference of the two answers?", f"{max(a, b)} - {min(a, b)}"),
        ]
    )
    last = Step(rng.choice(["Both together are {}.", "The result is {}."]), expr)
    if "difference" in end:
        last = Step("The difference is {}.", expr)
    return Story(f"{one.question} {two.question} {end}", (*one.steps, *two.steps, last))


SCENES: list[Family] = [
    eaters,
    two_kinds_sold,
    profit,
    unknown_part,
    two_jobs,
    goal,
    nested_groups,
    fee,
    growth,
    average,
    shapes,
    part_chain,
    capacity,
    found,
    class_groups,
    half_price,
    convert,
    ratio,
    middle_with_filler,
    beside,
    joined,
]
STAGES: dict[int, list[Family]] = {
    1: SHORT,
    2: MIDDLE,
    3: LONG + SCENES,
}

"""All families by level: 1 = a step or two, 2 = two or three, 3 = three to six."""

from __future__ import annotations

import random
import re

from scripts.small_solver import (
    earnings,
    holders,
    kinds,
    longer,
    measures,
    parts,
    quantities,
    rates,
    shopping,
    tallies,
    times,
)
from scripts.small_solver.story import Family, Story, result

__all__ = ["LEVELS", "draw"]

_SHORT: list[Family] = [
    quantities.ledger, quantities.ledger, quantities.start_unknown, quantities.change_unknown,
    quantities.compare, quantities.compare_back, quantities.totals, quantities.part_whole,
    holders.in_all, holders.in_all, holders.shared, holders.shared, holders.leftover,
    holders.needed_trips, holders.each_gives, holders.array, shopping.cost, shopping.cost,
    shopping.basket, earnings.wallet, earnings.savings, shopping.discount, shopping.groups_pay,
    earnings.coins, earnings.wages, rates.per_unit, rates.per_unit, rates.rate_of,
    rates.many_do, rates.proportion, rates.fuel, times.travel, rates.morning_evening,
    times.ages, times.units, times.units, times.durations, times.clock, parts.part_of,
    parts.given_away, parts.plain_part, parts.filled, parts.percent_of, measures.average,
    measures.areas, measures.plain_sum, measures.number_puzzle, measures.measured, parts.halves,
    kinds.two_kinds, kinds.two_kinds, kinds.two_days, kinds.two_prices, kinds.beside,
]  # fmt: skip
_MIDDLE: list[Family] = [
    quantities.ledger_long, quantities.compare_three, quantities.start_unknown,
    holders.two_kinds_of_holders, holders.nested, holders.times_groups, holders.each_gives,
    shopping.basket, shopping.basket_long, earnings.profit, earnings.savings, earnings.wages,
    shopping.price_relation, shopping.groups_pay, rates.rate_of, rates.many_do,
    rates.two_workers, times.travel, times.ages, rates.growth, rates.stock, times.clock,
    parts.given_away, parts.whole_of, measures.average, parts.ratio, parts.part_of,
    kinds.two_kinds, kinds.two_prices,
]  # fmt: skip
_LONG: list[Family] = [
    longer.two_incomes, longer.party, longer.harvest, longer.reading, longer.production,
    tallies.groups_chain, tallies.journey, tallies.rest_shared, tallies.budget, tallies.team,
    tallies.layers, tallies.mixture_of_buys, tallies.listed, shopping.basket_long,
    earnings.wages, quantities.compare_three, quantities.ledger_long,
]  # fmt: skip
LEVELS: dict[int, list[Family]] = {1: _SHORT, 2: _MIDDLE, 3: _LONG}

# "1 laps", "one more cookies": a number that the wording did not allow for.
_SINGULAR = re.compile(
    r"\b(?:1|one) (?:more |new |other |loose |full |of the )?(?!of\b|is\b|has\b)[a-z]+(?<!s)s\b",
    re.I,
)
_LEADS = re.compile(
    r"^The (?=[a-z]+ (?:has|had|have|buys|bought|sells|sold|makes|made|plans|earns)\b)"
)


def draw(rng: random.Random, level: int) -> tuple[str, Story]:
    """A fresh story of a level with its family's name; its answer is within range and exact."""
    while True:
        family = rng.choice(LEVELS[level])
        try:
            story = family(rng)
            result(story)
        except ValueError:
            continue
        if _SINGULAR.search(story.question):
            continue
        question = story.question
        if rng.random() < 0.5:
            question = _LEADS.sub("A ", question)
        return family.__name__, Story(question, story.steps)

"""Long families: what fits, what is found, classes, half prices, conversions, ratios."""

from __future__ import annotations

from itertools import pairwise

import words as w
from phrasing import (
    Rng,
    a_an,
    cap,
    either,
    num,
    people,
    person,
    relation,
    scene,
    things,
    times_word,
    value_of,
)
from story import Step, Story


def capacity(rng: Rng) -> Story:
    """Places that hold so many; what fits, what does not, how many more."""
    (p, he, _), t = person(rng), things(rng)
    h, hs = rng.choice(w.HOLDERS).split("/")
    each, n = num(rng, 2, 40), num(rng, 2, 12)
    extra = num(rng, 1, 60)
    total = each * n + extra
    facts = rng.choice(
        [
            [
                f"{p} puts {t} into {hs}.",
                f"Each {h} can hold {each} {t}.",
                f"{cap(he)} has {total} {t} and {n} {hs}.",
            ],
            [f"{p} has {total} {t} but only {n} {hs}.", f"One {h} has room for {each} {t}."],
            [f"{n} {hs} are filled with {each} {t} each.", f"{p} had {total} {t} at first."],
        ]
    )
    steps = [
        Step(
            rng.choice([f"The {hs} hold {{}} {t}.", f"{{}} {t} fit into the {hs}."]),
            either(rng, str(n), "*", str(each)),
        ),
        Step(
            rng.choice([f"{{}} {t} do not fit.", f"{{}} {t} are left over."]),
            f"{total} - {n * each}",
            t,
        ),
    ]
    if rng.random() < 0.3 and extra % 2 == 0:
        facts.append(f"{cap(he)} gives half of the {t} that do not fit to a friend.")
        return scene(
            rng,
            p,
            facts,
            f"How many {t} does the friend get?",
            [*steps, Step(f"The friend gets {{}} {t}.", f"{extra} / 2")],
        )
    return scene(
        rng,
        p,
        facts,
        rng.choice(
            [
                f"How many {t} do not fit?",
                f"How many {t} are left over?",
                f"How many {t} can {he} not put into the {hs}?",
            ]
        ),
        steps,
    )


def found(rng: Rng) -> Story:
    """A whole of which people take parts told by each other; what is still there."""
    count = rng.randint(2, 4)
    names, t = people(rng, count), things(rng)
    finds, find = rng.choice(
        [("finds", "find"), ("takes", "take"), ("eats", "eat"), ("buys", "buy")]
    )
    numbers, facts, steps = [num(rng, 2, 40)], [], []
    facts.append(f"{names[0]} {finds} {numbers[0]} {t}.")
    for before, name in pairwise(names):
        phrase, expr = relation(rng, before, numbers[-1], t)
        phrase = phrase.replace(f"that {before} has", f"that {before} {finds}")
        numbers.append(value_of(expr))
        facts.append(f"{name} {finds} {phrase}.")
        steps.append(Step(f"{name} {finds} {{}} {t}.", expr))
    gone = sum(numbers)
    left = num(rng, 1, 50)
    if rng.random() < 0.25 and (gone + left) % 12 == 0:
        dozens = (gone + left) // 12
        start = f"There are {dozens} dozen {t} in the {rng.choice(w.PLACES)}."
        steps.insert(0, Step(f"{dozens} dozen are {{}} {t}.", f"{dozens} * 12"))
    else:
        start = rng.choice(
            [
                f"There are {gone + left} {t} in the {rng.choice(w.PLACES)}.",
                f"{rng.choice(w.SHE)} hid {gone + left} {t} in the {rng.choice(w.PLACES)}.",
            ]
        )
    steps += [
        Step(f"Together they {find} {{}} {t}.", " + ".join(map(str, numbers))),
        Step(f"{{}} {t} are left.", f"{gone + left} - {gone}", t),
    ]
    return scene(
        rng,
        names[0],
        [start, *facts],
        rng.choice([f"How many {t} are left?", f"How many {t} remain in the end?"]),
        steps,
    )


def class_groups(rng: Rng) -> Story:
    """Girls and boys, sports and clubs: counts told by each other, absent ones, totals."""
    place, (one, two, three) = rng.choice(w.PLACES), rng.sample(w.SPORTS, 3)
    a, k = num(rng, 2, 60), rng.randint(2, 5)
    g, b = num(rng, 2, 40), num(rng, 2, 40)
    group = rng.choice(w.GROUPS).split("/")[1]
    kind = rng.randint(0, 2)
    if kind == 0:
        facts = [
            f"At the {place}, {a} {group} do {one} and {times_word(rng, k)} that number do {two}.",
            f"{g} girls and {b} boys do {three}.",
        ]
        steps = [
            Step(f"{{}} {group} do {two}.", f"{a} * {k}"),
            Step(f"{{}} {group} do {three}.", f"{g} + {b}"),
            Step("In total that is {}.", f"{a} + {a * k} + {g + b}"),
        ]
        return scene(rng, rng.choice(w.SHE), facts, f"How many {group} are there in total?", steps)
    if kind == 1:
        absent_g, absent_b = rng.randint(1, g), rng.randint(1, b)
        facts = [
            f"There are {g + b} children in the class, and {g} of them are girls.",
            f"On {rng.choice(w.DAYS)}, {absent_g} girls and {absent_b} boys were not there.",
        ]
        return scene(
            rng,
            rng.choice(w.SHE),
            facts,
            "How many boys were there that day?",
            [
                Step("There are {} boys in the class.", f"{g + b} - {g}"),
                Step("{} boys were there.", f"{b} - {absent_b}"),
            ],
        )
    rest = num(rng, 2, 50)
    whole = a + a * k + g + rest
    facts = [
        f"A group of {whole} {group} meets at the {place}.",
        f"{g} like {one}, {a} like {two}, and the others like {three} or chess.",
        f"The number that like chess is {times_word(rng, k)} the number that like {two}.",
    ]
    return scene(
        rng,
        rng.choice(w.SHE),
        facts,
        f"How many {group} like {three}?",
        [
            Step(f"{{}} {group} like chess.", f"{k} * {a}"),
            Step(f"{{}} {group} like {three}.", f"{whole} - {g} - {a} - {k * a}"),
        ],
    )


def half_price(rng: Rng) -> Story:
    """Several buys with half prices, coupons, and prices told by others."""
    p, he, _ = person(rng)
    (one, _), (two, _), (three, _) = rng.sample(w.THINGS, 3)
    a, d, c, off = num(rng, 3, 60), num(rng, 1, 30), 2 * num(rng, 2, 50), num(rng, 1, 9)
    facts = [
        f"{p} bought {a_an(one)} for ${a} and {a_an(two)} that cost ${d} more than the {one}.",
        rng.choice(
            [
                f"{cap(he)} also bought {a_an(three)} at half price. It was ${c} before.",
                f"{cap(he)} paid half price for {a_an(three)} that was originally ${c}.",
            ]
        ),
    ]
    steps = [
        Step(f"The {two} cost {{}}.", f"${a} + ${d}"),
        Step(f"The {three} cost {{}}.", f"${c} / 2"),
        Step("Together that is {}.", f"${a} + ${a + d} + ${c // 2}"),
    ]
    total = a + a + d + c // 2
    if rng.random() < 0.5:
        facts.append(
            rng.choice(
                [f"{cap(he)} had a coupon for ${off} off.", f"The shop took ${off} off the total."]
            )
        )
        steps.append(Step(f"{p} paid {{}}.", f"${total} - ${off}"))
    return scene(
        rng,
        p,
        facts,
        rng.choice([f"How much did {he} spend?", f"How much did {p} pay in total?"]),
        steps,
    )


def convert(rng: Rng) -> Story:
    """Minutes to hours, months to years, days to weeks after a product."""
    p, he, _ = person(rng)
    does, _, do, t = rng.choice(w.JOBS)
    if rng.random() < 0.5:
        n, each = num(rng, 2, 30), rng.choice([5, 10, 12, 15, 20, 30, 40, 45])
        days = rng.randint(2, 7)
        minutes = n * each * days
        if minutes % 60:
            raise ValueError("not whole")
        facts = rng.choice(
            [
                [
                    f"{p} {does} {n} {t} a day, {days} days a week.",
                    (
                        f"It takes {he.replace('he', 'him') if he == 'he' else 'her'} "
                        f"{each} minutes to {do} one of them."
                    ),
                ],
                [
                    f"It takes {each} minutes to {do} one of the {t}.",
                    f"{p} {does} {n} {t} each day for {days} days.",
                ],
            ]
        )
        steps = [
            Step(f"{p} {does} {{}} {t}.", f"{n} * {days}"),
            Step("That takes {} minutes.", f"{n * days} * {each}"),
            Step("That is {} hours.", f"{minutes} / 60"),
        ]
        return scene(rng, p, facts, f"How many hours does {he} need in total?", steps)
    n, weeks = num(rng, 2, 40), rng.randint(2, 5)
    if rng.random() < 0.5:
        facts = [f"{p} pays ${n} a week and there are {weeks} weeks in a month."]
        return scene(
            rng,
            p,
            facts,
            f"How much does {he} pay in a year?",
            [
                Step(f"{p} pays {{}} a month.", f"${n} * {weeks}"),
                Step("In a year that is {}.", f"${n * weeks} * 12"),
            ],
        )
    days = rng.randint(2, 6)
    facts = [f"{p} {does} {n} {t} every day and works {days} days a week."]
    return scene(
        rng,
        p,
        facts,
        f"How many {t} does {he} {do} in a year of 52 weeks?",
        [
            Step(f"{p} {does} {{}} {t} a week.", f"{n} * {days}"),
            Step("In a year that is {}.", f"{n * days} * 52"),
        ],
    )


def ratio(rng: Rng) -> Story:
    a, b = rng.randint(1, 12), rng.randint(1, 12)
    k = num(rng, 2, 40)
    p, q = people(rng, 2)
    t = things(rng)
    facts = rng.choice(
        [
            [f"{p} and {q} share {(a + b) * k} {t} in the ratio {a}:{b}."],
            [
                f"The ratio of {p}'s {t} to {q}'s {t} is {a}:{b}.",
                f"Together they have {(a + b) * k} {t}.",
            ],
        ]
    )
    first = rng.random() < 0.5
    steps = [
        Step("There are {} parts.", f"{a} + {b}"),
        Step(f"Each part is {{}} {t}.", f"{(a + b) * k} / {a + b}"),
        Step(f"{p if first else q} has {{}} {t}.", f"{a if first else b} * {k}"),
    ]
    return scene(rng, p, facts, f"How many {t} does {p if first else q} have?", steps)

"""Families of two to four steps: wages, journeys, ages, percentages, groups, minutes."""

from __future__ import annotations

import words as w
from phrasing import (
    Rng,
    a_an,
    cap,
    listing,
    num,
    people,
    person,
    shuffled,
    things,
    times_word,
    value_of,
)
from story import Step, Story


def work_week(rng: Rng) -> Story:
    """So much an hour or a day, for days and weeks."""
    p, he, _ = person(rng)
    hours, days, weeks = rng.randint(2, 12), rng.randint(2, 7), rng.randint(2, 12)
    if rng.random() < 0.5:
        rate = num(rng, 5, 60)
        facts = rng.choice(
            [
                f"{p} works {hours} hours a day, {days} days a week, for ${rate} an hour.",
                (
                    f"{p} earns ${rate} per hour. {cap(he)} works {hours} hours each day, "
                    f"{days} days a week."
                ),
                (
                    f"{p} gets paid ${rate}/hour and works {days} days every week for "
                    f"{hours} hours a day."
                ),
            ]
        )
        ask = rng.choice(
            [
                f"How much does {he} earn in {weeks} weeks?",
                f"How much money does {he} make in a week?",
            ]
        )
        steps = [
            Step(f"{p} works {{}} hours a week.", f"{hours} * {days}"),
            Step(f"{cap(he)} earns {{}} a week.", f"{hours * days} * ${rate}"),
        ]
        if "weeks" in ask:
            steps.append(
                Step(f"In {weeks} weeks {he} earns {{}}.", f"${hours * days * rate} * {weeks}")
            )
        return Story(f"{facts} {ask}", tuple(steps))
    does, _, do, t = rng.choice(w.JOBS)
    n = num(rng, 2, 40)
    second, rate2 = rng.choice(["morning", "shift", "hour"]), num(rng, 2, 30)
    facts = rng.choice(
        [
            f"{p} {does} {n} {t} every day.",
            f"Each day, {p} {does} {n} {t}.",
            f"{p} {does} {n} {t} per {second} and works {rate2} {second}s a day.",
        ]
    )
    steps = []
    daily = n
    if second in facts:
        daily = n * rate2
        steps.append(Step(f"{p} {does} {{}} {t} a day.", f"{n} * {rate2}"))
    span, count = rng.choice([("a week", 7), (f"{weeks} weeks", weeks * 7), (f"{days} days", days)])
    if span.endswith("weeks"):
        steps.append(
            Step(rng.choice([f"{weeks} weeks is {{}} days.", "There are {} days."]), f"{weeks} * 7")
        )
    steps.append(Step(f"{p} {does} {{}} {t} in {span}.", f"{daily} * {count}"))
    return Story(f"{facts} How many {t} does {he} {do} in {span}?", tuple(steps))


def travel(rng: Rng) -> Story:
    """Speed, distance and time."""
    (p, q), unit = people(rng, 2), rng.choice(["miles", "kilometers", "meters"])
    goes = rng.choice(["drives", "rides", "walks", "runs", "flies"])
    v, h = num(rng, 2, 90), rng.randint(2, 9)
    v2, h2 = num(rng, 2, 90), rng.randint(2, 9)
    kind = rng.randint(0, 2)
    if kind == 0:
        facts = (
            f"{p} {goes} at {v} {unit} per hour for {h} hours, then at {v2} {unit} per hour "
            f"for {h2} hours."
        )
        return Story(
            f"{facts} How many {unit} is that in total?",
            (
                Step(f"First {p} {goes} {{}} {unit}.", f"{v} * {h}"),
                Step(f"Then {{}} {unit}.", f"{v2} * {h2}"),
                Step(f"In total {{}} {unit}.", f"{v * h} + {v2 * h2}", unit),
            ),
        )
    if kind == 1:
        parts = shuffled(
            rng,
            [
                f"The {rng.choice(w.PLACES)} is {v * h} {unit} away.",
                f"{p} {goes} {v} {unit} an hour.",
            ],
        )
        rest = num(rng, 1, 12)
        ask = f"{p} also stops for {rest} hours. How many hours does the trip take?"
        return Story(
            f"{' '.join(parts)} {ask}",
            (
                Step(f"{p} {goes} for {{}} hours.", f"{v * h} / {v}"),
                Step("With the stop it takes {} hours.", f"{h} + {rest}", "hours"),
            ),
        )
    d = v * h * v2
    facts = (
        f"{p} {goes} {d} {unit} at {v} {unit} per minute. {q} {goes} the same way at "
        f"{h * v} {unit} per minute."
    )
    one, two = d // v, v2
    return Story(
        f"{facts} How many minutes longer does {p} take than {q}?",
        (
            Step(f"{p} needs {{}} minutes.", f"{d} / {v}"),
            Step(f"{q} needs {{}} minutes.", f"{d} / {h * v}"),
            Step(f"{p} takes {{}} minutes longer.", f"{one} - {two}", "minutes"),
        ),
    )


def ages(rng: Rng) -> Story:
    p, q = people(rng, 2)
    a, k, y = num(rng, 4, 40), rng.randint(2, 5), rng.randint(2, 20)
    d = rng.randint(1, 30)
    phrase, expr = rng.choice(
        [
            (f"{times_word(rng, k)} as old as {p}", f"{a} * {k}"),
            (f"{d} years older than {p}", f"{a} + {d}"),
            (f"{min(d, a - 1)} years younger than {p}", f"{a} - {min(d, a - 1)}"),
        ]
    )
    b = value_of(expr)
    facts = " ".join(shuffled(rng, [f"{p} is {a} years old.", f"{q} is {phrase}."]))
    step = Step(f"{q} is {{}} years old.", expr)
    kind = rng.randint(0, 3)
    if kind == 0:
        return Story(
            f"{facts} How old will {q} be in {y} years?",
            (step, Step(f"In {y} years {q} will be {{}}.", f"{b} + {y}")),
        )
    if kind == 1:
        return Story(
            f"{facts} What is the sum of their ages?", (step, Step("The sum is {}.", f"{a} + {b}"))
        )
    if kind == 2 and b > y:
        return Story(
            f"{facts} How old was {q} {y} years ago?",
            (step, Step(f"{q} was {{}} years old then.", f"{b} - {y}")),
        )
    now = phrase.replace(f"as old as {p}", f"as old as {p} is now")
    return Story(
        f"In {y} years {q} will be {now}. {p} is {a} years old. How old is {q} now?",
        (
            Step(f"In {y} years {q} will be {{}}.", expr),
            Step(f"{q} is {{}} years old now.", f"{b} - {y}"),
        ),
    )


def percent_rest(rng: Rng) -> Story:
    """A part taken by fraction or percentage, and what then happens to the rest or the price."""
    (p, he, _), t = person(rng), things(rng)
    percent = rng.choice([10, 20, 25, 30, 40, 50, 60, 75, 80])
    whole = rng.choice([20, 40, 60, 80, 100, 120, 160, 200, 240, 280, 300, 360, 400, 500, 600, 900])
    expr = rng.choice(
        [
            f"{percent}/100 * {whole}",
            f"{whole} * {percent / 100:g}",
            f"{whole} * {percent}/100",
            f"{percent / 100:g} * {whole}",
        ]
    )
    part = value_of(expr)
    kind = rng.randint(0, 4)
    if kind == 0:
        return Story(
            f"{p} had {whole} {t}. {cap(he)} sold {percent}% of them. How many {t} are left?",
            (
                Step(f"{p} sold {{}} {t}.", expr),
                Step(f"{{}} {t} are left.", f"{whole} - {part}", t),
            ),
        )
    if kind == 1:
        item = rng.choice(["coat", "bike", "table", "phone", "lamp", "ticket", "chair", "dress"])
        up, word = rng.choice(
            [
                ("+", "rises by"),
                ("+", "increased by"),
                ("-", "falls by"),
                ("-", "is on sale at a discount of"),
                ("-", "dropped by"),
            ]
        )
        facts = f"The price of {a_an(item)} {word} {percent}%. It was ${whole}."
        money = expr.replace(str(whole), f"${whole}", 1) if expr.count(str(whole)) == 1 else expr
        return Story(
            f"{facts} What is the new price?",
            (
                Step(rng.choice(["The change is {}.", "The price changes by {}."]), money),
                Step("The new price is {}.", f"${whole} {up} ${part}"),
            ),
        )
    if kind == 2:
        b = rng.choice([2, 4, 5])
        if part % b:
            raise ValueError("not whole")
        fraction = {2: "half", 4: "a quarter", 5: "1/5"}[b]
        return Story(
            (
                f"{percent}% of {p}'s {whole} {t} are new, and {fraction} of the new {t} "
                f"are {rng.choice(w.COLORS)}. How many is that?"
            ),
            (Step(f"{{}} {t} are new.", expr), Step("That is {}.", f"{part} / {b}")),
        )
    if kind == 3:
        more = num(rng, 2, 90)
        return Story(
            (
                f"{p} read {percent}% of a book with {whole} pages on {rng.choice(w.DAYS)} "
                f"and {more} pages the next day. How many pages did {he} read?"
            ),
            (
                Step(f"{p} first read {{}} pages.", expr),
                Step("In total that is {} pages.", f"{part} + {more}", "pages"),
            ),
        )
    rest = whole - part
    b = rng.choice([d for d in (2, 3, 4, 5, 6, 8, 10) if rest % d == 0] or [1])
    if b == 1:
        raise ValueError("not whole")
    return Story(
        (
            f"{p} keeps {percent}% of {whole} {t} and shares the rest equally among {b} "
            f"friends. How many {t} does each friend get?"
        ),
        (
            Step(f"{p} keeps {{}} {t}.", expr),
            Step(f"The rest is {{}} {t}.", f"{whole} - {part}", t),
            Step(f"Each friend gets {{}} {t}.", f"{rest} / {b}"),
        ),
    )


def grouped(rng: Rng) -> Story:
    """Groups of things, then some taken, added, repacked or sold."""
    (p, he, _), t = person(rng), things(rng)
    h, hs = rng.choice(w.HOLDERS).split("/")
    n, each = num(rng, 2, 30), num(rng, 2, 24)
    total = n * each
    facts = rng.choice(
        [
            f"{p} has {n} {hs} with {each} {t} in each {h}.",
            f"Each {h} holds {each} {t}. {p} has {n} {hs}.",
            f"{p} picked {each} {t} an hour for {n} hours.",
            f"{p} made {n} {hs} of {each} {t} each.",
        ]
    )
    step = Step(
        rng.choice([f"There are {{}} {t}.", f"{p} has {{}} {t}.", f"That is {{}} {t} in all."]),
        rng.choice([f"{n} * {each}", f"{each} * {n}"]),
    )
    kind = rng.randint(0, 4)
    if kind == 0:
        b = rng.randint(1, total - 1)
        gone = rng.choice(
            [
                f"{cap(he)} gives away {b} of them",
                f"{b} of the {t} are bad",
                f"{cap(he)} used {b} {t}",
            ]
        )
        return Story(
            f"{facts} {gone}. How many {t} are left?",
            (step, Step(f"{{}} {t} are left.", f"{total} - {b}", t)),
        )
    if kind == 1:
        b = num(rng, 2, 90)
        return Story(
            f"{facts} {cap(he)} also has {b} loose {t}. How many {t} does {he} have in total?",
            (step, Step(f"In total {he} has {{}} {t}.", f"{total} + {b}", t)),
        )
    if kind == 2:
        divisors = [d for d in range(2, 30) if total % d == 0]
        b = rng.choice(divisors)
        _, hs2 = rng.choice(w.HOLDERS).split("/")
        return Story(
            f"{facts} {cap(he)} repacks them into {hs2} of {b}. How many {hs2} does {he} need?",
            (step, Step(f"{p} needs {{}} {hs2}.", f"{total} / {b}")),
        )
    if kind == 3:
        c = num(rng, 2, 12)
        return Story(
            f"{facts} {cap(he)} sells them for ${c} each. How much money does {he} get?",
            (step, Step(f"{p} gets {{}}.", f"{total} * ${c}")),
        )
    need = total + num(rng, 2, 99)
    return Story(
        f"{facts} {cap(he)} wants {need} {t}. How many more {t} does {he} need?",
        (step, Step(f"{p} needs {{}} more {t}.", f"{need} - {total}", t)),
    )


def minutes(rng: Rng) -> Story:
    """So many minutes for each of two or three kinds of work."""
    p, he, _ = person(rng)
    jobs = rng.sample(w.JOBS, rng.randint(2, 3))
    facts, steps, parts = [], [], []
    unit = rng.choice(["minutes", "seconds", "hours"])
    counts = []
    for _, _, do, t in jobs:
        n, each = num(rng, 2, 15), num(rng, 2, 30)
        facts.append(
            rng.choice(
                [
                    f"It takes {p} {each} {unit} to {do} one of the {t}.",
                    f"{p} needs {each} {unit} for each of the {t} to {do}.",
                ]
            )
        )
        counts.append(f"{n} {t}")
        steps.append(
            Step(
                rng.choice([f"The {t} take {{}} {unit}.", f"{cap(he)} spends {{}} {unit} on {t}."]),
                rng.choice([f"{n} * {each}", f"{each} * {n}"]),
            )
        )
        parts.append(n * each)
    steps.append(Step(f"In total that is {{}} {unit}.", " + ".join(map(str, parts)), unit))
    return Story(
        (
            f"{' '.join(facts)} {cap(he)} has {listing(counts)} to do. How many {unit} does "
            "it take in total?"
        ),
        tuple(steps),
    )

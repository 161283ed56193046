"""Long families: meals, sales, profits, jobs, savings."""

from __future__ import annotations

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
    several,
    shuffled,
    things,
    times_word,
    value_of,
)
from story import Step, Story


def eaters(rng: Rng) -> Story:
    """Several people's numbers a day, some told by others'; per week, or until all is gone."""
    count = rng.randint(2, 3)
    if rng.random() < 0.5:
        who = [a_an(k) for k in rng.sample(w.KIN, 1)] + [
            f"the {k}" for k in rng.sample(w.KIN, count - 1)
        ]
        who = [cap(n) for n in who]
    else:
        who = people(rng, count)
    t = things(rng)
    does, do = rng.choice(
        [
            ("eats", "eat"),
            ("uses", "use"),
            ("makes", "make"),
            ("sells", "sell"),
            ("picks", "pick"),
            ("collects", "collect"),
            ("buys", "buy"),
        ]
    )
    per = rng.choice(["a day", "per day", "every day", "each day"])
    numbers, facts, steps = [num(rng, 2, 30)], [], []
    facts.append(f"{who[0]} {does} {numbers[0]} {t} {per}")
    for name in who[1:]:
        if rng.random() < 0.6:
            phrase, expr = relation(rng, who[0], numbers[0], t)
            phrase = phrase.replace(f"that {who[0]} has", f"that {who[0]} {does}")
            facts.append(rng.choice([f"{name} {does} {phrase}", f"{name} {does} {phrase} {per}"]))
            numbers.append(value_of(expr))
            steps.append(Step(f"{name} {does} {{}} {t} a day.", expr, t))
        else:
            numbers.append(num(rng, 2, 30))
            facts.append(f"{name} {does} {numbers[-1]} {t} {per}")
    text = (
        ". ".join(facts) + "."
        if rng.random() < 0.5
        else ", ".join(facts[:-1]) + ", and " + facts[-1] + "."
    )
    day = sum(numbers)
    steps.append(
        Step(
            rng.choice(
                [
                    f"Together they {do} {{}} {t} a day.",
                    f"In one day they {do} {{}} {t}.",
                    f"The total per day is {{}} {t}.",
                ]
            ),
            " + ".join(map(str, numbers)),
            t,
        )
    )
    kind = rng.randint(0, 3)
    if kind == 0:
        weeks = rng.choice([1, 1, 2, 3, 4])
        ask = f"How many {t} do they {do} in {'one week' if weeks == 1 else f'{weeks} weeks'}?"
        if weeks > 1:
            steps.append(
                Step(
                    rng.choice(
                        [f"{weeks} weeks have {{}} days.", f"There are {{}} days in {weeks} weeks."]
                    ),
                    f"{weeks} * 7",
                )
            )
        steps.append(
            Step(f"In total they {do} {{}} {t}.", either(rng, str(day), "*", str(weeks * 7)))
        )
    elif kind == 1:
        days = rng.randint(2, 30)
        ask = f"How many {t} do they {do} in {days} days?"
        steps.append(
            Step(f"In {days} days they {do} {{}} {t}.", either(rng, str(day), "*", str(days)))
        )
    elif kind == 2:
        days = rng.randint(2, 12)
        stock = rng.choice([f"There are {day * days} {t}.", f"A box has {day * days} {t} in it."])
        text = f"{stock} {text}" if rng.random() < 0.6 else f"{text} {stock}"
        ask = rng.choice(
            [f"How many days will the {t} last?", "In how many days are they all gone?"]
        )
        steps.append(Step(f"The {t} last {{}} days.", f"{day * days} / {day}"))
    else:
        ask = f"How many {t} is that for one day?"
    return scene(rng, who[0] if " " not in who[0] else "Sam", [text], ask, steps)


def two_kinds_sold(rng: Rng) -> Story:
    """Counts of two or three kinds, some told by another's, each at a price."""
    p, he, _ = person(rng)
    kinds = several(rng, rng.randint(2, 3))
    sells = rng.choice(["sells", "sold", "has"])
    counts, facts, steps = [num(rng, 2, 40)], [], []
    facts.append(f"{p} {sells} {counts[0]} {kinds[0]}.")
    for kind in kinds[1:]:
        k, d = rng.randint(2, 5), rng.randint(1, 20)
        roll = rng.random()
        if roll < 0.3:
            counts.append(counts[0] * k)
            facts.append(f"{cap(he)} {sells} {times_word(rng, k)} as many {kind} as {kinds[0]}.")
            steps.append(Step(f"There are {{}} {kind}.", either(rng, str(counts[0]), "*", str(k))))
        elif roll < 0.6:
            more = rng.random() < 0.5 or d >= counts[0]
            counts.append(counts[0] + d if more else counts[0] - d)
            facts.append(
                f"{cap(he)} {sells} {d} {'more' if more else 'fewer'} {kind} than {kinds[0]}."
            )
            steps.append(
                Step(f"{cap(he)} {sells} {{}} {kind}.", f"{counts[0]} {'+' if more else '-'} {d}")
            )
        else:
            counts.append(num(rng, 2, 40))
            facts.append(
                rng.choice(
                    [
                        f"{cap(he)} also {sells} {counts[-1]} {kind}.",
                        f"There are also {counts[-1]} {kind}.",
                    ]
                )
            )
    if rng.random() < 0.65:
        prices = [num(rng, 1, 25) for _ in kinds]
        told = [
            rng.choice(
                [f"{k} cost ${c} each", f"{k} sell for ${c} each", f"the price of {k} is ${c} each"]
            )
            for k, c in zip(kinds, prices, strict=True)
        ]
        facts.append(cap(", ".join(told[:-1]) + " and " + told[-1] + "."))
        for kind, n, c in zip(kinds, counts, prices, strict=True):
            steps.append(
                Step(
                    rng.choice(
                        [
                            f"The {kind} bring {{}}.",
                            f"For the {kind}, {{}}.",
                            f"{cap(he)} gets {{}} for the {kind}.",
                        ]
                    ),
                    f"{n} * ${c}",
                )
            )
        values = [n * c for n, c in zip(counts, prices, strict=True)]
        if rng.random() < 0.25 and len(values) == 2 and values[0] != values[1]:
            high, low = max(values), min(values)
            one, two = kinds if values[0] > values[1] else kinds[::-1]
            steps.append(Step("The difference is {}.", f"${high} - ${low}"))
            return scene(
                rng, p, facts, f"How much more money do the {one} bring than the {two}?", steps
            )
        steps.append(Step("In total that is {}.", " + ".join(f"${v}" for v in values)))
        ask = rng.choice(
            [
                f"How much money does {he} get for everything?",
                "How much is that in total?",
                f"How much will {p} make if all of them are sold?",
            ]
        )
        return scene(rng, p, facts, ask, steps)
    steps.append(
        Step(
            rng.choice(["There are {} in total.", "All together that makes {}."]),
            " + ".join(map(str, counts)),
        )
    )
    return scene(
        rng,
        p,
        facts,
        rng.choice(["How many are there in total?", f"How many things does {he} have altogether?"]),
        steps,
    )


def profit(rng: Rng) -> Story:
    (p, he, his), (one, many) = person(rng), rng.choice(w.THINGS)
    cost = num(rng, 2, 30)
    gain, n = num(rng, 1, 25), num(rng, 3, 60)
    sold = cost + gain
    facts = shuffled(
        rng,
        [
            rng.choice(
                [
                    f"Each {one} costs ${cost} to make.",
                    f"It costs {p} ${cost} to make {a_an(one)}.",
                    f"{p} buys {many} for ${cost} each.",
                ]
            ),
            rng.choice(
                [f"{cap(he)} sells each {one} for ${sold}.", f"{p} sells them at ${sold} each."]
            ),
        ],
        0.2,
    )
    facts.append(
        rng.choice(
            [
                f"{cap(he)} sold {n} {many} last {rng.choice(w.DAYS)}.",
                f"On {rng.choice(w.DAYS)} {he} sells {n} {many}.",
            ]
        )
    )
    if rng.random() < 0.5:
        steps = [
            Step(
                rng.choice([f"The profit on each {one} is {{}}.", f"{p} earns {{}} per {one}."]),
                f"${sold} - ${cost}",
            ),
            Step(
                rng.choice(["The total profit is {}.", f"{p} earns {{}} in total."]),
                f"{n} * ${gain}",
            ),
        ]
    else:
        steps = [
            Step("The costs are {}.", f"{n} * ${cost}"),
            Step(f"{p} takes in {{}}.", f"{n} * ${sold}"),
            Step("The profit is {}.", f"${n * sold} - ${n * cost}"),
        ]
    extra = num(rng, 2, 60)
    if rng.random() < 0.3 and extra < n * gain:
        facts.append(
            rng.choice(
                [
                    f"{cap(he)} also pays ${extra} for a place at the market.",
                    f"{cap(he)} spends ${extra} on gas.",
                ]
            )
        )
        steps.append(Step("After that {} remains.", f"${n * gain} - ${extra}"))
    return scene(
        rng,
        p,
        facts,
        rng.choice([f"How much profit does {he} make?", f"What is {his} profit?"]),
        steps,
    )


def unknown_part(rng: Rng) -> Story:
    """A whole, parts told by each other, one part asked."""
    kinds = several(rng, 3)
    a = num(rng, 2, 60)
    phrases = relation_kind(rng, kinds[0], a)
    b = value_of(phrases[1])
    c = num(rng, 2, 90)
    whole = a + b + c
    place = rng.choice(w.PLACES)
    facts = rng.choice(
        [
            (
                f"A {place} has {a} {kinds[0]}, {phrases[0]} {kinds[1]}, and an unknown "
                f"number of {kinds[2]}. There are {whole} of them in total."
            ),
            (
                f"There are {whole} things in the {place}. {a} are {kinds[0]}, there are "
                f"{phrases[0]} {kinds[1]}, and the rest are {kinds[2]}."
            ),
            (
                f"Of {whole} items in the {place}, {a} are {kinds[0]}. There are "
                f"{phrases[0]} {kinds[1]}. The others are {kinds[2]}."
            ),
        ]
    )
    steps = [Step(f"There are {{}} {kinds[1]}.", phrases[1])]
    if rng.random() < 0.5:
        steps += [
            Step(
                rng.choice(
                    [f"{cap(kinds[0])} and {kinds[1]} together are {{}}.", "That makes {} so far."]
                ),
                f"{a} + {b}",
            ),
            Step(f"So there are {{}} {kinds[2]}.", f"{whole} - {a + b}"),
        ]
    else:
        steps += [Step(f"So there are {{}} {kinds[2]}.", f"{whole} - {a} - {b}")]
    return scene(rng, rng.choice(w.HE), [facts], f"How many {kinds[2]} are there?", steps)


def relation_kind(rng: Rng, kind: str, a: int) -> tuple[str, str]:
    """A count told by the count `a` of `kind` ("12 times as many"), and its expression."""
    k, d = rng.randint(2, 6), num(rng, 1, 30)
    ways = [
        (f"{times_word(rng, k)} as many", f"{a} * {k}"),
        (f"{d} more than {kind} of", f"{a} + {d}"),
    ]
    if a % 2 == 0:
        ways.append(("half as many", rng.choice([f"{a} / 2", f"{a} * 0.5"])))
    if a % 4 == 0 or a % 10 == 0:
        ways.append(("50% more", f"{a} * 1.5"))
    return rng.choice(ways)


def two_jobs(rng: Rng) -> Story:
    """The same kind of thing counted in two ways, then put together or compared."""
    p, he, _ = person(rng)
    does, did, do, t = rng.choice(w.JOBS)
    n1, m1, n2, m2 = num(rng, 2, 30), num(rng, 2, 15), num(rng, 2, 30), num(rng, 2, 15)
    unit = rng.choice(["day", "hour", "week"])
    one, two = rng.sample(w.DAYS, 2)
    facts = rng.choice(
        [
            [
                f"{p} {does} {n1} {t} a {unit} for {m1} {unit}s.",
                f"Then {he} {does} {n2} {t} a {unit} for {m2} {unit}s.",
            ],
            [
                f"For {m1} {unit}s, {p} {did} {n1} {t} every {unit}.",
                f"After that, {he} {did} {n2} {t} per {unit} for {m2} {unit}s.",
            ],
            [
                f"On {one}, {p} {did} {n1} {t} an hour for {m1} hours.",
                f"On {two}, {he} worked {m2} hours and {did} {n2} {t} each hour.",
            ],
        ]
    )
    a, b = n1 * m1, n2 * m2
    steps = [
        Step(
            rng.choice([f"First {he} {did} {{}} {t}.", f"That is {{}} {t} at first."]),
            either(rng, str(n1), "*", str(m1)),
        ),
        Step(
            rng.choice([f"Then {he} {did} {{}} {t}.", f"After that {{}} {t}."]),
            either(rng, str(n2), "*", str(m2)),
        ),
    ]
    if rng.random() < 0.7 or a == b:
        steps.append(Step(f"In total {he} {did} {{}} {t}.", f"{a} + {b}", t))
        if (a + b) % 12 == 0 and rng.random() < 0.6:
            steps.append(Step("That is {} dozen.", f"{a + b} / 12"))
            return scene(rng, p, facts, f"How many dozens of {t} is that in total?", steps)
        return scene(
            rng,
            p,
            facts,
            rng.choice(
                [f"How many {t} did {he} {do} in total?", f"How many {t} is that altogether?"]
            ),
            steps,
        )
    steps.append(Step("The difference is {}.", f"{max(a, b)} - {min(a, b)}", t))
    return scene(rng, p, facts, f"What is the difference between the two numbers of {t}?", steps)


def goal(rng: Rng) -> Story:
    """Something to reach, what is there, what is missing, and so much a week."""
    p, q = people(rng, 2)
    a, b = num(rng, 2, 200), num(rng, 2, 200)
    weeks, rate = rng.randint(2, 12), num(rng, 2, 30)
    missing = weeks * rate
    whole = a + b + missing
    if rng.random() < 0.5:
        item = rng.choice(["bike", "phone", "boat", "table", "trip", "lamp", "coat", "game"])
        facts = [
            rng.choice(
                [
                    f"{p} wants to buy {a_an(item)} that costs ${whole}.",
                    f"{p} is saving for {a_an(item)}. The price is ${whole}.",
                ]
            ),
            rng.choice(
                [
                    f"{p} already has ${a} and gets ${b} from {q}.",
                    f"{q} gives {p} ${b}, and {p} has saved ${a}.",
                ]
            ),
        ]
        unit, m = "dollars", "$"
    else:
        t = things(rng)
        facts = [
            rng.choice(
                [
                    f"{p} and {q} want to collect {whole} {t}.",
                    f"{p} and {q} need {whole} {t} for the {rng.choice(w.PLACES)}.",
                ]
            ),
            rng.choice(
                [
                    f"{p} has {a} {t} and {q} has {b}.",
                    f"So far, {p} has collected {a} and {q} has collected {b}.",
                ]
            ),
        ]
        unit, m = t, ""
    steps = [
        Step(rng.choice(["So far that is {}.", "Together they have {}."]), f"{m}{a} + {m}{b}"),
        Step(rng.choice(["{} is missing.", "They still need {}."]), f"{m}{whole} - {m}{a + b}"),
    ]
    if rng.random() < 0.5:
        facts.append(
            rng.choice(
                [f"They can add {m}{rate} each week.", f"Every week they get {m}{rate} more."]
            )
        )
        steps.append(Step("It takes {} weeks.", f"{m}{missing} / {m}{rate}"))
        return scene(rng, p, facts, "How many weeks does it take to reach the goal?", steps)
    return scene(rng, p, facts, f"How many {unit} are still missing?", steps)

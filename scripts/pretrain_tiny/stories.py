"""More families: longer scenes of several steps, in the manner of grade-school word problems."""

from __future__ import annotations

from itertools import pairwise

import families
import words as w
from families import (
    Rng,
    a_an,
    cap,
    filler,
    num,
    people,
    person,
    relation,
    several,
    shuffled,
    things,
    times_word,
    value_of,
    with_filler,
)
from story import Step, Story


def either(rng: Rng, a: str, op: str, b: str) -> str:
    """`a op b`, or the other way round where that is the same."""
    return f"{b} {op} {a}" if op in "+*" and rng.random() < 0.4 else f"{a} {op} {b}"


def scene(rng: Rng, p: str, facts: list[str], ask: str, steps: list[Step]) -> Story:
    """The facts with up to two sentences that do not matter, then the question."""
    facts = list(facts)
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        facts.insert(
            rng.randint(0, len(facts)),
            filler(rng, rng.choice([p, rng.choice(w.HE), rng.choice(w.SHE)])),
        )
    return Story(" ".join([*facts, ask]), tuple(steps))


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


def nested_groups(rng: Rng) -> Story:
    """Groups of groups, and then a share, a loss or a price."""
    (p, he, _), t = person(rng), things(rng)
    (h, hs), (g, gs) = (x.split("/") for x in rng.sample(w.HOLDERS, 2))
    a, b, c = rng.randint(2, 12), rng.randint(2, 12), rng.randint(2, 12)
    facts = rng.choice(
        [
            [f"{p} has {a} {hs}.", f"Each {h} holds {b} {gs}, and each {g} holds {c} {t}."],
            [
                f"There are {c} {t} in each {g}.",
                f"{b} {gs} fit in one {h}.",
                f"{p} fills {a} {hs}.",
            ],
            [f"A store gets {a} {hs} with {b} {gs} in each.", f"Every {g} contains {c} {t}."],
        ]
    )
    steps = [
        Step(f"There are {{}} {gs}.", f"{a} * {b}"),
        Step(f"There are {{}} {t}.", f"{a * b} * {c}"),
    ]
    total = a * b * c
    kind = rng.randint(0, 3)
    if kind == 0:
        return scene(rng, p, facts, f"How many {t} are there in total?", steps)
    if kind == 1:
        bad = rng.randint(1, total - 1)
        facts.append(rng.choice([f"{bad} of the {t} are broken.", f"{cap(he)} sells {bad} {t}."]))
        return scene(
            rng,
            p,
            facts,
            f"How many {t} are left?",
            [*steps, Step(f"{{}} {t} are left.", f"{total} - {bad}", t)],
        )
    if kind == 2:
        k = rng.choice(
            [d for d in (2, 3, 4, 5, 6, 8, 10, 12, 1) if total % d == 0 and d > 1] or [0]
        )
        if not k:
            raise ValueError("no divisor")
        facts.append(f"{k} people share them all equally.")
        return scene(
            rng,
            p,
            facts,
            f"How many {t} does each person get?",
            [*steps, Step(f"Each person gets {{}} {t}.", f"{total} / {k}")],
        )
    c2 = rng.randint(2, 9)
    facts.append(f"One of the {t} costs ${c2}.")
    return scene(
        rng,
        p,
        facts,
        f"How much do all the {t} cost?",
        [*steps, Step("Together they cost {}.", f"{total} * ${c2}")],
    )


def fee(rng: Rng) -> Story:
    """A price with percentages added or taken; compared with a budget or a loan."""
    p, he, _ = person(rng)
    thing = rng.choice(
        ["house", "car", "boat", "farm", "shop", "truck", "piano", "garden", "office"]
    )
    value = rng.choice(
        [
            100,
            200,
            300,
            400,
            500,
            600,
            800,
            900,
            1000,
            1200,
            2000,
            5000,
            10000,
            20000,
            50000,
            80000,
            120000,
            300000,
        ]
    )
    one, two = rng.sample([1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20], 2)
    kinds = rng.sample(
        ["tax", "fee", "tip", "transfer fee", "insurance", "commission", "delivery charge"], 2
    )
    form = rng.choice(["${v} * {r}/100", "{r}/100 * ${v}", "${v} * {f}"])
    first, second = value * one // 100, value * two // 100
    e1, e2 = (
        form.replace("{v}", str(value)).replace("{r}", str(r)).replace("{f}", f"{r / 100:g}")
        for r in (one, two)
    )
    sells = rng.random() < 0.5
    facts = [
        rng.choice(
            [
                f"{p} {'sells' if sells else 'buys'} a {thing} for ${value}.",
                (
                    f"The price of the {thing} that {p} "
                    f"{'sold' if sells else 'wants to buy'} is ${value}."
                ),
            ]
        ),
        rng.choice(
            [
                (
                    f"{cap(he)} also pays a {kinds[0]} of {one}% of the price and a "
                    f"{kinds[1]} of {two}%."
                ),
                (
                    f"The {kinds[0]} is {one}% of the price, and the {kinds[1]} is {two}% "
                    "of the price."
                ),
            ]
        ),
    ]
    steps = [Step(f"The {kinds[0]} is {{}}.", e1), Step(f"The {kinds[1]} is {{}}.", e2)]
    if sells:
        steps += [
            Step("In total that is {}.", f"${first} + ${second}"),
            Step(f"{p} keeps {{}}.", f"${value} - ${first + second}"),
        ]
        return scene(
            rng,
            p,
            facts,
            rng.choice(
                [f"How much money does {he} keep?", f"How much does {he} have after paying both?"]
            ),
            steps,
        )
    total = value + first + second
    steps.append(
        Step(
            rng.choice(["The total is {}.", f"{p} pays {{}} in total."]),
            f"${value} + ${first} + ${second}",
        )
    )
    if rng.random() < 0.4:
        gap = num(rng, 1, 99)
        facts.insert(0, f"{p} has ${total + gap}.")
        steps.append(Step(f"{p} has {{}} left.", f"${total + gap} - ${total}"))
        return scene(rng, p, facts, f"How much money does {he} have left?", steps)
    return scene(rng, p, facts, f"How much does {he} pay in total?", steps)


def growth(rng: Rng) -> Story:
    """A number that is multiplied or increased round by round, and perhaps summed."""
    p, he, _ = person(rng)
    _, did, do, t = rng.choice(w.JOBS)
    a, k = num(rng, 2, 60), rng.randint(2, 4)
    rounds = rng.randint(2, 3)
    unit = rng.choice(["day", "week", "month", "hour", "year"])
    values, steps = [a], []
    order = ["second", "third", "fourth"]
    facts = [f"In the first {unit}, {p} {did} {a} {t}."]
    same = rng.random() < 0.4
    for i in range(rounds):
        d, kk = num(rng, 1, 20), k if same else rng.randint(2, 4)
        now = values[-1]
        roll = rng.random() if not same else 0.0
        if roll < 0.4:
            expr, phrase = f"{now} * {kk}", f"{times_word(rng, kk)} as many as in the {unit} before"
        elif roll < 0.65:
            expr, phrase = f"{now} + {d}", f"{d} more than in the {unit} before"
        elif roll < 0.8 and now > d:
            expr, phrase = f"{now} - {d}", f"{d} fewer than in the {unit} before"
        elif now % 2 == 0:
            expr, phrase = f"{now} / 2", f"half as many as in the {unit} before"
        else:
            expr, phrase = f"{a} * {kk}", f"{times_word(rng, kk)} the number of the first {unit}"
        facts.append(f"In the {order[i]} {unit}, {he} {did} {phrase}.")
        steps.append(
            Step(
                rng.choice(
                    [
                        f"In the {order[i]} {unit} {he} {did} {{}} {t}.",
                        f"In {unit} {i + 2} it was {{}}.",
                    ]
                ),
                expr,
            )
        )
        values.append(value_of(expr))
    if rng.random() < 0.7:
        steps.append(
            Step(
                rng.choice([f"In total {he} {did} {{}} {t}.", "Altogether that is {}."]),
                " + ".join(map(str, values)),
            )
        )
        return scene(
            rng,
            p,
            facts,
            rng.choice(
                [
                    f"How many {t} did {he} {do} in total?",
                    f"How many {t} in all {rounds + 1} {unit}s?",
                ]
            ),
            steps,
        )
    return scene(rng, p, facts, f"How many {t} did {he} {do} in the last {unit}?", steps)


def average(rng: Rng) -> Story:
    n = rng.randint(2, 4)
    names = people(rng, n)
    mean = num(rng, 5, 80)
    values = [rng.randint(max(1, mean // 2), mean + mean // 2) for _ in range(n - 1)]
    last = mean * n - sum(values)
    if last < 1:
        raise ValueError("negative")
    values.append(last)
    what = rng.choice(["points", "pages", "miles", "dollars", "coins", "books"])
    has = rng.choice(["has", "got", "scored", "counted"])
    facts = [f"{p} {has} {v} {what}." for p, v in zip(names, values, strict=True)]
    steps = [
        Step("The sum is {}.", " + ".join(map(str, values))),
        Step("The average is {}.", f"{mean * n} / {n}"),
    ]
    return scene(
        rng,
        names[0],
        facts,
        rng.choice(
            [f"What is the average number of {what}?", f"What is the average of the {n} numbers?"]
        ),
        steps,
    )


def shapes(rng: Rng) -> Story:
    a, b = num(rng, 2, 60), num(rng, 2, 30)
    place, unit = (
        rng.choice(["garden", "field", "room", "yard", "pool", "farm", "hall"]),
        rng.choice(["meters", "feet", "yards"]),
    )
    p, he, _ = person(rng)
    kind = rng.randint(0, 3)
    facts = [f"{p} has a rectangular {place} that is {a} {unit} long and {b} {unit} wide."]
    area = Step(f"The area of the {place} is {{}} square {unit}.", f"{a} * {b}")
    around = [
        Step(f"One long and one short side are {{}} {unit}.", f"{a} + {b}"),
        Step("The perimeter is {}.", f"2 * {a + b}"),
    ]
    c = rng.randint(2, 20)
    if kind == 0:
        return scene(rng, p, facts, f"What is the area of the {place} in square {unit}?", [area])
    if kind == 1:
        facts.append(f"A fence costs ${c} for each of the {unit}.")
        return scene(
            rng,
            p,
            facts,
            f"How much does a fence around the {place} cost?",
            [*around, Step("The fence costs {}.", f"{2 * (a + b)} * ${c}")],
        )
    if kind == 2:
        facts.append(
            rng.choice(
                [
                    f"{cap(he)} pays ${c} for each square of the floor.",
                    f"Each square of one of the {unit} grows {c} plants.",
                ]
            )
        )
        ask = "How much does the floor cost?" if "$" in facts[1] else "How many plants are there?"
        return scene(
            rng,
            p,
            facts,
            ask,
            [area, Step("That makes {}.", f"{a * b} * {'$' if '$' in facts[1] else ''}{c}")],
        )
    facts = [f"The area of {p}'s {place} is {a * b} square {unit}. It is {a} {unit} long."]
    return scene(
        rng,
        p,
        facts,
        f"What is the perimeter of the {place}?",
        [Step("The width is {}.", f"{a * b} / {a}"), *around],
    )


def part_chain(rng: Rng) -> Story:
    """A whole, a fraction or percentage of it, then of the rest; days that add or take."""
    place, group = rng.choice(w.PLACES), rng.choice(w.GROUPS).split("/")[1]
    what = rng.sample(
        [
            "play soccer",
            "sing",
            "read books",
            "like math",
            "wear hats",
            "walk home",
            "take the bus",
            "eat lunch early",
        ],
        2,
    )
    base = rng.choice(
        [
            20,
            24,
            36,
            40,
            48,
            60,
            80,
            100,
            120,
            144,
            160,
            200,
            240,
            300,
            400,
            500,
            600,
            800,
            1000,
            1200,
        ]
    )

    def portion(whole: int) -> tuple[str, str]:
        if rng.random() < 0.5:
            percent = rng.choice([10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90])
            return f"{percent}%", rng.choice(
                [
                    f"{percent}/100 * {whole}",
                    f"{percent / 100:g} * {whole}",
                    f"{whole} * {percent / 100:g}",
                ]
            )
        d = rng.choice([2, 3, 4, 5, 6, 8])
        n = 1 if rng.random() < 0.7 else rng.randint(1, d - 1)
        return rng.choice([f"{n}/{d}", "Half" if (n, d) == (1, 2) else f"{n}/{d}"]), rng.choice(
            [f"{n}/{d} * {whole}", f"{whole} * {n}/{d}"] + [f"{whole} / {d}"] * (n == 1)
        )

    first, expr1 = portion(base)
    a = value_of(expr1)
    rest = base - a
    facts = [
        rng.choice(
            [f"There are {base} {group} at the {place}.", f"The {place} has {base} {group}."]
        ),
        f"{first} of them {what[0]}.",
    ]
    steps = [
        Step(f"{{}} {group} {what[0]}.", expr1),
        Step(rng.choice([f"That leaves {{}} {group}.", "The rest is {}."]), f"{base} - {a}", group),
    ]
    kind = rng.randint(0, 3)
    if kind <= 1:
        second, expr2 = portion(rest)
        b = value_of(expr2)
        facts.append(f"{second} of the rest {what[1]}.")
        steps.append(Step(f"{{}} of the rest {what[1]}.", expr2))
        if kind == 0:
            steps.append(Step("Both together are {}.", f"{a} + {b}", group))
            return scene(
                rng, rng.choice(w.SHE), facts, f"How many {group} {what[0]} or {what[1]}?", steps
            )
        return scene(rng, rng.choice(w.SHE), facts, f"How many {group} {what[1]}?", steps)
    n, days = num(rng, 1, 30), rng.randint(2, 9)
    if kind == 2 and n * days <= rest:
        facts = [facts[0], f"{first} of them leave, and then {n} more leave every day."]
        steps += [
            Step(f"In {days} days {{}} more leave.", f"{n} * {days}"),
            Step(f"{{}} {group} are left.", f"{rest} - {n * days}", group),
        ]
        steps[0] = Step(f"{{}} {group} leave.", expr1)
        return scene(
            rng, rng.choice(w.SHE), facts, f"How many {group} are there after {days} days?", steps
        )
    return scene(rng, rng.choice(w.SHE), facts, f"How many {group} do not {what[0]}?", steps)


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


def middle_with_filler(rng: Rng) -> Story:
    return with_filler(rng, rng.choice(families.MIDDLE)(rng))


def beside(rng: Rng) -> Story:
    """A story whose facts stand behind another story's, which nobody asks about."""
    other = rng.choice(families.SHORT[3:])(rng).question.split(". ")
    story = rng.choice([*families.MIDDLE[1:], *SCENES[:18]])(rng)
    if len(other) < 2:
        raise ValueError("the other story is a single sentence")
    return Story(". ".join([*other[:-1], story.question]), story.steps)


def joined(rng: Rng) -> Story:
    """Two stories, and a last step that puts their answers together."""
    one, two = (rng.choice([*families.SHORT[3:], *families.MIDDLE[1:]])(rng) for _ in range(2))
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


SCENES: list[families.Family] = [
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
STAGES: dict[int, list[families.Family]] = {
    1: families.SHORT,
    2: families.MIDDLE,
    3: families.LONG + SCENES,
}

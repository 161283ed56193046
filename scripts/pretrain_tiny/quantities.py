"""Long families: groups in groups, fees, growth, averages, shapes, chains of parts."""

from __future__ import annotations

import words as w
from phrasing import Rng, cap, num, people, person, scene, things, times_word, value_of
from story import Step, Story


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

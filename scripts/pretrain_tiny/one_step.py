"""Families of one step, and the sums that go with them."""

from __future__ import annotations

import words as w
from phrasing import Rng, cap, num, people, person, relation, shuffled, things
from story import Step, Story


def sum_line(rng: Rng) -> Story:
    op = rng.choice("+-*/+-*")
    zeros = rng.choice([1] * 12 + [10, 100, 1000])
    if op in "+-":
        top = rng.choice([20, 100, 100, 999, 999, 5000])
        a, b = zeros * num(rng, 1, top), zeros * num(rng, 1, top)
        a, b = (max(a, b), min(a, b)) if op == "-" else (a, b)
    elif op == "*":
        a = zeros * num(rng, 2, rng.choice([12, 50, 100, 400]))
        b = num(rng, 2, rng.choice([10, 12, 12, 30, 60]))
        a, b = rng.choice([(a, b), (b, a)])
    else:
        b = num(rng, 2, rng.choice([10, 12, 30]))
        a = b * num(rng, 2, rng.choice([12, 30, 100])) * zeros
    expr = f"{a} {op} {b}"
    name = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}[op]
    ask = rng.choice(
        [f"What is {expr}?", f"Compute {expr}.", f"{expr} = ?", f"What is {a} {name} {b}?"]
    )
    return Story(ask, (Step("{}", expr),))


def drill(rng: Rng) -> Story:
    steps = [sum_line(rng).steps[0] for _ in range(rng.randint(2, 5))]
    return Story("Compute " + ", ".join(s.expr for s in steps) + ".", tuple(steps))


def practice(rng: Rng) -> Story:
    """A page of sums, mostly small ones: what solutions in words stand on."""
    sums = []
    for _ in range(rng.randint(4, 11)):
        a, b, c = rng.randint(1, 99), rng.randint(1, 99), rng.randint(1, 99)
        d, e = rng.randint(2, 12), rng.randint(2, rng.choice([9, 12, 30, 99]))
        big, small = max(a, b), min(a, b)
        h, k = rng.randint(100, 999), rng.randint(10, 999)
        sums.append(
            rng.choice(
                [
                    *[f"{a} + {b}", f"{big} - {small}"] * 2,
                    *[f"{d} * {e}", f"{e} * {d}", f"{d} * {e}", f"{d * e} / {d}", f"{d * e} / {e}"],
                    *[f"{a} + {b} + {c}", f"{h} + {k}", f"{max(h, k)} - {min(h, k)}"],
                    f"{a * 2} / 2",
                ]
            )
        )
    return Story("Compute " + ", ".join(sums) + ".", tuple(Step("{}", expr) for expr in sums))


def running(rng: Rng) -> Story:
    value = num(rng, 2, 100)
    start, parts, steps = value, [], []
    for _ in range(rng.randint(2, 4)):
        op = rng.choice("+-*+-")
        b = num(rng, 1, max(2, value - 1)) if op == "-" else num(rng, 2, 9 if op == "*" else 200)
        if op == "*" and value > 300:
            op = "+"
        steps.append(Step("{}", f"{value} {op} {b}"))
        value = {"+": value + b, "-": value - b, "*": value * b}[op]
        parts.append({"+": f"add {b}", "-": f"subtract {b}", "*": f"multiply by {b}"}[op])
    return Story(f"Start with {start}, then {', then '.join(parts)}.", tuple(steps))


def together(rng: Rng) -> Story:
    (p, q), t = people(rng, 2), things(rng)
    a, b = num(rng, 2, 300), num(rng, 2, 300)
    facts = rng.choice(
        [
            f"{p} has {a} {t}. {q} has {b} {t}.",
            f"{p} has {a} {t} and {q} has {b}.",
            f"{p} found {a} {t}, and {q} found {b} {t}.",
            f"There are {a} {t} in {p}'s bag and {b} in {q}'s.",
        ]
    )
    ask = rng.choice(
        [
            f"How many {t} do they have together?",
            f"How many {t} are there in total?",
            f"How many {t} do they have in all?",
            "What is their combined total?",
        ]
    )
    line = rng.choice(
        ["Together they have {} %s.", "In total there are {} %s.", "They have {} %s."]
    )
    return Story(f"{facts} {ask}", (Step(line % t, f"{a} + {b}", t),))


def left(rng: Rng) -> Story:
    (p, he, his), t = person(rng), things(rng)
    a = num(rng, 5, 500)
    b = rng.randint(1, a - 1)
    gone = rng.choice(
        [
            f"gave away {b}",
            f"gave {b} of them to {his} {rng.choice(w.KIN)}",
            f"lost {b}",
            f"sold {b} of them",
            f"used {b}",
            f"dropped {b} of them",
            f"threw away {b}",
            f"gave {b} {t} to {rng.choice(w.HE)}",
        ]
    )
    facts = rng.choice([f"{p} had {a} {t} and {gone}.", f"{p} bought {a} {t}. Then {he} {gone}."])
    ask = rng.choice(
        [
            f"How many {t} does {he} have left?",
            f"How many {t} remain?",
            "How many are left?",
            f"How many {t} does {p} have now?",
        ]
    )
    line = rng.choice(
        [f"{p} has {{}} {t} left.", f"There are {{}} {t} left.", f"{cap(he)} has {{}} {t}."]
    )
    return Story(f"{facts} {ask}", (Step(line, f"{a} - {b}", t),))


def groups_of(rng: Rng) -> Story:
    (p, he, _), t = person(rng), things(rng)
    h, hs = rng.choice(w.HOLDERS).split("/")
    a, b = num(rng, 2, 40), num(rng, 2, 12)
    a, b = rng.choice([(a, b), (b, a)])
    facts = rng.choice(
        [
            f"{p} has {a} {hs}. Each {h} holds {b} {t}.",
            f"There are {a} {hs} with {b} {t} in each {h}.",
            f"Each {h} has {b} {t}. {p} has {a} {hs}.",
            f"{p} bought {a} {hs} of {t}, and each {h} had {b} {t} in it.",
            f"{p} fills {a} {hs} with {b} {t} each.",
        ]
    )
    ask = rng.choice(
        [f"How many {t} are there?", f"How many {t} in total?", f"How many {t} does {he} have?"]
    )
    line = rng.choice([f"There are {{}} {t}.", f"{p} has {{}} {t}.", f"That is {{}} {t} in total."])
    return Story(f"{facts} {ask}", (Step(line, f"{a} * {b}"),))


def share(rng: Rng) -> Story:
    (p, he, _), t = person(rng), things(rng)
    b, c = num(rng, 2, 12), num(rng, 2, 60)
    a = b * c
    who = rng.choice(["friends", "children", "students", "cousins", "classmates", "neighbors"])
    h, hs = rng.choice(w.HOLDERS).split("/")
    question, line = rng.choice(
        [
            (
                f"{p} shares {a} {t} equally among {b} {who}. How many {t} does each get?",
                f"Each gets {{}} {t}.",
            ),
            (
                f"{p} puts {a} {t} into {hs} of {b}. How many {hs} does {he} need?",
                f"{p} needs {{}} {hs}.",
            ),
            (
                f"{a} {t} are divided equally into {b} {hs}. How many {t} are in each {h}?",
                f"Each {h} has {{}} {t}.",
            ),
            (
                f"Each {h} can hold {b} {t}. How many {hs} are needed for {a} {t}?",
                f"{{}} {hs} are needed.",
            ),
            (
                f"{b} {who} split {a} {t} evenly. How many {t} does each of them get?",
                f"Each one gets {{}} {t}.",
            ),
        ]
    )
    return Story(question, (Step(line, f"{a} / {b}"),))


def compare(rng: Rng) -> Story:
    (p, q), t = people(rng, 2), things(rng)
    a = num(rng, 4, 200)
    phrase, expr = relation(rng, p, a, t)
    facts = shuffled(rng, [f"{p} has {a} {t}.", f"{q} has {phrase}."])
    return Story(
        f"{' '.join(facts)} How many {t} does {q} have?", (Step(f"{q} has {{}} {t}.", expr, t),)
    )


def price(rng: Rng) -> Story:
    (p, _, _), (one, many) = person(rng), rng.choice(w.THINGS)
    n, c = num(rng, 2, 40), num(rng, 2, 30)
    facts = rng.choice(
        [
            f"{p} buys {n} {many} for ${c} each.",
            f"A {one} costs ${c}. {p} buys {n} of them.",
            f"{p} bought {n} {many} that cost ${c} each.",
            f"{cap(many)} cost ${c} each and {p} wants {n} {many}.",
            f"{p} sells {n} {many} at ${c} per {one}.",
        ]
    )
    ask = rng.choice(
        [
            "How much money is that?",
            "What is the total?",
            f"How much do the {many} cost?",
            "How much is it in total?",
        ]
    )
    line = rng.choice(
        [f"The {many} cost {{}}.", "That is {} in total.", f"The {n} {many} cost {{}}."]
    )
    return Story(f"{facts} {ask}", (Step(line, f"{n} * ${c}"),))


def per_day(rng: Rng) -> Story:
    (p, he, _), (does, _, do, t) = person(rng), rng.choice(w.JOBS)
    n, (unit, units) = (
        num(rng, 2, 30),
        rng.choice(
            [
                ("day", "days"),
                ("hour", "hours"),
                ("week", "weeks"),
                ("minute", "minutes"),
                ("month", "months"),
            ]
        ),
    )
    m = num(rng, 2, 30)
    rate = rng.choice(
        [
            f"{n} {t} a {unit}",
            f"{n} {t} per {unit}",
            f"{n} {t} every {unit}",
            f"{n} {t} each {unit}",
        ]
    )
    if rng.random() < 0.5:
        return Story(
            f"{p} {does} {rate}. How many {t} does {he} {do} in {m} {units}?",
            (Step(f"{p} {does} {{}} {t}.", f"{n} * {m}"),),
        )
    return Story(
        f"{p} {does} {rate}. How many {units} does {he} need to {do} {n * m} {t}?",
        (Step(f"It takes {{}} {units}.", f"{n * m} / {n}"),),
    )


def part_of(rng: Rng) -> Story:
    """A fraction or a percentage of a whole."""
    t, place = rng.choice(w.GROUPS).split("/")[1], rng.choice(w.PLACES)
    what = rng.choice(
        [
            "wear glasses",
            "walk home",
            "play chess",
            "have a pet",
            "like soccer",
            "are tall",
            "take the bus",
            "can swim",
            "are new",
            "left early",
        ]
    )
    if rng.random() < 0.5:
        d = rng.choice([2, 3, 4, 5, 6, 8, 10])
        n, whole = rng.randint(1, d - 1), d * num(rng, 2, 60)
        part, expr = rng.choice(
            [(f"{n}/{d}", f"{n}/{d} * {whole}"), (f"{n}/{d}", f"{whole} * {n}/{d}")]
        )
        if n == 1:
            part, expr = rng.choice(
                [(part, expr), ("Half" if d == 2 else f"1/{d}", f"{whole} / {d}")]
            )
    else:
        percent = rng.choice([5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90])
        whole = rng.choice([20, 40, 60, 80, 100, 120, 150, 160, 200, 240, 300, 400, 500, 800, 1000])
        part = f"{percent}%"
        expr = rng.choice(
            [
                f"{whole} * {percent}/100",
                f"{percent}/100 * {whole}",
                f"{whole} * {percent / 100:g}",
                f"{percent / 100:g} * {whole}",
            ]
        )
    facts = rng.choice(
        [
            f"There are {whole} {t} at the {place}. {part} of them {what}.",
            f"{part} of the {whole} {t} at the {place} {what}.",
            f"Of {whole} {t}, {part} {what}.",
        ]
    )
    return Story(f"{facts} How many {t} {what}?", (Step(f"{{}} {t} {what}.", expr),))

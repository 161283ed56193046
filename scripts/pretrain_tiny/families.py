"""Families of stories: each function writes one, with its solution, from a random generator.

Grade-school vocabulary, many wordings, names and things; facts are sometimes in another order than
they are used, and some are not used at all. No template of GSM-Symbolic is copied.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import words as w
from story import Step, Story, evaluate

Rng = random.Random
Family = Callable[[Rng], Story]


def num(rng: Rng, low: int, high: int) -> int:
    """A whole number between `low` and `high`, small ones more often; round ones sometimes."""
    value = (
        round(low * (high / low) ** rng.random()) if rng.random() < 0.6 else rng.randint(low, high)
    )
    if value > 20 and rng.random() < 0.15 and value // 10 * 10 >= low:
        value = value // 10 * 10
    return value


def invented(rng: Rng) -> str:
    """A word that nobody knows ("tabelo"), to be copied piece by piece."""
    return "".join(
        rng.choice("bdfghklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(2, 3))
    ) + rng.choice(["", "n", "r", "x", "l"])


def person(rng: Rng) -> tuple[str, str, str]:
    """A name with its pronouns: ("Anna", "she", "her")."""
    if rng.random() < 0.08:
        title, pronoun, own = rng.choice(
            [("Mr.", "he", "his"), ("Mrs.", "she", "her"), ("Ms.", "she", "her")]
        )
        return f"{title} {rng.choice(w.SURNAMES)}", pronoun, own
    if rng.random() < 0.08:
        return "The " + rng.choice(w.ROLES), *rng.choice([("he", "his"), ("she", "her")])
    if rng.random() < 0.5:
        return rng.choice(w.SHE), "she", "her"
    return rng.choice(w.HE), "he", "his"


def people(rng: Rng, count: int) -> list[str]:
    """Different first names, now and then an unheard one among them."""
    names = rng.sample(w.SHE + w.HE, count)
    if rng.random() < 0.1:
        names[rng.randrange(count)] = invented(rng).capitalize()
    return names


def things(rng: Rng) -> str:
    """A plural: "pens", now and then "red pens" or an unheard word."""
    plural = rng.choice(w.THINGS)[1] if rng.random() < 0.9 else invented(rng) + "s"
    if rng.random() < 0.2:
        return f"{rng.choice(w.COLORS)} {plural}"
    return plural


def several(rng: Rng, count: int) -> list[str]:
    """Different plurals; or one plural in different colours or kinds."""
    if rng.random() < 0.35:
        plural = rng.choice(w.THINGS)[1]
        return [f"{kind} {plural}" for kind in rng.sample(rng.choice([w.COLORS, w.FLAVORS]), count)]
    return [plural for _, plural in rng.sample(w.THINGS, count)]


def cap(text: str) -> str:
    return text[0].upper() + text[1:]


def times_word(rng: Rng, k: int) -> str:
    if k == 2 and rng.random() < 0.6:
        return "twice"
    return (
        f"{w.NUMBER_WORDS[k]} times" if k in w.NUMBER_WORDS and rng.random() < 0.3 else f"{k} times"
    )


def listing(parts: list[str]) -> str:
    """Parts as in "a, b and c"."""
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]


def shuffled(rng: Rng, parts: list[str], chance: float = 0.4) -> list[str]:
    parts = list(parts)
    if rng.random() < chance:
        rng.shuffle(parts)
    return parts


# --- one step ------------------------------------------------------------------------------------


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


def relation(rng: Rng, p: str, a: int, t: str) -> tuple[str, str]:
    """A way to say a number by `p`'s number `a` of `t`, and the expression it stands for."""
    k, d = rng.randint(2, 8), num(rng, 1, max(2, a))
    e = rng.randint(1, max(1, a - 1))
    ways = [
        (f"{d} more {t} than {p}", f"{a} + {d}"),
        (f"{d} more than {p}", f"{a} + {d}"),
        (f"{e} fewer {t} than {p}", f"{a} - {e}"),
        (f"{e} less than {p}", f"{a} - {e}"),
        (f"{times_word(rng, k)} as many {t} as {p}", rng.choice([f"{a} * {k}", f"{k} * {a}"])),
        (f"{times_word(rng, k)} the number of {t} that {p} has", f"{a} * {k}"),
    ]
    if a % 2 == 0:
        half = rng.choice([f"{a} / 2", f"{a} / 2", f"{a} * 0.5", f"1/2 * {a}"])
        ways += [(f"half as many {t} as {p}", half), (f"half the {t} that {p} has", half)]
    if a % 3 == 0:
        ways += [
            (rng.choice([f"1/3 as many {t} as {p}", f"a third of {p}'s number of {t}"]), f"{a} / 3")
        ]
    if a % 4 == 0:
        ways += [
            (f"a quarter as many {t} as {p}", f"{a} / 4"),
            (f"25% fewer {t} than {p}", f"{a} * 0.75"),
        ]
    if a % 10 == 0:
        percent = rng.choice([10, 20, 30, 50])
        ways += [(f"{percent}% as many {t} as {p}", f"{percent}/100 * {a}")]
    return rng.choice(ways)


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


# --- two to four steps ---------------------------------------------------------------------------


def value_of(expr: str) -> int:
    """The whole number that an expression equals. Raises ValueError where it is none."""
    value = evaluate(expr.replace("$", ""))
    if value.denominator != 1 or value < 0:
        raise ValueError(f"{expr} is not a whole number")
    return int(value)


def chain(rng: Rng, low: int = 2, high: int = 2) -> Story:
    """People's numbers, each told by another's; the total, a difference, or the last is asked."""
    count = rng.randint(low, high)
    names = people(rng, count)
    t = things(rng)
    has, did = rng.choice(
        [
            ("has", "have"),
            ("collected", "collect"),
            ("found", "find"),
            ("sold", "sell"),
            ("made", "make"),
            ("bought", "buy"),
            ("ate", "eat"),
        ]
    )
    if rng.random() < 0.2:
        kin = rng.sample(w.KIN, count - 1)
        names = [names[0]] + [f"{names[0]}'s {k}" for k in kin]
    numbers = {names[0]: num(rng, 3, 120)}
    facts, steps = [f"{names[0]} {has} {numbers[names[0]]} {t}."], []
    for name in names[1:]:
        if rng.random() < 0.12:
            numbers[name] = num(rng, 3, 120)
            facts.append(f"{name} {has} {numbers[name]}.")
            continue
        base = rng.choice(list(numbers)[-2:])
        phrase, expr = relation(rng, base, numbers[base], t)
        phrase = phrase.replace("that " + base + " has", f"that {base} {has}")
        numbers[name] = value_of(expr)
        facts.append(f"{name} {has} {phrase}.")
        steps.append(Step(f"{name} {has} {{}} {t}.", expr, t))
    have = did if has != "has" else "have"
    kind = rng.choice(["total", "total", "total", "difference", "last"])
    values = list(numbers.values())
    if kind == "total" or not steps:
        if rng.random() < 0.3:
            values.reverse()
        ask = rng.choice(
            [
                f"How many {t} do they {have} together?",
                f"How many {t} do they {have} in total?",
                f"How many {t} do the {w.NUMBER_WORDS[count]} of them {have} altogether?",
                f"What is the total number of {t}?",
                f"How many {t} do {listing(names)} {have} in all?",
            ]
        )
        steps.append(
            Step(
                rng.choice(
                    [
                        f"Together they {have} {{}} {t}.",
                        f"The total is {{}} {t}.",
                        f"In total, they {have} {{}} {t}.",
                    ]
                ),
                " + ".join(map(str, values)),
                t,
            )
        )
    elif kind == "difference":
        one, two = rng.sample(names, 2)
        if numbers[one] < numbers[two]:
            one, two = two, one
        ask = f"How many more {t} does {one} {have} than {two}?"
        steps.append(
            Step(f"{one} {has} {{}} more {t} than {two}.", f"{numbers[one]} - {numbers[two]}", t)
        )
    else:
        ask = f"How many {t} does {names[-1]} {have}?"
        if steps[-1].text.startswith(names[-1]) is False:
            raise ValueError("the last number is told")
    return Story(" ".join([*shuffled(rng, facts, 0.25), ask]), tuple(steps))


def ledger(rng: Rng, low: int = 2, high: int = 3) -> Story:
    """A number of things that grows and shrinks, event by event."""
    (p, he, his), t = person(rng), things(rng)
    value = num(rng, 5, 200)
    start = rng.choice(
        [
            f"{p} had {value} {t}.",
            f"{p} starts with {value} {t}.",
            f"{p} has {value} {t}.",
            f"There were {value} {t} in {p}'s {rng.choice(w.PLACES)}.",
            f"{p} bought {value} {t}.",
        ]
    )
    facts, steps = [start], []
    for _ in range(rng.randint(low, high)):
        who = rng.choice([f"{his} {rng.choice(w.KIN)}", rng.choice(w.HE), rng.choice(w.SHE)])
        b, k = num(rng, 2, 150), rng.randint(2, 5)
        n, each = rng.randint(2, 8), num(rng, 2, 20)
        h, hs = rng.choice(w.HOLDERS).split("/")
        kind = rng.choice(["gain", "loss", "gain", "loss", "times", "part", "gains", "losses"])
        after = rng.choice(
            [
                f"Then {he} has {{}} {t}.",
                f"That makes {{}} {t}.",
                f"Now there are {{}} {t}.",
                f"After that {p} had {{}} {t}.",
            ]
        )
        if kind == "gain":
            text = rng.choice(
                [
                    f"{cap(he)} bought {b} more.",
                    f"{cap(who)} gave {p} {b} {t}.",
                    f"Then {he} found another {b} {t}.",
                    f"{cap(he)} got {b} more {t} from {who}.",
                    f"The next day {he} received {b} more {t}.",
                ]
            )
            made = [Step(after, f"{value} + {b}", t)]
        elif kind == "loss" and b <= value:
            text = rng.choice(
                [
                    f"{cap(he)} gave {b} {t} to {who}.",
                    f"Then {he} lost {b} of them.",
                    f"{b} of the {t} broke.",
                    f"Later {he} sold {b} {t}.",
                    f"{cap(he)} used {b} of them on {rng.choice(w.DAYS)}.",
                    f"{cap(who)} took {b} of them.",
                ]
            )
            made = [Step(rng.choice([after, f"{p} has {{}} {t} left."]), f"{value} - {b}", t)]
        elif kind == "times" and value * k < 1000:
            text = rng.choice(
                [
                    f"Then the number of {t} became {k} times as large.",
                    f"After a month {he} had {times_word(rng, k)} as many.",
                ]
            )
            made = [Step(after, f"{value} * {k}")]
        elif kind == "part" and value % k == 0:
            word = {2: "half", 3: "a third", 4: "a quarter", 5: "1/5"}[k]
            part = value // k
            text = rng.choice(
                [
                    f"{cap(he)} gave {word} of them to {who}.",
                    f"Then {he} sold {word} of the {t}.",
                    f"{cap(word)} of the {t} got lost.",
                ]
            )
            made = [
                Step(f"{cap(word)} of them is {{}} {t}.", f"{value} / {k}"),
                Step(after, f"{value} - {part}", t),
            ]
        elif kind == "gains":
            text = rng.choice(
                [
                    f"{cap(he)} bought {n} {hs} of {each} {t}.",
                    f"{cap(who)} brought {n} {hs} with {each} {t} in each {h}.",
                    f"Every day for {n} days, {he} got {each} more {t}.",
                ]
            )
            made = [
                Step(
                    rng.choice([f"{cap(he)} got {{}} more {t}.", f"That is {{}} new {t}."]),
                    f"{n} * {each}",
                ),
                Step(after, f"{value} + {n * each}", t),
            ]
        elif kind == "losses" and n * each <= value:
            text = rng.choice(
                [
                    f"{cap(he)} gave {each} {t} to each of {n} friends.",
                    f"{cap(he)} sold {n} {hs} of {each} {t}.",
                    f"{n} friends took {each} {t} each.",
                ]
            )
            made = [
                Step(
                    rng.choice([f"{cap(he)} gave {{}} {t}.", f"That is {{}} {t} gone."]),
                    f"{n} * {each}",
                ),
                Step(after, f"{value} - {n * each}", t),
            ]
        else:
            continue
        facts.append(text)
        steps += made
        value = value_of(made[-1].expr)
    if len(steps) < 2:
        raise ValueError("too little happened")
    ask = rng.choice(
        [
            f"How many {t} does {he} have now?",
            f"How many {t} does {p} have in the end?",
            f"How many {t} are left?",
            f"How many {t} remain?",
            f"How many {t} does {p} end up with?",
        ]
    )
    return Story(" ".join([*facts, ask]), tuple(steps))


def shopping(rng: Rng, low: int = 2, high: int = 2) -> Story:
    """Several things at a price each; total, change, or what is missing."""
    p, he, _ = person(rng)
    goods = rng.sample(w.THINGS, rng.randint(low, high))
    place = rng.choice(w.PLACES)
    facts, steps, costs = [], [], []
    for one, many in goods:
        c = num(rng, 1, 40)
        if rng.random() < 0.3:
            facts.append(
                rng.choice([f"{a_an(one)} for ${c}", f"a {rng.choice(w.COLORS)} {one} for ${c}"])
            )
            costs.append(c)
            continue
        n = num(rng, 2, 20)
        facts.append(
            rng.choice(
                [
                    f"{n} {many} for ${c} each",
                    f"{n} {many} at ${c} each",
                    f"{n} {many} that cost ${c} each",
                    f"{n} {many} at ${c} per {one}",
                ]
            )
        )
        steps.append(
            Step(
                rng.choice(
                    [
                        f"The {many} cost {{}}.",
                        f"{cap(he)} spends {{}} on {many}.",
                        f"{n} {many} cost {{}}.",
                    ]
                ),
                rng.choice([f"{n} * ${c}", f"{n} * ${c}", f"${c} * {n}"]),
            )
        )
        costs.append(n * c)
    if len(costs) == 1:
        raise ValueError("one thing only")
    total = sum(costs)
    steps.append(
        Step(
            rng.choice(
                [
                    "In total that is {}.",
                    f"{p} spends {{}} in total.",
                    "The total is {}.",
                    "The total cost is {}.",
                ]
            ),
            " + ".join(f"${c}" for c in costs),
        )
    )
    buys = rng.choice(["buys", "bought", "went to the " + place + " and bought", "orders"])
    story = f"{p} {buys} {listing(facts)}."
    kind = rng.choice(["total", "total", "change", "missing"])
    if kind == "change":
        cash = total + num(rng, 1, 100)
        had = rng.choice([f"{cap(he)} paid with ${cash}.", f"{cap(he)} had ${cash}."])
        ask = rng.choice([f"How much change does {he} get?", f"How much money does {p} have left?"])
        story = f"{p} had ${cash}. {story}" if rng.random() < 0.4 else f"{story} {had}"
        steps.append(
            Step(rng.choice([f"{p} has {{}} left.", "That leaves {}."]), f"${cash} - ${total}")
        )
    elif kind == "missing" and total > 3:
        cash = rng.randint(1, total - 1)
        story += rng.choice(
            [f" {cap(he)} has only ${cash}.", f" {cap(he)} has saved ${cash} so far."]
        )
        ask = f"How much more money does {he} need?"
        steps.append(Step(f"{p} needs {{}} more.", f"${total} - ${cash}"))
    else:
        ask = rng.choice(
            [
                f"How much does {he} spend?",
                "How much did everything cost?",
                "What is the total cost?",
                f"How much did {p} spend in total?",
            ]
        )
    return Story(f"{story} {ask}", tuple(steps))


def a_an(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def color_parts(rng: Rng, low: int = 3, high: int = 3) -> Story:
    """A whole with all its parts known but one, or parts that make a whole."""
    count = rng.randint(low, high)
    kinds = several(rng, count)
    sizes = [num(rng, 2, rng.choice([30, 200, 900])) for _ in kinds]
    place = rng.choice([rng.choice(w.PLACES), rng.choice(w.HOLDERS).split("/")[0]])
    whole = sum(sizes)
    thing = rng.choice(["things", "items", "pieces", "of them"])
    if rng.random() < 0.6:
        known, t = sizes[:-1], kinds[-1]
        rest = rng.choice(
            [f"The rest are {t}.", f"All the others are {t}.", f"The remaining ones are {t}."]
        )
        parts = listing([f"{n} {k}" for n, k in zip(known, kinds[:-1], strict=True)])
        facts = rng.choice(
            [
                f"There are {whole} items in the {place}: {parts}. {rest}",
                f"A {place} has {parts}. {rest} There are {whole} things in all.",
                f"Of the {whole} things in the {place}, there are {parts}. {rest}",
            ]
        )
        if len(known) > 1 and rng.random() < 0.7:
            steps = [
                Step(
                    rng.choice(["There are {} others.", f"There are {{}} {thing} of other kinds."]),
                    " + ".join(map(str, known)),
                ),
                Step(f"There are {{}} {t}.", f"{whole} - {sum(known)}"),
            ]
        else:
            steps = [Step(f"There are {{}} {t}.", f"{whole} - " + " - ".join(map(str, known)))]
        return Story(f"{facts} How many {t} are there?", tuple(steps))
    parts = listing([f"{n} {k}" for n, k in zip(sizes, kinds, strict=True)])
    facts = rng.choice([f"A {place} has {parts}.", f"There are {parts} in the {place}."])
    step = Step("There are {} in total.", " + ".join(map(str, sizes)))
    if rng.random() < 0.5:
        return Story(f"{facts} How many is that altogether?", (step,))
    n = rng.randint(2, 9)
    return Story(
        f"{facts} How many are there in {n} such {place}s?",
        (step, Step(f"In {n} there are {{}}.", f"{whole} * {n}")),
    )


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


# --- long stories --------------------------------------------------------------------------------

FILLERS = [
    "{p} likes {t} very much.",
    "It is a sunny day.",
    "{p} lives near the {place}.",
    "The {place} opens at noon.",
    "{p} is going to the {place} with a friend.",
    "It was {p}'s birthday last {day}.",
    "{p} has always loved {t}.",
    "The {place} is far from home.",
    "Last {day}, {p} went to the {place}.",
    "{p} wants to be careful.",
    "Every {day}, the {place} is full of people.",
    "{p} is planning a party for {kin}.",
    "{p} loves working at the {place}.",
    "Some people prefer {t}.",
    "{p} is in a hurry.",
    "There is a big sale at the {place}.",
    "{p} is {n} years old.",
    "{p} and a {kin} spend the summer at the {place}.",
    "The {place} was built {n} years ago.",
    "It takes {n} minutes to get there.",
]


def filler(rng: Rng, p: str) -> str:
    """A sentence that does not matter, sometimes with a number that does not either."""
    return rng.choice(FILLERS).format(
        p=p,
        t=rng.choice(w.THINGS)[1],
        place=rng.choice(w.PLACES),
        day=rng.choice(w.DAYS),
        kin=rng.choice(w.KIN),
        n=num(rng, 2, 60),
    )


def with_filler(rng: Rng, story: Story) -> Story:
    sentences = story.question.split(". ")
    for _ in range(rng.randint(0, 2)):
        at = rng.randrange(len(sentences))
        sentences.insert(at, filler(rng, rng.choice(w.SHE + w.HE))[:-1])
    return Story(". ".join(sentences), story.steps)


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

"""Families of stories: each function writes one, with its solution, from a random generator.

Grade-school vocabulary, many wordings, names and things; facts are sometimes in another order than
they are used, and some are not used at all. No template of GSM-Symbolic is copied.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import words as w
from corpus import Step, Story

Rng = random.Random
Family = Callable[[Rng], Story]


def num(rng: Rng, low: int, high: int) -> int:
    """A whole number between `low` and `high`, small ones more often; round ones sometimes."""
    value = round(low * (high / low) ** rng.random()) if rng.random() < 0.6 else rng.randint(
        low, high
    )
    if value > 20 and rng.random() < 0.15 and value // 10 * 10 >= low:
        value = value // 10 * 10
    return value


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
    """Different first names."""
    return rng.sample(w.SHE + w.HE, count)


def things(rng: Rng) -> str:
    """A plural: "pens", now and then "red pens"."""
    plural = rng.choice(w.THINGS)[1]
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
    return f"{w.NUMBER_WORDS[k]} times" if k in w.NUMBER_WORDS and rng.random() < 0.3 else f"{k} times"


def listing(parts: list[str]) -> str:
    """ "a, b and c" """
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]


def shuffled(rng: Rng, parts: list[str], chance: float = 0.4) -> list[str]:
    parts = list(parts)
    if rng.random() < chance:
        rng.shuffle(parts)
    return parts


# --- one step ------------------------------------------------------------------------------------


def sum_line(rng: Rng) -> Story:
    op = rng.choice("+-*/+-")
    if op in "+-":
        top = rng.choice([20, 100, 100, 999, 2000])
        a, b = num(rng, 1, top), num(rng, 1, top)
        a, b = (max(a, b), min(a, b)) if op == "-" else (a, b)
    elif op == "*":
        a, b = num(rng, 2, rng.choice([12, 50, 200])), num(rng, 2, rng.choice([10, 12, 12, 30]))
    else:
        b = num(rng, 2, 12)
        a = b * num(rng, 2, rng.choice([12, 30, 100]))
    expr = f"{a} {op} {b}"
    name = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}[op]
    ask = rng.choice(
        [f"What is {expr}?", f"Compute {expr}.", f"{expr} = ?", f"What is {a} {name} {b}?"]
    )
    return Story(ask, (Step("{}", expr),))


def drill(rng: Rng) -> Story:
    steps = [sum_line(rng).steps[0] for _ in range(rng.randint(2, 5))]
    return Story("Compute " + ", ".join(s.expr for s in steps) + ".", tuple(steps))


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
    facts = rng.choice([
        f"{p} has {a} {t}. {q} has {b} {t}.", f"{p} has {a} {t} and {q} has {b}.",
        f"{p} found {a} {t}, and {q} found {b} {t}.", f"There are {a} {t} in {p}'s bag and {b} in {q}'s.",
    ])
    ask = rng.choice([
        f"How many {t} do they have together?", f"How many {t} are there in total?",
        f"How many {t} do they have in all?", "What is their combined total?",
    ])
    line = rng.choice(["Together they have {} %s.", "In total there are {} %s.", "They have {} %s."])
    return Story(f"{facts} {ask}", (Step(line % t, f"{a} + {b}", t),))


def left(rng: Rng) -> Story:
    (p, he, his), t = person(rng), things(rng)
    a = num(rng, 5, 500)
    b = rng.randint(1, a - 1)
    gone = rng.choice([
        f"gave away {b}", f"gave {b} of them to {his} {rng.choice(w.KIN)}", f"lost {b}", f"sold {b} of them",
        f"used {b}", f"dropped {b} of them", f"threw away {b}", f"gave {b} {t} to {rng.choice(w.HE)}",
    ])
    facts = rng.choice([f"{p} had {a} {t} and {gone}.", f"{p} bought {a} {t}. Then {he} {gone}."])
    ask = rng.choice([
        f"How many {t} does {he} have left?", f"How many {t} remain?", f"How many are left?",
        f"How many {t} does {p} have now?",
    ])
    line = rng.choice([f"{p} has {{}} {t} left.", f"There are {{}} {t} left.", f"{cap(he)} has {{}} {t}."])
    return Story(f"{facts} {ask}", (Step(line, f"{a} - {b}", t),))


def groups_of(rng: Rng) -> Story:
    (p, he, _), t = person(rng), things(rng)
    h, hs = rng.choice(w.HOLDERS).split("/")
    a, b = num(rng, 2, 40), num(rng, 2, 12)
    a, b = rng.choice([(a, b), (b, a)])
    facts = rng.choice([
        f"{p} has {a} {hs}. Each {h} holds {b} {t}.", f"There are {a} {hs} with {b} {t} in each {h}.",
        f"Each {h} has {b} {t}. {p} has {a} {hs}.", f"{p} bought {a} {hs} of {t}, and each {h} had {b} {t} in it.",
        f"{p} fills {a} {hs} with {b} {t} each.",
    ])
    ask = rng.choice([f"How many {t} are there?", f"How many {t} in total?", f"How many {t} does {he} have?"])
    line = rng.choice([f"There are {{}} {t}.", f"{p} has {{}} {t}.", f"That is {{}} {t} in total."])
    return Story(f"{facts} {ask}", (Step(line, f"{a} * {b}"),))


def share(rng: Rng) -> Story:
    (p, he, his), t = person(rng), things(rng)
    b, c = num(rng, 2, 12), num(rng, 2, 60)
    a = b * c
    who = rng.choice(["friends", "children", "students", "cousins", "classmates", "neighbors"])
    h, hs = rng.choice(w.HOLDERS).split("/")
    question, line = rng.choice([
        (f"{p} shares {a} {t} equally among {b} {who}. How many {t} does each get?", f"Each gets {{}} {t}."),
        (f"{p} puts {a} {t} into {hs} of {b}. How many {hs} does {he} need?", f"{p} needs {{}} {hs}."),
        (f"{a} {t} are divided equally into {b} {hs}. How many {t} are in each {h}?",
         f"Each {h} has {{}} {t}."),
        (f"Each {h} can hold {b} {t}. How many {hs} are needed for {a} {t}?", f"{{}} {hs} are needed."),
        (f"{b} {who} split {a} {t} evenly. How many {t} does each of them get?", f"Each one gets {{}} {t}."),
    ])
    return Story(question, (Step(line, f"{a} / {b}"),))


def compare(rng: Rng) -> Story:
    (p, q), t = people(rng, 2), things(rng)
    a, k = num(rng, 4, 200), num(rng, 2, 9)
    d = rng.randint(1, a - 1)
    relation, expr = rng.choice([
        (f"{d} more {t} than {p}", f"{a} + {d}"), (f"{d} fewer {t} than {p}", f"{a} - {d}"),
        (f"{times_word(rng, k)} as many {t} as {p}", f"{a} * {k}"), (f"half as many {t} as {p}", f"{2 * a} / 2"),
        (f"{times_word(rng, k)} the number of {t} that {p} has", f"{k} * {a}"),
        (f"a third as many {t} as {p}", f"{3 * a} / 3"), (f"{d} less than {p}", f"{a} - {d}"),
    ])
    a = int(expr.split()[0]) if "/" in expr else a
    facts = shuffled(rng, [f"{p} has {a} {t}.", f"{q} has {relation}."])
    return Story(f"{' '.join(facts)} How many {t} does {q} have?", (Step(f"{q} has {{}} {t}.", expr, t),))


def price(rng: Rng) -> Story:
    (p, he, _), (one, many) = person(rng), rng.choice(w.THINGS)
    n, c = num(rng, 2, 40), num(rng, 2, 30)
    facts = rng.choice([
        f"{p} buys {n} {many} for ${c} each.", f"A {one} costs ${c}. {p} buys {n} of them.",
        f"{p} bought {n} {many} that cost ${c} each.", f"{cap(many)} cost ${c} each and {p} wants {n} {many}.",
        f"{p} sells {n} {many} at ${c} per {one}.",
    ])
    ask = rng.choice(["How much money is that?", "What is the total?", f"How much do the {many} cost?",
                      "How much is it in total?"])
    line = rng.choice([f"The {many} cost {{}}.", "That is {} in total.", f"The {n} {many} cost {{}}."])
    return Story(f"{facts} {ask}", (Step(line, f"{n} * ${c}"),))


def per_day(rng: Rng) -> Story:
    (p, he, _), (does, _, do, t) = person(rng), rng.choice(w.JOBS)
    n, (unit, units) = num(rng, 2, 30), rng.choice(
        [("day", "days"), ("hour", "hours"), ("week", "weeks"), ("minute", "minutes"), ("month", "months")]
    )
    m = num(rng, 2, 30)
    rate = rng.choice([f"{n} {t} a {unit}", f"{n} {t} per {unit}", f"{n} {t} every {unit}", f"{n} {t} each {unit}"])
    if rng.random() < 0.5:
        return Story(f"{p} {does} {rate}. How many {t} does {he} {do} in {m} {units}?",
                     (Step(f"{p} {does} {{}} {t}.", f"{n} * {m}"),))
    return Story(f"{p} {does} {rate}. How many {units} does {he} need to {do} {n * m} {t}?",
                 (Step(f"It takes {{}} {units}.", f"{n * m} / {n}"),))


def part_of(rng: Rng) -> Story:
    """A fraction or a percentage of a whole."""
    t, place = rng.choice(w.GROUPS).split("/")[1], rng.choice(w.PLACES)
    what = rng.choice(["wear glasses", "walk home", "play chess", "have a pet", "like soccer", "are tall",
                       "take the bus", "can swim", "are new", "left early"])
    if rng.random() < 0.5:
        d = rng.choice([2, 3, 4, 5, 6, 8, 10])
        n, whole = rng.randint(1, d - 1), d * num(rng, 2, 60)
        part, expr = rng.choice([(f"{n}/{d}", f"{n}/{d} * {whole}"), (f"{n}/{d}", f"{whole} * {n}/{d}")])
        if n == 1:
            part, expr = rng.choice([(part, expr), ("Half" if d == 2 else f"1/{d}", f"{whole} / {d}")])
    else:
        percent = rng.choice([5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90])
        whole = rng.choice([20, 40, 60, 80, 100, 120, 150, 160, 200, 240, 300, 400, 500, 800, 1000])
        part = f"{percent}%"
        expr = rng.choice([f"{whole} * {percent}/100", f"{percent}/100 * {whole}",
                           f"{whole} * {percent / 100:g}", f"{percent / 100:g} * {whole}"])
    facts = rng.choice([
        f"There are {whole} {t} at the {place}. {part} of them {what}.",
        f"{part} of the {whole} {t} at the {place} {what}.", f"Of {whole} {t}, {part} {what}.",
    ])
    return Story(f"{facts} How many {t} {what}?", (Step(f"{{}} {t} {what}.", expr),))


# --- two steps -----------------------------------------------------------------------------------


def compare_total(rng: Rng) -> Story:
    first = compare(rng)
    step = first.steps[0]
    base = int(step.expr.split()[0])
    words = first.question.split(" How many ")[0]
    t = step.unit
    value = int(eval_int(step.expr))
    base = max(base, int(step.expr.split()[2])) if step.expr.split()[1] == "*" and False else base
    if step.expr.split()[1] == "*":
        base = base_of(first.question, step.expr)
    ask = rng.choice([f"How many {t} do they have together?", f"How many {t} do they have in total?",
                      f"How many {t} are there altogether?", f"What is the total number of {t}?"])
    line = rng.choice([f"Together they have {{}} {t}.", f"In total they have {{}} {t}.", f"That makes {{}} {t} altogether."])
    order = f"{base} + {value}" if rng.random() < 0.5 else f"{value} + {base}"
    return Story(f"{words} {ask}", (step, Step(line, order, t)))


def eval_int(expr: str) -> int:
    from corpus import evaluate

    return int(evaluate(expr))

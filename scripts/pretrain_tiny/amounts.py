"""Families of two to four steps: amounts that change hands, purchases, parts of a whole."""

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
    relation,
    several,
    shuffled,
    things,
    times_word,
    value_of,
)
from story import Step, Story


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

"""Families about rates and time: travel, work, proportions, durations, ages, units."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, money
from scripts.small_solver.scene import Scene, either, num, told
from scripts.small_solver.story import Steps, Story

# What someone does and how it is counted.
_WORK = [
    tuple(line.split(","))
    for line in """
read,pages
read,pages
write,letters
bake,cookies
bake,cakes
plant,trees
wash,cars
pack,boxes
make,toys
type,words
solve,problems
pick,apples
build,chairs
sew,shirts
clean,rooms
deliver,packages
fix,bikes
sell,tickets
answer,calls
peel,potatoes
fold,towels
paint,pictures
walk,miles
run,miles
jog,kilometers
swim,laps
drink,glasses of water
eat,apples
use,eggs
knit,hats
learn,words
save,dollars
lay,bricks
print,flyers
watch,episodes
do,push-ups
ride,kilometers
plant,flowers
visit,customers
take,photos
""".strip().splitlines()
]
_UNITS = ["day", "day", "hour", "week", "minute", "month"]
_INANIMATE = [
    ("a machine", "machine", "makes", "make", "bottles"),
    ("a printer", "printer", "prints", "print", "pages"),
    ("a factory", "factory", "makes", "make", "cars"),
    ("a hen", "hen", "lays", "lay", "eggs"),
    ("a cow", "cow", "gives", "give", "liters of milk"),
    ("a dog", "dog", "eats", "eat", "biscuits"),
    ("a bakery", "bakery", "sells", "sell", "loaves"),
    ("a tap", "tap", "fills", "fill", "buckets"),
    ("a pump", "pump", "moves", "move", "liters"),
    ("a cat", "cat", "eats", "eat", "cans of food"),
    ("a robot", "robot", "packs", "pack", "boxes"),
    ("a horse", "horse", "eats", "eat", "kilograms of hay"),
    ("a shop", "shop", "sells", "sell", "newspapers"),
    ("a bee", "bee", "visits", "visit", "flowers"),
    ("a worker", "worker", "lays", "lay", "bricks"),
]


def per_unit(rng: Rng) -> Story:
    """So many a day: in so many days, or how many days for so many."""
    scene, (verb, t), unit = Scene(rng), rng.choice(_WORK), rng.choice(_UNITS)
    n, m = num(rng, 2, 40), num(rng, 2, 30)
    rate = scene("per_unit.rate", verb=verb, n=scene.n(n), t=t, unit=unit)
    steps = Steps()
    week = unit == "day" and rng.random() < 0.3
    if rng.random() < 0.6:
        weeks = rng.choice([1, 1, 1, 2, 3, 4])
        when = ("a week" if weeks == 1 else f"{weeks} weeks") if week else f"{scene.n(m)} {unit}s"
        ask = scene("per_unit.ask", t=t, verb=verb, when=when)
        factor = "7" if week and weeks == 1 else f"7 * {weeks}" if week else str(m)
        if week and weeks > 1:
            factor = steps.add("days", factor)
        steps.add("total", f"{n} * {factor}")
        return Story(scene.tell([rate], ask), steps.done())
    total = n * m
    ask = scene("per_unit.ask2", unit=unit, verb=verb, total=total, t=t)
    if rng.random() < 0.4:
        goal = scene("per_unit.goal", verb=verb, total=total, t=t)
        rate = f"{goal} {rate}"
        ask = scene("per_unit.ask3", unit=unit)
    steps.add("time", f"{total} / {n}")
    return Story(scene.tell([rate], ask, 0.06), steps.done())


def rate_of(rng: Rng) -> Story:
    """So many in so long: how many in one; or a proportion, for another time or number."""
    scene, (verb, t), unit = Scene(rng), rng.choice(_WORK), rng.choice(_UNITS)
    n, m, k = num(rng, 2, 30), num(rng, 2, 12), num(rng, 2, 40)
    fact = scene("rate_of.fact", a=n * m, t=t, m=m, unit=unit, verb=verb)
    steps = Steps()
    if rng.random() < 0.45:
        ask = scene("rate_of.ask", t=t, verb=verb, unit=unit)
        steps.add("rate", f"{n * m} / {m}")
    else:
        ask = scene("rate_of.ask2", t=t, verb=verb, unit=unit, k=k)
        steps.add("rate", f"{n * m} / {m}")
        steps.add("total", f"rate * {k}")
    return Story(f"{fact} {ask}", steps.done())


def many_do(rng: Rng) -> Story:
    """One machine (hen, dog …) does so much a day: many of them, for many days."""
    scene = Scene(rng)
    a_one, one, does, do, t = rng.choice(_INANIMATE)
    unit = rng.choice(["day", "hour", "week"])
    n, m, d = num(rng, 2, 20), num(rng, 2, 20), num(rng, 2, 14)
    rate = scene("many_do.rate", a_one=a_one, one=one, does=does, n=scene.n(n), t=t, unit=unit)
    ones = {"factory": "factories", "bakery": "bakeries"}.get(one, one + "s")
    steps, kind = Steps(), rng.random()
    if kind < 0.35:
        ask = scene("many_do.ask", m=scene.n(m), ones=ones, do=do, t=t, unit=unit)
        steps.add("total", either(rng, n, "*", m))
    elif kind < 0.7:
        ask = scene("many_do.ask2", m=scene.n(m), ones=ones, do=do, t=t, unit=unit, d=scene.n(d))
        if rng.random() < 0.5:
            steps.add("daily", f"{n} * {m}")
            steps.add("total", f"daily * {d}")
        else:
            steps.add("total", f"{n} * {m} * {d}")
    else:
        ask = scene("many_do.ask3", a_one=a_one, do=do, x=n * d, t=t, unit=unit)
        steps.add("time", f"{n * d} / {n}")
    return Story(f"{rate} {ask}", steps.done())


_RECIPES = [
    ("cups of flour", "cookies"),
    ("eggs", "cakes"),
    ("grams of sugar", "muffins"),
    ("liters of paint", "rooms"),
    ("meters of cloth", "dresses"),
    ("lemons", "glasses of lemonade"),
    ("kilograms of flour", "loaves"),
    ("nails", "chairs"),
    ("boards", "tables"),
    ("beads", "bracelets"),
]


def proportion(rng: Rng) -> Story:
    """So many cost (weigh, need) so much: what about another number?"""
    scene, steps = Scene(rng), Steps()
    n, unit, m = num(rng, 2, 12), num(rng, 1, 12), num(rng, 2, 40)
    kind = rng.choice(["cost", "recipe", "weigh"])
    if kind == "cost":
        t = v.thing(rng).many
        text = scene("proportion.cost", n=n, a=money(rng, n * unit), m=m, t=t)
    elif kind == "recipe":
        what, made = rng.choice(_RECIPES)
        text = scene("proportion.recipe", a=n * unit, what=what, n=n, t=made, m=m)
    else:
        t, of = v.thing(rng).many, rng.choice(["grams", "kilograms", "pounds", "ounces"])
        text = scene("proportion.weigh", n=n, t=t, a=n * unit, of=of, m=m)
    steps.add("one", f"{n * unit} / {n}")
    steps.add("total", f"one * {m}")
    return Story(text, steps.done())


def fuel(rng: Rng) -> Story:
    """So much fuel for so far: how much for another way?"""
    scene, steps = Scene(rng), Steps()
    n, unit, m = 10 * num(rng, 2, 12), num(rng, 1, 12), 10 * num(rng, 2, 40)
    of, way = rng.choice(
        [("liters of fuel", "km"), ("gallons of gas", "miles"), ("liters of gas", "kilometers")]
    )
    used = unit * n // 10
    if (used * m) % n:
        raise ValueError("does not come out")
    car = rng.choice(["car", "truck", "bus", "van"])
    text = scene("fuel.text", A="a", car=car, a=used, of=of, n=n, way=way, m=m)
    steps.add("total", f"{used} * {m} / {n}" if rng.random() < 0.5 else f"{used} / {n} * {m}")
    return Story(text, steps.done())


def morning_evening(rng: Rng) -> Story:
    """So much in the morning and so much in the evening, for days or weeks."""
    scene, (verb, t) = Scene(rng), rng.choice(_WORK)
    a, b = num(rng, 2, 30), num(rng, 2, 30)
    x, y = rng.choice(
        [
            ("in the morning", "in the evening"),
            ("every morning", "every evening"),
            ("before lunch", "after lunch"),
            ("at breakfast", "at dinner"),
            ("before school", "after school"),
            ("each morning", "each afternoon"),
        ]
    )
    days = rng.choice([7, 7, num(rng, 2, 30)])
    when = (
        rng.choice(["in a week", "in one week", "every week", "per week"])
        if days == 7
        else f"in {scene.n(days)} days"
    )
    text = scene(
        "morning_evening.text", a=scene.n(a), b=scene.n(b), t=t, x=x, y=y, verb=verb, when=when
    )
    steps = Steps()
    steps.add("day", f"{a} + {b}")
    steps.add("total", f"day * {days}")
    return Story(text, steps.done())


def two_workers(rng: Rng) -> Story:
    """Two people's rates: together, or the difference, after some time."""
    scene, (verb, t), unit = (
        Scene(rng, alone=True, tense="present"),
        rng.choice(_WORK),
        rng.choice(_UNITS),
    )
    q, a, b, m = v.other(rng, scene.actor).name, num(rng, 2, 30), num(rng, 2, 30), num(rng, 2, 20)
    if a == b:
        raise ValueError("no difference")
    facts = scene("two_workers.fact", q=q, a=scene.n(a), b=scene.n(b), t=t, unit=unit, verb=verb)
    steps = Steps()
    if rng.random() < 0.65:
        ask = scene("two_workers.ask", t=t, verb=verb, m=scene.n(m), unit=unit)
        steps.add("rate", f"{a} + {b}")
        steps.add("total", f"rate * {m}")
    else:
        (one, two), (x, y) = (
            ((scene.actor.name, q), (a, b)) if a > b else ((q, scene.actor.name), (b, a))
        )
        ask = scene("two_workers.ask2", t=t, one=one, two=two, verb=verb, m=scene.n(m), unit=unit)
        steps.add("more", f"{x} - {y}")
        steps.add("total", f"more * {m}")
    return Story(f"{facts} {ask}", steps.done())


def growth(rng: Rng) -> Story:
    """Something grows or shrinks by so much a day: after so many days, or when it is so large."""
    scene, steps = Scene(rng), Steps()
    what, unit = rng.choice(
        [
            ("a plant", "cm"),
            ("a tree", "feet"),
            ("a candle", "cm"),
            ("a puppy", "pounds"),
            ("a snowman", "inches"),
            ("the water in a tank", "liters"),
            ("a town", "people"),
            ("a collection", "stamps"),
            ("a baby elephant", "kilograms"),
            ("a battery", "percent"),
            ("a river", "cm"),
            ("a sunflower", "inches"),
        ]
    )
    shrinks = what in ("a candle", "a snowman", "a battery", "the water in a tank")
    time = rng.choice(["day", "week", "hour", "month", "year"])
    r, n = num(rng, 1, 12), num(rng, 2, 12)
    a = r * n + num(rng, 2, 60) if shrinks else num(rng, 2, 90)
    change = rng.choice(["loses", "goes down by"] if shrinks else ["grows by", "gains", "grows"])
    state = (
        rng.choice(["is at", "has"] if shrinks else ["has", "is at"])
        if unit not in ("cm", "feet", "inches")
        else "measures"
    )
    head = scene(
        "growth.head", what=what, state=state, a=a, unit=unit, change=change, r=r, time=time
    )
    if rng.random() < 0.65:
        ask = scene("growth.ask", unit=unit, n=scene.n(n), time=time)
        steps.add("change", f"{r} * {n}")
        steps.add("after", f"{a} {'-' if shrinks else '+'} change")
    else:
        end = a - r * n if shrinks else a + r * n
        ask = scene("growth.ask2", time=time, e=end, unit=unit)
        steps.add("change", f"{a} - {end}" if shrinks else f"{end} - {a}")
        steps.add("time", f"change / {r}")
    return Story(f"{head} {ask}", steps.done())


def stock(rng: Rng) -> Story:
    """A stock that is used up: so much a day, by so many."""
    scene, t, steps = Scene(rng), v.thing(rng, "food"), Steps()
    n, m, d = num(rng, 2, 10), num(rng, 1, 6), num(rng, 2, 20)
    unit = rng.choice(["day", "week"])
    facts = told(
        rng,
        [
            scene("stock.fact", s=n * m * d, t=t.many),
            scene(
                "stock.fact2",
                n=scene.n(n, 0.5),
                m=scene.n(m),
                t=t.many,
                unit=unit,
                who=rng.choice(["children", "people", "rabbits", "friends", "monkeys", "boys"]),
            ),
        ],
        0.2,
    )
    ask = scene("stock.ask", unit=unit, t=t.many)
    steps.add("daily", f"{n} * {m}")
    steps.add("time", f"{n * m * d} / daily")
    return Story(f"{' '.join(facts)} {ask}", steps.done())

"""Families about parts of a whole: fractions, percentages, averages, areas, plain sums."""

from __future__ import annotations

from math import gcd

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng
from scripts.small_solver.scene import Scene, num, told
from scripts.small_solver.story import Steps, Story

_FRACTIONS = {
    (1, 2): ["half", "one half", "1/2"],
    (1, 3): ["a third", "one third", "1/3"],
    (2, 3): ["two thirds", "2/3"],
    (1, 4): ["a quarter", "one fourth", "1/4", "one quarter"],
    (3, 4): ["three quarters", "3/4", "three fourths"],
    (1, 5): ["a fifth", "one fifth", "1/5"],
    (2, 5): ["two fifths", "2/5"],
    (3, 5): ["three fifths", "3/5"],
    (1, 6): ["a sixth", "1/6", "one sixth"],
    (5, 6): ["5/6", "five sixths"],
    (1, 8): ["1/8", "an eighth"],
    (3, 8): ["3/8"],
    (1, 10): ["a tenth", "1/10"],
    (3, 10): ["3/10"],
}
_STATES = [
    ("are red", "are not red"),
    ("are boys", "are girls"),
    ("wear glasses", "do not wear glasses"),
    ("are new", "are old"),
    ("are broken", "are not broken"),
    ("are ripe", "are not ripe"),
    ("are empty", "are full"),
    ("are sold", "are not sold"),
    ("are wet", "are dry"),
    ("are full", "are not full"),
    ("are white", "are black"),
    ("are large", "are small"),
]
_PEOPLE_STATES = [
    ("are girls", "are boys"),
    ("wear glasses", "do not wear glasses"),
    ("walk to school", "do not walk to school"),
    ("play chess", "do not play chess"),
    ("have a pet", "have no pet"),
    ("like soccer", "do not like soccer"),
    ("take the bus", "do not take the bus"),
    ("can swim", "cannot swim"),
    ("are new", "are not new"),
    ("left early", "stayed"),
    ("are adults", "are children"),
    ("have a bike", "have no bike"),
    ("are men", "are women"),
]


def _fraction(rng: Rng, whole_high: int) -> tuple[int, int, int, str]:
    """Numerator, denominator, a whole that it divides, and its words."""
    (n, d), words = rng.choice(list(_FRACTIONS.items()))
    if rng.random() < 0.35:
        (n, d), words = (1, 2), _FRACTIONS[1, 2]
    return n, d, d * num(rng, 2, max(3, whole_high // d)), rng.choice(words)


def _part(rng: Rng, whole: object, n: int, d: int) -> str:
    """The expression of n/d of the whole."""
    if n == 1:
        return f"{whole} / {d}"
    return rng.choice([f"{whole} * {n} / {d}", f"{whole} / {d} * {n}"])


def _percent(rng: Rng) -> tuple[int, int]:
    """A percentage, and a whole of which it is a whole number."""
    percent = rng.choice(
        [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 65, 70, 75, 80, 85, 90, 12, 8, 4]
    )
    step = 100 // gcd(percent, 100)
    return percent, step * num(rng, 1, max(2, 600 // step))


def _of(rng: Rng, whole: object, percent: int) -> str:
    if rng.random() < 0.8:
        return f"{whole} * {percent} / 100"
    return f"{percent} / 100 * {whole}"


def part_of(rng: Rng) -> Story:
    """A fraction or a percentage of a number of things or people: that part, or the rest."""
    scene, steps = Scene(rng), Steps()
    people = rng.random() < 0.5
    many = v.group(rng)[1] if people else v.thing(rng).many
    states, rest = rng.choice(_PEOPLE_STATES if people else _STATES)
    if rng.random() < 0.5:
        n, d, whole, part = _fraction(rng, 200)
        expr = _part(rng, whole, n, d)
    else:
        percent, whole = _percent(rng)
        part, expr = (
            rng.choice([f"{percent}%", f"{percent}%", f"{percent} percent"]),
            _of(rng, whole, percent),
        )
    place = rng.choice(v.PLACES)
    text = scene(
        "part_of.text",
        w=whole,
        t=many,
        part=part,
        s=states,
        place=place,
    )
    steps.add("part", expr)
    if rng.random() < 0.5:
        return Story(text + f" How many {many} {states}?", steps.done())
    steps.add("rest", f"{whole} - part")
    return Story(text + f" How many {many} {rest}?", steps.done())


def given_away(rng: Rng) -> Story:
    """Someone gives away a fraction; then perhaps more: what is left."""
    scene, t, steps = Scene(rng), v.thing(rng), Steps()
    n, d, whole, part = _fraction(rng, 150)
    who = v.other(rng, scene.actor).name
    fact = scene("given_away.fact", w=whole, t=t.many)
    loss = rng.choice(t.losses)
    away = scene("given_away.away", loss=loss, part=part, who=who, t=t.many)
    steps.add("part", _part(rng, whole, n, d))
    if rng.random() < 0.25:
        ask = scene("given_away.ask", t=t.many)
        return Story(f"{fact} {away} {ask}", steps.done())
    left = steps.add("left", f"{whole} - part")
    value = int(steps.value(left))
    more = ""
    if rng.random() < 0.45 and value > 2:
        if rng.random() < 0.6:
            b = rng.randint(1, value - 1)
            more = scene(
                "given_away.more", loss=loss, b=scene.n(b), who=v.other(rng, scene.actor).name
            )
            steps.add("left", f"left - {b}")
        elif value % 2 == 0:
            more = scene(
                "given_away.more2", loss=loss, t=t.many, who=v.other(rng, scene.actor).name
            )
            steps.add("gone", "left / 2")
            steps.add("left", "left - gone")
    ask = scene("given_away.ask2", t=t.many)
    return Story(" ".join(x for x in (fact, away, more, ask) if x), steps.done())


_FULL = [
    ("A tank holds", "liters", "in it", "missing until it is full"),
    ("A pool holds", "gallons", "in it", "missing until it is full"),
    ("A theater has", "seats", "taken", "free"),
    ("A hotel has", "rooms", "taken", "free"),
    ("A pot holds", "cups", "in it", "missing until it is full"),
    ("A shelf holds", "books", "in it", "missing until it is full"),
    ("A parking lot holds", "cars", "in it", "missing until it is full"),
    ("A barrel holds", "liters", "in it", "missing until it is full"),
]
_COUNTED = v.words("students pages dollars eggs cars people games trees liters apples")


def plain_part(rng: Rng) -> Story:
    """What is p% or a fraction of n, in plain words."""
    scene, steps = Scene(rng), Steps()
    if rng.random() < 0.45:
        n, d, whole, part = _fraction(rng, 300)
        steps.add("part", _part(rng, whole, n, d))
        return Story(scene("plain_part.fraction", f=part, w=whole), steps.done())
    percent, whole = _percent(rng)
    steps.add("part", _of(rng, whole, percent))
    return Story(scene("plain_part.percent", x=percent, w=whole), steps.done())


def filled(rng: Rng) -> Story:
    """Something that is p% full: what is in it, or what is missing."""
    steps = Steps()
    percent, whole = _percent(rng)
    head, unit, inside, missing = rng.choice(_FULL)
    text = f"{head} {whole} {unit}. It is {percent}% full. "
    steps.add("part", _of(rng, whole, percent))
    if rng.random() < 0.6:
        ask = rng.choice([f"How many {unit} are {inside}?", f"How many {unit} is that?"])
        return Story(text + ask, steps.done())
    steps.add("rest", f"{whole} - part")
    ask = rng.choice([f"How many {unit} are {missing}?", f"How many {unit} more would fill it?"])
    return Story(text + ask, steps.done())


def percent_of(rng: Rng) -> Story:
    """A percentage of a number: the part, the whole, or the percentage is asked."""
    scene, steps = Scene(rng), Steps()
    percent, whole = _percent(rng)
    part, what = whole * percent // 100, rng.choice(_COUNTED)
    kind = rng.choice(["amount", "which", "whole"])
    if kind == "which":
        text = scene("percent_of.which", a=part, w=whole, what=what)
        late = rng.random() < 0.3
        steps.add("percent", f"{part} / {whole} * 100" if late else f"{part} * 100 / {whole}")
    elif kind == "whole":
        text = scene("percent_of.whole", x=percent, a=part, what=what)
        steps.add("whole", f"{part} * 100 / {percent}")
    else:
        text = scene("percent_of.amount", w=whole, what=what, x=percent)
        steps.add("part", _of(rng, whole, percent))
        if "left" in text:
            steps.add("left", f"{whole} - part")
    return Story(text, steps.done())


def whole_of(rng: Rng) -> Story:
    """A fraction is known, the whole is asked."""
    scene, steps = Scene(rng), Steps()
    n, d, whole, part = _fraction(rng, 150)
    t = v.thing(rng)
    text = scene("whole_of.text", part=part, a=whole * n // d, t=t.many, place=rng.choice(v.PLACES))
    steps.add("whole", f"{whole * n // d} * {d}" if n == 1 else f"{whole * n // d} * {d} / {n}")
    return Story(text, steps.done())


def ratio(rng: Rng) -> Story:
    """So many of these for every so many of those."""
    scene, steps = Scene(rng), Steps()
    a, b, n = rng.randint(1, 6), rng.randint(2, 7), num(rng, 2, 20)
    x, y = v.several(rng, 2)
    head = scene("ratio.head", a=a, b=b, x=x.many, y=y.many)
    if rng.random() < 0.6:
        text = head + " " + scene("ratio.text", m=b * n, x=x.many, y=y.many)
        steps.add("groups", f"{b * n} / {b}")
        steps.add("total", f"groups * {a}")
    else:
        text = head + f" Together there are {(a + b) * n}. How many {x.many} are there?"
        steps.add("parts", f"{a} + {b}")
        steps.add("each", f"{(a + b) * n} / parts")
        steps.add("total", f"each * {a}")
    return Story(text, steps.done())


def halves(rng: Rng) -> Story:
    """A group halved or doubled, with some coming or going."""
    scene, steps = Scene(rng, tense="past"), Steps()
    many, place = v.group(rng)[1], rng.choice(v.PLACES)
    a = 2 * num(rng, 4, 80)
    b = num(rng, 1, 40)
    facts = [scene("halves.fact", a=a, t=many, place=place)]
    value = steps.add("half", f"{a} / 2")
    facts.append(
        rng.choice(
            ["Half of them left.", "Then half of them went home.", f"Half of the {many} went away."]
        )
    )
    more = rng.random() < 0.6
    facts.append(scene("halves.fact2" if more else "halves.fact3", b=scene.n(b), t=many))
    steps.add("now", f"{value} {'+' if more else '-'} {b}")
    ask = scene("halves.ask", t=many, place=place)
    return Story(scene.tell(told(rng, facts, 0), ask), steps.done())

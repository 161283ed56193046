"""Families about parts of a whole: fractions, percentages, averages, areas, plain sums."""

from __future__ import annotations

from math import gcd

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, listing
from scripts.small_solver.scene import Scene, either, num, told
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
    ("are red", "are not red"), ("are boys", "are girls"), ("wear glasses", "do not wear glasses"),
    ("are new", "are old"), ("are broken", "are not broken"), ("are ripe", "are not ripe"),
    ("are empty", "are full"), ("are sold", "are not sold"), ("are wet", "are dry"),
    ("are full", "are not full"), ("are white", "are black"), ("are large", "are small"),
]  # fmt: skip
_PEOPLE_STATES = [
    ("are girls", "are boys"), ("wear glasses", "do not wear glasses"), ("walk to school", "do not walk to school"),
    ("play chess", "do not play chess"), ("have a pet", "have no pet"), ("like soccer", "do not like soccer"),
    ("take the bus", "do not take the bus"), ("can swim", "cannot swim"), ("are new", "are not new"),
    ("left early", "stayed"), ("are adults", "are children"), ("have a bike", "have no bike"), ("are men", "are women"),
]  # fmt: skip


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
    percent = rng.choice([5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 65, 70, 75, 80, 85, 90, 12, 8, 4])
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
        part, expr = rng.choice([f"{percent}%", f"{percent}%", f"{percent} percent"]), _of(rng, whole, percent)
    place = rng.choice(v.PLACES)
    text = scene(
        "[There are {w} {t} [in|at] the {place}. {part} of them {s}.|{part} of the {w} {t} [in|at] the {place} {s}.|Of {w} {t}, {part} {s}.|"
        "{part} of {w} {t} {s}.|There are {w} {t} and {part} of them {s}.|A {place} has {w} {t}. {part} of the {t} {s}.]",
        w=whole, t=many, part=part, s=states, place=place,
    )  # fmt: skip
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
    fact = scene("[{p} %have {w} {t}.|{p} %buy {w} {t}.|{p} %bring {w} {t}.|{p} %start with {w} {t}.]", w=whole, t=t.many)
    loss = rng.choice(t.losses)
    away = scene("[{he} %give {part} of them to {who}.|{he} %" + loss + " {part} of [them|the {t}].|{he} %give {who} {part} of {his} {t}.|{he} %give away {part} of them.]", part=part, who=who, t=t.many)
    steps.add("part", _part(rng, whole, n, d))
    if rng.random() < 0.25:
        ask = scene("[How many {t} is that?|How many {t} are gone?]", t=t.many)
        return Story(f"{fact} {away} {ask}", steps.done())
    left = steps.add("left", f"{whole} - part")
    value = int(steps.value(left))
    more = ""
    if rng.random() < 0.45 and value > 2:
        if rng.random() < 0.6:
            b = rng.randint(1, value - 1)
            more = scene("[Then {he} %lose {b} [more|].|Later {he} %give {b} to {who}.|After that {he} %" + loss + " {b} [more|].]", b=scene.n(b), who=v.other(rng, scene.actor).name)
            steps.add("left", f"left - {b}")
        elif value % 2 == 0:
            more = scene("[Then {he} %give half of the rest to {who}.|{he} %" + loss + " half of the remaining {t}.]", t=t.many, who=v.other(rng, scene.actor).name)
            steps.add("gone", "left / 2")
            steps.add("left", "left - gone")
    ask = scene("[How many {t} %do {he} have left?|How many {t} are left?|How many {t} remain?|How many %do {he} have now?]", t=t.many)
    return Story(" ".join(x for x in (fact, away, more, ask) if x), steps.done())


def percent_of(rng: Rng) -> Story:
    """What is p% of n, in plain words or in a small setting; or what percentage a part is."""
    scene, steps = Scene(rng), Steps()
    percent, whole = _percent(rng)
    kind = rng.choice(["plain", "plain", "amount", "which", "whole", "full"])
    if kind == "plain":
        if rng.random() < 0.45:
            n, d, whole, part = _fraction(rng, 300)
            text = scene("[What is {f} of {w}?|How much is {f} of {w}?|Find {f} of {w}.|Calculate {f} of {w}.]", f=part, w=whole)
            steps.add("part", _part(rng, whole, n, d))
        else:
            text = scene("[What is {x}[%| percent] of {w}?|How much is {x}% of {w}?|Find {x}% of {w}.|Calculate {x} percent of {w}.]", x=percent, w=whole)
            steps.add("part", _of(rng, whole, percent))
        return Story(text, steps.done())
    if kind == "full":
        unit, what = rng.choice([("liters", "A tank"), ("gallons", "A pool"), ("seats", "A theater"), ("rooms", "A hotel"), ("cups", "A pot"), ("books", "A shelf"), ("cars", "A parking lot"), ("liters", "A barrel")])
        text = f"{what} {'holds' if unit in ('liters', 'gallons', 'cups', 'books', 'cars') else 'has'} {whole} {unit}. It is {percent}% full. "
        steps.add("part", _of(rng, whole, percent))
        if rng.random() < 0.6:
            return Story(text + rng.choice([f"How many {unit} are {'in it' if unit not in ('seats', 'rooms') else 'taken'}?", f"How many {unit} is that?"]), steps.done())
        steps.add("rest", f"{whole} - part")
        return Story(text + rng.choice([f"How many {unit} are {'free' if unit in ('seats', 'rooms') else 'missing until it is full'}?", f"How many {unit} more would fill it?"]), steps.done())
    part = whole * percent // 100
    what = rng.choice(["students", "pages", "dollars", "eggs", "cars", "people", "games", "trees", "liters", "apples"])
    if kind == "which":
        text = scene("[{a} of {w} {what} [are gone|are counted|are chosen]. What percentage is that?|What percent of {w} {what} are {a} {what}?|Of {w} {what}, {a} are chosen. What percent is that?]", a=part, w=whole, what=what)
        steps.add("percent", f"{part} / {whole} * 100" if rng.random() < 0.3 else f"{part} * 100 / {whole}")
    elif kind == "whole":
        text = scene("[{x}% of the {what} are {a}. How many {what} are there [in all|]?|{a} {what} are {x}% of all {what}. How many {what} are there?|{x}% of a number is {a}. What is the number?]", x=percent, a=part, what=what)
        steps.add("whole", f"{part} * 100 / {percent}")
    else:
        text = scene("[{p} %have {w} {what} and %use {x}% of them.|{p} %spend {x}% of {his} {w} {what}.|{p} %use {x}% of {w} {what}.] [How many {what} is that?|How many {what} are left?]", w=whole, what=what, x=percent)
        steps.add("part", _of(rng, whole, percent))
        if "left" in text:
            steps.add("left", f"{whole} - part")
    return Story(text, steps.done())


def whole_of(rng: Rng) -> Story:
    """A fraction is known, the whole is asked."""
    scene, steps = Scene(rng), Steps()
    n, d, whole, part = _fraction(rng, 150)
    t = v.thing(rng)
    text = scene("[{part} of {ps} {t} are {a} {t}.|{p} %have given away {part} of {his} {t}. That were {a} {t}.|{a} {t} are {part} of all {t} in the {place}.] [How many {t} are there in all?|How many {t} is the whole?|What is the total number of {t}?]".replace("%have given away {part} of {his} {t}. That were {a} {t}.", "gave away {part} of {his} {t}, which was {a} {t}."),
                 part=part, a=whole * n // d, t=t.many, place=rng.choice(v.PLACES))  # fmt: skip
    steps.add("whole", f"{whole * n // d} * {d}" if n == 1 else f"{whole * n // d} * {d} / {n}")
    return Story(text, steps.done())


def average(rng: Rng) -> Story:
    """The mean of numbers; or what is needed for a mean."""
    scene, steps = Scene(rng), Steps()
    count, mean = rng.randint(2, 5), num(rng, 5, 95)
    values = [mean + rng.randint(-4, 4) for _ in range(count - 1)]
    values.append(mean * count - sum(values))
    rng.shuffle(values)
    what = rng.choice(["points", "pages", "miles", "goals", "cookies", "customers", "degrees", "minutes"])
    verb = rng.choice(["score", "score", "get", "have", "count"])
    tests = rng.choice(["tests", "games", "days", "rounds", "weeks", "exams"])
    if rng.random() < 0.7:
        text = scene("[{p} %" + verb + " {list} {what} on {n} {tests}.|On {n} {tests}, {p} %" + verb + " {list} {what}.|{ps} results on {n} {tests} %be {list} {what}.] [What is the average [{what}|]?|What is {his} average [number of {what}|]?|Find the average.|How many {what} is that on average?]".replace("%be {list}", "are {list}").replace("average [{what}|]", "average"),
                     list=listing([str(x) for x in values]), what=what, n=count, tests=tests)  # fmt: skip
        steps.add("total", " + ".join(map(str, values)))
        steps.add("average", f"total / {count}")
    else:
        text = scene("[{p} %" + verb + " {list} {what} on {m} {tests}. How many {what} %do {he} need on the next one for an average of {mean}?|{p} %want an average of {mean} {what} on {n} {tests}. So far {he} %have {list}. How many {what} %do {he} need on the last one?]",
                     list=listing([str(x) for x in values[:-1]]), what=what, m=count - 1, n=count, tests=tests, mean=mean)  # fmt: skip
        steps.add("needed", f"{mean} * {count}")
        steps.add("missing", " - ".join(["needed", *map(str, values[:-1])]))
    return Story(text, steps.done())


def areas(rng: Rng) -> Story:
    """Areas, perimeters, volumes, and a missing side."""
    scene, steps = Scene(rng), Steps()
    a, b, c = num(rng, 2, 40), num(rng, 2, 30), num(rng, 2, 12)
    unit = rng.choice(["cm", "meters", "feet", "inches", "m", "yards"])
    what = rng.choice(["rectangle", "garden", "room", "field", "carpet", "yard", "poster", "table", "wall"])
    kind = rng.choice(["area", "area", "perimeter", "square", "side", "box", "cut"])
    head = scene("[A {what} is {a} {unit} long and {b} {unit} wide.|A [rectangular|] {what} [measures|is] {a} {unit} by {b} {unit}.|The length of a {what} is {a} {unit} and its width is {b} {unit}.|{p} %have a {what} of {a} by {b} {unit}.]", what=what, a=a, b=b, unit=unit)
    if kind == "area":
        steps.add("area", f"{a} * {b}")
        ask = scene("[What is its area [in square {unit}|]?|How many square {unit} is that?|Find its area.|How large is it in square {unit}?]", unit=unit)
    elif kind == "perimeter":
        steps.add("half", f"{a} + {b}")
        steps.add("perimeter", "2 * half")
        ask = scene("[What is its perimeter?|How long is a fence around it?|How many {unit} is it around?|How far is it once around?]", unit=unit)
    elif kind == "square":
        if rng.random() < 0.5:
            head, ask = scene("[A square has sides of {a} {unit}.|The side of a square is {a} {unit}.]", a=a, unit=unit), "What is its area?"
            steps.add("area", f"{a} * {a}")
        else:
            head, ask = scene("[A square has sides of {a} {unit}.|The side of a square is {a} {unit} long.]", a=a, unit=unit), "What is its perimeter?"
            steps.add("perimeter", f"4 * {a}")
    elif kind == "side":
        head = scene("[A {what} has an area of {x} square {unit}. It is {b} {unit} wide.|The area of a {what} is {x} square {unit} and its width is {b} {unit}.]", what=what, x=a * b, b=b, unit=unit)
        ask = scene("[How long is it?|What is its length [in {unit}|]?]", unit=unit)
        steps.add("length", f"{a * b} / {b}")
    elif kind == "box":
        head = scene("[A box is {a} {unit} long, {b} {unit} wide and {c} {unit} high.|A tank measures {a} by {b} by {c} {unit}.]", a=a, b=b, c=c, unit=unit)
        ask = scene("[What is its volume?|How many cubic {unit} does it hold?]", unit=unit)
        steps.add("volume", f"{a} * {b} * {c}")
    else:
        thing = rng.choice(["rope", "ribbon", "board", "string", "wire", "pipe", "stick", "cloth"])
        if rng.random() < 0.6:
            head = scene("[{A} {thing} is {x} {unit} long. [It is|{p} %be going to have it] cut into pieces of {a} {unit}.|{p} %cut {A} {thing} of {x} {unit} into pieces of {a} {unit}.|{p} %have {x} {unit} of {thing} and %need {a} {unit} for each piece.]".replace("[It is|{p} %be going to have it]", "It is"), A="a", thing=thing, x=a * b, a=a, unit=unit)
            ask = scene("[How many pieces are there?|How many pieces %do {he} get?|How many pieces is that?]")
            steps.add("pieces", f"{a * b} / {a}")
        else:
            head = scene("[{A} {thing} of {x} {unit} is cut into {b} equal pieces.|{p} %cut {A} {thing} of {x} {unit} into {b} equal pieces.]", A="a", thing=thing, x=a * b, b=b, unit=unit)
            ask = scene("[How long is each piece?|How many {unit} long is one piece?]", unit=unit)
            steps.add("each", f"{a * b} / {b}")
    return Story(f"{head} {ask}", steps.done())


def plain_sum(rng: Rng) -> Story:
    """A sum without a story, in words or signs."""
    op = rng.choice("+-*/+-*")
    a, b = num(rng, 2, 300), num(rng, 2, 99)
    if op == "-":
        a, b = max(a, b), min(a, b)
    elif op == "*":
        a, b = rng.choice([(num(rng, 2, 99), num(rng, 2, 30)), (num(rng, 2, 12), num(rng, 2, 400))])
    elif op == "/":
        b = num(rng, 2, 20)
        a = b * num(rng, 2, 60)
    name = {"+": ["plus", "and"], "-": ["minus"], "*": ["times", "multiplied by"], "/": ["divided by"]}[op]
    text = rng.choice([f"What is {a} {op} {b}?", f"Compute {a} {op} {b}.", f"How much is {a} {rng.choice(name)} {b}?", f"What is {a} {name[0]} {b}?", f"What is the {dict(zip('+-*/', ['sum', 'difference', 'product', 'quotient'], strict=True))[op]} of {a} and {b}?"])
    steps = Steps()
    steps.add("result", f"{a} {op} {b}")
    if rng.random() < 0.25:
        c = num(rng, 2, 50)
        text = text.rstrip("?.") + f", plus {c}?"
        text = text if text.startswith(("What", "How")) else text.rstrip("?") + "."
        steps.add("total", f"result + {c}")
    return Story(text, steps.done())


def number_puzzle(rng: Rng) -> Story:
    """I think of a number: forward, or undone."""
    a, k, b = num(rng, 2, 60), rng.randint(2, 9), num(rng, 1, 50)
    steps = Steps()
    if rng.random() < 0.5:
        text = rng.choice([f"I think of a number. If I multiply it by {k} and add {b}, I get {a * k + b}. What is the number?", f"A number times {k} plus {b} is {a * k + b}. What is the number?", f"{k} times a number, and {b} more, makes {a * k + b}. Find the number."])
        steps.add("product", f"{a * k + b} - {b}")
        steps.add("number", f"product / {k}")
    else:
        text = rng.choice([f"Take {a}, multiply it by {k} and add {b}. What do you get?", f"What is {b} more than {k} times {a}?", f"Start with {a}. Multiply by {k}. Then add {b}. What is the result?"])
        steps.add("product", either(rng, a, "*", k))
        steps.add("result", f"product + {b}")
    return Story(text, steps.done())


def measured(rng: Rng) -> Story:
    """Heights, weights and lengths: more or less than another."""
    scene, steps = Scene(rng, tense="present"), Steps()
    people = (v.first_name(rng)[0], v.first_name(rng)[0])
    (x, y), kind, unit, comp, less = rng.choice([
        (people, "tall", "cm", "taller", "shorter"),
        (people, "tall", "inches", "taller", "shorter"),
        (people, "heavy", "kg", "heavier", "lighter"),
        (("the dog", "the cat"), "heavy", "pounds", "heavier", "lighter"),
        (("my bag", "your bag"), "heavy", "kg", "heavier", "lighter"),
        (("the first box", "the second box"), "heavy", "grams", "heavier", "lighter"),
        (("the red rope", "the blue rope"), "long", "meters", "longer", "shorter"),
        (("the bridge", "the tunnel"), "long", "meters", "longer", "shorter"),
        (("the tower", "the church"), "tall", "meters", "taller", "shorter"),
        (("a tree", "a house"), "tall", "feet", "taller", "shorter"),
        (("the lake", "the pool"), "deep", "meters", "deeper", "shallower"),
        (("the first hill", "the second hill"), "high", "feet", "higher", "lower"),
    ])  # fmt: skip
    if x == y:
        raise ValueError("one thing only")
    a, d = num(rng, 5, 200), num(rng, 1, 60)
    way = rng.choice(["told", "told", "back", "gap"])
    if way == "gap":
        text = scene("{x} is {a} {unit} {kind} and {y} is {b} {unit} {kind}. [How much {comp} is {x} than {y} in {unit}?|How many {unit} {comp} is {x} than {y}?]", x=x, y=y, a=a + d, b=a, unit=unit, kind=kind, comp=comp)
        steps.add("gap", f"{a + d} - {a}")
    else:
        more = rng.random() < 0.5
        low = a if more else a + d
        rel = f"{d} {unit} {comp if more else less} than"
        if way == "told":
            text = scene("[{x} is {a} {unit} {kind}. {y} is {rel} {x}.|{y} is {rel} {x}, which is {a} {unit} {kind}.] [How {kind} is {y} in {unit}?|How {kind} is {y}?]", x=x, y=y, a=low, unit=unit, kind=kind, rel=rel)
            steps.add("other", f"{low} {'+' if more else '-'} {d}")
        else:
            high = a + d if more else a
            text = scene("[{x} is {a} {unit} {kind}, which is {rel} {y}.|{x} is {rel} {y}. {x} is {a} {unit} {kind}.] [How {kind} is {y} in {unit}?|How {kind} is {y}?]", x=x, y=y, a=high, unit=unit, kind=kind, rel=rel)
            steps.add("other", f"{high} {'-' if more else '+'} {d}")
    return Story(text, steps.done())


def ratio(rng: Rng) -> Story:
    """So many of these for every so many of those."""
    scene, steps = Scene(rng), Steps()
    a, b, n = rng.randint(1, 6), rng.randint(2, 7), num(rng, 2, 20)
    x, y = v.several(rng, 2)
    head = scene("[For every {a} {x} there are {b} {y}.|The ratio of {x} to {y} is {a}:{b}.|{p} %use {a} {x} for every {b} {y}.]", a=a, b=b, x=x.many, y=y.many)
    if rng.random() < 0.6:
        text = head + scene("[ There are {m} {y}.| {p} %have {m} {y}.] How many {x} are there?", m=b * n, x=x.many, y=y.many).join([" ", ""])
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
    facts = [scene("There were {a} {t} [in|at] the {place}.", a=a, t=many, place=place)]
    value = steps.add("half", f"{a} / 2")
    facts.append(rng.choice(["Half of them left.", "Then half of them went home.", f"Half of the {many} went away."]))
    more = rng.random() < 0.6
    facts.append(scene("[Then {b} more came.|Later {b} [new|more] {t} came.|After that, {b} others arrived.]" if more else "[Then {b} more left.|Later {b} of the rest went home.|After that, another {b} left.]", b=scene.n(b), t=many))
    steps.add("now", f"{value} {'+' if more else '-'} {b}")
    ask = scene("[How many {t} were there then?|How many {t} are there now?|How many {t} were [in|at] the {place} in the end?]", t=many, place=place)
    return Story(scene.tell(told(rng, facts, 0), ask), steps.done())

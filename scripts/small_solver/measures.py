"""Families about measures: averages, areas, lengths and weights, plain sums."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, listing
from scripts.small_solver.scene import Scene, either, num
from scripts.small_solver.story import Steps, Story


def average(rng: Rng) -> Story:
    """The mean of numbers; or what is needed for a mean."""
    scene, steps = Scene(rng), Steps()
    count, mean = rng.randint(2, 5), num(rng, 5, 95)
    values = [mean + rng.randint(-4, 4) for _ in range(count - 1)]
    values.append(mean * count - sum(values))
    rng.shuffle(values)
    what = rng.choice(
        ["points", "pages", "miles", "goals", "cookies", "customers", "degrees", "minutes"]
    )
    verb = rng.choice(["score", "score", "get", "have", "count"])
    tests = rng.choice(["tests", "games", "days", "rounds", "weeks", "exams"])
    if rng.random() < 0.7:
        text = scene(
            "average.text",
            verb=verb,
            list=listing([str(x) for x in values]),
            what=what,
            n=count,
            tests=tests,
        )
        steps.add("total", " + ".join(map(str, values)))
        steps.add("average", f"total / {count}")
    else:
        text = scene(
            "average.text2",
            verb=verb,
            list=listing([str(x) for x in values[:-1]]),
            what=what,
            m=count - 1,
            n=count,
            tests=tests,
            mean=mean,
        )
        steps.add("needed", f"{mean} * {count}")
        steps.add("missing", " - ".join(["needed", *map(str, values[:-1])]))
    return Story(text, steps.done())


def areas(rng: Rng) -> Story:
    """Areas, perimeters, volumes, and a missing side."""
    scene, steps = Scene(rng), Steps()
    a, b, c = num(rng, 2, 40), num(rng, 2, 30), num(rng, 2, 12)
    unit = rng.choice(["cm", "meters", "feet", "inches", "m", "yards"])
    what = rng.choice(
        ["rectangle", "garden", "room", "field", "carpet", "yard", "poster", "table", "wall"]
    )
    kind = rng.choice(["area", "area", "perimeter", "square", "side", "box", "cut"])
    head = scene("areas.head", what=what, a=a, b=b, unit=unit)
    if kind == "area":
        steps.add("area", f"{a} * {b}")
        ask = scene("areas.ask", unit=unit)
    elif kind == "perimeter":
        steps.add("half", f"{a} + {b}")
        steps.add("perimeter", "2 * half")
        ask = scene("areas.ask2", unit=unit)
    elif kind == "square":
        if rng.random() < 0.5:
            head, ask = scene("areas.text", a=a, unit=unit), "What is its area?"
            steps.add("area", f"{a} * {a}")
        else:
            head, ask = scene("areas.text2", a=a, unit=unit), "What is its perimeter?"
            steps.add("perimeter", f"4 * {a}")
    elif kind == "side":
        head = scene("areas.head2", what=what, x=a * b, b=b, unit=unit)
        ask = scene("areas.ask3", unit=unit)
        steps.add("length", f"{a * b} / {b}")
    elif kind == "box":
        head = scene("areas.head3", a=a, b=b, c=c, unit=unit)
        ask = scene("areas.ask4", unit=unit)
        steps.add("volume", f"{a} * {b} * {c}")
    else:
        thing = rng.choice(["rope", "ribbon", "board", "string", "wire", "pipe", "stick", "cloth"])
        if rng.random() < 0.6:
            head = scene("areas.head4", A="a", thing=thing, x=a * b, a=a, unit=unit)
            ask = scene("areas.ask5")
            steps.add("pieces", f"{a * b} / {a}")
        else:
            head = scene("areas.head5", A="a", thing=thing, x=a * b, b=b, unit=unit)
            ask = scene("areas.ask6", unit=unit)
            steps.add("each", f"{a * b} / {b}")
    return Story(f"{head} {ask}", steps.done())


_OPERATIONS = {
    "+": ["plus", "and"],
    "-": ["minus"],
    "*": ["times", "multiplied by"],
    "/": ["divided by"],
}
_RESULTS = {"+": "sum", "-": "difference", "*": "product", "/": "quotient"}


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
    name = _OPERATIONS[op]
    text = rng.choice(
        [
            f"What is {a} {op} {b}?",
            f"Compute {a} {op} {b}.",
            f"How much is {a} {rng.choice(name)} {b}?",
            f"What is {a} {name[0]} {b}?",
            f"What is the {_RESULTS[op]} of {a} and {b}?",
        ]
    )
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
    scene, steps = Scene(rng), Steps()
    a, k, b = num(rng, 2, 60), rng.randint(2, 9), num(rng, 1, 50)
    if rng.random() < 0.5:
        text = scene("number_puzzle.back", k=k, b=b, c=a * k + b)
        steps.add("product", f"{a * k + b} - {b}")
        steps.add("number", f"product / {k}")
    else:
        text = scene("number_puzzle.forward", a=a, k=k, b=b)
        steps.add("product", either(rng, a, "*", k))
        steps.add("result", f"product + {b}")
    return Story(text, steps.done())


def measured(rng: Rng) -> Story:
    """Heights, weights and lengths: more or less than another."""
    scene, steps = Scene(rng, tense="present"), Steps()
    people = (v.first_name(rng)[0], v.first_name(rng)[0])
    (x, y), kind, unit, comp, less = rng.choice(
        [
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
        ]
    )
    if x == y:
        raise ValueError("one thing only")
    a, d = num(rng, 5, 200), num(rng, 1, 60)
    way = rng.choice(["told", "told", "back", "gap"])
    if way == "gap":
        text = scene("measured.text", x=x, y=y, a=a + d, b=a, unit=unit, kind=kind, comp=comp)
        steps.add("gap", f"{a + d} - {a}")
    else:
        more = rng.random() < 0.5
        low = a if more else a + d
        rel = f"{d} {unit} {comp if more else less} than"
        if way == "told":
            text = scene("measured.text2", x=x, y=y, a=low, unit=unit, kind=kind, rel=rel)
            steps.add("other", f"{low} {'+' if more else '-'} {d}")
        else:
            high = a + d if more else a
            text = scene("measured.text3", x=x, y=y, a=high, unit=unit, kind=kind, rel=rel)
            steps.add("other", f"{high} {'-' if more else '+'} {d}")
    return Story(text, steps.done())

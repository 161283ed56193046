"""Families about time: travel, ages, durations and other units, times of day."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, listing
from scripts.small_solver.scene import Scene, either, num, times_word
from scripts.small_solver.story import Steps, Story

# What moves, and between which speeds; "" is the scene's actor.
_VEHICLES = [
    ("a car", 30, 80),
    ("a train", 40, 120),
    ("a bus", 20, 70),
    ("a plane", 200, 600),
    ("a cyclist", 8, 25),
    ("a ship", 10, 40),
    ("a truck", 30, 70),
    ("a runner", 5, 12),
    ("", 3, 60),
]


def travel(rng: Rng) -> Story:
    """Speed, time and distance: one of the three is asked; or two legs of a way."""
    scene = Scene(rng)
    what, low, high = rng.choice(_VEHICLES)
    person = not what
    who = scene.actor.name if person else what
    if scene.actor.plural and person:
        raise ValueError("I and we have other verbs")
    speed, hours = num(rng, low, high), num(rng, 2, 12)
    unit = rng.choice(["miles", "miles", "kilometers", "km"])
    rate = rng.choice([f"{unit} an hour", f"{unit} per hour", f"{unit} each hour"])
    goes = rng.choice(
        ["travels", "goes", "drives", "moves"]
        if what in ("a car", "a bus", "a truck")
        else ["travels", "goes"]
    )
    steps, kind = Steps(), rng.choice(["distance", "distance", "time", "speed", "legs"])
    slots: dict[str, object] = {
        "who": who,
        "goes": goes,
        "rate": rate,
        "unit": unit,
        "s": speed,
        "go": "is that" if person else "does it go",
        "h": scene.n(hours),
        "d": speed * hours,
    }
    if kind == "distance":
        text = scene("travel.text", **slots)
        steps.add("distance", either(rng, speed, "*", hours))
    elif kind == "time":
        text = scene("travel.text2", **slots)
        steps.add("time", f"{speed * hours} / {speed}")
    elif kind == "speed":
        text = scene("travel.text3", **slots)
        steps.add("speed", f"{speed * hours} / {hours}")
    else:
        s2, h2 = num(rng, low, high), num(rng, 1, 8) + 1
        text = scene("travel.text4", s2=s2, h2=scene.n(h2), **slots)
        steps.add("first", f"{speed} * {hours}")
        steps.add("second", f"{s2} * {h2}")
        steps.add("total", "first + second")
    return Story(text, steps.done())


def ages(rng: Rng) -> Story:
    """How old someone is, was, will be; told by another's age."""
    p, q = (
        v.first_name(rng)[0],
        rng.choice([v.first_name(rng)[0], "his sister", "her brother", "their mother", "a friend"]),
    )
    scene, steps = Scene(rng, alone=True, tense="present"), Steps()
    q = (
        q
        if q[0].isupper()
        else {
            "his sister": f"{p}'s sister",
            "her brother": f"{p}'s brother",
            "their mother": f"{p}'s mother",
            "a friend": f"{p}'s friend",
        }[q]
    )
    if p == q:
        raise ValueError("one person only")
    a, d, k, n = num(rng, 5, 40), num(rng, 1, 30), rng.randint(2, 5), num(rng, 1, 20)
    relation, expr = rng.choice(
        [
            (f"{d} years older than {p}", f"{a} + {d}"),
            (f"{min(d, a - 1)} years younger than {p}", f"{a} - {min(d, a - 1)}"),
            (f"{times_word(rng, k)} as old as {p}", f"{a} * {k}"),
            *([(f"half as old as {p}", f"{a} / 2")] if a % 2 == 0 else []),
        ]
    )
    facts = scene("ages.fact", p=p, q=q, a=a, rel=relation)
    facts = facts.replace(" .", ".")
    kind = rng.choice(["now", "now", "later", "ago", "sum", "gap"])
    if kind == "gap":
        b = a + d
        text = scene("ages.text", p=p, q=q, a=a, b=b)
        steps.add("gap", f"{b} - {a}")
        return Story(text, steps.done())
    name = steps.add("age", expr)
    if kind == "now":
        ask = f"How old is {q}?"
    elif kind == "later":
        ask = scene("ages.ask", q=q, n=n)
        steps.add("later", f"{name} + {n}")
    elif kind == "ago":
        n = min(n, int(steps.value(name)) - 1)
        ask = scene("ages.ask2", q=q, n=n)
        steps.add("ago", f"{name} - {n}")
    else:
        ask = scene("ages.ask3")
        steps.add("total", f"{a} + {name}")
    return Story(f"{facts} {ask}", steps.done())


# A large unit, a small one, and how many of these make one of those.
_UNITS = [
    ("hours", "minutes", 60),
    ("minutes", "seconds", 60),
    ("days", "hours", 24),
    ("weeks", "days", 7),
    ("years", "months", 12),
    ("hours", "minutes", 60),
    ("dozens", "eggs", 12),
    ("meters", "centimeters", 100),
    ("kilometers", "meters", 1000),
    ("kilograms", "grams", 1000),
    ("feet", "inches", 12),
    ("yards", "feet", 3),
    ("pounds", "ounces", 16),
    ("gallons", "quarts", 4),
    ("liters", "milliliters", 1000),
]
_TIMES = ("hours", "minutes", "days", "weeks", "years")
_ACTIVITIES = v.words(
    "reading homework cleaning walking cooking practice lunch drawing swimming chores"
)


def units(rng: Rng) -> Story:
    """Units of time, length, weight: one in another."""
    scene, steps = Scene(rng), Steps()
    big, small, k = rng.choice(_UNITS)
    n = num(rng, 2, 20)
    kind = rng.choice(["convert", "convert", "back", "mixed"])
    if kind == "convert":
        wording = "units.time" if big in _TIMES else "units.other"
        text = scene(wording, small=small, n=scene.n(n), big=big)
        steps.add(small, f"{n} * {k}")
    elif kind == "back":
        text = scene("units.back", small=small, m=n * k, big=big)
        steps.add(big, f"{n * k} / {k}")
    else:
        extra = num(rng, 1, k - 1)
        text = scene("units.mixed", small=small, n=scene.n(n), big=big, x=extra)
        steps.add(small, f"{n} * {k}")
        steps.add("total", f"{small} + {extra}")
    return Story(text, steps.done())


def durations(rng: Rng) -> Story:
    """Minutes for several activities: in all, or what is left of some hours."""
    scene, steps = Scene(rng), Steps()
    minutes = [num(rng, 5, 60) for _ in range(rng.randint(2, 3))]
    acts = rng.sample(_ACTIVITIES, len(minutes))
    word = rng.choice(["on", "for"])
    parts = listing([f"{x} minutes {word} {act}" for x, act in zip(minutes, acts, strict=True)])
    steps.add("total", " + ".join(map(str, minutes)))
    if rng.random() < 0.6:
        return Story(scene("durations.total", parts=parts), steps.done())
    hours = sum(minutes) // 60 + 1
    text = scene("durations.left", parts=parts, h=f"{hours} hour{'s' * (hours > 1)}")
    steps.add("minutes", f"{hours} * 60")
    steps.add("left", "minutes - total")
    return Story(text, steps.done())


def clock(rng: Rng) -> Story:
    """From one time of day to another; or how long several rounds take."""
    scene, steps = Scene(rng), Steps()
    start, length = rng.randint(6, 11), rng.randint(1, 8)
    what = rng.choice(
        [
            "school",
            "the film",
            "the meeting",
            "the game",
            "the lesson",
            "the party",
            "work",
            "the trip",
        ]
    )
    if rng.random() < 0.45:
        a, b = rng.choice([0, 10, 15, 20, 30]), rng.choice([40, 45, 50, 55])
        text = scene("clock.text", what=what, h=start, a=f"{a:02}", b=b)
        steps.add("minutes", f"{b} - {a}")
    elif rng.random() < 0.5:
        end = start + length
        day = f"{end} p.m." if end == 12 else f"{end} a.m." if end < 12 else f"{end - 12} p.m."
        text = scene("clock.text2", what=what, h=start, e=day)
        if end > 12:
            steps.add("morning", f"12 - {start}")
            steps.add("hours", f"morning + {end - 12}")
        else:
            steps.add("hours", f"{end} - {start}")
        if rng.random() < 0.4:
            days = num(rng, 2, 7)
            text = text.replace(
                "How many hours does it last?", f"How many hours is that on {days} days?"
            )
            steps.add("total", f"hours * {days}")
    else:
        n, each, pause = num(rng, 2, 8), num(rng, 5, 60), num(rng, 2, 20)
        text = scene("clock.text3", n=scene.n(n), x=each, b=pause)
        steps.add("rounds", f"{n} * {each}")
        steps.add("breaks", f"{n - 1} * {pause}")
        steps.add("total", "rounds + breaks")
    return Story(text, steps.done())

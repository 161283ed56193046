"""Families about rates and time: travel, work, proportions, durations, ages, units."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, listing, money
from scripts.small_solver.scene import Scene, either, num, times_word, told
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
    rate = scene("[{p} %" + verb + " {n} {t} [a|per|every|each] {unit}.|Every {unit}, {p} %" + verb + " {n} {t}.|{p} can " + verb + " {n} {t} in [one|a|an|1] {unit}.]".replace("[one|a|an|1]", "one"),
                 n=scene.n(n), t=t, unit=unit)  # fmt: skip
    steps = Steps()
    week = unit == "day" and rng.random() < 0.3
    if rng.random() < 0.6:
        weeks = rng.choice([1, 1, 1, 2, 3, 4])
        when = ("a week" if weeks == 1 else f"{weeks} weeks") if week else f"{scene.n(m)} {unit}s"
        ask = scene("[How many {t} %do {he} {verb} in {when}?|How many {t} is that in {when}?|How many {t} can {he} {verb} in {when}?|How many {t} will it be after {when}?]", t=t, verb=verb, when=when)
        factor = "7" if week and weeks == 1 else f"7 * {weeks}" if week else str(m)
        if week and weeks > 1:
            factor = steps.add("days", factor)
        steps.add("total", f"{n} * {factor}")
        return Story(scene.tell([rate], ask), steps.done())
    total = n * m
    ask = scene("[How many {unit}s %do {he} need [for|to {verb}] {total} {t}?|How [long|many {unit}s] does it take {him} to {verb} {total} {t}?|In how many {unit}s %do {he} {verb} {total} {t}?]".replace("[long|many {unit}s]", "many {unit}s"),
                unit=unit, verb=verb, total=total, t=t)  # fmt: skip
    if rng.random() < 0.4:
        goal = rng.choice(["{p} %have to {verb} {total} {t}.", "{p} %want to {verb} {total} {t}."])
        rate = f"{scene(goal, verb=verb, total=total, t=t)} {rate}"
        ask = scene("[How many {unit}s %do {he} need?|How many {unit}s does it take?|How many {unit}s will that take?]", unit=unit)
    steps.add("time", f"{total} / {n}")
    return Story(scene.tell([rate], ask, 0.06), steps.done())


def rate_of(rng: Rng) -> Story:
    """So many in so long: how many in one; or a proportion, for another time or number."""
    scene, (verb, t), unit = Scene(rng), rng.choice(_WORK), rng.choice(_UNITS)
    n, m, k = num(rng, 2, 30), num(rng, 2, 12), num(rng, 2, 40)
    fact = scene("[{p} %" + verb + " {a} {t} in {m} {unit}s.|In {m} {unit}s, {p} %" + verb + " {a} {t}.|It takes {him} {m} {unit}s to {verb} {a} {t}.]",
                 a=n * m, t=t, m=m, unit=unit, verb=verb)  # fmt: skip
    steps = Steps()
    if rng.random() < 0.45:
        ask = scene("[How many {t} %do {he} {verb} [per|a|each] {unit} [on average|]?|How many {t} is that [per|a] {unit}?|How many {t} %do {he} {verb} in one {unit}?]", t=t, verb=verb, unit=unit)
        steps.add("rate", f"{n * m} / {m}")
    else:
        ask = scene("[How many {t} %do {he} {verb} in {k} {unit}s?|At [this|the same] [rate|pace|speed], how many {t} [%do|can] {he} {verb} in {k} {unit}s?|How many {t} is that in {k} {unit}s?]".replace("[%do|can]", "%do"), t=t, verb=verb, unit=unit, k=k)
        steps.add("rate", f"{n * m} / {m}")
        steps.add("total", f"rate * {k}")
    return Story(f"{fact} {ask}", steps.done())


def many_do(rng: Rng) -> Story:
    """One machine (hen, dog …) does so much a day: many of them, for many days."""
    scene = Scene(rng)
    a_one, one, does, do, t = rng.choice(_INANIMATE)
    unit = rng.choice(["day", "hour", "week"])
    n, m, d = num(rng, 2, 20), num(rng, 2, 20), num(rng, 2, 14)
    rate = scene("[{a_one} {does} {n} {t} [a|per|every|each] {unit}.|Every {unit}, {a_one} {does} {n} {t}.|One {one} {does} {n} {t} [in one|per] {unit}.]",
                 a_one=a_one, one=one, does=does, n=scene.n(n), t=t, unit=unit)  # fmt: skip
    ones = {"factory": "factories", "bakery": "bakeries"}.get(one, one + "s")
    steps, kind = Steps(), rng.random()
    if kind < 0.35:
        ask = scene("[How many {t} {v_do} {m} {ones} {do} in [one|a] {unit}?|How many {t} do {m} {ones} {do} [per|each] {unit}?|There are {m} {ones}. How many {t} do they {do} per {unit}?]".replace("{v_do}", "do"), m=scene.n(m), ones=ones, do=do, t=t, unit=unit)
        steps.add("total", either(rng, n, "*", m))
    elif kind < 0.7:
        ask = scene("[How many {t} do {m} {ones} {do} in {d} {unit}s?|There are {m} {ones}. How many {t} do they {do} in {d} {unit}s?|{p} %have {m} {ones}. How many {t} do they {do} in {d} {unit}s?]", m=scene.n(m), ones=ones, do=do, t=t, unit=unit, d=scene.n(d))
        if rng.random() < 0.5:
            steps.add("daily", f"{n} * {m}")
            steps.add("total", f"daily * {d}")
        else:
            steps.add("total", f"{n} * {m} * {d}")
    else:
        ask = scene("[How many {unit}s does {a_one} need to {do} {x} {t}?|How many {unit}s does it take for {x} {t}?|In how many {unit}s does it {do} {x} {t}?]", a_one=a_one, do=do, x=n * d, t=t, unit=unit)
        steps.add("time", f"{n * d} / {n}")
    return Story(f"{rate} {ask}", steps.done())


def proportion(rng: Rng) -> Story:
    """So many cost (weigh, need) so much: what about another number?"""
    scene = Scene(rng)
    n, unit, m = num(rng, 2, 12), num(rng, 1, 12), num(rng, 2, 40)
    kind = rng.choice(["cost", "recipe", "weigh", "fuel"])
    steps = Steps()
    if kind == "cost":
        t = v.thing(rng)
        text = scene("[{n} {t} cost {a}.|If {n} {t} cost {a},|{p} %pay {a} for {n} {t}.] [How much do {m} {t} cost?|How much would {m} {t} cost?|What is the price of {m} {t}?|how many dollars do {m} {t} cost?]",
                     n=n, a=money(rng, n * unit), m=m, t=t.many)  # fmt: skip
    elif kind == "recipe":
        what, unit_of = rng.choice([("cups of flour", "cookies"), ("eggs", "cakes"), ("grams of sugar", "muffins"), ("liters of paint", "rooms"), ("meters of cloth", "dresses"), ("lemons", "glasses of lemonade"), ("kilograms of flour", "loaves"), ("nails", "chairs"), ("boards", "tables"), ("beads", "bracelets")])
        text = scene("[{p} %need {a} {what} for {n} {t}.|It takes {a} {what} to make {n} {t}.|{a} {what} are enough for {n} {t}.|For {n} {t}, {p} %use {a} {what}.] [How many {what} are needed for {m} {t}?|How many {what} %do {he} need for {m} {t}?|How many {what} does it take for {m} {t}?]",
                     a=n * unit, what=what, n=n, t=unit_of, m=m)  # fmt: skip
    elif kind == "weigh":
        t = v.thing(rng)
        of = rng.choice(["grams", "kilograms", "pounds", "ounces"])
        text = scene("[{n} {t} weigh {a} {of}.|The weight of {n} {t} is {a} {of}.] [How many {of} do {m} {t} weigh?|How much do {m} {t} weigh in {of}?|What is the weight of {m} {t} in {of}?]",
                     n=n, t=t.many, a=n * unit, of=of, m=m)  # fmt: skip
    else:
        of, way = rng.choice([("liters of fuel", "km"), ("gallons of gas", "miles"), ("liters of gas", "kilometers")])
        ways, m = n * 10, m * 10
        text = scene("[{A} {car} uses {a} {of} for {n} {way}.|For {n} {way} {A} {car} needs {a} {of}.] [How many {of} does it use for {m} {way}?|How many {of} are needed for {m} {way}?]",
                     A="a", car=rng.choice(["car", "truck", "bus", "van"]), a=unit * n, of=of, n=ways, way=way, m=m)  # fmt: skip
        if (unit * n * m) % ways:
            raise ValueError("does not come out")
        steps.add("total", f"{unit * n} * {m} / {ways}" if rng.random() < 0.5 else f"{unit * n} / {ways} * {m}")
        return Story(text, steps.done())
    steps.add("one", f"{n * unit} / {n}")
    steps.add("total", f"one * {m}")
    return Story(text, steps.done())


def travel(rng: Rng) -> Story:
    """Speed, time and distance: one of the three is asked; or two legs of a way."""
    scene = Scene(rng)
    what, low, high = rng.choice([("a car", 30, 80), ("a train", 40, 120), ("a bus", 20, 70), ("a plane", 200, 600), ("a cyclist", 8, 25), ("a ship", 10, 40), ("a truck", 30, 70), ("a runner", 5, 12), ("{p}", 3, 60)])
    who = scene(what) if "{" in what else what
    who = who if "{" not in what else scene.actor.name
    if scene.actor.plural and "{" in what:
        raise ValueError("I and we have other verbs")
    speed, hours = num(rng, low, high), num(rng, 2, 12)
    unit = rng.choice(["miles", "miles", "kilometers", "km"])
    rate = rng.choice([f"{unit} an hour", f"{unit} per hour", f"{unit} each hour"])
    goes = rng.choice(["travels", "goes", "drives", "moves"] if "{" not in what and what != "a plane" else ["travels", "goes"])
    steps, kind = Steps(), rng.choice(["distance", "distance", "time", "speed", "legs"])
    slots: dict[str, object] = {"who": who, "goes": goes, "rate": rate, "unit": unit, "s": speed, "h": scene.n(hours), "d": speed * hours}
    if kind == "distance":
        text = scene("[{who} {goes} {s} {rate}.|{who} {goes} at {s} {rate}.|The speed of {who} is {s} {rate}.|{who} {goes} at a speed of {s} {rate}.] [How far does it go in {h} hours?|How many {unit} is that in {h} hours?|How far is that in {h} hours?|What distance is that in {h} hours?]".replace("does it go", "is that" if "{" in what else "does it go"), **slots)
        steps.add("distance", either(rng, speed, "*", hours))
    elif kind == "time":
        text = scene("[{who} {goes} {s} {rate}.|The speed of {who} is {s} {rate}.|{who} {goes} at {s} {rate}.] [How many hours does it take for {d} {unit}?|How long does a trip of {d} {unit} take in hours?|How many hours are needed for {d} {unit}?|In how many hours does {who} go {d} {unit}?]", **slots)
        steps.add("time", f"{speed * hours} / {speed}")
    elif kind == "speed":
        text = scene("[{who} {goes} {d} {unit} in {h} hours.|In {h} hours, {who} {goes} {d} {unit}.|It takes {who} {h} hours for {d} {unit}.] [What is the [average|] speed in {unit} per hour?|How many {unit} is that per hour?|How fast is that in {unit} per hour?]", **slots)
        steps.add("speed", f"{speed * hours} / {hours}")
    else:
        s2, h2 = num(rng, low, high), num(rng, 1, 8) + 1
        text = scene("[{who} {goes} {s} {rate} for {h} hours[ and then|, then] {s2} {rate} for {h2} hours.|For {h} hours {who} {goes} {s} {rate}, and for another {h2} hours {s2} {rate}.] [How far is that [in all|altogether]?|How many {unit} is that in total?|What is the total distance?]", s2=s2, h2=scene.n(h2), **slots)
        steps.add("first", f"{speed} * {hours}")
        steps.add("second", f"{s2} * {h2}")
        steps.add("total", "first + second")
    return Story(text, steps.done())


def morning_evening(rng: Rng) -> Story:
    """So much in the morning and so much in the evening, for days or weeks."""
    scene, (verb, t) = Scene(rng), rng.choice(_WORK)
    a, b = num(rng, 2, 30), num(rng, 2, 30)
    x, y = rng.choice([("in the morning", "in the evening"), ("every morning", "every evening"), ("before lunch", "after lunch"), ("at breakfast", "at dinner"), ("before school", "after school"), ("each morning", "each afternoon")])
    days = rng.choice([7, 7, num(rng, 2, 30)])
    when = rng.choice(["in a week", "in one week", "every week", "per week"]) if days == 7 else f"in {scene.n(days)} days"
    text = scene("[{p} %" + verb + " {a} {t} {x} and {b} [{t}|] {y}.|{x}, {p} %" + verb + " {a} {t}, and {y} {b} [more|].] [{he} %do this every day.|] [How many {t} %do {he} {verb} {when}?|How many {t} is that {when}?]",
                 a=scene.n(a), b=scene.n(b), t=t, x=x, y=y, verb=verb, when=when)  # fmt: skip
    steps = Steps()
    steps.add("day", f"{a} + {b}")
    steps.add("total", f"day * {days}")
    return Story(text, steps.done())


def two_workers(rng: Rng) -> Story:
    """Two people's rates: together, or the difference, after some time."""
    scene, (verb, t), unit = Scene(rng, alone=True, tense="present"), rng.choice(_WORK), rng.choice(_UNITS)
    q, a, b, m = v.other(rng, scene.actor).name, num(rng, 2, 30), num(rng, 2, 30), num(rng, 2, 20)
    if a == b:
        raise ValueError("no difference")
    facts = scene("[{p} can {verb} {a} {t} [a|per|every] {unit}, and {q} can {verb} {b}.|{p} &" + verb + " {a} {t} [a|per|each] {unit}. {q} &" + verb + " {b} [{t}|] [a|per|each] {unit}.]", q=q, a=scene.n(a), b=scene.n(b), t=t, unit=unit, verb=verb)
    steps = Steps()
    if rng.random() < 0.65:
        ask = scene("[How many {t} do they {verb} together in {m} {unit}s?|How many {t} can the two {verb} in {m} {unit}s?|How many {t} is that together in {m} {unit}s?]", t=t, verb=verb, m=scene.n(m), unit=unit)
        steps.add("rate", f"{a} + {b}")
        steps.add("total", f"rate * {m}")
    else:
        (one, two), (x, y) = ((scene.actor.name, q), (a, b)) if a > b else ((q, scene.actor.name), (b, a))
        ask = scene("How many more {t} does {one} {verb} than {two} in {m} {unit}s?", t=t, one=one, two=two, verb=verb, m=scene.n(m), unit=unit)
        steps.add("more", f"{x} - {y}")
        steps.add("total", f"more * {m}")
    return Story(f"{facts} {ask}", steps.done())


def ages(rng: Rng) -> Story:
    """How old someone is, was, will be; told by another's age."""
    p, q = v.first_name(rng)[0], rng.choice([v.first_name(rng)[0], "his sister", "her brother", "their mother", "a friend"])
    scene, steps = Scene(rng, alone=True, tense="present"), Steps()
    q = q if q[0].isupper() else {"his sister": f"{p}'s sister", "her brother": f"{p}'s brother", "their mother": f"{p}'s mother", "a friend": f"{p}'s friend"}[q]
    if p == q:
        raise ValueError("one person only")
    a, d, k, n = num(rng, 5, 40), num(rng, 1, 30), rng.randint(2, 5), num(rng, 1, 20)
    relation, expr = rng.choice([
        (f"{d} years older than {p}", f"{a} + {d}"),
        (f"{min(d, a - 1)} years younger than {p}", f"{a} - {min(d, a - 1)}"),
        (f"{times_word(rng, k)} as old as {p}", f"{a} * {k}"),
        *([(f"half as old as {p}", f"{a} / 2")] if a % 2 == 0 else []),
    ])  # fmt: skip
    facts = scene("[{p} is {a} years old. {q} is {rel}.|{p} is {a}, and {q} is {rel}.|{p} is {a} years old and {q} is {rel}.|{q} is {rel}. {p} is {a} [years old|].]", p=p, q=q, a=a, rel=relation)
    facts = facts.replace(" .", ".")
    kind = rng.choice(["now", "now", "later", "ago", "sum", "gap"])
    if kind == "gap":
        b = a + d
        text = scene("[{p} is {a} [years old|] and {q} is {b}.|{p} is {a}. {q} is {b} years old.] [How many years older is {q} than {p}?|How old was {q} when {p} was born?|What is the difference [between|of] their ages?|How old is {q} when {p} is {c}?]".replace("|How old is {q} when {p} is {c}?", ""), p=p, q=q, a=a, b=b)
        steps.add("gap", f"{b} - {a}")
        return Story(text, steps.done())
    name = steps.add("age", expr)
    if kind == "now":
        ask = f"How old is {q}?"
    elif kind == "later":
        ask = scene("[How old will {q} be in {n} years?|In {n} years, how old will {q} be?|How old is {q} {n} years from now?]", q=q, n=n)
        steps.add("later", f"{name} + {n}")
    elif kind == "ago":
        n = min(n, int(steps.value(name)) - 1)
        ask = scene("[How old was {q} {n} years ago?|{n} years ago, how old was {q}?]", q=q, n=n)
        steps.add("ago", f"{name} - {n}")
    else:
        ask = scene("[What is the sum of their ages?|How old are they together?|How many years are they together?|What do their ages add up to?]")
        steps.add("total", f"{a} + {name}")
    return Story(f"{facts} {ask}", steps.done())


def durations(rng: Rng) -> Story:
    """Hours and minutes: conversions, several parts, what is left of a span."""
    scene, steps = Scene(rng), Steps()
    big, small, k = rng.choice([("hours", "minutes", 60), ("minutes", "seconds", 60), ("days", "hours", 24), ("weeks", "days", 7), ("years", "months", 12), ("hours", "minutes", 60), ("dozens", "eggs", 12), ("meters", "centimeters", 100), ("kilometers", "meters", 1000), ("kilograms", "grams", 1000), ("feet", "inches", 12), ("yards", "feet", 3), ("pounds", "ounces", 16), ("gallons", "quarts", 4), ("liters", "milliliters", 1000)])
    n = num(rng, 2, 20)
    kind = rng.choice(["convert", "convert", "back", "mixed", "parts"])
    if kind == "convert":
        text = scene("[How many {small} are [there|] in {n} {big}?|How many {small} are {n} {big}?|How many {small} [is|make] {n} {big}?|{p} %need {n} {big} for this. How many {small} is that?|Something takes {n} {big}. How many {small} is that?]".replace("[is|make]", "make") if big in ("hours", "minutes", "days", "weeks", "years") else
                     "[How many {small} are [there|] in {n} {big}?|How many {small} are {n} {big}?|{p} %have {n} {big}. How many {small} is that?]", small=small, n=scene.n(n), big=big)  # fmt: skip
        steps.add(small, f"{n} * {k}")
    elif kind == "back":
        text = scene("[How many {big} are {m} {small}?|{m} {small} is how many {big}?|{p} %need {m} {small}. How many {big} is that?]", small=small, m=n * k, big=big)
        steps.add(big, f"{n * k} / {k}")
    elif kind == "mixed":
        extra = num(rng, 1, k - 1)
        text = scene("[How many {small} are {n} {big} and {x} {small}?|Something takes {n} {big} and {x} {small}. How many {small} is that?|{p} %have {n} {big} and {x} {small}. How many {small} is that [in all|]?]", small=small, n=scene.n(n), big=big, x=extra)
        steps.add(small, f"{n} * {k}")
        steps.add("total", f"{small} + {extra}")
    else:
        parts = [num(rng, 5, 60) for _ in range(rng.randint(2, 3))]
        acts = rng.sample(["[reading|]", "homework", "cleaning", "walking", "cooking", "practice", "lunch", "drawing", "swimming", "chores"], len(parts))
        text = scene("[{p} %spend|{p} %need|{p} %plan] {parts}. How many minutes is that [in all|altogether|in total]?", parts=listing([f"{x} minutes {'on' if rng.random() < 0.5 else 'for'} {a.strip('[]|') or 'reading'}" for x, a in zip(parts, acts, strict=True)]))
        steps.add("total", " + ".join(map(str, parts)))
        if rng.random() < 0.4:
            whole = (sum(parts) // 60 + 1) * 60
            hours = whole // 60
            text = text.rsplit(". ", 1)[0] + f". {scene('{he} %have')} {hours} hour{'s' * (hours > 1)}. How many minutes are left?"
            steps.add("minutes", f"{hours} * 60")
            steps.add("left", "minutes - total")
    return Story(text, steps.done())


def clock(rng: Rng) -> Story:
    """From one time of day to another: minutes or hours between; or how long several rounds take."""
    scene, steps = Scene(rng), Steps()
    start, length = rng.randint(6, 11), rng.randint(1, 8)
    what = rng.choice(["school", "the film", "the meeting", "the game", "the lesson", "the party", "work", "the trip"])
    if rng.random() < 0.45:
        a, b = rng.choice([0, 10, 15, 20, 30]), rng.choice([40, 45, 50, 55])
        text = scene("[{what} [starts|begins] at {h}:{a} and [ends|is over] at {h}:{b}.|{what} is from {h}:{a} to {h}:{b}.] How many minutes does it last?", what=what, h=start, a=f"{a:02}", b=b)
        steps.add("minutes", f"{b} - {a}")
    elif rng.random() < 0.5:
        end = start + length
        day = f"{end} p.m." if end == 12 else f"{end} a.m." if end < 12 else f"{end - 12} p.m."
        text = scene("[{what} [starts|begins] at {h} a.m. and [ends|is over] at {e}|{what} is from {h} a.m. to {e}] How many hours does it last?", what=what, h=start, e=day)
        if end > 12:
            steps.add("morning", f"12 - {start}")
            steps.add("hours", f"morning + {end - 12}")
        else:
            steps.add("hours", f"{end} - {start}")
        if rng.random() < 0.4:
            days = num(rng, 2, 7)
            text = text.replace("How many hours does it last?", f"How many hours is that on {days} days?")
            steps.add("total", f"hours * {days}")
    else:
        n, each, pause = num(rng, 2, 8), num(rng, 5, 60), num(rng, 2, 20)
        text = scene("[There are {n} lessons of {x} minutes each, with [a break of|] {b} minutes [break|] between them.|{p} %do {n} rounds of {x} minutes and %rest {b} minutes after every round but the last.] How many minutes does it all take?".replace("[a break of|] {b} minutes [break|]", "a break of {b} minutes"), n=scene.n(n), x=each, b=pause)
        steps.add("rounds", f"{n} * {each}")
        steps.add("breaks", f"{n - 1} * {pause}")
        steps.add("total", "rounds + breaks")
    return Story(text, steps.done())


def growth(rng: Rng) -> Story:
    """Something grows or shrinks by so much a day: after so many days, or when it is so large."""
    scene, steps = Scene(rng), Steps()
    what, unit = rng.choice([("a plant", "cm"), ("a tree", "feet"), ("a candle", "cm"), ("a puppy", "pounds"), ("a snowman", "inches"), ("the water in a tank", "liters"), ("a town", "people"), ("a collection", "stamps"), ("a baby elephant", "kilograms"), ("a battery", "percent"), ("a river", "cm"), ("a sunflower", "inches")])
    shrinks = what in ("a candle", "a snowman", "a battery", "the water in a tank")
    time = rng.choice(["day", "week", "hour", "month", "year"])
    r, n = num(rng, 1, 12), num(rng, 2, 12)
    a = r * n + num(rng, 2, 60) if shrinks else num(rng, 2, 90)
    change = rng.choice(["loses", "goes down by"] if shrinks else ["grows by", "gains", "grows"])
    state = rng.choice(["is at", "has"] if shrinks else ["has", "is at"]) if unit not in ("cm", "feet", "inches") else "measures"
    head = scene("[{what} {state} {a} {unit}. It {change} {r} {unit} [a|every|each|per] {time}.|{what} {state} {a} {unit} and {change} {r} {unit} [every|each|per] {time}.]", what=what, state=state, a=a, unit=unit, change=change, r=r, time=time)
    if rng.random() < 0.65:
        ask = scene("[How many {unit} is that after {n} {time}s?|What is it after {n} {time}s?|How many {unit} are there after {n} {time}s?|How much is it in {n} {time}s?]", unit=unit, n=scene.n(n), time=time)
        steps.add("change", f"{r} * {n}")
        steps.add("after", f"{a} {'-' if shrinks else '+'} change")
    else:
        end = a - r * n if shrinks else a + r * n
        ask = scene("[After how many {time}s is it at {e} {unit}?|How many {time}s until there are {e} {unit}?|When, in {time}s, will it be {e} {unit}?]", time=time, e=end, unit=unit)
        steps.add("change", f"{a} - {end}" if shrinks else f"{end} - {a}")
        steps.add("time", f"change / {r}")
    return Story(f"{head} {ask}", steps.done())


def stock(rng: Rng) -> Story:
    """A stock that is used up: so much a day, by so many."""
    scene, t, steps = Scene(rng), v.thing(rng, "food"), Steps()
    n, m, d = num(rng, 2, 10), num(rng, 1, 6), num(rng, 2, 20)
    unit = rng.choice(["day", "week"])
    facts = told(rng, [
        scene("[There are {s} {t}.|{p} %have {s} {t}.|A box holds {s} {t}.]", s=n * m * d, t=t.many),
        scene("[{n} {who} each eat {m} [{t}|of them] [a|per|every] {unit}.|Each of {n} {who} eats {m} a {unit}.]", n=scene.n(n, 0.5), m=scene.n(m), t=t.many, unit=unit, who=rng.choice(["children", "people", "rabbits", "friends", "monkeys", "boys"])),
    ], 0.2)  # fmt: skip
    ask = scene("[How many {unit}s do the {t} last?|For how many {unit}s are the {t} enough?|After how many {unit}s are all {t} gone?]", unit=unit, t=t.many)
    steps.add("daily", f"{n} * {m}")
    steps.add("time", f"{n * m * d} / daily")
    return Story(f"{' '.join(facts)} {ask}", steps.done())

"""Families of three to six steps: plans, earnings with expenses, parties, harvests, journeys."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, money
from scripts.small_solver.scene import Scene, either, num, times_word
from scripts.small_solver.story import Steps, Story


def two_incomes(rng: Rng) -> Story:
    """Two jobs or two goods, then expenses; what is left, or how long until a goal."""
    scene, steps, facts = Scene(rng), Steps(), []
    names = []
    for place in rng.sample(v.PLACES, 2):
        w, h = num(rng, 5, 30), num(rng, 2, 20)
        facts.append(scene("two_incomes.fact", h=h, place=place, w=money(rng, w)))
        names.append(steps.add("job", f"{h} * {w}"))
    facts.insert(0, scene("two_incomes.fact2"))
    total = steps.add("total", " + ".join(names))
    kind = rng.choice(["total", "spent", "part"])
    ask = scene("two_incomes.ask")
    if kind == "spent":
        c = num(rng, 5, int(steps.value(total)) - 1)
        facts.append(
            scene("two_incomes.fact3", c=money(rng, c), who=v.other(rng, scene.actor).name)
        )
        ask = scene("two_incomes.ask2")
        steps.add("left", f"{total} - {c}")
    elif kind == "part":
        percent = rng.choice([10, 20, 25, 50])
        facts.append(scene("two_incomes.fact4", x=percent))
        part = steps.add("part", f"{total} * {percent} / 100")
        if rng.random() < 0.5:
            ask = scene("two_incomes.ask3", x=percent)
        else:
            ask = "How much money is left after that?"
            steps.add("left", f"{total} - {part}")
    return Story(scene.tell(facts, ask), steps.done())


def party(rng: Rng) -> Story:
    """Guests who each need so many of something that comes in packs at a price."""
    scene, steps = Scene(rng), Steps()
    guests, each, pack, price = (
        num(rng, 4, 40),
        num(rng, 1, 4) + 1,
        num(rng, 4, 24),
        num(rng, 2, 15),
    )
    t = v.thing(rng, rng.choice(["food", "supply"]))
    h, hs = rng.choice([("pack", "packs"), ("box", "boxes"), ("bag", "bags"), ("tray", "trays")])
    facts = [
        scene("party.fact", g=guests),
        scene("party.fact2", e=scene.n(each), t=t.many),
        scene("party.fact3", t=t.many, hs=hs, h=h, k=pack),
    ]
    need = steps.add("needed", f"{guests} * {each}")
    packs = steps.add("packs", f"-(-{need} // {pack})")
    ask = scene("party.ask", hs=hs)
    if rng.random() < 0.55:
        facts.append(scene("party.fact4", h=h, c=money(rng, price)))
        ask = scene("party.ask2", hs=hs)
        steps.add("cost", f"{packs} * {price}")
    return Story(scene.tell(facts, ask), steps.done())


def harvest(rng: Rng) -> Story:
    """Rows of plants with so much on each, sold at a price, shared or packed."""
    scene, steps = Scene(rng), Steps()
    rows, per, each = num(rng, 2, 15), num(rng, 2, 20), num(rng, 2, 30)
    plant, fruit = rng.choice(
        [
            ("apple trees", "apples"),
            ("tomato plants", "tomatoes"),
            ("bushes", "berries"),
            ("pear trees", "pears"),
            ("vines", "pumpkins"),
            ("lemon trees", "lemons"),
            ("plants", "peppers"),
        ]
    )
    facts = [
        scene("harvest.fact", a=scene.n(rows), b=per, plant=plant),
        scene("harvest.fact2", e=each, f=fruit),
    ]
    count = steps.add("plants", f"{rows} * {per}")
    total = steps.add("fruit", f"{count} * {each}")
    amount = int(steps.value(total))
    kind = rng.choice(["total", "sold", "eaten", "packed"])
    if kind == "sold":
        c = num(rng, 1, 5)
        facts.append(scene("harvest.fact3", f=fruit, c=money(rng, c)))
        ask = scene("harvest.ask")
        steps.add("money", f"{total} * {c}")
    elif kind == "eaten":
        b = num(rng, 1, amount - 1)
        facts.append(scene("harvest.fact4", b=b, f=fruit, who=v.other(rng, scene.actor).name))
        ask = scene("harvest.ask2", f=fruit)
        steps.add("left", f"{total} - {b}")
    elif kind == "packed":
        size = next((x for x in (12, 10, 8, 6, 5, 4, 3, 2) if amount % x == 0), 1)
        if size == 1:
            raise ValueError("does not come out")
        facts.append(scene("harvest.fact5", s=size))
        ask = scene("harvest.ask3")
        steps.add("boxes", f"{total} / {size}")
    else:
        ask = scene("harvest.ask4", f=fruit)
    return Story(scene.tell(facts, ask), steps.done())


def reading(rng: Rng) -> Story:
    """A book (a way, a job) in parts: so much done, the rest at so much a day."""
    scene, steps = Scene(rng), Steps()
    verb, unit, what = rng.choice(
        [
            ("read", "pages", "a book"),
            ("paint", "meters", "a fence"),
            ("learn", "words", "a list"),
            ("walk", "miles", "a trail"),
            ("solve", "problems", "a worksheet"),
            ("knit", "rows", "a scarf"),
            ("watch", "episodes", "a series"),
        ]
    )
    done, each, days = num(rng, 3, 80), num(rng, 2, 30), num(rng, 2, 15)
    whole = done + each * days
    facts = [scene("reading.fact", what=what, w=whole, u=unit)]
    if rng.random() < 0.5:
        facts.append(scene("reading.fact2", verb=verb, d=done, u=unit, day=rng.choice(v.DAYS)))
        left = steps.add("left", f"{whole} - {done}")
    else:
        k = rng.randint(2, 4)
        first = max(1, done // (k + 1))
        whole = first * (k + 1) + each * days
        facts = [scene("reading.fact", what=what, w=whole, u=unit)]
        facts.append(
            scene(
                "reading.fact3",
                verb=verb,
                x="Monday",
                y="Tuesday",
                a=first,
                u=unit,
                times=times_word(rng, k),
            )
        )
        second = steps.add("second", f"{first} * {k}")
        done_so_far = steps.add("done", f"{first} + {second}")
        left = steps.add("left", f"{whole} - {done_so_far}")
    ask = scene("reading.ask", u=unit, verb=verb)
    if rng.random() < 0.65:
        facts.append(scene("reading.fact4", verb=verb, e=scene.n(each), u=unit))
        ask = scene("reading.ask2")
        steps.add("days", f"{left} / {each}")
    return Story(scene.tell(facts, ask), steps.done())


def production(rng: Rng) -> Story:
    """So many an hour for so many hours a day; some are bad; the rest in boxes or for money."""
    scene, steps = Scene(rng), Steps()
    rate, hours, days = num(rng, 2, 40), num(rng, 2, 10), rng.choice([1, 1, num(rng, 2, 7)])
    t = v.thing(rng, rng.choice(["supply", "food", "clothes"]))
    who = rng.choice(["a factory", "a bakery", "a machine", "a workshop", scene.actor.name])
    if who == scene.actor.name and scene.actor.plural:
        raise ValueError("I and we have other verbs")
    makes = rng.choice(["makes", "produces", "packs"])
    facts = [scene("production.fact", who=who, makes=makes, r=rate, t=t.many, h=scene.n(hours))]
    total = steps.add("daily", either(rng, rate, "*", hours))
    if days > 1:
        total = steps.add("total", f"{total} * {days}")
    when = f"in {scene.n(days)} days" if days > 1 else rng.choice(["in a day", "a day", "per day"])
    amount = int(steps.value(total))
    kind = rng.choice(["total", "bad", "percent", "sold"])
    if kind == "bad":
        b = num(rng, 1, amount - 1)
        facts.append(
            scene(
                "production.fact2",
                when=when.replace("a day", "in a day")
                .replace("in in", "in")
                .replace("per day", "each day"),
                b=b,
            )
        )
        ask = scene("production.ask", t=t.many)
        steps.add("left", f"{total} - {b}")
    elif kind == "percent":
        x = rng.choice([5, 10, 20, 25, 50])
        facts.append(scene("production.fact3", x=x, t=t.many))
        bad = steps.add("bad", f"{total} * {x} / 100")
        ask = f"How many good {t.many} does that leave {when}?"
        steps.add("left", f"{total} - {bad}")
    elif kind == "sold":
        c = num(rng, 2, 20)
        facts.append(scene("production.fact4", c=money(rng, c)))
        ask = scene("production.ask2", when=when)
        steps.add("money", f"{total} * {c}")
    else:
        ask = f"How many {t.many} is that {when}?"
    return Story(scene.tell(facts, ask), steps.done())

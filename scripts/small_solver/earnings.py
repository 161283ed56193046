"""Families about money that comes and goes: savings, wages, profit, coins."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, listing, money
from scripts.small_solver.scene import Scene, either, num, told
from scripts.small_solver.story import Steps, Story


def wallet(rng: Rng) -> Story:
    """Money that comes and goes, without prices a piece."""
    scene, steps = Scene(rng), Steps()
    value = num(rng, 20, 400)
    facts = [scene("wallet.fact", a=money(rng, value), who=v.other(rng, scene.actor).name)]
    expr = str(value)
    for _ in range(rng.randint(1, 3)):
        gain = rng.random() < 0.3 or value < 5
        b = num(rng, 2, 100) if gain else num(rng, 1, value - 1)
        t = v.thing(rng)
        slots: dict[str, object] = {
            "A": "a",
            "b": money(rng, b),
            "one": t.one,
            "many": t.many,
            "who": v.other(rng, scene.actor).name,
        }
        facts.append(scene("wallet.fact2", **slots) if gain else scene("wallet.fact3", **slots))
        value += b if gain else -b
        expr = steps.add("left", f"{expr} {'+' if gain else '-'} {b}")
    ask = scene("wallet.ask")
    return Story(scene.tell(facts, ask), steps.done())


def savings(rng: Rng) -> Story:
    """A goal, what is there, and so much a week: how many weeks, or how much after so many."""
    scene, steps = Scene(rng), Steps()
    each, weeks, have = num(rng, 2, 50), num(rng, 2, 24), rng.choice([0, num(rng, 5, 150)])
    unit = rng.choice(["week", "week", "month", "day"])
    t = rng.choice(
        [
            "bike",
            "phone",
            "guitar",
            "game",
            "trip",
            "camera",
            "tablet",
            "skateboard",
            "computer",
            "tent",
            "present",
            "pair of skates",
            v.thing(rng).one,
        ]
    )
    if rng.random() < 0.6:
        goal = each * weeks + have
        parts = [scene("savings.fact", t=t, goal=money(rng, goal))]
        if have:
            parts.append(scene("savings.fact2", have=money(rng, have)))
        parts.append(scene("savings.fact3", each=money(rng, each), unit=unit))
        ask = scene("savings.ask", unit=unit)
        left = steps.add("missing", f"{goal} - {have}") if have else str(goal)
        steps.add("weeks", f"{left} / {each}")
        return Story(scene.tell(parts, ask), steps.done())
    parts = [scene("savings.fact4", each=money(rng, each), unit=unit)]
    if have:
        parts.insert(0, scene("savings.fact5", have=money(rng, have)))
    ask = scene("savings.ask2", n=scene.n(weeks), unit=unit)
    saved = steps.add("saved", either(rng, each, "*", weeks))
    if have:
        steps.add("total", f"{saved} + {have}")
    return Story(scene.tell(parts, ask), steps.done())


def wages(rng: Rng) -> Story:
    """So much an hour, for so many hours a day, for so many days; perhaps something is spent."""
    scene, steps = Scene(rng), Steps()
    wage, hours, days = num(rng, 5, 40), num(rng, 2, 10), num(rng, 2, 7)
    rate = scene("wages.rate", w=money(rng, wage), place=rng.choice(v.PLACES))
    if rng.random() < 0.4:
        ask = scene("wages.ask", h=scene.n(hours * rng.choice([1, 2, 3]), 0))
        hours = int(next(word for word in ask.replace(".", " ").split() if word.isdigit()))
        steps.add("pay", either(rng, wage, "*", hours))
        return Story(f"{rate} {ask}", steps.done())
    work = scene("wages.work", h=scene.n(hours), d=scene.n(days))
    weeks = num(rng, 2, 8) if "a week" in work and rng.random() < 0.4 else 1
    daily = steps.add("hours", either(rng, hours, "*", days))
    pay = steps.add("pay", f"{daily} * {wage}")
    when = (
        f"in {weeks} weeks"
        if weeks > 1
        else rng.choice(["in a week", "a week", "in one week", "that week"])
        if "week" in work
        else ""
    )
    if weeks > 1:
        pay = steps.add("pay", f"{pay} * {weeks}")
    ask = scene("wages.ask2", when=when)
    if rng.random() < 0.3:
        c = num(rng, 1, int(steps.value(pay)) - 1)
        work += " " + scene("wages.more", c=money(rng, c))
        ask = scene("wages.ask3", when="")
        steps.add("left", f"{pay} - {c}")
    return Story(" ".join([*told(rng, [rate, work], 0.2), ask]), steps.done())


def profit(rng: Rng) -> Story:
    """Bought for so much, sold for so much."""
    scene, t, steps = Scene(rng), v.thing(rng), Steps()
    n, buy = num(rng, 2, 40), num(rng, 1, 20)
    sell = buy + num(rng, 1, 20)
    if rng.random() < 0.5:
        text = scene("profit.text", n=scene.n(n), t=t.many, b=money(rng, buy), s=money(rng, sell))
        if rng.random() < 0.5:
            steps.add("gain", f"{sell} - {buy}")
            steps.add("profit", f"gain * {n}")
        else:
            steps.add("income", f"{n} * {sell}")
            steps.add("cost", f"{n} * {buy}")
            steps.add("profit", "income - cost")
        return Story(text, steps.done())
    spent = num(rng, 1, n * sell - 1)
    text = scene("profit.text2", n=scene.n(n), t=t.many, c=money(rng, spent), s=money(rng, sell))
    steps.add("income", f"{n} * {sell}")
    steps.add("profit", f"income - {spent}")
    return Story(text, steps.done())


def coins(rng: Rng) -> Story:
    """Coins and bills: what they are worth, in cents or dollars."""
    scene, steps = Scene(rng), Steps()
    kinds = rng.sample(
        [("pennies", 1), ("nickels", 5), ("dimes", 10), ("quarters", 25)], rng.randint(1, 3)
    )
    bills = rng.random() < 0.3
    if bills:
        kinds = [(f"${x} bills", x) for x in rng.sample([1, 5, 10, 20, 50], rng.randint(1, 3))]
    counts = [num(rng, 2, 20) for _ in kinds]
    unit = "dollars" if bills else "cents"
    text = scene(
        "coins.text",
        parts=listing([f"{n} {k}" for n, (k, _) in zip(counts, kinds, strict=True)]),
        unit=unit,
    )
    names = [
        steps.add(f"part{i}", f"{n} * {x}")
        for i, (n, (_, x)) in enumerate(zip(counts, kinds, strict=True), 1)
    ]
    if len(names) > 1:
        steps.add("total", " + ".join(names))
    return Story(text, steps.done())

"""Families with more numbers than the question needs: two kinds of things, two people, two days."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng
from scripts.small_solver.scene import Scene, num, told
from scripts.small_solver.story import Steps, Story

__all__ = ["beside", "two_days", "two_kinds", "two_prices"]


def two_kinds(rng: Rng) -> Story:
    """Two kinds, some of each go: what is left of one, of both, or how many went."""
    scene, steps = Scene(rng), Steps()
    x, y = v.several(rng, 2)
    a, b = num(rng, 5, 90), num(rng, 5, 90)
    c, d = rng.randint(1, a - 1), rng.randint(1, b - 1)
    verb = rng.choice(x.losses)
    slots: dict[str, object] = {"x": x.many, "y": y.many, "verb": verb}
    facts = [scene("two_kinds.had", a=a, b=b, **slots), scene("two_kinds.went", c=c, d=d, **slots)]
    kind = rng.choice(["one", "one", "other", "gone", "left", "more gone", "more left"])
    if kind in ("one", "other"):
        ask = scene("two_kinds.left", t=x.many if kind == "one" else y.many)
        steps.add("left", f"{a} - {c}" if kind == "one" else f"{b} - {d}")
    elif kind == "gone":
        ask = scene("two_kinds.gone", **slots)
        steps.add("gone", f"{c} + {d}")
    elif kind == "left":
        ask = scene("two_kinds.both", **slots)
        first, second = steps.add("first", f"{a} - {c}"), steps.add("second", f"{b} - {d}")
        steps.add("left", f"{first} + {second}")
    elif kind == "more gone":
        big, small = (x, y) if c > d else (y, x)
        ask = scene("two_kinds.more_gone", x=big.many, y=small.many, verb=verb)
        steps.add("difference", f"{max(c, d)} - {min(c, d)}")
    else:
        first, second = steps.add("first", f"{a} - {c}"), steps.add("second", f"{b} - {d}")
        swap = a - c < b - d
        big, small = (y, x) if swap else (x, y)
        more, less = (second, first) if swap else (first, second)
        ask = scene("two_kinds.more_left", x=big.many, y=small.many)
        steps.add("difference", f"{more} - {less}")
    return Story(scene.tell(facts, ask), steps.done())


def two_days(rng: Rng) -> Story:
    """Two people on two days: one person's total, one day's total, or a difference."""
    scene, steps = Scene(rng, alone=True, tense="past"), Steps()
    p, q = scene.actor.name, v.other(rng, scene.actor, related=0).name
    t = v.thing(rng).many
    days = rng.sample(v.DAYS, 2)
    (a, b), (c, d) = [(num(rng, 2, 90), num(rng, 2, 90)) for _ in range(2)]
    verb = rng.choice(v.words("sell make buy pick collect pack count find"))
    slots: dict[str, object] = {"q": q, "t": t, "verb": verb, "one": days[0], "two": days[1]}
    facts = [
        scene("two_days.first", a=a, b=b, **slots),
        scene("two_days.second", c=c, d=d, **slots),
    ]
    kind = rng.choice(["person", "day", "gap"])
    if kind == "person":
        ask, values = rng.choice([(f"did {p}", (a, b)), (f"did {q}", (c, d))])
        ask = scene("two_days.person", did=ask, **slots)
        steps.add("total", f"{values[0]} + {values[1]}")
    elif kind == "day":
        day, values = rng.choice([(days[0], (a, c)), (days[1], (b, d))])
        ask = scene("two_days.day", day=day, **slots)
        steps.add("total", f"{values[0]} + {values[1]}")
    else:
        day, (m, n) = rng.choice([(days[0], (a, c)), (days[1], (b, d))])
        big, small = (p, q) if m >= n else (q, p)
        ask = scene("two_days.gap", big=big, small=small, day=day, **slots)
        steps.add("difference", f"{max(m, n)} - {min(m, n)}")
    return Story(scene.tell(facts, ask, 0.05), steps.done())


def two_prices(rng: Rng) -> Story:
    """Prices and numbers of two goods, of which the question wants one, or the difference."""
    scene, steps = Scene(rng), Steps()
    x, y = v.several(rng, 2)
    a, b, c, d = num(rng, 2, 12), num(rng, 2, 12), num(rng, 2, 30), num(rng, 2, 30)
    slots: dict[str, object] = {"x": x.many, "y": y.many, "a": a, "b": b, "c": c, "d": d}
    facts = [scene("two_prices.fact", **slots)]
    kind = rng.choice(["one", "other", "count", "gap", "each"])
    if kind in ("one", "other"):
        ask = scene("two_prices.one", t=x.many if kind == "one" else y.many)
        steps.add("cost", f"{a} * {c}" if kind == "one" else f"{b} * {d}")
    elif kind == "count":
        ask = scene("two_prices.count", **slots)
        steps.add("total", f"{a} + {b}")
    elif kind == "each":
        big, small = (x, y) if c >= d else (y, x)
        ask = scene("two_prices.each", x=big.one, y=small.one)
        steps.add("difference", f"{max(c, d)} - {min(c, d)}")
    else:
        first, second = steps.add("first", f"{a} * {c}"), steps.add("second", f"{b} * {d}")
        swap = a * c < b * d
        big, small = (y, x) if swap else (x, y)
        more, less = (second, first) if swap else (first, second)
        ask = scene("two_prices.gap", x=big.many, y=small.many)
        steps.add("difference", f"{more} - {less}")
    return Story(scene.tell(told(rng, facts, 0), ask, 0.05), steps.done())


def beside(rng: Rng) -> Story:
    """Holders with things, and a number of something else that does not matter."""
    scene, steps, t = Scene(rng), Steps(), v.thing(rng)
    _, hs = v.holder(rng)
    other = v.thing(rng).many
    a, b, c, d = num(rng, 2, 15), num(rng, 2, 24), num(rng, 2, 60), num(rng, 2, 40)
    slots: dict[str, object] = {"t": t.many, "hs": hs, "other": other}
    facts = [
        scene("beside.holders", a=a, b=b, **slots),
        scene("beside.other", c=c, d=d, **slots),
    ]
    if rng.random() < 0.6:
        ask = scene("beside.total", **slots)
        steps.add("total", f"{a} * {b}")
    else:
        facts[0] = scene("beside.shared", a=a, n=a * b, **slots)
        ask = scene("beside.each", **slots)
        steps.add("each", f"{a * b} / {a}")
    return Story(" ".join([*told(rng, facts, 0.4), ask]), steps.done())

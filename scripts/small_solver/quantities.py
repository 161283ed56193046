"""Families about how many someone has: events that add and take away, comparisons, lists."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, listing
from scripts.small_solver.scene import Scene, num, times_word, told
from scripts.small_solver.story import Steps, Story


def _ledger_scene(rng: Rng) -> tuple[Scene, v.Thing]:
    scene, t = Scene(rng, tense="past"), v.thing(rng)
    if rng.random() < 0.35:
        scene.tense = "present"
    scene.slots = {"t": t.many, "holder": v.holder(rng)[0], "day": rng.choice(v.DAYS)}
    return scene, t


def _event(scene: Scene, t: v.Thing, gain: bool, amount: int) -> str:
    rng = scene.rng
    verb = rng.choice(t.gains if gain else t.losses)
    slots: dict[str, object] = {
        "verb": verb,
        "b": scene.n(amount),
        "who": v.other(rng, scene.actor).name,
    }
    if gain:
        return scene("event.text", **slots)
    return scene("event.text2", **slots)


def ledger(rng: Rng, low: int = 1, high: int = 2) -> Story:
    """A number that grows and shrinks, event by event; the end is asked."""
    scene, t = _ledger_scene(rng)
    value = num(rng, 4, 150)
    facts, steps = [scene("ledger.text", n=scene.n(value))], Steps()
    expr = str(value)
    for _ in range(rng.randint(low, high)):
        gain = rng.random() < 0.45 or value < 4
        amount = num(rng, 2, 120) if gain else num(rng, 1, value - 1)
        value += amount if gain else -amount
        facts.append(_event(scene, t, gain, amount))
        expr = steps.add("left", f"{expr} {'+' if gain else '-'} {amount}")
    return Story(scene.tell(facts, scene("ledger.ask")), steps.done())


def ledger_long(rng: Rng) -> Story:
    return ledger(rng, 3, 4)


def start_unknown(rng: Rng) -> Story:
    """The end is known, the start is asked: undo the events, last first."""
    scene, t = _ledger_scene(rng)
    scene.tense = "past"
    events = []
    for _ in range(rng.choice([1, 1, 1, 2])):
        events.append((rng.random() < 0.45, num(rng, 2, 60)))
    end = num(rng, 2, 90)
    facts = [scene("start_unknown.fact")]
    facts += [_event(scene, t, gain, amount) for gain, amount in events]
    has = scene(
        "start_unknown.end",
        n=scene.n(end),
        has="have" if scene.actor.plural else "has",
    )
    steps, expr = Steps(), str(end)
    for gain, amount in reversed(events):
        expr = steps.add("start", f"{expr} {'-' if gain else '+'} {amount}")
    ask = scene("start_unknown.ask")
    return Story(scene.tell([*facts, has], ask), steps.done())


def change_unknown(rng: Rng) -> Story:
    """Start and end are known; how many came or went?"""
    scene, _ = _ledger_scene(rng)
    scene.tense = "past"
    a, b = num(rng, 3, 120), num(rng, 2, 90)
    gain = rng.random() < 0.4
    low, high = a, a + b
    who = v.other(rng, scene.actor).name
    slots: dict[str, object] = {"a": low if gain else high, "b": high if gain else low, "who": who}
    text = scene("change_unknown.gain" if gain else "change_unknown.loss", **slots)
    steps = Steps()
    steps.add("change", f"{high} - {low}")
    return Story(text, steps.done())


def _relation(rng: Rng, base: str, a: int, t: str) -> tuple[str, str]:
    """A way to tell a number by `base`'s number `a`, and the expression with {} for that number."""
    d, k = num(rng, 1, max(3, a)), rng.randint(2, 6)
    ways = [
        (f"{d} more {t} than {base}", f"{{}} + {d}"),
        (f"{d} more than {base}", f"{{}} + {d}"),
        (f"{times_word(rng, k)} as many {t} as {base}", f"{{}} * {k}"),
        (f"{times_word(rng, k)} as many as {base}", rng.choice([f"{{}} * {k}", f"{k} * {{}}"])),
    ]
    if a > 2:
        e = rng.randint(1, a - 1)
        ways += [
            (f"{e} fewer {t} than {base}", f"{{}} - {e}"),
            (f"{e} {rng.choice(['less', 'fewer'])} than {base}", f"{{}} - {e}"),
        ]
    if a % 2 == 0:
        ways.append(
            (rng.choice([f"half as many {t} as {base}", f"half as many as {base}"]), "{} / 2")
        )
    if a % 3 == 0:
        ways.append(
            (f"{rng.choice(['a third', 'one third', '1/3'])} as many {t} as {base}", "{} / 3")
        )
    if a % 4 == 0:
        ways.append(
            (f"{rng.choice(['a quarter', 'one fourth', '1/4'])} as many as {base}", "{} / 4")
        )
    if rng.random() < 0.15:
        ways.append(
            (f"{d} more than {times_word(rng, k)} as many {t} as {base}", f"{k} * {{}} + {d}")
        )
    return rng.choice(ways)


_HAVE = [("has", "have")] * 5 + [
    ("collected", "collect"),
    ("found", "find"),
    ("sold", "sell"),
    ("made", "make"),
    ("bought", "buy"),
    ("got", "get"),
    ("picked", "pick"),
    ("counted", "count"),
    ("saw", "see"),
]


def compare(rng: Rng, low: int = 2, high: int = 2) -> Story:
    """People's numbers, each told by another's; the last, the total or a difference is asked."""
    t = v.thing(rng)
    names = list({v.first_name(rng)[0]: 1 for _ in range(9)})[: rng.randint(low, high)]
    has, have = rng.choice(_HAVE)
    did = "does" if has == "has" else "did"
    do = "do" if has == "has" else "did"
    steps, first = Steps(), num(rng, 3, 100)
    values = {names[0]: str(first)}
    facts = [f"{names[0]} {has} {first} {t.many}."]
    for name in names[1:]:
        base = rng.choice(list(values)[-2:])
        phrase, expr = _relation(rng, base, int(steps.value(values[base])), t.many)
        values[name] = steps.add(name.lower(), expr.format(values[base]))
        facts.append(rng.choice([f"{name} {has} {phrase}.", f"{name} {has} {phrase}."]))
    if len(names) == 2 and rng.random() < 0.2:
        facts = [f"{names[0]} {has} {first} {t.many}, and {facts[1][:-1]}."]
    kind = rng.choice(["last", "total", "total", "difference"]) if low == 2 else "total"
    scene = Scene(rng)
    if kind == "total":
        ask = scene(
            "compare.ask",
            t=t.many,
            do=do,
            have=have,
            all=listing(names),
        )
        steps.add("total", " + ".join(values.values()))
    elif kind == "difference":
        one, two = rng.sample(names, 2)
        gap = steps.value(f"{values[one]} - {values[two]}")
        one, two = (two, one) if gap < 0 else (one, two)
        more = f"more {t.many} {did} {one} {have} than {two}"
        ask = (
            f"How many {more}?"
            if rng.random() < 0.8
            else f"What is the difference between {one} and {two}?"
        )
        steps.add("difference", f"{values[one]} - {values[two]}")
    else:
        ask = f"How many {t.many} {did} {names[-1]} {have}?"
    return Story(scene.tell(told(rng, facts, 0.15), ask), steps.done())


def compare_three(rng: Rng) -> Story:
    return compare(rng, 3, 4)


def compare_back(rng: Rng) -> Story:
    """The number that is told by the other is known: "which is 7 more than…"."""
    t, (p, _), (q, _) = v.thing(rng), v.first_name(rng), v.first_name(rng)
    if p == q:
        raise ValueError("one person only")
    a, d, k = num(rng, 2, 80), num(rng, 1, 60), rng.randint(2, 6)
    known, relation, expr = rng.choice(
        [
            (a + d, f"{d} more {t.many} than", f"{a + d} - {d}"),
            (a + d, f"{d} more than", f"{a + d} - {d}"),
            (a, f"{d} fewer {t.many} than", f"{a} + {d}"),
            (a, f"{d} less than", f"{a} + {d}"),
            (a * k, f"{times_word(rng, k)} as many as", f"{a * k} / {k}"),
            (a * k, f"{times_word(rng, k)} as many {t.many} as", f"{a * k} / {k}"),
            (a, f"half as many {t.many} as", f"{a} * 2"),
            (a, "a third as many as", f"{a} * 3"),
        ]
    )
    scene = Scene(rng)
    text = scene(
        "compare_back.text",
        p=p,
        q=q,
        n=known,
        rel=relation,
        t=t.many,
    )
    steps = Steps()
    name = steps.add("other", expr)
    if rng.random() < 0.25:
        text = text.rsplit(". ", 1)[0] + f". How many {t.many} do they have together?"
        steps.add("total", f"{known} + {name}")
    return Story(text, steps.done())


def totals(rng: Rng) -> Story:
    """Numbers of several days, kinds or people; the sum, or two of them compared."""
    scene, count = Scene(rng, alone=True), rng.randint(2, 4)
    values = [num(rng, 2, rng.choice([30, 100, 600])) for _ in range(count)]
    fact, what, labels, compared = rng.choice([_by_day, _by_kind, _by_person])(scene, values)
    steps = Steps()
    if rng.random() < 0.65:
        ask = scene("totals.ask", w=what)
        steps.add("total", " + ".join(map(str, values)))
    else:
        i, j = rng.sample(range(count), 2)
        i, j = (i, j) if values[i] >= values[j] else (j, i)
        ask = compared.format(labels[i], labels[j])
        steps.add("difference", f"{values[i]} - {values[j]}")
    return Story(scene.tell([fact], ask), steps.done())


_ACTS = v.words("sell make buy pick collect pack count deliver find")
Listed = tuple[str, str, list[str], str]


def _by_day(scene: Scene, values: list[int]) -> Listed:
    """A fact with a number for each day or month: text, what is counted, labels, comparison."""
    rng, t = scene.rng, v.thing(scene.rng).many
    days = [
        f"in {day}" if day in v.MONTHS else f"on {day}"
        for day in rng.sample([*v.DAYS, *v.MONTHS], len(values))
    ]
    parts = [f"{values[0]} {t} {days[0]}"]
    for value, day in zip(values[1:], days[1:], strict=True):
        parts.append(f"{value} {t if rng.random() < 0.3 else ''} {day}")
    place = rng.choice(v.PLACES)
    fact = scene("totals.days", verb=rng.choice(_ACTS), parts=listing(parts), place=place)
    return fact, t, days, f"How many more {t} is that {{}} than {{}}?"


def _by_kind(scene: Scene, values: list[int]) -> Listed:
    """A fact with a number of each kind of thing."""
    rng = scene.rng
    names = [x.many for x in v.several(rng, len(values))]
    parts = listing([f"{n} {x}" for n, x in zip(values, names, strict=True)])
    h, place = v.holder(rng)[0], rng.choice(v.PLACES)
    fact = scene("totals.kinds", verb=rng.choice(_ACTS), parts=parts, h=h, place=place)
    return fact, rng.choice(["things", "items", "pieces"]), names, "How many more {} than {}?"


def _by_person(scene: Scene, values: list[int]) -> Listed:
    """A fact with a number for each person."""
    rng, t = scene.rng, v.thing(scene.rng).many
    names = list({v.first_name(rng)[0]: 1 for _ in range(12)})[: len(values)]
    has = [rng.choice(["has", "has", "got", "found"]) for _ in names]
    parts = [f"{x} {h} {n}" for x, h, n in zip(names, has, values, strict=True)]
    parts[0] += f" {t}"
    return listing(parts) + ".", t, names, "How many more does {} have than {}?"


def part_whole(rng: Rng) -> Story:
    """A whole and all parts but one; the last part is asked."""
    scene, count = Scene(rng), rng.choice([1, 1, 2])
    parts = [num(rng, 2, 60) for _ in range(count)]
    whole = sum(parts) + num(rng, 2, 80)
    ts = v.several(rng, count + 1)
    names = [x.many for x in ts]
    if rng.random() < 0.4:
        pairs = [
            ("girls", "boys"),
            ("adults", "children"),
            ("men", "women"),
            ("players", "coaches"),
        ]
        a, b = rng.choice(pairs)
        parts, whole = [parts[0]], parts[0] + num(rng, 2, 60)
        text = scene(
            "part_whole.text",
            n=whole,
            a_n=parts[0],
            a=a,
            b=b,
            place=rng.choice(v.PLACES),
        )
    else:
        told_parts = listing([f"{n} are {x}" for n, x in zip(parts, names, strict=False)])
        text = scene(
            "part_whole.text2",
            n=whole,
            kinds="things" if rng.random() < 0.5 else "items",
            parts=told_parts,
            last=names[-1],
            h=v.holder(rng)[0],
        )
    steps = Steps()
    steps.add("rest", " - ".join(map(str, [whole, *parts])))
    return Story(text, steps.done())

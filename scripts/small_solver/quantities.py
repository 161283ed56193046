"""Families about how many someone has: events that add and take away, comparisons, lists."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, listing
from scripts.small_solver.scene import Scene, either, num, times_word, told
from scripts.small_solver.story import Steps, Story

_START = (
    "[{p} %have {n} {t}.|{p} %have {n} {t}.|There [are|were] {n} {t} in {ps} {holder}.|"
    "{p} %start [the day|the week|] with {n} {t}.|At first, {p} %have {n} {t}.|"
    "[On {day}|In the morning|Yesterday|Last week], {p} had {n} {t}.|{p} %own {n} {t}.|"
    "{p} %collect {n} {t}.|{p} %have a {holder} of {n} {t}.|{p} %count {n} {t} in the {holder}.]"
)
_GAIN = (
    "[{he} %{gain} {b} more [{t}|].|Then {he} %{gain} {b} {t}.|{who} &give {him} {b} [more|] {t}.|"
    "{he} %{gain} another {b} [{t}|].|{he} %get {b} {t} from {who}.|{he} %find {b} more.|"
    "[After that|Later|On {day}], {he} %{gain} {b} more [{t}|].|{who} &bring {him} another {b}.|"
    "{he} %{gain} {b} {t} more.|{b} more {t} %be added.]"
)
_LOSS = (
    "[{he} %{lose} {b} [of them|{t}|].|Then {he} %{lose} {b} [of them|{t}].|"
    "{he} %give {b} [of them|{t}] to {who}.|{he} %give away {b} [{t}|].|{he} %give {who} {b} {t}.|"
    "{he} %share {b} [of them|{t}] with {who}.|[After that|Later|On {day}], {he} %{lose} {b}.|"
    "{who} &take {b} [of them|{t}].|{b} [of them|of the {t}] %be [lost|broken|gone|taken|stolen].|"
    "{b} {t} %have to be thrown away.|{he} %lend {b} [{t}|] to {who}.]"
)
_END = (
    "How many {t} %do {he} have [now|left|in the end|after that|then|]?"
    "|How many {t} are there now?|How many {t} [remain|are left]?"
    "|What is the number of {t} that {he} %have [now|in the end]?|How many [{t}|] [are there|remain]?"
    "|How many {t} %be {he} left with?|How many {t} %do {he} end up with?"
    "|Find the number of {t} {he} %have now."
)


def _ledger_scene(rng: Rng) -> tuple[Scene, v.Thing]:
    scene, t = Scene(rng, tense="past"), v.thing(rng)
    if rng.random() < 0.35:
        scene.tense = "present"
    scene.slots = {"t": t.many, "holder": v.holder(rng)[0], "day": rng.choice(v.DAYS)}
    return scene, t


def _event(scene: Scene, t: v.Thing, gain: bool, amount: int) -> str:
    rng = scene.rng
    verb = rng.choice(t.gains if gain else t.losses)
    pattern = (_GAIN if gain else _LOSS).replace("%{gain}", f"%{verb}").replace("%{lose}", f"%{verb}")
    return scene(pattern, b=scene.n(amount), who=v.other(rng, scene.actor).name)


def ledger(rng: Rng, low: int = 1, high: int = 2) -> Story:
    """A number that grows and shrinks, event by event; the end is asked."""
    scene, t = _ledger_scene(rng)
    value = num(rng, 4, 150)
    facts, steps = [scene(_START, n=scene.n(value))], Steps()
    expr = str(value)
    for _ in range(rng.randint(low, high)):
        gain = rng.random() < 0.45 or value < 4
        amount = num(rng, 2, 120) if gain else num(rng, 1, value - 1)
        value += amount if gain else -amount
        facts.append(_event(scene, t, gain, amount))
        expr = steps.add("left", f"{expr} {'+' if gain else '-'} {amount}")
    return Story(scene.tell(facts, scene(f"[{_END}]")), steps.done())


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
    facts = [scene("{p} had [some|a number of|many] {t} [at first|in a {holder}|].")]
    facts += [_event(scene, t, gain, amount) for gain, amount in events]
    has = scene(
        "[{he} now [have|has] {n} {t}.|Now {he} had {n} {t}.|In the end {he} had {n} {t}.|"
        "{n} {t} were left.|After that, {n} {t} remained.|{he} had {n} {t} left.]",
        n=scene.n(end),
    ).replace("now have", "now have" if scene.actor.plural else "now has")
    has = has.replace("now has", "now have") if scene.actor.plural else has
    steps, expr = Steps(), str(end)
    for gain, amount in reversed(events):
        expr = steps.add("start", f"{expr} {'-' if gain else '+'} {amount}")
    ask = scene(
        "[How many {t} did {he} have [at first|at the start|to begin with|in the beginning|originally|before]?|"
        "How many {t} did {p} start with?|How many {t} were there [at first|to begin with]?|"
        "What was the number of {t} at the beginning?]"
    )
    return Story(scene.tell([*facts, has], ask), steps.done())


def change_unknown(rng: Rng) -> Story:
    """Start and end are known; how many came or went?"""
    scene, t = _ledger_scene(rng)
    scene.tense = "past"
    a, b = num(rng, 3, 120), num(rng, 2, 90)
    gain = rng.random() < 0.4
    low, high = a, a + b
    who = v.other(rng, scene.actor).name
    slots: dict[str, object] = {"a": low if gain else high, "b": high if gain else low, "who": who}
    if gain:
        text = scene(
            "[{p} had {a} {t}. {he} [bought|got|found] some more, and now there are {b}.|"
            "There were {a} {t} in the {holder}. {who} put in some more. Now there are {b}.|"
            "{p} had {a} {t}. After {who} gave {him} some, {he} had {b}.|"
            "{p} had {a} {t} and wanted to have {b}.|{p} had {a} {t}, but needed {b}.] "
            "[How many [more|] {t} were added?|How many more {t} is that?|How many {t} came [in addition|on top]?|"
            "How many {t} are missing from {a} to {b}?]",
            **slots,
        )
    else:
        text = scene(
            "[{p} had {a} {t}. {he} [gave some away|lost some|gave some to {who}|sold some] and [had|now there are] {b} [left|].|"
            "There were {a} {t} in the {holder}. {who} took some of them, and {b} [were left|remained].|"
            "Of {a} {t}, {b} are [left|still there|still in the {holder}].|"
            "There were {a} {t} [on the table|in the {holder}|in the room]. Some were taken and {b} stayed.] "
            "[How many {t} are [gone|missing|not there any more]?|How many {t} were taken away?|"
            "How many did {p} lose or give away?|How many {t} is that less than before?]",
            **slots,
        )
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
        ways.append((rng.choice([f"half as many {t} as {base}", f"half as many as {base}"]), "{} / 2"))
    if a % 3 == 0:
        ways.append((f"{rng.choice(['a third', 'one third', '1/3'])} as many {t} as {base}", "{} / 3"))
    if a % 4 == 0:
        ways.append((f"{rng.choice(['a quarter', 'one fourth', '1/4'])} as many as {base}", "{} / 4"))
    if rng.random() < 0.15:
        ways.append((f"{d} more than {times_word(rng, k)} as many {t} as {base}", f"{k} * {{}} + {d}"))
    return rng.choice(ways)


_HAVE = [("has", "have")] * 5 + [
    ("collected", "collect"), ("found", "find"), ("sold", "sell"), ("made", "make"),
    ("bought", "buy"), ("got", "get"), ("picked", "pick"), ("counted", "count"), ("saw", "see"),
]  # fmt: skip


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
            "[How many {t} {do} they {have} [together|altogether|in total|in all]?|"
            "How many {t} {do} {all} {have} [together|altogether|in total]?|"
            "What is the total number of {t}?|How many {t} is that [in all|together]?]",
            t=t.many, do=do, have=have, all=listing(names),
        )  # fmt: skip
        steps.add("total", " + ".join(values.values()))
    elif kind == "difference":
        one, two = rng.sample(names, 2)
        gap = steps.value(f"{values[one]} - {values[two]}")
        one, two = (two, one) if gap < 0 else (one, two)
        more = f"more {t.many} {did} {one} {have} than {two}"
        ask = f"How many {more}?" if rng.random() < 0.8 else f"What is the difference between {one} and {two}?"
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
        "[{p} has {n} {t}, which is {rel} {q} has.|{p} has {n} {t}. That is {rel} {q} [has|].|"
        "{p} has {n} {t}. {p} has {rel} {q}.|{p} has {rel} {q}. {p} has {n} {t}.] "
        "[How many {t} does {q} have?|How many does {q} have?|Find {q}'s number of {t}.]",
        p=p, q=q, n=known, rel=relation, t=t.many,
    )  # fmt: skip
    steps = Steps()
    name = steps.add("other", expr)
    if rng.random() < 0.25:
        text = text.rsplit(". ", 1)[0] + f". How many {t.many} do they have together?"
        steps.add("total", f"{known} + {name}")
    return Story(text, steps.done())


def totals(rng: Rng) -> Story:
    """Numbers of several days, people or kinds; the sum, or two of them compared."""
    count, scene = rng.randint(2, 4), Scene(rng, alone=True)
    values = [num(rng, 2, rng.choice([30, 100, 600])) for _ in range(count)]
    ts = v.several(rng, count)
    t = v.thing(rng)
    verb = rng.choice(["sell", "make", "buy", "pick", "collect", "pack", "count", "deliver", "find"])
    kind = rng.choice(["days", "kinds", "people"])
    if kind == "days":
        days = rng.sample([*v.DAYS, *v.MONTHS], count)
        parts = [f"{n} {t.many if i == 0 or rng.random() < 0.5 else ''} {w} {d}"
                 for i, (n, d) in enumerate(zip(values, days, strict=True))
                 for w in ["in" if d in v.MONTHS else "on"]]  # fmt: skip
        fact = scene(f"[{{p}}|{{p}}|The {{place}}] &{verb} {{parts}}.", parts=listing(parts),
                     place=rng.choice(v.PLACES))  # fmt: skip
        what, labels = t.many, days
    elif kind == "kinds":
        parts = [f"{n} {x.many}" for n, x in zip(values, ts, strict=True)]
        fact = scene(
            f"[{{p}} &{verb} {{parts}}.|There are {{parts}} in a {{h}}.|{{p}} &have {{parts}}.|"
            "A {h} holds {parts}.|In the {place} there are {parts}.]",
            parts=listing(parts), h=v.holder(rng)[0], place=rng.choice(v.PLACES),
        )  # fmt: skip
        what, labels = rng.choice(["things", "items", "of them", "pieces"]), [x.many for x in ts]
        if what == "of them":
            what = ""
    else:
        labels = list({v.first_name(rng)[0]: 1 for _ in range(12)})[:count]
        parts = [f"{n} [has|has|got|found] {x}" for n, x in zip(labels, values, strict=True)]
        parts[0] += f" {t.many}"
        fact = scene(listing(parts) + ".")
        what = t.many
    steps = Steps()
    if rng.random() < 0.65:
        ask = scene("How many {w} is that [in all|altogether|in total|together]?|How many {w} are there [in all|altogether|in total]?"
                    "|What is the total [number of {w}|]?".join("[]"), w=what or "things")  # fmt: skip
        steps.add("total", " + ".join(map(str, values)))
    else:
        i, j = rng.sample(range(count), 2)
        i, j = (i, j) if values[i] >= values[j] else (j, i)
        way = "kinds" if kind == "kinds" else kind
        ask = {
            "kinds": f"How many more {labels[i]} than {labels[j]} are there?",
            "days": f"How many more {t.many} is that on {labels[i]} than on {labels[j]}?",
            "people": f"How many more does {labels[i]} have than {labels[j]}?",
        }[way]
        if kind == "days":
            words = ["in" if labels[k] in v.MONTHS else "on" for k in (i, j)]
            ask = f"How many more {t.many} {words[0]} {labels[i]} than {words[1]} {labels[j]}?"
        steps.add("difference", f"{values[i]} - {values[j]}")
    return Story(scene.tell([fact], ask), steps.done())


def part_whole(rng: Rng) -> Story:
    """A whole and all parts but one; the last part is asked."""
    scene, count = Scene(rng), rng.choice([1, 1, 2])
    parts = [num(rng, 2, 60) for _ in range(count)]
    whole = sum(parts) + num(rng, 2, 80)
    one, many = v.group(rng)
    ts = v.several(rng, count + 1)
    names, kinds = ([x.many for x in ts], v.thing(rng).many)
    if rng.random() < 0.4:
        pairs = [("girls", "boys"), ("adults", "children"), ("men", "women"), ("players", "coaches")]
        a, b = rng.choice(pairs)
        parts, whole = [parts[0]], parts[0] + num(rng, 2, 60)
        text = scene(
            "[There are {n} people [in the {place}|on the bus|at the party|in a club|in a hall].|A group has {n} people.|"
            "{n} people came to the {place}.] [{a_n} of them are {a}, [the rest|and the others] are {b}.|{a_n} are {a} and the rest are {b}.] "
            "How many {b} are [there|in the group|among them]?",
            n=whole, a_n=parts[0], a=a, b=b, place=rng.choice(v.PLACES),
        )  # fmt: skip
    else:
        told_parts = listing([f"{n} are {x}" for n, x in zip(parts, names, strict=False)])
        text = scene(
            "[There are {n} {kinds} in a {h}.|{p} %have {n} {kinds}.|A shop has {n} {kinds}.] "
            "[Of these|Of them|Among them], {parts} and the rest are {last}. How many are {last}?",
            n=whole, kinds="things" if rng.random() < 0.5 else "items", parts=told_parts,
            last=names[-1], h=v.holder(rng)[0],
        )  # fmt: skip
    steps = Steps()
    steps.add("rest", " - ".join(map(str, [whole, *parts])))
    return Story(text, steps.done())

"""Families of three to six steps: counts told by one another, journeys, budgets, parts of parts."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, listing, money
from scripts.small_solver.scene import Scene, num, times_word, told
from scripts.small_solver.story import Steps, Story


def groups_chain(rng: Rng) -> Story:
    """Counts of kinds told by one another, then a price or a number for each."""
    scene, steps = Scene(rng), Steps()
    x, y, z = v.several(rng, 3, rng.choice(["food", "animals", "plants", "supply"]))
    a, d, k = num(rng, 2, 40), num(rng, 1, 20), rng.randint(2, 4)
    facts = [scene("groups_chain.fact", a=a, x=x.many, place=rng.choice(v.PLACES))]
    facts.append(scene("groups_chain.fact2", times=times_word(rng, k), y=y.many, x=x.many))
    second = steps.add("second", f"{a} * {k}")
    more = rng.random() < 0.6
    d = d if more else min(d, a * k - 1)
    facts.append(
        scene("groups_chain.fact3", d=d, w="more" if more else "fewer", z=z.many, y=y.many)
    )
    third = steps.add("third", f"{second} {'+' if more else '-'} {d}")
    kind = rng.choice(["total", "third", "money", "legs"])
    if kind == "third":
        ask = f"How many {z.many} are there?"
    else:
        total = steps.add("total", f"{a} + {second} + {third}")
        ask = rng.choice(
            [
                "How many are there in all?",
                "How many are there altogether?",
                f"How many {x.many}, {y.many} and {z.many} are there in total?",
            ]
        )
        if kind == "money":
            c = num(rng, 2, 9)
            facts.append(scene("groups_chain.fact4", c=money(rng, c)))
            ask = rng.choice(
                [
                    "How much are all of them worth?",
                    "How much money is that in all?",
                    "What is the value of all of them?",
                ]
            )
            steps.add("money", f"{total} * {c}")
        elif kind == "legs":
            n = num(rng, 2, 9)
            facts.append(scene("groups_chain.fact5", n=n))
            if steps.value(total) % n:
                raise ValueError("does not come out")
            ask = (
                "How many are in each share?"
                if "share" in facts[-1]
                else "How many are in each group?"
            )
            steps.add("each", f"{total} / {n}")
    return Story(scene.tell(facts, ask), steps.done())


def journey(rng: Rng) -> Story:
    """Legs of a way on several days, told by one another; the rest of the way, or the total."""
    scene, steps = Scene(rng), Steps()
    unit, verb = rng.choice(
        [
            ("miles", "drive"),
            ("kilometers", "ride"),
            ("miles", "walk"),
            ("km", "run"),
            ("laps", "swim"),
            ("miles", "jog"),
        ]
    )
    a, k, d = num(rng, 3, 60), rng.randint(2, 4), num(rng, 1, 30)
    facts = [scene("journey.fact", verb=verb, a=a, u=unit)]
    second, phrase = rng.choice(
        [
            (f"{a} * {k}", f"{times_word(rng, k)} as many"),
            (f"{a} + {d}", f"{d} more than on Monday"),
            *([(f"{a} / 2", "half as many")] if a % 2 == 0 else []),
        ]
    )
    facts.append(scene("journey.fact2", verb=verb, phrase=phrase))
    two = steps.add("tuesday", second)
    total = f"{a} + {two}"
    if rng.random() < 0.5:
        b = num(rng, 2, 40)
        facts.append(scene("journey.fact3", verb=verb, b=b, u=unit))
        total += f" + {b}"
    done = steps.add("total", total)
    ask = scene("journey.ask", u=unit, verb=verb)
    kind = rng.random()
    if kind < 0.4:
        goal = int(steps.value(done)) + num(rng, 1, 60)
        facts.insert(0, scene("journey.fact4", verb=verb, g=goal, u=unit))
        ask = scene("journey.ask2", u=unit, verb=verb)
        steps.add("left", f"{goal} - {done}")
    elif kind < 0.55:
        days = 3 if "+" in total and total.count("+") == 2 else 2
        if steps.value(done) % days:
            raise ValueError("does not come out")
        ask = f"How many {unit} a day is that on average?"
        steps.add("average", f"{done} / {days}")
    return Story(scene.tell(facts, ask), steps.done())


def rest_shared(rng: Rng) -> Story:
    """Several holders, some used or sold, the rest shared equally."""
    scene, steps, t = Scene(rng), Steps(), v.thing(rng)
    _, hs = v.holder(rng)
    n, each, people, share = num(rng, 2, 12), num(rng, 3, 24), num(rng, 2, 10), num(rng, 2, 12)
    used = n * each - people * share
    if used < 1:
        raise ValueError("nothing is used")
    facts = [
        scene("rest_shared.fact", n=scene.n(n), hs=hs, t=t.many, e=each),
        scene("rest_shared.fact2", u=used, t=t.many, who=v.other(rng, scene.actor).name),
        scene(
            "rest_shared.fact3",
            k=scene.n(people, 0.4),
            who=rng.choice(["friends", "children", "neighbors", "cousins"]),
        ),
    ]
    total = steps.add("total", f"{n} * {each}")
    left = steps.add("left", f"{total} - {used}")
    steps.add("each", f"{left} / {people}")
    ask = scene("rest_shared.ask", t=t.many)
    return Story(scene.tell(facts, ask), steps.done())


def budget(rng: Rng) -> Story:
    """A monthly (weekly) income with several expenses, some told by others; what is saved."""
    scene, steps = Scene(rng), Steps()
    unit = rng.choice(["month", "week"])
    things = rng.sample(
        [
            "rent",
            "food",
            "clothes",
            "transport",
            "a gym",
            "books",
            "insurance",
            "gas",
            "phone",
            "internet",
        ],
        3,
    )
    a, b = num(rng, 20, 400), num(rng, 5, 200)
    facts, costs = (
        [scene("budget.text", a=money(rng, a), x=things[0], b=money(rng, b), y=things[1])],
        [str(a), str(b)],
    )
    if rng.random() < 0.6:
        how, expr = rng.choice(
            [
                ("twice as much as on", "{} * 2"),
                *([("half as much as on", "{} / 2")] if b % 2 == 0 else []),
                ("10 dollars more than on", "{} + 10"),
            ]
        )
        costs.append(steps.add("third", expr.format(b)))
        facts.append(scene("budget.fact", how=how, y=things[1], z=things[2]))
    spent = steps.add("spent", " + ".join(costs))
    income = int(steps.value(spent)) + num(rng, 5, 400)
    facts.insert(0, scene("budget.fact2", i=money(rng, income), u=unit))
    steps.add("left", f"{income} - {spent}")
    ask = scene("budget.ask", u=unit)
    if rng.random() < 0.4:
        n = num(rng, 2, 12)
        ask = scene("budget.ask2", n=n, u=unit)
        steps.add("saved", f"left * {n}")
    return Story(scene.tell(facts, ask), steps.done())


def team(rng: Rng) -> Story:
    """Points, goals, votes: by several people told by one another, or needed to win."""
    scene, steps = Scene(rng, alone=True, tense="past"), Steps()
    names = list({v.first_name(rng)[0]: 1 for _ in range(9)})[:3]
    what, verb = rng.choice(
        [
            ("points", "scored"),
            ("goals", "scored"),
            ("votes", "got"),
            ("miles", "ran"),
            ("cups of lemonade", "sold"),
            ("cookies", "baked"),
            ("dollars", "raised"),
            ("tickets", "sold"),
        ]
    )
    a, k, d = num(rng, 3, 60), rng.randint(2, 4), num(rng, 1, 30)
    facts = [
        f"{names[0]} {verb} {a} {what}.",
        scene("team.fact", q=names[1], p0=names[0], verb=verb, what=what, times=times_word(rng, k)),
    ]
    two = steps.add("second", f"{a} * {k}")
    base, value = rng.choice([(names[0], str(a)), (names[1], two)])
    more = rng.random() < 0.5
    d = d if more else min(d, int(steps.value(value)) - 1)
    facts.append(f"{names[2]} {verb} {d} {'more' if more else 'fewer'} than {base}.")
    three = steps.add("third", f"{value} {'+' if more else '-'} {d}")
    kind = rng.choice(["total", "total", "goal", "average"])
    total = steps.add("total", f"{a} + {two} + {three}")
    ask = rng.choice(
        [
            "How many {w} is that in all?",
            "How many {w} is that together?",
            "What is the total number of {w}?",
        ]
    ).format(w=what)
    if kind == "goal":
        goal = int(steps.value(total)) + num(rng, 1, 60)
        facts.append(f"Together they {'need' if rng.random() < 0.5 else 'want'} {goal} {what}.")
        ask = f"How many {what} are {'still missing' if rng.random() < 0.5 else 'missing'}?"
        steps.add("missing", f"{goal} - {total}")
    elif kind == "average":
        if steps.value(total) % 3:
            raise ValueError("does not come out")
        ask = f"What is the average number of {what}?"
        steps.add("average", f"{total} / 3")
    return Story(" ".join([*told(rng, facts, 0.1), ask]), steps.done())


def layers(rng: Rng) -> Story:
    """Parts of parts: a fraction of the people, of them a percentage, and so on."""
    scene, steps = Scene(rng), Steps()
    many, place = v.group(rng)[1], rng.choice(v.PLACES)
    d, percent = rng.choice([2, 3, 4, 5]), rng.choice([10, 20, 25, 40, 50, 60, 75])
    whole = d * 20 * num(rng, 1, 12)
    word = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth"}[d]
    x, y = rng.sample(
        [
            "are girls",
            "wear hats",
            "like music",
            "have a bike",
            "came by bus",
            "are new",
            "speak Spanish",
            "play tennis",
        ],
        2,
    )
    facts = [
        scene("layers.fact", w=whole, t=many, place=place),
        scene("layers.fact2", f=word, x=x, q=percent, y=y, t=many),
    ]
    part = steps.add("part", f"{whole} / {d}")
    if rng.random() < 0.6:
        steps.add("those", f"{part} * {percent} / 100")
        ask = f"How many {many} {x} and {y}?"
    else:
        those = steps.add("those", f"{part} * {percent} / 100")
        steps.add("others", f"{part} - {those}")
        ask = f"How many of the {many} who {x} do not belong to the {percent}%?"
    return Story(scene.tell(facts, ask), steps.done())


def mixture_of_buys(rng: Rng) -> Story:
    """A budget, several goods, and how many more of one kind the rest buys."""
    scene, steps = Scene(rng), Steps()
    x, y = v.several(rng, 2)
    n, c, d, k = num(rng, 2, 10), num(rng, 2, 20), num(rng, 2, 15), num(rng, 2, 12)
    cash = n * c + k * d
    facts = [
        scene("mixture_of_buys.fact", cash=money(rng, cash), who=v.other(rng, scene.actor).name),
        scene("mixture_of_buys.fact2", n=scene.n(n), x=x.many, c=money(rng, c)),
        scene("mixture_of_buys.fact3", y=y.many, d=money(rng, d)),
    ]
    cost = steps.add("cost", f"{n} * {c}")
    left = steps.add("left", f"{cash} - {cost}")
    steps.add("number", f"{left} / {d}")
    ask = scene("mixture_of_buys.ask", y=y.many)
    return Story(scene.tell(facts, ask), steps.done())


def listed(rng: Rng) -> Story:
    """Weights (lengths, times) of several groups of things: so many of so much each, in all."""
    scene, steps = Scene(rng), Steps()
    unit, verb = rng.choice(
        [
            ("kg", "weighs"),
            ("pounds", "weighs"),
            ("minutes", "takes"),
            ("cm", "is"),
            ("grams", "weighs"),
            ("points", "is worth"),
            ("cents", "costs"),
            ("calories", "has"),
        ]
    )
    goods = v.several(rng, rng.randint(2, 3))
    counts, each = [num(rng, 2, 12) for _ in goods], [num(rng, 2, 30) for _ in goods]
    tail = " long" if unit == "cm" else ""
    had = listing([f"{n} {x.many}" for n, x in zip(counts, goods, strict=True)])
    facts = [f"{scene('listed.fact')} {had}."]
    facts += [f"Each {x.one} {verb} {e} {unit}{tail}." for x, e in zip(goods, each, strict=True)]
    names = [
        steps.add(f"part{i}", f"{n} * {e}")
        for i, (n, e) in enumerate(zip(counts, each, strict=True), 1)
    ]
    steps.add("total", " + ".join(names))
    ask = rng.choice(
        [
            f"How many {unit} is that in all?",
            f"What is the total in {unit}?",
            f"How many {unit} is that altogether?",
        ]
    )
    return Story(scene.tell(facts, ask), steps.done())

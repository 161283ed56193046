"""Families of three to six steps: plans, earnings with expenses, parties, harvests, journeys."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, listing, money
from scripts.small_solver.scene import Scene, either, num, times_word, told
from scripts.small_solver.story import Steps, Story


def two_incomes(rng: Rng) -> Story:
    """Two jobs or two goods, then expenses; what is left, or how long until a goal."""
    scene, steps, facts = Scene(rng), Steps(), []
    names = []
    for place in rng.sample(v.PLACES, 2):
        w, h = num(rng, 5, 30), num(rng, 2, 20)
        facts.append(scene("[{he} %work {h} hours [a week|] at the {place} for {w} an hour.|At the {place}, {he} %earn {w} an hour and %work {h} hours.|{he} %get {w} an hour at the {place}, where {he} %work {h} hours.]", h=h, place=place, w=money(rng, w)))
        names.append(steps.add("job", f"{h} * {w}"))
    facts.insert(0, scene("[{p} %have two jobs.|{p} %work at two places.]"))
    total = steps.add("total", " + ".join(names))
    kind = rng.choice(["total", "spent", "part"])
    ask = scene("[How much [money|] %do {he} earn [in all|altogether|]?|What are {his} earnings in total?|How much is that together?]")
    if kind == "spent":
        c = num(rng, 5, int(steps.value(total)) - 1)
        facts.append(scene("[{he} %spend {c} on [rent|food|clothes|a phone].|{he} %give {c} to {who}.|{he} %pay {c} in taxes.]", c=money(rng, c), who=v.other(rng, scene.actor).name))
        ask = scene("[How much [money|] is left?|How much %do {he} have left?]")
        steps.add("left", f"{total} - {c}")
    elif kind == "part":
        percent = rng.choice([10, 20, 25, 50])
        facts.append(scene("[{he} %save {x}% of it.|{he} %put {x}% of it in the bank.|{he} %pay {x}% of it for rent.]", x=percent))
        part = steps.add("part", f"{total} * {percent} / 100")
        if rng.random() < 0.5:
            ask = scene("[How much is that?|How much money is {x}% of it?|How many dollars is that part?]", x=percent)
        else:
            ask = "How much money is left after that?"
            steps.add("left", f"{total} - {part}")
    return Story(scene.tell(facts, ask), steps.done())


def party(rng: Rng) -> Story:
    """Guests who each need so many of something that comes in packs at a price."""
    scene, steps = Scene(rng), Steps()
    guests, each, pack, price = num(rng, 4, 40), num(rng, 1, 4) + 1, num(rng, 4, 24), num(rng, 2, 15)
    t = v.thing(rng, rng.choice(["food", "supply"]))
    h, hs = rng.choice([("pack", "packs"), ("box", "boxes"), ("bag", "bags"), ("tray", "trays")])
    facts = [
        scene("[{p} %invite {g} guests [to a party|].|{p} %plan a party for {g} people.|{g} people come to {ps} party.]", g=guests),
        scene("[Each [guest|person|one] [gets|eats|needs] {e} {t}.|{he} %want to give everyone {e} {t}.]".replace("[gets|eats|needs]", rng.choice(["gets", "needs"])), e=scene.n(each), t=t.many),
        scene("[The {t} come in {hs} of {k}.|A {h} has {k} {t}.|There are {k} {t} in a {h}.]", t=t.many, hs=hs, h=h, k=pack),
    ]
    need = steps.add("needed", f"{guests} * {each}")
    packs = steps.add("packs", f"-(-{need} // {pack})")
    ask = scene("[How many {hs} %do {he} need?|How many {hs} must {he} buy?|How many {hs} are needed?]", hs=hs)
    if rng.random() < 0.55:
        facts.append(scene("[Each {h} costs {c}.|A {h} costs {c}.|One {h} is {c}.]", h=h, c=money(rng, price)))
        ask = scene("[How much %do {he} [pay|spend] [for them|]?|How much do the {hs} cost [in all|]?|What is the total cost?]", hs=hs)
        steps.add("cost", f"{packs} * {price}")
    return Story(scene.tell(facts, ask), steps.done())


def harvest(rng: Rng) -> Story:
    """Rows of plants with so much on each, sold at a price, shared or packed."""
    scene, steps = Scene(rng), Steps()
    rows, per, each = num(rng, 2, 15), num(rng, 2, 20), num(rng, 2, 30)
    plant, fruit = rng.choice([("apple trees", "apples"), ("tomato plants", "tomatoes"), ("bushes", "berries"), ("pear trees", "pears"), ("vines", "pumpkins"), ("lemon trees", "lemons"), ("plants", "peppers")])
    facts = [
        scene("[{p} %have {a} rows of {b} {plant}.|{p} %plant {a} rows of {plant} with {b} in each row.|There are {a} rows with {b} {plant} each in {ps} garden.]", a=scene.n(rows), b=per, plant=plant),
        scene("[Each plant gives {e} {f}.|Every one of them has {e} {f}.|Each of them gives {e} {f}.]", e=each, f=fruit),
    ]
    count = steps.add("plants", f"{rows} * {per}")
    total = steps.add("fruit", f"{count} * {each}")
    amount = int(steps.value(total))
    kind = rng.choice(["total", "sold", "eaten", "packed"])
    if kind == "sold":
        c = num(rng, 1, 5)
        facts.append(scene("{he} %sell all {f} for {c} each.", f=fruit, c=money(rng, c)))
        ask = scene("[How much [money|] %do {he} get?|How much %do {he} earn?|How much money is that?]")
        steps.add("money", f"{total} * {c}")
    elif kind == "eaten":
        b = num(rng, 1, amount - 1)
        facts.append(scene("[{he} %keep {b} of them and %sell the rest.|{b} of the {f} are bad.|{he} %give {b} {f} to {who}.]", b=b, f=fruit, who=v.other(rng, scene.actor).name))
        ask = scene("[How many {f} are left?|How many {f} is the rest?]", f=fruit)
        steps.add("left", f"{total} - {b}")
    elif kind == "packed":
        size = next((x for x in (12, 10, 8, 6, 5, 4, 3, 2) if amount % x == 0), 1)
        if size == 1:
            raise ValueError("does not come out")
        facts.append(scene("[{he} %put them in boxes of {s}.|They are packed in boxes of {s}.]", s=size))
        ask = scene("[How many boxes are there?|How many boxes %do {he} fill?|How many boxes are needed?]")
        steps.add("boxes", f"{total} / {size}")
    else:
        ask = scene("[How many {f} are there [in all|]?|How many {f} %do {he} get?]", f=fruit)
    return Story(scene.tell(facts, ask), steps.done())


def reading(rng: Rng) -> Story:
    """A book (a way, a job) in parts: so much done, the rest at so much a day."""
    scene, steps = Scene(rng), Steps()
    verb, unit, what = rng.choice([("read", "pages", "a book"), ("paint", "meters", "a fence"), ("learn", "words", "a list"), ("walk", "miles", "a trail"), ("solve", "problems", "a worksheet"), ("knit", "rows", "a scarf"), ("watch", "episodes", "a series")])
    done, each, days = num(rng, 3, 80), num(rng, 2, 30), num(rng, 2, 15)
    whole = done + each * days
    facts = [scene("[{what} has {w} {u}.|{p} %have {what} of {w} {u}.]", what=what, w=whole, u=unit)]
    if rng.random() < 0.5:
        facts.append(scene("[{p} %have already done {d} [of them|{u}].|On the first day, {p} %" + verb + " {d} [of them|{u}].|{p} %" + verb + " {d} {u} on {day}.]", d=done, u=unit, day=rng.choice(v.DAYS)))
        left = steps.add("left", f"{whole} - {done}")
    else:
        k = rng.randint(2, 4)
        first = max(1, done // (k + 1))
        whole = first * (k + 1) + each * days
        facts = [scene("[{what} has {w} {u}.|{p} %have {what} of {w} {u}.]", what=what, w=whole, u=unit)]
        facts.append(scene("[On {x}, {p} %" + verb + " {a} {u}, and on {y} {times} as many.|{p} %" + verb + " {a} {u} on {x} and {times} as many on {y}.]", x="Monday", y="Tuesday", a=first, u=unit, times=times_word(rng, k)))
        second = steps.add("second", f"{first} * {k}")
        done_so_far = steps.add("done", f"{first} + {second}")
        left = steps.add("left", f"{whole} - {done_so_far}")
    ask = scene("[How many {u} are left?|How many {u} %do {he} still have to {verb}?]", u=unit, verb=verb)
    if rng.random() < 0.65:
        facts.append(scene("[Now {he} %" + verb + " {e} {u} [a|every|each] day.|From then on, {he} %" + verb + " {e} {u} a day.|{he} %want to do the rest with {e} {u} a day.]", e=scene.n(each), u=unit))
        ask = scene("[How many [more|] days %do {he} need?|How many days will the rest take?|[In|After] how many days %be {he} done?]")
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
    facts = [scene("[{who} {makes} {r} {t} [an hour|per hour|every hour] and works {h} hours a day.|{who} {makes} {r} {t} [an hour|per hour] for {h} hours a day.]", who=who, makes=makes, r=rate, t=t.many, h=scene.n(hours))]
    total = steps.add("daily", either(rng, rate, "*", hours))
    if days > 1:
        total = steps.add("total", f"{total} * {days}")
    when = f"in {scene.n(days)} days" if days > 1 else rng.choice(["in a day", "a day", "per day"])
    amount = int(steps.value(total))
    kind = rng.choice(["total", "bad", "percent", "sold"])
    if kind == "bad":
        b = num(rng, 1, amount - 1)
        facts.append(scene("{when}, {b} of them are [broken|thrown away|given away|bad].", when=when.replace("a day", "in a day").replace("in in", "in").replace("per day", "each day"), b=b))
        ask = scene("How many {t} are left [to sell|]?", t=t.many)
        steps.add("left", f"{total} - {b}")
    elif kind == "percent":
        x = rng.choice([5, 10, 20, 25, 50])
        facts.append(scene("[{x}% of them are [bad|broken|sent back].|{x} percent of the {t} [are thrown away|cannot be sold].]", x=x, t=t.many))
        bad = steps.add("bad", f"{total} * {x} / 100")
        ask = f"How many good {t.many} does that leave {when}?"
        steps.add("left", f"{total} - {bad}")
    elif kind == "sold":
        c = num(rng, 2, 20)
        facts.append(scene("[Each of them is sold for {c}.|They are sold for {c} each.]", c=money(rng, c)))
        ask = scene("[How much money is that {when}?|How much money comes in {when}?]".replace("comes in {when}", "is made {when}"), when=when)
        steps.add("money", f"{total} * {c}")
    else:
        ask = f"How many {t.many} is that {when}?"
    return Story(scene.tell(facts, ask), steps.done())


def groups_chain(rng: Rng) -> Story:
    """Counts of kinds told by one another, then a price or a number for each."""
    scene, steps = Scene(rng), Steps()
    x, y, z = v.several(rng, 3, rng.choice(["food", "animals", "plants", "supply"]))
    a, d, k = num(rng, 2, 40), num(rng, 1, 20), rng.randint(2, 4)
    facts = [scene("[{p} %have {a} {x}.|There are {a} {x} [on a farm|in a shop|in the {place}].|{p} %count {a} {x}.]", a=a, x=x.many, place=rng.choice(v.PLACES))]
    facts.append(scene("[There are {times} as many {y} as {x}.|The number of {y} is {times} the number of {x}.|{he} %have {times} as many {y}.]".replace("%have {times} as many {y}", "%have {times} as many {y} as {x}"), times=times_word(rng, k), y=y.many, x=x.many))
    second = steps.add("second", f"{a} * {k}")
    more = rng.random() < 0.6
    d = d if more else min(d, a * k - 1)
    facts.append(scene("[There are {d} {w} {z} than {y}.|There are also {z}, {d} {w} than {y}.]", d=d, w="more" if more else "fewer", z=z.many, y=y.many))
    third = steps.add("third", f"{second} {'+' if more else '-'} {d}")
    kind = rng.choice(["total", "third", "money", "legs"])
    if kind == "third":
        ask = f"How many {z.many} are there?"
    else:
        total = steps.add("total", f"{a} + {second} + {third}")
        ask = rng.choice(["How many are there in all?", "How many are there altogether?", f"How many {x.many}, {y.many} and {z.many} are there in total?"])
        if kind == "money":
            c = num(rng, 2, 9)
            facts.append(scene("Each of them [costs|is worth] {c}.", c=money(rng, c)))
            ask = rng.choice(["How much are all of them worth?", "How much money is that in all?", "What is the value of all of them?"])
            steps.add("money", f"{total} * {c}")
        elif kind == "legs":
            n = num(rng, 2, 9)
            facts.append(scene("[They are put into {n} equal groups.|{n} people share all of them equally.]", n=n))
            if steps.value(total) % n:
                raise ValueError("does not come out")
            ask = "How many are in each share?" if "share" in facts[-1] else "How many are in each group?"
            steps.add("each", f"{total} / {n}")
    return Story(scene.tell(facts, ask), steps.done())


def journey(rng: Rng) -> Story:
    """Legs of a way on several days, told by one another; the rest of the way, or the total."""
    scene, steps = Scene(rng), Steps()
    unit, verb = rng.choice([("miles", "drive"), ("kilometers", "ride"), ("miles", "walk"), ("km", "run"), ("laps", "swim"), ("miles", "jog")])
    a, k, d = num(rng, 3, 60), rng.randint(2, 4), num(rng, 1, 30)
    facts = [scene("[On Monday {p} %" + verb + " {a} {u}.|{p} %" + verb + " {a} {u} on Monday.]", a=a, u=unit)]
    second, phrase = rng.choice([(f"{a} * {k}", f"{times_word(rng, k)} as many"), (f"{a} + {d}", f"{d} more than on Monday"), *([(f"{a} / 2", "half as many")] if a % 2 == 0 else [])])
    facts.append(scene("[On Tuesday {he} %" + verb + " {phrase}.|The next day it &be {phrase}.]", phrase=phrase))
    two = steps.add("tuesday", second)
    total = f"{a} + {two}"
    if rng.random() < 0.5:
        b = num(rng, 2, 40)
        facts.append(scene("[On Wednesday {he} %" + verb + " {b} {u}.|On Wednesday {he} %do another {b}.]", b=b, u=unit))
        total += f" + {b}"
    done = steps.add("total", total)
    ask = scene("[How many {u} is that in all?|How many {u} %do {he} {verb} in total?|How far %do {he} {verb} altogether?]".replace("How far", "How far" if unit != "laps" else "How many laps"), u=unit, verb=verb)
    kind = rng.random()
    if kind < 0.4:
        goal = int(steps.value(done)) + num(rng, 1, 60)
        facts.insert(0, scene("[{p} %want to {verb} {g} {u} [in all|].|{ps} goal is {g} {u}.]", verb=verb, g=goal, u=unit))
        ask = scene("[How many {u} are left?|How many more {u} are there to {verb}?|How many {u} %do {he} still have to {verb}?]", u=unit, verb=verb)
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
    h, hs = v.holder(rng)
    n, each, people, share = num(rng, 2, 12), num(rng, 3, 24), num(rng, 2, 10), num(rng, 2, 12)
    used = n * each - people * share
    if used < 1:
        raise ValueError("nothing is used")
    facts = [
        scene("[{p} %buy {n} {hs} of {t} with {e} in each.|{p} %have {n} {hs} with {e} {t} each.|There are {n} {hs} of {e} {t}.]", n=scene.n(n), hs=hs, t=t.many, e=each),
        scene("[{he} %use {u} of them.|{he} %keep {u} {t}.|{he} %give {u} [{t}|of them] to {who}.|{u} of the {t} are bad.]", u=used, t=t.many, who=v.other(rng, scene.actor).name),
        scene("[The rest is shared equally among {k} {who}.|{k} {who} share the rest equally.|{he} %share the others equally among {k} {who}.]", k=scene.n(people, 0.4), who=rng.choice(["friends", "children", "neighbors", "cousins"])),
    ]
    total = steps.add("total", f"{n} * {each}")
    left = steps.add("left", f"{total} - {used}")
    steps.add("each", f"{left} / {people}")
    ask = scene("[How many {t} does each [of them|one|] get?|How many does each of them get?]", t=t.many)
    return Story(scene.tell(facts, ask), steps.done())


def budget(rng: Rng) -> Story:
    """A monthly (weekly) income with several expenses, some told by others; what is saved."""
    scene, steps = Scene(rng), Steps()
    unit = rng.choice(["month", "week"])
    things = rng.sample(["rent", "food", "clothes", "transport", "a gym", "books", "insurance", "gas", "phone", "internet"], 3)
    a, b = num(rng, 20, 400), num(rng, 5, 200)
    facts, costs = [scene("{he} %spend {a} on {x}[ and {b} on {y}|, {b} on {y}].", a=money(rng, a), x=things[0], b=money(rng, b), y=things[1])], [str(a), str(b)]
    if rng.random() < 0.6:
        how, expr = rng.choice([("twice as much as on", "{} * 2"), *([("half as much as on", "{} / 2")] if b % 2 == 0 else []), ("10 dollars more than on", "{} + 10")])
        costs.append(steps.add("third", expr.format(b)))
        facts.append(scene("{he} %spend {how} {y} on {z}.", how=how, y=things[1], z=things[2]))
    spent = steps.add("spent", " + ".join(costs))
    income = int(steps.value(spent)) + num(rng, 5, 400)
    facts.insert(0, scene("[{p} %earn {i} a {u}.|{ps} income is {i} a {u}.|{p} %get {i} [every|each] {u}.]", i=money(rng, income), u=unit))
    steps.add("left", f"{income} - {spent}")
    ask = scene("[How much [money|] is left [each {u}|]?|How much %do {he} save [each {u}|a {u}]?|How much %do {he} have left?]", u=unit)
    if rng.random() < 0.4:
        n = num(rng, 2, 12)
        ask = scene("[How much %do {he} save in {n} {u}s?|How much money is left over in {n} {u}s?]", n=n, u=unit)
        steps.add("saved", f"left * {n}")
    return Story(scene.tell(facts, ask), steps.done())


def team(rng: Rng) -> Story:
    """Points, goals, votes: by several people told by one another, or needed to win."""
    scene, steps = Scene(rng, alone=True, tense="past"), Steps()
    names = list({v.first_name(rng)[0]: 1 for _ in range(9)})[:3]
    what, verb = rng.choice([("points", "scored"), ("goals", "scored"), ("votes", "got"), ("miles", "ran"), ("cups of lemonade", "sold"), ("cookies", "baked"), ("dollars", "raised"), ("tickets", "sold")])
    a, k, d = num(rng, 3, 60), rng.randint(2, 4), num(rng, 1, 30)
    facts = [f"{names[0]} {verb} {a} {what}.", scene("{q} {verb} {times} as many [{what}|] as {p0}.", q=names[1], p0=names[0], verb=verb, what=what, times=times_word(rng, k))]
    two = steps.add("second", f"{a} * {k}")
    base, value = rng.choice([(names[0], str(a)), (names[1], two)])
    more = rng.random() < 0.5
    d = d if more else min(d, int(steps.value(value)) - 1)
    facts.append(f"{names[2]} {verb} {d} {'more' if more else 'fewer'} than {base}.")
    three = steps.add("third", f"{value} {'+' if more else '-'} {d}")
    kind = rng.choice(["total", "total", "goal", "average"])
    total = steps.add("total", f"{a} + {two} + {three}")
    ask = rng.choice(["How many {w} is that in all?", "How many {w} is that together?", "What is the total number of {w}?"]).format(w=what)
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
    x, y = rng.sample(["are girls", "wear hats", "like music", "have a bike", "came by bus", "are new", "speak Spanish", "play tennis"], 2)
    facts = [scene("There are {w} {t} [in|at] the {place}.", w=whole, t=many, place=place), scene("[{f} of them {x}, and {q}% of those {y}.|{f} of the {t} {x}. Of these, {q}% {y}.]", f=word, x=x, q=percent, y=y, t=many)]
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
    facts = [scene("[{p} %have {cash}.|{p} %go to the shop with {cash}.|{p} %get {cash} from {who}.]", cash=money(rng, cash), who=v.other(rng, scene.actor).name),
             scene("[{he} %buy {n} {x} for {c} each.|{he} %spend {s} on {x}.]".replace("|{he} %spend {s} on {x}.", ""), n=scene.n(n), x=x.many, c=money(rng, c)),
             scene("[With the rest of the money, {he} %buy {y} for {d} each.|{he} %use the rest for {y} at {d} each.]", y=y.many, d=money(rng, d))]  # fmt: skip
    cost = steps.add("cost", f"{n} * {c}")
    left = steps.add("left", f"{cash} - {cost}")
    steps.add("number", f"{left} / {d}")
    ask = scene("[How many {y} %do {he} [get|buy]?|How many {y} can {he} buy?]", y=y.many)
    return Story(scene.tell(facts, ask), steps.done())


def listed(rng: Rng) -> Story:
    """Weights (lengths, times) of several groups of things: so many of so much each, in all."""
    scene, steps = Scene(rng), Steps()
    unit, verb = rng.choice([("kg", "weighs"), ("pounds", "weighs"), ("minutes", "takes"), ("cm", "is"), ("grams", "weighs"), ("points", "is worth"), ("cents", "costs"), ("calories", "has")])
    goods = v.several(rng, rng.randint(2, 3))
    counts, each = [num(rng, 2, 12) for _ in goods], [num(rng, 2, 30) for _ in goods]
    tail = " long" if unit == "cm" else ""
    facts = [f"{scene('{p} %have')} {listing([f'{n} {x.many}' for n, x in zip(counts, goods, strict=True)])}."]
    facts += [f"Each {x.one} {verb} {e} {unit}{tail}." for x, e in zip(goods, each, strict=True)]
    names = [steps.add(f"part{i}", f"{n} * {e}") for i, (n, e) in enumerate(zip(counts, each, strict=True), 1)]
    steps.add("total", " + ".join(names))
    ask = rng.choice([f"How many {unit} is that in all?", f"What is the total in {unit}?", f"How many {unit} is that altogether?"])
    return Story(scene.tell(facts, ask), steps.done())

"""Families about money: prices, change, savings, discounts, profit, coins, wages."""

from __future__ import annotations

from fractions import Fraction

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, listing, money
from scripts.small_solver.scene import Scene, either, num, times_word, told
from scripts.small_solver.story import Steps, Story


def _amount(value: Fraction) -> str:
    """The number as a program spells it: 5 or 2.5."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):g}"


def _price(rng: Rng, low: int = 1, high: int = 40) -> Fraction:
    """A price: mostly whole, now and then with cents."""
    whole = Fraction(num(rng, low, high))
    if rng.random() < 0.18:
        return whole + rng.choice([Fraction(1, 2), Fraction(1, 4), Fraction(3, 4), Fraction(1, 5)])
    return whole


def _good(rng: Rng) -> tuple[str, str]:
    if rng.random() < 0.45:
        pairs = (
            "ticket/tickets movie ticket/movie tickets bottle of juice/bottles of juice loaf of bread/loaves of bread "
            "pair of socks/pairs of socks cup of tea/cups of tea gallon of milk/gallons of milk pound of rice/pounds of rice "
            "book/books notebook/notebooks ice cream/ice creams bus ride/bus rides can of paint/cans of paint "
            "pack of gum/packs of gum bag of flour/bags of flour kilogram of cheese/kilograms of cheese meter of cloth/meters of cloth "
            "hour of parking/hours of parking night at the hotel/nights at the hotel lesson/lessons coffee/coffees"
        )
        import re

        found = re.findall(r"([a-z ]+?)/([a-z ]+?s\b(?: of [a-z]+| at the hotel| creams)?)(?= |$)", pairs)
        one, many = rng.choice(found)
        return one.strip(), many.strip()
    t = v.thing(rng)
    return t.one, t.many


def cost(rng: Rng) -> Story:
    """A price and a number: the cost; or cost and number: the price; or how many one can buy."""
    scene, (one, many) = Scene(rng), _good(rng)
    n, c = num(rng, 2, 30), _price(rng)
    steps, kind = Steps(), rng.choice(["cost", "cost", "cost", "price", "number"])
    total = n * c
    slots: dict[str, object] = {"n": scene.n(n), "c": money(rng, c), "one": one, "many": many, "total": money(rng, total)}
    if kind == "cost":
        text = scene(
            "[{p} %buy {n} {many} [for|at] {c} each.|A {one} costs {c}. {p} %buy {n} [of them|{many}|].|{p} %buy {n} {many} that cost {c} each.|"
            "One {one} costs {c}. {p} %need {n}.|The price of a {one} is {c}. {p} %want {n} of them.|{p} %get {n} {many} at {c} per {one}.|"
            "{many} cost {c} each, and {p} %buy {n}.] "
            "[How much %do {he} [pay|spend] [in all|altogether|in total|]?|How much [do the {many}|does that] cost [in all|]?|What is the total [cost|price]?|"
            "How much money is that?|How many dollars %do {he} [spend|pay|need]?|What %do {he} have to pay?]" if rng.random() < 0.65 else
            "[A {one} costs {c}.|One {one} is {c}.|{many} are {c} each.|The price of one {one} is {c}.] "
            "[How much do {n} {many} cost [in all|]?|How much are {n} {many}?|What is the price of {n} {many}?|How much does {p} pay for {n} {many}?|"
            "What do {n} of them cost?]".replace("{p} pay", "one pay"),
            **slots,
        )
        steps.add("cost", f"{n} * {_amount(c)}" if rng.random() < 0.7 else f"{_amount(c)} * {n}")
    elif kind == "price":
        text = scene(
            "[{n} {many} cost {total} [in all|together|].|{p} %pay {total} for {n} {many}.|{p} %buy {n} {many} for {total} [in all|].] "
            "[How much does [one|each|a] {one} cost?|What is the price of one {one}?|How much is one {one}?|How much %do {he} pay for each {one}?]",
            **slots,
        )
        steps.add("price", f"{_amount(total)} / {n}")
    else:
        rest = rng.randint(0, int(c) - 1) if c.denominator == 1 and c > 1 and rng.random() < 0.5 else 0
        slots["total"] = money(rng, total + rest)
        text = scene(
            "[{p} %have {total}. A {one} costs {c}.|A {one} costs {c}, and {p} %have {total}.|{many} cost {c} each. {p} %have {total} to spend.] "
            "[How many {many} can {he} buy?|How many of them can {he} buy [with {total}|]?|How many {many} can be bought?]",
            **slots,
        )
        steps.add("number", f"{_amount(total + rest)} // {_amount(c)}" if c.denominator == 1 else f"{_amount(total)} / {_amount(c)}")
    return Story(text, steps.done())


def _bought(scene: Scene, steps: Steps, count: int) -> tuple[list[str], list[str], Fraction]:
    """What was bought, as texts; the costs as names or numbers; their sum."""
    rng, texts, costs, total = scene.rng, [], [], Fraction(0)
    for _ in range(count):
        (one, many), c = _good(rng), _price(rng)
        if rng.random() < 0.4:
            texts.append(scene("[{A} {one} [for|that costs|at] {c}]", A="a", one=one, c=money(rng, c)).lower())
            costs.append(_amount(c))
            total += c
            continue
        n = num(rng, 2, 15)
        texts.append(scene("[{n} {many} [for|at] {c} each|{n} {many} that cost {c} each|{n} {many} at {c} [a piece|per {one}]]",
                           n=scene.n(n), many=many, one=one, c=money(rng, c)).lower())  # fmt: skip
        costs.append(steps.add("cost", f"{n} * {_amount(c)}"))
        total += n * c
    return texts, costs, total


def basket(rng: Rng, low: int = 2, high: int = 3) -> Story:
    """Several things at a price each: total, change, or what is missing."""
    scene, steps = Scene(rng), Steps()
    texts, costs, total = _bought(scene, steps, rng.randint(low, high))
    fact = scene("{p} %buy {goods} [at the {place}|].", goods=listing(texts), place=rng.choice(v.PLACES + ["shop"] * 9))
    sum_of = " + ".join(costs)
    kind = rng.choice(["total", "total", "change", "missing"])
    if kind == "total":
        steps.add("total", sum_of)
        ask = scene("[How much %do {he} [pay|spend] [in all|altogether|in total|]?|What is the total [cost|price|]?|How much money %do {he} spend?|What %do {p} pay in all?|How much does everything cost?]")
        return Story(scene.tell([fact], ask), steps.done())
    spent = steps.add("total", sum_of)
    if kind == "change":
        cash = total + num(rng, 1, 60)
        if rng.random() < 0.4:
            cash = Fraction(next((x for x in (5, 10, 20, 50, 100, 200, 500) if x > total), int(total) + 50))
        paid = scene("[{he} %pay with {cash}.|{he} %give the cashier {cash}.|{he} %have {cash}.|{he} %pay with [a {cash} bill|{cash}].]", cash=money(rng, cash))
        before = scene("{p} %have {cash}.", cash=money(rng, cash))
        ask = scene("[How much change %do {he} get [back|]?|How much money %do {he} have left?|How much [money|] is left?|What is {his} change?]")
        if rng.random() < 0.4:
            facts, ask = [before, fact], scene("[How much money %do {he} have left?|How much is left?|How much money %do {he} have now?]")
        else:
            facts = [fact, paid]
        steps.add("change", f"{_amount(cash)} - {spent}")
    else:
        cash = Fraction(num(rng, 1, max(1, int(total) - 1)))
        if cash >= total:
            raise ValueError("nothing is missing")
        facts = [scene("{p} %want to buy {goods}.", goods=listing(texts)), scene("[{he} %have [only|] {cash}.|{he} already %have {cash}.|{he} %have saved {cash} so far.]", cash=money(rng, cash))]
        ask = scene("[How much more [money|] %do {he} need?|How many more dollars %do {he} need?|How much [money|] is [still|] missing?]")
        steps.add("missing", f"{spent} - {_amount(cash)}")
    return Story(scene.tell(facts, ask), steps.done())


def basket_long(rng: Rng) -> Story:
    return basket(rng, 3, 4)


def wallet(rng: Rng) -> Story:
    """Money that comes and goes, without prices a piece."""
    scene, steps = Scene(rng), Steps()
    value = num(rng, 20, 400)
    facts = [scene("[{p} %have {a} [in {his} wallet|in {his} piggy bank|]. |{p} %start with {a}.|{p} %get {a} from {who}.|{p} %have saved {a}.]",
                   a=money(rng, value), who=v.other(rng, scene.actor).name)]  # fmt: skip
    expr = str(value)
    for _ in range(rng.randint(1, 3)):
        gain = rng.random() < 0.3 or value < 5
        b = num(rng, 2, 100) if gain else num(rng, 1, value - 1)
        t = v.thing(rng)
        pattern = (
            "[{he} %earn {b} more.|{who} &give {him} {b}.|{he} %get {b} for {his} birthday.|{he} %earn {b} by [mowing lawns|washing cars|walking dogs|babysitting].|{he} %find {b}.]"
            if gain
            else "[{he} %spend {b} on [{A} {one}|{many}|food|lunch|a gift|bus tickets].|{he} %buy {A} {one} for {b}.|{he} %give {b} to {who}.|{he} %pay {b} for [lunch|dinner|a book|a haircut].|{he} %lend {who} {b}.]"
        )
        facts.append(scene(pattern, A="a", b=money(rng, b), one=t.one, many=t.many, who=v.other(rng, scene.actor).name))
        value += b if gain else -b
        expr = steps.add("left", f"{expr} {'+' if gain else '-'} {b}")
    ask = scene("[How much [money|] %do {he} have [left|now]?|How much [money|] is left?|How many dollars %do {he} have [now|left]?|How much %do {he} have in the end?]")
    return Story(scene.tell(facts, ask), steps.done())


def savings(rng: Rng) -> Story:
    """A goal, what is there, and so much a week: how many weeks, or how much after so many."""
    scene, steps = Scene(rng), Steps()
    each, weeks, have = num(rng, 2, 50), num(rng, 2, 24), rng.choice([0, num(rng, 5, 150)])
    unit = rng.choice(["week", "week", "month", "day"])
    t = rng.choice(["bike", "phone", "guitar", "game", "trip", "camera", "tablet", "skateboard", "computer", "tent", "present", "pair of skates", v.thing(rng).one])
    if rng.random() < 0.6:
        goal = each * weeks + have
        parts = [scene("[{p} %want to buy a {t} [for|that costs] {goal}.|{p} %be saving for a {t} that costs {goal}.|A {t} costs {goal}. {p} %want to buy it.|{p} %need {goal} for a {t}.]", t=t, goal=money(rng, goal))]
        if have:
            parts.append(scene("[{he} already %have {have}.|{he} %have {have} [saved|] [so far|already|].]", have=money(rng, have)))
        parts.append(scene("[{he} %save {each} [a|each|every|per] {unit}.|{he} %put aside {each} every {unit}.|{he} can save {each} a {unit}.]", each=money(rng, each), unit=unit))
        ask = scene("[How many {unit}s %do {he} need?|[In|After] how many {unit}s can {he} buy it?|How many {unit}s does it take?|How many {unit}s [%do|will] {he} have to save?]".replace("[%do|will]", "%do"), unit=unit)
        left = steps.add("missing", f"{goal} - {have}") if have else str(goal)
        steps.add("weeks", f"{left} / {each}")
        return Story(scene.tell(parts, ask), steps.done())
    parts = [scene("[{p} %save {each} [a|each|every|per] {unit}.|Every {unit} {p} %put {each} in {his} piggy bank.|{p} %earn {each} a {unit} and %save all of it.]", each=money(rng, each), unit=unit)]
    if have:
        parts.insert(0, scene("{p} %have {have} [in the bank|already|saved|].", have=money(rng, have)))
    ask = scene("[How much [money|] [%do|does] {he} have after {n} {unit}s?|How much is that after {n} {unit}s?|How much [money|] %do {he} have in {n} {unit}s?]".replace("[%do|does]", "%do"), n=scene.n(weeks), unit=unit)
    saved = steps.add("saved", either(rng, each, "*", weeks))
    if have:
        steps.add("total", f"{saved} + {have}")
    return Story(scene.tell(parts, ask), steps.done())


def wages(rng: Rng) -> Story:
    """So much an hour, for so many hours a day, for so many days; perhaps something is spent."""
    scene, steps = Scene(rng), Steps()
    wage, hours, days = num(rng, 5, 40), num(rng, 2, 10), num(rng, 2, 7)
    rate = scene("[{p} %earn {w} [an hour|per hour|for every hour|each hour].|{p} %be paid {w} [an hour|per hour].|{p} %make {w} [an hour|per hour] [working at the {place}|].|{ps} pay is {w} [an hour|per hour].]",
                 w=money(rng, wage), place=rng.choice(v.PLACES))  # fmt: skip
    if rng.random() < 0.4:
        ask = scene("[How much %do {he} earn [in|for] {h} hours?|How much [money|] %do {he} [make|get] for {h} hours of work?|{he} %work {h} hours. How much %do {he} earn?]", h=scene.n(hours * rng.choice([1, 2, 3]), 0))
        hours = int(next(word for word in ask.replace(".", " ").split() if word.isdigit()))
        steps.add("pay", either(rng, wage, "*", hours))
        return Story(f"{rate} {ask}", steps.done())
    work = scene("[{he} %work {h} hours [a|each|every|per] day, {d} days a week.|{he} %work {h} hours a day for {d} days.|{he} %work {d} days this week, {h} hours [each|a] day.]", h=scene.n(hours), d=scene.n(days))
    weeks = num(rng, 2, 8) if "a week" in work and rng.random() < 0.4 else 1
    daily = steps.add("hours", either(rng, hours, "*", days))
    pay = steps.add("pay", f"{daily} * {wage}")
    when = f"in {weeks} weeks" if weeks > 1 else rng.choice(["in a week", "a week", "in one week", "that week"]) if "week" in work else ""
    if weeks > 1:
        pay = steps.add("pay", f"{pay} * {weeks}")
    ask = scene("[How much [money|] %do {he} earn {when} [in all|]?|How much %do {he} make {when}?|What %do {he} earn {when}?]", when=when)
    if rng.random() < 0.3:
        c = num(rng, 1, int(steps.value(pay)) - 1)
        work += scene("[ {he} %spend {c} of it.| {he} %pay {c} for [rent|food|a bus pass].]", c=money(rng, c)).join([" ", ""])
        ask = scene("[How much [money|] is left?|How much [money|] %do {he} have left {when}?]", when="")
        steps.add("left", f"{pay} - {c}")
    return Story(" ".join([*told(rng, [rate, work], 0.2), ask]), steps.done())


def discount(rng: Rng) -> Story:
    """A price goes down or up, by a percentage or an amount."""
    scene, steps = Scene(rng), Steps()
    item = rng.choice([v.thing(rng, "clothes").one, "bike", "lamp", "table", "phone", "game", "chair", "camera", "watch", "book", "radio", "backpack", "pair of boots", "jacket", "meal", "ticket"])
    percent = rng.choice([5, 10, 15, 20, 25, 30, 40, 50, 60, 75])
    price = num(rng, 2, 30) * rng.choice([4, 5, 10, 20])
    if (price * percent) % 100 and rng.random() < 0.8:
        price = price * 100 // 20
    kind = rng.choice(["off", "off", "off", "saved", "more", "amount"])
    slots: dict[str, object] = {"A": "a", "item": item, "c": money(rng, price), "x": f"{percent}%"}
    if kind == "amount":
        now = num(rng, 1, price - 1)
        text = scene("[{A} {item} [cost|was] {c} and now costs {now}.|The price of {A} {item} [fell|was lowered|went down] from {c} to {now}.|{p} paid {now} for {A} {item} that usually costs {c}.] "
                     "[By how much [was the price reduced|did the price fall]?|How much [cheaper|less] is [it|that]?|How much [money|] was saved?]", now=money(rng, now), **slots)  # fmt: skip
        steps.add("saved", f"{price} - {now}")
        return Story(text, steps.done())
    if kind == "more":
        text = scene("[{A} {item} costs {c}. The price goes up by {x}.|The price of {A} {item} was {c}. It [rose|went up] by {x}.|{A} {item} costs {c} [plus|and] {x} [tax|is added as tax].|A meal costs {c}. {p} %add a tip of {x}.] "
                     "[What is the [new|total] price?|How much is [it|that] [now|in all]?|How much must be paid [now|in all]?]", **slots)  # fmt: skip
        steps.add("more", f"{price} * {percent} / 100")
        steps.add("price", f"{price} + more")
        return Story(text, steps.done())
    head = scene("[{A} {item} costs {c}. [It is on sale for|There is a discount of|It is] {x} [off|off today].|{A} {item} that costs {c} is {x} off.|The [regular|usual|normal] price of {A} {item} is {c}. [Today it is {x} cheaper|It is reduced by {x}|{p} %get {x} off].|"
                 "{p} %buy {A} {item} that costs {c} with a {x} discount.|A shop gives a {x} discount on {A} {item} of {c}.]".replace("There is a discount of|It is] {x} [off|off today]", "It is] {x} off"), **slots)  # fmt: skip
    if kind == "saved":
        steps.add("saved", f"{price} * {percent} / 100")
        return Story(head + scene("[ How much [money|] is saved?| How [much|many dollars] is the discount?| By how much is the price reduced?]").replace("many dollars is", "much is").join([" ", ""]), steps.done())
    ask = scene("[What is the [sale|new|reduced|final|discounted] price [in dollars|]?|How much [does it cost|is it] [now|after the discount]?|How much %do {he} pay?|What is the price [now|after the discount]?]")
    if rng.random() < 0.55:
        steps.add("saved", f"{price} * {percent} / 100")
        steps.add("price", f"{price} - saved")
    else:
        steps.add("price", f"{price} * {100 - percent} / 100")
    return Story(f"{head} {ask}", steps.done())


def profit(rng: Rng) -> Story:
    """Bought for so much, sold for so much."""
    scene, t, steps = Scene(rng), v.thing(rng), Steps()
    n, buy = num(rng, 2, 40), num(rng, 1, 20)
    sell = buy + num(rng, 1, 20)
    if rng.random() < 0.5:
        text = scene("[{p} %buy {n} {t} for {b} each and %sell them for {s} each.|{p} %make {n} {t}. Each costs {b} to make and is sold for {s}.|{p} %sell {n} {t} at {s} each. [Making|Buying] one costs {him} {b}.] "
                     "[How much [profit|money] %do {he} make?|What is {his} profit?|How much %do {he} [gain|earn] [in all|]?]", n=scene.n(n), t=t.many, b=money(rng, buy), s=money(rng, sell))  # fmt: skip
        if rng.random() < 0.5:
            steps.add("gain", f"{sell} - {buy}")
            steps.add("profit", f"gain * {n}")
        else:
            steps.add("income", f"{n} * {sell}")
            steps.add("cost", f"{n} * {buy}")
            steps.add("profit", "income - cost")
        return Story(text, steps.done())
    spent = num(rng, 1, n * sell - 1)
    text = scene("[{p} %sell {n} {t} for {s} each. {he} %spend {c} on [materials|ingredients|supplies].|{p} %spend {c} on supplies. {he} then %sell {n} {t} at {s} each.] "
                 "[How much [profit|money] %do {he} make?|What is {his} profit?|How much money is left [for {him}|]?]", n=scene.n(n), t=t.many, c=money(rng, spent), s=money(rng, sell))  # fmt: skip
    steps.add("income", f"{n} * {sell}")
    steps.add("profit", f"income - {spent}")
    return Story(text, steps.done())


def groups_pay(rng: Rng) -> Story:
    """Adults and children pay different prices; or a bill is shared."""
    scene, steps = Scene(rng), Steps()
    a, b, c, d = num(rng, 2, 8), num(rng, 2, 12), num(rng, 5, 40), num(rng, 2, 20)
    if rng.random() < 0.6:
        (one, ones), (two, twos) = rng.sample([("adult", "adults"), ("child", "children"), ("student", "students"), ("senior", "seniors"), ("teacher", "teachers"), ("member", "members")], 2)
        text = scene("[A ticket [for|costs] {A} {one} [costs|] {c} and a ticket for {A} {two} {d}.|Tickets cost {c} for {ones} and {d} for {twos}.|{A} {one} pays {c} and {A} {two} pays {d} [at the {place}|to get in|].|Each {one} pays {c}, and each {two} pays {d}.] "
                     "[How much do {a} {ones} and {b} {twos} pay [in all|together|]?|How much is that for {a} {ones} and {b} {twos}?|{a} {ones} and {b} {twos} come. How much do they pay [in all|altogether]?]".replace("[for|costs] {A} {one} [costs|]", "for {A} {one} costs"),
                     A="a", one=one, ones=ones, two=two, twos=twos, a=scene.n(a), b=scene.n(b), c=money(rng, c), d=money(rng, d), place=rng.choice(v.PLACES))  # fmt: skip
        steps.add("first", f"{a} * {c}")
        steps.add("second", f"{b} * {d}")
        steps.add("total", "first + second")
        return Story(text, steps.done())
    each, n = num(rng, 2, 40), num(rng, 2, 10)
    extra = num(rng, 1, 20)
    text = scene("[{n} friends share a [bill|dinner bill|taxi fare|present] of {t} equally.|A [meal|present|trip] costs {t}. {n} friends [share|split] the cost equally.|{n} people pay {t} together, each the same [amount|].] "
                 "[How much does each [of them|one|person|] pay?|What is each one's [share|part]?]", n=scene.n(n, 0.6), t=money(rng, each * n))  # fmt: skip
    steps.add("each", f"{each * n} / {n}")
    if rng.random() < 0.3:
        text = text.rsplit(". ", 1)[0] + f". One of them also pays {money(rng, extra)} for a drink. How much does that one pay in all?"
        steps.add("total", f"each + {extra}")
    return Story(text, steps.done())


def coins(rng: Rng) -> Story:
    """Coins and bills: what they are worth, in cents or dollars."""
    scene, steps = Scene(rng), Steps()
    kinds = rng.sample([("pennies", 1), ("nickels", 5), ("dimes", 10), ("quarters", 25)], rng.randint(1, 3))
    bills = rng.random() < 0.3
    if bills:
        kinds = [(f"${x} bills", x) for x in rng.sample([1, 5, 10, 20, 50], rng.randint(1, 3))]
    counts = [num(rng, 2, 20) for _ in kinds]
    unit = "dollars" if bills else "cents"
    text = scene("[{p} %have {parts}.|There are {parts} in {ps} [pocket|piggy bank|wallet].|{p} %find {parts}.] [How many {unit} is that?|How many {unit} %do {he} have?|What is that worth in {unit}?]",
                 parts=listing([f"{n} {k}" for n, (k, _) in zip(counts, kinds, strict=True)]), unit=unit)  # fmt: skip
    names = [steps.add(f"part{i}", f"{n} * {x}") for i, (n, (_, x)) in enumerate(zip(counts, kinds, strict=True), 1)]
    if len(names) > 1:
        steps.add("total", " + ".join(names))
    return Story(text, steps.done())


def price_relation(rng: Rng) -> Story:
    """A price told by another: twice as much, 5 dollars more; the total for both."""
    scene, steps = Scene(rng), Steps()
    x, y = v.several(rng, 2, "clothes" if rng.random() < 0.4 else "")
    c, d, k = num(rng, 2, 60), num(rng, 1, 30), rng.randint(2, 5)
    how, expr = rng.choice([
        (f"{money(rng, d)} more than the {x.one}", f"{c} + {d}"),
        (f"{times_word(rng, k)} as much as the {x.one}", f"{c} * {k}"),
        (f"{money(rng, min(d, c - 1))} less than the {x.one}", f"{c} - {min(d, c - 1)}"),
        (f"half as much as the {x.one}", f"{c} / 2"),
    ])  # fmt: skip
    steps.add("second", expr)
    head = scene("[{A} {x} costs {c}. {A} {y} costs {how}.|{p} %buy {A} {x} for {c} and {A} {y} that costs {how}.|The {x} costs {c}, and the {y} costs {how}.]",
                 A="a", x=x.one, y=y.one, c=money(rng, c), how=how)  # fmt: skip
    if rng.random() < 0.35:
        return Story(head + scene(" How much does the {y} cost?", y=y.one).join([" ", ""]), steps.done())
    steps.add("total", f"{c} + second")
    return Story(head + scene("[How much do [both|they] cost together?|How much is that [in all|altogether]?|What is the total [cost|price]?|How much do the two cost in all?]").join([" ", ""]), steps.done())

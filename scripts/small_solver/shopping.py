"""Families about money: prices, change, savings, discounts, profit, coins, wages."""

from __future__ import annotations

from fractions import Fraction

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, listing, money
from scripts.small_solver.scene import Scene, num, times_word
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


_GOODS = [
    "ticket",
    "movie ticket",
    "bottle of juice/bottles of juice",
    "loaf of bread/loaves of bread",
    "pair of socks/pairs of socks",
    "cup of tea/cups of tea",
    "gallon of milk/gallons of milk",
    "pound of rice/pounds of rice",
    "book",
    "notebook",
    "ice cream",
    "bus ride",
    "can of paint/cans of paint",
    "pack of gum/packs of gum",
    "bag of flour/bags of flour",
    "kilogram of cheese/kilograms of cheese",
    "meter of cloth/meters of cloth",
    "lesson",
    "coffee",
    "hour of parking/hours of parking",
    "night at the hotel/nights at the hotel",
]


def _good(rng: Rng) -> tuple[str, str]:
    if rng.random() < 0.45:
        return v.plural(rng.choice(_GOODS))
    t = v.thing(rng)
    return t.one, t.many


def cost(rng: Rng) -> Story:
    """A price and a number: the cost; or cost and number: the price; or how many one can buy."""
    scene, (one, many) = Scene(rng), _good(rng)
    n, c = num(rng, 2, 30), _price(rng)
    steps, kind = Steps(), rng.choice(["cost", "cost", "cost", "price", "number"])
    total = n * c
    slots: dict[str, object] = {
        "n": scene.n(n),
        "c": money(rng, c),
        "one": one,
        "many": many,
        "total": money(rng, total),
    }
    if kind == "cost":
        text = scene(
            "cost.text" if rng.random() < 0.65 else "cost.text2",
            **slots,
        )
        steps.add("cost", f"{n} * {_amount(c)}" if rng.random() < 0.7 else f"{_amount(c)} * {n}")
    elif kind == "price":
        text = scene(
            "cost.text3",
            **slots,
        )
        steps.add("price", f"{_amount(total)} / {n}")
    else:
        rest = (
            rng.randint(0, int(c) - 1) if c.denominator == 1 and c > 1 and rng.random() < 0.5 else 0
        )
        slots["total"] = money(rng, total + rest)
        text = scene(
            "cost.text4",
            **slots,
        )
        steps.add(
            "number",
            f"{_amount(total + rest)} // {_amount(c)}"
            if c.denominator == 1
            else f"{_amount(total)} / {_amount(c)}",
        )
    return Story(text, steps.done())


def _bought(scene: Scene, steps: Steps, count: int) -> tuple[list[str], list[str], Fraction]:
    """What was bought, as texts; the costs as names or numbers; their sum."""
    rng, texts, costs, total = scene.rng, [], [], Fraction(0)
    for _ in range(count):
        (one, many), c = _good(rng), _price(rng)
        if rng.random() < 0.4:
            texts.append(scene("bought.fact", A="a", one=one, c=money(rng, c)).lower())
            costs.append(_amount(c))
            total += c
            continue
        n = num(rng, 2, 15)
        texts.append(
            scene("bought.fact2", n=scene.n(n), many=many, one=one, c=money(rng, c)).lower()
        )
        costs.append(steps.add("cost", f"{n} * {_amount(c)}"))
        total += n * c
    return texts, costs, total


def basket(rng: Rng, low: int = 2, high: int = 3) -> Story:
    """Several things at a price each: total, change, or what is missing."""
    scene, steps = Scene(rng), Steps()
    texts, costs, total = _bought(scene, steps, rng.randint(low, high))
    fact = scene("basket.fact", goods=listing(texts), place=rng.choice(v.PLACES + ["shop"] * 9))
    sum_of = " + ".join(costs)
    kind = rng.choice(["total", "total", "change", "missing"])
    if kind == "total":
        steps.add("total", sum_of)
        ask = scene("basket.ask")
        return Story(scene.tell([fact], ask), steps.done())
    spent = steps.add("total", sum_of)
    if kind == "change":
        cash = total + num(rng, 1, 60)
        if rng.random() < 0.4:
            cash = Fraction(
                next((x for x in (5, 10, 20, 50, 100, 200, 500) if x > total), int(total) + 50)
            )
        paid = scene("basket.paid", cash=money(rng, cash))
        before = scene("basket.before", cash=money(rng, cash))
        ask = scene("basket.ask2")
        if rng.random() < 0.4:
            facts, ask = [before, fact], scene("basket.text")
        else:
            facts = [fact, paid]
        steps.add("change", f"{_amount(cash)} - {spent}")
    else:
        cash = Fraction(num(rng, 1, max(1, int(total) - 1)))
        if cash >= total:
            raise ValueError("nothing is missing")
        facts = [
            scene("basket.fact2", goods=listing(texts)),
            scene("basket.fact3", cash=money(rng, cash)),
        ]
        ask = scene("basket.ask3")
        steps.add("missing", f"{spent} - {_amount(cash)}")
    return Story(scene.tell(facts, ask), steps.done())


def basket_long(rng: Rng) -> Story:
    return basket(rng, 3, 4)


def discount(rng: Rng) -> Story:
    """A price goes down or up, by a percentage or an amount."""
    scene, steps = Scene(rng), Steps()
    item = rng.choice(
        [
            v.thing(rng, "clothes").one,
            "bike",
            "lamp",
            "table",
            "phone",
            "game",
            "chair",
            "camera",
            "watch",
            "book",
            "radio",
            "backpack",
            "pair of boots",
            "jacket",
            "meal",
            "ticket",
        ]
    )
    percent = rng.choice([5, 10, 15, 20, 25, 30, 40, 50, 60, 75])
    price = num(rng, 2, 30) * rng.choice([4, 5, 10, 20])
    if (price * percent) % 100 and rng.random() < 0.8:
        price = price * 100 // 20
    kind = rng.choice(["off", "off", "off", "saved", "more", "amount"])
    slots: dict[str, object] = {"A": "a", "item": item, "c": money(rng, price), "x": f"{percent}%"}
    if kind == "amount":
        now = num(rng, 1, price - 1)
        text = scene("discount.text", now=money(rng, now), **slots)
        steps.add("saved", f"{price} - {now}")
        return Story(text, steps.done())
    if kind == "more":
        text = scene("discount.text2", **slots)
        steps.add("more", f"{price} * {percent} / 100")
        steps.add("price", f"{price} + more")
        return Story(text, steps.done())
    head = scene("discount.head", **slots)
    if kind == "saved":
        steps.add("saved", f"{price} * {percent} / 100")
        return Story(head + " " + scene("discount.ask"), steps.done())
    ask = scene("discount.ask2")
    if rng.random() < 0.55:
        steps.add("saved", f"{price} * {percent} / 100")
        steps.add("price", f"{price} - saved")
    else:
        steps.add("price", f"{price} * {100 - percent} / 100")
    return Story(f"{head} {ask}", steps.done())


def groups_pay(rng: Rng) -> Story:
    """Adults and children pay different prices; or a bill is shared."""
    scene, steps = Scene(rng), Steps()
    a, b, c, d = num(rng, 2, 8), num(rng, 2, 12), num(rng, 5, 40), num(rng, 2, 20)
    if rng.random() < 0.6:
        (one, ones), (two, twos) = rng.sample(
            [
                ("adult", "adults"),
                ("child", "children"),
                ("student", "students"),
                ("senior", "seniors"),
                ("teacher", "teachers"),
                ("member", "members"),
            ],
            2,
        )
        text = scene(
            "groups_pay.text",
            A="a",
            one=one,
            ones=ones,
            two=two,
            twos=twos,
            a=scene.n(a),
            b=scene.n(b),
            c=money(rng, c),
            d=money(rng, d),
            place=rng.choice(v.PLACES),
        )
        steps.add("first", f"{a} * {c}")
        steps.add("second", f"{b} * {d}")
        steps.add("total", "first + second")
        return Story(text, steps.done())
    each, n = num(rng, 2, 40), num(rng, 2, 10)
    extra = num(rng, 1, 20)
    text = scene("groups_pay.text2", n=scene.n(n, 0.6), t=money(rng, each * n))
    steps.add("each", f"{each * n} / {n}")
    if rng.random() < 0.3:
        more = f"One of them also pays {money(rng, extra)} for a drink."
        text = f"{text.rsplit('. ', 1)[0]}. {more} How much does that one pay in all?"
        steps.add("total", f"each + {extra}")
    return Story(text, steps.done())


def price_relation(rng: Rng) -> Story:
    """A price told by another: twice as much, 5 dollars more; the total for both."""
    scene, steps = Scene(rng), Steps()
    x, y = v.several(rng, 2, "clothes" if rng.random() < 0.4 else "")
    c, d, k = num(rng, 2, 60), num(rng, 1, 30), rng.randint(2, 5)
    how, expr = rng.choice(
        [
            (f"{money(rng, d)} more than the {x.one}", f"{c} + {d}"),
            (f"{times_word(rng, k)} as much as the {x.one}", f"{c} * {k}"),
            (f"{money(rng, min(d, c - 1))} less than the {x.one}", f"{c} - {min(d, c - 1)}"),
            (f"half as much as the {x.one}", f"{c} / 2"),
        ]
    )
    steps.add("second", expr)
    head = scene("price_relation.head", A="a", x=x.one, y=y.one, c=money(rng, c), how=how)
    if rng.random() < 0.35:
        return Story(head + f" How much does the {y.one} cost?", steps.done())
    steps.add("total", f"{c} + second")
    return Story(f"{head} " + scene("price_relation.ask"), steps.done())

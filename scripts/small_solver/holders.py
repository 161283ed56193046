"""Families about equal groups: so many in each, shared out, left over, boxes needed."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng
from scripts.small_solver.scene import Scene, either, num, times_word, told
from scripts.small_solver.story import Steps, Story

# What holds what, and a verb for it: (one holder, many holders, one thing, many things, verb).
_HOLDS = [
    tuple(line.split(","))
    for line in """
box,boxes,pencil,pencils,hold
box,boxes,chocolate,chocolates,contain
carton,cartons,egg,eggs,hold
bus,buses,passenger,passengers,carry
van,vans,child,children,carry
table,tables,guest,guests,seat
row,rows,seat,seats,have
row,rows,chair,chairs,have
row,rows,tree,trees,have
shelf,shelves,book,books,hold
page,pages,photo,photos,hold
page,pages,word,words,have
floor,floors,room,rooms,have
room,rooms,window,windows,have
classroom,classrooms,desk,desks,have
class,classes,student,students,have
team,teams,player,players,have
tent,tents,camper,campers,sleep
boat,boats,person,people,carry
car,cars,wheel,wheels,have
spider,spiders,leg,legs,have
tricycle,tricycles,wheel,wheels,have
dog,dogs,leg,legs,have
insect,insects,leg,legs,have
hand,hands,finger,fingers,have
week,weeks,day,days,have
pizza,pizzas,slice,slices,have
cake,cakes,candle,candles,have
vase,vases,flower,flowers,hold
bouquet,bouquets,rose,roses,have
shirt,shirts,button,buttons,have
jacket,jackets,pocket,pockets,have
pack,packs,battery,batteries,contain
deck,decks,card,cards,contain
album,albums,song,songs,have
tray,trays,muffin,muffins,hold
plate,plates,cookie,cookies,hold
crate,crates,bottle,bottles,hold
bag,bags,marble,marbles,hold
jar,jars,bean,beans,hold
cage,cages,rabbit,rabbits,hold
tank,tanks,fish,fish,hold
truck,trucks,crate,crates,carry
train car,train cars,passenger,passengers,hold
necklace,necklaces,bead,beads,need
branch,branches,apple,apples,have
nest,nests,egg,eggs,have
hive,hives,bee,bees,have
building,buildings,apartment,apartments,have
house,houses,door,doors,have
book,books,chapter,chapters,have
chapter,chapters,page,pages,have
game,games,round,rounds,have
roll,rolls,stamp,stamps,contain
ladder,ladders,step,steps,have
fence,fences,post,posts,have
wall,walls,picture,pictures,have
""".strip().splitlines()
]
_WHO = "friends children students classmates neighbors cousins people kids players workers".split()


def _pair(rng: Rng) -> tuple[str, str, v.Thing]:
    """A holder and what it holds: half of them pairs that belong together."""
    if rng.random() < 0.55:
        one, many, thing, things, _ = rng.choice(_HOLDS)
        return one, many, v.Thing(thing, things, ("buy", "get"), ("use", "lose"))
    one, many = v.holder(rng)
    return one, many, v.thing(rng)


_HOLDING = (
    "[{A} {h} {verb} {b} {t}.|Each {h} {verb} {b} {t}.|There are {b} {t} in [each|a|every|one] {h}.|"
    "Every {h} {verb} {b} {t}.|{b} {t} fit [in|into] [a|one|each] {h}.|One {h} {verb} {b} {t}.]"
)


def _holding(scene: Scene, h: str, t: v.Thing, b: int) -> str:
    rng = scene.rng
    verb = rng.choice(["holds", "has", "contains", "can hold"])
    for one, _, thing, _, own in _HOLDS:
        if (one, thing) == (h, t.one):
            verb = "has" if own == "have" else f"{own}s"
            pattern = _HOLDING if own in ("hold", "carry", "sleep", "seat") else _HOLDING.replace(
                "|{b} {t} fit [in|into] [a|one|each] {h}.", "")  # fmt: skip
            verb = "carries" if own == "carry" else verb
            return scene(pattern, A="a", h=h, verb=verb, b=scene.n(b), t=t.many)
    return scene(_HOLDING, A="a", h=h, verb=verb, b=scene.n(b), t=t.many)


def in_all(rng: Rng) -> Story:
    """So many holders with so many in each: the product, then something added or taken away."""
    h, hs, t = _pair(rng)
    scene = Scene(rng)
    a, b = num(rng, 2, rng.choice([12, 30, 100])), num(rng, 2, rng.choice([12, 24, 60, 150]))
    steps, kind = Steps(), rng.random()
    each = _holding(scene, h, t, b)
    many = scene("[{p} %have {a} {hs}.|There are {a} {hs}.|{p} %buy {a} {hs}.|{p} %fill {a} {hs}.|{p} %see {a} {hs}.]",
                 a=scene.n(a), hs=hs)  # fmt: skip
    asks = (
        "[How many {t} are [there|] in {a} {hs}?|How many {t} are [there|] in {a} [such|of these] {hs}?|"
        "How many {t} [do {a} {hs} have|can {a} {hs} hold|are in {a} full {hs}]?|"
        "What is the number of {t} in {a} {hs}?]"
    )
    open_ask = (
        "[How many {t} are there [in all|altogether|in total|]?|How many {t} %do {he} have [in all|altogether|]?|"
        "How many {t} is that [in total|]?|What is the total number of {t}?|Find the number of {t}.]"
    )
    steps.add("total", either(rng, a, "*", b))
    if kind < 0.45:
        return Story(scene.tell([each], scene(asks, a=scene.n(a), hs=hs, t=t.many), 0.06), steps.done())
    if kind < 0.7:
        facts = told(rng, [many, each], 0.4)
        if rng.random() < 0.3:
            facts = [scene("[{p} %have|There are|{p} %buy] {a} {hs} [of {b} {t}|with {b} {t} in each|of {b} {t} each|with {b} {t} each].",
                           a=scene.n(a), b=scene.n(b), hs=hs, t=t.many)]  # fmt: skip
        return Story(scene.tell(facts, scene(open_ask, t=t.many)), steps.done())
    facts = told(rng, [many, each], 0.3)
    if kind < 0.85:
        c = num(rng, 2, 60)
        facts.append(scene("[There are also {c} loose {t}.|{he} also %have {c} [other|loose|more] {t}.|"
                           "{c} [more|other] {t} are not in [a|any] {h}.|{he} %get {c} more {t}.]",
                           c=scene.n(c), t=t.many, h=h))  # fmt: skip
        steps.add("with_more", f"total + {c}")
    else:
        c = num(rng, 1, a * b - 1)
        facts.append(scene("[{c} of [the {t}|them] are [broken|gone|bad|missing|taken].|{he} %use {c} of the {t}.|"
                           "{he} %give {c} {t} to {who}.|{he} %take out {c} {t}.]",
                           c=scene.n(c), t=t.many, who=v.other(rng, scene.actor).name))  # fmt: skip
        steps.add("left", f"total - {c}")
        open_ask = "[How many {t} are left?|How many {t} %do {he} have left?|How many {t} remain?|How many good {t} are there [now|]?]".replace("good ", "")
    return Story(scene.tell(facts, scene(open_ask, t=t.many)), steps.done())


def two_kinds_of_holders(rng: Rng) -> Story:
    """Two products, added or compared: 3 boxes of 12 red and 4 bags of 15 blue."""
    scene = Scene(rng)
    (_, h1), (_, h2) = v.holder(rng), v.holder(rng)
    t = v.thing(rng)
    x, y = v.several(rng, 2)
    a, b, c, d = (num(rng, 2, 15) for _ in range(4))
    same = rng.random() < 0.5
    n1, n2 = (t.many, t.many) if same else (x.many, y.many)
    what = t.many if same else rng.choice(["things", "items", "of these"])
    facts = scene(
        "[{p} %buy|{p} %have|There are|{p} %pack|{p} %get] {a} {h1} [of|with] {b} {n1} [each|] and {c} {h2} [of|with] {d} {n2} [each|].",
        a=scene.n(a), b=b, c=scene.n(c), d=d, h1=h1, h2=h2, n1=n1, n2=n2,
    )  # fmt: skip
    steps = Steps()
    one, two = steps.add("first", f"{a} * {b}"), steps.add("second", f"{c} * {d}")
    if not same and rng.random() < 0.35:
        more = (n1, n2, one, two) if a * b >= c * d else (n2, n1, two, one)
        ask = f"How many more {more[0]} than {more[1]} are there?"
        steps.add("difference", f"{more[2]} - {more[3]}")
    else:
        what = "of them" if what == "of these" else what
        ask = scene("[How many {w} is that [in all|altogether]?|How many {w} are there [in total|in all]?|How many {w} %do {he} have [in all|altogether]?]",
                    w=what if what != "of them" else "things")  # fmt: skip
        steps.add("total", f"{one} + {two}")
    return Story(scene.tell([facts], ask), steps.done())


def nested(rng: Rng) -> Story:
    """Holders in holders: so many times so many times so many."""
    scene, t = Scene(rng), v.thing(rng)
    (h, hs), (k, ks) = v.holder(rng), rng.choice([("room", "rooms"), ("truck", "trucks"), ("store", "stores"), ("shelf", "shelves"), ("table", "tables"), ("day", "days")])
    a, b, c = num(rng, 2, 12), num(rng, 2, 12), num(rng, 2, 30)
    text = scene(
        "[There are {a} {ks}, each with {b} {hs}. Each {h} has {c} {t}.|{p} %have {a} {ks}. [Each|Every] {k} has {b} {hs}, and each {h} has {c} {t}.|"
        "Each {k} has {b} {hs} with {c} {t} in each {h}. There are {a} {ks}.] How many {t} are there [in all|altogether|in total|in {a} {ks}]?",
        a=scene.n(a), b=scene.n(b), c=scene.n(c), h=h, hs=hs, k=k, ks=ks, t=t.many,
    )  # fmt: skip
    steps = Steps()
    if rng.random() < 0.5:
        steps.add("total", f"{a} * {b} * {c}")
    else:
        steps.add("holders", f"{a} * {b}")
        steps.add("total", f"holders * {c}")
    return Story(text, steps.done())


def shared(rng: Rng) -> Story:
    """A number shared equally: how much each, or how many shares."""
    scene, (h, hs, t) = Scene(rng), _pair(rng)
    b, c = num(rng, 2, 15), num(rng, 2, rng.choice([12, 40, 100]))
    a, who = b * c, rng.choice(_WHO)
    slots: dict[str, object] = {"a": a, "b": scene.n(b, 0.4), "c": scene.n(c), "t": t.many, "h": h, "hs": hs, "who": who}
    equally = rng.choice(["equally", "evenly", "fairly"])
    each = rng.random() < 0.55
    if each:
        text = scene(
            "[{p} %share {a} {t} " + equally + " [among|between] {b} {who}.|{b} {who} share {a} {t} " + equally + ".|"
            "{a} {t} are [shared|divided|split] " + equally + " among {b} {who}.|{b} {who} have {a} {t} and want to share them " + equally + ".|"
            "{p} %have {a} {t}. {he} %give them to {b} {who} so that each gets the same number.] "
            "[How many {t} does each [of them|one|person|] get?|How many does each [of them|one] [get|receive]?|How many {t} [are there for each|will each one have]?]",
            **slots,
        ) if rng.random() < 0.6 else scene(
            "[{p} %put {a} {t} equally into {b} {hs}.|{a} {t} are in {b} {hs}, the same number in each.|There are {a} {t} in {b} equal {hs}.|"
            "{b} {hs} hold {a} {t} in all, the same number each.|{a} {t} are divided equally into {b} {hs}.] "
            "[How many {t} are [there|] in [each|one|every] {h}?|How many {t} does each {h} have?|How many {t} are in a {h}?]",
            **slots,
        )  # fmt: skip
        expr = f"{a} / {b}"
    else:
        text = scene(
            "[{p} %pack {a} {t} in {hs} of {b}.|{p} %have {a} {t} and %put {b} in each {h}.|{p} %put {a} {t} into {hs} with {b} [{t}|] in each.|"
            "A {h} holds {b} {t}. {p} %have {a} {t}.|{p} %make groups of {b} from {a} {t}, one for each {h}.|There are {a} {t}. {b} {t} go into each {h}.] "
            "[How many {hs} %do {he} [need|fill|use]?|How many {hs} are [there|needed|filled]?|How many {hs} is that?]",
            **slots,
        )
        expr = f"{a} / {b}"
    steps = Steps()
    steps.add("each" if each else "groups", expr)
    return Story(text, steps.done())


def leftover(rng: Rng) -> Story:
    """A division that does not come out: full holders, what is left over, holders needed."""
    scene, (h, hs, t) = Scene(rng), _pair(rng)
    b = num(rng, 3, rng.choice([10, 30]))
    a = b * num(rng, 2, 20) + rng.randint(1, b - 1)
    slots: dict[str, object] = {"a": a, "b": b, "t": t.many, "h": h, "hs": hs, "who": rng.choice(_WHO)}
    steps, kind = Steps(), rng.choice(["full", "rest", "rest", "need", "need"])
    head = (
        "[A {h} holds {b} {t}. {p} %have {a} {t}.|{p} %pack {a} {t} in {hs} of {b}.|{p} %have {a} {t} and %put {b} in each {h}.|"
        "{b} {t} fit into a {h}. There are {a} {t}.]"
    )
    if kind == "full":
        ask = "[How many full {hs} %do {he} [get|have]?|How many {hs} can {he} fill [completely|]?|How many {hs} are full?]"
        steps.add("full", f"{a} // {b}")
    elif kind == "rest":
        ask = "[How many {t} are left [over|]?|How many {t} do not fit?|How many {t} remain?|How many {t} are not in a full {h}?]"
        if rng.random() < 0.5:
            head = (
                "[{p} %share {a} {t} equally among {b} {who}. Each gets as many as possible.|{p} %have {a} {t} for {b} {who}. Everyone gets the same number.|"
                "{a} {t} are divided equally among {b} {who}, as many as possible for each.]"
            )
            ask = "[How many {t} are left [over|]?|How many are left over?|How many {t} remain?]"
        steps.add("rest", f"{a} % {b}")
    else:
        ask = "[How many {hs} are needed [for all [of them|{t}]|]?|How many {hs} %do {he} need [for all {t}|]?|What is the smallest number of {hs} that is enough?|How many {hs} must there be [so that all {t} fit|]?]"
        steps.add("needed", f"-(-{a} // {b})")
    return Story(scene(f"{head} {ask}", **slots), steps.done())


def needed_trips(rng: Rng) -> Story:
    """People in vehicles: how many are needed."""
    scene = Scene(rng)
    one, many = rng.choice([("bus", "buses"), ("van", "vans"), ("car", "cars"), ("boat", "boats"), ("minibus", "minibuses"), ("taxi", "taxis"), ("tent", "tents"), ("table", "tables"), ("cabin", "cabins"), ("raft", "rafts")])
    _, people = v.group(rng)
    b, a = num(rng, 3, 50), num(rng, 10, 400)
    text = scene(
        "[{a} {people} [go on a trip|are going to the {place}|come to a party].|A group of {a} {people} [goes to the {place}|is on a trip].|There are {a} {people}.] "
        "[{A} {one} [holds|takes|has room for] {b} [people|{people}|].|Each {one} [holds|takes] {b} [of them|{people}].|There is room for {b} in each {one}.] "
        "How many {many} [are needed|do they need|must they have] [for all of them|]?",
        a=a, A="a", b=b, one=one, many=many, people=people, place=rng.choice(v.PLACES),
    )  # fmt: skip
    steps = Steps()
    steps.add("needed", f"-(-{a} // {b})")
    return Story(text, steps.done())


def each_gives(rng: Rng) -> Story:
    """Several people do the same: so many each; total, or what is left of a stock."""
    scene, t = Scene(rng), v.thing(rng)
    a, b = num(rng, 2, 12), num(rng, 2, 15)
    who = rng.choice(_WHO)
    verb = rng.choice(["eat", "take", "get", "use", "bring", "need", "buy"] if rng.random() < 0.5 else ["take", "get"])
    if rng.random() < 0.5 and verb not in ("bring", "buy"):
        stock = a * b + num(rng, 1, 60)
        text = scene(
            "[{p} %have {s} {t}.|There are {s} {t} [on the table|in a {h}|].|A {h} has {s} {t}.] "
            "[{a} {who} {verb} {b} [{t}|] each.|Each of {a} {who} {verbs} {b} [{t}|of them].|{p} %give {b} [{t}|] to each of {a} {who}.] "
            "How many {t} are left [over|]?",
            s=stock, t=t.many, h=v.holder(rng)[0], a=scene.n(a, 0.5), b=scene.n(b), who=who, verb=verb, verbs=verb + "s",
        )  # fmt: skip
        steps = Steps()
        steps.add("gone", f"{a} * {b}")
        steps.add("left", f"{stock} - gone")
        return Story(text, steps.done())
    text = scene(
        "[{a} {who} {verb} {b} {t} each.|Each of {a} {who} {verbs} {b} {t}.|There are {a} {who}. Each [of them|one] {verbs} {b} {t}.|{p} %give {b} {t} to each of {a} {who}.] "
        "[How many {t} is that [in all|altogether|]?|How many {t} [are needed|are there] [in all|altogether|]?]",
        t=t.many, a=scene.n(a, 0.5), b=scene.n(b), who=who, verb=verb, verbs=verb + "s",
    )  # fmt: skip
    steps = Steps()
    steps.add("total", either(rng, a, "*", b))
    return Story(text, steps.done())


def array(rng: Rng) -> Story:
    """Rows and columns; some places are taken."""
    scene = Scene(rng)
    one, many = rng.choice([("seat", "seats"), ("chair", "chairs"), ("tree", "trees"), ("plant", "plants"), ("desk", "desks"), ("tile", "tiles"), ("flower", "flowers"), ("parking space", "parking spaces")])
    a, b = num(rng, 3, 30), num(rng, 3, 40)
    steps = Steps()
    steps.add("total", f"{a} * {b}")
    head = scene("[There are {a} rows [of|with] {b} {many} [each|] in a {place}.|A {place} has {a} rows of {many} with {b} {many} in each row.|{p} %put {many} in {a} rows of {b}.|{p} %plan {a} rows of {b} {many}.]",
                 a=a, b=b, many=many, place=rng.choice(v.PLACES))  # fmt: skip
    if rng.random() < 0.5:
        return Story(f"{head} How many {many} are there{rng.choice([' in all', ''])}?", steps.done())
    c = num(rng, 1, a * b - 1)
    steps.add("left", f"total - {c}")
    state, rest = rng.choice([("taken", "free"), ("broken", "not broken"), ("red", "not red"), ("new", "not new"), ("empty", "not empty")])
    return Story(f"{head} {c} of them are {state}. How many {many} are {rest}?", steps.done())


def times_groups(rng: Rng) -> Story:
    """A number of holders told by another number of holders."""
    scene, (h, hs, t) = Scene(rng), _pair(rng)
    a, k, b = num(rng, 2, 12), rng.randint(2, 5), num(rng, 2, 20)
    p, q = v.first_name(rng)[0], v.first_name(rng)[0]
    text = scene(
        "{p} has {a} {hs} [of {t}|] [with {b} {t} in each|with {b} {t} each]. {q} has {times} as many {hs}[, also with {b} {t} in each|, each with as many {t}|]. "
        "How many {t} does {q} have?",
        p=p, q=q, a=scene.n(a), b=b, h=h, hs=hs, t=t.many, times=times_word(rng, k),
    )  # fmt: skip
    steps = Steps()
    steps.add("holders", f"{a} * {k}")
    steps.add("total", f"holders * {b}")
    if p == q:
        raise ValueError("one person only")
    return Story(text, steps.done())

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
_WHO = v.words("friends children students classmates neighbors cousins people kids players workers")


def _pair(rng: Rng) -> tuple[str, str, v.Thing]:
    """A holder and what it holds: half of them pairs that belong together."""
    if rng.random() < 0.55:
        one, many, thing, things, _ = rng.choice(_HOLDS)
        return one, many, v.Thing(thing, things, ("buy", "get"), ("use", "lose"))
    one, many = v.holder(rng)
    return one, many, v.thing(rng)


def _holding(scene: Scene, h: str, t: v.Thing, b: int) -> str:
    """Says that each holder holds `b` things."""
    verb = scene.rng.choice(["holds", "has", "contains", "can hold"])
    own = next((own for one, _, thing, _, own in _HOLDS if (one, thing) == (h, t.one)), "hold")
    if own != "hold":
        verb = {"have": "has", "carry": "carries"}.get(own, own + "s")
    slots: dict[str, object] = {"A": "a", "h": h, "verb": verb, "b": scene.n(b), "t": t.many}
    fits = own not in ("have", "need", "contain")
    return scene("holding.holds" if fits else "holding.has", **slots)


def in_all(rng: Rng) -> Story:
    """So many holders with so many in each: the product, then something added or taken away."""
    h, hs, t = _pair(rng)
    scene = Scene(rng)
    a, b = num(rng, 2, rng.choice([12, 30, 100])), num(rng, 2, rng.choice([12, 24, 60, 150]))
    steps, kind = Steps(), rng.random()
    each = _holding(scene, h, t, b)
    many = scene("in_all.many", a=scene.n(a), hs=hs)
    steps.add("total", either(rng, a, "*", b))
    if kind < 0.45:
        return Story(
            scene.tell([each], scene("in_all.ask", a=scene.n(a), hs=hs, t=t.many), 0.06),
            steps.done(),
        )
    if kind < 0.7:
        facts = told(rng, [many, each], 0.4)
        if rng.random() < 0.3:
            facts = [scene("in_all.fact", a=scene.n(a), b=scene.n(b), hs=hs, t=t.many)]
        return Story(scene.tell(facts, scene("in_all.ask2", t=t.many)), steps.done())
    facts = told(rng, [many, each], 0.3)
    ask = scene("in_all.ask2", t=t.many)
    if kind < 0.85:
        c = num(rng, 2, 60)
        facts.append(scene("in_all.fact2", c=scene.n(c), t=t.many, h=h))
        steps.add("with_more", f"total + {c}")
    else:
        c = num(rng, 1, a * b - 1)
        facts.append(
            scene("in_all.fact3", c=scene.n(c), t=t.many, who=v.other(rng, scene.actor).name)
        )
        steps.add("left", f"total - {c}")
        ask = scene("in_all.ask3", t=t.many)
    return Story(scene.tell(facts, ask), steps.done())


def two_kinds_of_holders(rng: Rng) -> Story:
    """Two products, added or compared: 3 boxes of 12 red and 4 bags of 15 blue."""
    scene = Scene(rng)
    (_, h1), (_, h2) = v.holder(rng), v.holder(rng)
    t = v.thing(rng)
    x, y = v.several(rng, 2)
    a, b, c, d = (num(rng, 2, 15) for _ in range(4))
    same = rng.random() < 0.5
    n1, n2 = (t.many, t.many) if same else (x.many, y.many)
    what = t.many if same else rng.choice(["things", "items", "things"])
    facts = scene(
        "two_kinds_of_holders.fact",
        a=scene.n(a),
        b=b,
        c=scene.n(c),
        d=d,
        h1=h1,
        h2=h2,
        n1=n1,
        n2=n2,
    )
    steps = Steps()
    one, two = steps.add("first", f"{a} * {b}"), steps.add("second", f"{c} * {d}")
    if not same and rng.random() < 0.35:
        more = (n1, n2, one, two) if a * b >= c * d else (n2, n1, two, one)
        ask = f"How many more {more[0]} than {more[1]} are there?"
        steps.add("difference", f"{more[2]} - {more[3]}")
    else:
        ask = scene("two_kinds_of_holders.ask", w=what)
        steps.add("total", f"{one} + {two}")
    return Story(scene.tell([facts], ask), steps.done())


def nested(rng: Rng) -> Story:
    """Holders in holders: so many times so many times so many."""
    scene, t = Scene(rng), v.thing(rng)
    (h, hs), (k, ks) = (
        v.holder(rng),
        rng.choice(
            [
                ("room", "rooms"),
                ("truck", "trucks"),
                ("store", "stores"),
                ("shelf", "shelves"),
                ("table", "tables"),
                ("day", "days"),
            ]
        ),
    )
    a, b, c = num(rng, 2, 12), num(rng, 2, 12), num(rng, 2, 30)
    text = scene(
        "nested.text",
        a=scene.n(a),
        b=scene.n(b),
        c=scene.n(c),
        h=h,
        hs=hs,
        k=k,
        ks=ks,
        t=t.many,
    )
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
    slots: dict[str, object] = {
        "a": a,
        "b": scene.n(b, 0.4),
        "c": scene.n(c),
        "t": t.many,
        "h": h,
        "hs": hs,
        "who": who,
    }
    equally = rng.choice(["equally", "evenly", "fairly"])
    each = rng.random() < 0.55
    if each:
        text = (
            scene(
                "shared.text",
                equally=equally,
                **slots,
            )
            if rng.random() < 0.6
            else scene(
                "shared.text2",
                **slots,
            )
        )
        expr = f"{a} / {b}"
    else:
        text = scene(
            "shared.text3",
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
    slots: dict[str, object] = {
        "a": a,
        "b": b,
        "t": t.many,
        "h": h,
        "hs": hs,
        "who": rng.choice(_WHO),
    }
    steps, kind = Steps(), rng.choice(["full", "rest", "rest", "need", "need"])
    head = scene("leftover.head", **slots)
    if kind == "full":
        ask = scene("leftover.ask", **slots)
        steps.add("full", f"{a} // {b}")
    elif kind == "rest":
        ask = scene("leftover.ask2", **slots)
        if rng.random() < 0.5:
            head = scene("leftover.head2", **slots)
            ask = scene("leftover.ask3", **slots)
        steps.add("rest", f"{a} % {b}")
    else:
        ask = scene("leftover.ask4", **slots)
        steps.add("needed", f"-(-{a} // {b})")
    return Story(f"{head} {ask}", steps.done())


def needed_trips(rng: Rng) -> Story:
    """People in vehicles: how many are needed."""
    scene = Scene(rng)
    one, many = rng.choice(
        [
            ("bus", "buses"),
            ("van", "vans"),
            ("car", "cars"),
            ("boat", "boats"),
            ("minibus", "minibuses"),
            ("taxi", "taxis"),
            ("tent", "tents"),
            ("table", "tables"),
            ("cabin", "cabins"),
            ("raft", "rafts"),
        ]
    )
    _, people = v.group(rng)
    b, a = num(rng, 3, 50), num(rng, 10, 400)
    text = scene(
        "needed_trips.text",
        a=a,
        A="a",
        b=b,
        one=one,
        many=many,
        people=people,
        place=rng.choice(v.PLACES),
    )
    steps = Steps()
    steps.add("needed", f"-(-{a} // {b})")
    return Story(text, steps.done())


def each_gives(rng: Rng) -> Story:
    """Several people do the same: so many each; total, or what is left of a stock."""
    scene, t = Scene(rng), v.thing(rng)
    a, b = num(rng, 2, 12), num(rng, 2, 15)
    who = rng.choice(_WHO)
    verb = rng.choice(
        ["eat", "take", "get", "use", "bring", "need", "buy"]
        if rng.random() < 0.5
        else ["take", "get"]
    )
    if rng.random() < 0.5 and verb not in ("bring", "buy"):
        stock = a * b + num(rng, 1, 60)
        text = scene(
            "each_gives.text",
            s=stock,
            t=t.many,
            h=v.holder(rng)[0],
            a=scene.n(a, 0.5),
            b=scene.n(b),
            who=who,
            verb=verb,
            verbs=verb + "s",
        )
        steps = Steps()
        steps.add("gone", f"{a} * {b}")
        steps.add("left", f"{stock} - gone")
        return Story(text, steps.done())
    text = scene(
        "each_gives.text2",
        t=t.many,
        a=scene.n(a, 0.5),
        b=scene.n(b),
        who=who,
        verb=verb,
        verbs=verb + "s",
    )
    steps = Steps()
    steps.add("total", either(rng, a, "*", b))
    return Story(text, steps.done())


def array(rng: Rng) -> Story:
    """Rows and columns; some places are taken."""
    scene = Scene(rng)
    _, many = rng.choice(
        [
            ("seat", "seats"),
            ("chair", "chairs"),
            ("tree", "trees"),
            ("plant", "plants"),
            ("desk", "desks"),
            ("tile", "tiles"),
            ("flower", "flowers"),
            ("parking space", "parking spaces"),
        ]
    )
    a, b = num(rng, 3, 30), num(rng, 3, 40)
    steps = Steps()
    steps.add("total", f"{a} * {b}")
    head = scene("array.head", a=a, b=b, many=many, place=rng.choice(v.PLACES))
    if rng.random() < 0.5:
        return Story(
            f"{head} How many {many} are there{rng.choice([' in all', ''])}?", steps.done()
        )
    c = num(rng, 1, a * b - 1)
    steps.add("left", f"total - {c}")
    state, rest = rng.choice(
        [
            ("taken", "free"),
            ("broken", "not broken"),
            ("red", "not red"),
            ("new", "not new"),
            ("empty", "not empty"),
        ]
    )
    return Story(f"{head} {c} of them are {state}. How many {many} are {rest}?", steps.done())


def times_groups(rng: Rng) -> Story:
    """A number of holders told by another number of holders."""
    scene, (h, hs, t) = Scene(rng), _pair(rng)
    a, k, b = num(rng, 2, 12), rng.randint(2, 5), num(rng, 2, 20)
    p, q = v.first_name(rng)[0], v.first_name(rng)[0]
    text = scene(
        "times_groups.text",
        p=p,
        q=q,
        a=scene.n(a),
        b=b,
        h=h,
        hs=hs,
        t=t.many,
        times=times_word(rng, k),
    )
    steps = Steps()
    steps.add("holders", f"{a} * {k}")
    steps.add("total", f"holders * {b}")
    if p == q:
        raise ValueError("one person only")
    return Story(text, steps.done())

"""Who and what the questions are about: people with their pronouns, things, holders, places."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.small_solver.grammar import Rng

__all__ = ["Actor", "Thing", "actor", "first_name", "holder", "other", "several", "thing"]


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


_SHE = words("""
Anna Maria Emma Olivia Ava Sophia Isabella Mia Charlotte Amelia Harper Evelyn Abigail Emily Ella
Lily Grace Chloe Zoe Hannah Nora Lucy Alice Sarah Laura Julia Kate Rachel Megan Tina Linda Susan
Karen Lisa Betty Helen Sandra Carol Ruth Sharon Michelle Jennifer Mary Patricia Elizabeth
Jessica Nancy Priya Aisha Fatima Mei Yuki Carla Rosa Ingrid Wendy Janet Marie Eva Nina Sofia
Leila Bella Kim Tara Jane Katie Melissa Gina Amy Diana Paula Clara Molly Daisy Ruby Stella
Claire Martha Jill Heather Beth Jenny
""")
_HE = words("""
James John Robert Michael William David Richard Joseph Thomas Charles Daniel Matthew Anthony
Mark Steven Paul Andrew Joshua Kevin Brian George Edward Henry Liam Noah Oliver Lucas Mason
Logan Ethan Jacob Jack Luke Ryan Nathan Sam Tom Tim Ben Peter Carlos Diego Omar Ali Raj Ivan
Hugo Oscar Leo Max Bobby Jim Frank Alex Adam Eric Gary Joe Mike Dan Jerry Billy Steve Tyler
Jason Marcus Victor Simon Toby Felix Arthur Hassan Kenji Pablo Bruno Walter Greg Jeff Roger Phil
Harry Fred Nick Dave Terry Ted
""")
_SURNAMES = words("Smith Johnson Brown Garcia Davis Lopez Lee Clark Hall Young King Khan Patel")
_ROLES = words("""
teacher farmer baker chef nurse coach librarian gardener carpenter tailor painter shopkeeper
florist student clerk waiter mechanic driver pilot scientist artist fisherman grocer postman
builder
""")
_KIN = words("""
brother sister cousin mother father mom dad uncle aunt friend neighbor grandmother grandfather
son daughter classmate roommate grandma grandpa
""")

# Plurals, and what one does to get and to lose such things, without an object.
_KINDS: dict[str, tuple[str, str, str]] = {
    "food": (
        """
        apple orange banana pear plum lemon carrot potato/potatoes onion egg cookie
        cupcake muffin bagel donut sandwich/sandwiches pizza taco burger pancake
        tomato/tomatoes peach/peaches strawberry/strawberries cherry/cherries
        candy/candies mango/mangoes grape cracker roll brownie lollipop walnut chocolate
        pretzel melon pie tart waffle dumpling pastry/pastries bun
        """,
        "buy get receive",
        "eat sell use",
    ),
    "collection": (
        """
        marble sticker stamp card coin shell bead button toy doll balloon rock badge medal
        ribbon seashell postcard puzzle kite robot figurine comic gem bracelet
        trophy/trophies token crystal ball block magnet feather
        """,
        "buy find get win collect",
        "lose sell break",
    ),
    "supply": (
        """
        pen pencil crayon marker book notebook folder eraser ruler envelope magazine
        candle poster plate cup bowl mug spoon fork towel pillow blanket battery/batteries
        nail screw brick tile glass/glasses paintbrush/paintbrushes bottle sheet/sheets
        letter photo picture ticket flyer magnet lamp
        """,
        "buy get order receive",
        "use lose sell",
    ),
    "clothes": (
        """
        shirt sock hat scarf/scarves glove shoe coat dress/dresses belt necklace sweater
        jacket tie skirt t-shirt cap mask
        """,
        "buy get order",
        "sell lose",
    ),
    "plants": (
        """
        rose tulip flower sunflower tree seed daisy/daisies lily/lilies bush/bushes orchid
        plant seedling pumpkin cabbage
        """,
        "buy plant grow",
        "sell cut",
    ),
    "animals": (
        """
        duck chicken cow goat horse sheep/sheep pig dog cat fish/fish rabbit frog hamster
        turtle parrot goose/geese lamb puppy/puppies kitten pigeon hen turkey
        """,
        "buy get",
        "sell lose",
    ),
}
_ADJECTIVES = words("""
red blue green yellow white black purple orange pink brown small large big old new
""")
_HOLDERS = words("""
box/boxes bag/bags basket/baskets jar/jars crate/crates pack/packs shelf/shelves drawer/drawers
bin/bins tray/trays carton/cartons bucket/buckets bundle/bundles package/packages case/cases
stack/stacks container/containers packet/packets sack/sacks tin/tins chest/chests pile/piles
""")
PLACES = words("""
school park library museum store market farm garden zoo factory bakery hotel hospital theater
gym beach office restaurant camp stadium club warehouse shop village kitchen yard
""")
DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = words("January February March April May June July August September October November")
GROUPS = words("""
student child/children kid adult player member guest worker visitor girl boy passenger fan
customer tourist swimmer dancer teacher soldier employee volunteer camper runner singer
""")


@dataclass(frozen=True)
class Actor:
    """Someone, with pronouns. `plural`: verbs take their plain form (I, we)."""

    name: str
    he: str
    him: str
    his: str
    plural: bool = False

    @property
    def slots(self) -> dict[str, object]:
        """What a pattern may use of the actor: {p}, {he}, {him}, {his}, {ps} (Ann's, my)."""
        own = self.his if self.plural else f"{self.name}'s"
        return {"p": self.name, "he": self.he, "him": self.him, "his": self.his, "ps": own}


@dataclass(frozen=True)
class Thing:
    """Something countable, and the verbs that gain and lose it."""

    one: str
    many: str
    gains: tuple[str, ...]
    losses: tuple[str, ...]


def plural(word: str) -> tuple[str, str]:
    """("box", "boxes") of "box/boxes"; a plain word takes an s."""
    one, _, many = word.partition("/")
    return one, many or one + "s"


def first_name(rng: Rng) -> tuple[str, str]:
    """A name and "she" or "he"."""
    return (rng.choice(_SHE), "she") if rng.random() < 0.5 else (rng.choice(_HE), "he")


def _pronouns(he: str) -> tuple[str, str, str]:
    return ("she", "her", "her") if he == "she" else ("he", "him", "his")


def actor(rng: Rng, alone: bool = False) -> Actor:
    """Someone: mostly a name; else a role, a relative, a couple's "we", or I. `alone`: no I, we."""
    kind = rng.random()
    if kind < 0.1 and not alone:
        return rng.choice([Actor("I", "I", "me", "my", True), Actor("we", "we", "us", "our", True)])
    name, he = first_name(rng)
    if kind < 0.18:
        name = "the " + rng.choice(_ROLES)
    elif kind < 0.24:
        name = f"{rng.choice([name + chr(39) + 's', 'my', 'our'])} {kin(rng, he)}"
    elif kind < 0.28:
        name = ("Mrs. " if he == "she" else "Mr. ") + rng.choice(_SURNAMES)
    return Actor(name, *_pronouns(he))


def kin(rng: Rng, he: str = "") -> str:
    """A relative; of the sex of `he` where that is given."""
    women = {"sister", "mother", "mom", "aunt", "grandmother", "daughter", "grandma"}
    men = {"brother", "father", "dad", "uncle", "grandfather", "son", "grandpa"}
    barred = {"she": men, "he": women}.get(he, set())
    return rng.choice([k for k in _KIN if k not in barred])


def other(rng: Rng, than: Actor, related: float = 0.25) -> Actor:
    """Someone else: a name, or with some chance a relative of `than`."""
    name, he = first_name(rng)
    while name == than.name:
        name, he = first_name(rng)
    if rng.random() < related:
        name = f"{than.his} {kin(rng, he)}"
    return Actor(name, *_pronouns(he))


def thing(rng: Rng, kind: str = "", plain: bool = False) -> Thing:
    """Something countable, of a kind (food, collection, supply, clothes, plants, animals) or any.

    Now and then with an adjective, unless `plain`.
    """
    kinds = ["food", "food", "collection", "collection", "supply", "supply", *_KINDS]
    words, gains, losses = _KINDS[kind or rng.choice(kinds)]
    one, many = plural(rng.choice(words.split()))
    if not plain and rng.random() < 0.12:
        adjective = rng.choice(_ADJECTIVES)
        one, many = f"{adjective} {one}", f"{adjective} {many}"
    return Thing(one, many, tuple(gains.split()), tuple(losses.split()))


def several(rng: Rng, count: int, kind: str = "") -> list[Thing]:
    """Different things of one kind; or one thing in different colours."""
    if rng.random() < 0.3:
        base = thing(rng, kind, plain=True)
        colours = rng.sample(_ADJECTIVES[:10], count)
        return [
            Thing(f"{c} {base.one}", f"{c} {base.many}", base.gains, base.losses) for c in colours
        ]
    kind = kind or rng.choice(list(_KINDS))
    found: dict[str, Thing] = {}
    while len(found) < count:
        new = thing(rng, kind, plain=True)
        found[new.one] = new
    return list(found.values())


def holder(rng: Rng) -> tuple[str, str]:
    """A thing that holds things, singular and plural."""
    return plural(rng.choice(_HOLDERS))


def group(rng: Rng) -> tuple[str, str]:
    """People of a sort, singular and plural."""
    return plural(rng.choice(GROUPS))

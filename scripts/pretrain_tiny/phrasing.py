"""What families share: numbers, names, things, and how a sentence is put together."""

from __future__ import annotations

import random
from collections.abc import Callable

import words as w
from story import Step, Story, evaluate

Rng = random.Random
Family = Callable[[Rng], Story]


def num(rng: Rng, low: int, high: int) -> int:
    """A whole number between `low` and `high`, small ones more often; round ones sometimes."""
    value = (
        round(low * (high / low) ** rng.random()) if rng.random() < 0.6 else rng.randint(low, high)
    )
    if value > 20 and rng.random() < 0.15 and value // 10 * 10 >= low:
        value = value // 10 * 10
    return value


def invented(rng: Rng) -> str:
    """A word that nobody knows ("tabelo"), to be copied piece by piece."""
    return "".join(
        rng.choice("bdfghklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(2, 3))
    ) + rng.choice(["", "n", "r", "x", "l"])


def person(rng: Rng) -> tuple[str, str, str]:
    """A name with its pronouns: ("Anna", "she", "her")."""
    if rng.random() < 0.08:
        title, pronoun, own = rng.choice(
            [("Mr.", "he", "his"), ("Mrs.", "she", "her"), ("Ms.", "she", "her")]
        )
        return f"{title} {rng.choice(w.SURNAMES)}", pronoun, own
    if rng.random() < 0.08:
        return "The " + rng.choice(w.ROLES), *rng.choice([("he", "his"), ("she", "her")])
    if rng.random() < 0.5:
        return rng.choice(w.SHE), "she", "her"
    return rng.choice(w.HE), "he", "his"


def people(rng: Rng, count: int) -> list[str]:
    """Different first names, now and then an unheard one among them."""
    names = rng.sample(w.SHE + w.HE, count)
    if rng.random() < 0.1:
        names[rng.randrange(count)] = invented(rng).capitalize()
    return names


def things(rng: Rng) -> str:
    """A plural: "pens", now and then "red pens" or an unheard word."""
    plural = rng.choice(w.THINGS)[1] if rng.random() < 0.9 else invented(rng) + "s"
    if rng.random() < 0.2:
        return f"{rng.choice(w.COLORS)} {plural}"
    return plural


def several(rng: Rng, count: int) -> list[str]:
    """Different plurals; or one plural in different colours or kinds."""
    if rng.random() < 0.35:
        plural = rng.choice(w.THINGS)[1]
        return [f"{kind} {plural}" for kind in rng.sample(rng.choice([w.COLORS, w.FLAVORS]), count)]
    return [plural for _, plural in rng.sample(w.THINGS, count)]


def cap(text: str) -> str:
    return text[0].upper() + text[1:]


def times_word(rng: Rng, k: int) -> str:
    if k == 2 and rng.random() < 0.6:
        return "twice"
    return (
        f"{w.NUMBER_WORDS[k]} times" if k in w.NUMBER_WORDS and rng.random() < 0.3 else f"{k} times"
    )


def listing(parts: list[str]) -> str:
    """Parts as in "a, b and c"."""
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]


def shuffled(rng: Rng, parts: list[str], chance: float = 0.4) -> list[str]:
    parts = list(parts)
    if rng.random() < chance:
        rng.shuffle(parts)
    return parts


def relation(rng: Rng, p: str, a: int, t: str) -> tuple[str, str]:
    """A way to say a number by `p`'s number `a` of `t`, and the expression it stands for."""
    k, d = rng.randint(2, 8), num(rng, 1, max(2, a))
    e = rng.randint(1, max(1, a - 1))
    ways = [
        (f"{d} more {t} than {p}", f"{a} + {d}"),
        (f"{d} more than {p}", f"{a} + {d}"),
        (f"{e} fewer {t} than {p}", f"{a} - {e}"),
        (f"{e} less than {p}", f"{a} - {e}"),
        (f"{times_word(rng, k)} as many {t} as {p}", rng.choice([f"{a} * {k}", f"{k} * {a}"])),
        (f"{times_word(rng, k)} the number of {t} that {p} has", f"{a} * {k}"),
    ]
    if a % 2 == 0:
        half = rng.choice([f"{a} / 2", f"{a} / 2", f"{a} * 0.5", f"1/2 * {a}"])
        ways += [(f"half as many {t} as {p}", half), (f"half the {t} that {p} has", half)]
    if a % 3 == 0:
        ways += [
            (rng.choice([f"1/3 as many {t} as {p}", f"a third of {p}'s number of {t}"]), f"{a} / 3")
        ]
    if a % 4 == 0:
        ways += [
            (f"a quarter as many {t} as {p}", f"{a} / 4"),
            (f"25% fewer {t} than {p}", f"{a} * 0.75"),
        ]
    if a % 10 == 0:
        percent = rng.choice([10, 20, 30, 50])
        ways += [(f"{percent}% as many {t} as {p}", f"{percent}/100 * {a}")]
    return rng.choice(ways)


def value_of(expr: str) -> int:
    """The whole number that an expression equals. Raises ValueError where it is none."""
    value = evaluate(expr.replace("$", ""))
    if value.denominator != 1 or value < 0:
        raise ValueError(f"{expr} is not a whole number")
    return int(value)


def a_an(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


FILLERS = [
    "{p} likes {t} very much.",
    "It is a sunny day.",
    "{p} lives near the {place}.",
    "The {place} opens at noon.",
    "{p} is going to the {place} with a friend.",
    "It was {p}'s birthday last {day}.",
    "{p} has always loved {t}.",
    "The {place} is far from home.",
    "Last {day}, {p} went to the {place}.",
    "{p} wants to be careful.",
    "Every {day}, the {place} is full of people.",
    "{p} is planning a party for {kin}.",
    "{p} loves working at the {place}.",
    "Some people prefer {t}.",
    "{p} is in a hurry.",
    "There is a big sale at the {place}.",
    "{p} is {n} years old.",
    "{p} and a {kin} spend the summer at the {place}.",
    "The {place} was built {n} years ago.",
    "It takes {n} minutes to get there.",
]


def filler(rng: Rng, p: str) -> str:
    """A sentence that does not matter, sometimes with a number that does not either."""
    return rng.choice(FILLERS).format(
        p=p,
        t=rng.choice(w.THINGS)[1],
        place=rng.choice(w.PLACES),
        day=rng.choice(w.DAYS),
        kin=rng.choice(w.KIN),
        n=num(rng, 2, 60),
    )


def with_filler(rng: Rng, story: Story) -> Story:
    sentences = story.question.split(". ")
    for _ in range(rng.randint(0, 2)):
        at = rng.randrange(len(sentences))
        sentences.insert(at, filler(rng, rng.choice(w.SHE + w.HE))[:-1])
    return Story(". ".join(sentences), story.steps)


def either(rng: Rng, a: str, op: str, b: str) -> str:
    """`a op b`, or the other way round where that is the same."""
    return f"{b} {op} {a}" if op in "+*" and rng.random() < 0.4 else f"{a} {op} {b}"


def scene(rng: Rng, p: str, facts: list[str], ask: str, steps: list[Step]) -> Story:
    """The facts with up to two sentences that do not matter, then the question."""
    facts = list(facts)
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        facts.insert(
            rng.randint(0, len(facts)),
            filler(rng, rng.choice([p, rng.choice(w.HE), rng.choice(w.SHE)])),
        )
    return Story(" ".join([*facts, ask]), tuple(steps))

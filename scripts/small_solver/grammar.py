"""A small grammar for questions: alternatives, slots and inflected verbs.

A pattern is text with three kinds of marks, resolved from a random generator:

    [a|b|c]   one of the alternatives; they nest, and an empty one is allowed
    {name}    a slot
    %buy      a verb that agrees with the story's actor, in the story's tense: buys, buy, bought
    %{verb}   the same, the verb in a slot
    &buy      the same for a third person singular, whoever the actor is

    >>> say(random.Random(0), "{p} %buy [a|one] {thing}.", tense="past", p="Ann", thing="kite")
    'Ann bought a kite.'
"""

from __future__ import annotations

import random
import re
from fractions import Fraction

Rng = random.Random

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_VERB = re.compile(r"([%&])([a-z]+)")
_VERB_SLOT = re.compile(r"([%&])\{([a-z]+)\}")
_PAST = {
    "be": "was", "begin": "began", "break": "broke", "bring": "brought", "build": "built",
    "buy": "bought", "catch": "caught", "come": "came", "cost": "cost", "cut": "cut", "do": "did",
    "drink": "drank", "drive": "drove", "eat": "ate", "find": "found", "fly": "flew", "get": "got",
    "give": "gave", "go": "went", "grow": "grew", "have": "had", "hold": "held", "keep": "kept",
    "lend": "lent", "lose": "lost", "make": "made", "pay": "paid", "put": "put", "read": "read",
    "ride": "rode", "run": "ran", "see": "saw", "sell": "sold", "set": "set", "spend": "spent",
    "swim": "swam", "take": "took", "throw": "threw", "win": "won", "write": "wrote",
    "shop": "shopped", "drop": "dropped", "plan": "planned", "jog": "jogged", "stop": "stopped",
    "knit": "knitted", "sew": "sewed", "teach": "taught", "think": "thought", "leave": "left",
}  # fmt: skip
_NUMERALS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)


def inflect(verb: str, tense: str, plural: bool) -> str:
    """The form of `verb` after a subject of the third person, or after I, we, you, they (`plural`).

    >>> inflect("carry", "past", False), inflect("wash", "present", False)
    ('carried', 'washes')
    """
    if tense == "past":
        if verb == "be":
            return "were" if plural else "was"
        if verb in _PAST:
            return _PAST[verb]
        if verb.endswith("e"):
            return verb + "d"
        if re.search(r"[^aeiou]y$", verb):
            return verb[:-1] + "ied"
        return verb + "ed"
    if plural:
        return "are" if verb == "be" else verb
    if verb in ("be", "have", "do", "go"):
        return {"be": "is", "have": "has", "do": "does", "go": "goes"}[verb]
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ies"
    return verb + ("es" if re.search(r"(s|sh|ch|x|z)$", verb) else "s")


def choose(rng: Rng, pattern: str) -> str:
    """The pattern with every [a|b] replaced by one of its alternatives, innermost first."""
    while match := _CHOICE.search(pattern):
        picked = rng.choice(match[1].split("|"))
        pattern = pattern[: match.start()] + picked + pattern[match.end() :]
    return pattern


def say(
    rng: Rng, pattern: str, *, tense: str = "present", plural: bool = False, **slots: object
) -> str:
    """A text from the pattern, tidied: single spaces, capitals after a full stop, a or an.

    `plural` says that the actor takes the verb's plain form (I, we, they). Raises `KeyError` for a
    slot that is not given.
    """
    text = _VERB_SLOT.sub(lambda m: m[1] + str(slots[m[2]]), choose(rng, pattern))
    text = _VERB.sub(lambda m: inflect(m[2], tense, plural and m[1] == "%"), text)
    return tidy(text.format_map({name: str(value) for name, value in slots.items()}))


def tidy(text: str) -> str:
    """Single spaces, no space before a mark, a capital at the start of sentences, a or an, "I"."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r" ([.,?!%])", r"\1", text)
    text = re.sub(r"\ba (?=[aeio]|8\b|11\b|18\b|8\d\b|un(?!i)|um)", "an ", text)
    text = re.sub(r"(^|(?<![ap]\.m)[.?!] )([a-z])", lambda m: m[1] + m[2].upper(), text)
    return re.sub(r"\bi\b(?!\.)", "I", text)


def numeral(rng: Rng, value: int, chance: float = 0.2) -> str:
    """`value` in digits, now and then in words where it is at most twenty."""
    if 0 <= value <= 20 and rng.random() < chance:
        return _NUMERALS[value]
    if value >= 1000 and rng.random() < 0.5:
        return f"{value:,}"
    return str(value)


def listing(parts: list[str]) -> str:
    """Parts as in "a, b and c"."""
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]


def money(rng: Rng, value: int | Fraction) -> str:
    """An amount: $5, $2.50, 5 dollars. Raises `ValueError` where it has parts of a cent."""
    value = Fraction(value)
    cents = value * 100
    if cents.denominator != 1:
        raise ValueError(f"{value} is no amount of money")
    if value.denominator == 1:
        whole = f"{int(value):,}" if value >= 1000 and rng.random() < 0.5 else str(int(value))
        return f"{whole} dollars" if rng.random() < 0.12 and value > 1 else f"${whole}"
    return f"${float(value):.2f}"

"""What all families share: a scene with its actor and tense, numbers, asides."""

from __future__ import annotations

from scripts.small_solver import vocabulary as v
from scripts.small_solver.grammar import Rng, numeral, say
from scripts.small_solver.wordings import WORDINGS

__all__ = ["Scene", "either", "num", "times_word", "told"]


class Scene:
    """One story's actor and tense; called with the name of a wording, it says it."""

    def __init__(self, rng: Rng, alone: bool = False, tense: str = "") -> None:
        self.rng = rng
        self.actor = v.actor(rng, alone)
        self.tense = tense or rng.choice(["past", "past", "present"])
        self.slots: dict[str, object] = {}

    def __call__(self, wording: str, /, **slots: object) -> str:
        known = {**self.actor.slots, **self.slots, **slots}
        pattern = WORDINGS[wording]
        return say(self.rng, pattern, tense=self.tense, plural=self.actor.plural, **known)

    def n(self, value: int, chance: float = 0.2) -> str:
        """The number in digits, now and then in words."""
        return numeral(self.rng, value, chance)

    def tell(self, facts: list[str], ask: str, aside: float = 0.12) -> str:
        """Facts, then the question; now and then with a sentence that does not matter."""
        facts = list(facts)
        if self.rng.random() < aside:
            facts.insert(self.rng.randint(1, len(facts)), self._aside())
        return " ".join([*facts, ask])

    def _aside(self) -> str:
        name, _ = v.first_name(self.rng)
        return self(
            "aside",
            place=self.rng.choice(v.PLACES),
            day=self.rng.choice(v.DAYS),
            name=name,
            a=num(self.rng, 2, 40),
            b=num(self.rng, 5, 60),
            h=self.rng.randint(7, 11),
            unit=self.rng.choice(["miles", "kilometers", "minutes", "blocks"]),
            things=v.thing(self.rng).many,
            colour=self.rng.choice(["red", "blue", "green", "black"]),
        )


def num(rng: Rng, low: int, high: int) -> int:
    """A whole number between `low` and `high`, small ones more often; round ones sometimes."""
    low = max(1, low)
    if high <= low:
        return low
    value = (
        round(low * (high / low) ** rng.random()) if rng.random() < 0.6 else rng.randint(low, high)
    )
    if value > 20 and rng.random() < 0.2 and value // 10 * 10 >= low:
        value = value // 10 * 10
    return value


def either(rng: Rng, a: object, op: str, b: object) -> str:
    """`a op b`, or sometimes the other way round where that is the same."""
    return f"{b} {op} {a}" if op in "+*" and rng.random() < 0.35 else f"{a} {op} {b}"


def times_word(rng: Rng, k: int) -> str:
    """Twice, double, 3 times, three times."""
    if k == 2 and rng.random() < 0.75:
        return "twice"
    return f"{numeral(rng, k, 0.5)} times"


def told(rng: Rng, facts: list[str], chance: float = 0.25) -> list[str]:
    """The facts, sometimes in another order."""
    facts = list(facts)
    if rng.random() < chance:
        rng.shuffle(facts)
    return facts

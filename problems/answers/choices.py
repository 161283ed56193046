"""Multiple choice: the letter that an answer names, and which answers are the same choice."""

from __future__ import annotations

import re
from functools import lru_cache

from assay.problems.answers.canonical import canonical
from assay.problems.answers.comparison import same
from assay.problems.answers.forms import Canonical
from assay.problems.answers.tidying import tidy

__all__ = ["option_letter", "option_with_text", "options_in", "same_choice"]

_LETTER = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer)\s*(?:is)?\s*:?\s*)?"
    r"(?:\(([A-Za-z])\)(?:\s*[:.]?\s*(\S.*))?|([A-Za-z])(?:\s*[).:]\s*(.*))?)",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=1 << 14)
def option_letter(answer: str, options: tuple[str, ...]) -> str | None:
    """The letter that an answer names: "C", "(C)", "C) 12", "option C", or the option's own text.

    None where it names none, where two options have that text, and where a letter stands before
    the text of another option.
    """
    found = _LETTER.fullmatch(tidy(answer))
    by_text = option_with_text(answer, options)
    if found and not (by_text and found[3] and found[3].islower()):
        letter = (found[1] or found[3]).upper()
        if ord(letter) - ord("A") < len(options):
            beside = found[2] or found[4]
            if beside and _HEDGE.match(beside):
                return None
            other = option_with_text(beside, options) if beside else None
            return letter if other in (None, letter) else None
    return by_text


def option_with_text(answer: str, options: tuple[str, ...]) -> str | None:
    """The letter of the one option that says this: literally, else in other words; else None."""
    plain = _plain(answer)
    held = [index for index, option in enumerate(options) if _plain(option) == plain]
    form = canonical(answer)
    if len(held) != 1 and form is not None:
        forms = option_forms(options)
        held = [i for i, option in enumerate(forms) if option is not None and same(form, option)]
    return chr(ord("A") + held[0]) if len(held) == 1 and plain else None


_HEDGE = re.compile(r"(?:(?:or|and)\b|[,/])\s*\(?[A-Za-z]\)?(?![A-Za-z])")
_SPACE = re.compile(r"\s+")


@lru_cache(maxsize=1 << 12)
def _plain(text: str) -> str:
    return _SPACE.sub("", tidy(text)).casefold()


_OWN_LETTER = re.compile(r"\s*\(?([A-Z])\)\s*")


@lru_cache(maxsize=1 << 10)
def option_forms(options: tuple[str, ...]) -> tuple[Canonical | None, ...]:
    """The canonical forms of the options, without letters of their own ("D)89")."""
    forms = []
    for index, option in enumerate(options):
        own = _OWN_LETTER.match(option)
        is_own = own is not None and own[1] == chr(ord("A") + index) and own.end() < len(option)
        forms.append(canonical(option[own.end() :] if own and is_own else option))
    return tuple(forms)


def same_choice(a: str, b: str, options: tuple[str, ...]) -> bool | None:
    """Whether two answers are the same choice; None where one may be an option not recognised."""
    first, second = option_letter(a, options), option_letter(b, options)
    if first is not None and second is not None:
        return first == second
    if first is not None:
        return _is_not_option(b, option_forms(options)[ord(first) - ord("A")])
    if second is not None:
        return _is_not_option(a, option_forms(options)[ord(second) - ord("A")])
    x, y = canonical(a), canonical(b)
    return False if x is None or y is None else same(x, y)


def _is_not_option(answer: str, held: Canonical | None) -> bool | None:
    """False where an answer that names no letter is surely not this option, else undecided."""
    form = canonical(answer)
    if form is None:
        return False
    if held is None:  # an option without content: "None"
        return None
    return False if same(form, held) is False else None


# ---- Options inside a question ----

_CHOICES = re.compile(r"Answer Choices:(.*)", re.DOTALL | re.IGNORECASE)
_CHOICE = re.compile(r"\(([A-Z])\)\s*(.*?)(?=\s*\([A-Z]\)|\s*$)", re.DOTALL)


def options_in(question: str) -> tuple[str, ...]:
    """The options that a question lists after "Answer Choices:", () where it lists none.

    >>> options_in("Which is heavier? Answer Choices: (A) iron (B) a feather")
    ('iron', 'a feather')
    """
    found = _CHOICES.search(question)
    listed = _CHOICE.findall(found[1]) if found else []
    letters = [letter for letter, _ in listed]
    in_order = letters == [chr(ord("A") + index) for index in range(len(letters))]
    return tuple(text.strip() for _, text in listed) if in_order and len(listed) > 1 else ()

r"""Inequalities as intervals: x > 3, 1 < x \le 5, x \ge 2 and x < 5, (x < 1) | (x > 2).

Whole sentences of bounds on one unknown are read, as people and as sympy write them: joined by
"and", \land, & or a comma, by "or", \lor or |. What is not understood is left alone, and where all
its parts are inequalities it is ambiguous, so that nothing is said to differ from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from assay.problems.answers.brackets import (
    is_one_bracket,
    split_at,
    split_top_level,
    without_brackets,
)
from assay.problems.answers.forms import Assigned, Canonical, Group, Infinite, Number, Text, Value
from assay.problems.answers.intervals import intersected, united

__all__ = ["ORDER", "read_inequalities"]

ORDER = re.compile(r"\\le(?![a-z])|\\ge(?![a-z])|\\lt(?![a-z])|\\gt(?![a-z])|<=|>=|<|>")
_SYMBOL = re.compile(r"(?!(?:\\?pi|e|oo|\\?infty)$)(?:\\?[A-Za-z]+|[α-ω])(?:_\{?\w\}?)?")
_OR = re.compile(r",?\s+or\s+|\\lor(?![a-z])|\\vee(?![a-z])|∨|(?<=\s)\|\|?(?=\s)")
_AND = re.compile(r",?\s+and\s+|\\land(?![a-z])|\\wedge(?![a-z])|∧|\\?&+")
_CALL = re.compile(r"(And|Or)\s*\((.*)\)", re.DOTALL)
_UNEQUAL = re.compile(r"Ne\(([^(),]+),([^,]+)\)|([^<>]+?)(?:\\ne(?![a-z])|!=)([^<>]+)")
_SET_BUILDER = re.compile(
    r"\{\s*(\\?[A-Za-z]+)\s*(?:\\in\s*\\mathbb\s*\{?\s*R\s*\}?)?\s*[|:]\s*(.*)\}", re.DOTALL
)
_MAX_DEPTH = 6

Read = Callable[[str], Canonical]


def read_inequalities(text: str, read: Read) -> Canonical | None:
    """The interval or union that a text of inequalities says, with the name of its unknown.

    `read` reads an end. None where the text is something else.
    """
    built = _SET_BUILDER.fullmatch(text)
    found = _statement(built[2] if built else text, read, 0)
    if found is not None:
        return Assigned(*found)
    pieces = _split(text, _AND) if not built else [text]
    pieces = pieces if len(pieces) > 1 else split_top_level(text)
    if len(pieces) > 1 and all(ORDER.search(piece) for piece in pieces):
        return Text("".join(text.split()), ambiguous=True)
    return None


_Said = tuple[str, Group]


def _statement(text: str, read: Read, depth: int) -> _Said | None:
    text = without_brackets(text)
    if depth > _MAX_DEPTH:
        return None
    call = _CALL.fullmatch(text)
    if call and is_one_bracket(text[len(call[1]) :].strip()):
        pieces = split_top_level(call[2], thousands=False)
        return _joined(call[1] == "Or", pieces, read, depth)
    for is_or, sign in ((True, _OR), (False, _AND)):
        pieces = _split(text, sign)
        if len(pieces) > 1:
            return _joined(is_or, pieces, read, depth)
    pieces = split_top_level(text)
    if len(pieces) == 2:
        return _both_bounds(pieces, read)
    return _bounds(text, read)


def _split(text: str, sign: re.Pattern[str]) -> list[str]:
    return split_at(text, [found.span() for found in sign.finditer(text)])


def _joined(is_or: bool, pieces: list[str], read: Read, depth: int) -> _Said | None:
    excluded = [] if is_or else [_unequal(piece, read) for piece in pieces]
    said = [
        out or _statement(piece, read, depth + 1)
        for piece, out in zip(pieces, excluded or [None] * len(pieces), strict=True)
    ]
    found = [one for one in said if one is not None]
    if len(found) < len(said) or len({name for name, _ in found}) != 1:
        return None
    forms = [form for _, form in found]
    if is_or:
        whole: Group | None = united(_parts(forms)) or Group("∪", tuple(_parts(forms)))
    else:
        whole = forms[0]
        for form in forms[1:]:
            whole = whole and intersected(whole, form)
    return None if whole is None else (found[0][0], whole)


def _parts(forms: list[Group]) -> list[Canonical]:
    return [part for form in forms for part in (form.items if form.brackets == "∪" else (form,))]


def _both_bounds(pieces: list[str], read: Read) -> _Said | None:
    """X > 2, x < 5: one bound from below and one from above that leave something between them.

    Of others, "x < 1, x > 3", the comma may as well mean "or".
    """
    said = [_bounds(piece, read) for piece in pieces]
    first, second = said
    if first is None or second is None or first[0] != second[0]:
        return None
    both = intersected(first[1], second[1])
    infinite = both is not None and any(isinstance(end, Infinite) for end in both.items)
    return None if both is None or infinite else (first[0], both)


def _bounds(text: str, read: Read) -> _Said | None:
    r"""One chain of order signs: x > 3, 1 < x \le 5."""
    text = without_brackets(text)
    signs = [sign.lstrip("\\") for sign in ORDER.findall(text)]
    parts = [part.strip() for part in ORDER.split(text)]
    smaller = [sign[0] in "<l" for sign in signs]
    if len(parts) not in (2, 3) or len(set(smaller)) != 1:
        return None
    closed = [sign in ("<=", ">=", "le", "ge") for sign in signs]
    if not smaller[0]:  # read from the smaller side
        parts, closed = parts[::-1], closed[::-1]
    if len(parts) == 2:
        if _SYMBOL.fullmatch(parts[0]):
            parts, closed = [r"-\infty", *parts], [False, *closed]
        else:
            parts, closed = [*parts, r"\infty"], [*closed, False]
    if not _SYMBOL.fullmatch(parts[1]):
        return None
    ends = (read(parts[0]), read(parts[2]))
    if not all(map(_is_end, ends)):
        return None
    return parts[1].lstrip("\\"), Group("(["[closed[0]] + ")]"[closed[1]], ends)


def _unequal(text: str, read: Read) -> _Said | None:
    r"""X \ne 3, as all other numbers."""
    found = _UNEQUAL.fullmatch(without_brackets(text))
    if found is None:
        return None
    name, value = (found[1] or found[3]).strip(), read((found[2] or found[4]).strip())
    if not _SYMBOL.fullmatch(name) or not _is_end(value) or isinstance(value, Infinite):
        return None
    sides = (Group("()", (Infinite(True), value)), Group("()", (value, Infinite())))
    return name.lstrip("\\"), Group("∪", sides)


def _is_end(form: Canonical) -> bool:
    constant = isinstance(form, Value) and not form.symbols
    return constant or isinstance(form, Number | Infinite)

r"""What Python, numpy and sympy print: arrays, matrices, sets, intervals, dictionaries.

numpy puts only spaces between the members of an array, and a sign may follow one: "[ 3. -1.]" is 3
and −1, not 3 − 1. What stands in square brackets with spaces between its members and is no array of
numbers is ambiguous.

    read_python("Matrix([[1, 2], [3, 4]])", read)   # the matrix of 1, 2; 3, 4
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from assay.problems.answers.brackets import is_one_bracket, split_top_level
from assay.problems.answers.expressions import Ambiguous
from assay.problems.answers.forms import Assigned, Canonical, Group, Infinite, Number, order
from assay.problems.answers.intervals import united

__all__ = ["MAX_ITEMS", "array_items", "interval", "is_spaced", "matrix", "read_python"]

MAX_ITEMS = 64

_CALL = re.compile(
    r"(?:np\.|numpy\.|sympy\.|sp\.)?((?:Immutable|Mutable)?(?:Dense|Sparse)?Matrix|FiniteSet"
    r"|Interval(?:\.(?:open|[LR]open))?|Union|Tuple|(?:frozen)?set|array|matrix|dict_values"
    r"|dict_keys|deque)\s*(\(.*\))",
    re.DOTALL,
)
_INTERVALS = {
    **{"Interval": "[]", "Interval.open": "()"},
    **{"Interval.Lopen": "(]", "Interval.Ropen": "[)"},
}
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[-+]?[0-9]+)?"
# A member of a printed array: a number, a complex number (padded: "1. +0.j"), a fraction.
_MEMBER = re.compile(
    rf"[-+]?(?:{_NUMBER}(?:\s*[-+]\s*{_NUMBER}j|j|/[0-9]+)?|nan|inf|oo)(?=[\s,\[\]]|$)"
)
# "x - 1" and "2 * x" are one member: their sign stands between two spaces.
_BESIDE = re.compile(r"(?<![-+*/^=<>|,(\[{\s])\s+(?!(?:[-+*/^=<>|]|\*\*)\s|[*/^=<>|,)\]}])")
_EIGHT_DECIMALS = re.compile(r"\.[0-9]{8}(?![0-9])")
_KEYWORD = re.compile(r"\s*(?:dtype|shape)\s*=.*", re.DOTALL)
_NAME = re.compile(r"'?([A-Za-z]\w*)'?")

Read = Callable[[str], Canonical]


def read_python(text: str, read: Read) -> Canonical | None:
    """The form of a text that Python's libraries print; None where it is none of theirs.

    `read` reads a member. Raises `Ambiguous`.
    """
    if text.startswith("{"):
        return _dictionary(text, read)
    if text.startswith("["):
        return _list(text, read)
    call = _CALL.fullmatch(text)
    if call is None or not is_one_bracket(call[2]):
        return None
    name, inside = call[1], call[2][1:-1].strip()
    if name in ("FiniteSet", "set", "frozenset"):
        held = inside[:1] in ("{", "[", "(") and is_one_bracket(inside)
        return read("{" + (inside[1:-1] if held and name != "FiniteSet" else inside) + "}")
    items = split_top_level(inside, thousands=False)
    if name == "Union":
        parts = [read(item) for item in items]
        return united(parts) or Group("∪", tuple(parts))
    if name in _INTERVALS:
        if len(items) != 2:
            return None
        return interval(_INTERVALS[name], (read(items[0]), read(items[1])))
    if name == "Tuple":
        return read(f"({inside})")
    return _called(name, [item for item in items if not _KEYWORD.fullmatch(item)], read)


def _called(name: str, items: list[str], read: Read) -> Canonical | None:
    """array([3., -1.]), Matrix([[1, 2], [3, 4]])."""
    if len(items) != 1:
        return None
    listed = items[0].strip()
    if name.endswith("Matrix") and listed.startswith("["):
        rows = array_items(listed) or split_top_level(listed[1:-1], thousands=False)
        nested = all(row.lstrip().startswith("[") for row in rows)
        if not nested:  # a column
            return matrix([[row] for row in rows], read)
    elif listed.startswith("[") and "[" not in listed[1:] and is_one_bracket(listed):
        return read("{" + ", ".join(array_items(listed) or [listed[1:-1]]) + "}")
    return read(listed)


# ---- Lists and arrays ----


def _list(text: str, read: Read) -> Canonical | None:
    """Rows of a matrix, and the members of an array of numpy; None for other lists."""
    if not is_one_bracket(text):
        return None
    inside = text[1:-1].strip()
    items = array_items(text)
    if items is None:
        if is_spaced(inside):
            raise Ambiguous("spaces between the members of a list")
        items = split_top_level(inside, thousands=False)
        if "[" not in inside or not all(item.lstrip().startswith("[") for item in items):
            return None
    if not inside.startswith("["):
        members = [_rounded(item, read(item)) for item in items]
        return Group("{}", tuple(sorted(members, key=order))) if len(items) > 1 else None
    rows = [_row(item.strip()) for item in items]
    if any(row is None for row in rows):
        return None
    return matrix([row for row in rows if row is not None], read)


def is_spaced(inside: str) -> bool:
    """Whether something in a list is set apart by spaces: 1/2 sqrt(2), x -1, but not x - 1."""
    return "," not in inside and "\\" not in inside and _BESIDE.search(inside) is not None


def _rounded(text: str, form: Canonical) -> Canonical:
    """A member of 8 decimals, where numpy stops by itself: 0.33333333 may be a third."""
    full = isinstance(form, Number) and _EIGHT_DECIMALS.search(text)
    return replace(form, doubt="rounded") if full and isinstance(form, Number) else form


def _row(text: str) -> list[str] | None:
    """The members of a list of plain members."""
    if not is_one_bracket(text) or "[" in text[1:-1]:
        return None
    return array_items(text) or split_top_level(text[1:-1], thousands=False)


def array_items(text: str) -> list[str] | None:
    """The members of a list that stand beside each other with spaces; None where commas do.

    >>> array_items("[ 3. -1.]"), array_items("[[1 2] [3 4]]"), array_items("[x - 1]")
    (['3.', '-1.'], ['[1 2]', '[3 4]'], None)
    """
    inside = text[1:-1].strip()
    items, at = [], 0
    while at < len(inside):
        if inside[at] == "[":
            depth, end = 0, at
            for end in range(at, len(inside)):
                depth += (inside[end] == "[") - (inside[end] == "]")
                if not depth:
                    break
            items.append(inside[at : end + 1])
            at = end + 1
        else:
            found = _MEMBER.match(inside, at)
            if found is None:
                return None
            items.append("".join(found[0].split()))
            at = found.end()
        while at < len(inside) and inside[at].isspace():
            at += 1
    return items if len(items) > 1 else None


def matrix(rows: list[list[str]], read: Read) -> Canonical | None:
    """The matrix of these cells; one cell is itself. None where the rows differ in length."""
    sizes = {len(row) for row in rows}
    if not rows or len(sizes) != 1 or len(rows) * min(sizes) > MAX_ITEMS:
        return None
    cells = [[_rounded(cell, read(cell.strip())) for cell in row] for row in rows]
    if len(rows) == len(cells[0]) == 1:
        return cells[0][0]
    return Group("matrix", tuple(Group("row", tuple(row)) for row in cells))


def interval(brackets: str, ends: tuple[Canonical, Canonical]) -> Group:
    """An interval, open at infinity whatever was written."""
    low = "(" if isinstance(ends[0], Infinite) else brackets[0]
    high = ")" if isinstance(ends[1], Infinite) else brackets[1]
    return Group(low + high, ends)


# ---- Dictionaries ----


def _dictionary(text: str, read: Read) -> Canonical | None:
    """{x: 2, y: 1} is x = 2, y = 1. Raises `Ambiguous` where the keys are no names: {2: 3}."""
    if ":" not in text or not is_one_bracket(text):
        return None
    items = split_top_level(text[1:-1], thousands=False)
    pairs = [item.partition(":") for item in items]
    if not all(key.strip() and colon and value.strip() for key, colon, value in pairs):
        return None
    names = [_NAME.fullmatch(key.strip()) for key, _, _ in pairs]
    if not all(names) or any(":" in value for _, _, value in pairs):
        raise Ambiguous("a dictionary")
    if len(names) == 1 and names[0] and len(names[0][1]) < 3:
        return Assigned(names[0][1], read(pairs[0][2].strip()))
    said = ", ".join(
        f"{name[1]} = {value.strip()}"
        for name, (_, _, value) in zip(names, pairs, strict=True)
        if name
    )
    return read(said)

"""Brackets and what they hold apart: splitting at the commas that stand in none of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["is_one_bracket", "split_at", "split_top_level", "without_brackets"]

_OPENING, _CLOSING = "([{", ")]}"
_THOUSANDS = re.compile(r"(?<![\d,.])(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3})(?!\d|,\d)")


def is_one_bracket(text: str) -> bool:
    """Whether the first bracket closes at the very end: not so in (0,1) U (2,3)."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character in _OPENING) - (character in _CLOSING)
        if depth <= 0:
            return index == len(text) - 1 and index > 0
    return False


def without_brackets(text: str) -> str:
    """The text without the round brackets around the whole of it.

    >>> without_brackets("((x > 2))"), without_brackets("(x > 2) & (x < 5)")
    ('x > 2', '(x > 2) & (x < 5)')
    """
    text = text.strip()
    while text.startswith("(") and is_one_bracket(text):
        text = text[1:-1].strip()
    return text


def split_top_level(text: str, *, thousands: bool = True) -> list[str]:
    """Splits at the commas and semicolons that stand in no brackets.

    The commas of thousands stay; without `thousands` (in brackets, where (1,234) is a pair) only
    where other commas are followed by a space: (1,200, 3,400).
    """
    if "," not in text and ";" not in text:
        return [text]
    keep: set[int] = set()
    if thousands or re.search(r"[,;]\s", text):
        for found in _THOUSANDS.finditer(text):
            keep.update(range(*found.span()))
    commas = [
        (index, index + 1)
        for index, character in enumerate(text)
        if character in ",;" and index not in keep
    ]
    return split_at(text, commas)


def split_at(text: str, places: Sequence[tuple[int, int]]) -> list[str]:
    """The parts between those places (start, end; in order) that stand in no brackets."""
    parts, depth, start, at = [], 0, 0, 0
    for first, last in places:
        for character in text[at:first]:
            depth += (character in _OPENING) - (character in _CLOSING)
        at = first
        if depth == 0 and first >= start:
            parts.append(text[start:first])
            start = last
    return [*parts, text[start:]]

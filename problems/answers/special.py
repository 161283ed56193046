"""Answers of a shape of their own: infinity, ratios, times, other bases, letters, dates."""

from __future__ import annotations

import re
from fractions import Fraction

from assay.problems.answers.forms import Based, Canonical, Infinite, Ratio, Text

__all__ = ["read_special"]

_INFINITY = re.compile(r"([-+]?)\s*(?:\\infty|oo|inf|infinity|\\infinity)", re.IGNORECASE)
_RATIO = re.compile(
    r"(\d{1,9}(?:\.\d{1,9})?)((?:\s*:\s*\d{1,9}(?:\.\d{1,9})?)+)|(\d{1,9}) to (\d{1,9})"
)
_TIME = re.compile(r"(\d{1,2}(?::\d{2}){0,2})\s*([AaPp])\.?\s?[Mm]\.?")
_BASED = re.compile(r"\(?(-?[0-9A-Z]{1,60}(?:\.[0-9A-Z]{1,60})?)\)?\s*_\s*\{?\s*(\d{1,2})\s*\}?")
_LETTER = re.compile(r"(?:(?:option|choice)\s+)?\(?([A-Z])\)?", re.IGNORECASE)
_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_MONTH = rf"({'|'.join(f'{m[:3]}(?:{m[3:]})?' for m in _MONTHS)}|Sept)\.?"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_DATE = re.compile(
    rf"(?:{_MONTH} {_DAY}|{_DAY}(?: of)? {_MONTH})(?:,? (\d{{4}}))?|"
    r"(\d{4})-(\d{2})-(\d{2})(?: 00:00:00)?",
    re.IGNORECASE,
)


def read_special(text: str) -> Canonical | None:
    """The form of a whole text of one of these kinds; None for any other."""
    found = _INFINITY.fullmatch(text)
    if found:
        return Infinite(found[1] == "-")
    found = _RATIO.fullmatch(text)
    if found:
        terms = [found[3], found[4]] if found[3] else text.split(":")
        return Ratio(tuple(Fraction(term.strip()) for term in terms))
    found = _TIME.fullmatch(text)
    if found:
        parts = [Fraction(part) for part in found[1].split(":")]
        return Ratio((*parts, *[Fraction(0)] * (2 - len(parts))), f"{found[2].lower()}m")
    found = _BASED.fullmatch(text)
    if found and 2 <= int(found[2]) <= 36:
        based = Based(found[1].lstrip("0") or "0", int(found[2]))
        return based if based.value is not None else None
    found = _LETTER.fullmatch(text)
    if found and text.strip("()") != found[1].lower():  # (C), option C; not the symbol c
        return Text(found[1].upper(), words=True)
    found = _DATE.fullmatch(text)
    return _date(found) if found else None


def _date(found: re.Match[str]) -> Text:
    """A date as year-month-day, or month-day."""
    if found[6]:
        return Text(f"{found[6]}-{found[7]}-{found[8]}", words=True)
    name, day = (found[1], found[2]) if found[1] else (found[4], found[3])
    month = [m[:3].lower() for m in _MONTHS].index(name[:3].lower()) + 1
    year = f"{found[5]}-" if found[5] else ""
    return Text(f"{year}{month:02d}-{int(day):02d}", words=True)

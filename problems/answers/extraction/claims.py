r"""From what stands at a place of a solution to the answer claimed there.

>>> claim("that Janet makes **18** dollars a day", ()), claim("4 + 5 = 9", ())
('18', '9')
>>> claim("your answer here", ()), claim("C) 1/2", ("1/4", "1/3", "1/2"))
(None, 'C')
"""

from __future__ import annotations

import re

from assay.problems.answers.canonical import canonical
from assay.problems.answers.choices import option_letter, option_with_text
from assay.problems.answers.forms import Number, Text
from assay.problems.answers.tidying import tidy, words

__all__ = ["claim", "is_value", "numbers_in", "whole_option"]

_NUMBER = re.compile(r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?", re.ASCII)
_HEDGE = re.compile(r"(?:approximately|about|roughly|around|nearly|\\approx|≈|~)\s*(?=[\d$\\.-])")
_DENIED = re.compile(r"not\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]{2,}")
# An answer of more words than this is prose ("found by adding …").
_MAX_WORDS = 8


def claim(found: str, options: tuple[str, ...]) -> str | None:
    """The answer in what stands at a place; None where nothing there is an answer."""
    said = tidy(_unmarked(found))
    text = tidy(_HEDGE.sub("", said))
    letter = (option_letter(said, options) or option_letter(text, options)) if options else None
    if letter is not None:
        return letter
    form = canonical(text)
    if form is None and text.lower() == "none" and not options:
        return r"\text{None}"  # said, not missing
    if form is None or _DENIED.match(text) or _is_placeholder(text):
        return None
    left, _, right = text.rpartition("=")
    if isinstance(form, Number) and any(map(str.isdigit, left)):  # 4 + 5 = 9
        return tidy(right)
    if isinstance(form, Text) and not form.words:
        after_equals = tidy(right) if "=" in text else ""
        if after_equals and isinstance(canonical(after_equals), Number):
            return after_equals
        numbers = _NUMBER.findall(text)
        # "that Janet makes 18 dollars": prose around the one number that it claims.
        if len(numbers) == 1 and len(_WORD.findall(text)) >= 3 and "\\" not in text:
            return str(numbers[0]).replace(",", "")
    if isinstance(form, Text) and (options or len(_WORD.findall(text)) > _MAX_WORDS):
        return None  # prose; or, in multiple choice, none of the options
    return text


def is_value(text: str) -> bool:
    """Whether a text as it stands is mathematics of which the value is understood."""
    return not isinstance(canonical(tidy(_unmarked(text))), Text | None)


def numbers_in(text: str) -> list[str]:
    """The numbers of a text, without the commas of thousands."""
    return [number.replace(",", "") for number in _NUMBER.findall(text)]


def whole_option(said: str, options: tuple[str, ...]) -> str | None:
    """The letter where nothing but an option's text is said; a letter comes before that text."""
    return option_letter(said, options) if option_with_text(said, options) else None


# ---- Markdown ----

# **18**, *18*, __18__, `18`: not the signs of 2**3 and x_1.
_MARKED = re.compile(
    r"(?<![\w)}\]])(\*{1,3}|_{1,3}|`{1,3})(?=[^\s*_`])([^*_`\n]{1,200}?)(?<=\S)\1(?![\w({\[])"
)


def _unmarked(text: str) -> str:
    """A text without emphasis and back-ticks."""
    if not ("*" in text or "_" in text or "`" in text):
        return text
    return _MARKED.sub(r"\2", _MARKED.sub(r"\2", text))


# ---- Placeholders ----

_PLACE = words("answer answers ans result solution value number letter choice option here")
_FILLING = words(
    "your the final correct numeric numerical single a an in of is goes insert put enter fill "
    "write blank text expression"
)
_LETTERS = re.compile(r"[A-Za-z]+")
_BARE_PLACEHOLDER = re.compile(
    r"(?:[\W_]|\\(?:[lc]?dots|square|Box|q?quad|phantom\{[^{}]*\}|hspace\{[^{}]*\}))*"
)


def _is_placeholder(text: str) -> bool:
    """Whether a text stands for an answer that is still to come: "your answer here", "...", "?"."""
    if _BARE_PLACEHOLDER.fullmatch(text):
        return True
    said = {word.lower() for word in _LETTERS.findall(text)}
    written = any(character.isdigit() or character == "\\" for character in text)
    return not written and bool(said & _PLACE) and said <= _PLACE | _FILLING

r"""Finding the answer that a candidate claims, and where it stood.

In order: after "####" (GSM8K), in the last \boxed{}, after "The answer is" or "A:", a choice
letter; the last number only when asked. Annotations are stripped first: `<<16-3=13>>13` claims 13
once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from problems.annotations import strip_annotations
from problems.answers.canonical import canonical
from problems.answers.choices import option_letter, option_with_text
from problems.answers.forms import Number, Text
from problems.answers.tidying import tidy

__all__ = ["Extracted", "Source", "extract", "extract_output"]

Source = Literal["hash", "boxed", "phrase", "choice", "program", "last_number", "none"]


@dataclass(frozen=True)
class Extracted:
    """A claimed answer as text (None where there is none) and where it was found."""

    answer: str | None
    source: Source


_NONE = Extracted(None, "none")


def extract(text: str, options: Sequence[str] = (), *, last_number: bool = False) -> Extracted:
    """The answer of a solution in words.

    With `options` (multiple choice) the answer is a letter wherever one is named, also by the
    option's text. `last_number` allows the last number of the text as the last resort: for voting,
    never for labels.
    """
    text = strip_annotations(text)
    choices = tuple(options)
    finders: list[tuple[Source, Callable[[str], str | None]]] = [
        ("hash", _after_hashes),
        ("boxed", _last_box),
        ("phrase", lambda said: _option_after_phrase(said, choices) or _after_phrase(said)),
    ]
    for source, find in finders:
        found = find(text)
        claim = None if found is None else _claim(found, choices)
        if claim is not None:
            return Extracted(claim, source)
    if choices:
        letter = _named_letter(text, choices)
        if letter is not None:
            return Extracted(letter, "choice")
    if last_number:
        numbers = _NUMBER.findall(text)
        if numbers:
            return Extracted(numbers[-1].replace(",", ""), "last_number")
    return _NONE


def extract_output(output: str, options: Sequence[str] = ()) -> Extracted:
    """The answer that a program printed: its last line that is not empty.

    Python's lists and dictionaries are read as such: [3, -2] is 3 and -2 in any order, as `solve`
    gives them; {x: 3, y: 2} is x = 3, y = 2; numbers with spaces between them are several. Messages
    of errors that a program caught, booleans and None are no answers.
    """
    lines = [line.strip() for line in output.split("\n") if line.strip()]
    if not lines or _ERROR.match(lines[-1]):
        return _NONE
    last = lines[-1]
    letter = _whole_option(last, tuple(options))
    if letter is not None:
        return Extracted(letter, "program")
    labelled = _LABELLED.fullmatch(last)
    found = _after_phrase(last) or (labelled[1] if labelled else last)
    claim = _claim(_python_value(found), tuple(options))
    return _NONE if claim is None else Extracted(claim, "program")


# ---- What Python prints ----

_ERROR = re.compile(r"(?:\w*(?:error|exception)\b|traceback|an error)", re.IGNORECASE)
_LABELLED = re.compile(r"[A-Za-z][\w'’ ]*[:=]\s*([^=]+)")
_DICT = re.compile(r"\{(\w+: [^{}:,]+(?:, \w+: [^{}:,]+)*)\}")
_LIST = re.compile(r"\[([^\[\]]+)\]")
_SPACED = re.compile(r"-?\d+(?:\.\d+)?(?: +-?\d+(?:\.\d+)?)+")
_EQ = re.compile(r"Eq\(([^(),]+), ([^,]+)\)")
_BOUNDS = re.compile(r"\(([^()]+[<>]=?) (\w+)\) & \(\2 ([<>]=? ?[^()]+)\)")
_BOUND = re.compile(r"\(?-?oo <=? \w+\)? & |& \(?\w+ <=? -?oo\)?")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")


def _python_value(text: str) -> str:
    """Python's way of printing a value as people write it."""
    listed = _LIST.fullmatch(text)
    text = _QUOTED.sub(r"\1\2", listed[1]) if listed else text
    named = _DICT.fullmatch(text)
    text = named[1].replace(": ", " = ") if named else text
    if _SPACED.fullmatch(text):
        return ", ".join(text.split())
    text = _EQ.sub(r"\1 = \2", text)
    if "&" in text:  # (-oo < x) & (x < 3), (2 < x) & (x < 3)
        text = _BOUND.sub("", text)
        text = _BOUNDS.sub(lambda found: f"{found[1]} {found[2]} {found[3]}", text)
    if " | " in text and re.search("[<>]", text):
        text = text.replace(" | ", " or ").translate(str.maketrans("", "", "()"))
    bracketed = text.startswith("(") and text.endswith(")") and re.search("[<>]", text)
    return text[1:-1] if bracketed else text


# ---- Places ----

_NUMBER = re.compile(r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?", re.ASCII)
_HASHES = re.compile(r"####[ \t]*([^\n]*)")
_BOX = re.compile(r"\\(?:boxed|fbox)\s*")
_BARE = re.compile(r"[^\s${}\\]+")
_BRACE = re.compile(r"[{}]")
_PHRASE = re.compile(
    r"(?:\banswer(?:\s+(?:to|for)\b[^.\n:=]{0,80}?)?[\s*]*(?:\bis\b|\bare\b|would be|will be|[:=])"
    r"|^[ \t*]*A:)(?:\*\*(?=\s))?[ \t:]*",
    re.IGNORECASE | re.MULTILINE,
)
_NEXT_LINE = re.compile(r"\s*([^\n]+)")
_DISPLAYED = re.compile(r"\s*(?:\*\*)?\s*(?:\\\[(.{0,2000}?)\\\]|\$\$(.{0,2000}?)\$\$)", re.DOTALL)
_STOP = re.compile(r"\.(?=\s|$)|(?<=\d),?\s+(?=because|since|so|as|which)")
_LETTER_ANCHOR = re.compile(
    r"\b(?i:option|choice|answer|pick|choose|select)\s*(?i:is\s*)?[:*]*\s*"
    r"\(?(?:(A)(?! [a-z]{2})|([B-Z]))\)?(?![\w'’])"
)
_LETTER_IN_BRACKETS = re.compile(r"\(([A-Z])\)")


def _after_hashes(text: str) -> str | None:
    """What follows the last "####" that is no Markdown heading ("#### Step 1: add")."""
    found = [match[1].strip() for match in _HASHES.finditer(text)]
    is_last_line = text.rstrip().rpartition("\n")[2].lstrip().startswith("####")
    for place, rest in enumerate(reversed(found)):
        if rest and (not isinstance(canonical(rest), Text) or (place == 0 and is_last_line)):
            return rest
    return None


def _last_box(text: str) -> str | None:
    """The content of the last whole box; None where two different boxes are offered at once."""
    closing = _closing_braces(text) if _BOX.search(text) else {}
    boxes: list[tuple[int, int, str]] = []
    for match in _BOX.finditer(text):
        start = match.end()
        bare = _BARE.match(text, start)
        if start in closing:
            boxes.append((match.start(), closing[start] + 1, text[start + 1 : closing[start]]))
        elif bare:  # \boxed 5
            boxes.append((match.start(), bare.end(), bare[0]))
    if not boxes:
        return None
    if len(boxes) > 1:
        between = text[boxes[-2][1] : boxes[-1][0]].strip(" \n$,.")
        if between.lower() in ("or", "and") and boxes[-2][2].strip() != boxes[-1][2].strip():
            return None
    return boxes[-1][2]


def _closing_braces(text: str) -> dict[int, int]:
    """Index of each "{" that is closed -> index of its "}"."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for match in _BRACE.finditer(text):
        if match[0] == "{":
            opened.append(match.start())
        elif opened:
            closing[opened.pop()] = match.start()
    return closing


def _after_phrase(text: str) -> str | None:
    """What follows the last "The answer is" (to the end of its sentence), or stands below it."""
    for match in reversed(list(_PHRASE.finditer(text))):
        displayed = _DISPLAYED.match(text, match.end())
        if displayed and (displayed[1] or displayed[2] or "").strip():
            return str(displayed[1] or displayed[2]).strip()
        line = _NEXT_LINE.match(text, match.end())
        rest = _STOP.split(line[1], maxsplit=1)[0].strip() if line else ""
        rest = rest.removeprefix("}").strip()  # \text{Answer: } 18
        if rest:
            return rest
    return None


def _option_after_phrase(text: str, options: tuple[str, ...]) -> str | None:
    """The letter of the option that the line after the last "The answer is" holds whole.

    Options may be sentences, or hold a full stop: "Rs. 750", "30 in. by 57 in.".
    """
    phrases = list(_PHRASE.finditer(text)) if options else []
    line = _NEXT_LINE.match(text, phrases[-1].end()) if phrases else None
    if line is None:
        return None
    said = line[1].strip()
    return _whole_option(said, options) or _whole_option(said.removesuffix("."), options)


def _whole_option(said: str, options: tuple[str, ...]) -> str | None:
    """The letter where nothing but an option's text is said; a letter comes before that text."""
    return option_letter(said, options) if option_with_text(said, options) else None


def _named_letter(text: str, options: tuple[str, ...]) -> str | None:
    """A letter at an anchor ("option C"), alone on the last line, or alone in brackets there."""
    allowed = [chr(ord("A") + index) for index in range(len(options))]
    anchored = []
    for match in _LETTER_ANCHOR.finditer(text):
        letter = match[1] or match[2]
        beside = text[match.end() :].partition("\n")[0].strip(" .:*)")
        # "B) 12" where 12 is what A says names neither.
        if letter in allowed and option_letter(f"({letter}) {beside}", options) == letter:
            anchored.append(letter)
    if anchored:
        return str(anchored[-1])
    last = tidy(text.strip().rpartition("\n")[2])
    whole = option_letter(last, options)  # "C", "B. 15", "none of these"
    if whole is not None:
        return whole
    bracketed = {letter for letter in _LETTER_IN_BRACKETS.findall(last) if letter in allowed}
    return bracketed.pop() if len(bracketed) == 1 else None


# ---- From a place to a claim ----

_HEDGE = re.compile(r"(?:approximately|about|roughly|around|nearly|\\approx|≈|~)\s*(?=[\d$\\.-])")
_DENIED = re.compile(r"not\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]{2,}")
# An answer of more words than this is prose ("found by adding …").
_MAX_WORDS = 8


def _claim(found: str, options: tuple[str, ...]) -> str | None:
    """The answer in what stands at an anchor; None where nothing there is an answer."""
    said = tidy(found)
    text = tidy(_HEDGE.sub("", said))
    letter = (option_letter(said, options) or option_letter(text, options)) if options else None
    if letter is not None:
        return letter
    form = canonical(text)
    if form is None or _DENIED.match(text):
        return None
    if isinstance(form, Number) and re.search(r"\d[^=]*=", text):  # 4 + 5 = 9
        return tidy(text.rpartition("=")[2])
    if isinstance(form, Text) and not form.words:
        after_equals = tidy(text.rpartition("=")[2]) if "=" in text else ""
        if after_equals and isinstance(canonical(after_equals), Number):
            return after_equals
        numbers = _NUMBER.findall(text)
        # "that Janet makes 18 dollars": prose around the one number that it claims.
        if len(numbers) == 1 and len(_WORD.findall(text)) >= 3 and "\\" not in text:
            return str(numbers[0]).replace(",", "")
    if isinstance(form, Text) and (options or len(_WORD.findall(text)) > _MAX_WORDS):
        return None  # prose; or, in multiple choice, none of the options
    return text

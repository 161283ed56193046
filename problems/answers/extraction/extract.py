r"""Finding the answer that a candidate claims, and where it stood.

Only the reply is looked at: not the thoughts before it, nor the next question invented behind it
(`replies`). In order: in <answer>…</answer>, after "####" (GSM8K), in the boxes that still stand,
after "The answer is" or "A:", a choice letter, in bold at the end; the last number only when asked.
Annotations are stripped first: `<<16-3=13>>13` claims 13 once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.problems.annotations import strip_annotations
from assay.problems.answers.canonical import canonical
from assay.problems.answers.choices import option_letter
from assay.problems.answers.comparison import same
from assay.problems.answers.extraction.boxes import boxes_standing, several, takes_back
from assay.problems.answers.extraction.claims import claim, is_value, numbers_in, whole_option
from assay.problems.answers.extraction.phrases import after_phrase, claim_after_phrase
from assay.problems.answers.extraction.printed import as_written, is_no_answer, last_value
from assay.problems.answers.extraction.replies import before_next_question, reply_in, tagged
from assay.problems.answers.forms import Canonical, Group, Text
from assay.problems.answers.tidying import tidy

__all__ = ["Extracted", "Source", "extract", "extract_output"]

Source = Literal[
    "tag", "hash", "boxed", "phrase", "choice", "emphasis", "program", "last_number", "none"
]


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
    choices = tuple(options)
    reply = strip_annotations(reply_in(text).text)
    reply = before_next_question(reply, lambda before: _is_answered(before, choices))
    found = _claimed(reply, choices)
    if found.answer is not None:
        return found
    letter = _named_letter(reply, choices) if choices else None
    if letter is not None:
        return Extracted(letter, "choice")
    emphasised = _emphasised(reply, choices)
    if emphasised is not None:
        return Extracted(emphasised, "emphasis")
    numbers = numbers_in(reply) if last_number else []
    return Extracted(numbers[-1], "last_number") if numbers else _NONE


def extract_output(output: str, options: Sequence[str] = ()) -> Extracted:
    """The answer that a program printed: its last line that is not empty, or the last array.

    Lists, arrays and dictionaries are read as Python, numpy and sympy print them: [3, -2] and
    [ 3. -2.] are 3 and -2 in any order, as `solve` gives them; {x: 3, y: 2} is x = 3, y = 2;
    numbers with spaces between them are several. Messages of errors that a program caught, None,
    nan and inf are no answers.
    """
    last = last_value(output)
    if _ERROR.match(last):
        return _NONE
    letter = whole_option(last, tuple(options))
    if letter is not None:
        return Extracted(letter, "program")
    labelled = _LABELLED.fullmatch(last)
    found = after_phrase(last) or (labelled[1] if labelled else last)
    answer = None if is_no_answer(found) else claim(as_written(found), tuple(options))
    return _NONE if answer is None else Extracted(answer, "program")


_ERROR = re.compile(r"(?:\w*(?:error|exception)\b|traceback|an error)", re.IGNORECASE)
_LABELLED = re.compile(r"[A-Za-z][\w'’ ]*[:=]\s*([^=]+)")


# ---- Places ----

# Worked arithmetic, after which a text has solved its own problem, whatever it calls the result.
_WORKED = re.compile(r"\d\s*[-+*/×÷x]\s*\$?\d[\d.,]*\s*=\s*\$?\d")


def _is_answered(before: str, options: tuple[str, ...]) -> bool:
    """Whether a beginning of a text holds a claim, or a calculation in a paragraph of its own."""
    if _claimed(before, options).answer is not None:
        return True
    return before.endswith("\n\n") and bool(_WORKED.search(before))


def _claimed(text: str, options: tuple[str, ...]) -> Extracted:
    finders: list[tuple[Source, Callable[[str, tuple[str, ...]], str | None]]] = [
        ("tag", _in_tag),
        ("hash", _after_hashes),
        ("boxed", _boxed),
        ("phrase", claim_after_phrase),
    ]
    for source, find in finders:
        found = find(text, options)
        if found is not None:
            return Extracted(found, source)
    return _NONE


def _in_tag(text: str, options: tuple[str, ...]) -> str | None:
    """What <answer>…</answer> claims, at a place of its own in there or as a whole."""
    inside = tagged(text)
    if inside is None:
        return None
    for find in (_after_hashes, _boxed, claim_after_phrase):
        found = find(inside.text, options)
        if found is not None:
            return found
    found = claim(inside.text, options)
    # "the <answer> tag" opens nothing.
    return found if found is None or inside.closed or is_value(found) else None


_HASHES = re.compile(r"(?<!#)####(?!#)[ \t]*([^\n]*)")
_NUMBERED = re.compile(r"\d{1,2}(?:[.):]\s*\D|\s+[A-Z])")
_ONE_WORD = re.compile(r"\d+\s+\w+\W*")
_WORDED = re.compile(r"[A-Za-z]{2,}")


def _after_hashes(text: str, options: tuple[str, ...]) -> str | None:
    """What the last "####" claims that is no Markdown heading ("#### Step 1: add", "#### 2. Add").

    Above other lines, words beside a value make it a heading if something is claimed below.
    """
    lines = [match for match in _HASHES.finditer(text) if match[1].strip()]
    numbered = sum(_NUMBERED.match(match[1]) is not None for match in lines)
    for match in reversed(lines):
        rest, below = match[1].strip(), text[match.end() :].strip()
        is_section = numbered > 1 or (below and not _ONE_WORD.fullmatch(rest))
        if is_section and _NUMBERED.match(rest):
            continue
        found = claim(rest, options)
        if found is None:
            continue
        if isinstance(canonical(tidy(rest)), Text):
            above = text[: match.start()]
            if below or above.rstrip(" \t")[-1:] not in ("", "\n") or _has_value(above, options):
                continue
        elif below and (_WORDED.search(rest) or any(match[1] != other[1] for other in lines)):
            is_heading = _boxed(below, options) or claim_after_phrase(below, options)
            return None if is_heading else found
        return found
    return None


def _has_value(text: str, options: tuple[str, ...]) -> bool:
    found = _boxed(text, options) or claim_after_phrase(text, options)
    return found is not None and is_value(found)


# In longer rows of boxes, only what is literally the same is found to be.
_MAX_BOXES = 64


def _boxed(text: str, options: tuple[str, ...]) -> str | None:
    """What the boxes claim that still stand: one answer, or several as `boxes.several` does."""
    boxes = boxes_standing(text)
    claims = [each for content in boxes.contents if (each := claim(content, options))]
    letters = [each for each in claims if options and option_letter(each, options)]
    claims = _distinct(letters or claims)
    if not claims:
        return None
    later = text[boxes.end :]
    if takes_back(later):
        corrected = claim_after_phrase(later, options)
        if corrected is not None and is_value(corrected):
            return None
    return claims[0] if len(claims) == 1 else several(claims)


def _distinct(claims: Sequence[str]) -> list[str]:
    """Claims without those that a later one repeats, or sums up: 3, 5, then "3, 5"."""
    latest = {canonical(each): each for each in claims}
    if len(latest) > _MAX_BOXES:
        return list(latest.values())
    kept: list[tuple[Canonical, str]] = []
    for form, text in ((canonical(each), each) for each in claims):
        if form is None:
            continue
        members = form.items if isinstance(form, Group) and form.brackets in ("{}", "()") else ()
        said = (form, *members)
        kept = [old for old in kept if not any(same(old[0], new) is True for new in said)]
        kept.append((form, text))
    return [text for _, text in kept]


_BOLD = re.compile(r"(\*\*|__)(?=\S)([^*_\n]{1,100}?)(?<=\S)\1")
_ENDS = re.compile(r"\W*|[^\d*=]{1,40}[.!]\W*")
_LIST_NUMBER = re.compile(r"\d{1,2}[.):]")


def _emphasised(text: str, options: tuple[str, ...]) -> str | None:
    """The value in bold at the end of the text's last sentence: "Adding both gives **7**."."""
    line = text.rstrip().rpartition("\n")[2]
    bold = list(_BOLD.finditer(line))
    if not bold or not _ENDS.fullmatch(line, bold[-1].end()):
        return None
    inside = bold[-1][2]
    return claim(inside, options) if is_value(inside) and not _LIST_NUMBER.match(inside) else None


# ---- Choices ----

_LETTER_ANCHOR = re.compile(
    r"\b(?i:option|choice|answer|pick|choose|select)\s{0,9}(?i:is\s{0,9})?[:*]{0,9}\s{0,9}"
    r"\(?(?:(A)(?! [a-z]{2})|([B-Z]))\)?(?![\w'’])"
)
_LETTER_IN_BRACKETS = re.compile(r"\(([A-Z])\)")


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

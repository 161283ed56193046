r"""What follows "The answer is": the claim that a solution states in words.

The last claim counts, but not what only talks about the answer ("so the answer is correct"), nor
plain words behind a value.

>>> claim_after_phrase("The answer is 18. 18 / 2 = 9, so the answer is correct.", ())
'18'
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assay.problems.answers.canonical import canonical
from assay.problems.answers.comparison import same
from assay.problems.answers.extraction.boxes import takes_back
from assay.problems.answers.extraction.claims import claim, is_value, whole_option
from assay.problems.answers.forms import Group, Text
from assay.problems.answers.tidying import tidy

__all__ = ["after_phrase", "claim_after_phrase"]

_PHRASE = re.compile(
    r"(?:\banswer(?:\s+(?:to|for)\b[^.\n:=]{0,80}?)?[\s*]*(?:\bis\b|\bare\b|would be|will be|[:=])"
    r"|^[ \t*]*A:)(?:[ \t:]|\*\*(?=\s))*",
    re.IGNORECASE | re.MULTILINE,
)
# The line behind the phrase, or below it; a fence around it is passed over.
_NEXT_LINE = re.compile(r"(?:\s*(?:```|~~~)+[ \t]*\w*[ \t]*\n)?\s*([^\n]{1,2000})")
_DISPLAYED = re.compile(r"\s*(?:\*\*)?\s*(?:\\\[(.{0,2000}?)\\\]|\$\$(.{0,2000}?)\$\$)", re.DOTALL)
_STOP = re.compile(r"\.(?=\s|$)|(?<=\d),?\s+(?=because|since|so|as|which)")
# Of more claims than these, the first are not looked at.
_MAX_PHRASES = 200
_EXCLAIMED = re.compile(r"(?<=[a-z]{2})[!?]+$")  # not 5!
# What leads to the next phrase of the same sentence: "18, and the answer …".
_LEADS_ON = re.compile(
    r"[\s,;(–—-]*(?:\b(?:and|so|but|as|thus|hence|therefore)\b[\s,]*)?"
    r"(?:\b(?:the|this|that|our|my|final|correct)\b\s*)*$",
    re.IGNORECASE,
)


def after_phrase(text: str) -> str | None:
    """What follows the last "The answer is" (to the end of its sentence), or stands below it."""
    phrases = list(_PHRASE.finditer(text))
    for place in reversed(range(len(phrases))):
        rest = _said(text, phrases, place)
        if rest:
            return rest
    return None


def claim_after_phrase(text: str, options: tuple[str, ...]) -> str | None:
    """The last claim that stands behind "The answer is"; None where there is none."""
    phrases = list(_PHRASE.finditer(text))[-_MAX_PHRASES:]
    words = comment = None
    denied: list[str] = []
    silent = -1  # where a phrase claims nothing
    for place in reversed(range(len(phrases))):
        phrase = phrases[place]
        rest = _said(text, phrases, place)
        if not rest or _SUPPOSED.search(text[max(0, phrase.start() - 40) : phrase.start()]):
            continue
        if silent >= 0 and takes_back(text[phrase.end() : silent]):
            break
        if _NOT.match(rest):
            if _NOT_RIGHT.match(rest):
                break
            denied.append(_NOT.sub("", rest))
            continue
        found = _option(text, phrase, options) or claim(rest, options)
        if found is None:
            silent = phrase.start()
        elif _is_comment(text, phrase, rest):
            comment = comment or found
        elif not any(_are_same(found, other) for other in denied):
            if _is_plain(found, options):
                words = words or found
            elif words is None or is_value(rest):
                return found
    return words or comment


def _said(text: str, phrases: Sequence[re.Match[str]], place: int) -> str:
    """What is said behind a phrase, up to the end of its sentence or to the next phrase in it."""
    end = phrases[place].end()
    displayed = _DISPLAYED.match(text, end)
    if displayed and (displayed[1] or displayed[2] or "").strip():
        return str(displayed[1] or displayed[2]).strip()
    line = _NEXT_LINE.match(text, end)
    if line is None:
        return ""
    said = line[1]
    if place + 1 < len(phrases) and phrases[place + 1].start() < line.end():
        following = max(0, phrases[place + 1].start() - line.start(1))
        said = _LEADS_ON.sub("", said[max(0, following - 200) : following])
    said = _EXCLAIMED.sub("", _STOP.split(said, maxsplit=1)[0].strip())
    return said.removeprefix("}").strip()  # \text{Answer: } 18


def _option(text: str, phrase: re.Match[str], options: tuple[str, ...]) -> str | None:
    """The letter of the option that the line behind a phrase holds whole.

    Options may be sentences, or hold a full stop: "Rs. 750", "30 in. by 57 in.".
    """
    line = _NEXT_LINE.match(text, phrase.end()) if options else None
    if line is None:
        return None
    said = line[1].strip()
    return whole_option(said, options) or whole_option(said.removesuffix("."), options)


def _is_plain(found: str, options: tuple[str, ...]) -> bool:
    """Whether a claim is words and nothing else; a letter may be a choice."""
    if options or not _WORD.search(found) or _MATHEMATICAL.search(found):
        return False
    form = canonical(found)
    return all(
        isinstance(each, Text) for each in (form.items if isinstance(form, Group) else [form])
    )


def _are_same(found: str, denied: str) -> bool:
    a, b = canonical(found), canonical(tidy(denied))
    return a is not None and b is not None and same(a, b) is True


_WORD = re.compile(r"[A-Za-z]{2}")
_MATHEMATICAL = re.compile(r"[\d\\=^<>]")

# ---- Talk about the answer ----

# "If the answer is 5 then it fails."
_SUPPOSED = re.compile(
    r"\b(?:if|whether|unless|suppose|supposing)\s+(?:that\s+)?(?:(?:the|this|that|our|my)\s+)?"
    r"(?:\w+\s+)?$",
    re.IGNORECASE,
)
_NOT = re.compile(r"not\b\s*", re.IGNORECASE)
_NOT_RIGHT = re.compile(
    r"not\s+(?:\w+\s+)?(?:correct|right|possible|valid|reasonable)\b", re.IGNORECASE
)
_COMMENT = re.compile(
    r"(?:(?:indeed|also|therefore|thus|hence|quite|very|clearly|then|still|both|fully|completely|"
    r"definitely|probably|likely|actually|really|now)\s+)*"
    r"(?:correct|right|wrong|incorrect|reasonable|consistent|valid|verified|confirmed|accurate|"
    r"plausible|sensible|logical|sound|clear|obvious|complete|supported|justified|checked|"
    r"in agreement|in line|in the|in (?:dollars|cents|units|terms)|as (?:follows|expected)|"
    r"between|less than|more than|greater than|smaller than|larger than|at (?:least|most)|"
    r"(?:positive|negative|even|odd|whole)(?!\s+\$?-?\d)|an? (?:\w+ )?(?:integer|number))\b",
    re.IGNORECASE,
)
_MADE = re.compile(
    r"(?:(?:also|then|usually|often|to be)\s+)*(?:given|expressed|stated|written|shown|presented|"
    r"reported|measured|found|obtained|calculated|computed|derived|based|boxed)\b",
    re.IGNORECASE,
)
_VALUE_AT_LAST = re.compile(r"=|(?:\bas|:)\s*\$?-?\d")
_ROUNDED = re.compile(
    r"(?:\w+ )?rounded\b.*(?:decimal|place|significant|figure|digit|nearest)", re.IGNORECASE
)
_IF = re.compile(r"\bif\b", re.IGNORECASE)


def _is_comment(text: str, phrase: re.Match[str], rest: str) -> bool:
    """Whether a sentence says something about the answer, not what it is."""
    if _COMMENT.match(rest) or _ROUNDED.match(rest):
        return True
    if _MADE.match(rest) and not _VALUE_AT_LAST.search(rest):
        return True
    sentence = re.split(r"[.!?\n]", text[max(0, phrase.start() - 200) : phrase.start()])[-1]
    return phrase[0].lower().rstrip(" \t:*").endswith("would be") and bool(
        _IF.search(sentence) or _IF.search(rest)
    )

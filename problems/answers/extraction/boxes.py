r"""The boxes of a solution: which of them still stand at its end.

Several boxes are a list, unless the text takes the earlier ones back. An answer of several boxes
keeps them (`\boxed{3}, \boxed{5}`), because against a reference that is one of them it is not known
whether the others were claimed beside it or are steps on the way (`equivalence.label`).

>>> boxes_standing(r"$x = \boxed{3}$ or $x = \boxed{5}$").contents
('3', '5')
>>> boxes_standing(r"It is \boxed{2}. Wait, that is wrong. It is \boxed{3}.").contents
('3',)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from assay.problems.answers.canonical import canonical
from assay.problems.answers.forms import Text
from assay.problems.answers.tidying import tidy

__all__ = ["Boxes", "boxes_standing", "several", "split_boxes", "takes_back"]

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)(?![a-zA-Z])(?:\s*(?=\{)|[ \t]*)")
_BARE = re.compile(r"[^\s${}\\]+")
_BRACE = re.compile(r"[{}]")
_MATHEMATICS_ENDS = re.compile(r"[ \t.,]*(?:\$|\\\)|\\\]|$)", re.MULTILINE)


class Boxes(NamedTuple):
    """What stands in the boxes that were not taken back, and where the last of them ends."""

    contents: tuple[str, ...]
    end: int


class _Box(NamedTuple):
    start: int
    end: int
    content: str


def boxes_standing(text: str) -> Boxes:
    """The boxes of a text that it does not take back, in order; empty ones are none."""
    standing: list[str] = []
    end = 0
    for box in _boxes(text):
        between = text[end : box.start]
        if takes_back(between):
            standing.clear()
        end = box.end
        if box.content.strip() and not _DENIED.search(between[-40:]):
            standing.append(box.content)
    return Boxes(tuple(standing), end)


def _boxes(text: str) -> list[_Box]:
    """The whole boxes of a text, those inside of others left out."""
    closing = _closing_braces(text) if _BOX.search(text) else {}
    boxes: list[_Box] = []
    for match in _BOX.finditer(text):
        start = match.end()
        if boxes and start <= boxes[-1].end:
            continue
        bare = _BARE.match(text, start)
        if start in closing:
            boxes.append(_Box(match.start(), closing[start] + 1, text[start + 1 : closing[start]]))
        elif bare and _is_answer(bare):  # \boxed 5
            boxes.append(_Box(match.start(), bare.end(), bare[0]))
    return boxes


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


def _is_answer(bare: re.Match[str]) -> bool:
    r"""Whether what follows \boxed without braces is its content: \boxed 4, not "\boxed format".

    Letters only where mathematics ends behind them, as in $\boxed x$: not "in \boxed a few lines".
    """
    form = canonical(bare[0])
    if form is None or isinstance(form, Text):
        return False
    has_digit = any(character.isdigit() for character in bare[0])
    return has_digit or _MATHEMATICS_ENDS.match(bare.string, bare.end()) is not None


# ---- What a text takes back ----

# Wherever it stands.
_RETRACTED = re.compile(
    r"\b(?:(?:I|we) (?:have )?(?:made|see) (?:a|an|my|the|our) (?:\w+ )?(?:mistake|error)|oops|"
    r"(?:I|we) (?:miscalculated|miscounted|misread)|I was wrong|my (?:bad|mistake)|scratch that|"
    r"let (?:me|us) (?:redo|recalculate|recompute|reconsider|rethink|restart|re-?examine|"
    r"start over|try again|(?:fix|correct) (?:this|that|it|my))|on second thoughts?|correction)\b",
    re.IGNORECASE,
)
_WAIT = re.compile(r"\b(?:wait|hold on)\b", re.IGNORECASE)
# Of the box only where no other value stands between: "case 2 gives -1, which is impossible".
_WRONG = re.compile(
    r"\b(?:is|was|be|['’]s) (?:\w+ )?(?:wrong|incorrect|impossible|invalid|extraneous|rejected|"
    r"a mistake|not (?:\w+ )?(?:right|correct|possible))\b|"
    r"\b(?:can['’]t|cannot|isn['’]t|wasn['’]t) (?:be )?(?:right|correct|possible)\b",
    re.IGNORECASE,
)
_DOUBT = re.compile(
    r"\b(?:actually|hmm+|instead(?! of)|nope|sorry)\b|(?:^|[.,;:!?\s])no\s*[,:.!;]", re.IGNORECASE
)
_ADDS = re.compile(
    r"\b(?:also|another|as well|too|both|"
    r"(?:second|third|other) (?:solution|root|answer|value|case|possibility|one)s?)\b",
    re.IGNORECASE,
)
_HEAD = re.compile(r"(?:\s|\$|\\\)|\\\]|[.,])*([^\d=\\]*)")
# Before a box: "it is not \boxed{2}".
_DENIED = re.compile(
    r"\b(?:not|isn['’]t|never|instead of|rather than)(?: equal(?: to)?)?(?:\$|\\\(|\\\[|\s)*$"
)


def takes_back(text: str) -> bool:
    """Whether what follows a claim takes it back: "wait, that is wrong".

    >>> takes_back("Actually, there is also"), takes_back("Actually, it is")
    (False, True)
    """
    head = _HEAD.match(text)
    beside = head[1] if head else ""
    if _RETRACTED.search(text) or _WRONG.search(beside):
        return True
    return bool(_WAIT.search(text) or _DOUBT.search(beside)) and not _ADDS.search(text)


# ---- Answers of several boxes ----


def several(contents: Sequence[str]) -> str:
    r"""One answer of several boxes, as `split_boxes` reads it.

    >>> several(["3", "5"])
    '\\boxed{3}, \\boxed{5}'
    """
    # Beside the commas of 1,234 another comma would make it a list.
    separator = "; " if any("," in content for content in contents) else ", "
    return separator.join(rf"\boxed{{{content}}}" for content in contents)


def split_boxes(answer: str) -> tuple[str, ...]:
    r"""The contents of an answer of several boxes; () for any other answer.

    >>> split_boxes(r"\boxed{3}, \boxed{5}"), split_boxes(r"\boxed{3}")
    (('3', '5'), ())
    """
    if answer.count(r"\boxed{") < 2:
        return ()
    return tuple(tidy(box.content) for box in _boxes(answer))

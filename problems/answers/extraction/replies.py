r"""The reply in a candidate's text: without thoughts, end tokens and the next question it invents.

Answers and programs are looked for in the same reply.

>>> reply_in("<think>5?</think>The answer is 18.<|im_end|>\n<|im_start|>user\nAnd 3 + 4?").text
'The answer is 18.'
>>> before_next_question("#### 18\n\nQuestion: 3 + 4?\nAnswer: 7", lambda text: "####" in text)
'#### 18'
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from assay.problems.answers.extraction.thoughts import Reply, without_thoughts

__all__ = ["Tagged", "before_next_question", "reply_in", "tagged"]

# ---- Special tokens ----

_TURN = r"(?:<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|<\|start\|>)\s*"
_OURS = (
    rf"(?:{_TURN}(?:assistant|model)\b(?:<\|end_header_id\|>)?|"
    r"<[|｜][Aa]ssistant[|｜]>|\[/INST\])"
)
_THEIRS = rf"(?:{_TURN}(?:system|developer|user)\b|<[|｜](?:[Uu]ser|system)[|｜]>|\[INST\])"
# What ends a text or a turn, in the words of the models' tokenizers.
_END = (
    r"(?:</s>|<eos>|<EOS>|<pad>|\[EOS\]|\[PAD\]|\[\|endofturn\|\]|<end_of_turn>|<turn\|>|"
    r"<[|｜](?:end|return|call|im_end|eot|eot_id|EOT|eom_id|eos|pad|observation|role_end|"
    r"endofturn|END_OF_TURN_TOKEN|END_RESPONSE|"
    r"end[_▁]?of[_▁]?(?:text|turn|sentence|solution|message|response|prompt))[|｜]>)"
)
_OTHER = r"(?:<s>|<bos>|<[|｜][A-Za-z_▁]{1,40}[|｜]>)"

_TRANSCRIPT = re.compile(rf"(?:\s*{_OTHER})*?\s*{_THEIRS}")
_OUR_TURN = re.compile(_OURS)
# Texts were padded on the left, or keep the mark of the turn that they are.
_BEGINNING = re.compile(rf"(?:\s*(?:{_OURS}|{_END}|{_OTHER}))+\s*")
_CUT = re.compile(rf"{_END}|{_OURS}|{_THEIRS}")
_BOX_TOKENS = re.compile(r"<\|begin_of_box\|>(.*?)<\|end_of_box\|>", re.DOTALL)  # GLM-4.1V
_TOKEN = re.compile(r"<[|｜][A-Za-z_▁]{1,40}[|｜]>")  # r<s>t is mathematics


def reply_in(text: str) -> Reply:
    """What a candidate's text says: its thoughts left out, and cut where its turn ends.

    Of a whole conversation, the last turn of the assistant's.
    """
    reply = without_thoughts(text)
    said = reply.text
    if "<" in said or "[" in said:
        said = _BOX_TOKENS.sub(r"\\boxed{\1}", said)
        if _TRANSCRIPT.match(said) and (turns := list(_OUR_TURN.finditer(said))):
            said = said[turns[-1].end() :]
        if beginning := _BEGINNING.match(said):
            said = said[beginning.end() :]
        if end := _CUT.search(said):
            said = said[: end.start()]
        said = _TOKEN.sub("", said)
    return Reply(said, reply.unclosed)


# ---- The next question ----

# At the beginning of a line: "Question:", "**Problem 2:**", "### Instruction", "Human:", "Q:";
# "user" alone, which a chat template leaves where its special tokens were skipped.
_NEXT = re.compile(
    r"^(?P<hashes>#{2,6}[ \t]*)?(?:\*\*|__)?(?:(?:Next|New|Another|Second)[ ])?"
    r"(?:(?P<question>Question|QUESTION|Q)|(?P<problem>Problem|PROBLEM|Exercise)|"
    r"(?P<turn>Instruction|INSTRUCTION|Human|HUMAN|User|USER))"
    r"(?:[ \t]*\#?\d{1,3})?[ \t]*(?:\*\*|__)?[ \t]*(?(hashes)(?::|$)|:)|"
    r"^(?P<role>user|human)[ \t]*$|"
    r"^(?P<below>Below is an instruction that describes a task)",
    re.MULTILINE,
)
_SOLVED = re.compile(r"^[^\w\n]*(?:Solution|Answer|Response|A)\b[^\w\n:]*:", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_TURNS = ("turn", "role", "below")


def before_next_question(
    text: str, is_answered: Callable[[str], bool], *, is_program: bool = False
) -> str:
    """The text up to a question that it goes on to invent once it has answered its own.

    `is_answered` tells whether a beginning of the text holds what is looked for. A text that puts
    questions to itself on the way to its answer is left whole: it begins with one, or has the
    first where nothing is answered yet. A turn of the user's is always the end. In a program
    (`is_program`) without fences, "## Question:" is a comment.
    """
    own: set[str] = set()
    for mark in _NEXT.finditer(text):
        kind, before = mark.lastgroup or "", text[: mark.start()]
        if kind in own or _in_program(before, mark, is_program):
            continue
        is_end = kind in _TURNS or (_asks(text, mark) and is_answered(before))
        if before.strip() and is_end:
            return before.rstrip()
        own.add(kind)
    return text


def _in_program(before: str, mark: re.Match[str], is_program: bool) -> bool:
    """Whether a mark is part of a program: in a string of several lines, or a comment."""
    if before.count('"""') % 2 or before.count("'''") % 2:
        return True
    if mark["hashes"] is None:
        return False
    fences = len(_FENCE.findall(before))
    return fences % 2 == 1 or (is_program and not fences and mark.lastgroup != "turn")


def _asks(text: str, mark: re.Match[str]) -> bool:
    """Whether a question follows: not so in "Problem: this forgets the discount"."""
    line = text[mark.end() :].partition("\n")[0]
    return mark.lastgroup != "problem" or "?" in line or bool(_SOLVED.search(text, mark.end()))


# ---- Tags ----

_TAG = re.compile(r"<\s?(/?)\s?answer\s?>", re.IGNORECASE)


class Tagged(NamedTuple):
    """What an `<answer>` holds, and whether it was closed."""

    text: str
    closed: bool


def tagged(text: str) -> Tagged | None:
    """What stands in the last `<answer>…</answer>` that is not empty; None where there is none.

    Where none is closed, the last one runs to the end: servers leave out the text that stopped
    them.

    >>> tagged("In <answer></answer> tags: <answer>18</answer>.")
    Tagged(text='18', closed=True)
    """
    found, start = None, -1
    for tag in _TAG.finditer(text):
        inside = text[start : tag.start()].strip() if start >= 0 else ""
        if tag[1] and inside:
            found = Tagged(inside, True)
        start = -1 if tag[1] else tag.end()
    rest = text[start:].strip() if start >= 0 else ""
    return found or (Tagged(rest, False) if rest else None)

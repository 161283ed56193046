r"""What a candidate thought before it replied: no answer and no program stands there.

Reasoning models write their thoughts between marks of their own, beside or instead of which a chat
server may have left one half (the opening mark stands in the prompt) or neither (special tokens
that were skipped in decoding). What is left is the reply.

>>> without_thoughts("<think>\\boxed{5}? No.</think>The answer is 7.")
Reply(text='The answer is 7.', unclosed=False)
>>> without_thoughts("analysisPerhaps 5?assistantfinalThe answer is 7.").text
'The answer is 7.'
>>> without_thoughts("<think>The answer is 5, but")
Reply(text='', unclosed=True)
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Reply", "may_think", "without_thoughts"]


class Reply(NamedTuple):
    """What a candidate says beside its thoughts; `unclosed` where a thought never ended."""

    text: str
    unclosed: bool


# Each pair of marks by its opening and its closing side. Names in one alternative close each other:
# models open with <think> and close with </thinking>. Sources: the chat templates of DeepSeek-R1,
# Qwen3, Hunyuan (<think>), Magistral ([THINK]), Kimi-VL (◁think▷), OpenThinker (begin_of_thought),
# Command A (START_THINKING), Seed-OSS (seed:think), Gemma 4 (<|channel>thought).
_PAIRS = (
    (r"<\s?(?:think|thinking|thoughts?)\s?>", r"<\s?/\s?(?:think|thinking|thoughts?)\s?>"),
    (r"<\s?reasoning\s?>", r"<\s?/\s?reasoning\s?>"),
    (r"<\s?scratchpad\s?>", r"<\s?/\s?scratchpad\s?>"),
    (r"<seed:think>", r"</seed:think>"),
    (r"\[THINK\]", r"\[/THINK\]"),
    (r"◁think▷", r"◁/think▷"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    (r"<\|channel>thought\b", r"<channel\|>"),
)
_MARK = re.compile(
    "|".join(f"({opening})|({closing})" for opening, closing in _PAIRS),
    re.IGNORECASE,
)
# Of templates that write no mark themselves.
_SIGNS = ("enable_thinking", "reasoning_content", "<|channel|>")
_NAMES = ("think", "thought", "reasoning", "scratchpad")
_QUOTES = "`\"'"

# harmony, the format of gpt-oss (github.com/openai/harmony).
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>"
    r"((?:(?!<\|(?:end|return|call|start|channel)\|>).)*)(<\|(?:end|return|call)\|>)?",
    re.DOTALL,
)
_TURN = re.compile(r"<\|start\|>(?:user|system|developer)\b|<\|return\|>")
# Without its special tokens: "analysisWe need …assistantfinalThe answer is …".
_FINAL = "assistantfinal"
_ANALYSIS = re.compile(r"\s*(?:assistant)?analysis(?=[A-Z0-9\"'\\$(\[])")


def without_thoughts(text: str) -> Reply:
    """The reply in a candidate's text; the text itself where it holds no thoughts.

    Everything before a closing mark that was never opened is a thought. An opening mark that is
    never closed takes the rest of the text with it. Marks in quotes or back-ticks are only spoken
    of.
    """
    if "<|channel|>" in text:
        return _final_channel(text)
    if _FINAL in text:
        return Reply(text.rpartition(_FINAL)[2], False)
    if _ANALYSIS.match(text):
        return Reply("", True)
    folded = text.lower()
    return _outside_marks(text) if any(name in folded for name in _NAMES) else Reply(text, False)


def may_think(template: str) -> bool:
    r"""Whether a chat template is of a model that thinks before it replies.

    >>> may_think("{{ message }}<|im_start|>assistant\\n<think>\\n"), may_think("{{ message }}")
    (True, False)
    """
    return bool(_MARK.search(template)) or any(sign in template for sign in _SIGNS)


def _final_channel(text: str) -> Reply:
    """The last message to the final channel, before any turn that the model invented."""
    messages = list(_CHANNEL.finditer(text))
    finals = [message for message in messages if message[1].lower() == "final"]
    if not finals:
        return Reply("", not messages or messages[-1][3] is None)
    turn = _TURN.search(text, finals[0].end(2))
    before = [message for message in finals if turn is None or message.end(2) <= turn.start()]
    return Reply(before[-1][2], False)


def _outside_marks(text: str) -> Reply:
    pieces: list[str] = []
    start, opened = 0, -1
    for mark in _MARK.finditer(text):
        before, after = text[mark.start() - 1 : mark.start()], text[mark.end() : mark.end() + 1]
        if before and after and before in _QUOTES and after in _QUOTES:
            continue
        pair, closes = divmod((mark.lastindex or 1) - 1, 2)
        if opened == -1 and closes and (not pieces or text[mark.end() :].strip()):
            pieces.clear()
            start = mark.end()
        elif opened == -1:  # a second closing mark at the very end closes nothing
            pieces.append(text[start : mark.start()])
            start, opened = (mark.end(), -1) if closes else (start, pair)
        elif closes and opened == pair:
            start, opened = mark.end(), -1
    if opened == -1:
        pieces.append(text[start:])
    # A line apart: "…is 4" and "12 apples" around a thought are not 412.
    said = "\n".join(piece for piece in pieces if piece.strip())
    return Reply(said, opened != -1)

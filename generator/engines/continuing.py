"""From what a server or vLLM wrote to a completion, with the calculator where it is asked for.

Such an engine cannot be halted at every "=". So it writes a sample to its end, and what it wrote is
checked afterwards: where an annotation goes on with other tokens than the calculator's, these take
the place of all that follows, and one more request goes on after them. Where model and calculator
agree, nothing is asked again. The distribution is that of an engine that halts: what is kept was
drawn from the model given all that stands before it, and what a cut drops is never looked at.

    result = continuing.add(Draft(), choice, calculator=True, stop=[], limit=400)
    while isinstance(result, Draft):    # ask for what follows the prompt and result.token_ids
        result = continuing.add(result, choice, calculator=True, stop=[], limit=400)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from assay.generator.engines.calculator import Calculator
from assay.generator.engines.confidence import free_scores
from assay.generator.engines.interface import Stop
from assay.generator.engines.openai_api import Choice, Drawn

__all__ = ["Continuing", "Draft", "Sample", "seed_of"]


_CALCULATED = Drawn(0.0, sampled=False)


@dataclass(frozen=True)
class Draft:
    """The beginning of a sample, after `rounds` requests; what is known of each of its tokens."""

    token_ids: list[int] = field(default_factory=list)
    drawn: list[Drawn] = field(default_factory=list)
    rounds: int = 0


class Sample(NamedTuple):
    """The fields of a `Completion` that say what was sampled."""

    text: str
    token_ids: list[int]
    logprob: float
    stop: Stop
    free: Mapping[str, float] = MappingProxyType({})


class Continuing:
    """Puts samples together, for one Hugging Face tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._calculator = Calculator(tokenizer)
        self._ends = _special_tokens(tokenizer)

    def add(
        self,
        draft: Draft,
        choice: Choice,
        *,
        calculator: bool,
        stop: Sequence[str],
        limit: int,
        confidence: bool = False,
    ) -> Sample | Draft:
        """The finished sample, or the draft that one more request is to go on with.

        `choice` is what was written after `draft`; `limit` is the token limit of the whole sample;
        `confidence`: with the free scores that are known. A draft returned is longer than the one
        given.
        """
        if choice.ended == "content_filter":
            return Sample("", [], math.nan, "content_filter")
        ended: Stop | None
        ids, drawn, rest, ended = self._read(draft, choice, stop)
        tokens, drawn = [*draft.token_ids, *ids], [*draft.drawn, *drawn]
        text = self.decode(draft.token_ids) + choice.text
        untouched = draft.rounds == 0
        if calculator:
            start, cut_short = len(draft.token_ids), ended == "length"
            changed, differs = self._calculate(tokens, drawn, start, cut_short)
            untouched = untouched and not changed
            if differs:
                del tokens[limit:], drawn[limit:]
                text, rest = self.decode(tokens), []
                ended = "length" if len(tokens) == limit else None
        # A stop text may stand in what the calculator wrote, or end after it.
        at, found = _first(text, stop)
        if found:
            size = len(tokens)
            while found in self.decode(tokens[: size - 1]):
                size -= 1
            text, rest, ended, untouched = text[:at], [], "stop", False
            del drawn[size:]
        if ended is None:
            return Draft(tokens, drawn, draft.rounds + 1)
        if ended == "stop":
            tokens = self._fewest(tokens, text)
        everything = [*drawn, *rest]
        if untouched:  # known even where it is not known of which tokens
            everything = choice.drawn or [Drawn(math.nan)]
        logprob = math.fsum(each.logprob for each in everything)
        return Sample(text, tokens, logprob, ended, _free(everything) if confidence else {})

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """The text of tokens, special ones left out unless asked for."""
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=not special, clean_up_tokenization_spaces=False
            )
        )

    def _read(
        self, draft: Draft, choice: Choice, stop: Sequence[str]
    ) -> tuple[list[int], list[Drawn], list[Drawn], Stop]:
        """A choice's tokens without the end token, what is known of each and of what else was
        drawn, and why it ended.
        """
        ids, ended, told = choice.token_ids, choice.ended, choice.drawn
        aligned = ids is not None and told is not None and len(told) >= len(ids)
        # With a log-probability more than tokens, the end token is left out already.
        whole = ids is not None and (told is None or len(told) <= len(ids))
        if ids and whole and ended in ("eos", "stopped") and ids[-1] in self._ends:
            ids, ended = ids[:-1], "eos"
        if ended == "stopped":
            ended = "stop" if stop else "eos"
        # llama.cpp leaves out as many tokens as the stop text would have by itself.
        if ids is not None and ended == "stop" and not self._says(draft, ids, choice.text):
            ids = None
        if ids is None:
            ids, aligned = self._calculator.following(draft.token_ids, choice.text), False
        if not aligned or told is None:
            return ids, [Drawn(math.nan)] * len(ids), [Drawn(math.nan)], ended
        return ids, told[: len(ids)], told[len(ids) :], ended

    def _says(self, draft: Draft, ids: Sequence[int], text: str) -> bool:
        whole = self.decode([*draft.token_ids, *ids])
        return whole.startswith(self.decode(draft.token_ids) + text)

    def _calculate(
        self, tokens: list[int], drawn: list[Drawn], start: int, cut_short: bool
    ) -> tuple[bool, bool]:
        """Puts the calculator's tokens into `tokens`, of which those from `start` on are new.

        Returns whether it wrote any, and whether they differ from what stood there: then `tokens`
        end with them. `cut_short`: the last token is there for the limit's sake only.
        """
        at, changed = start, False
        while at < len(tokens):
            token = tokens[at]
            forced = [token]
            if self._calculator.has_equals(token):
                forced = self._calculator.tokens(tokens[:at], token)
            if forced == [token]:
                at += 1
                continue
            there = tokens[at : at + len(forced)]
            kept = [drawn[at] if forced[0] == token else _CALCULATED]
            kept += [_CALCULATED] * (len(forced) - 1)
            if there != forced[: len(there)] or (len(there) < len(forced) and not cut_short):
                tokens[at:], drawn[at:] = forced, kept
                return True, True
            drawn[at : at + len(there)] = kept[: len(there)]
            at, changed = at + len(there), True
        return changed, False

    def _fewest(self, ids: list[int], text: str) -> list[int]:
        """The fewest first tokens that hold `text`."""
        while ids and self.decode(ids[:-1]).startswith(text):
            ids = ids[:-1]
        return ids


def _free(drawn: Sequence[Drawn]) -> dict[str, float]:
    """The free scores that the likeliest tokens of every place tell."""
    sampled = [each for each in drawn if each.sampled]
    names = ("logprob", "confidence", "margin")
    return free_scores({name: np.array([getattr(d, name) for d in sampled]) for name in names})


def seed_of(seed: int, key: str, sample: int, rounds: int = 0) -> int:
    """31 bits, the least that servers take, of a hash of all; `rounds` as in `Draft`."""
    whole = f"{seed}\x1f{key}\x1f{sample}" + (f"\x1f{rounds}" if rounds else "")
    return int.from_bytes(hashlib.sha256(whole.encode()).digest()[:4], "big") >> 1


def _first(text: str, stop: Sequence[str]) -> tuple[int, str]:
    """Where the stop text that is complete first begins, and which it is; (-1, "") without."""
    found = [(text.find(s) + len(s), text.find(s), s) for s in stop if s in text]
    return min(found)[1:] if found else (-1, "")


def _special_tokens(tokenizer: Any) -> frozenset[int]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    special = {token for token, about in added.items() if about.special}
    return frozenset(special | set(getattr(tokenizer, "all_special_ids", ())))

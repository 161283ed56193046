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
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from assay.generator.engines.calculator import Calculator
from assay.generator.engines.interface import Stop
from assay.generator.engines.openai_api import Choice

__all__ = ["Continuing", "Draft", "Sample", "seed_of"]


@dataclass(frozen=True)
class Draft:
    """The beginning of a sample, after `rounds` requests.

    `logprobs`: one for each token; 0 for the calculator's, NaN where the server tells none.
    """

    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    rounds: int = 0


class Sample(NamedTuple):
    """The fields of a `Completion` that say what was sampled."""

    text: str
    token_ids: list[int]
    logprob: float
    stop: Stop


class Continuing:
    """Puts samples together, for one Hugging Face tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._calculator = Calculator(tokenizer)
        self._ends = _special_tokens(tokenizer)

    def add(
        self, draft: Draft, choice: Choice, *, calculator: bool, stop: Sequence[str], limit: int
    ) -> Sample | Draft:
        """The finished sample, or the draft that one more request is to go on with.

        `choice` is what was written after `draft`; `limit` is the token limit of the whole sample.
        A draft returned is longer than the one given.
        """
        if choice.ended == "content_filter":
            return Sample("", [], math.nan, "content_filter")
        ended: Stop | None
        ids, logprobs, rest, ended = self._read(draft, choice, stop)
        tokens, logprobs = [*draft.token_ids, *ids], [*draft.logprobs, *logprobs]
        text = self.decode(draft.token_ids) + choice.text
        untouched = draft.rounds == 0
        if calculator:
            start, cut_short = len(draft.token_ids), ended == "length"
            changed, differs = self._calculate(tokens, logprobs, start, cut_short)
            untouched = untouched and not changed
            if differs:
                del tokens[limit:], logprobs[limit:]
                text, rest = self.decode(tokens), 0.0
                ended = "length" if len(tokens) == limit else None
        # A stop text may stand in what the calculator wrote, or end after it.
        at, found = _first(text, stop)
        if found:
            size = len(tokens)
            while found in self.decode(tokens[: size - 1]):
                size -= 1
            text, rest, ended, untouched = text[:at], 0.0, "stop", False
            del logprobs[size:]
        if ended is None:
            return Draft(tokens, logprobs, draft.rounds + 1)
        if ended == "stop":
            tokens = self._fewest(tokens, text)
        logprob = choice.logprob if untouched else math.fsum([*logprobs, rest])
        return Sample(text, tokens, logprob, ended)

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """The text of tokens, special ones left out unless asked for."""
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=not special, clean_up_tokenization_spaces=False
            )
        )

    def _read(
        self, draft: Draft, choice: Choice, stop: Sequence[str]
    ) -> tuple[list[int], list[float], float, Stop]:
        """A choice's tokens without the end token, the log-probability of each and of what else
        was drawn, and why it ended.
        """
        ids, ended, told = choice.token_ids, choice.ended, choice.logprobs
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
            return ids, [math.nan] * len(ids), math.nan, ended
        return ids, told[: len(ids)], math.fsum(told[len(ids) :]), ended

    def _says(self, draft: Draft, ids: Sequence[int], text: str) -> bool:
        whole = self.decode([*draft.token_ids, *ids])
        return whole.startswith(self.decode(draft.token_ids) + text)

    def _calculate(
        self, tokens: list[int], logprobs: list[float], start: int, cut_short: bool
    ) -> tuple[bool, bool]:
        """Puts the calculator's tokens into `tokens`, of which those from `start` on are new.

        Returns whether it wrote any, and whether they differ from what stood there: then `tokens`
        end with them. `cut_short`: the last token is there for the limit's sake only.
        """
        at, changed = start, False
        while at < len(tokens):
            drawn = tokens[at]
            forced = [drawn]
            if self._calculator.has_equals(drawn):
                forced = self._calculator.tokens(tokens[:at], drawn)
            if forced == [drawn]:
                at += 1
                continue
            there = tokens[at : at + len(forced)]
            kept = [logprobs[at] if forced[0] == drawn else 0.0] + [0.0] * (len(forced) - 1)
            if there != forced[: len(there)] or (len(there) < len(forced) and not cut_short):
                tokens[at:], logprobs[at:] = forced, kept
                return True, True
            logprobs[at : at + len(there)] = kept[: len(there)]
            at, changed = at + len(there), True
        return changed, False

    def _fewest(self, ids: list[int], text: str) -> list[int]:
        """The fewest first tokens that hold `text`."""
        while ids and self.decode(ids[:-1]).startswith(text):
            ids = ids[:-1]
        return ids


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

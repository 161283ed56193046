"""The calculator while sampling (Cobbe et al. 2021, arXiv 2110.14168, appendix C), as tokens.

What it writes is decided on the text (`assay.problems.calculator.continue_with`), so it is the same
for every tokenizer. A token may hold more than the "=" that completes `<<expression=`: what follows
the "=" in it is dropped, like all that the model would have written there. So the drawn token,
which the model has not read yet, is replaced by the tokens of its own text up to "=", the result
and ">>". Mostly the first of them is the drawn token itself: then it counts as the model's.

    Calculator(tokenizer).tokens(written, drawn)    # [drawn] or [drawn, "2", "4", ">>"] as ids
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.problems.calculator import continue_with

__all__ = ["Calculator"]

# Some tokenizers put a space before whatever they are given: let it be before a line break.
_CONTEXTS = ("\n", "")


class Calculator:
    """What stands in the place of a drawn token, for one Hugging Face tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._equals: dict[int, bool] = {}

    def tokens(self, written: Sequence[int], drawn: int) -> list[int]:
        """What a sample goes on with after `written`, when the model has drawn `drawn`.

        That is `[drawn]`, unless `drawn` completes `<<expression=`.
        """
        if not self.has_equals(drawn):
            return [drawn]
        before, text = self._text(written), self._text([*written, drawn])
        if not text.startswith(before):
            return [drawn]
        at = text.find("=", len(before))
        while at >= 0:
            result = continue_with(text[: at + 1])
            if result is not None:
                return self._encoded(written, before, text[: at + 1] + result) or [drawn]
            at = text.find("=", at + 1)
        return [drawn]

    def following(self, written: Sequence[int], text: str) -> list[int]:
        """The tokens of a text that was written after the tokens `written`."""
        if not written:
            return self._ids(text)
        before = self._text(written)
        return self._encoded(written, before, before + text) or self._ids(text)

    def _encoded(self, written: Sequence[int], before: str, text: str) -> list[int]:
        """Tokens that turn `written`, which says `before`, into `text`; none where none do."""
        for context in _CONTEXTS:
            skipped = self._ids(context)
            ids = self._ids(context + text[len(before) :])
            tokens = ids[len(skipped) :]
            if ids[: len(skipped)] == skipped and self._text([*written, *tokens]) == text:
                return tokens
        return []

    def has_equals(self, token: int) -> bool:
        """Whether a token may complete an expression."""
        if token not in self._equals:
            self._equals[token] = "=" in self._text([token])
        return self._equals[token]

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

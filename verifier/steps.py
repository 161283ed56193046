r"""Where the steps of a solution end: the tokens that level `step` trains and that scoring reads.

A step is a non-empty line, as in process supervision (Lightman et al. 2023, arXiv 2305.20050). One
function finds its last token for both, so that no value is read where none was trained.

    offsets = token_offsets(tokenizer, prompter, "cot", "a\nbc")
    line_ends("a\nbc", offsets)       # the token of "a", and the end token
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.problems.problem import Mode
from assay.problems.prompts import Prompter
from assay.settings.errors import UserError

__all__ = ["line_ends", "token_offsets"]


def token_offsets(
    tokenizer: Any, prompter: Prompter, mode: Mode, text: str, whole: str | None = None
) -> NDArray[np.int32]:
    """Which characters of `text` each token of the response stands for, shape (tokens, 2).

    `whole` is what the verifier reads, `text` its beginning (see `assay.verifier.data.read_text`).
    Tokens that stand for nothing of `text` (an appended output, the end token) have its end twice.
    Raises `UserError` for a tokenizer that does not know its offsets.
    """
    if not tokenizer.is_fast:
        raise UserError("verifier: values and line ends need a fast tokenizer (tokenizer.json)")
    whole = text if whole is None else whole
    response = prompter.response_text(mode, whole)
    encoded = tokenizer(response, add_special_tokens=False, return_offsets_mapping=True)
    lead = len(response) - len(whole)
    offsets = np.array([*encoded["offset_mapping"], (len(response),) * 2], dtype=np.int32)
    return np.clip(offsets - lead, 0, len(text)).astype(np.int32)


def line_ends(text: str, offsets: NDArray[np.int32]) -> list[int]:
    r"""For every non-empty line the token in which it ends; for the last one the end token.

    The token of "\n" itself belongs to the line before it only where it holds its last character.
    """
    ends, start = [], 0
    for line in text.split("\n"):
        end = start + len(line.rstrip())
        if line.strip():
            ends.append(int(np.argmax(offsets[:, 1] >= end)))
        start += len(line) + 1
    return sorted({*ends[:-1], len(offsets) - 1})

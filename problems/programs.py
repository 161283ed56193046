r"""The part of a candidate's text that its program stands in.

    >>> program_text("<think>print(undefined)?</think>print(3 + 4)<|im_end|>")
    'print(3 + 4)'

Thoughts, end tokens and the next question that a model invents are left out, as they are for
answers. Fences and prose are the sandbox's to remove (`sandbox.clean_program`).
"""

from __future__ import annotations

import re

from assay.problems.answers.extraction.replies import before_next_question, reply_in, tagged

__all__ = ["program_text"]

# A line after which a program may have said all it has to: it prints, returns or names a result.
_RESULT = re.compile(r"\bprint\s*\(|^\s+return\b|^\w+\s*=", re.MULTILINE)


def program_text(text: str) -> str:
    r"""What of a candidate's text may be its program; the text itself where there is nothing else.

    >>> program_text("```python\nprint(18)\n```\n\nQuestion: 3 + 4?\n```python\nprint(7)\n```")
    '```python\nprint(18)\n```'
    """
    reply = reply_in(text).text
    reply = before_next_question(
        reply, lambda before: _RESULT.search(before) is not None, is_program=True
    )
    inside = tagged(reply) if "```" not in reply and "~~~" not in reply else None
    return reply if inside is None else inside.text

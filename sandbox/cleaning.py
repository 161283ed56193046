r"""From what a model wrote to the program in it: fences, prose and REPL prompts removed.

Only text is looked at; nothing is parsed, because parsing untrusted Python can itself take for ever
or crash, and this runs in the client.

    clean_program("Sure:\n```python\nprint(6 * 7)\n```\nDone.") == "print(6 * 7)\n"
"""

import re
import textwrap

__all__ = ["clean_program"]

_FENCE = re.compile(r"[ \t]*(?:```+|~~~+)[ \t]*(?:([\w+.-]+)[ \t]*)?")
_PYTHON = {"python", "py", "python3", "python2", "pycon", "ipython", "sage"}
_Block = tuple[str, list[str]]
_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.)(?: |$)")


def clean_program(text: str) -> str:
    """The program in a model's text; a text without fences and prompts comes back as it was.

    Fenced blocks: the Python ones (those that name no language where none names Python) are taken
    in order, and the prose around them is dropped, as are blocks of another language, such as the
    ```output blocks that tool-using models write. A fence that was never closed runs to the end,
    and one that was opened before the text began (in the prompt) starts with it. REPL sessions: the
    prompts go, and the lines without a prompt, which are output. Indentation common to all lines
    goes.
    """
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "```" in text or "~~~" in text:
        text = _unfence(text)
    if ">>>" in text:
        text = _unprompt(text)
    first = next((line for line in text.split("\n") if line.strip()), "")
    return textwrap.dedent(text) if first[:1] in (" ", "\t") else text


def _unfence(text: str) -> str:
    lines = text.split("\n")
    fences = [
        (i, (m.group(1) or "").lower()) for i, s in enumerate(lines) if (m := _FENCE.fullmatch(s))
    ]
    if not fences:
        return text
    blocks, balanced = _blocks(lines, fences)
    if not balanced and any(line.strip() for line in lines[: fences[0][0]]):
        # A prompt that ends in an opening fence leaves only the closing one in the text.
        begun, begun_balanced = _blocks(lines, [(-1, "python"), *fences])
        blocks = begun if begun_balanced else blocks
    chosen = [body for language, body in blocks if language in _PYTHON]
    chosen = chosen or [body for language, body in blocks if not language]
    return "".join(_program(body) for body in chosen)


def _blocks(lines: list[str], fences: list[tuple[int, str]]) -> tuple[list[_Block], bool]:
    """The fenced blocks, and whether every fence found its partner."""
    blocks: list[_Block] = []
    opened: tuple[int, str] | None = None
    balanced = True
    for at, language in [*fences, (len(lines), "")]:
        if opened is not None:
            blocks.append((opened[1], lines[opened[0] + 1 : at]))
            balanced = balanced and not language and at < len(lines)
        # A fence that names a language opens a block even where the one before was never closed.
        opened = (at, language) if opened is None or language else None
    return blocks, balanced


def _program(lines: list[str]) -> str:
    program = textwrap.dedent("\n".join(lines)).strip("\n")
    return program + "\n" if program else ""


def _unprompt(text: str) -> str:
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if not first.lstrip().startswith(">>>"):
        return text
    kept = [line[match.end() :] for line in lines if (match := _PROMPT.match(line))]
    return "\n".join(kept) + "\n"

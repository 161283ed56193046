"""The wordings of the families, read from `wording/*.txt`: one alternative a line.

    == harvest.fact             the name by which a family calls it
    {p} %have {a} rows.         alternatives of the first part …
    There are {a} rows.
    +
    How many is that?           … and of the second, which follows it

An alternative is a pattern of `grammar.py`; a text that is never varied is a single line.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["WORDINGS", "parse"]


def parse(text: str) -> dict[str, str]:
    """The patterns by name. Raises `ValueError` for a name that comes twice or has no wording."""
    found: dict[str, str] = {}
    for block in text.split("== ")[1:]:
        name, _, body = block.partition("\n")
        parts = [part.strip("\n").split("\n") for part in body.strip("\n").split("\n+\n")]
        if name in found or not all(line for part in parts for line in part):
            raise ValueError(f"wording {name}: comes twice, or a line is empty")
        found[name] = " ".join(f"[{'|'.join(part)}]" for part in parts)
    return found


def _all() -> dict[str, str]:
    folder = Path(__file__).with_name("wording")
    return parse("\n".join(path.read_text("utf-8") for path in sorted(folder.glob("*.txt"))))


WORDINGS = _all()

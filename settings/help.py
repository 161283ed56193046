"""A configuration explained: a line a key, from the dataclass that is its schema.

The text of a key is the string that stands under its field in the source; its default is what the
command would take, whatever file or outer schema it comes from. Choices that need more than a line
together get one each. Groups of keys that few need (a class variable `FOLDED`) are a line in the
whole list, and open by their name:

    describe(SampleConfig)                        # … problems=gsm8k   (17 keys: --help problems) …
    describe(SampleConfig, topic="problems")      # problems.name=gsm8k …
    describe(SampleConfig, topic="all")
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import textwrap
from collections.abc import Iterator
from typing import Any

from assay.settings.errors import UserError

__all__ = ["describe"]

WIDTH = 100
_LEFT = 44


def describe(schema: type[Any], defaults: Any = None, topic: str = "") -> str:
    """One line for each key: `name=default   comment`.

    `defaults` is a configuration that holds them, without one the schema's own. `topic` is the
    group to show alone, "all" for every key. Raises `UserError` where there is no such group.
    """
    config = schema() if defaults is None else defaults
    rows = list(_rows(config, "", topic))
    if not rows:
        groups = ", ".join(name for name, value in _groups(config))
        raise UserError(f"--help {topic}: expected all or a group of keys: {groups}")
    width = min(_LEFT, max(len(left) for left, _ in rows))
    return "\n".join(line for row in rows for line in _lines(*row, width))


def _lines(left: str, text: str, width: int) -> list[str]:
    """A key and its text, wrapped; choices with a line each where one line does not hold them."""
    head = f"  {left:<{width}}"
    if not text:
        return [head.rstrip()]
    lines = []
    if len(left) > width:
        lines.append(head)
        head = " " * (width + 2)
    indent = " " * (width + 4)
    lead, choices = _choices(text)
    if len(indent) + len(text) <= WIDTH or not choices:
        lead, choices = text, []
    if lead:
        lines += textwrap.wrap(lead, WIDTH, initial_indent=head + "  ", subsequent_indent=indent)
    else:
        lines.append(head.rstrip())
    for choice in choices:
        lines += textwrap.wrap(
            choice, WIDTH, initial_indent=indent + "· ", subsequent_indent=indent + "  "
        )
    return lines


def _choices(text: str) -> tuple[str, list[str]]:
    """What stands before the choices of a key, and each of them.

    >>> _choices("who works: local (here: now) | slurm (there)")
    ('who works:', ['local (here: now)', 'slurm (there)'])

    None where they are bare words, which need no lines of their own.
    """
    parts = text.split(" | ")
    if len(parts) == 1 or not any("(" in part for part in parts[1:]):
        return text, []
    words = parts[0].split(": ")
    # The last colon that stands in no parentheses.
    for count in range(len(words) - 1, 0, -1):
        lead = ": ".join(words[:count])
        if lead.count("(") == lead.count(")"):
            return f"{lead}:", [": ".join(words[count:]), *parts[1:]]
    return "", parts


def _groups(config: Any) -> Iterator[tuple[str, Any]]:
    """The groups of keys at the top: name and configuration."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield field.name, value


def _rows(config: Any, prefix: str, topic: str) -> Iterator[tuple[str, str]]:
    comments = _comments(type(config))
    # Keys that are given by name alone come last, as in the constructor: those of base classes too.
    for field in sorted(dataclasses.fields(config), key=lambda field: bool(field.kw_only)):
        value = getattr(config, field.name)
        name, comment = prefix + field.name, comments.get(field.name, "")
        shown = topic in ("", "all") or f"{name}.".startswith(f"{topic}.")
        if not dataclasses.is_dataclass(value):
            if shown:
                yield f"{name}={_shown(value)}", comment
        elif getattr(value, "FOLDED", False) and not topic:
            yield _folded(name, value, comment)
        elif shown or topic.startswith(f"{name}."):
            if comment and shown:
                yield name, comment
            yield from _rows(value, f"{name}.", topic)


def _folded(name: str, value: Any, comment: str) -> tuple[str, str]:
    """The one line of a group that is folded: the default of its short form, where it has one."""
    left = f"{name}={value.name}" if hasattr(value, "name") else f"{name}.…"
    count = sum(1 for _ in _rows(value, "", "all"))
    text = f"{count} keys: --help {name.partition('.')[0]}"
    return left, f"{comment} ({text})" if comment else text


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        own = {
            field.name: getattr(value, field.name)
            for field in dataclasses.fields(value)
            if getattr(value, field.name) != field.default
        }
        return _shown(own)
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _comments(schema: type[Any]) -> dict[str, str]:
    """Field name → the text that stands under it as a string, the way editors show it."""
    found: dict[str, str] = {}
    for base in reversed(schema.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        except (OSError, SyntaxError):
            continue
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for field, text in itertools.pairwise(body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                found[field.target.id] = " ".join(text.value.value.split())
    return found

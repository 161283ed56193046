"""A configuration explained: a line a key, from the dataclass that is its schema.

The text of a key is the string that stands under its field in the source.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import textwrap
import typing
from collections.abc import Iterator
from typing import Any

__all__ = ["describe"]


def describe(schema: type[Any], prefix: str = "") -> str:
    """One line for each key: `name=default   comment`."""
    rows = list(_rows(schema, prefix))
    width = min(44, max(len(left) for left, _ in rows))
    lines = []
    for left, right in rows:
        head = f"  {left:<{width}}"
        if not right:
            lines.append(head.rstrip())
            continue
        if len(left) > width:
            lines.append(head)
            head = " " * (width + 2)
        indent = " " * (width + 4)
        lines += textwrap.wrap(right, 100, initial_indent=head + "  ", subsequent_indent=indent)
    return "\n".join(lines)


def _rows(schema: type[Any], prefix: str) -> Iterator[tuple[str, str]]:
    hints, comments = typing.get_type_hints(schema), _comments(schema)
    # Keys that are given by name alone come last, as in the constructor: those of base classes too.
    for field in sorted(dataclasses.fields(schema), key=lambda field: bool(field.kw_only)):
        nested = hints[field.name]
        name, comment = prefix + field.name, comments.get(field.name, "")
        if dataclasses.is_dataclass(nested):
            if comment:
                yield name, comment
            yield from _rows(typing.cast(type[Any], nested), f"{name}.")
        else:
            yield f"{name}={_default(field)}", comment


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "(required)"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {v}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(str, value)) + "]"
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

r"""JSON that others wrote: files of lines or of one list, and single texts.

Everything that reads a user's JSON reads it here, so that what cannot be used is refused alike, in
one line: bytes that are no UTF-8, integers of thousands of digits, brackets nested by the thousand.
A byte-order mark is read over. Half a surrogate pair ("\ud83d" alone), which a JSON escape can
write and UTF-8 cannot, becomes U+FFFD. NaN and Infinity, which Python and others write, are floats.

    for number, row in read_jsonl(Path("problems.jsonl")): ...
    for where, row in read_json_list(Path("problems.json")): ...
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.settings.errors import UserError
from assay.storage.places import Place, Remote

__all__ = ["parse_json", "read_json", "read_json_list", "read_jsonl", "without_surrogates"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(data: bytes) -> Any:
    r"""The value of a JSON text in UTF-8. Raises `ValueError` saying in a few words what is wrong.

    >>> parse_json(b'{"a": "x\\ud83d", "b": [NaN]}')
    {'a': 'x\ufffd', 'b': [nan]}
    """
    try:
        value = json.loads(data.removeprefix(codecs.BOM_UTF8).decode())
        return without_surrogates(value) if _ESCAPED_SURROGATE.search(data) else value
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text ({error.reason})") from error
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        raise ValueError(f"not JSON ({error.msg}, {line}column {error.colno})") from error
    except RecursionError as error:
        raise ValueError("brackets are nested too deep") from error
    except ValueError as error:  # the interpreter's limit on the digits of an integer
        raise ValueError("an integer has thousands of digits") from error


def without_surrogates(value: Any) -> Any:
    r"""The value with U+FFFD for half a surrogate pair, in every text and key of it.

    >>> without_surrogates(["\ud83d!", {"\udc00": 1}])
    ['\ufffd!', {'\ufffd': 1}]
    """
    if isinstance(value, str):
        return _SURROGATE.sub("�", value)
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(k): without_surrogates(v) for k, v in value.items()}
    return value


def read_jsonl(path: str | Place) -> Iterator[tuple[int, dict[str, Any]]]:
    r"""Yields (line number from 1, object) of a JSONL file (.gz too); blank lines are skipped.

    Lines end with "\n" alone: JSON texts may hold U+2028, at which `str.splitlines` would cut.
    Raises `UserError` naming the file and the line.
    """
    try:
        stream = _open(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    with stream:
        try:
            for number, line in enumerate(stream, start=1):
                if not line.removeprefix(codecs.BOM_UTF8).strip():
                    continue
                try:
                    row = parse_json(line)
                except ValueError as error:
                    raise UserError(f"{path}, line {number}: {error}") from error
                if not isinstance(row, dict):
                    raise UserError(f"{path}, line {number}: expected a JSON object")
                yield number, row
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UserError(f"{path}: not a whole gzip file ({error})") from error


def _open(path: str | Place) -> Any:
    if isinstance(path, Remote):
        return path.open()
    opener: Any = gzip.open if str(path).endswith(".gz") else open
    return opener(path, "rb")


def read_json(path: Path) -> Any:
    """The value of a JSON file. Raises `UserError` naming the file."""
    try:
        return parse_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def read_json_list(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields (where it stands, object) of a JSON file that holds one list.

    Raises `UserError` naming the file and the item.
    """
    rows = read_json(path)
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a JSON list of objects (or use a .jsonl file)")
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UserError(f"{path}, item {index}: expected a JSON object")
        yield f"{path}, item {index}", row

"""Reading what others wrote: JSONL, JSON lists and Parquet, and the formats that Assay knows.

What cannot be used is refused with the file and the line:

    for where, row in read_records(Path("pool.jsonl.gz")): ...
    for row, placed in read_placed(["pool.jsonl"], fields, "last", Book(join=False)): ...
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.pools.exchange.book import Book, Placed, file_names
from assay.pools.exchange.fields import Fields, look_up, selected
from assay.pools.exchange.mapping import Row, UnmappedError, convert
from assay.settings.errors import UserError
from assay.settings.files import CONFIGS
from assay.settings.schema import merge, read_yaml
from assay.storage.jsonl import read_json_list, read_jsonl
from assay.storage.parquet import read_rows

__all__ = ["format_file", "formats", "read_placed", "read_records"]

_FOLDER = CONFIGS / "imports"


def formats() -> list[str]:
    """The formats that Assay knows."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def format_file(name: str) -> Path:
    """The mapping of a format."""
    return _FOLDER / f"{name}.yaml"


def read_records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields (where it stands, row) of a JSONL file, a JSON list or a Parquet file."""
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
    elif path.suffix == ".json":
        yield from read_json_list(path)
    else:
        for number, row in read_jsonl(path):
            yield f"{path}, line {number}", row


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, row in enumerate(read_rows(path)):
        yield f"{path}, row {index}", row


def read_placed(
    files: Sequence[str],
    fields: Fields,
    aggregate: str,
    book: Book,
    seen: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> Iterator[tuple[Row, list[Placed]]]:
    """Every row that the mapping takes, with its candidates in their places.

    Each, as the file has it, is given to `seen` before it is mapped. Raises `UserError` for a row
    that does not fit, naming the formats that would, and for none.
    """
    only = dict(fields.only)
    taken = 0
    for file, name in zip(files, file_names(files), strict=True):
        listed: dict[int, str] = {}
        for where, raw in read_records(Path(file)):
            _resolve(only, raw)
            if not selected(raw, only):
                continue
            seen(raw)
            try:
                row = convert(raw, fields, where, aggregate)
            except UnmappedError as error:
                raise UserError(f"{error}{_hint(raw, where)}") from error
            taken += 1
            yield row, book.place(row, where, name, listed)
    if not taken:
        asked = ", ".join(f"{path}={value}" for path, value in only.items())
        raise UserError(f"{files[0]}: holds no rows" + (f" with {asked}" if asked else ""))


def _resolve(only: dict[str, str], row: dict[str, Any]) -> None:
    """Empty values become those of the first row; a field that it does not have selects nothing."""
    for path in [path for path, value in only.items() if value == ""]:
        value = look_up(path, row)
        with contextlib.suppress(KeyError):
            del only[path]
        if isinstance(value, (str, int, float)):
            only[path] = str(value)


def _hint(row: dict[str, Any], where: str) -> str:
    """The formats that would fit the row, for the message that the chosen one does not."""
    fit = []
    for name in formats():
        with contextlib.suppress(UserError):
            if convert(row, merge(Fields, [read_yaml(format_file(name))]), where).candidates:
                fit.append(name)
    return f"; format={' or '.join(fit)} fits" if fit else ""

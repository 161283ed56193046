"""Files that exist whole or not at all, and settings that are compared before anything is reused.

with atomic_file(path) as stream:
stream.write(text)
differences({"seed": 0}, {"seed": 1})        # ["seed: 0 there, 1 asked for"]
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from problems.places import Place, Remote

__all__ = ["atomic_file", "differences", "write_json"]


@contextmanager
def atomic_file(path: Place, mode: str = "w") -> Iterator[IO[Any]]:
    """Opens a temporary file beside `path`; on success it is flushed, synced and renamed to `path`.

    On any error the temporary file is removed and what stood at `path` before stays as it was. In
    an object store, it is one put in the end instead.
    """
    if isinstance(path, Remote):
        with path.writing(mode) as stream:
            yield stream
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        kwargs = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
        with os.fdopen(handle, mode, **kwargs) as stream:  # type: ignore[call-overload]
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp's files are private; others in a shared folder must be able to read them.
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Place, value: Any) -> None:
    """Writes JSON that people can read, whole or not at all."""
    with atomic_file(path) as stream:
        json.dump(value, stream, indent=2, ensure_ascii=False)
        stream.write("\n")


def differences(there: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The fields in which two nested settings differ, with both values.

    >>> differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2})
    ['a.b: 1 there, 3 asked for']
    """
    lines = []
    for name in dict.fromkeys([*there, *asked]):
        old, new = there.get(name), asked.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += differences(old, new, f"{prefix}{name}.")
        elif old != new:
            lines.append(f"{prefix}{name}: {_short(old)} there, {_short(new)} asked for")
    return lines


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"

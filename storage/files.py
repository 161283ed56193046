"""Files that exist whole or not at all, and settings that are compared before anything is reused.

What is killed half-way leaves what was there before:

    with atomic_file(path) as stream:
        stream.write(text)
    differences({"seed": 0}, {"seed": 1})        # ["seed: 0 there, 1 asked for"]
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from assay.storage.places import Place, Remote

__all__ = [
    "atomic_file",
    "create_file",
    "create_json",
    "differences",
    "file_digest",
    "write_json",
]


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
    with _beside(path, mode) as (stream, name):
        yield stream
        _settle(stream, name)
        os.replace(name, path)


def create_file(path: Place, text: str) -> None:
    """Writes a new file, whole or not at all. Raises `FileExistsError` where there is one already.

    Of several processes, on whatever machines, that create the same file, one alone succeeds: a
    link is made only where the name is free, on network file systems too. Where the file system
    has no links (FAT, some of user space), and in stores whose driver only looks first, two that
    come at the same instant may both succeed, and the last one's file stays.
    """
    if isinstance(path, Remote):
        path.create(text.encode())
        return
    with _beside(path, "w") as (stream, name):
        stream.write(text)
        _settle(stream, name)
        try:
            os.link(name, path)
        except FileExistsError:
            # A server's answer may be lost and the call repeated, which then finds our own link.
            if os.stat(name).st_nlink != 2:
                raise
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if path.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
            os.replace(name, path)


_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}


@contextmanager
def _beside(path: Path, mode: str) -> Iterator[tuple[IO[Any], str]]:
    """A temporary file in the folder of `path`, and its name; it is gone at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        kwargs = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
        with os.fdopen(handle, mode, **kwargs) as stream:  # type: ignore[call-overload]
            yield stream, name
    finally:
        Path(name).unlink(missing_ok=True)


def _settle(stream: IO[Any], name: str) -> None:
    """Brings what was written to disk, for everybody to read."""
    stream.flush()
    os.fsync(stream.fileno())
    stream.close()
    # mkstemp's files are private; others in a shared folder must be able to read them.
    os.chmod(name, 0o666 & ~_umask())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Place, value: Any) -> None:
    """Writes JSON that people can read, whole or not at all."""
    with atomic_file(path) as stream:
        stream.write(_readable(value))


def create_json(path: Place, value: Any) -> None:
    """`create_file` of JSON that people can read."""
    create_file(path, _readable(value))


def _readable(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits. Raises `OSError` where none is read."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def differences(
    present: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = ""
) -> list[str]:
    """The fields in which two nested settings differ, with both values.

    >>> differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2})
    ['a.b: 1 there, 3 asked for']
    """
    lines = []
    for name in dict.fromkeys([*present, *asked]):
        old, new = present.get(name), asked.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += differences(old, new, f"{prefix}{name}.")
        elif old != new:
            lines.append(f"{prefix}{name}: {_short(old)} there, {_short(new)} asked for")
    return lines


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"

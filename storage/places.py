"""Places of files: a folder of this machine (`Path`), or one of an object store (`Remote`).

A `Remote` has those of `Path`'s methods that a run needs, over fsspec. Object stores have no
rename; their single put is atomic instead: what is written exists whole or not at all.

    place("runs/demo")           # Path("runs/demo")
    place("s3://bucket/demo")    # Remote("s3://bucket/demo"); needs fsspec's driver, here s3fs
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from assay.settings.errors import UserError
from assay.settings.extras import missing_package

__all__ = [
    "Place",
    "Remote",
    "file_end",
    "file_size",
    "file_sizes",
    "local_folder",
    "names_below",
    "place",
]

# Whose put of a whole object is seen whole or not at all (docs/clusters.md says where that stands).
_ATOMIC = {"abfs", "abfss", "az", "gcs", "gs", "hf", "memory", "s3", "s3a"}

# fsspec's driver of a store: the package, and the extra that brings it.
_DRIVERS = {
    **dict.fromkeys(("s3", "s3a"), ("s3fs", "s3")),
    **dict.fromkeys(("gs", "gcs"), ("gcsfs", "")),
    **dict.fromkeys(("abfs", "abfss", "az"), ("adlfs", "")),
}

# How drivers call the time and the digest of a file.
_STAMPS = ("ETag", "etag", "LastModified", "last_modified", "updated", "created", "blob_id")


class Remote:
    """A file or folder of an object store, by its URL."""

    def __init__(self, url: str) -> None:
        """Raises `UserError` where fsspec has no driver for the store, or it is not atomic."""
        import fsspec

        self.url = url.rstrip("/")
        protocol = url.split("://")[0]
        if protocol not in _ATOMIC:
            raise UserError(
                f"{url}: expected a folder or a URL of {', '.join(sorted(_ATOMIC))}: a run needs "
                "files that are written whole or not at all"
            )
        try:
            self._fs, self._key = fsspec.core.url_to_fs(self.url)
        except ImportError as error:
            package, extra = _DRIVERS.get(protocol, ("", ""))
            if not package or importlib.util.find_spec(package) is not None:
                raise UserError(f"{url}: {' '.join(str(error).split())}") from error
            raise missing_package(url, package, extra=extra) from error
        except ValueError as error:
            raise UserError(f"{url}: {' '.join(str(error).split())}") from error

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rsplit("/", 1)[-1]

    def __truediv__(self, name: str) -> Remote:
        return Remote(f"{self.url}/{name}")

    def __str__(self) -> str:
        return self.url

    def __repr__(self) -> str:
        return f"Remote({self.url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    @contextmanager
    def _told(self, *through: type[Exception]) -> Iterator[None]:
        """Makes a `UserError` of what goes wrong in a driver: each has errors of its own."""
        try:
            yield
        except Exception as error:
            # The last two are defects of ours.
            if isinstance(error, (*through, AttributeError, TypeError)):
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(f"{self.url}: {reason}") from error

    def exists(self) -> bool:
        """Whether there is something; asked anew, since other machines write too."""
        with self._told():
            self._fs.invalidate_cache()
            return bool(self._fs.exists(self._key))

    def is_dir(self) -> bool:
        """Whether it is a folder: in object stores, whether something is in it."""
        with self._told():
            self._fs.invalidate_cache()
            return bool(self._fs.isdir(self._key))

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: folders of object stores are but prefixes of names."""

    def open(self, mode: str = "rb") -> IO[Any]:
        """A stream for reading; what is read of it is fetched, not the whole file."""
        with self._told(FileNotFoundError):
            return self._fs.open(self._key, mode)

    def read_text(self, encoding: str = "utf-8") -> str:
        """The whole file."""
        return self.read_bytes().decode(encoding)

    def read_bytes(self, start: int = 0) -> bytes:
        """The file from byte `start` on, in one request: with a start, nobody asks for its size."""
        with self._told(FileNotFoundError):
            return bytes(self._fs.cat_file(self._key, start=start))

    def size(self) -> int:
        """Bytes of the file. Raises `FileNotFoundError`."""
        with self._told(FileNotFoundError):
            self._fs.invalidate_cache()
            return int(self._fs.size(self._key))

    def names(self) -> list[str]:
        """Everything below this folder, by its path from here."""
        with self._told():
            self._fs.invalidate_cache()
            return sorted(key[len(self._key) :].lstrip("/") for key in self._fs.find(self._key))

    def put(self, folder: Path, names: Iterable[str]) -> None:
        """Puts files of a local folder here, several at once; each is whole or not there."""

        def one(name: str) -> None:
            with self._told():
                self._fs.put_file(str(folder / name), f"{self._key}/{name}")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, names))

    def sizes(self) -> dict[str, tuple[int, str]]:
        """The files of this folder by name: bytes, and what changes when one is written anew."""
        try:
            with self._told(FileNotFoundError):
                self._fs.invalidate_cache()
                found = self._fs.ls(self._key, detail=True)
        except FileNotFoundError:
            return {}
        return {
            each["name"].rsplit("/", 1)[-1]: (
                each["size"],
                str([each[name] for name in _STAMPS if name in each]),
            )
            for each in found
            if each["type"] == "file"
        }

    def unlink(self, missing_ok: bool = False) -> None:
        """Removes the file."""
        try:
            with self._told(FileNotFoundError):
                self._fs.rm_file(self._key)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def create(self, data: bytes) -> None:
        """Puts a new file. Raises `FileExistsError` where there is one already.

        As exclusive as the driver makes it: docs/clusters.md.
        """
        try:
            with self._told(FileExistsError):
                self._fs.pipe_file(self._key, data, mode="create")
        except UserError as error:
            # What S3 says to one of two that come in the same instant.
            if getattr(error.__cause__, "errno", None) == errno.EBUSY:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.url) from error
            raise

    @contextmanager
    def writing(self, mode: str) -> Iterator[IO[Any]]:
        """A stream in memory whose content is put whole at the end; after an error, nothing is."""
        whole = io.BytesIO()
        if "b" in mode:
            yield whole
        else:
            text = io.TextIOWrapper(whole, encoding="utf-8", newline="\n", write_through=True)
            yield text
            text.detach()
        with self._told():
            self._fs.pipe_file(self._key, whole.getvalue())


Place = Path | Remote


def place(path: str | Place) -> Place:
    """The place that a path or a URL names; `file://` is a folder of this machine."""
    if isinstance(path, Remote):
        return path
    text = os.fspath(path)
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    return Remote(text) if "://" in text else Path(text)


def file_sizes(folder: Place) -> dict[str, tuple[int, str]]:
    """The files of a folder by name: bytes, and what changes when one is written anew."""
    if isinstance(folder, Remote):
        return folder.sizes()
    found = {}
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # removed by another process
                about = entry.stat()
                found[entry.name] = (about.st_size, f"{about.st_mtime_ns} {about.st_ino}")
    return found


def file_size(path: Place) -> int:
    """Bytes of a file. Raises `FileNotFoundError`."""
    return path.size() if isinstance(path, Remote) else path.stat().st_size


def file_end(path: Place, size: int, count: int) -> bytes:
    """The last `count` bytes of a file of `size` bytes. Raises `FileNotFoundError`."""
    start = max(0, size - count)
    if isinstance(path, Remote):
        return path.read_bytes(start) if size else b""  # S3 has no range of an empty file
    with open(path, "rb") as stream:
        stream.seek(start)
        return stream.read()


def names_below(folder: Path) -> list[str]:
    """The files below a local folder, by their paths from there."""
    return sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file())


def local_folder(path: str | Place, key: str) -> Path:
    """The folder that a key names. Raises `UserError` where it is one of an object store."""
    folder = place(path)
    if isinstance(folder, Remote):
        raise UserError(f"{key}: {folder} is in an object store; expected a folder of this machine")
    return folder

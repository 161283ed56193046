"""What the parts of a run say of themselves: the end of each file, read once for each state of it.

A part's Parquet footer carries the hash of its key, the digest of its rows and that of the part it
was made from. A footer that is read and makes no sense is a truncated part's; a file that cannot be
read (a disk's or a network's error, missing rights) is an error and never taken for that: truncated
parts are removed.
"""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from assay.settings.errors import UserError
from assay.storage.places import Place, Remote, file_end, file_size, file_sizes

__all__ = ["Footers"]

_MAGIC = b"PAR1"
_END = 16 * 1024
_AT_ONCE = 16


class Footers:
    """The footers of a run's parts, in a folder or an object store."""

    def __init__(self, run: Place) -> None:
        self._run = run
        self._seen: dict[tuple[str, str], tuple[Any, dict[str, Any] | None]] = {}

    def of(self, stage: str) -> dict[str, dict[str, Any] | None]:
        """By file name, in order, what each part's footer holds; `None` where it is no footer.

        Raises `UserError` where a file cannot be read.
        """
        files = {
            name: about
            for name, about in sorted(file_sizes(self._run / stage).items())
            if name.startswith("part-") and name.endswith(".parquet")
        }
        new = [name for name, about in files.items() if self._state(stage, name) != about]

        def read(name: str) -> None:
            try:
                footer = _read(self._run / stage / name, files[name][0])
            except FileNotFoundError:
                return  # removed in the meantime
            self._seen[stage, name] = files[name], footer

        if isinstance(self._run, Remote) and len(new) > 1:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(read, new))
        else:
            for name in new:
                read(name)
        return {
            name: self._seen[stage, name][1]
            for name, about in files.items()
            if self._state(stage, name) == about
        }

    def one(self, stage: str, name: str) -> dict[str, Any] | None:
        """One part's footer, read anew; `None` also where the part is not there."""
        path = self._run / stage / name
        try:
            return _read(path, file_size(path))
        except FileNotFoundError:
            return None

    def _state(self, stage: str, name: str) -> Any:
        return self._seen.get((stage, name), (None, None))[0]


def _read(path: Place, size: int) -> dict[str, Any] | None:
    import pyarrow
    import pyarrow.parquet

    try:
        end = file_end(path, size, _END)
        if end.endswith(_MAGIC) and len(end) >= 8:
            length = int.from_bytes(end[-8:-4], "little") + 8
            if len(end) < length <= size:
                end = file_end(path, size, length)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        schema = pyarrow.parquet.read_schema(io.BytesIO(end))
        footer = json.loads((schema.metadata or {})[b"assay"])
    except (OSError, pyarrow.ArrowException, KeyError, ValueError):
        return None
    return footer if isinstance(footer, dict) else None

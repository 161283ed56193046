"""Parquet read in the caller's thread, and tables as data frames.

Arrow's own ways (`pyarrow.parquet.read_table`, `Table.to_pandas`) work in a pool of threads that
nobody joins. Such a thread may still hold the last reference to a Python object, here the bytes
that were read; where it lets go of it while the interpreter ends, CPython ends the thread within
C++ code, and that aborts the process ("terminate called without an active exception", exit code
134) after all has been done. So no thread of Arrow is ever started, neither for columns
nor to read ahead (`pre_buffer`): parts are small.

    table = read_table(path.read_bytes())
    frame = to_frame(table.select(["answer", "label"]))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.settings.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow

__all__ = ["read_rows", "read_table", "to_frame"]

_ROWS_AT_ONCE = 64


def read_table(data: bytes, columns: Sequence[str] | None = None) -> pyarrow.Table:
    """The table of a whole Parquet file, or `columns` of it.

    Raises `pyarrow.ArrowException` where it is none.
    """
    import pyarrow
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(pyarrow.BufferReader(data), pre_buffer=False) as file:
        return file.read(columns=columns and list(columns), use_threads=False)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the rows of a Parquet file, of which few are in memory at once.

    Raises `UserError` where it cannot be read.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, use_threads=False):
                yield from batch.to_pylist()
    except (OSError, UnicodeDecodeError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from error


def to_frame(table: pyarrow.Table) -> pd.DataFrame:
    """The table as a data frame."""
    return table.to_pandas(use_threads=False)

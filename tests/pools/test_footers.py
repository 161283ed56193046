"""What parts say of themselves: truncated is not the same as unreadable."""

import errno
import json
import os
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.pools import footers
from assay.pools.footers import Footers
from assay.settings.errors import UserError
from assay.storage.files import atomic_file
from assay.storage.places import place


@pytest.fixture(params=["folder", "object store"])
def run(request, tmp_path):
    return place(f"memory://{uuid.uuid4().hex}" if request.param == "object store" else tmp_path)


def write(path, about, rows=3, columns=1):
    table = pa.table({f"column {i}": list(range(rows)) for i in range(columns)})
    with atomic_file(path, "wb") as stream:
        pq.write_table(table.replace_schema_metadata({b"assay": json.dumps(about)}), stream)


def test_footers_by_name_in_order_with_what_is_broken_as_none(run):
    write(run / "answers" / "part-00001.cot.00000-00004.parquet", {"key": "b"})
    # Its footer is longer than what is read at first.
    write(run / "answers" / "part-00000.cot.00000-00004.parquet", {"key": "a"}, columns=400)
    for name, content in {"part-2.parquet": b"x", "part-3.parquet": b"", "y.parquet": b""}.items():
        with atomic_file(run / "answers" / name, "wb") as stream:
            stream.write(content)
    found = Footers(run).of("answers")
    assert list(found.items()) == [
        ("part-00000.cot.00000-00004.parquet", {"key": "a"}),
        ("part-00001.cot.00000-00004.parquet", {"key": "b"}),
        ("part-2.parquet", None),
        ("part-3.parquet", None),
    ]
    assert Footers(run).of("nothing") == {}


def test_a_footer_is_read_again_only_where_the_file_is_another(run, monkeypatch):
    read = []
    real = footers.file_end
    monkeypatch.setattr(
        footers, "file_end", lambda path, *rest: read.append(path.name) or real(path, *rest)
    )
    first, second = (run / "candidates" / f"part-{i}.parquet" for i in range(2))
    write(first, {"digest": "a"})
    write(second, {"digest": "b"})
    found = Footers(run)
    found.of("candidates")
    assert sorted(read) == ["part-0.parquet", "part-1.parquet"]
    write(second, {"digest": "c"})
    assert found.of("candidates")["part-1.parquet"] == {"digest": "c"}
    assert read[2:] == ["part-1.parquet"]
    first.unlink()
    assert list(found.of("candidates")) == ["part-1.parquet"]


def test_a_disk_that_cannot_be_read_is_no_truncated_part(run, monkeypatch):
    write(run / "candidates" / "part-0.parquet", {"key": "a"})

    def broken(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(footers, "file_end", broken)
    with pytest.raises(UserError, match=r"part-0\.parquet: cannot be read \(Input/output error\)"):
        Footers(run).of("candidates")

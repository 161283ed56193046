"""Folders of object stores, on fsspec's store in memory: whole files, and clear refusals."""

import errno
import io
import uuid
from pathlib import Path

import pytest

from assay.settings.errors import UserError
from assay.storage.files import atomic_file, write_json
from assay.storage.places import Remote, file_sizes, local_folder, names_below, place


@pytest.fixture
def folder():
    return place(f"memory://{uuid.uuid4().hex}/run")


def test_a_place_is_a_path_or_a_url():
    assert place("runs/demo") == Path("runs/demo")
    assert place("file:///tmp/demo") == Path("/tmp/demo")
    assert place(Path("a")) == Path("a")
    found = place("memory://bucket/runs/demo/")
    assert isinstance(found, Remote)
    assert place(found) is found
    assert str(found) == "memory://bucket/runs/demo"
    assert found.name == "demo"
    assert str(found / "scores/v" / "part") == "memory://bucket/runs/demo/scores/v/part"
    assert f"{found / 'x'}" == str(Remote("memory://bucket/runs/demo/x"))


def test_what_is_written_is_read(folder):
    assert not (folder / "run.json").exists()
    assert not folder.is_dir()
    write_json(folder / "run.json", {"a": "ü"})
    assert (folder / "run.json").read_text() == '{\n  "a": "ü"\n}\n'
    with atomic_file(folder / "parts/b.parquet", "wb") as stream:
        stream.write(b"0123456789")
    with (folder / "parts/b.parquet").open("rb") as stream:
        assert stream.seek(-3, io.SEEK_END) == 7
        assert stream.read() == b"789"
    assert folder.is_dir()
    assert (folder / "parts/b.parquet").read_bytes(7) == b"789"
    assert (folder / "parts/b.parquet").size() == 10
    assert {name: size for name, (size, _) in folder.sizes().items()} == {"run.json": 16}
    assert (folder / "nothing").sizes() == {}
    assert folder.names() == ["parts/b.parquet", "run.json"]
    (folder / "run.json").unlink()
    (folder / "run.json").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        (folder / "run.json").unlink()


def test_a_file_is_created_once(folder):
    (folder / "a").create(b"1")
    with pytest.raises(FileExistsError):
        (folder / "a").create(b"2")
    assert (folder / "a").read_bytes() == b"1"


def test_who_is_refused_in_the_same_instant_has_not_created_it(folder, monkeypatch):
    def busy(*_, **__):
        raise OSError(errno.EBUSY, "A conflicting conditional operation is in progress")

    monkeypatch.setattr(folder._fs, "pipe_file", busy)
    with pytest.raises(FileExistsError):
        (folder / "a").create(b"1")


def test_a_local_folder_is_put(folder, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("1")
    (tmp_path / "b" / "c").write_text("22")
    assert names_below(tmp_path) == ["a", "b/c"]
    folder.put(tmp_path, names_below(tmp_path))
    assert folder.names() == ["a", "b/c"]
    assert (folder / "b/c").read_text() == "22"


def test_sizes_tell_that_a_file_was_written_anew(folder, tmp_path):
    for place_ in (folder, tmp_path):
        write_json(place_ / "a", 1)
        before = file_sizes(place_)
        assert file_sizes(place_) == before
        write_json(place_ / "a", 2)
        assert file_sizes(place_)["a"] != before["a"]
        assert file_sizes(place_)["a"][0] == 2


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_an_error_while_writing_leaves_what_was_there(folder, mode):
    write_json(folder / "a", 1)

    def write():
        with atomic_file(folder / "a", mode) as stream:
            stream.write("half" if mode == "w" else b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert (folder / "a").read_text() == "1\n"


@pytest.mark.parametrize("url", ["ftp://host/x", "http://host/x", "nothing://x"])
def test_a_store_that_is_not_atomic_is_refused(url):
    with pytest.raises(UserError, match=f"{url}: expected a folder or a URL of abfs, "):
        place(url)


def test_a_driver_that_is_missing_is_named(monkeypatch):
    import fsspec

    def missing(url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(UserError, match="s3://b/x: Install s3fs to access S3"):
        place("s3://b/x")


def test_a_drivers_error_is_one_line_with_the_url(folder, monkeypatch):
    def denied(*_, **__):
        raise PermissionError("Access\nDenied")

    for name in ("exists", "find", "ls", "open", "cat_file", "rm_file", "pipe_file"):
        monkeypatch.setattr(folder._fs, name, denied)
    part = folder / "a"
    for call in (
        part.exists,
        part.open,
        part.read_text,
        part.unlink,
        part.sizes,
        part.names,
        lambda: part.create(b""),
        lambda: write_json(part, 1),
    ):
        with pytest.raises(UserError, match=rf"^{part}: Access Denied$"):
            call()


def test_a_key_that_needs_a_folder_of_this_machine_says_so():
    assert local_folder("a/b", "output") == Path("a/b")
    with pytest.raises(UserError, match="output: memory://b/x is in an object store"):
        local_folder("memory://b/x", "output")

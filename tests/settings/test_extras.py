"""What is told where an optional package is missing: a command that works where the user is."""

import importlib.util
import sys
from pathlib import Path

import pytest

from assay.settings import extras
from assay.settings.errors import UserError
from assay.settings.extras import install_command, missing_package
from assay.storage.places import place

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone with an interpreter of its own, as the current folder."""
    folder = tmp_path / "assay"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt"):
        (folder / name).write_text("")
    monkeypatch.setattr(extras, "__file__", str(folder / "problems" / "extras.py"))
    monkeypatch.setattr(sys, "executable", str(folder / ".venv" / "bin" / "python"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Assay from a wheel: nothing of the project's but its modules."""
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    monkeypatch.setattr(extras, "__file__", str(site / "problems" / "extras.py"))
    monkeypatch.setattr(sys, "executable", "/opt/env/bin/python")


def test_in_a_clone(clone):
    assert install_command("lora") == (
        ".venv/bin/python -m pip install -e '.[lora]' -c constraints.txt"
    )


def test_from_elsewhere_the_clone_is_named(clone, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert install_command("ray") == (
        "assay/.venv/bin/python -m pip install -e 'assay[ray]' -c assay/constraints.txt"
    )
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    python, folder = clone / ".venv" / "bin" / "python", str(clone)
    assert install_command("ray") == (
        f"{python} -m pip install -e '{folder}[ray]' -c {folder}/constraints.txt"
    )


def test_a_folder_with_a_blank(tmp_path, monkeypatch, clone):
    other = tmp_path / "my projects" / "assay"
    clone.parent.joinpath("my projects").mkdir()
    clone.rename(other)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extras, "__file__", str(other / "problems" / "extras.py"))
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert install_command("ray") == (
        "/usr/bin/python3 -m pip install -e 'my projects/assay[ray]' "
        "-c 'my projects/assay/constraints.txt'"
    )


def test_vllm_brings_versions_of_its_own(clone):
    assert install_command("vllm") == ".venv/bin/python -m pip install -e '.[vllm]'"


def test_installed_from_a_wheel(installed):
    assert install_command("lora") == "/opt/env/bin/python -m pip install 'assay[lora]'"


def test_an_environment_without_pip(clone, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pip" else real(name)
    )
    assert install_command("lora") == (
        "uv pip install --python .venv/bin/python -e '.[lora]' -c constraints.txt"
    )


def test_the_message(installed):
    error = missing_package("engine.name=vllm", "vllm", extra="vllm", instead="use another")
    assert isinstance(error, UserError)
    assert str(error) == (
        "engine.name=vllm: needs the package vllm, which is not installed; install it with: "
        "/opt/env/bin/python -m pip install 'assay[vllm]'; or use another"
    )


@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("s3://bucket/run", "'assay[s3]'"),
        ("s3a://bucket/run", "'assay[s3]'"),
        ("gs://bucket/run", "gcsfs"),
        ("gcs://bucket/run", "gcsfs"),
        ("abfs://bucket/run", "adlfs"),
        ("az://bucket/run", "adlfs"),
    ],
)
def test_drivers_of_object_stores(installed, monkeypatch, url, command):
    import fsspec

    def refuse(url):
        raise ImportError("Install something to access it")

    monkeypatch.setattr(fsspec.core, "url_to_fs", refuse)
    real = importlib.util.find_spec
    drivers = {"s3fs", "gcsfs", "adlfs"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in drivers else real(name)
    )
    with pytest.raises(UserError) as raised:
        place(url)
    assert str(raised.value).startswith(f"{url}: needs the package ")
    assert str(raised.value).endswith(f"/opt/env/bin/python -m pip install {command}")


def test_a_driver_that_is_there_and_broken_tells_its_own_reason(installed, monkeypatch):
    import fsspec

    def refuse(url):
        raise ImportError("libcrypto is too old")

    monkeypatch.setattr(fsspec.core, "url_to_fs", refuse)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(UserError, match=r"^s3://bucket/run: libcrypto is too old$"):
        place("s3://bucket/run")


def test_every_extra_that_is_named_exists():
    tomllib = pytest.importorskip("tomllib")  # since Python 3.11
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    rooms = ("problems", "sandbox", "generator", "verifier", "search")
    named = set()
    for file in (file for room in rooms for file in (ROOT / room).rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        # Every such message is made in one place.
        assert "pip install" not in text or file.name in {"extras.py", "fetch.py"}, file
        named |= {part.split('"')[0] for part in text.split('extra="')[1:]}
    assert {"lora", "qlora", "deepspeed", "ray", "vllm"} <= named
    assert named - {""} <= set(declared["optional-dependencies"])

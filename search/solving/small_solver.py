"""The small solver: models that come with Assay and solve plain grade-school questions.

What comes with Assay are differences from SmolLM2-135M-Instruct, 10 MB each
(`generator/lowrank.py`). `assay fetch small-solver` gets the base and writes the whole models;
`assay solve` uses them where no generator is named.

    models/small-solver/
      generator/  verifier/     whole models
      ranker/  choice.json      how the candidates are ranked, which rule chooses, how sure it is
      README.md                 the card
      solver.json               written last: which version of what comes with Assay this is

The weights are the same bits everywhere where the base is the one that they were trained on; so the
ranker and the choice hold. With another release of the base (the hub's has 16 bits, the one that
was trained on is of 4) the models work, but no probability is told.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from assay.evaluation.choice import FILE as CHOICE
from assay.generator.fetch import fetch
from assay.generator.lowrank import unpack, weights_digest
from assay.settings.errors import UserError
from assay.storage.files import write_json

__all__ = [
    "BASE",
    "GENERATOR",
    "HOME",
    "NAME",
    "PACKED",
    "RECORD",
    "default_generator",
    "install",
]

NAME, BASE = "small-solver", "smollm2-135m-instruct"
HOME = Path("models") / NAME
GENERATOR = HOME / "generator"
PACKED = Path(__file__).resolve().parents[2] / "generator" / "small_solver"
"""what comes with Assay; scripts/small_solver/ship.py writes it"""
RECORD = "solver.json"


def default_generator() -> Path | None:
    """The fetched small solver's generator; `None` where it is not there."""
    return GENERATOR if (HOME / RECORD).is_file() else None


def install(destination: Path, packed: Path | None = None) -> Path:
    """Makes `destination` hold the whole models; leaves it where it holds this version of them.

    `packed` is what they are made of, by default what comes with Assay. The base lies beside
    `destination`, and is fetched where it does not. Raises `UserError` where no models come with
    this copy of Assay, where the folder holds something else, and as `fetch` does.
    """
    packed = packed or PACKED
    if not (packed / RECORD).is_file():
        raise UserError(
            f"fetch {NAME}: its models are not in this copy of Assay ({packed}); "
            "scripts/small_solver/ship.py puts them there"
        )
    version = _version(packed)
    if destination.exists():
        if _installed(destination) == version:
            return destination
        if _installed(destination) is None and any(destination.iterdir()):
            raise UserError(
                f"{destination}: already contains something else; choose another folder with to="
            )
    base = fetch(BASE, destination.parent / BASE)
    record = json.loads((packed / RECORD).read_text("utf-8"))
    same = weights_digest(base) == record["base"]
    if not same:
        print(
            f"fetch {NAME}: {base} is another release of the base than the models were trained "
            "on: they may answer a little otherwise, and their ranker and choice do not hold",
            file=sys.stderr,
        )
    try:
        _write(packed, base, destination, record | {"version": version, "same_base": same})
    except OSError as error:
        raise UserError(f"{destination}: cannot be written ({error.strerror or error})") from error
    return destination


def _write(packed: Path, base: Path, destination: Path, record: dict[str, object]) -> None:
    """Writes everything beside `destination` and renames it, so that it is there whole or not."""
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".fetch-") as folder:
        made = Path(folder) / "solver"
        made.mkdir()
        print(f"fetch {NAME}: writing the models", file=sys.stderr)
        unpack(packed / "generator", base, made / "generator")
        if (packed / "verifier").is_dir():
            unpack(packed / "verifier", made / "generator", made / "verifier")
        if record["same_base"]:
            if (packed / "ranker").is_dir():
                shutil.copytree(packed / "ranker", made / "ranker")
            if (packed / CHOICE).is_file():
                shutil.copyfile(packed / CHOICE, made / CHOICE)
        shutil.copyfile(packed / "README.md", made / "README.md")
        write_json(made / RECORD, record)
        if destination.exists():
            # An older version.
            os.replace(destination, Path(folder) / "old")
        os.replace(made, destination)


def _installed(destination: Path) -> str | None:
    """The version that a folder holds; `None` where it holds no small solver."""
    try:
        version = json.loads((destination / RECORD).read_text("utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(version)


def _version(packed: Path) -> str:
    """A digest of all that comes with Assay."""
    digest = hashlib.sha256()
    for file in sorted(path for path in packed.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(packed).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]

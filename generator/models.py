"""Language models by name (the embedded base, a folder, a hub id): found, loaded, told apart.

    config = ModelConfig(name="models/smollm2-135m-instruct")
    model, tokenizer = load_model(config), load_tokenizer(config)

Nothing is downloaded but by a hub id, and no code of a model's author runs unless
`trust_remote_code` says so. Transformers' own progress bars and reports are kept off the screen;
what matters of them becomes one line of a `UserError`.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from problems.errors import UserError

if TYPE_CHECKING:
    import torch

__all__ = [
    "EMBEDDED",
    "ModelConfig",
    "device_of",
    "dtype_of",
    "fingerprint",
    "hub_reachable",
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
_TELLING = (
    "*.safetensors",
    "*.safetensors.index.json",
    "*.bin",
    "*.gguf",
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "vocab*",
    "merges.txt",
)


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
            local_files_only=not hub_reachable(),
        )


def load_model(config: ModelConfig) -> Any:
    """The causal language model on its device, in evaluation mode. Raises `UserError`."""
    from transformers import AutoModelForCausalLM

    device = device_of(config)
    offline = not hub_reachable()
    with _told(config, "model"):
        model = AutoModelForCausalLM.from_pretrained(
            resolve(config.name),
            revision=config.revision or None,
            dtype=dtype_of(config),
            attn_implementation=config.attention,
            trust_remote_code=config.trust_remote_code,
            local_files_only=offline,
            # Asked for by itself: Transformers looks whether the id names an adapter.
            adapter_kwargs={"local_files_only": offline},
        )
        return model.to(device).eval()


@lru_cache(maxsize=1)
def hub_reachable() -> bool:
    """Whether the hub's address can be found: where not, only what is cached is looked for.

    Without this, a missing model costs a minute of retries on a machine without network.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if getproxies():
        return True
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        return False
    return True


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
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _told(config: ModelConfig, what: str) -> Iterator[None]:
    """Turns what Transformers raises for a missing or broken model into one line."""
    from huggingface_hub.errors import HfHubHTTPError
    from safetensors import SafetensorError

    known = (
        OSError,
        ValueError,
        KeyError,
        ImportError,
        RuntimeError,
        SafetensorError,
        HfHubHTTPError,
    )
    try:
        with quiet():
            yield
    except UserError:
        raise
    except known as error:
        why = " ".join(str(error).split()) or type(error).__name__
        why = why if len(why) <= 240 else why[:239] + "…"
        if Path(resolve(config.name)).is_dir():
            raise UserError(f"{what} {config.name}: cannot be loaded ({why})") from error
        if not hub_reachable():
            why = "the hub cannot be reached from here, and it is not in its cache"
        raise UserError(f"{what} {config.name}: no such folder, nor from the hub: {why}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps progress bars and warnings of Transformers and of the hub's client off the screen."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    verbosity, hub_verbosity = logging.get_verbosity(), hub_logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    hub_logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        hub_logging.set_verbosity(hub_verbosity)
        if bars:
            logging.enable_progress_bar()

"""Language models by name (the embedded base, a folder, a GGUF file, an adapter, a hub id).

    config = ModelConfig(name="models/smollm2-135m-instruct")
    model, tokenizer = load_model(config), load_tokenizer(config)

Nothing is downloaded but by a hub id, at one commit from beginning to end (`pinned`). No code of a
model's author runs unless `trust_remote_code` says so, and no pickle is read unless `allow_pickle`
does. Transformers' own progress bars and reports are kept off the screen;
what matters of them becomes one line of a `UserError`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from assay.generator.adapters import (
    ADAPTER_CONFIG,
    ADAPTER_PICKLE,
    ADAPTER_WEIGHTS,
    base_of,
    merged,
)
from assay.generator.gguf_file import is_gguf, read_model, read_tokenizer
from assay.settings.errors import UserError
from assay.storage.files import file_digest

if TYPE_CHECKING:
    import torch

__all__ = [
    "EMBEDDED",
    "ModelConfig",
    "base_of_adapter",
    "check_vocabulary",
    "device_of",
    "dtype_of",
    "fingerprint",
    "hub_reachable",
    "load_model",
    "load_tokenizer",
    "pinned",
    "quiet",
    "resolve",
    "vocabulary_rows",
]

EMBEDDED = Path(__file__).parent / "embedded"
_DTYPES = ("auto", "float32", "bfloat16", "float16")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# Any of these makes a tokenizer.
_TOKENIZER = ("tokenizer*", "vocab*", "spiece.model", "sentencepiece*.model", "*.tiktoken")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_PICKLED = (
    "it has no safetensors, only pickled weights, which may run code when they are read: convert "
    "them (docs/engines.md says how), or set allow_pickle=true where you trust them"
)
# What decides a model's samples: weights, architecture, tokenizer.
_TELLING = (
    "*.safetensors",
    "*.safetensors.index.json",
    "*.bin",
    "*.gguf",
    "config.json",
    "adapter_config.json",
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
    """embedded (the small base that comes with Assay), a folder, a GGUF file, or a hub id"""
    revision: str = ""
    """hub models only: branch, tag or commit; empty = the newest; runs record the commit"""
    dtype: str = "auto"
    """auto (bfloat16 on CUDA, float32 on CPU) | float32 | bfloat16 | float16"""
    device: str = "auto"
    """auto | cpu | cuda | cuda:1 …"""
    trust_remote_code: bool = False
    """run Python code that comes with the model"""
    allow_pickle: bool = False
    """read pickled weights (pytorch_model.bin) where there are no safetensors"""
    attention: str = "sdpa"
    """Transformers' attention for training and scoring: sdpa | eager | flash_attention_2 | …"""


def resolve(name: str) -> str:
    """The folder, the GGUF file or the hub id that `name` means.

    Raises `UserError` for a folder without a model, for any other file, and for what is neither
    there nor like a hub id.
    """
    if name == "embedded":
        return _checked(EMBEDDED, name)
    path = Path(name).expanduser()
    if path.is_dir():
        return _checked(path, name)
    if path.exists():
        if not is_gguf(path):
            raise UserError(
                f"model {name}: expected a folder, a GGUF file or a hub id, found a file"
            )
        return str(path)
    looks_local = name.startswith((".", "/", "~")) or name.count("/") > 1 or is_gguf(path)
    if looks_local or not _HUB_ID.fullmatch(name):
        raise UserError(f"model {name}: no such {'file' if is_gguf(path) else 'folder'}")
    return name


def _checked(path: Path, name: str) -> str:
    if not any((path / file).is_file() for file in ("config.json", ADAPTER_CONFIG)):
        files = sorted(file.name for file in path.glob("*.gguf"))
        hint = f"; it holds {files[0]}, which can be named itself" if files else ""
        raise UserError(
            f"model {name}: expected a Hugging Face model folder, found no config.json{hint}"
        )
    return str(path)


def pinned(config: ModelConfig) -> ModelConfig:
    """The same model, a hub id at the commit that its revision is at now.

    Whatever is loaded by the result, in any process, comes from one commit, even if the branch
    moves meanwhile. Unchanged for folders and files, and where neither hub nor cache knows the id.
    """
    if Path(resolve(config.name)).exists() or _COMMIT.fullmatch(config.revision):
        return config
    commit = _commit(config.name, config.revision)
    return dataclasses.replace(config, revision=commit) if commit else config


@lru_cache(maxsize=256)
def _commit(name: str, revision: str) -> str:
    """The commit of a hub id's revision, asked for once in a process; empty where unknown."""
    config = ModelConfig(name=name, revision=revision)
    for file in ("config.json", ADAPTER_CONFIG, "tokenizer_config.json"):
        path = _hub_file(config, file)
        if path is not None and _COMMIT.fullmatch(path.parent.name):
            return path.parent.name
    return ""


def _hub_file(config: ModelConfig, file: str) -> Path | None:
    """A file of a hub id in the cache, downloaded where it must be; None where there is none."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    # ValueError: not an id; OSError: neither in the cache nor to be had.
    with quiet(), contextlib.suppress(HfHubHTTPError, OSError, ValueError):
        return Path(
            hf_hub_download(
                config.name,
                file,
                revision=config.revision or None,
                local_files_only=not hub_reachable(),
            )
        )
    return None


def _adapter(config: ModelConfig) -> tuple[Path, ModelConfig] | None:
    """Where `config`, which is pinned, names an adapter: its folder and its base."""
    found = Path(resolve(config.name))
    file = found / ADAPTER_CONFIG if found.exists() else _hub_file(config, ADAPTER_CONFIG)
    if file is None or not file.is_file():
        return None
    base, revision = base_of(file, config.name)
    try:
        resolve(base)
    except UserError as error:
        raise UserError(f"adapter {config.name}: its base is missing: {error}") from error
    return file.parent, pinned(dataclasses.replace(config, name=base, revision=revision))


def base_of_adapter(config: ModelConfig) -> ModelConfig:
    """The model that an adapter is merged into; any other model as it is. Raises `UserError`."""
    adapter = _adapter(pinned(config))
    return adapter[1] if adapter else config


def load_tokenizer(config: ModelConfig) -> Any:
    """The Hugging Face tokenizer; an adapter's own, else its base's. Raises `UserError`."""
    from transformers import AutoTokenizer

    config = pinned(config)
    found = Path(resolve(config.name))
    if adapter := _adapter(config):
        own = found.is_dir() and _holds(found, _TOKENIZER)
        if not own and (found.is_dir() or not _hub_file(config, "tokenizer_config.json")):
            return load_tokenizer(adapter[1])
    elif found.is_dir() and not config.trust_remote_code and not _holds(found, _TOKENIZER):
        raise UserError(f"tokenizer {config.name}: the folder holds none: copy its base's there")
    with _explained(config, "tokenizer"):
        if found.is_file():
            return read_tokenizer(found)
        return AutoTokenizer.from_pretrained(
            str(found),
            revision=config.revision or None,
            trust_remote_code=config.trust_remote_code,
            local_files_only=not hub_reachable(),
        )


def load_model(config: ModelConfig, quantization_config: Any = None) -> Any:
    """The causal language model on its device, in evaluation mode. Raises `UserError`.

    With Transformers' `quantization_config` its weights are quantised while they are loaded.
    """
    from transformers import AutoModelForCausalLM

    config = pinned(config)
    device, dtype = device_of(config), dtype_of(config)
    found = Path(resolve(config.name))
    if adapter := _adapter(config):
        return _adapted(config, *adapter)
    quantized: dict[str, Any] = {}
    if quantization_config is not None:
        quantized = {
            "quantization_config": quantization_config,
            "device_map": {"": _numbered(device)},
        }
    if found.is_dir():
        _refuse_pickle(config, found)
    offline = not hub_reachable()
    with _explained(config, "model"):
        if found.is_file():
            model = read_model(found, dtype, config.attention)
        else:
            model = AutoModelForCausalLM.from_pretrained(
                str(found),
                revision=config.revision or None,
                dtype=dtype,
                attn_implementation=config.attention,
                trust_remote_code=config.trust_remote_code,
                use_safetensors=None if config.allow_pickle else True,
                local_files_only=offline,
                # Asked for by itself: Transformers looks whether the id names an adapter.
                adapter_kwargs={"local_files_only": offline},
                **quantized,
            )
        return (model if quantized else model.to(device)).eval()


def _numbered(device: torch.device) -> torch.device:
    """The GPU by its number: training on "cuda" itself is refused by accelerate as another one."""
    import torch

    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def _adapted(config: ModelConfig, folder: Path, base: ModelConfig) -> Any:
    """The base with the adapter merged in."""
    names = (ADAPTER_WEIGHTS, ADAPTER_PICKLE) if config.allow_pickle else (ADAPTER_WEIGHTS,)
    if not Path(resolve(config.name)).exists():
        # Into the folder where its configuration is.
        any(_hub_file(config, name) for name in names)
    if not _holds(folder, names):
        pickled = " (pickled ones need allow_pickle=true)" if _holds(folder, ("*.bin",)) else ""
        raise UserError(f"adapter {config.name}: it has no {ADAPTER_WEIGHTS}{pickled}")
    model = load_model(base)
    with _explained(config, "adapter"):
        return merged(model, folder, config.name).eval()


def _holds(folder: Path, patterns: Sequence[str]) -> bool:
    return any(file.is_file() for pattern in patterns for file in folder.glob(pattern))


def _refuse_pickle(config: ModelConfig, folder: Path) -> None:
    pickled = not _holds(folder, ("*.safetensors",)) and _holds(folder, ("pytorch_model*.bin",))
    if pickled and not config.allow_pickle:
        raise UserError(f"model {config.name}: {_PICKLED}")


def vocabulary_rows(model: Any) -> int:
    """How many tokens the model's embedding knows."""
    embedding = model.get_input_embeddings()
    # The weight of a model that DeepSpeed divides is empty here.
    return int(getattr(embedding, "num_embeddings", 0) or embedding.weight.shape[0])


def check_vocabulary(model: Any, tokenizer: Any, name: str) -> None:
    """Raises `UserError` where the tokenizer writes tokens that the model does not know.

    Added tokens do not count: some models' tokenizers list special tokens that are never used.
    """
    rows = vocabulary_rows(model)
    if tokenizer.vocab_size > rows:
        raise UserError(
            f"model {name}: its tokenizer has {tokenizer.vocab_size} tokens, its weights are for "
            f"{rows}: they do not belong together"
        )


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

    "sha256:…" of a folder's weights, configuration and tokenizer, or of a GGUF file;
    "hub:id@commit" of a hub id (its revision where the commit cannot be found out); "… on …" of an
    adapter and its base.
    """
    config = pinned(config)
    found = resolve(config.name)
    path = Path(found)
    if path.is_dir():
        patterns = (*_TELLING, "*.py") if config.trust_remote_code else _TELLING
        whole = hashlib.sha256()
        for file in sorted({f for pattern in patterns for f in path.glob(pattern) if f.is_file()}):
            whole.update(f"{file.name}\0{_digest_of(file)}\0".encode())
        own = f"sha256:{whole.hexdigest()}"
    elif path.is_file():
        own = f"sha256:{_digest_of(path)}"
    else:
        own = f"hub:{found}@{config.revision or 'main'}"
    adapter = _adapter(config)
    return f"{own} on {fingerprint(adapter[1])}" if adapter else own


def _digest_of(file: Path) -> str:
    about = file.stat()
    return _digest(str(file.resolve()), about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=256)
def _digest(file: str, size: int, changed: int) -> str:
    """The file's hash, computed once for each size and time of change."""
    return file_digest(Path(file))


@contextlib.contextmanager
def _explained(config: ModelConfig, what: str) -> Iterator[None]:
    """Turns what Transformers raises for a missing or broken model into one line."""
    from huggingface_hub.errors import HfHubHTTPError
    from safetensors import SafetensorError

    builtin = (OSError, ValueError, KeyError, ImportError, RuntimeError)
    try:
        with quiet():
            yield
    except UserError:
        raise
    except (*builtin, SafetensorError, HfHubHTTPError) as error:
        raise UserError(f"{what} {config.name}: {_why(config, error)}") from error


def _why(config: ModelConfig, error: Exception) -> str:
    """What Transformers' error means, in one line."""
    why = " ".join(str(error).split()) or type(error).__name__
    if "trust_remote_code" in why:
        return (
            "needs Python code that comes with it: read that code, then set trust_remote_code=true"
        )
    if "cannot be loaded with `safetensors`" in why:
        return _PICKLED
    why = why if len(why) <= 240 else why[:239] + "…"
    if Path(resolve(config.name)).exists():
        return f"cannot be loaded ({why})"
    if not hub_reachable():
        why = "the Hub cannot be reached, and the model is not in the local cache"
    return f"not a local folder and not loadable from the Hub: {why}"


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

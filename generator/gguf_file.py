"""GGUF files (llama.cpp's format): their weights and tokenizer as those of any other model.

Transformers reads them and dequantises the weights. What it returns counts as quantised, and can be
neither trained nor saved; here the same weights come in a model that has never been quantised.
Reading is slow (the metadata are parsed in Python, several times), so it is said:

    tokenizer = read_tokenizer(Path("models/x.gguf"))
    model = read_model(Path("models/x.gguf"), torch.float32)
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.settings.errors import UserError

if TYPE_CHECKING:
    import torch

__all__ = ["is_gguf", "read_model", "read_tokenizer"]

_MAGIC = b"GGUF"
_SPLIT = re.compile(r"-\d{5}-of-(\d{5})\.gguf$")
# What Transformers sets for its own use in the configuration of a model that it dequantised.
_MARKS = ("quantization_config", "_name_or_path", "_model_name_or_path")


def is_gguf(path: Path) -> bool:
    """Whether the name is that of a GGUF file."""
    return path.suffix.lower() == ".gguf"


def read_tokenizer(path: Path) -> Any:
    """The Hugging Face tokenizer in the file. Raises `UserError`; Transformers' errors go through.

    Where Transformers knows no tokenizer for the file's architecture, it raises ValueError.
    """
    from transformers import AutoTokenizer

    _check(path)
    with _silent():
        return AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)


def read_model(path: Path, dtype: torch.dtype, attention: str = "sdpa") -> Any:
    """The causal language model in the file, its weights of type `dtype`.

    Raises `UserError`; what Transformers raises for a damaged file or for an architecture that it
    does not know goes through.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    _check(path)
    _say(f"{path}: dequantising the weights, 10 to 20 seconds for 100 million parameters")
    with _silent():
        packed = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=dtype)
    settings = {k: v for k, v in packed.config.to_dict().items() if k not in _MARKS}
    config = AutoConfig.for_model(**settings)
    config.dtype = dtype
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    model.load_state_dict(packed.state_dict())
    return model


def _check(path: Path) -> None:
    """Raises `UserError` where the file cannot be read as one whole model."""
    split = _SPLIT.search(path.name)
    if split and int(split[1]) > 1:
        raise UserError(
            f"model {path}: one of {int(split[1])} parts; join them first "
            "(llama-gguf-split --merge)"
        )
    with path.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise UserError(f"model {path}: not a GGUF file (it does not begin with GGUF)")


def _say(text: str) -> None:
    """A line on stderr; of several worker processes the first one speaks."""
    name = multiprocessing.current_process().name
    if multiprocessing.parent_process() is None or name.endswith("-1"):
        print(f"model {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keeps Transformers' bar off the screen, which it draws whatever its own setting says.

    Raises ValueError where the file ends too early.
    """
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    except (struct.error, IndexError) as error:
        raise ValueError(f"damaged or cut short: {error}") from error

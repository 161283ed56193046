r"""A fine-tuned model as a small difference from its base: a few megabytes instead of hundreds.

    pack(Path("runs/v"), Path("runs/g"), Path("packed"), rank=16)     # of what adapters trained
    unpack(Path("packed"), Path("runs/g"), Path("models/v"))          # the whole model again

Adapters of rank r change every matrix by one of rank r. `pack` finds its two factors (a singular
value decomposition) and writes them in bfloat16 as a PEFT adapter, with the rows of embeddings that
differ, vectors whole, and the model's small files; of the tokenizer, added tokens alone where the
base has it otherwise. `unpack` adds the factors one rank after the other, element by element, so
that every processor gives the same bits (and `fingerprint` the same key), and needs no PEFT.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.settings.errors import UserError
from assay.storage.files import write_json

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["pack", "pack_adapter", "unpack", "weights_digest"]

WEIGHTS = "model.safetensors"
ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
REST = "rest.safetensors"
TOKENIZER, TOKENS = "tokenizer.json", "added_tokens.json"
_PREFIX = "base_model.model."
# Files of a model's folder that are small and its own.
_SMALL = ("*.json", "*.jinja", "*.md", "head.safetensors")
# Where so few rows differ, they are kept as they are (an embedding with a token of its own).
_FEW_ROWS = 0.01


def pack(model: Path, base: Path, out: Path, rank: int) -> float:
    """Writes to `out` what makes `model` of `base`; returns the greatest relative error.

    That is, over the matrices, the norm of what `rank` leaves out over that of the difference.
    Raises `UserError` where the two are not of one architecture.
    """
    import torch

    theirs, ours = _weights(base), _weights(model)
    if set(theirs) != set(ours):
        other = sorted(set(theirs) ^ set(ours))[0]
        raise UserError(f"{model}: is no fine-tuned {base}: only one of them has {other}")
    factors: dict[str, Tensor] = {}
    rest: dict[str, Tensor] = {}
    worst = 0.0
    for name, new in ours.items():
        old = theirs[name]
        if new.shape == old.shape and torch.equal(new, old):
            continue
        rows = _differing_rows(new, old)
        if new.ndim < 2:
            rest[name] = new
        elif len(rows) <= _FEW_ROWS * len(new):
            rest[f"{name}:rows"], rest[f"{name}:values"] = rows, new[rows]
        else:
            first, second, error = _factors(new - old, rank)
            stem = _PREFIX + name.removesuffix(".weight")
            factors[f"{stem}.lora_A.weight"], factors[f"{stem}.lora_B.weight"] = first, second
            worst = max(worst, error)
    config = _adapter_config(factors, rank, base)
    _write(out, factors, rest, config, model, base)
    return worst


def pack_adapter(adapter: Path, base: Path, out: Path) -> None:
    """Writes to `out` an adapter of `base` that PEFT wrote, in bfloat16, as `pack` does.

    The tokenizer is written whole: releases of its library write it differently. Raises `UserError`
    where it is not a plain one (LoRA of one rank, without weights of its own).
    """
    from safetensors.torch import load_file

    try:
        config = json.loads((adapter / ADAPTER_CONFIG).read_text("utf-8"))
        factors = load_file(str(adapter / ADAPTER))
        plain = config["peft_type"] == "LORA" and not (
            config.get("use_rslora") or config.get("use_dora") or config.get("rank_pattern")
        )
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{adapter}: not an adapter ({error!r})") from error
    if not plain or any(".lora_" not in name for name in factors):
        raise UserError(f"{adapter}: expected a plain LoRA adapter")
    config["base_model_name_or_path"] = base.name
    _write(out, factors, {}, config, adapter, base)
    shutil.copyfile(adapter / TOKENIZER, out / TOKENIZER)


def unpack(packed: Path, base: Path, out: Path) -> None:
    """Writes to `out` the model that was packed, in float32. Raises `UserError` for another base.

    `out` must not exist, and is whole when this returns.
    """
    import torch
    from safetensors.torch import load_file, save_file

    weights = _weights(base)
    config = json.loads((packed / ADAPTER_CONFIG).read_text("utf-8"))
    scale = config["lora_alpha"] / config["r"]
    factors = load_file(str(packed / ADAPTER))
    for name, first in factors.items():
        if name.endswith(".lora_A.weight"):
            stem = name.removesuffix(".lora_A.weight")
            target = f"{stem.removeprefix(_PREFIX)}.weight"
            second = factors[f"{stem}.lora_B.weight"]
            if target not in weights or weights[target].shape != (len(second), first.shape[1]):
                raise UserError(f"{base}: is not the base of {packed}: {target} does not fit")
            weights[target] = weights[target] + scale * _product(second.float(), first.float())
    rest = load_file(str(packed / REST)) if (packed / REST).exists() else {}
    for name, tensor in rest.items():
        if name.endswith(":rows"):
            plain = name.removesuffix(":rows")
            old = weights[plain]
            grown = torch.zeros(max(len(old), int(tensor.max()) + 1), *old.shape[1:])
            grown[: len(old)] = old
            grown[tensor] = rest[f"{plain}:values"]
            weights[plain] = grown
        elif not name.endswith(":values"):
            weights[name] = tensor
    out.mkdir(parents=True)
    _write_tokenizer(packed, base, out)
    for file in _small_files(packed):
        if file.name not in (ADAPTER_CONFIG, TOKENS):
            shutil.copyfile(file, out / file.name)
    tensors = {name: tensor.contiguous() for name, tensor in weights.items()}
    save_file(tensors, str(out / WEIGHTS), metadata={"format": "pt"})


def weights_digest(model: Path) -> str:
    """SHA-256 of a model's tensors by name, whatever the file's layout and precision."""
    digest = hashlib.sha256()
    for name, tensor in sorted(_weights(model).items()):
        digest.update(f"{name}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model of one file, in float32."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return {name: t.float() for name, t in load_file(str(folder / WEIGHTS)).items()}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / WEIGHTS}: cannot be read ({error})") from error


def _differing_rows(new: Tensor, old: Tensor) -> Tensor:
    """Indices of rows that differ or are new. Raises `UserError` where other sizes do."""
    import torch

    if new.shape[1:] != old.shape[1:] or len(new) < len(old):
        raise UserError(f"expected a tensor of {tuple(old.shape)}, found {tuple(new.shape)}")
    changed = (new[: len(old)] != old).flatten(1).any(1) if new.ndim > 1 else new != old
    added = torch.arange(len(old), len(new))
    return torch.cat([changed.nonzero()[:, 0], added])


def _factors(difference: Tensor, rank: int) -> tuple[Tensor, Tensor, float]:
    """A (rank, in), B (out, rank) with B A near the difference, and the relative error."""
    import torch

    left, sizes, right = torch.linalg.svd(difference, full_matrices=False)
    root = sizes[:rank].sqrt()
    error = (sizes[rank:].square().sum() / sizes.square().sum()).sqrt()
    return root[:, None] * right[:rank], left[:, :rank] * root, float(error)


def _product(second: Tensor, first: Tensor) -> Tensor:
    """B A, in an order of additions that does not depend on the processor."""
    import torch

    total = torch.zeros(len(second), first.shape[1])
    for column, row in zip(second.T, first, strict=True):
        total += column[:, None] * row
    return total


def _adapter_config(factors: Mapping[str, Tensor], rank: int, base: Path) -> dict[str, Any]:
    """What PEFT wants to know of the factors; their product is the difference itself."""
    layers = {name.split(".lora_")[0].removeprefix(_PREFIX) for name in factors}
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.name,
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({layer.split(".")[-1] for layer in layers}),
        "inference_mode": True,
    }


def _write(
    out: Path,
    factors: Mapping[str, Tensor],
    rest: Mapping[str, Tensor],
    config: Mapping[str, Any],
    model: Path,
    base: Path,
) -> None:
    import torch
    from safetensors.torch import save_file

    out.mkdir(parents=True)
    small = {name: t.to(torch.bfloat16).contiguous() for name, t in factors.items()}
    save_file(small, str(out / ADAPTER), metadata={"format": "pt"})
    if rest:
        save_file({name: t.contiguous() for name, t in rest.items()}, str(out / REST))
    # A PEFT folder lacks what only whole models have.
    for folder in (base, model):
        for file in _small_files(folder):
            if file.name not in (ADAPTER_CONFIG, TOKENIZER) and (
                folder == model or file.name != "README.md"
            ):
                shutil.copyfile(file, out / file.name)
    write_json(out / ADAPTER_CONFIG, dict(config))
    added = _added_tokens(model, base)
    if added:
        write_json(out / TOKENS, {"added_tokens": added})


def _small_files(folder: Path) -> Iterator[Path]:
    return (file for pattern in _SMALL for file in sorted(folder.glob(pattern)))


def _added_tokens(model: Path, base: Path) -> list[Any]:
    """The tokens that the model's tokenizer has besides its base's. Raises `UserError`."""
    ours = json.loads((model / TOKENIZER).read_text("utf-8"))
    theirs = json.loads((base / TOKENIZER).read_text("utf-8"))
    if ours["model"] != theirs["model"]:
        raise UserError(f"{model}: has another tokenizer than {base}")
    return [token for token in ours["added_tokens"] if token not in theirs["added_tokens"]]


def _write_tokenizer(packed: Path, base: Path, out: Path) -> None:
    if not (packed / TOKENS).exists():
        shutil.copyfile(base / TOKENIZER, out / TOKENIZER)
        return
    tokenizer = json.loads((base / TOKENIZER).read_text("utf-8"))
    tokenizer["added_tokens"] += json.loads((packed / TOKENS).read_text("utf-8"))["added_tokens"]
    text = json.dumps(tokenizer, ensure_ascii=False, indent=2)
    (out / TOKENIZER).write_text(text, encoding="utf-8")

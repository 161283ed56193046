"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685), by the peft library.

The language model is frozen; beside each of its linear layers stands a product of two thin matrices
that starts at zero, and only those (and, of a verifier, the head and the reserved token's row) are
trained. The adapters are put into the model in place, so everything that knows its modules
(attention over packs, residual dropout) finds them where they were. What is written is the weights
with the products added, a model like any other, or the adapter alone, which is added to its base
when it is loaded (`generator/adapters.py`).

    add_adapters(lm, LoraConfig(rank=16), seed=0)
    lm.save_pretrained(path, state_dict=merged_state(lm))

Of a base in 4 bits (QLoRA, Dettmers et al. 2023, arXiv 2305.14314) the adapter alone is written: it
is added to the base as it was before.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from assay.generator.models import (
    ModelConfig,
    base_of_adapter,
    device_of,
    load_model,
    pinned,
    resolve,
)
from assay.settings.errors import UserError
from assay.settings.extras import missing_package

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "GeneratorLoraConfig",
    "LoraConfig",
    "adapter_state",
    "add_adapters",
    "check_base",
    "load_quantized",
    "merged_state",
    "write_adapter",
]


@dataclass
class LoraConfig:
    """Low-rank adapters, trained in place of the language model's weights."""

    FOLDED: ClassVar[bool] = True

    rank: int = 0
    """rank of the adapters; 0 = no adapters: all weights are trained"""
    alpha: float = 0.0
    """the adapters' product is scaled by alpha / rank; 0 = twice the rank"""
    dropout: float = 0.0
    """dropout on the adapters' inputs"""
    targets: str = "all-linear"
    """all-linear | names of layers, separated by commas, for example q_proj,v_proj"""


@dataclass
class GeneratorLoraConfig(LoraConfig):
    """Low-rank adapters of a generator, and in what form they are written."""

    bits: int = 16
    """of the frozen base: 16 (or 32, as it is loaded), 4 = QLoRA (needs a GPU and bitsandbytes)"""
    merge: bool = True
    """write the whole model with the adapters added; false = the adapter alone, as a PEFT folder
    that names its base (always so with bits=4)"""

    def check(self) -> None:
        """Raises `UserError` naming the key that does not fit."""
        for name in ("rank", "alpha"):
            if getattr(self, name) < 0:
                raise UserError(f"lora.{name}={getattr(self, name)}: expected 0 or more")
        if not 0 <= self.dropout < 1:
            raise UserError(f"lora.dropout={self.dropout}: expected a number from 0 to below 1")
        if self.bits not in (4, 16):
            raise UserError(f"lora.bits={self.bits}: expected 16 or 4")
        if self.bits == 4 and not self.rank:
            raise UserError("lora.bits=4: weights of 4 bits are not trained; set lora.rank")

    @property
    def alone(self) -> bool:
        """Whether the adapter alone is written."""
        return bool(self.rank) and (self.bits == 4 or not self.merge)


def add_adapters(lm: Any, settings: LoraConfig, seed: int, key: str = "lora") -> Any:
    """Freezes `lm` and puts adapters, drawn from `seed`, on the layers that `settings` name.

    Returns peft's configuration of them. Raises `UserError` (naming `key`) without peft, and for
    targets that the model has not or that may not be.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    try:
        import peft
    except ImportError as error:
        raise missing_package(f"{key}.rank={settings.rank}", "peft", extra="lora") from error
    named = settings.targets
    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha or 2 * settings.rank,
        lora_dropout=settings.dropout,
        target_modules=named if named == "all-linear" else named.replace(" ", "").split(","),
        # GPT-2 keeps its matrices transposed.
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in lm.modules()),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            peft.inject_adapter_in_model(config, lm)
        except ValueError as error:
            raise UserError(
                f"{key}.targets={named}: expected all-linear or names of linear layers, "
                "separated by commas"
            ) from error
    if getattr(lm, "is_quantized", False):
        # The mark without which Transformers' Trainer takes the model for one without adapters.
        lm._hf_peft_config_loaded = True
    ends = (lm.get_input_embeddings(), lm.get_output_embeddings())
    if any(hasattr(end, "base_layer") for end in ends):
        raise UserError(f"{key}.targets={named}: the embeddings cannot be adapted")
    for parameter in lm.parameters():
        # Steps of a small learning rate would be lost in 8 bits of mantissa.
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.promote_types(parameter.dtype, torch.float32))
    return config


def merged_state(lm: Any) -> dict[str, Tensor]:
    """The plain model's weights on the CPU, adapters added to what they adapt.

    Tensors that the model shares stay shared. Where weights are divided over processes, all of
    those must call this; it is the first one that gets them.
    """
    from assay.generator.partition import first_process, gathered, whole

    keep = first_process()
    seen: dict[int, Tensor] = {}
    state: dict[str, Tensor] = {}

    def kept(tensor: Tensor) -> Tensor:
        tensor = whole(tensor)
        return tensor.cpu().clone() if keep else tensor[:0]

    for prefix, module in lm.named_modules(remove_duplicate=False):
        if hasattr(module, "base_layer"):
            for name, tensor in _own(module.base_layer):
                with gathered([tensor, *module.parameters()]):
                    state[f"{prefix}.{name}"] = kept(_merged(module, name, tensor.detach()))
        elif not _inside_adapter(prefix):
            for name, tensor in _own(module):
                if id(tensor) not in seen:
                    with gathered([tensor]):
                        seen[id(tensor)] = kept(tensor)
                state[f"{prefix}.{name}"] = seen[id(tensor)]
    return state if keep else {}


def _merged(module: Any, name: str, tensor: Tensor) -> Tensor:
    """A parameter of the layer that `module` adapts, with the adapter's product added."""
    if name != "weight":
        return tensor
    delta = module.get_delta_weight("default").detach()
    return (tensor.to(delta.dtype) + delta).to(tensor.dtype)


def _inside_adapter(prefix: str) -> bool:
    parts = prefix.split(".")
    return "base_layer" in parts or any(part.startswith("lora_") for part in parts)


def _own(module: nn.Module) -> list[tuple[str, Tensor]]:
    """Parameters and saved buffers of the module itself."""
    buffers = [
        (name, tensor)
        for name, tensor in module.named_buffers(recurse=False)
        if name not in module._non_persistent_buffers_set
    ]
    return [*module.named_parameters(recurse=False, remove_duplicate=False), *buffers]


def adapter_state(lm: Any) -> dict[str, Tensor]:
    """The adapters' weights on the CPU, by the names of the parameters.

    Where weights are divided over processes, all of those must call this.
    """
    from assay.generator.partition import gathered, whole

    state: dict[str, Tensor] = {}
    for name, parameter in lm.named_parameters():
        if parameter.requires_grad:
            with gathered([parameter]):
                state[name] = whole(parameter).cpu().clone()
    return state


def write_adapter(lm: Any, adapters: Any, base: ModelConfig, folder: Path) -> None:
    """Writes the adapter alone, as a PEFT folder that names `base` (folders by their whole path).

    `adapters` is what `add_adapters` returned. Where weights are divided over processes, all of
    those must call this; it is the first one that writes.
    """
    from safetensors.torch import save_file

    from assay.generator.partition import first_process

    weights = adapter_state(lm)
    if not first_process():
        return
    base = pinned(base)
    found = Path(resolve(base.name))
    adapters.base_model_name_or_path = str(found.resolve()) if found.exists() else base.name
    adapters.revision = base.revision or None
    adapters.task_type = "CAUSAL_LM"
    adapters.inference_mode = True
    folder.mkdir(parents=True, exist_ok=True)
    adapters.save_pretrained(str(folder))
    # The names that peft gives them: within its wrapper, without the adapter's own name.
    state = {
        f"base_model.model.{name.replace('.default.', '.')}": tensor.contiguous()
        for name, tensor in weights.items()
    }
    save_file(state, str(folder / "adapter_model.safetensors"), metadata={"format": "pt"})


def check_base(config: ModelConfig, settings: GeneratorLoraConfig) -> None:
    """Raises `UserError` where the adapter alone would not say all that was trained on."""
    if settings.alone and base_of_adapter(config) != pinned(config):
        raise UserError(
            f"model {config.name}: is an adapter itself, whose base alone would be named: train "
            "on its merged weights, or with lora.bits=16 lora.merge=true"
        )


def load_quantized(config: ModelConfig) -> Any:
    """The model with its linear layers in 4 bits (NF4, the scales quantised once more).

    Products are taken in bfloat16 on a GPU, in float32 elsewhere (QLoRA, sections 2 and 3). Raises
    `UserError` without bitsandbytes.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise missing_package("lora.bits=4", "bitsandbytes", extra="qlora")
    if Path(resolve(config.name)).is_file():
        raise UserError(f"lora.bits=4: {config.name}: expected a folder or a hub id, not a file")
    import torch
    from transformers import BitsAndBytesConfig

    products = torch.bfloat16 if device_of(config).type == "cuda" else torch.float32
    return load_model(
        config,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=products,
        ),
    )

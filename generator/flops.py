"""FLOPs of a causal language model's forward pass, from the shape that its configuration tells.

What is counted are the matrix products, 2 FLOPs for each multiplication with its addition: the
projections of attention, the MLP (of a mixture: the router, the experts that a token is sent to and
the shared one), queries times keys, attention times values, and the output embedding where logits
are computed. Queries times keys is the quadratic part, and exact: a token is charged for the keys
that it may see, itself included, in layers with a sliding window for at most the window. Norms,
rotations, softmax, activations, biases, looking tokens up and choosing the next one are left out;
so is reading memory, which is what small batches really wait for.

Whether the embeddings are tied changes the number of parameters, not of FLOPs.

    >>> shape = ModelShape("llama", 8, 2, 4, 2, 2, 16, True, 100)
    >>> shape.token_flops               # 2 layers × 2 × (8·(4 + 2·2)·2 + 4·2·8 + 3·8·16)
    2304
    >>> int(shape.forward(0, 3))        # 3 × 2304, and 2 layers × 4·4·2 × (1 + 2 + 3) keys
    7296
    >>> shape.logit_flops               # 2 × 8 × 100
    1600
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.generator.models import ModelConfig, base_of_adapter, hub_reachable, quiet, resolve
from assay.settings.errors import UserError

__all__ = ["ModelShape", "model_settings", "model_shape"]

Count = TypeVar("Count", int, NDArray[Any])

# Families (`model_type`) by their MLP: gate, up and down projection, or only up and down.
# fmt: off
_GATED = frozenset({
    "cohere", "cohere2", "ernie4_5", "exaone4", "gemma", "gemma2", "gemma3_text", "glm", "glm4",
    "gpt_oss", "granite", "hunyuan_v1_dense", "llama", "ministral", "mistral", "mixtral", "olmo",
    "olmo2", "olmo3", "olmoe", "phi3", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "seed_oss",
    "smollm3", "stablelm",
})
_PLAIN = frozenset({
    "apertus", "arcee", "bloom", "falcon", "gpt2", "gpt_bigcode", "gpt_neo", "gpt_neox", "gptj",
    "nemotron", "opt", "persimmon", "phi", "starcoder2",
})
# fmt: on
# What `layer_types`, and GPT-Neo's `attention_layers`, call a layer with a window.
_SLIDING_LAYERS = ("sliding_attention", "local")


@dataclass(frozen=True)
class ModelShape:
    """What decides the FLOPs of a causal language model (sizes in numbers, not bytes).

    `intermediate_size` is that of a dense layer's MLP; in the `sparse_layers` a token goes through
    `experts_per_token` of `experts` MLPs of `expert_size`, and one of `shared_expert_size`.
    `sliding_layers` of the layers see no more than `sliding_window` keys. `reads_likelihood`: as a
    verifier it reads every token's probability.
    """

    family: str
    hidden_size: int
    layers: int
    heads: int
    key_value_heads: int
    head_dim: int
    intermediate_size: int
    gated: bool
    vocabulary: int
    sliding_window: int = 0
    sliding_layers: int = 0
    sparse_layers: int = 0
    experts: int = 0
    experts_per_token: int = 0
    reads_likelihood: bool = False
    expert_size: int = 0
    shared_expert_size: int = 0

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ModelShape | None:
        """The shape in a Hugging Face configuration; `None` for families that are not known here.

        `config` is what `PretrainedConfig.to_dict` gives.
        """
        config = config.get("text_config") or config
        family = str(config.get("model_type"))
        if family not in _GATED | _PLAIN:
            return None
        hidden = _first(config, "hidden_size", "n_embd")
        layers = _first(config, "num_hidden_layers", "n_layer", "num_layers")
        heads = _first(config, "num_attention_heads", "n_head", "num_heads")
        if config.get("word_embed_proj_dim", hidden) != hidden:
            return None  # OPT-350M's projections around the layers
        sizes = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
        return cls(
            family=family,
            hidden_size=hidden,
            layers=layers,
            heads=heads,
            key_value_heads=_key_value_heads(config, heads),
            head_dim=config.get("head_dim") or hidden // heads,
            intermediate_size=_first(config, *sizes, default=4 * hidden),
            gated=family in _GATED,
            vocabulary=_first(config, "vocab_size"),
            **_windows(config, layers),
            **_experts(config, layers),
        )

    @property
    def token_flops(self) -> int:
        """FLOPs of one token through all layers, without those that its distance decides."""
        attention = self.hidden_size * self.head_dim * 2 * (self.heads + self.key_value_heads)
        matrices = self.hidden_size * (3 if self.gated else 2)
        dense = matrices * self.intermediate_size
        sparse = (
            matrices * (self.experts_per_token * self.expert_size + self.shared_expert_size)
            + self.hidden_size * self.experts
            # The gate of the shared expert, one number.
            + (self.hidden_size if self.shared_expert_size else 0)
        )
        dense_layers = self.layers - self.sparse_layers
        weights = self.layers * attention + dense_layers * dense + self.sparse_layers * sparse
        return 2 * weights

    @property
    def logit_flops(self) -> int:
        """FLOPs of the logits of the whole vocabulary at one position."""
        return 2 * self.hidden_size * self.vocabulary

    @property
    def value_flops(self) -> int:
        """FLOPs of a verifier's number at one position: one column of logits.

        Where its head reads how likely the solution is (`reads_likelihood`), all of them too.
        """
        return 2 * self.hidden_size + (self.logit_flops if self.reads_likelihood else 0)

    def forward(self, start: Count, tokens: Count) -> Count:
        """FLOPs of `tokens` tokens through all layers behind `start` that were read before.

        Arrays broadcast. No logits: add `logit_flops` for every position that has some.
        """
        everywhere = _keys(start, tokens, 0)
        sliding = _keys(start, tokens, self.sliding_window) if self.sliding_layers else 0
        keys = (self.layers - self.sliding_layers) * everywhere + self.sliding_layers * sliding
        return tokens * self.token_flops + 4 * self.heads * self.head_dim * keys

    def prompt_flops(self, prompt: Count) -> Count:
        """FLOPs of a prompt, computed once for all its samples: one position has logits."""
        return self.forward(prompt * 0, prompt) + self.logit_flops

    def sampling_flops(self, prompt: Count, tokens: Count) -> Count:
        """FLOPs of sampling `tokens` tokens behind a prompt that is computed already.

        The first comes from the prompt's logits, and the last is not read any more: `tokens − 1`
        are, each with the logits of the next. `tokens` is at least 1.
        """
        return self.forward(prompt, tokens - 1) + (tokens - 1) * self.logit_flops

    def scoring_flops(self, prompt: Count, tokens: Count) -> Count:
        """FLOPs of reading a candidate behind its question, with a verifier's number at each token.

        Reading the question, once for all its candidates, is `forward(0, prompt)`.
        """
        return self.forward(prompt, tokens) + tokens * self.value_flops

    def to_dict(self) -> dict[str, Any]:
        """As JSON; `ModelShape(**row)` reads it back."""
        return dataclasses.asdict(self)


def model_shape(model: ModelConfig, *, cached: bool = False) -> ModelShape | None:
    """The shape of a model by its name; `None` where it has no configuration or an unknown one.

    Nothing is raised: that FLOPs are unknown stops nobody.
    """
    settings = model_settings(model, cached=cached)
    try:
        return ModelShape.from_config(settings) if settings else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def model_settings(model: ModelConfig, *, cached: bool = False) -> dict[str, Any] | None:
    """A model's configuration with all its defaults; `None` where it has none that can be read.

    A hub id's configuration may be downloaded, with `cached` not even that. No code of the model's
    author is run.
    """
    from transformers import AutoConfig

    try:
        with quiet():
            model = model if cached else base_of_adapter(model)
            found = Path(resolve(model.name))
            file = {"gguf_file": found.name} if found.is_file() else {}
            config = AutoConfig.from_pretrained(
                str(found.parent if file else found),
                revision=model.revision or None,
                trust_remote_code=False,
                local_files_only=cached or not hub_reachable(),
                **file,
            )
            return dict(config.to_dict())
    except (UserError, ImportError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _first(config: Mapping[str, Any], *names: str, default: int | None = None) -> int:
    """The first of these entries that is there. Raises `KeyError` where none is."""
    for name in names:
        if config.get(name):
            return int(config[name])
    if default is None:
        raise KeyError(names[0])
    return default


def _key_value_heads(config: Mapping[str, Any], heads: int) -> int:
    # Falcon's older design has one key head whatever `num_kv_heads` says.
    if config.get("multi_query") and not config.get("new_decoder_architecture"):
        return 1
    return _first(config, "num_key_value_heads", "num_kv_heads", default=heads)


def _windows(config: Mapping[str, Any], layers: int) -> dict[str, Any]:
    """The sliding window, and in how many layers: those that are named, else in all."""
    window = config.get("sliding_window") or config.get("window_size")
    if not window or config.get("use_sliding_window") is False:
        return {}
    kinds = config.get("layer_types") or config.get("attention_layers")
    sliding = sum(kind in _SLIDING_LAYERS for kind in kinds) if kinds else layers
    return {"sliding_window": int(window), "sliding_layers": sliding} if sliding else {}


def _experts(config: Mapping[str, Any], layers: int) -> dict[str, Any]:
    """The entries of a mixture of experts; none for a dense model."""
    experts = config.get("num_local_experts") or config.get("num_experts")
    if not experts:
        return {}
    dense = config.get("mlp_only_layers") or []
    step = config.get("decoder_sparse_step") or 1
    sparse = [i for i in range(layers) if i not in dense and (i + 1) % step == 0]
    return {
        "sparse_layers": len(sparse),
        "experts": int(experts),
        "experts_per_token": _first(config, "num_experts_per_tok"),
        "expert_size": _first(config, "moe_intermediate_size", "intermediate_size"),
        "shared_expert_size": _first(config, "shared_expert_intermediate_size", default=0),
    }


def _keys(start: Count, tokens: Count, window: int) -> Count:
    """Keys that `tokens` tokens behind `start` others see together; `window` 0: all before."""
    return _seen(start + tokens, window) - _seen(start, window)


def _seen(tokens: Count, window: int) -> Count:
    """Σ min(i, window), i = 1 … tokens."""
    if not window:
        return tokens * (tokens + 1) // 2
    within = np.minimum(tokens, window)
    return within * (within + 1) // 2 + (tokens - within) * window

"""One step of Llama-shaped models with few, large operations.

Transformers' modules spend a step of a small model on calls and on narrow matrix products. Where a
model is an embedding, layers of (norm, attention with rotary positions, norm, gated MLP), a norm
and a head, as Llama, Mistral, Qwen2, Qwen3 and SmolLM are, the same arithmetic is done here: query,
key and value by one product, sums into the residual in place. The new weights take the place of the
modules' own, which become views of them: nothing is stored twice. They lie with the input's
dimension first, which a CPU multiplies up to a quarter faster.

Whether a model has this shape is read off its modules, then tried: `LeanStep.of` compares a step
with the model's own and returns `None` where they differ (a scaled embedding, another norm).

    lean = LeanStep.of(model)
    logits = lean(cohorts, ids, positions)      # as attending() and a call of the model
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from assay.generator.engines.cache import Cohort, attend, attending
from assay.generator.engines.int8 import Int8Product

__all__ = ["LeanStep"]

_LAYER = {
    "input_layernorm.weight",
    "post_attention_layernorm.weight",
    *(f"self_attn.{name}_proj.weight" for name in ("q", "k", "v", "o")),
    *(f"mlp.{name}_proj.weight" for name in ("gate", "up", "down")),
}
_LAYER_OPTIONAL = {
    "self_attn.q_norm.weight",
    "self_attn.k_norm.weight",
    *(name.replace(".weight", ".bias") for name in _LAYER if "_proj" in name),
}
# Largest difference of logits from the model's own, as a part of the largest logit.
_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.05, torch.float16: 0.01}


class _Product:
    """Linear modules of one input as one product; their weights become views of the fused one."""

    def __init__(self, *linears: torch.nn.Linear) -> None:
        self._linears = linears
        self.weight = torch.cat([m.weight.data for m in linears]).t().contiguous()
        biases = [m.bias for m in linears if m.bias is not None]
        self.bias = torch.cat([b.data for b in biases]) if biases else None
        for view, linear in zip(self._views(), linears, strict=True):
            linear.weight.data = view

    def _views(self) -> list[torch.Tensor]:
        sizes = [m.out_features for m in self._linears]
        return [part.t() for part in self.weight.split(sizes, dim=1)]

    def current(self) -> bool:
        """Whether the modules' weights still are views of this one."""
        return all(
            m.weight.data_ptr() == view.data_ptr() and m.weight.stride() == view.stride()
            for m, view in zip(self._linears, self._views(), strict=True)
        )

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        if self.bias is None:
            return rows @ self.weight
        return torch.addmm(self.bias, rows, self.weight)

    def add_to(self, total: torch.Tensor, rows: torch.Tensor) -> None:
        """Adds the product to `total`."""
        total.addmm_(rows, self.weight)
        if self.bias is not None:
            total.add_(self.bias)


@dataclass
class _Norm:
    """Root-mean-square norm (Zhang and Sennrich 2019, arXiv 1910.07467)."""

    module: Any

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        exact = rows.float()
        square = (exact * exact).mean(-1, keepdim=True)
        scale = square.add_(self.module.variance_epsilon).rsqrt_()
        return (exact * scale).to(rows.dtype).mul_(self.module.weight)


class _Layer:
    def __init__(self, layer: Any, product: Any, *, one_product: bool) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self.before_attention = _Norm(layer.input_layernorm)
        self.before_mlp = _Norm(layer.post_attention_layernorm)
        self.norms = [
            _Norm(getattr(attention, name)) if hasattr(attention, name) else None
            for name in ("q_norm", "k_norm")
        ]
        self.size = attention.head_dim
        self.scaling = float(attention.scaling)
        self.inner = mlp.gate_proj.out_features
        self.activation = mlp.act_fn
        self.heads = attention.q_proj.out_features // self.size
        self.keyed = attention.k_proj.out_features // self.size
        self.qkv = product(attention.q_proj, attention.k_proj, attention.v_proj)
        self.output = product(attention.o_proj)
        # Rows of several pages make a product in float32 a third slower: gate and up stay two.
        pair = (mlp.gate_proj, mlp.up_proj)
        self.gate_up = [product(*pair)] if one_product else [product(m) for m in pair]
        self.down = product(mlp.down_proj)

    def products(self) -> list[Any]:
        return [self.qkv, self.output, *self.gate_up, self.down]

    def __call__(
        self,
        index: int,
        hidden: torch.Tensor,
        cohorts: Sequence[Cohort],
        cos: torch.Tensor,
        sin: torch.Tensor,
    ) -> None:
        """Adds the layer's outputs to `hidden`, (rows, width)."""
        projected = self.qkv(self.before_attention(hidden)).view(len(hidden), -1, self.size)
        both, value = projected.split((self.heads + self.keyed, self.keyed), dim=1)
        if self.norms[0] is not None and self.norms[1] is not None:
            query, key = both.split((self.heads, self.keyed), dim=1)
            both = torch.cat((self.norms[0](query), self.norms[1](key)), dim=1)
        # The halves change places; the minus of the rotation is in `sin`.
        both = torch.addcmul(both * cos, both.roll(self.size // 2, -1), sin)
        query, key = both.split((self.heads, self.keyed), dim=1)
        attended = attend(cohorts, index, query, key, value, self.scaling)
        self.output.add_to(hidden, attended.view(len(hidden), -1))
        normed = self.before_mlp(hidden)
        inner = [product(normed) for product in self.gate_up]
        gate, up = inner if len(inner) == 2 else inner[0].split(self.inner, dim=1)
        self.down.add_to(hidden, self.activation(gate).mul_(up))


class LeanStep:
    """The logits that follow one new token a row.

    `int8`: the way of its products in 8 bits (`int8.WAYS`); empty = in the model's own numbers.
    """

    def __init__(self, model: Any, int8: str = "") -> None:
        decoder = model.get_decoder()
        product: Any = partial(Int8Product, way=int8) if int8 else _Product
        self._embed = decoder.embed_tokens
        self._rotary = decoder.rotary_emb
        self._norm = _Norm(decoder.norm)
        with torch.no_grad():
            self._layers = [
                _Layer(layer, product, one_product=bool(int8)) for layer in decoder.layers
            ]
            self._head = product(model.lm_head) if int8 else model.lm_head
        self._model = model

    @classmethod
    def of(cls, model: Any, int8: str = "") -> LeanStep | None:
        """The step of a model of this shape, else `None`."""
        if not _is_shaped(model):
            return None
        with torch.inference_mode():
            expected = _trial(model, None)
        step = cls(model)
        with torch.inference_mode():
            found = _trial(model, step)
        limit = _TOLERANCE.get(model.dtype, 0.0) * float(expected.abs().max())
        if float((found - expected).abs().max()) > limit:
            return None
        return cls(model, int8) if int8 else step

    def current(self) -> bool:
        """Whether the model still has the weights, and no more hooks than, this step knows."""
        products = [p for layer in self._layers for p in layer.products()]
        return all(p.current() for p in products) and not _hooked(self._model)

    def __call__(
        self, cohorts: Sequence[Cohort], ids: torch.Tensor, positions: torch.Tensor
    ) -> torch.Tensor:
        """The logits, (rows, vocabulary) in float32, for `ids` at `positions`, both (rows,)."""
        hidden = self._embed(ids)
        cos, sin = self._rotary(hidden, positions[None])
        cos, sin = cos[0][:, None], sin[0][:, None].clone()
        sin[..., : sin.shape[-1] // 2].neg_()
        for index, layer in enumerate(self._layers):
            layer(index, hidden, cohorts, cos, sin)
        for cohort in cohorts:
            cohort.columns += 1
        logits: torch.Tensor = self._head(self._norm(hidden))
        return logits.float()


def _is_shaped(model: Any) -> bool:
    """Whether the modules are those of a Llama, all on one device, without hooks or adapters."""
    decoder: Any = model.get_decoder() if hasattr(model, "get_decoder") else None
    names = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    layers = getattr(decoder, "layers", None)
    if not isinstance(layers, torch.nn.ModuleList) or model.dtype not in _TOLERANCE:
        return False
    inside = [{name for name, _ in layer.named_parameters()} for layer in layers]
    around = {name for name in names if ".layers." not in name}
    kinds = set(getattr(decoder.config, "layer_types", None) or ["full_attention"])
    first = next(iter(layers)).self_attn if inside and inside[0] >= _LAYER else None
    return (
        all(names >= _LAYER and names <= _LAYER | _LAYER_OPTIONAL for names in inside)
        and all(_whole_biases(names) for names in inside)
        and len(around) == 3 + ("lm_head.bias" in around)
        and all(hasattr(decoder, name) for name in ("embed_tokens", "norm", "rotary_emb"))
        and all(hasattr(first, name) for name in ("head_dim", "scaling"))
        and hasattr(decoder.norm, "variance_epsilon")
        and all(type(m) is torch.nn.Linear for n, m in model.named_modules() if n.endswith("_proj"))
        and type(getattr(model, "lm_head", None)) is torch.nn.Linear
        and type(decoder.embed_tokens) is torch.nn.Embedding
        and kinds == {"full_attention"}
        and getattr(decoder.config, "sliding_window", None) is None
        and len({p.device for p in model.parameters()}) == 1
        and not _hooked(model)
    )


def _whole_biases(names: set[str]) -> bool:
    """Whether modules that are fused have a bias together or not at all."""
    together = (("self_attn", ("q", "k", "v")), ("mlp", ("gate", "up")))
    return all(
        len({f"{where}.{name}_proj.bias" in names for name in group}) == 1
        for where, group in together
    )


def _hooked(model: Any) -> bool:
    return any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def _trial(model: Any, step: LeanStep | None) -> torch.Tensor:
    """Logits of two steps of two rows after a prompt, by `step` or else by the model itself."""
    vocabulary = model.get_input_embeddings().num_embeddings
    ids = torch.arange(1, 11, device=model.device) * 7919 % vocabulary
    prompt, rows = ids[None, :6], ids[6:].view(2, 2)
    common = Cohort(rows=1)
    with attending(model, [common], new=6):
        model(input_ids=prompt, position_ids=torch.arange(6, device=ids.device)[None])
    cohort = Cohort(rows=2, prefix=common)
    found = []
    for at, new in enumerate(rows):
        positions = torch.full((2,), 6 + at, device=ids.device)
        if step is not None:
            found.append(step([cohort], new, positions))
        else:
            with attending(model, [cohort]):
                output = model(
                    input_ids=new[:, None], position_ids=positions[:, None], use_cache=False
                )
            found.append(output.logits[:, -1].float())
    return torch.cat(found)

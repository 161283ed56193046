"""Memory that training and sampling take, by formula, in bytes.

Weights, gradients and optimiser states are counted exactly, as ZeRO's paper counts them
(Rajbhandari et al. 2020, arXiv 1910.02054, section 3 and figure 1): 16 bytes a parameter with Adam
in mixed precision, divided over devices by the stage. Activations are what a layer keeps for its
backward pass, counted tensor by tensor as in Korthikanti et al. 2022 (arXiv 2205.05198, section 4),
for today's layers (RMSNorm computed in float32, grouped keys, gated MLPs) and for an attention that
keeps no matrix of scores (their "selective recomputation"; FlashAttention and SDPA do).

    parts = training_memory(size, shape, PRECISIONS["master"], PARALLEL["zero3"], devices=8,
                            tokens=4096, logit_tokens=2000)
    sum(parts.device.values()), parts.host
"""

from __future__ import annotations

from dataclasses import dataclass

from assay.generator.flops import ModelShape
from assay.generator.shapes import ModelSize

__all__ = [
    "NO_ADAPTERS",
    "PARALLEL",
    "PRECISIONS",
    "STATES_16_BIT",
    "Adapters",
    "Memory",
    "Parallel",
    "Precision",
    "activation_bytes",
    "key_value_bytes",
    "trained_parameters",
    "training_memory",
]


@dataclass(frozen=True)
class Precision:
    """Bytes of a parameter's weight, gradient and optimiser states, and of one activation.

    `compute` is what products are taken in; `residual` what the hidden states between layers are;
    `copies` what autocast adds: each matrix once more, in the type of the products.
    """

    weights: int
    gradients: int
    states: int
    compute: int
    residual: int
    copies: int = 0


STATES_16_BIT = ", states in bfloat16"
"""what the names of precisions end with whose optimiser's states have 16 bits"""
PRECISIONS = {
    "float32": Precision(4, 4, 8, 4, 4),
    # torch's autocast over float32 weights: how Assay trains on a GPU unless told otherwise.
    "autocast": Precision(4, 4, 8, 2, 4, copies=2),
    # DeepSpeed's bf16: 16-bit weights and gradients, float32 weights among the optimiser's states.
    "master": Precision(2, 2, 12, 2, 2),
    "float32" + STATES_16_BIT: Precision(4, 4, 4, 4, 4),
    "autocast" + STATES_16_BIT: Precision(4, 4, 4, 2, 4, copies=2),
    # Everything in 16 bits, Adam's states too.
    "16-bit": Precision(2, 2, 4, 2, 2),
}


@dataclass(frozen=True)
class Parallel:
    """Which parts are divided over the devices, and which lie in the host's memory."""

    weights: bool = False
    gradients: bool = False
    states: bool = False
    offload_states: bool = False
    offload_weights: bool = False


PARALLEL = {
    "ddp": Parallel(),
    "zero2": Parallel(gradients=True, states=True),
    "zero2-offload": Parallel(gradients=True, states=True, offload_states=True),
    "zero3": Parallel(weights=True, gradients=True, states=True),
    "zero3-offload": Parallel(True, True, True, offload_states=True, offload_weights=True),
    "fsdp": Parallel(weights=True, gradients=True, states=True),
}


@dataclass(frozen=True)
class Adapters:
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) on all linear maps of the layers.

    `bits` 4 quantises the maps that they sit on (QLoRA, Dettmers et al. 2023, arXiv 2305.14314):
    4.127 bits a weight with double quantisation, everything else in 16 bits; 16 holds all in 16
    bits, and 0 as the precision says.
    """

    rank: int = 0
    bits: int = 0


NO_ADAPTERS = Adapters()


@dataclass(frozen=True)
class Memory:
    """Bytes by part, on each device, and in the host's memory for each device."""

    device: dict[str, float]
    host: float = 0.0

    @property
    def total(self) -> float:
        """Bytes on each device."""
        return sum(self.device.values())


def trained_parameters(size: ModelSize, adapters: Adapters) -> int:
    """Parameters that have gradients: all, or the adapters' alone."""
    return adapters.rank * size.sides if adapters.rank else size.total


def training_memory(
    size: ModelSize,
    shape: ModelShape,
    precision: Precision,
    parallel: Parallel,
    *,
    devices: int,
    tokens: int,
    logit_tokens: float,
    checkpointing: bool = False,
    adapters: Adapters = NO_ADAPTERS,
) -> Memory:
    """Memory of training at its peak, with a micro-batch of `tokens` tokens on each device.

    `logit_tokens` of these carry the language-model loss. With `checkpointing` a layer keeps its
    input alone, and one layer at a time is computed again (Chen et al. 2016, arXiv 1604.06174).
    """
    share = 1 / devices
    weights = _weight_bytes(size, precision, adapters)
    trained = trained_parameters(size, adapters)
    # Adapters are float32 whatever lies below them.
    of_trained = PRECISIONS["float32"] if adapters.rank else precision
    gradients = float(trained * of_trained.gradients)
    states = float(trained * of_trained.states)
    host = 0.0
    # What is divided is gathered to be computed: one layer, and the next one meanwhile.
    gathered = 2 * max(size.largest_layer, size.embedding) * (precision.weights + precision.copies)
    copies = gathered if parallel.weights else size.matrices * precision.copies
    if adapters.rank and adapters.bits:
        copies = size.largest_layer * precision.compute
    if parallel.offload_states:
        host += (states + gradients) * share
        gradients, states = float(size.largest_layer * of_trained.gradients), 0.0
    else:
        gradients *= share if parallel.gradients else 1
        states *= share if parallel.states else 1
    if parallel.offload_weights:
        host += weights * share
        weights = 0.0
    elif parallel.weights:
        weights *= share
    parts = {
        "weights": weights,
        "copies": float(copies),
        "gradients": gradients,
        "states": states,
        "activations": activation_bytes(shape, precision, tokens, checkpointing=checkpointing),
        "logits": logit_tokens * shape.vocabulary * _logit_bytes(precision),
    }
    return Memory(parts, host)


def activation_bytes(
    shape: ModelShape, precision: Precision, tokens: int, *, checkpointing: bool = False
) -> float:
    """What all layers keep of `tokens` tokens for their backward passes."""
    layer = _layer_activations(shape, precision)
    if checkpointing:
        return tokens * (shape.layers * precision.residual * shape.hidden_size + layer)
    return tokens * shape.layers * layer


def key_value_bytes(shape: ModelShape, element: int) -> int:
    """Keys and values of one token in all layers; `element` bytes a number."""
    return 2 * shape.layers * shape.key_value_heads * shape.head_dim * element


def _weight_bytes(size: ModelSize, precision: Precision, adapters: Adapters) -> float:
    if not adapters.rank:
        return size.total * precision.weights
    own = trained_parameters(size, adapters) * 4
    if adapters.bits == 4:
        # Blocks of 64 share a constant, itself quantised: 8/64 + 32/(64 · 256) bits a weight.
        return (
            own
            + size.matrices * (4 + 8 / 64 + 32 / (64 * 256)) / 8
            + 2 * (size.total - size.matrices)
        )
    return own + size.total * (2 if adapters.bits == 16 else precision.weights)


def _layer_activations(shape: ModelShape, precision: Precision) -> float:
    """Bytes that one layer keeps of one token, the mean over dense and sparse layers.

    Two norms: their input and the normalised input, both in float32 (the latter as the residual
    stream is where that has 16 bits). Their outputs, which linear maps read: autocast converts them
    anew for each map. Queries, keys, values and the attention's output; of the MLP the gate before
    and after its activation, the up projection and their product (without a gate: before and after
    the activation).
    """
    hidden, element = shape.hidden_size, precision.compute
    norms = 2 * hidden * (4 + precision.residual)
    attention = 2 * shape.head_dim * (shape.heads + shape.key_value_heads)
    inner = shape.experts_per_token * shape.expert_size + shape.shared_expert_size
    sparse = shape.sparse_layers / shape.layers
    mean_inner = (1 - sparse) * shape.intermediate_size + sparse * inner
    maps = (5 if shape.gated else 4) if precision.copies else 2
    mlp = (4 if shape.gated else 2) * mean_inner
    return norms + element * (maps * hidden + attention + mlp)


def _logit_bytes(precision: Precision) -> int:
    """Of one logit at the peak: itself, its log-softmax, and the gradient of that, in float32."""
    return 12 if precision.compute == 4 else 14

"""Memory by formula: papers' figures, torch's own bytes, tensors that autograd keeps."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from assay.generator.flops import ModelShape
from assay.generator.models import ModelConfig
from assay.generator.shapes import ModelSize, known_model, size_of
from assay.planning.memory import (
    PARALLEL,
    PRECISIONS,
    Adapters,
    activation_bytes,
    key_value_bytes,
    trained_parameters,
    training_memory,
)

TINY = {
    "hidden_size": 128,
    "intermediate_size": 320,
    "num_hidden_layers": 8,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 50,
}
# 7.5 billion parameters, with nothing gathered.
ZERO_PAPER = ModelSize(7_500_000_000, 0, 0, 0, 0, 0)
SHAPE = ModelShape("llama", 8, 2, 4, 2, 2, 16, True, 100)


def memory(size, precision, parallel, devices=1, **more):
    more = {"tokens": 0, "logit_tokens": 0} | more
    return training_memory(
        size, SHAPE, PRECISIONS[precision], PARALLEL[parallel], devices=devices, **more
    )


@pytest.mark.parametrize(
    ("parallel", "gigabytes"), [("ddp", 120.0), ("zero2", 16.6), ("zero3", 1.9)]
)
def test_zero_paper_figure_1(parallel, gigabytes):
    # Rajbhandari et al. 2020, figure 1: 7.5B parameters on 64 devices, mixed precision, Adam.
    found = memory(ZERO_PAPER, "master", parallel, devices=64)
    assert found.total / 1e9 == pytest.approx(gigabytes, abs=0.05)


def test_what_is_offloaded_lies_in_the_hosts_memory():
    found = memory(ZERO_PAPER, "master", "zero2-offload", devices=4)
    assert found.device["states"] == found.device["gradients"] == 0
    assert found.host == 7.5e9 * (12 + 2) / 4
    whole = memory(ZERO_PAPER, "master", "zero3-offload", devices=4)
    assert (whole.device["weights"], whole.host) == (0, 7.5e9 * 16 / 4)


@pytest.mark.parametrize(("precision", "dtype"), [("float32", "float32"), ("16-bit", "bfloat16")])
def test_weights_gradients_and_adam_are_torchs_own_bytes(precision, dtype):
    config = AutoConfig.for_model("llama", **TINY)
    model = AutoModelForCausalLM.from_config(config).to(getattr(torch, dtype))
    optimiser = torch.optim.AdamW(model.parameters())
    model(torch.tensor([[1, 2, 3]])).logits.float().sum().backward()
    optimiser.step()

    def size_in_bytes(tensors):
        return sum(t.numel() * t.element_size() for t in tensors)

    found = memory(size_of(config), precision, "ddp")
    assert found.device["weights"] == size_in_bytes(model.parameters())
    assert found.device["gradients"] == size_in_bytes(p.grad for p in model.parameters())
    states = [s[name] for s in optimiser.state.values() for name in ("exp_avg", "exp_avg_sq")]
    assert found.device["states"] == size_in_bytes(states)


@pytest.mark.parametrize("precision", ["float32", "autocast", "master"])
def test_activations_are_within_5_per_cent_of_what_autograd_keeps(precision):
    config = AutoConfig.for_model("llama", **TINY)
    dtype = torch.bfloat16 if precision == "master" else torch.float32
    model = AutoModelForCausalLM.from_config(config).to(dtype).train()
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        # Of 96 tokens, and no copies of weights, which have no such side.
        if 96 in tensor.shape and storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast"),
    ):
        out = model.model(torch.zeros((1, 96), dtype=torch.long), use_cache=False)
    assert out.last_hidden_state.requires_grad
    shape = ModelShape.from_config(config.to_dict())
    predicted = activation_bytes(shape, PRECISIONS[precision], 96)
    assert sum(size for size, _ in kept.values()) == pytest.approx(predicted, rel=0.05)


def test_activations_of_korthikantis_layer():
    # Their layer (no gate, as many keys as heads, inner size 4 h, selective recomputation): 34 h
    # bytes a token in 16 bits. Two dropout masks (2 h) are not here; norms in float32 add 8 h.
    shape = ModelShape("gpt2", 64, 3, 4, 4, 16, 256, False, 100)
    assert activation_bytes(shape, PRECISIONS["master"], 1) == 3 * (34 - 2 + 8) * 64


def test_checkpointing_keeps_inputs_and_one_layer():
    shape = known_model(ModelConfig(name="Llama-2-7B")).shape
    precision = PRECISIONS["master"]
    whole = activation_bytes(shape, precision, 100)
    kept = activation_bytes(shape, precision, 100, checkpointing=True)
    assert kept == 100 * 32 * 2 * 4096 + whole / 32


def test_adapters_and_4_bits_by_hand():
    size = known_model(ModelConfig(name="Llama-2-7B")).size
    adapters = Adapters(rank=16, bits=4)
    assert trained_parameters(size, adapters) == 39_976_960
    found = memory(size, "autocast", "ddp", adapters=adapters)
    matrices = 6_476_005_376
    frozen = matrices * 4.126953125 / 8 + 2 * (6_738_415_616 - matrices)
    assert found.device["weights"] == pytest.approx(frozen + 4 * 39_976_960)
    assert found.device["states"] == 8 * 39_976_960


def test_keys_and_values_of_a_token():
    # Llama-2-7B: 2 × 32 layers × 4096 numbers of 2 bytes.
    assert key_value_bytes(known_model(ModelConfig(name="Llama-2-7B")).shape, 2) == 524_288
    assert key_value_bytes(known_model(ModelConfig(name="Llama-3-8B")).shape, 2) == 131_072


def test_logits_are_kept_once_for_each_token_with_loss():
    found = memory(ZERO_PAPER, "float32", "ddp", tokens=10, logit_tokens=4)
    assert found.device["logits"] == 4 * 100 * 12

"""Models as small differences from their base, and back."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from assay.generator.lora import LoraConfig, add_adapters, merged_state, write_adapter
from assay.generator.lowrank import pack, pack_adapter, unpack, weights_digest
from assay.generator.models import ModelConfig, fingerprint, load_model, load_tokenizer
from assay.settings.errors import UserError


@pytest.fixture
def base(make_lm, byte_tokenizer, tmp_path):
    path = tmp_path / "base"
    make_lm("llama", vocab=len(byte_tokenizer), tie_word_embeddings=True).save_pretrained(path)
    byte_tokenizer.save_pretrained(path)
    return path


def model(path):
    return ModelConfig(name=str(path), dtype="float32", device="cpu")


def adapted(base, seed):
    """The base with adapters of rank 3 whose products are not zero, and PEFT's configuration."""
    lm = load_model(model(base))
    config = add_adapters(lm, LoraConfig(rank=3), seed=seed, key="lora")
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in lm.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1, generator=draw)
    return lm, config


@pytest.fixture
def whole(base, tmp_path):
    """A fine-tuned model: adapters merged, a row of its own in the embedding, one more token."""
    path = tmp_path / "whole"
    lm, _ = adapted(base, seed=1)
    tokenizer = load_tokenizer(model(base))
    state = merged_state(lm)
    plain = load_model(model(base))
    plain.load_state_dict(state)
    tokenizer.add_tokens(["<|own|>"], special_tokens=True)
    plain.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        plain.get_input_embeddings().weight[-1] = torch.arange(32.0)
        plain.get_input_embeddings().weight[0] += 1
        plain.model.norm.weight += 0.5
    plain.save_pretrained(path)
    tokenizer.save_pretrained(path)
    (path / "verifier.json").write_text("{}")
    return path


def test_what_adapters_trained_comes_back(base, whole, tmp_path):
    packed, made = tmp_path / "packed", tmp_path / "made"
    assert pack(whole, base, packed, rank=3) < 1e-5
    unpack(packed, base, made)
    a, b = (load_file(path / "model.safetensors") for path in (made, whole))
    for name in ("model.embed_tokens.weight", "model.norm.weight"):
        assert torch.equal(a[name], b[name])
    old = load_file(base / "model.safetensors")
    shared = [n for n in a if a[n].shape == old[n].shape]
    error = sum((a[n] - b[n]).square().sum() for n in shared)
    size = sum((b[n] - old[n]).square().sum() for n in shared)
    assert (error / size).sqrt() < 5e-3  # bfloat16
    # A model like any other, with its own files.
    rows = len(b["model.embed_tokens.weight"])
    assert load_tokenizer(model(made)).convert_tokens_to_ids("<|own|>") == rows - 1
    load_model(model(made))
    assert (made / "verifier.json").read_text() == "{}"
    assert not (made / "adapter_config.json").exists()
    # 7 matrices in each of 2 layers, in 16 bits.
    factors = load_file(packed / "adapter_model.safetensors")
    assert len(factors) == 28
    assert {factor.dtype for factor in factors.values()} == {torch.bfloat16}


def test_a_rank_that_is_too_small_is_told(base, whole, tmp_path):
    assert 0.1 < pack(whole, base, tmp_path / "packed", rank=1) < 0.9


def test_an_adapter_of_peft(base, tmp_path):
    lm, config = adapted(base, seed=2)
    adapter = tmp_path / "adapter"
    write_adapter(lm, config, model(base), adapter)
    load_tokenizer(model(base)).save_pretrained(adapter)
    packed, made = tmp_path / "packed", tmp_path / "made"
    pack_adapter(adapter, base, packed)
    unpack(packed, base, made)
    merged = load_model(model(adapter)).state_dict()
    old, new = (load_file(p / "model.safetensors") for p in (base, made))
    error = sum((new[n] - merged[n]).square().sum() for n in new)
    assert (error / sum((merged[n] - old[n]).square().sum() for n in new)).sqrt() < 5e-3
    # Nothing of where it was made is told.
    told = json.loads((packed / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == "base"
    # Once more: the same bits, so that keys of stages agree.
    unpack(packed, base, tmp_path / "again")
    assert fingerprint(model(made)) == fingerprint(model(tmp_path / "again"))


def test_the_sum_does_not_depend_on_a_library(base, tmp_path):
    """The very bits of a plain loop over numbers."""
    lm, config = adapted(base, seed=3)
    write_adapter(lm, config, model(base), tmp_path / "adapter")
    load_tokenizer(model(base)).save_pretrained(tmp_path / "adapter")
    pack_adapter(tmp_path / "adapter", base, tmp_path / "packed")
    unpack(tmp_path / "packed", base, tmp_path / "made")
    name = "model.layers.1.self_attn.k_proj"
    factors = load_file(tmp_path / "packed" / "adapter_model.safetensors")
    first = factors[f"base_model.model.{name}.lora_A.weight"].float().numpy()
    second = factors[f"base_model.model.{name}.lora_B.weight"].float().numpy()
    old, new = (
        load_file(p / "model.safetensors")[f"{name}.weight"].numpy()
        for p in (base, tmp_path / "made")
    )
    scale = type(old[0, 0])(2)
    for i in range(4):
        for j in range(32):
            total = old.dtype.type(0)
            for r in range(3):
                total = total + second[i, r] * first[r, j]
            assert new[i, j] == old[i, j] + scale * total


def test_the_digest_is_of_tensors(base, tmp_path):
    tensors = load_file(base / "model.safetensors")
    other = tmp_path / "other"
    other.mkdir()
    save_file({n: t.clone() for n, t in tensors.items()}, other / "model.safetensors", {"by": "me"})
    assert weights_digest(other) == weights_digest(base)
    tensors["model.norm.weight"][3] += 1e-3
    save_file(tensors, other / "model.safetensors")
    assert weights_digest(other) != weights_digest(base)


def test_what_cannot_be_packed(base, whole, make_lm, tmp_path):
    small = tmp_path / "small"
    make_lm("llama", vocab=58, layers=1).save_pretrained(small)
    with pytest.raises(UserError, match="is no fine-tuned"):
        pack(small, base, tmp_path / "p", 3)
    with pytest.raises(UserError, match="not an adapter"):
        pack_adapter(base, base, tmp_path / "p")
    pack(whole, base, tmp_path / "packed", 3)
    narrow = tmp_path / "narrow"
    make_lm("llama", vocab=len(load_tokenizer(model(base))), width=16).save_pretrained(narrow)
    with pytest.raises(UserError, match=r"is not the base of .*does not fit"):
        unpack(tmp_path / "packed", narrow, tmp_path / "out")
    with pytest.raises(UserError, match="cannot be read"):
        weights_digest(tmp_path / "nowhere")

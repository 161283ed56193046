"""Hub ids in a fake cache, adapters, pickles, remote code: loaded, pinned, or refused in a line."""

import json
import shutil

import pytest
import torch

from assay.generator import models
from assay.generator.engines import EngineConfig, Request, SamplingParams, make_engine
from assay.generator.engines.hf import TransformersEngine
from assay.generator.flops import model_shape
from assay.generator.models import (
    ModelConfig,
    check_vocabulary,
    fingerprint,
    load_model,
    load_tokenizer,
    pinned,
)
from assay.settings.errors import UserError

OLD, NEW = "a" * 40, "b" * 40
IDS = torch.tensor([[4, 5, 6]])


@pytest.fixture
def save(make_lm, byte_tokenizer, tmp_path):
    """Writes a model with its tokenizer to a folder; returns the model."""

    def write(path, seed=0, tokenizer=True):
        lm = make_lm(vocab=len(byte_tokenizer), seed=seed)
        lm.save_pretrained(path)
        if tokenizer:
            byte_tokenizer.save_pretrained(path)
        return lm

    return write


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub that cannot be reached, and its cache: `snapshot` gives the folder of a commit."""
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(models, "hub_reachable", lambda: False)
    models._commit.cache_clear()

    def snapshot(name, commit, branch=None):
        repository = cache / f"models--{name.replace('/', '--')}"
        folder = repository / "snapshots" / commit
        folder.mkdir(parents=True, exist_ok=True)
        if branch:
            (repository / "refs").mkdir(exist_ok=True)
            (repository / "refs" / branch).write_text(commit)
        models._commit.cache_clear()
        return folder

    yield snapshot
    models._commit.cache_clear()


def pickle_weights(folder):
    """Turns a folder's safetensors into a pickle."""
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def test_a_hub_id_is_pinned_to_the_commit_that_is_loaded(hub, save):
    old = save(hub("org/tiny", OLD, "main"), seed=1)
    config = ModelConfig(name="org/tiny", device="cpu")
    assert fingerprint(config) == f"hub:org/tiny@{OLD}"
    assert pinned(config).revision == OLD
    assert torch.equal(load_model(config)(input_ids=IDS).logits, old(input_ids=IDS).logits)
    assert load_tokenizer(config).eos_token == "</s>"

    new = save(hub("org/tiny", NEW, "main"), seed=2)
    assert fingerprint(config) == f"hub:org/tiny@{NEW}"
    assert torch.equal(load_model(config)(input_ids=IDS).logits, new(input_ids=IDS).logits)
    before = ModelConfig(name="org/tiny", revision=OLD, device="cpu")
    assert fingerprint(before) == f"hub:org/tiny@{OLD}"
    assert torch.equal(load_model(before)(input_ids=IDS).logits, old(input_ids=IDS).logits)


def test_a_branch_that_moves_meanwhile_changes_nothing(hub, save, monkeypatch):
    old = save(hub("org/tiny", OLD, "v1"), seed=1)
    save(hub("org/tiny", NEW), seed=2)
    config = pinned(ModelConfig(name="org/tiny", revision="v1", device="cpu"))
    hub("org/tiny", NEW, "v1")
    assert config.revision == OLD
    assert torch.equal(load_model(config)(input_ids=IDS).logits, old(input_ids=IDS).logits)


def test_what_no_cache_knows_keeps_its_name(hub):
    assert fingerprint(ModelConfig(name="org/none", revision="v2")) == "hub:org/none@v2"
    assert fingerprint(ModelConfig(name="org/none")) == "hub:org/none@main"
    with pytest.raises(UserError, match="not loadable from the Hub: the Hub cannot be reached"):
        load_model(ModelConfig(name="org/none"))


def test_pickled_weights_are_refused_unless_allowed(hub, save, tmp_path):
    folder = hub("org/old", OLD, "main")
    lm = save(folder)
    pickle_weights(folder)
    shutil.copytree(folder, tmp_path / "local")
    for name in ("org/old", str(tmp_path / "local")):
        with pytest.raises(UserError, match="no safetensors, only pickled weights") as caught:
            load_model(ModelConfig(name=name))
        assert len(str(caught.value).splitlines()) == 1
        allowed = load_model(ModelConfig(name=name, allow_pickle=True, device="cpu"))
        assert torch.equal(allowed(input_ids=IDS).logits, lm(input_ids=IDS).logits)


def test_code_of_the_authors_needs_permission(save, tmp_path):
    save(tmp_path / "own")
    config = tmp_path / "own" / "config.json"
    row = json.loads(config.read_text())
    row |= {
        "model_type": "novel",
        "auto_map": {
            "AutoConfig": "novel.NovelConfig",
            "AutoModelForCausalLM": "novel.NovelForCausalLM",
        },
    }
    config.write_text(json.dumps(row))
    (tmp_path / "own" / "novel.py").write_text(
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "class NovelConfig(LlamaConfig):\n    model_type = 'novel'\n"
        "class NovelForCausalLM(LlamaForCausalLM):\n    config_class = NovelConfig\n"
    )
    closed = ModelConfig(name=str(tmp_path / "own"))
    with pytest.raises(UserError, match="read that code, then set trust_remote_code=true"):
        load_model(closed)
    trusting = ModelConfig(name=str(tmp_path / "own"), trust_remote_code=True)
    assert type(load_model(trusting)).__name__ == "NovelForCausalLM"
    first = fingerprint(trusting)
    (tmp_path / "own" / "novel.py").write_text("# other\n")
    assert fingerprint(trusting) != first


def test_a_tokenizer_that_is_missing_or_too_large_is_told(save, make_lm, byte_tokenizer, tmp_path):
    save(tmp_path / "bare", tokenizer=False)
    with pytest.raises(UserError, match="bare: the folder holds none: copy its base's there"):
        load_tokenizer(ModelConfig(name=str(tmp_path / "bare")))
    make_lm(vocab=100).save_pretrained(tmp_path / "other")
    byte_tokenizer.save_pretrained(tmp_path / "other")
    with pytest.raises(UserError, match="has 258 tokens, its weights are for 100"):
        make_engine(EngineConfig(), ModelConfig(name=str(tmp_path / "other")))
    check_vocabulary(make_lm(vocab=300), byte_tokenizer, "spare rows")
    engine = TransformersEngine(make_lm(vocab=64), byte_tokenizer)
    with pytest.raises(UserError, match="p: the prompt holds token 64, and the model knows 64"):
        list(engine.sample([Request([3, 64], 1, "p")], SamplingParams()))


@pytest.fixture
def adapter(save, tmp_path):
    """A LoRA adapter of a base in a folder: (its folder, the base's, logits with it)."""
    peft = pytest.importorskip("peft")
    base = save(tmp_path / "base")
    torch.manual_seed(0)
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "up_proj"], init_lora_weights=False)
    base.name_or_path = str(tmp_path / "base")
    adapted = peft.get_peft_model(base, config)
    adapted.save_pretrained(tmp_path / "lora")
    with torch.inference_mode():
        return tmp_path / "lora", tmp_path / "base", adapted(input_ids=IDS).logits


def test_an_adapter_is_merged_into_its_base(adapter, tmp_path):
    folder, base, expected = adapter
    config = ModelConfig(name=str(folder), device="cpu")
    model = load_model(config)
    logits = model(input_ids=IDS).logits
    assert torch.allclose(logits, expected, atol=1e-5)
    plain = load_model(ModelConfig(name=str(base), device="cpu"))
    assert not torch.allclose(logits, plain(input_ids=IDS).logits, atol=1e-2)
    assert load_tokenizer(config).eos_token == "</s>"
    assert {name for name, _ in model.named_parameters()} == {
        name for name, _ in plain.named_parameters()
    }
    model.save_pretrained(tmp_path / "merged")
    engine = make_engine(EngineConfig(), config)
    assert len(list(engine.sample([Request([5], 3, "p")], SamplingParams(max_new_tokens=4)))) == 3


def test_an_adapter_has_its_bases_shape(adapter):
    folder, base, _ = adapter
    shape = model_shape(ModelConfig(name=str(base)))
    assert shape is not None
    assert model_shape(ModelConfig(name=str(folder))) == shape


def test_an_adapters_fingerprint_names_both(adapter, save):
    folder, base, _ = adapter
    first = fingerprint(ModelConfig(name=str(folder)))
    assert first.endswith(f" on {fingerprint(ModelConfig(name=str(base)))}")
    weights = folder / "adapter_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    second = fingerprint(ModelConfig(name=str(folder)))
    save(base, seed=9)
    third = fingerprint(ModelConfig(name=str(folder)))
    assert second.split(" on ")[1] == first.split(" on ")[1]
    assert third.split(" on ")[0] == second.split(" on ")[0]
    assert len({first, second, third}) == 3


def test_an_adapter_on_the_hub(hub, adapter):
    folder, base, expected = adapter
    shutil.copytree(base, hub("org/base", NEW, "main"), dirs_exist_ok=True)
    said = json.loads((folder / "adapter_config.json").read_text())
    said["base_model_name_or_path"] = "org/base"
    (folder / "adapter_config.json").write_text(json.dumps(said))
    shutil.copytree(folder, hub("org/lora", OLD, "main"), dirs_exist_ok=True)
    config = ModelConfig(name="org/lora", device="cpu")
    assert fingerprint(config) == f"hub:org/lora@{OLD} on hub:org/base@{NEW}"
    assert torch.allclose(load_model(config)(input_ids=IDS).logits, expected, atol=1e-5)
    assert load_tokenizer(config).eos_token == "</s>"


def test_adapters_that_cannot_be_loaded_are_told(adapter, monkeypatch):
    folder, base, _ = adapter
    config = ModelConfig(name=str(folder))
    weights = folder / "adapter_model.safetensors"
    weights.rename(folder / "adapter_model.bin")
    with pytest.raises(UserError, match=r"no adapter_model.safetensors \(pickled ones need allow"):
        load_model(config)
    (folder / "adapter_model.bin").rename(weights)
    with monkeypatch.context() as patch:
        patch.setattr("assay.generator.adapters.importlib.util.find_spec", lambda name: None)
        with pytest.raises(UserError, match=r"adapter .*: needs the package peft, .*\[lora\]'"):
            load_model(config)
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(UserError, match=r"adapter .*: cannot be loaded"):
        load_model(config)
    base.rename(base.with_name("moved"))
    with pytest.raises(UserError, match=r"its base is missing: model .*/base: no such folder"):
        load_model(config)
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"adapter_config.json cannot be read"):
        load_tokenizer(config)

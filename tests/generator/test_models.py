"""Finding, loading and telling apart models."""

import shutil
import subprocess
import sys

import pytest
import torch

from assay.generator.models import ModelConfig, fingerprint, load_model, load_tokenizer, resolve
from assay.settings.errors import UserError


@pytest.fixture
def folder(make_lm, byte_tokenizer, tmp_path):
    path = tmp_path / "model"
    make_lm().to(torch.bfloat16).save_pretrained(path)
    byte_tokenizer.save_pretrained(path)
    return path


def test_a_folder_is_loaded(folder, capfd):
    config = ModelConfig(name=str(folder))
    model = load_model(config)
    assert not model.training
    assert model.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    if model.device.type == "cpu":
        assert model.dtype == torch.float32
    assert load_tokenizer(config).eos_token == "</s>"
    assert load_model(ModelConfig(name=str(folder), dtype="bfloat16")).dtype == torch.bfloat16
    assert capfd.readouterr() == ("", "")


def test_the_embedded_base_is_there_and_small():
    model, tokenizer = load_model(ModelConfig()), load_tokenizer(ModelConfig())
    assert sum(p.numel() for p in model.parameters()) <= 6_000_000
    assert len(tokenizer) <= model.config.vocab_size
    assert tokenizer.eos_token_id is not None
    assert tokenizer("120")["input_ids"] == [tokenizer("1")["input_ids"][0]] + [
        tokenizer(digit)["input_ids"][0] for digit in "20"
    ]


def test_fingerprints_follow_the_content(folder, tmp_path):
    first = fingerprint(ModelConfig(name=str(folder)))
    assert first.startswith("sha256:")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "README.md").write_text("other words")
    assert fingerprint(ModelConfig(name=str(copy))) == first
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert fingerprint(ModelConfig(name=str(copy))) != first
    assert fingerprint(ModelConfig(name="org/name", revision="abc")) == "hub:org/name@abc"
    assert fingerprint(ModelConfig(name="org/name")) == "hub:org/name@main"


def test_names(folder, tmp_path):
    assert resolve(str(folder)) == str(folder)
    assert resolve("org/name-1.5B") == "org/name-1.5B"
    (tmp_path / "file").write_text("")
    for name, message in {
        str(tmp_path): "found no config.json",
        str(tmp_path / "none"): "no such folder",
        "./none": "no such folder",
        "a b": "no such folder",
        "one/two/three": "no such folder",
        str(tmp_path / "file"): "found a file",
    }.items():
        with pytest.raises(UserError, match=message):
            resolve(name)


def test_broken_models_are_told_in_one_line(folder):
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        text = (folder / name).read_bytes()
        (folder / name).write_bytes(text[: len(text) // 2])
        config = ModelConfig(name=str(folder))
        with pytest.raises(UserError, match="cannot be loaded") as caught:
            load_tokenizer(config) if name.startswith("tokenizer") else load_model(config)
        assert "\n" not in str(caught.value)
        (folder / name).write_bytes(text)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ModelConfig(dtype="int3"), "dtype=int3: expected one of auto, float32"),
        (ModelConfig(device="tpu9"), "device=tpu9"),
        (ModelConfig(attention="nope"), "embedded: cannot be loaded"),
    ],
)
def test_settings_that_do_not_exist_are_told(config, message):
    with pytest.raises(UserError, match=message):
        load_model(config)


def test_the_hub_is_not_asked_for_long(monkeypatch):
    monkeypatch.setattr("assay.generator.models.hub_reachable", lambda: False)
    with pytest.raises(
        UserError, match="nobody/nothing: not a local folder and not loadable from the Hub"
    ):
        load_model(ModelConfig(name="nobody/nothing"))


def test_importing_the_room_is_light():
    heavy = "{'torch', 'transformers', 'sympy', 'matplotlib', 'reasoning_gym', 'datasets'}"
    rooms = "generator, assay.generator.engines, assay.generator.models, generator.train"
    code = f"import sys, {rooms}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

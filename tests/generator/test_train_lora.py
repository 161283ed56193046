"""Adapters of a generator: what is trained, what is written, going on after an interruption."""

import importlib.util
import json
import sys

import pytest
import torch

from assay.generator.lora import GeneratorLoraConfig
from assay.generator.models import ModelConfig, load_model
from assay.generator.train import train_generator
from assay.settings.errors import UserError
from tests.generator.test_train_generator import (
    base,  # noqa: F401
    configure,  # noqa: F401
    interrupt,
    same_bits,
    sums,
    weights,
)

IDS = torch.tensor([[5, 6, 7, 8, 9]])
RATE = 1e-2


def logits(path):
    with torch.no_grad():
        return load_model(ModelConfig(name=str(path), device="cpu"))(IDS).logits


def lora(**settings):
    return GeneratorLoraConfig(**{"rank": 4, **settings})


def test_merged_and_alone_are_the_same_model(configure):  # noqa: F811
    one = train_generator(configure("one", epochs=1, learning_rate=RATE, lora=lora()), sums(24))
    other = train_generator(
        configure("other", epochs=1, learning_rate=RATE, lora=lora(merge=False)), sums(24)
    )
    assert (one / "model.safetensors").exists()
    assert not (one / "adapter_model.safetensors").exists()
    assert sorted(p.name for p in other.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "assay.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    torch.testing.assert_close(logits(one), logits(other), atol=1e-5, rtol=1e-5)
    records = [json.loads((path / "assay.json").read_text()) for path in (one, other)]
    losses = [[entry["loss"] for entry in record["history"]] for record in records]
    assert losses[0] == losses[1]
    assert sum(losses[0][-3:]) < sum(losses[0][:3])


def test_only_the_layers_that_are_named_move(configure, base):  # noqa: F811
    config = configure(epochs=1, learning_rate=RATE, lora=lora(targets="q_proj"))
    trained, before = weights(train_generator(config, sums(16))), weights(base)
    moved = {name for name, t in trained.items() if not torch.equal(t, before[name].float())}
    assert moved == {f"model.layers.{i}.self_attn.q_proj.weight" for i in (0, 1)}


@pytest.mark.parametrize("merge", [True, False])
def test_an_interrupted_training_ends_with_the_same_bits(configure, monkeypatch, merge):  # noqa: F811
    monkeypatch.setattr("assay.generator.trainer._SAVING_SHARE", float("inf"))
    more = {"epochs": 1, "lora": lora(merge=merge, dropout=0.1)}
    undisturbed = train_generator(configure("undisturbed", **more), sums(24))
    config = configure("interrupted", **more)
    interrupt(monkeypatch, config, sums(24), 4)
    (checkpoint,) = (undisturbed.parent / "interrupted" / "training").glob("checkpoint-*")
    assert not (checkpoint / "model.safetensors").exists()
    interrupted = train_generator(config, sums(24))
    if merge:
        assert same_bits(weights(interrupted), weights(undisturbed))
    assert torch.equal(logits(interrupted), logits(undisturbed))


def test_a_finished_one_of_other_adapters_is_refused(configure):  # noqa: F811
    train_generator(configure(epochs=1, lora=lora()), sums(8))
    with pytest.raises(UserError, match=r"lora\.rank: 4 there, 8 asked for"):
        train_generator(configure(epochs=1, lora=lora(rank=8)), sums(8))


def test_without_adapters_the_key_does_not_speak_of_them(configure):  # noqa: F811
    path = train_generator(configure(epochs=1), sums(8))
    assert "lora" not in json.loads((path / "assay.json").read_text())["key"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": -1}, "lora.rank=-1: expected 0 or more"),
        ({"dropout": 1.0}, "lora.dropout=1.0: expected a number from 0 to below 1"),
        ({"bits": 8}, "lora.bits=8: expected 16 or 4"),
        ({"rank": 0, "bits": 4}, "lora.bits=4: weights of 4 bits are not trained; set lora.rank"),
        ({"targets": "nothing"}, "lora.targets=nothing: expected all-linear or names of linear"),
    ],
)
def test_settings_that_do_not_fit(configure, settings, message):  # noqa: F811
    with pytest.raises(UserError, match=message):
        train_generator(configure(lora=lora(**settings)), sums(8))


def test_missing_packages(configure, monkeypatch):  # noqa: F811
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(UserError, match=r"lora.rank=4: needs the package peft, .*\[lora\]'"):
        train_generator(configure(lora=lora()), sums(8))
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "bitsandbytes" else real(n, *a)
    )
    message = r"lora.bits=4: needs the package bitsandbytes, .*\[qlora\]'"
    with pytest.raises(UserError, match=message):
        train_generator(configure("other", lora=lora(bits=4)), sums(8))


def test_an_adapter_of_an_adapter_alone_is_refused(configure):  # noqa: F811
    first = train_generator(configure("first", epochs=1, lora=lora(merge=False)), sums(8))
    config = configure("second", epochs=1, lora=lora(merge=False))
    config.model = ModelConfig(name=str(first), device="cpu")
    with pytest.raises(UserError, match="first: is an adapter itself"):
        train_generator(config, sums(8))
    config.lora.merge = True
    assert (train_generator(config, sums(8)) / "model.safetensors").exists()


@pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="needs the package bitsandbytes"
)
def test_a_base_of_four_bits(configure):  # noqa: F811
    more = {"epochs": 1, "learning_rate": RATE}
    plain = train_generator(configure("plain", **more, lora=lora(merge=False)), sums(24))
    four = train_generator(configure("four", **more, lora=lora(bits=4)), sums(24))
    assert (four / "adapter_model.safetensors").exists()
    assert not (four / "model.safetensors").exists()
    records = [json.loads((path / "assay.json").read_text()) for path in (plain, four)]
    losses = [[entry["loss"] for entry in record["history"]] for record in records]
    # Rounding to 4 bits moves the loss a little, and not more.
    assert losses[1] != losses[0]
    assert losses[1] == pytest.approx(losses[0], abs=0.1)
    assert logits(four).shape == logits(plain).shape

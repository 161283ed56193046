import pytest
import torch
from transformers import AutoModelForCausalLM

from assay.verifier.config import LoraConfig
from assay.verifier.model import Verifier
from assay.verifier.train import train_verifier
from tests.verifier.test_verifier_train import (
    config_of,
    planted,
    record_of,
)

FAMILIES = ("llama", "qwen2", "mistral", "gemma", "gpt_neox", "gpt2")
IDS = torch.tensor([[5, 6, 7, 8]])


@pytest.fixture
def folder_of(make_lm, make_tokenizer, tmp_path):
    def folder(family, **settings):
        make_lm(family, **settings).save_pretrained(tmp_path / family)
        make_tokenizer().save_pretrained(tmp_path / family)
        return tmp_path / family

    return folder


def lora_config(base, output, model=None, lora=None, **settings):
    settings["lora"] = LoraConfig(**{"rank": 4, **(lora or {})})
    return config_of(base, output, model=model, **settings)


def values_of(verifier):
    with torch.no_grad():
        return verifier.values(verifier.hidden(IDS, torch.arange(4)[None]))


def trained(monkeypatch, config, data):
    """Trains; returns the path and the verifier as it stood when it was saved."""
    kept = []
    real = Verifier.save_pretrained

    def save(verifier, path, tokenizer):
        kept.append(verifier)
        real(verifier, path, tokenizer)

    monkeypatch.setattr(Verifier, "save_pretrained", save)
    return train_verifier(config, data), kept[0].eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_only_adapters_head_and_row_are_trained(monkeypatch, folder_of, tmp_path, family):
    base = folder_of(family)
    config = lora_config(base, tmp_path / "v", validation_fraction=0.0, epochs=10)
    path, verifier = trained(monkeypatch, config, planted(20, 8))
    history = record_of(path)["history"]
    assert history[-1]["value_loss"] < 0.95 * history[0]["value_loss"]
    assert history[-1]["language_loss"] < history[0]["language_loss"]

    free = {name for name, p in verifier.named_parameters() if p.requires_grad}
    adapters = {name for name in free if ".lora_A." in name or ".lora_B." in name}
    assert free - adapters == {"gain", "bias", "row"}
    # Two layers of 7 linear layers (llama and its like) or of 4, two matrices each.
    assert len(adapters) == 2 * 2 * (4 if family in ("gpt_neox", "gpt2") else 7)
    state = verifier.state_dict()
    ends = ("embed_tokens.weight", "wte.weight", "lm_head.weight", "embed_out.weight")
    for name, tensor in AutoModelForCausalLM.from_pretrained(base).state_dict().items():
        name = name if f"lm.{name}" in state else ".base_layer.".join(name.rsplit(".", 1))
        kept = state[f"lm.{name}"]
        if name.endswith(ends):
            kept, tensor = kept[:258], tensor[:258]  # without the row that was put back

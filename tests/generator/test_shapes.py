"""Numbers of parameters: literal ones, by hand, and against the models themselves."""

import json

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from assay.generator.models import ModelConfig
from assay.generator.shapes import KNOWN, known_model, size_of
from assay.settings.errors import UserError

PARAMETERS = {
    "meta-llama/Llama-2-7b-hf": 6_738_415_616,
    "Llama-2-13B": 13_015_864_320,
    "meta-llama/Llama-2-70b-chat-hf": 68_976_648_192,
    "codellama/CodeLlama-7b-hf": 6_738_546_688,
    "codellama/CodeLlama-7b-Python-hf": 6_738_415_616,
    "codellama/CodeLlama-34b-Instruct-hf": 33_743_970_304,
    "meta-llama/Meta-Llama-3-8B": 8_030_261_248,
    "meta-llama/Llama-3-8B-Instruct": 8_030_261_248,
    "mistralai/Mistral-7B-v0.1": 7_241_732_096,
    "Qwen/Qwen2.5-Math-1.5B-Instruct": 1_543_714_304,
    "Qwen/Qwen2.5-7B": 7_615_616_512,
    "Qwen/Qwen2.5-Math-7B": 7_615_616_512,
    "HuggingFaceTB/SmolLM2-135M-Instruct": 134_515_008,
    "SmolLM2-360M": 361_821_120,
    "SmolLM2-1.7B": 1_711_376_384,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_well_known_models_have_exact_sizes(name):
    assert known_model(ModelConfig(name=name)).size.total == PARAMETERS[name]


@pytest.mark.parametrize("name", KNOWN)
def test_every_name_of_the_table_is_found(name):
    found = known_model(ModelConfig(name=name))
    assert found.shape.hidden_size == KNOWN[name]["hidden_size"]


def test_parts_of_llama_2_7b_by_hand():
    size = known_model(ModelConfig(name="Llama-2-7B")).size
    assert size.embedding == size.head == 32000 * 4096
    assert size.matrices == 32 * (4 * 4096**2 + 3 * 4096 * 11008)
    assert size.sides == 32 * (4 * 2 * 4096 + 3 * (4096 + 11008))
    assert size.largest_layer == 4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096
    assert size.total == size.embedding + size.head + 32 * size.largest_layer + 4096


def test_tied_embeddings_count_once_and_biases_count():
    size = known_model(ModelConfig(name="Qwen2.5-1.5B")).size
    layer = 2 * 1536**2 + 2 * 1536 * 256 + (1536 + 2 * 256) + 3 * 1536 * 8960 + 2 * 1536
    assert (size.head, size.largest_layer) == (0, layer)
    assert size.total == 151936 * 1536 + 28 * layer + 1536


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3", "mixtral"])
def test_sizes_are_those_of_a_model_with_weights(family):
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 50}
    config = AutoConfig.for_model(family, **sizes, intermediate_size=48, num_key_value_heads=2)
    weights = AutoModelForCausalLM.from_config(config)
    assert size_of(config).total == sum(p.numel() for p in weights.parameters())
    assert all(p.device == torch.device("cpu") for p in weights.parameters())


def test_a_folder_wins_over_a_name_of_the_table(tmp_path, monkeypatch):
    small = KNOWN["smollm2-135m"] | {"num_hidden_layers": 1}
    (tmp_path / "SmolLM2-135M").mkdir()
    (tmp_path / "SmolLM2-135M" / "config.json").write_text(json.dumps(small))
    monkeypatch.chdir(tmp_path)
    size = known_model(ModelConfig(name="SmolLM2-135M")).size
    # 49152 × 576, a layer of 3 540 096, the last norm.
    assert size.total == 28_311_552 + 3_540_096 + 576


def test_the_embedded_base():
    assert known_model(ModelConfig()).size.total == 2_352_160


def test_what_is_not_known_is_one_line(monkeypatch):
    monkeypatch.setattr("assay.generator.flops.hub_reachable", lambda: False)
    with pytest.raises(UserError, match=r"model no/such-model: no configuration .* llama-2-7b"):
        known_model(ModelConfig(name="no/such-model"))
    with pytest.raises(UserError, match="model runs/none/x: no such folder"):
        known_model(ModelConfig(name="runs/none/x"))

"""FLOPs from a model's shape: by hand, against torch's counter, against sums over tokens."""

import dataclasses
import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from assay.generator.engines import Request, SamplingParams
from assay.generator.engines.hf import TransformersEngine
from assay.generator.flops import _GATED, _PLAIN, ModelShape, model_shape
from assay.generator.models import ModelConfig, load_model, load_tokenizer

SMOLLM2_135M = {
    "model_type": "llama",
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}

# Sizes that are all different, so that one taken for another shows.
SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
OLD_SIZES = {"vocab_size": 50, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
GROUPED = {"num_key_value_heads": 2}
SLIDING = {
    "sliding_window": 5,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}
WIDE_HEADS = {"head_dim": 16}
MIXTURE = {"num_local_experts": 6, "num_experts_per_tok": 2}
# What makes a family's model of its own kind; families that are not named here are GROUPED.
SPECIAL = {
    "bloom": {"hidden_size": 32, "n_layer": 3, "n_head": 4},
    "cohere2": GROUPED | SLIDING | WIDE_HEADS,
    "exaone4": GROUPED | SLIDING,
    "falcon": {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
    | {"vocab_size": 50, "ffn_hidden_size": 40, "multi_query": True},
    "gemma": GROUPED | WIDE_HEADS,
    "gemma2": GROUPED | SLIDING | WIDE_HEADS,
    "gemma3_text": GROUPED | SLIDING | WIDE_HEADS,
    "gpt2": OLD_SIZES | {"n_inner": 40},
    "gpt_bigcode": OLD_SIZES,
    # With its window of 256 none of the tokens here is out of sight.
    "gpt_neo": {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "vocab_size": 50}
    | {"attention_types": [[["global", "local"], 1]]},
    "gpt_neox": SIZES,
    "gpt_oss": GROUPED | SLIDING | WIDE_HEADS | MIXTURE,
    "gptj": OLD_SIZES | {"rotary_dim": 4},
    "hunyuan_v1_dense": GROUPED | WIDE_HEADS,
    "ministral": GROUPED | WIDE_HEADS,
    "mistral": GROUPED | WIDE_HEADS | {"sliding_window": 5},
    "mixtral": GROUPED | MIXTURE,
    "nemotron": GROUPED | WIDE_HEADS,
    "olmo3": GROUPED | SLIDING,
    "olmoe": GROUPED | {"num_experts": 6, "num_experts_per_tok": 2},
    "opt": {**SIZES, "ffn_dim": 40, "word_embed_proj_dim": 32},
    "persimmon": SIZES,
    "phi3": GROUPED | {"sliding_window": 5},
    "qwen2_moe": GROUPED
    | {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
    | {"decoder_sparse_step": 2, "shared_expert_intermediate_size": 20},
    "qwen3": GROUPED | WIDE_HEADS,
    "qwen3_moe": GROUPED
    | {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
    | {"mlp_only_layers": [0]},
}


def tiny(family):
    """A tiny random model of the family, and its shape."""
    if family not in CONFIG_MAPPING:
        pytest.skip(f"this version of Transformers has no {family}")
    special = SPECIAL.get(family, GROUPED)
    own = special if "vocab_size" in special or family == "bloom" else SIZES | special
    config = CONFIG_MAPPING[family](**TOKENS, **own)
    lm = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    # One product for each expert that is active, as the counter can see it.
    lm.set_experts_implementation("eager")
    shape = ModelShape.from_config(config.to_dict())
    assert shape is not None
    return lm, shape


def counted(lm, ids, cache=None):
    """FLOPs that torch counts in one forward pass, and the cache after it."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        out = lm(torch.tensor([ids]), past_key_values=cache, use_cache=True)
    return counter.get_total_flops(), out.past_key_values


def test_smollm2_by_hand():
    shape = ModelShape.from_config(SMOLLM2_135M)
    attention = 576 * 64 * (9 + 3 + 3) + 9 * 64 * 576  # q, k, v; o
    mlp = 3 * 576 * 1536
    assert attention + mlp == 3_538_944
    # 30 layers; with the embedding these are the model's 134.5 million parameters.
    assert 30 * 3_538_944 + 49152 * 576 == 134_479_872
    assert shape.token_flops == 2 * 30 * 3_538_944 == 212_336_640
    assert shape.logit_flops == 2 * 576 * 49152 == 56_623_104
    assert shape.value_flops == 1152
    judging = dataclasses.replace(shape, reads_likelihood=True)
    assert judging.value_flops == 1152 + shape.logit_flops
    # A prompt of 3: 1 + 2 + 3 keys, 2 · 9 · 64 FLOPs each for the scores and for the values.
    keys = 30 * 4 * 9 * 64
    assert keys == 69_120
    assert shape.prompt_flops(3) == 3 * 212_336_640 + 6 * keys + 56_623_104 == 694_047_744
    # Two tokens behind it: the second comes from reading the first, which sees 4 keys.
    assert shape.sampling_flops(3, 2) == 212_336_640 + 4 * keys + 56_623_104 == 269_236_224
    assert shape.sampling_flops(3, 1) == 0
    # The verifier reads both, at positions 3 and 4, and says a number at each.
    assert shape.scoring_flops(3, 2) == 2 * 212_336_640 + 9 * keys + 2 * 1152 == 425_297_664


@pytest.mark.parametrize("family", sorted(_GATED | _PLAIN))
def test_token_by_token_torch_counts_the_same(family):
    lm, shape = tiny(family)
    cache = None
    for position in range(9):
        flops, cache = counted(lm, [3 + position], cache)
        assert flops == shape.forward(position, 1) + shape.logit_flops


def test_the_engine_costs_what_is_claimed():
    """Torch counts the engine's products but not its fused attention to the prompt.

    Nor products added in place, which the lean step takes: the model steps by its own modules.
    """
    model = ModelConfig(name="embedded")
    engine = TransformersEngine(load_model(model), load_tokenizer(model))
    shape = model_shape(model)
    prompt = engine.tokenizer("Tom has 12 apples and buys 30 more. How many has he now?")
    ids = prompt["input_ids"]
    request = Request(prompt_ids=ids, count=8, key="p/cot")
    with FlopCounterMode(display=False) as counter:
        found = list(engine.sample([request], SamplingParams(max_new_tokens=24)))
    tokens = [len(each.token_ids) + (each.stop == "eos") for each in found]
    sampled = sum(int(shape.sampling_flops(len(ids), n)) for n in tokens)
    own_attention = shape.prompt_flops(len(ids)) - len(ids) * shape.token_flops - shape.logit_flops
    claimed = shape.prompt_flops(len(ids)) + sampled - own_attention
    assert claimed <= counter.get_total_flops() <= 1.02 * claimed


def test_in_one_pass_torch_counts_masked_keys_too():
    """It computes all P × P products of queries and keys, and throws nearly half of them away."""
    lm, shape = tiny("qwen2")
    flops, _ = counted(lm, list(range(3, 12)))
    masked = 9 * 8 // 2
    assert flops == shape.forward(0, 9) + 9 * shape.logit_flops + 3 * 4 * 4 * 8 * masked


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma2"])
def test_sums_over_tokens(family):
    """The closed forms against one token after the other, the window crossed within."""
    _, shape = tiny(family)
    for prompt in (1, 4, 7):
        for tokens in (1, 3, 9):
            each = [int(shape.forward(prompt + i, 1)) for i in range(tokens)]
            assert shape.forward(prompt, tokens) == sum(each)
            assert shape.scoring_flops(prompt, tokens) == sum(each) + tokens * 2 * 32
            logits = shape.logit_flops
            assert shape.sampling_flops(prompt, tokens) == sum(e + logits for e in each[:-1])
        assert shape.prompt_flops(prompt) == shape.forward(0, prompt) + shape.logit_flops


def test_configurations():
    assert ModelShape.from_config({**SMOLLM2_135M, "model_type": "mamba"}) is None
    nested = {"model_type": "mistral3", "text_config": {**SMOLLM2_135M, "model_type": "mistral"}}
    assert ModelShape.from_config(nested).layers == 30
    # An attribute that says that the window beside it is not used.
    unused = {**SMOLLM2_135M, "use_sliding_window": False, "sliding_window": 4096}
    assert ModelShape.from_config(unused) == ModelShape.from_config(SMOLLM2_135M)
    projected = CONFIG_MAPPING["opt"](hidden_size=1024, word_embed_proj_dim=512).to_dict()
    assert ModelShape.from_config(projected) is None


def test_a_shape_survives_json():
    shape = ModelShape.from_config(SMOLLM2_135M)
    assert ModelShape(**json.loads(json.dumps(shape.to_dict()))) == shape


def test_models_by_name(tmp_path):
    assert model_shape(ModelConfig(name="embedded")).family == "llama"
    (tmp_path / "config.json").write_text(json.dumps(SMOLLM2_135M))
    found = model_shape(ModelConfig(name=str(tmp_path)), cached=True)
    assert found == ModelShape.from_config(SMOLLM2_135M)
    (tmp_path / "config.json").write_text('{"model_type": "llama", "hidden')
    for name in (str(tmp_path), str(tmp_path / "nothing"), "nobody/has-this-model"):
        assert model_shape(ModelConfig(name=name), cached=True) is None

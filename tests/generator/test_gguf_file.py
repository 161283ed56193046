"""GGUF files: read as plain models, sampled from, trained, told apart."""

import json

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from assay.generator.engines import EngineConfig, Request, SamplingParams, make_engine
from assay.generator.fetch import FetchConfig, fetch, run
from assay.generator.flops import ModelShape, model_shape
from assay.generator.models import ModelConfig, fingerprint, load_model, load_tokenizer, resolve
from assay.generator.train import TrainGeneratorConfig, train_generator
from assay.problems.problem import Problem, Solution
from assay.problems.prompts import PromptConfig
from assay.settings.errors import UserError

NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def interleaved(weight, heads):
    """Rotary pairs as llama.cpp keeps them: side by side, not half a head apart."""
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def write_gguf(path, lm, tokenizer):
    """A Llama and a byte-level tokenizer, in float32."""
    config, state = lm.config, {k: v.float().numpy() for k, v in lm.state_dict().items()}
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    kinds = [3 if id < 2 else 1 for _, id in vocabulary]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types(kinds)
    # Without merges, Transformers makes them from the scores: none, as no token is two others.
    writer.add_token_scores([0.0] * len(vocabulary))
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_pad_token_id(1)
    writer.add_tensor("token_embd.weight", state["model.embed_tokens.weight"])
    writer.add_tensor("output_norm.weight", state["model.norm.weight"])
    writer.add_tensor("output.weight", state["lm_head.weight"])
    for layer in range(config.num_hidden_layers):
        for ours, theirs in NAMES.items():
            weight = state[f"model.layers.{layer}.{ours}.weight"]
            if theirs == "attn_q":
                weight = interleaved(weight, config.num_attention_heads)
            elif theirs == "attn_k":
                weight = interleaved(weight, config.num_key_value_heads)
            writer.add_tensor(f"blk.{layer}.{theirs}.weight", np.ascontiguousarray(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def lm(make_lm, byte_tokenizer):
    return make_lm(vocab=len(byte_tokenizer))


@pytest.fixture
def file(lm, byte_tokenizer, tmp_path):
    path = tmp_path / "tiny.gguf"
    write_gguf(path, lm, byte_tokenizer)
    return path


def test_its_shape_is_known(lm, file):
    shape = model_shape(ModelConfig(name=str(file)))
    assert shape == ModelShape.from_config(lm.config.to_dict())


def test_its_weights_are_those_written(lm, byte_tokenizer, file, capfd):
    config = ModelConfig(name=str(file), device="cpu")
    model, tokenizer = load_model(config), load_tokenizer(config)
    ids = torch.tensor([byte_tokenizer("2+2=4 fish")["input_ids"]])
    assert tokenizer("2+2=4 fish", add_special_tokens=False)["input_ids"] == ids[0].tolist()
    assert torch.allclose(model(input_ids=ids).logits, lm(input_ids=ids).logits, atol=1e-5)
    assert tokenizer.eos_token_id == model.generation_config.eos_token_id == 0
    assert not model.training
    assert model.dtype == torch.float32
    assert load_model(ModelConfig(name=str(file), dtype="bfloat16")).dtype == torch.bfloat16
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines()[0] == (
        f"model {file}: dequantising the weights, 10 to 20 seconds for 100 million parameters"
    )
    assert len(err.splitlines()) == 2


def test_it_can_be_sampled_from(file):
    engine = make_engine(EngineConfig(), ModelConfig(name=str(file)))
    found = list(engine.sample([Request([5, 9], 6, "p")], SamplingParams(max_new_tokens=5)))
    assert len(found) == 6


def test_a_model_read_from_it_can_be_trained_and_saved(file, tmp_path):
    solutions = (Solution("cot", "1+1=2\n#### 2"), Solution("pot", "print(1 + 1)"))
    problems = [Problem(f"p{i}", f"1+1? {i}", "2", solutions=solutions) for i in range(4)]
    config = TrainGeneratorConfig(
        model=ModelConfig(name=str(file)),
        prompt=PromptConfig(form="plain"),
        output=str(tmp_path / "out"),
        epochs=1,
        pack_tokens=128,
    )
    out = train_generator(config, problems)
    key = json.loads((out / "assay.json").read_text())["key"]
    assert key["base"] == fingerprint(ModelConfig(name=str(file)))
    assert "quantization_config" not in json.loads((out / "config.json").read_text())
    assert load_model(ModelConfig(name=str(out))).config.vocab_size == 258
    assert AutoTokenizer.from_pretrained(out).eos_token_id == 0


def test_fetch_makes_a_folder_of_it(lm, file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(FetchConfig(str(file)))
    assert capsys.readouterr().out == "model ready in models/tiny\n"
    made = load_model(ModelConfig(name="models/tiny", device="cpu"))
    ids = torch.tensor([[4, 5, 6]])
    assert torch.allclose(made(input_ids=ids).logits, lm(input_ids=ids).logits, atol=1e-5)
    with pytest.raises(UserError, match=r"fetch none.gguf: no such file"):
        fetch("none.gguf", tmp_path / "x")
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(UserError, match="cannot be loaded"):
        fetch(str(file), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_fingerprints_follow_the_content(file, tmp_path):
    first = fingerprint(ModelConfig(name=str(file)))
    copy = tmp_path / "other name.gguf"
    copy.write_bytes(file.read_bytes())
    assert fingerprint(ModelConfig(name=str(copy))) == first
    assert first.startswith("sha256:")
    copy.write_bytes(file.read_bytes()[:-1] + b"\x01")
    assert fingerprint(ModelConfig(name=str(copy))) != first


def test_what_cannot_be_read_is_told_in_one_line(file, tmp_path, monkeypatch):
    assert resolve(str(file)) == str(file)
    with pytest.raises(UserError, match=r"found no config.json; it holds tiny.gguf"):
        resolve(str(tmp_path))
    with pytest.raises(UserError, match=r"model none.gguf: no such file"):
        resolve("none.gguf")
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(file.read_bytes()[:3000])
    (tmp_path / "text.gguf").write_text("hello")
    part = tmp_path / "x-00001-of-00003.gguf"
    part.write_bytes(file.read_bytes())
    for path, message in {
        cut: "cannot be loaded",
        tmp_path / "text.gguf": "not a GGUF file",
        part: r"one of 3 parts; join them first \(llama-gguf-split --merge\)",
    }.items():
        for load in (load_model, load_tokenizer):
            with pytest.raises(UserError, match=message) as caught:
                load(ModelConfig(name=str(path)))
            assert "\n" not in str(caught.value)

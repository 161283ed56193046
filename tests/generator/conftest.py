"""Tiny random models of several families, and a tokenizer of single bytes."""

import threading

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedTokenizerFast

from assay.generator.engines import ServerConfig, connection
from assay.generator.engines.int8 import Way
from assay.generator.engines.server import ServerEngine

FAMILIES = ("llama", "qwen2", "mistral", "phi3", "gpt_neox", "gpt2")


def _make_lm(
    family="llama", vocab=64, width=32, layers=2, seed=0, positions=256, attention="sdpa", **more
):
    """Weights larger than at a usual start, so that distributions are far from even."""
    torch.manual_seed(seed)
    shape = {
        "vocab_size": vocab,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "max_position_embeddings": positions,
        "bos_token_id": None,
        "eos_token_id": 0,
        "pad_token_id": 1,
    }
    if family == "gpt2":
        shape = {
            "vocab_size": vocab,
            "n_embd": width,
            "n_layer": layers,
            "n_head": 4,
            "n_positions": positions,
            "bos_token_id": 0,
            "eos_token_id": 0,
        }
    elif family != "gpt_neox":
        shape["num_key_value_heads"] = 2
    config = CONFIG_MAPPING[family](**{**shape, **more})
    lm = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in lm.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.3, generator=generator)
    return lm.eval()


def _byte_tokenizer():
    """</s> is 0, <pad> is 1, then the bytes: printable ASCII is 2 … 95."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["</s>", "<pad>"]
    vocab = {token: i for i, token in enumerate([*specials, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(specials)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>")


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def make_lm():
    return _make_lm


@pytest.fixture
def arithmetician():
    """Makes random models that write little but annotations, and end their texts at times."""

    def make(tokenizer, likely):
        size = len(tokenizer)
        lm = _make_lm(vocab=size, seed=3)
        texts = [tokenizer.decode([i], skip_special_tokens=True) for i in range(size)]
        bias = torch.tensor([0.0 if text and text.isascii() else -100.0 for text in texts])
        bias[0] = 1.0
        for token, more in likely.items():
            bias[tokenizer.convert_tokens_to_ids(token)] = more
        head = torch.nn.Linear(32, size)
        head.weight = torch.nn.Parameter(0.15 * lm.lm_head.weight.detach())
        head.bias = torch.nn.Parameter(bias)
        lm.lm_head = head
        return lm

    return make


@pytest.fixture(scope="session")
def byte_tokenizer():
    return _byte_tokenizer()


@pytest.fixture
def engine_for(monkeypatch, byte_tokenizer):
    """Engines on servers, with short pauses and no key; no thread may be left behind."""
    monkeypatch.setattr(connection, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(connection, "_LONGEST_PAUSE", 0.3)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def make(*servers, **settings):
        urls = [server.url for server in servers]
        return ServerEngine(ServerConfig(urls=urls, **settings), byte_tokenizer)

    yield make
    assert not [t.name for t in threading.enumerate() if t.name == "assay-background"]


@pytest.fixture
def eight_bits(monkeypatch):
    """Products in 8 bits, although models as small as these are faster without."""
    way = Way("unsigned activations", 4.04)
    monkeypatch.setattr("assay.generator.engines.hf.fastest_way", lambda *_: way)

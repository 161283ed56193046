"""Tiny random models of six families, a byte tokenizer, and toy problems."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from assay.problems.problem import Problem, Solution
from assay.problems.prompts import PromptConfig, Prompter
from assay.verifier.data import LabelledCandidate, VerifierProblem

FAMILIES = ("llama", "qwen2", "mistral", "gemma", "gpt_neox", "gpt2")
CONFIGS = {
    "llama": LlamaConfig,
    "qwen2": Qwen2Config,
    "mistral": MistralConfig,
    "gemma": GemmaConfig,
    "gpt_neox": GPTNeoXConfig,
}


def tiny_lm(family="llama", vocab=264, width=32, layers=2, seed=0, attention="sdpa"):
    torch.manual_seed(seed)
    if family == "gpt2":
        config = GPT2Config(
            vocab_size=vocab, n_embd=width, n_layer=layers, n_head=2, n_positions=512
        )
    else:
        shape = {
            "vocab_size": vocab,
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_hidden_layers": layers,
            "num_attention_heads": 4,
            "max_position_embeddings": 512,
            "bos_token_id": None,
            "eos_token_id": 0,
            "pad_token_id": 1,
        }
        if family in ("llama", "qwen2", "mistral", "gemma"):
            shape |= {"num_key_value_heads": 2, "head_dim": 8}
        config = CONFIGS[family](**shape)
    lm = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    # Larger weights than at a usual start: outputs that differ where inputs do.
    for parameter in lm.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    return lm.eval()


def byte_tokenizer(*more):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["</s>", "<pad>", *more]
    vocab = {token: i for i, token in enumerate([*specials, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(specials)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>")


@pytest.fixture
def make_lm():
    return tiny_lm


@pytest.fixture
def make_tokenizer():
    return byte_tokenizer


@pytest.fixture
def tokenizer():
    return byte_tokenizer()


@pytest.fixture
def prompter(tokenizer):
    return Prompter(PromptConfig(form="plain"), tokenizer)


@pytest.fixture
def base_folder(tmp_path):
    """A folder with a tiny random language model: 258 tokens, 264 rows."""
    path = tmp_path / "base"
    tiny_lm(width=64).save_pretrained(path)
    byte_tokenizer().save_pretrained(path)
    return path


@pytest.fixture
def toy_data():
    """Two problems; both modes; a repeated candidate; solutions of different lengths."""
    one = Problem(
        id="one",
        question="2 + 3?",
        answer="5",
        solutions=(Solution("cot", "2 + 3 = 5\n#### 5"), Solution("pot", "print(2 + 3)")),
    )
    two = Problem(id="two", question="10 - 4 = ?", answer="6", solutions=(Solution("cot", "6"),))
    return [
        VerifierProblem(
            one,
            [
                LabelledCandidate("one", "cot", "2 + 3 = 5\n#### 5", True),
                LabelledCandidate("one", "cot", "#### 6", False),
                LabelledCandidate("one", "cot", "#### 6", False),
                LabelledCandidate("one", "cot", "it is 5", True),
                LabelledCandidate("one", "pot", "print(5)", True, output="5\n"),
                LabelledCandidate("one", "pot", "x = 1\nprint(x)", False, output="1\n"),
            ],
        ),
        VerifierProblem(
            two,
            [
                LabelledCandidate("two", "cot", "10 - 4 = 6\n#### 6", True),
                LabelledCandidate("two", "cot", "10 + 4 = 14\n#### 14", False),
                LabelledCandidate("two", "pot", "print(10 - 4)", True, output="6\n"),
            ],
        ),
    ]

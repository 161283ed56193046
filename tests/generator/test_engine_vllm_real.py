"""The engine `vllm` on a real vLLM: the embedded model, and SmolLM2-135M for the calculator.

Needs a Python that can import vllm and what Assay needs for sampling ($ASSAY_VLLM_PYTHON, default
this one); for the calculator the folder that `assay fetch smollm2-135m-instruct` makes
($ASSAY_SMOLLM2, default models/smollm2-135m-instruct).
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from scipy import stats

from assay.generator.engines import Completion, Request
from assay.generator.models import EMBEDDED, ModelConfig, load_model, load_tokenizer
from assay.problems.calculator import continue_with

ROOT = Path(__file__).resolve().parents[2]
SMOLLM2 = Path(os.environ.get("ASSAY_SMOLLM2", ROOT / "models" / "smollm2-135m-instruct"))
SAMPLE = """
import json, sys
from dataclasses import asdict
from assay.generator.engines import EngineConfig, Request, SamplingParams, VllmConfig, make_engine
from assay.generator.models import ModelConfig

def main():
    settings = VllmConfig(memory=0.3, max_model_len=512, extra={"enforce_eager": True})
    model = ModelConfig(name=sys.argv[1], dtype="float32")
    engine = make_engine(EngineConfig(name="vllm", vllm=settings), model)
    found = []
    for requests, params in json.load(sys.stdin):
        requests = [Request(**request) for request in requests]
        found.append([asdict(c) for c in engine.sample(requests, SamplingParams(**params))])
    print("FOUND", json.dumps(found), flush=True)

if __name__ == "__main__":
    main()
"""
QUESTIONS = ("Question: Tom has", "Tom has 5 apples. He buys 7 more.")
# Parameters of 3000 first tokens each.
DRAWS = [{}, {"top_k": 7}, {"top_p": 0.8}, {"min_p": 0.03}, {"temperature": 1.5}]
FEW_SHOT = """Question: Ann has 3 bags of 4 pears. How many pears does she have?
Answer: She has 3*4 = <<3*4=12>>12 pears.

Question: Bob had 20 dollars and spent 7. How many dollars has he left?
Answer: He has 20-7 = <<20-7=13>>13 dollars left.

Question: Eve reads 15 pages a day for 6 days. How many pages does she read?
Answer: She reads 15*6 = <<15*6=90>>90 pages.

Question: A box holds 17 pens. How many pens are in 23 boxes?
Answer:"""

pytestmark = pytest.mark.slow


def samples(folder, jobs):
    """The completions of each job, (requests, parameters), from one start of vLLM."""
    python = os.environ.get("ASSAY_VLLM_PYTHON", sys.executable)
    there = subprocess.run([python, "-c", "import vllm"], capture_output=True, check=False)
    if there.returncode:
        pytest.skip("vllm is not installed (set ASSAY_VLLM_PYTHON)")
    asked = [([asdict(request) for request in requests], p) for requests, p in jobs]
    done = subprocess.run(
        [python, "-c", SAMPLE, str(folder)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "VLLM_CPU_KVCACHE_SPACE": "1"},
    )
    told = re.search(r"^FOUND (.*)$", done.stdout, re.MULTILINE)
    assert told, done.stderr[-2000:]
    return [[Completion(**c) for c in found] for found in json.loads(told[1])]


@pytest.fixture(scope="module")
def model():
    config = ModelConfig(name=str(EMBEDDED), dtype="float32", device="cpu")
    return load_model(config), load_tokenizer(config)


def ids_of(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.fixture(scope="module")
def found(model):
    """Completions of the embedded model by name of the job."""
    _, tokenizer = model
    prompts = [ids_of(tokenizer, text) for text in QUESTIONS]

    def asked(count):
        return [Request(ids, count, f"p{i}") for i, ids in enumerate(prompts)]

    plain = {"temperature": 0.7, "max_new_tokens": 48}
    jobs = {
        "plain": (asked(8), plain),
        "wider": (asked(12), plain),
        "stop": (asked(20), plain | {"stop": ["=", " there"]}),
    }
    for i, params in enumerate(DRAWS):
        params = {"temperature": 1.0, "max_new_tokens": 1, "seed": i} | params
        jobs[f"draws {i}"] = ([Request(prompts[0], 3000, "p")], params)
    return dict(zip(jobs, samples(EMBEDDED, list(jobs.values())), strict=True))


def scores_of(lm, prompt, ids):
    """The log-probability of each of the tokens `ids` after the prompt."""
    with torch.inference_mode():
        logits = lm(input_ids=torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits.double(), -1)[range(len(ids)), ids]


def test_texts_ids_and_untempered_log_probabilities(model, found):
    lm, tokenizer = model
    completions = found["plain"]
    assert Counter((c.request, c.sample) for c in completions) == Counter(
        (n, i) for n in (0, 1) for i in range(8)
    )
    assert len({c.text for c in completions}) > 8
    for c in completions:
        assert tokenizer.decode(c.token_ids) == c.text
        ids = c.token_ids + [tokenizer.eos_token_id] * (c.stop == "eos")
        assert c.stop == "eos" or len(ids) == 48
        expected = scores_of(lm, ids_of(tokenizer, QUESTIONS[c.request]), ids).sum()
        assert c.logprob == pytest.approx(float(expected), abs=1e-4)


def test_samples_do_not_depend_on_how_many_are_asked_for(found):
    def texts(name):
        return {(c.request, c.sample): c.text for c in found[name]}

    # Batches of another make-up round differently.
    assert len(texts("plain").items() & texts("wider").items()) >= 14


def test_stop_texts(model, found):
    _, tokenizer = model
    stopped = [c for c in found["stop"] if c.stop == "stop"]
    assert len(stopped) > 20
    for c in found["stop"]:
        assert "=" not in c.text
        assert " there" not in c.text
    for c in stopped:
        assert tokenizer.decode(c.token_ids).startswith(c.text)
        assert not tokenizer.decode(c.token_ids[:-1]).startswith(c.text) or not c.token_ids


def probabilities(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    """What the first token should be drawn from; of the three cuts one at a time."""
    values, tokens = torch.softmax(logits.double() / temperature, -1).sort(descending=True)
    keep = torch.ones_like(values, dtype=torch.bool)
    if top_k:
        keep[top_k:] = False
    keep &= values.cumsum(0) - values < top_p
    keep &= values >= min_p * values[0]
    kept = torch.where(keep, values, 0.0)
    return torch.zeros_like(kept).scatter(0, tokens, kept / kept.sum())


@pytest.mark.parametrize("number", range(len(DRAWS)))
def test_first_tokens_are_drawn_from_the_right_distribution(model, found, number):
    lm, tokenizer = model
    with torch.inference_mode():
        logits = lm(input_ids=torch.tensor([ids_of(tokenizer, QUESTIONS[0])])).logits[0, -1]
    expected = 3000 * probabilities(logits, **DRAWS[number]).numpy()
    drawn = [(c.token_ids or [tokenizer.eos_token_id])[0] for c in found[f"draws {number}"]]
    assert all(expected[token] > 0 for token in drawn)
    often = expected >= 5
    counts = torch.bincount(torch.tensor(drawn), minlength=len(expected)).numpy()
    observed, wanted = list(counts[often]), list(expected[often])
    if expected[~often].sum() > 1:
        observed.append(counts[~often].sum())
        wanted.append(expected[~often].sum())
    scale = sum(observed) / sum(wanted)
    assert stats.chisquare(observed, [w * scale for w in wanted]).pvalue > 1e-4


def test_the_calculator():
    if not (SMOLLM2 / "config.json").is_file():
        pytest.skip(f"no model in {SMOLLM2}: assay fetch smollm2-135m-instruct (or ASSAY_SMOLLM2)")
    config = ModelConfig(name=str(SMOLLM2), dtype="float32", device="cpu")
    lm, tokenizer = load_model(config), load_tokenizer(config)
    request = Request(ids_of(tokenizer, FEW_SHOT), 24, "p", calculator=True)
    params = {"temperature": 0.7, "max_new_tokens": 60, "stop": ["\n\n"]}
    (completions,) = samples(SMOLLM2, [([request], params)])
    results = 0
    for c in completions:
        assert tokenizer.decode(c.token_ids).startswith(c.text)
        written, at = [True] * len(c.text), 0
        while (at := c.text.find("=", at) + 1) > 0:
            result = continue_with(c.text[:at]) or ""
            assert c.text[at : at + len(result)] == result[: len(c.text) - at]
            written[at : at + len(result)] = [False] * len(result)
            results += bool(result)
        if c.stop == "stop":
            continue  # its log-probability counts tokens that are left out
        ids = c.token_ids + [tokenizer.eos_token_id] * (c.stop == "eos")
        told, size = scores_of(lm, request.prompt_ids, ids), 0
        for i, token in enumerate(c.token_ids):
            told[i] *= all(written[size : size + 1])
            size += len(tokenizer.decode([token]))
        assert c.logprob == pytest.approx(float(told.sum()), abs=2e-3)
    assert results > 12

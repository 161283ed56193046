r"""What recording free scores costs: sampling with them and without, side by side.

    python scripts/bench/confidence.py                                    # the embedded base
    python scripts/bench/confidence.py models/smollm2-135m-instruct 64 32 # samples, tokens
    python scripts/bench/confidence.py models/smollm2-135m-instruct 64 32 int8

One prompt, all samples at once, each of exactly so many tokens, one thread; the two ways take turns
and the least CPU time of each counts. Limits: 8 % of the sampling time in float32, 15 % in int8.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

import torch  # noqa: E402

from assay.generator.engines import EngineConfig, Request, SamplingParams  # noqa: E402
from assay.generator.engines.hf import TransformersEngine  # noqa: E402
from assay.generator.models import ModelConfig, load_model, load_tokenizer  # noqa: E402
from scripts.bench.machine import machine  # noqa: E402

LIMITS = {"none": 8, "int8": 15}
REPEATS = 3
PROMPT = "A box holds 24 pencils. How many pencils are in 5 boxes?"


def main(
    model: str = "embedded", samples: str = "256", tokens: str = "64", quantize: str = "none"
) -> None:
    """Prints tokens per second both ways, the cost and its limit."""
    torch.set_num_threads(1)
    print(machine())
    config = ModelConfig(model, dtype="float32", device="cpu")
    tokenizer = load_tokenizer(config)
    settings = EngineConfig(quantize=quantize)
    engine = TransformersEngine(load_model(config), tokenizer, settings, own=True)
    engine._ends = []
    requests = [Request(tokenizer(PROMPT)["input_ids"], int(samples), "p")]
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(REPEATS):
        for confidence, times in seconds.items():
            params = SamplingParams(max_new_tokens=int(tokens), confidence=confidence)
            start = time.process_time()
            written = sum(len(c.token_ids) for c in engine.sample(requests, params))
            times.append(time.process_time() - start)
            assert written == int(samples) * int(tokens)
    without, with_scores = (written / min(times) for times in seconds.values())
    cost = 100 * (without / with_scores - 1)
    print(f"{model}, {samples} samples of {tokens} tokens, quantize={quantize}")
    print(f"without {without:.0f} tokens/s, with free scores {with_scores:.0f} tokens/s")
    print(f"cost {cost:.1f} % (limit {LIMITS[quantize]} %)")


if __name__ == "__main__":
    main(*sys.argv[1:])

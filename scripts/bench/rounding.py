r"""How often the rounding of another batch size changes a token, by two ways to draw one.

    python scripts/bench/rounding.py                                    # the embedded base
    python scripts/bench/rounding.py models/smollm2-135m-instruct       # or any other model

The logits of the same greedy text are taken once with 7 and once with 24 samples in the batch. From
each pair of distributions the chance that the drawn tokens differ is exact: by the inverse of the
cumulative distribution at one number, bit by bit as generator/engines/sampling.py draws,
and at least, whatever the way (their total variation).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[2])

import torch  # noqa: E402

from assay.generator.engines import EngineConfig, Request, SamplingParams, hf  # noqa: E402
from assay.generator.models import ModelConfig  # noqa: E402
from scripts.bench.machine import machine  # noqa: E402

QUESTION = "Question: Tom has 12 apples and buys 30 more. How many apples has he now?\nAnswer:"
TOKENS, BATCHES = 64, (7, 24)


def logits_of(engine: hf.TransformersEngine, batch: int) -> torch.Tensor:
    """The logits of a greedy text, (tokens, vocabulary), computed in a batch of that size."""
    taken: list[torch.Tensor] = []

    def keep(logits: torch.Tensor, *others: Any) -> Any:
        taken.append(logits[0].clone())
        return choose(logits, *others)

    choose, hf.choose = hf.choose, keep
    try:
        ids = engine.tokenizer(QUESTION)["input_ids"]
        params = SamplingParams(temperature=0, max_new_tokens=TOKENS)
        list(engine.sample([Request(ids, batch, "p")], params))
    finally:
        hf.choose = choose
    return torch.stack(taken)


def by_inverse(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The chance that one number falls on different tokens, for each row."""
    ends_p, ends_q = p.cumsum(1), q.cumsum(1)
    high = torch.minimum(ends_p, ends_q)
    low = torch.maximum(ends_p - p, ends_q - q)
    return (1 - (high - low).clamp(min=0).sum(1)).clamp(min=0)


def by_bits(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """At most this: the chance that one of the bits falls differently, for each row."""
    chance = torch.zeros(len(p), dtype=torch.float64)
    size = 1 << (p.shape[1] - 1).bit_length()
    p, q = (torch.nn.functional.pad(x, (0, size - x.shape[1])) for x in (p, q))
    while size > 1:
        size //= 2
        whole_p, whole_q = p[:, :size] + p[:, size:], q[:, :size] + q[:, size:]
        zero_p, zero_q = p[:, :size] / whole_p, q[:, :size] / whole_q
        chance += ((zero_p - zero_q).abs().nan_to_num() * whole_p).sum(1)
        p, q = whole_p, whole_q
    return chance


def main(name: str = "embedded") -> None:
    """Prints the chances that a token differs."""
    torch.set_num_threads(1)
    print(machine())
    engine = hf.TransformersEngine.load(EngineConfig(), ModelConfig(name=name))
    one, other = (logits_of(engine, batch) for batch in BATCHES)
    size = min(len(one), len(other))
    one, other = one[:size], other[:size]
    print(f"{name}: {size} tokens, logits differ by at most {float((one - other).abs().max()):.1e}")
    print(f"{'temperature':<14}{'inverse of the sum':>20}{'bit by bit':>14}{'least':>12}")
    for temperature in (1.0, 0.7):
        p, q = (torch.softmax(x.double() / temperature, 1) for x in (one, other))
        least = float((p - q).abs().sum(1).mean() / 2)
        found = float(by_inverse(p, q).mean()), float(by_bits(p, q).mean())
        print(f"{temperature:<14}{found[0]:>20.1e}{found[1]:>14.1e}{least:>12.1e}")


if __name__ == "__main__":
    main(*sys.argv[1:])

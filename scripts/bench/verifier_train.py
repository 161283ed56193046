r"""Training a verifier on packs beside the literal recipe: the same samples, model and steps.

    python scripts/bench/verifier_train.py [model=embedded,d384] [threads=1] [repeats=3]
        [samples=100] [pack_tokens=1536] [micro_batch_tokens=2048] [device=cpu] [dtype=float32]

One problem a run: a question of about 100 tokens and 100 solutions of about 150 (log-normal, as
they are sampled). The literal recipe gives each sample a padded row of its own and as many rows to
its reference (`assay.verifier.packing.padded_batch`); rows of like length share a micro-batch, and
vocabulary logits are computed for references alone, so that it is as fast as it can be. Both sides
do whole training steps, AdamW and clipping included. Repeats are interleaved; medians are printed.

Models: `embedded`, the base that comes with Assay (2.4M parameters); `d384`, where matrix
products weigh more (width 384, 8 layers, vocabulary 32 000, 26M parameters); `d2048`, for GPUs
(width 2048, 16 layers, 0.9G parameters). The limit is the time of the matrix products that a side
cannot do without (3 times those of the forward pass, causal attention without padding), at the rate
measured in the same run on products of the MLP's shape. Memory is measured in a process for each
side: the peak of its resident set (Linux; on a GPU, of PyTorch's allocations) above what it held
before its first step. With one thread on a CPU the clock is the process's CPU time, so that other
processes do not count; else it is the wall clock.
"""

from __future__ import annotations

import functools
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# In the place of this folder.
sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np  # noqa: E402
import torch  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

from assay.generator.models import ModelConfig, load_model  # noqa: E402
from assay.verifier.config import VerifierSettings  # noqa: E402
from assay.verifier.data import Group, Ids, Sampled  # noqa: E402
from assay.verifier.model import Verifier  # noqa: E402
from assay.verifier.packing import (  # noqa: E402
    Batch,
    Pack,
    joint_steps,
    micro_batches,
    packed_batch,
    padded_batch,
)
from scripts.bench.machine import machine  # noqa: E402

DEFAULTS = {
    "model": "embedded,d384",
    "threads": "1",
    "repeats": "3",
    "samples": "100",
    "pack_tokens": "1536",
    "micro_batch_tokens": "2048",
    "device": "cpu",
    "dtype": "float32",
    "memory": "",
}
BATCH_TOKENS = 32_000  # of a step, as the literal recipe counts them (Cobbe et al. 2021)
SHAPES = {"d384": (384, 1024, 8, 6), "d2048": (2048, 5632, 16, 16)}  # width, MLP, layers, heads
Step = list[Batch]


def verifier_of(name: str, given: dict[str, str]) -> Verifier:
    """A verifier with random head, on random weights but for `embedded`."""
    torch.manual_seed(0)
    if name == "embedded":
        lm = load_model(ModelConfig(dtype="float32", device="cpu"))
    else:
        width, inner, layers, heads = SHAPES[name]
        config = LlamaConfig(
            vocab_size=32_000,
            hidden_size=width,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
        )
        lm = LlamaForCausalLM(config)
    verifier = Verifier(lm, VerifierSettings("<|verifier|>", lm.config.vocab_size - 1))
    return verifier.to(given["device"]).train()


def problem(samples: int, vocabulary: int) -> Group:
    """A question of 100 tokens with solutions of 150 on average, four fifths from 95 to 230."""
    rng = np.random.default_rng(0)
    spread = 0.35
    lengths = rng.lognormal(np.log(150) - spread**2 / 2, spread, samples + 1).round().astype(int)

    def ids(length: int) -> Ids:
        return rng.integers(2, vocabulary - 1, length)

    sampled = tuple(Sampled(ids(n), bool(rng.integers(2)), 1) for n in lengths[1:])
    return Group("0", "cot", ids(100), sampled, (ids(lengths[0]),))


def packed_step(packs: Sequence[Pack], tokens: int) -> Step:
    """One step as it is trained."""
    return [packed_batch(part, "token") for part in micro_batches(packs, tokens)]


def literal_step(packs: Sequence[Pack], tokens: int) -> Step:
    """One step of the literal recipe, rows of like length together."""
    sampled = sorted((s for pack in packs for s in pack.sampled), key=lambda s: len(s.ids))
    prompt, references = packs[0].prompt, packs[0].references
    batches: Step = []
    while sampled:
        # Each sample has two rows.
        length = len(prompt) + max(len(sampled[-1].ids), *map(len, references))
        count = max(1, tokens // (2 * length))
        batches.append(padded_batch([Pack(prompt, tuple(sampled[-count:]), references)], "token"))
        del sampled[-count:]
    return batches


class Side:
    """One way to train: seconds of its repeats, and the losses of the first steps."""

    def __init__(self, verifier: Verifier, steps: Sequence[Step], given: dict[str, str]) -> None:
        self.verifier, self.steps = verifier, steps
        self.device = torch.device(given["device"])
        self.bfloat16 = given["dtype"] == "bfloat16"
        # A rate at which the weights, and so the losses, stay where they are.
        self.optimizer = torch.optim.AdamW(verifier.parameters(), lr=1e-12, fused=True)
        self.seconds: list[float] = []

    def train(self) -> list[float]:
        """All steps; returns the last one's value loss, language loss and gradient norm."""
        measures = []
        for step in self.steps:
            value_tokens = float(sum(batch.value_weight.sum() for batch in step))
            language_tokens = float(sum(batch.language_weight.sum() for batch in step))
            losses = torch.zeros(2, device=self.device)
            for batch in step:
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
                    sums = self.verifier(batch.to(self.device))
                parts = torch.stack([sums.value / value_tokens, sums.language / language_tokens])
                parts.sum().backward()
                losses += parts.detach()
            norm = torch.nn.utils.clip_grad_norm_(self.verifier.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            measures = [*losses.tolist(), float(norm)]
        return measures

    def measure(self) -> None:
        """One repeat."""
        self.seconds.append(timed(self.train, self.device))


def timed(work: Callable[[], Any], device: torch.device) -> float:
    """Seconds of a piece of work, until the device is done."""
    cuda = device.type == "cuda"
    clock = time.perf_counter if cuda or torch.get_num_threads() > 1 else time.process_time
    if cuda:
        torch.cuda.synchronize(device)
    begin = clock()
    work()
    if cuda:
        torch.cuda.synchronize(device)
    return clock() - begin


def matmul_rate(verifier: Verifier, tokens: int, bfloat16: bool) -> float:
    """FLOP/s of one product of a micro-batch's hidden states with a matrix of the MLP."""
    config, device = verifier.lm.config, verifier.device
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    x = torch.randn(tokens, config.hidden_size, device=device, dtype=dtype)
    w = torch.randn(config.hidden_size, config.intermediate_size, device=device, dtype=dtype)
    flop = 2 * tokens * w.numel()
    count = max(3, int(2e9 // flop))
    return count * flop / timed(lambda: [x @ w for _ in range(count)], device)


def flop_of(verifier: Verifier, packs: Sequence[Pack], literal: bool) -> float:
    """Of the products that a step over these packs, or their rows, cannot do without."""
    config = verifier.lm.config
    matrices = sum(
        p.numel() for n, p in verifier.lm.get_decoder().named_parameters()
        if p.ndim > 1 and "embed" not in n
    )  # fmt: skip
    attention = config.num_attention_heads * (
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    tokens = pairs = predicted = 0
    for pack in packs:
        question = len(pack.prompt)
        own = [len(s.ids) for s in pack.sampled]
        read = [len(r) - 1 for r in pack.references]
        if literal:
            read = read * len(own)
        rows = own + read
        questions = len(rows) if literal else 1
        tokens += questions * question + sum(rows)
        pairs += questions * question * (question + 1) // 2
        pairs += sum(n * question + n * (n + 1) // 2 for n in rows)
        predicted += sum(n + 1 for n in read)
    forward = 2 * tokens * matrices + 4 * pairs * attention * config.num_hidden_layers
    return 3 * (forward + 2 * predicted * config.hidden_size * config.vocab_size)


def memory_mib(device: torch.device, peak: bool) -> float:
    """What is held, or the most that was held since the last such call without `peak`."""
    if device.type == "cuda":
        if not peak:
            torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.max_memory_allocated(device) / 2**20
    if not peak:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return int(fields["VmHWM" if peak else "VmRSS"].split()[0]) / 1024


def sides_of(
    name: str, given: dict[str, str]
) -> tuple[Verifier, list[list[Pack]], dict[str, Side]]:
    """The model, the steps, and both ways to do them."""
    verifier = verifier_of(name, given)
    group = problem(int(given["samples"]), verifier.lm.config.vocab_size)
    steps = joint_steps(
        [group],
        pack_tokens=int(given["pack_tokens"]),
        batch_tokens=BATCH_TOKENS,
        rng=np.random.default_rng(0),
    )
    tokens = int(given["micro_batch_tokens"])
    made = {"literal": literal_step, "packs": packed_step}
    return (
        verifier,
        steps,
        {
            side: Side(verifier, [make(packs, tokens) for packs in steps], given)
            for side, make in made.items()
        },
    )


def peak(name: str, given: dict[str, str]) -> float:
    """MiB that training takes at its peak above what was held before (in a fresh process)."""
    device = torch.device(given["device"])
    _, _, sides = sides_of(name, given)
    before = memory_mib(device, peak=False)
    sides[given["memory"]].train()
    return memory_mib(device, peak=True) - before


def peak_elsewhere(name: str, side: str, given: dict[str, str]) -> float:
    """`peak` in a process of its own."""
    words = [f"{k}={v}" for k, v in {**given, "model": name, "memory": side}.items()]
    done = subprocess.run(
        [sys.executable, __file__, *words], capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def compare(name: str, given: dict[str, str]) -> None:
    """Prints one model's table."""
    verifier, steps, sides = sides_of(name, given)
    packs = [pack for step in steps for pack in step]
    measures = {side: way.train() for side, way in sides.items()}
    tolerance = 0.02 if given["dtype"] == "bfloat16" else 1e-4
    for what, ours, theirs in zip(("value", "language", "norm"), *measures.values(), strict=True):
        if abs(ours - theirs) > tolerance * max(1.0, abs(theirs)):
            sys.exit(f"{name}: {what} differs: {measures}")
    rates = []
    rate = functools.partial(
        matmul_rate, verifier, int(given["micro_batch_tokens"]), given["dtype"] == "bfloat16"
    )
    for _ in range(int(given["repeats"])):
        for way in sides.values():
            rates.append(rate())
            way.measure()
    seconds = {side: statistics.median(way.seconds) for side, way in sides.items()}
    flop = {side: flop_of(verifier, packs, side == "literal") for side in sides}
    speed = statistics.median(rates)
    million = sum(p.numel() for p in verifier.parameters()) / 1e6
    print(f"\n{name}: {million:.1f}M parameters, products at {speed / 1e9:.0f} GFLOP/s, "
          f"{given['threads']} threads; a problem has {given['samples']} samples")  # fmt: skip
    print(f"  losses and gradient norm: {measures['literal']} and {measures['packs']}")
    print(f"{'':10}{'problems/s':>11}{'seconds':>9}{'(each)':>20}{'TFLOP':>8}{'limit s':>9}"
          f"{'of limit':>9}{'peak MiB':>10}")  # fmt: skip
    for side, way in sides.items():
        limit = flop[side] / speed
        each = " ".join(f"{s:.2f}" for s in way.seconds)
        print(
            f"  {side:8}{1 / seconds[side]:11.3f}{seconds[side]:9.2f}{each:>20}"
            f"{flop[side] / 1e12:8.2f}{limit:9.2f}{limit / seconds[side]:9.0%}"
            f"{peak_elsewhere(name, side, given):10.0f}"
        )
    print(
        f"  packs are {seconds['literal'] / seconds['packs']:.2f} times as fast; "
        f"the products alone would be {flop['literal'] / flop['packs']:.2f} times as fast"
    )


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    if unknown := set(given) - set(DEFAULTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(DEFAULTS)}")
    given = {**DEFAULTS, **given}
    torch.set_num_threads(int(given["threads"]))
    if not given["memory"]:  # the number alone is read by the process that asked for it
        print(machine())
    for name in given["model"].split(","):
        if name != "embedded" and name not in SHAPES:
            sys.exit(f"model={name}: expected embedded, {', '.join(SHAPES)}")
        if given["memory"]:
            print(peak(name, given))
        else:
            compare(name, given)


if __name__ == "__main__":
    main()

r"""Fine-tuning a generator on packed rows beside padded batches: the same solutions, model, steps.

    python scripts/bench/train.py [model=embedded,d384] [data=data/gsm8k] [threads=1] [repeats=3]
        [steps=4] [batch=32] [rows=8] [device=cpu] [dtype=float32] [pack_tokens=1024]
        [micro_batch_tokens=0] [rank=0] [seed=0]

The solutions are GSM8K's, in words and as derived programs, in a random order; `batch` of them make
an optimizer step. Where `data` does not hold `train.jsonl`, they are random tokens of lengths with
the quantiles of GSM8K's.

`padded` is what Transformers' Trainer does as it stands: `rows` solutions in a micro-batch in the
order in which they come, padded to the longest of them, logits of the whole vocabulary at every
position. `padded, answers' logits` is the same with logits at the responses alone, so that what
padding costs can be told from what logits cost. `packed` is what Assay does
(`generator/documents.py`): rows of `pack_tokens` laid end to end, attention within each solution,
logits at the responses alone, `micro_batch_tokens` tokens at a time (0 = as training chooses them).

All three do whole steps, AdamW and clipping included, with the loss as a mean over the step's
response tokens; losses and gradient norms are compared before anything is timed. Repeats are
interleaved, medians are printed. Tokens are those of the solutions and their questions, padding not
counted. The limit is the time of the matrix products that cannot be spared (3 times those of the
forward pass: causal attention within solutions, logits of responses) at the rate of a product of
the MLP's shape, measured between the repeats. With one thread on a CPU the clock is the process's
CPU time, so that other processes do not count; else it is the wall clock.

With a `rank`, adapters of it are trained instead of all weights; the limit is still that of the
latter, of which the products of a third of the time are spared.

Models: `embedded`, the base that comes with Assay (2.4M parameters); `d384` and `smollm2`, shapes
with random weights (26M; 135M, SmolLM2's); or a folder of a Hugging Face model.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# In the place of this folder.
sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np  # noqa: E402
import torch  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

from assay.generator.batches import model_tokens_at_once  # noqa: E402
from assay.generator.documents import collate, within_documents  # noqa: E402
from assay.generator.lora import LoraConfig, add_adapters  # noqa: E402
from assay.generator.models import ModelConfig, load_model, load_tokenizer  # noqa: E402
from assay.generator.packing import IGNORED, pack  # noqa: E402
from assay.generator.rationales import Example, RationalesConfig, build_examples  # noqa: E402
from assay.problems.prompts import PromptConfig, Prompter  # noqa: E402
from assay.problems.sets import ProblemsConfig, load_problems  # noqa: E402
from scripts.bench.machine import machine  # noqa: E402
from scripts.bench.verifier_train import timed  # noqa: E402

DEFAULTS = {
    "model": "embedded,d384",
    "data": "data/gsm8k",
    "threads": "1",
    "repeats": "3",
    "steps": "4",
    "batch": "32",
    "rows": "8",
    "device": "cpu",
    "dtype": "float32",
    "pack_tokens": "1024",
    "micro_batch_tokens": "0",
    "rank": "0",
    "seed": "0",
}
# Width, MLP, layers, heads, key heads, vocabulary.
SHAPES = {
    "d384": (384, 1024, 8, 6, 6, 32_000),
    "smollm2": (576, 1536, 30, 9, 3, 49_152),
}
# Of the first 3000 problems of GSM8K, annotations kept, tokens of SmolLM2: every tenth part's end.
PROMPT = (17, 43, 49, 54, 59, 64, 68, 74, 82, 96, 205)
RESPONSE = (16, 28, 36, 43, 52, 64, 81, 101, 127, 163, 455)

Batch = dict[str, Any]
Step = list[Batch]


def load(name: str, given: dict[str, str]) -> Any:
    """The model in training mode, weights in float32; with adapters where a rank is given."""
    model = _whole(name, given)
    if int(given["rank"]):
        add_adapters(model, LoraConfig(rank=int(given["rank"])), int(given["seed"]))
    return model


def _whole(name: str, given: dict[str, str]) -> Any:
    torch.manual_seed(int(given["seed"]))
    if name not in SHAPES:
        model = load_model(ModelConfig(name=name, dtype="float32", device=given["device"]))
        return model.train()
    width, inner, layers, heads, key_heads, vocabulary = SHAPES[name]
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).to(given["device"]).train()


def solutions(name: str, vocabulary: int, given: dict[str, str]) -> list[list[Example]]:
    """The solutions of each step."""
    count, batch = int(given["steps"]), int(given["batch"])
    if (Path(given["data"]) / "train.jsonl").is_file():
        tokenizer = load_tokenizer(ModelConfig("embedded" if name in SHAPES else name))
        prompter = Prompter(PromptConfig(form="plain"), tokenizer)
        # About 1.97 solutions of each problem can be used.
        wanted = ProblemsConfig("gsm8k", given["data"], limit=count * batch, shuffle=True)
        examples = build_examples(load_problems(wanted), prompter, RationalesConfig())
    else:
        examples = drawn(count * batch, vocabulary, int(given["seed"]))
    random.Random(int(given["seed"])).shuffle(examples)
    examples = [e for e in examples if len(e) <= int(given["pack_tokens"])]
    return [examples[i * batch : (i + 1) * batch] for i in range(count)]


def drawn(count: int, vocabulary: int, seed: int) -> list[Example]:
    """Random tokens, of lengths with the quantiles of GSM8K's."""
    rng = np.random.default_rng(seed)
    tenths = np.linspace(0, 1, 11)

    def ids(quantiles: Sequence[int]) -> list[int]:
        length = int(np.interp(rng.random(), tenths, quantiles).round())
        return [int(i) for i in rng.integers(2, vocabulary - 1, length)]

    return [Example(ids(PROMPT), ids(RESPONSE), str(i), "cot") for i in range(count)]


def packed_step(examples: Sequence[Example], model: Any, given: dict[str, str]) -> Step:
    """One step as it is trained."""
    length = int(given["pack_tokens"])
    most = int(given["micro_batch_tokens"]) or model_tokens_at_once(model)
    rows, at_once = pack(examples, length), max(1, most // length)
    return [collate(rows[i : i + at_once]) for i in range(0, len(rows), at_once)]


def padded_step(examples: Sequence[Example], rows: int) -> Step:
    """One step of padded rows."""
    batches: Step = []
    for i in range(0, len(examples), rows):
        part = examples[i : i + rows]
        shape = len(part), max(map(len, part))
        batch = {
            "input_ids": torch.zeros(shape, dtype=torch.long),
            "attention_mask": torch.zeros(shape, dtype=torch.long),
            "labels": torch.full(shape, IGNORED),
        }
        for row, e in enumerate(part):
            batch["input_ids"][row, : len(e)] = torch.tensor(e.prompt_ids + e.response_ids)
            batch["attention_mask"][row, : len(e)] = 1
            batch["labels"][row, len(e.prompt_ids) : len(e)] = torch.tensor(e.response_ids)
        batches.append(batch)
    return batches


def packed_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Summed over the response tokens, as `GeneratorTrainer.compute_loss` does it."""
    inputs = dict(batch)
    labels = inputs.pop("labels")[0, 1:]
    at = (labels != IGNORED).nonzero()[:, 0]
    logits = model(**inputs, logits_to_keep=at, use_cache=False).logits[0]
    return torch.nn.functional.cross_entropy(logits.float(), labels[at], reduction="sum")


def padded_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Summed over the response tokens, as Transformers' models compute it from labels."""
    return model(**batch, use_cache=False, num_items_in_batch=1).loss


def sparse_loss(model: Any, batch: Batch) -> torch.Tensor:
    """The same, with logits at the responses alone."""
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    hidden = model.get_decoder()(**inputs, use_cache=False).last_hidden_state[:, :-1]
    labels = batch["labels"][:, 1:]
    at = labels != IGNORED
    logits = model.get_output_embeddings()(hidden[at])
    return torch.nn.functional.cross_entropy(logits.float(), labels[at], reduction="sum")


Loss = Callable[[Any, Batch], torch.Tensor]


class Side:
    """One way to train: its batches, its loss, seconds of its repeats."""

    def __init__(
        self, model: Any, steps: Sequence[Step], loss: Loss, given: dict[str, str]
    ) -> None:
        self.model, self.loss, self.steps = model, loss, steps
        self.device = torch.device(given["device"])
        self.bfloat16 = given["dtype"] == "bfloat16"
        # A rate at which the weights, and so the losses, stay where they are.
        trained = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=1e-12, fused=True)
        self.seconds: list[float] = []

    def train(self) -> list[float]:
        """All steps; returns the last one's loss and gradient norm."""
        measures = []
        for step in self.steps:
            answered = sum(int((batch["labels"][:, 1:] != IGNORED).sum()) for batch in step)
            total = torch.zeros((), device=self.device)
            for batch in step:
                on_device = {
                    k: v.to(self.device) if torch.is_tensor(v) else v for k, v in batch.items()
                }
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
                    loss = self.loss(self.model, on_device) / answered
                loss.backward()
                total += loss.detach()
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            measures = [float(total), float(norm)]
        return measures

    def measure(self) -> None:
        """One repeat."""
        self.seconds.append(timed(self.train, self.device))


class Packed(Side):
    """Within documents."""

    def train(self) -> list[float]:
        """All steps."""
        with within_documents(self.model):
            return super().train()


def product_rate(model: Any, tokens: int, given: dict[str, str]) -> float:
    """FLOP/s of one product of so many hidden states with a matrix of the MLP."""
    config, dtype = model.config, getattr(torch, given["dtype"])
    x = torch.randn(tokens, config.hidden_size, device=given["device"], dtype=dtype)
    w = torch.randn(config.hidden_size, config.intermediate_size, device=x.device, dtype=dtype)
    flop = 2 * tokens * w.numel()
    least = 2e12 if x.is_cuda else 2e9
    count = max(3, int(least // flop))
    return count * flop / timed(lambda: [x @ w for _ in range(count)], x.device)


def flop_of(model: Any, examples: Sequence[Example]) -> float:
    """Of the products that training on these cannot do without."""
    config = model.config
    matrices = sum(
        p.numel() for n, p in model.get_decoder().named_parameters()
        if p.ndim > 1 and "embed" not in n
    )  # fmt: skip
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    attention = config.num_attention_heads * size * config.num_hidden_layers
    tokens = sum(map(len, examples))
    pairs = sum(len(e) * (len(e) + 1) // 2 for e in examples)
    answered = sum(len(e.response_ids) for e in examples)
    forward = 2 * tokens * matrices + 4 * pairs * attention
    return 3 * (forward + 2 * answered * config.hidden_size * config.vocab_size)


def sides_of(model: Any, steps: Sequence[list[Example]], given: dict[str, str]) -> dict[str, Side]:
    """The three ways to do the steps."""
    padded = [padded_step(examples, int(given["rows"])) for examples in steps]
    packed = [packed_step(examples, model, given) for examples in steps]
    return {
        "padded": Side(model, padded, padded_loss, given),
        "padded, answers' logits": Side(model, padded, sparse_loss, given),
        "packed": Packed(model, packed, packed_loss, given),
    }


def compare(name: str, given: dict[str, str]) -> None:
    """Prints one model's table."""
    model = load(name, given)
    steps = solutions(name, model.config.vocab_size, given)
    sides = sides_of(model, steps, given)
    measures = {side: way.train() for side, way in sides.items()}
    tolerance = 0.02 if given["dtype"] == "bfloat16" else 1e-4
    for side, found in measures.items():
        for what, ours, theirs in zip(("loss", "norm"), measures["packed"], found, strict=True):
            if abs(ours - theirs) > tolerance * max(1.0, abs(theirs)):
                sys.exit(f"{name}: {what} of {side!r} differs: {measures}")
    at_once = max(batch["input_ids"].numel() for step in sides["packed"].steps for batch in step)
    rates = []
    for _ in range(int(given["repeats"])):
        for way in sides.values():
            rates.append(product_rate(model, at_once, given))
            way.measure()
    _print(name, model, steps, sides, measures["packed"], statistics.median(rates), given)


def _print(
    name: str,
    model: Any,
    steps: Sequence[list[Example]],
    sides: dict[str, Side],
    measures: Sequence[float],
    rate: float,
    given: dict[str, str],
) -> None:
    examples = [e for step in steps for e in step]
    tokens = sum(map(len, examples))
    read = sum(b["input_ids"].numel() for step in sides["padded"].steps for b in step)
    limit = flop_of(model, examples) / rate
    seconds = {side: statistics.median(way.seconds) for side, way in sides.items()}
    million = sum(p.numel() for p in model.parameters()) / 1e6
    real = (Path(given["data"]) / "train.jsonl").is_file()
    print(f"\n{name}: {million:.1f}M parameters, products at {rate / 1e9:.0f} GFLOP/s, "
          f"{given['threads']} threads, {given['device']}, {given['dtype']}")  # fmt: skip
    print(f"  {len(steps)} steps of {given['batch']} solutions "
          f"({'GSM8K' if real else 'random tokens'}), {tokens / len(examples):.0f} tokens each; "
          f"{1 - tokens / read:.0%} of the padded batches is padding")  # fmt: skip
    print(f"  loss and gradient norm of the last step: {measures[0]:.5f} and {measures[1]:.4f}")
    print(f"{'':26}{'tokens/s':>10}{'seconds':>9}{'(each)':>20}{'ratio':>7}{'of limit':>10}")
    for side, way in sides.items():
        each = " ".join(f"{s:.2f}" for s in way.seconds)
        ratio = seconds["padded"] / seconds[side]
        print(f"  {side:24}{tokens / seconds[side]:10.0f}{seconds[side]:9.2f}{each:>20}"
              f"{ratio:7.2f}{limit / seconds[side]:10.0%}")  # fmt: skip


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    if unknown := set(given) - set(DEFAULTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(DEFAULTS)}")
    given = {**DEFAULTS, **given}
    torch.set_num_threads(int(given["threads"]))
    print(machine())
    for name in given["model"].split(","):
        compare(name, given)


if __name__ == "__main__":
    main()

"""Pre-train the embedded tiny model by curriculum, on the corpus, within a time budget.

Short problems first (copying and one sum), longer ones when those are mastered; the loss is on the
response only; batches hold examples of one length. Muon for the hidden matrices, AdamW for the
rest; the rate is constant, then falls to zero over the last fifth of the budget. Checkpoints are
resumable; the current model is exported now and then, atomically, beside its tokenizer.

    python scripts/pretrain_tiny/train.py --out generator/embedded --work /tmp/pretrain --minutes 69
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from corpus import Example, final_answer, sample
from tokenizers import Tokenizer
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

LENGTHS = (48, 64, 96, 128, 192, 256)
BATCH_TOKENS = 6144
STAGES = 3
MASTERED = {1: 0.90, 2: 0.80}
Batch = tuple[torch.Tensor, torch.Tensor]


def new_model(tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """2.35M parameters: 6 layers of width 160, five heads of 32, tied embeddings."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=160,
        intermediate_size=432,
        num_hidden_layers=6,
        num_attention_heads=5,
        num_key_value_heads=5,
        head_dim=32,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def batches(
    rng: random.Random, stage: list[int], tokenizer: Tokenizer, end: int
) -> Iterator[Batch]:
    """Endless batches of one padded length each: ids (rows, length) and a response mask likewise.

    `stage[0]` is read anew for every example.
    """
    buckets: dict[int, list[tuple[list[int], int]]] = defaultdict(list)
    while True:
        example = sample(rng, stage[0])
        prompt = tokenizer.encode(example.prompt).ids
        ids = [*prompt, *tokenizer.encode(example.response).ids, end]
        length = next((n for n in LENGTHS if n >= len(ids)), None)
        if length is None:
            continue
        bucket = buckets[length]
        bucket.append((ids, len(prompt)))
        if len(bucket) == BATCH_TOKENS // length:
            rows = torch.zeros(len(bucket), length, dtype=torch.long)
            mask = torch.zeros(len(bucket), length, dtype=torch.bool)
            for row, (ids, start) in enumerate(bucket):
                rows[row, : len(ids)] = torch.tensor(ids)
                mask[row, start : len(ids)] = True
            bucket.clear()
            yield rows, mask


def solve(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, examples: list[Example]
) -> list[str]:
    """Greedy responses."""
    tokenizer.padding_side = "left"
    prompts = tokenizer([e.prompt for e in examples], return_tensors="pt", padding=True)
    with torch.no_grad():
        ids = model.generate(**prompts, max_new_tokens=140, do_sample=False)
    return tokenizer.batch_decode(ids[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True)


def accuracy(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    stage: int,
    rng: random.Random,
    n: int = 64,
) -> tuple[dict[str, float], str]:
    """Share of fresh problems of this very stage solved greedily, by mode; and a line by family."""
    examples: list[Example] = []
    while len(examples) < n:
        examples.append(sample(rng, stage, only=True))
    right: dict[str, list[bool]] = defaultdict(list)
    for example, response in zip(examples, solve(model, tokenizer, examples), strict=True):
        correct = final_answer(example.mode, response) == example.answer
        right[example.mode].append(correct)
        right[f"{example.family}/{example.mode}"].append(correct)
    shares = {key: sum(hits) / len(hits) for key, hits in right.items()}
    line = " ".join(f"{k}={v:.2f}" for k, v in sorted(shares.items()) if "/" in k)
    return shares, line


def mode_line(shares: dict[str, float]) -> str:
    return f"cot {shares['cot']:.2f} pot {shares['pot']:.2f}"


def export(model: LlamaForCausalLM, out: Path) -> None:
    """Write the weights in bf16, whole or not at all."""
    beside = out.parent / f".{out.name}.new"
    clone = LlamaForCausalLM(model.config)
    clone.load_state_dict(model.state_dict())
    clone.generation_config = model.generation_config
    clone.bfloat16().save_pretrained(beside)
    for file in beside.iterdir():
        file.chmod(0o644)
        os.replace(file, out / file.name)
    beside.rmdir()


def main() -> None:
    parser = argparse.ArgumentParser(description="Pre-train the embedded tiny model.")
    parser.add_argument("--out", type=Path, required=True, help="model folder; holds the tokenizer")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and log")
    parser.add_argument(
        "--minutes", type=float, default=69.0, help="whole budget, resumptions included"
    )
    parser.add_argument(
        "--stage", type=int, default=0, help="start at this stage of the curriculum"
    )
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    torch._dynamo.config.recompile_limit = 64
    args.work.mkdir(parents=True, exist_ok=True)

    tokenizer = AutoTokenizer.from_pretrained(args.out)
    model = new_model(tokenizer)
    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(hidden, lr=args.rate, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=args.rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    seconds, steps, tokens, stage = 0.0, 0, 0, [1]
    checkpoint = args.work / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        seconds, steps, tokens, stage = state["clock"]
    if args.stage:
        stage[0] = args.stage

    log = (args.work / "log.txt").open("a", buffering=1)
    stream = batches(
        random.Random(args.seed + steps), stage, tokenizer.backend_tokenizer, tokenizer.eos_token_id
    )
    body = torch.compile(model.model, dynamic=False)
    budget = args.minutes * 60
    started = time.monotonic() - seconds
    evaluated = exported = saved = seconds
    mean_loss = 0.0
    while (seconds := time.monotonic() - started) < budget:
        factor = min(1.0, (steps + 1) / 50, (1 - seconds / budget) / 0.2)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = args.rate * factor
        ids, mask = next(stream)
        states = body(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
        loss = F.cross_entropy(model.lm_head(states[mask[:, 1:]]), ids[:, 1:][mask[:, 1:]])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        steps += 1
        tokens += ids.numel()
        mean_loss = loss.item() if steps == 1 else 0.98 * mean_loss + 0.02 * loss.item()
        if steps % 50 == 0:
            print(
                f"step {steps} stage {stage[0]} tokens {tokens / 1e6:.2f}M seconds {seconds:.0f} "
                f"loss {mean_loss:.4f}",
                file=log,
            )

        if seconds - evaluated > 420:
            evaluated = seconds
            model.eval()
            shares, line = accuracy(model, tokenizer, stage[0], random.Random(steps))
            print(f"  stage {stage[0]}: {mode_line(shares)} | {line}", file=log)
            model.train()
            if stage[0] < STAGES and shares["pot"] >= MASTERED[stage[0]]:
                stage[0] += 1
        if seconds - saved > 120:
            saved = seconds
            torch.save(
                {
                    "model": model.state_dict(),
                    "optimizers": [o.state_dict() for o in optimizers],
                    "clock": (seconds, steps, tokens, stage),
                },
                checkpoint.with_suffix(".new"),
            )
            os.replace(checkpoint.with_suffix(".new"), checkpoint)
        if seconds - exported > 720 or (exported == 0 and seconds > 240):
            exported = seconds
            export(model, args.out)
    model.eval()
    for at in range(1, STAGES + 1):
        shares, line = accuracy(model, tokenizer, at, random.Random(-1), n=200)
        print(
            f"  final stage {at}: {mode_line(shares)} | {line}",
            file=log,
        )
    export(model, args.out)
    print(f"done: {steps} steps, {tokens} tokens, {seconds:.0f} s -> {args.out}", file=log)


if __name__ == "__main__":
    main()

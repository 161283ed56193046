r"""Scoring the candidates of a question, beside padded batches with vocabulary logits, in one run.

    python scripts/bench/verifier_score.py                      # the embedded base
    python scripts/bench/verifier_score.py model=d384           # 384 × 8 layers, 32,000 tokens
    python scripts/bench/verifier_score.py model=PATH_OR_HUB_ID run=RUN
    python scripts/bench/verifier_score.py candidates=100 question=120 solution=150 repeats=5 \
        threads=1 rows=[4,8,16] batch_tokens=1024 seed=0 device=cpu dtype=float32

`model` is `embedded`, `d384` or `tiny` (Llamas with random weights), or the name of a language
model or verifier. The candidates are random tokens, of log-normal lengths, of which no two begin
alike; with `run` they are those of the problem and mode of that run that has most different ones.

What peers do: each candidate behind its question in a padded row, so many `rows` at once in the
order in which they come, logits of the whole vocabulary, one of them read. To be fair also
the same without logits, and with rows sorted by length besides.

Printed: candidates per second (median of the repeats, which are interleaved), the ratio to the best
of the peers' ways, the largest difference of scores, and the limit: the matrix products that cannot
be spared (question once, each different beginning once) at the rate of a large product measured
between the repeats. With one thread on a CPU the clock is the process's CPU time, so that other
processes do not count; else it is the wall clock, until the device is done.
"""

from __future__ import annotations

import ast
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np  # noqa: E402
import torch  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

from assay.generator.models import ModelConfig, load_tokenizer, resolve  # noqa: E402
from assay.pools.frame import load_frame  # noqa: E402
from assay.pools.run import Run  # noqa: E402
from assay.problems.prompts import PromptConfig, Prompter  # noqa: E402
from assay.verifier.config import VerifierModelConfig, VerifierSettings  # noqa: E402
from assay.verifier.model import Verifier, load_verifier  # noqa: E402
from assay.verifier.prefix import order_of, shared_tokens  # noqa: E402
from assay.verifier.score import token_values  # noqa: E402
from scripts.bench.machine import machine  # noqa: E402

DEFAULTS: dict[str, Any] = {
    "model": "embedded",
    "run": "",
    "candidates": 100,
    "question": 120,
    "solution": 150,
    "repeats": 5,
    "threads": 1,
    "rows": [4, 8, 16],
    "batch_tokens": 1024,
    "seed": 0,
    "device": "cpu",
    "dtype": "float32",
}
SHAPES = {  # width, layers, heads, width of the MLP, vocabulary
    "d384": (384, 8, 6, 1024, 32000),
    "tiny": (64, 2, 2, 160, 512),
}
SIZE = 1024  # of the product whose rate is measured

Ids = list[int]
Way = Callable[[], list[float]]


def main() -> None:
    """Prints the table."""
    options = _options(sys.argv[1:])
    torch.set_num_threads(options["threads"])
    torch.manual_seed(options["seed"])
    print(machine())
    verifier, prompter = _verifier(options)
    if options["run"]:
        question, candidates = _pool(options["run"], prompter, options["candidates"])
    else:
        question, candidates = _random(verifier, options)
    lengths = [len(ids) for ids in candidates]
    print(
        f"{options['model']}: {len(candidates)} candidates of {np.mean(lengths):.0f} tokens "
        f"({min(lengths)} to {max(lengths)}), question {len(question)}, "
        f"{options['threads']} threads"
    )
    ways: dict[str, Way] = {
        "Assay": lambda: [
            float(values[-1])
            for values in token_values(verifier, question, candidates, options["batch_tokens"])
        ]
    }
    for rows in options["rows"]:
        ways[f"padded, {rows} rows, vocabulary logits"] = _padded(
            verifier, question, candidates, rows
        )
    fewest = min(options["rows"])
    ways[f"padded, {fewest} rows, no logits"] = _padded(
        verifier, question, candidates, fewest, logits=False
    )
    ways[f"padded, {fewest} rows, no logits, sorted"] = _padded(
        verifier, question, candidates, fewest, logits=False, sort=True
    )
    _report(ways, options, len(candidates), _work(verifier, len(question), candidates))


def _report(ways: dict[str, Way], options: dict[str, Any], count: int, work: float) -> None:
    on_cpu = options["device"] == "cpu"
    clock = time.process_time if options["threads"] == 1 and on_cpu else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in [*ways, "product"]}
    scores: dict[str, list[float]] = {}
    dtype = getattr(torch, options["dtype"])
    a, b = (torch.randn(SIZE, SIZE, device=options["device"], dtype=dtype) for _ in range(2))
    with torch.inference_mode():
        for repeat in range(options["repeats"] + 1):
            for name, way in [*ways.items(), ("product", lambda: [float((a @ b)[0, 0])])]:
                start = clock()
                scores[name] = way()
                if repeat:  # the first is to warm up
                    seconds[name].append(clock() - start)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    best = min(time for name, time in median.items() if "vocabulary" in name)
    print(f"{'':42}{'candidates/s':>13}{'ratio':>8}{'largest difference':>20}")
    for name in ways:
        apart = max(abs(x - y) for x, y in zip(scores[name], scores["Assay"], strict=True))
        print(f"{name:42}{count / median[name]:13.1f}{best / median[name]:8.2f}{apart:20.1e}")
        if apart > 1e-3 and options["dtype"] == "float32":
            sys.exit("not the same scores")
    rate = 2 * SIZE**3 / median["product"]
    print(
        f"limit: {work / 1e9:.1f} GFLOP at {rate / 1e9:.0f} GFLOP/s, "
        f"{count * rate / work:.1f} candidates/s; Assay reaches "
        f"{100 * work / rate / median['Assay']:.0f} % of it"
    )


def _options(words: Sequence[str]) -> dict[str, Any]:
    options = dict(DEFAULTS)
    for word in words:
        name, _, value = word.partition("=")
        if name not in options:
            sys.exit(f"{name}: unknown; known: {', '.join(options)}")
        options[name] = value if isinstance(options[name], str) else ast.literal_eval(value)
    return options


def _verifier(options: dict[str, Any]) -> tuple[Verifier, Prompter | None]:
    name, dtype = options["model"], options["dtype"]
    if name in SHAPES:
        width, layers, heads, inner, vocabulary = SHAPES[name]
        config = LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=2048,
        )
        lm = LlamaForCausalLM(config)
        made = Verifier(lm.to(getattr(torch, dtype)), VerifierSettings("", vocabulary - 1))
        return made.to(options["device"]).eval(), None
    model = ModelConfig(name, dtype=dtype, device=options["device"])
    if (Path(resolve(name)) / "verifier.json").is_file():
        verifier, _, prompter = load_verifier(model)
        return verifier, prompter
    verifier, _ = Verifier.from_base(VerifierModelConfig(base=model))
    with torch.no_grad():  # from zero every score would be the same
        own = verifier.lm.get_output_embeddings().weight[verifier.settings.reserved_token_id]
        verifier.row.copy_(own.normal_())
    return verifier.eval(), Prompter(PromptConfig(form="plain"), load_tokenizer(model))


def _random(verifier: Verifier, options: dict[str, Any]) -> tuple[Ids, list[Ids]]:
    draw = np.random.default_rng(options["seed"])
    most = verifier.lm.config.vocab_size - 8
    spread = 0.35  # standard deviation of the logarithm: about what samples of one problem have
    lengths = draw.lognormal(np.log(options["solution"]) - spread**2 / 2, spread, 10**6)
    lengths = lengths[: options["candidates"]].round().astype(int).clip(8, 400)
    rows = [draw.integers(8, most, n).tolist() for n in (options["question"], *lengths)]
    return rows[0], rows[1:]


def _pool(path: str, prompter: Prompter | None, count: int) -> tuple[Ids, list[Ids]]:
    if prompter is None:
        sys.exit("run: needs a model with a tokenizer")
    run = Run.open(path)
    frame = load_frame(run, texts=True).drop_duplicates(["problem_id", "mode", "text"])
    groups = {(str(key[0]), key[1]): rows for key, rows in frame.groupby(["problem_id", "mode"])}
    problem_id, mode = max(groups, key=lambda key: len(groups[key]))
    problem = next(p for p in run.problems if p.id == problem_id)
    texts = groups[problem_id, mode]["text"][:count]
    return prompter.ids(problem, mode), [prompter.response_ids(mode, text) for text in texts]


def _padded(
    verifier: Verifier,
    question: Ids,
    candidates: Sequence[Ids],
    rows: int,
    *,
    logits: bool = True,
    sort: bool = False,
) -> Way:
    """Every candidate behind its question, in padded rows."""
    order = list(range(len(candidates)))
    if sort:
        order.sort(key=lambda i: -len(candidates[i]))
    index = verifier.settings.reserved_token_id

    def way() -> list[float]:
        found = [0.0] * len(order)
        for start in range(0, len(order), rows):
            batch = order[start : start + rows]
            texts = [torch.tensor([*question, *candidates[i]]) for i in batch]
            ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
            mask = torch.arange(ids.shape[1]) < torch.tensor([[len(text)] for text in texts])
            ids, mask = ids.to(verifier.device), mask.to(verifier.device)
            given = {"input_ids": ids, "attention_mask": mask.long(), "use_cache": False}
            last = torch.arange(len(batch)), torch.tensor([len(text) - 1 for text in texts])
            if logits:
                read = verifier.lm(**given).logits[..., index][last] * verifier.gain + verifier.bias
            else:
                hidden = verifier.lm.get_decoder()(**given).last_hidden_state
                read = verifier.values(hidden[last])
            for i, value in zip(batch, read.tolist(), strict=True):
                found[i] = value
        return found

    return way


def _work(verifier: Verifier, question: int, candidates: Sequence[Ids]) -> float:
    """Floating-point operations of the matrix products that have to be done."""
    ordered = [candidates[i] for i in order_of(candidates)]
    tokens, pairs = question, question * (question + 1) // 2
    for number, ids in enumerate(ordered):
        shared = shared_tokens(ordered[number - 1], ids) if number else 0
        tokens += len(ids) - shared
        pairs += sum(question + i + 1 for i in range(shared, len(ids)))
    config = verifier.lm.config
    matrices = sum(p.numel() for p in verifier.lm.get_decoder().layers.parameters() if p.ndim == 2)
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    width = config.num_attention_heads * size
    return 2.0 * matrices * tokens + 4.0 * width * config.num_hidden_layers * pairs


if __name__ == "__main__":
    main()

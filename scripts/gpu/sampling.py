r"""Sampling on a GPU: Assay's engine beside `generate` and Transformers' continuous batching.

    python scripts/gpu/sampling.py [models=smollm2-135m,llama-1b] [work=1x64,1x256,32x8,64x16]
        [prompt=69] [new=128] [device=cuda] [dtype=bfloat16] [repeats=3] [batch=1024] [seed=0]
        [systems=assay,generate,generate_batch] [output=docs/results/sampling_gpu]
    python scripts/gpu/sampling.py --rehearse        # tiny sizes on a CPU: whether it all runs

Models are shapes with random weights: speed does not depend on what they know, and nothing is
downloaded. `work` is questions × samples of each; every prompt has `prompt` tokens and every sample
`new`, since nothing ends a text. All draw at temperature 1 from the whole vocabulary. `generate`
gets every prompt once for each sample, in batches of at most `batch` rows, as Assay's engine has;
`generate_batch` plans by itself, with its prefix sharing where it has one, and setting up its cache
is part of its time, as it is in use. Each does a short run first; repeats take turns; the median of
the wall time counts, loading not included. Memory is the peak of PyTorch's allocations above the
weights. Writes OUTPUT.json and OUTPUT.md.

Needs torch 2.11 and transformers 5.0 or newer. What a version does not have is told in the table.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# In the place of this folder.
sys.path[0] = str(Path(__file__).resolve().parents[2])

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM  # noqa: E402

from assay.generator.engines import EngineConfig, Request, SamplingParams  # noqa: E402
from assay.generator.engines.hf import TransformersEngine  # noqa: E402
from assay.generator.models import quiet  # noqa: E402
from scripts.bench.machine import processor  # noqa: E402

DEFAULTS = {
    "models": "smollm2-135m,llama-1b",
    "work": "1x64,1x256,32x8,64x16",
    "prompt": "69",
    "new": "128",
    "device": "cuda",
    "dtype": "bfloat16",
    "repeats": "3",
    "batch": "1024",
    "seed": "0",
    "systems": "assay,generate,generate_batch",
    "output": "docs/results/sampling_gpu",
}
REHEARSAL = {
    "models": "tiny",
    "work": "1x6,3x2",
    "prompt": "9",
    "new": "8",
    "device": "cpu",
    "dtype": "float32",
    "repeats": "1",
    "output": "",
}
# Width, layers, heads, key heads, width of the MLP, vocabulary: of SmolLM2-135M and Llama 3.2 1B.
SHAPES = {
    "smollm2-135m": (576, 30, 9, 3, 1536, 49152),
    "llama-1b": (2048, 16, 32, 8, 8192, 128256),
    "tiny": (64, 2, 4, 2, 128, 512),
}
Prompts = list[list[int]]
System = Callable[[Any, Prompts, int, dict[str, str], int], int]
"""(model, prompts, samples of each, settings, new tokens) → tokens written."""


class Numbers:
    """A tokenizer of token ids: what text costs is not measured."""

    eos_token_id = None
    all_special_ids = ()

    def decode(self, tokens: Any, **_: Any) -> str:
        """The ids."""
        return " ".join(map(str, tokens))


def make_model(name: str, settings: dict[str, str]) -> Any:
    """A Llama of the shape named, random weights."""
    width, layers, heads, key_heads, wide, vocabulary = SHAPES[name]
    config = LlamaConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        intermediate_size=wide,
        vocab_size=vocabulary,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
    torch.manual_seed(int(settings["seed"]))
    with torch.device(settings["device"]):
        model = LlamaForCausalLM(config)
    return model.to(getattr(torch, settings["dtype"])).eval()


def assay(model: Any, prompts: Prompts, samples: int, settings: dict[str, str], new: int) -> int:
    """The engine `transformers`, with the model to itself as when it has loaded it."""
    config = EngineConfig(batch_size=int(settings["batch"]))
    engine = TransformersEngine(model, Numbers(), config, own=True)
    requests = [Request(ids, samples, str(i)) for i, ids in enumerate(prompts)]
    params = SamplingParams(temperature=1.0, max_new_tokens=new)
    return sum(len(completion.token_ids) for completion in engine.sample(requests, params))


def generate(model: Any, prompts: Prompts, samples: int, settings: dict[str, str], new: int) -> int:
    """`generate` on repeated prompts."""
    rows = torch.tensor(prompts, device=model.device).repeat_interleave(samples, 0)
    written = 0
    for chunk in rows.split(int(settings["batch"])):
        out = model.generate(
            chunk, attention_mask=torch.ones_like(chunk), generation_config=_generation(new)
        )
        written += out[:, chunk.shape[1] :].numel()
    return written


def generate_batch(
    model: Any, prompts: Prompts, samples: int, settings: dict[str, str], new: int
) -> int:
    """Transformers' continuous batching on repeated prompts."""
    inputs = [ids for ids in prompts for _ in range(samples)]
    outputs = model.generate_batch(
        inputs=inputs, generation_config=_generation(new), progress_bar=False
    )
    if errors := [o.error for o in outputs.values() if getattr(o, "error", None)]:
        raise RuntimeError(errors[0])
    return sum(len(output.generated_tokens) for output in outputs.values())


def _generation(new: int) -> GenerationConfig:
    # -1 is no token: continuous batching wants an end token, and none shall come.
    return GenerationConfig(
        max_new_tokens=new,
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        eos_token_id=-1,
        pad_token_id=0,
    )


SYSTEMS: dict[str, System] = {
    "assay": assay,
    "generate": generate,
    "generate_batch": generate_batch,
}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measured(
    name: str, model: Any, prompts: Prompts, samples: int, settings: dict[str, str]
) -> tuple[float, float]:
    """Seconds of one run, and the peak of memory in GiB (NaN on a CPU)."""
    cuda = model.device.type == "cuda"
    new = int(settings["new"])
    held = 0
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(model.device)
        held = torch.cuda.memory_allocated(model.device)
    _wait(model.device)
    begin = time.perf_counter()
    written = SYSTEMS[name](model, prompts, samples, settings, new)
    _wait(model.device)
    seconds = time.perf_counter() - begin
    expected = len(prompts) * samples * new
    if written != expected:
        raise RuntimeError(f"wrote {written} tokens, expected {expected}")
    peak = torch.cuda.max_memory_allocated(model.device) - held if cuda else float("nan")
    return seconds, peak / 2**30


def compare(model: Any, work: str, settings: dict[str, str]) -> list[dict[str, Any]]:
    """A row for each system at one amount of work, its failure where it has one."""
    questions, samples = map(int, work.split("x"))
    generator = torch.Generator().manual_seed(int(settings["seed"]))
    size = (questions, int(settings["prompt"]))
    prompts = torch.randint(1, model.config.vocab_size, size, generator=generator).tolist()
    names = settings["systems"].split(",")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    failed: dict[str, str] = {}
    for repeat in range(1 + int(settings["repeats"])):
        for name in names:
            if name in failed:
                continue
            try:
                # The first run is warm-up, whatever is compiled and tuned with it.
                if repeat == 0:
                    SYSTEMS[name](model, prompts, samples, settings, min(8, int(settings["new"])))
                else:
                    found[name].append(measured(name, model, prompts, samples, settings))
            except Exception as error:
                lines = str(error).strip().splitlines() or [""]
                failed[name] = f"{type(error).__name__}: {lines[0][:120]}"
    rows = []
    tokens = questions * samples * int(settings["new"])
    for name in names:
        row: dict[str, Any] = {"work": work, "system": name, "failed": failed.get(name, "")}
        if name not in failed:
            seconds = statistics.median(s for s, _ in found[name])
            row |= {
                "seconds": round(seconds, 4),
                "tokens_per_second": round(tokens / seconds, 1),
                "peak_gib": round(max(peak for _, peak in found[name]), 3),
            }
        rows.append(row)
    return rows


def table(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    about, rows = record["about"], record["rows"]
    lines = [
        "# Sampling on a GPU",
        "",
        f"{about['device_name']}, {about['processor']}, torch {about['torch']}, "
        f"transformers {about['transformers']}, {about['dtype']}; "
        f"prompts of {about['prompt']} tokens, {about['new']} new tokens a sample, random "
        f"weights, temperature 1; medians of {about['repeats']}.",
        "",
        f"    python scripts/gpu/sampling.py {about['words']}".rstrip(),
        "",
        "| model | questions × samples | system | tokens/s | × generate | peak memory, GiB |",
        "|---|---|---|---|---|---|",
    ]
    base = {
        (row["model"], row["work"]): row["tokens_per_second"]
        for row in rows
        if row["system"] == "generate" and not row["failed"]
    }
    for row in rows:
        start = f"| {row['model']} | {row['work'].replace('x', ' × ')} | {row['system']} |"
        if row["failed"]:
            lines.append(f"{start} not here: {row['failed'].replace('|', '/')} | | |")
            continue
        against = base.get((row["model"], row["work"]))
        ratio = f"{row['tokens_per_second'] / against:.2f}" if against else ""
        peak = row["peak_gib"]
        shown = "" if peak != peak else f"{peak:.2f}"
        lines.append(f"{start} {row['tokens_per_second']:,.0f} | {ratio} | {shown} |")
    return "\n".join(lines) + "\n"


def settings_of(words: list[str]) -> dict[str, str]:
    """The settings that the words ask for; ends with a message where they cannot be."""
    rehearse = "--rehearse" in words
    given = dict(word.split("=", 1) for word in words if "=" in word)
    settings = {**DEFAULTS, **(REHEARSAL if rehearse else {}), **given}
    if unknown := set(settings) - set(DEFAULTS) or {
        word for word in words if "=" not in word and word != "--rehearse"
    }:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(DEFAULTS)}")
    for key, known in (("models", SHAPES), ("systems", SYSTEMS)):
        for name in settings[key].split(","):
            if name not in known:
                sys.exit(f"{key}={name}: expected one of {', '.join(known)}")
    if settings["device"].startswith("cuda") and not torch.cuda.is_available():
        sys.exit(f"device={settings['device']}: PyTorch finds no CUDA GPU; --rehearse needs none")
    return settings


def main() -> None:
    words = sys.argv[1:]
    settings = settings_of(words)
    cuda = settings["device"].startswith("cuda")
    about = {
        **settings,
        "words": " ".join(words),
        "device_name": torch.cuda.get_device_name(settings["device"]) if cuda else "CPU",
        "processor": processor(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    rows: list[dict[str, Any]] = []
    record = {"about": about, "rows": rows}
    for name in settings["models"].split(","):
        model = make_model(name, settings)
        for work in settings["work"].split(","):
            with quiet():
                rows += [{"model": name, **row} for row in compare(model, work, settings)]
            if settings["output"]:  # written each time: what is killed keeps what it has
                path = Path(settings["output"])
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
                path.with_suffix(".md").write_text(table(record))
        del model
    print(table(record))


if __name__ == "__main__":
    main()

"""What the campaign finds on a machine: packages, the GPU, the model's file, benchmarks to run."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import random
import shutil
from collections.abc import Mapping
from pathlib import Path

from assay.generator.fetch import KNOWN
from assay.search.launch.work import cores
from assay.settings.errors import UserError

__all__ = ["BENCHES", "REHEARSED_BENCHES", "check_machine", "gpu_gib", "made_up", "model_file"]

# Distribution -> module, and the version that Assay asks for; older ones may do.
PACKAGES = {
    "torch": ("torch", "2.11"),
    "transformers": ("transformers", "5.0"),
    "accelerate": ("accelerate", "1.10"),
    "safetensors": ("safetensors", "0.5"),
    "numpy": ("numpy", "1.26"),
    "pandas": ("pandas", "2.2"),
    "pyarrow": ("pyarrow", "17"),
    "scikit-learn": ("sklearn", "1.5"),
    "scipy": ("scipy", "1.11"),
    "sympy": ("sympy", "1.13"),
    "math-verify": ("math_verify", "0.9"),
    "mpmath": ("mpmath", "1.3"),
    "latex2sympy2-extended": ("latex2sympy2_extended", "1.10"),
    "antlr4-python3-runtime": ("antlr4", "4.9"),
    "omegaconf": ("omegaconf", "2.3"),
    "PyYAML": ("yaml", "5.1"),
    "tqdm": ("tqdm", "4.66"),
    "matplotlib": ("matplotlib", "3.9"),
    "jinja2": ("jinja2", "3.1"),
}
GGUF = {"gguf": ("gguf", "0.17")}

# Name -> words of the script; {model}, {data} and {work} are filled in.
BENCHES = {
    "sampling": [
        "scripts/gpu/sampling.py", "models=smollm2-135m", "work=64x16,8x100", "repeats=1",
        "output={work}/bench/sampling",
    ],
    "train": [
        "scripts/bench/train.py", "model={model}", "data={data}", "device=cuda", "dtype=bfloat16",
        "batch=128", "rows=32", "steps=4",
    ],
    "verifier_train": [
        "scripts/bench/verifier_train.py", "model=d384", "device=cuda", "dtype=bfloat16",
        "pack_tokens=4096", "micro_batch_tokens=8192",
    ],
    "verifier_score": [
        "scripts/bench/verifier_score.py", "model={work}/verifier", "run={work}/test",
        "device=cuda", "dtype=bfloat16", "batch_tokens=16384", "rows=[8,32,128]",
    ],
    "attention": ["scripts/gpu/attention.py", "tokens=4096", "repeats=10"],
}  # fmt: skip
REHEARSED_BENCHES = {
    "sampling": [
        "scripts/gpu/sampling.py", "--rehearse", "systems=assay,generate",
        "output={work}/bench/sampling",
    ],
    "train": [
        "scripts/bench/train.py", "model={model}", "data={data}", "steps=1", "batch=8", "repeats=1",
    ],
    "verifier_train": [
        "scripts/bench/verifier_train.py", "model=embedded", "samples=4", "repeats=1",
    ],
    "verifier_score": [
        "scripts/bench/verifier_score.py", "model={work}/verifier", "run={work}/test", "repeats=1",
        "rows=[2]",
    ],
    "attention": [
        "scripts/gpu/attention.py", "device=cpu", "dtype=float32", "tokens=512", "packs=2",
        "heads=2", "size=16", "repeats=1",
    ],
}  # fmt: skip


# Of the work folder: weights, checkpoints and parts. Of the machine: a process for each worker.
DISK_GB, MEMORY_GB = 12, 16


def check_machine(given: Mapping[str, str], work: Path) -> None:
    """Prints a table of what is needed and what was found.

    Raises `UserError` that names everything that is missing.
    """
    model, device = given["model"], given["device"]
    wanted = PACKAGES if model == "embedded" or Path(model).is_dir() else {**PACKAGES, **GGUF}
    lacking = []
    missing = [name for name, (module, _) in wanted.items() if not importlib.util.find_spec(module)]
    _row("python", platform.python_version(), "")
    for name, (_, least) in wanted.items():
        found = "missing" if name in missing else _version(name)
        older = name not in missing and _numbers(found) < _numbers(least)
        _row(name, found, f"Assay asks for {least}; going on" if older else "")
    if missing:
        words = " ".join(f"'{name}>={wanted[name][1]}'" for name in missing)
        lacking.append(
            f"packages {', '.join(missing)}: without a network, carry the folder that "
            f"`pip install --no-deps --target=site {words}` makes, and set PYTHONPATH=site"
        )
    if "torch" not in missing:
        lacking += _gpu(device)
    _row("processor cores", str(cores()), "")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    for what, there, least in (
        ("memory", memory, MEMORY_GB),
        ("disk", shutil.disk_usage(work).free / 1e9, DISK_GB),
    ):
        _row(what, f"{there:.0f} GB", f"little: {least} GB are wanted" if there < least else "")
    try:
        _row("model", model_file(model, work), "")
    except UserError as error:
        _row("model", "missing", "")
        lacking.append(str(error))
    data = Path(given["data"])
    for split in ("train", "test") if given["data"] else ():
        there = (data / f"{split}.jsonl").is_file()
        _row(f"{split}.jsonl", str(data) if there else "missing", "")
        if not there:
            lacking.append(f"data={data}: expected GSM8K's {split}.jsonl there")
    if lacking:
        raise UserError("; ".join(lacking))


def gpu_gib() -> float:
    """Memory of the first GPU; 0 where there is none."""
    import torch

    if not torch.cuda.is_available():
        return 0.0
    return float(torch.cuda.get_device_properties(0).total_memory / 2**30)


def _row(what: str, found: str, note: str) -> None:
    print(f"  {what:24}{found:20}{note}".rstrip(), flush=True)


def _gpu(device: str) -> list[str]:
    """Prints what GPU there is; returns what is lacking."""
    import torch

    if torch.cuda.is_available():
        name = torch.cuda.get_device_name(0)
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
        note = "" if fast else "no bfloat16: slow"
        _row("GPU", f"{name}, {gpu_gib():.0f} GiB", note)
    elif device == "cuda":
        _row("GPU", "missing", "")
        return [
            "PyTorch finds no CUDA GPU: --rehearse tries everything on a CPU, tiny, and "
            "device=cpu takes whatever there is"
        ]
    return []


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # importable, but not installed by pip
        return "0"


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:2]
    return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in parts)


def model_file(model: str, work: Path) -> str:
    """The model's name, with its pieces joined where it comes in pieces.

    Pieces are the files MODEL.*, in the order of their names, here and in earlier calls. Raises
    `UserError` where no file is there, and where the pieces so far do not make the file.
    """
    path = Path(model)
    if model == "embedded" or path.exists():
        return model if model == "embedded" else str(path.resolve())
    joined = work / "pieces" / path.name
    joined.parent.mkdir(exist_ok=True)
    for piece in sorted(path.parent.glob(f"{path.name}.*")):
        shutil.copyfile(piece, joined.parent / piece.name)
    pieces = sorted(joined.parent.glob(f"{path.name}.*"))
    if not pieces:
        raise UserError(f"model={model}: no such folder or file, nor pieces {path.name}.*")
    digest = hashlib.sha256()
    with joined.open("wb") as whole:
        for piece in pieces:
            block = piece.read_bytes()
            digest.update(block)
            whole.write(block)
    expected = {source.sha256 for source in KNOWN.values()}
    if digest.hexdigest() not in expected:
        names = ", ".join(f"{piece.name} ({piece.stat().st_size} bytes)" for piece in pieces)
        raise UserError(
            f"model={model}: the pieces so far are kept ({names}), but are not yet a file with a "
            "SHA-256 that is known; give the same command with the others"
        )
    return str(joined)


def made_up(folder: Path, train: int = 120, test: int = 24) -> None:
    """Writes easy problems in GSM8K's format, which even a small model learns a little of."""
    draw = random.Random("campaign/made up")
    names = ("Ann", "Ben", "Cleo", "Dan", "Eve", "Finn")
    things = ("apples", "books", "coins", "pens")
    seen: set[str] = set()
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("test", test)):
        rows = []
        while len(rows) < count:
            a, b, c = draw.randint(2, 20), draw.randint(2, 20), draw.randint(2, 5)
            name, thing = draw.choice(names), draw.choice(things)
            question = (
                f"{name} has {a} {thing} and buys {b} more. Then {name} buys {c} times as many as "
                f"that. How many {thing} does {name} buy in the end?"
            )
            if question in seen:
                continue
            seen.add(question)
            answer = (
                f"{name} has {a}+{b}=<<{a}+{b}={a + b}>>{a + b} {thing}.\n"
                f"In the end {name} buys {a + b}*{c}=<<{a + b}*{c}={(a + b) * c}>>{(a + b) * c}.\n"
                f"#### {(a + b) * c}"
            )
            rows.append(json.dumps({"question": question, "answer": answer}))
        (folder / f"{split}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")

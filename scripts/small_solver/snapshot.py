r"""The adapter as the last checkpoint of an unfinished training has it, to be sampled from.

    python -m scripts.small_solver.snapshot --training runs/small_solver/generator \
        --model models/smollm2-135m-instruct --out runs/small_solver/snapshot

The training is not touched and may go on meanwhile. What is written is what a finished training
writes: a PEFT folder with the prompt form that it was made for.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from assay.generator.lora import LoraConfig, add_adapters, write_adapter
from assay.generator.models import ModelConfig, load_model, load_tokenizer
from assay.settings.errors import UserError
from assay.storage.files import write_json

__all__ = ["snapshot"]


def snapshot(training: Path, model: str, out: Path) -> int:
    """Writes the adapter to `out`; returns the step of the checkpoint.

    Raises `UserError` where there is no complete checkpoint of adapters.
    """
    folder = training / "training"
    complete = sorted(
        (path.parent for path in folder.glob("checkpoint-*/complete.json")),
        key=lambda path: int(path.name.removeprefix("checkpoint-")),
    )
    if not complete or not (complete[-1] / "adapter_model.safetensors").exists():
        raise UserError(f"{folder}: expected a checkpoint of adapters, found none")
    settings = json.loads((folder / "settings.json").read_text("utf-8"))
    base = ModelConfig(name=model, dtype="float32")
    lora = {key: settings["lora"][key] for key in ("rank", "alpha", "dropout", "targets")}
    lm = load_model(base)
    adapters = add_adapters(lm, LoraConfig(**lora), settings["seed"], "lora")
    state = load_file(str(complete[-1] / "adapter_model.safetensors"))
    with torch.no_grad():
        for name, parameter in lm.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(state[name])
    write_adapter(lm, adapters, base, out)
    load_tokenizer(base).save_pretrained(out)
    step = int(complete[-1].name.removeprefix("checkpoint-"))
    record = {"kind": "generator", "prompt": settings["prompt"], "step": step}
    write_json(out / "assay.json", record)
    return step


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--training", required=True, help="output folder of train-generator")
    parser.add_argument("--model", required=True, help="folder of the base model")
    parser.add_argument("--out", required=True, help="folder of the adapter")
    args = parser.parse_args()
    try:
        step = snapshot(Path(args.training), args.model, Path(args.out))
    except UserError as error:
        sys.exit(f"snapshot: {error}")
    print(f"step {step} written to {args.out}")


if __name__ == "__main__":
    main()

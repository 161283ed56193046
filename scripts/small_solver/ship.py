r"""Makes what comes with Assay of the small solver's models: differences from the base, and a card.

    python -m scripts.small_solver.ship generator --adapter runs/small_solver/generator \
        --model models/smollm2-135m-instruct --chain runs/small_solver/chain
    python -m scripts.small_solver.ship verifier --chain runs/small_solver/chain
    python -m scripts.small_solver.ship all --model models/smollm2-135m-instruct \
        --chain runs/small_solver/chain

The chain (`chain.sh`) works with the models as they will be shipped: `generator` rounds the adapter
to bfloat16 (CHAIN/packed/generator) and writes the whole model (CHAIN/generator) before anything is
sampled; `verifier` does the same with what was trained (CHAIN/trained), so what is measured is what
users get. `all` puts everything into generator/small_solver, from where `assay fetch small-solver`
takes it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from assay.evaluation.choice import FILE as CHOICE
from assay.generator.lowrank import pack, pack_adapter, unpack, weights_digest
from assay.search.solving.small_solver import NAME, PACKED, RECORD
from assay.settings.errors import UserError
from assay.storage.files import write_json

__all__ = ["LIMIT", "ship", "ship_generator", "ship_verifier"]

LIMIT = 15_000_000
"""bytes that a shipped model may have"""
# What a singular value decomposition of float32 matrices leaves over of a difference of that rank.
_NOISE = 0.01
# Long lists of a training's record that nobody needs to use its model.
_LONG = ("history", "validations", "coverage")


def ship_generator(adapter: Path, model: Path, chain: Path) -> None:
    """Packs an adapter (a finished training, or a snapshot) and writes the whole model of it."""
    packed = chain / "packed" / "generator"
    if (chain / "generator" / "model.safetensors").exists():
        return
    shutil.rmtree(packed, ignore_errors=True)
    packed.parent.mkdir(parents=True, exist_ok=True)
    pack_adapter(adapter, model, packed)
    record = _shortened(packed)
    # A snapshot's record lacks what the training was told.
    record.setdefault("config", {}).setdefault("rationales", {})["modes"] = ["pot"]
    write_json(packed / "assay.json", record)
    _whole(packed, model, chain / "generator")


def ship_verifier(chain: Path, rank: int) -> float:
    """Packs the trained verifier as a difference from the generator; returns what rank leaves out.

    Raises `UserError` where that is more than rounding: then adapters of a larger rank trained it.
    """
    if (chain / "verifier" / "model.safetensors").exists():
        return 0.0
    packed = chain / "packed" / "verifier"
    shutil.rmtree(packed, ignore_errors=True)
    error = pack(chain / "trained", chain / "generator", packed, rank)
    if error > _NOISE:
        raise UserError(
            f"{chain / 'trained'}: differs by more than rank {rank} (error {error:.3f})"
        )
    write_json(packed / "assay.json", _shortened(packed))
    _whole(packed, chain / "generator", chain / "verifier")
    return error


def _whole(packed: Path, base: Path, out: Path) -> None:
    """The whole model, there when all of it is."""
    made = out.with_name(f".{out.name}")
    shutil.rmtree(made, ignore_errors=True)
    unpack(packed, base, made)
    made.rename(out)


def _shortened(folder: Path) -> dict[str, object]:
    record: dict[str, object] = json.loads((folder / "assay.json").read_text("utf-8"))
    return {name: value for name, value in record.items() if name not in _LONG}


def ship(chain: Path, model: Path, packed: Path = PACKED) -> list[tuple[str, int]]:
    """Replaces what comes with Assay by what the chain made; returns the files' names and sizes.

    The ranker, the choice and the card (CHAIN/README.md) come along. Raises `UserError` where a
    part is missing or larger than `LIMIT`.
    """
    for part in ("packed/generator", "README.md"):
        if not (chain / part).exists():
            raise UserError(f"{chain / part}: not there yet")
    made = packed.with_name(f".{packed.name}")
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(chain / "packed", made)
    shutil.copyfile(chain / "README.md", made / "README.md")
    if (chain / "ranker").is_dir():
        shutil.copytree(chain / "ranker", made / "ranker")
    if (chain / CHOICE).is_file():
        # It names verifier and ranker by their paths from it.
        shutil.copyfile(chain / CHOICE, made / CHOICE)
    write_json(made / RECORD, {"name": NAME, "base": weights_digest(model)})
    files = sorted(path for path in made.rglob("*") if path.is_file())
    sizes = [(path.relative_to(made).as_posix(), path.stat().st_size) for path in files]
    for folder in ("generator", "verifier", "ranker"):
        size = sum(size for name, size in sizes if name.startswith(f"{folder}/"))
        if size > LIMIT:
            raise UserError(f"{folder}: {size:,} bytes; a shipped model may have {LIMIT:,}")
    shutil.rmtree(packed, ignore_errors=True)
    made.rename(packed)
    return sizes


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=("generator", "verifier", "all"))
    parser.add_argument("--chain", type=Path, required=True, help="the chain's folder")
    parser.add_argument("--model", type=Path, help="folder of the base model")
    parser.add_argument("--adapter", type=Path, help="folder of the generator's adapter")
    parser.add_argument("--to", type=Path, default=PACKED, help="where all of it goes")
    parser.add_argument("--rank", type=int, default=16, help="of the verifier's adapters")
    args = parser.parse_args()
    try:
        if args.part == "generator":
            ship_generator(args.adapter, args.model, args.chain)
        elif args.part == "verifier":
            print(
                f"verifier packed; left out by the rank: {ship_verifier(args.chain, args.rank):.1e}"
            )
        else:
            for name, size in ship(args.chain, args.model, args.to):
                print(f"{size:>12,}  {name}")
            print(f"written to {args.to}")
    except UserError as error:
        sys.exit(f"ship: {error}")


if __name__ == "__main__":
    main()

"""The candidates that verifiers are compared on: generators, whole and cut, and their graded pools.

made = sources(options, words, ablations)
made["large"].make(reused=False)
made["large"].training, made["large"].test
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from assay.generator.models import ModelConfig, load_model, load_tokenizer, quiet
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.search.drivers.run import (
    PipelineConfig,
    check_leaks,
    fine_tune,
    grade_split,
    sample_split,
)
from assay.search.stages.train import training_pool
from assay.settings.errors import UserError
from assay.verifier.data import VerifierProblem
from scripts.ablations.config import LARGE, TEST, Ablation, Options, loop_config

__all__ = ["Source", "cut", "sources"]


@dataclass(frozen=True)
class Source:
    """A fine-tuned generator and its graded candidates, in the folders of an `assay run`."""

    name: str
    config: PipelineConfig

    @property
    def folder(self) -> Path:
        """Holds `generator`, `train` and `test`."""
        return Path(self.config.output)

    @property
    def generator(self) -> Path:
        """The generator's own folder."""
        return self.folder / "generator"

    def make(self, *, reused: bool) -> None:
        """Trains, samples and grades what is missing; nothing in a folder that is reused."""
        if not reused:
            generator = fine_tune(self.config, check_leaks(self.config))
            for name in ("train", TEST):
                sample_split(self.config, name, generator)
                grade_split(self.config, name)
        print(f"generator {self.name}: {'; '.join(self.told())}", flush=True)

    def told(self) -> list[str]:
        """What the candidates to train on are, and those to test on."""
        labels = {
            "train": [(c.mode, c.label) for item in self.training for c in item.candidates],
            TEST: self.test.loc[self.test["label"].notna(), ["mode", "label"]],
        }
        counts = {"train": len(self.training), TEST: self.test["problem_id"].nunique()}
        lines = []
        for name, rows in labels.items():
            frame = pd.DataFrame(rows, columns=["mode", "label"])
            shares = frame["label"].astype(float).groupby(frame["mode"]).mean()
            right = ", ".join(f"{100 * share:.1f} % of {mode}" for mode, share in shares.items())
            lines.append(
                f"{name}: {counts[name]} problems, {len(frame):,} candidates, {right} right"
            )
        return lines

    @cached_property
    def training(self) -> list[VerifierProblem]:
        """The first `pool.limit` problems with the first `pool_modes` candidates of each mode."""
        config = self.config
        run = Run.open(self.folder / "train")
        found = training_pool([run], config.generator.rationales.annotations)
        _check_size(run, len(found), "pool", config.pool.limit, config.pool_modes)
        data = []
        for item in found[: config.pool.limit or None]:
            kept = [
                candidate
                for mode, count in config.pool_modes.items()
                for candidate in [c for c in item.candidates if c.mode == mode][:count]
            ]
            data.append(VerifierProblem(item.problem, kept))
        return data

    @cached_property
    def test(self) -> pd.DataFrame:
        """The first `tests.test.limit` problems' first `modes` candidates (`load_frame`)."""
        run, limit = Run.open(self.folder / TEST), self.config.tests[TEST].limit
        _check_size(run, len(run.problems), f"tests.{TEST}", limit, self.config.modes)
        frame = load_frame(run, texts=True)
        wanted = {problem.id for problem in run.problems[: limit or None]}
        counts = frame["mode"].map(self.config.modes).fillna(0)
        kept = frame["problem_id"].isin(wanted) & (frame["sample"] < counts)
        return frame[kept].drop(columns=[c for c in frame if ":" in c]).reset_index(drop=True)


def _check_size(run: Run, count: int, key: str, limit: int, modes: Mapping[str, int]) -> None:
    """Raises `UserError` where a folder that is reused holds too little."""
    if count < limit:
        raise UserError(f"{key}.limit={limit}: {run.path} holds candidates of {count} problems")
    for mode, wanted in modes.items():
        there = max((part.end for part in run.parts("answers") if part.mode == mode), default=0)
        if there < wanted:
            raise UserError(
                f"{mode}={wanted}: {run.path} holds {there} {mode} candidates a problem"
            )


def cut(base: ModelConfig, keep: Sequence[int], folder: Path) -> Path:
    """Writes the model without the layers that are not in `keep`; returns the folder."""
    if (folder / "config.json").exists():
        return folder
    import torch

    model = load_model(dataclasses.replace(base, device="cpu", dtype="float32"))
    decoder = model.get_decoder()
    last = len(decoder.layers) - 1
    if not keep or not all(0 <= layer <= last for layer in keep):
        raise UserError(f"keep_layers={list(keep)}: expected layers 0 to {last} of {base.name}")
    decoder.layers = torch.nn.ModuleList(decoder.layers[layer] for layer in keep)
    model.config.num_hidden_layers = len(keep)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        with quiet():
            model.save_pretrained(made)
        load_tokenizer(base).save_pretrained(made)
        os.rename(made, folder)
        # The context manager wants something to remove.
        os.mkdir(made)
    return folder


def sources(
    options: Options, words: Sequence[str], ablations: Mapping[str, Ablation]
) -> dict[str, Source]:
    """The generators that the ablations need, by name; nothing is made yet but cut models."""
    output = Path(options.output)
    workers = {"workers": options.workers}
    folder = options.reuse or str(output / LARGE)
    found = {LARGE: Source(LARGE, loop_config(options.scale, *words, workers, {"output": folder}))}
    for ablation in ablations.values():
        for name, generator in ablation.generators.items():
            base = found[LARGE].config.generator.model
            layers = "-".join(map(str, generator.keep_layers))
            start = cut(base, generator.keep_layers, output / f"base-layers-{layers}")
            layer = {
                "generator": {"model": {"name": str(start), "revision": ""}},
                "output": str(output / name),
            }
            config = loop_config(options.scale, *words, workers, generator.set, layer)
            if found.setdefault(name, Source(name, config)).config != config:
                raise UserError(f"{ablation.title}: generator {name!r} is another one elsewhere")
    return found

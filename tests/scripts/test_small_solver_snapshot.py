"""A snapshot of an unfinished training is the model as its last checkpoint has it."""

import json

import pytest
import torch
from safetensors.torch import load_file

from assay.generator.lora import GeneratorLoraConfig
from assay.generator.models import ModelConfig, load_model
from assay.generator.rationales import RationalesConfig
from assay.generator.train import TrainGeneratorConfig, train_generator
from assay.generator.trainer import GeneratorTrainer
from assay.problems.problem import Problem, Solution
from assay.problems.prompts import PromptConfig
from assay.settings.errors import UserError
from scripts.small_solver.snapshot import snapshot


class Stop(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def unfinished(tmp_path, monkeypatch):
    """Three steps of a training of adapters, a checkpoint after each."""
    monkeypatch.setattr("assay.generator.trainer._SAVING_SHARE", float("inf"))
    step, count = GeneratorTrainer.training_step, 0

    def counted(self, *args, **kwargs):
        nonlocal count
        count += 1
        if count > 3:
            raise Stop
        return step(self, *args, **kwargs)

    config = TrainGeneratorConfig(
        model=ModelConfig("embedded", device="cpu"),
        prompt=PromptConfig(form="plain"),
        rationales=RationalesConfig(modes=["pot"]),
        output=str(tmp_path / "generator"),
        learning_rate=1e-2,
        batch_size=2,
        pack_tokens=128,
        order="given",
        save_every_seconds=0.0,
        lora=GeneratorLoraConfig(rank=2, merge=False),
    )
    problems = [
        Problem(f"p{i}", f"What is {i} + {i}?", str(2 * i),
                solutions=(Solution("pot", f"x1 = {i} + {i}\nprint(x1)"),))
        for i in range(40)
    ]  # fmt: skip
    monkeypatch.setattr(GeneratorTrainer, "training_step", counted)
    with pytest.raises(Stop):
        train_generator(config, problems)
    return tmp_path / "generator"


def test_a_snapshot_is_the_model_of_the_last_checkpoint(unfinished, tmp_path):
    out = tmp_path / "snapshot"
    assert snapshot(unfinished, "embedded", out) == 3
    assert json.loads((out / "assay.json").read_text())["prompt"]["form"] == "plain"
    (checkpoint,) = (unfinished / "training").glob("checkpoint-*")
    state = load_file(checkpoint / "adapter_model.safetensors")
    base = dict(load_model(ModelConfig("embedded", dtype="float32")).named_parameters())
    taken = dict(load_model(ModelConfig(str(out), dtype="float32")).named_parameters())
    assert base.keys() == taken.keys()
    changed = 0
    for name, weight in taken.items():
        stem = name.removesuffix(".weight")
        expected = base[name].detach()
        if f"{stem}.lora_A.default.weight" in state:
            a, b = (state[f"{stem}.lora_{x}.default.weight"] for x in "AB")
            # alpha is twice the rank.
            expected = expected + 2 * b @ a
            changed += 1
        assert torch.allclose(weight, expected, atol=1e-6), name
    assert changed > 10
    # The training is as it was, and goes on.
    assert (checkpoint / "complete.json").exists()


def test_no_checkpoint_is_told(tmp_path):
    with pytest.raises(UserError, match="expected a checkpoint of adapters, found none"):
        snapshot(tmp_path, "embedded", tmp_path / "out")

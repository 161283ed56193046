"""Two processes learn what one does: data-parallel, divided by FSDP2 and by DeepSpeed; launches."""

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from generator.parallel import check_launch, deepspeed_settings, kind_of
from generator.train import train_generator
from problems.errors import UserError
from tests.generator.test_train_generator import (
    base,  # noqa: F401
    configure,  # noqa: F401
    sums,
    weights,
)

ROOT = Path(__file__).resolve().parents[2]
ZERO3 = "configs/deepspeed/zero3.json"
needs_deepspeed = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="needs the package deepspeed"
)
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
ACCELERATE = [
    *("-m", "accelerate.commands.launch", "--config_file"),
    str(ROOT / "configs" / "accelerate" / "ddp.yaml"),
    *("--num_processes", "2", "--mixed_precision", "no"),
]

SCRIPT = """
    import json, os, sys
    sys.path.insert(0, {root!r})
    from generator.models import ModelConfig
    from generator.output import OutputFolder
    from generator.train import TrainGeneratorConfig, train_generator
    from problems.prompts import PromptConfig
    from tests.generator.test_train_generator import sums

    output, trainer, last, as_gpus = sys.argv[1], json.loads(sys.argv[2]), *map(int, sys.argv[3:])
    if as_gpus:
        # On a CPU accelerate knows no FSDP, and would leave it out without a word. For the choice
        # of it alone, these processes pass for some with GPUs.
        from accelerate.state import PartialState
        from accelerate.utils import DistributedType
        from transformers import Trainer

        real_create = Trainer.create_accelerator_and_postprocess

        def create(trainer):
            PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
            real_create(trainer)

        Trainer.create_accelerator_and_postprocess = create

    saves, real = [], OutputFolder.complete

    def complete(folder, *arguments):
        real(folder, *arguments)
        saves.append(arguments)
        if len(saves) == last:
            os._exit(3)

    OutputFolder.complete = complete
    config = TrainGeneratorConfig(
        model=ModelConfig(name={base!r}, device="cpu"),
        prompt=PromptConfig(form="plain"),
        output=output,
        epochs=1,
        batch_size=8,
        learning_rate=3e-3,
        pack_length=128,
        save_every_seconds=0.0,
        trainer=dict(dataloader_drop_last=True, **trainer),
    )
    train_generator(config, sums(60))
"""


@pytest.fixture
def train(base, tmp_path):  # noqa: F811
    """Trains as a process of its own, or several; returns the exit code and what was written."""
    settings = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**settings, "attention_dropout": 0.0}))
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT.format(root=str(ROOT), base=str(base))))

    def run(output, launcher=(), *, last=0, as_gpus=False, **trainer):
        arguments = [str(tmp_path / output), json.dumps(trainer), str(last), str(int(as_gpus))]
        done = subprocess.run(
            [sys.executable, *launcher, str(script), *arguments],
            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        return done.returncode, done.stderr

    return run


def record(path):
    return json.loads((path / "assay.json").read_text())


def same_curve(one, other, steps):
    a, b = record(one), record(other)
    assert (a["processes"], a["parallel"], b["processes"]) == (1, "plain", 2)
    assert a["steps"] == b["steps"] == steps
    for mine, theirs in zip(a["history"], b["history"], strict=True):
        assert mine["learning_rate"] == theirs["learning_rate"]
        assert mine["loss"] == pytest.approx(theirs["loss"], abs=2e-3)
    reference = weights(one)
    found = weights(other)
    assert found.keys() == reference.keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, reference[name], atol=2e-3, rtol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize(
    ("kind", "launcher", "settings"),
    [
        ("ddp", ACCELERATE, {}),
        ("fsdp", TORCHRUN, {"fsdp": True}),
        pytest.param(
            "zero-2", TORCHRUN, {"deepspeed": "configs/deepspeed/zero2.json"}, marks=needs_deepspeed
        ),
        pytest.param("zero-3", TORCHRUN, {"deepspeed": ZERO3}, marks=needs_deepspeed),
    ],
    ids=["ddp", "fsdp", "zero2", "zero3"],
)
def test_two_processes_do_the_steps_of_one(train, tmp_path, kind, launcher, settings, accumulate):
    """With a kill between, where the gradients of a step come in one part; else without."""
    more = {"gradient_accumulation_steps": accumulate, **settings}
    code, told = train("one", gradient_accumulation_steps=accumulate)
    assert code == 0, told
    if accumulate == 1:
        code, told = train("two", launcher, last=2, as_gpus=kind == "fsdp", **more)
        assert code != 0
        assert not (tmp_path / "two" / "assay.json").exists(), told
        assert list((tmp_path / "two" / "training").glob("checkpoint-*/complete.json"))
    code, told = train("two", launcher, as_gpus=kind == "fsdp", **more)
    assert code == 0, told
    same_curve(tmp_path / "one", tmp_path / "two", record(tmp_path / "one")["steps"])
    assert record(tmp_path / "two")["parallel"] == kind
    assert record(tmp_path / "one")["steps"] >= 8


@pytest.mark.slow
def test_fsdp_that_would_be_left_out(train):
    code, told = train("two", TORCHRUN, fsdp=True)
    assert code != 0
    assert "asked for fsdp over 2 processes, found ddp" in told


def test_one_process_where_two_were_started(configure, monkeypatch):  # noqa: F811
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="started 2 processes, of which the training sees 1"):
        check_launch({}, torch.nn.Linear(1, 1), 1)


class Engine(torch.nn.Linear):
    """Stands for DeepSpeed's."""

    dp_world_size = 1

    def zero_optimization_stage(self):
        return 2


@pytest.mark.parametrize(
    ("asked", "environment", "model", "message"),
    [
        ({"fsdp": True}, {}, torch.nn.Linear(1, 1), "asked for fsdp .* found plain"),
        (
            {"deepspeed": {"zero_optimization": {"stage": 3}}},
            {},
            Engine(1, 1),
            "asked for zero-3 .* found zero-2",
        ),
        ({}, {"ACCELERATE_USE_FSDP": "true"}, torch.nn.Linear(1, 1), "found plain"),
        ({}, {"ACCELERATE_USE_DEEPSPEED": "true"}, Engine(1, 1), "trainer.deepspeed=FILE.json"),
    ],
)
def test_launches_that_are_something_else(monkeypatch, asked, environment, model, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=message):
        check_launch(asked, model, 1)


def test_launches_that_fit(monkeypatch):
    assert check_launch({}, torch.nn.Linear(1, 1), 1) == "plain"
    zero = {"deepspeed": {"zero_optimization": {"stage": 2}}}
    assert check_launch(zero, Engine(1, 1), 1) == "zero-2"
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="engine runs over 1 processes, not 2"):
        check_launch(zero, Engine(1, 1), 2)
    assert kind_of(torch.nn.Linear(1, 1)) == "plain"


def test_deepspeed_without_a_launcher_or_the_package(configure, monkeypatch):  # noqa: F811
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(UserError, match=r"zero3\.json: start with torchrun"):
        train_generator(configure(trainer={"deepspeed": ZERO3}), sums(4))
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    with pytest.raises(UserError, match=r"zero3\.json: needs the package deepspeed"):
        train_generator(configure(trainer={"deepspeed": ZERO3}), sums(4))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{", "expected a JSON file with zero_optimization.stage"),
        ('{"zero_optimization": {"stage": 1}}', "stage=1: expected 2 or 3"),
        (
            '{"zero_optimization": {"stage": 3}, "train_batch_size": 8}',
            "train_batch_size is not free here; set x instead",
        ),
    ],
)
def test_deepspeed_files_that_do_not_fit(tmp_path, settings, message):
    file = tmp_path / "ds.json"
    file.write_text(settings)
    with pytest.raises(UserError, match=message):
        deepspeed_settings(str(file), "trainer.deepspeed", {"train_batch_size": "x"})


def test_shipped_files_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert deepspeed_settings(ZERO3, "deepspeed", {})["zero_optimization"]["stage"] == 3

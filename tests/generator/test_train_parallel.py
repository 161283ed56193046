"""Two processes learn what one does: data-parallel, divided by FSDP2 and by DeepSpeed; launches."""

import importlib.util
import json
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from assay.generator.batches import split_batch
from assay.generator.coverage import CoverageConfig
from assay.generator.lora import GeneratorLoraConfig
from assay.generator.models import ModelConfig, load_model
from assay.generator.parallel import check_launch, deepspeed_settings, kind_of
from assay.generator.train import train_generator
from assay.generator.trainer import GeneratorTrainer
from assay.settings.errors import UserError
from tests import warm
from tests.generator.test_train_generator import (
    base,  # noqa: F401
    configure,  # noqa: F401
    interrupt,
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
    from assay.generator.lora import GeneratorLoraConfig
    from assay.generator.models import ModelConfig
    from assay.generator.output import GeneratorFolder
    from assay.generator.train import TrainGeneratorConfig, train_generator
    from assay.problems.prompts import PromptConfig
    from tests.generator.test_train_generator import sums

    output, trainer, lora = sys.argv[1], *map(json.loads, sys.argv[2:4])
    last, as_gpus = map(int, sys.argv[4:])
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

    saves, real = [], GeneratorFolder.complete

    def complete(folder, *arguments):
        real(folder, *arguments)
        saves.append(arguments)
        if len(saves) == last:
            os._exit(3)

    GeneratorFolder.complete = complete
    config = TrainGeneratorConfig(
        model=ModelConfig(name={base!r}, device="cpu"),
        prompt=PromptConfig(form="plain"),
        output=output,
        epochs=1,
        batch_size=8,
        learning_rate=3e-3,
        pack_tokens=128,
        save_every_seconds=0.0,
        lora=GeneratorLoraConfig(**lora),
        deepspeed=trainer.pop("deepspeed", ""),
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

    def run(output, launcher=(), *, last=0, as_gpus=False, lora=None, **trainer):
        settings = [json.dumps(trainer), json.dumps(lora or {})]
        arguments = [str(tmp_path / output), *settings, str(last), str(int(as_gpus))]
        more = {"CUDA_VISIBLE_DEVICES": "", **warm.children()}
        done = warm.run([*launcher, str(script), *arguments], more=more)
        return done.returncode, done.error

    return run


def record(path):
    return json.loads((path / "assay.json").read_text())


def same_curve(one, other, steps, read=weights):
    a, b = record(one), record(other)
    assert (a["processes"], a["parallel"], b["processes"]) == (1, "plain", 2)
    assert a["steps"] == b["steps"] == steps
    for mine, theirs in zip(a["history"], b["history"], strict=True):
        assert mine["learning_rate"] == theirs["learning_rate"]
        assert mine["loss"] == pytest.approx(theirs["loss"], abs=2e-3)
    reference = read(one)
    found = read(other)
    assert found.keys() == reference.keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, reference[name], atol=2e-3, rtol=1e-2)


KINDS = pytest.mark.parametrize(
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


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
@KINDS
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


def loaded(path):
    model = load_model(ModelConfig(name=str(path), device="cpu", dtype="float32"))
    return model.state_dict()


@pytest.mark.slow
@KINDS
def test_adapters_of_two_processes(train, tmp_path, kind, launcher, settings):
    """Written whole after a kill, and alone undisturbed: both the model of one process."""
    more = {"as_gpus": kind == "fsdp", "lora": {"rank": 4}, **settings}
    code, told = train("one", lora={"rank": 4})
    assert code == 0, told
    code, told = train("two", launcher, last=1, **more)
    assert code != 0
    checkpoint = next((tmp_path / "two" / "training").glob("checkpoint-*/complete.json")).parent
    # The base's weights are in none: neither by their names nor by their size.
    base_size = (tmp_path / "base" / "model.safetensors").stat().st_size
    for file in checkpoint.rglob("*"):
        assert file.stat().st_size < base_size, file
    assert all("lora_" in name for name in load_file(checkpoint / "adapter_model.safetensors"))
    code, told = train("two", launcher, **more)
    assert code == 0, told
    steps = record(tmp_path / "one")["steps"]
    same_curve(tmp_path / "one", tmp_path / "two", steps, loaded)
    assert record(tmp_path / "two")["parallel"] == kind
    code, told = train("alone", launcher, **{**more, "lora": {"rank": 4, "merge": False}})
    assert code == 0, told
    assert not (tmp_path / "alone" / "model.safetensors").exists()
    same_curve(tmp_path / "one", tmp_path / "alone", steps, loaded)


@pytest.mark.slow
@needs_deepspeed
def test_offloaded_in_bfloat16(train, tmp_path):
    """The recipes of 34B and 70B, without gradient checkpointing: the loss of plain bfloat16."""
    code, told = train("one", bf16=True)
    assert code == 0, told
    code, told = train("two", TORCHRUN, bf16=True, deepspeed="configs/deepspeed/zero3_offload.json")
    assert code == 0, told
    one, two = record(tmp_path / "one"), record(tmp_path / "two")
    assert (two["processes"], two["parallel"], two["steps"]) == (2, "zero-3", one["steps"])
    for mine, theirs in zip(one["history"], two["history"], strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], abs=3e-2)
    assert {t.dtype for t in weights(tmp_path / "two").values()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ({"by": "fsdp"}, "of a training by fsdp; by whole copies it cannot go on from there"),
        (
            {"rows": 6, "processes": 3},
            "steps are of 6 packed rows, over 3 processes; over 1 they would be of 2: start as "
            "many processes",
        ),
    ],
)
def test_going_on_otherwise(configure, monkeypatch, there, message):  # noqa: F811
    monkeypatch.setattr("assay.generator.trainer._SAVING_SHARE", float("inf"))
    config = configure(epochs=1)
    interrupt(monkeypatch, config, sums(24), 4)
    (file,) = Path(config.output).glob("training/checkpoint-*/complete.json")
    about = json.loads(file.read_text())
    assert (about["processes"], about["rows"], about["by"]) == (1, 2, "")
    file.write_text(json.dumps({**about, **there}))
    with pytest.raises(UserError, match=message):
        train_generator(config, sums(24))
    # As many rows over more processes: the same steps.
    file.write_text(json.dumps({**about, "processes": 2}))
    train_generator(config, sums(24))


def test_deepspeed_over_other_processes(monkeypatch):
    trainer = SimpleNamespace(_division=lambda: {"processes": 2, "rows": 4, "by": "deepspeed"})
    about = {"processes": 4, "rows": 4, "by": "deepspeed"}
    with pytest.raises(UserError, match="by 4 processes of DeepSpeed; 2 cannot go on from there"):
        GeneratorTrainer._check_continues(trainer, Path("checkpoint-1"), about)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"lora": GeneratorLoraConfig(rank=4, bits=4)},
            r"lora\.bits=4: weights of 4 bits cannot be div",
        ),
        ({"coverage": CoverageConfig(problems=2)}, r"coverage\.problems: weights are divided"),
    ],
)
def test_what_is_not_divided(configure, monkeypatch, settings, message):  # noqa: F811
    """Refused before a model is loaded, which may take its time."""
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setattr("assay.generator.train.load_model", None)
    with pytest.raises(UserError, match=message):
        train_generator(configure(**settings), sums(8))


@pytest.mark.parametrize(
    ("batch_size", "processes", "step", "told"),
    [
        # 100 rows of 4 solutions: 8 rows a step, 2 for each process.
        (32, 4, (2, 1), ""),
        (32, 3, (3, 1), "steps of 36 solutions on average, not 32: 3 × 3 packed rows"),
        (32, 8, (1, 1), ""),
    ],
)
def test_a_step_is_divided(configure, capsys, batch_size, processes, step, told):  # noqa: F811
    arguments = SimpleNamespace(world_size=processes, process_index=0)
    arguments.per_device_train_batch_size = arguments.gradient_accumulation_steps = 1
    config = configure(batch_size=batch_size)
    split_batch(config, arguments, [None] * 100, tiny(), 400)
    found = (arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps)
    assert found == step
    assert told in capsys.readouterr().err


def test_more_processes_than_rows(configure):  # noqa: F811
    arguments = SimpleNamespace(world_size=9, process_index=0)
    message = (
        "batch_size=32: fills 8 packed rows, fewer than the 9 processes; make it 36 or more, or"
    )
    with pytest.raises(UserError, match=message):
        split_batch(configure(batch_size=32), arguments, [None] * 100, tiny(), 400)
    arguments.gradient_accumulation_steps = 1
    split_batch(configure(batch_size=36), arguments, [None] * 100, tiny(), 400)


def tiny():
    config = SimpleNamespace(num_hidden_layers=1, hidden_size=8, vocab_size=9)
    config.get_text_config = lambda: config
    return SimpleNamespace(config=config, device=torch.device("cpu"))


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
        ({}, {"ACCELERATE_USE_DEEPSPEED": "true"}, Engine(1, 1), "deepspeed=FILE.json"),
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
        train_generator(configure(deepspeed=ZERO3), sums(4))
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    with pytest.raises(UserError, match=r"zero3\.json: needs the package deepspeed"):
        train_generator(configure(deepspeed=ZERO3), sums(4))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{", "expected a JSON file with zero_optimization.stage"),
        ('{"zero_optimization": {"stage": 1}}', "stage=1: expected 2 or 3"),
        (
            '{"zero_optimization": {"stage": 3}, "train_batch_size": 8}',
            "train_batch_size is set by Assay; set x instead",
        ),
    ],
)
def test_deepspeed_files_that_do_not_fit(tmp_path, settings, message):
    file = tmp_path / "ds.json"
    file.write_text(settings)
    with pytest.raises(UserError, match=message):
        deepspeed_settings(str(file), "deepspeed", {"train_batch_size": "x"})


def test_shipped_files_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert deepspeed_settings(ZERO3, "deepspeed", {})["zero_optimization"]["stage"] == 3

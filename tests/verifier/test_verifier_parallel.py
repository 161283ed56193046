import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from assay.generator.partition import gathered, shape_of
from assay.settings.errors import UserError
from assay.verifier.checkpoint import VerifierFolder
from assay.verifier.packing import idle, packed_batch
from assay.verifier.parallel import check_engine, start
from assay.verifier.train import train_verifier
from tests import warm
from tests.verifier.test_verifier_train import Stop, config_of, planted, record_of, weights_of

ROOT = Path(__file__).resolve().parents[2]
ZERO3 = ROOT / "configs" / "deepspeed" / "zero3.json"

SCRIPT = """
import os, sys
sys.path.insert(0, {root!r})
from tests.verifier import test_verifier_train as t
from assay.verifier import vocabulary
from assay.verifier.checkpoint import VerifierFolder
from assay.verifier.config import LoraConfig

vocabulary.LOGITS_AT_ONCE = 1000
output, deepspeed, rank, last = sys.argv[1:]
saves, real = [], VerifierFolder.save_state

def save(folder, state):
    real(folder, state)
    saves.append(state)
    if len(saves) == int(last):
        os._exit(3)

VerifierFolder.save_state = save
config = t.config_of({base!r}, output, lora=LoraConfig(rank=int(rank)),
                     micro_batch_tokens=300, save_every_seconds=0.0, validations=2,
                     deepspeed=deepspeed)
t.train_verifier(config, t.planted(30, 8))
"""


def test_the_shipped_configuration_is_taken(base_folder, tmp_path, monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    config = config_of(base_folder, tmp_path / "v", deepspeed=str(ZERO3))
    with pytest.raises(UserError, match=r"zero3\.json: start with torchrun"):
        train_verifier(config, planted(4, 2))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "ACCELERATE_USE_FSDP",
            "FSDP does not divide a verifier; deepspeed=configs",
        ),
        ("ACCELERATE_USE_DEEPSPEED", "start with torchrun and deepspeed=FILE.json instead"),
    ],
)
def test_launchers_that_ask_for_another_division(base_folder, tmp_path, monkeypatch, name, message):
    monkeypatch.setenv(name, "true")
    with pytest.raises(UserError, match=message):
        start(config_of(base_folder, tmp_path / "v"), bfloat16=False)


def test_without_deepspeed(base_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    config = config_of(base_folder, tmp_path / "v", deepspeed=str(ZERO3))
    with pytest.raises(UserError, match=r"zero3\.json: needs the package deepspeed"):
        train_verifier(config, planted(4, 2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (None, "expected a JSON file with zero_optimization.stage"),
        ([], "expected a JSON file with zero_optimization.stage"),
        ({"zero_optimization": {}}, "expected a JSON file with zero_optimization.stage"),
        ({"zero_optimization": {"stage": 1}}, r"stage=1: expected 2 or 3"),
        (
            {"zero_optimization": {"stage": 3}, "gradient_clipping": 1},
            "gradient_clipping is set by Assay; set max_grad_norm instead",
        ),
    ],
)
def test_configurations_that_do_not_fit(base_folder, tmp_path, settings, message):
    file = tmp_path / "ds.json"
    if settings is not None:
        file.write_text(json.dumps(settings))
    config = config_of(base_folder, tmp_path / "v", deepspeed=str(file))
    with pytest.raises(UserError, match=rf"ds\.json: .*{message}"):
        start(config, bfloat16=False)


def test_an_engine_that_is_not_there(base_folder, tmp_path):
    """What a launch gives that leaves DeepSpeed out without a word."""
    config = config_of(base_folder, tmp_path / "v", deepspeed=str(ZERO3))
    with pytest.raises(UserError, match="the engine is not engaged"):
        check_engine(config, Accelerator(cpu=True), torch.nn.Linear(1, 1))


def test_processes_that_all_do_all_of_the_data(base_folder, tmp_path, monkeypatch):
    from assay.verifier import train

    monkeypatch.setattr(train._Loop, "_sum", lambda loop, parts: 2 * float(sum(parts)))
    with pytest.raises(RuntimeError, match=r"processes do .* samples of a step"):
        train_verifier(config_of(base_folder, tmp_path / "v"), planted(6, 2))


def test_a_training_begun_the_other_way(base_folder, tmp_path, monkeypatch):
    def save(folder, state):
        real(folder, {"progress": state["progress"], "divided": "step-1", "processes": 2})
        raise Stop

    config = config_of(base_folder, tmp_path / "v", save_every_seconds=0.0)
    real = VerifierFolder.save_state
    with monkeypatch.context() as patch:
        patch.setattr(VerifierFolder, "save_state", save)
        with pytest.raises(Stop):
            train_verifier(config, planted(6, 2))
    with pytest.raises(UserError, match=r"state\.pt: with deepspeed=\(none\) the training cannot"):
        train_verifier(config, planted(6, 2))


def test_an_idle_pack_changes_nothing(make_lm):
    import numpy as np

    from assay.verifier.config import VerifierSettings
    from assay.verifier.data import Sampled
    from assay.verifier.model import Verifier
    from assay.verifier.packing import Pack

    pack = Pack(np.array([5, 6]), (Sampled(np.array([7, 0]), True, 3),), (np.array([8, 0]),))
    batch = packed_batch([idle(pack)], "token")
    assert (float(batch.value_weight.sum()), float(batch.language_weight.sum())) == (0.0, 0.0)
    verifier = Verifier(make_lm(), VerifierSettings("<|verifier|>", 260))
    sums = verifier(batch)
    (sums.value + sums.language).backward()
    assert not any(bool(p.grad.any()) for p in verifier.parameters() if p.grad is not None)


def test_ordinary_parameters_need_no_gathering():
    parameter = torch.nn.Parameter(torch.zeros(2, 3))
    assert shape_of(parameter) == (2, 3)
    with gathered([parameter], write=True), torch.no_grad():
        parameter.fill_(1.0)
    assert parameter.sum() == 6


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="needs the package deepspeed"
)
@pytest.mark.parametrize("rank", [0, 4])
def test_two_processes_under_zero_3_do_the_steps_of_one(base_folder, tmp_path, rank):
    """Divided weights, unequal micro-batches, a kill between: the losses of one plain process."""
    zero = tmp_path / "zero.json"
    # Nothing is too small to be divided.
    stage = {"stage": 3, "stage3_param_persistence_threshold": 0}
    zero.write_text(json.dumps({"zero_optimization": stage}))
    file = tmp_path / "train.py"
    file.write_text(SCRIPT.format(root=str(ROOT), base=str(base_folder)))
    more = {"DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": "", **warm.children()}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]

    def train(output, *launch, last=0):
        deepspeed = str(zero) if launch else ""
        arguments = [str(tmp_path / output), deepspeed, str(rank), str(last)]
        return warm.run([*launch, str(file), *arguments], more=more).returncode

    assert train("one") == 0
    assert train("two", *torchrun, last=3) != 0
    assert not (tmp_path / "two" / "assay.json").exists()
    assert train("two", *torchrun) == 0
    one, two = record_of(tmp_path / "one"), record_of(tmp_path / "two")
    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["steps"] == two["steps"] >= 5
    for row, other in zip(one["history"], two["history"], strict=True):
        assert row["value_loss"] == pytest.approx(other["value_loss"], abs=1e-4)
        assert row["language_loss"] == pytest.approx(other["language_loss"], abs=1e-3)
    for row, other in zip(one["validations"], two["validations"], strict=True):
        assert row["mse"] == pytest.approx(other["mse"], abs=1e-4)
    plain, divided = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    assert plain.keys() == divided.keys()
    for name, tensor in plain.items():
        torch.testing.assert_close(tensor, divided[name], atol=2e-3, rtol=1e-2)

"""Epochs, phases, rates and validation marks; the adaptation phase in a training."""

import dataclasses

import numpy as np
import pytest
import torch

from assay.settings.errors import UserError
from assay.verifier.checkpoint import VerifierFolder
from assay.verifier.config import TrainVerifierConfig
from assay.verifier.data import Group, Sampled
from assay.verifier.schedule import Epoch, Schedule, rate_factor
from assay.verifier.train import train_verifier
from tests.verifier.test_verifier_train import (
    Stop,
    assert_equal_weights,
    config_of,
    planted,
    record_of,
)


def groups_of(count):
    """Literal rows of 4 + 2 tokens for a sample and 4 + 6 for its reference."""
    prompt, reference = np.arange(4), np.arange(6)
    sampled = tuple(Sampled(np.array([9, i]), True, 1) for i in range(3))
    return [Group(str(i), "cot", prompt + i, sampled, (reference,)) for i in range(count)]


def schedule_of(**settings):
    # 10 problems: 480 tokens of samples and copies of references, 100 of references alone.
    standard = {"batch_tokens": 100, "pack_tokens": 32, "epochs": 2}
    return Schedule(TrainVerifierConfig(**{**standard, **settings}), groups_of(10))


def test_epochs_of_both_phases():
    schedule = schedule_of(adaptation_epochs=3, batch_tokens=50)
    assert schedule.epochs == [
        Epoch("adaptation", 0, 0, 2),
        Epoch("adaptation", 1, 2, 2),
        Epoch("adaptation", 2, 4, 2),
        Epoch("joint", 0, 6, 10),
        Epoch("joint", 1, 16, 10),
    ]
    assert schedule.total == 26
    assert schedule_of().epochs == [Epoch("joint", 0, 0, 5), Epoch("joint", 1, 5, 5)]


def test_adaptation_reads_every_reference_once_and_nothing_else():
    schedule = schedule_of(adaptation_epochs=2)
    first, second = (
        [pack for packs in schedule.steps(epoch) for pack in packs] for epoch in schedule.epochs[:2]
    )
    assert sorted(int(pack.prompt[0]) for pack in first) == list(range(10))
    assert all(not pack.sampled and len(pack.references) == 1 for pack in first)
    assert [p.prompt[0] for p in first] != [p.prompt[0] for p in second]


def test_verification_alone_reads_references_in_adaptation_alone():
    schedule = schedule_of(adaptation_epochs=1, lm_weight=0.0)
    packs = [schedule.steps(epoch)[0][0] for epoch in schedule.epochs]
    assert [len(pack.references) for pack in packs] == [1, 0, 0]


def test_each_phase_has_the_rates_to_itself():
    schedule = schedule_of(adaptation_epochs=2, batch_tokens=50)
    adaptation, joint = schedule.epochs[1], schedule.epochs[2]
    assert [schedule.rate(adaptation, step) for step in (2, 3)] == [0.5, 0.25]
    assert [schedule.rate(joint, step) for step in (4, 5, 14)] == [1.0, 19 / 20, 10 / 20]
    warm = schedule_of(warmup_ratio=0.2, batch_tokens=50)
    assert [warm.rate(warm.epochs[0], step) for step in (0, 3, 4)] == [1 / 5, 4 / 5, 1.0]


def test_rates():
    assert [rate_factor(step, 4, 0.0) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]
    assert [rate_factor(step, 10, 0.2) for step in range(4)] == [1 / 3, 2 / 3, 1.0, 7 / 8]


def test_validation_marks():
    assert Epoch("joint", 0, 0, 8).marks(4) == {2, 4, 6, 8}
    assert Epoch("joint", 1, 10, 3).marks(2) == {12, 13}
    assert Epoch("joint", 0, 0, 5).marks(0) == set()
    assert Epoch("adaptation", 0, 0, 8).marks(4) == set()


def test_adaptation_without_references():
    config = TrainVerifierConfig(adaptation_epochs=1)
    groups = [dataclasses.replace(group, references=()) for group in groups_of(2)]
    with pytest.raises(UserError, match="adaptation_epochs=1: no training problem has a ref"):
        Schedule(config, groups)


def test_adaptation_trains_the_language_model_alone(base_folder, tmp_path, monkeypatch):
    states = []
    real = VerifierFolder.save_state

    def save(folder, state):
        states.append({"step": state["progress"]["step"], **state["verifier"]})
        states[-1] = {k: v.clone() if torch.is_tensor(v) else v for k, v in states[-1].items()}
        real(folder, state)

    monkeypatch.setattr(VerifierFolder, "save_state", save)
    config = config_of(
        base_folder,
        tmp_path / "v",
        model={"dropout": 0.1},
        adaptation_epochs=6,
        batch_tokens=500,
        save_every_seconds=0.0,
    )
    record = record_of(train_verifier(config, planted(30, 4)))
    adaptation = [row for row in record["history"] if row["phase"] == "adaptation"]
    joint = [row for row in record["history"] if row["phase"] == "joint"]
    assert {row["epoch"] for row in adaptation} == set(range(6))
    assert {row["value_loss"] for row in adaptation} == {None}
    assert {row["candidates"] for row in adaptation} == {0}
    assert joint[-1]["candidates"] == 24 * 4
    assert adaptation[-1]["language_loss"] < 0.7 * adaptation[0]["language_loss"]
    # What adaptation has learned is not lost in the joint phase.
    assert joint[0]["language_loss"] < adaptation[0]["language_loss"]
    # Gain, bias and the reserved token's row are as they were at the start.
    last = next(state for state in states if state["step"] == adaptation[-1]["step"])
    assert float(last["gain"]) == 1.0
    assert torch.equal(last["bias"], states[0]["bias"])
    assert not last["row"].any()
    assert not torch.equal(last["lm.lm_head.weight"], states[0]["lm.lm_head.weight"])
    assert float(states[-1]["gain"]) != 1.0


def test_an_interrupted_adaptation_goes_on_to_the_same_weights(base_folder, tmp_path, monkeypatch):
    settings = {
        "model": {"dropout": 0.2},
        "adaptation_epochs": 2,
        "batch_tokens": 800,
        "lm_weight": 0.0,
        "save_every_seconds": 0.0,
    }
    data = planted(20, 6)
    train_verifier(config_of(base_folder, tmp_path / "whole", **settings), data)
    real = VerifierFolder.save_state
    steps = []

    def save(folder, state):
        real(folder, state)
        steps.append(state["progress"]["step"])
        raise Stop

    config = config_of(base_folder, tmp_path / "cut", **settings)
    with monkeypatch.context() as patch:
        patch.setattr(VerifierFolder, "save_state", save)
        for _ in range(5):
            with pytest.raises(Stop):
                train_verifier(config, data)
    train_verifier(config, data)
    assert steps == [1, 2, 3, 4, 5]
    assert_equal_weights(tmp_path / "whole", tmp_path / "cut")
    history = record_of(tmp_path / "cut")["history"]
    assert sum(row["phase"] == "adaptation" for row in history) in (2, 3, 4)
    assert {row["language_loss"] for row in history if row["phase"] == "joint"} == {0.0}

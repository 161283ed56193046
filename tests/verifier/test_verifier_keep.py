"""The best validated step is kept, whatever happens on the way."""

import re

import pytest
import torch

from assay.generator.models import ModelConfig
from assay.settings.errors import UserError
from assay.verifier import train
from assay.verifier.checkpoint import VerifierFolder
from assay.verifier.model import load_verifier
from assay.verifier.train import train_verifier
from assay.verifier.validate import Validation
from tests.verifier.test_verifier_train import (
    Stop,
    assert_equal_weights,
    config_of,
    planted,
    record_of,
)

# What the validations "measure", by their number: (auc_within, mse).
SCRIPT = [(0.6, 0.30), (0.9, 0.25), (0.7, 0.10), (0.9, 0.20), (0.8, 0.40), (None, 0.50)]


@pytest.fixture
def weights(monkeypatch):
    """Scripts the measures; returns the verifier's weights at each validation, by its number."""
    seen = {}

    def score_problems(verifier, *_):
        seen["now"] = {k: v.clone() for k, v in verifier.state_dict().items()}
        # As it is when it is saved.
        seen["now"]["lm.lm_head.weight"][verifier.settings.reserved_token_id] = seen["now"]["row"]
        return []

    def measure_problems(scores, held_out):
        raise AssertionError

    real = train._Loop._validate

    def validate(loop, bar):
        number = len(loop.progress.validations)
        auc, mse = SCRIPT[number]
        measured = Validation(
            1, 1, mse, auc, auc, 0.1, 0.5, None, None, 0.5, 0.5, {"auc_within": 0.08}
        )
        monkeypatch.setattr(train, "measure_problems", lambda *_: measured)
        real(loop, bar)
        seen[number] = seen.pop("now")

    monkeypatch.setattr(train, "score_problems", score_problems)
    monkeypatch.setattr(train, "measure_problems", measure_problems)
    monkeypatch.setattr(train._Loop, "_validate", validate)
    return seen


def settings_of(base_folder, output, **settings):
    """Two epochs of six steps, three validations each: after steps 2, 4, 6, 8, 10, 12."""
    standard = {"epochs": 2, "validations": 3, "batch_tokens": 1600}
    return config_of(base_folder, output, **{**standard, **settings})


@pytest.mark.parametrize(
    ("settings", "number", "why"),
    [
        ({"keep_margin": 0.0}, 3, "best auc_within of 6 validations"),
        # 0.8 is further than 0.08 below 0.9, and nearer than 0.16.
        ({}, 3, "best auc_within of 6 validations"),
        (
            {"keep_margin": 2.0},
            4,
            "the last within 2 standard errors of the best auc_within of 6 validations",
        ),
        # No standard error is known of it here.
        ({"keep_by": "mse"}, 2, "best mse of 6 validations"),
        # Always 0.5: the last of equals.
        ({"keep_by": "best_of_n"}, 5, "best best_of_n of 6 validations"),
        ({"keep_by": "weighted"}, 5, "the last (weighted was never defined)"),
        ({"keep": "last"}, 5, "the last (keep=last)"),
    ],
)
def test_the_kept_step(base_folder, tmp_path, weights, settings, number, why):
    path = train_verifier(settings_of(base_folder, tmp_path / "v", **settings), planted(15, 8))
    record = record_of(path)
    assert [row["step"] for row in record["validations"]] == [2, 4, 6, 8, 10, 12]
    assert record["steps"] == 12
    assert record["kept"]["step"] == 2 * (number + 1)
    assert record["kept"]["why"] == why
    if "keep" not in settings and why.startswith("best"):
        by = settings.get("keep_by", "auc_within")
        assert record["kept"][by] == record["validations"][number][by]
    verifier, _, _ = load_verifier(ModelConfig(name=str(path)))
    for name, tensor in verifier.state_dict().items():
        assert torch.equal(tensor, weights[number][name]), name
    assert any(not torch.equal(t, weights[0][n]) for n, t in verifier.state_dict().items())
    assert not (path / "training").exists()


@pytest.mark.parametrize("settings", [{"validation_fraction": 0.0}, {"validations": 0}])
def test_nothing_validated(base_folder, tmp_path, settings):
    config = settings_of(base_folder, tmp_path / "v", **settings)
    record = record_of(train_verifier(config, planted(12, 8)))
    assert record["validations"] == []
    assert record["kept"] == {"step": record["steps"], "why": "the last (nothing was validated)"}


@pytest.mark.parametrize("every", [1, 2, 3, 5])
@pytest.mark.parametrize("pause", [0.0, 1e9])
def test_killed_at_any_write_and_again_keeps_the_same_step(
    base_folder, tmp_path, weights, monkeypatch, every, pause
):
    """Every `every`-th write is the last thing that a process does, or just does not happen."""
    data = planted(15, 8)
    train_verifier(settings_of(base_folder, tmp_path / "whole"), data)
    count = 0

    def cut(name):
        real = getattr(VerifierFolder, name)

        def write(folder, *arguments):
            nonlocal count
            count += 1
            if count % (2 * every) == 0:
                raise Stop
            real(folder, *arguments)
            if count % every == 0:
                raise Stop

        return write

    config = settings_of(base_folder, tmp_path / "cut", save_every_seconds=pause)
    training = tmp_path / "cut" / "training"
    with monkeypatch.context() as patch:
        for name in ("save_best", "save_state", "drop_other_bests"):
            patch.setattr(VerifierFolder, name, cut(name))
        for _ in range(8):
            try:
                train_verifier(config, data)
                break
            except Stop:
                assert_the_best_is_there(training)
    train_verifier(config, data)
    assert_equal_weights(tmp_path / "whole", tmp_path / "cut")
    one, other = record_of(tmp_path / "whole"), record_of(tmp_path / "cut")
    assert one["kept"] == other["kept"] == {
        "step": 8, "auc_within": 0.9, "why": "best auc_within of 6 validations",
    }  # fmt: skip
    assert one["validations"] == other["validations"]


def assert_the_best_is_there(training):
    """Whatever was cut: the state names weights that are there."""
    if (training / "state.pt").exists():
        best = torch.load(training / "state.pt", weights_only=True)["progress"]["best"]
        assert best is None or (training / f"best-{best['step']}.pt").exists()


def test_earlier_bests_are_dropped_once_the_state_names_the_new_one(
    base_folder, tmp_path, weights, monkeypatch
):
    seen = {}
    real = train._Loop._save

    def save(loop, *, at_once):
        real(loop, at_once=at_once)
        files = loop.folder.state_file.parent.glob("best-*.pt")
        seen[loop.progress.step] = sorted(int(re.findall(r"\d+", f.name)[0]) for f in files)

    monkeypatch.setattr(train._Loop, "_save", save)
    config = settings_of(base_folder, tmp_path / "v", save_every_seconds=0.0)
    train_verifier(config, planted(15, 8))
    expected = {1: [], 2: [2], 3: [2], 4: [4], 7: [4], 8: [8], 12: [8]}
    assert {step: seen[step] for step in expected} == expected


def test_kept_weights_that_are_gone_are_named(base_folder, tmp_path, weights, monkeypatch):
    config, data = settings_of(base_folder, tmp_path / "v"), planted(15, 8)
    with monkeypatch.context() as patch:
        patch.setattr(train._Loop, "load_kept", lambda _: (_ for _ in ()).throw(Stop))
        with pytest.raises(Stop):
            train_verifier(config, data)
    (tmp_path / "v" / "training" / "best-8.pt").unlink()
    with pytest.raises(UserError, match=r"best-8\.pt: cannot be read; delete .*training to start"):
        train_verifier(config, data)

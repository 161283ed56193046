"""`report_to`: losses of every step and what validation measures go to accelerate's trackers."""

import accelerate.accelerator
import accelerate.tracking
import pytest
from accelerate.tracking import GeneralTracker
from accelerate.utils import LoggerType

from assay.generator.reporting import check_report_to
from assay.settings.errors import UserError
from assay.verifier.train import train_verifier
from tests.verifier.test_verifier_train import config_of, planted


class Tracker(GeneralTracker):
    name = "tensorboard"
    requires_logging_directory = True

    def __init__(self, run_name, logging_dir, **_):
        super().__init__()
        self.told = logs.append
        logs.append(("folder", str(logging_dir)))

    @property
    def tracker(self):
        return self

    def store_init_configuration(self, values):
        pass

    def log(self, values, step=None, **_):
        self.told((step, dict(values)))

    def finish(self):
        self.told(("end", {}))


logs = []


def test_losses_and_validations_are_reported(base_folder, tmp_path, monkeypatch):
    logs.clear()
    monkeypatch.setattr(accelerate.tracking, "_available_trackers", [LoggerType.TENSORBOARD])
    classes = {LoggerType.TENSORBOARD: Tracker, "tensorboard": Tracker}
    monkeypatch.setattr(accelerate.accelerator, "LOGGER_TYPE_TO_CLASS", classes)
    monkeypatch.setattr(accelerate.tracking, "LOGGER_TYPE_TO_CLASS", classes)
    config = config_of(base_folder, tmp_path / "v", epochs=1, report_to=["tensorboard"])
    train_verifier(config, planted(10, 4))
    assert logs[0] == ("folder", str(tmp_path / "v/reports"))
    assert logs[-1] == ("end", {})
    steps = [told for told in logs[1:-1] if "value_loss" in told[1]]
    assert [step for step, _ in steps] == list(range(1, len(steps) + 1))
    assert set(steps[0][1]) == {"value_loss", "language_loss"}
    (measured,) = [told for told in logs[1:-1] if "held_out/mse" in told[1]]
    assert measured[0] == len(steps)


def test_what_cannot_be_reported_to():
    with pytest.raises(UserError, match="report_to=tensorbord: expected one of aim, tensorboard"):
        check_report_to(["tensorbord"])
    with pytest.raises(UserError, match="report_to=comet_ml: needs the package comet-ml"):
        check_report_to(["comet_ml"])

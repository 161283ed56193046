"""The output folder of a verifier's training: where it stands, what came out.

While training, `training/state.pt` holds all that a resumed training needs (weights, optimiser,
position, history), written to a temporary file, synced and renamed: it exists whole or not at all.
`training/best-STEP.pt` holds the weights of the best validated step so far, a file a step: whenever
the training is killed, the state names one that is there and holds what the state says of it. When
done, the verifier's files are written, `assay.json` last: where it stands, all is there.

    folder = VerifierFolder(Path("runs/verifier"), key)
    if not folder.finished():
        state = folder.load_state()
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from assay.settings.errors import UserError
from assay.storage.files import atomic_file
from assay.storage.output import OutputFolder

__all__ = ["VerifierFolder"]


class VerifierFolder(OutputFolder):
    """A folder that holds, or will hold, the verifier trained with the settings `key`."""

    kind = "verifier"

    def __init__(self, path: Path, key: Mapping[str, Any]) -> None:
        super().__init__(path, key)
        self.state_file = self.training / "state.pt"

    def finished(self) -> bool:
        """Whether the verifier is there, trained with these very settings."""
        if super().finished():
            return True
        if not self.state_file.exists() and any(self.path.glob("*.json")):
            raise self.foreign()
        return False

    def load_state(self) -> dict[str, Any] | None:
        """The state of an interrupted training with these settings, or `None` (none yet)."""
        if not self.state_file.exists():
            return None
        try:
            state = torch.load(self.state_file, map_location="cpu", weights_only=True)
            key = json.loads(state["key"])
        except Exception as error:  # torch.load raises a dozen types on foreign files
            raise UserError(
                f"{self.state_file}: not a training state; delete it to start anew"
            ) from error
        self.compare(key)
        return dict(state)

    def save_state(self, state: dict[str, Any]) -> None:
        """Replaces the state on disk. Raises `UserError` where the disk does not take it."""
        self._save(self.state_file, {**state, "key": json.dumps(self.key)})

    def save_best(self, step: int, weights: dict[str, Any]) -> None:
        """Keeps the weights after `step`, beside earlier ones: the state may still name those."""
        self._save(self._best_file(step), weights)

    def load_best(self, step: int) -> dict[str, Any]:
        """The weights kept after `step`. Raises `UserError` where they are not there."""
        file = self._best_file(step)
        try:
            return dict(torch.load(file, map_location="cpu", weights_only=True))
        except Exception as error:  # torch.load raises a dozen types on foreign files
            raise UserError(
                f"{file}: cannot be read; delete {file.parent} to start anew"
            ) from error

    def drop_other_bests(self, step: int) -> None:
        """Deletes all kept weights but those of `step`; call it once the saved state names it."""
        for file in self.training.glob("best-*.pt"):
            if file != self._best_file(step):
                file.unlink(missing_ok=True)

    def _best_file(self, step: int) -> Path:
        return self.training / f"best-{step}.pt"

    def _save(self, file: Path, value: dict[str, Any]) -> None:
        try:
            with atomic_file(file, "wb") as stream:
                torch.save(value, stream)
        except (OSError, RuntimeError) as error:  # torch wraps some write errors in RuntimeError
            raise UserError(f"{file}: cannot be written ({_reason(error)})") from error

    def finish(self, record: dict[str, Any]) -> None:
        """Records the finished training and drops its state."""
        try:
            self.write_record(record)
        except OSError as error:
            raise UserError(f"{self.record_file}: cannot be written ({_reason(error)})") from error
        shutil.rmtree(self.training, ignore_errors=True)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())

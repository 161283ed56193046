"""The output folder of a training: what it was made with, how far it is, what came out.

    OUTPUT/training/           while training: settings.json, checkpoint-N/ …
    OUTPUT/config.json, *.safetensors, tokenizer …   the finished model, a plain Hugging Face folder
    OUTPUT/assay.json          written last: where it stands, all is there

A checkpoint counts only with its `complete.json`, which is written when all else is on disk: a
killed process or a full disk leaves the one before it in place.

    folder = OutputFolder(Path("runs/generator"), key)
    if not folder.finished():
        folder.begin()
        resume = folder.last_checkpoint()
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.settings.errors import UserError
from assay.storage.files import differences, write_json

__all__ = ["OutputFolder"]

_COMPLETE = "complete.json"
_PREFIX = "checkpoint-"


class OutputFolder:
    """A folder that holds, or will hold, the generator trained with the settings `key`.

    Raises `UserError` (on use) where the folder holds something else.
    """

    def __init__(self, path: Path, key: Mapping[str, Any]) -> None:
        self.path = path
        # As JSON has it, so that it compares equal when read back.
        self.key: dict[str, Any] = json.loads(json.dumps(key))
        self.record = path / "assay.json"
        self.training = path / "training"

    def finished(self) -> bool:
        """Whether the generator is there, trained with these very settings."""
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path}: expected a folder to write, found a file")
        if not self.record.exists():
            return False
        record = _read(self.record)
        if record.get("kind") != "generator":
            raise UserError(f"{self.path}: already contains something else; choose another output")
        self._compare(record.get("key", {}))
        return True

    def begin(self) -> None:
        """Makes the folder ready for training, or for going on with it."""
        settings = self.training / "settings.json"
        if settings.exists():
            self._compare(_read(settings))
            for checkpoint in self._checkpoints():
                if not (checkpoint / _COMPLETE).exists():
                    shutil.rmtree(checkpoint)
            return
        if self.path.exists() and any(p.name != "training" for p in self.path.iterdir()):
            raise UserError(f"{self.path}: already contains something else; choose another output")
        self.training.mkdir(parents=True, exist_ok=True)
        write_json(settings, self.key)

    def last_checkpoint(self) -> Path | None:
        """The newest complete checkpoint."""
        complete = [path for path in self._checkpoints() if (path / _COMPLETE).exists()]
        return complete[-1] if complete else None

    def complete(self, checkpoint: Path, about: Mapping[str, Any], keep: int) -> None:
        """Declares a checkpoint complete and removes all but the last `keep`."""
        write_json(checkpoint / _COMPLETE, dict(about))
        for old in self._checkpoints()[:-keep]:
            shutil.rmtree(old)

    def about(self, checkpoint: Path) -> dict[str, Any]:
        """What was told to `complete`."""
        return _read(checkpoint / _COMPLETE)

    def finish(self, model: Path, record: Mapping[str, Any]) -> None:
        """Moves the files of the finished model in, records them, and drops the checkpoints."""
        for file in model.iterdir():
            os.replace(file, self.path / file.name)
        write_json(self.record, {"kind": "generator", **record, "key": self.key})
        shutil.rmtree(self.training)

    def _checkpoints(self) -> list[Path]:
        found = self.training.glob(f"{_PREFIX}*")
        numbered = [path for path in found if path.name.removeprefix(_PREFIX).isdigit()]
        return sorted(numbered, key=lambda path: int(path.name.removeprefix(_PREFIX)))

    def _compare(self, there: Mapping[str, Any]) -> None:
        lines = differences(there, self.key)
        if lines:
            raise UserError(
                f"{self.path}: was trained with other settings ({'; '.join(lines)}); "
                "choose another output or delete it"
            )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object")
    return content

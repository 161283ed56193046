"""The output folder of a generator's training: how far it is, what came out.

    OUTPUT/training/           while training: settings.json, checkpoint-N/ …
    OUTPUT/config.json, *.safetensors, tokenizer …   the finished model, a plain Hugging Face folder
    OUTPUT/assay.json          written last: where it stands, all is there

A checkpoint counts only with its `complete.json`, which is written when all else is on disk: a
killed process or a full disk leaves the one before it in place.

    folder = GeneratorFolder(Path("runs/generator"), key)
    if not folder.finished():
        folder.begin()
        resume = folder.last_checkpoint()
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.storage.files import write_json
from assay.storage.output import OutputFolder, read_record

__all__ = ["GeneratorFolder"]

_COMPLETE = "complete.json"
_PREFIX = "checkpoint-"
# What a folder holds before its training begins: where it was, its Slurm job, its reports.
_OURS = ("training", "slurm", "reports")


class GeneratorFolder(OutputFolder):
    """A folder that holds, or will hold, the generator trained with the settings `key`."""

    kind = "generator"

    def begin(self) -> None:
        """Makes the folder ready for training, or for going on with it."""
        settings = self.training / "settings.json"
        if settings.exists():
            self.compare(read_record(settings))
            for checkpoint in self._checkpoints():
                if not (checkpoint / _COMPLETE).exists():
                    shutil.rmtree(checkpoint)
            return
        if self.path.exists() and any(p.name not in _OURS for p in self.path.iterdir()):
            raise self.foreign()
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
        return read_record(checkpoint / _COMPLETE)

    def finish(self, model: Path, record: Mapping[str, Any]) -> None:
        """Moves the files of the finished model in, records them, and drops the checkpoints."""
        for file in model.iterdir():
            os.replace(file, self.path / file.name)
        self.write_record(record)
        shutil.rmtree(self.training)

    def _checkpoints(self) -> list[Path]:
        found = self.training.glob(f"{_PREFIX}*")
        numbered = [path for path in found if path.name.removeprefix(_PREFIX).isdigit()]
        return sorted(numbered, key=lambda path: int(path.name.removeprefix(_PREFIX)))

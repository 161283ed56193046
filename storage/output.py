"""The output folder of a training: what it was made with, and whether the model is there.

OUTPUT/training/     while training: checkpoints, as the kind of model wants them
OUTPUT/assay.json    written last: where it stands, the model is there, and its settings are in it

class GeneratorFolder(OutputFolder):
kind = "generator"

if not GeneratorFolder(Path("runs/generator"), key).finished():
train()
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from assay.settings.errors import UserError
from assay.storage.files import differences, write_json

__all__ = ["OutputFolder", "read_record"]


class OutputFolder:
    """A folder that holds, or will hold, the model trained with the settings `key`.

    Raises `UserError` (on use) where the folder holds something else.
    """

    kind: ClassVar[str]
    """what `assay.json` says that the folder holds"""

    def __init__(self, path: Path, key: Mapping[str, Any]) -> None:
        self.path = path
        # As JSON has it, so that it compares equal when read back.
        self.key: dict[str, Any] = json.loads(json.dumps(key))
        self.record_file = path / "assay.json"
        self.training = path / "training"

    def finished(self) -> bool:
        """Whether the model is there, trained with these very settings."""
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path}: expected a folder to write, found a file")
        if not self.record_file.exists():
            return False
        record = read_record(self.record_file)
        if record.get("kind") != self.kind:
            raise self.foreign()
        self.compare(record.get("key", {}))
        return True

    def foreign(self) -> UserError:
        """The error where something else is in the folder."""
        return UserError(
            f"{self.path}: already contains something other than a {self.kind}; "
            "choose another output"
        )

    def compare(self, key: Mapping[str, Any]) -> None:
        """Raises `UserError` where what is there was made with a `key` other than this one."""
        lines = differences(key, self.key)
        if lines:
            raise UserError(
                f"{self.path}: was trained with other settings ({'; '.join(lines)}); "
                "choose another output or delete it"
            )

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Declares the model finished."""
        write_json(self.record_file, {"kind": self.kind, "key": self.key, **record})


def read_record(path: Path) -> dict[str, Any]:
    """The object of a JSON file. Raises `UserError` where it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object")
    return content

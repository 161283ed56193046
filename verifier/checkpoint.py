"""The output folder of a training: what it was made with, where it stands, what came out.

While training, `training/state.pt` holds all that a resumed training needs (weights, optimiser,
position, history), written to a temporary file, synced and renamed: it exists whole or not at all.
When done, the verifier's files are written, `assay.json` last: where it stands, all is there.

    folder = OutputFolder(Path("runs/verifier"), key)
    if not folder.finished():
        state = folder.load_state()
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from problems.errors import UserError

__all__ = ["OutputFolder", "differences"]


def differences(there: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The fields in which two nested settings differ, with both values.

    >>> differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2})
    ['a.b: 1 there, 3 asked for']
    """
    lines = []
    for name in dict.fromkeys([*there, *asked]):
        old, new = there.get(name), asked.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += differences(old, new, f"{prefix}{name}.")
        elif old != new:
            lines.append(f"{prefix}{name}: {_short(old)} there, {_short(new)} asked for")
    return lines


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "…"


class OutputFolder:
    """A folder that holds, or will hold, the verifier trained with the settings `key`.

    Raises `UserError` (on use) where the folder holds something else.
    """

    def __init__(self, path: Path, key: dict[str, Any]) -> None:
        self.path = path
        # As JSON has it, so that it compares equal when read back.
        self.key = json.loads(json.dumps(key))
        self.record_file = path / "assay.json"
        self.state_file = path / "training" / "state.pt"

    def finished(self) -> bool:
        """Whether the verifier is there, trained with these very settings."""
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path}: expected a folder to write, found a file")
        if not self.record_file.exists():
            if (
                self.path.exists()
                and not self.state_file.exists()
                and any(self.path.glob("*.json"))
            ):
                raise UserError(
                    f"{self.path}: holds something that is not a verifier's training; "
                    "choose another output"
                )
            return False
        try:
            record = json.loads(self.record_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{self.record_file}: cannot be read ({error})") from error
        if not isinstance(record, dict) or record.get("kind") != "verifier":
            raise UserError(
                f"{self.path}: holds something that is not a verifier; choose another output"
            )
        self._compare(record.get("key", {}))
        return True

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
        self._compare(key)
        return dict(state)

    def save_state(self, state: dict[str, Any]) -> None:
        """Replaces the state on disk. Raises `UserError` where the disk does not take it."""
        temporary = self.state_file.with_suffix(".tmp")
        try:
            self.state_file.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as stream:
                torch.save({**state, "key": json.dumps(self.key)}, stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, self.state_file)
        except (OSError, RuntimeError) as error:  # torch wraps some write errors in RuntimeError
            temporary.unlink(missing_ok=True)
            raise UserError(f"{self.state_file}: cannot be written ({_reason(error)})") from error

    def finish(self, record: dict[str, Any]) -> None:
        """Records the finished training and drops its state."""
        text = json.dumps(
            {"kind": "verifier", "key": self.key, **record}, indent=2, ensure_ascii=False
        )
        temporary = self.record_file.with_suffix(".tmp")
        try:
            with temporary.open("w", encoding="utf-8") as stream:
                stream.write(text + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, self.record_file)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise UserError(f"{self.record_file}: cannot be written ({_reason(error)})") from error
        shutil.rmtree(self.state_file.parent, ignore_errors=True)

    def _compare(self, there: Mapping[str, Any]) -> None:
        lines = differences(there, self.key)
        if lines:
            raise UserError(
                f"{self.path}: was trained with other settings ({'; '.join(lines)}); "
                "choose another output or delete it"
            )


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())

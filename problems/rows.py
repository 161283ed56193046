"""Raw rows of a problem set, from a local file or folder, or from the Hugging Face hub.

Each row comes with a text that says where it stands ("train.jsonl, line 3"), for messages.

    for where, row in read_rows("data/gsm8k", "train"): ...
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from assay.settings.errors import UserError
from assay.storage.jsonl import read_json_list, read_jsonl

__all__ = ["Row", "Where", "read_rows"]

Row = dict[str, Any]
Where = Literal["local", "hub", "either"]

_LOCAL_SUFFIXES = (".jsonl", ".json")


def read_rows(
    path: str,
    split: str,
    *,
    where: Where = "either",
    config: str = "",
    revision: str = "",
) -> Iterator[tuple[str, Row]]:
    """Yields (where it stands, row).

    `path` is a JSONL file, a JSON file that holds one list, a folder that holds `{split}.jsonl` or
    `{split}.json`, or a hub data set ("owner/name", with `config` and `revision`). With
    where="either", what exists locally or looks like a file is local. Raises `UserError`.
    """
    if where == "hub" or (where == "either" and not _is_local(path)):
        return _hub_rows(path, split, config, revision)
    return _local_rows(Path(path).expanduser(), split)


def _is_local(path: str) -> bool:
    looks_like_file = path.endswith(_LOCAL_SUFFIXES) or path.startswith(("/", ".", "~"))
    return looks_like_file or path.count("/") != 1 or Path(path).exists()


def _local_rows(path: Path, split: str) -> Iterator[tuple[str, Row]]:
    if path.is_dir():
        candidates = [path / f"{split}{suffix}" for suffix in _LOCAL_SUFFIXES]
        found = next((file for file in candidates if file.is_file()), None)
        if found is None:
            held = ", ".join(sorted(f.name for f in path.glob("*.json*"))[:8]) or "no JSON files"
            raise UserError(f"{path}: expected {split}.jsonl in this folder, which holds {held}")
        path = found
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder")
    if path.suffix == ".json":
        yield from read_json_list(path)
        return
    for number, row in read_jsonl(path):
        yield f"{path}, line {number}", row


def _hub_rows(name: str, split: str, config: str, revision: str) -> Iterator[tuple[str, Row]]:
    from datasets import load_dataset

    try:
        rows = load_dataset(name, config or None, split=split, revision=revision or None)
    except Exception as error:  # the hub's client raises a dozen unrelated kinds
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"hub data set {name} (config={config or 'default'}, split={split}): cannot be loaded "
            f"({type(error).__name__}: {reason}); a local file can be given as problems.path=FILE"
        ) from error
    for index, row in enumerate(rows):
        yield f"{name}, {split} row {index}", dict(row)

"""run.json: what a run's stages were registered with, by several commands at once if need be.

Every change makes a *revision* of the record. Revision n is `revisions/0000n.json`, a file that is
only ever created, never replaced: of two commands that would make the same revision, one finds it
there, reads what it holds, and makes the next. So nothing is lost, and there is no lock that could
outlive a kill. run.json is a copy, for people and as the place to start reading from; where it is
older than the revisions (its writer was killed or slow), they are what counts.

    record = change_record(place("runs/demo"), lambda record: record["stages"].update(…) or True)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from assay.settings.errors import UserError
from assay.storage.files import create_json, write_json
from assay.storage.places import Place

__all__ = ["FORMAT", "change_record", "create_record", "read_record"]

FORMAT = 1
_TRIES = 1000


def create_record(folder: Place, problems: str) -> None:
    """Makes the record of a new run, of these problems (their hash); one that is there stays."""
    try:
        create_json(folder / "run.json", {"format": FORMAT, "problems": problems, "stages": {}})
    except FileExistsError:
        return


def read_record(folder: Place) -> dict[str, Any]:
    """The newest revision. Raises `UserError` where the folder is not a run."""
    try:
        record = _read(folder / "run.json")
    except FileNotFoundError as error:
        raise UserError(f"{folder}: not a run (it has no run.json)") from error
    while True:
        try:
            record = _read(_revision(folder, record))
        except FileNotFoundError:
            return record


def change_record(folder: Place, change: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Changes the record and returns it.

    `change` alters the record that it is given and returns whether it did; it is called again, with
    what others have made of the record, when they were faster. What it raises is raised.
    """
    for _ in range(_TRIES):
        record = read_record(folder)
        target = _revision(folder, record)
        if not change(record):
            return record
        record["revision"] = record.get("revision", 0) + 1
        try:
            create_json(target, record)
        except FileExistsError:
            time.sleep(0.01)  # a network file system may take a moment to show what is there
            continue
        write_json(folder / "run.json", record)
        return record
    raise UserError(f"{target}: is there and cannot be seen; give the same command again")


def _revision(folder: Place, record: dict[str, Any]) -> Place:
    """The file of the revision after this one."""
    return folder / "revisions" / f"{record.get('revision', 0) + 1:05d}.json"


def _read(path: Place) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        version = record.get("format") if isinstance(record, dict) else None
        raise UserError(f"{path}: expected format {FORMAT}, found {version}")
    return record

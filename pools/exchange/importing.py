"""`assay import`: candidates that others sampled, as a run of our own.

    assay import samples.jsonl run=runs/x format=qwen
    assay import out-rs0.jsonl out-rs1.jsonl run=runs/x mapping=mine.yaml

A file is read twice: first everything is checked and counted, then the parts are written, in a
folder beside the run that takes its place when all is there. So an import is whole or absent, and
holds one slice of problems in memory where the lines of a problem stand together.

What came along (answers, labels) is kept apart from ours, as the stage `imported`; scores become
the scores of a verifier. Then `grade`, `score`, `evaluate`, `report` as for a sampled run.
"""

from __future__ import annotations

import contextlib
import math
import re
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.pools.exchange.book import Book, Placed
from assay.pools.exchange.cells import AGGREGATES
from assay.pools.exchange.fields import Fields
from assay.pools.exchange.mapping import Imported
from assay.pools.exchange.reading import format_file, formats, read_placed
from assay.pools.progress import progress_bar
from assay.pools.rows import KEY, Candidate, candidates_table, imported_table, scores_table
from assay.pools.run import Part, Run
from assay.problems.problem import Problem
from assay.settings.errors import UserError
from assay.settings.schema import as_dict, merge, read_yaml
from assay.storage.files import create_file, differences, file_digest
from assay.storage.places import Place, names_below, place

__all__ = ["ImportConfig", "import_pool", "run"]

# Candidates in one part, about: the unit in which `grade` and `score` resume.
PART = 512

# What an import into an object store leaves that was killed before its run.json.
_BEGUN = re.compile(r"problems\.jsonl$|(revisions|candidates|imported|scores)/")


@dataclass
class ImportConfig:
    """What `assay import` reads."""

    files: list[str] = field(default_factory=list)
    """JSONL (.gz too), JSON lists or Parquet; several are read as one"""
    run: str = ""
    """the run's folder, a new one"""
    format: str = "assay"
    """who wrote the files; a name of configs/imports/, or empty with `mapping`"""
    mapping: str = ""
    """YAML file of a mapping of your own, in place of a format's"""
    fields: Fields = field(default_factory=Fields)
    """single fields of the mapping, over those of the format"""
    scores_name: str = ""
    """what imported scores are called; empty = the format's or the mapping's name"""
    aggregate: str = "last"
    """of a candidate's step scores: last | min | product | mean"""
    join: bool = False
    """rows of one problem that hold lists are more samples of it, not an error"""
    problems_per_part: int = 0
    """problems in one part, the unit of resuming; 0 = so many that it has about 512 samples"""


def run(config: ImportConfig) -> None:
    """`assay import`."""
    done, is_new = import_pool(config)
    parts = done.parts("candidates")
    if not is_new:
        print(f"{done.path}: holds these candidates already ({len(parts)} parts)")
        return
    total = sum(done.read("candidates", part).num_rows for part in parts)
    print(
        f"{len(done.problems)} problems, {total} candidates in {done.path}; "
        f"next: assay grade {done.path}"
    )


def import_pool(config: ImportConfig) -> tuple[Run, bool]:
    """The run that holds the files' candidates, and whether it was made now.

    Raises `UserError` naming file and line for what cannot be read or mapped, and where the run's
    folder holds anything else.
    """
    fields, name = _mapping(config)
    if not config.files:
        raise UserError("files: expected a file, for example assay import FILE.jsonl run=runs/x")
    if not config.run:
        raise UserError("run: expected the folder of a new run, for example run=runs/x")
    if config.aggregate not in AGGREGATES:
        raise UserError(f"aggregate={config.aggregate}: expected one of {', '.join(AGGREGATES)}")
    path = place(config.run)
    scores_name = config.scores_name or name
    key = {
        "files": [_hash(Path(file)) for file in config.files],
        "fields": _fields_key(fields),
        "scores_name": scores_name,
        "aggregate": config.aggregate,
        "join": config.join,
    }
    finished = _finished(path, key)
    if finished is not None:
        return finished, False
    counted = _count(config, fields)
    size = config.problems_per_part or max(
        1, round(PART * len(counted.problems) / counted.candidates.total())
    )
    with _begun(path) as begun:
        opened = Run.open_or_create(begun, counted.problems)
        run_key = {"import": key, "problems_per_part": size}
        if counted.has_free:
            run_key["free"] = True
        opened.register("candidates", run_key, {})
        _write(opened, config, fields, counted, scores_name)
        parts = len(opened.parts("candidates"))
        opened.register("candidates", run_key, {**as_dict(config), "parts": parts})
    for column, count in counted.shared.items():
        print(f"note: {column} left out in {count} rows: one value for several solutions")
    for file, count in counted.renamed.items():
        if count:
            print(
                f"note: {count} problems of {file} have numbers as ids that another file has for "
                f"other questions; theirs are {file}/NUMBER"
            )
    if counted.unstepped:
        print(
            f"note: {counted.unstepped} of {counted.candidates.total()} candidates have not as "
            f"many steps between {fields.steps!r} as scores: these count, but stand at no step"
        )
    return Run.open(path), True


@contextlib.contextmanager
def _begun(path: Place) -> Iterator[Path]:
    """A folder for the run to be made in, which takes its place at the end, or is removed.

    A run in an object store is one when its run.json is there, so that is put last.
    """
    if isinstance(path, Path):
        # Beside it: one file system, so that the whole is moved at once.
        begun = path.with_name(f".{path.name}.importing")
        shutil.rmtree(begun, ignore_errors=True)
        try:
            yield begun
            if path.exists():
                path.rmdir()
            begun.rename(path)
        except BaseException:
            shutil.rmtree(begun, ignore_errors=True)
            raise
        return
    with tempfile.TemporaryDirectory(prefix="assay-import-") as made:
        yield Path(made)
        path.put(Path(made), [name for name in names_below(Path(made)) if name != "run.json"])
        try:
            create_file(path / "run.json", (Path(made) / "run.json").read_text(encoding="utf-8"))
        except FileExistsError as error:
            raise UserError(f"{path}: another command has made this run meanwhile") from error


def _mapping(config: ImportConfig) -> tuple[Fields, str]:
    """The mapping to use, and its name."""
    if config.mapping:
        path = Path(config.mapping)
    else:
        if config.format not in formats():
            raise UserError(f"format={config.format}: expected one of {', '.join(formats())}")
        path = format_file(config.format)
    default = Fields()
    changed = {k: v for k, v in as_dict(config.fields).items() if v != getattr(default, k)}
    return merge(Fields, [read_yaml(path), changed]), path.stem


def _fields_key(fields: Fields) -> dict[str, Any]:
    """The mapping as the run's key holds it.

    Files of earlier versions hold no free scores: an import of one has the key that it had then.
    """
    key = as_dict(fields)
    if fields.free in ("", read_yaml(format_file("assay"))["free"]):
        del key["free"]
    return key


def _finished(path: Place, key: dict[str, Any]) -> Run | None:
    """The run where it holds just this import; `None` where there is nothing yet."""
    if isinstance(path, Path):
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return None
    elif not any(not _BEGUN.match(name) for name in path.names()):
        return None
    if not (path / "run.json").exists():
        raise UserError(f"{path}: is there and is no run; give another run=")
    opened = Run.open(path)
    run_key = opened.key("candidates") if "candidates" in opened.record["stages"] else {}
    if "import" not in run_key:
        raise UserError(f"{path}: holds a run that was not imported; give another run=")
    lines = differences(run_key["import"], key)
    if lines:
        raise UserError(
            f"{path}: holds another import ({'; '.join(lines)}); give another run= or delete it"
        )
    lost = opened.record["stages"]["candidates"]["config"]["parts"] - len(
        opened.parts("candidates")
    )
    if lost:
        raise UserError(f"{path}: {lost} parts of candidates are lost; delete it and import again")
    return opened


def _hash(path: Path) -> str:
    try:
        return f"sha256:{file_digest(path)}"
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


@dataclass
class _Counted:
    """What the first reading found; `candidates` counts them by the number of their problem.

    `valued` are the names of scores that have values, `unstepped` counts the scored candidates
    whose steps these could not be found for, `renamed` the problems named after their file.
    """

    problems: list[Problem]
    renamed: Counter[str]
    candidates: Counter[int] = field(default_factory=Counter)
    origins: set[str] = field(default_factory=set)
    scores: set[str] = field(default_factory=set)
    valued: set[str] = field(default_factory=set)
    unstepped: int = 0
    has_theirs: bool = False
    has_free: bool = False
    shared: Counter[str] = field(default_factory=Counter)


def _count(config: ImportConfig, fields: Fields) -> _Counted:
    book = Book(join=config.join)
    counted = _Counted(book.problems, renamed=book.renamed)
    for row, placed in read_placed(config.files, fields, config.aggregate, book):
        counted.shared.update(row.shared)
        for each in placed:
            theirs = each.candidate
            counted.candidates[each.problem] += 1
            counted.origins.add(theirs.origin)
            counted.scores |= set(theirs.scores)
            counted.valued |= set(theirs.values)
            counted.unstepped += bool(fields.steps and theirs.scores and not theirs.values)
            counted.has_theirs |= theirs.answer is not None or theirs.label is not None
            counted.has_free |= bool(theirs.free)
    if not counted.candidates:
        raise UserError(f"{config.files[0]}: holds no solutions")
    return counted


def _write(
    opened: Run, config: ImportConfig, fields: Fields, counted: _Counted, scores_name: str
) -> None:
    """Writes each slice of problems when its last candidate has been read."""
    key = opened.key("candidates")
    for origin in counted.origins - {""}:
        opened.register("candidates", key, {}, origin)
    if counted.has_theirs:
        opened.register("imported", key, {})
    verifiers = {
        name: re.sub(r"[^\w.-]+", "-", name or scores_name) for name in sorted(counted.scores)
    }
    for verifier in verifiers.values():
        opened.register(f"scores/{verifier}", {**key, "verifier": verifier}, {})
    size = int(key["problems_per_part"])
    missing: Counter[int] = Counter()
    for problem, count in counted.candidates.items():
        missing[problem // size] += count
    waiting: dict[int, list[Placed]] = defaultdict(list)
    with progress_bar(counted.candidates.total(), "import") as bar:
        book = Book(join=config.join)
        for _, placed in read_placed(config.files, fields, config.aggregate, book):
            for each in placed:
                index = each.problem // size
                waiting[index].append(each)
                if len(waiting[index]) == missing[index]:
                    _write_slice(opened, index, waiting.pop(index), verifiers, counted)
                    bar.update(missing[index])


def _write_slice(
    opened: Run, index: int, rows: list[Placed], verifiers: dict[str, str], counted: _Counted
) -> None:
    """Writes the parts of a slice of problems, one for each origin and mode."""
    groups: dict[tuple[str, str], list[Placed]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.problem, row.sample)):
        groups[row.candidate.origin, row.candidate.mode].append(row)
    for (origin, mode), members in groups.items():
        part = Part(index, mode, 0, 1 + max(row.sample for row in members), origin)
        keys = [
            dict(zip(KEY, (opened.problems[row.problem].id, origin, mode, row.sample), strict=True))
            for row in members
        ]
        candidates = [
            _candidate(key, row.candidate) for key, row in zip(keys, members, strict=True)
        ]
        opened.write("candidates", part, candidates_table(candidates), 0.0)
        if counted.has_theirs:
            theirs = [
                {**key, **_graded(row.candidate)} for key, row in zip(keys, members, strict=True)
            ]
            opened.write("imported", part, imported_table(theirs), 0.0)
        for name, verifier in verifiers.items():
            scored = [
                {**key, **_scored(row.candidate, name)}
                for key, row in zip(keys, members, strict=True)
            ]
            table = scores_table(scored, values=name in counted.valued)
            opened.write(f"scores/{verifier}", part, table, 0.0)


def _scored(candidate: Imported, name: str) -> dict[str, Any]:
    """The score by that name and, where there are some, the values."""
    values = candidate.values.get(name)
    score = {"score": candidate.scores.get(name, math.nan)}
    return score if values is None else {**score, **values._asdict()}


def _graded(candidate: Imported) -> dict[str, Any]:
    return {"imported_answer": candidate.answer, "imported_label": candidate.label}


def _candidate(key: dict[str, Any], theirs: Imported) -> Candidate:
    return Candidate(
        **key,
        text=theirs.text,
        token_ids=theirs.token_ids,
        tokens=theirs.tokens,
        prompt_tokens=theirs.prompt_tokens,
        logprob=theirs.logprob,
        stop=theirs.stop,
        free=theirs.free,
    )

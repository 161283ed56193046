"""`assay attach`: scores or labels that somebody else made of a run's candidates.

    assay attach runs/x rewards.jsonl                  # {"id": …, "rewards": [64 numbers]}
    assay attach runs/x human.jsonl fields.labels=ok   # {"id": …, "sample": 3, "ok": true}

A row is of one problem, with a value for each of its candidates, or of one candidate. Problems are
found by their id, or by their question; candidates by sample, mode and origin as far as these tell
them apart, else by their texts. Scores become those of one more verifier; labels are kept beside
ours, as those that come along with an import are. More may be attached later, to candidates that
have none yet.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.pools.exchange.alignment import Entry, aligned
from assay.pools.exchange.cells import AGGREGATES, label_of, number_of, sample_of, scores_of
from assay.pools.exchange.fields import MISSING, look_up
from assay.pools.exchange.reading import read_records
from assay.pools.exchange.unread import SCORE_NAMES, Asked, paths_in
from assay.pools.imported import STAGE as LABELS
from assay.pools.rows import KEY, imported_table, scores_table
from assay.pools.run import Part, Run
from assay.settings.errors import UserError
from assay.settings.schema import as_dict

if TYPE_CHECKING:
    import pyarrow

__all__ = ["AttachConfig", "AttachFields", "attach", "run"]

_LISTS = ("", "candidates.*.", "outputs.*.", "choices.*.")


def _anywhere(*names: str) -> str:
    """These names at the top of a row, or in the items of its list of candidates."""
    return " | ".join(f"{start}{name}" for start in _LISTS for name in names)


@dataclass
class AttachFields:
    """Where the file has what: paths as in `assay import --help`."""

    id: str = "problem_id | id | idx | unique_id | uuid"
    """of the problem"""
    question: str = "question | problem | prompt"
    """where there is no id, or match=question"""
    samples: str = _anywhere("sample", "samples")
    """the candidate's number; without, values stand in the order of the samples"""
    modes: str = _anywhere("mode", "modes")
    """cot or pot; needed where problems have candidates of both"""
    origins: str = _anywhere("origin", "origins")
    """needed where problems have candidates of several"""
    solutions: str = "solutions | completions | generations | responses | code | " + _anywhere(
        "text", "solution", "completion", "response"
    )
    """texts, by which candidates are found where nothing else tells them apart"""
    scores: str = _anywhere(*SCORE_NAMES)
    """a number, a list with one for each step, or names with numbers; read unless labels or
    logprobs are asked for"""
    labels: str = ""
    """true, false, 1, 0 or null"""
    logprobs: str = ""
    """in nats, or a list with an item for each token, which are summed; they count as scores"""


@dataclass
class AttachConfig:
    """What `assay attach` reads."""

    run: str = ""
    """the run's folder"""
    files: list[str] = field(default_factory=list)
    """JSONL (.gz too), JSON lists or Parquet"""
    name: str = ""
    """what the scores are called in the run; empty = the file's name"""
    fields: AttachFields = field(default_factory=AttachFields)
    aggregate: str = "last"
    """of a candidate's step scores: last | min | product | mean"""
    match: str = "id"
    """how the file's problems are found in the run: id | question"""


@dataclass
class _Attached:
    """How many values were found for each stage, and their range; and how many candidates."""

    counts: Counter[str] = field(default_factory=Counter)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    candidates: int = 0

    def add(self, stage: str, value: Any) -> None:
        self.counts[stage] += 1
        low, high = self.ranges.get(stage, (value, value))
        self.ranges[stage] = min(low, value), max(high, value)


def run(config: AttachConfig) -> None:
    """`assay attach`."""
    opened, attached = attach(config)
    for stage, count in attached.counts.items():
        name = stage.removeprefix("scores/")
        what = f"scores by {name}" if stage != LABELS else "labels (theirs)"
        low, high = attached.ranges[stage]
        told = f": from {low:.4g} to {high:.4g}" if stage != LABELS else ""
        if told and (low < 0 or high > 1):
            told += ", no probabilities (docs/curves.md)"
        print(f"{count:,} {what} in {opened.path / stage}{told}")
        if count < attached.candidates:
            print(f"note: {attached.candidates - count:,} candidates have none in the file")
    verifiers = [s.removeprefix("scores/") for s in attached.counts if s != LABELS]
    more = f" verifier={verifiers[0]}" if verifiers else " grading=theirs"
    print(f"next: assay evaluate {opened.path}{more}")


def attach(config: AttachConfig) -> tuple[Run, _Attached]:
    """Adds what the files hold to the run.

    Raises `UserError` naming file and line, or problem, for what does not fit; then nothing of a
    slice of problems that does not fit is written.
    """
    _check(config)
    opened = Run.open(config.run)
    entries = _entries(config, opened)
    parts = opened.parts("candidates")
    stages = sorted(
        {stage for each in entries.values() for entry in each for stage in entry.values}
    )
    _register(opened, stages, config)
    attached = _Attached()
    by_slice: dict[int, list[Part]] = defaultdict(list)
    for part in parts:
        by_slice[part.index].append(part)
    held = {stage: set(opened.parts(stage)) for stage in stages}
    names = [*KEY, "text"]
    for own in by_slice.values():
        tables = {part: opened.read("candidates", part, names).to_pylist() for part in own}
        rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in (row for table in tables.values() for row in table):
            rows[row["problem_id"]].append(row)
        found = {
            key: values
            for problem_id, candidates in rows.items()
            for key, values in aligned(problem_id, candidates, entries.get(problem_id, [])).items()
        }
        for part, candidates in tables.items():
            for stage in stages:
                before = opened.read(stage, part).to_pylist() if part in held[stage] else []
                values = {key: each[stage] for key, each in found.items() if stage in each}
                joined, changed = _joined(opened, stage, candidates, before, values)
                if changed or not before:
                    opened.write(stage, part, _table(stage, joined), 0.0)
                for key in (tuple(row[name] for name in KEY) for row in candidates):
                    if key in values:
                        attached.add(stage, values[key])
        attached.candidates += sum(map(len, tables.values()))
    return opened, attached


def _check(config: AttachConfig) -> None:
    if not config.run or not config.files:
        raise UserError("expected a run and a file: assay attach RUN FILE.jsonl")
    for name, value, known in (
        ("aggregate", config.aggregate, AGGREGATES),
        ("match", config.match, ("id", "question")),
    ):
        if value not in known:
            raise UserError(f"{name}={value}: expected one of {', '.join(known)}")


def _verifier(config: AttachConfig) -> str:
    name = config.name or re.sub(r"\.(jsonl|json|parquet)(\.gz)?$", "", Path(config.files[0]).name)
    return re.sub(r"[^\w.-]+", "-", name)


def _register(opened: Run, stages: list[str], config: AttachConfig) -> None:
    """Registers the stages; one of ours of the same name is not touched."""
    for stage in stages:
        known = opened.record["stages"].get(stage)
        if stage == LABELS and known is not None:
            continue
        key = {"attached": stage.removeprefix("scores/")}
        if known is not None and known["key"] != key:
            raise UserError(
                f"{opened.path}: has scores by {stage.removeprefix('scores/')!r} that were not "
                "attached; give another name=NAME"
            )
        opened.register(stage, key, as_dict(config))


# ---- The file ----


def _entries(config: AttachConfig, opened: Run) -> dict[str, list[Entry]]:
    """What the files hold, by the ids of the run's problems."""
    known = {problem.id: problem.id for problem in opened.problems}
    questions = {" ".join(problem.question.split()): problem.id for problem in opened.problems}
    entries: dict[str, list[Entry]] = defaultdict(list)
    default = AttachFields()
    changed = {k: v for k, v in as_dict(config.fields).items() if v != getattr(default, k)}
    strangers: Counter[str] = Counter()
    seen: dict[str, None] = {}
    for file in config.files:
        asked = Asked({f"fields.{name}": text for name, text in changed.items() if text})
        for where, row in read_records(Path(file)):
            asked.add(row)
            seen |= dict.fromkeys(paths_in(row))
            problem_id, shown = _problem(config, row, known, questions, where)
            if problem_id is None:
                strangers[shown] += 1
            else:
                entries[problem_id] += _row_entries(config, row, where)
        asked.check(file)
    if strangers:
        first = next(iter(strangers))
        told = f"{len(strangers)} problems of {config.files[0]} are not in {opened.path}"
        if not entries:
            other = {"id": "question", "question": "id"}[config.match]
            raise UserError(f"{told} (the first: {first!r}); match={other} may find them")
        print(f"note: {told} (the first: {first!r})")
    if not any(entry.values for each in entries.values() for entry in each):
        raise UserError(
            f"{config.files[0]}: no scores by any name that is known; give fields.scores=PATH "
            f"(found: {', '.join(seen) or 'nothing'})"
        )
    return entries


def _problem(
    config: AttachConfig,
    row: Mapping[str, Any],
    ids: Mapping[str, str],
    questions: Mapping[str, str],
    where: str,
) -> tuple[str | None, str]:
    """The run's problem that a row is of, `None` where it has none; and what the file calls it."""
    own, question = look_up(config.fields.id, row), look_up(config.fields.question, row)
    if config.match == "id" and own is not MISSING and own is not None:
        return ids.get(str(own)), str(own)
    if not isinstance(question, str):
        raise UserError(f"{where}: no id of a problem in it, and no question; give fields.id=PATH")
    return questions.get(" ".join(question.split())), question


def _row_entries(config: AttachConfig, row: Mapping[str, Any], where: str) -> list[Entry]:
    """The entries of one row: of one candidate, or of a list of them."""
    fields = config.fields
    wanted = _wanted(config)
    columns = {name: look_up(path, row) for name, path in wanted.items()}
    columns = {n: v for n, v in columns.items() if v is not MISSING and v is not None}
    beside = {
        name: look_up(getattr(fields, name), row)
        for name in ("samples", "modes", "origins", "solutions")
    }
    alone = isinstance(beside["samples"], int) or isinstance(beside["solutions"], str)
    lists = {} if alone else {n: v for n, v in columns.items() if isinstance(v, list)}
    counts = {len(value) for value in lists.values()}
    if len(counts) > 1:
        raise UserError(f"{where}: lists of several lengths: {', '.join(map(str, sorted(counts)))}")
    count = counts.pop() if counts else 1
    return [
        Entry(
            values=dict(_values(config, columns, i if lists else None, where)),
            sample=sample_of(_item(beside["samples"], i, count), where),
            mode=_item(beside["modes"], i, count),
            origin=_item(beside["origins"], i, count),
            text=_item(beside["solutions"], i, count),
            where=where,
        )
        for i in range(count)
    ]


def _wanted(config: AttachConfig) -> dict[str, str]:
    """The fields that are read for values."""
    fields = config.fields
    wanted = {"labels": fields.labels, "logprobs": fields.logprobs}
    wanted = {name: path for name, path in wanted.items() if path}
    if not wanted or fields.scores != AttachFields().scores:
        wanted["scores"] = fields.scores
    return wanted


def _values(
    config: AttachConfig, columns: Mapping[str, Any], place: int | None, where: str
) -> Iterator[tuple[str, Any]]:
    """Stage and value of one candidate, of what is known of it."""
    verifier = _verifier(config)
    for name, column in columns.items():
        value = column if place is None else column[place]
        if name == "labels":
            label = label_of(value, where)
            if label is not None:
                yield LABELS, label
            continue
        if name == "logprobs":
            called = f"{verifier}-logprob" if "scores" in columns else verifier
            scores = {called: number_of(value, "sum", name, where)}
        else:
            named = scores_of(value, config.aggregate, where)
            scores = {re.sub(r"[^\w.-]+", "-", n) or verifier: v for n, v in named.items()}
        for called, score in scores.items():
            if math.isfinite(score):
                yield f"scores/{called}", score


def _item(value: Any, place: int, count: int) -> Any:
    """What stands beside a value: of a list its item, else the one thing for all."""
    if value is MISSING:
        return None
    if isinstance(value, list):
        return value[place] if len(value) == count else None
    return value


# ---- The run ----


def _joined(
    opened: Run,
    stage: str,
    candidates: list[dict[str, Any]],
    before: list[dict[str, Any]],
    values: Mapping[tuple[Any, ...], Any],
) -> tuple[list[dict[str, Any]], bool]:
    """The rows of one part of a stage, those that it had `before` with what was found in addition.

    And whether anything was. Raises `UserError` where a candidate has another value already.
    """
    column = "imported_label" if stage == LABELS else "score"
    held = {tuple(row[name] for name in KEY): row for row in before}
    rows, changed = [], False
    for candidate in candidates:
        key = tuple(candidate[name] for name in KEY)
        row = held.get(key) or {**dict(zip(KEY, key, strict=True)), column: None}
        value, old = values.get(key), row[column]
        if value is not None:
            if old is not None and not math.isclose(old, value, rel_tol=1e-6, abs_tol=1e-9):
                raise UserError(
                    f"{opened.path}: sample {candidate['sample']} of problem "
                    f"{candidate['problem_id']!r} has {old:g} by {stage.removeprefix('scores/')} "
                    f"already, and {value:g} in the file; give another name="
                )
            changed |= old is None
            row[column] = value
        rows.append(row)
    return rows, changed


def _table(stage: str, rows: list[dict[str, Any]]) -> pyarrow.Table:
    if stage == LABELS:
        return imported_table([{"imported_answer": None, **row} for row in rows])
    return scores_table(rows, values=False)

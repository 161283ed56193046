"""`assay export`: a run's pool as JSONL or Parquet, one problem a line with its candidates.

    assay export RUN output=pool.jsonl.gz
    datasets.load_dataset("json", data_files="pool.jsonl.gz")

Every line has the same fields, unknown values are null, so that other libraries read it without a
schema. `assay import` makes the same pool of it.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.pools.frame import has_free, join_scores, load_frame, scored_by
from assay.pools.imported import STAGE, with_imported
from assay.pools.progress import progress_bar
from assay.pools.rows import VALUES, answers_schema, candidates_schema
from assay.pools.run import Part, Run
from assay.problems.problem import Problem
from assay.selection.free import FREE_SCORES
from assay.settings.errors import UserError
from assay.storage.files import atomic_file
from assay.storage.parquet import to_frame
from assay.storage.places import place

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow

__all__ = ["ExportConfig", "export", "lines", "run"]

# Columns of the pool's tables, in the order of the file.
_CANDIDATE = ("origin", "mode", "sample", "text", "tokens", "prompt_tokens", "logprob", "stop")
_ANSWER = (
    *("outcome", "output", "message", "program_seconds"),
    *("answer", "source", "answer_class", "label"),
)
# Our name -> the column of the frame.
_IMPORTED = {"answer": "imported_answer", "label": "imported_label"}


@dataclass
class ExportConfig:
    """What `assay export` reads."""

    run: str = ""
    """the run's folder"""
    output: str = ""
    """file to write: .jsonl, .jsonl.gz or .parquet"""
    values: bool = False
    """also write the verifiers' values at every token, with the tokens' places in the text"""
    token_ids: bool = False
    """also write the generator's token ids"""


def run(config: ExportConfig) -> None:
    """`assay export`."""
    problems, candidates = export(config)
    print(f"{problems} problems, {candidates} candidates written to {config.output}")


def export(config: ExportConfig) -> tuple[int, int]:
    """Writes the file, whole or not at all; returns the numbers of problems and of candidates.

    Raises `UserError` for another ending, a run without candidates, and one graded in part.
    """
    if not config.run:
        raise UserError("run: expected the folder of the run, for example assay export runs/demo")
    if not config.output.endswith((".jsonl", ".jsonl.gz", ".parquet")):
        raise UserError(
            f"output={config.output}: expected a file that ends in .jsonl, .jsonl.gz or .parquet"
        )
    opened = Run.open(config.run)
    path = place(config.output)
    is_parquet = config.output.endswith(".parquet")
    problems = candidates = 0
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(atomic_file(path, "wb"))
        if is_parquet:
            import pyarrow.parquet

            schema = _schema(opened, config)
            writer = stack.enter_context(
                pyarrow.parquet.ParquetWriter(stream, schema, compression="zstd")
            )
        else:
            # No time stamp: the same pool gives the same file.
            writer = (
                stack.enter_context(gzip.GzipFile("", "wb", fileobj=stream, mtime=0))
                if config.output.endswith(".gz")
                else stream
            )
        for slice_lines in lines(opened, config):
            problems += len(slice_lines)
            candidates += sum(len(line["candidates"]) for line in slice_lines)
            if is_parquet:
                import pyarrow

                writer.write_table(pyarrow.Table.from_pylist(slice_lines, schema=schema))
            else:
                for line in slice_lines:
                    writer.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    return problems, candidates


def lines(opened: Run, config: ExportConfig) -> Iterator[list[dict[str, Any]]]:
    """The lines of the file, one slice of problems after the other.

    Problems without candidates are there too, with an empty list.
    """
    parts = opened.parts("candidates") if "candidates" in opened.record["stages"] else []
    if not parts:
        raise UserError(f"{opened.path}: holds no candidates yet")
    graded = opened.parts("answers") if "answers" in opened.record["stages"] else []
    if graded and len(graded) < len(parts):
        raise UserError(
            f"{opened.path}: {len(parts) - len(graded)} of {len(parts)} parts are not graded yet; "
            f"`assay grade {opened.path}` does it"
        )
    verifiers, free = scored_by(opened), has_free(opened)
    size = int(opened.key("candidates")["problems_per_part"])
    by_slice: dict[int, list[Part]] = {}
    for part in parts:
        by_slice.setdefault(part.index, []).append(part)
    with progress_bar(len(opened.problems), "export", " problems") as bar:
        for index in range(-(-len(opened.problems) // size)):
            problems = opened.problems[index * size : (index + 1) * size]
            rows: dict[str, list[dict[str, Any]]] = {problem.id: [] for problem in problems}
            if of_slice := by_slice.get(index):
                frame = _frame(opened, of_slice, verifiers, is_graded=bool(graded))
                for row in frame.to_dict("records"):
                    rows[row["problem_id"]].append(_candidate(row, verifiers, config, free=free))
            yield [{**_problem(p), "candidates": rows[p.id]} for p in problems]
            bar.update(len(problems))


def _frame(
    opened: Run, parts: list[Part], verifiers: list[str], *, is_graded: bool
) -> pd.DataFrame:
    """Everything known of the candidates of some parts."""
    import pandas as pd

    if is_graded:
        return load_frame(opened, texts=True, parts=parts)
    tables = [to_frame(opened.read("candidates", part)) for part in parts]
    frame = pd.concat(tables, ignore_index=True)
    for name in verifiers:
        frame = join_scores(frame, opened, name, texts=True, parts=parts)
    return with_imported(frame, opened, parts)


def _problem(problem: Problem) -> dict[str, Any]:
    """All fields of a problem, the empty ones too: readers without a schema need them alike."""
    return {
        "id": problem.id,
        "question": problem.question,
        "answer": problem.answer,
        "options": list(problem.options),
        "solutions": [{"mode": s.mode, "text": s.text} for s in problem.solutions],
        "convention": problem.convention,
    }


def _candidate(
    row: Mapping[Any, Any], verifiers: list[str], config: ExportConfig, *, free: bool
) -> dict[str, Any]:
    line = {name: _json(row[name]) for name in _CANDIDATE}
    if config.token_ids:
        line["token_ids"] = _json(row["token_ids"])
    if free:
        line["free"] = {name: _json(row.get(name)) for name in FREE_SCORES}
    if "outcome" in row:
        line |= {name: _json(row[name]) for name in _ANSWER}
    line["scores"] = {name: _json(row[f"score:{name}"]) for name in verifiers}
    if "imported_answer" in row:
        line["imported"] = {ours: _json(row[column]) for ours, column in _IMPORTED.items()}
    if config.values:
        line["values"] = {
            name: {part: _json(row.get(f"{part}:{name}")) for part in VALUES} for name in verifiers
        }
    return line


def _json(value: Any) -> Any:
    """A cell of a frame as JSON has it: null for NaN, NA and None."""
    import numpy as np
    import pandas as pd

    if isinstance(value, (list, np.ndarray)):
        return [_json(each) for each in value]
    if value is None or value is pd.NA:
        return None
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _schema(opened: Run, config: ExportConfig) -> pyarrow.Schema:
    """The Parquet schema of the lines."""
    import pyarrow as pa

    text, number, integer, truth = pa.string(), pa.float32(), pa.int32(), pa.bool_()
    stages = opened.record["stages"]
    verifiers = scored_by(opened)
    columns = candidates_schema()
    fields = [columns.field(name) for name in _CANDIDATE]
    if config.token_ids:
        fields.append(columns.field("token_ids"))
    if has_free(opened):
        fields.append(pa.field("free", pa.struct([columns.field(name) for name in FREE_SCORES])))
    if "answers" in stages:
        fields += [answers_schema().field(name) for name in _ANSWER]
    if verifiers:
        fields.append(pa.field("scores", pa.struct([(name, number) for name in verifiers])))
    if STAGE in stages:
        theirs = pa.struct([("answer", text), ("label", truth)])
        fields.append(pa.field("imported", theirs))
    if config.values and verifiers:
        kinds = zip(VALUES, (number, integer, integer), strict=True)
        one = pa.struct([(name, pa.list_(kind)) for name, kind in kinds])
        fields.append(pa.field("values", pa.struct([(name, one) for name in verifiers])))
    return pa.schema(
        [
            ("id", text),
            ("question", text),
            ("answer", text),
            ("options", pa.list_(text)),
            ("solutions", pa.list_(pa.struct([("mode", text), ("text", text)]))),
            ("convention", text),
            ("candidates", pa.list_(pa.struct(fields))),
        ]
    )

"""Scoring a run with a ranker: `assay score RUN ranker=PATH`.

A ranker reads what the run holds already, so that a part takes a second: its candidates, what
grading found of them but the labels, and the scores of the verifiers that it reads.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.pools.frame import load_frame
from assay.pools.rows import KEY, scores_table
from assay.pools.run import Part, Run, Shard, key_hash
from assay.search.launch.work import Do, Report, Work
from assay.settings.errors import UserError
from assay.verifier.ranker.data import read_verifiers
from assay.verifier.ranker.model_file import Ranker

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow

__all__ = ["open_worker", "remaining"]

_ROW = [*KEY, "score"]


def remaining(
    run: str, path: str, name: str, shard: str, config: Mapping[str, Any]
) -> tuple[Run, list[Work]]:
    """Registers a ranker's scores under `name` and says what of them is left to do.

    `path` is the ranker's; `config` is what is recorded. Raises `UserError` where the run lacks
    scores that the ranker reads, or holds scores of that name by something else.
    """
    ranker, opened = Ranker.load(path), Run.open(run)
    opened.key("answers")
    names = read_verifiers(opened, ranker.verifiers)
    if name in names.values():
        raise UserError(
            f"name={name}: the verifier of this name is read by the ranker; name another"
        )
    key = {
        "ranker": ranker.hash,
        "reads": {v: key_hash(opened.key(f"scores/{own}")) for v, own in names.items()},
    }
    if ranker.pool_size:
        # How a candidate stands among the others changes with how many there are.
        key["pool"] = sorted(part.filename for part in opened.parts("answers"))
    stage = f"scores/{name}"
    told = {"importance": ranker.about.get("importance", []), "pool_size": ranker.pool_size}
    opened.register(
        stage, key, {**config, "reads": names, "about": told}, shape=lambda: _shape(opened, names)
    )
    parts = opened.missing(stage, opened.parts("answers"), Shard.parse(shard))
    total = sum(len(opened.slice(part)) * (part.end - part.first) for part in parts)
    arguments = (run, path, stage, names, opened.record)
    return opened, [Work(parts, open_worker, arguments, total, f"rank ({name})")]


def _shape(run: Run, names: Mapping[str, str]) -> dict[str, Any] | None:
    """The shape of the one verifier that is read; the trees themselves cost next to nothing."""
    if len(names) > 1:
        return None
    # Without a verifier no token is read, whatever the shape.
    stage = f"scores/{next(iter(names.values()))}" if names else "candidates"
    return next(iter(run.shapes(stage).values()), None)


def open_worker(
    run: str, path: str, stage: str, names: Mapping[str, str], record: dict[str, Any]
) -> Do:
    """Loads the ranker; returns what scores one part."""
    opened, ranker = Run.open(run, record), Ranker.load(path)

    def do(part: Part, report: Report) -> None:
        start = time.perf_counter()
        frame = _frame(opened, part, names, whole=ranker.pool_size > 0)
        scored = ranker.score(frame, opened.problems)
        frame = frame.assign(
            score=scored.scores, margin=scored.margins, probability=scored.probabilities
        )
        frame = frame[frame["part"] == part.filename]
        # Those of the verifiers are paid for as well.
        paid = sum(opened.part_seconds(f"scores/{own}", part) for own in names.values())
        opened.write(stage, part, _table(frame, names), time.perf_counter() - start + paid)
        report(len(frame), 0)

    return do


def _frame(opened: Run, part: Part, names: Mapping[str, str], *, whole: bool) -> pd.DataFrame:
    """The candidates of a part, or of `whole` pools, with verifiers named as the ranker does."""
    parts = [part]
    if whole:
        parts = [other for other in opened.parts("answers") if other.index == part.index]
    frame = load_frame(opened, texts=True, parts=parts)
    columns = ("score", "values", "starts", "ends", "verifier_tokens", "verifier_prompt_tokens")
    moved = {
        f"{column}:{own}": f"{column}:{name}" for name, own in names.items() for column in columns
    }
    kept = [column for column in map(str, frame) if ":" not in column or column in moved]
    return frame[kept].rename(columns=moved)


def _table(frame: pd.DataFrame, names: Mapping[str, str]) -> pyarrow.Table:
    """The rows of a scores part, with log-odds and probability as two more columns."""
    import pyarrow as pa

    tokens = {
        column: sum((frame[f"{column}:{name}"] for name in names), start=0 * frame["score"])
        for column in ("verifier_tokens", "verifier_prompt_tokens")
    }
    rows = [dict(zip(_ROW, row, strict=True)) for row in frame[_ROW].itertuples(index=False)]
    for column, values in tokens.items():
        for row, value in zip(rows, values.tolist(), strict=True):
            row[column] = int(value) if value == value else None
    table = scores_table(rows, values=False)
    for column in ("margin", "probability"):
        table = table.append_column(column, pa.array(frame[column].to_numpy(), pa.float64()))
    return table

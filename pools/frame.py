"""A run's candidates as one pandas frame.

What was sampled, graded and scored of each is one row:

    frame = load_frame(Run.open("runs/test"), texts=True)
    frame.groupby("mode")["label"].mean()
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.pools.imported import with_imported
from assay.pools.rows import KEY, VALUES
from assay.pools.run import Part, Run
from assay.problems.answers import classes
from assay.selection.free import recorded
from assay.settings.errors import UserError
from assay.storage.parquet import to_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "frame_line",
    "has_free",
    "join_scores",
    "joined_classes",
    "load_frame",
    "pool_line",
    "scored_by",
    "stage_seconds",
    "with_free",
]


_SCORES = ["score", "verifier_tokens", "verifier_prompt_tokens"]


def scored_by(run: Run) -> list[str]:
    """The verifiers of which a run holds scores (one may have been stopped before that)."""
    return [name for name in run.verifiers() if run.parts(f"scores/{name}")]


def stage_seconds(run: Run) -> dict[str, float]:
    """Seconds of work by stage, over all workers; without stages that came by import."""
    names = {"candidates": "sample", "answers": "grade"}
    seconds = {names.get(stage, stage): run.seconds(stage) for stage in run.record["stages"]}
    return {stage: spent for stage, spent in seconds.items() if spent}


def load_frame(
    run: Run, *, texts: bool = False, parts: Sequence[Part] | None = None
) -> pd.DataFrame:
    """Everything known of a run's graded candidates, one row each, in the order of the problems.

    `parts`: only these, graded ones; classes are consistent where all parts of a problem are there.

    Columns: problem_id, origin (the member of a mixture, else empty), mode, sample, answer,
    answer_class (consistent within a problem), label (`<NA>` where undecided), tokens,
    prompt_tokens, logprob, outcome, part (the file's name); the free scores that were recorded for
    some candidate (`FREE_SCORES`; NaN for the others); for each verifier `score:NAME` (NaN
    where the candidate has no finite score) and the tokens that it read, `verifier_tokens:NAME` and
    `verifier_prompt_tokens:NAME` (NaN where they were not recorded); where they came by import
    imported_answer and imported_label. With `texts` also text, output, message, token_ids and,
    where they were kept, `values:NAME` with `starts:NAME` and `ends:NAME`, the places of the
    values' tokens in the text. Raises `UserError` where nothing is graded yet.
    """
    import pandas as pd

    if parts is None:
        parts = run.parts("answers") if "answers" in run.record["stages"] else []
    if not parts:
        raise UserError(f"{run.path}: nothing graded yet; `assay grade {run.path}` does it")
    left = ["tokens", "prompt_tokens", "logprob", "stop", *(["text", "token_ids"] if texts else [])]
    right = ["answer", "source", "answer_class", "label", "outcome"]
    right += ["output", "message", "program_seconds"] if texts else []
    frames = []
    for part in parts:
        table = run.read("candidates", part)
        candidates = to_frame(table.select([*KEY, *left, *recorded(table.column_names)]))
        answers = to_frame(run.read("answers", part).select([*KEY, *right]))
        answers["label"] = answers["label"].astype("boolean")
        answers["part"] = part.filename
        frames.append(candidates.merge(answers, on=list(KEY), validate="one_to_one"))
    frame = with_free(pd.concat(frames, ignore_index=True))
    for name in run.verifiers():
        frame = join_scores(frame, run, name, texts=texts, parts=parts)
    frame = with_imported(frame, run, parts)
    order = {problem.id: i for i, problem in enumerate(run.problems)}
    frame["_order"] = frame["problem_id"].map(order)
    frame = frame.sort_values(["_order", "mode", "origin", "sample"], ignore_index=True)
    _merge_classes(frame, run)
    return frame.drop(columns="_order")


def has_free(run: Run) -> bool:
    """Whether free scores were recorded for candidates of a run, sampled or imported."""
    entry = run.record["stages"].get("candidates", {"key": {}})
    keys = [each["key"] for each in (entry, *entry.get("members", {}).values())]
    return any(key.get("free") or key.get("sampling", {}).get("confidence") for key in keys)


def with_free(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without the free scores that no candidate has; the others as numbers."""
    there = recorded(frame)
    kept = [name for name in there if frame[name].notna().any()]
    frame = frame.drop(columns=[name for name in there if name not in kept])
    return frame.astype(dict.fromkeys(kept, "float32"))


def join_scores(
    frame: pd.DataFrame, run: Run, name: str, *, texts: bool, parts: Sequence[Part]
) -> pd.DataFrame:
    """The frame with a verifier's scores of these parts; with `texts` also the values it kept."""
    import pandas as pd

    stage = f"scores/{name}"
    parts = run.parts(stage, parts)
    if not parts:
        return frame.assign(**{f"{column}:{name}": float("nan") for column in _SCORES})
    tables = []
    for part in parts:
        table = run.read(stage, part)
        columns = [*KEY, *_SCORES, *(VALUES if texts and "values" in table.column_names else ())]
        tables.append(to_frame(table.select(columns)))
    scores = pd.concat(tables, ignore_index=True)
    scores["score"] = scores["score"].where(np.isfinite(scores["score"].astype(float)))
    scores = scores.rename(columns={c: f"{c}:{name}" for c in (*_SCORES, *VALUES)})
    return frame.merge(scores, on=list(KEY), how="left", validate="one_to_one")


def joined_classes(
    groups: Sequence[Hashable],
    numbers: Sequence[int],
    answers: Sequence[str | None],
    options: Sequence[str],
) -> list[int]:
    """The answer classes of one problem's candidates, over groups that were graded separately.

    Of each candidate its group (a part, a run), the number of its class within the group (−1: no
    answer) and its answer; `options` are the problem's. One representative of each group's class is
    compared: what is equivalent within a group is known already. A single group keeps its numbers.
    """
    if len(set(groups)) < 2:
        return list(numbers)
    heads: dict[tuple[Hashable, int], str | None] = {}
    for group, number, answer in zip(groups, numbers, answers, strict=True):
        if number >= 0:
            heads.setdefault((group, number), answer)
    joined = dict(zip(heads, classes(list(heads.values()), options), strict=True))
    return [joined.get(candidate, -1) for candidate in zip(groups, numbers, strict=True)]


def _merge_classes(frame: pd.DataFrame, run: Run) -> None:
    """Makes classes, which count within a part, count within the problem."""
    options = {problem.id: problem.options for problem in run.problems}
    columns = [frame[name].to_numpy() for name in ("part", "answer_class", "answer")]
    merged = np.full(len(frame), -1, np.int64)
    for problem_id, rows in frame.groupby("problem_id", sort=False).indices.items():
        parts, numbers, answers = (column[rows].tolist() for column in columns)
        merged[rows] = joined_classes(parts, numbers, answers, options[str(problem_id)])
    frame["answer_class"] = merged


def pool_line(run: Run) -> str:
    """One line on a graded pool: how much there is and how much of it is right."""
    return frame_line(load_frame(run))


def frame_line(frame: pd.DataFrame) -> str:
    """`pool_line` of a frame that `load_frame` gave."""
    right = frame["label"].fillna(False).astype(bool)
    shares = [
        f"{f'{origin} {mode}'.strip()} {100 * right[rows.index].mean():.1f} % right"
        for (origin, mode), rows in frame.groupby(["origin", "mode"])
    ]
    solved = right.groupby(frame["problem_id"]).any().mean()
    programs = frame[frame["mode"] == "pot"]["outcome"]
    if len(programs):
        shares.append(f"{100 * (programs == 'ok').mean():.1f} % of programs run")
    return (
        f"      {frame['problem_id'].nunique()} problems, {len(frame)} candidates: "
        f"{', '.join(shares)}; {100 * solved:.1f} % of problems solved at least once"
    )

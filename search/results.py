"""The stages `evaluate` and `report`: what a run's candidates are worth, as tables, plots, a page.

    assay evaluate run=runs/demo            the table
    assay report run=runs/demo              report/index.html, curves.svg, curves.png, table.csv
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from problems.answers import classes
from problems.errors import UserError
from search.runs import Run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_frame"]

_KEY = ["problem_id", "mode", "sample"]


def load_frame(run: Run, *, texts: bool = False) -> pd.DataFrame:
    """Everything known of a run's graded candidates, one row each, in the order of the problems.

    Columns: problem_id, mode, sample, answer, answer_class (consistent within a problem), label
    (`<NA>` where undecided), tokens, prompt_tokens, logprob, outcome, `score:NAME` for each
    verifier (NaN where it has not scored the candidate); with `texts` also text, output, message,
    token_ids and `values:NAME`. Raises `UserError` where nothing is graded yet.
    """
    import pandas as pd

    parts = run.parts("answers") if "answers" in run.record["stages"] else []
    if not parts:
        raise UserError(f"{run.path}: nothing graded yet; `assay grade {run.path}` does it")
    left = ["tokens", "prompt_tokens", "logprob", "stop", *(["text", "token_ids"] if texts else [])]
    right = ["answer", "answer_class", "label", "outcome", *(["output", "message"] if texts else [])]
    frames = []
    for part in parts:
        candidates = run.read("candidates", part).select([*_KEY, *left]).to_pandas()
        answers = run.read("answers", part).select([*_KEY, *right]).to_pandas()
        answers["label"] = answers["label"].astype("boolean")
        answers["part"] = part.filename
        frames.append(candidates.merge(answers, on=_KEY, validate="one_to_one"))
    frame = pd.concat(frames, ignore_index=True)
    for name in run.verifiers():
        frame = _join_scores(frame, run, name, texts)
    order = {problem.id: i for i, problem in enumerate(run.problems)}
    frame["_order"] = frame["problem_id"].map(order)
    frame = frame.sort_values(["_order", "mode", "sample"], ignore_index=True)
    _merge_classes(frame, run)
    return frame.drop(columns=["_order", "part"])


def _join_scores(frame: pd.DataFrame, run: Run, name: str, texts: bool) -> pd.DataFrame:
    import pandas as pd

    stage = f"scores/{name}"
    parts = run.parts(stage)
    if not parts:
        return frame.assign(**{f"score:{name}": float("nan")})
    tables = []
    for part in parts:
        table = run.read(stage, part)
        columns = [*_KEY, "score", *(["values"] if texts and "values" in table.column_names else [])]
        tables.append(table.select(columns).to_pandas())
    scores = pd.concat(tables, ignore_index=True).rename(
        columns={"score": f"score:{name}", "values": f"values:{name}"}
    )
    return frame.merge(scores, on=_KEY, how="left", validate="one_to_one")


def _merge_classes(frame: pd.DataFrame, run: Run) -> None:
    """Makes classes, which count within a part, count within the problem.

    One representative a part and class is enough: what is equivalent within a part has been found.
    """
    options = {problem.id: problem.options for problem in run.problems}
    answered = frame[frame["answer_class"] >= 0]
    heads = answered.drop_duplicates(["problem_id", "part", "answer_class"])
    merged: dict[tuple[str, str, int], int] = {}
    for problem_id, rows in heads.groupby("problem_id", sort=False):
        numbers = classes(list(rows["answer"]), options[str(problem_id)])
        for part, own, number in zip(rows["part"], rows["answer_class"], numbers, strict=True):
            merged[str(problem_id), part, own] = number
    frame["answer_class"] = [
        merged.get(key, -1)
        for key in zip(frame["problem_id"], frame["part"], frame["answer_class"], strict=True)
    ]

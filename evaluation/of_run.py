"""What a run's candidates are worth: its pool, every rule on it, what each costs.

    evaluation = evaluate_run(Run.open("runs/test"), EvaluateConfig())
    as_json(evaluation)["accuracy"]

What a run lacks (labels, scores, costs) is told in notes wherever the rest can do without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.evaluation.costs import equal_flops, with_costs
from assay.evaluation.gradings import agreement
from assay.evaluation.whole_pools import for_whole_pools
from assay.pools.frame import load_frame
from assay.pools.imported import graded_by_them, note_on
from assay.pools.run import Run
from assay.selection.evaluate import Evaluation, evaluate
from assay.selection.groups import possible
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig, check_config, grids
from assay.settings.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "as_json",
    "evaluate_run",
    "graded",
    "open_run",
    "tuning_pool",
    "unfinished",
    "usable",
    "with_notes",
]


def graded(frame: pd.DataFrame, run: Run, grading: str) -> pd.DataFrame:
    """The frame with the labels that count. Raises `UserError` where a run has none of theirs."""
    return graded_by_them(frame, run) if grading == "theirs" else frame


def with_notes(evaluation: Evaluation, notes: Sequence[str]) -> Evaluation:
    """The evaluation with these notes before its own."""
    return dataclasses.replace(evaluation, notes=(*notes, *evaluation.notes))


def unfinished(run: Run) -> dict[str, str]:
    """The verifiers that have not scored every graded part, by name, and what there is to do."""
    graded = run.parts("answers") if "answers" in run.record["stages"] else []
    found = {}
    for name in run.verifiers():
        done = len(run.parts(f"scores/{name}", graded))
        if done < len(graded):
            found[name] = (
                f"{done} of {len(graded)} parts are scored; `{_score_command(run, name)}` does the "
                "rest"
            )
    return found


def _score_command(run: Run, name: str) -> str:
    """The command that goes on with a verifier's scores."""
    config = run.record["stages"][f"scores/{name}"]["config"]
    ranker = config.get("ranker")
    model = ranker or (config.get("verifier") or {}).get("name") or "VERIFIER"
    named = "" if Path(model).name == name else f" name={name}"
    return f"assay score {run.path} {'ranker' if ranker else 'verifier'}={model}{named}"


def usable(run: Run) -> list[str]:
    """The verifiers whose scores of the graded candidates are all there."""
    left_out = unfinished(run)
    return [name for name in run.verifiers() if name not in left_out]


def open_run(path: str) -> Run:
    """The run in this folder. Raises `UserError` where none is named."""
    if not path:
        raise UserError("run: expected the folder of the run, for example run=runs/demo")
    return Run.open(path)


def tuning_pool(run: Run, path: str, grading: str = "ours") -> PoolArrays | None:
    """The pool of the run at `path`, None for "". Raises `UserError` where it shares problems.

    Constants must not be chosen by the problems that they are judged on.
    """
    if not path:
        return None
    other = open_run(path)
    tested = {problem.question for problem in run.problems}
    shared = sum(problem.question in tested for problem in other.problems)
    if shared:
        raise UserError(
            f"tune={path}: {shared} of its problems are in {run.path} too; expected held-out ones"
        )
    return PoolArrays.from_frame(graded(load_frame(other), other, grading), unfinished(other))


def evaluate_run(
    run: Run,
    config: EvaluateConfig,
    tune: PoolArrays | None = None,
    grading: str = "ours",
    frame: pd.DataFrame | None = None,
) -> Evaluation:
    """Every rule at every n on a run's pool, with what it costs, broken down wherever it can be.

    Of several verifiers by the first, unless one is asked for. `frame` is what `load_frame` gave of
    the run; it is read where it is not given.
    """
    frame = load_frame(run) if frame is None else frame
    both = agreement(frame)
    notes = (*note_on(frame, grading), *([both] if both else []))
    pool = PoolArrays.from_frame(graded(frame, run, grading), unfinished(run))
    check_config(config)
    verifier = config.verifier or next(iter(pool.scores), "")
    config, whole = for_whole_pools(run, pool, config, [verifier])
    more = [by for by in possible(pool, grids(pool, config)[1], config.seed) if by not in config.by]
    config = dataclasses.replace(config, by=[*config.by, *more], verifier=verifier)
    return with_notes(with_costs(evaluate(pool, config, tune), run, frame), (*notes, *whole))


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON types, with the comparison at equal FLOPs."""
    return {**evaluation.to_dict(), "equal_flops": equal_flops(evaluation).to_dict("records")}

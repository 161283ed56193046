"""The stage `evaluate`: what a run's candidates are worth. `evaluation/report/report.py` writes it
as a page.

assay evaluate runs/demo
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.costs import equal_flops, with_costs
from evaluation.table import table
from evaluation.verifier_table import comparison, frame_of
from pools.imported import (
    agreement,
    check_grading,
    graded_by_them,
    gradings,
    note_on,
    with_imported,
)
from pools.run import Part, Run
from problems.answers import classes
from selection.evaluate import EvaluateConfig, Evaluation, evaluate
from selection.groups import possible
from selection.pool import PoolArrays
from selection.request import check_config, grids
from settings.errors import UserError
from settings.schema import fields_of
from storage.parquet import to_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EvaluateStage",
    "load_frame",
    "run_evaluate",
]

_KEY = ["problem_id", "origin", "mode", "sample"]
_VALUES = ["values", "starts", "ends"]


@dataclass
class EvaluateStage(EvaluateConfig):
    """What `assay evaluate` reads."""

    run: str = ""
    """the run's folder"""
    tune: str = ""
    """a graded and scored run of held-out problems to choose what is auto by; empty =
    cross-fitting"""
    verifiers: list[str] = field(default_factory=list)
    """verifiers whose scores to compare; empty = all (or the one that `verifier` names)"""
    json: bool = False
    """print everything as JSON instead of the table"""
    csv: bool = False
    """print a row per rule, modes and n as CSV instead of the table"""
    grading: str = "ours"
    """whose labels count: ours, or theirs where labels came along with imported candidates"""


def run_evaluate(config: EvaluateStage) -> None:
    """`assay evaluate`: prints the table, or the comparison where several verifiers have scored."""
    run = _open(config.run)
    if config.verifier and config.verifiers:
        raise UserError("verifiers: give verifier (one) or verifiers (several), not both")
    settings = fields_of(EvaluateConfig, config)
    check_grading(config.grading)
    frame, tune = load_frame(run), tuning_pool(run, config.tune, config.grading)
    both = gradings(frame)
    pool = PoolArrays.from_frame(graded(frame, run, config.grading), unfinished(run))
    names = [config.verifier] if config.verifier else config.verifiers or list(pool.scores)
    found = [
        _told(
            with_costs(evaluate(pool, dataclasses.replace(settings, verifier=v), tune), run),
            note_on(frame, config.grading),
        )
        for v in names or [""]
    ]
    # One whose scores cannot be used is told of in the notes of the others.
    found = [each for each in found if each.verifier] or found[:1]
    if config.json:
        dicts = [as_json(evaluation) for evaluation in found]
        told = dicts[0] if len(dicts) == 1 else dicts
        print(json.dumps(told, indent=2, ensure_ascii=False))
    elif config.csv:
        print(frame_of(found).to_csv(index=False), end="")
    else:
        show = table(found[0], seconds=stage_seconds(run))
        if len(found) > 1:
            show = comparison(found, seconds=stage_seconds(run))
        print("\n\n".join([show, *([both] if both else [])]))


def graded(frame: pd.DataFrame, run: Run, grading: str) -> pd.DataFrame:
    """The frame with the labels that count. Raises `UserError` where a run has none of theirs."""
    return graded_by_them(frame, run) if grading == "theirs" else frame


def _told(evaluation: Evaluation, notes: Sequence[str]) -> Evaluation:
    return dataclasses.replace(evaluation, notes=(*notes, *evaluation.notes))


def scored_by(run: Run) -> list[str]:
    """The verifiers of which a run holds scores (one may have been stopped before that)."""
    return [name for name in run.verifiers() if run.parts(f"scores/{name}")]


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
    model = (config.get("verifier") or {}).get("name") or "VERIFIER"
    named = "" if Path(model).name == name else f" name={name}"
    return f"assay score {run.path} verifier={model}{named}"


def usable(run: Run) -> list[str]:
    """The verifiers whose scores of the graded candidates are all there."""
    left_out = unfinished(run)
    return [name for name in run.verifiers() if name not in left_out]


def _open(path: str) -> Run:
    if not path:
        raise UserError("run: expected the folder of the run, for example run=runs/demo")
    return Run.open(path)


def tuning_pool(run: Run, path: str, grading: str = "ours") -> PoolArrays | None:
    """The pool of the run at `path`, None for "". Raises `UserError` where it shares problems.

    Constants must not be chosen by the problems that they are judged on.
    """
    if not path:
        return None
    other = _open(path)
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
) -> Evaluation:
    """Every rule at every n on a run's pool, with what it costs, broken down wherever it can be.

    Of several verifiers by the first, unless one is asked for.
    """
    frame = load_frame(run)
    both = agreement(frame)
    notes = (*note_on(frame, grading), *([both] if both else []))
    pool = PoolArrays.from_frame(graded(frame, run, grading), unfinished(run))
    check_config(config)
    more = [by for by in possible(pool, grids(pool, config)[1], config.seed) if by not in config.by]
    verifier = config.verifier or next(iter(pool.scores), "")
    config = dataclasses.replace(config, by=[*config.by, *more], verifier=verifier)
    return _told(with_costs(evaluate(pool, config, tune), run), notes)


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON types, with the comparison at equal FLOPs."""
    return {**evaluation.to_dict(), "equal_flops": equal_flops(evaluation).to_dict("records")}


def stage_seconds(run: Run) -> dict[str, float]:
    """Seconds of work by stage, over all workers; without stages that came by import."""
    names = {"candidates": "sample", "answers": "grade"}
    found = {names.get(stage, stage): run.seconds(stage) for stage in run.record["stages"]}
    return {stage: seconds for stage, seconds in found.items() if seconds}


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]


def load_frame(
    run: Run, *, texts: bool = False, parts: Sequence[Part] | None = None
) -> pd.DataFrame:
    """Everything known of a run's graded candidates, one row each, in the order of the problems.

    `parts`: only these, graded ones; classes are consistent where all parts of a problem are there.

    Columns: problem_id, origin (the member of a mixture, else empty), mode, sample, answer,
    answer_class (consistent within a problem), label (`<NA>` where undecided), tokens,
    prompt_tokens, logprob, outcome, `score:NAME` for each verifier (NaN where the candidate has no
    finite score), where they came by import imported_answer and imported_label; with `texts` also
    text, output, message, token_ids and, where they were kept, `values:NAME` with `starts:NAME` and
    `ends:NAME`, the places of the values' tokens in the text. Raises `UserError` where nothing is
    graded yet.
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
        candidates = to_frame(run.read("candidates", part).select([*_KEY, *left]))
        answers = to_frame(run.read("answers", part).select([*_KEY, *right]))
        answers["label"] = answers["label"].astype("boolean")
        answers["part"] = part.filename
        frames.append(candidates.merge(answers, on=_KEY, validate="one_to_one"))
    frame = pd.concat(frames, ignore_index=True)
    for name in run.verifiers():
        frame = join_scores(frame, run, name, texts=texts, parts=parts)
    frame = with_imported(frame, run, parts)
    order = {problem.id: i for i, problem in enumerate(run.problems)}
    frame["_order"] = frame["problem_id"].map(order)
    frame = frame.sort_values(["_order", "mode", "origin", "sample"], ignore_index=True)
    _merge_classes(frame, run)
    return frame.drop(columns=["_order", "part"])


def join_scores(
    frame: pd.DataFrame, run: Run, name: str, *, texts: bool, parts: Sequence[Part]
) -> pd.DataFrame:
    """The frame with a verifier's scores of these parts; with `texts` also the values it kept."""
    import pandas as pd

    stage = f"scores/{name}"
    parts = run.parts(stage, parts)
    if not parts:
        return frame.assign(**{f"score:{name}": float("nan")})
    tables = []
    for part in parts:
        table = run.read(stage, part)
        columns = [*_KEY, "score", *(_VALUES if texts and "values" in table.column_names else [])]
        tables.append(to_frame(table.select(columns)))
    scores = pd.concat(tables, ignore_index=True)
    scores["score"] = scores["score"].where(np.isfinite(scores["score"].astype(float)))
    scores = scores.rename(columns={c: f"{c}:{name}" for c in ("score", *_VALUES)})
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


def costs(output: Path, runs: Mapping[str, Run]) -> str:
    """What each stage of a loop cost: seconds of work over all workers, tokens."""
    rows: list[tuple[str, float, int]] = []
    for name in ("generator", "verifier"):
        record = _record(output / name)
        rows.append((f"train the {name}", record.get("seconds", 0.0), record.get("tokens", 0)))
    for name, run in {"train": Run.open(output / "train"), **runs}.items():
        tokens = int(load_frame(run)["tokens"].sum())
        for stage, seconds in stage_seconds(run).items():
            rows.append((f"{name}: {stage}", seconds, tokens if stage == "sample" else 0))
    width = max(len(row[0]) for row in rows)
    lines = [f"  {'cost':<{width}}   worker seconds       tokens   tok/s"]
    for label, seconds, tokens in rows:
        left = f"  {label:<{width}}   {seconds:>14.1f}"
        if tokens:
            left += f"   {tokens:>10,}   {tokens / max(1e-9, seconds):>5.0f}"
        lines.append(left)
    return "\n".join(lines)


def _record(path: Path) -> dict[str, Any]:
    return dict(json.loads((path / "assay.json").read_text(encoding="utf-8")))


def show_one(run: Run, config: EvaluateConfig) -> str:
    """One problem of a run, solved; one that the verifier gets right and the vote wrong, if any."""
    from search.solving.solver import Solved, choose, show

    frame = load_frame(run, texts=True)
    by_id = {problem.id: problem for problem in run.problems}
    evaluation_verifier = config.verifier or next(iter(usable(run)), "")
    rule = "top_k" if evaluation_verifier else "majority"
    best: tuple[int, Solved] | None = None
    for problem_id, rows in frame.groupby("problem_id", sort=False):
        members = _members(rows, evaluation_verifier)
        k = 0 if config.k == "auto" else int(config.k)
        solved = choose(by_id[str(problem_id)], members, rule, k)
        vote = choose(by_id[str(problem_id)], members, "majority")
        right, vote_right = (
            bool(s.chosen is not None and s.chosen.graded.label) for s in (solved, vote)
        )
        interest = 2 if right and not vote_right else int(right)
        if best is None or interest > best[0]:
            best = (interest, solved)
    assert best is not None
    return show(best[1])


def _members(rows: pd.DataFrame, verifier: str) -> list[Any]:
    from search.solving.solver import Member
    from search.stages.grade import Graded
    from search.stages.sample import Candidate

    found = []
    for values in _records(rows):
        values["label"] = None if values["label"] is None else values["label"] is True
        candidate = Candidate(**{f.name: values[f.name] for f in dataclasses.fields(Candidate)})
        graded = Graded(**{f.name: values[f.name] for f in dataclasses.fields(Graded)})
        found.append(Member(candidate, graded, float(values.get(f"score:{verifier}", "nan"))))
    return found

"""`assay report`: the page, the figures and the tables of one run, or of several side by side.

    assay report runs/demo                            into runs/demo/report/
    assay report runs/small runs/large output=both    one page of both, with paired differences

The page comes last: a report that was stopped midway leaves the old page whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.of_run import as_json, evaluate_run, graded, tuning_pool, usable
from assay.evaluation.report.page import Page, PageRun, write_page
from assay.evaluation.report.tidy import tidy_tables
from assay.evaluation.table import table
from assay.evaluation.whole_pools import about_ranker
from assay.pools.frame import load_frame, stage_seconds
from assay.pools.imported import check_grading
from assay.pools.run import Run
from assay.selection.evaluate import Evaluation
from assay.selection.free import recorded
from assay.selection.request import EvaluateConfig
from assay.settings.errors import UserError
from assay.settings.schema import fields_of
from assay.storage.files import atomic_file, write_json
from assay.storage.places import Place, names_below, place

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ReportConfig", "report_run", "run_report", "write_report"]

_SHOWN = [
    "mode",
    "sample",
    "text",
    "answer",
    "answer_class",
    "label",
    "outcome",
    "output",
    "message",
    "origin",
]
_PAGE = "index.html"
# Files of a report that another one may lack: figures, tables, candidates beside the page.
_OURS = re.compile(
    r"(accuracy|calibration|curves|differences|difficulty|equal_flops|groups|over_optimisation"
    r"|problems|quality)\.(csv|parquet|pdf|png|svg)|data-[0-9a-f]{12}/problems-[^/]+\.js"
)
_VALUES = ["values", "starts", "ends"]


@dataclass
class ReportConfig(EvaluateConfig):
    """What `assay report` reads."""

    run: str = ""
    """the run's folder"""
    runs: list[str] = field(default_factory=list)
    """the folders of several runs, side by side; the first is what the others are compared with"""
    output: str = ""
    """folder to write into; empty = report/ in the run (several runs: must be given)"""
    title: str = ""
    """heading of the page; empty = the runs' names"""
    candidates: int = 100
    """candidates of each problem that the page shows; 0 = all (votes always count all)"""
    single: bool | None = None
    """everything in one file; empty = where it stays below 5 MB, else candidates beside the page"""
    x: str = "n"
    """what the figures draw accuracy against: n | tokens | flops | seconds (docs/costs.md)"""
    tune: str = ""
    """a graded and scored run of held-out problems to choose what is auto by; empty =
    cross-fitting"""
    grading: str = "ours"
    """whose labels count: ours, or theirs where labels came along with imported candidates"""


def run_report(config: ReportConfig) -> None:
    """`assay report`: writes page, figures and tables, and prints the table of each run."""
    if config.run and config.runs:
        raise UserError("runs: give the runs as words or one as run=…, not both")
    paths = [place(path) for path in config.runs or [config.run] if path]
    if not paths:
        raise UserError("runs: expected the folder of a run, for example assay report runs/demo")
    if len(paths) > 1 and not config.output:
        raise UserError("output: expected a folder for the report of several runs (output=FOLDER)")
    folder = place(config.output or paths[0] / "report")
    if isinstance(folder, Path) and folder.is_file():
        raise UserError(f"output: {config.output} is a file, expected a folder")
    if config.candidates < 0:
        raise UserError(f"candidates: {config.candidates}, expected 0 (all) or more")
    check_grading(config.grading)
    runs = {name: Run.open(path) for name, path in zip(_names(paths), paths, strict=True)}
    _check_same_questions(runs)
    evaluations = {}
    for name, run in runs.items():
        settings = fields_of(EvaluateConfig, config)
        tune = tuning_pool(run, config.tune, config.grading)
        evaluations[name] = evaluate_run(run, settings, tune, config.grading)
        if len(runs) > 1:
            print(f"{name}\n")
        print(table(_asked(evaluations[name], config), seconds=stage_seconds(run)))
        shown = evaluations[name].verifier
        if set(usable(run)) - {shown} and shown and not config.verifier:
            print(f"  by {shown}; others: verifier=…; side by side: assay evaluate {run.path}")
    with _to_write(folder) as local:
        page = write_report(
            runs,
            evaluations,
            local,
            title=config.title,
            candidates=config.candidates,
            single=config.single,
            x=config.x,
            grading=config.grading,
        )
    page = dataclasses.replace(page, path=folder / page.path.name)
    print(f"\nreport written to {page}")


def report_run(
    run: Run, config: EvaluateConfig, title: str, frame: pd.DataFrame | None = None
) -> str:
    """Evaluates a run, writes its report into report/, and returns the table.

    `frame` is what `load_frame` gave of the run, with texts; it is read where it is not given.
    """
    frame = load_frame(run, texts=True) if frame is None else frame
    evaluation = evaluate_run(run, config, frame=frame)
    name = run.path.name
    with _to_write(run.path / "report") as folder:
        write_report({name: run}, {name: evaluation}, folder, title=title, frames={name: frame})
    return table(_asked(evaluation, config))


@contextlib.contextmanager
def _to_write(folder: Place) -> Iterator[Path]:
    """The folder itself; for one of an object store, one that is put there in the end.

    The page comes last, and what an earlier report has left goes after it.
    """
    if isinstance(folder, Path):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="assay-report-") as made:
        yield Path(made)
        new = names_below(Path(made))
        folder.put(Path(made), [name for name in new if name != _PAGE])
        folder.put(Path(made), [_PAGE])
        for name in folder.names():
            if name not in new and _OURS.fullmatch(name):
                (folder / name).unlink(missing_ok=True)


def _asked(evaluation: Evaluation, config: EvaluateConfig) -> Evaluation:
    """The evaluation with those breakdowns alone that were asked for: the page has all."""
    if evaluation.groups is None:
        return evaluation
    groups = evaluation.groups
    return dataclasses.replace(evaluation, groups=groups[groups["by"].isin(config.by)])


def write_report(
    runs: Mapping[str, Run],
    evaluations: Mapping[str, Evaluation],
    folder: Path,
    *,
    title: str = "",
    candidates: int = 100,
    single: bool | None = None,
    x: str = "n",
    grading: str = "ours",
    frames: Mapping[str, pd.DataFrame] | None = None,
) -> Page:
    """Writes the page, the figures (SVG, PDF, PNG) and the tables (text, CSV, Parquet, JSON).

    `runs` and `evaluations` have the same names. Tables of several runs have a column `run`.
    `frames` are the candidates with their texts; those of a run that is not in it are read when the
    page comes to them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _draw_figures(evaluations, folder, x)
    _write_tables(tidy_tables(evaluations), folder)
    texts = [
        (f"{name}\n\n" if len(runs) > 1 else "")
        + table(evaluations[name], bold=False, seconds=stage_seconds(run))
        for name, run in runs.items()
    ]
    with atomic_file(folder / "table.txt") as stream:
        stream.write("\n\n".join(texts) + "\n")
    dicts = {name: as_json(evaluation) for name, evaluation in evaluations.items()}
    write_json(folder / "evaluation.json", next(iter(dicts.values())) if len(dicts) == 1 else dicts)
    shown = [
        PageRun(
            name,
            evaluations[name],
            _settings(run),
            page_problems(run, evaluations[name].verifier, grading, (frames or {}).get(name)),
            stage_seconds(run),
            about_ranker(run, evaluations[name].verifier).get("importance", ()),
        )
        for name, run in runs.items()
    ]
    return write_page(
        folder / _PAGE,
        title or ", ".join(runs),
        shown,
        candidates=candidates,
        single=single,
    )


def _draw_figures(evaluations: Mapping[str, Evaluation], folder: Path, x: str) -> None:
    """The curves against `x`, and beside them every figure that the evaluations have data for."""
    from assay.evaluation.report import figures
    from assay.evaluation.report.curve_figures import plot_curves, plot_runs
    from assay.evaluation.report.drawing import FORMATS

    if len(evaluations) == 1:
        (evaluation,) = evaluations.values()
        plot_curves(evaluation, folder / "curves", x=x)
    else:
        plot_runs(evaluations, folder / "curves", x=x)
    more = {
        "difficulty": figures.plot_difficulty,
        "calibration": figures.plot_calibration,
        "over_optimisation": figures.plot_over_optimisation,
    }
    for name, plot in more.items():
        if not plot(evaluations, folder / name):
            # An earlier report may have had one.
            for suffix in FORMATS:
                (folder / f"{name}.{suffix}").unlink(missing_ok=True)


def _write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Each as CSV and Parquet; of one without rows there is no file, an earlier one goes."""
    for name, frame in tables.items():
        targets = [folder / f"{name}.{suffix}" for suffix in ("csv", "parquet")]
        if frame.empty:
            for target in targets:
                target.unlink(missing_ok=True)
            continue
        with atomic_file(targets[0]) as stream:
            frame.to_csv(stream, index=False)
        with atomic_file(targets[1], "wb") as stream:
            frame.to_parquet(stream, index=False)


def _names(paths: Sequence[Place]) -> list[str]:
    """Names for runs: the folders' own, with as many of their parents as tells them apart."""
    parts = [
        path.resolve().parts if isinstance(path, Path) else tuple(str(path).split("/"))
        for path in paths
    ]
    if len(set(parts)) < len(parts):
        raise UserError("runs: one run is given twice")
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    raise AssertionError("different paths have different names")


def _check_same_questions(runs: Mapping[str, Run]) -> None:
    """Raises `UserError` where an id stands for different questions: nothing could be paired."""
    seen: dict[str, tuple[str, str]] = {}
    for name, run in runs.items():
        for problem in run.problems:
            first, question = seen.setdefault(problem.id, (name, problem.question))
            if question != problem.question:
                raise UserError(
                    f"runs: problem {problem.id!r} asks another question in {name} than in "
                    f"{first}; runs side by side need the same problems, or other ids"
                )


def _settings(run: Run) -> dict[str, Any]:
    """The resolved configuration of every stage, and the versions that they ran with."""
    stages = run.record["stages"]
    settings = {
        # What a ranker tells of itself has a table of its own.
        name: {key: value for key, value in entry["config"].items() if key != "about"}
        for name, entry in stages.items()
    }
    versions = {name: entry.get("versions", {}) for name, entry in stages.items()}
    same = all(each == next(iter(versions.values())) for each in versions.values())
    settings["versions"] = next(iter(versions.values())) if same else versions
    return settings


def page_problems(
    run: Run, verifier: str, grading: str = "ours", frame: pd.DataFrame | None = None
) -> Iterator[dict[str, Any]]:
    """What the page is made from: each problem with all of its candidates."""
    frame = load_frame(run, texts=True) if frame is None else frame
    frame = graded(frame, run, grading)
    groups = dict(iter(frame.groupby("problem_id", sort=False)))
    for problem in run.problems:
        rows = groups.pop(problem.id, None)
        if rows is not None:
            yield {
                "id": problem.id,
                "question": problem.question,
                "answer": problem.answer,
                "candidates": [_candidate(row, verifier) for row in rows.to_dict("records")],
            }


def _candidate(row: Mapping[Any, Any], verifier: str) -> dict[str, Any]:
    shown = {name: row[name] for name in _SHOWN if name in row}
    shown["score"] = row.get(f"score:{verifier}")
    shown["free"] = {name: row[name] for name in recorded(row)}
    if isinstance(row.get(f"values:{verifier}"), np.ndarray):
        shown |= {name: row[f"{name}:{verifier}"] for name in _VALUES}
    return shown

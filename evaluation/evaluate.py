"""`assay evaluate`: what a run's candidates are worth; `assay report` writes it as a page.

    assay evaluate runs/demo
    assay evaluate runs/demo verifiers=[a,b]     # side by side

The arithmetic is in `assay.selection`; here are its configuration and its ways to be printed.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field

from assay.evaluation.costs import with_costs
from assay.evaluation.gradings import gradings
from assay.evaluation.of_run import as_json, graded, open_run, tuning_pool, unfinished, with_notes
from assay.evaluation.table import table
from assay.evaluation.verifier_table import comparison, frame_of
from assay.evaluation.whole_pools import for_whole_pools
from assay.pools.frame import load_frame, stage_seconds
from assay.pools.imported import check_grading, note_on
from assay.selection.evaluate import evaluate
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig
from assay.settings.errors import UserError
from assay.settings.schema import fields_of

__all__ = ["EvaluateRunConfig", "run_evaluate"]


@dataclass
class EvaluateRunConfig(EvaluateConfig):
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


def run_evaluate(config: EvaluateRunConfig) -> None:
    """`assay evaluate`: prints the table, or the comparison where several verifiers have scored."""
    run = open_run(config.run)
    if config.verifier and config.verifiers:
        raise UserError("verifiers: give verifier (one) or verifiers (several), not both")
    settings = fields_of(EvaluateConfig, config)
    check_grading(config.grading)
    frame, tune = load_frame(run), tuning_pool(run, config.tune, config.grading)
    grading_table = gradings(frame)
    pool = PoolArrays.from_frame(graded(frame, run, config.grading), unfinished(run))
    names = [config.verifier] if config.verifier else config.verifiers or list(pool.scores)
    settings, whole = for_whole_pools(run, pool, settings, names)
    evaluations = [
        with_notes(
            with_costs(evaluate(pool, dataclasses.replace(settings, verifier=v), tune), run, frame),
            (*note_on(frame, config.grading), *whole),
        )
        for v in names or [""]
    ]
    # One whose scores cannot be used is told of in the notes of the others.
    evaluations = [each for each in evaluations if each.verifier] or evaluations[:1]
    if config.json:
        dicts = [as_json(evaluation) for evaluation in evaluations]
        content = dicts[0] if len(dicts) == 1 else dicts
        print(json.dumps(content, indent=2, ensure_ascii=False))
    elif config.csv:
        print(frame_of(evaluations).to_csv(index=False), end="")
    else:
        shown = table(evaluations[0], seconds=stage_seconds(run))
        if len(evaluations) > 1:
            shown = comparison(evaluations, seconds=stage_seconds(run))
        print("\n\n".join([shown, *([grading_table] if grading_table else [])]))

"""`assay compare`: paired differences of two runs at every rule and n, or of two rules of one run.

    assay compare runs/a runs/b n=[16,64]
    assay compare runs/a rules=[weighted,majority]

A difference is the first minus the second, over the problems that both have: those are resampled
together, so what makes a problem hard cancels. The p-values are of single comparisons; nothing is
corrected for how many there are.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from assay.evaluation.of_run import unfinished, with_notes
from assay.evaluation.terminal import SIGNED, interval_cell, table_footer
from assay.evaluation.whole_pools import for_whole_pools
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.problems.problem import Problem
from assay.selection.curves import Mix
from assay.selection.estimates import Cell
from assay.selection.evaluate import Evaluation, evaluate
from assay.selection.intervals import Interval, bootstrap_weights, paired
from assay.selection.names import MIX_LABELS, RULE_LABELS, count, rule_label
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig, check_config, numbers
from assay.settings.errors import UserError
from assay.settings.schema import fields_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CompareConfig", "compare_rules", "compare_runs", "run"]

MATCHES = ("id", "question")


@dataclass
class CompareConfig(EvaluateConfig):
    """What `assay compare` reads."""

    runs: list[str] = field(default_factory=list)
    """the folders of two runs, or of one whose rules are compared"""
    rules: list[str] = field(default_factory=list)
    """of two runs: which rules, empty = all that both have; of one: the first against the others"""
    modes: str = ""
    """cot, pot or both; empty = all, and in the table the last that there is"""
    verifiers: list[str] = field(default_factory=list)
    """verifier whose scores to use, one name per run; empty = the only one"""
    bootstrap: int = 10_000
    """resamples of the problems for intervals and p-values, which are at least 2 / (this + 1)"""
    match: str = "id"
    """how the problems of two runs find each other: by id (and then have the same question), or by
    question"""
    json: bool = False
    """print everything as JSON instead of the table"""
    csv: bool = False
    """print a row per rule, modes and n as CSV instead of the table"""


@dataclass(frozen=True)
class Comparison:
    """What was compared.

    `frame` has a row per rule, modes and n: `first` and `second` (accuracies), `difference`, `low`,
    `high` (fractions), `p` and the number of `problems` that have such candidates on both sides; of
    one run's rules also `against`.
    """

    names: tuple[str, str]
    frame: pd.DataFrame
    problems: int
    notes: tuple[str, ...]

    def of(self, modes: str) -> Comparison:
        """The rows of these modes. Raises `UserError` where there are none."""
        rows = self.frame[self.frame["modes"] == modes]
        if rows.empty:
            known = ", ".join(dict.fromkeys(self.frame["modes"]))
            raise UserError(f"modes={modes}: expected one of {known}, which are there to compare")
        return dataclasses.replace(self, frame=rows)


def run(config: CompareConfig) -> None:
    """`assay compare`."""
    if len(config.runs) not in (1, 2):
        raise UserError("runs: expected two, assay compare RUN_A RUN_B, or one with rules=[…]")
    if config.modes not in ("", *MIX_LABELS):
        raise UserError(f"modes={config.modes}: expected one of {', '.join(MIX_LABELS)}")
    comparison = compare_runs(config) if len(config.runs) == 2 else compare_rules(config)
    if config.modes:
        comparison = comparison.of(config.modes)
    if config.json:
        report: dict[str, Any] = {
            "names": comparison.names,
            "problems": comparison.problems,
            "notes": comparison.notes,
        }
        report["differences"] = comparison.frame.to_dict("records")
        print(json.dumps(report, indent=2, ensure_ascii=False))
    elif config.csv:
        print(comparison.frame.to_csv(index=False), end="")
    else:
        print(table(comparison))


def compare_runs(config: CompareConfig) -> Comparison:
    """The first run minus the second, at every rule, modes and n that both have.

    Raises `UserError` where they have no problem in common, or problems of one id differ.
    """
    if len(config.verifiers) not in (0, 2):
        raise UserError("verifiers: expected one for each run, for example verifiers=[a,b]")
    if config.match not in MATCHES:
        raise UserError(f"match={config.match}: expected one of {', '.join(MATCHES)}")
    opened = [Run.open(path) for path in config.runs]
    common = matched(opened[0], opened[1], config.match)
    frames = [load_frame(each) for each in opened]
    frames[1] = frames[1].assign(problem_id=frames[1]["problem_id"].map(common))
    # A problem of which one run has no candidates yet is none that both have.
    shared = set.intersection(*(set(frame["problem_id"].dropna()) for frame in frames))
    if not shared:
        raise UserError(f"{config.runs[0]} and {config.runs[1]}: no problem is graded in both")
    settings = _settings(config)
    evaluations = [
        _evaluated(each, frame[frame["problem_id"].isin(shared)], settings, verifier)
        for frame, each, verifier in zip(
            frames, opened, config.verifiers or [config.verifier] * 2, strict=True
        )
    ]
    first, second = evaluations
    pairs = [(cell, cell) for cell in _common_cells(first, second, config)]
    notes = [
        f"{count(len(each.problems) - len(shared), 'problem')} of {path} left out: not in the other"
        for each, path in zip(opened, config.runs, strict=True)
        if len(each.problems) > len(shared)
    ]
    notes += _only_one(first, second, config)
    notes += [
        f"{path}: {note}"
        for each, path in zip(evaluations, config.runs, strict=True)
        for note in each.notes
    ]
    frame = _frame(first, second, pairs, config).drop(columns="against")
    names = (config.runs[0], config.runs[1])
    return Comparison(names, frame, len(shared), tuple(notes))


def _common_cells(first: Evaluation, second: Evaluation, config: CompareConfig) -> list[Cell]:
    """The rules asked for, modes and n that both runs have. Raises `UserError` without any."""
    cells = [
        cell
        for cell in first.per_problem
        if cell in second.per_problem and cell[0] in (config.rules or RULE_LABELS)
    ]
    if not cells:
        raise UserError(
            f"{config.runs[0]} and {config.runs[1]}: no rule at any n is known of both "
            f"({_known(first)}; {_known(second)})"
        )
    return cells


def _only_one(first: Evaluation, second: Evaluation, config: CompareConfig) -> list[str]:
    """Notes on the n and the rules that only one of the runs has."""
    notes = []
    for mix in (mix for mix in first.mixes if mix in second.mixes):
        ns = [set(each.ns(mix)) for each in (first, second)]
        for path, over in zip(config.runs, (ns[1] - ns[0], ns[0] - ns[1]), strict=True):
            # An n that was asked for is in the notes of the run that lacks it.
            if left_out := sorted(over - set(config.n)):
                notes.append(
                    f"{MIX_LABELS[mix]} at n = {numbers(left_out)} left out: {path} lacks it"
                )
    rules = [set(each.rules) for each in (first, second)]
    for path, lacking in zip(config.runs, (rules[1] - rules[0], rules[0] - rules[1]), strict=True):
        if named := [RULE_LABELS[rule] for rule in RULE_LABELS if rule in lacking]:
            notes.append(f"{', '.join(named)} left out: not known of {path}")
    return notes


def compare_rules(config: CompareConfig) -> Comparison:
    """The first rule minus each of the others, in one run."""
    if len(config.rules) < 2:
        raise UserError("rules: expected two of one run, for example rules=[weighted,majority]")
    settings = _settings(config)
    if config.verifiers:
        settings.verifier = config.verifiers[0]
    run = Run.open(config.runs[0])
    evaluation = _evaluated(run, load_frame(run), settings, settings.verifier)
    head, *others = config.rules
    pairs = [
        ((head, mix, n), (other, mix, n))
        for other in others
        for mix in evaluation.mixes
        for n in evaluation.ns(mix)
        # With one candidate there is nothing to choose: all rules are the same.
        if n > 1 and {(head, mix, n), (other, mix, n)} <= set(evaluation.per_problem)
    ]
    if not pairs:
        raise UserError(f"rules={','.join(config.rules)}: not known at the same n above 1")
    against = rule_label(others[0]) if len(others) == 1 else "the rule named below"
    names = (f"{rule_label(head)} ({config.runs[0]})", against)
    return Comparison(
        names,
        _frame(evaluation, evaluation, pairs, config),
        len(evaluation.problem_ids),
        evaluation.notes,
    )


def _evaluated(
    run: Run, frame: pd.DataFrame, settings: EvaluateConfig, verifier: str
) -> Evaluation:
    """The evaluation of these candidates of a run by a verifier; "" is the only one."""
    pool = PoolArrays.from_frame(frame, unfinished(run))
    settings, notes = for_whole_pools(run, pool, settings, [verifier])
    evaluated = evaluate(pool, dataclasses.replace(settings, verifier=verifier))
    return with_notes(evaluated, notes)


def matched(first: Run, second: Run, match: str = "id") -> dict[str, str]:
    """For each problem of the second run that the first has too: its id there -> in the first.

    Raises `UserError` where there is none, where problems of one id have different questions, and
    where a question to match by is there twice.
    """
    if match == "question":
        for each in (first, second):
            if len({_question(p) for p in each.problems}) < len(each.problems):
                raise UserError(f"{each.path}: holds a question twice; match=id tells them apart")
        ids = {_question(p): p.id for p in first.problems}
        ids_in_first = {p.id: ids[_question(p)] for p in second.problems if _question(p) in ids}
    else:
        questions = {p.id: _question(p) for p in first.problems}
        ids_in_first = {p.id: p.id for p in second.problems if p.id in questions}
        for problem in second.problems:
            if problem.id in ids_in_first and _question(problem) != questions[problem.id]:
                raise UserError(
                    f"{first.path} and {second.path}: problem {problem.id!r} has different "
                    "questions; match=question finds problems by their text"
                )
    if not ids_in_first:
        other = MATCHES[1 - MATCHES.index(match)]
        raise UserError(
            f"{first.path} and {second.path}: no problem in common by {match} "
            f"({first.problems[0].id!r} … and {second.problems[0].id!r} …); try match={other}"
        )
    return ids_in_first


def _question(problem: Problem) -> str:
    """The question, white space aside."""
    return " ".join(problem.question.split())


def _known(evaluation: Evaluation) -> str:
    sizes = ", ".join(f"{MIX_LABELS[mix]} up to n = {n}" for mix, n in evaluation.sizes.items())
    return f"{', '.join(evaluation.rules)} for {sizes}"


def _settings(config: CompareConfig) -> EvaluateConfig:
    """How each run is evaluated: with one resample, as only those of differences are used."""
    settings = fields_of(EvaluateConfig, config)
    check_config(settings)
    return dataclasses.replace(settings, bootstrap=1)


def _frame(
    first: Evaluation,
    second: Evaluation,
    pairs: Sequence[tuple[Cell, Cell]],
    config: CompareConfig,
) -> pd.DataFrame:
    """A row for each pair of cells, by modes, rule and n."""
    import pandas as pd

    weights = bootstrap_weights(len(first.problem_ids), config.bootstrap, config.seed)
    rows = []
    for a, b in pairs:
        left, right = first.per_problem[a], second.per_problem[b]
        shared = ~np.isnan(left - right)
        if not shared.any():
            continue  # no problem has candidates of these modes in both
        difference = paired(left, right, weights)
        rows.append(
            {
                "rule": a[0],
                "against": b[0],
                "modes": a[1],
                "n": a[2],
                "first": float(left[shared].mean()),
                "second": float(right[shared].mean()),
                "difference": difference.value,
                "low": difference.low,
                "high": difference.high,
                "p": difference.p,
                "problems": int(shared.sum()),
            }
        )
    frame = pd.DataFrame(rows)
    order = {name: place for place, name in enumerate([*MIX_LABELS, *RULE_LABELS])}
    return frame.sort_values(
        ["modes", "rule", "against", "n"],
        key=lambda column: column if column.name == "n" else column.map(order),
        kind="stable",
        ignore_index=True,
    )


# For the terminal

NAME, NUMBER = 22, 7


def table(comparison: Comparison) -> str:
    """The comparison for a terminal: of the last modes ("both" where there are both)."""
    modes = list(dict.fromkeys(comparison.frame["modes"]))
    mix = cast(Mix, modes[-1])
    rows = comparison.frame[comparison.frame["modes"] == mix]
    a, b = comparison.names
    lines = [
        f"  A  {a}",
        f"  B  {b}",
        f"  {count(comparison.problems, 'problem')}, {MIX_LABELS[mix]}; accuracy in %, "
        "A − B in points [95 %, paired]",
        "",
        f"  {'':<{NAME}}{'n':>{NUMBER}}{'A':>{NUMBER}}{'B':>{NUMBER}}   "
        f"{'A − B':<{SIGNED}}{'p':>{NUMBER}}",
        "  " + "─" * (NAME + 4 * NUMBER + 3 + SIGNED),
    ]
    before = ""
    for row in rows.to_dict("records"):
        label = RULE_LABELS[row["rule"]]
        if "against" in row:
            label = f"− {RULE_LABELS[row['against']]}"
        difference = Interval(row["difference"], row["low"], row["high"])
        lines.append(
            f"  {'' if label == before else label:<{NAME}}{row['n']:>{NUMBER}}"
            f"{100 * row['first']:>{NUMBER}.1f}{100 * row['second']:>{NUMBER}.1f}   "
            f"{interval_cell(difference, '+')}{_p(row['p']):>{NUMBER}}"
        )
        before = label
    others = [f"modes={each}" for each in modes[:-1]]
    notes = [*comparison.notes, *([f"more with {', '.join(others)}"] if others else [])]
    return "\n".join([*lines, *table_footer(None, notes)])


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"

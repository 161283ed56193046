"""The command `assay solve`: answers a question, or a file of them.

An answer is shown with its votes and its best candidate; of a file, a line a problem:

    assay solve "A box holds 12 eggs. How many eggs do 3 boxes hold?" --show
    assay solve problems=questions.jsonl output=answers.jsonl n=64 min_confidence=0.8
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from assay.evaluation.terminal import printable
from assay.problems.problem import Problem
from assay.problems.sets import load_problems
from assay.search.solving.config import SolveConfig
from assay.search.solving.decide import Solved
from assay.search.solving.show import decoded_by, show, support, told_rule, withheld
from assay.search.solving.solver import Solver
from assay.search.solving.summary import notes, summary
from assay.settings.errors import UserError
from assay.storage.files import atomic_file
from assay.storage.places import place

__all__ = ["SolveConfig", "run"]


def run(config: SolveConfig) -> None:
    """`assay solve`: prints the answer to a question, or answers a file."""
    if bool(config.question) == bool(config.problems.name):
        raise UserError('solve: expected either a question ("…") or problems=FILE.jsonl')
    if config.question:
        problem = Problem(id="question", question=config.question)
        solver = Solver(config)
        solved = next(solver.solve([problem]))
        # What programs printed is among it, and a terminal obeys what it gets.
        for line in show(solved, everything=config.show, least=config.min_confidence).split("\n"):
            print(printable(line))
        _print_rule(solver)
        for note in notes([_row(solved, solver)], solver.setup.spec):
            print(f"  note: {note}")
        return
    problems = load_problems(config.problems)
    rows = []
    solver = Solver(config)
    for solved in solver.solve(problems):
        rows.append(_row(solved, solver))
        print(_line(solved, config.min_confidence), flush=True)
    for line in summary(rows, solver.setup.spec):
        print(line)
    _print_rule(solver)
    if config.output:
        with atomic_file(place(config.output)) as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        print(f"answers written to {config.output}")


def _print_rule(solver: Solver) -> None:
    for line in told_rule(solver.setup):
        print(line)


def _row(solved: Solved, solver: Solver) -> dict[str, Any]:
    without = sum(not np.isfinite(member.score) for member in solved.members)
    row = {
        "id": solved.problem.id,
        "question": solved.problem.question,
        "answer": solved.answer,
        "reference": solved.problem.answer,
        "right": solved.right,
        "confidence": _rounded(solved.confidence),
        "abstained": solved.abstained,
        "leading": solved.leading,
        "leading_right": solved.leading_right,
        "votes": round(solved.votes, 4),
        "weight": _rounded(solved.weight),
        "rule": solved.rule,
        "scorer": solved.spec.scorer or None,
        "n": len(solved.members),
        "unscored": without if solver.scorer else None,
    }
    if "top_k" in solved.rule:
        row["k"] = solved.spec.voters(len(solved.members))
    if solved.rule == "hybrid":
        row["mode"] = solved.members[-1].candidate.mode
        row["fell_back"] = len(solved.members) > 1
    return row


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _line(solved: Solved, least: float) -> str:
    """A problem's line: its answer, or why there is none; the support; right or wrong."""
    mark = {True: "right", False: "wrong", None: ""}[solved.right]
    if solved.abstained and solved.leading is not None:
        return f"{solved.problem.id}  {withheld(solved, least)}; leading: {solved.leading}"
    why = decoded_by(solved) if solved.rule == "hybrid" else support(solved)
    return f"{solved.problem.id}  {solved.answer or '(no answer)'}  {why}  {mark}".rstrip()

"""The command `assay solve`: answers a question, or a file of them.

An answer is shown with its votes and its best candidate; of a file, a line a problem:

    assay solve "A box holds 12 eggs. How many eggs do 3 boxes hold?" --show
    assay solve problems=questions.jsonl output=answers.jsonl n=64
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from assay.evaluation.terminal import printable
from assay.problems.problem import Problem
from assay.problems.sets import load_problems
from assay.search.solving.show import decoded_by, show, support
from assay.search.solving.solver import SolveConfig, Solved, Solver
from assay.search.solving.summary import notes, summary
from assay.settings.errors import UserError
from assay.storage.files import atomic_file
from assay.storage.places import place

__all__ = ["run"]


def run(config: SolveConfig) -> None:
    """`assay solve`: prints the answer to a question, or answers a file."""
    if bool(config.question) == bool(config.problems.name):
        raise UserError('solve: expected either a question ("…") or problems=FILE.jsonl')
    if config.question:
        problem = Problem(id="question", question=config.question)
        solver = Solver(config)
        solved = next(solver.solve([problem]))
        # What programs printed is among it, and a terminal obeys what it gets.
        for line in show(solved, everything=config.show).split("\n"):
            print(printable(line))
        for note in notes([_row(solved, solver)], solver.config.rule, solver.config.k):
            print(f"  note: {note}")
        return
    problems = load_problems(config.problems)
    rows = []
    solver = Solver(config)
    for solved in solver.solve(problems):
        rows.append(_row(solved, solver))
        print(_line(solved), flush=True)
    for line in summary(rows, solver.config.rule, solver.config.k):
        print(line)
    if config.output:
        with atomic_file(place(config.output)) as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        print(f"answers written to {config.output}")


def _row(solved: Solved, solver: Solver) -> dict[str, Any]:
    without = sum(not np.isfinite(member.score) for member in solved.members)
    row = {
        "id": solved.problem.id,
        "question": solved.problem.question,
        "answer": solved.answer,
        "reference": solved.problem.answer,
        "right": solved.right,
        "votes": round(solved.votes, 4),
        "weight": None if np.isnan(solved.weight) else round(solved.weight, 4),
        "rule": solved.rule,
        "n": len(solved.members),
        "unscored": without if solver.scorer else None,
    }
    if solved.rule == "hybrid":
        row["mode"] = solved.members[-1].candidate.mode
        row["fell_back"] = len(solved.members) > 1
    return row


def _line(solved: Solved) -> str:
    mark = {True: "right", False: "wrong", None: ""}[solved.right]
    why = decoded_by(solved) if solved.rule == "hybrid" else support(solved)
    return f"{solved.problem.id}  {solved.answer or '(no answer)'}  {why}  {mark}".rstrip()

"""The command `assay solve`: answers a question, or a file of them.

An answer is shown with its votes and its best candidate; of a file, a line a problem:

    assay solve "A box holds 12 eggs. How many eggs do 3 boxes hold?" --show
    assay solve questions.jsonl output=answers.jsonl n=64 min_confidence=0.8
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from assay.evaluation.terminal import printable
from assay.problems.problem import Problem
from assay.problems.sets import load_problems
from assay.search.solving.answers_file import AnswersFile
from assay.search.solving.config import SolveConfig
from assay.search.solving.decide import Member, Solved
from assay.search.solving.setup import settings_digest
from assay.search.solving.show import best_of, decoded_by, show, support, told_rule, withheld
from assay.search.solving.solver import Solver
from assay.search.solving.summary import notes, summary
from assay.settings.errors import UserError

__all__ = ["SolveConfig", "run"]


def run(config: SolveConfig) -> None:
    """`assay solve`: prints the answer to a question, or answers a file."""
    config = _with_file(config)
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
        for note in notes([_row(solved, solver, config)], solver.setup.spec):
            print(f"  note: {note}")
        return
    _answer_file(config)


def _answer_file(config: SolveConfig) -> None:
    """Answers a set of problems, of which the output may hold some already."""
    problems = load_problems(config.problems)
    solver = Solver(config)
    answers = AnswersFile(config.output, settings_digest(solver.setup)) if config.output else None
    left = problems
    rows: list[dict[str, Any]] = []
    if answers is not None:
        rows = answers.rows
        left = [problem for problem in problems if problem not in answers]
        if rows:
            print(f"{config.output}: {len(rows)} answered before, {len(left)} left", flush=True)
    for solved in solver.solve(left):
        row = _row(solved, solver, config)
        if answers is None:
            rows.append(row)
        else:
            answers.append(row)
        print(_line(solved, config.min_confidence), flush=True)
    for line in summary(rows, solver.setup.spec):
        print(line)
    _print_rule(solver)
    if answers is not None:
        answers.finish()
        print(f"answers written to {config.output}")


def _with_file(config: SolveConfig) -> SolveConfig:
    """A question that is the path of a JSONL file is a set of problems."""
    if " " in config.question or not config.question.endswith((".jsonl", ".json")):
        return config
    if config.problems.name:
        raise UserError(f"solve: expected either {config.question} or problems=, not both")
    problems = dataclasses.replace(config.problems, name="jsonl", path=config.question)
    return dataclasses.replace(config, question="", problems=problems)


def _print_rule(solver: Solver) -> None:
    for line in told_rule(solver.setup):
        print(line)


def _row(solved: Solved, solver: Solver, config: SolveConfig) -> dict[str, Any]:
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
        "tokens": sum(member.candidate.tokens for member in solved.members),
        "solution": None if solved.chosen is None else best_of(solved).candidate.text,
        "answers": _votes(solved),
    }
    if "top_k" in solved.rule:
        row["k"] = solved.spec.voters(len(solved.members))
    if solved.rule == "hybrid":
        row["mode"] = solved.members[-1].candidate.mode
        row["fell_back"] = len(solved.members) > 1
    if config.candidates:
        row["candidates"] = [_candidate(member) for member in solved.members]
    return row


def _votes(solved: Solved) -> list[dict[str, Any]]:
    """The answers with their votes, most first; each as the first of its class writes it."""
    found: dict[int, dict[str, Any]] = {}
    for member in solved.members:
        if member.graded.answer_class >= 0:
            named = {"answer": member.graded.answer, "votes": 0}
            found.setdefault(member.graded.answer_class, named)["votes"] += 1
    return sorted(found.values(), key=lambda each: -each["votes"])


def _candidate(member: Member) -> dict[str, Any]:
    """A candidate for the file."""
    return {
        "mode": member.candidate.mode,
        "text": member.candidate.text,
        "answer": member.graded.answer,
        "score": _rounded(member.score),
        "logprob": _rounded(member.candidate.logprob),
        "tokens": member.candidate.tokens,
    }


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _line(solved: Solved, least: float) -> str:
    """A problem's line: its answer, or why there is none; the support; right or wrong."""
    mark = {True: "right", False: "wrong", None: ""}[solved.right]
    if solved.abstained and solved.leading is not None:
        return f"{solved.problem.id}  {withheld(solved, least)}; leading: {solved.leading}"
    why = decoded_by(solved) if solved.rule == "hybrid" else support(solved)
    return f"{solved.problem.id}  {solved.answer or '(no answer)'}  {why}  {mark}".rstrip()

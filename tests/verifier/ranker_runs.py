"""Graded and scored runs for the ranker's tests, made of numbers: no model is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assay.pools.rows import Candidate, Graded, answers_table, candidates_table, scores_table
from assay.pools.run import Part, Run
from assay.problems.problem import Problem

PER_PART = 20


def problems_of(count: int, first: int = 0) -> list[Problem]:
    return [
        Problem(f"p{i:03d}", f"Question {i}?", answer=str(i % 7))
        for i in range(first, first + count)
    ]


def make_run(
    path: Path,
    problems: list[Problem],
    *,
    samples: int = 8,
    seed: int = 0,
    verifiers: dict[str, str] | None = None,
    memorised: set[str] = frozenset(),
    values: bool = False,
) -> Run:
    """A run of words and programs. Log-probability and verifiers know something of what is right.

    `verifiers` are their folders by name. Of the questions in `memorised` they know everything.
    """
    rng = np.random.default_rng([seed, 1])
    run = Run.open_or_create(str(path), problems)
    run.register("candidates", {"problems_per_part": PER_PART}, {})
    run.register("answers", {"grader": 0}, {})
    for name, folder in (verifiers or {}).items():
        key = {"verifier": f"hash of {name}", "dtype": "auto", "aggregate": "last"}
        run.register(f"scores/{name}", key, {"verifier": {"name": folder}})
    for index in range(-(-len(problems) // PER_PART)):
        for mode in ("cot", "pot"):
            part = Part(index, mode, 0, samples)
            own = problems[index * PER_PART : (index + 1) * PER_PART]
            _write(run, part, own, rng, verifiers or {}, memorised, values)
    return run


def _write(run, part, problems, rng, verifiers, memorised, values):
    candidates, graded = [], []
    scores = {name: [] for name in verifiers}
    for problem in problems:
        ease = rng.normal()
        for sample in range(part.first, part.end):
            right = bool(rng.random() < 1 / (1 + np.exp(-ease)))
            silent = part.mode == "pot" and not right and rng.random() < 0.3
            truth = int(problem.answer)
            claim = truth if right else (truth + int(rng.integers(1, 7))) % 7
            answer, number = (None, -1) if silent else (str(claim), claim)
            signal = float(right) + rng.normal()
            tokens = int(rng.integers(8, 20))
            text = f"line {sample}\nso {answer}"
            candidates.append(
                Candidate(
                    *(problem.id, part.mode, sample, text, [], tokens, 5),
                    logprob=float(signal - 4),
                    stop="eos",
                )
            )
            outcome = "" if part.mode == "cot" else "error" if silent else "ok"
            graded.append(Graded(outcome, "", "", 0.0, answer, "", number, right))
            for name in verifiers:
                known = problem.question in memorised
                score = float(right) if known else 0.5 * right + rng.normal()
                row = {"problem_id": problem.id, "mode": part.mode, "sample": sample}
                row |= {"score": score, "verifier_tokens": tokens, "verifier_prompt_tokens": 5}
                if values:
                    row |= {"values": np.linspace(0.2, score, 3, dtype=np.float32)}
                    row |= {"starts": [0, 3, len(text)], "ends": [3, len(text), len(text)]}
                scores[name].append(row)
    run.write("candidates", part, candidates_table(candidates), 0.1)
    run.write("answers", part, answers_table(candidates, graded), 0.1)
    for name, rows in scores.items():
        run.write(f"scores/{name}", part, scores_table(rows, values=values), 0.1)

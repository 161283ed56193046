"""Answering a question: sample, run, score, vote; and showing how the answer came about.

    assay solve "A box holds 12 eggs. How many eggs do 3 boxes hold?" --show
    assay solve problems=questions.jsonl output=answers.jsonl n=64
    assay solve problems=questions.jsonl rule=hybrid

Several problems are sampled at once, so that an engine's batch is full. `rule=hybrid` is MAmmoTH's
greedy decoding (Yue et al. 2023, arXiv 2309.05653, section 2): a program first, words where it does
not run or prints no answer, and for multiple choice.

Nothing is kept on disk but the answers; for pools that are to be studied there are runs.
"""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.table import printable
from generator.engines import Engine, EngineConfig, SamplingParams, make_engine
from generator.models import ModelConfig
from pools.progress import progress_bar
from problems.answers import convention_of, label
from problems.problem import MODES, Problem
from problems.prompts import Prompter
from problems.sets import ProblemsConfig, load_problems
from problems.shots import FewShotConfig, choose_shots
from sandbox import Limits, Sandbox
from search.solving.summary import CHOICE, FELL_BACK, notes, summary
from search.stages.grade import Graded, grade_candidates
from search.stages.mixture import prompt_of
from search.stages.sample import Candidate, asked_modes, batch_samples, sample_candidates
from search.stages.score import Readable, Scorer
from selection import rules
from settings.errors import UserError
from storage.files import atomic_file
from storage.places import place
from verifier.config import ScoreConfig

__all__ = ["Member", "SolveConfig", "Solved", "choose", "run", "show"]

QUICKSTART = Path("runs/quickstart")
RULES = ("majority", "best_of_n", "weighted", "top_k", "hybrid")


@dataclass
class SolveConfig:
    """What `assay solve` reads."""

    question: str = ""
    """the question; or give problems="""
    problems: ProblemsConfig = field(default_factory=lambda: ProblemsConfig(name=""))
    """a set or a JSONL file to solve instead of one question"""
    output: str = ""
    """with problems: JSONL file to write, one answer a line; empty = only printed"""
    generator: ModelConfig = field(default_factory=lambda: ModelConfig(name=""))
    """a folder or hub id; empty = the quickstart's"""
    verifier: ModelConfig = field(default_factory=lambda: ModelConfig(name=""))
    """a verifier's folder, or `none`; empty = the quickstart's with the quickstart's generator"""
    prompt: FewShotConfig = field(default_factory=lambda: FewShotConfig(form="auto"))
    """form auto: the one that the generator was made for, else its chat template, else alpaca"""
    n: int = 32
    """candidates per problem"""
    modes: list[str] = field(default_factory=lambda: ["cot", "pot"])
    """modes that the n candidates are divided among"""
    rule: str = ""
    """majority | best_of_n | weighted | top_k | hybrid (greedy; n, modes, verifier and
    sampling.temperature are not read); empty = top_k with a verifier, else majority"""
    k: int = 0
    """candidates that vote in top_k; 0 = chosen by n"""
    sampling: SamplingParams = field(default_factory=SamplingParams)
    engine: EngineConfig = field(default_factory=EngineConfig)
    limits: Limits = field(default_factory=Limits)
    show: bool = False
    """print every candidate"""


@dataclass(frozen=True)
class Member:
    """A candidate with its grade and its score.

    NaN without a verifier, and where the candidate is longer than the verifier reads.
    """

    candidate: Candidate
    graded: Graded
    score: float


@dataclass(frozen=True)
class Solved:
    """A problem with its candidates and the one that a rule chose (`None`: nobody has an answer).

    `votes` and `weight` are the chosen answer's shares of all answers and of all scores. `rule` is
    the one that chose: where no candidate with an answer has a score, the majority vote in place of
    a rule that needs scores.
    """

    problem: Problem
    members: list[Member]
    rule: str
    chosen: Member | None
    votes: float
    weight: float

    @property
    def answer(self) -> str | None:
        """The answer that was voted for."""
        return None if self.chosen is None else self.chosen.graded.answer


def choose(problem: Problem, members: Sequence[Member], rule: str, k: int = 0) -> Solved:
    """Applies a rule to the candidates of one problem; see `Solved` for those without scores."""
    classes = np.array([m.graded.answer_class for m in members], dtype=np.int64)
    scores = np.array([m.score for m in members], dtype=np.float64)
    ties = rules.tie_draw(classes.shape, seed=0)
    index: Any
    scored = rules.eligible(classes, scores)
    if rule not in ("majority", "hybrid") and (classes >= 0).any() and not scored.any():
        rule = "majority"
    if rule == "hybrid":
        modes = np.array([MODES.index(m.candidate.mode) for m in members], dtype=np.int64)
        # Of several of one mode the first.
        index = rules.hybrid(classes, modes, -np.arange(len(members), dtype=np.float32))
    elif rule == "majority":
        index = rules.majority(classes, ties, scores)
    elif rule == "best_of_n":
        index = rules.best_of_n(classes, scores, ties)
    elif rule == "weighted":
        index = rules.weighted(classes, scores, ties)
    else:
        index = rules.top_k(classes, scores, ties, k)
    if int(index) < 0:
        return Solved(problem, list(members), rule, None, 0.0, 0.0)
    same = classes == classes[int(index)]
    positive = np.where(scored, np.maximum(scores, 0.0), 0.0)
    total = positive.sum()
    weight = float(positive[same].sum() / total) if total > 0 else float("nan")
    votes = float(same.sum() / (classes >= 0).sum())
    return Solved(problem, list(members), rule, members[int(index)], votes, weight)


def _any_answer(members: Sequence[Member]) -> bool:
    return any(member.graded.answer_class >= 0 for member in members)


class Solver:
    """Generator, sandbox and verifier, loaded once for many problems."""

    def __init__(self, config: SolveConfig) -> None:
        """Raises `UserError` where a model is missing or a key does not fit."""
        config = _with_defaults(config)
        if config.rule not in RULES:
            raise UserError(f"rule={config.rule}: expected one of {', '.join(RULES)}")
        scored = config.verifier.name not in ("", "none")
        if config.rule not in ("majority", "hybrid") and not scored:
            raise UserError(f"rule={config.rule}: needs a verifier; give verifier=PATH")
        if config.n < 1:
            raise UserError(f"n={config.n}: expected 1 or more")
        self.config = config
        self.counts = share(config.n, config.modes)
        shots = choose_shots(config.prompt, config.problems, asked_modes(self.counts))
        self.engine: Engine = make_engine(config.engine, config.generator)
        self.prompter = Prompter(config.prompt, self.engine.tokenizer, shots)
        self.scorer = Scorer(config.verifier) if scored else None

    def solve(self, problems: Sequence[Problem]) -> Iterator[Solved]:
        """Yields the problems' solutions in order; ids must be unique."""
        size = max(1, batch_samples(self.config.engine) // sum(self.counts.values()))
        decode = self._decode_hybrid if self.config.rule == "hybrid" else self._decode
        with Sandbox(limits=self.config.limits) as sandbox:
            for start in range(0, len(problems), size):
                chunk = problems[start : start + size]
                members = decode(chunk, sandbox)
                for problem in chunk:
                    own = members[problem.id]
                    yield choose(problem, own, self.config.rule, self.config.k)

    def _decode(self, problems: Sequence[Problem], sandbox: Sandbox) -> dict[str, list[Member]]:
        return self._members(problems, self.counts, sandbox)

    def _decode_hybrid(
        self, problems: Sequence[Problem], sandbox: Sandbox
    ) -> dict[str, list[Member]]:
        """A program of each open-ended problem; words where that has no answer, and of the rest."""
        open_ended = [problem for problem in problems if not problem.options]
        members = self._members(open_ended, {"pot": 1}, sandbox)
        rest = [p for p in problems if not _any_answer(members.get(p.id, []))]
        for problem_id, words in self._members(rest, {"cot": 1}, sandbox).items():
            members.setdefault(problem_id, []).extend(words)
        return members

    def _members(
        self, problems: Sequence[Problem], counts: Mapping[str, int], sandbox: Sandbox
    ) -> dict[str, list[Member]]:
        """The problems' candidates, graded and scored, by problem id."""
        if not problems:
            return {}
        found: dict[str, list[Candidate]] = {problem.id: [] for problem in problems}
        with progress_bar(len(problems) * sum(counts.values()), "sample") as progress:
            for candidate in sample_candidates(
                self.engine, self.prompter, problems, counts, self.config.sampling
            ):
                found[candidate.problem_id].append(candidate)
                progress.update(1)
        for own in found.values():
            own.sort(key=lambda c: (c.mode, c.sample))
        graded = iter(grade_candidates(problems, list(chain(*found.values())), sandbox))
        members = {}
        for problem in problems:
            own = found[problem.id]
            grades = list(islice(graded, len(own)))
            scores = self._scores(problem, own, grades)
            members[problem.id] = [Member(*row) for row in zip(own, grades, scores, strict=True)]
        return members

    def _scores(
        self, problem: Problem, candidates: Sequence[Candidate], graded: Sequence[Graded]
    ) -> list[float]:
        if self.scorer is None:
            return [float("nan")] * len(candidates)
        read = [Readable(c.mode, c.text, g.output) for c, g in zip(candidates, graded, strict=True)]
        scores: list[float] = self.scorer.score(problem, read, ScoreConfig()).scores.tolist()
        return scores


def share(n: int, modes: Sequence[str]) -> dict[str, int]:
    """Shares n candidates out among the modes; the first ones get the remainder.

    >>> share(7, ["cot", "pot"])
    {'cot': 4, 'pot': 3}
    """
    if not modes:
        raise UserError("modes: expected at least one of cot, pot")
    return {mode: n // len(modes) + (i < n % len(modes)) for i, mode in enumerate(modes)}


def _with_defaults(config: SolveConfig) -> SolveConfig:
    generator, verifier = config.generator, config.verifier
    if config.rule == "hybrid":
        greedy = dataclasses.replace(config.sampling, temperature=0.0)
        verifier = dataclasses.replace(verifier, name="none")
        config = dataclasses.replace(config, n=2, modes=list(MODES), sampling=greedy)
    if not generator.name:
        if not (QUICKSTART / "generator" / "config.json").is_file():
            raise UserError(
                f"{QUICKSTART / 'generator'}: not there yet; run `assay quickstart` first, "
                "or give generator=PATH_OR_HUB_ID"
            )
        generator = dataclasses.replace(generator, name=str(QUICKSTART / "generator"))
        own = QUICKSTART / "verifier"
        if not verifier.name and (own / "verifier.json").is_file():
            verifier = dataclasses.replace(verifier, name=str(own))
    scored = verifier.name not in ("", "none")
    return dataclasses.replace(
        config,
        generator=generator,
        verifier=verifier,
        prompt=prompt_of(generator, config.prompt),
        rule=config.rule or ("top_k" if scored else "majority"),
    )


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
        "right": _right(solved),
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


def _right(solved: Solved) -> bool | None:
    problem = solved.problem
    convention = convention_of(problem.convention)
    return label(solved.answer, problem.answer, problem.options, convention=convention)


def _line(solved: Solved) -> str:
    mark = {True: "right", False: "wrong", None: ""}[_right(solved)]
    told = _way(solved) if solved.rule == "hybrid" else _sure(solved)
    return f"{solved.problem.id}  {solved.answer or '(no answer)'}  {told}  {mark}".rstrip()


def _way(solved: Solved) -> str:
    """What hybrid decoding decoded last."""
    if solved.members[-1].candidate.mode == "pot":
        return "PoT"
    return FELL_BACK if len(solved.members) > 1 else CHOICE


def _sure(solved: Solved) -> str:
    text = f"{100 * solved.votes:.0f} % of the votes"
    if not np.isnan(solved.weight):
        text += f", {100 * solved.weight:.0f} % of the score"
    return text


# Showing a solution in a terminal


def show(solved: Solved, *, everything: bool = False) -> str:
    """The vote, the answer, the best-scored candidate that gives it, with its output, as text."""
    lines = [_indent(solved.problem.question, "  "), ""]
    lines += _ballot(solved)
    if solved.chosen is None:
        lines += ["", "  no candidate has an answer"]
    else:
        lines += ["", f"  answer: {solved.answer}   ({_by(solved)})"]
        if solved.problem.answer is not None:
            right = {True: "right", False: "wrong", None: "undecided"}[_right(solved)]
            lines[-1] += f"   reference: {solved.problem.answer}, {right}"
    if everything:
        for member in sorted(solved.members, key=_rank):
            lines += ["", *_candidate(member)]
    elif solved.chosen is not None:
        number = solved.chosen.graded.answer_class
        best = min((m for m in solved.members if m.graded.answer_class == number), key=_rank)
        known = not np.isnan(best.score)
        lines += ["", f"  {'the best-scored' if known else 'one'} of the candidates with it:"]
        lines += _candidate(best)
    return "\n".join(lines)


def _rank(member: Member) -> tuple[float, str, int]:
    score = -np.inf if np.isnan(member.score) else member.score
    return (-score, member.candidate.mode, member.candidate.sample)


def _by(solved: Solved) -> str:
    if solved.rule == "hybrid":
        return f"{_way(solved)}, by hybrid decoding"
    return f"{_sure(solved)}, by {_rule_name(solved)}"


def _rule_name(solved: Solved) -> str:
    return {"top_k": "top-k vote", "best_of_n": "best-of-n", "weighted": "weighted vote"}.get(
        solved.rule, "majority vote"
    )


def _ballot(solved: Solved) -> list[str]:
    """A line for each answer class: votes as a bar, mean score."""
    by_class: dict[int, list[Member]] = {}
    for member in solved.members:
        by_class.setdefault(member.graded.answer_class, []).append(member)
    ranked = sorted(
        (group for number, group in by_class.items() if number >= 0),
        key=lambda group: (-len(group), str(group[0].graded.answer)),
    )
    lines = ["  answer        votes" + " " * 26 + "mean score"]
    most = len(ranked[0]) if ranked else 1
    for group in ranked[:8]:
        bar = "█" * max(1, round(20 * len(group) / most))
        known = [m.score for m in group if np.isfinite(m.score)]
        mean = np.mean(known) if known else np.nan
        score = "" if np.isnan(mean) else f"{mean:8.2f}"
        answer = " ".join(str(group[0].graded.answer).split())
        answer = answer if len(answer) <= 12 else answer[:11] + "…"
        mark = "▸" if solved.chosen in group else " "
        lines.append(f" {mark}{answer:<12}  {len(group):>5}  {bar:<20}    {score}".rstrip())
    if len(ranked) > 8:
        lines.append(f"  … and {len(ranked) - 8} other answers")
    if -1 in by_class:
        lines.append(f"  (no answer)   {len(by_class[-1]):>5}")
    return lines


def _candidate(member: Member) -> list[str]:
    candidate, graded = member.candidate, member.graded
    score = "" if np.isnan(member.score) else f"  score {member.score:.2f}"
    answer = graded.answer if graded.answer is not None else "none"
    lines = [f"  ── {candidate.mode} {candidate.sample}  answer {answer}{score}"]
    lines.append(_indent(candidate.text, "     "))
    if candidate.mode == "pot":
        told = (
            graded.output.strip()
            if graded.outcome == "ok"
            else f"{graded.outcome} {graded.message}"
        )
        lines.append(_indent(f"output: {told}", "   ▸ "))
    return lines


def _indent(text: str, prefix: str) -> str:
    wrapped = []
    for line in text.splitlines() or [""]:
        wrapped += textwrap.wrap(line, 96, drop_whitespace=False, break_long_words=True) or [""]
    return "\n".join((prefix + line).rstrip() for line in wrapped)

"""Rejection sampling: right candidates of graded pools as training data (RFT, STaR).

A generator that learns from its own right solutions beside the references solves more (RFT: Yuan et
al. 2023, arXiv 2308.01825, section 3.3; STaR: Zelikman et al. 2022, arXiv 2203.14465). What counts
is the number of *distinct* ones: of solutions with the same calculation one is taken
(`problems/calculations.py`), of a problem at most a few, of one that is solved nearly always one,
so that easy problems do not rule. Each round starts from the base again, on the references and on
what all rounds have found.

    sampled = take(runs, RejectionConfig(per_problem=4))
    print(sampled.summary)
    train_generator(config, references, sampled=sampled)
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assay.pools.frame import load_frame, scored_by
from assay.pools.run import Run
from assay.problems.calculations import calculation, miscalculates
from assay.problems.problem import MODES, Mode, Problem, Solution
from assay.problems.programs import program_text
from assay.sandbox import clean_program
from assay.settings.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RejectionConfig", "Sampled", "mixed", "pool_problems", "take"]

# Why a candidate ended that was not finished.
_CUT_OFF = ("length", "content_filter")
_REASONS = {
    "cut off": "reached the token limit",
    "miscalculated": "have a false calculator annotation",
    "unscored": "have no score",
    "low score": "are scored too low",
    "repeated": "repeat a calculation",
    "known": "are what a reference solution computes",
    "beyond the limit": "are beyond per_problem",
    "easy": "are of easy problems, beyond easy_per_problem",
}


@dataclass
class RejectionConfig:
    """Which right candidates of the pools are learnt (an OmegaConf schema)."""

    per_problem: int = 4
    """most solutions of a problem in each mode; all differ in what they compute"""
    easy: float = 0.9
    """a problem is easy in a mode in which a larger share of its candidates is right"""
    easy_per_problem: int = 1
    """most solutions of an easy problem in each mode"""
    verifier: str = ""
    """name of a verifier or ranker that scored the pools: its best-scored ones are taken; empty =
    drawn by the seed"""
    min_score: float | None = None
    """with a verifier: the least score of a solution that is taken"""
    top: float = 1.0
    """with a verifier: the share of each problem's right candidates, the best-scored ones, that may
    be taken"""
    references: float = 1.0
    """how often each reference solution is learnt beside them: 0 = not at all, 0.5 = a random half
    of the problems', 2 = twice"""
    origins: list[str] = field(default_factory=list)
    """members of the pools' mixtures to take from; empty = all"""
    splits: list[str] = field(default_factory=lambda: ["train"])
    """splits that may be learnt from; a pool of problems of another one is refused"""
    seed: int = 0

    def check(self) -> None:
        """Raises `UserError` naming the key that is out of range."""
        for name in ("per_problem", "easy_per_problem"):
            if getattr(self, name) < 1:
                raise UserError(f"rejection.{name}={getattr(self, name)}: expected 1 or more")
        for name in ("easy", "top"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"rejection.{name}={getattr(self, name)}: expected 0 to 1")
        if self.top == 0:
            raise UserError("rejection.top=0: expected a share above 0")
        if self.references < 0:
            raise UserError(f"rejection.references={self.references}: expected 0 or more")
        if not self.verifier and (self.min_score is not None or self.top < 1):
            raise UserError("rejection.verifier: expected a verifier's name for min_score and top")


@dataclass(frozen=True)
class Sampled:
    """What was taken: the pools' problems, each with the solutions to learn; and the account of it.

    `record` holds the configuration, and by mode the numbers of right candidates, of distinct ones
    among the usable, of those taken, and of the problems that they are of; `dropped` by reason.
    """

    problems: list[Problem]
    config: RejectionConfig
    record: dict[str, Any]
    summary: str


@dataclass
class _Found:
    """A right candidate."""

    text: str
    score: float
    key: str
    stop: str


@dataclass
class _Group:
    """One problem's candidates in one mode, of all pools."""

    graded: int = 0
    right: list[_Found] = field(default_factory=list)


def take(
    runs: Sequence[Run],
    config: RejectionConfig,
    references: Sequence[Problem] = (),
    among: Collection[str] | None = None,
) -> Sampled:
    """The right candidates of graded runs that are to be learnt beside `references`.

    `among`: questions whose candidates may be taken; `None` = all. Problems are the same where
    their questions are. Deterministic: what is drawn of a problem depends on the seed and on its
    own candidates alone. Raises `UserError` for a run of another split than `config.splits`, where
    an origin or the verifier is unknown, and where there is nothing to take.
    """
    config.check()
    problems = [p for p in pool_problems(runs, config) if among is None or p.question in among]
    groups = _collected(runs, config)
    learnt: dict[str, list[Solution]] = {}
    for problem in references if config.references else ():
        learnt.setdefault(problem.question, []).extend(problem.solutions)
    dropped: Counter[str] = Counter()
    counts = {mode: dict.fromkeys(("right", "distinct", "taken", "problems"), 0) for mode in MODES}
    taken = []
    for problem in problems:
        solutions: list[Solution] = []
        for mode in MODES:
            group = groups.get((problem.question, mode))
            if group is not None and group.right:
                beside = learnt.get(problem.question, ())
                known = {calculation(mode, s.text) for s in beside if s.mode == mode}
                distinct, chosen = _choose(problem, mode, group, known, config, dropped)
                solutions += [Solution(mode, found.text) for found in chosen]
                new = (len(group.right), distinct, len(chosen), bool(chosen))
                for name, number in zip(counts[mode], new, strict=True):
                    counts[mode][name] += number
        if solutions:
            taken.append(dataclasses.replace(problem, solutions=tuple(solutions)))
    if not taken:
        raise _nothing(runs, dropped)
    record = {
        "pools": [str(run.path) for run in runs],
        "config": dataclasses.asdict(config),
        "candidates": sum(group.graded for group in groups.values()),
        "pool_problems": len(problems),
        "problems": len(taken),
        "modes": {mode: numbers for mode, numbers in counts.items() if numbers["right"]},
        "dropped": {reason: dropped[reason] for reason in _REASONS if dropped[reason]},
    }
    return Sampled(taken, config, record, _summary(record))


def _nothing(runs: Sequence[Run], dropped: Counter[str]) -> UserError:
    names = ", ".join(str(run.path) for run in runs)
    why = "; ".join(f"{n} {_REASONS[r]}" for r, n in dropped.items()) or "none is right"
    return UserError(f"{names}: no candidate to learn from ({why})")


def pool_problems(runs: Sequence[Run], config: RejectionConfig) -> list[Problem]:
    """The problems of runs, each question once, with the reference solutions of all.

    Raises `UserError` for a run of a split that `config` does not allow.
    """
    problems: dict[str, Problem] = {}
    for run in runs:
        _check_split(run, config.splits)
        for problem in run.problems:
            known = problems.get(problem.question, problem)
            solutions = dict.fromkeys([*known.solutions, *problem.solutions])
            problems[problem.question] = dataclasses.replace(known, solutions=tuple(solutions))
    return list(problems.values())


def _check_split(run: Run, splits: Sequence[str]) -> None:
    """Refuses a pool of test problems, as far as the run says what it was sampled from."""
    stages = run.record["stages"]
    asked = stages.get("candidates", {}).get("config", {}).get("problems") or {}
    split = asked.get("split", "") if isinstance(asked, dict) else ""
    if split and split not in splits:
        raise UserError(
            f"pools: {run.path} holds problems of the split {split}, which a generator should not "
            f"learn; rejection.splits=[{split}] takes them all the same"
        )


def _collected(runs: Sequence[Run], config: RejectionConfig) -> dict[tuple[str, Mode], _Group]:
    """The graded candidates of all runs by question and mode."""
    groups: dict[tuple[str, Mode], _Group] = {}
    seen: set[str] = set()
    for run in runs:
        if config.verifier and config.verifier not in scored_by(run):
            known = ", ".join(scored_by(run)) or "none"
            raise UserError(
                f"rejection.verifier: {run.path} has no scores of {config.verifier!r}; "
                f"found {known}"
            )
        frame = load_frame(run, texts=True)
        seen |= set(frame["origin"])
        if config.origins:
            frame = frame[frame["origin"].isin(config.origins)]
        frame = frame[frame["label"].notna()]
        _add(groups, run, frame, config.verifier)
    for origin in config.origins:
        if origin not in seen:
            known = ", ".join(sorted(filter(None, seen))) or "none"
            raise UserError(f"rejection.origins: no candidates of {origin!r}; found {known}")
    return groups


def _add(
    groups: dict[tuple[str, Mode], _Group], run: Run, frame: pd.DataFrame, verifier: str
) -> None:
    questions = {problem.id: problem.question for problem in run.problems}
    scores = frame[f"score:{verifier}"] if verifier else [math.nan] * len(frame)
    columns = (frame[name] for name in ("problem_id", "mode", "label", "text", "stop"))
    for problem_id, mode, label, text, stop, score in zip(*columns, scores, strict=True):
        group = groups.setdefault((questions[str(problem_id)], mode), _Group())
        group.graded += 1
        if label:
            learnt = clean_program(program_text(text)) if mode == "pot" else text
            learnt = learnt.rstrip()
            group.right.append(_Found(learnt, float(score), calculation(mode, learnt), stop))


def _choose(
    problem: Problem,
    mode: Mode,
    group: _Group,
    known: set[str],
    config: RejectionConfig,
    dropped: Counter[str],
) -> tuple[int, list[_Found]]:
    """How many distinct new solutions there are, and those to learn, in the order of the pool."""
    usable = _liked(_sound(group.right, mode, dropped), config, dropped)
    rng = random.Random(f"{config.seed}\t{mode}\t{problem.question}")
    by_score = bool(config.verifier)
    ranks = {id(f): (-f.score if by_score else 0.0, rng.random()) for f in usable}
    # Of one calculation the best one, without scores one by chance.
    best: dict[str, _Found] = {}
    for found in sorted(usable, key=lambda found: ranks[id(found)]):
        if found.key in known:
            dropped["known"] += 1
        elif found.key in best:
            dropped["repeated"] += 1
        else:
            best[found.key] = found
    easy = len(group.right) > config.easy * group.graded
    limit = min(config.per_problem, config.easy_per_problem) if easy else config.per_problem
    chosen = {id(found) for found in list(best.values())[:limit]}
    dropped["easy" if easy else "beyond the limit"] += len(best) - len(chosen)
    return len(best), [found for found in usable if id(found) in chosen]


def _sound(right: Sequence[_Found], mode: Mode, dropped: Counter[str]) -> list[_Found]:
    """Those that came to their end and, in words, calculated rightly."""
    sound = []
    for found in right:
        if found.stop in _CUT_OFF:
            dropped["cut off"] += 1
        elif mode == "cot" and miscalculates(found.text):
            dropped["miscalculated"] += 1
        else:
            sound.append(found)
    return sound


def _liked(found: Sequence[_Found], config: RejectionConfig, dropped: Counter[str]) -> list[_Found]:
    """Those that the verifier scores high enough; all of them without one."""
    if not config.verifier:
        return list(found)
    scored = [f for f in found if not math.isnan(f.score)]
    dropped["unscored"] += len(found) - len(scored)
    least = -math.inf if config.min_score is None else config.min_score
    most = math.ceil(config.top * len(scored))
    if most:
        least = max(least, sorted((f.score for f in scored), reverse=True)[most - 1])
    liked = [f for f in scored if f.score >= least]
    dropped["low score"] += len(scored) - len(liked)
    return liked


def mixed(
    references: Sequence[Problem], sampled: Sampled, barred: Sequence[Problem] = ()
) -> list[Problem]:
    """The problems to learn from: references as often as `references` says, and sampled ones.

    What was sampled of a problem stands right after its references, so that an order that is
    meant stays; sampled problems without references come last. Questions of `barred` (held-out
    problems) are left out. One problem may come several times.
    """
    out = {problem.question for problem in barred}
    by_question = {p.question: p for p in sampled.problems if p.question not in out}
    problems: list[Problem] = []
    for problem in references:
        problems += _repeated(problem, sampled.config)
        if problem.question in by_question:
            problems.append(by_question.pop(problem.question))
    return problems + list(by_question.values())


def _repeated(problem: Problem, config: RejectionConfig) -> Iterator[Problem]:
    whole, part = divmod(config.references, 1)
    drawn = random.Random(f"{config.seed}\treference\t{problem.question}").random() < part
    return iter([problem] * (int(whole) + drawn))


def _summary(record: dict[str, Any]) -> str:
    """The account of what was taken, as lines of text."""
    pools = len(record["pools"])
    lines = [
        f"rejection sampling: {record['candidates']:,} candidates of {record['pool_problems']:,} "
        f"problems in {pools} pool{'s' * (pools > 1)}; "
        f"{sum(n['taken'] for n in record['modes'].values()):,} solutions of "
        f"{record['problems']:,} problems taken",
        "  mode     right  distinct     taken  problems",
    ]
    for mode, numbers in record["modes"].items():
        cells = "".join(f"{numbers[n]:>10,}" for n in ("right", "distinct", "taken", "problems"))
        lines.append(f"  {mode:<4}{cells}")
    if record["dropped"]:
        reasons = "; ".join(f"{n:,} {_REASONS[r]}" for r, n in record["dropped"].items())
        lines.append(f"  left out: {reasons}")
    return "\n".join(lines) + "\n"

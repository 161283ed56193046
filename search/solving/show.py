"""How an answer came about, for the terminal: the votes, and the best candidate behind the answer.

Of a question that was solved, and of one problem of a run:

    print(show(solved))
    print(show_one(run, EvaluateConfig()))
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from assay.evaluation.choice import Choice
from assay.evaluation.of_run import usable
from assay.pools.frame import load_frame
from assay.pools.rows import Graded, candidate_of
from assay.pools.run import Run
from assay.search.solving.decide import Member, Solved, choose
from assay.search.solving.setup import Setup, share
from assay.search.solving.summary import CHOICE, FELL_BACK
from assay.selection.request import EvaluateConfig
from assay.selection.rule_spec import RuleSpec

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "best_of",
    "decoded_by",
    "members_in",
    "show",
    "show_one",
    "support",
    "told_rule",
    "withheld",
]


def show_one(
    run: Run,
    config: EvaluateConfig,
    frame: pd.DataFrame | None = None,
    choice: Choice | None = None,
) -> str:
    """One problem of a run, solved; one that the rule gets right and the vote wrong, if any.

    The rule is that of `choice`, on as many of each problem's candidates as it was chosen for, the
    first of each mode; without one the weighted vote, or where there are no scores the majority.
    `frame` is what `load_frame` gave of the run, with texts; it is read where it is not given.
    """
    frame = load_frame(run, texts=True) if frame is None else frame
    by_id = {problem.id: problem for problem in run.problems}
    verifier = config.verifier or next(iter(usable(run)), "")
    spec = RuleSpec("weighted", verifier) if verifier else RuleSpec("majority")
    confidence = None
    if choice is not None and choice.chosen.spec.scorer in ("", *usable(run)):
        spec, confidence = choice.chosen.spec, choice.chosen.confidence
        frame = _first(frame, share(choice.n, choice.modes))
    best: tuple[int, Solved] | None = None
    for problem_id, rows in frame.groupby("problem_id", sort=False):
        members = members_in(rows, spec.scorer or verifier)
        solved = choose(by_id[str(problem_id)], members, spec, confidence)
        vote = choose(by_id[str(problem_id)], members, RuleSpec("majority"))
        interest = 2 if solved.right and not vote.right else int(bool(solved.right))
        if best is None or interest > best[0]:
            best = (interest, solved)
    assert best is not None
    return show(best[1])


def _first(frame: pd.DataFrame, counts: Mapping[str, int]) -> pd.DataFrame:
    """The first candidates of each problem and mode, so many as `counts` says."""
    place = frame.groupby(["problem_id", "mode"]).cumcount()
    return frame[place < frame["mode"].map(counts).fillna(0)]


def members_in(rows: pd.DataFrame, verifier: str) -> list[Member]:
    """A problem's rows of `load_frame`, with texts, as members."""
    import pandas as pd

    members = []
    for row in rows.to_dict("records"):
        values = {str(name): value for name, value in row.items()}
        values["label"] = None if pd.isna(row["label"]) else bool(row["label"])
        candidate = candidate_of(values)
        graded = Graded(**{f.name: values[f.name] for f in dataclasses.fields(Graded)})
        members.append(Member(candidate, graded, float(values.get(f"score:{verifier}", "nan"))))
    return members


def decoded_by(solved: Solved) -> str:
    """How hybrid decoding came to its answer: by a program, or by words and why."""
    if solved.members[-1].candidate.mode == "pot":
        return "PoT"
    return FELL_BACK if len(solved.members) > 1 else CHOICE


def support(solved: Solved) -> str:
    """The shares of the votes and of the scores that the answer has."""
    text = f"{100 * solved.votes:.0f} % of the votes"
    if not np.isnan(solved.weight):
        text += f", {100 * solved.weight:.0f} % of the score"
    return text


def withheld(solved: Solved, least: float) -> str:
    """Why an answer is withheld."""
    if np.isnan(solved.confidence):
        return "no answer: its probability of being right is not known"
    told, wanted = _told(solved.confidence), f"{100 * least:g} %"
    return f"no answer: {told} is below min_confidence {wanted}"


def told_rule(setup: Setup) -> list[str]:
    """What held-out problems tell of the rule; where there is a choice, why it tells nothing."""
    rated, choice = setup.known, setup.choice
    if rated is None or choice is None:
        return [f"  no probability: {setup.why_not}"] if setup.where else []
    right = f"{100 * rated.accuracy.value:.1f} %"
    text = f"  {rated.spec.label(setup.n)}: {right} on {_held_out(choice)}"
    if rated.spec.name != "majority":
        text += f", majority {100 * choice.majority.accuracy.value:.1f} %"
    return [text]


def _held_out(choice: Choice) -> str:
    name = choice.held_out.get("set")
    problems = f"{int(choice.held_out['problems']):,} held-out problems"
    return f"{problems} of {name}" if name else problems


def _told(probability: float) -> str:
    """In whole percent, never certain: `93 %`, `>99 %`.

    >>> _told(0.934), _told(0.9999), _told(0.001)
    ('93 %', '>99 %', '<1 %')
    """
    percent = round(100 * probability)
    return ">99 %" if percent > 99 else "<1 %" if percent < 1 else f"{percent} %"


def show(solved: Solved, *, everything: bool = False, least: float = 0.0) -> str:
    """The vote, the answer, the best-scored candidate that gives it, with its output, as text.

    `least` is the confidence below which an answer is withheld.
    """
    lines = [_indent(solved.problem.question, "  "), ""]
    lines += _ballot(solved)
    if solved.chosen is None:
        lines += ["", "  no candidate has an answer"]
    else:
        lines += ["", *_answer_lines(solved, least)]
    if everything:
        for member in sorted(solved.members, key=_rank):
            lines += ["", *_candidate(member)]
    elif solved.chosen is not None:
        best = best_of(solved)
        known = not np.isnan(best.score)
        lines += ["", f"  {'the best-scored' if known else 'one'} of the candidates with it:"]
        lines += _candidate(best)
    return "\n".join(lines)


def best_of(solved: Solved) -> Member:
    """The best-scored of the candidates with the leading answer, of which there must be one."""
    assert solved.chosen is not None
    number = solved.chosen.graded.answer_class
    return min((m for m in solved.members if m.graded.answer_class == number), key=_rank)


def _answer_lines(solved: Solved, least: float) -> list[str]:
    """The answer and its probability; where it is withheld, why, and which one leads."""
    line = f"  answer: {solved.answer}   ({_by(solved)})"
    if solved.abstained:
        line = f"  leading: {solved.leading}   ({_by(solved)})"
    if solved.problem.answer is not None:
        right = {True: "right", False: "wrong", None: "undecided"}[solved.leading_right]
        line += f"   reference: {solved.problem.answer}, {right}"
    if solved.abstained:
        return [f"  {withheld(solved, least)}", line]
    if np.isnan(solved.confidence):
        return [line]
    told = _told(solved.confidence)
    return [line, f"  probability that it is right: {told}, of problems like the held-out ones"]


def _rank(member: Member) -> tuple[float, str, int]:
    score = -np.inf if np.isnan(member.score) else member.score
    return (-score, member.candidate.mode, member.candidate.sample)


def _by(solved: Solved) -> str:
    if solved.rule == "hybrid":
        return f"{decoded_by(solved)}, by hybrid decoding"
    return f"{support(solved)}, by {solved.spec.label(len(solved.members))}"


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
        failed = f"{graded.outcome} {graded.message}"
        output = graded.output.strip() if graded.outcome == "ok" else failed
        lines.append(_indent(f"output: {output}", "   ▸ "))
    return lines


def _indent(text: str, prefix: str) -> str:
    wrapped = []
    for line in text.splitlines() or [""]:
        wrapped += textwrap.wrap(line, 96, drop_whitespace=False, break_long_words=True) or [""]
    return "\n".join((prefix + line).rstrip() for line in wrapped)

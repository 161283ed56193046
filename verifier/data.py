"""What a verifier learns from: problems with labelled candidates, as token ids.

A problem's candidates of one mode follow the same prompt: they form a `Group`, together with the
problem's reference solutions of that mode, which carry the language-model loss (never a sampled
solution: it may be wrong). Every text is tokenised by the verifier's own tokenizer and closed by
the end token, whoever wrote it: so verifier and generator need not share a tokenizer.

    groups, counts = make_groups(data, prompter, Reading(1024))
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.problems.problem import MODES, Mode, Problem
from assay.problems.prompts import Prompter
from assay.verifier.overlong import Reading
from assay.verifier.steps import line_ends as line_ends_of
from assay.verifier.steps import token_offsets

__all__ = [
    "Group",
    "LabelledCandidate",
    "Sampled",
    "VerifierProblem",
    "balanced",
    "ends_read",
    "fingerprint_of",
    "fitting",
    "make_groups",
    "read_text",
    "split",
]

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class LabelledCandidate:
    """A sampled solution that is known to be right or wrong.

    `output`: what its program printed. `answer_class`: candidates of a problem with equal answers
    share a number; −1 has no answer and no vote. Only validation reads it.
    """

    problem_id: str
    mode: Mode
    text: str
    label: bool
    output: str = ""
    answer_class: int = -1


@dataclass(frozen=True)
class VerifierProblem:
    """A problem (with its reference solutions) and its labelled candidates."""

    problem: Problem
    candidates: list[LabelledCandidate]


@dataclass(frozen=True)
class Sampled:
    """A sampled solution's ids, the end token last, and how often it was sampled.

    `line_ends`: the places in `ids` at which its lines end (`None` where nobody asked for them). Of
    a solution that is read in pieces this is one; its first `context` tokens count in the piece
    before (`assay.verifier.overlong`), and `ends` says whether it is the last one.
    """

    ids: Ids
    label: bool
    count: int
    line_ends: Ids | None = None
    context: int = 0
    ends: bool = True

    @property
    def candidates(self) -> int:
        """How many sampled solutions it stands for: a further piece of one stands for none."""
        return 0 if self.context else self.count


@dataclass(frozen=True)
class Group:
    """A prompt's ids with everything that may follow it."""

    problem_id: str
    mode: Mode
    prompt: Ids
    sampled: tuple[Sampled, ...]
    references: tuple[Ids, ...]


def read_text(mode: str, text: str, output: str, append_output: bool) -> str:
    r"""The text of a candidate as the verifier reads it.

    A program's last printed line can follow as a comment, so that an implausible result is seen:

    >>> read_text("pot", "x = 6 / 4\nprint(x)", "1.5\n", True)
    'x = 6 / 4\nprint(x)\n# output: 1.5'
    """
    if mode != "pot" or not append_output:
        return text
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"{text}\n# output: {lines[-1][:80] if lines else 'none'}"


def make_groups(
    data: Sequence[VerifierProblem],
    prompter: Prompter,
    reading: Reading,
    *,
    samples_per_problem: int = 0,
    deduplicate: bool = False,
    append_output: bool = False,
    references: bool = True,
    line_ends: bool = False,
    seed: int = 0,
) -> tuple[list[Group], dict[str, int]]:
    """Tokenises the data; also returns counts of what there is and of what was left out.

    Of solutions that are longer than `reading` allows, with their question, those pieces are taken
    that it says: `counts["overlong"]` is how many there are, `counts["too_long"]` how many of them
    are left out. Equal solutions of a problem are kept once, with their count (with 1 if
    `deduplicate`): the same loss for less computing. With `line_ends` every sample knows its lines'
    ends.
    """
    counts = {"problems": 0, "candidates": 0, "right": 0, "distinct": 0, "too_long": 0}
    counts |= {"drawn": 0, "overlong": 0, "references_too_long": 0}
    texts = _Texts(prompter, append_output, line_ends, reading, counts)
    groups: list[Group] = []
    for number, item in enumerate(data):
        drawn = _draw(item.candidates, samples_per_problem, (seed, number))
        of_problem = list(_problem_groups(item.problem, drawn, texts, references))
        kept = sum(s.candidates for g in of_problem for s in g.sampled)
        if deduplicate:
            of_problem = [_once(group) for group in of_problem]
        sampled = [s for g in of_problem for s in g.sampled]
        groups += of_problem
        counts["problems"] += bool(of_problem)
        counts["candidates"] += sum(s.candidates for s in sampled)
        counts["right"] += sum(s.candidates for s in sampled if s.label)
        counts["distinct"] += sum(not s.context for s in sampled)
        counts["drawn"] += len(drawn)
        counts["too_long"] += len(drawn) - kept
    return groups, counts


def _draw(
    candidates: Sequence[LabelledCandidate], count: int, seed: tuple[int, int]
) -> list[LabelledCandidate]:
    if not count or count >= len(candidates):
        return list(candidates)
    chosen = np.random.default_rng(seed).choice(len(candidates), count, replace=False)
    return [candidates[i] for i in sorted(chosen)]


def balanced(groups: Sequence[Group], least: int, rng: np.random.Generator) -> list[Group]:
    """Of each group, of the commoner label no more than of the rarer, but up to `least`; drawn.

    Most of what separates right from wrong in a pool is how hard a problem is, and that shows in
    its solutions: short ones are right more often, because easy problems have short solutions. For
    choosing among the solutions of one problem it is worse than useless, because a solution that
    leaves a step out is short too. With as many wrong as right ones of the same problem there is
    nothing to be gained by it. With `least` 0 all stay.
    """
    if not least:
        return list(groups)
    return [replace(group, sampled=tuple(_drawn(group, least, rng))) for group in groups]


def _drawn(group: Group, least: int, rng: np.random.Generator) -> Iterator[Sampled]:
    by_label = [[s for s in group.sampled if s.label is label] for label in (False, True)]
    totals = [sum(s.count for s in samples) for samples in by_label]
    most = max(least, min(totals))
    for samples, total in zip(by_label, totals, strict=True):
        counts = rng.multivariate_hypergeometric([s.count for s in samples], min(most, total))
        yield from (
            replace(s, count=count)
            for s, count in zip(samples, counts.tolist(), strict=True)
            if count
        )


@dataclass(frozen=True)
class _Texts:
    """How texts become ids; `counts` of `make_groups` learns what is too long."""

    prompter: Prompter
    append_output: bool
    line_ends: bool
    reading: Reading
    counts: dict[str, int]

    def sampled(
        self, candidate: LabelledCandidate, count: int, prompt: Ids
    ) -> Iterator[tuple[int, Sampled]]:
        """The pieces that are read, each with the tokens of its question."""
        mode, text = candidate.mode, candidate.text
        whole = read_text(mode, text, candidate.output, self.append_output)
        ids = _array(self.prompter.response_ids(mode, whole))
        self.counts["overlong"] += count * (len(prompt) + len(ids) > self.reading.limit)
        pieces = self.reading.pieces(len(prompt), len(ids))
        ends: list[int] = []
        if self.line_ends and pieces:
            offsets = token_offsets(self.prompter.tokenizer, self.prompter, mode, text, whole)
            ends = ends_read(line_ends_of(text, offsets), pieces[-1].end)
        for piece in pieces:
            counted = range(piece.first + piece.context, piece.end)
            own = [end - piece.first for end in ends if end in counted]
            yield (
                piece.question,
                Sampled(
                    ids[piece.first : piece.end],
                    candidate.label,
                    count,
                    _array(own) if self.line_ends else None,
                    piece.context,
                    ends=piece is pieces[-1],
                ),
            )

    def reference(self, mode: Mode, text: str, prompt: Ids) -> Ids | None:
        """A reference solution, its end cut off where that is done; else `None` if it is longer."""
        ids = _array(self.prompter.response_ids(mode, text))
        room = self.reading.limit - len(prompt)
        if len(ids) <= room:
            return ids
        self.counts["references_too_long"] += 1
        return ids[:room] if self.reading.how in ("truncate", "windows") and room > 0 else None


def _problem_groups(
    problem: Problem,
    candidates: Sequence[LabelledCandidate],
    texts: _Texts,
    references: bool,
) -> Iterator[Group]:
    prompter = texts.prompter
    for mode in MODES:
        by_text: dict[tuple[str, bool], list[LabelledCandidate]] = {}
        for c in candidates:
            if c.mode == mode:
                key = (read_text(mode, c.text, c.output, texts.append_output), c.label)
                by_text.setdefault(key, []).append(c)
        if not by_text:
            continue
        prompt = _array(prompter.ids(problem, mode))
        # By the tokens of the question that they stand behind: all but of those cut off.
        by_prompt: dict[int, list[Sampled]] = {}
        for equal in by_text.values():
            for question, sampled in texts.sampled(equal[0], len(equal), prompt):
                by_prompt.setdefault(question, []).append(sampled)
        written = [
            texts.reference(mode, s.text, prompt)
            for s in problem.solutions
            if s.mode == mode and references and len(prompt) in by_prompt
        ]
        whole = tuple(ids for ids in written if ids is not None)
        for question, own in by_prompt.items():
            references_of = whole if question == len(prompt) else ()
            yield Group(problem.id, mode, prompt[-question:], tuple(own), references_of)


def ends_read(ends: Sequence[int], tokens: int) -> list[int]:
    """Those of a solution's line ends that are among its first `tokens`; the last of these is one.

    >>> ends_read([3, 7, 9], 10), ends_read([3, 7, 9], 6)
    ([3, 7, 9], [3, 5])
    """
    return sorted({*(end for end in ends if end < tokens), tokens - 1})


def fitting(
    data: Sequence[VerifierProblem], prompter: Prompter, reading: Reading, append_output: bool
) -> list[VerifierProblem]:
    """The data without the candidates of which nothing is read."""
    kept = []
    for item in data:
        asked = {mode: len(prompter.ids(item.problem, mode)) for mode in MODES}
        candidates = [
            c
            for c in item.candidates
            if reading.pieces(
                asked[c.mode],
                len(
                    prompter.response_ids(
                        c.mode, read_text(c.mode, c.text, c.output, append_output)
                    )
                ),
            )
        ]
        if candidates:
            kept.append(VerifierProblem(item.problem, candidates))
    return kept


def _once(group: Group) -> Group:
    return replace(group, sampled=tuple(replace(s, count=1) for s in group.sampled))


def _array(ids: Sequence[int]) -> Ids:
    return np.asarray(ids, dtype=np.int64)


def split(
    data: Sequence[VerifierProblem], fraction: float, seed: int
) -> tuple[list[VerifierProblem], list[VerifierProblem]]:
    """(training, held out): a seeded draw of problems, at least one on either side if any."""
    count = 0 if fraction <= 0 or len(data) < 2 else max(1, round(fraction * len(data)))
    out = set(np.random.default_rng([seed, 1]).permutation(len(data))[:count].tolist())
    training = [item for i, item in enumerate(data) if i not in out]
    return training, [item for i, item in enumerate(data) if i in out]


def fingerprint_of(data: Sequence[VerifierProblem]) -> str:
    """Hash of everything in the data, so that a training is never resumed with other data."""
    digest = hashlib.sha256()
    for item in data:
        row: list[Any] = [item.problem.to_dict()]
        row += [[c.mode, c.text, c.output, c.label, c.answer_class] for c in item.candidates]
        digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return f"sha256:{digest.hexdigest()}"

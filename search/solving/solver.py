"""Answering a question: sample, run, score, vote.

    assay solve "A box holds 12 eggs. How many eggs do 3 boxes hold?" --show
    assay solve problems=questions.jsonl output=answers.jsonl n=64
    assay solve problems=questions.jsonl rule=hybrid

Several problems are sampled at once, so that an engine's batch is full. `rule=hybrid` is MAmmoTH's
greedy decoding (Yue et al. 2023, arXiv 2309.05653, section 2): a program first, words where it does
not run or prints no answer, and for multiple choice.

Nothing is kept on disk but the answers; for pools that are to be studied there are runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

from assay.generator.candidates import asked_modes, sample_candidates
from assay.generator.engines import Engine, make_engine
from assay.pools.grading import grade_candidates
from assay.pools.progress import progress_bar
from assay.pools.rows import Candidate
from assay.problems.problem import Problem
from assay.problems.prompts import Prompter
from assay.problems.shots import choose_shots
from assay.sandbox import Sandbox
from assay.search.solving.config import SolveConfig
from assay.search.solving.decide import Member, Solved, choose
from assay.search.solving.scoring import PoolScorer
from assay.search.solving.setup import set_up
from assay.search.stages.sample import batch_samples

__all__ = ["Solver"]


def _any_answer(members: Sequence[Member]) -> bool:
    return any(member.graded.answer_class >= 0 for member in members)


class Solver:
    """Generator, sandbox and what scores, loaded once for many problems."""

    def __init__(self, config: SolveConfig, *, progress: bool = True) -> None:
        """Raises `UserError` where a model is missing or a key does not fit.

        `progress` shows a bar on stderr while candidates are sampled.
        """
        self.progress = progress
        self.setup = set_up(config)
        self.config = config = self.setup.config
        shots = choose_shots(config.prompt, config.problems, asked_modes(self.setup.counts))
        self.engine: Engine = make_engine(config.engine, config.generator)
        self.prompter = Prompter(config.prompt, self.engine.tokenizer, shots)
        self.scorer = PoolScorer(self.setup.source) if self.setup.source else None

    def solve(self, problems: Sequence[Problem]) -> Iterator[Solved]:
        """Yields the problems' solutions in order; ids must be unique."""
        setup = self.setup
        size = max(1, batch_samples(self.config.engine) // sum(setup.counts.values()))
        decode = self._decode_hybrid if setup.spec.name == "hybrid" else self._decode
        confidence = setup.known.confidence if setup.known else None
        least = self.config.min_confidence
        with Sandbox(limits=self.config.limits) as sandbox:
            for start in range(0, len(problems), size):
                chunk = problems[start : start + size]
                members = decode(chunk, sandbox)
                for problem in chunk:
                    yield choose(problem, members[problem.id], setup.spec, confidence, least)

    def _decode(self, problems: Sequence[Problem], sandbox: Sandbox) -> dict[str, list[Member]]:
        return self._members(problems, self.setup.counts, sandbox)

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
        sampled: dict[str, list[Candidate]] = {problem.id: [] for problem in problems}
        total = len(problems) * sum(counts.values())
        with progress_bar(total, "sample", shown=self.progress) as progress:
            for candidate in sample_candidates(
                self.engine, self.prompter, problems, counts, self.setup.sampling
            ):
                sampled[candidate.problem_id].append(candidate)
                progress.update(1)
        for candidates in sampled.values():
            candidates.sort(key=lambda c: (c.mode, c.sample))
        graded = iter(grade_candidates(problems, list(chain(*sampled.values())), sandbox))
        pools = [sampled[problem.id] for problem in problems]
        grades = [list(islice(graded, len(pool))) for pool in pools]
        scores = [[float("nan")] * len(pool) for pool in pools]
        if self.scorer is not None:
            scores = self.scorer.score(problems, pools, grades)
        return {
            problem.id: [Member(*row) for row in zip(*each, strict=True)]
            for problem, *each in zip(problems, pools, grades, scores, strict=True)
        }

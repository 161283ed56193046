"""The public API: what `import assay` gives, composed of what the rooms offer.

Arrays and texts go in, arrays and small objects come out. Nothing here prints or writes, and models
are imported by what loads them, so that answers can be compared without torch. docs/api.md has an
example of each; `assay.__all__` says which of these names are public.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.problems.answers import classes, equivalent, extract, label
from assay.problems.problem import Mode, Problem
from assay.sandbox import Sandbox
from assay.settings.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from assay.search.solving.decide import Member
    from assay.search.solving.decide import Solved as Chosen
    from assay.selection.evaluate import Evaluation
    from assay.verifier.scorers.own import Scorer

__all__ = [
    "Candidate",
    "Run",
    "Sandbox",
    "Solved",
    "Solver",
    "UserError",
    "Verifier",
    "classes",
    "equivalent",
    "evaluate",
    "extract",
    "label",
    "load_verifier",
]


@dataclass(frozen=True)
class Candidate:
    """One sampled solution.

    `mode` is "cot" (words) or "pot" (a program); `answer` what it claims, None where it claims
    nothing; `outcome` and `output` are of a program's run, empty for words; `score` is the
    verifier's, NaN without a verifier and where the candidate is longer than the verifier reads.
    """

    mode: str
    text: str
    answer: str | None
    score: float
    outcome: str
    output: str


@dataclass(frozen=True)
class Solved:
    """A question's answer and how it came about.

    `answer` is None where no candidate has one. `votes` holds the number of candidates behind each
    distinct answer, most first; equivalent answers are one, named as the chosen candidate or, for
    the others, the first of them writes it. `rule` is the rule that chose. `solution` is the chosen
    candidate. `confidence` is the probability that its answer is right, NaN where no choice tells
    it; with `abstained` it was below `min_confidence`, and `answer` is None.
    """

    question: str
    answer: str | None
    votes: dict[str, int]
    rule: str
    solution: Candidate | None
    candidates: list[Candidate]
    confidence: float
    abstained: bool


class Solver:
    """A generator, the sandbox and perhaps a verifier, loaded once for many questions."""

    def __init__(
        self,
        generator: str | Path = "embedded",
        verifier: str | Path | None = None,
        *,
        n: int | None = None,
        modes: Sequence[str] | None = None,
        rule: str = "",
        choice: str | Path | None = None,
        min_confidence: float = 0.0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Loads the models.

        Args:
            generator: a model's folder, its id on the hub, or "embedded" for the small one that
                comes with Assay.
            verifier: the folder of a verifier; without one, and without a choice, the majority
                wins.
            n: candidates for each question; by default as many as the choice was made for, else 32.
            modes: what the candidates are divided among, of "cot" and "pot"; by default those of
                the choice, else both.
            rule: "majority", "weighted", "top_k", "best_of_n", "logprob" or "hybrid"; empty: the
                chosen one, else weighted with a verifier, the majority without.
            choice: what `assay choose-rule` wrote: its rule is used, and answers get a confidence.
            min_confidence: withhold answers whose confidence is below this.
            settings: further keys of `assay solve`, nested as in a YAML file, for example
                `{"sampling": {"temperature": 0.7}, "engine": {"batch_size": 16}}`.

        Raises:
            UserError: a model is missing, or a key or value does not fit.
        """
        from assay.search.solving.config import SolveConfig
        from assay.search.solving.solver import Solver as Loaded
        from assay.settings.schema import load

        if n is not None and n < 1:
            raise UserError(f"n={n}: expected 1 or more")
        if modes is not None and not modes:
            raise UserError("modes: expected at least one of cot, pot")
        named = {
            "generator": str(generator),
            # With a choice, it tells whose scores are needed.
            "verifier": str(verifier or ("" if choice else "none")),
            "n": n or 0,
            "modes": list(modes or ()),
            "rule": rule,
            "choice": str(choice or "none"),
            "min_confidence": min_confidence,
        }
        self._solver = Loaded(load(SolveConfig, [dict(settings or {}), named]), progress=False)

    def solve(self, question: str, options: Sequence[str] = ()) -> Solved:
        """Answers one question; with `options` (multiple choice) the answer is a letter."""
        return next(self._solved([Problem("0", question, options=tuple(options))]))

    def solve_all(self, questions: Iterable[str]) -> Iterator[Solved]:
        """Answers many, in order; several are sampled at once, so that a batch is full."""
        return self._solved([Problem(str(i), text) for i, text in enumerate(questions)])

    def _solved(self, problems: Sequence[Problem]) -> Iterator[Solved]:
        for chosen in self._solver.solve(problems):
            yield _solved(chosen)


def _solved(chosen: Chosen) -> Solved:
    names: dict[int, str] = {}
    votes: Counter[int] = Counter()
    heads = [chosen.chosen] if chosen.chosen else []
    for member in (*heads, *chosen.members):
        if member.graded.answer is not None:
            names.setdefault(member.graded.answer_class, member.graded.answer)
    votes.update(m.graded.answer_class for m in chosen.members if m.graded.answer_class in names)
    candidates = [_candidate(member) for member in chosen.members]
    place = next((i for i, m in enumerate(chosen.members) if m is chosen.chosen), None)
    return Solved(
        question=chosen.problem.question,
        answer=chosen.answer,
        votes={names[number]: count for number, count in votes.most_common()},
        rule=chosen.rule,
        confidence=chosen.confidence,
        abstained=chosen.abstained,
        solution=None if place is None else candidates[place],
        candidates=candidates,
    )


def _candidate(member: Member) -> Candidate:
    graded = member.graded
    return Candidate(
        mode=member.candidate.mode,
        text=member.candidate.text,
        answer=graded.answer,
        score=member.score,
        outcome=graded.outcome,
        output=graded.output,
    )


class Run:
    """A run folder that `assay sample` or `assay import` made, for reading."""

    def __init__(self, path: str | Path) -> None:
        """Use `Run.open`."""
        from assay.pools.run import Run as Opened

        self._run = Opened.open(str(path))

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Opens a run: a folder, or an object store's URL. Raises `UserError` where it is none."""
        return cls(path)

    def frame(self, *, texts: bool = False) -> pd.DataFrame:
        """The graded candidates, one row each, in the order of the problems.

        Columns: problem_id, origin, mode, sample, answer, answer_class (−1: no answer), label
        (`<NA>` where undecided), tokens, prompt_tokens, logprob, outcome and `score:NAME` for each
        verifier; with `texts` also text, output and more (docs/runs.md). Raises `UserError` where
        nothing is graded yet.
        """
        from assay.pools.frame import load_frame

        return load_frame(self._run, texts=texts)


def evaluate(
    classes: ArrayLike,
    labels: ArrayLike,
    *,
    scores: ArrayLike | None = None,
    modes: ArrayLike | None = None,
    rules: Sequence[str] = (),
    n: Sequence[int] = (),
    settings: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Accuracy of selection rules on a pool of P problems × S candidates, with 95 % intervals.

    Accuracies are expectations over random subsets of n of the S candidates, intervals bootstrap
    intervals over problems (docs/curves.md).

    Args:
        classes: integers of shape (P, S): candidates of one problem with equivalent answers have
            the same number (`assay.classes` gives it), −1 is no answer.
        labels: shape (P, S): whether the answer is right; NaN or None where that is unknown.
        scores: shape (P, S): a verifier's scores, NaN where there is none.
        modes: shape (P, S): "cot", "pot", or "" for a place that holds no candidate, where
            problems have fewer than S. Without, all are "cot".
        rules: of "majority", "shortest", "logprob", "best_of_n", "weighted", "top_k" and
            "weighted_top_k"; empty: all that the arrays suffice for. A single sample, the majority
            and pass@n are always there.
        n: numbers of candidates to evaluate at; empty: powers of two up to S.
        settings: further keys of `assay evaluate`, for example `{"k": "auto", "bootstrap": 2000}`.

    Returns:
        The evaluation: `frame` has a row for each rule, modes and n with accuracy, low and high;
        `differences` those to the majority, paired over problems, with p-values.

    Raises:
        UserError: shapes that differ, a problem without candidates, a rule without what it needs,
            an n above S.
    """
    from assay.selection.evaluate import evaluate as evaluate_pool
    from assay.selection.pool import PoolArrays
    from assay.selection.request import EvaluateConfig
    from assay.settings.schema import load

    frame = _pool_frame({"answer_class": classes, "label": labels, "score:scores": scores}, modes)
    named = {"rules": list(rules), "n": [int(each) for each in n]}
    config = load(EvaluateConfig, [dict(settings or {}), named])
    return evaluate_pool(PoolArrays.from_frame(frame), config)


def _pool_frame(columns: Mapping[str, ArrayLike | None], modes: ArrayLike | None) -> pd.DataFrame:
    """Arrays of shape (P, S), but those that are None, as a frame with a row a candidate."""
    import numpy as np
    import pandas as pd

    given = {name: np.asarray(array) for name, array in columns.items() if array is not None}
    shape = given["answer_class"].shape
    if len(shape) != 2 or 0 in shape:
        raise UserError(f"classes: expected an array of shape (problems, samples), found {shape}")
    given["mode"] = np.full(shape, "cot") if modes is None else np.asarray(modes)
    for name, array in given.items():
        if array.shape != shape:
            what = {"label": "labels", "score:scores": "scores", "mode": "modes"}[name]
            raise UserError(f"{what}: expected shape {shape} as classes has, found {array.shape}")
    empty = np.flatnonzero((given["mode"] == "").all(axis=1))
    if len(empty):
        raise UserError(f"modes: expected a candidate or more a problem, row {empty[0]} has none")
    problems, samples = np.indices(shape)
    width = len(str(shape[0]))
    frame = pd.DataFrame({name: array.ravel() for name, array in given.items()})
    # Sorted by name, problems keep their order.
    frame["problem_id"] = [f"{problem:0{width}d}" for problem in problems.ravel()]
    frame["sample"] = samples.ravel()
    return frame[frame["mode"] != ""]


class Verifier:
    """A verifier that Assay trained, with its tokenizer and prompt form, loaded once."""

    def __init__(self, scorer: Scorer) -> None:
        """Use `load_verifier`."""
        self._scorer = scorer

    def score(
        self,
        question: str,
        solutions: Sequence[str],
        *,
        mode: Mode = "cot",
        outputs: Sequence[str] | None = None,
        options: Sequence[str] = (),
    ) -> NDArray[np.float32]:
        """The solutions' scores, float32, shape (solutions,); the higher, the likelier right.

        What is longer, with its question, than the verifier reads has no score: NaN. Of programs
        (`mode="pot"`) `outputs` are what they printed, which some verifiers read too. Raises
        `UserError` where there are more or fewer outputs than solutions.
        """
        from assay.verifier.config import ScoreConfig
        from assay.verifier.scorers.own import Readable

        outputs = [""] * len(solutions) if outputs is None else outputs
        if len(outputs) != len(solutions):
            raise UserError(
                f"outputs: expected {len(solutions)}, one a solution, found {len(outputs)}"
            )
        read = [Readable(mode, *each) for each in zip(solutions, outputs, strict=True)]
        problem = Problem("0", question, options=tuple(options))
        scores: NDArray[np.float32] = self._scorer.score(problem, read, ScoreConfig()).scores
        return scores


def load_verifier(name: str | Path) -> Verifier:
    """Opens a verifier: the folder that `assay train-verifier` wrote, or its id on the hub.

    Raises `UserError` where it is none.
    """
    from assay.generator.models import ModelConfig
    from assay.verifier.scorers.own import Scorer

    return Verifier(Scorer(ModelConfig(name=str(name))))

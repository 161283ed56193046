"""Scores of freshly sampled candidates: by a verifier, or by a ranker over what verifiers say.

scorer = PoolScorer(Source("verifier", ModelConfig(name="runs/v")))
scorer.score(problems, candidates, graded)       # a list of floats a problem
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assay.generator.models import ModelConfig, fingerprint
from assay.pools.rows import VALUES, Candidate, Graded
from assay.problems.problem import Problem
from assay.verifier.config import ScoreConfig
from assay.verifier.ranker.model_file import Ranker
from assay.verifier.scorers.own import Readable, Scorer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PoolScorer", "Source", "identity_of"]


@dataclass(frozen=True)
class Source:
    """Whose scores to compute, under the name that tables give them.

    Either `verifier`, or with `ranker` (a folder or file) the ranker's, over the scores of the
    verifiers in `reads`, which bear the names that the ranker knows them by. `aggregate` is of the
    verifier's values.
    """

    name: str
    verifier: ModelConfig = field(default_factory=lambda: ModelConfig(name=""))
    ranker: str = ""
    reads: Mapping[str, ModelConfig] = field(default_factory=dict)
    aggregate: str = "last"


def identity_of(source: Source) -> dict[str, Any]:
    """What of the key of a run's scores tells that they are by this source.

    Raises `UserError` where it is not there.
    """
    if source.ranker:
        return {"ranker": Ranker.load(source.ranker).hash}
    return {"verifier": fingerprint(source.verifier), "aggregate": source.aggregate}


class PoolScorer:
    """A verifier, or a ranker with the verifiers that it reads, loaded once."""

    def __init__(self, source: Source) -> None:
        """Raises `UserError` where a model is not what the source says."""
        self._ranker = Ranker.load(source.ranker) if source.ranker else None
        self._aggregate = source.aggregate
        verifiers = source.reads if self._ranker else {source.name: source.verifier}
        self._verifiers = {name: Scorer(model) for name, model in verifiers.items()}

    def score(
        self,
        problems: Sequence[Problem],
        candidates: Sequence[Sequence[Candidate]],
        graded: Sequence[Sequence[Graded]],
    ) -> list[list[float]]:
        """The scores of each problem's candidates; NaN where they are longer than is read."""
        if self._ranker is None:
            (scorer,) = self._verifiers.values()
            config = ScoreConfig(aggregate=self._aggregate)
            return [
                scorer.score(problem, _read(own, grades), config).scores.tolist()
                for problem, own, grades in zip(problems, candidates, graded, strict=True)
            ]
        frame = self._frame(problems, candidates, graded)
        scores = self._ranker.score(frame, problems).scores.tolist()
        found, place = [], 0
        for own in candidates:
            found.append(scores[place : place + len(own)])
            place += len(own)
        return found

    def _frame(
        self,
        problems: Sequence[Problem],
        candidates: Sequence[Sequence[Candidate]],
        graded: Sequence[Sequence[Graded]],
    ) -> pd.DataFrame:
        """The candidates as `load_frame` has them, with the verifiers' scores and values."""
        import pandas as pd

        rows = []
        for problem, sampled, grades in zip(problems, candidates, graded, strict=True):
            read = _read(sampled, grades)
            own = [{**vars(c), **vars(g), **c.free} for c, g in zip(sampled, grades, strict=True)]
            for name, scorer in self._verifiers.items():
                aggregate = self._aggregates[name]
                scored = scorer.score(problem, read, ScoreConfig(aggregate, values=True))
                for place, row in enumerate(own):
                    row |= _columns(name, scored, place)
            rows += own
        return pd.DataFrame(rows)

    @property
    def _aggregates(self) -> dict[str, str]:
        assert self._ranker is not None
        return {v.name: str(v.key.get("aggregate", "last")) for v in self._ranker.verifiers}


def _read(candidates: Sequence[Candidate], graded: Sequence[Graded]) -> list[Readable]:
    return [Readable(c.mode, c.text, g.output) for c, g in zip(candidates, graded, strict=True)]


def _columns(name: str, scored: Any, place: int) -> dict[str, Any]:
    """A verifier's columns of one candidate, as a run's frame has them."""
    row: dict[str, Any] = {f"score:{name}": float(scored.scores[place])}
    if scored.values is not None and len(scored.values[place]):
        offsets = scored.offsets[place]
        columns = (scored.values[place], offsets[:, 0], offsets[:, 1])
        row |= {f"{v}:{name}": own for v, own in zip(VALUES, columns, strict=True)}
    return row

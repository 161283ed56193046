"""Samples in the making that started together: their tokens, draws and scores, a row each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.generator.engines.cache import Cohort
from assay.generator.engines.confidence import TOKEN_SCORES, free_scores
from assay.generator.engines.config import SamplingParams
from assay.generator.engines.sampling import uniforms
from assay.generator.engines.waiting import Sample

__all__ = ["Group"]


class Group:
    """Samples that started together, with their cache: sample i is row i of everything.

    They are of one length, `written`; of `tokens`, (rows, most tokens), and `draws`, (samples at
    first, most tokens, BITS), so many columns are used. `scores`, (rows, most tokens, 5), hold the
    log-probability and the `TOKEN_SCORES` of every token drawn, the end token too, NaN for the
    calculator's; `None` where they are not asked for.
    """

    def __init__(self, samples: list[Sample], cohort: Cohort, params: SamplingParams) -> None:
        self.samples, self.cohort = samples, cohort
        self.limits = np.array([sample.limit for sample in samples])
        most = int(self.limits.max())
        # Not moved when rows are: `drawing` says which of it is whose.
        self.draws = np.stack([uniforms(params.seed, s.key, s.index, most) for s in samples])
        self.drawing = np.arange(len(samples))
        self.tokens = np.zeros((len(samples), most), dtype=np.int64)
        self.logprobs = np.zeros(len(samples))
        self.scores = (
            np.zeros((len(samples), most, 1 + len(TOKEN_SCORES)), np.float32)
            if params.confidence
            else None
        )
        self.written = self.noted = 0

    def drop(self, gone: Sequence[int]) -> None:
        """Takes rows out, as `Cohort.drop`."""
        order = self.cohort.drop(gone)
        self.samples = [self.samples[row] for row in order]
        self.limits, self.logprobs = self.limits[order], self.logprobs[order]
        self.drawing, self.tokens = self.drawing[order], self.tokens[order]
        if self.scores is not None:
            self.scores = self.scores[order]

    def note(self, scores: np.ndarray, model_wrote: np.ndarray) -> None:
        """Keeps what is known of the tokens drawn next; those of the calculator count nothing."""
        self.logprobs += np.where(model_wrote, scores[:, 0], 0.0)
        if self.scores is not None:
            self.scores[:, self.noted] = np.where(model_wrote[:, None], scores, np.nan)
        self.noted += 1

    def free(self, row: int) -> dict[str, float]:
        """The free scores of a sample."""
        if self.scores is None:
            return {}
        own = self.scores[row, : self.noted]
        own = own[~np.isnan(own[:, 0])]
        return free_scores(dict(zip(("logprob", *TOKEN_SCORES), own.T, strict=True)))

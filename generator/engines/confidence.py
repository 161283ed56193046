"""Free scores of a sample, from the generator's own probabilities while it is sampled.

All are of the untempered distribution p over the vocabulary of V tokens, at the tokens that were
sampled (the end token is one, the calculator's are none), and logarithms are natural. Of a token:

- self-certainty, KL(uniform ‖ p) = −log V − (1/V) Σ log p (Kang, Zhao and Song 2025, "Scalable
  best-of-N selection for large language models via self-certainty", arXiv 2502.18581, section 3);
- entropy, −Σ p log p;
- confidence, −(1/k) Σ log p over the k = 20 most probable tokens, of a smaller vocabulary over all
  (Fu et al. 2025, "Deep think with confidence", arXiv 2508.15260, section 2): high where one token
  takes nearly everything and the others of the k share the rest;
- margin, log p of the most probable token minus that of the next.

Of a sample, by the names of `assay.selection.free.FREE_SCORES`: `self_certainty`, `entropy`,
`token_confidence` and `margin` are the means over its tokens; `min_logprob` is the lowest mean
log-probability of a window, `lowest_confidence` the lowest mean confidence of one (the paper's
lowest group), `bottom_confidence` the mean of the tenth of windows with the lowest,
`tail_confidence` that of the last window. A **window** is 2048 successive tokens, as in the paper,
but at most an eighth of the sample, and at least 4 tokens (or all, where there are fewer): a
solution of 120 tokens has windows of 15. Windows begin at every token.

    free_scores({"logprob": logprobs, "confidence": confidences})   # (tokens,) each
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["TOKEN_SCORES", "TOP", "free_scores", "top_scores", "window"]

TOKEN_SCORES = ("self_certainty", "entropy", "confidence", "margin")
"""The scores of a token, beside its log-probability."""
TOP = 20
_WINDOW, _SHARE, _LEAST = 2048, 8, 4
_MEANS = {
    "self_certainty": "self_certainty",
    "token_confidence": "confidence",
    "entropy": "entropy",
    "margin": "margin",
}


def top_scores(logprobs: list[float]) -> tuple[float, float]:
    """Confidence and margin of a token, from the log-probabilities of the likeliest there.

    NaN where fewer than two are told: those of the drawn token alone say nothing of either.
    """
    top = sorted(logprobs, reverse=True)[:TOP]
    if len(top) < 2:
        return math.nan, math.nan
    return -math.fsum(top) / len(top), top[0] - top[1]


def window(tokens: int) -> int:
    """How many tokens a window of a sample of so many has."""
    return min(tokens, _WINDOW, max(_LEAST, math.ceil(tokens / _SHARE)))


def free_scores(series: Mapping[str, NDArray[np.floating]]) -> dict[str, float]:
    """The free scores of a sample, from those of its tokens by name.

    `series`: "logprob" and the names of `TOKEN_SCORES`, each of shape (tokens,); those that are not
    there, and those with a NaN or an infinity, give no score.
    """
    known = {
        name: np.asarray(values, np.float64)
        for name, values in series.items()
        if len(values) and np.isfinite(values).all()
    }
    found = {name: float(known[of].mean()) for name, of in _MEANS.items() if of in known}
    if "logprob" in known:
        found["min_logprob"] = float(_windows(known["logprob"]).min())
    if "confidence" in known:
        groups = _windows(known["confidence"])
        tenth = math.ceil(len(groups) / 10)
        found["lowest_confidence"] = float(groups.min())
        found["bottom_confidence"] = float(np.partition(groups, tenth - 1)[:tenth].mean())
        found["tail_confidence"] = float(groups[-1])
    return found


def _windows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of every window, in order."""
    size = window(len(values))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return (sums[size:] - sums[:-size]) / size

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

    scores = token_scores(torch.log_softmax(logits, -1))       # (rows, 4), of one step
    free_scores({"logprob": logprobs, "confidence": confidences})
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["TOKEN_SCORES", "TOP", "free_scores", "token_scores", "top_scores", "window"]

TOKEN_SCORES = ("self_certainty", "entropy", "confidence", "margin")
"""The columns of what `token_scores` gives."""
TOP = 20
_WINDOW, _SHARE, _LEAST = 2048, 8, 4
# The likeliest are looked for in groups of so many tokens, and rows of so many numbers fit a cache.
_GROUP, _CACHED = 16, 1 << 19
_MEANS = {
    "self_certainty": "self_certainty",
    "token_confidence": "confidence",
    "entropy": "entropy",
    "margin": "margin",
}


def token_scores(logprobs: torch.Tensor) -> torch.Tensor:
    """The scores of one token in each row, of shape (rows, 4): those of `TOKEN_SCORES`.

    `logprobs`: normalised log-probabilities, float32, shape (rows, vocabulary). Infinite where the
    model rules a token out for good and the score is infinite then.
    """
    vocabulary = logprobs.shape[-1]
    certainty = -logprobs.mean(-1) - math.log(vocabulary)
    parts = logprobs.split(max(1, _CACHED // vocabulary))
    entropy = torch.cat([_entropy(part) for part in parts])
    top = _likeliest(logprobs, min(TOP, vocabulary))
    margin = top[:, 0] - top[:, min(1, vocabulary - 1)]
    return torch.stack([certainty, entropy, -top.mean(-1), margin], dim=1)


def _entropy(logprobs: torch.Tensor) -> torch.Tensor:
    # Softmax of log-probabilities is their exponential, and faster on a CPU.
    products = torch.softmax(logprobs, -1).mul_(logprobs)
    entropy = -products.sum(-1)
    if bool(entropy.isnan().any()):  # 0 × log 0
        entropy = -products.nan_to_num_(nan=0.0).sum(-1)
    return entropy


def _likeliest(logprobs: torch.Tensor, count: int) -> torch.Tensor:
    """The `count` largest of each row, the largest first, (rows, count).

    Where a group's largest number is none of the `count` largest among groups, the group holds none
    of those asked for: of a large vocabulary few groups are left to look into.
    """
    rows, vocabulary = logprobs.shape
    groups = vocabulary // _GROUP
    if groups < 2 * count:
        return logprobs.topk(count, -1).values
    whole = groups * _GROUP
    # A group's tokens lie `groups` apart: so the maximum is one of rows beside each other.
    largest = logprobs[:, :whole].view(rows, _GROUP, groups).amax(1)
    kept = largest.topk(count, -1, sorted=False).indices
    within = torch.arange(0, whole, groups, device=logprobs.device)
    places = (kept[:, None, :] + within[:, None]).flatten(1)
    held = torch.cat([logprobs.gather(1, places), logprobs[:, whole:]], dim=1)
    return held.topk(count, -1).values


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

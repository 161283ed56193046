"""The scores of single tokens (engines/confidence.py), from the log-probabilities of all.

One step's rows at a time, in a few passes over them: what a pass reads lies in the cache.

    scores = token_scores(torch.log_softmax(logits, -1))       # (rows, 4)
"""

from __future__ import annotations

import math

import torch

from assay.generator.engines.confidence import TOP

__all__ = ["token_scores"]

# The likeliest are looked for in groups of so many tokens, and rows of so many numbers fit a cache.
_GROUP, _CACHED = 16, 1 << 19


def token_scores(logprobs: torch.Tensor) -> torch.Tensor:
    """The scores of one token in each row, of shape (rows, 4): those of `TOKEN_SCORES` in order.

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

"""Drawing tokens: random numbers that belong to a sample, and exact inverse-CDF sampling.

Every sample has its own stream of uniform numbers, made from (seed, key, index) by a counter-based
generator, and its t-th token is the inverse of the cumulative distribution at the t-th number. So
a sample depends on nothing but the model's probabilities, and one draw costs a sum over the
vocabulary (on a CPU `torch.multinomial` is fifty times slower, and its stream is the batch's).

    >>> uniforms(seed=0, key="p1/cot", sample=3, count=2).shape
    (2,)
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch

from generator.engines import SamplingParams
from problems.errors import UserError

__all__ = ["choose", "uniforms"]

_BLOCK = 256
_NUCLEUS = 512


def uniforms(seed: int, key: str, sample: int, count: int) -> np.ndarray:
    """The first `count` numbers in [0, 1) of one sample's stream: float64, shape (count,).

    Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") keyed by a hash; a
    longer stream begins with the shorter one.
    """
    digest = hashlib.sha256(f"{seed}\x1f{key}\x1f{sample}".encode()).digest()
    philox = np.random.Philox(key=int.from_bytes(digest[:16], "little"))
    return np.random.Generator(philox).random(count)


def choose(
    logits: torch.Tensor, draws: torch.Tensor, params: SamplingParams
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token for each row.

    Args:
        logits: float32, shape (rows, vocabulary).
        draws: float64 in [0, 1), shape (rows,); not read where the temperature is 0.
        params: temperature, top-k, top-p, min-p, in this order: that of Hugging Face's `generate`.

    Returns:
        Tokens (int64) and their log-probabilities (float32) under the untempered distribution, both
        of shape (rows,).

    Raises `UserError` where the model gives no number.
    """
    untempered = torch.log_softmax(logits, dim=-1)
    # One NaN or infinity makes all of its row NaN.
    if bool(untempered[:, 0].isnan().any()):
        raise UserError("the model's logits are not finite (damaged weights, or dtype overflow)")
    if params.temperature == 0:
        tokens = logits.argmax(dim=-1)
        scale, scaled = 1.0, untempered
    else:
        # In place: at 50,000 tokens a new tensor costs as much as the division.
        scale = params.temperature
        scaled = untempered.div_(scale) if scale != 1 else untempered
        if params.top_k or params.top_p < 1:
            weights, ids = _likeliest(scaled, params)
            picked = _inverse_cdf(_probable(weights, params.min_p), draws)
            tokens = ids.gather(1, picked[:, None])[:, 0]
        else:
            weights = torch.softmax(scaled, dim=-1)
            tokens = _inverse_cdf(_probable(weights, params.min_p), draws)
    logprobs = scaled.gather(1, tokens[:, None])[:, 0] * scale
    return tokens, logprobs


def _likeliest(scaled: torch.Tensor, params: SamplingParams) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities of the tokens that top-k and top-p leave, likeliest first, and their ids.

    Probabilities are of shape (rows, candidates), not normalised, 0 for what is left out. A sort of
    the whole vocabulary costs more than a small model: the likeliest 512 are taken first, more only
    where they do not hold `top_p`.
    """
    vocabulary = scaled.shape[-1]
    if params.top_k:
        values, ids = scaled.topk(min(params.top_k, vocabulary), dim=-1)
        return _nucleus(torch.softmax(values, dim=-1), params.top_p), ids
    total = torch.logsumexp(scaled, dim=-1, keepdim=True)
    size = min(_NUCLEUS, vocabulary)
    while True:
        values, ids = scaled.topk(size, dim=-1)
        weights = torch.exp(values - total)
        if size == vocabulary or bool((weights.sum(-1, dtype=torch.float64) >= params.top_p).all()):
            return _nucleus(weights, params.top_p), ids
        size = min(size * 8, vocabulary)


def _nucleus(weights: torch.Tensor, top_p: float) -> torch.Tensor:
    """Zeroes what follows the first tokens that together hold `top_p` (Holtzman et al. 2020)."""
    if top_p >= 1:
        return weights
    before = weights.cumsum(-1, dtype=torch.float64) - weights
    return weights * (before < top_p)


def _probable(weights: torch.Tensor, min_p: float) -> torch.Tensor:
    """Zeroes what is less than `min_p` times as probable as the likeliest token (Nguyen et al.
    2024, "Turning Up the Heat: Min-p Sampling", arXiv 2407.01082).
    """
    if min_p == 0:
        return weights
    return weights * (weights >= min_p * weights.amax(-1, keepdim=True))


def _inverse_cdf(weights: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """The index i of each row where the running sum of `weights` passes `draws` × their total.

    Two levels: sums of blocks first, then the running sum within one block; a running sum over the
    whole vocabulary is several times slower and, in float32, less exact. An index of weight 0 is
    never returned.
    """
    rows, size = weights.shape
    padding = -size % _BLOCK
    if padding:
        weights = torch.nn.functional.pad(weights, (0, padding))
    blocks = weights.view(rows, -1, _BLOCK)
    ends = blocks.sum(-1).cumsum(-1, dtype=torch.float64)
    target = draws * ends[:, -1]
    block = _first_above(ends, target)
    start = torch.where(block > 0, ends.gather(1, (block - 1).clamp(min=0)[:, None])[:, 0], 0.0)
    within = blocks[torch.arange(rows, device=weights.device), block].cumsum(
        -1, dtype=torch.float64
    )
    return block * _BLOCK + _first_above(within, target - start)


def _first_above(sums: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """First index of each row of running sums that exceeds `target`, which rounding may have put
    past the end: then the last index at which the sum still grew.
    """
    below_end = torch.nextafter(sums[:, -1], torch.zeros_like(sums[:, -1]))
    return torch.searchsorted(sums, torch.minimum(target, below_end)[:, None], right=True)[:, 0]

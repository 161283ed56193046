"""Drawing tokens: each sample's own random numbers, and exact draws that rounding leaves alone.

Every sample has its own stream of uniform numbers, made from (seed, key, index) by a counter-based
generator, so that a sample depends on nothing but the model's probabilities. These, however, differ
in their last digits with the make-up of a batch. The inverse of the cumulative distribution at one
number would amplify that: a running sum over 50,000 tokens moves by 1e-6, which in a flat tail is
another token. SmolLM2-135M would write another one 7 times in 10,000, and one text in ten would
depend on what else is in the batch. Here a token is drawn bit by bit instead, each bit of its id by
a number of its own: P(bit = 0 | the bits before). That changes it 2 times in a million, hardly more
often than the two distributions differ at all (`scripts/bench/rounding.py`).

Sums over halves of the vocabulary cost one pass (`torch.multinomial` takes fifty times longer on a
CPU, and its stream is the batch's).

    >>> uniforms(seed=0, key="p1/cot", sample=3, count=2).shape
    (2, 20)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import torch

from assay.generator.engines.config import SamplingParams
from assay.settings.errors import UserError

__all__ = ["BITS", "choose", "uniforms"]

BITS = 20
"""Random numbers for each token: enough for 2 ** 20 tokens."""
_LOW_BITS = 8
_NUCLEUS = 512


def uniforms(seed: int, key: str, sample: int, count: int) -> np.ndarray:
    """Numbers in [0, 1) for the first `count` tokens of a sample: float64, shape (count, BITS).

    Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") keyed by a hash; a
    longer stream begins with the shorter one.
    """
    digest = hashlib.sha256(f"{seed}\x1f{key}\x1f{sample}".encode()).digest()
    philox = np.random.Philox(key=int.from_bytes(digest[:16], "little"))
    return np.random.Generator(philox).random((count, BITS))


def choose(
    logits: torch.Tensor,
    draws: torch.Tensor,
    params: SamplingParams,
    observe: Callable[[torch.Tensor], None] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token for each row.

    Args:
        logits: float32, shape (rows, vocabulary).
        draws: float64 in [0, 1), shape (rows, BITS); not read where the temperature is 0.
        params: temperature, top-k, top-p, min-p, in this order: that of Hugging Face's `generate`.
        observe: is called with the untempered log-probabilities, (rows, vocabulary), which it must
            neither change nor keep.

    Returns:
        Tokens (int64) and their log-probabilities (float32) under the untempered distribution, both
        of shape (rows,).

    Raises `UserError` where the model gives no number.
    """
    untempered = torch.log_softmax(logits, dim=-1)
    # One NaN or infinity makes all of its row NaN.
    if bool(untempered[:, 0].isnan().any()):
        raise UserError("the model's logits are not finite (damaged weights, or dtype overflow)")
    if observe is not None:
        observe(untempered)
    if params.temperature == 0:
        tokens = logits.argmax(dim=-1)
        scale, scaled = 1.0, untempered
    else:
        # In place: at 50,000 tokens a new tensor costs as much as the division.
        scale = params.temperature
        scaled = untempered.div_(scale) if scale != 1 else untempered
        if params.top_k or params.top_p < 1:
            weights, ids = _likeliest(scaled, params)
            # Back to their places: how they rank may depend on the last digits.
            weights = torch.zeros_like(scaled).scatter_(1, ids, weights)
        else:
            weights = torch.softmax(scaled, dim=-1)
        tokens = _drawn(_probable(weights, params.min_p), draws)
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


def _drawn(weights: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """An index of each row, with probabilities as `weights`, (rows, size), are to their sum.

    The low bits first, by the sums over all indices that share them: one pass over the weights.
    Then the high bits among those indices. An index of weight 0 is never returned.
    """
    rows, size = weights.shape
    step = 1 << _LOW_BITS
    if size <= step:
        return _descend(weights, draws)
    whole = size - size % step
    sums = weights[:, :whole].view(rows, -1, step).sum(1)
    sums[:, : size - whole] += weights[:, whole:]
    low = _descend(sums, draws)
    places = low[:, None] + torch.arange(0, size, step, device=weights.device)
    held = weights.gather(1, places.clamp(max=size - 1)) * (places < size)
    return low + step * _descend(held, draws[:, _LOW_BITS:])


def _descend(weights: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """The same, bit by bit from the lowest: `draws[:, bit]` decides by the sums of both sides.

    The upper half of the weights is added to the lower one again and again: what is left of them
    after the last time is the sums by lowest bit, and so on upwards.
    """
    sums = [weights]
    while (size := sums[-1].shape[1]) > 1:
        half = 1 << (size - 1).bit_length() - 1
        folded = sums[-1][:, :half].clone()
        folded[:, : size - half] += sums[-1][:, half:]
        sums.append(folded)
    index = torch.zeros(len(weights), 1, dtype=torch.int64, device=weights.device)
    for bit, held in enumerate(reversed(sums[:-1])):
        other = index + (1 << bit)
        # Where the number of weights is no power of two, some indices have no other.
        there = other < held.shape[1]
        zero = held.gather(1, index).double()
        one = held.gather(1, other.clamp(max=held.shape[1] - 1)).double() * there
        index = torch.where(draws[:, bit, None] * (zero + one) < zero, index, other)
    return index[:, 0]

"""How likely a solution is so far, token after token: what a head may read beside the hidden state.

A verifier starts as the generator, whose log-probability of a whole solution ranks the solutions of
one problem well; but a hidden state says what comes next, not how likely what came was. Cobbe et
al. 2021 read the hidden state alone.

    numbers = likelihood(logprobs, first)       # (tokens, 2)
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["INPUTS", "likelihood"]

# Numbers of a token.
INPUTS = 2


def likelihood(logprobs: Tensor, first: Tensor) -> Tensor:
    """−log(1 − S) and S / t at every token, shape (tokens, 2), float64, of running sums S (nats).

    `logprobs` (tokens,): of every token, solutions one behind the other; `first` (tokens,): which
    token is the first of its solution; t counts from 1. The logarithm, for programs of one nat and
    reasoning of sixty are to share a weight: it is about S where S is small and flat where the
    solution is unlikely anyway.
    """
    # In double precision a sum does not depend on the solutions before it.
    sums = logprobs.to(torch.float64).cumsum(0)
    own = sums - (sums - logprobs).index_select(0, first)
    count = torch.arange(1, len(first) + 1, device=first.device) - first
    return torch.stack([-torch.log1p(-own.clamp(max=0)), own / count], dim=-1)

"""The language-model loss over a large vocabulary, in bounded memory.

Logits of 1000 tokens over a vocabulary of 150 000 are 0.6 GB in float32, and the loss keeps several
such tensors for its gradient. So tokens go through the output embedding a few at a time, and where
there is more than one such chunk, its logits are dropped and computed again for the gradient
(Chen et al. 2016, arXiv 1604.06174): memory is bought with time. Where the logits fit into one
chunk, nothing is computed twice.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from assay.generator.partition import divided

__all__ = ["VocabularyLoss"]

# Logits of one chunk: 128 MiB in float32.
LOGITS_AT_ONCE = 1 << 25


class VocabularyLoss(nn.Module):
    """Negative log-likelihoods under an output embedding, of all tokens but the reserved one.

    It has no parameters of its own: `output` stays where it is in the language model.
    """

    def __init__(self, output: Any, reserved: int) -> None:
        super().__init__()
        self._output = (output,)  # in a tuple, lest it be registered a second time
        self.reserved = reserved
        if divided(output.weight):
            # DeepSpeed gathers what a module's own parameters are, and what it is told of.
            import deepspeed

            for parameter in output.parameters(recurse=False):
                deepspeed.zero.register_external_parameter(self, parameter)

    def forward(self, hidden: Tensor, target: Tensor) -> Tensor:
        """−log p, shape (tokens,), of tokens `target` after hidden states (tokens, width)."""
        vocabulary = self._output[0].weight.shape[0]
        count = math.ceil(len(hidden) * vocabulary / LOGITS_AT_ONCE)
        if count <= 1:
            return self._nll(hidden, target)
        parts = [
            checkpoint(self._nll, *part, use_reentrant=False, preserve_rng_state=False)
            for part in zip(hidden.chunk(count), target.chunk(count), strict=True)
        ]
        return torch.cat(parts)

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits of all tokens, the reserved one's −inf, in float32 or wider."""
        output = self._output[0]
        bias = hidden.new_zeros(len(output.weight)) if output.bias is None else output.bias
        # As a bias the −inf costs no pass over the logits of its own.
        reserved = torch.tensor([self.reserved], device=bias.device)
        logits = F.linear(hidden, output.weight, bias.index_fill(0, reserved, float("-inf")))
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def _nll(self, hidden: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(self.logits(hidden), target, reduction="none")

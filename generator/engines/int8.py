"""Matrix products in 8-bit integers, for CPUs.

Weights are rounded once, by one scale for each output; activations at every call, by one scale for
each row. A row's result depends on nothing but the row (an integer sum is exact in any order), so
samples stay independent of their batch. What changes is the model's distribution, a little.

    product = Int8Product(model.lm_head)
    logits = product(hidden)
"""

from __future__ import annotations

import torch

__all__ = ["Int8Product"]

_LARGEST = 127


class Int8Product:
    """Linear modules of one input as one product; they keep their own weights."""

    def __init__(self, *linears: torch.nn.Linear) -> None:
        weight = torch.cat([m.weight.data for m in linears]).float()
        scale = _scale(weight)
        whole = (weight / scale).round_().to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(whole, None)
        self._scale = scale[:, 0]
        self._zeros = torch.zeros(len(scale), dtype=torch.int32)
        biases = [m.bias for m in linears if m.bias is not None]
        self._bias = torch.cat([b.data for b in biases]).float() if biases else None

    def current(self) -> bool:
        """Always: the rounded copy is what samples are drawn from, whatever the model becomes."""
        return True

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """The product of `rows`, (rows, inputs) in float32: (rows, outputs)."""
        sums, scale = self._sums(rows)
        product = sums.mul_(scale)
        return product if self._bias is None else product.add_(self._bias)

    def add_to(self, total: torch.Tensor, rows: torch.Tensor) -> None:
        """Adds the product to `total`."""
        total.addcmul_(*self._sums(rows))
        if self._bias is not None:
            total.add_(self._bias)

    def _sums(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The product but for the rows' scales, and these, (rows, 1)."""
        scale = _scale(rows)
        whole = (rows / scale).round_().to(torch.int8)
        # The operator has one scale for all activations: 1, and the rows' own come after it.
        sums: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            *(whole, 1.0, 0),
            *(self._weight, self._scale, self._zeros),
            *(None, 1.0, 0, torch.float32, "none", [], ""),
        )
        return sums, scale


def _scale(rows: torch.Tensor) -> torch.Tensor:
    """What makes each row's largest value 127, (rows, 1)."""
    return rows.abs().amax(1, keepdim=True).clamp_(min=1e-30).div_(_LARGEST)

"""AdamW whose two means are kept in bfloat16: 4 bytes a trained weight instead of 8.

The step itself is computed in float32 from the means before they are rounded, so only what is
remembered from step to step has 8 bits of mantissa. A mean that moves by less than 1/512 of itself
would stand still there: decay rates above 0.99 are refused (`assay.verifier.config`). Larger models
have been trained with states of 8 bits (Dettmers et al. 2022, arXiv 2110.02861) by other means,
which need a GPU.

    optimizer = Bfloat16AdamW(groups, betas=(0.9, 0.95))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Bfloat16AdamW"]

_MEANS = ("exp_avg", "exp_avg_sq")


class Bfloat16AdamW(torch.optim.Optimizer):
    """Loshchilov and Hutter 2019 (arXiv 1711.05101), as `torch.optim.AdamW` computes it."""

    def __init__(
        self, groups: list[dict[str, Any]], betas: tuple[float, float], eps: float = 1e-8
    ) -> None:
        super().__init__(groups, {"lr": 0.0, "betas": betas, "eps": eps, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Moves the weights by their gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad.float(), group)

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            for name in _MEANS:
                state[name] = torch.zeros_like(parameter, dtype=torch.bfloat16)
        state["step"] += 1
        first, second = (state[name].float() for name in _MEANS)
        slow, fast = group["betas"]
        first.lerp_(gradient, 1 - slow)
        second.mul_(fast).addcmul_(gradient, gradient, value=1 - fast)
        for name, mean in zip(_MEANS, (first, second), strict=True):
            state[name].copy_(mean)
        root = second.div_(1 - fast ** state["step"]).sqrt_().add_(group["eps"])
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.addcdiv_(first, root, value=-group["lr"] / (1 - slow ** state["step"]))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes back what `state_dict` gave; torch gives the means the weights' type."""
        super().load_state_dict(state_dict)
        for state in self.state.values():
            for name in _MEANS:
                state[name] = state[name].to(torch.bfloat16)

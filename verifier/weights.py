"""What a training changes of a verifier: its weights in three groups, taken out and put back.

A checkpoint holds these alone:

    optimizer = optimizer_of(config, verifier)
    load_trained(verifier, trained_state(verifier))
"""

from __future__ import annotations

from typing import Any

import torch

from assay.generator.partition import divided, gathered, shape_of
from assay.settings.errors import UserError
from assay.verifier.config import TrainVerifierConfig
from assay.verifier.model import Verifier
from assay.verifier.optimizer import Bfloat16AdamW

__all__ = ["load_trained", "optimizer_of", "trained_state"]


def optimizer_of(config: TrainVerifierConfig, verifier: Verifier) -> torch.optim.Optimizer:
    """AdamW in three groups: matrices, other parameters (no decay), the head (its own rate)."""
    matrices: list[torch.Tensor] = []
    others: list[torch.Tensor] = []
    head = list(verifier.head_parameters().values())
    for parameter in verifier.parameters():
        if parameter.requires_grad and not any(parameter is own for own in head):
            (matrices if len(shape_of(parameter)) > 1 else others).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": matrices, "lr": config.learning_rate, "weight_decay": config.weight_decay},
        {"params": others, "lr": config.learning_rate, "weight_decay": 0.0},
        {"params": head, "lr": config.head_learning_rate, "weight_decay": 0.0},
    ]
    for group in groups:
        group["initial_lr"] = group["lr"]
    betas = (config.betas[0], config.betas[1])
    if config.optimizer_states == "bfloat16":
        return Bfloat16AdamW(groups, betas)
    return torch.optim.AdamW(groups, betas=betas, fused=True)


def trained_state(verifier: Verifier) -> dict[str, torch.Tensor]:
    """What training changes: all weights, or adapters, head and row.

    Where weights are divided over processes, all of those must call this.
    """
    state: dict[str, torch.Tensor] = {}
    for name, parameter in verifier.named_parameters():
        if parameter.requires_grad:
            with gathered([parameter]):
                weights = parameter.detach()
                state[name] = weights.cpu().clone() if divided(parameter) else weights
    return state


def load_trained(verifier: Verifier, state: dict[str, torch.Tensor]) -> None:
    """Puts the weights of `trained_state` back. Raises `UserError` where they do not fit."""
    own = {n: p for n, p in verifier.named_parameters() if p.requires_grad}
    if own.keys() != state.keys():
        raise UserError("training/state.pt: of another version of Assay; delete it to start anew")
    with torch.no_grad():
        for name, parameter in own.items():
            with gathered([parameter], write=True):
                parameter.copy_(state[name])

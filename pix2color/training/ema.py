"""The average of a network's weights over its steps."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


# Not torch.optim.swa_utils.AveragedModel: it copies the weights at its first update, where this one
# averages from the start, so its averages and its state dict are other ones.
class ExponentialMovingAverage:
    """An averaged copy of a network's weights, with its buffers carried along.

    The decay rises as (1 + n) / (10 + n) up to the given one, so that an average over few
    updates does not consist of the weights that it began with.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averaged: list[Tensor] = list(self.module.parameters())
        current: list[Tensor] = list(module.parameters())
        torch._foreach_lerp_(averaged, current, 1 - decay)
        carried = list(self.module.buffers())
        if carried:
            torch._foreach_copy_(carried, list(module.buffers()))

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates, "module": self.module.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
        self.module.load_state_dict(state["module"])

"""Steps without a finite gradient: skipped without a trace, decided on the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class Statistics:
    """The traces of forward passes: running means of BatchNorm, vectors of spectral norm.

    Args:
        modules: the networks whose buffers they are.
    """

    def __init__(self, modules: list[nn.Module]) -> None:
        self._buffers = [b for m in modules for b in m.buffers() if b.is_floating_point()]

    def now(self) -> Tensor:
        """Return a copy of all of them in one row."""
        return torch.cat([b.flatten() for b in self._buffers]) if self._buffers else torch.empty(0)

    def restore_unless(self, finite: Tensor, before: Tensor) -> None:
        """Take back what an infinite batch has left since ``before``."""
        if not self._buffers:
            return
        parts = torch.where(finite, self.now(), before).split([b.numel() for b in self._buffers])
        pairs = zip(parts, self._buffers, strict=True)
        torch._foreach_copy_(self._buffers, [part.view_as(buffer) for part, buffer in pairs])


def step_if(finite: Tensor, optimizer: Optimizer) -> None:
    """Take the optimizer's step, unless the gradient is not finite.

    Fused optimizers decide on the device (as for ``torch.amp.GradScaler``); others have to wait.
    """
    plain: Any = getattr(optimizer, "optimizer", optimizer)  # without Accelerate's wrapper
    if plain.defaults.get("fused"):
        plain.found_inf = (~finite).float()
        optimizer.step()
    elif finite:
        optimizer.step()

"""The interface between the engine and what is learned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from pix2color.data.batches import Batch


@dataclass
class Phase:
    """The turn of one network within a step.

    Attributes:
        name: of the network in the task's ``modules``.
        optimizer: of that network.
        first_step: the phase is skipped before it.
    """

    name: str
    optimizer: Optimizer
    first_step: int = 0


@dataclass
class Losses:
    """The losses of one phase.

    Attributes:
        total: scalar that is minimized.
        curves: detached scalars by name, to be logged.
    """

    total: Tensor
    curves: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Validation:
    """The result of a validation.

    Attributes:
        scores: means over the validation photos, by name.
        samples: rows of pictures for people to look at, uint8 (3, H, W); may be empty.
        loss: one number for schedules that follow the validation; lower is better.
    """

    scores: dict[str, float]
    samples: np.ndarray
    loss: float


class Task(ABC):
    """The interface between the engine and what is learned.

    Attributes:
        modules: network by name; the engine puts its prepared ones in their place.
        phases: the order of turns within a step.
        exported: name of the network that is averaged, validated and exported.
        matches_saturation: whether the network's colors get the truth's mean chroma at the end.
    """

    modules: dict[str, nn.Module]
    phases: list[Phase]
    exported: str
    matches_saturation: bool = False

    @abstractmethod
    def forward(self, batch: Batch, learning: set[str]) -> Any:
        """Return the state that the phases of a step share.

        Args:
            batch: pixels uint8 (N, 3, H, W), and labels if the task's photos have any.
            learning: names of the networks that learn from it.
        """

    @abstractmethod
    def losses(self, phase: str, state: Any) -> Losses:
        """Return the losses of one phase."""

    @abstractmethod
    def train_mode(self) -> None:
        """Put every network into the mode it trains in."""

    @abstractmethod
    def validate(self, predict: Callable[[Tensor], Tensor], batch: Batch) -> Validation:
        """Score the exported network, which ``predict`` runs, on a batch of any size."""

    def summary(self, scores: dict[str, float]) -> str:
        """Return the scores of a validation in a few words, for the progress display."""
        return "  ".join(f"{name} {value:.3g}" for name, value in scores.items())

    def plain(self, name: str) -> nn.Module:
        """Return a network without the wrapper of distributed training, to use it frozen."""
        module = self.modules[name]
        if isinstance(module, nn.parallel.DistributedDataParallel):
            module = module.module
        assert isinstance(module, nn.Module)
        return module

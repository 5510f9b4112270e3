"""The course of the learning rates over a run."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from pix2color.config.schema import ScheduleConfig
from pix2color.errors import ConfigError

_TORCH = {"onecycle": OneCycleLR, "plateau": ReduceLROnPlateau}
_ONECYCLE = ("pct_start", "div_factor", "final_div_factor")


class Schedule:
    """The share of the top learning rate at any moment of a run.

    All but ``plateau`` are pure functions of how much of the budget is spent, steps or minutes.

    Args:
        config: name, warm-up, and keywords of torch's class for ``onecycle`` and ``plateau``.

    Raises:
        ConfigError: the keywords do not fit.
    """

    def __init__(self, config: ScheduleConfig) -> None:
        self.config = config
        self._options = _checked_options(config)
        self._plateau: ReduceLROnPlateau | None = None
        if config.name == "plateau":
            optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)  # to be told its rate
            try:
                self._plateau = ReduceLROnPlateau(optimizer, **self._options)
            except (TypeError, ValueError) as error:
                raise ConfigError(f"schedule.options {config.options}: {error}") from error
        try:
            self.factor(0.2, 0), self.factor(0.9, 0)
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise ConfigError(f"schedule.options {config.options} do not fit: {error}") from error

    def factor(self, progress: float, own_step: int) -> float:
        """Return the share of the top learning rate.

        Args:
            progress: share of the whole budget that is spent.
            own_step: steps that the phase has behind it.
        """
        progress = min(progress, 1.0)
        warmup = min(1.0, (own_step + 1) / (self.config.warmup_steps + 1))
        if self.config.name == "cosine":
            return warmup * _half_cosine(1.0, 0.0, progress)
        if self.config.name == "onecycle":  # which has its own
            return _one_cycle(progress, **self._options)
        if self._plateau:
            return warmup * float(self._plateau.optimizer.param_groups[0]["lr"])
        return warmup

    def judged(self, loss: float) -> None:
        """Take note of a validation's loss, which only ``plateau`` follows; lower is better."""
        if self._plateau:
            self._plateau.step(loss)

    def agree(self, accelerator: Accelerator) -> None:
        """Follow the first of several processes, which alone validates."""
        if self._plateau and accelerator.num_processes > 1:
            group = self._plateau.optimizer.param_groups[0]
            rate = torch.tensor([group["lr"]], dtype=torch.float64, device=accelerator.device)
            group["lr"] = broadcast(rate).item()

    def state_dict(self) -> dict[str, Any]:
        """Return plain values that ``load_state_dict`` goes on from."""
        if not self._plateau:
            return {}
        rate = self._plateau.optimizer.param_groups[0]["lr"]
        return {"plateau": self._plateau.state_dict(), "rate": rate}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from another schedule's ``state_dict``."""
        if self._plateau:
            self._plateau.load_state_dict(state["plateau"])
            self._plateau.optimizer.param_groups[0]["lr"] = state["rate"]


def _one_cycle(
    progress: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> float:
    """Return the factor up and down half cosines (Smith & Topin 2017, arXiv:1708.07120)."""
    first = 1 / div_factor
    if progress < pct_start:
        return _half_cosine(first, 1.0, progress / pct_start)
    return _half_cosine(1.0, first / final_div_factor, (progress - pct_start) / (1 - pct_start))


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _checked_options(config: ScheduleConfig) -> dict[str, Any]:
    """Return the options, checked to be torch's and to have a meaning here."""
    kind = _TORCH.get(config.name)
    known: list[str] = []
    if kind is OneCycleLR:
        known = list(_ONECYCLE)
    elif kind:
        known = [name for name in inspect.signature(kind).parameters if name != "optimizer"]
    for option in config.options:
        if option not in known:
            choice = f"it has: {', '.join(known)}" if known else "it has none"
            raise ConfigError(f"schedule.options: {config.name} has no {option!r}; {choice}")
    return config.options

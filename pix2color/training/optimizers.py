"""The optimizers of torch, by their names in a recipe."""

from __future__ import annotations

import inspect

import torch
from torch import nn
from torch.optim import Optimizer

from pix2color.config.schema import OptimizerConfig
from pix2color.errors import ConfigError


def build_optimizer(module: nn.Module, config: OptimizerConfig, key: str) -> Optimizer:
    """Return a network's optimizer; a ConfigError names ``key``, its setting."""
    kind = _OPTIMIZERS.get(config.name.lower())
    if kind is None:
        names = ", ".join(sorted(kind.__name__ for kind in _OPTIMIZERS.values()))
        raise ConfigError(f"{key}.name: torch.optim has no {config.name!r}; it has: {names}")
    known = [name for name in inspect.signature(kind).parameters if name not in ("params", "lr")]
    for option in config.options:
        if option not in known:
            raise ConfigError(
                f"{key}.options: {kind.__name__} has no {option!r}; it has: {', '.join(known)}"
            )
    try:
        return kind(module.parameters(), lr=config.lr, **config.options)  # type: ignore[call-arg]
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{key}.options {config.options} do not fit: {error}") from error


_OPTIMIZERS: dict[str, type[Optimizer]] = {
    name.lower(): kind
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and issubclass(kind, Optimizer)
    # Not the base class, nor those that want other steps or other gradients.
    if name not in ("Optimizer", "LBFGS", "SparseAdam", "Muon")
}

"""The optimizers of torch, by their names in a recipe."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from pix2color.config.schema import OptimizerConfig
from pix2color.errors import ConfigError
from pix2color.models.base import Generator


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
        return kind(_parameters(module, config, key), lr=config.lr, **config.options)  # type: ignore[call-arg]
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{key}.options {config.options} do not fit: {error}") from error


def _parameters(module: nn.Module, config: OptimizerConfig, key: str) -> list[Any]:
    """Return the module's parameters; in two groups if its encoder has a learning rate of its own.

    The encoder's come first: the last group's rate is the one that is logged.
    """
    if config.encoder_lr is None:
        return list(module.parameters())
    encoder = module.encoder_parameters() if isinstance(module, Generator) else []
    if not encoder:
        raise ConfigError(f"{key}.encoder_lr: {type(module).__name__} has no encoder; leave it out")
    own = {id(parameter) for parameter in encoder}
    rest = [parameter for parameter in module.parameters() if id(parameter) not in own]
    return [{"params": encoder, "lr": config.encoder_lr}, {"params": rest}]


_OPTIMIZERS: dict[str, type[Optimizer]] = {
    name.lower(): kind
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and issubclass(kind, Optimizer)
    # Not the base class, nor those that want other steps or other gradients.
    if name not in ("Optimizer", "LBFGS", "SparseAdam", "Muon")
}

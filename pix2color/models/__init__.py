"""Networks by name.

A new generator is one file, with a subclass of ``Generator`` that takes ``encoder_weights``
and its own options, and one line in ``GENERATORS``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

from torch import Tensor, nn

from pix2color.errors import ConfigError

GENERATORS = {
    "unet-resnet18": "pix2color.models.unet_resnet18:UNetResNet18",
    "pix2pix-unet256": "pix2color.models.pix2pix:Pix2PixUNet256",
    "dynamic-unet-resnet18": "pix2color.models.dynamic_unet:DynamicUNetResNet18",
}
DISCRIMINATORS = {
    "patchgan": "pix2color.models.patchgan:PatchGAN",
}


class Generator(nn.Module):
    """Base of all generators: ``L`` (N, 1, H, W) to ``ab`` (N, 2, H, W), for any H and W.

    Attributes:
        ab_stride: by how much its ab is coarser than its input; 1: not at all.
    """

    ab_stride: int = 1

    def forward(self, L: Tensor) -> Tensor:
        raise NotImplementedError


def build_generator(
    name: str, options: dict[str, Any] | None = None, *, encoder_weights: str = "none"
) -> Generator:
    """A generator by name.

    Args:
        name: a key of ``GENERATORS``.
        options: keywords of its builder.
        encoder_weights: ``none``, ``imagenet`` (torchvision's, may download) or a path.

    Raises:
        ConfigError: name or option is unknown.
    """
    generator = _build(GENERATORS, name, {**(options or {}), "encoder_weights": encoder_weights})
    assert isinstance(generator, Generator)
    return generator


def build_discriminator(name: str, options: dict[str, Any] | None = None) -> nn.Module:
    """A discriminator by name: (N, 3, H, W), L beside ab, to logits (N, 1, h, w).

    Raises:
        ConfigError: name or option is unknown.
    """
    return _build(DISCRIMINATORS, name, options or {})


def _build(registry: dict[str, str], name: str, options: dict[str, Any]) -> nn.Module:
    if name not in registry:
        raise ConfigError(f"no network is called {name!r}; known are: {', '.join(registry)}")
    module, _, attribute = registry[name].partition(":")
    builder: Callable[..., nn.Module] = getattr(import_module(module), attribute)
    known = inspect.signature(builder).parameters
    for option in options:
        if option not in known:
            raise ConfigError(f"{name} has no option {option!r}; it has: {', '.join(known)}")
    try:
        return builder(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: its options {options} do not fit: {error}") from error

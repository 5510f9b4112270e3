"""Networks by name.

A new generator is one file, with a subclass of ``Generator`` that takes its own options (and
``encoder_weights`` if it has an encoder to load them into), and one line in ``GENERATORS``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from pix2color.errors import ConfigError
from pix2color.models.base import Generator
from pix2color.models.generators.autoencoder import Autoencoder
from pix2color.models.generators.cnn import CNN
from pix2color.models.generators.cunet import CUNet
from pix2color.models.generators.dynamic_unet import DynamicUNetResNet18
from pix2color.models.generators.pix2pix import Pix2PixUNet256
from pix2color.models.generators.unet import UNet
from pix2color.models.generators.unet_plus_plus import UNetPlusPlus
from pix2color.models.generators.unet_resnet18 import UNetResNet18
from pix2color.models.generators.unet_timm import UNetTimm
from pix2color.models.patchgan import PatchGAN
from pix2color.models.projected_critic import ProjectedCritic

GENERATORS: dict[str, Callable[..., Generator]] = {
    "unet-resnet18": UNetResNet18,
    "unet-timm": UNetTimm,
    "dynamic-unet-resnet18": DynamicUNetResNet18,
    "pix2pix-unet256": Pix2PixUNet256,
    "unet": UNet,
    "unet-plus-plus": UNetPlusPlus,
    "cunet": CUNet,
    "cnn": CNN,
    "autoencoder": Autoencoder,
}
_FIRST_WEIGHTS = "encoder_weights"
DISCRIMINATORS: dict[str, Callable[..., nn.Module]] = {
    "patchgan": PatchGAN,
    "projected": ProjectedCritic,
}


def build_generator(
    name: str, options: dict[str, Any] | None = None, *, encoder_weights: str = "none"
) -> Generator:
    """Build a generator by name.

    Args:
        name: a key of ``GENERATORS``.
        options: keywords of its builder.
        encoder_weights: ``none``, ``imagenet`` (torchvision's, may download) or a path.

    Raises:
        ConfigError: name or option is unknown, or it has no encoder to load weights into.
    """
    options = dict(options or {})
    if encoder_weights != "none":
        check_encoder(name)
        options[_FIRST_WEIGHTS] = encoder_weights
    generator = _build(GENERATORS, name, options)
    assert isinstance(generator, Generator)
    return generator


def rebuild_generator(name: str, options: dict[str, Any]) -> Generator:
    """Build a generator whose tensors are at hand; touches neither network nor disk.

    Args:
        name: a key of ``GENERATORS``.
        options: keywords of its builder, of which first weights are not used.

    Raises:
        ConfigError: name or option is unknown, or an option has a strange value.
    """
    return build_generator(name, without_first_weights(options))


def without_first_weights(options: dict[str, Any]) -> dict[str, Any]:
    """Return a builder's options without those that say which weights it starts from."""
    return {name: value for name, value in options.items() if name != _FIRST_WEIGHTS}


def check_encoder(name: str) -> None:
    """Check that the generator of that name has an encoder to load weights into.

    Raises:
        ConfigError: it has none.
    """
    if name in GENERATORS and _FIRST_WEIGHTS not in _options(GENERATORS[name]):
        raise ConfigError(
            f"{name}: has no encoder to load weights into; leave encoder_weights none"
        )


def build_discriminator(name: str, options: dict[str, Any] | None = None) -> nn.Module:
    """Build a discriminator by name: (N, 3, H, W), L beside ab, to logits (N, …).

    Raises:
        ConfigError: name or option is unknown.
    """
    return _build(DISCRIMINATORS, name, options or {})


def _build(
    registry: Mapping[str, Callable[..., nn.Module]], name: str, options: dict[str, Any]
) -> nn.Module:
    if name not in registry:
        raise ConfigError(f"no network is called {name!r}; known are: {', '.join(registry)}")
    builder = registry[name]
    known = _options(builder)
    for option in options:
        if option not in known:
            raise ConfigError(f"{name} has no option {option!r}; it has: {', '.join(known)}")
    try:
        return builder(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: its options {options} do not fit: {error}") from error


def _options(builder: Callable[..., nn.Module]) -> list[str]:
    return list(inspect.signature(builder).parameters)

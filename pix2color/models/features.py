"""Distances between colours by a network that was trained to see."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2color.color.lab import l_ab_to_lab, lab_to_rgb
from pix2color.models.base import Generator
from pix2color.models.timm_encoders import LITE0, timm_encoder

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


def normalize_for_imagenet(rgb: Tensor) -> Tensor:
    """Normalize RGB in [0, 1], (N, 3, H, W), as networks trained on ImageNet expect it."""
    mean, deviation = rgb.new_tensor([_MEAN, _DEVIATION]).view(2, 1, 3, 1, 1)
    return (rgb - mean) / deviation


def normalize_for_lite(rgb: Tensor) -> Tensor:
    """Normalize RGB in [0, 1], (N, 3, H, W), as the EfficientNet-Lite networks expect it."""
    return (rgb * 255 - 127) / 128


class TeacherDistance(nn.Module):
    """Mean absolute difference of ab from that of a better generator (Hinton et al. 2015).

    Args:
        teacher: is not trained, and sees no hints.
    """

    def __init__(self, teacher: Generator) -> None:
        super().__init__()
        self.teacher = teacher.eval().requires_grad_(False)

    def forward(self, L: Tensor, prediction: Tensor, truth: Tensor) -> Tensor:
        """Return the distance, scalar, of ab (N, 2, H, W); the truth does not count."""
        with torch.no_grad():
            wanted = self.teacher(L)
        return F.l1_loss(prediction.float(), wanted.float())


class FeatureDistance(nn.Module):
    """Difference of EfficientNet-Lite0's features of two colourings of a picture.

    It is the mean absolute difference of the features at 1/4, 1/8 and 1/16 of the size, each as a
    share of their mean (Johnson et al. 2016, arXiv:1603.08155, with another network). They are
    not trained.

    Args:
        weights: ``imagenet`` or the path of a state dict; see ``timm_encoders.timm_encoder``.

    Raises:
        MissingPathError, ModelError: see ``timm_encoders.timm_encoder``.
    """

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.encoder = timm_encoder(LITE0, weights, channels=3)
        self.eval().requires_grad_(False)

    def forward(self, L: Tensor, prediction: Tensor, truth: Tensor) -> Tensor:
        """Return the distance, scalar, of a predicted ab (N, 2, H, W) to the true one."""
        with torch.no_grad():
            wanted = self._features(L, truth)
        pairs = zip(self._features(L, prediction), wanted, strict=True)
        return torch.stack([F.l1_loss(a, b) / b.abs().mean() for a, b in pairs]).mean()

    def _features(self, L: Tensor, ab: Tensor) -> list[Tensor]:
        rgb = lab_to_rgb(l_ab_to_lab(L, ab))
        features: list[Tensor] = self.encoder(normalize_for_lite(rgb))
        return features[1:4]

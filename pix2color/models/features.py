"""Distances between colours by a network that was trained to see."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2color.color.lab import l_ab_to_lab, lab_to_rgb
from pix2color.models.base import Generator
from pix2color.models.encoders import resnet18

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


def normalize_for_imagenet(rgb: Tensor) -> Tensor:
    """Normalize RGB in [0, 1], (N, 3, H, W), as networks trained on ImageNet expect it."""
    mean, deviation = rgb.new_tensor([_MEAN, _DEVIATION]).view(2, 1, 3, 1, 1)
    return (rgb - mean) / deviation


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
    """Mean absolute difference of ResNet18's features of two colourings of a picture.

    The features are those after each of the first three stages (Johnson et al. 2016,
    arXiv:1603.08155, with another network). They are not trained.

    Args:
        weights: ``imagenet`` or the path of a state dict; see ``encoder.resnet18``.

    Raises:
        MissingPathError, ModelError: see ``encoder.resnet18``.
    """

    def __init__(self, weights: str) -> None:
        super().__init__()
        network = resnet18(weights, channels=3)
        self.stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        self.stages = nn.ModuleList([network.layer1, network.layer2, network.layer3])
        self.eval().requires_grad_(False)

    def forward(self, L: Tensor, prediction: Tensor, truth: Tensor) -> Tensor:
        """Return the distance, scalar, of a predicted ab (N, 2, H, W) to the true one."""
        with torch.no_grad():
            wanted = self._features(L, truth)
        pairs = zip(self._features(L, prediction), wanted, strict=True)
        return torch.stack([F.l1_loss(found, other) for found, other in pairs]).mean()

    def _features(self, L: Tensor, ab: Tensor) -> list[Tensor]:
        x = self.stem(normalize_for_imagenet(lab_to_rgb(l_ab_to_lab(L, ab))))
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

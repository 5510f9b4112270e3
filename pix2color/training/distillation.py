"""The task of imitating the features of a trained encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from pix2color.color.lab import rgb_to_l_ab
from pix2color.data.batches import Batch
from pix2color.models.encoders import ResNet
from pix2color.models.timm_encoders import timm_encoder
from pix2color.training.task import Losses, Phase, Task, Validation

_STUDENT = "encoder"
_STUDENT_CHANNELS = (64, 128, 256, 512)  # of ResNet18 at 1/4, 1/8, 1/16 and 1/32
_VALIDATION_BATCH = 8


class Student(nn.Module):
    """ResNet18, with a linear map from its features to those of a teacher at each size.

    Args:
        encoder: ResNet18 for one channel.
        channels: of the teacher at 1/4, 1/8, 1/16 and 1/32 of the size.
    """

    def __init__(self, encoder: ResNet, channels: list[int]) -> None:
        super().__init__()
        encoder.fc = nn.Identity()
        self.encoder = encoder
        self.maps = nn.ModuleList(
            nn.Conv2d(own, other, kernel_size=1)
            for own, other in zip(_STUDENT_CHANNELS, channels, strict=True)
        )

    def forward(self, L: Tensor) -> list[Tensor]:
        """Return what the teacher is expected to see in ``L`` (N, 1, H, W), at four sizes."""
        encoder, found = self.encoder, []
        x = encoder.maxpool(encoder.relu(encoder.bn1(encoder.conv1(L))))
        layers = (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4)
        for layer, to_teacher in zip(layers, self.maps, strict=True):
            x = layer(x)
            found.append(to_teacher(x))
        return found


class DistillationTask(Task):
    """The task of predicting a trained encoder's features of the same gray picture.

    The loss is 1 less the cosine of both at each place, the mean over four sizes (Romero et al.
    2015, arXiv:1412.6550, with another distance).

    Args:
        student: learns.
        teacher: an encoder of timm, with its features at 1/2, 1/4, …; is not trained.
        optimizer: of the student.
    """

    exported = _STUDENT

    def __init__(self, student: Student, teacher: nn.Module, optimizer: Optimizer) -> None:
        self.modules = {_STUDENT: student}
        self.phases = [Phase(_STUDENT, optimizer)]
        self.teacher = teacher

    def forward(self, batch: Batch, learning: set[str]) -> Tensor:
        """Return the likeness of both at each of the four sizes, (4,)."""
        L, _ = rgb_to_l_ab(batch.pixels)
        return self._likeness(self.modules[_STUDENT](L), L)

    def losses(self, phase: str, state: Tensor) -> Losses:
        likeness = state.mean()
        return Losses(1 - likeness, {"likeness": likeness.detach()})

    def train_mode(self) -> None:
        self.modules[_STUDENT].train()

    def validate(self, predict: Callable[[Tensor], Any], batch: Batch) -> Validation:
        """Return the likeness, from -1 to 1; there is no picture to look at."""
        student = self.plain(_STUDENT).eval()
        found = []
        for pixels in batch.pixels.split(_VALIDATION_BATCH):
            L, _ = rgb_to_l_ab(pixels)
            found.append(self._likeness(student(L), L).mean())
        likeness = torch.stack(found).mean().item()
        return Validation({"likeness": likeness}, np.zeros((3, 0, 0), np.uint8), 1 - likeness)

    def _likeness(self, found: list[Tensor], L: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.teacher.to(L.device)(L)[1:]
        pairs = zip(found, wanted, strict=True)
        return torch.stack(
            [F.cosine_similarity(a.float(), b.float(), dim=1).mean() for a, b in pairs]
        )


def load_teacher(name: str) -> nn.Module:
    """Return an encoder of timm with ImageNet's weights, to learn from.

    Raises:
        ConfigError, ModelError: see ``timm_encoders.timm_encoder``.
    """
    return timm_encoder(name, "imagenet").eval().requires_grad_(False)

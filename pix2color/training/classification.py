"""Which folder a gray photo is from: labels that travel with the pixels, and the task.

A task report proposed to pretrain a colourizer's encoder so, for it to keep "the average mood or
temperature" of a kind of picture; Iizuka et al. 2016 (doi:10.1145/2897824.2925974) learn class
and colour at once for that reason.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from pix2color.color.lab import rgb_to_l_ab
from pix2color.config.schema import DataConfig
from pix2color.data.batches import Sample, TrainingPhotos
from pix2color.data.sources import Photo
from pix2color.errors import DataError
from pix2color.training.tasks import Losses, Phase, Task, Validation

_ENCODER = "encoder"
_VALIDATION_BATCH = 8
_MOST_CLASSES = 2**16


def label(path: Path) -> str:
    """The name of the folder that holds a photo."""
    return path.parent.name


def labelled(pixels: Tensor, classes: list[int]) -> Tensor:
    """uint8 (N, 4, H, W): pixels (N, 3, H, W) and a plane that begins with the class's two bytes.

    So pictures and their labels reach the task as what every batch is, one uint8 tensor.
    """
    plane = torch.zeros_like(pixels[:, :1])
    plane[:, 0, 0, :2] = torch.tensor([divmod(c, 256) for c in classes], dtype=torch.uint8)
    return torch.cat([pixels, plane], dim=1)


def classes_of(pixels: Tensor) -> Tensor:
    """int64 (N,): the classes that ``labelled`` has written."""
    high, low = pixels[:, 3, 0, :2].long().unbind(dim=1)
    return high * 256 + low


class LabelledPhotos(TrainingPhotos):
    """Random squares with the class of the photo that they are of; see ``labelled``.

    Raises:
        DataError: see ``numbered``.
    """

    def __init__(self, photos: list[Photo], config: DataConfig, seed: int) -> None:
        super().__init__(photos, config, seed)
        self.classes = numbered(photos)

    def __getitem__(self, place: tuple[int, int, int]) -> Sample:
        sample = super().__getitem__(place)
        if sample.pixels is not None:
            number = self.classes[label(self.photos[sample.photo].path)]
            sample.pixels = labelled(sample.pixels[None], [number])[0]
        return sample


def numbered(photos: list[Photo]) -> dict[str, int]:
    """Number of each folder that holds photos, in the order of their names.

    Raises:
        DataError: there are too few or too many.
    """
    names = sorted({label(photo.path) for photo in photos})
    if len(names) < 2:
        raise DataError(
            f"all photos are in folders called {names[0]!r}; "
            "give a folder with a subfolder for each kind of photo"
        )
    if len(names) > _MOST_CLASSES:
        raise DataError(f"{len(names)} folders are too many kinds; at most {_MOST_CLASSES}")
    return {name: number for number, name in enumerate(names)}


class ClassificationTask(Task):
    """L → class, by cross entropy.

    Args:
        encoder: L (N, 1, H, W) to logits (N, classes).
        optimizer: of the encoder.
    """

    exported = _ENCODER

    def __init__(self, encoder: nn.Module, optimizer: Optimizer) -> None:
        self.modules = {_ENCODER: encoder}
        self.phases = [Phase(_ENCODER, optimizer)]

    def forward(self, pixels: Tensor, learning: set[str]) -> tuple[Tensor, Tensor]:
        """Logits (N, classes) and classes (N,), from ``labelled`` pixels."""
        L, _ = rgb_to_l_ab(pixels[:, :3])
        return self.modules[_ENCODER](L).float(), classes_of(pixels)

    def losses(self, phase: str, state: tuple[Tensor, Tensor]) -> Losses:
        logits, classes = state
        loss = F.cross_entropy(logits, classes)
        return Losses(loss, {"cross_entropy": loss.detach(), "accuracy": _accuracy(*state)})

    def train_mode(self) -> None:
        self.modules[_ENCODER].train()

    def validate(self, predict: Callable[[Tensor], Tensor], pixels: Tensor) -> Validation:
        """Accuracy and cross entropy; there is no picture to look at."""
        parts = pixels.split(_VALIDATION_BATCH)
        logits = torch.cat([predict(rgb_to_l_ab(part[:, :3])[0]) for part in parts])
        classes = classes_of(pixels)
        loss = F.cross_entropy(logits, classes).item()
        scores = {"accuracy": _accuracy(logits, classes).item(), "cross_entropy": loss}
        return Validation(scores, np.zeros((3, 0, 0), np.uint8), loss)


def _accuracy(logits: Tensor, classes: Tensor) -> Tensor:
    return (logits.argmax(dim=1) == classes).float().mean()

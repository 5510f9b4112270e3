"""The task of classifying gray photos by the folder that they are from.

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
from pix2color.config.sections import DataConfig, HintsConfig
from pix2color.data.batches import Batch, Sample, TrainingPhotos
from pix2color.data.sources import Photo
from pix2color.errors import DataError
from pix2color.training.task import Losses, Phase, Task, Validation

_ENCODER = "encoder"
_VALIDATION_BATCH = 8
_MOST_CLASSES = 2**16


def label(path: Path) -> str:
    """Return the name of the folder that holds a photo."""
    return path.parent.name


class LabelledPhotos(TrainingPhotos):
    """Random squares, each with the number of its photo's folder as label.

    Raises:
        DataError: see ``numbered``.
    """

    def __init__(
        self, photos: list[Photo], config: DataConfig, seed: int, hints: HintsConfig | None = None
    ) -> None:
        super().__init__(photos, config, seed, hints)
        self.classes = numbered(photos)

    def __getitem__(self, place: tuple[int, int, int]) -> Sample:
        sample = super().__getitem__(place)
        if sample.pixels is not None:
            sample.label = self.classes[label(self.photos[sample.photo].path)]
        return sample


def numbered(photos: list[Photo]) -> dict[str, int]:
    """Return the number of each folder that holds photos, in the order of their names.

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
    """The task of predicting a photo's class from its L, trained by cross entropy.

    Args:
        encoder: L (N, 1, H, W) to logits (N, classes).
        optimizer: of the encoder.
    """

    exported = _ENCODER

    def __init__(self, encoder: nn.Module, optimizer: Optimizer) -> None:
        self.modules = {_ENCODER: encoder}
        self.phases = [Phase(_ENCODER, optimizer)]

    def forward(self, batch: Batch, learning: set[str]) -> tuple[Tensor, Tensor]:
        """Return logits (N, classes) and classes (N,) of a batch with labels."""
        assert batch.labels is not None
        L, _ = rgb_to_l_ab(batch.pixels)
        return self.modules[_ENCODER](L).float(), batch.labels

    def losses(self, phase: str, state: tuple[Tensor, Tensor]) -> Losses:
        logits, classes = state
        loss = F.cross_entropy(logits, classes)
        return Losses(loss, {"cross_entropy": loss.detach(), "accuracy": _accuracy(*state)})

    def train_mode(self) -> None:
        self.modules[_ENCODER].train()

    def validate(self, predict: Callable[[Tensor], Tensor], batch: Batch) -> Validation:
        """Return accuracy and cross entropy; there is no picture to look at."""
        assert batch.labels is not None
        chunks = batch.pixels.split(_VALIDATION_BATCH)
        logits = torch.cat([predict(rgb_to_l_ab(chunk)[0]) for chunk in chunks])
        classes = batch.labels
        loss = F.cross_entropy(logits, classes).item()
        scores = {"accuracy": _accuracy(logits, classes).item(), "cross_entropy": loss}
        return Validation(scores, np.zeros((3, 0, 0), np.uint8), loss)


def _accuracy(logits: Tensor, classes: Tensor) -> Tensor:
    return (logits.argmax(dim=1) == classes).float().mean()

"""The squares that are judged: of each photo, and of what programs have made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageChops, ImageStat
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pix2color.data.reading_processes import started
from pix2color.data.sources import (
    MIN_PROTOCOL_COLORFULNESS,
    Photo,
    center_square,
    square_colorfulness,
)
from pix2color.errors import ImageError, MissingExtraError
from pix2color.evaluation.predictions import Predictions
from pix2color.imaging.io import from_array, read_rgb, to_array

SIDE = 256
"""Side of a square in pixels, whatever the protocol."""
_SAME_SHAPE = 0.1
"""A picture whose ratio of sides is off by less has the photo's shape: sides get rounded."""

Cut = Callable[[Image.Image, tuple[int, int]], np.ndarray]
"""Cuts a square, uint8 (3, 256, 256), from a picture of a photo that is so wide and so high."""


@dataclass(frozen=True)
class Protocol:
    """How photos become squares, and what is judged of them.

    Attributes:
        name: on the command line.
        cut: cuts the square.
        squares: how, in words.
        min_colorfulness: of squares that are judged.
        papers: pictures are judged as they are, by the measures of the papers.
        squeezed: the square shows the whole photo, whatever its shape.
    """

    name: str
    cut: Cut
    squares: str
    min_colorfulness: float = 0.0
    papers: bool = False
    squeezed: bool = False


def _cropped(picture: Image.Image, shape: tuple[int, int]) -> np.ndarray:
    """Cut the largest square from the centre, then reduce it, as torchvision's transforms do."""
    side = min(shape)
    corner = [round((length - side) / 2) for length in shape]
    scale = [ours / whole for ours, whole in zip(picture.size, shape, strict=True)]
    ends = [*corner, *(start + side for start in corner)]
    left, top, right, bottom = (end * scale[i % 2] for i, end in enumerate(ends))
    box = (left, top, min(right, picture.width), min(bottom, picture.height))
    if picture.size == shape:  # what is outside of a box would take part at its edges
        picture = picture.crop((left, top, right, bottom))
        box = (0.0, 0.0, float(side), float(side))
    return to_array(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box))


def _squeezed(picture: Image.Image, shape: tuple[int, int]) -> np.ndarray:
    """Reduce both sides, without antialiasing, as OpenCV's ``resize`` does."""
    pixels = torch.from_numpy(to_array(picture))[None].float()
    small = F.interpolate(pixels, (SIDE, SIDE), mode="bilinear", align_corners=False)
    return small[0].round().byte().numpy()


OWN = Protocol("own", center_square, "bicubic, then the centre", MIN_PROTOCOL_COLORFULNESS)
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        OWN,
        Protocol("val5k", _cropped, "the centre, then bilinear", papers=True),
        Protocol(
            "val50k",
            _squeezed,
            "the whole photo squeezed, not antialiased",
            papers=True,
            squeezed=True,
        ),
    )
}


class Square(NamedTuple):
    """A photo's square, None if it is not judged, and each system's picture of it or why none."""

    path: Path
    truth: np.ndarray | None
    outputs: list[np.ndarray | str | None]


class Squares(NamedTuple):
    """A batch of squares.

    Attributes:
        paths: of the photos.
        truths: uint8 (N, 3, 256, 256).
        outputs: by the system's name, its squares of those photos: an array, None where there is
            no picture, or why it cannot be used.
    """

    paths: list[Path]
    truths: Tensor
    outputs: dict[str, list[np.ndarray | str | None]]


def squares(
    photos: Sequence[Photo],
    predictions: Sequence[Predictions],
    protocol: Protocol,
    *,
    batch_size: int,
    workers: int = 0,
) -> Iterator[Squares]:
    """Yield the photos' squares with those of the predictions, in the order given.

    Photos that are gray, for a protocol that minds, or cannot be read are passed over.
    """
    dataset = _Read(photos, predictions, protocol)
    loader = DataLoader(dataset, batch_size=batch_size, num_workers=workers, collate_fn=list)
    for batch in started(loader):
        usable = [item for item in batch if item.truth is not None]
        if usable:
            truths = torch.stack([torch.from_numpy(item.truth) for item in usable])
            outputs = {
                system.name: [item.outputs[i] for item in usable]
                for i, system in enumerate(predictions)
            }
            yield Squares([item.path for item in usable], truths, outputs)


class _Read(Dataset[Square]):
    def __init__(
        self, photos: Sequence[Photo], predictions: Sequence[Predictions], protocol: Protocol
    ) -> None:
        self.photos, self.predictions, self.protocol = photos, predictions, protocol

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> Square:
        photo = self.photos[index]
        try:
            picture = photo.read()
        except ImageError:
            return Square(photo.path, None, [])
        truth = self.protocol.cut(picture, picture.size)
        if square_colorfulness(truth) < self.protocol.min_colorfulness:
            return Square(photo.path, None, [])
        files = [system.of.get(str(photo.path)) for system in self.predictions]
        outputs = [
            None if file is None else _predicted(file, picture.size, truth, self.protocol)
            for file in files
        ]
        return Square(photo.path, truth, outputs)


def _predicted(
    file: Path, shape: tuple[int, int], truth: np.ndarray, protocol: Protocol
) -> np.ndarray | str:
    """Return the square of a prediction, or why there is none."""
    try:
        picture = read_rgb(file)
    except (ImageError, MissingExtraError) as error:
        return str(error)
    try:
        return fitted(picture, shape, truth, protocol)
    except ValueError as error:
        return f"{file}: {error}"


def fitted(
    picture: Image.Image, shape: tuple[int, int], truth: np.ndarray, protocol: Protocol
) -> np.ndarray:
    """Return a prediction's square, uint8 (3, 256, 256), whatever its size.

    A square picture of a photo that is none shows all of it, squeezed, or its centre: that one is
    taken whose brightness is nearer to the truth's.

    Args:
        picture: of mode RGB.
        shape: width and height of the photo.
        truth: the photo's square.
        protocol: how squares are cut.

    Raises:
        ValueError: it has neither the photo's shape nor that of a square.
    """
    cut = protocol.cut(picture, shape)
    square, true_square = (width == height for width, height in (picture.size, shape))
    if square and not (true_square or protocol.squeezed):
        return min((cut, protocol.cut(picture, picture.size)), key=lambda s: _unlikeness(s, truth))
    ratio, true_ratio = (width / height for width, height in (picture.size, shape))
    if not square and abs(ratio / true_ratio - 1) > _SAME_SHAPE:
        sizes = ["x".join(map(str, size)) for size in (picture.size, shape)]
        raise ValueError(
            "is {} pixels for a photo of {}, which is another shape; give it upright and "
            "uncut".format(*sizes)
        )
    return cut


def _unlikeness(square: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean difference of two squares' luma."""
    first, second = (from_array(pixels).convert("L") for pixels in (square, truth))
    return float(ImageStat.Stat(ImageChops.difference(first, second)).mean[0])

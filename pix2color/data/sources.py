"""Photos on disk, their split, and the squares of pixels that are taken from them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, TypeVar

import numpy as np
import torch
from PIL import Image

from pix2color.data.prepared import Store, is_prepared
from pix2color.errors import DataError, ImageError, MissingExtraError
from pix2color.files import hash_bytes, hash_file
from pix2color.imaging.folders import describe_others, no_photo, search
from pix2color.imaging.io import read_rgb, to_array
from pix2color.inference.manifest import without_outputs
from pix2color.metrics import colorfulness
from pix2color.progress import say

MIN_PROTOCOL_COLORFULNESS = 15.0
"""Photos below this say nothing about colourization and are not evaluated."""
_THUMBNAIL = 64


class Photo(Protocol):
    """A colour photo, wherever it is kept."""

    @property
    def path(self) -> Path:
        """Path of the photo's file, by which it is known."""

    @property
    def share(self) -> float:
        """Number in [0, 1) that is decided by the bytes of the file, evenly spread."""

    @property
    def colorfulness(self) -> float | None:
        """Colourfulness of the whole picture, if it was measured before."""

    def read(self, min_side: int | None = None) -> Image.Image:
        """Return the picture in mode RGB; its short side may be reduced down to ``min_side``."""


AnyPhoto = TypeVar("AnyPhoto", bound=Photo)


@dataclass(frozen=True)
class PhotoFile:
    """A photo in a file of its own."""

    path: Path
    colorfulness: ClassVar[None] = None

    @property
    def share(self) -> float:
        """Number in [0, 1) that is decided by the bytes of the file."""
        try:
            digest = hash_file(self.path)
        except OSError:  # counted as broken when it is read
            digest = hash_bytes(os.fsencode(self.path))
        return int(digest[:16], 16) / 2**64

    def read(self, min_side: int | None = None) -> Image.Image:
        """Return the picture in mode RGB, reduced if that saves time.

        Raises:
            ImageError: the file cannot be read.
            OwnColorsError: its colours are ours.
        """
        try:
            return read_rgb(self.path, min_side=min_side, original=True)
        except MissingExtraError as error:  # others can be read
            raise ImageError(str(error)) from error


def collect(folders: Sequence[Path]) -> list[Photo]:
    """Return the photos below all ``folders``, each once, sorted by absolute path.

    A folder may be one that ``pix2color prepare`` has made.

    Raises:
        MissingPathError: a folder is not there.
        DataError: a folder holds no photo.
    """
    found: dict[str, Photo] = {}
    for folder in folders:
        if is_prepared(folder):
            store = Store(folder)
            found |= zip(store.sources, store.photos(), strict=True)
        else:
            paths = (path.resolve() for path in _photos_below(folder))
            found |= {str(path): PhotoFile(path) for path in paths}
    return [found[path] for path in sorted(found)]


def _photos_below(folder: Path) -> list[Path]:
    there = search(folder)
    photos = without_outputs(there)
    if not photos:
        raise no_photo(folder, there)
    for place, reason in there.unreadable.items():
        say(f"warning: {place}: {reason}; going on without it")
    if there.others or there.films:
        say(describe_others([*there.others, *there.films]))
    return photos


def split(photos: list[AnyPhoto], fraction: float) -> tuple[list[AnyPhoto], list[AnyPhoto]]:
    """Split photos into those for training and for validation, by their content alone.

    Adding, renaming or moving files never moves another one across, and copies of one file
    stay together.
    """
    if not fraction:
        return photos, []
    train: list[AnyPhoto] = []
    val: list[AnyPhoto] = []
    for photo in photos:
        (val if photo.share < fraction else train).append(photo)
    return train, val


def limited(photos: list[AnyPhoto], count: int | None) -> list[AnyPhoto]:
    """Return at most ``count`` of the photos, chosen by content: a larger count only adds some."""
    if count is None or count >= len(photos):
        return photos
    chosen = sorted(photos, key=lambda photo: photo.share)[:count]
    return sorted(chosen, key=lambda photo: photo.path)


def repeated(photos: list[AnyPhoto], times: Mapping[str, int]) -> list[AnyPhoto]:
    """Return the photos, each as often as ``times`` says for the folder that it lies in, or once.

    Raises:
        DataError: no photo lies in a folder of such a name.
    """
    missing = set(times) - {photo.path.parent.name for photo in photos}
    if missing:
        raise DataError(
            f"data.repeat: no photo lies in a folder {min(missing)}; name folders of --data"
        )
    return [photo for photo in photos for _ in range(times.get(photo.path.parent.name, 1))]


def training_square(
    photo: Photo,
    random: np.random.Generator,
    *,
    side: int,
    min_side: int,
    shape: Literal["crop", "squash"],
    min_scale: float,
    flip: bool,
    min_colorfulness: float,
) -> np.ndarray:
    """Return a random square of a photo, uint8 (3, side, side).

    The photo is read with a short side of ``min_side`` at least: as large as any crop of the
    training could need, since whether a photo is gray must not depend on its crop.

    Raises:
        ImageError: the photo cannot be read.
        DataError: it is gray or nearly so.
    """
    scale = random.uniform(min_scale, 1) if shape == "crop" else 1.0
    across, down, mirrored = random.random(3)
    picture = photo.read(min_side=min_side)
    if min_colorfulness:
        colors = photo.colorfulness
        if colors is None:
            colors = picture_colorfulness(picture)
        if colors < min_colorfulness:
            raise DataError(f"{photo.path}: gray or nearly so (colourfulness {colors:.1f})")
    box = (0.0, 0.0, float(picture.width), float(picture.height))
    if shape == "crop":
        edge = scale * min(picture.size)
        left, top = across * (picture.width - edge), down * (picture.height - edge)
        box = (left, top, left + edge, top + edge)
    square = picture.resize((side, side), Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)
    if flip and mirrored < 0.5:
        square = square.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return to_array(square)


def protocol_square(photo: Photo, size: int = 256) -> np.ndarray | None:
    """Return the square that is evaluated: short side to ``size``, centre crop.

    It is uint8 (3, size, size), or None for a photo whose square has hardly any colour.

    Raises:
        ImageError: the photo cannot be read.
    """
    picture = photo.read()
    square = center_square(picture, picture.size, size)
    return square if square_colorfulness(square) >= MIN_PROTOCOL_COLORFULNESS else None


def center_square(picture: Image.Image, shape: tuple[int, int], size: int = 256) -> np.ndarray:
    """Return a photo's square, uint8 (3, size, size): short side to ``size``, centre crop.

    Args:
        picture: the photo, or another picture of it that may be larger or smaller, or squeezed.
        shape: width and height of the photo itself.
        size: side of the square.
    """
    scale = size / min(shape)
    width, height = round(shape[0] * scale), round(shape[1] * scale)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return to_array(picture.crop((left, top, left + size, top + size)))


def picture_colorfulness(picture: Image.Image) -> float:
    """Colourfulness of a whole picture, from a thumbnail of it."""
    thumbnail = picture.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX, reducing_gap=1.0)
    return square_colorfulness(to_array(thumbnail))


def square_colorfulness(square: np.ndarray) -> float:
    """Colourfulness of a picture, uint8 (3, H, W)."""
    return colorfulness(torch.from_numpy(square)[None] / 255).item()

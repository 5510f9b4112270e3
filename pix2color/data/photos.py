"""Which photos there are, how they are split, and how one becomes a square of pixels."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image

from pix2color import images
from pix2color.errors import DataError
from pix2color.metrics import colorfulness

MIN_PROTOCOL_COLORFULNESS = 15.0
"""Photos below this say nothing about colourization and are not evaluated."""
_THUMBNAIL = 64


def collect(folders: list[Path]) -> list[Path]:
    """The photos below all ``folders``, each once, as absolute paths in a fixed order.

    Raises:
        MissingPathError: a folder is not there.
        DataError: a folder holds no photo.
    """
    found = {photo.resolve(): None for folder in folders for photo in images.find_photos(folder)}
    return sorted(found)


def split(photos: list[Path], fraction: float) -> tuple[list[Path], list[Path]]:
    """Training and validation photos; a photo's side depends on its content alone.

    Adding, renaming or moving files never moves another one across, and copies of one file
    stay together.
    """
    if not fraction:
        return photos, []
    train: list[Path] = []
    val: list[Path] = []
    for photo in photos:
        (val if content_share(photo) < fraction else train).append(photo)
    return train, val


def limited(photos: list[Path], count: int | None) -> list[Path]:
    """At most ``count`` of the photos, chosen by content: a larger count only adds some."""
    if count is None or count >= len(photos):
        return photos
    return sorted(sorted(photos, key=content_share)[:count])


def content_share(photo: Path) -> float:
    """A number in [0, 1) that the bytes of the file decide, evenly spread."""
    try:
        with photo.open("rb") as file:
            digest = hashlib.file_digest(file, "blake2b").digest()
    except OSError:  # counted as broken when it is read
        digest = hashlib.blake2b(os.fsencode(photo)).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def training_square(
    photo: Path,
    random: np.random.Generator,
    *,
    side: int,
    shape: Literal["crop", "squash"],
    min_scale: float,
    flip: bool,
    min_colorfulness: float,
) -> np.ndarray:
    """A random square of a photo, uint8 (3, side, side).

    Raises:
        ImageError: the photo cannot be read.
        DataError: it is gray or nearly so.
    """
    scale = random.uniform(min_scale, 1) if shape == "crop" else 1.0
    across, down, mirrored = random.random(3)
    # As large as any crop could need: whether a photo is gray must not depend on its crop.
    picture = images.read(photo, min_side=round(side / min_scale))
    colors = picture_colorfulness(picture)
    if colors < min_colorfulness:
        raise DataError(f"{photo}: gray or nearly so (colourfulness {colors:.1f})")
    box = (0.0, 0.0, float(picture.width), float(picture.height))
    if shape == "crop":
        edge = scale * min(picture.size)
        left, top = across * (picture.width - edge), down * (picture.height - edge)
        box = (left, top, left + edge, top + edge)
    square = picture.resize((side, side), Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)
    if flip and mirrored < 0.5:
        square = square.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return images.to_array(square)


def protocol_square(photo: Path, size: int = 256) -> np.ndarray | None:
    """The square that is evaluated: short side to ``size``, centre crop, uint8 (3, size, size).

    None for a photo whose square has hardly any colour.

    Raises:
        ImageError: the photo cannot be read.
    """
    picture = images.read(photo)
    scale = size / min(picture.size)
    width, height = round(picture.width * scale), round(picture.height * scale)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    square = images.to_array(picture.crop((left, top, left + size, top + size)))
    return square if _colorfulness(square) >= MIN_PROTOCOL_COLORFULNESS else None


def picture_colorfulness(picture: Image.Image) -> float:
    """Colourfulness of a whole picture, from a thumbnail of it."""
    thumbnail = picture.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX, reducing_gap=1.0)
    return _colorfulness(images.to_array(thumbnail))


def _colorfulness(square: np.ndarray) -> float:
    return colorfulness(torch.from_numpy(square)[None] / 255).item()

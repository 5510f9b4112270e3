"""A coloured photo, as a picture and as the bytes of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pix2color.color.recompose import Planes, recompose_deep
from pix2color.errors import ImageError
from pix2color.imaging.deep import encode_deep
from pix2color.imaging.grayscale import GrayPhoto
from pix2color.imaging.io import encode_picture, encode_planes
from pix2color.inference.options import DEEP, ColorizeOptions

_GAP = 16  # pixels between before and after
_LONGEST_JPEG = 65_500  # pixels of a side, for libjpeg
_WHITE_DOUBT = 50.0  # distance of a* and b* that is white in the map


@dataclass(frozen=True)
class ColoredPhoto:
    """A photo and its colour version at full size.

    Attributes:
        photo: as it was read.
        planes: its colour version, without transparency.
        ab: float32 (2, h, w), small, the colours that it was made by.
    """

    photo: GrayPhoto
    planes: Planes
    ab: np.ndarray

    def to_picture(self) -> Image.Image:
        """Return the colour version in mode RGB, or RGBA if the photo has transparency."""
        picture = self.planes.to_picture()
        if self.photo.alpha is not None:
            picture.putalpha(Image.fromarray(self.photo.alpha))
        return picture

    def encode(self, path: Path, options: ColorizeOptions) -> bytes:
        """Return the colour version as the bytes of a file.

        Args:
            path: of the file; its ending names the format.
            options: its ``depth``, ``quality`` and ``keep_metadata`` are used.

        Raises:
            ImageError: the format is unknown or cannot hold such a picture.
        """
        metadata = self.photo.metadata.marked() if options.keep_metadata else None
        if options.depth == DEEP:
            if self.photo.alpha is not None:
                raise ImageError(f"{path}: has transparency, which goes with --depth 8 alone")
            deep = self.photo.deep
            levels = self.photo.gray * np.uint16(257) if deep is None else deep
            return encode_deep(path, recompose_deep(levels, self.ab), metadata)
        return encode_planes(
            path, self.planes, quality=options.quality, alpha=self.photo.alpha, metadata=metadata
        )

    def encode_comparison(self, path: Path, options: ColorizeOptions) -> bytes:
        """Return before | after with white between, as the bytes of a file.

        They are side by side, and one above the other where that would be too wide for JPEG.
        Arguments and errors are those of ``encode``; no metadata is carried over.
        """
        gray, planes = self.photo.gray, self.planes
        axis = 1 if 2 * gray.shape[1] + 2 * _GAP <= _LONGEST_JPEG else 0
        white, neutral = list(gray.shape), list(planes.cb.shape)
        white[axis] = _GAP + gray.shape[axis] % 2
        neutral[axis] = (gray.shape[axis] + white[axis]) // 2
        unmoved = np.full(neutral, 128, np.uint8)
        pair = Planes(
            np.concatenate([gray, np.full(white, 255, np.uint8), planes.y], axis),
            np.concatenate([unmoved, planes.cb], axis),
            np.concatenate([unmoved, planes.cr], axis),
        )
        return encode_planes(path, pair, quality=options.quality)


def encode_doubt(doubt: np.ndarray) -> bytes:
    """Return a map of doubt, float32 (H, W), as the bytes of a PNG: the lighter, the more of it."""
    levels = doubt * (255 / _WHITE_DOUBT)
    picture = Image.fromarray(levels.clip(0, 255).round().astype(np.uint8))
    return encode_picture(picture, "PNG", 0, {})

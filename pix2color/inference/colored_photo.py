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
from pix2color.imaging.io import encode_planes
from pix2color.inference.options import DEEP, ColorizeOptions

_GAP = 16  # pixels between before and after


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
        """Return before | after, side by side with white between, as the bytes of a file.

        Arguments and errors are those of ``encode``; no metadata is carried over.
        """
        gray, planes = self.photo.gray, self.planes
        height, width = gray.shape
        white = np.full((height, _GAP + width % 2), 255, np.uint8)
        neutral = np.full((len(planes.cb), (width + white.shape[1]) // 2), 128, np.uint8)
        pair = Planes(
            np.concatenate([gray, white, planes.y], axis=1),
            np.concatenate([neutral, planes.cb], axis=1),
            np.concatenate([neutral, planes.cr], axis=1),
        )
        return encode_planes(path, pair, quality=options.quality)

"""Adjustments of predicted colours: saturation, temperature, and the colours of another photo."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from pix2color.color.lab import AB_SCALE, rgb_to_l_ab
from pix2color.errors import MissingPathError, UsageError
from pix2color.imaging.io import read_rgb, to_array, to_rgb
from pix2color.inference.options import MAX_TEMPERATURE, ColorizeOptions

_WARMEST = (4.0 / AB_SCALE, 16.0 / AB_SCALE)  # a* and b* that a temperature of 100 adds
_MIN_CHROMA = 3.0 / AB_SCALE  # spread below which a reference is a gray picture
_MAX_STRETCH = 3.0
_THUMBNAIL = 256


@dataclass(frozen=True, eq=False)  # arrays do not compare to one truth
class ChromaStatistics:
    """The mean (2,) and the covariance (2, 2) of a picture's ab, both float64."""

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def from_ab(cls, ab: np.ndarray) -> ChromaStatistics:
        """Return the statistics of ab (2, h, w)."""
        points = ab.reshape(2, -1).astype(np.float64)
        return cls(points.mean(1), np.cov(points, bias=True))

    @classmethod
    def from_rgb(cls, rgb: np.ndarray) -> ChromaStatistics:
        """Return the statistics of a colour photo (3, H, W), uint8 or in [0, 1].

        Raises:
            UsageError: it has no colour to speak of.
        """
        found = cls.from_ab(rgb_to_l_ab(rgb[None])[1][0])
        if found.covariance.trace() + (found.mean**2).sum() < _MIN_CHROMA**2:
            raise UsageError("a gray picture has no colours to take over; name a colour photo")
        return found

    @classmethod
    def from_photo(cls, photo: Path | str | Image.Image) -> ChromaStatistics:
        """Return the statistics of a colour photo, which is looked at reduced.

        Args:
            photo: a file's path, or a Pillow picture of any mode.

        Raises:
            MissingPathError: there is no such file.
            ImageError: the file cannot be read.
            UsageError: the photo has no colour to speak of.
        """
        if isinstance(photo, Image.Image):
            picture, name = to_rgb(photo), "like"
        else:
            path, name = Path(photo), str(photo)
            if not path.is_file():
                raise MissingPathError(f"{path}: no such file")
            picture = read_rgb(path, min_side=_THUMBNAIL)
        picture.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
        try:
            return cls.from_rgb(to_array(picture))
        except UsageError as error:
            raise UsageError(f"{name}: {error}") from error

    def transfer_to(self, ab: np.ndarray, own: ChromaStatistics | None = None) -> np.ndarray:
        """Return ab (2, h, w), float32, moved and stretched until it has these statistics.

        This is the linear map between two Gaussians that moves colours least (Pitié & Kokaram
        2007, "The linear Monge-Kantorovitch linear colour mapping for example-based colour
        transfer"), stretching threefold at most.

        Args:
            ab: what is moved.
            own: the statistics it starts from, by default its own; a frame of a film has those of
                its scene.
        """
        own = own or ChromaStatistics.from_ab(ab)
        # Hardly spread colours would be blown up to fill the reference's.
        root = _square_root(own.covariance + 1e-6 * np.eye(2))
        inverse = np.linalg.inv(root)
        transport = inverse @ _square_root(root @ self.covariance @ root) @ inverse
        values, vectors = np.linalg.eigh(transport)
        transport = vectors * values.clip(max=_MAX_STRETCH) @ vectors.T
        points = transport @ (ab.reshape(2, -1) - own.mean[:, None]) + self.mean[:, None]
        return points.astype(np.float32).reshape(ab.shape)


def with_statistics(options: ColorizeOptions) -> ColorizeOptions:
    """Return the options with the photo in ``like`` replaced by its statistics.

    So it is read once for many photos.

    Raises:
        MissingPathError, ImageError, UsageError: see ``ChromaStatistics.from_photo``.
    """
    if options.like is None or isinstance(options.like, ChromaStatistics):
        return options
    return replace(options, like=ChromaStatistics.from_photo(options.like))


def adjust(
    ab: np.ndarray, options: ColorizeOptions, own: ChromaStatistics | None = None
) -> np.ndarray:
    """Return ab (2, h, w), float32, adjusted by ``like``, saturation and temperature.

    They are applied in this order. The result may hold colours that do not exist in sRGB. ``own``
    are the statistics that ``like`` starts from; see ``ChromaStatistics.transfer_to``.
    """
    like = with_statistics(options).like
    if isinstance(like, ChromaStatistics):
        ab = like.transfer_to(ab, own)
    warmth = np.array(_WARMEST, np.float32) * (options.temperature / MAX_TEMPERATURE)
    return ab * np.float32(options.saturation) + warmth[:, None, None].astype(np.float32)


def _square_root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(values.clip(min=0)) @ vectors.T

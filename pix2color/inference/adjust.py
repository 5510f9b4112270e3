"""What people want done to colours after the network has made them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from pix2color.color.lab import AB_SCALE, rgb_to_l_ab
from pix2color.errors import UsageError
from pix2color.imaging.io import read_rgb, to_array

MAX_SATURATION = 3.0
MAX_TEMPERATURE = 100
_WARMEST = (4.0 / AB_SCALE, 16.0 / AB_SCALE)  # a* and b* that a temperature of 100 adds
_MIN_CHROMA = 3.0 / AB_SCALE  # spread below which a reference is a gray picture
_MOST_STRETCH = 3.0
_THUMBNAIL = 256


@dataclass(frozen=True, eq=False)  # tensors do not compare to one truth
class Mood:
    """Global chroma statistics: mean (2,) and covariance (2, 2) of ab."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, rgb: Tensor) -> Mood:
        """Of a colour photo, uint8 or [0, 1], (1, 3, H, W).

        Raises:
            UsageError: it has no colour to speak of.
        """
        mood = cls.of_ab(rgb_to_l_ab(rgb)[1])
        if mood.covariance.trace() + mood.mean.square().sum() < _MIN_CHROMA**2:
            raise UsageError("a gray picture has no colours to take over; name a colour photo")
        return mood

    @classmethod
    def of_file(cls, path: Path) -> Mood:
        """Of a colour photo on disk.

        Raises:
            ImageError: it cannot be read.
            UsageError: it has no colour to speak of.
        """
        picture = read_rgb(path, min_side=_THUMBNAIL)
        picture.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
        try:
            return cls.of(torch.from_numpy(to_array(picture))[None])
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error

    @classmethod
    def of_ab(cls, ab: Tensor) -> Mood:
        """Of ab (1, 2, h, w)."""
        points = ab[0].flatten(1).double()
        centred = points - points.mean(1, keepdim=True)
        return cls(points.mean(1), centred @ centred.T / points.shape[1])

    def give_to(self, ab: Tensor) -> Tensor:
        """ab (1, 2, h, w) moved and stretched until it has this mood.

        The linear map between two Gaussians that moves colours least (Pitié & Kokaram 2007,
        "The linear Monge-Kantorovitch linear colour mapping"), stretching threefold at most.
        """
        own = Mood.of_ab(ab)
        # Hardly spread colours would be blown up to fill the reference's.
        root = _power(own.covariance + 1e-6 * torch.eye(2), 0.5)
        inverse = torch.linalg.inv(root)
        transport = inverse @ _power(root @ self.covariance @ root, 0.5) @ inverse
        values, vectors = torch.linalg.eigh(transport)
        transport = vectors @ values.clamp(max=_MOST_STRETCH).diag() @ vectors.T
        points = ab[0].flatten(1).double() - own.mean[:, None]
        return (transport @ points + self.mean[:, None]).float().view_as(ab)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ values.clamp(min=0).pow(exponent).diag() @ vectors.T


@dataclass(frozen=True)
class Look:
    """Adjustments of predicted colours, in the order of their use.

    Attributes:
        like: mood of a colour photo to take over.
        saturation: factor of the chroma; 0 is gray, 1 as predicted.
        temperature: -100 (cool) to 100 (warm).
    """

    like: Mood | None = None
    saturation: float = 1.0
    temperature: float = 0.0

    def __call__(self, ab: Tensor) -> Tensor:
        """ab (1, 2, h, w) adjusted; colours that do not exist are dealt with later."""
        if self.like is not None:
            ab = self.like.give_to(ab)
        warmth = torch.tensor(_WARMEST).view(1, 2, 1, 1) * (self.temperature / MAX_TEMPERATURE)
        return ab * self.saturation + warmth

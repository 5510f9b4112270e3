"""The small gray pictures that a network looks at, made from photos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from pix2color.imaging.grayscale import GrayPhoto
from pix2color.inference.hints import Hint, paint_hints

_MULTIPLE = 16  # sides of what the network sees are multiples of it, so that photos share batches
_MIN_SIDE = 64  # less is less than the deepest layers need
_MAX_PIXELS = 2_000_000  # that the network is shown, of long strips …
_LONGEST_STRIP = _MAX_PIXELS // _MIN_SIDE  # … which are padded to that side
_FADED_BLACK, _FADED_WHITE = 30, 226  # gray levels, L* of 11 and 90
_FRESH_BLACK, _FRESH_WHITE = 17, 241  # L* of 5 and 95
_MIN_CONTRAST = 40  # stretching less would make colours of noise


@dataclass(frozen=True)
class ReducedPhoto:
    """A photo and its small version for the network.

    Attributes:
        photo: at full size.
        network_input: gray, uint8 (h, w).
        painted: uint8 (4, h, w), the hints in it, if there are any; see ``paint_hints``.
        hints: of the photo.
    """

    photo: GrayPhoto
    network_input: np.ndarray
    painted: np.ndarray | None = None
    hints: Sequence[Hint] = ()

    def mirrored(self) -> ReducedPhoto:
        """Return what the network would see of the photo in a mirror."""
        painted = None if self.painted is None else self.painted[..., ::-1]
        return replace(self, network_input=self.network_input[:, ::-1], painted=painted)

    @property
    def group(self) -> tuple[int, ...]:
        """The padded height and width; photos in which they are the same share batches."""
        return tuple(_padded(side) for side in self.network_input.shape)

    @property
    def weight(self) -> int:
        """The number of pixels of the photo, as a measure of the memory it takes."""
        return self.photo.gray.size


def reduce_photo(photo: GrayPhoto, render_size: int, hints: Sequence[Hint] = ()) -> ReducedPhoto:
    """Bring a photo to the size at which the network looks; smaller ones are enlarged.

    So that the same photo gets the same colours from a smaller file.

    Args:
        photo: of any size.
        render_size: short side of the result, in pixels; less for very long strips.
        hints: about its colours.

    Raises:
        UsageError: a hint lies outside of the photo.
    """
    picture = Image.fromarray(photo.gray)
    height, width = seen_size(picture.height, picture.width, render_size)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    reduced = np.asarray(picture)
    painted = paint_hints(hints, photo.gray.shape, reduced.shape) if hints else None
    return ReducedPhoto(photo, reduced, painted, hints)


def seen_size(height: float, width: float, render_size: int) -> tuple[int, int]:
    """Return the (h, w) at which a network looks at a picture; long strips stay affordable."""
    affordable = (_MAX_PIXELS / (height * width)) ** 0.5
    longest = _LONGEST_STRIP / max(height, width)
    scale = min(render_size / min(height, width), affordable, longest)
    return max(1, round(height * scale)), max(1, round(width * scale))


def stack(batch: list[ReducedPhoto]) -> np.ndarray:
    """Return the inputs of photos of one ``group`` as uint8 (N, H, W), their edges repeated."""
    height, width = batch[0].group
    inputs = [prepared.network_input for prepared in batch]
    return np.stack(
        [
            np.pad(gray, ((0, height - gray.shape[0]), (0, width - gray.shape[1])), mode="edge")
            for gray in inputs
        ]
    )


def stack_hints(batch: list[ReducedPhoto]) -> np.ndarray | None:
    """Return the painted hints of photos of one ``group``, uint8 (N, 4, H, W); None without any."""
    if all(prepared.painted is None for prepared in batch):
        return None
    stacked = np.zeros((len(batch), 4, *batch[0].group), np.uint8)
    for place, prepared in zip(stacked, batch, strict=True):
        if prepared.painted is not None:
            height, width = prepared.network_input.shape
            place[:, :height, :width] = prepared.painted
    return stacked


def restore_contrast(gray: np.ndarray) -> np.ndarray:
    """Return a faded picture, uint8 (h, w), with the contrast of a fresh one; any other as it is.

    So that a faded print gets the colours of a fresh one. Where either black or white is there, low
    contrast may well be the scene's own.
    """
    black, white = np.percentile(gray, (0.5, 99.5))
    if black < _FADED_BLACK or white > _FADED_WHITE:
        return gray
    shares = (np.arange(256) - black) / max(white - black, _MIN_CONTRAST)
    levels = _FRESH_BLACK + (_FRESH_WHITE - _FRESH_BLACK) * shares
    return levels.clip(0, 255).round().astype(np.uint8)[gray]


def halved(values: np.ndarray) -> np.ndarray:
    """Return the means of 2 x 2 in (…, H, W), both even: as fine as the network's colours are."""
    *others, height, width = values.shape
    return values.reshape(*others, height // 2, 2, width // 2, 2).mean((-3, -1))


def _padded(side: int) -> int:
    return max(_MIN_SIDE, math.ceil(side / _MULTIPLE) * _MULTIPLE)

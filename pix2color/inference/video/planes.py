"""The planes of a film's frames: the luma that is kept, and the chroma that is written beside it.

A frame's Y' is never changed, by not so much as a level. So of a colour only its difference to Y'
is written, and where the two together would leave the gamut, its chroma shrinks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange

from pix2color.color.lab import l_ab_to_rgb, lightness
from pix2color.inference.network_input import halved

# Formats whose first plane holds Y' alone, each sample in 8 or in 16 bits.
_PLAIN = re.compile(r"(gray|yuvj?4\d\dp|yuva4\d\dp|nv12|nv21|nv16)(\d+le)?$")
_DEEP = 10  # bits to which other deep formats are converted
_BT709, _SMPTE170M = 1, 6  # numbers of matrices (ITU-T H.273, table 4), as frames have them
# Red's and blue's share of Y' by matrix.
_SHARES = {
    _BT709: (0.2126, 0.0722),
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    _SMPTE170M: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
}
_HD_HEIGHT = 720  # from which on players take unnamed colours as those of HD
_DARKEST, _LIGHTEST = 60, 212  # grays between which chroma is taken as predicted
_STEEPEST = 16 / 255  # weaker chroma than this fades over as many levels
_STEPS = 2  # towards the colour of a given Y'


@dataclass(frozen=True)
class Luma:
    """The Y' of a frame, as it is coded.

    Attributes:
        plane: uint8 or uint16 (H, W).
        depth: its bits.
        full: whether it goes from 0 to the highest number; else from 16 to 235 of 256.
        matrix: says how Y' is made of red, green and blue: its number in ITU-T H.273.
    """

    plane: np.ndarray
    depth: int
    full: bool
    matrix: int

    @property
    def color_range(self) -> ColorRange:
        """FFmpeg's name of the range."""
        return ColorRange.JPEG if self.full else ColorRange.MPEG

    def shares(self, size: tuple[int, int]) -> np.ndarray:
        """Return the frame reduced to (h, w), float32: black is 0, and white 1."""
        levels = cv2.resize(self.plane, size[::-1], interpolation=cv2.INTER_AREA)
        unit = 1 << (self.depth - 8)
        black, white = (0, 256 * unit - 1) if self.full else (16 * unit, 235 * unit)
        shares = levels.astype(np.float32)
        shares -= np.float32(black)
        shares *= np.float32(1 / (white - black))
        return shares

    def gray(self, size: tuple[int, int]) -> np.ndarray:
        """Return the frame reduced to (h, w), as gray from 0 to 255, uint8."""
        return (self.shares(size) * 255).round().clip(0, 255).astype(np.uint8)

    def chroma(self, gray: np.ndarray, ab: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Return the planes of U and V, (2, h, w) in the type of ``plane``.

        Args:
            gray: what the network has seen, uint8, in the frame's own orientation.
            ab: float32 (2, h', w'), half as fine as ``gray``.
            size: (h, w) of the result.
        """
        maps = _chroma_maps(gray, ab, *_SHARES[self.matrix])
        u, v, below_white, above_black = (cv2.resize(plane, size[::-1]) for plane in maps)
        # In place: the time goes into memory.
        y = self.shares(size)
        below_white *= 1 - y
        above_black *= y
        factor = np.minimum(below_white, above_black, out=y).clip(0, 1, out=y)
        unit = 1 << (self.depth - 8)
        top = (256 * unit) - 1
        factor *= top if self.full else 224 * unit
        for plane in (u, v):
            plane *= factor
            plane += np.float32(128 * unit + 0.5)  # truncation rounds
            plane.clip(0, top, out=plane)
        return np.stack([plane.astype(self.plane.dtype) for plane in (u, v)])

    def shallower(self, depth: int) -> Luma:
        """Return the same in no more than so many bits."""
        if depth >= self.depth:
            return self
        step = self.depth - depth
        rounded = (self.plane.astype(np.uint32) + (1 << (step - 1))) >> step
        kind = np.uint8 if depth == 8 else np.uint16
        return Luma(rounded.clip(0, (1 << depth) - 1).astype(kind), depth, self.full, self.matrix)


def luma_of(frame: av.VideoFrame) -> Luma:
    """Return the Y' of a frame of any pixel format; of RGB, that of HD."""
    name = frame.format.name
    matrix = frame.colorspace if frame.colorspace in _SHARES else None
    if not _PLAIN.match(name):
        rgb = frame.format.is_rgb or frame.format.has_palette
        deep = max(part.bits for part in frame.format.components) > 8
        matrix = _BT709 if rgb else matrix
        frame = frame.reformat(
            format=f"yuv444p{_DEEP}le" if deep else "yuv444p",
            dst_colorspace=matrix if rgb else None,
            dst_color_range=ColorRange.MPEG if rgb else None,
        )
        name = frame.format.name
    depth = frame.format.components[0].bits
    # What says nothing else is studio range, but for JPEG's formats and gray ones.
    full = frame.color_range == ColorRange.JPEG or (
        frame.color_range != ColorRange.MPEG and name.startswith(("gray", "yuvj"))
    )
    if matrix is None:
        matrix = _BT709 if frame.height >= _HD_HEIGHT else _SMPTE170M
    return Luma(_first_plane(frame, depth), depth, full, matrix)


def colored_frame(luma: Luma, chroma: np.ndarray, layout: str) -> av.VideoFrame:
    """Return a frame of these planes, in a planar format that has their shapes and depth."""
    frame = av.VideoFrame(luma.plane.shape[1], luma.plane.shape[0], layout)
    for plane, levels in zip(frame.planes, (luma.plane, *chroma), strict=True):
        _lines(plane, levels.dtype)[:, : levels.shape[1]] = levels
    frame.color_range, frame.colorspace = luma.color_range, luma.matrix
    return frame


def _first_plane(frame: av.VideoFrame, depth: int) -> np.ndarray:
    kind = np.dtype(np.uint8 if depth == 8 else np.uint16)
    return _lines(frame.planes[0], kind)[:, : frame.width].copy()


def _lines(plane: av.video.plane.VideoPlane, kind: np.dtype) -> np.ndarray:
    return np.frombuffer(plane, kind).reshape(plane.height, plane.line_size // kind.itemsize)


def _chroma_maps(
    gray: np.ndarray, ab: np.ndarray, red_share: float, blue_share: float
) -> np.ndarray:
    """Return float32 (4, h', w'): U and V, each of ±0.5, and the slopes of the factor by which they
    shrink below white and above black."""
    height, width = gray.shape
    even = np.pad(gray, ((0, height % 2), (0, width % 2)), mode="edge")
    wanted = level = halved(even).clip(_DARKEST, _LIGHTEST)
    shares = np.array([red_share, 1 - red_share - blue_share, blue_share], np.float32)
    for _ in range(_STEPS):
        rgb = l_ab_to_rgb(lightness(level.round().astype(np.uint8))[None, None], ab[None])[0]
        y = np.tensordot(shares, rgb, 1)
        level = (level + wanted - 255 * y).clip(0, 255)
    offsets = rgb - y
    slopes = [1 / room.clip(min=_STEEPEST) for room in (offsets.max(0), -offsets.min(0))]
    u, v = offsets[2] / (2 * (1 - blue_share)), offsets[0] / (2 * (1 - red_share))
    return np.stack([u, v, *slopes]).astype(np.float32)

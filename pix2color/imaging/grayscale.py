"""A photo as a colourizer sees it: gray at full size, and all that must not get lost."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from pix2color.color.lab import rgb_to_gray
from pix2color.imaging import srgb
from pix2color.imaging.color_measure import (
    LEAST_COLOR,
    LOOKED_AT,
    color_measure,
    counts_as_color,
    is_doubtful,
)
from pix2color.imaging.damage import strictly_first
from pix2color.imaging.io import open_picture, read_file
from pix2color.imaging.jpeg import check_jpeg, decode_jpeg
from pix2color.imaging.levels import RANGE
from pix2color.imaging.metadata import Metadata
from pix2color.imaging.page_count import count_pages, page_note

_NEUTRAL = 3  # levels of Cb and Cr that JPEG leaves in a gray picture

Source = Path | str | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray
"""The ways to give a photo."""
_SHAPES = "(H, W), (H, W, 3) or (H, W, 4)"


@dataclass
class GrayPhoto:
    """A photo that was read, as gray, with what has to be carried over.

    Attributes:
        gray: uint8 (H, W), upright; sRGB gray of the photo's own luminance.
        deep: the same in 16 bits, uint16 (H, W), if the photo has more than 8.
        alpha: uint8 (H, W), or None.
        color: how much colour it has that no toning explains; see ``color_measure``.
        metadata: to be carried over.
        notes: what a person should know about the reading.
        pages: pages or frames of the file, of which this is the first.
    """

    gray: np.ndarray
    alpha: np.ndarray | None = None
    color: float = 0.0
    metadata: Metadata = field(default_factory=Metadata)
    notes: list[str] = field(default_factory=list)
    deep: np.ndarray | None = None
    pages: int = 1

    @property
    def has_color(self) -> bool:
        """Whether it is no black-and-white photo, toned or not."""
        return counts_as_color(self.color)

    @property
    def is_doubtful(self) -> bool:
        """Whether that may be wrong."""
        return is_doubtful(self.color)


def as_gray_photo(source: Source) -> GrayPhoto:
    """Return a photo that was given in any way as gray.

    Raises:
        ImageError: the file cannot be read.
        ValueError: an array has another shape or type, or values outside of [0, 1]; see
            ``Colorizer.colorize``.
    """
    if isinstance(source, (str, Path)):
        return read_gray_photo(Path(source))
    if isinstance(source, np.ndarray):
        if source.dtype == np.uint8 and source.ndim == 2 and source.size:
            return GrayPhoto(np.ascontiguousarray(source))
        return gray_photo(_picture_of(source))
    if isinstance(source, Image.Image):
        return gray_photo(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return read_gray_photo(Path("photo"), bytes(source))
    if not hasattr(source, "read"):
        raise ValueError(
            "a photo must be a path, the bytes of a file, an opened file, a Pillow picture or an "
            f"array. Got {type(source).__name__}"
        )
    name = getattr(source, "name", None)  # of some, it is a number
    return read_gray_photo(Path(name if isinstance(name, str) else "photo"), source.read())


def _picture_of(array: np.ndarray) -> Image.Image:
    if not array.size or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ValueError(f"a photo must have a shape of {_SHAPES}. Got {array.shape}")
    if np.issubdtype(array.dtype, np.floating):
        if not ((array >= 0) & (array <= 1)).all():
            raise ValueError("a floating-point photo must have values in [0, 1]")
        kind, top = (np.uint16, 65535) if array.ndim == 2 else (np.uint8, 255)
        array = np.rint(array.astype(np.float32) * top).astype(kind)
    if array.dtype != np.uint8 and (array.dtype != np.uint16 or array.ndim == 3):
        raise ValueError(
            f"a photo must be uint8 or floating point with a shape of {_SHAPES}, or uint16 with "
            f"one of (H, W). Got {array.dtype} {array.shape}"
        )
    picture = Image.fromarray(array)
    if array.dtype == np.uint16:
        picture.info[RANGE] = (0, 65535)
    return picture


def read_gray_photo(path: Path, data: bytes | None = None) -> GrayPhoto:
    """Read a photo of any kind that Pillow knows; of several pages or frames, the first.

    Args:
        path: names the photo in errors.
        data: the file's bytes, if they have been read already.

    Raises:
        ImageError: the file cannot be read, is no picture, damaged, or too large.
    """
    if data is None:
        data = read_file(path)
    photo, damage = strictly_first(lambda: _read(path, data))
    photo.notes += [damage] if damage else []
    return photo


def _read(path: Path, data: bytes) -> GrayPhoto:
    with open_picture(path, data) as file:
        photo = _decoded(file, data)
        # Once it is decoded, or what is wrong with the pixels is taken for wrong metadata.
        photo.metadata = Metadata.from_picture(file)
        photo.pages = count_pages(file, data)
        notes = (page_note(file, photo.pages), *photo.notes, _doubt(photo))
        photo.notes = [note for note in notes if note]
    return photo


def _doubt(photo: GrayPhoto) -> str:
    if photo.has_color or not photo.is_doubtful:
        return ""
    return f"perhaps in colour: {photo.color:.2f}, where {LEAST_COLOR:g} and more counts as colour"


def _decoded(file: Image.Image, data: bytes) -> GrayPhoto:
    plain = file.format in ("JPEG", "MPO") and file.mode in ("L", "RGB")
    if plain and not file.info.get("icc_profile") and not _stores_rgb(file):
        try:
            return _from_jpeg(file, data)
        except ValueError:  # of a rare kind, or damaged, which is tolerated
            return gray_photo(Image.open(io.BytesIO(data), formats=("JPEG",)))
    check_jpeg(file, data)
    return gray_photo(file)


def gray_photo(picture: Image.Image) -> GrayPhoto:
    """Return a picture of any mode, opened or made by Pillow, as a gray photo."""
    deep = srgb.deep_gray(picture) if srgb.is_deep(picture) else None
    notes = [srgb.reading_note(picture)]
    picture = srgb.standard(picture)
    alpha = np.asarray(picture.getchannel("A")) if picture.mode.endswith("A") else None
    if picture.mode[0] == "L":
        return GrayPhoto(np.asarray(picture.getchannel("L")), alpha, deep=deep, notes=notes)
    rgb = picture.convert("RGB")
    opaque = picture.getchannel("A") if alpha is not None else None
    color = color_measure(rgb.convert("YCbCr"), opaque)
    return GrayPhoto(rgb_to_gray(np.asarray(rgb)), alpha, color, notes=notes)


def _from_jpeg(file: Image.Image, data: bytes) -> GrayPhoto:
    """Read a JPEG without a colour profile by its Y' plane, wherever that is all it needs."""
    turn = srgb.orientation(file)
    chroma = None
    if file.mode == "RGB":
        # As it is stored, but smaller.
        width, height = (max(side // 8, min(side, LOOKED_AT)) for side in file.size)
        file.draft("YCbCr", (width, height))
        chroma = np.array([plane.getextrema() for plane in file.split()[1:]])
    # Most gray JPEG files have three channels: then the first one is all that is needed.
    if chroma is None or (abs(chroma - 128) <= _NEUTRAL).all():
        return GrayPhoto(srgb.turned(decode_jpeg(data, "GRAY")[..., 0], turn))
    gray = rgb_to_gray(decode_jpeg(data, "RGB"))
    return GrayPhoto(srgb.turned(gray, turn), None, color_measure(file))


def _stores_rgb(file: Image.Image) -> bool:
    """Return whether a JPEG holds R, G and B rather than Y', Cb and Cr; by the rule of libjpeg."""
    if "jfif" in file.info:
        return False
    if "adobe" in file.info:
        return file.info.get("adobe_transform") == 0
    return bytes(component[0] for component in getattr(file, "layer", [])) == b"RGB"

"""One photo as a colourizer sees it: gray at full size, and all that must not get lost."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

from pix2color import images, srgb
from pix2color.color import gray_of
from pix2color.errors import ImageError
from pix2color.fullsize import Planes, to_rgb
from pix2color.metadata import Metadata

DEFAULT_QUALITY = 92

# What is left of Cb and Cr in a thumbnail once a curve over Y' (the toning) and a slope over the
# place (a stain, uneven fading) are taken out. Of colour photos, 1 % look toned by this rule; of
# photos toned and stained by program, 0.8 % look coloured (benchmarks/processing.py).
_THUMBNAIL = 32
_DISTINCT = 6.0
_MAX_DISTINCT = 0.02
_NEUTRAL = 3  # levels of Cb and Cr that JPEG leaves in a gray picture


@dataclass
class Photo:
    """A photo that was read.

    Attributes:
        gray: uint8 (H, W), upright; sRGB gray of the photo's own luminance.
        alpha: uint8 (H, W), or None.
        has_colour: it is no black-and-white photo, toned or not.
        metadata: to be carried over.
        notes: what a person should know about the reading.
    """

    gray: np.ndarray
    alpha: np.ndarray | None = None
    has_colour: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    notes: list[str] = field(default_factory=list)


def read_photo(path: Path, data: bytes | None = None) -> Photo:
    """Read a photo of any kind that Pillow knows; of several pages or frames, the first.

    Args:
        path: names the photo in errors.
        data: the file's bytes, if they have been read already.

    Raises:
        ImageError: the file is no picture, damaged, or too large.
    """
    with images.opened(path, data) as file:
        notes, metadata = _pages(file), Metadata.of(file)
        if file.format in ("JPEG", "MPO") and not file.info.get("icc_profile"):
            photo = _from_jpeg(file, data)
        else:
            photo = from_picture(file)
    photo.metadata, photo.notes = metadata, notes
    return photo


def from_picture(picture: Image.Image) -> Photo:
    """A picture that Pillow has opened or made, of any mode."""
    picture = srgb.standard(picture)
    alpha = np.asarray(picture.getchannel("A")) if picture.mode.endswith("A") else None
    if picture.mode[0] == "L":
        return Photo(np.asarray(picture.getchannel("L")), alpha)
    rgb = picture.convert("RGB")
    return Photo(gray_of(np.asarray(rgb)), alpha, _has_colour(rgb.convert("YCbCr")))


def _from_jpeg(file: Image.Image, data: bytes | None) -> Photo:
    turn = srgb.orientation(file)
    if file.mode == "L" and data is not None:
        try:
            gray = simplejpeg.decode_jpeg(data, "GRAY")[..., 0]  # spares Pillow's copies
        except ValueError:  # damaged, perhaps only a little: Pillow decides
            return from_picture(file)
        return Photo(srgb.turned(gray, turn))
    if file.mode != "RGB" or _stores_rgb(file):
        return from_picture(file)
    # Most gray JPEG files have three channels: then the first one is all that is needed.
    file.draft("YCbCr", None)  # as it is stored
    y, cb, cr = file.split()
    levels = np.array([cb.getextrema(), cr.getextrema()])
    if (abs(levels - 128) <= _NEUTRAL).all():
        return Photo(srgb.turned(np.asarray(y), turn))
    rgb = np.asarray(to_rgb(y, cb, cr))
    return Photo(srgb.turned(gray_of(rgb), turn), None, _has_colour(file))


def _stores_rgb(file: Image.Image) -> bool:
    """Whether a JPEG holds R, G and B rather than Y', Cb and Cr; by the rule of libjpeg."""
    if "jfif" in file.info:
        return False
    if "adobe" in file.info:
        return file.info.get("adobe_transform") == 0
    return bytes(component[0] for component in getattr(file, "layer", [])) == b"RGB"


def _has_colour(picture: Image.Image) -> bool:
    """Whether a picture (YCbCr) has more colour than toning and stains give a gray one."""
    size = (min(_THUMBNAIL, picture.width), min(_THUMBNAIL, picture.height))
    thumbnail = np.asarray(picture.resize(size, Image.Resampling.BOX), dtype=np.float64) - 128
    down, across = (
        place.ravel() for place in np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    )
    y = thumbnail[..., 0].ravel() / 128
    explained = np.stack([np.ones_like(y), y, y**2, y**3, across, down], axis=1)
    chroma = thumbnail[..., 1:].reshape(-1, 2)
    left = chroma - explained @ np.linalg.lstsq(explained, chroma, rcond=None)[0]
    return bool((np.hypot(*left.T) > _DISTINCT).mean() >= _MAX_DISTINCT)


def _pages(file: Image.Image) -> list[str]:
    try:
        count = getattr(file, "n_frames", 1)
    except Exception:  # a later page is damaged: the first may still be sound
        return []
    kind = "page" if file.format == "TIFF" else "frame"
    return [f"first of {count} {kind}s"] if count > 1 and file.format != "MPO" else []


def encode(
    path: Path,
    planes: Planes,
    *,
    alpha: np.ndarray | None = None,
    metadata: Metadata | None = None,
    quality: int = DEFAULT_QUALITY,
) -> bytes:
    """A colour picture as a file in the format of the name's ending.

    Args:
        path: names the format, and the picture in errors.
        planes: the picture.
        alpha: uint8 (H, W); laid on white where the format has no transparency.
        metadata: to be written along.
        quality: of JPEG, WebP and AVIF, 1 to 100.

    Raises:
        ImageError: the format cannot hold such a picture.
    """
    file_format = images.format_of(path)
    try:
        if file_format == "JPEG" and alpha is None:
            return _jpeg(planes, quality, metadata)
        options = metadata.save_options(file_format) if metadata else {}
        picture = planes.to_picture()
        if alpha is not None:
            picture.putalpha(Image.fromarray(alpha))
            if file_format in ("JPEG", "BMP"):
                picture = srgb.without_alpha(picture)
        return images.encode(picture, file_format, quality, options)
    except (OSError, ValueError, MemoryError) as error:
        raise ImageError(f"{path}: cannot be written ({error})") from error


def _jpeg(planes: Planes, quality: int, metadata: Metadata | None) -> bytes:
    """The planes as they are, without a detour through RGB."""
    body = simplejpeg.encode_jpeg_yuv_planes(planes.y, planes.cb, planes.cr, quality=quality)
    return _jpeg_head(metadata) + body[_tables(body) :]


@functools.lru_cache(maxsize=64)  # the photos of a folder often say the same, or nothing
def _jpeg_head(metadata: Metadata | None) -> bytes:
    """The part of a JPEG file that holds metadata, as Pillow writes it."""
    options = metadata.save_options("JPEG") if metadata else {}
    stub = images.encode(Image.new("RGB", (8, 8)), "JPEG", DEFAULT_QUALITY, options)
    return stub[: _tables(stub)]


def _tables(jpeg: bytes) -> int:
    """Where the metadata of a JPEG file ends and its tables begin."""
    at = 2
    while 0xE0 <= jpeg[at + 1] <= 0xEF or jpeg[at + 1] == 0xFE:
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return at

"""JPEG files, decoded with a word about their damage, and made of planes without a detour."""

from __future__ import annotations

import io
import re
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
from PIL import Image, ImageFile

from pix2color.imaging.metadata import Metadata

if TYPE_CHECKING:
    from pix2color.color.recompose import Planes


_DAMAGE = re.compile(r"[Pp]remature end|bad \w+ code|instead of RST|extraneous bytes")
_PADDING = re.compile(r"\b[1-6]?\d extraneous bytes before marker 0xd9")  # of some cameras


def decode_jpeg(data: bytes, colors: str, *, small: bool = False) -> np.ndarray:
    """Decode a JPEG file; unlike Pillow, libjpeg-turbo says whether the data are damaged.

    Args:
        data: its bytes.
        colors: ``GRAY``, which is Y', ``RGB`` or ``CMYK``.
        small: at an eighth of its size, which costs less and finds the same damage.

    Returns:
        uint8 (H, W, C).

    Raises:
        OSError: it is damaged, and no damage is tolerated.
        ValueError: it is of a kind that is not decoded here, or so damaged that nothing is.
    """
    scale = {"min_height": 1, "min_width": 1, "min_factor": 8} if small else {}
    try:
        return simplejpeg.decode_jpeg(data, colors, **scale)
    except ValueError as error:
        said = str(error)
        if _PADDING.search(said):  # only then is what comes without strictness sure to be whole
            return simplejpeg.decode_jpeg(data, colors, strict=False, **scale)
        if _DAMAGE.search(said) and not ImageFile.LOAD_TRUNCATED_IMAGES:
            raise OSError(f"data are truncated or damaged: {said}") from error
        raise


def check_jpeg(file: Image.Image, data: bytes) -> None:
    """Check an opened file for damage, if it is a JPEG; see ``decode_jpeg``.

    Args:
        file: as Pillow has opened it.
        data: its bytes.

    Raises:
        OSError: it is damaged, and no damage is tolerated.
    """
    if file.format in ("JPEG", "MPO") and not ImageFile.LOAD_TRUNCATED_IMAGES:
        with suppress(ValueError):  # of a rare kind: Pillow says what it thinks of it
            decode_jpeg(data, "CMYK" if file.mode == "CMYK" else "RGB", small=True)


def encode_jpeg(planes: Planes, quality: int, metadata: Metadata | None) -> bytes:
    """Encode a colour picture's planes as they are.

    Args:
        planes: Y', Cb and Cr, the latter two at half the size.
        quality: 1 to 100.
        metadata: to be written along.

    Returns:
        The bytes of a baseline JPEG file with 4:2:0 chroma.
    """
    height, width = planes.y.shape
    y = planes.y
    if height % 2 or width % 2:
        # turbojpeg reads whole cells of 2 × 2 pixels: at an odd side, memory behind the plane.
        y = np.pad(y, ((0, height % 2), (0, width % 2)), mode="edge")
    body = simplejpeg.encode_jpeg_yuv_planes(y, planes.cb, planes.cr, quality=quality)
    if y.shape != planes.y.shape:
        body = _with_size(body, height, width)
    return _head(metadata) + body[_tables(body) :]


def _with_size(jpeg: bytes, height: int, width: int) -> bytes:
    """Return a JPEG file that shows less than the whole of its last blocks."""
    at = _tables(jpeg)
    while not 0xC0 <= jpeg[at + 1] <= 0xC2:  # the start of frame, which holds the size
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def _head(metadata: Metadata | None) -> bytes:
    """Return the part of a JPEG file that holds metadata, as Pillow writes it."""
    options = metadata.save_options("JPEG") if metadata else {}
    stub = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stub, "JPEG", **options)
    return stub.getvalue()[: _tables(stub.getvalue())]


def _tables(jpeg: bytes) -> int:
    """Return the offset at which the metadata of a JPEG file ends and its tables begin."""
    at = 2
    while 0xE0 <= jpeg[at + 1] <= 0xEF or jpeg[at + 1] == 0xFE:
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return at

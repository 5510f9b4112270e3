"""JPEG files made of planes, without a detour through RGB."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
from PIL import Image

from pix2color.imaging.metadata import Metadata

if TYPE_CHECKING:
    from pix2color.color.recompose import Planes


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

"""Photoshop files: the picture of all layers together, which most of them hold."""

from __future__ import annotations

import io
import struct
from pathlib import Path

from PIL import Image

from pix2color.errors import ImageError

PSD_START = b"8BPS"
_GRAY, _INDEXED, _RGB, _CMYK, _DUOTONE = 1, 2, 3, 4, 8
_VERSION_INFO = 1057  # a resource, which says whether there is such a picture
_EXIF, _XMP, _RESOLUTION = 1058, 1060, 1005
_CURE = "save it as a TIFF or PNG of 8 or 16 bits"


def open_psd(path: Path, data: bytes) -> Image.Image:
    """Return a Photoshop file as an opened picture; its ``info`` has EXIF, XMP and resolution.

    Args:
        path: names the file in errors.
        data: its bytes.

    Raises:
        ImageError: its colours are of another kind than 8 bits of gray, RGB, CMYK or a palette,
            or it holds layers alone.
        Exception: it is damaged.
    """
    version, bits, colors = struct.unpack_from(">4xH16xHH", data)
    if version != 1 or bits != 8 or colors not in (_GRAY, _INDEXED, _RGB, _CMYK, _DUOTONE):
        raise ImageError(f"{path}: is a Photoshop file of a kind that is not read here; {_CURE}")
    picture = Image.open(io.BytesIO(data), formats=("PSD",))
    resources = {number: found for number, _, found in picture.resources}  # type: ignore[attr-defined]
    if resources.get(_VERSION_INFO, b"\0\0\0\0\1")[4:5] == b"\0":
        raise ImageError(f"{path}: holds layers, and no picture of them together; {_CURE}")
    for name, number in (("exif", _EXIF), ("xmp", _XMP)):
        if number in resources:
            picture.info[name] = resources[number]
    if len(resources.get(_RESOLUTION, b"")) >= 12:
        across, down = struct.unpack_from(">I4xI", resources[_RESOLUTION])
        picture.info["dpi"] = across / 65536, down / 65536
    if picture.mode == "RGBA" and not _has_transparency(data):  # but a mask that somebody kept
        picture.load()
        opaque = picture.convert("RGB")
        opaque.format, opaque.info = picture.format, picture.info
        return opaque
    return picture


def _has_transparency(data: bytes) -> bool:
    """Return whether a fourth channel is the transparency of the whole picture."""
    at = 26
    for _ in range(2):  # the palette and the resources
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return int.from_bytes(data[at + 8 : at + 10], "big", signed=True) < 0

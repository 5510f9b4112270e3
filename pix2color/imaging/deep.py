"""Files of 16 bits a channel, which Pillow cannot write: PNG and TIFF.

Pillow writes a file of 8 bits with the metadata, in which the pixels are replaced.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from pix2color.errors import ImageError
from pix2color.imaging.io import file_format
from pix2color.imaging.metadata import Metadata

_RGB, _BITS = 2, 16
_COMPRESSION = 6
_WIDTH, _BITS_PER_SAMPLE = 256, 258  # tags of TIFF


def encode_deep(path: Path, rgb: np.ndarray, metadata: Metadata | None) -> bytes:
    """Return a picture as a PNG or TIFF file, as the name's ending says.

    Args:
        path: names the format, and the picture in errors.
        rgb: uint16 (H, W, 3).
        metadata: to be written along.

    Raises:
        ImageError: the format is another.
    """
    kind = file_format(path)
    if kind not in ("PNG", "TIFF"):
        raise ImageError(f"{path}: {kind} holds 8 bits; --depth 16 goes with --format png or tif")
    options = metadata.save_options(kind) if metadata else {}
    return (_png if kind == "PNG" else _tiff)(rgb, options)


def _png(rgb: np.ndarray, options: dict) -> bytes:
    height, width = rgb.shape[:2]
    rows = np.ascontiguousarray(rgb.astype(">u2")).view(np.uint8).reshape(height, -1)
    pixels = zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes(), _COMPRESSION)
    header = struct.pack(">IIBBBBB", width, height, _BITS, _RGB, 0, 0, 0)
    stub = io.BytesIO()
    Image.new("RGB", (1, 1)).save(stub, "PNG", **options)
    found, at = stub.getvalue(), 8
    out = [found[:at]]
    while at < len(found):
        length = int.from_bytes(found[at : at + 4], "big")
        kind, content = found[at + 4 : at + 8], found[at + 8 : at + 8 + length]
        content = {b"IHDR": header, b"IDAT": pixels}.get(kind, content)
        check = zlib.crc32(kind + content)
        out.append(struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check))
        at += 12 + length
    return b"".join(out)


def _tiff(rgb: np.ndarray, options: dict) -> bytes:
    height, width = rgb.shape[:2]
    # The pixels' bytes as a picture of 8 bits that is twice as wide: they are laid out alike.
    rows = np.ascontiguousarray(rgb.astype("<u2")).view(np.uint8).reshape(height, 2 * width, 3)
    stub = io.BytesIO()
    Image.fromarray(rows).save(stub, "TIFF", **options)
    out = bytearray(stub.getvalue())
    (at,) = struct.unpack_from("<I", out, 4)
    (count,) = struct.unpack_from("<H", out, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", out, entry)
        if tag == _WIDTH:
            struct.pack_into("<I", out, entry + 8, width)
        elif tag == _BITS_PER_SAMPLE:
            (place,) = struct.unpack_from("<I", out, entry + 8)
            struct.pack_into("<3H", out, place, _BITS, _BITS, _BITS)
    return bytes(out)

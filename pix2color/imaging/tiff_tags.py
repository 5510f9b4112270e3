"""A look at the tags of a TIFF file, or of EXIF, before anything reads them in full.

A tag says where its value lies and how long it is. Thousands that all point at one place make a
small file fill the memory of whoever copies each.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from PIL import Image

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SIZES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_MOST_TAGS = 4096


def check_tags(file: BinaryIO) -> None:
    """Check that the first directory promises no more than the file holds.

    Args:
        file: at the start of a TIFF or BigTIFF file, or of one in EXIF; it is left anywhere.

    Raises:
        ValueError: its values together are longer than the file, or it has too many tags.
        DecompressionBombError: its tiles have more pixels than Pillow would open.
    """
    start = file.read(16)
    if start[:4] not in STARTS:
        return
    order = "<" if start[:2] == b"II" else ">"
    big = b"+" in start[:4]
    offset = struct.unpack(f"{order}{'8xQ' if big else '4xI'}", start[: 16 if big else 8])[0]
    length = file.seek(0, 2)
    file.seek(offset)
    width, entry = (8, f"{order}HHQ8s") if big else (2, f"{order}HHI4s")
    count = int.from_bytes(file.read(width), "little" if order == "<" else "big")
    if count > _MOST_TAGS:
        raise ValueError("too many tags")
    size, promised, tile = struct.calcsize(entry), 0, {_TILE_WIDTH: 1, _TILE_LENGTH: 1}
    data = file.read(count * size)
    for tag, kind, values, inline in struct.iter_unpack(entry, data[: len(data) // size * size]):
        needed = _SIZES.get(kind, 1) * values
        promised += needed if needed > len(inline) else 0
        if tag in tile and kind in _INTEGERS and values:
            tile[tag] = struct.unpack_from(order + _INTEGERS[kind], inline)[0]
    if promised > length:
        raise ValueError("its tags are longer than the file")
    most = Image.MAX_IMAGE_PIXELS
    if most and tile[_TILE_WIDTH] * tile[_TILE_LENGTH] > 2 * most:
        raise Image.DecompressionBombError

"""Damage that decoders pass over: checksums that are wrong, streams that end before the picture.

Pillow never compares the checksums of a PNG's pixels, nor libtiff those of deflated strips; either
decodes what is damaged as well as it goes, without a word.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO

from PIL import Image

PNG_START = b"\x89PNG\r\n\x1a\n"
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT")
_BLOCK = 1 << 20
_STRIPS, _TILES = (273, 279), (324, 325)  # tags of TIFF: where they are, and how long
_DEFLATE = ("tiff_deflate", "tiff_adobe_deflate")


def check_png(file: BinaryIO) -> None:
    """Compare the checksums of a PNG's pixels.

    Args:
        file: behind the first eight bytes; it is left anywhere.

    Raises:
        OSError: one is wrong, or a chunk is not whole.
    """
    while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
        length, check = int.from_bytes(head[:4], "big"), zlib.crc32(head[4:])
        critical = head[4:] in _CRITICAL
        if not head[4:].isalpha():
            raise OSError("broken data stream: a chunk has no name")
        if not critical:
            file.seek(length + 4, 1)
            continue
        while length and (block := file.read(min(length, _BLOCK))):
            check, length = zlib.crc32(block, check), length - len(block)
        if length:
            raise OSError("file is truncated")
        if check != int.from_bytes(file.read(4), "big"):
            raise OSError("broken data stream: a checksum is wrong")


def check_deflated(data: bytes, picture: Image.Image) -> None:
    """Unpack the strips or tiles of an opened TIFF once, for their checksums, if they are deflated.

    Args:
        data: the bytes of its file.
        picture: as Pillow has opened it.

    Raises:
        OSError: one is damaged, or unpacks to more than the picture.
    """
    if picture.info.get("compression") not in _DEFLATE:
        return
    tags = picture.tag_v2  # type: ignore[attr-defined]
    places, lengths = _TILES if _TILES[0] in tags else _STRIPS
    left = 64 * picture.width * picture.height + _BLOCK  # tiles are larger than the picture
    for at, length in zip(tags[places], tags[lengths], strict=True):
        stream, rest = zlib.decompressobj(), data[at : at + length]
        try:
            while rest and not stream.eof and left > 0:
                left -= len(stream.decompress(rest, _BLOCK))
                rest = stream.unconsumed_tail
        except zlib.error as error:
            raise OSError(f"broken data stream: {error}") from error
        if not stream.eof:
            raise OSError("broken data stream: a strip is not whole")

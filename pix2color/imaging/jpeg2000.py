"""What a JPEG 2000 file says beside its pixels, which Pillow does not read."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

_CONTAINERS = (b"jp2h",)
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF = b"JpgTiffExif->JP2"
_PROFILES = (2, 3)  # ways to state colours: by an embedded profile
_MOST_BOXES = 1000


def add_info(picture: Image.Image, data: bytes) -> None:
    """Add profile, XMP and EXIF to the ``info`` of an opened picture.

    Args:
        picture: as Pillow has opened it.
        data: the bytes of its file.
    """
    picture.info.pop("comment", None)  # of the program that has written it
    for kind, content in _boxes(data):
        if kind == b"colr" and content[:1] and content[0] in _PROFILES:
            picture.info["icc_profile"] = content[3:]
        elif kind == b"uuid" and content.startswith(_XMP):
            picture.info["xmp"] = content[len(_XMP) :]
        elif kind == b"uuid" and content.startswith(_EXIF):
            picture.info["exif"] = content[len(_EXIF) :]


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the boxes of a file, up to the pixels; none of a bare stream."""
    at = 0
    for _ in range(_MOST_BOXES):
        length, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if kind in _CONTAINERS:
            at += head
            continue
        if length < head or not (kind.isalnum() or kind == b"jP  "):
            return
        if kind != b"jp2c":
            yield kind, data[at + head : at + length]
        at += length

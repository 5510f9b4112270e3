"""Captions, authors and rights that lie beside a picture: IPTC in Photoshop's image resources.

JPEG holds them in segments APP13, TIFF in two tags, PNG in a text that is called a raw profile, and
a Photoshop file among its resources.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator

from PIL import Image

CAPTIONS = "captions"
"""Key of ``Image.info`` of a TIFF with the bytes of the tags that hold them."""
HEAD = b"Photoshop 3.0\0"
_BLOCK = b"8BIM"
_IPTC, _COPYRIGHTED, _URL = 0x0404, 0x040A, 0x040B  # the others are about pixels, or printing
_DATASET = b"\x1c"
_UTF_8 = b"\x1c\x01\x5a\0\x03\x1b%G"
IPTC_TAG, RESOURCES_TAG = 33723, 34377  # of TIFF
_PROFILES = ("Raw profile type iptc", "Raw profile type 8bim")


def carried_resources(image: Image.Image) -> bytes:
    """Return the image resources of an opened picture that are about the photo, or nothing."""
    try:
        found: dict[int, bytes] = {}
        for data in _sources(image):
            if data[:1] == _DATASET:
                data = _packed(_IPTC, data)
            for number, content in _unpacked(data.removeprefix(HEAD)):
                found.setdefault(number, content)
        kept = [n for n in (_IPTC, _COPYRIGHTED, _URL) if found.get(n)]
        return b"".join(_packed(number, found[number]) for number in kept)
    except Exception:  # damaged metadata is no reason to lose the photo
        return b""


def iptc_of(resources: bytes) -> bytes:
    """Return the IPTC records among image resources."""
    return dict(_unpacked(resources)).get(_IPTC, b"")


def captions_of(resources: bytes) -> dict[int, str]:
    """Return the texts of IPTC's second record by number, such as 120, the caption."""
    iptc, texts, at = iptc_of(resources), {}, 0
    code = "utf-8" if _UTF_8 in iptc else "latin-1"
    while iptc[at : at + 1] == _DATASET:
        record, number, length = struct.unpack_from(">BBH", iptc, at + 1)
        if record == 2:
            texts[number] = iptc[at + 5 : at + 5 + length].decode(code, "replace")
        at += 5 + length
    return texts


def as_raw_profile(resources: bytes) -> str:
    """Return image resources as the text that ImageMagick and exiftool put into PNG files."""
    digits = binascii.hexlify(resources).decode()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    return f"\niptc\n{len(resources):8d}\n{lines}\n"


def _sources(image: Image.Image) -> Iterator[bytes]:
    segments = [data for name, data in getattr(image, "applist", []) if name == "APP13"]
    if segments:  # one list, split over as many as it takes
        yield b"".join(data.removeprefix(HEAD) for data in segments if data.startswith(HEAD))
    for number, _, data in getattr(image, "resources", []):
        yield _packed(number, data)
    texts = getattr(image, "text", {}) if image.format == "PNG" else {}
    for name in _PROFILES:
        if name in texts:
            yield binascii.unhexlify("".join(texts[name].split()[2:]))
    for data in image.info.get(CAPTIONS, ()):
        yield data if data[:1] in (_DATASET, _BLOCK[:1]) else _swapped(data)


def _swapped(data: bytes) -> bytes:
    """Return IPTC that was written as numbers of 32 bits in the order of another machine."""
    whole = len(data) // 4 * 4
    return struct.pack(f"<{whole // 4}I", *struct.unpack_from(f">{whole // 4}I", data))


def _packed(number: int, content: bytes) -> bytes:
    head = struct.pack(">4sHHI", _BLOCK, number, 0, len(content))
    return head + content + bytes(len(content) % 2)


def _unpacked(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while data[at : at + 4] == _BLOCK:
        (number,) = struct.unpack_from(">H", data, at + 4)
        at += 6 + (data[at + 6] + 2) // 2 * 2  # a name, mostly empty, of an even length
        (length,) = struct.unpack_from(">I", data, at)
        yield number, data[at + 4 : at + 4 + length]
        at += 4 + length + length % 2

"""EXIF: what of it is carried over from a photo of any format, with its text as it was written."""

from __future__ import annotations

from typing import Any

from PIL import ExifTags, Image

_ORIENTATION, _RESOLUTION = 0x0112, (0x011A, 0x011B, 0x0128)
# Tags of a TIFF file that describe how its pixels are laid out, or that are carried over as
# something else; not the photo.
_LAYOUT = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284}
    | {288, 289, 290, 291, 292, 293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325}
    | {330, 332, 333, 334, 336, 337, 338, 339, 340, 341, 342, 347, 512, 513, 514, 515}
    | {529, 530, 531, 532, 700, 33723, 34377, 34675, 37724}
)
_SIZES = {0xA002, 0xA003}
_USER_COMMENT = 0x9286


def carried_exif(image: Image.Image) -> bytes:
    """Return the EXIF of an opened picture that stays true of its colour version, or nothing."""
    try:
        # A copy, since the picture still needs its orientation.
        exif = load_exif(dump_exif(image.getexif()))
        for tag in set(exif) & (_LAYOUT | {_ORIENTATION, *_RESOLUTION}):
            del exif[tag]
        details = exif.get_ifd(ExifTags.IFD.Exif) if ExifTags.IFD.Exif in exif else {}
        for tag in _SIZES & set(details):  # of the photo before it was turned
            del details[tag]
        data = dump_exif(exif) if len(exif) else b""
        load_exif(data)
    except Exception:  # damaged metadata is no reason to lose the photo
        return b""
    return data


def load_exif(data: bytes) -> Image.Exif:
    """Return EXIF in which text that is not ASCII is bytes: Pillow writes it as question marks."""
    exif = Image.Exif()
    if data:
        exif.load(data)
    return _with_bytes(exif)


def dump_exif(exif: Image.Exif) -> bytes:
    """Return EXIF as bytes, its text as it was."""
    return _with_bytes(exif).tobytes()


def with_statements(data: bytes, statements: dict[int, str], comment: str = "") -> bytes:
    """Return EXIF with more in it.

    Args:
        data: EXIF, or nothing.
        statements: texts by tag; empty ones change nothing.
        comment: of the user, if it has none yet.
    """
    exif = load_exif(data)
    for tag, text in statements.items():
        if text:
            exif[tag] = text.encode()
    details: dict[int, Any] = exif.get_ifd(ExifTags.IFD.Exif)
    if comment and _USER_COMMENT not in details:
        ascii_only = comment.isascii()
        code = b"ASCII\0\0\0" if ascii_only else b"UNICODE\0"
        details[_USER_COMMENT] = code + comment.encode("ascii" if ascii_only else "utf-16-be")
        exif[ExifTags.IFD.Exif] = details
    return dump_exif(exif) if len(exif) else b""


def _with_bytes(exif: Image.Exif) -> Image.Exif:
    groups: list[Any] = [exif]
    groups += [exif.get_ifd(g) for g in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) if g in exif]
    for tags in groups:
        for tag, value in list(tags.items()):
            if isinstance(value, str) and not value.isascii():
                tags[tag] = value.encode("latin-1", "replace")  # as Pillow has decoded it
    return exif

"""Numbers of the pages and frames of a file, without a look at each of a million."""

from __future__ import annotations

import io

from PIL import Image

from pix2color.imaging.tiff_tags import MOST_PAGES, STARTS, main_directory

_WITH_COUNT = ("PNG", "WEBP", "AVIF", "HEIF")  # whose headers tell it
_EXTENSION, _FRAME = 0x21, 0x2C  # blocks of GIF
_HAS_COLORS, _COLORS = 0x80, 7  # flags of GIF


def page_note(picture: Image.Image, data: bytes) -> str:
    """Return that a picture is the first page or frame of several, or an empty text.

    Args:
        picture: as it was opened.
        data: the bytes of its file.
    """
    if data[:4] in STARTS:
        count, kind = main_directory(io.BytesIO(data))[1], "page"
    else:
        count, kind = _frames(picture, data), "frame"
    if count >= MOST_PAGES:
        return f"first of {MOST_PAGES} {kind}s or more"
    return f"first of {count} {kind}s" if count > 1 else ""


def _frames(picture: Image.Image, data: bytes) -> int:
    try:
        if picture.format == "GIF":
            return _gif_frames(data)
        return getattr(picture, "n_frames", 1) if picture.format in _WITH_COUNT else 1
    except Exception:  # a later one is damaged: the first may still be sound
        return 1


def _gif_frames(data: bytes) -> int:
    """Count the frames of a GIF up to the most; Pillow takes each apart to know the next."""
    count, at = 0, 13 + _color_table(data[10])
    while count < MOST_PAGES and at < len(data) and data[at] in (_EXTENSION, _FRAME):
        if data[at] == _FRAME:
            count += 1
            at += 11 + _color_table(data[at + 9])
        else:
            at += 2
        while data[at]:  # blocks of up to 255 bytes
            at += data[at] + 1
        at += 1
    return count


def _color_table(flags: int) -> int:
    return 3 << ((flags & _COLORS) + 1) if flags & _HAS_COLORS else 0

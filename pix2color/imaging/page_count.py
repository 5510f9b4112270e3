"""Numbers of the pages and frames of a file, without a look at each of a million."""

from __future__ import annotations

import contextlib

from PIL import Image

from pix2color.imaging.tiff_tags import MOST_PAGES

PAGES = "pages"
"""Key in ``Image.info`` of a TIFF: how many pages its file has, thumbnails left out."""
FIRST_OF = "first of "
"""How the note begins that a file has more pages than were read."""
_WITH_COUNT = ("PNG", "WEBP", "AVIF", "HEIF")  # whose headers tell it
_EXTENSION, _FRAME = 0x21, 0x2C  # blocks of GIF
_HAS_COLORS, _COLORS = 0x80, 7  # flags of GIF


def count_pages(picture: Image.Image, data: bytes) -> int:
    """Return how many pages or frames a file has, up to ``MOST_PAGES``.

    What is behind an MPO's photo, the layers of Photoshop and thumbnails are none.

    Args:
        picture: as it was opened.
        data: the bytes of its file.
    """
    if PAGES in picture.info:
        return int(picture.info[PAGES])
    if picture.format == "GIF":
        return max(1, _gif_frames(data))
    if picture.format not in _WITH_COUNT:
        return 1
    try:
        return min(getattr(picture, "n_frames", 1), MOST_PAGES)
    except Exception:  # a later one is damaged: the first may still be sound
        return 1


def page_note(picture: Image.Image, count: int) -> str:
    """Return that a picture is the first page or frame of several, or an empty text."""
    kind = "pages" if PAGES in picture.info else "frames"
    more = " or more" if count >= MOST_PAGES else ""
    return f"{FIRST_OF}{count} {kind}{more}" if count > 1 else ""


def _gif_frames(data: bytes) -> int:
    """Count the frames of a GIF up to the most; Pillow takes each apart to know the next."""
    count = 0
    with contextlib.suppress(IndexError):  # it ends too early
        at = 13 + _color_table(data[10])
        while count < MOST_PAGES and data[at] in (_EXTENSION, _FRAME):
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

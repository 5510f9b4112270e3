"""Files of several pages or frames, read and written as a whole: TIFF, WebP, GIF, PNG, AVIF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pix2color.errors import ImageError
from pix2color.imaging.color_measure import counts_as_color
from pix2color.imaging.damage import strictly_first
from pix2color.imaging.grayscale import gray_photo
from pix2color.imaging.io import encode_picture, file_format, open_picture
from pix2color.imaging.metadata import Metadata
from pix2color.imaging.opening import reason
from pix2color.imaging.page_count import PAGES, count_pages
from pix2color.imaging.srgb import standard
from pix2color.imaging.tiff import tiff_pages
from pix2color.imaging.tiff_tags import MOST_PAGES

_OF_SEVERAL_PAGES = ("TIFF", "WEBP", "GIF", "PNG", "AVIF")
_CLEARED = 2  # frames with transparency are shown alone, not one over the other


@dataclass(frozen=True)
class Page:
    """One page of a file.

    Attributes:
        picture: as it is, upright, in mode L, LA, RGB or RGBA.
        color: see ``GrayPhoto``.
        metadata: the page's own.
        milliseconds: for which it is shown, if it is a frame.
        loops: how often the frames are shown, 0 for ever; None: it does not say.
    """

    picture: Image.Image
    color: float
    metadata: Metadata
    milliseconds: float | None
    loops: int | None

    @property
    def has_color(self) -> bool:
        """Whether it is no black-and-white page, toned or not."""
        return counts_as_color(self.color)


def read_pages(path: Path, data: bytes) -> tuple[list[Page], str]:
    """Return the pages of a file, and a note if any is damaged, or an empty text.

    Args:
        path: names the file in errors.
        data: its bytes.

    Raises:
        ImageError: a page cannot be read, there are too many, or all together have more pixels than
            one picture may.
    """
    return strictly_first(lambda: list(_read_pages(path, data)))


def _read_pages(path: Path, data: bytes) -> Iterator[Page]:
    most, pixels = 2 * (Image.MAX_IMAGE_PIXELS or 0), 0
    with open_picture(path, data) as file:
        if count_pages(file, data) >= MOST_PAGES:
            raise ImageError(
                f"{path}: has {MOST_PAGES} pages or frames, or more, which are too many for "
                "--pages all; split the file"
            )
        for page in tiff_pages(path, data) if PAGES in file.info else _frames(file, data):
            pixels += page.width * page.height
            if 0 < most < pixels:
                raise ImageError(
                    f"{path}: its pages have more than {most / 1e6:g} megapixels together; if it "
                    "is to be trusted, raise --max-pixels"
                )
            page.load()
            metadata, info = Metadata.from_picture(page), page.info
            picture = Image.fromarray(np.asarray(standard(page)))  # without what was applied
            color = gray_photo(picture).color
            yield Page(picture, color, metadata, info.get("duration"), info.get("loop"))


def _frames(file: Image.Image, data: bytes) -> Iterator[Image.Image]:
    for number in range(count_pages(file, data)):
        file.seek(number)
        yield file


def encode_pages(
    path: Path, pages: Sequence[Page], pictures: Sequence[Image.Image], quality: int, *, keep: bool
) -> bytes:
    """Return pictures as the pages of one file, in the format of the name's ending.

    Args:
        path: names the format, and the file in errors.
        pages: as they were read; what is not in the pixels is taken from them.
        pictures: theirs, in the same modes.
        quality: of WebP and AVIF, 1 to 100.
        keep: carry metadata over.

    Raises:
        ImageError: the format has no pages.
    """
    kind = file_format(path)
    if kind not in _OF_SEVERAL_PAGES:
        raise ImageError(
            f"{path}: {kind} has no pages for the {len(pages)} of this file; "
            "choose --format tif, png or webp, or leave --pages all out"
        )
    first, *others = pictures
    options: dict[str, Any] = {"save_all": True, "append_images": others}
    if kind != "TIFF":
        options |= _timing(kind, pages, pictures)
    if keep:
        options |= pages[0].metadata.marked().save_options(kind)
        for page, picture in zip(pages[1:], others, strict=True):
            picture.encoderinfo = page.metadata.marked().save_options(kind)
    try:
        return encode_picture(first, kind, quality, options)
    except (OSError, ValueError, MemoryError) as error:
        raise ImageError(f"{path}: cannot be written ({reason(error)})") from error


def _timing(kind: str, pages: Sequence[Page], pictures: Sequence[Image.Image]) -> dict[str, Any]:
    times = [page.milliseconds for page in pages]
    options: dict[str, Any] = {}
    if all(time is not None for time in times):
        options["duration"] = [round(time or 0) for time in times]
    if pages[0].loops is not None and kind != "AVIF":
        options["loop"] = pages[0].loops
    if kind == "GIF" and any(picture.mode == "RGBA" for picture in pictures):
        options["disposal"] = _CLEARED
    return options

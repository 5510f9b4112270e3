"""Colouring of all pages or frames of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from pix2color.imaging.pages import Page, encode_pages, read_pages
from pix2color.inference.colorizer import Colorizer, ReducedPhoto, left_alone
from pix2color.inference.hints import Hint
from pix2color.inference.options import ColorizeOptions


@dataclass(frozen=True)
class ColoredPages:
    """All pages of a file, and their colour versions.

    Attributes:
        pages: as they were read.
        pictures: their colour versions; of those that had colour, what they were.
        notes: what a person should know of them.
    """

    pages: list[Page]
    pictures: list[Image.Image]
    notes: list[str]

    def encode(self, path: Path, options: ColorizeOptions) -> bytes:
        """Return the colour versions as one file; see ``encode_pages``."""
        quality, keep = options.quality, options.keep_metadata
        return encode_pages(path, self.pages, self.pictures, quality, keep=keep)


def read_first(
    colorizer: Colorizer,
    path: Path,
    data: bytes,
    options: ColorizeOptions,
    hints: Sequence[Hint] = (),
) -> ReducedPhoto:
    """Return a file's first page, which may have colour if it is not the only one.

    Arguments and errors are those of ``Colorizer.read``.
    """
    first = colorizer.read(path, data, replace(options, force=True), hints)
    if first.photo.pages == 1 and first.photo.has_color and not options.force:
        raise left_alone(path, first.photo.color)
    return first


def color_pages(
    colorizer: Colorizer,
    path: Path,
    data: bytes,
    options: ColorizeOptions,
    hints: Sequence[Hint] = (),
) -> ColoredPages:
    """Colour all pages of a file; those in colour stay as they are.

    Args:
        colorizer: the model.
        path: names the file in errors.
        data: its bytes.
        options: how.
        hints: what is known about the colours of the first page.

    Raises:
        HasColorError: all pages have colour already, and ``options.force`` is not set.
        ImageError: a page cannot be read, or all together are too large.
    """
    pages: list[Page] = []
    pictures: list[Image.Image] = []
    read, damage = read_pages(path, data)
    for page in read:
        picture = page.picture
        if options.force or not page.has_color:
            picture = colorizer.colorize(picture, options, hints=() if pages else hints)
        pages.append(page)
        pictures.append(picture)
    kept = 0 if options.force else sum(page.has_color for page in pages)
    if kept == len(pages):
        raise left_alone(path, min(page.color for page in pages))
    note = f"all {len(pages)} pages or frames"
    note += f", {kept} of them left in their colours" if kept else ""
    return ColoredPages(pages, pictures, [note, damage] if damage else [note])

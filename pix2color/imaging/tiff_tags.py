"""A look at the tags of a TIFF file, or of EXIF, before anything reads them in full.

A tag says where its value lies and how long it is. Thousands that all point at one place make a
small file fill the memory of whoever copies each, and pages that are chained by thousands take the
time of whoever counts them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MOST_PAGES = 1000
_SIZES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q"}
_NUMBERS |= {17: "q", 18: "Q"}
_TILE_WIDTH, _TILE_LENGTH, _SUBFILE, _OLD_SUBFILE, _SUB_DIRECTORIES = 322, 323, 254, 255, 330
_REDUCED, _MASK = 1, 4
_OLD_REDUCED = 2
_CAPTIONS = (34377, 33723)
_MOST_TAGS = 4096
_MOST_VALUES = 16  # that are looked at; longer ones are lists of places in the file


@dataclass(frozen=True)
class Directory:
    """The tags of one page.

    Attributes:
        offset: where it lies in the file.
        page: its number in the chain of pages, or None: it belongs to one of them.
        order: ``<`` or ``>``, the order of bytes.
        numbers: values of the tags that hold numbers, and not many.
        captions: bytes of the tags with Photoshop's image resources and with IPTC, if there.
    """

    offset: int
    page: int | None
    order: str
    numbers: dict[int, tuple[float, ...]]
    captions: tuple[bytes, ...] = ()

    @property
    def is_reduced(self) -> bool:
        """Whether it is a thumbnail, or a mask, of another page."""
        kind = int(self.number(_SUBFILE))
        return bool(kind & (_REDUCED | _MASK)) or self.number(_OLD_SUBFILE) == _OLD_REDUCED

    def number(self, tag: int, default: float = 0) -> float:
        """Return the first value of a tag."""
        return (self.numbers.get(tag) or (default,))[0]


def check_tags(file: BinaryIO) -> None:
    """Check that the first directory promises no more than the file holds.

    Args:
        file: at the start of a TIFF or BigTIFF file, or of one in EXIF; it is left anywhere.

    Raises:
        ValueError: its values together are longer than the file, or it has too many tags.
        DecompressionBombError: its tiles have more pixels than Pillow would open.
    """
    next(directories(file), None)


def directories(file: BinaryIO) -> Iterator[Directory]:
    """Yield the directories of the pages of a TIFF or BigTIFF file, checked as by ``check_tags``.

    There are ``MOST_PAGES`` at most. A chain that comes back to itself ends there.
    """
    start = file.read(16)
    if start[:4] not in STARTS:
        return
    reader = _Reader(file, "<" if start[:2] == b"II" else ">", b"+" in start[:4])
    (offset,) = struct.unpack_from(f"{reader.order}{'Q' if reader.big else 'I'}", start, reader.at)
    visited: set[int] = set()
    while offset and offset not in visited and len(visited) < MOST_PAGES:
        page, following = reader.read(offset, len(visited))
        visited.add(offset)
        yield page
        offset = following


def full_pages(file: BinaryIO) -> list[Directory]:
    """Return the directories of the pages that are no thumbnails; there is always one.

    If the file has but thumbnails, that is the picture that belongs to the first of them, or else
    they are its pages.

    Args:
        file: at the start of a TIFF or BigTIFF file; it is left anywhere.

    Raises:
        ValueError: there is no page; see ``check_tags``, too.
    """
    found: list[Directory] = []
    try:
        for page in directories(file):
            found.append(page)
    except Exception:  # a later page is damaged: the first may still be sound
        if not found:
            raise
    if not found:
        raise ValueError("there is no page in it")
    full = [page for page in found if not page.is_reduced]
    if full:
        return full
    first = found[0]
    big = first_bytes_big(file)
    for offset in first.numbers.get(_SUB_DIRECTORIES, ()):
        sub, _ = _Reader(file, first.order, big).read(int(offset), None)
        if not sub.is_reduced:
            return [sub]
    return found


def first_bytes_big(file: BinaryIO) -> bool:
    """Return whether a file is a BigTIFF."""
    file.seek(0)
    return b"+" in file.read(4)


class _Reader:
    """Reads single directories of an opened file."""

    def __init__(self, file: BinaryIO, order: str, big: bool) -> None:
        self.file, self.order, self.big = file, order, big
        self.at = 8 if big else 4  # where the first directory's offset lies
        self.length = file.seek(0, 2)

    def read(self, offset: int, page: int | None) -> tuple[Directory, int]:
        """Return a directory, and the offset of the next one, or 0."""
        width, entry = (8, f"{self.order}HHQ8s") if self.big else (2, f"{self.order}HHI4s")
        count = self._integer(offset, width)
        if count > _MOST_TAGS:
            raise ValueError("too many tags")
        size, promised = struct.calcsize(entry), 0
        data = self.file.read(count * size)
        following = self._integer(self.file.tell(), self.at)
        numbers: dict[int, tuple[float, ...]] = {}
        captions = []
        whole = data[: len(data) // size * size]
        for tag, kind, values, inline in struct.iter_unpack(entry, whole):
            needed = _SIZES.get(kind, 1) * values
            promised += needed if needed > len(inline) else 0
            if tag in _CAPTIONS:
                captions.append(self._bytes(needed, inline))
            elif kind in _NUMBERS and 0 < values <= _MOST_VALUES:
                numbers[tag] = self._values(kind, values, inline)
        if promised > self.length:
            raise ValueError("its tags are longer than the file")
        directory = Directory(offset, page, self.order, numbers, tuple(captions))
        most = Image.MAX_IMAGE_PIXELS
        if most and directory.number(_TILE_WIDTH, 1) * directory.number(_TILE_LENGTH, 1) > 2 * most:
            raise Image.DecompressionBombError
        return directory, following

    def _integer(self, offset: int, width: int) -> int:
        self.file.seek(offset)
        return int.from_bytes(self.file.read(width), "little" if self.order == "<" else "big")

    def _values(self, kind: int, count: int, inline: bytes) -> tuple[float, ...]:
        form = f"{self.order}{count}{_NUMBERS[kind]}"
        size = struct.calcsize(form)
        data = self._bytes(size, inline)
        return struct.unpack_from(form, data) if len(data) >= size else ()

    def _bytes(self, size: int, inline: bytes) -> bytes:
        if size <= len(inline):
            return inline[:size]
        self.file.seek(int.from_bytes(inline, "little" if self.order == "<" else "big"))
        return self.file.read(min(size, self.length))

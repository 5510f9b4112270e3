"""Prepared photos: small uint8 pictures in a few large files, read through an index.

A prepared folder holds ``prepared.json`` (how it was made), ``manifest.csv`` (for each picture its
source, hash, size, licence, and where its bytes are), ``dropped.csv`` (what was left out, and why)
and the pictures: raw RGB in ``pictures.bin``, or JPEG in WebDataset shards ``shard-….tar``.
"""

from __future__ import annotations

import csv
import functools
import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pix2color.errors import DataError, ImageError
from pix2color.imaging.io import open_picture

HEADER, MANIFEST, DROPPED = "prepared.json", "manifest.csv", "dropped.csv"
PICTURES = "pictures.bin"
_HASH_DIGITS = 16


@dataclass
class Entry:
    """One line of the manifest.

    Attributes:
        source: path of the photo that it was made from.
        bytes, modified: size and time (ns) of that file, to see whether it has changed.
        sha256: of that file.
        width, height: of the prepared picture.
        colorfulness: Hasler & Süsstrunk's.
        hash: perceptual, 128 bits in hexadecimal.
        licence: as a list of licences has it, or empty.
        file, offset, length: where the picture's bytes are.
    """

    source: str
    bytes: int
    modified: int
    sha256: str
    width: int
    height: int
    colorfulness: float
    hash: str
    licence: str = ""
    file: str = ""
    offset: int = 0
    length: int = 0


@dataclass
class Dropped:
    """One line of ``dropped.csv``: a photo that was left out, and why."""

    source: str
    bytes: int
    modified: int
    sha256: str
    reason: str


def is_prepared(folder: Path) -> bool:
    """Whether ``pix2color prepare`` has made it."""
    return (folder / HEADER).is_file()


def read_header(folder: Path) -> dict[str, Any]:
    """How a prepared folder was made.

    Raises:
        DataError: it cannot be read.
    """
    try:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
        return header if isinstance(header, dict) else {}
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / HEADER}: cannot be read ({error}); prepare anew") from error


def read_lines(path: Path) -> Iterator[dict[str, str]]:
    """Yield the whole lines of a CSV file; a last one that a kill cut short is passed over."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for line in csv.DictReader(text for text in file if text.endswith("\n")):
            if None not in line.values() and None not in line:
                yield line


class Store:
    """A prepared folder, to be read.

    The index is kept in arrays: millions of objects would be copied into every worker.

    Raises:
        DataError: it is empty, or its files do not hold what its manifest says.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        sources: list[str] = []
        files: dict[str, int] = {}
        places, sizes, colors, digits = array("q"), array("q"), array("d"), array("Q")
        try:
            for line in read_lines(self.folder / MANIFEST):
                sources.append(line["source"])
                file = files.setdefault(line["file"], len(files))
                places.extend((file, int(line["offset"]), int(line["length"])))
                sizes.extend((int(line["width"]), int(line["height"])))
                colors.append(float(line["colorfulness"]))
                digits.append(int(line["sha256"][:_HASH_DIGITS], 16))
        except (KeyError, ValueError) as error:
            raise DataError(
                f"{folder / MANIFEST}: cannot be read ({error}); prepare anew"
            ) from error
        if not sources:
            raise DataError(f"{folder}: no photo was prepared in it; see {folder / DROPPED}")
        order = sorted(range(len(sources)), key=sources.__getitem__)
        self.sources, self.files = [sources[i] for i in order], list(files)
        self.places = np.array(places).reshape(-1, 3)[order]
        self.sizes = np.array(sizes).reshape(-1, 2)[order]
        self.colors = np.array(colors)[order]
        self.shares = np.array(digits)[order] / 2.0**64
        self._check()

    def photos(self) -> list[StoredPhoto]:
        """Return all photos of the folder, sorted by source."""
        return [StoredPhoto(self, row) for row in range(len(self.sources))]

    def picture(self, row: int) -> Image.Image:
        """Return the picture of a row, in mode RGB."""
        file, offset, length = self.places[row].tolist()
        path = self.folder / self.files[file]
        data = _mapped(path, self.lengths[file])[offset : offset + length]
        if path.name == PICTURES:
            width, height = self.sizes[row].tolist()
            return Image.frombuffer("RGB", (width, height), data, "raw", "RGB", 0, 1)
        with open_picture(Path(self.sources[row]), data.tobytes()) as picture:
            return picture.convert("RGB")

    def _check(self) -> None:
        ends = np.zeros(len(self.files), np.int64)
        np.maximum.at(ends, self.places[:, 0], self.places[:, 1] + self.places[:, 2])
        self.lengths: list[int] = []
        for file, end in zip(self.files, ends.tolist(), strict=True):
            path = self.folder / file
            self.lengths.append(path.stat().st_size if path.is_file() else -1)
            if self.lengths[-1] < end:
                raise DataError(
                    f"{path}: is missing, or shorter than {MANIFEST} says; prepare anew"
                )


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo in a prepared folder, by its row there."""

    store: Store
    row: int

    @property
    def path(self) -> Path:
        """Path of the file that the photo was made from."""
        return Path(self.store.sources[self.row])

    @property
    def share(self) -> float:
        """Number in [0, 1) that is decided by the bytes of that file."""
        return float(self.store.shares[self.row])

    @property
    def colorfulness(self) -> float:
        """Colourfulness of the whole picture."""
        return float(self.store.colors[self.row])

    def read(self, min_side: int | None = None) -> Image.Image:
        """Return the picture, at the size that it was prepared at.

        Raises:
            ImageError: its bytes are damaged.
        """
        try:
            return self.store.picture(self.row)
        except (ValueError, OSError) as error:
            raise ImageError(f"{self.path}: its prepared picture cannot be read") from error


@functools.cache
def _mapped(path: Path, length: int) -> np.ndarray:
    """Return a file as it lies in memory; of another length, it was added to since."""
    return np.memmap(path, np.uint8, "r")

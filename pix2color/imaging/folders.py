"""Photos below a folder, and what else is there that a person should hear of."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pix2color.errors import DataError, MissingPathError
from pix2color.imaging.io import OWN_PICTURE, PHOTO_SUFFIXES

FILM_SUFFIXES = frozenset(
    {
        ".264", ".265", ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".m2ts",
        ".m2v", ".m4v",
        ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogm", ".ogv",
        ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m",
    }
)  # fmt: skip
"""Endings by which films are known."""
RECORDS = ".pix2color"
"""The folder in which a folder job keeps its records."""
_HEAD = 512  # bytes of a PNG within which we say that it is ours
_MOST_NAMED = 3
# A training's folder has sample pictures; these names are as ``training.run_folder`` has them.
_RUN, _IN_RUN = "config.yaml", {"metrics.jsonl", "checkpoints", "model.safetensors"}


@dataclass
class Search:
    """What was found below a folder.

    Attributes:
        photos: files whose names end as photos do, sorted.
        films: those whose names end as films do, sorted.
        unreadable: subfolders that could not be looked into, and pipes and devices that are named
            as photos, each with the reason.
        others: files of kinds that are not read.
        jobs: subfolders that a folder job has written into.
    """

    photos: list[Path] = field(default_factory=list)
    films: list[Path] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    jobs: list[Path] = field(default_factory=list)


def search(folder: Path) -> Search:
    """Look for photos below a folder, without hidden files and without our own by-products.

    Those are contact sheets and plots, which say so, and the folders of trainings.

    Raises:
        MissingPathError: there is no such folder.
    """
    if not folder.is_dir():
        raise MissingPathError(f"{folder}: no such folder; name one that holds photos")
    found, waiting, visited = Search(), [folder], set()
    while waiting:
        parent = waiting.pop()
        place = os.path.realpath(parent)
        if place in visited:  # a link back to where we have been
            continue
        visited.add(place)
        try:
            with os.scandir(parent) as listed:
                everything = list(listed)
        except OSError as error:
            found.unreadable[parent] = _reason(error)
            continue
        names = {entry.name for entry in everything}
        if parent is not folder and RECORDS in names:
            found.jobs.append(parent)
        if parent is folder or not _is_run(names):
            waiting += _sort_in([e for e in everything if not e.name.startswith(".")], found)
    found.photos.sort()
    found.films.sort()
    return found


def find_photos(folder: Path) -> list[Path]:
    """Return all photos below ``folder``, by file name ending, sorted; see ``search``.

    Raises:
        MissingPathError: there is no such folder.
        DataError: it holds no photo.
    """
    found = search(folder)
    if not found.photos:
        raise no_photo(folder, found)
    return found.photos


def no_photo(folder: Path, found: Search) -> DataError:
    """Return the error that no photo was found in a folder."""
    for place, reason in found.unreadable.items():
        return DataError(f"{place}: {reason}; give yourself the right to read it")
    endings = " ".join(sorted(PHOTO_SUFFIXES))
    return DataError(f"{folder}: no photo in it or below it; known endings are {endings}")


def describe_others(others: Iterable[Path]) -> str:
    """Return in one line how many files of which kinds were passed over; empty for none."""
    files = sorted(others)
    if not files:
        return ""
    kinds = Counter(path.suffix.lower() or "without ending" for path in files).most_common()
    named = ", ".join(map(str, files[:_MOST_NAMED])) + ", …" * (len(files) > _MOST_NAMED)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds)
    total = "1 file" if len(files) == 1 else f"{len(files)} files"
    return f"passed over: {total} of kinds that are not read ({counts}): {named}"


def is_film(path: Path) -> bool:
    """Return whether a file is a film by its name's ending."""
    return path.suffix.lower() in FILM_SUFFIXES


def _sort_in(entries: list[os.DirEntry[str]], found: Search) -> list[Path]:
    """Add what a folder holds to what was found, and return its subfolders."""
    folders = []
    for entry in entries:
        path = Path(entry.path)
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError as error:  # a link to where we may not look
            found.unreadable[path] = _reason(error)
            continue
        if is_folder:
            folders.append(path)
        elif path.suffix.lower() not in PHOTO_SUFFIXES | FILM_SUFFIXES:
            found.others.append(path)
        elif not is_file and path.exists():  # reading it might never end
            found.unreadable[path] = "is no file, but a pipe or a device"
        elif is_film(path):
            found.films.append(path)
        elif not _is_own_picture(path):
            found.photos.append(path)
    return folders


def _reason(error: OSError) -> str:
    return f"cannot be read ({error.strerror})"


def _is_run(names: set[str]) -> bool:
    return _RUN in names and not names.isdisjoint(_IN_RUN)


def _is_own_picture(path: Path) -> bool:
    if path.suffix.lower() != ".png":
        return False
    try:
        with path.open("rb") as file:
            return OWN_PICTURE in file.read(_HEAD)
    except OSError:  # whoever reads it next says what is wrong
        return False

"""What other programs have made of the photos: folders of pictures, paired with them by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pix2color.data.prepared import is_prepared
from pix2color.data.sources import Photo
from pix2color.errors import DataError, MissingPathError, UsageError
from pix2color.imaging.folders import search
from pix2color.inference.options import SUFFIX_BESIDE
from pix2color.progress import say

_MOST_NAMED = 3
_Key = Callable[[Path], str | None]


@dataclass(frozen=True)
class PredictionFolder:
    """A folder of coloured pictures, and how the system that made them is called."""

    name: str
    path: Path

    @classmethod
    def parse(cls, text: str) -> PredictionFolder:
        """Read ``FOLDER``, which is called by its last part, or ``NAME=FOLDER``.

        Raises:
            MissingPathError: there is no such folder.
        """
        name, equals, rest = text.partition("=")
        path = Path(rest if equals and not Path(text).is_dir() else text)
        if not path.is_dir():
            raise MissingPathError(f"{path}: no such folder; name one with the coloured pictures")
        return cls(name if path != Path(text) else path.resolve().name, path)


def folders_of_predictions(
    texts: Sequence[str], taken: Iterable[str]
) -> tuple[PredictionFolder, ...]:
    """Read folders as ``PredictionFolder.parse`` does, each called by a name of its own.

    Raises:
        MissingPathError: one is not there.
        UsageError: one has no name, that of another, or one that is taken.
    """
    found = [PredictionFolder.parse(text) for text in texts]
    names = [*taken, *(folder.name for folder in found)]
    for folder in found:
        if not folder.name or names.count(folder.name) > 1:
            raise UsageError(
                f"{folder.path}: the name {folder.name!r} is taken; "
                "give another one as --predictions NAME=FOLDER"
            )
    return tuple(found)


@dataclass(frozen=True)
class Predictions:
    """A system's pictures of some photos.

    Attributes:
        folder: where they are, and how the system is called.
        of: file of each photo that it has a picture of, by the photo's path.
    """

    folder: PredictionFolder
    of: Mapping[str, Path]

    @property
    def name(self) -> str:
        """How the system is called."""
        return self.folder.name


def paired(folder: PredictionFolder, photos: Sequence[Photo], roots: Sequence[Path]) -> Predictions:
    """Find a folder's picture of each photo by its name.

    The same relative path comes first, then the same without the ending of the picture, of both,
    and as ``colorize`` calls what it writes beside a photo. Then the last parts of the path, such
    as ``city/1``, and the name alone: of files that lie in no subfolder, whose folders would
    contradict, or of all if nothing else has found any. What is found is not looked at again.

    Args:
        folder: the coloured pictures.
        photos: the true ones.
        roots: folders that the photos were searched in.

    Raises:
        DataError: the folder has no picture of any of them, or two that could be of one.
    """
    names = _names(photos, roots)
    files = {path.relative_to(folder.path): path for path in search(folder.path).photos}
    same = {str(photo.path) for photo in photos}
    free = {name: path for name, path in files.items() if str(path.resolve()) not in same}
    found: dict[str, Path] = {}
    for of_photo, of_file in _ways(free):
        _pair(folder, names, free, found, of_photo, of_file)
    if not found:
        _pair(folder, names, free, found, _stem, _stem)
    if not found:
        raise DataError(
            f"{folder.path}: has no picture of the photos, such as one called "
            f"{next(iter(names.values()))[0].name}; a picture is known by the photo's name"
        )
    if free:
        others = _few(map(str, free.values()))
        say(f"{folder.name}: {len(free)} files are of none of the photos: {others}")
    return Predictions(folder, found)


def without_predictions(
    photos: list[Photo], roots: Sequence[Path], folders: Sequence[PredictionFolder]
) -> list[Photo]:
    """Return the photos but for those in folders of predictions that lie among them."""
    tops = [root.resolve() for root in roots]
    inside = [
        place
        for place in (folder.path.resolve() for folder in folders)
        if not any(top.is_relative_to(place) for top in tops)
    ]
    return [p for p in photos if not any(p.path.is_relative_to(place) for place in inside)]


def missing_in_words(name: str, missing: Sequence[str], photos: int) -> str:
    """Return a line that names the first of the photos that a system has no picture of."""
    return f"{name}: {len(missing)} of {photos} photos are missing: {_few(missing)}"


def _few(names: Iterable[str]) -> str:
    first, *others = names
    shown = [first, *others[: _MOST_NAMED - 1]]
    return ", ".join(shown) + ", …" * (len(others) >= _MOST_NAMED)


def _names(photos: Sequence[Photo], roots: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the relative paths under which each photo was found, and its whole one last.

    A photo may be found through a link, which has another name than the file.
    """
    names: dict[str, list[Path]] = {str(photo.path): [] for photo in photos}
    for root in roots:
        if is_prepared(root):
            continue
        for path in search(root).photos:
            names.get(str(path.resolve()), []).append(path.relative_to(root))
    return {path: [*found, Path(path)] for path, found in names.items()}


def _ways(files: Iterable[Path]) -> list[tuple[_Key, _Key]]:
    """Return by what a photo's name and a file's are held against each other, in order."""
    deepest = max((len(name.parts) for name in files), default=0)
    return [
        (str, str),
        (str, _without_ending),  # a.gif and a.gif.png, beside a.png
        (_without_ending, _without_ending),
        (lambda name: _without_ending(name) + SUFFIX_BESIDE, _without_ending),
        *((key, key) for key in map(_last_parts, range(deepest, 1, -1))),
        (_stem, lambda name: _stem(name) if len(name.parts) == 1 else None),
    ]


def _stem(name: Path) -> str:
    return name.stem


def _without_ending(name: Path) -> str:
    return str(name.with_suffix(""))


def _last_parts(count: int) -> _Key:
    def key(name: Path) -> str | None:
        parts = name.with_suffix("").parts
        return "/".join(parts[-count:]) if len(parts) >= count else None

    return key


def _pair(
    folder: PredictionFolder,
    names: dict[str, list[Path]],
    free: dict[Path, Path],
    found: dict[str, Path],
    of_photo: _Key,
    of_file: _Key,
) -> None:
    """Pair photos that have none yet with files that are free, by a key of their names."""
    files: dict[str, list[Path]] = defaultdict(list)
    for name in free:
        key = of_file(name)
        if key is not None:
            files[key].append(name)
    claims: dict[Path, str] = {}
    for photo, called in names.items():
        if photo in found:
            continue
        wanted = {name for key in map(of_photo, called) if key for name in files.get(key, ())}
        if len(wanted) > 1:
            first, second = sorted(str(folder.path / name) for name in wanted)[:2]
            raise DataError(f"{first} and {second} may both be of {photo}; keep one, or rename")
        for name in wanted:
            other = claims.setdefault(name, photo)
            if other != photo:
                raise DataError(
                    f"{folder.path / name}: may be of {other} or of {photo}; "
                    "keep the photos' folders, or rename"
                )
    for name, photo in claims.items():
        found[photo] = free.pop(name)

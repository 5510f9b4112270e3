"""Photo files to uint8 RGB and back."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pix2color.errors import DataError, ImageError, MissingPathError

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
)


def find_photos(folder: Path) -> list[Path]:
    """All photos below ``folder``, by file name ending, sorted; hidden files are passed over.

    Raises:
        MissingPathError: there is no such folder.
        DataError: it holds no photo.
    """
    if not folder.is_dir():
        raise MissingPathError(f"{folder}: no such folder; name one that holds photos")
    photos, visited = [], set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        place = os.path.realpath(parent)
        if place in visited:  # a link back to where we have been
            folders.clear()
            continue
        visited.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        photos += [
            Path(parent) / name
            for name in names
            if Path(name).suffix.lower() in PHOTO_SUFFIXES and not name.startswith(".")
        ]
    if not photos:
        raise DataError(
            f"{folder}: no photo in it or below it; known endings are "
            + " ".join(sorted(PHOTO_SUFFIXES))
        )
    return sorted(photos)


def read(path: Path, *, min_side: int | None = None) -> Image.Image:
    """Read a photo upright, as an 8-bit RGB picture.

    EXIF orientation is applied, 16-bit values are scaled, transparency is laid on white.

    Args:
        path: the file.
        min_side: if given, a JPEG may be decoded at a fraction of its size, as long as its
            short side keeps at least this many pixels (several times faster).

    Raises:
        ImageError: the file is no picture, damaged, or too large to be one.
    """
    try:
        with warnings.catch_warnings(), Image.open(path) as file:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if min_side is not None:
                shrink = min(1.0, min_side / min(file.size))
                file.draft("RGB", (round(file.width * shrink), round(file.height * shrink)))
            return _as_rgb(ImageOps.exif_transpose(file))
    except Exception as error:  # on damaged files Pillow raises whatever comes up
        raise ImageError(f"{path}: cannot be read as a picture ({_reason(error)})") from error


def write(path: Path, picture: Image.Image, *, quality: int = 95) -> None:
    """Write a picture in the format of the name's ending; never leaves half a file.

    JPEG and WebP get ``quality`` (0–100), JPEG without chroma subsampling.

    Raises:
        ImageError: the ending is unknown or the file cannot be written.
    """
    file_format = Image.registered_extensions().get(path.suffix.lower())
    if file_format is None:
        raise ImageError(f"{path}: no format is known for this ending; use .jpg or .png")
    options = {"quality": quality, "subsampling": 0} if file_format == "JPEG" else {}
    if file_format == "WEBP":
        options = {"quality": quality}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            picture.save(temporary, format=file_format, **options)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: cannot be written ({_reason(error)})") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path`` that takes its place only if the block succeeds."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def to_array(picture: Image.Image) -> np.ndarray:
    """uint8 (3, H, W), contiguous, from a Pillow RGB picture."""
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))


def from_array(array: np.ndarray) -> Image.Image:
    """Pillow RGB picture from uint8 (3, H, W)."""
    return Image.fromarray(np.ascontiguousarray(array.transpose(1, 2, 0)))


def in_rows(columns: Iterable[Iterable[np.ndarray]], *, gap: int = 4) -> np.ndarray:
    """One uint8 (3, H, W) picture from rows of equally large ones, with white gaps."""
    framed = [
        np.concatenate(
            [np.pad(p, ((0, 0), (0, gap), (0, gap)), constant_values=255) for p in row], axis=2
        )
        for row in columns
    ]
    return np.concatenate(framed, axis=1)[:, :-gap, :-gap]


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):  # convert() would clip at 255
        levels = np.asarray(image).astype(np.float32) / 257
        image = Image.fromarray(levels.round().clip(0, 255).astype(np.uint8))
    elif image.mode == "F":  # by convention 0 to 1
        levels = np.nan_to_num(np.asarray(image)) * 255
        image = Image.fromarray(levels.round().clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return image.convert("RGB")


def _reason(error: BaseException) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a known picture format"
    return getattr(error, "strerror", None) or text

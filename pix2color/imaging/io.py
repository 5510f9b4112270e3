"""Reading photo files of every kind as upright 8-bit sRGB, and writing them."""

from __future__ import annotations

import io
import stat
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, features
from PIL.PngImagePlugin import PngInfo

from pix2color.errors import ImageError, OwnColorsError, Pix2colorError
from pix2color.files import write_bytes
from pix2color.imaging.damage import tolerating_damage
from pix2color.imaging.formats import LOSSLESS_SUFFIXES, READ_ONLY_SUFFIXES
from pix2color.imaging.jpeg import check_jpeg, encode_jpeg
from pix2color.imaging.metadata import Metadata, is_colored_by_us
from pix2color.imaging.opening import open_any, readable, reason
from pix2color.imaging.srgb import standard, without_alpha

if TYPE_CHECKING:
    from pix2color.color.recompose import Planes

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
    | ({".avif"} if features.check("avif") else set())
    | READ_ONLY_SUFFIXES
)
OWN_PICTURE = b"tEXtSoftware\0pix2color"
"""In a PNG that shows pictures side by side, or curves: no photo."""
_WRITTEN = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "AVIF")


def read_rgb(path: Path, *, min_side: int | None = None, original: bool = False) -> Image.Image:
    """Read a photo upright, as an 8-bit sRGB picture in mode RGB.

    Transparency is laid on white; for everything else see ``standard``.

    Args:
        path: the file.
        min_side: if given, a JPEG may be decoded at a fraction of its size, as long as its
            short side keeps at least this many pixels (several times faster).
        original: refuse a photo that says that we have coloured it.

    Raises:
        ImageError: the file is no picture, damaged, or too large to be one.
        OwnColorsError: we have coloured it.
    """
    data = read_file(path)
    with without_warnings(), open_picture(path, data) as file:
        check_jpeg(file, data)
        if min_side is not None:
            shrink = min(1.0, min_side / min(file.size))
            file.draft("RGB", (round(file.width * shrink), round(file.height * shrink)))
        picture = to_rgb(file)
        if original and is_colored_by_us(file):
            raise OwnColorsError(f"{path}: was coloured by pix2color; train on true colours")
        return picture


def to_rgb(picture: Image.Image) -> Image.Image:
    """Return a picture of any mode upright, as 8-bit sRGB in mode RGB, on white."""
    return without_alpha(standard(picture)).convert("RGB")


def read_file(path: Path) -> bytes:
    """Return the bytes of a photo's file.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        check_is_file(path)
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror})") from error


def check_is_file(path: Path) -> None:
    """Check that something named as a photo is a file: reading a pipe might never end.

    Raises:
        ImageError: it is none.
        OSError: it cannot be looked at.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ImageError(f"{path}: is no file, but a folder, a pipe or a device")


@contextmanager
def open_picture(path: Path, data: bytes | None = None) -> Iterator[Image.Image]:
    """Open a photo's file without decoding it yet: the one way in for every reader.

    Args:
        path: of the file.
        data: its bytes, if they have been read already.

    Raises:
        ImageError: anything goes wrong in the block.
        MissingExtraError: it takes an extra to read such a file.
    """
    try:
        if data is None:
            check_is_file(path)
        with open_any(path, data) as file:
            yield file
    except Pix2colorError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path}: has more than {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:g} megapixels; "
            "if it is to be trusted, raise --max-pixels"
        ) from error
    except Exception as error:  # on damaged files Pillow raises whatever comes up
        raise ImageError(f"{path}: cannot be read as a picture ({reason(error)})") from error


@contextmanager
def without_warnings() -> Iterator[None]:
    """Silence Pillow's warnings about sizes and odd metadata; for one thread at a time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def reading_limits(*, max_pixels: int, allow_truncated: bool) -> Iterator[None]:
    """Set Pillow's own limits, and silence its warnings, for all threads while the block runs.

    Args:
        max_pixels: larger pictures are refused: a small file can unpack to fill the memory.
        allow_truncated: files that end too early are decoded as far as they go.
    """
    before = Image.MAX_IMAGE_PIXELS
    # Pillow refuses what is twice its figure, and only warns of the rest.
    Image.MAX_IMAGE_PIXELS = max(1, max_pixels // 2)
    try:
        with without_warnings(), tolerating_damage(allow_truncated):
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def write_picture(
    path: Path, picture: Image.Image, *, quality: int = 95, own: bool = False
) -> None:
    """Write a picture in the format of the name's ending; never leaves half a file.

    Args:
        path: of the file.
        picture: in mode RGB.
        quality: of JPEG, WebP and AVIF, 1 to 100.
        own: a PNG says that it is none of the person's photos.

    Raises:
        ImageError: the ending is unknown, or the format cannot hold the picture.
        StorageError: the file cannot be written.
    """
    kind = file_format(path)
    options: dict[str, Any] = {"subsampling": 0}
    if own and kind == "PNG":
        options["pnginfo"] = note = PngInfo()
        note.add_text("Software", "pix2color")
    try:
        data = encode_picture(picture, kind, quality, options)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: cannot be written ({reason(error)})") from error
    write_bytes(path, data)


def output_path(path: Path) -> Path:
    """Return a photo's path with the ending of its colour version.

    What is only read becomes a PNG if it is of a kind without loss, else a JPEG. GIF has too few
    colours for a photo; its colour version becomes a PNG.
    """
    suffix = path.suffix.lower()
    if suffix == ".gif" or suffix in LOSSLESS_SUFFIXES:
        return path.with_suffix(".png")
    return path.with_suffix(".jpg") if suffix in READ_ONLY_SUFFIXES else path


def file_format(path: Path) -> str:
    """Return Pillow's name of the format that a file name's ending asks for.

    Raises:
        ImageError: there is none that can be written.
    """
    readable()
    found = Image.EXTENSION.get(path.suffix.lower())
    if found not in _WRITTEN or found not in Image.SAVE:
        raise ImageError(
            f"{path}: no format is known for this ending; make it .jpg or .png, or use --format"
        )
    return found


def encode_picture(picture: Image.Image, kind: str, quality: int, options: dict[str, Any]) -> bytes:
    """Return a picture as the bytes of a file.

    Args:
        picture: in a mode that the format has.
        kind: Pillow's name of the format.
        quality: of JPEG, WebP and AVIF, 1 to 100.
        options: further keywords of ``Image.save``.
    """
    buffer = io.BytesIO()
    if kind in ("JPEG", "WEBP", "AVIF"):
        options = {"quality": quality, **options}
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def to_array(picture: Image.Image) -> np.ndarray:
    """Return a Pillow RGB picture as a contiguous array, uint8 (3, H, W)."""
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))


def from_array(array: np.ndarray) -> Image.Image:
    """Return an array, uint8 (3, H, W), as a Pillow RGB picture."""
    return Image.fromarray(np.ascontiguousarray(array.transpose(1, 2, 0)))


def picture_grid(columns: Iterable[Iterable[np.ndarray]], *, gap: int = 4) -> np.ndarray:
    """Join rows of equally large pictures to one, uint8 (3, H, W), with white gaps."""
    framed = [
        np.concatenate(
            [np.pad(p, ((0, 0), (0, gap), (0, gap)), constant_values=255) for p in row], axis=2
        )
        for row in columns
    ]
    return np.concatenate(framed, axis=1)[:, :-gap, :-gap]


def encode_planes(
    path: Path,
    planes: Planes,
    *,
    quality: int,
    alpha: np.ndarray | None = None,
    metadata: Metadata | None = None,
) -> bytes:
    """Return a colour picture as a file in the format of the name's ending.

    Args:
        path: names the format, and the picture in errors.
        planes: the picture.
        quality: of JPEG, WebP and AVIF, 1 to 100.
        alpha: uint8 (H, W); laid on white where the format has no transparency.
        metadata: to be written along.

    Raises:
        ImageError: the format cannot hold such a picture.
    """
    kind = file_format(path)
    try:
        if kind == "JPEG" and alpha is None:
            return encode_jpeg(planes, quality, metadata)
        options = metadata.save_options(kind) if metadata else {}
        picture = planes.to_picture()
        if alpha is not None:
            picture.putalpha(Image.fromarray(alpha))
            if kind in ("JPEG", "BMP"):
                picture = without_alpha(picture)
        return encode_picture(picture, kind, quality, options)
    except (OSError, ValueError, MemoryError) as error:
        raise ImageError(f"{path}: cannot be written ({reason(error)})") from error

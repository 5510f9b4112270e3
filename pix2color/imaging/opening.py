"""Opening of files of every format that is read, and what was wrong with those that are not."""

from __future__ import annotations

import functools
import io
from importlib import import_module
from pathlib import Path

from PIL import Image, ImageFile

from pix2color.imaging.checksums import PNG_START, check_png
from pix2color.imaging.formats import open_with_extra
from pix2color.imaging.tiff import open_tiff
from pix2color.imaging.tiff_tags import STARTS, check_tags

_PLUGINS = {
    "Jpeg": "JPEG",
    "Mpo": "MPO",
    "Png": "PNG",
    "Tiff": "TIFF",
    "WebP": "WEBP",
    "Bmp": "BMP",
    "Gif": "GIF",
    "Avif": "AVIF",
    "Jpeg2K": "JPEG2000",
    "Ppm": "PPM",
    "Psd": "PSD",
}
_OF_DAMAGE = ("truncated", "broken", "decod", "unrecognized data", "bad image data")


@functools.cache
def readable() -> tuple[str, ...]:
    """Return the formats that are opened by Pillow, once it has loaded them.

    It knows more, hands some, such as EPS, to programs of the system, and takes a tenth of a second
    to load all.
    """
    for plugin in _PLUGINS:
        import_module(f"PIL.{plugin}ImagePlugin")
    return tuple(name for name in _PLUGINS.values() if name in Image.OPEN)


def open_any(path: Path, data: bytes | None) -> Image.Image:
    """Return a photo's file as an opened picture, which is not decoded yet if Pillow reads it.

    Args:
        path: of the file.
        data: its bytes, if they have been read already.

    Raises:
        ImageError: it is of a kind that nobody reads.
        MissingExtraError: it takes an extra to read such a file.
        Exception: whatever comes up with damaged files.
    """
    with path.open("rb") if data is None else io.BytesIO(data) as start:
        check_tags(start)
        start.seek(0)
        first = start.read(8)
        if first == PNG_START and not ImageFile.LOAD_TRUNCATED_IMAGES:
            check_png(start)
    is_tiff = first[:4] in STARTS
    if data is None and is_tiff:
        # Pillow maps such files into memory, and those that are to be turned wrongly.
        data = path.read_bytes()
    source = path if data is None else io.BytesIO(data)
    file = open_with_extra(path, source)
    if file is None and is_tiff and data is not None:
        file = open_tiff(path, data)
    file = file or Image.open(source, formats=readable())
    _drop_false_exif(file)
    return file


def reason(error: Exception) -> str:
    """Return in a line what is wrong with a file, by what was raised on reading it."""
    said = error.args[0].decode(errors="replace") if _said_in_bytes(error) else str(error)
    text = said.splitlines()[0] if said else type(error).__name__
    if isinstance(error, Image.UnidentifiedImageError):
        return "empty, or of no format that is read here"
    text = getattr(error, "strerror", None) or text
    if any(word in text.lower() for word in _OF_DAMAGE):
        text += "; --allow-truncated takes what is there"
    return text


def _said_in_bytes(error: BaseException) -> bool:
    return bool(error.args) and isinstance(error.args[0], bytes)


def _drop_false_exif(file: Image.Image) -> None:
    exif = file.info.get("exif")
    try:
        if exif:
            check_tags(io.BytesIO(exif.removeprefix(b"Exif\0\0")))
    except Exception:  # damaged metadata is no reason to lose the photo
        file.info["exif"] = b""

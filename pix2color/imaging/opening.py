"""Opening of files of every format that is read, and what was wrong with those that are not."""

from __future__ import annotations

import functools
import io
from importlib import import_module
from pathlib import Path

from PIL import Image, ImageFile

from pix2color.imaging.checksums import PNG_START, check_png
from pix2color.imaging.formats import open_with_extra
from pix2color.imaging.jpeg2000 import add_info
from pix2color.imaging.levels import RANGE
from pix2color.imaging.psd import PSD_START, open_psd
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
_IN_16_BITS = ("JPEG2000", "PPM")  # which have been stretched to it, if they are deep
_START_OF_SCAN = b"\xff\xda"
_MOST_SCANS = 100  # of a progressive JPEG; each is as long to decode as the picture is large
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
        first = start.read(len(PNG_START))
        if first == PNG_START and not ImageFile.LOAD_TRUNCATED_IMAGES:
            check_png(start)
    formats, is_tiff = readable(), first[:4] in STARTS
    if data is None and (is_tiff or first.startswith(PSD_START)):
        # Pillow maps such TIFF files into memory, and those that are to be turned wrongly.
        data = path.read_bytes()
    source = path if data is None else io.BytesIO(data)
    file = open_with_extra(path, source)
    if file is None and data is not None and is_tiff:
        file = open_tiff(path, data)
    elif file is None and data is not None and first.startswith(PSD_START):
        file = open_psd(path, data)
    file = file or Image.open(source, formats=formats)
    if file.format in _IN_16_BITS and file.mode != "F":
        file.info[RANGE] = (0, 65535)
    if file.format == "JPEG2000" and data is not None:
        add_info(file, data)
    if file.info.get("progressive") and data and data.count(_START_OF_SCAN) > _MOST_SCANS:
        raise ValueError("has more scans than any photo, which would take for ever")
    _drop_false_exif(file)
    return file


def reason(error: Exception) -> str:
    """Return in a line what is wrong with a file, by what was raised on reading or writing it."""
    said = error.args[0].decode(errors="replace") if _said_in_bytes(error) else str(error)
    text = said.splitlines()[0] if said else type(error).__name__
    if isinstance(error, MemoryError):
        return "out of memory"
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

"""Photos of phones and cameras, HEIF and raw files, which take packages of their own to be read.

They are known by what is in them, since names get lost on the way; of raw files that look like a
TIFF, by their names, too.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from pix2color.extras import require

_HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
_RAW_SUFFIXES = frozenset(
    {".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"}
)
LOSSLESS_SUFFIXES = frozenset(
    {".psd", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"}
    | {".pgm", ".ppm", ".pbm", ".pnm", ".pfm", ".apng"}
)
"""Endings of those of them that hold pictures as they are."""
READ_ONLY_SUFFIXES = _HEIF_SUFFIXES | _RAW_SUFFIXES | LOSSLESS_SUFFIXES | {".mpo"}
"""Endings of files that are read and not written."""
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_RAW_STARTS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_NO_RAW_STARTS = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"RIFF", b"BM")  # whatever the name says
_MAKERS = ("nikon", "sony", "pentax", "ricoh", "samsung")  # whose raw files start with a thumbnail
_SUBFILE, _MAKE, _DNG_VERSION = 254, 271, 50706
_REDUCED = 1


def open_with_extra(path: Path, source: Path | io.BytesIO) -> Image.Image | None:
    """Return a HEIF file as an opened picture, or a raw file as a developed one, which is upright.

    Raw files get the white balance of the camera; their metadata are not read.

    Args:
        path: names the file.
        source: it, or its bytes.

    Returns:
        None if it is of another kind.

    Raises:
        MissingExtraError: the package that reads it is not installed.
        DecompressionBombError: it has more pixels than Pillow would open.
    """
    with _opened(source) as file:
        start = file.read(64)
        raw = _is_raw(start) or (start.startswith(_TIFF_STARTS) and _is_raw_tiff(file, start))
        file.seek(0)
    if start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS and b"avif" not in start:
        require("pillow_heif", str(path)).register_heif_opener()
        return Image.open(source, formats=("HEIF",))
    named = path.suffix.lower() in _RAW_SUFFIXES and not start.startswith(_NO_RAW_STARTS)
    if named or raw:
        return _developed(path, source)
    return None


def _opened(source: Path | io.BytesIO) -> AbstractContextManager[BinaryIO]:
    return source.open("rb") if isinstance(source, Path) else nullcontext(source)


def _is_raw(start: bytes) -> bool:
    canon = start.startswith(_TIFF_STARTS) and start[8:10] == b"CR"
    return start.startswith(_RAW_STARTS) or start[4:12] == b"ftypcrx " or canon


def _is_raw_tiff(file: BinaryIO, start: bytes) -> bool:
    """Return whether a TIFF is a raw file by its first directory, which Pillow may not open."""
    try:
        tags = ImageFileDirectory_v2(start[:8])
        file.seek(tags.next)
        tags.load(file)
        made = str(tags.get(_MAKE, "")).lower().startswith(_MAKERS)
        return _DNG_VERSION in tags or (made and tags.get(_SUBFILE) == _REDUCED)
    except Exception:  # whoever reads it next says what is wrong
        return False


def _developed(path: Path, source: Path | io.BytesIO) -> Image.Image:
    rawpy = require("rawpy", str(path))
    with rawpy.imread(str(source) if isinstance(source, Path) else source) as raw:
        pixels = raw.sizes.width * raw.sizes.height
        if Image.MAX_IMAGE_PIXELS and pixels > 2 * Image.MAX_IMAGE_PIXELS:
            raise Image.DecompressionBombError
        return Image.fromarray(raw.postprocess(use_camera_wb=True))

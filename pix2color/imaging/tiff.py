"""TIFF files of every kind: by Pillow what it reads right, the others by tifffile.

Pillow reads some kinds as something else without a word: 16 bits of which 0 is white as a negative,
16 bits in planes as stripes, signed values as unsigned ones.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from pix2color.errors import ImageError
from pix2color.extras import require
from pix2color.imaging.captions import CAPTIONS
from pix2color.imaging.checksums import check_deflated
from pix2color.imaging.levels import NOTE, RANGE, value_range
from pix2color.imaging.page_count import PAGES
from pix2color.imaging.tiff_tags import Directory, full_pages

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _COLORS, _FILL = 256, 257, 258, 259, 262, 266
_SAMPLES, _MAX, _PLANAR, _INKS, _EXTRA, _FORMAT = 277, 281, 284, 332, 338, 339
_SMIN, _SMAX, _SUBSAMPLING, _DEPTH = 340, 341, 530, 32997
_ORIENTATION, _ICC, _XMP = 274, 34675, 700
_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 282, 283, 296
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK, _YCBCR = 0, 1, 2, 5, 6
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _CMYK: 4}
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_DEEP = {(16, _UNSIGNED), (32, _UNSIGNED), (32, _SIGNED), (32, _FLOAT)}  # gray
_ASSOCIATED_ALPHA, _ALPHA = 1, 2
_RAW, _IN_PLANES = 1, 2
_BY_PILLOW = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000, 50001})
_MOST_SAMPLES = 8
# Tags that say where the pixels lie: long lists, of no use without them.
_PLACES = (273, 279, 324, 325, 288, 289, 330, 347, 512, 513, 514, 519, 520, 521)


def open_tiff(path: Path, data: bytes) -> Image.Image:
    """Return the first page of a TIFF file that is no thumbnail, as an opened or a made picture.

    ``Image.info`` has the number of such pages; of a deep one what the file states about its range
    of values, and of a made one the note of ``levels.value_range``, and its EXIF.

    Args:
        path: names the file in errors.
        data: its bytes.

    Raises:
        ImageError: it is of a kind that nobody reads.
        MissingExtraError: the package that reads its kind is not installed.
        DecompressionBombError: it has more pixels than Pillow would open.
        Exception: it is damaged.
    """
    pages = full_pages(io.BytesIO(data))
    picture = _open_page(path, data, pages[0])
    picture.info[PAGES] = len(pages)
    return picture


def tiff_pages(path: Path, data: bytes) -> Iterator[Image.Image]:
    """Yield all pages of a TIFF file that are no thumbnails; see ``open_tiff``."""
    for page in full_pages(io.BytesIO(data)):
        yield _open_page(path, data, page)


def _open_page(path: Path, data: bytes, page: Directory) -> Image.Image:
    if page.page is None or not _is_trusted(page):
        picture = _made(path, data, page)
    else:
        picture = _opened(data, page)
    picture.info[CAPTIONS] = page.captions
    return picture


def _opened(data: bytes, page: Directory) -> Image.Image:
    picture = Image.open(io.BytesIO(data), formats=("TIFF",))
    if page.page:
        picture.seek(page.page)
    if not ImageFile.LOAD_TRUNCATED_IMAGES:
        check_deflated(data, picture)
    picture.info[RANGE] = _stated_range(page)
    return picture


def _is_trusted(page: Directory) -> bool:
    """Return whether Pillow reads a page right, or says that it does not."""
    colors, samples = page.number(_COLORS), page.number(_SAMPLES, 1)
    compression = page.number(_COMPRESSION, _RAW)
    if compression not in _BY_PILLOW:
        return False
    if colors in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) and samples == 1:
        return _is_trusted_gray(page, compression == _RAW)
    bits, extra = page.number(_BITS, 1), samples - _CHANNELS.get(int(colors), int(samples))
    if page.number(_FORMAT, _UNSIGNED) != _UNSIGNED or bits > (
        16 if colors in (_RGB, _CMYK) else 8
    ):
        return False
    if page.number(_PLANAR, 1) == _IN_PLANES and samples > 1:
        return (bits, samples, colors) == (8, 3, _RGB)
    if colors == _YCBCR and compression == _RAW:
        return page.numbers.get(_SUBSAMPLING) == (1, 1)
    if colors == _BLACK_IS_ZERO:
        return bits == 8 and page.numbers.get(_EXTRA) == (_ALPHA,)
    return colors != _WHITE_IS_ZERO and (not extra or (extra == 1 and colors == _RGB))


def _is_trusted_gray(page: Directory, raw: bool) -> bool:
    kind = page.number(_BITS, 1), page.number(_FORMAT, _UNSIGNED)
    if kind[0] <= 8:
        return kind[1] == _UNSIGNED
    if page.number(_COLORS) == _WHITE_IS_ZERO or page.number(_FILL, 1) != 1:
        return False
    if page.order == "<":
        return kind in _DEEP
    # What libtiff has unpacked has its bytes turned already, which Pillow takes into account here.
    return kind == (16, _UNSIGNED) or (raw and kind in _DEEP - {(32, _UNSIGNED)})


def _stated_range(page: Directory) -> tuple[float, float] | None:
    """Return the least and the greatest value that a page states."""
    if page.number(_FORMAT, _UNSIGNED) != _UNSIGNED:
        low, high = page.numbers.get(_SMIN), page.numbers.get(_SMAX)
        return (min(low), max(high)) if low and high else None
    bits = page.number(_BITS, 1)
    if _MAX in page.numbers:
        return 0, max(page.numbers[_MAX])
    return None if bits in (8, 16, 32, 64) else (0, 2**bits - 1)


def _made(path: Path, data: bytes, page: Directory) -> Image.Image:
    values = _values(path, data, page)
    channels = _CHANNELS[int(page.number(_COLORS))]
    reach = value_range(values[..., :channels], _stated_range(page))
    alpha = _alpha(values[..., channels:], page)
    top = 255 if channels > 1 or alpha is not None else 65535
    planes = []
    for channel in range(channels):
        share = reach.shares(values[..., channel])
        if page.number(_COLORS) == _WHITE_IS_ZERO:
            share = 1 - share
        if alpha is not None and page.numbers[_EXTRA][_alpha_at(page)] == _ASSOCIATED_ALPHA:
            share = (share / np.maximum(alpha, 1e-6)).clip(0, 1)
        planes.append(np.rint(share * top).astype(np.uint8 if top == 255 else np.uint16))
    if alpha is not None and channels != _CHANNELS[_CMYK]:
        planes.append(np.rint(alpha * 255).astype(np.uint8))
    mode = "CMYK" if channels == _CHANNELS[_CMYK] else None
    pictures = [Image.fromarray(plane) for plane in planes]
    mode = mode or {1: None, 2: "LA", 3: "RGB", 4: "RGBA"}[len(pictures)]
    picture = Image.merge(mode, pictures) if mode else pictures[0]
    picture.info.update(_info(data, page))
    if top > 255:
        picture.info[RANGE] = (0, top)
    if reach.note:
        picture.info[NOTE] = reach.note
    return picture


def _values(path: Path, data: bytes, page: Directory) -> np.ndarray:
    """Return the values of a page as they are stored: (H, W, S) of any numeric type."""
    _check_kind(path, page)
    tifffile = require("tifffile", str(path))
    if page.number(_COMPRESSION, _RAW) != _RAW or page.number(_BITS, 1) not in (8, 16, 32, 64):
        require("imagecodecs", str(path))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        file.filehandle.seek(page.offset)
        pixels = tifffile.TiffPage(file, index=0)
        ends = [a + n for a, n in zip(pixels.dataoffsets, pixels.databytecounts, strict=True)]
        if 0 in pixels.databytecounts or not ends or max(ends) > len(data):
            raise ValueError("file is truncated")
        planes, _, height, width, samples = pixels.shaped
        values = pixels.asarray(maxworkers=1).reshape(planes, height, width, samples)
    return np.moveaxis(values, 0, -1)[:, :, 0] if planes > 1 else values[0]


def _check_kind(path: Path, page: Directory) -> None:
    """Check that a page is of a kind that ``_made`` knows, and no larger than allowed."""
    colors, samples = page.number(_COLORS), page.number(_SAMPLES, 1)
    bits, form = page.number(_BITS, 1), page.number(_FORMAT, _UNSIGNED)
    readable = (
        colors in _CHANNELS
        and _CHANNELS[int(colors)] <= samples <= _MOST_SAMPLES
        and (colors != _CMYK or page.number(_INKS, 1) == 1)
        and form in (_UNSIGNED, _SIGNED, _FLOAT)
        and len(set(page.numbers.get(_BITS, ()))) <= 1
        and page.number(_DEPTH, 1) == 1
    )
    if not readable:
        raise ImageError(
            f"{path}: is a TIFF of a rare kind (colour space {colors:g}, {samples:g} samples of "
            f"{bits:g} bits); save it as a plain TIFF or PNG, gray or RGB"
        )
    most = Image.MAX_IMAGE_PIXELS
    if most and page.number(_WIDTH) * page.number(_HEIGHT) > 2 * most:
        raise Image.DecompressionBombError


def _alpha_at(page: Directory) -> int:
    """Return which extra sample is transparency, or -1."""
    kinds = page.numbers.get(_EXTRA, ())
    return next((i for i, kind in enumerate(kinds) if kind in (_ASSOCIATED_ALPHA, _ALPHA)), -1)


def _alpha(extra: np.ndarray, page: Directory) -> np.ndarray | None:
    at = _alpha_at(page)
    if not 0 <= at < extra.shape[-1]:
        return None
    values = extra[..., at]
    bits = page.number(_BITS, 8) - (values.dtype.kind == "i")
    top = 1.0 if values.dtype.kind == "f" else 2.0**bits - 1
    return (values.astype(np.float32) / np.float32(top)).clip(0, 1)


def _info(data: bytes, page: Directory) -> dict[str, Any]:
    """Return what ``Image.info`` of a page would have: profile, XMP, resolution, and EXIF."""
    exif = Image.Exif()
    exif.bigtiff = data[2:3] == b"+" or data[3:4] == b"+"
    exif.endian = page.order
    exif.load_from_fp(io.BytesIO(data), page.offset)
    info: dict[str, Any] = {"exif": _exif_bytes(exif, int(page.number(_ORIENTATION, 1)))}
    for name, tag in (("icc_profile", _ICC), ("xmp", _XMP)):
        if isinstance(exif.get(tag), bytes):
            info[name] = exif[tag]
    factor = {2: 1.0, 3: 2.54}.get(int(page.number(_UNIT, 2)))
    if factor and _X_RESOLUTION in exif and _Y_RESOLUTION in exif:
        info["dpi"] = tuple(float(exif[t]) * factor for t in (_X_RESOLUTION, _Y_RESOLUTION))
    return info


def _exif_bytes(exif: Image.Exif, orientation: int) -> bytes:
    try:
        for tag in _PLACES:
            exif.pop(tag, None)
        return exif.tobytes()
    except Exception:  # damaged metadata is no reason to lose the photo
        only = Image.Exif()
        only[_ORIENTATION] = orientation
        return only.tobytes()

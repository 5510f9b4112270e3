"""Predicted colour, joined to a photo's own luminance at full size, nearly for free.

Going through Lab at 12 megapixels costs many times what reading and writing the file does. So
Lab is left at the size of the network: there each place gets its chroma as Cb and Cr of JPEG
(ITU-T T.871) and the range of gray in which that chroma exists. At full size remains what
depends on the pixel, a few operations on integers at half resolution: chroma shrinks where
the gray would leave that range, and Y' moves by what the chroma adds to the luminance.

Pixels that share a cell of 2 × 2, or in large photos of 4 × 4, share its chroma and the move of
their Y', so that none is clipped the smallest factor of them is taken.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pix2color.color.lab import l_ab_to_rgb, lightness, rgb_to_l_ab
from pix2color.processes import cores

# Y' minus gray, of colours with the gray's L*, is nearly m·c − q / (gray + OFFSET), c = (Cb, Cr).
# m follows from the luminance of sRGB and the luma of JPEG. q grows with c² and comes from the
# curvature of sRGB's transfer function; at each place it is taken so that Y' is exact for the
# gray that the network has seen there. The offset, fitted, holds it right for grays around.
_LINEAR = (0.1181, 0.2126)
_OFFSET = 12.0
_ROOT_STEPS = 2  # steps of √q to one: it is stored in 8 bits, up to 127
_ROOT_SCALE = np.float32(2**0.5 / (256 * _ROOT_STEPS))  # times the factor; for 2q
_ROUNDED = np.float32(256.5 - 128 * sum(_LINEAR))  # as Cb and Cr are 128 where there is no colour

_RGB_FROM_YCBCR = (
    (1, 0, 1.402, -128 * 1.402),
    (1, -0.344136, -0.714136, 128 * (0.344136 + 0.714136)),
    (1, 1.772, 0, -128 * 1.772),
)
_DARKEST, _LIGHTEST = 60, 212  # grays between which chroma is taken as predicted (L* 25 to 85)
# One of the fixed-point factor: how many grays from a limit, times that limit's slope.
_ONE = np.uint16(4096)
_TO_BYTE = 4  # bits from there to 256
_STEEPEST = 16.0  # grays; weaker chroma than this fades over as many
# Pixels worked on together: few enough for the cache, and enough that threads do not spend
# their time handing Python's lock to each other between short operations.
BLOCK_PIXELS = 131_072
# Photo pixels to a pixel of the maps from which on cells are 4 × 4: half the time, and colours
# differ from the exact way's by a ΔE00 of 0.1 more on average, 0.2 at edges (1 megapixel).
_LARGE = 12


@dataclass
class Planes:
    """A colour picture as JPEG has it: ``y`` (H, W), ``cb`` and ``cr`` half of that, uint8."""

    y: np.ndarray
    cb: np.ndarray
    cr: np.ndarray

    def to_picture(self) -> Image.Image:
        """Return the same as a Pillow RGB picture."""
        planes = [np.empty_like(self.y) for _ in range(3)]
        step = max(1, BLOCK_PIXELS // self.y.shape[1])

        def convert(top: int) -> None:
            halves, pixels = slice(top, top + step), slice(2 * top, 2 * (top + step))
            blue, red = (c[halves].astype(np.float32) - 128 for c in (self.cb, self.cr))
            for plane, (_, from_blue, from_red, _) in zip(planes, _RGB_FROM_YCBCR, strict=True):
                move = np.rint(from_blue * blue + from_red * red).astype(np.int16)
                _add_saturated(self.y[pixels], move, plane[pixels])

        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(convert, range(0, len(self.cb), step)))
        return Image.merge("RGB", list(map(Image.fromarray, planes)))


def _add_saturated(levels: np.ndarray, move: np.ndarray, out: np.ndarray) -> None:
    """Write pixels (uint8) with the moves of their cells of 2 × 2 (int16), within 0 to 255.

    It is done in 8 bits, by first making room for the move.
    """
    width = levels.shape[1]
    up, down = (np.maximum(steps, 0).astype(np.uint16) for steps in (move, -move))
    room, up, down = (_repeated(steps, 2)[:, :width] for steps in (255 - up, up, down))
    for row in range(2):
        lines = out[row::2]
        count = len(lines)
        np.minimum(levels[row::2], room[:count], out=lines)
        lines += up[:count]
        np.maximum(lines, down[:count], out=lines)
        lines -= down[:count]


@dataclass(frozen=True)
class ChromaMaps:
    """The chroma maps of a photo, at the size of the network.

    Attributes:
        channels: uint8 (h, w, 4): Cb, Cr and the slopes of the factor below white and above black.
        root: uint8 (h, w): √q, as explained above.
    """

    channels: np.ndarray
    root: np.ndarray


def chroma_maps(gray: np.ndarray, ab: np.ndarray) -> ChromaMaps:
    """Return the chroma maps of a photo.

    Args:
        gray: what the network has seen, uint8 (h, w).
        ab: float32 (2, h, w) in units of 110.
    """
    level = gray.clip(_DARKEST, _LIGHTEST)
    red, green, blue = l_ab_to_rgb(lightness(level)[None, None], ab[None])[0] * 255
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    cb, cr = (blue - y) / 1.772, (red - y) / 1.402
    moved = _LINEAR[0] * cb + _LINEAR[1] * cr
    curved = ((level + moved - y) * (level + _OFFSET)).clip(min=0)
    channels = np.stack([red, green, blue]) - y
    # The lightest and darkest gray at which all channels are within 0 to 255.
    lightest = _gray_at(255 - channels.max(0) - moved, curved)
    darkest = _gray_at(-channels.min(0) - moved, curved)
    slopes = [int(_ONE) / room.clip(min=_STEEPEST) - 0.5 for room in (255 - lightest, darkest)]
    return ChromaMaps(
        _as_bytes(np.stack([cb + 128, cr + 128, *slopes], axis=2)),
        _as_bytes(_ROOT_STEPS * np.sqrt(curved)),
    )


def _as_bytes(levels: np.ndarray) -> np.ndarray:
    return levels.round().clip(0, 255).astype(np.uint8)


def _gray_at(level: np.ndarray, curved: np.ndarray) -> np.ndarray:
    """Return the gray that solves gray − curved / (gray + OFFSET) = level."""
    half = (level + _OFFSET) / 2
    return half + np.sqrt(half * half + curved) - _OFFSET


def recompose(gray: np.ndarray, maps: ChromaMaps) -> Planes:
    """Join chroma maps to a photo of any size.

    Args:
        gray: the photo, uint8 (H, W).
        maps: of this one.

    Returns:
        The planes of a picture whose L* is the photo's: 0.15 off on average, 99.9 % within 1.
    """
    height, width = gray.shape
    cell = 4 if min(gray.shape) >= _LARGE * min(maps.root.shape) else 2
    rows, columns = -(-height // cell), -(-width // cell)
    # CMYK: four channels of which Pillow takes none for an alpha. As one number a place.
    packed = _enlarged(maps.channels, "CMYK", rows, columns).view(np.dtype("<u4"))[..., 0]
    root = _enlarged(maps.root, "L", rows, columns)
    planes = Planes(
        np.empty_like(gray),
        *(np.empty(((height + 1) // 2, (width + 1) // 2), np.uint8) for _ in range(2)),
    )
    step = max(1, BLOCK_PIXELS // columns)
    for top in range(0, rows, step):
        cells, halves, pixels = (slice(top * n, (top + step) * n) for n in (1, cell // 2, cell))
        part = Planes(planes.y[pixels], planes.cb[halves], planes.cr[halves])
        _join_block(gray[pixels], packed[cells], root[cells], cell, part)
    return planes


def recompose_deep(gray: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Join ab to a photo of any size by the exact way through Lab, which takes its time.

    Args:
        gray: the photo, uint16 (H, W).
        ab: float32 (2, h, w) in units of 110.

    Returns:
        RGB, uint16 (H, W, 3), whose L* is the photo's; where a colour does not exist in sRGB, its
        chroma is less.
    """
    height, width = gray.shape
    channels = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
        for plane in ab
    ]
    rgb = np.empty((height, width, 3), np.uint16)
    step = max(1, BLOCK_PIXELS // width)
    for top in range(0, height, step):
        rows = slice(top, top + step)
        shares = np.broadcast_to(gray[rows] / np.float32(65535), (1, 3, *gray[rows].shape))
        L, _ = rgb_to_l_ab(shares)
        ab_here = np.stack([plane[rows] for plane in channels])[None]
        # Without tolerance, which would be visible to 16 bits in the shadows.
        colored = l_ab_to_rgb(L, ab_here, tolerance=0.0)[0]
        rgb[rows] = np.rint(colored * 65535).transpose(1, 2, 0)
    return rgb


def _enlarged(levels: np.ndarray, mode: str, rows: int, columns: int) -> np.ndarray:
    height, width = levels.shape[:2]
    picture = Image.frombuffer(mode, (width, height), levels, "raw", mode, 0, 1)
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BILINEAR))


def _join_block(
    gray: np.ndarray, packed: np.ndarray, roots: np.ndarray, cell: int, out: Planes
) -> None:
    """Write ``out`` of some rows.

    All is done in place on numbers of 16 bits where it can be: the time goes into memory.
    """
    rows, columns = packed.shape
    missing = rows * cell - gray.shape[0], columns * cell - gray.shape[1]
    whole = np.pad(gray, [(0, more) for more in missing], mode="edge") if any(missing) else gray
    dark, light = _extreme(whole, cell, np.minimum), _extreme(whole, cell, np.maximum)

    chroma = packed.astype(np.uint16)  # Cb, and Cr in the upper byte
    slopes = (packed >> 16).astype(np.uint16)  # below white, above black in the upper byte
    factor = 255 - light
    factor *= slopes & 255
    slopes >>= 8
    slopes *= dark
    np.minimum(factor, slopes, out=factor)
    np.minimum(factor, _ONE, out=factor)
    factor >>= _TO_BYTE  # 256 to one

    # (chroma - 128) · factor / 256 + 128, rounded, without leaving 16 bits.
    rest = 257 - factor
    rest <<= 7
    blue, red = chroma & 255, chroma >> 8
    for plane, half in ((blue, out.cb), (red, out.cr)):
        plane *= factor
        plane += rest
        plane >>= 8
        spread = _repeated(plane, cell // 2)
        for row in range(cell // 2):
            lines = half[row :: cell // 2]
            np.copyto(lines, spread[: len(lines), : lines.shape[1]], casting="unsafe")

    # The formula of Y', in float. Twice the gray is at hand as dark + light.
    shift, moved_red = blue.astype(np.float32), red.astype(np.float32)
    shift *= _LINEAR[0]
    moved_red *= _LINEAR[1]
    shift += moved_red
    factor *= roots
    root = factor.astype(np.float32)
    root *= _ROOT_SCALE
    root *= root
    np.add(dark, light, out=factor)
    factor += np.uint16(2 * _OFFSET)
    root /= factor
    shift -= root
    shift += _ROUNDED  # and positive, so that truncation rounds
    moved = shift.astype(np.uint16)
    np.maximum(moved, 256 - dark, out=moved)
    np.minimum(moved, 511 - light, out=moved)
    moved &= 255  # modulo 256, negative shifts too
    spread = _repeated(moved, cell)
    for row in range(cell):
        lines = gray[row::cell]
        np.add(lines, spread[: len(lines), : lines.shape[1]], out=out.y[row::cell])


def _extreme(gray: np.ndarray, cell: int, of: np.ufunc) -> np.ndarray:
    """Return the darkest or lightest pixel of each cell, uint16."""
    rows = [gray[row::cell] for row in range(cell)]
    found = functools.reduce(of, rows).view(np.uint16)  # a pair is read as one number
    other = found >> 8
    found &= 255
    of(found, other, out=found)
    if cell == 2:
        return found
    pairs = found.view(np.uint32)
    found, other = pairs.astype(np.uint16), (pairs >> 16).astype(np.uint16)
    return of(found, other, out=found)


def _repeated(levels: np.ndarray, times: int) -> np.ndarray:
    """Repeat numbers below 256 (uint16) in a row: once, or 2 or 4 times as bytes."""
    if times == 4:
        return (levels.astype(np.uint32) * np.uint32(0x01010101)).view(np.uint8)
    return (levels * np.uint16(0x0101)).view(np.uint8) if times == 2 else levels

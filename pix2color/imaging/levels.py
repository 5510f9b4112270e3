"""What the values of pictures with more than 8 bits mean: which is black, and which is white.

Files say it by their type alone, and often wrongly: 12 bits lie in 16, floating-point values reach
to 1, 100, 255 or 65535, and a sharpened highlight beyond that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

RANGE = "value_range"
"""Key of ``Image.info`` with the values of black and white that a file or caller states."""
NOTE = "note"
"""Key of ``Image.info`` with what a person should know about the reading."""
_LOOKED_AT = 1_000_000  # values of a floating-point picture
_INTEGER_WHITES = (255, 1023, 4095, 65535, 2**24 - 1, 2**31 - 1, 2**32 - 1)
# White, and what a hundredth of all values may exceed without it being another.
_FLOAT_WHITES = ((1.0, 1.5), (255.0, 320.0), (4095.0, 4500.0), (65535.0, 80_000.0))
_PERCENT = (1.5, 100.0)
_USUAL = (1, 255, 32767, 65535, 2**31 - 1, 2**32 - 1)


@dataclass(frozen=True)
class ValueRange:
    """The values of black and white.

    Attributes:
        black: may be greater than ``white``.
        white: the value of white.
        note: what a person should know about it, or an empty text.
    """

    black: float
    white: float
    note: str = ""

    def shares(self, values: np.ndarray) -> np.ndarray:
        """Return values of any type and shape from 0, black, to 1, white: float32."""
        shares = values.astype(np.float32)
        if values.dtype.kind == "f":
            shares = np.nan_to_num(shares, nan=self.black, posinf=self.white, neginf=self.black)
        shares -= np.float32(self.black)
        shares /= np.float32(self.white - self.black)
        return shares.clip(0, 1, out=shares)


def deep_values(image: Image.Image) -> np.ndarray:
    """Return the values of a deep gray picture: uint16, int32, uint32 or float32 (H, W)."""
    values = np.asarray(image)
    if image.mode == "I" and not _is_signed(values):
        return values.view(np.uint32)
    return values


def _is_signed(values: np.ndarray) -> bool:
    """Return whether 32-bit values that Pillow calls signed are, and go a little below 0."""
    return bool(-values.max() // 4 <= values.min() < 0)


def value_range(values: np.ndarray, stated: tuple[float, float] | None = None) -> ValueRange:
    """Return what is black and what is white in a picture.

    Args:
        values: of any numeric type and shape.
        stated: what the file says are the least and the greatest value. It is believed unless
            values lie outside, or it is plainly a statistic of this very picture.
    """
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if not values.size:
        return ValueRange(0, 1)
    lowest, highest = values.min(), values.max()
    if stated and _is_believable(values.dtype, (float(lowest), float(highest)), stated):
        return ValueRange(*stated)
    found = _float_range(values) if values.dtype.kind == "f" else _integer_range(values)
    outside = values.dtype.kind == "f" and (lowest < found.black or highest > found.white)
    if outside or found.black or found.white not in _USUAL:
        note = f"its values, {lowest:g} to {highest:g}, were read as {found.black:g} (black) to "
        return ValueRange(found.black, found.white, f"{note}{found.white:g} (white)")
    return found


def _is_believable(
    kind: np.dtype, reached: tuple[float, float], stated: tuple[float, float]
) -> bool:
    (lowest, highest), (low, high) = reached, stated
    if not low < high or lowest < low or highest > high:
        return False
    if kind.kind == "f":
        return reached != stated or (low == 0 and high in _USUAL)
    whole = float(np.iinfo(kind).max)
    return highest < high or np.log2(high + 1) % 1 == 0 or high < whole / 4


def _integer_range(values: np.ndarray) -> ValueRange:
    limits = np.iinfo(values.dtype)
    lowest, highest = int(values.min()), int(values.max())
    if limits.bits == 8:
        return ValueRange(limits.min if lowest < -highest // 4 else 0, limits.max)
    whites = [white for white in (*_INTEGER_WHITES, limits.max) if white <= limits.max]
    if lowest < -highest // 4:  # a few below 0 come from sharpening
        white = next(white for white in whites if max(highest, -lowest - 1) <= white)
        return ValueRange(-white - 1, white)
    return ValueRange(0, next(white for white in whites if highest <= white))


def _float_range(values: np.ndarray) -> ValueRange:
    sample = values.ravel()[:: max(1, values.size // _LOOKED_AT)]
    low, high = np.quantile(sample.astype(np.float64), (0.01, 0.99))
    reach = max(high, -low if low < 0 else 0)
    white = next((white for white, most in _FLOAT_WHITES if reach <= most), float(reach))
    if _PERCENT[0] < reach and sample.max() <= _PERCENT[1]:
        white = _PERCENT[1]
    return ValueRange(-white if low < -white / 8 else 0, white)

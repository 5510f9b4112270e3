"""The conversions between RGB and CIE Lab, where alone the encoding of colour is known.

Networks see ``L`` in [-1, 1] and ``ab`` as a*/110 and b*/110. All conversions run in float32 and
agree with scikit-image (sRGB, D65, 2° observer). They take and return arrays of numpy or tensors
of torch alike, and those of torch are differentiable; torch need not be installed.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Array = TypeVar("Array", np.ndarray, "Tensor")
"""An array of numpy or a tensor of torch."""
L_HALF_RANGE = 50.0
"""L* is 0 to 100; ``L = L* / 50 - 1``."""
AB_SCALE = 110.0
"""a* and b* of sRGB lie within ±110; ``ab = (a*, b*) / 110``."""

# sRGB primaries and D65 white as scikit-image has them, rows X, Y, Z.
_XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_RGB_FROM_XYZ = np.linalg.inv(np.array(_XYZ_FROM_RGB)).tolist()
_WHITE = (0.95047, 1.0, 1.08883)
LUMINANCE = _XYZ_FROM_RGB[1]
"""Shares of linear red, green and blue; they sum to 1."""

GAMUT_TOLERANCE = 1e-4
"""By how much linear RGB may leave [0, 1] and still count as inside: under 0.1 of L*."""
_GAMUT_BISECTIONS = 8  # leaves at most 0.4 % of the chroma unused
_STRIP_PIXELS = 65_536


def rgb_to_l_ab(rgb: Array) -> tuple[Array, Array]:
    """Turn RGB into ``L`` and ``ab`` as the networks see them.

    Args:
        rgb: (N, 3, H, W), uint8 in 0–255 or floating point in [0, 1].

    Returns:
        ``L`` (N, 1, H, W) in [-1, 1] and ``ab`` (N, 2, H, W), about [-1, 1]; both float32.

    Raises:
        ValueError: ``rgb`` has another shape.
    """
    lab = rgb_to_lab(rgb)
    return lab[:, :1] / L_HALF_RANGE - 1, lab[:, 1:] / AB_SCALE


def l_ab_to_rgb(
    L: Array, ab: Array, *, gamut: str = "shrink", tolerance: float = GAMUT_TOLERANCE
) -> Array:
    """Turn ``L`` and ``ab`` back into RGB.

    A predicted ``ab`` often has no sRGB colour at its ``L``. Clipping RGB would then change
    the luminance (L* by up to 13); ``shrink`` lowers the chroma of such pixels, at constant
    hue angle, until the colour exists, which keeps L* within 0.25.

    Args:
        L: (N, 1, H, W) in [-1, 1].
        ab: (N, 2, H, W) in units of 110.
        gamut: ``shrink`` or ``clip``.
        tolerance: by how much linear RGB may leave [0, 1] and still count as inside.

    Returns:
        RGB (N, 3, H, W), float32 in [0, 1].

    Raises:
        ValueError: shapes do not match, or ``gamut`` is unknown.
    """
    if L.ndim != 4 or L.shape[1] != 1 or ab.shape != (L.shape[0], 2, *L.shape[2:]):
        raise ValueError(
            f"L and ab must have shapes (N, 1, H, W) and (N, 2, H, W). "
            f"Got {tuple(L.shape)} and {tuple(ab.shape)}"
        )
    if gamut not in ("shrink", "clip"):
        raise ValueError(f"gamut must be 'shrink' or 'clip'. Got {gamut!r}")
    lab = l_ab_to_lab(L, ab)
    linear = _linear_from_lab(lab)
    if gamut == "shrink":
        outside = ~_in_gamut(linear, tolerance)
        if outside.any():
            lab = _with_chroma_scaled(lab, _gamut_scale(lab, outside, tolerance))
            linear = _linear_from_lab(lab)
    return _srgb_from_linear(linear)


def l_ab_to_lab(L: Array, ab: Array) -> Array:
    """Turn normalized ``L`` and ``ab`` into CIE Lab (N, 3, H, W) in its own units; float32."""
    parts = [(_float32(L) + 1) * L_HALF_RANGE, _float32(ab) * AB_SCALE]
    return _library(L).concatenate(parts, 1)


def rgb_to_lab(rgb: Array) -> Array:
    """Turn sRGB (N, 3, H, W), uint8 or [0, 1], into CIE Lab (N, 3, H, W), float32, L* in 0–100."""
    _check_three_channels(rgb, "rgb")
    xyz = _mix(_linear_from_srgb(rgb), _XYZ_FROM_RGB)
    fx, fy, fz = (_perceived(xyz[:, i] / white) for i, white in enumerate(_WHITE))
    return _library(rgb).stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], 1)


def lightness_on_film(rgb: Array, sensitivity: Array) -> Array:
    """Return L of film that sees colours as brighter or darker than the eye does.

    Args:
        rgb: sRGB (N, 3, H, W), uint8 or [0, 1].
        sensitivity: (N, 3), to linear red, green and blue, each row with a sum of 1. With
            ``LUMINANCE`` the result is the L of ``rgb_to_l_ab``.

    Returns:
        (N, 1, H, W), float32 in [-1, 1].
    """
    _check_three_channels(rgb, "rgb")
    seen = _linear_from_srgb(rgb) * sensitivity[:, :, None, None]
    return (116 * _perceived(seen.sum(1)[:, None]) - 16) / L_HALF_RANGE - 1


def lab_to_rgb(lab: Array) -> Array:
    """Turn CIE Lab (N, 3, H, W) into sRGB (N, 3, H, W), float32, clipped to [0, 1]."""
    _check_three_channels(lab, "lab")
    return _srgb_from_linear(_linear_from_lab(_float32(lab)))


def lightness(gray: np.ndarray) -> np.ndarray:
    """Return L, float32 in [-1, 1], of a gray picture, uint8 of any shape."""
    return _lightness_table()[gray]


@functools.cache
def _lightness_table() -> np.ndarray:
    levels = np.arange(256, dtype=np.uint8)
    return rgb_to_l_ab(np.broadcast_to(levels, (1, 3, 1, 256)))[0].ravel()


def rgb_to_gray(rgb: np.ndarray) -> np.ndarray:
    """Return the gray picture of the same luminance, so that toned photos keep their L*.

    Args:
        rgb: sRGB, uint8 (H, W, 3).

    Returns:
        uint8 (H, W): a gray of this value has, within rounding, the L* of the colour.
    """
    weights, gray = _luminance_tables()
    out = np.empty(rgb.shape[:2], np.uint8)
    rows = max(1, _STRIP_PIXELS // max(1, rgb.shape[1]))
    for top in range(0, len(rgb), rows):
        red, green, blue = (rgb[top : top + rows, :, c] for c in range(3))
        out[top : top + rows] = gray[weights[0][red] + weights[1][green] + weights[2][blue]]
    return out


@functools.cache
def _luminance_tables() -> tuple[np.ndarray, np.ndarray]:
    """Return each level's share of the luminance by channel, in 1/65535, and the way back."""
    linear = _linear_levels().astype(np.float64)
    shares = np.array(_XYZ_FROM_RGB[1])
    weights = np.rint(linear * 65535 * (shares / shares.sum())[:, None]).astype(np.int32)
    grays = weights.sum(axis=0)  # where a level with three equal channels lands
    steps = np.arange(weights[:, -1].sum() + 1)
    return weights, np.searchsorted((grays[:-1] + grays[1:]) / 2, steps).astype(np.uint8)


def _gamut_scale(lab: Array, outside: Array, tolerance: float) -> Array:
    """Return the largest factor (N, 1, H, W) in [0, 1] of (a*, b*) that gives an sRGB colour.

    ``outside`` (N, H, W) are the pixels for which it is below 1.
    """
    xp = _library(lab)
    scale = xp.ones_like(lab[:, :1])
    # Bisection over the pixels concerned only, laid out as one row of pixels.
    pixels = xp.moveaxis(lab, 1, -1)[outside].T[None, :, :, None]
    low = xp.zeros_like(pixels[:, :1])
    high = xp.ones_like(low)
    for _ in range(_GAMUT_BISECTIONS):
        middle = (low + high) / 2
        inside = _in_gamut(_linear_from_lab(_with_chroma_scaled(pixels, middle)), tolerance)
        inside = inside[:, None]
        low, high = xp.where(inside, middle, low), xp.where(inside, high, middle)
    scale[outside[:, None]] = low.reshape(-1)
    return scale


def _with_chroma_scaled(lab: Array, scale: Array) -> Array:
    return _library(lab).concatenate([lab[:, :1], lab[:, 1:] * scale], 1)


def _in_gamut(linear: Array, tolerance: float) -> Array:
    xp = _library(linear)
    low, high = xp.amin(linear, 1), xp.amax(linear, 1)
    return (low >= -tolerance) & (high <= 1 + tolerance)


def _linear_from_lab(lab: Array) -> Array:
    L, a, b = lab[:, 0], lab[:, 1], lab[:, 2]
    fy = (L + 16) / 116
    # scikit-image cuts Z at zero; so do we, which only concerns colours nobody can see.
    xyz = [
        _luminous(f) * white
        for f, white in zip((fy + a / 500, fy, (fy - b / 200).clip(min=0)), _WHITE, strict=True)
    ]
    return _mix(_library(lab).stack(xyz, 1), _RGB_FROM_XYZ)


def _perceived(t: Array) -> Array:
    """Return the cube root of CIE Lab, which is straight near zero."""
    # The clip keeps the gradient of the branch not taken finite.
    curved = t.clip(min=0.008856) ** (1 / 3)
    return _library(t).where(t > 0.008856, curved, 7.787 * t + 16 / 116)


def _luminous(f: Array) -> Array:
    """Return what ``_perceived`` was made of."""
    return _library(f).where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787)


def _srgb_from_linear(linear: Array) -> Array:
    curved = 1.055 * linear.clip(min=0.0031308) ** (1 / 2.4) - 0.055
    return _library(linear).where(linear > 0.0031308, curved, 12.92 * linear).clip(0, 1)


def _linear_from_srgb(rgb: Array) -> Array:
    xp = _library(rgb)
    if rgb.dtype == xp.uint8:  # 256 values: a table lookup instead of a power a pixel
        if isinstance(rgb, np.ndarray):
            return _linear_levels()[rgb]
        return xp.asarray(_linear_levels(), device=rgb.device)[rgb.int()]
    rgb = _float32(rgb)
    curved = ((rgb.clip(min=0.04045) + 0.055) / 1.055) ** 2.4
    return xp.where(rgb > 0.04045, curved, rgb / 12.92)


@functools.cache
def _linear_levels() -> np.ndarray:
    return _linear_from_srgb(np.arange(256, dtype=np.float32) / 255)


def _mix(channels: Array, matrix: Sequence[Sequence[float]]) -> Array:
    """Apply a 3 x 3 matrix to the channels, written out so that no backend lowers its precision."""
    x, y, z = channels[:, 0], channels[:, 1], channels[:, 2]
    return _library(channels).stack([m[0] * x + m[1] * y + m[2] * z for m in matrix], 1)


def _library(array: Array) -> Any:
    """Return the module that an array comes from: numpy or torch."""
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]


def _float32(array: Array) -> Array:
    if isinstance(array, np.ndarray):
        return array.astype(np.float32, copy=False)
    return array.float()


def _check_three_channels(image: Array, name: str) -> None:
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(f"{name} must have a shape of (N, 3, H, W). Got {tuple(image.shape)}")

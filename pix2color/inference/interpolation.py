"""Linear interpolation of planes of numbers."""

from __future__ import annotations

import numpy as np


def interpolate(
    planes: np.ndarray, sides: tuple[int, ...], scale: tuple[float, float]
) -> np.ndarray:
    """Return planes (C, h, w) at another size, float32 (C, H, W), between their nearest values.

    Args:
        planes: of any numbers.
        sides: (H, W) of the result.
        scale: pixels of the result to one of the planes, downwards and across.
    """
    for axis, side, step in zip((1, 2), sides, scale, strict=True):
        places = ((np.arange(side) + 0.5) / step - 0.5).clip(0, planes.shape[axis] - 1)
        before = np.floor(places).astype(int)
        after = np.minimum(before + 1, planes.shape[axis] - 1)
        share = (places - before).reshape((1, -1, 1) if axis == 1 else (1, 1, -1))
        planes = planes.take(before, axis) * (1 - share) + planes.take(after, axis) * share
    return planes.astype(np.float32)

"""The few places of a photo at which a hint would help most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pix2color.inference.hints import Hint

MOST = 5
_APART = 0.15  # of the longer side
_MARGIN = 0.04  # of each side: networks doubt what they see the border of
_LEAST = 0.6  # of the largest doubt
_FINE = 256  # pixels of the longer side that are looked at


def doubt_spots(doubt: np.ndarray, hints: Sequence[Hint] = ()) -> list[tuple[int, int]]:
    """Return places where a model doubts its colours most, at some distance from each other.

    Args:
        doubt: (H, W), what ``Colorizer.doubt`` returns.
        hints: those that are given already; what is near them is left out.

    Returns:
        At most ``MOST`` places (x, y) in pixels, the most doubtful first.
    """
    step = -(-max(doubt.shape) // _FINE)
    first = [min(step // 2, side - 1) for side in doubt.shape]
    coarse = np.array(doubt[first[0] :: step, first[1] :: step])
    height, width = coarse.shape
    for side, length in enumerate((height, width)):
        margin = int(_MARGIN * length)
        edges = np.r_[0:margin, length - margin : length]
        coarse[(edges, slice(None)) if side == 0 else (slice(None), edges)] = 0
    rows, columns = np.mgrid[:height, :width]

    def leave_out(x: float, y: float) -> None:
        near = np.hypot(columns - x, rows - y) < _APART * max(height, width)
        coarse[near] = 0

    for x, y in {(int(hint.x / step), int(hint.y / step)) for hint in hints}:
        leave_out(x, y)
    spots: list[tuple[int, int]] = []
    least = _LEAST * coarse.max()
    while len(spots) < MOST and coarse.max() >= least > 0:
        row, column = map(int, np.unravel_index(coarse.argmax(), coarse.shape))
        spots.append((column * step + first[1], row * step + first[0]))
        leave_out(column, row)
    return spots

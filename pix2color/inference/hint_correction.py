"""What a network leaves undone of its hints, added to its colours."""

from __future__ import annotations

import math

import numpy as np

from pix2color.inference.interpolation import interpolate

_CELLS = 8192  # at most, in which a picture is looked at
_REACH = 1 / 2  # of the short side: standard deviations of how far, …
_LIKE_L = 0.15  # … in L, 7.5 of L*, …
_LIKE_AB = 0.06  # … and in ab, 6.6 of a* and b*, a hint's correction goes
_ELSEWHERE = 0.1  # weight of no correction
_WEIGHTS = 1 << 20  # that are in memory at once


def correct_by_hints(ab: np.ndarray, L: np.ndarray, hints: np.ndarray) -> np.ndarray:
    """Return colours that come closer to the hints than the network did that predicted them.

    A network follows a hint only so far. What is missing where it lies goes to the places around
    that look alike: the mean of what is missing at all hints, weighted as in a joint bilateral
    filter (Petschnigg et al. 2004, doi:10.1145/1015706.1015777) by distance and by differences in
    L and in predicted ab, so that a hint stops where its thing does, and normalized with a small
    weight for nothing (Knutsson and Westin 1993, doi:10.1109/CVPR.1993.341081). Without hints it
    is nothing at all.

    Args:
        ab: (N, 2, H, W), predicted with the hints.
        L: (N, 1, H, W), of the same pictures.
        hints: (N, 3, H, W), what the network was given.

    Returns:
        float32 (N, 2, H, W).
    """
    return np.stack([_corrected(*picture) for picture in zip(ab, L, hints, strict=True)])


def _corrected(ab: np.ndarray, L: np.ndarray, hints: np.ndarray) -> np.ndarray:
    if not hints[2].any():
        return ab
    height, width = sides = ab.shape[1:]
    step = math.ceil(math.sqrt(height * width / _CELLS))
    rows, columns = (np.arange(0, side, step) for side in sides)
    mask = hints[2:]
    shares = _sums(mask, step)[0]
    pixels = _sums(np.ones_like(mask), step)
    # Of a cell with a hint, only the pixels count that have it.
    seen = np.concatenate([L / _LIKE_L, ab / _LIKE_AB])
    given = shares.nonzero()
    at_hints = _sums(seen * mask, step)[:, *given] / shares[given]
    missing = _sums((hints[:2] - ab) * mask, step)[:, *given] / shares[given]

    places = np.stack(np.meshgrid(rows, columns, indexing="ij")) / (_REACH * min(sides))
    looks = np.concatenate([places, _sums(seen, step) / pixels]).reshape(5, -1)
    wanted = np.concatenate([places[:, *given], at_hints])
    correction = np.empty((2, looks.shape[1]), np.float32)
    block = max(1, _WEIGHTS // wanted.shape[1])
    for start in range(0, looks.shape[1], block):
        part = looks[:, start : start + block]
        difference = sum((a[:, None] - b) ** 2 for a, b in zip(part, wanted, strict=True))
        weights = np.exp(-difference / 2)
        total = weights.sum(axis=1) + _ELSEWHERE
        correction[:, start : start + block] = missing @ weights.T / total
    cells = correction.reshape(2, len(rows), len(columns))
    return ab + interpolate(cells, sides, (step, step))


def _sums(planes: np.ndarray, step: int) -> np.ndarray:
    """Return the sums of planes (C, H, W) over cells of ``step`` x ``step`` pixels."""
    for axis in 1, 2:
        planes = np.add.reduceat(planes, np.arange(0, planes.shape[axis], step), axis=axis)
    return planes

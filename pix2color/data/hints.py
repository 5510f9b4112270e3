"""Hints as a person would give them, simulated from the true colours."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

MOST_HINTS = 255  # in a picture: their numbers are kept in a byte
_SIDES = (1, 9)
_STOP = 1 / 8


def training_hints(random: np.random.Generator, side: int) -> np.ndarray:
    """Return the regions of some hints in a training picture, uint8 (side, side).

    After Zhang et al. 2017 (arXiv:1705.02999): a geometric number of them (p = 1/8), squares of 1
    to 9 pixels, more around the centre. One picture in ten has them by the dozen, so that the
    network learns to follow each.
    """
    count = int(random.geometric(_STOP)) - 1
    if random.random() < 0.1:
        count += int(random.integers(16, 100))
    centers = np.where(
        random.random((count, 1)) < 0.5,
        random.normal(side / 2, side / 4, (count, 2)),
        random.uniform(0, side, (count, 2)),
    )
    return _regions(centers, random.integers(_SIDES[0], _SIDES[1] + 1, count), side)


def spread_hints(random: np.random.Generator, count: int, *, side: int, square: int) -> np.ndarray:
    """Return the regions of ``count`` squares at random places of a picture, uint8 (side, side)."""
    return _regions(random.uniform(0, side, (count, 2)), np.full(count, square), side)


def hints_from_truth(ab: Tensor, regions: Tensor) -> Tensor:
    """Return hints, the mean true colour of each region.

    Args:
        ab: (N, 2, H, W), the truth.
        regions: uint8 (N, H, W): 0 where there is no hint, elsewhere the hint's number.

    Returns:
        (N, 3, H, W): ab where a hint is, elsewhere 0, and the mask.
    """
    count, _, height, width = ab.shape
    index = regions.long().flatten(1)[:, None].expand(-1, 2, -1)
    zeros = ab.new_zeros(count, 2, MOST_HINTS + 1)
    means = zeros.scatter_reduce(2, index, ab.flatten(2), "mean", include_self=False)
    mask = (regions > 0)[:, None].to(ab.dtype)
    colors = means.gather(2, index).view(count, 2, height, width)
    return torch.cat([colors * mask, mask], dim=1)


def _regions(centers: np.ndarray, squares: np.ndarray, side: int) -> np.ndarray:
    regions = np.zeros((side, side), np.uint8)
    starts = np.round(centers - squares[:, None] / 2).astype(int)
    for number, ((top, left), square) in enumerate(zip(starts, squares, strict=True), start=1):
        top, left = np.clip((top, left), 0, side - square)
        regions[top : top + square, left : left + square] = number
    return regions

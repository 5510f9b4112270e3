"""The gain by hints: a model's figures with more and more places whose true colour it is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pix2color.color.lab import rgb_to_l_ab
from pix2color.data.batches import evaluation_batches
from pix2color.data.hints import MOST_HINTS, hints_from_truth, spread_hints
from pix2color.data.sources import collect
from pix2color.errors import DataError, UsageError
from pix2color.evaluation.protocol import BATCH, PROTOCOL_SIZE
from pix2color.evaluation.scores import Row, Score, with_intervals
from pix2color.evaluation.systems import predicted_ab
from pix2color.inference.colorizer import Colorizer
from pix2color.progress import track

_SQUARE = 6  # pixels


def hint_curve(
    colorizer: Colorizer, folders: Sequence[Path], counts: Sequence[int]
) -> dict[int, dict[str, Score]]:
    """Score a model with so many hints on each photo, as in Zhang et al. 2017 (arXiv:1705.02999).

    Hints are squares of 6 x 6 pixels at random places of the protocol's pictures, of their mean
    true colour. A photo's places are the same every time, and more hints only add some.

    Args:
        colorizer: a model that takes hints.
        folders: of colour photos, searched recursively.
        counts: of hints, 0 to 255.

    Returns:
        by count: the measures that are one number a picture.

    Raises:
        UsageError: the model takes no hints, or a count is too large.
        MissingPathError: a folder is not there.
        DataError: none of the photos has colour.
    """
    if not colorizer.info.takes_hints:
        raise UsageError("--hints: this model takes none; evaluate one that does")
    if not all(0 <= count <= MOST_HINTS for count in counts):
        raise UsageError(f"--hints: counts are within 0 to {MOST_HINTS}")
    photos = collect(list(folders))
    rows = {count: Row() for count in counts}
    done = 0
    with track("evaluate with hints", len(photos), "photos") as progress:
        for pixels, paths in evaluation_batches(photos, size=PROTOCOL_SIZE, batch_size=BATCH):
            L, ab = rgb_to_l_ab(pixels)
            for count, row in rows.items():
                regions = np.stack([_regions(done + i, count) for i in range(len(paths))])
                hints = hints_from_truth(ab, torch.from_numpy(regions))
                row.add(L, predicted_ab(colorizer, L, hints), pixels, [])
            done += len(paths)
            progress(done)
    if not done:
        raise DataError(f"{folders[0]}: none of the photos has colour; give colour photos")
    return {count: with_intervals(row.pictures()) for count, row in rows.items()}


def _regions(photo: int, count: int) -> np.ndarray:
    random = np.random.default_rng(photo)
    return spread_hints(random, count, side=PROTOCOL_SIZE, square=_SQUARE)

"""Running a generator at the size that suits it, on pictures of any size."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def render(predict: Callable[..., Tensor], L: Tensor, short_side: int, *hints: Tensor) -> Tensor:
    """Predict ab (N, 2, H, W) for ``L`` (N, 1, H, W) on L resized to ``short_side`` pixels.

    If there are hints (N, 3, H, W), they are resized with it.

    A network knows things by the size at which it was trained on them: shown a larger picture,
    it takes a face for a wall. Colour is coarse, so little is lost by enlarging its answer.
    Smaller pictures are enlarged; the aspect is kept.
    """
    height, width = L.shape[2:]
    scale = short_side / min(height, width)
    if scale == 1:
        return predict(L, *hints)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small = F.interpolate(L, size, mode="bicubic", antialias=True).clamp(-1, 1)
    ab = predict(small, *(_reduced(given, size) for given in hints))
    return F.interpolate(ab, (height, width), mode="bilinear", align_corners=False)


def _reduced(hints: Tensor, size: tuple[int, int]) -> Tensor:
    """Return hints at a smaller size; a pixel has one if any of those that it covers has."""
    mask = hints[:, 2:]
    shares = F.interpolate(torch.cat([hints[:, :2] * mask, mask], 1), size, mode="area")
    mean = shares[:, :2] / shares[:, 2:].clamp(min=1e-6)
    return torch.cat([mean, (shares[:, 2:] > 0).to(mean.dtype)], dim=1)

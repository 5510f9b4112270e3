"""Running a generator at the size that suits it, on pictures of any size."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def render(predict: Callable[[Tensor], Tensor], L: Tensor, short_side: int) -> Tensor:
    """Predict ab (N, 2, H, W) for ``L`` (N, 1, H, W) on L reduced to ``short_side`` pixels.

    A network knows things by the size at which it was trained on them: shown a larger picture,
    it takes a face for a wall. Colour is coarse, so little is lost by enlarging its answer.
    Smaller pictures are not enlarged; the aspect is kept.
    """
    height, width = L.shape[2:]
    scale = short_side / min(height, width)
    if scale >= 1:
        return predict(L)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small = F.interpolate(L, size, mode="bicubic", antialias=True).clamp(-1, 1)
    return F.interpolate(predict(small), (height, width), mode="bilinear", align_corners=False)

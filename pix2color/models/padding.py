"""Pictures of any size for networks that halve theirs several times."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def padded(L: Tensor, multiple: int) -> Tensor:
    """Pad ``L`` (N, C, H, W) to multiples of both sides by repeating its right and bottom edge.

    The network's answer is cropped to ``[:, :, :H, :W]``.
    """
    height, width = L.shape[2:]
    return F.pad(L, (0, -width % multiple, 0, -height % multiple), mode="replicate")

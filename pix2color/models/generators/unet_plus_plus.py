"""The nested U-Net."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2color.models.base import Generator
from pix2color.models.generators.unet import DOWNS, double_conv
from pix2color.models.padding import padded

# Column and size of each block between the arms; size 0 is the picture's.
_PLACES = [(column, i) for column in range(1, DOWNS + 1) for i in range(DOWNS + 1 - column)]


class UNetPlusPlus(Generator):
    """UNet++ of Zhou et al. 2018 (arXiv:1807.10165), 9.0 M parameters.

    Between the two arms of a U-Net there are further blocks: the one at size i and column j sees
    all blocks before it at that size and the enlarged one of column j - 1 at the size below. Widths
    and transposed convolutions are the authors'; BatchNorm stands where they have dropout, and
    their deep supervision (a head at every column) is left out. A picture of another size is
    padded to a multiple of 16.

    Reported: a task report has it, with L1, among its variants of U-Net, of which it says "color
    suddenly washout".

    Args:
        width: channels at full size; twice as many at each further one.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(DOWNS + 1)]
        self.down = nn.ModuleList(
            double_conv(before, after)
            for before, after in zip([1, *widths[:-1]], widths, strict=True)
        )
        self.blocks = nn.ModuleList(
            _Block(widths[i], widths[i + 1], seen=column) for column, i in _PLACES
        )
        self.head = nn.Conv2d(width, 2, kernel_size=1)

    def forward(self, L: Tensor) -> Tensor:
        """Predict, from ``L`` (N, 1, H, W) in [-1, 1], ``ab`` (N, 2, H, W)."""
        height, width = L.shape[2:]
        x = self.down[0](padded(L, 2**DOWNS))
        found = [[x]]  # by size; in each the columns so far
        for layer in self.down[1:]:
            x = layer(F.max_pool2d(x, 2))
            found.append([x])
        for (_, i), block in zip(_PLACES, self.blocks, strict=True):
            # Large sizes come first, so the last map of the size below is of the column before.
            found[i].append(block(found[i], found[i + 1][-1]))
        return self.head(found[0][-1])[:, :, :height, :width]


class _Block(nn.Module):
    """Joins ``seen`` maps of its own size, each of ``width`` channels, with an enlarged one."""

    def __init__(self, width: int, below: int, *, seen: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(below, width, 2, stride=2)
        self.mix = double_conv(width * (seen + 1), width)

    def forward(self, before: list[Tensor], below: Tensor) -> Tensor:
        x: Tensor = self.mix(torch.cat([*before, self.enlarge(below)], dim=1))
        return x

"""CU-net: a U-Net that looks far without becoming small."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2color.models.base import Generator
from pix2color.models.generators.unet import double_conv
from pix2color.models.padding import padded

_DOWNS = 2
_DILATIONS = (2, 4, 8, 16)


class CUNet(Generator):
    """CU-net of a course report: U-Net with dilated convolutions in its depth, 4.2 M parameters.

    The two deepest of the four steps down and up of a U-Net (Ronneberger et al. 2015,
    arXiv:1505.04597) are replaced by repeated dilated convolutions (Yu & Koltun 2016,
    arXiv:1511.07122) at a quarter of the size: they see as far, and the detail stays. How many
    there were is not known; four, each dilated twice as far as the one before, see 30 of these
    pixels to every side. A picture of another size is padded to a multiple of 4.

    Reported, on faces, learnt from 20 to 200 pictures with MSE: half of the coloured pictures
    passed for real; MSE punishes bright colours.

    Args:
        width: channels at full size; twice as many at each further one.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(_DOWNS + 1)]
        self.down = nn.ModuleList(
            double_conv(before, after)
            for before, after in zip([1, *widths[:-1]], widths, strict=True)
        )
        self.dilated = nn.Sequential(*(_dilated(widths[-1], dilation) for dilation in _DILATIONS))
        # From the inside out.
        self.enlarge, self.up = nn.ModuleList(), nn.ModuleList()
        for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True):
            self.enlarge.append(nn.ConvTranspose2d(deep, shallow, 2, stride=2))
            self.up.append(double_conv(2 * shallow, shallow))
        self.head = nn.Conv2d(width, 2, kernel_size=1)

    def forward(self, L: Tensor) -> Tensor:
        """Predict, from ``L`` (N, 1, H, W) in [-1, 1], ``ab`` (N, 2, H, W)."""
        height, width = L.shape[2:]
        x = self.down[0](padded(L, 2**_DOWNS))
        skips = []
        for layer in self.down[1:]:
            skips.append(x)
            x = layer(F.max_pool2d(x, 2))
        x = self.dilated(x)
        for enlarge, mix in zip(self.enlarge, self.up, strict=True):
            x = mix(torch.cat([skips.pop(), enlarge(x)], dim=1))
        return self.head(x)[:, :, :height, :width]


def _dilated(channels: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )

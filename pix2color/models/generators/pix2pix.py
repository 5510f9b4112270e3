"""The generator of pix2pix, as published."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2color.models.base import Generator
from pix2color.models.padding import padded


class Pix2PixUNet256(Generator):
    """``unet_256`` of pytorch-CycleGAN-and-pix2pix, 54.4 M parameters.

    Isola et al. 2017 (arXiv:1611.07004): convolutions of 4 x 4 and stride 2 halve the picture
    down to one pixel and back, with a skip at every size, BatchNorm and tanh. Layers and
    initialisation are the published ones. A picture of another size is padded at its right and
    bottom to a multiple of ``2 ** downs`` by repeating its edge, and what comes out is cropped.
    An exported graph knows whether the innermost map is one pixel wide, and takes only such sizes.

    Args:
        downs: how often the size is halved; 7 makes the published ``unet_128``.
        width: channels after the first layer; up to eight times as many further in.
        dropout: one half in the inner decoder layers, as its authors trained it by default.

    Raises:
        ValueError: fewer than five ``downs``, or more than twelve.
    """

    def __init__(
        self,
        downs: int = 8,
        width: int = 64,
        dropout: bool = False,
    ) -> None:
        super().__init__()
        if not 5 <= downs <= 12:
            raise ValueError(f"downs must be 5 to 12. Got {downs}")
        widths = [width * min(2**i, 8) for i in range(downs)]
        self.multiple = 2**downs
        self.down = nn.ModuleList(
            _down(before, after, edge=i in (0, downs - 1))
            for i, (before, after) in enumerate(zip([1, *widths[:-1]], widths, strict=True))
        )
        # From the inside out; all but the innermost see a skip beside what comes from further in.
        self.up = nn.ModuleList([_up(widths[-1], widths[-2], dropout=0)])
        for i in range(downs - 2, 0, -1):
            self.up.append(_up(widths[i] * 2, widths[i - 1], dropout=0.5 * (dropout and i >= 4)))
        self.out = nn.ConvTranspose2d(width * 2, 2, 4, stride=2, padding=1)
        self.apply(_initialise)

    def forward(self, L: Tensor) -> Tensor:
        """Predict, from ``L`` (N, 1, H, W) in [-1, 1], ``ab`` (N, 2, H, W) in (-1, 1)."""
        height, width = L.shape[2:]
        x = padded(L, self.multiple)
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        x = self.up[0](skips.pop())
        for layer in self.up[1:]:
            x = layer(torch.cat([skips.pop(), x], dim=1))
        x = self.out(F.relu(torch.cat([skips.pop(), x], dim=1)))
        return torch.tanh(x[:, :, :height, :width])


def _down(before: int, after: int, *, edge: bool) -> nn.Sequential:
    """Halves the size. The first and the innermost have no norm, the first no activation."""
    layers: list[nn.Module] = [] if before == 1 else [nn.LeakyReLU(0.2)]
    layers.append(nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False))
    if not edge:
        layers.append(nn.BatchNorm2d(after))
    return nn.Sequential(*layers)


def _up(before: int, after: int, *, dropout: float) -> nn.Sequential:
    """Doubles the size."""
    layers: list[nn.Module] = [
        nn.ReLU(),
        nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(after),
    ]
    return nn.Sequential(*layers, nn.Dropout(dropout)) if dropout else nn.Sequential(*layers)


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, std=0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, mean=1.0, std=0.02)

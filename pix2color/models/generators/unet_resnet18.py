"""The default generator: a UNet with a ResNet18 encoder and a slim decoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2color.models.base import Generator
from pix2color.models.encoders import resnet18_gray

_SKIPS = (256, 128, 64, 64)  # channels of the encoder at 1/16, 1/8, 1/4 and 1/2


class UNetResNet18(Generator):
    """ResNet18 encoder, decoder with PixelShuffle upsampling, ab predicted at half resolution.

    UNet: Ronneberger et al. 2015; dynamic upsampling to the skip's size and PixelShuffle with
    ICNR: fastai's DynamicUnet. Slimmer than that: the channels shrink before they are enlarged,
    and nothing runs at full resolution, since the eye sees colour at half of it.

    Args:
        encoder_weights: see ``encoder.resnet18_gray``.
        widths: channels after each of the four decoder stages.
    """

    ab_stride = 2

    def __init__(
        self,
        encoder_weights: str = "none",
        widths: tuple[int, int, int, int] = (384, 192, 96, 64),
    ) -> None:
        super().__init__()
        if len(widths) != len(_SKIPS):
            raise ValueError(f"widths must be {len(_SKIPS)} numbers. Got {widths}")
        resnet = resnet18_gray(encoder_weights)
        self.stem = nn.Sequential(resnet.conv1, resnet.bn1, resnet.relu)
        self.pool = resnet.maxpool
        self.encoder = nn.ModuleList([resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4])
        inputs = (512, *widths)
        self.decoder = nn.ModuleList(
            UpBlock(channels, skip, width)
            for channels, skip, width in zip(inputs[:-1], _SKIPS, widths, strict=True)
        )
        self.head = nn.Conv2d(widths[-1], 2, kernel_size=3, padding=1, bias=False)
        # Nearly zero: training starts from the gray picture, not from noise.
        nn.init.normal_(self.head.weight, std=1e-3)

    def forward(self, L: Tensor) -> Tensor:
        """Predict, from ``L`` (N, 1, H, W) in [-1, 1], ``ab`` (N, 2, H, W)."""
        x = self.stem(L)
        features = [x]
        x = self.pool(x)
        for layer in self.encoder:
            x = layer(x)
            features.append(x)
        x = features.pop()
        for block in self.decoder:
            x = block(x, features.pop())
        return F.interpolate(self.head(x), L.shape[2:], mode="bilinear", align_corners=False)

    def scale_ab(self, gain: float) -> None:
        """Multiply all its ab by ``gain`` from now on: the head is linear."""
        with torch.no_grad():
            self.head.weight.mul_(gain)


class UpBlock(nn.Module):
    """Enlarges by two to the skip's size, joins the skip and mixes."""

    def __init__(self, channels: int, skip: int, out: int) -> None:
        super().__init__()
        up = channels // 2
        self.expand = nn.Conv2d(channels, up * 4, kernel_size=1, bias=False)
        icnr_(self.expand.weight)
        self.shuffle = nn.PixelShuffle(2)
        self.mix = nn.Sequential(
            nn.Conv2d(up + skip, out, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.relu(self.shuffle(self.expand(x)))
        # Strided layers round odd sides up, so the doubled map is at most one pixel too large.
        x = x[:, :, : skip.shape[2], : skip.shape[3]]
        return self.mix(torch.cat([x, skip], dim=1))


def icnr_(weight: Tensor, scale: int = 2) -> None:
    """Initialise a convolution before PixelShuffle so that it starts as nearest-neighbour.

    Aitken et al. 2017 (arXiv:1707.02937): without it, sub-pixels start out different and leave
    a checkerboard.
    """
    kernel = torch.empty(weight.shape[0] // scale**2, *weight.shape[1:])
    nn.init.kaiming_normal_(kernel)
    with torch.no_grad():
        weight.copy_(kernel.repeat_interleave(scale**2, dim=0))

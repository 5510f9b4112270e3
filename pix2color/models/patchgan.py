"""The PatchGAN discriminator, which judges whether patches' colours are real."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchGAN(nn.Sequential):
    """70 x 70 PatchGAN on L beside ab: (N, 3, H, W) to logits (N, 1, H/8 - 2, W/8 - 2).

    Isola et al. 2017 (arXiv:1611.07004). Spectral norm: Miyato et al. 2018 (arXiv:1802.05957).

    Args:
        norm: ``spectral``, or ``batch`` as published.
        width: channels after the first layer.
    """

    def __init__(self, norm: Literal["spectral", "batch"] = "spectral", width: int = 64) -> None:
        if norm not in ("spectral", "batch"):
            raise ValueError(f"norm must be 'spectral' or 'batch'. Got {norm!r}")
        batch = norm == "batch"
        layers: list[nn.Module] = []
        sizes = [3, width, width * 2, width * 4, width * 8, 1]
        strides = [2, 2, 2, 1, 1]
        for i, stride in enumerate(strides):
            first, last = i == 0, i == len(strides) - 1
            normed = batch and not first and not last
            conv = nn.Conv2d(sizes[i], sizes[i + 1], 4, stride, padding=1, bias=not normed)
            nn.init.normal_(conv.weight, std=0.02)
            layers.append(conv if batch else spectral_norm(conv))
            if normed:
                scale_shift = nn.BatchNorm2d(sizes[i + 1])
                nn.init.normal_(scale_shift.weight, mean=1.0, std=0.02)
                layers.append(scale_shift)
            if not last:
                layers.append(nn.LeakyReLU(0.2, inplace=True))
        super().__init__(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the patches; above zero means real. Sides of at least 32 pixels."""
        return super().forward(x)

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the activations of all layers but the last for (N, 3, H, W), then the logits."""
        found = []
        for layer in self:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                found.append(x)
        return [*found, x]

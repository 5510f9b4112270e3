"""A discriminator that looks through a trained encoder."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from pix2color.color.lab import l_ab_to_lab, lab_to_rgb
from pix2color.models.features import normalize_for_lite
from pix2color.models.timm_encoders import LITE0, timm_encoder

_FINEST = 1  # the encoder's stage at 1/4 of the size; earlier ones know little


class ProjectedCritic(nn.Module):
    """Projected discriminator (Sauer et al. 2021, arXiv:2111.01007) on L ⊕ ab.

    EfficientNet-Lite0, trained and frozen, sees the picture in RGB. Its features at 1/4 to 1/32 of
    the size are mixed across channels and, from coarse to fine, across scales, by fixed random
    weights; a small head judges each scale. Beside the features each head is given L.

    Args:
        weights: of the encoder; see ``timm_encoders.timm_encoder``.
        width: channels of the mixed features.

    Raises:
        MissingPathError, ModelError: see ``timm_encoders.timm_encoder``.
    """

    def __init__(self, weights: str = "imagenet", width: int = 64) -> None:
        super().__init__()
        encoder = timm_encoder(LITE0, weights, channels=3).eval().requires_grad_(False)
        # Not a part of it: what is frozen is neither saved nor averaged, nor told to learn.
        self._encoder = (encoder,)
        info: Any = encoder.feature_info
        self.heads = nn.ModuleList()
        for scale, channels in enumerate(info.channels()[_FINEST:]):
            for name, size in ((f"across_channels{scale}", 1), (f"across_scales{scale}", 3)):
                inputs = channels if size == 1 else width
                weight = torch.empty(width, inputs, size, size)
                self.register_buffer(name, nn.init.kaiming_normal_(weight))
            self.heads.append(
                nn.Sequential(
                    spectral_norm(nn.Conv2d(width + 1, width, kernel_size=3, padding=1)),
                    nn.LeakyReLU(0.2),
                    spectral_norm(nn.Conv2d(width, 1, kernel_size=1)),
                )
            )

    def forward(self, given: Tensor) -> Tensor:
        """Judge L ⊕ ab (N, 3, H, W): logits (N, K) of all places at all scales."""
        return self.features(given)[-1]

    def features(self, given: Tensor) -> list[Tensor]:
        """Return the mixed features of each scale, from coarse to fine, and last the logits."""
        L = given[:, :1]
        rgb = lab_to_rgb(l_ab_to_lab(L, given[:, 1:]))
        encoder = self._encoder[0].to(given.device)
        found: list[Tensor] = []
        logits: list[Tensor] = []
        for scale, own in reversed(list(enumerate(encoder(normalize_for_lite(rgb))[_FINEST:]))):
            mixed = F.conv2d(own, self.get_buffer(f"across_channels{scale}"))
            if found:
                coarser = F.interpolate(found[-1], mixed.shape[2:], mode="bilinear")
                mixed = mixed + coarser
            mixed = F.conv2d(mixed, self.get_buffer(f"across_scales{scale}"), padding=1)
            found.append(mixed)
            beside = F.adaptive_avg_pool2d(L, (mixed.shape[2], mixed.shape[3]))
            logits.append(self.heads[scale](torch.cat([mixed, beside], dim=1)).flatten(1))
        return [*found, torch.cat(logits, dim=1)]

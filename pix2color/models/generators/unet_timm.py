"""A UNet with any encoder of timm and a slim decoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2color.models.generators.slim_unet import SlimUNet
from pix2color.models.timm_encoders import timm_encoder


class UNetTimm(SlimUNet):
    """An encoder of timm, which may be trained already, and the slim decoder.

    A picture of another size is padded to multiples of the encoder's coarsest cell, 32 pixels.

    Args:
        encoder_weights: see ``timm_encoders.timm_encoder``.
        encoder: timm's name of the encoder.
        widths: channels after each of the decoder's stages, as many as the encoder halves the
            size, less one.
        hints: whether it takes hints.
        doubt: whether it predicts its own error, too; ``pix2color train-doubt`` adds that.

    Raises:
        ConfigError: timm has no such encoder, or it gives no maps at 1/2, 1/4, 1/8, … of the size.
    """

    def __init__(
        self,
        encoder_weights: str = "none",
        encoder: str = "tf_efficientnet_lite0",
        widths: tuple[int, ...] = (192, 128, 96, 64),
        *,
        hints: bool = True,
        doubt: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = timm_encoder(encoder, encoder_weights)
        features: Any = self.encoder.feature_info
        self.multiple: int = features.reduction()[-1]
        self.add_decoder(features.channels(), widths, hints=hints, doubt=doubt)

    def forward(self, L: Tensor, hints: Tensor | None = None) -> Tensor:
        return self._padded(super().forward, L, hints)

    def predict_doubt(self, L: Tensor, hints: Tensor | None = None) -> Tensor:
        return self._padded(super().predict_doubt, L, hints)

    def predict_with_doubt(self, L: Tensor, hints: Tensor | None = None) -> tuple[Tensor, Tensor]:
        def both(*given: Any) -> Tensor:
            return torch.cat(super(UNetTimm, self).predict_with_doubt(*given), dim=1)

        found = self._padded(both, L, hints)
        return found[:, :2], found[:, 2:]

    def _padded(self, predict: Callable[..., Tensor], L: Tensor, hints: Tensor | None) -> Tensor:
        height, width = L.shape[2:]
        below, right = -height % self.multiple, -width % self.multiple
        if hints is not None:
            hints = F.pad(hints, (0, right, 0, below))
        result = predict(F.pad(L, (0, right, 0, below), mode="replicate"), hints)
        return result[:, :, :height, :width]

    def encoder_parameters(self) -> list[nn.Parameter]:
        return list(self.encoder.parameters())

    def encode(self, L: Tensor) -> list[Tensor]:
        return self.encoder(L)

"""A simple CNN without skips."""

from __future__ import annotations

from torch import Tensor, nn

from pix2color.models.base import Generator
from pix2color.models.padding import padded

_WIDTHS = (64, 128, 256)


class CNN(Generator):
    """Convolutions extract features, transposed convolutions enlarge; 1.9 M parameters.

    From a course report. Its widths are not known: here each of three steps halves the size with
    a convolution of 4 x 4 and doubles the channels, from 64 on, one convolution of 3 x 3 mixes,
    and three steps lead back. A picture of another size is padded to a multiple of 8.

    Reported, with MSE: "not colored properly because of the multi-modality".
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((1, *_WIDTHS[:-1]), _WIDTHS, strict=True):
            layers += _step(nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False))
        deepest = _WIDTHS[-1]
        layers += _step(nn.Conv2d(deepest, deepest, 3, padding=1, bias=False))
        for before, after in zip(_WIDTHS[:0:-1], _WIDTHS[-2::-1], strict=True):
            layers += _step(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False))
        layers += [nn.ConvTranspose2d(_WIDTHS[0], 2, 4, stride=2, padding=1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, L: Tensor) -> Tensor:
        """Predict, from ``L`` (N, 1, H, W) in [-1, 1], ``ab`` (N, 2, H, W) in (-1, 1)."""
        height, width = L.shape[2:]
        ab: Tensor = self.layers(padded(L, 2 ** len(_WIDTHS)))
        return ab[:, :, :height, :width]


def _step(convolution: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()]

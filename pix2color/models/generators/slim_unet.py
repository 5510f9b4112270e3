"""The decoder that our own generators share, and how it listens to hints."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2color.models.base import Generator
from pix2color.models.hints import HintAttention, reduced_hints

_DOUBT_WIDTH = 32
_FIRST_HINTED = 1  # the decoder's stage at 1/8 of the size


class SlimUNet(Generator):
    """Base of UNets with a slim decoder that predicts ab at half resolution.

    UNet: Ronneberger et al. 2015; dynamic upsampling to the skip's size and PixelShuffle with
    ICNR: fastai's DynamicUnet. Slimmer than that: the channels shrink before they are enlarged,
    and nothing runs at full resolution, since the eye sees colour at half of it.

    A network that takes hints reads them at every stage of the decoder from 1/8 of the size on.
    At 1/8 they also spread by attention: a hint colours its thing. None of that has a bias, so
    that no hints add exactly nothing.
    """

    ab_stride = 2

    def add_decoder(
        self, features: Sequence[int], widths: Sequence[int], *, hints: bool, doubt: bool
    ) -> None:
        """Add the layers after the encoder.

        Args:
            features: channels of the encoder's features at 1/2, 1/4, … of the size.
            widths: channels after each of the decoder's stages, one fewer.
            hints: whether the network takes hints.
            doubt: whether it has the head that predicts its own error.

        Raises:
            ValueError: there is another number of widths.
        """
        skips = features[-2::-1]
        if len(widths) != len(skips):
            raise ValueError(f"widths must be {len(skips)} numbers. Got {widths}")
        inputs = (features[-1], *widths)
        blocks = [
            UpBlock(channels, skip, width)
            for channels, skip, width in zip(inputs[:-1], skips, widths, strict=True)
        ]
        self.decoder = nn.ModuleList(blocks)
        self.head = nn.Conv2d(widths[-1], 2, kernel_size=3, padding=1, bias=False)
        # Nearly zero: training starts from the gray picture, not from noise.
        nn.init.normal_(self.head.weight, std=1e-3)
        self.takes_hints = hints
        if hints:
            self.attention = HintAttention(blocks[_FIRST_HINTED].joined)
            given = [3 + self.attention.channels, *[3] * (len(widths) - _FIRST_HINTED - 1)]
            self.hint_layers = nn.ModuleList(
                nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False)
                for channels, width in zip(given, widths[_FIRST_HINTED:], strict=True)
            )
        self.width = widths[-1]
        if doubt:
            self.add_doubt()

    def add_doubt(self) -> None:
        """Add the head that predicts how wrong the ab is, untrained."""
        self.gives_doubt = True
        self.doubt_head = nn.Sequential(
            nn.Conv2d(self.width, _DOUBT_WIDTH, kernel_size=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(_DOUBT_WIDTH, 1, kernel_size=3, padding=1),
            nn.Softplus(),
        )

    def drop_doubt(self) -> None:
        """Remove that head: of other features it would be wrong."""
        self.gives_doubt = False
        del self.doubt_head

    @abstractmethod
    def encode(self, L: Tensor) -> list[Tensor]:
        """Return the encoder's features of ``L`` (N, 1, H, W), at 1/2, 1/4, … of the size."""

    def forward(self, L: Tensor, hints: Tensor | None = None) -> Tensor:
        """Predict, from ``L`` (N, 1, H, W) in [-1, 1] and hints (N, 3, H, W), ab (N, 2, H, W)."""
        return _enlarged(self.head(self.decode(L, hints)), L)

    def predict_with_doubt(self, L: Tensor, hints: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Predict ab, and how far it is from the truth; see ``forward`` and ``predict_doubt``."""
        features = self.decode(L, hints)
        return _enlarged(self.head(features), L), _enlarged(self.doubt_head(features), L)

    def predict_doubt(self, L: Tensor, hints: Tensor | None = None) -> Tensor:
        """Predict how far the ab is from the truth, (N, 1, H, W) >= 0, in the units of ab.

        Only its own head learns from that: the features stay as the colours want them.
        """
        with torch.no_grad():
            features = self.decode(L, hints)
        return _enlarged(self.doubt_head(features), L)

    def decode(self, L: Tensor, hints: Tensor | None) -> Tensor:
        """Return the decoder's last features, (N, ``width``, H / 2, W / 2)."""
        *skips, x = self.encode(L)
        for stage, block in enumerate(self.decoder):
            assert isinstance(block, UpBlock)
            joined = block.join(x, skips.pop())
            if hints is None or stage < _FIRST_HINTED:
                x = block(joined)
            else:
                x = block(joined, self._read(hints, stage, joined))
        return x

    def _read(self, hints: Tensor, stage: int, features: Tensor) -> Tensor:
        """Return what the hints add to a stage of the decoder."""
        reduced = reduced_hints(hints, len(self.decoder) - stage)
        if stage == _FIRST_HINTED:
            reduced = torch.cat([reduced, self.attention(features, reduced)], dim=1)
        return self.hint_layers[stage - _FIRST_HINTED](reduced)

    def scale_ab(self, gain: float) -> None:
        """Multiply all its ab by ``gain`` from now on: the head is linear."""
        with torch.no_grad():
            self.head.weight.mul_(gain)


class UpBlock(nn.Module):
    """A stage of the decoder: enlarges by two to the skip's size, joins the skip and mixes."""

    def __init__(self, channels: int, skip: int, out: int) -> None:
        super().__init__()
        up = channels // 2
        self.joined = up + skip
        self.expand = nn.Conv2d(channels, up * 4, kernel_size=1, bias=False)
        icnr_(self.expand.weight)
        self.shuffle = nn.PixelShuffle(2)
        self.mix = nn.Sequential(
            nn.Conv2d(self.joined, out, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        )

    def join(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return the enlarged map and the skip, (N, ``joined``, H, W)."""
        x = F.relu(self.shuffle(self.expand(x)))
        # Strided layers round odd sides up, so the doubled map is at most one pixel too large.
        return torch.cat([x[:, :, : skip.shape[2], : skip.shape[3]], skip], dim=1)

    def forward(self, joined: Tensor, added: Tensor | None = None) -> Tensor:
        """Mix them; ``added`` (N, ``out``, H, W) comes in before the norm."""
        convolution, norm, relu = self.mix
        x = convolution(joined)
        return relu(norm(x if added is None else x + added))


def _enlarged(half: Tensor, L: Tensor) -> Tensor:
    """Return a prediction at the size of ``L``."""
    return F.interpolate(half, L.shape[2:], mode="bilinear", align_corners=False)


def icnr_(weight: Tensor, scale: int = 2) -> None:
    """Initialise a convolution before PixelShuffle so that it starts as nearest-neighbour.

    Aitken et al. 2017 (arXiv:1707.02937): without it, sub-pixels start out different and leave
    a checkerboard.
    """
    kernel = torch.empty(weight.shape[0] // scale**2, *weight.shape[1:])
    nn.init.kaiming_normal_(kernel)
    with torch.no_grad():
        weight.copy_(kernel.repeat_interleave(scale**2, dim=0))

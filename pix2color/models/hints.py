"""What a network does with hints: reducing them, and spreading them to places that look alike."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_HEADS, _WIDTH = 4, 16
_MOST_CELLS = 128


def reduced_hints(hints: Tensor, halvings: int) -> Tensor:
    """Return hints (N, 3, H, W) at ``1 / 2**halvings`` of the size, rounded up.

    A cell of the result has a hint if any of its pixels has one, and the mean of their colours.
    """
    cell = 2**halvings
    mask = hints[:, 2:]
    shares = F.avg_pool2d(torch.cat([hints[:, :2] * mask, mask], dim=1), cell, ceil_mode=True)
    mean = shares[:, :2] / shares[:, 2:].clamp(min=1e-6)
    return torch.cat([mean, F.max_pool2d(mask, cell, ceil_mode=True)], dim=1)


class HintAttention(nn.Module):
    """Spreads hints to the places whose features are like those where they are.

    A place attends to the cells that have a hint (Vaswani et al. 2017, arXiv:1706.03762, with
    cosine similarity), the less the further they are away, by a rate that each of four heads
    learns. It is given the mean of their colours and how far that can be believed: not at all
    where nothing is alike, and exactly 0 where there is no hint. At most 128 cells are attended to.

    Args:
        channels: of the features.
    """

    channels = 3 * _HEADS
    """Of the result."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, _HEADS * _WIDTH, 1, bias=False)
        self.key = nn.Conv2d(channels, _HEADS * _WIDTH, 1, bias=False)
        self.sharpness = nn.Parameter(torch.full((_HEADS, 1, 1), 4.0))
        # Logarithms of what a cell of distance takes from a score: far-reaching to local.
        self.locality = nn.Parameter(torch.tensor([-4.0, -3.0, -2.0, -1.0]).view(-1, 1, 1))
        # Logarithm of the weight of believing no hint at all.
        self.doubt = nn.Parameter(torch.full((_HEADS, 1, 1), -2.0))

    def forward(self, features: Tensor, hints: Tensor) -> Tensor:
        """Return the hints, spread.

        Args:
            features: (N, ``channels``, H, W).
            hints: (N, 3, H, W).

        Returns:
            (N, 12, H, W): of each head the ab, times the belief in it, and that belief, 0 to 1.
        """
        count, _, height, width = features.shape
        query, key = self.query(features), self.key(features)
        with torch.autocast(features.device.type, enabled=False):
            places = torch.stack(
                [
                    torch.arange(height, device=hints.device).view(-1, 1).expand(-1, width),
                    torch.arange(width, device=hints.device).view(1, -1).expand(height, -1),
                ]
            ).flatten(1)[None]
            # Padded, so that there are always cells enough.
            mask = F.pad(hints[:, 2].float().flatten(1), (0, _MOST_CELLS))
            given, cells = mask.topk(_MOST_CELLS, dim=1)

            def at_cells(values: Tensor) -> Tensor:
                """Return values (N, C, H*W) where the hints are, (N, C, 128)."""
                padded = F.pad(values.float(), (0, _MOST_CELLS))
                return padded.gather(2, cells[:, None].expand(-1, values.shape[1], -1))

            query = query.float().view(count, _HEADS, _WIDTH, -1)
            key = at_cells(key.flatten(2)).view(count, _HEADS, _WIDTH, -1)
            likeness = torch.matmul(F.normalize(query, dim=2).mT, F.normalize(key, dim=2))
            there = at_cells(places.expand(count, -1, -1))
            offsets = places.float()[..., None] - there[:, :, None]
            distance = offsets.square().sum(dim=1, keepdim=True).sqrt()
            score = self.sharpness * (likeness - 1) - self.locality.exp() * distance
            weight = score.exp() * given[:, None, None]
            total = weight.sum(dim=3, keepdim=True) + self.doubt.exp()
            colors = F.pad(at_cells(hints.flatten(2))[:, :2], (0, 0, 0, 1), value=1.0)
            spread = torch.matmul(weight / total, colors.mT[:, None])
        return spread.mT.reshape(count, self.channels, height, width).to(features.dtype)

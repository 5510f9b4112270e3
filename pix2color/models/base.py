"""The base of all generators."""

from __future__ import annotations

from torch import Tensor, nn

from pix2color.errors import ConfigError


class Generator(nn.Module):
    """Base of all generators: ``L`` (N, 1, H, W) to ``ab`` (N, 2, H, W), for any H and W.

    Attributes:
        ab_stride: by how much its ab is coarser than its input; 1: not at all.
    """

    ab_stride: int = 1

    def forward(self, L: Tensor) -> Tensor:
        raise NotImplementedError

    def scale_ab(self, gain: float) -> None:
        """Multiply all its ab by ``gain`` from now on, in its last weights.

        Raises:
            ConfigError: this network cannot.
        """
        raise ConfigError(f"match_saturation: {type(self).__name__} cannot scale its ab")

"""The base of all generators."""

from __future__ import annotations

from torch import nn

from pix2color.errors import ConfigError


class Generator(nn.Module):
    """Base of all generators: ``L`` (N, 1, H, W) to ``ab`` (N, 2, H, W), for any H and W.

    A network that takes hints is called with ``L`` and hints (N, 3, H, W): ab where it is given,
    elsewhere 0, and a mask of 0 or 1. No hints and a mask of zeros are the same.

    Attributes:
        ab_stride: by how much its ab is coarser than its input; 1: not at all.
        takes_hints: whether it can be called with hints.
        gives_doubt: whether it can predict its own error, too.
    """

    ab_stride: int = 1
    takes_hints: bool = False
    gives_doubt: bool = False

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of its encoder, if it has one that can be trained already."""
        return []

    def scale_ab(self, gain: float) -> None:
        """Multiply all its ab by ``gain`` from now on, in its last weights.

        Raises:
            ConfigError: this network cannot.
        """
        raise ConfigError(f"match_saturation: {type(self).__name__} cannot scale its ab")

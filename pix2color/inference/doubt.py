"""Where a model guesses: what it expects its error to be, and how much its answers differ."""

from __future__ import annotations

import numpy as np

from pix2color.color.lab import AB_SCALE
from pix2color.inference.interpolation import interpolate
from pix2color.inference.network import Network, network_inputs, predict_colors
from pix2color.inference.network_input import ReducedPhoto, reduce_photo

_VIEWS = ((1.0, False), (0.75, True), (1.25, True))  # size beside the first, and whether mirrored
# What each adds to the error that is expected, fitted by least squares on photos it learnt from.
_SAID, _SPREAD, _CHROMA = 0.7, 1.1, 0.18


def expected_error(network: Network, prepared: ReducedPhoto) -> np.ndarray:
    """Return how far a network's ab is expected to be from the truth.

    The network says so itself, and is too sure: where it says something else of the same photo
    smaller, larger or mirrored it knows less (disagreement as uncertainty: Lakshminarayanan et al.
    2017, arXiv:1612.01474; of views of one network: Ayhan and Berens 2018), and where it paints
    much it can be wrong by much. The three together rank errors better than any alone.

    Args:
        network: one that gives its doubt.
        prepared: a photo.

    Returns:
        float32 (h, w), as large as ``prepared.network_input``: a distance in a* and b*.

    Raises:
        ModelError: it is too large for the memory, or the network gave no numbers.
    """
    views = np.stack([_view(network, prepared, *view) for view in _VIEWS]) * AB_SCALE
    ab, said = views[:, :2], views[:, 2]
    spread = np.sqrt(ab.var(axis=0).sum(axis=0))
    return _SAID * said.mean(axis=0) + _SPREAD * spread + _CHROMA * np.hypot(*ab[0])


def _view(network: Network, prepared: ReducedPhoto, share: float, mirrored: bool) -> np.ndarray:
    """Return the ab and the doubt of a view, float32 (3, h, w), where they are in the first."""
    sides = prepared.network_input.shape
    view = prepared
    if share != 1:
        view = reduce_photo(prepared.photo, round(share * min(sides)), prepared.hints)
    height, width = seen = view.network_input.shape
    inputs = network_inputs([view.mirrored() if mirrored else view])
    doubt = network.doubt(*inputs)  # type: ignore[attr-defined]
    found = np.concatenate([predict_colors(network, *inputs), doubt], axis=1)[0, :, :height, :width]
    if mirrored:
        found = found[..., ::-1]
    return interpolate(found, sides, (sides[0] / seen[0], sides[1] / seen[1]))

"""Where a model guesses: what it expects its error to be, and how much its answers differ."""

from __future__ import annotations

import numpy as np

from pix2color.color.lab import AB_SCALE
from pix2color.inference.interpolation import interpolate
from pix2color.inference.network import Network, network_inputs, predict_with_doubt
from pix2color.inference.network_input import ReducedPhoto, reduce_photo

# Size beside the first, and whether mirrored.
_VIEWS = ((1.0, False), (0.75, True), (1.25, True), (1.625, False))
# What each adds to the square root of the error, and a rest: fitted by least squares on 400 photos
# of those that the network learnt from.
_SAID, _SPREAD, _CHROMA, _ROOM, _REST = 1.0, 0.66, 0.2, 0.73, -0.56


def expected_error(network: Network, prepared: ReducedPhoto) -> np.ndarray:
    """Return how far a network's ab is expected to be from the truth.

    The network says so itself, but does not know all: where it says something else of the same
    photo smaller, larger or mirrored it knows less (disagreement as uncertainty: Lakshminarayanan
    et al. 2017, arXiv:1612.01474; of views of one network: Ayhan and Berens 2018); where it paints
    much it can be wrong by much; and next to black and white there are no strong colours. Together
    they rank errors better than any alone.

    Args:
        network: one that gives its doubt.
        prepared: a photo.

    Returns:
        float32 (h, w), as large as ``prepared.network_input``: a distance in a* and b*.

    Raises:
        ModelError: it is too large for the memory, or the network gave no numbers.
    """
    height, width = prepared.network_input.shape
    L = network_inputs([prepared])[0][0, 0, :height, :width]
    views = np.stack([_view(network, prepared, *view) for view in _VIEWS]) * AB_SCALE
    ab, said = views[:, :2], views[:, 2].mean(axis=0)
    spread = np.sqrt(ab.var(axis=0).sum(axis=0))
    root = _SAID * np.log1p(np.maximum(said, 0)) + _SPREAD * np.log1p(spread) + _REST
    root += _CHROMA * np.log(np.hypot(*ab[0]) + 3) + _ROOM * np.log(1.3 - L**2)
    return np.maximum(root, 0) ** 2


def _view(network: Network, prepared: ReducedPhoto, share: float, mirrored: bool) -> np.ndarray:
    """Return the ab and the doubt of a view, float32 (3, h, w), where they are in the first."""
    sides = prepared.network_input.shape
    view = prepared
    if share != 1:
        view = reduce_photo(prepared.photo, round(share * min(sides)), prepared.hints)
    height, width = seen = view.network_input.shape
    inputs = network_inputs([view.mirrored() if mirrored else view])
    found = np.concatenate(predict_with_doubt(network, *inputs), axis=1)[0, :, :height, :width]
    if mirrored:
        found = found[..., ::-1]
    return interpolate(found, sides, (sides[0] / seen[0], sides[1] / seen[1]))
